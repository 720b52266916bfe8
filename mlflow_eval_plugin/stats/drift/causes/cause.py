"""One cause that fits, with its numbers, and at which error it is told.

Without any drift, the chance that any cause is named is at most ``CAUSE_ERROR``, divided over columns and tests.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal, get_args

import numpy as np

from mlflow_eval_plugin.stats.inference.estimate import Quantity, finite

CauseName = Literal[
    "labels", "schema", "missing", "infinite", "constant", "sentinel", "new category", "vanished category", "unit",
    "counter", "routing", "deploy", "concept", "shift",
]  # fmt: skip
ORDER: Final[tuple[CauseName, ...]] = get_args(CauseName)
CAUSE_ERROR = 0.05
TESTS = 12  # of a column, at most
FURTHER = 6  # of all columns together
# A column moved where it is shown to be further away than the default tolerances of Checks.
MOVED = {"js": 0.03, "wasserstein": 0.05}


def cause_level(columns: int) -> float:
    """The error of one test, of so many columns."""
    return CAUSE_ERROR / (TESTS * max(columns, 1) + FURTHER)


@dataclass(frozen=True)
class Cause:
    """A cause that fits.

    Attributes:
        cause: what it is.
        column: where it shows.
        sentence: what was found, with numbers.
        metric: what was measured; None of facts.
        interval: limits at the error of causes, either one by itself.
    """

    cause: CauseName
    column: str
    sentence: str
    metric: str | None = None
    value: float | None = None
    interval: tuple[float, float] | None = None


def limits(quantity: Quantity, alpha: float) -> tuple[float, float]:
    """Either limit at an error, 0 width of nothing: NaN has no limits."""
    lower, upper = quantity.limits(alpha, exact=True)
    return float(lower[0]), float(upper[0])


def found(cause: CauseName, column: str, sentence: str, metric: str, quantity: Quantity, alpha: float) -> Cause:
    """A cause with the numbers of a quantity."""
    lower, upper = limits(quantity, alpha)
    interval = (lower, upper) if np.isfinite([lower, upper]).all() else None
    return Cause(cause, column, sentence, metric, finite(quantity.value[0]), interval)


def in_order(causes: list[Cause]) -> list[Cause]:
    """As one is to look at them."""
    return sorted(causes, key=lambda one: ORDER.index(one.cause))
