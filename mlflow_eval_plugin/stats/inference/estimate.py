"""Estimates, and the two protocols by which everything with an uncertainty is asked for its limits.

A ``Quantity`` is a vector of estimates (one a slice) with limits at any one-sided error; ``Bounds`` is one of them,
which is what a Check needs. Infinite limits are legal here (one row has no variance) and become "no interval" in an
``Estimate``.
"""

from __future__ import annotations

import math
from dataclasses import Field, dataclass, field
from functools import cached_property
from typing import Any, ClassVar, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from mlflow_eval_plugin.stats.arrays import FloatArray, Index
from mlflow_eval_plugin.stats.inference.intervals import Alpha, Limits

TWO_SIDED_95 = 0.025
Ends = tuple[float, float]
NO_ENDS: Ends = (-math.inf, math.inf)
_MOST_LEVELS = 64
Made = TypeVar("Made", bound="Entries")


@dataclass(frozen=True)
class Estimate:
    """A number, its pointwise 95 % interval, the largest error of binning, and why it is absent where it is.

    The interval is wider than chance alone would have it by that error, and stays within the range of the metric.
    Neither NaN nor infinite: ``value`` and ``interval`` are None instead.
    """

    value: float | None
    interval: tuple[float, float] | None
    bound: float = 0.0
    reason: str | None = None


class Bounds(Protocol):
    """One quantity under a Check: a value and one-sided confidence limits, monotone in ``alpha``."""

    @property
    def value(self) -> float | None:
        """The estimate; None where it is undefined."""

    @property
    def n(self) -> int:
        """Rows behind the estimate."""

    @property
    def reason(self) -> str | None:
        """Why the value is None."""

    @property
    def bound(self) -> float:
        """The part of the way to either limit that is an error of binning, which more rows do not lessen."""

    def lower(self, alpha: float) -> float:
        """The limit below which the true value lies with probability at most ``alpha``."""

    def upper(self, alpha: float) -> float:
        """The limit above which the true value lies with probability at most ``alpha``."""


class Quantity(Protocol):
    """A vector of estimates; all arrays have the same shape ``(S,)``, and NaN marks what is undefined."""

    @property
    def value(self) -> FloatArray:
        """The estimates."""

    @property
    def n(self) -> NDArray[np.int64]:
        """Rows behind each."""

    @property
    def bound(self) -> FloatArray:
        """The largest error that binning can have caused in each."""

    @property
    def reason(self) -> str:
        """Why an entry is NaN where one is."""

    def limits(self, alpha: Alpha, *, exact: bool) -> Limits:
        """One-sided limits; ``exact`` asks for those that hold their error at any size and level."""

    def take(self, index: NDArray[np.intp]) -> Quantity:
        """The entries at ``index``."""


class Entries:
    """A Quantity that is a data class: its arrays have an element or a row an entry, or are overridden in ``take``.

    What it is made of besides, such as a reason or a scale, holds for all entries.
    """

    __dataclass_fields__: ClassVar[dict[str, Field[Any]]]

    def take(self: Made, index: Index) -> Made:
        """The entries at ``index``, of every array and every Quantity that this one is made of."""
        own, parts = self.__dict__, {}
        for name in self.__dataclass_fields__:
            one = own[name]
            if isinstance(one, np.ndarray):
                one = one[index]
            elif isinstance(one, Entries):
                one = one.take(index)
            parts[name] = one
        # As a frozen class makes its own, but all fields at once, which is faster. What was cached is of other entries.
        made = object.__new__(type(self))
        made.__dict__.update(parts)
        return made


def ends_of(quantity: Quantity) -> Ends:
    """The least and the largest value that there can be, the ``ends`` of a Quantity; infinite where it has none."""
    # Not a protocol of its own: to ask whether an object keeps to one takes as long as all its limits.
    ends: Ends = getattr(quantity, "ends", NO_ENDS)
    return ends


def ends_of_difference(first: Quantity, second: Quantity) -> Ends:
    """The least and the largest that ``first - second`` can be."""
    (low, high), (low_2, high_2) = ends_of(first), ends_of(second)
    return low - high_2, high - low_2


def widened(quantity: Quantity, alpha: Alpha, *, exact: bool) -> Limits:
    """The limits with the error of binning added on either side, within the range of the metric."""
    (lower, upper), (least, most) = quantity.limits(alpha, exact=exact), ends_of(quantity)
    return np.maximum(lower - quantity.bound, least), np.minimum(upper + quantity.bound, most)


@dataclass(frozen=True, eq=False)
class Shared:
    """A Quantity whose limits at one level are computed for all entries at once, where several are asked for them.

    Checks of many slices ask at the same few levels, and an array of limits takes hardly longer than one of them.
    """

    quantity: Quantity
    _asked: set[float] = field(default_factory=set, repr=False)
    _known: dict[float, Limits] = field(default_factory=dict, repr=False)

    def bounds(self, index: int) -> QuantityBounds:
        """One entry, for a Check."""
        return QuantityBounds(self.quantity.take(np.array([index])), self, index)

    def limits(self, alpha: float, index: int) -> tuple[float, float] | None:
        """The limits of one entry; None where no other was asked for at this level, or too many levels are kept."""
        if alpha not in self._known:
            if alpha not in self._asked or len(self._known) == _MOST_LEVELS:
                self._asked.add(alpha)
                return None
            self._known[alpha] = widened(self.quantity, alpha, exact=True)
        lower, upper = self._known[alpha]
        return float(lower[index]), float(upper[index])


@dataclass(frozen=True)
class QuantityBounds:
    """The single entry of a Quantity of length one, as ``Bounds``; of a longer one it may be a part."""

    quantity: Quantity
    of: Shared | None = None
    index: int = 0

    @property
    def value(self) -> float | None:
        """The estimate; None where it is undefined."""
        return finite(self.quantity.value[0])

    @property
    def n(self) -> int:
        """Rows behind the estimate."""
        return int(self.quantity.n[0])

    @property
    def reason(self) -> str | None:
        """Why the value is None."""
        return self.quantity.reason if self.value is None else None

    @property
    def bound(self) -> float:
        """The largest error of binning."""
        return float(self.quantity.bound[0])

    def lower(self, alpha: float) -> float:
        """One-sided lower limit, less what binning can have added."""
        return self._limits(alpha)[0]

    def upper(self, alpha: float) -> float:
        """One-sided upper limit, plus what binning can have taken away."""
        return self._limits(alpha)[1]

    def _limits(self, alpha: float) -> tuple[float, float]:
        # Both ends are computed together, and mostly both are asked for.
        if alpha not in self._known:
            self._known[alpha] = self._shared(alpha) or self._own(alpha)
        return self._known[alpha]

    def _shared(self, alpha: float) -> tuple[float, float] | None:
        return None if self.of is None else self.of.limits(alpha, self.index)

    def _own(self, alpha: float) -> tuple[float, float]:
        lower, upper = widened(self.quantity, alpha, exact=True)
        return float(lower[0]), float(upper[0])

    @cached_property
    def _known(self) -> dict[float, tuple[float, float]]:
        return {}


def bounds_at(quantity: Quantity, index: int) -> QuantityBounds:
    """Entry ``index`` of a Quantity, for a Check."""
    return QuantityBounds(quantity.take(np.array([index])))


def estimates(quantity: Quantity) -> tuple[Estimate, ...]:
    """Every entry with its pointwise two-sided 95 % interval."""
    lower, upper = widened(quantity, TWO_SIDED_95, exact=False)
    rows = np.stack([quantity.value, lower, upper, quantity.bound], axis=1).tolist()
    return tuple(_estimate(*row, reason=quantity.reason) for row in rows)


def finite(number: float) -> float | None:
    """The number, or None where it is NaN or infinite."""
    return float(number) if math.isfinite(number) else None


def _estimate(value: float, lower: float, upper: float, bound: float, *, reason: str) -> Estimate:
    if not math.isfinite(value):
        return Estimate(None, None, 0.0, reason)
    interval = (lower, upper) if math.isfinite(lower) and math.isfinite(upper) else None
    return Estimate(value, interval, bound if math.isfinite(bound) else 0.0, None)
