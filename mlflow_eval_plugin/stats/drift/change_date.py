"""When a column changed: dates of change in counts of cells by window, each with an interval.

The rows of each window fall into cells (``change_cells``). A change before window t is judged by the likelihood ratio
of two multinomials, the windows before t and those from t on, against one (G squared, which is about chi-squared with a
degree of freedom for each cell but one). The date is where that exceeds its degrees of freedom most (Hinkley 1970,
Biometrika 57), its p-value is Bonferroni's over all dates that were tried (Worsley 1983, Biometrika 70), and further
dates are sought on either side of it (binary segmentation; Vostrikova 1981, Soviet Math. Dokl. 24).

The interval is a confidence region by inversion (Worsley 1986, Biometrika 73): every date at which neither side shows a
change of its own. Where there is none, since a change within a window leaves a mixture in it, every window is tried
that may be one; and where none may, the change was gradual, and the interval is the whole stretch.

With phases, such as the days of the week, each phase has multinomials of its own, so that only windows of the same
phase are compared, and likelihood ratios add up over phases.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from scipy import special, stats

from mlflow_eval_plugin.stats.arrays import FloatArray, IntArray

_SHARES = np.linspace(0.0, 1.0, 101)  # of a mixture


@dataclass(frozen=True)
class Change:
    """One date of change, as places of windows.

    Attributes:
        first: the first window after the change, or the one in which it began.
        earliest, latest: between which windows that one is, with confidence.
        start, stop: the stretch of windows without another date that it was found in.
        p_value: the least error at which the stretch shows a change, over all of its dates.
    """

    first: int
    earliest: int
    latest: int
    start: int
    stop: int
    p_value: float


Notable = Callable[[int, int, int], bool]


@dataclass(frozen=True, eq=False)
class ChangeSearch:
    """Windows with their cells, and how sure a date has to be.

    Attributes:
        counts: rows, ``(W, K)``.
        phases: by window; windows of different ones are not compared.
        level: the chance that any date is found where nothing changes.
        least: rows that either side of a date must have.
        notable: start, date, stop → whether the two sides differ by more than is tolerated.
    """

    counts: IntArray
    phases: IntArray
    level: float
    least: int
    notable: Notable = lambda start, at, stop: True

    def dates(self) -> tuple[Change, ...]:
        """All dates of change, in their order."""
        firsts = self._without_mixtures(sorted(self._split(0, len(self.counts))))
        ends = [0, *firsts, len(self.counts)]
        return tuple(
            self._dated(first, start, stop) for first, start, stop in zip(firsts, ends, ends[2:], strict=False)
        )

    def _split(self, start: int, stop: int) -> list[int]:
        """Binary segmentation; what is left is judged at its share of the level."""
        level = self.level * (stop - start) / len(self.counts)
        p, at = self._best(start, stop)
        if p > level or not self.notable(start, at, stop):
            return []
        return [*self._split(start, at), at, *self._split(at, stop)]

    def _dated(self, first: int, start: int, stop: int) -> Change:
        p, _ = self._best(start, stop)
        sharp = [at for at in range(start + 1, stop) if self._still(start, at) and self._still(at, stop)]
        mixed = [at for at in range(start, stop) if self._still(start, at) and self._still(at + 1, stop)]
        found = sharp or mixed or [start + 1, first, stop - 1]
        # Of a mixture the segmentation may have named the window after it.
        nearest = min(found, key=lambda at: (abs(at - first), at))
        return Change(nearest, min(found), max(found), start, stop, p)

    def _still(self, start: int, stop: int) -> bool:
        """Whether a stretch may be without a change; both of a pair are, unless by an error of the level."""
        return self._best(start, stop)[0] > self.level / 2

    def _best(self, start: int, stop: int) -> tuple[float, int]:
        """The p-value of a stretch, and its likeliest date."""
        if stop - start < 2:
            return 1.0, start
        ratio, freedom = self.ratios(start, stop)
        tried = freedom > 0
        if not tried.any():
            return 1.0, start
        p = float(np.min(stats.chi2.sf(ratio[tried], freedom[tried]))) * int(tried.sum())
        excess = np.where(tried, ratio - freedom, -np.inf)
        return min(p, 1.0), start + 1 + int(excess.argmax())

    def ratios(self, start: int, stop: int) -> tuple[FloatArray, FloatArray]:
        """G squared and its degrees of freedom for a change before each window of a stretch but the first.

        Degrees of freedom are 0 where a side has too few rows, or no phase is on both sides.
        """
        below = self._sums[:, start + 1 : stop] - self._sums[:, start, None]
        above = self._sums[:, stop, None] - self._sums[:, start + 1 : stop]
        both = below + above
        rows_below, rows_above = below.sum(axis=-1), above.sum(axis=-1)
        on_both_sides = (rows_below > 0) & (rows_above > 0)
        ratio = 2 * (_deviance(both) - _deviance(below) - _deviance(above))
        freedom = np.where(on_both_sides, (both > 0).sum(axis=-1) - 1.0, 0.0).sum(axis=0)
        enough = np.minimum(rows_below.sum(axis=0), rows_above.sum(axis=0)) >= self.least
        return np.where(on_both_sides, ratio, 0.0).sum(axis=0), np.where(enough, freedom, 0.0)

    @cached_property
    def _sums(self) -> FloatArray:
        """Rows before each window by phase, ``(P, W + 1, K)``."""
        of_phase = self.phases == np.unique(self.phases)[:, None]
        sums = np.zeros((len(of_phase), len(self.counts) + 1, self.counts.shape[1]))
        np.cumsum(of_phase[:, :, None] * self.counts, axis=1, out=sums[:, 1:])
        return sums

    def _without_mixtures(self, firsts: list[int]) -> list[int]:
        """Dates, without the second of two that a change within one window makes.

        A window between two that are states of their own is one of a gradual change.
        """
        windows = len(self.counts)
        ends, later = [0, *firsts, windows], set()
        for place, (at, after) in enumerate(pairwise(firsts), 1):
            start, stop = ends[place - 1], ends[place + 2]
            lasting = (at - start > 1 or start == 0) and (stop - after > 1 or stop == windows)
            if after == at + 1 and lasting and self._is_mixture(start, at, stop):
                later.add(after)
        return [at for at in firsts if at not in later]

    def _is_mixture(self, start: int, at: int, stop: int) -> bool:
        """Whether a window may hold rows of what was before it and of what comes after it, and no others."""
        same = self.phases == self.phases[at]
        places = np.arange(len(self.counts))
        sides = [self.counts[same & within].sum(axis=0) for within in (
            (places >= start) & (places < at), places == at, (places > at) & (places < stop)
        )]  # fmt: skip
        before, middle, after = (side / side.sum() if side.sum() else None for side in sides)
        if before is None or middle is None or after is None:
            return False
        share = _SHARES[:, None]
        expected = (1 - share) * before + share * after
        pooled = sum(sides) / sum(side.sum() for side in sides)
        precision = 1 / sides[1].sum() + (1 - share) ** 2 / sides[0].sum() + share**2 / sides[2].sum()
        used = pooled > 0
        distance = ((middle - expected)[:, used] ** 2 / (np.maximum(expected, pooled / 2)[:, used] * precision)).sum(1)
        return bool(stats.chi2.sf(distance.min(), max(int(used.sum()) - 2, 1)) > self.level)


def _deviance(counts: FloatArray) -> FloatArray:
    """Less the greatest log-likelihood of counts: their entropy, times the rows."""
    rows = counts.sum(axis=-1)
    return np.asarray(special.xlogy(rows, rows) - special.xlogy(counts, counts).sum(axis=-1))


def windows_of_one_phase(windows: int) -> NDArray[np.int64]:
    """The phases of windows that may all be compared."""
    return np.zeros(windows, dtype=np.int64)
