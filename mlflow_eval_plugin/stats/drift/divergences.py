"""Distances between two binned distributions, with limits suited to "the distance exceeds its tolerance".

All of them are positive for two samples of one population. The limits take that into account: they are confidence
limits of the distance between the populations.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from scipy import special, stats

from mlflow_eval_plugin.stats.arrays import FloatArray, IntArray
from mlflow_eval_plugin.stats.drift.summary import NumericColumn
from mlflow_eval_plugin.stats.inference.estimate import Ends, Entries
from mlflow_eval_plugin.stats.inference.intervals import Alpha, Limits, normal_quantile
from mlflow_eval_plugin.stats.inference.norms import HALF_NORMAL_MEAN
from mlflow_eval_plugin.stats.inference.sparse_tables import exact_two_by_two, is_sparse, p_value

DivergenceKind = Literal["psi", "js"]
LARGE_SAMPLE = 10_000
LEAST_EXPECTED = 5
NO_VALUES = "one of the data sets has no value of this column"
_KEPT = 16  # columns of which what several distances need is kept: those at hand, and the reference of many windows


@dataclass(frozen=True, eq=False)
class Divergence(Entries):
    """PSI (bias-corrected) or the Jensen-Shannon distance (base 2, as ``scipy.spatial.distance.jensenshannon``).

    Near no drift ``steepness * N * divergence`` is noncentral chi-squared with ``cells - 1`` degrees of freedom, where
    ``N = n m / (n + m)``, steepness is 1 for PSI and 8 for Jensen-Shannon in nats; its noncentrality is the same
    multiple of the true divergence. Limits of the noncentrality use sqrt(x - h) - sqrt(nc + h) ~ N(0, 1), h = (df -
    1) / 2 (Sankaran 1963), widened where the delta method sees a larger variance. It never does for Jensen-Shannon, as
    with p, q = (1 + u) m, (1 - u) m always (1 + u) log(1 + u)**2 <= (1 + u) log(1 + u) + (1 - u) log(1 - u).

    Rare cells break the approximation. So the lower limit is that of the divergence with all of them taken together,
    which cannot exceed the one asked for, and the upper limit grants each of them a degree for what it may hide.

    Attributes:
        raw: the divergence, in nats, not corrected; NaN where a side is empty.
        rare: how many cells are rare; 0 where fewer than two are.
        firm: the divergence with those taken together; None where there are none.
        inflation: standard deviation by the delta method over that of the noncentral chi-squared, at least 1.
    """

    kind: DivergenceKind
    raw: FloatArray
    cells: IntArray
    size: FloatArray
    inflation: FloatArray
    n: IntArray
    rare: int = 0
    firm: Divergence | None = None
    reason: str = NO_VALUES

    @property
    def value(self) -> FloatArray:
        """PSI less its bias ``(cells - 1) / N``, at least 0; or the Jensen-Shannon distance, in [0, 1]."""
        if self.kind == "js":
            return np.asarray(np.sqrt(np.maximum(self.raw, 0.0) / np.log(2)))
        return np.maximum(self.raw - (self.cells - 1) / self.size, 0.0)

    @property
    def bound(self) -> FloatArray:
        """Zero: the bins are part of the definition."""
        return np.zeros_like(self.raw)

    def limits(self, alpha: Alpha, *, exact: bool) -> Limits:
        """One-sided limits; the same whether exact or not."""
        del exact
        multiple = self.size * (8.0 if self.kind == "js" else 1.0)
        half = np.maximum(self.cells - 2, 0) / 2
        root = np.sqrt(np.maximum(self.raw * multiple - half, 0.0))
        z = np.maximum(normal_quantile(alpha), 0.0) * self.inflation
        lower = np.maximum(np.maximum(root - z, 0.0) ** 2 - half, 0.0) / multiple
        upper = np.maximum((root + z) ** 2 - half + self.rare, 0.0) / multiple
        if self.kind == "js":
            lower, upper = np.sqrt(lower / np.log(2)), np.minimum(np.sqrt(upper / np.log(2)), 1.0)
        if self.firm is not None:
            lower = self.firm.limits(alpha, exact=True)[0]
        return np.minimum(lower, self.value), np.maximum(upper, self.value)


@dataclass(frozen=True, eq=False)
class DistributionDistance(Entries):
    """KS or Wasserstein: the observed distance, and what noise alone makes of it.

    By the triangle inequality the observed distance exceeds the true one by at most the noise. KS: the noise is
    Kolmogorov's. Wasserstein: the noise is the norm of a Gaussian process, which exceeds its mean by z standard
    deviations with probability at most 1 - Phi(z) (Gaussian isoperimetry; Borell 1975). The Wasserstein distance is
    also at least the difference of the means of any function that rises by no more than its argument does: of the
    values themselves, ``shift``, whose limit is the better one for a plain shift, and of their distances from the
    reference's median, ``widening``, the better one for a change of scale. The area has a quarter of the error, and
    each of the two, whose sign is not known beforehand, three eighths.
    """

    kind: Literal["ks", "wasserstein"]
    value: FloatArray
    noise_mean: FloatArray
    noise_deviation: FloatArray
    bound: FloatArray
    n: IntArray
    reason: str = NO_VALUES
    shift: FloatArray | None = None
    widening: FloatArray | None = None
    widening_deviation: FloatArray | None = None

    @property
    def ends(self) -> Ends:
        """0, and of KS 1."""
        return 0.0, 1.0 if self.kind == "ks" else np.inf

    def limits(self, alpha: Alpha, *, exact: bool) -> Limits:
        """One-sided limits; the same whether exact or not."""
        del exact
        if self.kind == "ks":
            reach = special.kolmogi(np.asarray(alpha)) * self.noise_deviation
            return np.maximum(self.value - reach, 0.0), np.minimum(self.value + reach, 1.0)
        upper = self.value + np.maximum(normal_quantile(alpha), 0.0) * self.noise_deviation
        lower = self.value - self.noise_mean - normal_quantile(np.asarray(alpha) / 4) * self.noise_deviation
        each = normal_quantile(np.asarray(alpha) * 3 / 16)
        for change, deviation in ((self.shift, self.noise_deviation), (self.widening, self.widening_deviation)):
            if change is not None and deviation is not None:
                lower = np.maximum(lower, change - each * deviation)
        return np.maximum(lower, 0.0), upper


def divergence(kind: DivergenceKind, reference: IntArray, current: IntArray) -> Divergence:
    """PSI or Jensen-Shannon of two rows of counts over the same cells; cells empty in both do not count.

    PSI takes an empty cell of one side for half a row, as its logarithm would be infinite.
    """
    used = (reference + current) > 0
    a, b = reference[used].astype(np.float64), current[used].astype(np.float64)
    n, m = a.sum(), b.sum()
    if n == 0 or m == 0:
        nan, one = np.array([np.nan]), np.ones(1)
        return Divergence(kind, nan, np.ones(1, dtype=np.int64), one, one, np.array([int(n + m)], dtype=np.int64))
    raw, inflation = _psi(a, b) if kind == "psi" else (_jensen_shannon(a / n, b / m), 1.0)
    return Divergence(
        kind,
        np.array([raw]),
        np.array([len(a)], dtype=np.int64),
        np.array([n * m / (n + m)]),
        np.array([inflation]),
        np.array([int(m)], dtype=np.int64),
        **_rare(kind, a, b),
    )


def _rare(kind: DivergenceKind, a: FloatArray, b: FloatArray) -> dict[str, Any]:
    # Read off both sides together, which tells nothing about their difference. Cochran (1954) asks for five; what the
    # approximation lacks adds up over cells, while their noise grows with the root of their number only.
    least = max(LEAST_EXPECTED, 2 * np.sqrt(len(a)))
    rare = (a + b) * min(a.sum(), b.sum()) < least * (a + b).sum()
    if rare.sum() < 2:
        return {}
    firm = [np.append(side[~rare], side[rare].sum()).astype(np.int64) for side in (a, b)]
    return {"rare": int(rare.sum()), "firm": divergence(kind, *firm)}


def coarse_counts(column: NumericColumn) -> IntArray:
    """The counts of the ten-bin table."""
    below = np.concatenate([[0], np.cumsum(column.counts)[column.coarse], [column.present]])
    return np.diff(below)


def kolmogorov_smirnov(reference: NumericColumn, current: NumericColumn) -> DistributionDistance:
    """The largest difference of the distribution functions at the edges; ``bound`` covers what lies between them."""
    n, m = reference.present, current.present
    if n == 0 or m == 0:
        return _undefined("ks", current)
    f, g = _below(reference), _below(current)
    value = float(np.abs(f - g).max())
    # Between two edges one function may rise before the other does, unless the bin is a single value.
    point = np.concatenate([[False], _is_point(reference), [False]])
    reach = np.maximum(f[1:] - g[:-1], g[1:] - f[:-1])
    most = float(np.where(point, 0.0, reach).max())
    return DistributionDistance(
        "ks",
        np.array([value]),
        np.zeros(1),
        np.array([np.sqrt(1 / n + 1 / m)]),
        np.array([max(most - value, 0.0)]),
        np.array([m], dtype=np.int64),
    )


def ks_p_value(distance: DistributionDistance, n: int, m: int) -> float | None:
    """The p-value of the two-sample KS test, as ``scipy.stats.ks_2samp(method="asymp")``.

    Above ``LARGE_SAMPLE`` effective rows it is within 2.5e-6 of that one, absolutely.
    """
    if np.isnan(distance.value[0]):
        return None
    effective = np.round(n * m / (n + m))
    if effective > LARGE_SAMPLE:
        # The exact tail takes a second at a million rows. Vrbik's (2018) argument in the limit is within 2.5e-6 of it.
        z = np.sqrt(effective) * distance.value[0]
        return float(special.kolmogorov(z + 1 / (6 * np.sqrt(effective)) + (z - 1) / (4 * effective)))
    return float(np.clip(stats.kstwo.sf(distance.value[0], effective), 0.0, 1.0))


def wasserstein(reference: NumericColumn, current: NumericColumn) -> DistributionDistance:
    """The area between the distribution functions within the fences, over the reference's robust standard deviation.

    Where one function is above the other throughout a bin, the area follows exactly from the sum of values in the
    bin. Where they may cross, they are taken as linear, and ``bound`` is what any other course could change.
    """
    n, m = reference.present, current.present
    if n == 0 or m == 0 or reference.spread == 0:
        return replace(_undefined("wasserstein", current), reason="the reference is constant, or a data set is empty")
    area, slack = _areas(reference, current)
    noise, spread = _noise_area(reference, current), reference.spread
    shift = float(current.offsets.sum() / m - reference.offsets.sum() / n)
    deviation = np.sqrt(_variance_of(reference) / n + _variance_of(current) / m)
    (wide, variance), (wide_now, variance_now) = _distances(reference, reference), _distances(current, reference)
    unsure = np.sqrt(variance / n + variance_now / m)
    amounts = (area, noise, deviation, slack, abs(shift), abs(wide_now - wide), unsure)
    scaled = [np.array([amount / spread]) for amount in amounts]
    return DistributionDistance(
        kind="wasserstein",
        value=scaled[0],
        noise_mean=scaled[1],
        noise_deviation=scaled[2],
        bound=scaled[3],
        n=np.array([m], dtype=np.int64),
        shift=scaled[4],
        widening=scaled[5],
        widening_deviation=scaled[6],
    )


def chi_squared(reference: IntArray, current: IntArray) -> tuple[float, float | None] | None:
    """Pearson's statistic of homogeneity and its p-value (``scipy.stats.chi2_contingency(correction=False)``).

    Of a sparse table of two levels the p-value is exact, given the sums; of a sparse one of more there is none.
    None where a side is empty or there is only one level.
    """
    used = (reference + current) > 0
    table = np.stack([reference[used], current[used]]).astype(np.float64)
    if table.shape[1] < 2 or not table.sum(axis=1).all():
        return None
    expected = table.sum(axis=1, keepdims=True) * table.sum(axis=0) / table.sum()
    statistic = float(((table - expected) ** 2 / expected).sum())
    if table.shape[1] == 2 and is_sparse(expected):
        return statistic, exact_two_by_two(table)
    return statistic, p_value(statistic, table.shape[1] - 1, expected)


def _psi(a: FloatArray, b: FloatArray) -> tuple[float, float]:
    """PSI, and by how much its standard deviation exceeds that of the noncentral chi-squared."""
    n, m = a.sum(), b.sum()
    p, q = np.maximum(a, 0.5) / n, np.maximum(b, 0.5) / m
    log = np.log(p / q)
    raw = float(((p - q) * log).sum())
    # The slopes of the delta method, but for constants.
    variance = _variance(log - q / p, a / n) / n + _variance(log + p / q, b / m) / m
    local = 4 * raw * (1 / n + 1 / m)
    return raw, max(1.0, float(np.sqrt(variance / local))) if local > 0 else 1.0


def _jensen_shannon(p: FloatArray, q: FloatArray) -> float:
    middle = (p + q) / 2
    return float((special.rel_entr(p, middle) + special.rel_entr(q, middle)).sum() / 2)


def _variance(values: FloatArray, shares: FloatArray) -> float:
    mean = float((values * shares).sum())
    return float(((values - mean) ** 2 * shares).sum())


@lru_cache(maxsize=_KEPT)
def _below(column: NumericColumn) -> FloatArray:
    return np.concatenate([[0.0], np.cumsum(column.counts) / column.present])


def _mean_absolute(difference: FloatArray) -> FloatArray:
    """The mean of ``|.|`` along the straight line between neighbours."""
    left, right = difference[:-1], difference[1:]
    total = np.abs(left) + np.abs(right)
    with np.errstate(divide="ignore", invalid="ignore"):
        crossing = np.where(total > 0, (left**2 + right**2) / (2 * total), 0.0)
    return np.where(left * right >= 0, total / 2, crossing)


def _areas(reference: NumericColumn, current: NumericColumn) -> tuple[float, float]:
    """The area between the distribution functions, and how far it can be from the truth."""
    (f, inside_f, tails_f), (g, inside_g, tails_g) = _integrals(reference), _integrals(current)
    width = np.diff(reference.fenced)
    point = _is_point(reference)
    # How far either can be above the other inside a bin; one of the two cannot where they cannot cross.
    overlap = np.minimum(f[1:] - g[:-1], g[1:] - f[:-1])
    crossing = (overlap > 0) & ~point
    net = np.abs(inside_f - inside_g)
    inside = np.where(point, 0.0, np.where(crossing, np.maximum(width * _mean_absolute(f - g), net), net))
    slack = np.where(crossing, np.minimum(width * (np.diff(f) + np.diff(g)) / 2, 2 * width * overlap), 0.0)
    tails = np.abs(tails_f - tails_g).sum()
    return float(inside.sum() + tails), float(slack.sum() + 2 * np.minimum(tails_f, tails_g).sum())


@lru_cache(maxsize=_KEPT)
def _integrals(column: NumericColumn) -> tuple[FloatArray, FloatArray, FloatArray]:
    """The distribution function at the edges, its integral over each inner bin, and the areas of the two tails."""
    n, offsets = column.present, column.offsets
    f, width = _below(column)[1:-1], np.diff(column.fenced)
    ends = column.fenced - column.fenced[0]
    inside = width * f[:-1] + (column.counts[1:-1] * ends[1:] - offsets[1:-1]) / n
    tails = np.array([-offsets[0], offsets[-1] - column.counts[-1] * ends[-1]]) / n
    return f, inside, np.maximum(tails, 0.0)


def _noise_area(reference: NumericColumn, current: NumericColumn) -> float:
    """The expected area between the distribution functions of two samples that differ by noise only."""
    f, g = _below(reference)[1:-1], _below(current)[1:-1]
    rough = np.sqrt(f * (1 - f) / reference.present + g * (1 - g) / current.present)
    inner = (np.diff(reference.fenced) * (rough[1:] + rough[:-1]) / 2).sum()
    tails = np.hypot(_tail_roughness(reference), _tail_roughness(current)).sum()
    return HALF_NORMAL_MEAN * float(inner + tails)


def _tail_roughness(column: NumericColumn) -> FloatArray:
    """The integral of the standard error of the distribution function beyond either edge, for exponential tails."""
    masses = column.counts[[0, -1]]
    # For F(x) = p exp(-x / t) the area is p t and the integral of sqrt(F / n) is 2 t sqrt(p / n).
    return np.asarray(2 * _integrals(column)[2] / np.sqrt(np.maximum(masses, 1)))


def _variance_of(column: NumericColumn) -> float:
    """The variance of the values: bin means, uniform inside bins, exponential tails."""
    return _moments(column, column.offsets / np.maximum(column.counts, 1))[1]


def _distances(column: NumericColumn, reference: NumericColumn) -> tuple[float, float]:
    """Mean and variance of the values' distances from the reference's median, or a decile near it."""
    middle = int(reference.coarse[len(reference.coarse) // 2])
    centre = column.fenced[middle] - column.fenced[0]
    side = np.where(np.arange(len(column.counts)) > middle, 1.0, -1.0)
    return _moments(column, side * (column.offsets / np.maximum(column.counts, 1) - centre))


def _moments(column: NumericColumn, mean: FloatArray) -> tuple[float, float]:
    """Mean and variance of something that has these means in the bins, and varies there as the values do."""
    tails = _integrals(column)[2] * column.present / np.maximum(column.counts[[0, -1]], 1)
    width = np.where(_is_point(column), 0.0, np.diff(column.fenced))
    inside = np.concatenate([[tails[0] ** 2], width**2 / 12, [tails[1] ** 2]])
    shares = column.counts / column.present
    centre = (shares * mean).sum()
    return float(centre), float((shares * ((mean - centre) ** 2 + inside)).sum())


@lru_cache(maxsize=_KEPT)
def _is_point(column: NumericColumn) -> NDArray[np.bool_]:
    """Which inner bins hold a single value."""
    return np.asarray(column.edges[1:] <= np.nextafter(column.edges[:-1], np.inf))


def _undefined(kind: Literal["ks", "wasserstein"], current: NumericColumn) -> DistributionDistance:
    nan, zero = np.array([np.nan]), np.zeros(1)
    return DistributionDistance(kind, nan, zero, zero, zero, np.array([current.present], dtype=np.int64))
