"""A model is asked about each row once, in batches of one size, however many passes there are."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from mlflow_eval_plugin.engines.arrow.binary.rows import ArrowBinaryRows
from mlflow_eval_plugin.engines.parts.asking import Asking
from mlflow_eval_plugin.engines.parts.binary import BinaryReading, PartedBinaryRows
from mlflow_eval_plugin.engines.parts.local import LocalPasses
from mlflow_eval_plugin.engines.parts.models import scored
from mlflow_eval_plugin.engines.parts.models.scored import ScoredPasses
from mlflow_eval_plugin.engines.parts.shown import Shown, ShownColumn
from mlflow_eval_plugin.engines.slicing import Slicing
from mlflow_eval_plugin.stats.errors import InputError

SCORE = pa.schema([("score", pa.float64())])
SLICING = Slicing(("g",), 1)


def table_of(rows: int = 500) -> pa.Table:
    rng = np.random.default_rng(5)
    x = rng.normal(size=rows)
    label = (rng.random(rows) < 1 / (1 + np.exp(-x))).astype(np.int64)
    return pa.table({"label": label, "g": rng.choice(["a", "b"], rows), "x": x, "idle": x})


def passes_of(*tables: pa.Table) -> LocalPasses:
    left = list(tables)

    def read(columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
        table = left.pop(0) if len(left) > 1 else left[0]
        yield from table.select(list(columns)).to_batches(max_chunksize=70)

    return LocalPasses(tables[0].schema, read, part_rows=120)


class Model:
    """Says a probability by one column, and remembers how it was asked."""

    def __init__(self) -> None:
        self.asked: list[int] = []

    def __call__(self, rows: pd.DataFrame) -> Mapping[str, Any]:
        assert list(rows.columns) == ["x"]
        self.asked.append(len(rows))
        return {"score": 1 / (1 + np.exp(-rows["x"].to_numpy()))}


def rows_of(passes: ScoredPasses) -> PartedBinaryRows:
    names = ("label", "g", "x", "idle")
    reading = BinaryReading("label", None, ShownColumn("score", "score", "score"))
    return PartedBinaryRows(Asking(passes, Shown.given(names)), Shown.given(names), reading)


def test_a_model_is_asked_once_about_each_row_and_what_it_says_is_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scored, "ASKED_ROWS", 50)
    model, table = Model(), table_of()
    rows = rows_of(ScoredPasses(passes_of(table), ["x"], SCORE, model))
    found = rows.scores(), rows.sliced(SLICING)
    assert sum(model.asked) == 500
    assert model.asked == [50, 50, 20] * 4 + [20]
    frame = table.to_pandas()
    whole = ArrowBinaryRows(frame, frame["label"].to_numpy(), 1 / (1 + np.exp(-frame["x"].to_numpy())))
    expected = whole.scores(), whole.sliced(SLICING)
    assert np.array_equal(found[0].offset, expected[0].offset)
    assert np.array_equal(found[1].cells, expected[1].cells)
    assert np.array_equal(found[1].loss, expected[1].loss)


def test_rows_that_changed_after_the_model_was_asked_are_refused() -> None:
    rows = rows_of(ScoredPasses(passes_of(table_of(), table_of(490)), ["x"], SCORE, Model()))
    with pytest.raises(InputError, match="the data changed between two readings"):
        rows.scores()


def test_a_model_says_one_value_a_row() -> None:
    rows = rows_of(ScoredPasses(passes_of(table_of()), ["x"], SCORE, lambda frame: {"score": [0.5]}))
    with pytest.raises(InputError, match="model: expected 120 values of 'score', one a row, found 1"):
        rows.scores()


def test_a_disk_that_fills_is_said_and_nothing_is_taken_for_an_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    passes = ScoredPasses(passes_of(table_of()), ["x"], SCORE, Model())
    with monkeypatch.context() as patch:
        patch.setattr(scored, "_write", full)
        with pytest.raises(InputError, match=r"cannot be written to .*No space left on device.*TMPDIR"):
            rows_of(passes).scores()
    assert int(rows_of(passes).scores().n.sum()) == 500


def test_an_output_that_is_a_column_of_the_data_is_refused() -> None:
    with pytest.raises(InputError, match="model: its output 'x' is a column of the data, too"):
        ScoredPasses(passes_of(table_of()), ["idle"], pa.schema([("x", pa.float64())]), Model())
