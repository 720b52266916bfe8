"""What the rows of three or more classes must be before anything is counted; see ``inputs``.

Classes are text, the same for 1, 1.0 and "1", in canonical order: numbers by value, then text.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from mlflow_eval_plugin.engines.arrow.columns.inputs import ROUNDING, how_many, scale_of
from mlflow_eval_plugin.stats.arrays import Float64Array
from mlflow_eval_plugin.stats.counts.slice import level_label, level_order
from mlflow_eval_plugin.stats.errors import InputError

MOST_CLASSES = 50
DECIMALS = 5e-5  # what rounding to four decimals changes of a probability


def in_canonical_order(classes: Iterable[object]) -> tuple[str, ...]:
    """Classes as text, each once, numbers by value and then text."""
    return tuple(sorted({level_label(one) for one in classes}, key=level_order))


def class_codes(values: Any, *, argument: str) -> tuple[NDArray[np.intp], tuple[str, ...]]:
    """Every row's position among the classes that there are, and those classes in canonical order.

    Raises:
        InputError: for missing values, saying how many.
    """
    series = values if isinstance(values, pd.Series) else pd.Series(values)
    codes, uniques = pd.factorize(series)
    if (codes < 0).any():
        raise InputError(f"{argument}: {how_many(codes < 0)} missing; drop those rows or wait for them")
    classes = in_canonical_order(uniques)
    return np.asarray(positions([level_label(one) for one in uniques], classes)[codes]), classes


def positions(names: Sequence[str], classes: Sequence[str]) -> NDArray[np.intp]:
    """Where each name is among the classes; -1 where it is none of them."""
    at = {one: position for position, one in enumerate(classes)}
    return np.array([at.get(name, -1) for name in names], dtype=np.intp)


def on_classes(probability: Float64Array, names: tuple[str, ...], classes: tuple[str, ...]) -> Float64Array:
    """Probabilities of the named classes as columns of all of them, 0 where there is none; unchanged where all are."""
    if names == classes:
        return probability
    wider = np.zeros((len(probability), len(classes)))
    wider[:, positions(names, classes)] = probability
    return wider


def checked_count(classes: Sequence[str]) -> None:
    """Refuse what looks like no class at all.

    Raises:
        InputError: for more than ``MOST_CLASSES``.
    """
    if len(classes) > MOST_CLASSES:
        raise InputError(
            f"label: expected at most {MOST_CLASSES} classes, found {len(classes):,} ({listed(classes)}); group "
            "the rare ones, or check that the target is a class and not a number"
        )


def checked_probabilities(values: Any, classes: Sequence[str]) -> Float64Array:
    """Probabilities, one column a class, as float64.

    Rows whose sum is as far off 1 as rounding to four decimals can make it are divided by it.

    Raises:
        InputError: when they are not numbers, missing, outside [0, 1], or the rows do not sum to 1; says how many.
    """
    try:
        found = np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise InputError(f"probabilities: expected numbers ({error})") from error
    if found.ndim != 2 or found.shape[1] != len(classes):
        raise InputError(
            f"probabilities: expected one column for each of {len(classes)} classes ({listed(classes)}), found the "
            f"shape {found.shape}"
        )
    absent = np.asarray(np.isnan(found).any(axis=1))
    if absent.any():
        raise InputError(f"probabilities: {how_many(absent)} missing (NaN); expected a probability of every class")
    outside = np.asarray(((found < -ROUNDING) | (found > 1 + ROUNDING)).any(axis=1))
    if outside.any():
        raise InputError(
            f"probabilities: {how_many(outside)} outside [0, 1]; expected a probability of every class, not a logit or "
            "a percentage"
        )
    # A softmax may end an ulp above 1.
    found = found if found.min() >= 0 and found.max() <= 1 else np.clip(found, 0.0, 1.0)
    total = found.sum(axis=1)
    off = np.abs(total - 1)
    uneven = off > uneven_beyond(len(classes))
    if uneven.any():
        first = float(total[int(np.argmax(uneven))])
        raise InputError(
            f"probabilities: {how_many(uneven)} not summing to 1 ({first:.6g}); expected the probabilities of "
            "all classes, with four decimals at least. Where they are all there, divide each row by its sum: "
            "p.div(p.sum(axis=1), axis=0)"
        )
    rounded = off > ROUNDING
    return np.where(rounded[:, None], found / total[:, None], found) if rounded.any() else found


def uneven_beyond(classes: int) -> float:
    """How far off 1 the sum of so many probabilities is where it is more than rounding."""
    return max(ROUNDING, 1.001 * DECIMALS * classes)


def require_known(found: Sequence[str], known: Sequence[str], *, argument: str, knows: str) -> None:
    """Refuse classes that are not known, all of them at once.

    Raises:
        InputError: when a class of ``found`` is not in ``known``.
    """
    unknown = [one for one in found if one not in set(known)]
    if unknown:
        raise InputError(
            f"{argument}: {knows} {listed(known)}, and not {listed(unknown)}, which there is too; leave that out, or "
            "evaluate a model that knows it"
        )


def listed(classes: Sequence[str]) -> str:
    """The first classes, quoted."""
    return ", ".join(map(repr, classes[:6])) + (", …" if len(classes) > 6 else "")


@dataclass(frozen=True, eq=False)
class ClassScored:
    """Checked rows of ``K`` classes; arrays of one length.

    Attributes:
        label, prediction: positions among ``classes``.
        probability: ``(n, K)`` float64 in [0, 1], rows summing to 1; None where predictions are classes.
        weight: float64, non-negative; None when unweighted.
        scale: of parts of the rows, a power of two at or above the largest weight of all; that of these by default.
        part_of: how many rows there are, where these are some of them.
    """

    classes: tuple[str, ...]
    label: NDArray[np.intp]
    prediction: NDArray[np.intp]
    probability: Float64Array | None
    weight: Float64Array | None
    scale: float | None = None
    part_of: int = 0

    @cached_property
    def weight_scale(self) -> float:
        """The power of two at or above the largest weight; 1.0 when unweighted."""
        return 1.0 if self.weight is None else scale_of(self.weight, self.scale)
