"""Rows in Parquet files that are read in parts: processor time and peak memory of the survey, and of counting all.

    python benchmarks/bench_parts.py --rows 50000000 --files 50

Eighteen columns: label, score, weight, six slice columns with 401 slices at depth 2, eight numbers and a text of 200
levels. What is asked is calibration, all slices, and drift of eleven columns against a reference that is held. Files
are written first, in a process of their own, and are left where ``--keep`` says. The peak is that of the operating
system for the process that counts, imports among it.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from mlflow_eval_plugin.engines.arrow.rows import ArrowRows
from mlflow_eval_plugin.engines.contract import AskedColumns
from mlflow_eval_plugin.engines.parts.asking import Asking
from mlflow_eval_plugin.engines.parts.binary import BinaryReading, PartedBinaryRows
from mlflow_eval_plugin.engines.parts.local import LocalPasses
from mlflow_eval_plugin.engines.parts.rows import PartedRows
from mlflow_eval_plugin.engines.parts.shown import Shown, ShownColumn
from mlflow_eval_plugin.engines.slicing import Slicing

LEVELS = (3, 3, 3, 4, 6, 12)
SLICED = tuple(f"s{place}" for place in range(len(LEVELS)))
NUMBERS = tuple(f"x{place}" for place in range(8))
DRIFT = ("label", "score", *NUMBERS, "t")
ROW_GROUP = 2**18


def table_of(rows: int, seed: int) -> pa.Table:
    """Some rows."""
    rng = np.random.default_rng(seed)
    score = rng.beta(2, 5, rows)
    columns: dict[str, object] = {"label": (rng.random(rows) < score).astype(np.int8), "score": score}
    columns["weight"] = rng.random(rows)
    columns |= {name: rng.integers(0, most, rows).astype(np.int8) for name, most in zip(SLICED, LEVELS, strict=True)}
    columns |= {name: rng.normal(size=rows) for name in NUMBERS}
    texts = pa.array([f"v{level}" for level in range(200)])
    return pa.table({**columns, "t": texts.take(pa.array(rng.integers(0, 200, rows)))})


def written(folder: Path, rows: int, files: int) -> None:
    """Files of equally many rows."""
    for place in range(files):
        part = table_of(rows // files, place)
        pq.write_table(part, folder / f"part-{place:04}.parquet", row_group_size=ROW_GROUP)


def passes_of(folder: Path) -> LocalPasses:
    """Passes over the files of a folder."""
    files = sorted(folder.glob("*.parquet"))

    def read(columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
        for one in files:
            yield from pq.ParquetFile(one, pre_buffer=False).iter_batches(ROW_GROUP, columns=list(columns))

    return LocalPasses(pq.read_schema(files[0]), read)


def counted(folder: Path) -> dict[str, float]:
    """Seconds of processor and of the wall, by pass, and the peak in MB."""
    reference = ArrowRows(table_of(200_000, 10_000).select(list(DRIFT)).to_pandas())
    passes = passes_of(folder)
    names = tuple(passes.schema.names)
    asking = Asking(passes, Shown.given(names))
    reading = BinaryReading("label", None, ShownColumn("score", "score", "score"))
    scored, everything = PartedBinaryRows(asking, Shown.given(names), reading), PartedRows(asking, Shown.given(names))
    slicing = Slicing(SLICED, 2)
    scored.expect_scores()
    scored.expect_sliced(slicing)
    begun = time.process_time(), time.perf_counter()
    rows = asking.rows
    surveyed = time.process_time(), time.perf_counter()
    everything.drift(reference, AskedColumns(tuple(DRIFT), {"score": "score"}, frozenset({"label"})))
    found = scored.sliced(slicing)
    scored.scores()
    done = time.process_time(), time.perf_counter()
    return {
        "rows": rows,
        "slices": len(found.slices),
        "survey_cpu_s": surveyed[0] - begun[0],
        "count_cpu_s": done[0] - surveyed[0],
        "cpu_s": done[0] - begun[0],
        "wall_s": done[1] - begun[1],
        "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }


def in_a_process(*arguments: str) -> str:
    """What this script says, in a process of its own."""
    done = subprocess.run([sys.executable, __file__, *arguments], check=True, capture_output=True, text=True)
    return done.stdout


def main() -> None:
    """Write files, count them, and print what it took."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=10_000_000)
    parser.add_argument("--files", type=int, default=10)
    parser.add_argument("--keep", type=Path, help="a folder for the files, which are used where they are there")
    parser.add_argument("--write", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--count", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.write:
        written(options.write, options.rows, options.files)
    elif options.count:
        print(json.dumps(counted(options.count)))
    else:
        with tempfile.TemporaryDirectory() as folder:
            where = options.keep or Path(folder)
            where.mkdir(exist_ok=True)
            if not list(where.glob("*.parquet")):
                in_a_process("--write", str(where), "--rows", str(options.rows), "--files", str(options.files))
            found = json.loads(in_a_process("--count", str(where)))
        print(pd.Series(found).map("{:,.1f}".format).to_string())


if __name__ == "__main__":
    main()
