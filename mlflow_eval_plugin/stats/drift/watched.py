"""What of a numeric column is counted beside its bins: values that stand for none, those out of range, other units.

All of it is counts, which add up. The bins of the reference cannot tell any of it: -999 and 1,000 times too large a
value are in the first and the last of them, whatever they are.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from mlflow_eval_plugin.stats.arrays import FloatArray, IntArray
from mlflow_eval_plugin.stats.errors import InputError, MergeError

Measure = Literal["number", "datetime", "duration"]  # what the numbers of a column are

DAY = 86_400.0
NONE_SEEN = (np.inf, -np.inf)
# Values that are written where there is none; times in seconds since 1970.
SENTINELS: Final[Mapping[Measure, Mapping[str, float]]] = {
    "number": {
        **{f"{value:.0f}": value for digits in range(1, 8) for value in (1.0 - 10.0**digits, 10.0**digits - 1.0)},
        "-1": -1.0, "-2147483648": -(2.0**31), "2147483647": 2.0**31 - 1,
    },
    "datetime": {
        "0001-01-01": -719_162 * DAY, "1753-01-01": -79_257 * DAY, "1899-12-30": -25_569 * DAY,
        "1900-01-01": -25_567 * DAY, "1970-01-01": 0.0, "9999-12-31": 2_932_896 * DAY,
    },
    "duration": {"-1 s": -1.0},
}  # fmt: skip
# The same where values are text, in small letters.
WORDS: Final = frozenset({
    "", "na", "n/a", "#n/a", "<na>", "nan", "nat", "null", "none", "nil", "missing", "unknown", "undefined", "-", "--",
    "?", ".", "-1", "-9", "-99", "-999", "-9999", "-99999", "999", "9999", "99999", "999999", "0001-01-01",
    "1753-01-01", "1899-12-30", "1900-01-01", "1970-01-01", "9999-12-31", "1970-01-01 00:00:00",
})  # fmt: skip
# What a value is in another unit: this many times the value, and so much more.
_FACTORS = {
    "10": 10.0, "60": 60.0, "100": 100.0, "1,000": 1e3, "3,600": 3600.0, "86,400": 86_400.0, "1,000,000": 1e6,
    "1,000,000,000": 1e9, "1.609 (miles to km)": 1.609344, "2.205 (kg to pounds)": 2.2046226218,
    "2.54 (inches to cm)": 2.54, "3.281 (m to feet)": 3.280839895,
}  # fmt: skip
UNITS: Final[Mapping[str, tuple[float, float]]] = {
    **{f"multiplied by {name}": (factor, 0.0) for name, factor in _FACTORS.items()},
    **{f"divided by {name}": (1 / factor, 0.0) for name, factor in _FACTORS.items()},
    "converted from °C to °F": (1.8, 32.0),
    "converted from °F to °C": (1 / 1.8, -32 / 1.8),
    "converted from °C to kelvin": (1.0, 273.15),
    "converted from kelvin to °C": (1.0, -273.15),
}
_ROUNDED = 1e-6  # by so much, relatively, a conversion may have rounded


@dataclass(frozen=True, eq=False)
class Watched:
    """Counts of single values of one column.

    Attributes:
        measure: which sentinels are looked for.
        range: the least and the largest finite value of the reference.
        outside: finite values outside of it.
        sentinels: how often each sentinel of the measure occurs, in their order.
        seen: the least and the largest finite value of these rows; infinity and its opposite where there is none.
        units: rows by unit and coarse cell, ``(U, C)``, the cells being where the reference's values would lie in
            that unit; no unit where values are times.
    """

    measure: Measure
    range: tuple[float, float]
    outside: int
    sentinels: IntArray
    units: IntArray
    seen: tuple[float, float] = NONE_SEEN

    @classmethod
    def nothing(cls, measure: Measure, range_: tuple[float, float], cells: int) -> Watched:
        """No values yet.

        Args:
            cells: how many coarse cells there are.
        """
        units = 0 if measure == "datetime" else len(UNITS)
        known = np.zeros(len(SENTINELS[measure]), dtype=np.int64)
        return cls(measure, range_, 0, known, np.zeros((units, cells), dtype=np.int64))

    def of(self, values: FloatArray, edges: FloatArray) -> Watched:
        """Sorted finite values, on the same range.

        Args:
            edges: those between the coarse cells, increasing.
        """
        low, high = self.range
        outside = int(np.searchsorted(values, low)) + len(values) - int(np.searchsorted(values, high, "right"))
        sought = np.array(list(SENTINELS[self.measure].values()))
        found = np.searchsorted(values, sought, "right") - np.searchsorted(values, sought)
        ends = np.searchsorted(values, _converted(edges)[: len(self.units)])
        units = np.diff(ends, prepend=0, append=len(values), axis=1)
        seen = (float(values[0]), float(values[-1])) if len(values) else NONE_SEEN
        return Watched(self.measure, self.range, outside, found.astype(np.int64), units.astype(np.int64), seen)

    def __add__(self, other: Watched) -> Watched:
        """The counts of both.

        Raises:
            MergeError: when the ranges differ.
        """
        if (self.measure, self.range, self.units.shape) != (other.measure, other.range, other.units.shape):
            raise MergeError("the ranges of a column differ; count both with drift_summary(..., like=reference)")
        return replace(
            self,
            outside=self.outside + other.outside,
            sentinels=self.sentinels + other.sentinels,
            units=self.units + other.units,
            seen=(min(self.seen[0], other.seen[0]), max(self.seen[1], other.seen[1])),
        )

    def to_document(self) -> dict[str, Any]:
        """JSON, by name, so that names may come."""
        return {
            "measure": self.measure,
            "range": list(self.range),
            "outside": self.outside,
            # JSON has no infinity.
            "seen": None if self.seen == NONE_SEEN else list(self.seen),
            "sentinels": dict(zip(SENTINELS[self.measure], self.sentinels.tolist(), strict=True)),
            "units": dict(zip(UNITS, self.units.tolist(), strict=False)),
        }

    @classmethod
    def from_document(cls, document: Mapping[str, Any], cells: int) -> Watched:
        """Read what ``to_document`` wrote; what is not counted there is 0.

        Args:
            cells: how many coarse cells there are.
        """
        measure = document["measure"]
        if measure not in get_args(Measure):
            raise InputError(f"drift reference: unknown measure {measure!r}; expected one of {get_args(Measure)}")
        none = cls.nothing(measure, (float(document["range"][0]), float(document["range"][1])), cells)
        known, units, seen = document["sentinels"], document["units"], document.get("seen")
        return replace(
            none,
            outside=int(document["outside"]),
            seen=NONE_SEEN if seen is None else (float(seen[0]), float(seen[1])),
            sentinels=np.array([known.get(name, 0) for name in SENTINELS[none.measure]], dtype=np.int64),
            units=np.array([units.get(name, [0] * cells) for name in UNITS][: len(none.units)], dtype=np.int64).reshape(
                none.units.shape
            ),
        )


def _converted(edges: FloatArray) -> NDArray[np.float64]:
    """The edges in every unit, ``(U, E)``; a cell of a single value is wide enough for one that was rounded."""
    factors, further = (np.array(side)[:, None] for side in zip(*UNITS.values(), strict=True))
    least = edges * factors + further
    reach = _ROUNDED * np.abs(least)
    ends = least - reach
    ends_a_point = np.flatnonzero(edges[1:] <= np.nextafter(edges[:-1], np.inf)) + 1
    # The number after, since 0 is rounded to itself.
    ends[:, ends_a_point] = np.nextafter(least + reach, np.inf)[:, ends_a_point - 1]
    return np.maximum.accumulate(ends, axis=1)
