"""What holds the values makes no difference: the same levels, kinds, digests, labels, queries and distances."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from mlflow_eval_plugin.engines.arrow import (
    data_digest,
    drift_counts,
    schema_of,
    score_summary,
    slice_rows,
    slice_summary,
)
from mlflow_eval_plugin.engines.arrow.columns.plain import examples, kind_of, plain
from mlflow_eval_plugin.engines.arrow.digest import digest_summary
from mlflow_eval_plugin.engines.arrow.search import searched_columns
from mlflow_eval_plugin.engines.slicing import Slicing
from mlflow_eval_plugin.query import NamedQuery, parse
from mlflow_eval_plugin.stats.drift.report import compare
from mlflow_eval_plugin.stats.drift.schema import schema_changes
from mlflow_eval_plugin.stats.errors import MergeError

NAN = np.nan


def arrow(values: list[Any], kind: pa.DataType) -> pd.Series[Any]:
    return pd.Series(pd.array(values, dtype=pd.ArrowDtype(kind)))


def of_polars(values: list[Any], kind: Any = None) -> pd.Series[Any]:
    return pl.DataFrame({"x": pl.Series(values, dtype=kind)}).to_pandas()["x"]


HELD: dict[str, tuple[str, list[pd.Series[Any]]]] = {
    "truth": (
        "number",
        [
            pd.Series([True, False, True, True]),
            pd.Series([1, 0, 1, 1], dtype="int8"),
            pd.Series([1.0, 0.0, 1.0, 1.0]),
            pd.Series([True, False, True, True], dtype="boolean"),
            pd.Series([True, 0, 1, 1.0], dtype=object),
            pd.Series([True, False, True, True]).astype("category"),
            pd.Series([Decimal(1), Decimal(0), Decimal(1), Decimal("1.0")]),
            pd.Series(pd.arrays.SparseArray([1, 0, 1, 1])),
            arrow([True, False, True, True], pa.bool_()),
            of_polars([True, False, True, True]),
        ],
    ),
    "truth, some missing": (
        "number",
        [
            pd.Series([True, None, False, True], dtype=object),
            pd.Series([True, None, False, True], dtype="boolean"),
            pd.Series([1, None, 0, 1], dtype="Int64"),
            pd.Series([1.0, NAN, 0.0, 1.0]),
            pd.Series([1.0, NAN, 0.0, 1.0], dtype="float32"),
            pd.Series([True, None, False, True], dtype=object).astype("category"),
            arrow([True, None, False, True], pa.bool_()),
            arrow([1, None, 0, 1], pa.uint8()),
            of_polars([True, None, False, True]),
        ],
    ),
    "amounts": (
        "number",
        [
            pd.Series([0.1, NAN, 2.5, 0.1]),
            pd.Series([0.1, None, 2.5, 0.1], dtype=object),
            pd.Series([0.1, None, 2.5, 0.1], dtype="Float64"),
            pd.Series([Decimal("0.1"), None, Decimal("2.50"), Decimal("0.10")]),
            pd.Series([Decimal("0.1"), NAN, 2.5, 0.1], dtype=object),
            pd.Series([0.1, NAN, 2.5, 0.1]).astype("category"),
            arrow([0.1, None, 2.5, 0.1], pa.float64()),
            arrow([Decimal("0.1"), None, Decimal("2.5"), Decimal("0.1")], pa.decimal128(20, 6)),
            of_polars([0.1, None, 2.5, 0.1]),
            of_polars([Decimal("0.10"), None, Decimal("2.50"), Decimal("0.10")], pl.Decimal(20, 2)),
        ],
    ),
    "keys that no float is equal to": (
        "number",
        [
            pd.Series([2**53 + 1, 2**53, -(2**60) - 1, 7]),
            pd.Series([2**53 + 1, 2**53, -(2**60) - 1, 7], dtype="Int64"),
            pd.Series([2**53 + 1, 2**53, -(2**60) - 1, 7], dtype=object),
            pd.Series([Decimal(2**53 + 1), Decimal(2**53), Decimal(-(2**60) - 1), Decimal(7)]),
            arrow([2**53 + 1, 2**53, -(2**60) - 1, 7], pa.int64()),
        ],
    ),
    "such keys, some missing": (
        "number",
        [
            pd.Series([2**53 + 1, None, 3, 2**53 + 1], dtype="Int64"),
            pd.Series([2**53 + 1, None, 3, 2**53 + 1], dtype=object),
            arrow([2**53 + 1, None, 3, 2**53 + 1], pa.int64()),
        ],
    ),
    "text": (
        "text",
        [
            pd.Series(["b", None, "a", "b"], dtype=object),
            pd.Series(["b", NAN, "a", "b"], dtype=object),
            pd.Series(["b", None, "a", "b"], dtype="string"),
            pd.Series(["b", None, "a", "b"], dtype="str"),
            pd.Series(pd.Categorical(["b", None, "a", "b"], ["unused", "b", "a"], ordered=True)),
            arrow(["b", None, "a", "b"], pa.string()),
            arrow(["b", None, "a", "b"], pa.large_string()),
            arrow(["b", None, "a", "b"], pa.dictionary(pa.int32(), pa.string())),
            of_polars(["b", None, "a", "b"]),
            of_polars(["b", None, "a", "b"], pl.Categorical),
            of_polars(["b", None, "a", "b"], pl.Enum(["a", "b", "c"])),
        ],
    ),
    "days": (
        "datetime",
        [
            pd.Series(pd.to_datetime(["2024-01-01", None, "2024-06-01", "2024-01-01"])),
            pd.Series(pd.to_datetime(["2024-01-01", None, "2024-06-01", "2024-01-01"])).astype("datetime64[s]"),
            pd.Series([dt.date(2024, 1, 1), None, dt.date(2024, 6, 1), dt.date(2024, 1, 1)]),
            pd.Series([dt.datetime(2024, 1, 1), None, dt.datetime(2024, 6, 1), dt.datetime(2024, 1, 1)], dtype=object),
            arrow([dt.date(2024, 1, 1), None, dt.date(2024, 6, 1), dt.date(2024, 1, 1)], pa.date32()),
            of_polars([dt.date(2024, 1, 1), None, dt.date(2024, 6, 1), dt.date(2024, 1, 1)]),
        ],
    ),
    "lists": (
        "lists",
        [
            pd.Series([[1, 2], None, [0.5], [1, 2]]),
            pd.Series([np.array([1.0, 2.0]), None, (0.5,), np.array([1, 2])], dtype=object),
            arrow([[1, 2], None, [0.5], [1, 2]], pa.list_(pa.float64())),
            of_polars([[1.0, 2.0], None, [0.5], [1.0, 2.0]]),
        ],
    ),
}


def each(*names: str) -> Any:
    cases = [
        pytest.param(HELD[name][1][0], one, HELD[name][0], id=f"{name}: {one.dtype} {i}")
        for name in names or HELD
        for i, one in enumerate(HELD[name][1])
    ]
    return pytest.mark.parametrize(("first", "held", "kind"), cases)


ONE_VALUE = tuple(name for name in HELD if name != "lists")


@each()
def test_kinds_and_digests_are_those_of_the_values(first: pd.Series[Any], held: pd.Series[Any], kind: str) -> None:
    assert kind_of(plain(held)) == kind
    before, after = pd.DataFrame({"x": first}), pd.DataFrame({"x": held})
    assert schema_changes(schema_of(before), schema_of(after)) == ()
    assert data_digest(after) == data_digest(before)
    assert data_digest(after.iloc[::-1]) == data_digest(before)
    changed = after.iloc[[0, 1, 1, 3]]
    assert data_digest(changed) != data_digest(before)


def sliced(column: pd.Series[Any]) -> Any:
    rows = pd.DataFrame({"y": [0, 1, 1, 0], "s": [0.2, 0.7, 0.6, 0.4], "g": column.to_numpy(dtype=object)})
    rows["g"] = column.array
    summary = slice_summary(rows, label="y", score="s", slicing=Slicing(["g"]))
    arrays = {"label": rows.y.to_numpy(), "score": rows.s.to_numpy(), "prediction": rows.y.to_numpy(), "weight": None}
    members = slice_rows(rows, summary.slices, **arrays, slicing=Slicing(["g"])).members
    found, passed_over = searched_columns(rows, ["g"], edges={}, quantiles={}, bands=4, max_levels=10, as_given=False)
    searched = [(one.levels, one.codes.tolist()) for one in found]
    return [one.label for one in summary.slices], summary.n.tolist(), list(map(list, members)), searched, passed_over


@each(*ONE_VALUE)
def test_slices_and_what_is_searched_are_those_of_the_values(
    first: pd.Series[Any], held: pd.Series[Any], kind: str
) -> None:
    assert sliced(held) == sliced(first)


@each(*ONE_VALUE)
def test_the_same_values_do_not_drift(first: pd.Series[Any], held: pd.Series[Any], kind: str) -> None:
    many = [pd.DataFrame({"x": pd.concat([side] * 100, ignore_index=True)}) for side in (first, held)]
    for before, after in (many, many[::-1]):
        (found,) = _compared(before, after)
        assert (found.metrics.psi.value, found.metrics.missing_change.value) == (0, 0)
        assert (found.new_categories, found.vanished_categories) == ((), ())
        assert found.metrics.ks is None or found.metrics.ks.value == 0


def _compared(before: pd.DataFrame, after: pd.DataFrame) -> Any:
    counts = drift_counts(before, after, columns=["x"], as_given=True)
    return compare(counts.reference, counts.current).columns


def test_single_precision_is_no_drift() -> None:
    double = pd.DataFrame({"x": np.tile([0.1, 0.2, 0.7], 100)})
    single = double.astype("float32")
    for before, after in ((double, single), (single, double)):
        (found,) = _compared(before, after)
        assert found.metrics.ks.value == 0
    assert sliced(single.x[:4]) == sliced(double.x[:4])


@pytest.mark.parametrize("name", ["truth"])
def test_labels_are_those_of_the_values(name: str) -> None:
    score = pd.DataFrame({"s": [0.2, 0.7, 0.6, 0.4]})
    for held in HELD[name][1]:
        for positive in (None, 1, True, "1", "True", 1.0):
            found = score_summary(score, label=held, score="s", pos_label=positive)
            assert found.n[:, 1].sum() == 3


@pytest.mark.parametrize(
    ("name", "query", "expected"),
    [
        ("truth", "x == true", [0, 2, 3]),
        ("truth", "x == 1", [0, 2, 3]),
        ("truth", "x in (false)", [1]),
        ("truth", "x < 0.5", [1]),
        ("truth, some missing", "x == false", [2]),
        ("truth, some missing", "x is missing", [1]),
        ("amounts", "x == 0.1", [0, 3]),
        ("amounts", "x > 0.1", [2]),
        ("keys that no float is equal to", "x == 9007199254740993", [0]),
        ("text", "x == 'b'", [0, 3]),
        ("days", "x > '2024-01-01'", [2]),
    ],
)
def test_queries_are_answered_by_the_values(name: str, query: str, expected: list[int]) -> None:
    for held in HELD[name][1]:
        rows = pd.DataFrame({"y": [0, 1, 1, 0], "s": 0.5, "x": held})
        asked = NamedQuery("asked", query, parse(query))
        found = slice_summary(rows, label="y", score="s", slicing=Slicing([], queries=[asked]))
        assert found.n[1].sum() == len(expected), held.dtype


def test_what_is_another_value_has_another_digest() -> None:
    different = [
        [2**53 + 1, 0], [2**53, 0], [float.fromhex("0x1.8p0"), 0], [0x3FF8 << 48, 0], [Decimal("0.1"), 0],
        [Decimal("0.10000000000000000001"), 0], ["1", "0"], [1, 0], [[1], [0]], [["1"], ["0"]], [[[1]], [[0]]],
        [2**64 - 1, 0], [-1, 0], [{"a": 1}, {}], [b"1", b"0"], [None, 0],
    ]  # fmt: skip
    digests = [data_digest(pd.DataFrame({"x": pd.Series(values, dtype=object)})) for values in different]
    assert len(set(digests)) == len(digests)
    wide = [pd.Series([value, 7], dtype=kind) for value, kind in ((2**64 - 1, "uint64"), (-1, "int64"))]
    assert data_digest(pd.DataFrame({"x": wide[0]})) != data_digest(pd.DataFrame({"x": wide[1]}))
    assert data_digest(pd.DataFrame({"x": pd.Series([7, 8], dtype="uint64")})) == data_digest(
        pd.DataFrame({"x": [7, 8]})
    )


def test_a_part_without_a_value_merges_with_any() -> None:
    rows = pd.DataFrame({"x": ["a", None, None], "t": pd.to_datetime([None, None, "2024-01-01"])})
    parts = [digest_summary(rows[:1]), digest_summary(rows[1:2]), digest_summary(rows[2:])]
    assert parts[0] + parts[1] + parts[2] == parts[2] + parts[1] + parts[0] == digest_summary(rows)
    with pytest.raises(MergeError, match="different columns or types"):
        parts[0] + digest_summary(pd.DataFrame({"x": [1], "t": [None]}))


def test_a_true_change_of_type_is_told_with_examples() -> None:
    texts, numbers = pd.Series(["12", "7", "12"]), pd.Series([12, 7, 12])
    (change,) = schema_changes(schema_of(pd.DataFrame({"x": texts})), schema_of(pd.DataFrame({"x": numbers})))
    assert (change.column, change.reference, change.current) == ("x", "text", "number")
    assert (examples(texts), examples(numbers)) == (("'12'", "'7'"), ("12", "7"))
    kinds = [kind_of(plain(pd.Series(values, dtype=object))) for values in ([1, "a"], [b"a"], [None], [dt.time(1)])]
    assert kinds == ["mixed", "bytes", "nothing", "time"]


@pytest.mark.parametrize(
    ("values", "written"),
    [
        (
            [pd.Timestamp("2024-01-01"), pd.Timestamp("2024-01-02 12:00")],
            ("2024-01-01 00:00:00", "2024-01-02 12:00:00"),
        ),
        ([dt.date(2024, 1, 1)], ("2024-01-01",)),
        ([Decimal("0.31"), None], ("0.31",)),
        ([0.1 + 0.2, np.float32(1.5), np.inf], ("0.3", "1.5", "inf")),
        ([True, False], ("True", "False")),
        ([*[0.25 * i for i in range(1500)], "N/A"], ("0", "'N/A'", "0.25")),
    ],
)
def test_examples_are_written_as_a_person_would(values: list[Any], written: tuple[str, ...]) -> None:
    """Of objects of several types each is among them, however late it comes."""
    assert examples(pd.Series(values, dtype=object)) == written
    if not isinstance(values[-1], str):
        assert examples(pd.Series(values)) == written
