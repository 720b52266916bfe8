"""Distances of binned distributions by hand: values, limits, what rare cells change, and what binning can hide."""

import numpy as np
import pytest
from scipy import stats
from scipy.spatial import distance

from mlflow_eval_plugin.stats.drift.divergences import (
    DistributionDistance,
    Divergence,
    chi_squared,
    coarse_counts,
    divergence,
    kolmogorov_smirnov,
    ks_p_value,
    wasserstein,
)
from mlflow_eval_plugin.stats.drift.summary import STEPS, NumericColumn

CASES = [
    ([500, 500], [200, 300]),
    ([50, 30, 20, 40], [40, 20, 35, 60]),
    ([700, 200, 100], [20, 30, 150]),
    ([400, 380, 390, 410, 420], [101, 99, 100, 98, 102]),  # next to no difference
    ([900, 90, 10], [30, 30, 40]),
]


def _raw(kind, p, q):
    """By definition, in nats."""
    if kind == "psi":
        return float(((p - q) * np.log(p / q)).sum())
    return float(distance.jensenshannon(p, q) ** 2)


def _slopes(kind, p, q, step=1e-6):
    """How the divergence changes with each share of either side, which then no longer add up to one."""

    def raw(p, q):
        if kind == "psi":
            return ((p - q) * np.log(p / q)).sum()
        return (p * np.log(2 * p / (p + q)) + q * np.log(2 * q / (p + q))).sum() / 2

    moves = step * np.eye(len(p))
    first = [(raw(p + one, q) - raw(p - one, q)) / (2 * step) for one in moves]
    return np.array(first), np.array([(raw(p, q + one) - raw(p, q - one)) / (2 * step) for one in moves])


@pytest.mark.parametrize("kind", ["psi", "js"])
@pytest.mark.parametrize(("a", "b"), CASES)
def test_values_and_limits_are_those_of_a_noncentral_chi_squared(kind, a, b):
    a, b = np.array(a), np.array(b)
    n, m = a.sum(), b.sum()
    p, q, size, steepness = a / n, b / m, n * m / (n + m), {"psi": 1, "js": 8}[kind]
    made = divergence(kind, a, b)
    raw = _raw(kind, p, q)
    assert made.raw[0] == pytest.approx(raw, rel=1e-9)
    expected = max(raw - (len(a) - 1) / size, 0.0) if kind == "psi" else np.sqrt(raw / np.log(2))
    assert (made.value[0], made.bound[0]) == (pytest.approx(expected, rel=1e-9), 0.0)
    assert (made.n[0], made.rare, made.firm) == (m, 0, None)
    # The delta method: of multinomial shares, over the variance of a chi-squared of as large a noncentrality.
    delta = sum(
        (np.average(slope**2, weights=share) - np.average(slope, weights=share) ** 2) / rows
        for slope, share, rows in zip(_slopes(kind, p, q), (p, q), (n, m), strict=True)
    )
    inflation = max(1.0, np.sqrt(delta / (4 * raw / (steepness * size))))
    assert made.inflation[0] == pytest.approx(inflation, rel=1e-5)
    # Sankaran (1963): sqrt(x - h) less sqrt(noncentrality + h) is all but standard normal, h = (df - 1) / 2.
    half = (len(a) - 2) / 2
    root = np.sqrt(max(steepness * size * raw - half, 0.0))
    for alpha in (0.45, 0.3, 0.025, 0.001):
        z = stats.norm.isf(alpha) * inflation
        ends = max(max(root - z, 0.0) ** 2 - half, 0.0), max((root + z) ** 2 - half, 0.0)
        low, high = (one / (steepness * size) for one in ends)
        if kind == "js":
            low, high = np.sqrt(low / np.log(2)), min(np.sqrt(high / np.log(2)), 1.0)
        lower, upper = made.limits(alpha, exact=True)
        assert lower[0] == pytest.approx(min(low, expected), rel=1e-5, abs=1e-12)
        assert upper[0] == pytest.approx(max(high, expected), rel=1e-5)
    for one, other in zip(made.limits(0.7, exact=False), made.limits(0.5, exact=False), strict=True):
        assert one[0] == other[0]


def test_distributions_apart_and_alike():
    apart = divergence("js", np.array([100, 0]), np.array([0, 100]))
    assert apart.value[0] == 1.0 and apart.limits(0.05, exact=True)[1][0] == 1.0
    alike = divergence("psi", np.array([70, 30]), np.array([140, 60]))
    assert (alike.raw[0], alike.value[0], alike.inflation[0], alike.limits(0.05, exact=True)[0][0]) == (0, 0, 1, 0)
    (upper,) = divergence("psi", np.array([100]), np.array([50])).limits(0.05, exact=True)[1]
    assert upper == pytest.approx(stats.norm.isf(0.05) ** 2 * (1 / 100 + 1 / 50))  # a single cell
    # An empty cell of one side is half a row, one of both is no cell.
    found = divergence("psi", np.array([120, 79, 0, 0, 1]), np.array([30, 50, 0, 20, 0]))
    shares = np.array([0.6, 0.395, 0.0025, 0.005]), np.array([0.3, 0.5, 0.2, 0.005])
    assert found.raw[0] == pytest.approx(_raw("psi", *shares), rel=1e-9) and found.cells[0] == 4
    assert np.isfinite(divergence("js", np.array([1, 0]), np.array([3, 4])).value[0])
    assert np.isfinite(divergence("js", np.array([3, 4]), np.array([1, 0])).value[0])


@pytest.mark.parametrize("kind", ["psi", "js"])
def test_an_empty_side_is_undefined(kind):
    for a, b, rows in (([0, 0], [3, 4], 7), ([3, 4], [0, 0], 7), ([0, 0], [0, 0], 0)):
        made = divergence(kind, np.array(a), np.array(b))
        assert np.isnan(made.value[0]) and np.isnan(made.limits(0.05, exact=True)).all()
        assert (made.reason, made.n[0]) == ("one of the data sets has no value of this column", rows)


def test_rare_cells_are_those_where_either_side_would_expect_less_than_five_or_twice_the_root():
    # Sides of one size: half of both is expected on either.
    made = divergence("psi", np.array([40, 5, 4, 6]), np.array([40, 4, 5, 6]))
    together = divergence("psi", np.array([40, 6, 9]), np.array([40, 6, 9]))
    assert made.rare == 2 and (made.firm.raw, made.firm.cells, made.firm.n) == (together.raw, 3, 55)
    assert divergence("psi", np.array([40, 5, 5, 6]), np.array([40, 5, 5, 6])).rare == 0
    assert divergence("psi", np.array([40, 5, 4, 7]), np.array([40, 5, 5, 6])).firm is None  # one is not taken together
    # Sixteen cells: eight rows. The smaller side, of a quarter, would have 8 of 32, 7.75 of 31 and 7.25 of 29.
    a, b = np.r_[np.full(13, 60), 21, 21, 27], np.r_[np.full(13, 20), 11, 10, 2]
    assert a.sum() == 3 * b.sum()
    assert divergence("js", a, b).rare == divergence("js", b, a).rare == 2
    assert divergence("js", a[1:], b[1:]).rare == 0  # twice the root of 15 is 7.746, and one is not taken together


def test_limits_with_rare_cells_are_firm_below_and_grant_a_degree_for_each_above():
    a, b = np.array([300, 200, 3, 2, 0, 1]), np.array([200, 250, 1, 0, 3, 2])
    for kind, steepness in (("psi", 1), ("js", 8)):
        made = divergence(kind, a, b)
        assert made.rare == 4
        firm = divergence(kind, np.array([300, 200, 6]), np.array([200, 250, 6]))
        alone = Divergence(kind, made.raw, made.cells, made.size, made.inflation, made.n)
        (lower,), (upper,) = made.limits(0.01, exact=True)
        assert lower == min(firm.limits(0.01, exact=True)[0][0], made.value[0])

        def multiple(value, kind=kind, times=steepness * made.size[0]):
            return (value if kind == "psi" else value**2 * np.log(2)) * times

        assert multiple(upper) == pytest.approx(multiple(alone.limits(0.01, exact=True)[1][0]) + 4)
        again = made.take(np.array([0]))
        assert (again.limits(0.01, exact=True)[0][0], again.rare, again.value[0]) == (lower, 4, made.value[0])


def _column(counts, offsets, spread=2.0, edges=(5.0, 6.0), coarse=(0, 1)):
    """Counts below 5, from 5 to 6, and from 6 on, with the sums of their values less 5."""
    sums = np.rint(np.array(offsets) / spread * STEPS).astype(np.int64)
    return NumericColumn("x", "feature", np.array(edges), np.array(coarse), spread, np.array(counts), sums, 0)


BEFORE = _column([20, 40, 40], [-3.0, 20.0, 42.0])


def test_the_largest_difference_of_distribution_functions_by_hand():
    # .2, .6 and .4, .5 at the edges; inside the bins the functions can be apart by .4, .3 and .5.
    made = kolmogorov_smirnov(BEFORE, _column([80, 20, 100], [-5.0, 2.0, 107.0]))
    assert (made.value[0], made.bound[0], made.n[0]) == (pytest.approx(0.2), pytest.approx(0.3), 200)
    for alpha in (0.025, 0.4):
        reach = stats.kstwobign.isf(alpha) * np.sqrt(1 / 100 + 1 / 200)
        lower, upper = made.limits(alpha, exact=True)
        assert (lower[0], upper[0]) == (pytest.approx(max(0.2 - reach, 0)), pytest.approx(0.2 + reach))
    assert made.limits(1e-12, exact=False)[0][0] == 0
    # In the first bin, and in the last one, either may be ahead: .8 against .2 and .6, and the other way about.
    ahead = _column([160, 0, 40], [-5.0, 0.0, 50.0])
    behind = _column([40, 0, 160], [-5.0, 0.0, 200.0])
    for one, other, value, most in (
        (BEFORE, ahead, 0.6, 0.8),
        (ahead, BEFORE, 0.6, 0.8),
        (BEFORE, behind, 0.4, 0.8),
        (behind, BEFORE, 0.4, 0.8),
    ):
        made = kolmogorov_smirnov(one, other)
        assert (made.value[0], made.bound[0]) == (pytest.approx(value), pytest.approx(most - value))
    far = DistributionDistance("ks", *(np.array([one]) for one in (0.95, 0.0, 0.1, 0.0)), np.array([200]))
    assert far.limits(0.05, exact=False)[1][0] == 1
    assert far.take(np.array([0])).limits(0.05, exact=False) == far.limits(0.05, exact=False)
    nothing = kolmogorov_smirnov(BEFORE, _column([0, 0, 0], [0, 0, 0]))
    assert np.isnan(nothing.value[0]) and nothing.n[0] == 0 and ks_p_value(nothing, 100, 0) is None
    assert np.isnan(kolmogorov_smirnov(_column([0, 0, 0], [0, 0, 0]), BEFORE).value[0])


@pytest.mark.parametrize(("n", "m"), [(30, 47), (20_000, 20_000), (20_001, 20_002)])
def test_p_values_of_small_and_of_large_samples(n, m):
    effective = np.round(n * m / (n + m))
    for value in 1.2 / np.sqrt(effective), 0.0, 1.0:
        made = DistributionDistance("ks", *(np.array([one]) for one in (value, 0.0, 0.1, 0.0)), np.array([m]))
        assert ks_p_value(made, n, m) == pytest.approx(stats.kstwo.sf(value, effective), abs=2.5e-6)
    if effective <= 10_000:
        made = DistributionDistance("ks", *(np.array([one]) for one in (0.011, 0.0, 0.1, 0.0)), np.array([m]))
        assert ks_p_value(made, n, m) == stats.kstwo.sf(0.011, effective)


def test_between_values_that_are_bins_of_their_own_nothing_is_hidden():
    edges = [0.0, np.nextafter(0, 1), 1.0, np.nextafter(1, 2)]
    one, other = (
        _column(counts, sums, edges=edges, coarse=(0, 1, 2, 3))
        for counts, sums in (([0, 30, 0, 70, 0], [0, 0, 0, 70, 0]), ([0, 60, 0, 40, 0], [0, 0, 0, 40, 0]))
    )
    made = kolmogorov_smirnov(one, other)
    assert (made.value[0], made.bound[0]) == (pytest.approx(0.3), pytest.approx(0, abs=1e-15))
    area = wasserstein(one, other)
    assert (area.value[0], area.bound[0]) == (pytest.approx(0.3 / 2), 0)
    variance = 0.3 * 0.7 / 100 + 0.6 * 0.4 / 100
    assert area.noise_deviation[0] == pytest.approx(np.sqrt(variance) / 2)
    assert area.noise_mean[0] == pytest.approx(np.sqrt(2 / np.pi) * np.sqrt(variance) / 2)


def _variance(column_counts, means, inside):
    shares = np.array(column_counts) / sum(column_counts)
    centre = (shares * means).sum()
    return (shares * ((np.array(means) - centre) ** 2 + inside)).sum()


@pytest.mark.parametrize(
    ("middle", "area", "slack"),
    [
        # The integrals over the bin are .2 + .2 = .4 and .4 + (.1 - middle); the lines cross, with the area 1 / 12.
        (0.02, 1 / 12, 0.25),
        (0.00, 0.1, 0.25),  # the integrals are further apart than the lines
    ],
)
def test_the_area_between_distribution_functions_by_hand(middle, area, slack):
    n, m = 100, 200
    after = _column([80, 20, 100], [-10.0, middle * 200, 114.0])
    made = wasserstein(BEFORE, after)
    # Tails: .03 and .05 below, .02 and .07 above.
    assert made.value[0] == pytest.approx((area + 0.02 + 0.05) / 2, abs=1e-5)
    assert made.bound[0] == pytest.approx((slack + 2 * 0.03 + 2 * 0.02) / 2, abs=1e-5)
    assert made.n[0] == m
    swapped = wasserstein(after, BEFORE)
    assert (swapped.value[0], swapped.bound[0]) == (pytest.approx(made.value[0]), pytest.approx(made.bound[0]))
    rough = [np.sqrt(f * (1 - f) / n + g * (1 - g) / m) for f, g in ((0.2, 0.4), (0.6, 0.5))]
    # An exponential tail of area A beyond k rows: the integral of sqrt(F / n) is 2 A / sqrt(k).
    tails = np.hypot(2 * 0.03 / np.sqrt(20), 2 * 0.05 / np.sqrt(80)), np.hypot(2 * 0.02 / np.sqrt(40), 0.14 / 10)
    noise = np.sqrt(2 / np.pi) * (sum(rough) / 2 + sum(tails))
    assert made.noise_mean[0] == pytest.approx(noise / 2, rel=1e-4)
    first = _variance([20, 40, 40], [-3 / 20, 0.5, 42 / 40], np.array([0.15**2, 1 / 12, 0.05**2]))
    second = _variance([80, 20, 100], [-10 / 80, middle * 10, 1.14], np.array([0.125**2, 1 / 12, 0.14**2]))
    deviation = np.sqrt(first / n + second / m)
    assert made.noise_deviation[0] == pytest.approx(deviation / 2, rel=1e-4)
    shift = abs(0.59 - (0.52 + middle))
    assert made.shift[0] == pytest.approx(shift / 2, abs=1e-5)
    # From the edge 6: 1 and what is below 5, 1 less what is above it, and what is above 6.
    apart = [[1 + 3 / 20, 1 - 0.5, 42 / 40 - 1], [1 + 10 / 80, 1 - middle * 10, 1.14 - 1]]
    shares = [np.array([20, 40, 40]) / 100, np.array([80, 20, 100]) / 200]
    wide = [(share * side).sum() for share, side in zip(shares, apart, strict=True)]
    assert made.widening[0] == pytest.approx(abs(wide[1] - wide[0]) / 2, abs=1e-5)
    first = _variance([20, 40, 40], apart[0], np.array([0.15**2, 1 / 12, 0.05**2]))
    second = _variance([80, 20, 100], apart[1], np.array([0.125**2, 1 / 12, 0.14**2]))
    assert made.widening_deviation[0] == pytest.approx(np.sqrt(first / n + second / m) / 2, rel=1e-4)


def test_where_functions_hardly_overlap_little_can_be_hidden():
    # .2 to .6 and .55 to .75: one may be above the other by .05 at most, in a bin of width .5.
    edges = (5.0, 5.5)
    before = _column([20, 40, 40], [-3.0, 10.0, 22.0], edges=edges)
    after = _column([110, 40, 50], [-6.0, 14.0, 29.0], edges=edges)
    for made in (wasserstein(before, after), wasserstein(after, before)):
        # The lines are .35 and .15 apart; the integrals .1 + .1 and .275 + .03, which is less.
        assert made.value[0] == pytest.approx(0.5 * (0.35 + 0.15) / 2 / 2, abs=1e-5)
        assert made.bound[0] == pytest.approx((2 * 0.5 * 0.05 + 2 * 0.03 + 2 * 0.02) / 2, abs=1e-5)
    # .2 to .6 and .6 to .9: never, so that the integrals are the area, though the lines are further apart.
    above = _column([120, 60, 20], [-6.0, 20.0, 14.0], edges=edges)
    for made in (wasserstein(before, above), wasserstein(above, before)):
        assert made.bound[0] == pytest.approx((2 * 0.03 + 2 * 0.02) / 2, abs=1e-5)
        assert made.value[0] == pytest.approx((0.3 + (60 * 0.5 - 20) / 200 - 0.2) / 2, abs=1e-5)


def test_tails_of_one_row_are_noise_too():
    edges = (5.0, 7.0)
    made = wasserstein(
        _column([1, 98, 1], [-2.0, 90.0, 3.0], edges=edges), _column([0, 50, 0], [0.0, 60.0, 0.0], edges=edges)
    )
    # A row 2 below the first edge, and one 1 above the last; two functions that are the same but for a hundredth.
    noise = np.sqrt(2 / np.pi) * (2 * np.sqrt(0.01 * 0.99 / 100) + 2 * 0.02 + 2 * 0.01)
    assert made.noise_mean[0] == pytest.approx(noise / 2, rel=1e-4)
    first = _variance([1, 98, 1], [-2, 90 / 98, 3], np.array([2.0**2, 2.0**2 / 12, 1.0]))
    assert made.noise_deviation[0] == pytest.approx(np.sqrt(first / 100 + 2.0**2 / 12 / 50) / 2, rel=1e-4)


@pytest.mark.parametrize("shift", [None, 0.5, 0.58])
@pytest.mark.parametrize("widening", [None, 0.45, 0.59])
def test_limits_of_an_area_allow_for_noise(shift, widening):
    value, mean, deviation = 0.6, 0.1, 0.05
    moved, wider = (None if one is None else np.array([one]) for one in (shift, widening))
    made = DistributionDistance(
        "wasserstein",
        np.array([value]),
        np.array([mean]),
        np.array([deviation]),
        np.zeros(1),
        np.array([9]),
        shift=moved,
        widening=wider,
        widening_deviation=None if wider is None else np.array([0.04]),
    )
    for one in (made, made.take(np.array([0]))):
        for alpha in (0.3, 0.05, 0.001):
            lower, upper = one.limits(alpha, exact=True)
            assert upper[0] == pytest.approx(value + stats.norm.isf(alpha) * deviation)
            ends = [value - mean - stats.norm.isf(alpha / 4) * deviation]
            if shift is not None:
                ends.append(shift - stats.norm.isf(alpha * 3 / 16) * deviation)
            if widening is not None:
                ends.append(widening - stats.norm.isf(alpha * 3 / 16) * 0.04)
            assert lower[0] == pytest.approx(max(ends))
        assert one.limits(1e-300, exact=False)[0][0] == 0
        assert one.limits(0.8, exact=False)[1][0] == value
        assert one.n[0] == 9


def test_without_a_unit_or_values_an_area_is_undefined():
    empty = _column([0, 0, 0], [0.0, 0.0, 0.0])
    for before, after in ((_column([20, 40, 40], [0.0] * 3, spread=1.0), empty), (empty, BEFORE)):
        made = wasserstein(before, after)
        assert np.isnan(made.value[0]) and made.reason == "the reference is constant, or a data set is empty"
        assert made.n[0] == after.present
    constant = NumericColumn(
        "x", "feature", np.array([0.0, 1.0]), np.array([0]), 0.0, np.array([0, 9, 0]), np.zeros(3, dtype=np.int64), 0
    )
    assert np.isnan(wasserstein(constant, constant).value[0])


def test_coarse_cells_are_sums_of_bins():
    edges = tuple(float(i) for i in range(5))
    column = _column([1, 2, 4, 8, 16, 32], [0.0] * 6, edges=edges, coarse=(1, 3))
    assert coarse_counts(column).tolist() == [1 + 2, 4 + 8, 16 + 32]


def test_chi_squared_needs_two_levels_and_both_sides():
    assert chi_squared(np.array([5, 0]), np.array([3, 0])) is None
    assert chi_squared(np.array([5, 4]), np.array([0, 0])) is None
    assert chi_squared(np.array([0, 0]), np.array([5, 4])) is None
    theirs = stats.chi2_contingency([[50, 40], [90, 10]], correction=False)
    assert chi_squared(np.array([50, 40]), np.array([90, 10])) == pytest.approx((theirs.statistic, theirs.pvalue))
    theirs = stats.chi2_contingency([[50, 40, 10], [90, 20, 5]], correction=False)
    assert chi_squared(np.array([50, 40, 0, 10]), np.array([90, 20, 0, 5])) == pytest.approx(
        (theirs.statistic, theirs.pvalue)
    )
