"""Which rows answer a query: against ``DataFrame.query``, and by hand where pandas has no such rule."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlflow_eval_plugin.engines.arrow import counting, slice_summary
from mlflow_eval_plugin.engines.arrow.queries import sliced_columns
from mlflow_eval_plugin.engines.slicing import Slicing
from mlflow_eval_plugin.query import NamedQuery, parse
from mlflow_eval_plugin.stats.binary.disaggregated import disaggregate, fairness_bounds, gap_bounds, metric_bounds
from mlflow_eval_plugin.stats.errors import InputError, MergeError

ROWS = pd.DataFrame(
    {
        "n": [1.0, 2.0, np.nan, 4.0],
        "i": pd.array([1, None, 3, 4], dtype="Int64"),
        "t": ["x", None, "y", "x"],
        "c": pd.Categorical(["x", "y", None, "x"], ["y", "x"], ordered=True),
        "b": [True, False, True, True],
        "o": pd.Series([1, 2.5, None, 3], dtype=object),
        "d": pd.to_datetime(["2024-01-01", None, "2024-06-01", "2025-01-01"]),
        "z": pd.to_datetime(["2024-01-01", None, "2024-06-01", "2025-01-01"]).tz_localize("Europe/Berlin"),
        "none": [None, None, None, None],
        "mixed": [1, "a", 2, "b"],
        "odd name": [1, 2, 3, 4],
        "big": [2**60, 2**60 + 1, 0, 0],
    }
)


def named(text: str, name: str = "q") -> NamedQuery:
    return NamedQuery(name, text, parse(text))


def answered(text: str, rows: pd.DataFrame = ROWS) -> list[int]:
    (found,) = sliced_columns(rows, Slicing(queries=[named(text)]))
    return np.flatnonzero(found.codes).tolist()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("n <= 2", [0, 1]),
        ("n != 1", [1, 3]),
        ("not n == 1", [1, 2, 3]),
        ("n not in (1, 9)", [1, 3]),
        ("n is missing", [2]),
        ("n is not missing and i is not missing", [0, 3]),
        ("i >= 3 or i < 1.5", [0, 2, 3]),
        ("i in (1, 2.5, 4)", [0, 3]),
        ("t == 'x'", [0, 3]),
        ("t != 'x'", [2]),
        ("t in ('y', 'z')", [2]),
        ("c == 'x'", [0, 3]),
        ("c not in ('x')", [1]),
        ("b == false", [1]),
        ("b in (true)", [0, 2, 3]),
        ("b == 1", [0, 2, 3]),
        ("b < true", [1]),
        ("o > 1", [1, 3]),
        ("d >= '2024-06-01'", [2, 3]),
        ("d in ('2024-01-01')", [0]),
        ("z > '2024-05-31T23:00Z'", [3]),
        ("z >= '2024-06-01'", [2, 3]),
        ("none is missing and n == 1", [0]),
        ("n == 1 or none == 3 or none < 'x'", [0]),
        ("`odd name` > 3", [3]),
        ("big == 1152921504606846977", [1]),
        ("big < 9999999999999999999 and i < 9999999999999999999 and n != 1e400", [0, 3]),
        ("mixed is not missing", [0, 1, 2, 3]),
    ],
)
def test_rows_by_hand(text: str, expected: list[int]) -> None:
    assert answered(text) == expected


@pytest.mark.parametrize("backend", ["pyarrow", "numpy_nullable"])
def test_other_arrays_of_pandas_answer_alike(backend: str) -> None:
    rows = ROWS[["n", "i", "t", "b"]].convert_dtypes(dtype_backend=backend)
    for text in ("n != 1", "i in (1, 4)", "t != 'x'", "t in ('y')", "b == false", "not (n < 2 or t is missing)"):
        assert answered(text, rows) == answered(text)


NUMBERS = pd.DataFrame(
    {
        "f": np.array([0.1, 0.2, 0.3], dtype=np.float32),
        "i": [2**53, 2**53 + 1, 7],
        "d": [Decimal("0.1"), None, Decimal("0.30")],
        "long": [Decimal("0.1234567890123456789"), Decimal("0.1234567890123456788"), Decimal(2)],
    }
)


@pytest.mark.parametrize("decimals", ["object", "category", pd.ArrowDtype(pa.decimal128(30, 20))])
def test_one_of_a_list_is_equal_to_one_of_its_members(decimals: Any) -> None:
    rows = NUMBERS.astype({"d": decimals, "long": decimals})
    for one, expected in (
        ("f {} 0.1", [0]), ("i {} 9007199254740993", [1]), ("d {} 0.1", [0]), ("d {} 0.3", [2]),
        ("long {} 0.1234567890123456789", [0]), ("long {} 2", [2]),
    ):  # fmt: skip
        listed = one.replace("{}", "in (0.7,").rstrip() + ")"
        assert answered(one.format("=="), rows) == answered(listed, rows) == expected, one
        negated = listed.replace(" in ", " not in ")
        known = np.flatnonzero(rows[one[: one.index(" ")]].notna()).tolist()
        assert answered(negated, rows) == [row for row in known if row not in expected], one
    assert answered("d < 0.3 and long > 0.12345678901234567885", rows) == [0]
    for name, held in (("d", "numbers"), ("long", "decimal numbers")):
        with pytest.raises(InputError, match=f"column '{name}' holds {held}; compare it with a number"):
            answered(f"{name} == '0.1'", rows)


COMPARED = st.builds(
    "{} {} {}".format,
    st.sampled_from(["a", "b"]),
    st.sampled_from(["==", "!=", "<", "<=", ">", ">="]),
    st.integers(0, 3),
)
LISTED = st.builds("{} {} ({}, {})".format, st.sampled_from(["a", "b"]), st.sampled_from(["in", "not in"]),
                   st.integers(0, 3), st.integers(0, 3))  # fmt: skip
QUERIES = st.recursive(
    COMPARED | LISTED,
    lambda part: (
        st.builds("{} and {}".format, part, part)
        | st.builds("{} or {}".format, part, part)
        | st.builds("not ({})".format, part)
        | st.builds("({})".format, part)
    ),
    max_leaves=8,
)


@settings(max_examples=150, deadline=None)
@given(QUERIES, st.integers(0, 1000))
def test_rows_without_missing_values_are_those_of_pandas(text: str, seed: int) -> None:
    rows = pd.DataFrame(np.random.default_rng(seed).integers(0, 4, (40, 2)), columns=["a", "b"])
    expected = np.flatnonzero(rows.eval(text)).tolist()
    if expected:
        assert answered(text, rows) == expected
    else:
        with pytest.raises(InputError, match="no row answers 'q'"):
            answered(text, rows)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("m == 1", "queries: 'q': there is no column 'm'"),
        ("`od name` == 1", "no column 'od name', did you mean 'odd name'"),
        ("n < 'x'", "column 'n' holds numbers; compare it with a number, such as 2, found 'x'"),
        ("n == '1'", "column 'n' holds numbers"),
        ("t == 1", "column 't' holds texts; compare it with a text in quotes, such as '2', found 1"),
        ("t < 'x'", "column 't' holds texts, which have no order for '<'"),
        ("c in (1)", "column 'c' holds texts"),
        ("c > 'x'", "which have no order"),
        ("b == 'true'", "column 'b' holds true and false; compare it with true or false, or with 1 or 0, found 'true'"),
        ("n == true", "column 'n' holds numbers"),
        ("d == 5", "column 'd' holds times; compare it with a time in quotes"),
        ("d > 'someday'", "expected one such as '2024-01-31', found 'someday'"),
        ("d > '2024-01-01T00:00Z'", "holds times without a zone"),
        ("mixed == 1", "column 'mixed' holds mixed-integer values"),
        ("n == 3", "no row answers 'q' \\(n == 3\\)"),
    ],
)
def test_what_cannot_be_answered_is_refused(text: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        answered(text)


@pytest.fixture(scope="module")
def people() -> pd.DataFrame:
    rng = np.random.default_rng(5)
    n = 3001
    score = rng.random(n)
    rows = pd.DataFrame({"s": score, "y": rng.random(n) < score, "sex": rng.integers(1, 3, n)})
    return rows.assign(age=rng.integers(18, 90, n), w=rng.random(n), region=rng.choice(["n", "s"], n)).astype(
        {"y": int}
    )


TEXTS = {"young women": "age < 30 and sex == 2", "men": "sex == 1", "north": "region == 'n'"}


def summary(rows: pd.DataFrame, slices: tuple[str, ...] = ("sex",), **options: object):
    queries = [named(text, name) for name, text in TEXTS.items()]
    return slice_summary(rows, label="y", score="s", slicing=Slicing(slices, queries=queries), **options)


@pytest.mark.parametrize("weight", [None, "w"])
def test_a_named_slice_has_the_metrics_of_its_rows(people: pd.DataFrame, weight: str | None) -> None:
    found = disaggregate(summary(people, weight=weight), gap_metrics=("recall",), versus=("complement",))
    assert [one.label for one in found.slices] == ["sex=1", "sex=2", "men", "north", "young women"]
    by_label = {one.label: one for one in found.slices}
    assert by_label["men"].metrics == by_label["sex=1"].metrics
    assert by_label["men"].query == "sex == 1" and by_label["men"].slice == ()
    alone = people[(people.age < 30) & (people.sex == 2)]
    expected = slice_summary(alone, label="y", score="s", slicing=Slicing(), weight=weight)
    assert by_label["young women"].n == len(alone)
    for metric in ("recall", "auc", "log_loss", "ece", "brier"):
        value = metric_bounds(expected, metric).value
        assert getattr(by_label["young women"].metrics, metric).value == pytest.approx(value, rel=1e-9)
    gaps = {one.label: one for one in found.gaps}
    assert gaps["young women"].against == "not (young women)"
    assert gaps["men"].difference == gaps["sex=1"].difference


def test_named_slices_are_the_same_in_any_order_of_rows_and_chunks(
    people: pd.DataFrame, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole, mixed = summary(people), summary(people.sample(frac=1, random_state=1))
    monkeypatch.setattr(counting, "CHUNK_ROWS", 1001)
    for other in (mixed, summary(people), summary(people[:1500]) + summary(people[1500:])):
        assert other.slices == whole.slices
        for lane in ("n", "cells", "score", "square_error", "loss", "loss_square"):
            assert np.array_equal(getattr(other, lane), getattr(whole, lane)), lane


def test_named_slices_without_slice_columns(people: pd.DataFrame) -> None:
    assert [one.label for one in summary(people, ()).slices] == ["overall", "men", "north", "young women"]


def test_the_best_of_named_slices_is_a_named_one_and_fairness_is_of_columns(people: pd.DataFrame) -> None:
    found = disaggregate(summary(people), gap_metrics=("recall",), versus=("best",))
    recalls = {one.label: one.metrics.recall.value for one in found.slices}
    names = ["men", "north", "young women"]
    best = max(names, key=lambda name: recalls[name])
    against = {one.label: one for one in found.gaps}
    for name in names:
        assert against[name].against == best
        assert against[name].difference.value == pytest.approx(recalls[name] - recalls[best], abs=1e-12)
    assert against["sex=1"].against in ("sex=1", "sex=2")
    assert [one.column for one in found.fairness] == ["sex"]
    with pytest.raises(InputError, match="is no slice column"):
        fairness_bounds(summary(people), "men", "demographic_parity_ratio")
    assert gap_bounds(summary(people), "recall", best, "best").value == 0


@pytest.mark.parametrize("name", ["sex=2", "sex", "overall", "sex=1 & region=s", "region=n & sex=2"])
def test_a_name_that_another_slice_has_is_refused(people: pd.DataFrame, name: str) -> None:
    with pytest.raises(InputError, match="take another name"):
        slice_summary(
            people, label="y", score="s", slicing=Slicing(["sex", "region"], queries=[named("age < 30", name)])
        )


def test_shards_with_two_queries_of_one_name_do_not_merge(people: pd.DataFrame) -> None:
    one, two = (
        slice_summary(people, label="y", score="s", slicing=Slicing(queries=[named(text)]))
        for text in ("age < 3e1", "age<30")
    )
    with pytest.raises(MergeError, match="two queries"):
        one + two
