"""Rows of two sides as numbers: for a classifier, which tells the sides apart, and for principal components.

What is found of the rows of both sides at once, such as levels and axes, cannot tell one side from the other.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.decomposition import PCA

from mlflow_eval_plugin.engines.arrow.columns.plain import kind_of
from mlflow_eval_plugin.engines.arrow.comparing import bits_of, rounded_to
from mlflow_eval_plugin.engines.arrow.drift import is_numeric, values_of
from mlflow_eval_plugin.stats.arrays import Float64Array
from mlflow_eval_plugin.stats.counts.slice import level_label
from mlflow_eval_plugin.stats.errors import InputError

MOST_LEVELS = 254  # as many as scikit-learn's trees tell apart; the rarest of more are one level
MOST_AXES = 64  # of vectors with more numbers their first principal axes stand for them
BEYOND: Final = float(np.finfo(np.float32).max)  # an infinite value is larger than all others
CONSTANT = "it has the same value in all rows"


@dataclass(frozen=True, eq=False)
class Feature:
    """One column of both sides, the rows of the reference first.

    Attributes:
        values: ``(N, F)``; NaN where missing. Of categories the code of the level, from the commonest.
        numbers: as a reader of vectors has them, ``(N, D)``: as given, or of categories the shares of their levels.
    """

    name: str
    values: Float64Array
    numbers: Float64Array
    categorical: bool = False


def feature(name: str, sides: Sequence[pd.Series[Any]], codes: bool) -> Feature:
    """A column of both sides.

    Args:
        codes: the values are codes, even where they are numbers.

    Raises:
        InputError: where it says nothing, or cannot be compared.
    """
    kinds = [kind_of(one) for one in sides]
    known = {*kinds} - {"nothing"}
    if len(known) > 1:
        raise InputError(f"its values are {kinds[1]}, and those of the reference {kinds[0]}")
    if known == {"lists"}:
        return _vectors(name, sides)
    if all(is_numeric(one) or kind == "nothing" for one, kind in zip(sides, kinds, strict=True)) and not codes:
        return _numbers(name, sides)
    return _levels(name, pd.concat([one.astype(object) for one in sides], ignore_index=True))


def vectors_in(column: pd.Series[Any]) -> tuple[Float64Array, int]:
    """Lists of numbers, one a row, ``(n, D)``, a row of NaN where there is none; and how many numbers each has.

    Raises:
        InputError: for lists of different lengths, or of something else.
    """
    known = column.notna().to_numpy()
    cells = column[known].tolist()
    lengths = {len(one) if hasattr(one, "__len__") else -1 for one in cells}
    if len(lengths) > 1:
        raise InputError(
            f"its lists have {min(lengths):,} to {max(lengths):,} values; vectors that are compared have one length"
        )
    try:
        found = np.array(cells, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise InputError("its lists hold something else than numbers") from error
    if found.ndim != 2 or found.shape[1] == 0:
        raise InputError("its values are lists or the like, and no vectors of numbers")
    values = np.full((len(column), found.shape[1]), np.nan)
    values[known] = found
    # An infinite number has no place on any axis.
    values[~np.isfinite(values).all(axis=1)] = np.nan
    return values, found.shape[1]


def together(features: Sequence[Feature]) -> tuple[Float64Array, NDArray[np.bool_], NDArray[np.intp]]:
    """All features side by side, ``(N, F)``; which are codes; and of which column each is."""
    widths = [one.values.shape[1] for one in features]
    codes = np.repeat([one.categorical for one in features], widths)
    return np.hstack([one.values for one in features]), codes, np.repeat(np.arange(len(features)), widths)


def _numbers(name: str, sides: Sequence[pd.Series[Any]]) -> Feature:
    # Of single precision on one side, which would be told from the other by its last digits.
    bits = min(map(bits_of, sides))
    values = np.concatenate([values_of(rounded_to(one, bits)) for one in sides]).astype(np.float64)
    _require_change(values)
    shown = np.clip(values, -BEYOND, BEYOND)[:, None]
    return Feature(name, shown, np.where(np.isfinite(values), values, np.nan)[:, None])


def _levels(name: str, column: pd.Series[Any]) -> Feature:
    labels = column.map(level_label, na_action="ignore")
    codes, levels = pd.factorize(labels)
    count = np.bincount(codes[codes >= 0], minlength=len(levels))
    order = sorted(range(len(levels)), key=lambda at: (-count[at], str(levels[at])))
    rank = np.empty(len(levels) + 1)
    rank[order] = np.arange(len(levels))
    rank[-1] = np.nan  # where missing, whose code is -1
    values = np.minimum(rank[codes], MOST_LEVELS)
    _require_change(values)
    shares = np.append(count / max(int(count.sum()), 1), np.nan)
    return Feature(name, values[:, None], shares[codes][:, None], categorical=True)


def _vectors(name: str, sides: Sequence[pd.Series[Any]]) -> Feature:
    found = [vectors_in(one) for one in sides]
    (before, length), (after, other) = found
    if length != other:
        raise InputError(f"its vectors have {other:,} numbers, and those of the reference {length:,}")
    values = np.vstack([before, after])
    known = ~np.isnan(values[:, 0])
    if not (values[known].std(axis=0) > 0).any():
        raise InputError(CONSTANT)
    shown = values
    if length > MOST_AXES:
        axes = PCA(min(MOST_AXES, int(known.sum())), svd_solver="covariance_eigh")
        shown = np.full((len(values), axes.n_components), np.nan)
        shown[known] = axes.fit_transform(values[known])
    return Feature(name, shown, values)


def _require_change(values: Float64Array) -> None:
    if len(values) == 0 or bool((values == values[0]).all() or np.isnan(values).all()):
        raise InputError(CONSTANT)
