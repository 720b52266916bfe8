"""One Parquet file is one data set, whichever library reads it."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from support.summaries import arrays

from mlflow_eval_plugin.engines.arrow import data_digest, digest_summary, drift_counts, schema_of
from mlflow_eval_plugin.engines.arrow.columns.inputs import column_of
from mlflow_eval_plugin.engines.arrow.columns.levels import coded_columns
from mlflow_eval_plugin.engines.arrow.columns.plain import kind_of, plain
from mlflow_eval_plugin.engines.arrow.columns.streams import is_arrow, read_arrow, read_column
from mlflow_eval_plugin.plugin.data.frames import framed, tabled
from mlflow_eval_plugin.plugin.data.tables import with_columns
from mlflow_eval_plugin.stats.drift.schema import schema_changes
from mlflow_eval_plugin.stats.errors import InputError

DAY, NOON = dt.date(2024, 1, 2), dt.datetime(2024, 1, 2, 12, 0, 0, 5)
FAR, OLD = dt.datetime(9999, 12, 31), dt.datetime(1600, 3, 1)
CLOCK = dt.time(1, 2, 3)

# Kind and levels of every column, by hand; the second row is missing but in columns that end on "full".
COLUMNS: dict[str, tuple[pa.Array, str, list[str]]] = {
    "whole": (pa.array([1, None, 3, -4]), "number", ["1", "", "3", "-4"]),
    "whole8": (pa.array([1, None, 3, -4], pa.int8()), "number", ["1", "", "3", "-4"]),
    "whole full": (pa.array([1, 0, 3, -4], pa.int16()), "number", ["1", "0", "3", "-4"]),
    "truth": (pa.array([True, None, False, True]), "number", ["1", "", "0", "1"]),
    "truth full": (pa.array([True, False, False, True]), "number", ["1", "0", "0", "1"]),
    "text": (pa.array(["b", None, "nan", "b"]), "text", ["b", "", "nan", "b"]),
    "category": (pa.array(["b", None, "a", "b"]).dictionary_encode(), "text", ["b", "", "a", "b"]),
    "codes": (pa.array([3, None, 1, 3]).dictionary_encode(), "number", ["3", "", "1", "3"]),
    "day": (pa.array([DAY, None, FAR.date(), OLD.date()]), "datetime", ["2024-01-02", "", "9999-12-31", "1600-03-01"]),
    "day64": (pa.array([DAY, None, DAY, DAY], pa.date64()), "datetime", ["2024-01-02", "", "2024-01-02", "2024-01-02"]),
    "time": (
        pa.array([NOON, None, FAR, OLD], pa.timestamp("us")), "datetime",
        ["2024-01-02 12:00:00.000005", "", "9999-12-31", "1600-03-01"],
    ),
    "seconds": (pa.array([0, None, 1, 86400], pa.timestamp("s")), "datetime",
                ["1970-01-01", "", "1970-01-01 00:00:01", "1970-01-02"]),
    "time with a zone": (
        pa.array([0, None, 1, 10**6], pa.timestamp("us", "Europe/Berlin")), "datetime",
        ["1970-01-01 01:00:00+01:00", "", "1970-01-01 01:00:00.000001+01:00", "1970-01-01 01:00:01+01:00"],
    ),
    "time in UTC": (pa.array([0, None, 1, 10**6], pa.timestamp("ms", "UTC")), "datetime",
                    ["1970-01-01", "", "1970-01-01 00:00:00.001000+00:00", "1970-01-01 00:16:40+00:00"]),
    "clock": (pa.array([CLOCK, None, CLOCK, dt.time(4, 5)]), "time", ["01:02:03", "", "01:02:03", "04:05:00"]),
    "duration": (pa.array([1, None, 2, 10**12], pa.duration("us")), "duration",
                 ["0 days 00:00:00.000001", "", "0 days 00:00:00.000002", "11 days 13:46:40"]),
    "decimal": (
        pa.array([Decimal("0.10"), None, Decimal("2.50"), Decimal("12345678901234567.89")], pa.decimal128(20, 2)),
        "number", ["0.1", "", "2.5", "12345678901234567.89"],
    ),
    "single": (pa.array([0.1, None, 2.5, 0.3], pa.float32()), "number", ["0.1", "", "2.5", "0.3"]),
    "single full": (pa.array([0.1, 1.0, 2.5, 0.3], pa.float32()), "number", ["0.1", "1", "2.5", "0.3"]),
    "double": (pa.array([0.1, None, float("nan"), 0.3]), "number", ["0.1", "", "", "0.3"]),
    "keys full": (pa.array([2**53 + 1, 2**53, -(2**62) - 1, 7]), "number",
                  ["9007199254740993", "9007199254740992", "-4611686018427387905", "7"]),
    "unsigned full": (pa.array([2**64 - 1, 1, 2**63, 7], pa.uint64()), "number",
                      ["18446744073709551615", "1", "9223372036854775808", "7"]),
    "bytes": (pa.array([b"a", None, b"b", b"a"]), "bytes", ["b'a'", "", "b'b'", "b'a'"]),
    "no number": (pa.nulls(4, pa.float64()), "nothing", [""] * 4),
    "no text": (pa.nulls(4, pa.string()), "nothing", [""] * 4),
    "no truth": (pa.nulls(4, pa.bool_()), "nothing", [""] * 4),
    "no time": (pa.nulls(4, pa.timestamp("us")), "nothing", [""] * 4),
}  # fmt: skip
LISTS = {"lists": pa.array([[1, 2], None, [3], [1, 2]]), "structs": pa.array([{"a": 1}, None, {"a": 2}, {"a": 1}])}
# pandas reads such as floats, which are other numbers.
LOST = {"keys": pa.array([2**53 + 1, None, 3, -7]), "unsigned": pa.array([2**64 - 1, None, 3, 7], pa.uint64())}


class Relation:
    """What is known of a DuckDB relation, and of whatever library comes next: it gives an Arrow stream."""

    def __init__(self, table: pa.Table | pa.ChunkedArray) -> None:
        self._table = table

    def __len__(self) -> int:
        return len(self._table)

    def __arrow_c_stream__(self, requested_schema: object = None) -> object:
        return self._table.__arrow_c_stream__(requested_schema)


READERS: dict[str, Callable[[Path], Any]] = {
    "pandas": pd.read_parquet,
    "pandas, nullable": lambda path: pd.read_parquet(path, dtype_backend="numpy_nullable"),
    "pandas on pyarrow": lambda path: pd.read_parquet(path, dtype_backend="pyarrow"),
    "pyarrow": pq.read_table,
    "polars": pl.read_parquet,
    "polars, lazily": pl.scan_parquet,
    "an Arrow stream": lambda path: Relation(pq.read_table(path)),
    "duckdb": lambda path: duckdb.read_parquet(str(path)),
}
# A column by itself, as mappings of columns hold it.
HOLDERS: dict[str, Callable[[pa.Array], Any]] = {
    "polars": pl.Series,
    "pyarrow": lambda values: pa.chunked_array([values[:2], values[2:]]),
    "pyarrow, an array": lambda values: values,
    "an Arrow stream": lambda values: Relation(pa.chunked_array([values])),
}
# What Parquet itself has not, and Arrow writes beside it: DuckDB reads integers, and the same times in UTC.
OF_ARROW = {"duckdb": {"duration", "time with a zone"}}


def written(path: Path, columns: dict[str, pa.Array]) -> Path:
    pq.write_table(pa.table(columns), path / "rows.parquet")
    return path / "rows.parquet"


def read(reader: str, path: Path, columns: dict[str, pa.Array]) -> pd.DataFrame:
    """The rows of a file of these columns, by one of the readers."""
    return framed(READERS[reader](written(path, columns)), argument="data")


def columns_for(reader: str) -> dict[str, tuple[pa.Array, str, list[str | None]]]:
    """The columns of which the reader can know what they hold."""
    return {name: column for name, column in COLUMNS.items() if name not in OF_ARROW.get(reader, ())}


@pytest.mark.parametrize(("reader", "name"), [(reader, name) for reader in READERS for name in columns_for(reader)])
def test_a_column_has_one_kind_one_digest_and_one_set_of_levels(reader, name, tmp_path):
    given, kind, levels = COLUMNS[name]
    frame = read(reader, tmp_path, {name: given})
    assert [(one.name, one.kind) for one in schema_of(frame)] == [(name, kind)]
    (coded,) = coded_columns(frame, [name], edges={}, quantiles={}, max_levels=9)
    assert [coded.levels[code] for code in coded.codes] == [level or "(missing)" for level in levels]
    assert digest_summary(frame).lanes == digest_summary(pd.DataFrame({name: given.to_pylist()}, dtype=object)).lanes


@pytest.mark.parametrize("reader", READERS)
def test_a_file_has_one_digest_and_no_change_of_schema(reader, tmp_path):
    columns = {name: given for name, (given, _, _) in columns_for(reader).items()} | LISTS
    frame, known = read(reader, tmp_path, columns), pd.read_parquet(written(tmp_path, columns))
    assert data_digest(frame) == data_digest(known)
    assert schema_changes(schema_of(known), schema_of(frame)) == ()
    assert data_digest(frame.assign(whole=[1, None, 3, 4])) != data_digest(frame)


@pytest.mark.parametrize("reader", READERS)
def test_a_file_has_not_drifted_from_itself(reader, tmp_path):
    columns = {name: given for name, (given, kind, _) in columns_for(reader).items() if kind != "nothing"}
    frame, known = read(reader, tmp_path, columns), pd.read_parquet(written(tmp_path, columns))
    counts = drift_counts(known, frame, columns=list(columns), as_given=True)
    before, after = arrays(counts.reference), arrays(counts.current)
    assert before.keys() == after.keys() and counts.passed_over == {}
    for path, value in before.items():
        np.testing.assert_array_equal(after[path], value, err_msg=path)


def test_whole_numbers_that_no_float_is_equal_to_stay_whole_beside_missing_ones(tmp_path):
    path = written(tmp_path, LOST)
    names = [name for name in READERS if name not in ("pandas", "duckdb")]
    found = {name: data_digest(framed(READERS[name](path), argument="data")) for name in names}
    assert len(set(found.values())) == 1
    assert data_digest(pd.read_parquet(path)) not in found.values()


def test_whole_numbers_beside_missing_ones_are_floats_where_floats_are_equal_to_them():
    frame = read_arrow(pa.table({"x": [2**53, None, -(2**53)], "y": pa.nulls(3, pa.int64()), "z": [2**60, 1, 2]}))
    assert frame.dtypes.astype(str).tolist() == ["float64", "float64", "int64"]


def test_times_of_pyarrow_keep_their_unit_and_their_zone():
    stamps = pd.Series(
        pd.array([0, None, 10**9], dtype=pd.ArrowDtype(pa.timestamp("s", "Europe/Berlin"))), index=[7, 3, 5]
    )
    found = plain(stamps)
    assert str(found.dtype) == "datetime64[s, Europe/Berlin]" and found.index.tolist() == [7, 3, 5]
    spans = plain(pd.Series(pd.array([1, None], dtype=pd.ArrowDtype(pa.duration("ms")))))
    assert str(spans.dtype) == "timedelta64[ms]" and kind_of(spans) == "duration"


def test_singles_beside_missing_ones_stay_single():
    for held in (pd.array([0.1, None], dtype="Float32"), pd.array([0.1, None], dtype=pd.ArrowDtype(pa.float32()))):
        found = plain(pd.Series(held))
        assert found.dtype == np.float32 and np.isnan(found.iloc[1])


def test_what_gives_a_stream_is_known_by_it():
    assert is_arrow(Relation(pa.table({"x": [1]}))) and not is_arrow({"x": [1]}) and not is_arrow(None)


@pytest.mark.parametrize("holder", HOLDERS)
@pytest.mark.parametrize("name", [*COLUMNS, *LOST])
def test_a_column_by_itself_is_what_it_is_in_a_table(holder, name):
    given = LOST[name] if name in LOST else COLUMNS[name][0]
    table = framed(pa.table({"x": given}), argument="data")
    beside = pd.DataFrame({"y": range(4)}, index=[3, 1, 0, 2])
    for found in (
        framed({"x": HOLDERS[holder](given)}, argument="reference"),
        column_of(beside, HOLDERS[holder](given), argument="weight").to_frame("x"),
        with_columns(beside, {"x": HOLDERS[holder](given)})[["x"]],
    ):
        assert digest_summary(found) == digest_summary(table)
        (one,), (other,) = (coded_columns(rows, ["x"], edges={}, quantiles={}, max_levels=9) for rows in (found, table))
        assert [one.levels[code] for code in one.codes] == [other.levels[code] for code in other.codes]


def test_predictions_may_be_held_by_any_library():
    risk, decided = pa.array([0.25, None, 1.0]), pa.array(["yes", "no", "yes"])
    for holder in HOLDERS.values():
        np.testing.assert_array_equal(tabled(holder(risk), 3), [0.25, np.nan, 1.0])
        assert tabled(holder(decided), 3).tolist() == ["yes", "no", "yes"]
        named = tabled({"said": holder(decided.dictionary_encode()), "risk": holder(risk)}, 3)
        assert named["said"].tolist() == ["yes", "no", "yes"] and named["risk"].iloc[2] == 1
    for table in (pl.DataFrame({"p": risk}), pa.table({"p": risk}), Relation(pa.table({"p": risk}))):
        assert tabled(table, 3)["p"].iloc[0] == 0.25


def test_a_column_of_structs_stays_one_where_a_column_is_asked_for():
    assert read_column(LISTS["structs"]).tolist() == LISTS["structs"].to_pylist()
    with pytest.raises(InputError, match="reference: it cannot be read as a table"):
        framed(pl.Series([1.0]), argument="reference")
    with pytest.raises(ValueError, match="int"):
        read_column(3)
