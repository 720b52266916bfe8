"""What the rows must be before anything is counted.

One clear ``InputError`` names the argument and column, what was expected, what was found and the mend.

A *column argument* is the name of a column of ``rows`` or a one-dimensional array of as many values as there are rows.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from mlflow_eval_plugin.engines.arrow.columns.factorizing import factorized
from mlflow_eval_plugin.engines.arrow.columns.streams import is_arrow, read_column
from mlflow_eval_plugin.engines.arrow.counting import chunked
from mlflow_eval_plugin.nearest import nearest
from mlflow_eval_plugin.stats.counts.slice import level_label, rows_countable
from mlflow_eval_plugin.stats.counts.threads import both
from mlflow_eval_plugin.stats.errors import InputError

ColumnArgument = str | ArrayLike
ROUNDING = (
    1e-5  # how far single precision may put a probability outside [0, 1], or the sum of those of 50 classes off 1
)


@dataclass(frozen=True, eq=False)
class Scored:
    """Rows that can be counted; arrays of one length.

    Attributes:
        label: 0 or 1, uint8.
        score: float64 in [0, 1].
        weight: float64, non-negative; None when unweighted.
        weight_scale: the power of two at or above the largest weight; 1.0 when unweighted.
        pos_label: the positive label, as text.
        part_of: how many rows there are, where these are some of them.
    """

    label: NDArray[np.uint8]
    score: NDArray[np.float64]
    weight: NDArray[np.float64] | None
    weight_scale: float
    pos_label: str
    part_of: int = 0


def scored_rows(
    rows: pd.DataFrame,
    *,
    label: ColumnArgument,
    score: ColumnArgument,
    pos_label: object | None,
    weight: ColumnArgument | None,
    weight_scale: float | None,
) -> Scored:
    """Check labels, scores and weights, and bring them into the form that is counted.

    Raises:
        InputError: see the module's functions; the first finding is raised, nothing has been counted by then.
    """
    if len(rows) == 0:
        raise InputError("there are no rows to evaluate; expected at least one, check the filter that made the data")
    rows_countable(len(rows))
    labels = column_of(rows, label, argument="label")
    scores = column_of(rows, score, argument="score")
    weights = None if weight is None else column_of(rows, weight, argument="weight")

    def amounts() -> tuple[NDArray[np.float64] | None, float, NDArray[np.float64]]:
        values = None if weights is None else checked_weights(weights, part=weight_scale is not None)
        scale = 1.0 if values is None else scale_of(values, weight_scale)
        return values, scale, checked_scores(scores)

    (coded, positive), (values, scale, checked) = both(lambda: coded_labels(labels, pos_label), amounts)
    return Scored(coded, checked, values, scale, positive)


def column_of(rows: pd.DataFrame, column: ColumnArgument, *, argument: str) -> pd.Series[Any]:
    """The values of a column argument.

    Raises:
        InputError: when the column is missing, or the array has another length or cannot be read.
    """
    if isinstance(column, str):
        require_columns(rows, [column], argument=argument)
        found = rows[column]
        if isinstance(found, pd.DataFrame):
            raise InputError(f"{argument}: the data has {found.shape[1]} columns named {column!r}; rename all but one")
        return found
    values = _given(column, argument)
    if len(values) != len(rows):
        raise InputError(f"{argument}: expected {len(rows)} values, one a row, found {len(values)}")
    return values.reset_index(drop=True)


def _given(column: Any, argument: str) -> pd.Series[Any]:
    try:
        if is_arrow(column):
            return read_column(column)
        return column if isinstance(column, pd.Series) else pd.Series(np.asarray(column))
    except ValueError as error:
        raise InputError(f"{argument}: expected one value a row ({error})") from error


def require_columns(rows: pd.DataFrame, columns: list[str], *, argument: str) -> None:
    """Refuse missing columns, all of them at once, with the nearest names there are.

    Raises:
        InputError: when a column is not in ``rows``.
    """
    names = [str(name) for name in rows.columns]
    missing = [column for column in columns if column not in rows.columns]
    if missing:
        raise InputError(
            f"{argument}: " + "; ".join(f"no column {column!r}{nearest(column, names)}" for column in missing)
        )


def coded_labels(labels: pd.Series[Any], pos_label: object | None) -> tuple[NDArray[np.uint8], str]:
    """Labels as 0 and 1, and the positive label as text.

    Without ``pos_label``, labels must be 0/1, False/True or -1/1. One class may be all there is.

    Raises:
        InputError: for missing labels, more than two classes, or text without ``pos_label``.
    """
    codes, classes = factorized(labels)
    if len(codes) and codes.min() < 0:
        raise InputError(
            f"label: {how_many(codes < 0)} missing; labels decide every metric, so drop those rows or wait for them"
        )
    listed = ", ".join(repr(_plain(one)) for one in classes[:6]) + (", …" if len(classes) > 6 else "")
    if len(classes) > 2:
        raise InputError(
            f"label: expected two classes, found {len(classes)} ({listed}); make the label one class against the rest, "
            "or leave out 'pos_label' and 'label_list' where all are to be evaluated"
        )
    known = [_plain(one) for one in classes]
    at = _positive_class(known, pos_label, listed)
    if at is None:
        return np.zeros(len(labels), np.uint8), level_label(1 if pos_label is None else pos_label)
    if at == 1 and codes.dtype == np.uint8:  # then codes are 0 and 1 already
        return codes.view(np.uint8), level_label(known[at])
    return (codes == at).view(np.uint8), level_label(known[at])


def clipped_scores(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Scores, those that rounding has put outside [0, 1] on its ends; what is further outside, or missing, stays."""
    # Comparisons with NaN are false.
    below, above = (values < 0) & (values >= -ROUNDING), (values > 1) & (values <= 1 + ROUNDING)
    return np.where(below, 0.0, np.where(above, 1.0, values)) if below.any() or above.any() else values


def checked_scores(scores: pd.Series[Any]) -> NDArray[np.float64]:
    """Scores as float64; those that rounding has put outside [0, 1] are put on its ends.

    Raises:
        InputError: when they are not numbers, missing, or outside [0, 1]; says how many and where the first is.
    """
    values = numbers_of(scores, argument="score")
    ends = [(values[rows].min(), values[rows].max()) for rows in chunked(slice(0, len(values)))]
    # Comparisons with NaN are false.
    if all(low >= 0 and high <= 1 for low, high in ends):
        return values
    absent = np.isnan(values)
    if absent.any():
        raise InputError(f"score: {how_many(absent)} missing (NaN); expected a probability in [0, 1] in every row")
    values = clipped_scores(values)
    outside = (values < 0) | (values > 1)
    if not outside.any():
        return values
    first = float(values[int(np.argmax(outside))])
    raise InputError(
        f"score: {how_many(outside)} outside [0, 1] ({first!r}); expected the probability of the positive class, "
        "not a logit, a percentage or a class"
    )


def checked_weights(weights: pd.Series[Any], *, part: bool = False) -> NDArray[np.float64]:
    """Weights as float64.

    Args:
        part: there are more rows than these, so that others may have a weight where none of these has.

    Raises:
        InputError: when they are not numbers, missing, infinite, negative, or all zero.
    """
    values = checked_amounts(weights, argument="weight", what="weight")
    if not part and not values.any():
        raise InputError("weight: every weight is 0, so that no row counts; expected at least one above 0")
    return values


def checked_amounts(amounts: pd.Series[Any], *, argument: str, what: str) -> NDArray[np.float64]:
    """Weights, latencies, costs and the like as float64.

    Raises:
        InputError: when they are not numbers, missing, infinite, or negative.
    """
    values = numbers_of(amounts, argument=argument)
    wrong = ~np.isfinite(values)
    if wrong.any():
        raise InputError(f"{argument}: {how_many(wrong)} missing or infinite; expected a finite {what} of 0 or more")
    negative = values < 0
    if negative.any():
        first = float(values[int(np.argmax(negative))])
        raise InputError(f"{argument}: {how_many(negative)} negative ({first!r}); expected a {what} of 0 or more")
    return values


def scale_of(weights: NDArray[np.float64], given: float | None, *, what: str = "weight") -> float:
    """The power of two at or above the largest weight (or cost), or the one given for shards.

    Raises:
        InputError: when the given scale is no power of two or below the largest weight.
    """
    largest = float(weights.max())
    if given is None:
        return power_of_two(largest)
    if math.frexp(given)[0] != 0.5 or given < largest:
        raise InputError(
            f"{what}_scale: expected a power of two at or above the largest {what} {largest!r}, found {given!r}"
        )
    return given


def power_of_two(largest: float) -> float:
    """The power of two at or above a number; 1.0 for 0. A logarithm would round next to one."""
    mantissa, exponent = math.frexp(largest)
    return math.ldexp(1.0, exponent - (mantissa == 0.5)) if largest > 0 else 1.0


def _positive_class(classes: list[object], pos_label: object | None, listed: str) -> int | None:
    """Where the positive class is; None where all labels are of the other one."""
    one_only = len(classes) == 1
    if pos_label is not None:
        wanted = {str(pos_label), level_label(pos_label)}
        # Truth values are 1 and 0.
        wanted |= {text for text, name in (("1", "True"), ("0", "False")) if name in wanted}
        matches = [i for i, one in enumerate(classes) if one == pos_label or level_label(one) in wanted]
        if not matches and not one_only:
            raise InputError(f"pos_label: {pos_label!r} is not among the labels; found {listed}")
        return matches[0] if matches else None
    numbers = {one for one in classes if isinstance(one, int | float | bool)}
    if len(numbers) < len(classes):
        raise InputError(
            f"label: the labels are text ({listed}); say with pos_label which one is positive, or give 'label_list' "
            "where there are more classes"
        )
    if not (numbers <= {0, 1} or numbers <= {-1, 1}):
        raise InputError(f"label: the labels are {listed}, not 0 and 1; say with pos_label which one is positive")
    return classes.index(1) if 1 in numbers else None


def numbers_of(values: pd.Series[Any], *, argument: str) -> NDArray[np.float64]:
    """Values as float64, missing ones as NaN.

    Raises:
        InputError: when they are not numbers.
    """
    try:
        return values.to_numpy(dtype=np.float64, na_value=np.nan)
    except (TypeError, ValueError) as error:
        raise InputError(f"{argument}: expected numbers, found {values.dtype} ({error})") from error


def finite_numbers(values: pd.Series[Any], *, argument: str, largest: float) -> NDArray[np.float64]:
    """Values as float64.

    Raises:
        InputError: when they are not numbers, missing, infinite, or beyond ``largest`` in size.
    """
    found = numbers_of(values, argument=argument)
    wrong = ~np.isfinite(found)
    if wrong.any():
        raise InputError(f"{argument}: {how_many(wrong)} missing or infinite; expected a finite number in every row")
    beyond = np.abs(found) > largest
    if beyond.any():
        raise InputError(f"{argument}: {how_many(beyond)} beyond {largest:g} in size; expected smaller numbers")
    return found


def how_many(flags: NDArray[np.bool_]) -> str:
    """``3 rows are (first at row 7)``: how many are flagged, and where the first is."""
    count, first = int(flags.sum()), int(np.argmax(flags))
    rows = "1 row is" if count == 1 else f"{count:,} rows are"
    return f"{rows} (first at row {first})"


def _plain(value: object) -> object:
    return value.item() if isinstance(value, np.generic) else value
