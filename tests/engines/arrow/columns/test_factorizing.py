"""Codes and values against ``pandas.factorize``: the same groups of rows, whatever the numbers are held in."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from mlflow_eval_plugin.engines.arrow import counting
from mlflow_eval_plugin.engines.arrow.columns.factorizing import CLOSE, factorized

NUMBERS = ("bool", "int8", "uint8", "int16", "int64", "uint64", "float32", "float64")


def same_as_pandas(column: pd.Series[Any]) -> None:
    codes, values = factorized(column)
    expected, uniques = pd.factorize(column)
    assert len(codes) == len(column)
    assert ((codes < 0) == (expected < 0)).all()
    known = codes >= 0
    assert len(values) == len(uniques)
    assert (np.asarray(values)[codes[known]] == np.asarray(uniques)[expected[known]]).all()


@settings(deadline=None, max_examples=150)
@given(st.sampled_from(NUMBERS).flatmap(lambda kind: npst.arrays(kind, st.integers(0, 30))))
def test_any_numbers(values: np.ndarray[Any, Any]) -> None:
    same_as_pandas(pd.Series(values))


@settings(deadline=None)
@given(
    st.sampled_from(("int16", "int64", "float32", "float64")),
    st.integers(-3000, 3000),
    st.lists(st.integers(0, CLOSE + 2), min_size=1, max_size=40),
)
def test_whole_numbers_around_the_widest_range(kind: str, low: int, steps: list[int]) -> None:
    same_as_pandas(pd.Series(np.array([low + step for step in steps], dtype=kind)))


@settings(deadline=None, max_examples=300)
@given(
    st.sampled_from(("float16", "float32", "float64")),
    st.lists(
        st.sampled_from([0.0, 1.0, -1.0, 1e-20, 1e-5, 0.99999, 1 - 2.0**-53, 1000.0, -1000.0, 2048.0, 2050.0, 4000.0]),
        min_size=1,
        max_size=6,
    ),
)
def test_numbers_that_their_distances_round_to_whole_ones(kind: str, numbers: list[float]) -> None:
    # 0.1 added ten times is 1 - 2**-53, two less than which is -1 to a float.
    same_as_pandas(pd.Series(np.array(numbers, dtype=kind)))


@pytest.mark.parametrize(
    "values",
    [
        pd.Series([1.0, np.nan, 2.0]),
        pd.Series([np.inf, 1.0]),
        pd.Series([-0.0, 0.0, 1.0]),
        pd.Series([0.5, 1.0, 1.5]),
        pd.Series([2.0**60, 2.0**60 + 256]),
        pd.Series([2**63 + 1, 2**63], dtype="uint64"),
        pd.Series([-128, 127], dtype="int8"),
        pd.Series([True, False, True]),
        pd.Series([1, None, 3], dtype="Int64"),
        pd.Series(["b", None, "a", "b"]),
        pd.Series([], dtype="int64"),
    ],
    ids=str,
)
def test_numbers_at_the_edges(values: pd.Series[Any]) -> None:
    same_as_pandas(values)


def test_a_value_of_the_last_rows_only() -> None:
    rows = 2 * counting.CHUNK_ROWS + 7
    late, broken = np.zeros(rows), np.zeros(rows)
    late[-1], broken[-1] = 3.0, 0.25
    missing = late.copy()
    missing[-1] = np.nan
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for column in (pd.Series(late), pd.Series(broken), pd.Series(missing), pd.Series(missing[::-1])):
            same_as_pandas(column)
    codes, values = factorized(pd.Series(late))
    assert codes.dtype == np.int16
    assert values.tolist() == [0.0, 3.0]


@pytest.mark.parametrize(
    ("kind", "numbers"),
    [
        *((kind, numbers) for kind in ("uint8", "int8", "float32") for numbers in ([0, 1], [1, 0, 1], [3, 7, 7])),
        *((kind, numbers) for kind in ("int16", "int64", "float64") for numbers in ([0, 1], [-1, 1], [0, 4095])),
    ],
)
def test_two_numbers_are_told_apart_as_any_are(kind: str, numbers: list[int]) -> None:
    column = pd.Series(numbers * 40_000, dtype=kind)
    found = factorized(column)
    assert found[0].dtype == np.uint8
    codes, classes = pd.factorize(column, sort=True)
    np.testing.assert_array_equal(found[0], codes)
    np.testing.assert_array_equal(found[1], classes)
    assert found[1].dtype == classes.dtype


@pytest.mark.parametrize(
    "values",
    [
        [0.0, 1.0, np.nan] * 40_000, [*[0, 1] * 40_000, 2], [0] * 80_000, [0.5, 1.5], [0, 5000],
        [], ["0", "1"],
        [np.nan, 1.0], [0.0, np.inf], [2.0**60, 2.0**60 + 512],
    ],
)  # fmt: skip
def test_what_is_not_two_numbers_has_signed_codes(values: list[Any]) -> None:
    assert np.issubdtype(factorized(pd.Series(values))[0].dtype, np.signedinteger)


def test_a_zero_has_no_sign_among_two_numbers() -> None:
    _, classes = factorized(pd.Series([-0.0, 1.0]))
    assert not np.signbit(classes).any()
