"""The kinds of estimate, on numbers that can be worked by hand."""

from dataclasses import replace

import numpy as np
import pytest

from mlflow_eval_plugin.stats.inference.contrasts import Difference, Ratio, Widest
from mlflow_eval_plugin.stats.inference.estimate import Quantity, bounds_at, estimates
from mlflow_eval_plugin.stats.inference.macro import ANY, IN_PAIRS, NEVER_TOGETHER, Macro, MeanOfNorms
from mlflow_eval_plugin.stats.inference.norms import NoisyNorm
from mlflow_eval_plugin.stats.inference.quantities import (
    AucQuantity,
    BalancedAccuracy,
    MeanCost,
    MeanQuantity,
    ProportionQuantity,
    UnitMean,
    trials_of,
)
from mlflow_eval_plugin.stats.inference.skewed_means import (
    Determination,
    Monotone,
    PositiveMean,
    SkewedMean,
    Standardized,
)
from mlflow_eval_plugin.stats.inference.wald import Wald
from mlflow_eval_plugin.stats.paired.intervals import discordant, tango
from mlflow_eval_plugin.stats.paired.quantities import PairedBalancedAccuracy, PairedMean, PairedShare
from mlflow_eval_plugin.stats.slices.fairness import Larger

N = np.array([50, 80, 120])
TRIALS = np.array([45.0, 70.0, 110.0])


def _rate(*values: float, f1: bool = False) -> ProportionQuantity:
    return ProportionQuantity(np.array(values), TRIALS, N, TRIALS, "no rows", f1)


def _area(value: float, error: float, df: float, bound: float = 0.0) -> AucQuantity:
    arrays = (np.array([one]) for one in (value, error, df, bound))
    return AucQuantity(*arrays, np.array([40]), "one class only")


def _areas() -> AucQuantity:
    return AucQuantity(
        np.array([0.7, 0.8, 0.9]), np.array([0.05, 0.04, 0.03]), TRIALS - 1, np.array([0.001, 0.002, 0.003]), N, ""
    )


_POSITIVE = PositiveMean(np.array([0.5, 0.4, 0.6]), np.array([0.05, 0.03, 0.04]), TRIALS, N, TRIALS, "")
_SIGNED = SkewedMean(np.array([0.5, -0.4, 0.0]), np.full(3, 0.05), np.array([1.0, -2.0, 0.0]), TRIALS, N, TRIALS, "")
_CLASSES = ProportionQuantity(
    np.array([0.9, 0.8, 0.7, 0.6, 0.5, np.nan]), np.full(6, 40.0), np.full(6, 40), np.full(6, 40.0), ""
)

_MADE: dict[str, Quantity] = {
    "proportion": _rate(0.2, 0.5, 0.7),
    "f1": _rate(0.2, 0.5, 0.7, f1=True),
    "mean": MeanQuantity(np.array([0.1, 0.4, 0.6]), np.array([0.02, 0.03, 0.04]), TRIALS, N, TRIALS, ""),
    "unit mean": UnitMean(np.array([0.1, 0.4, 0.6]), TRIALS, N, TRIALS, "", scale=2.0),
    "unit mean with a base": UnitMean(np.array([0.1, 0.4, 0.6]), TRIALS, N, TRIALS, "", np.array([0.2, 0.3, 0.5])),
    "unit mean and more": UnitMean(
        np.array([0.1, 0.4, 0.6]), TRIALS, N, TRIALS, "", np.array([0.2, 0.3, 0.5]), np.array([0.01, 0.0, 0.02])
    ),
    "auc": _areas(),
    "balanced accuracy": BalancedAccuracy(_rate(0.2, 0.5, 0.7), _rate(0.6, 0.9, 0.8), N),
    "difference": Difference(_areas(), _rate(0.6, 0.3, 0.5), np.array([1.0, 0.7, 0.4]), ""),
    "ratio": Ratio(_areas(), _rate(0.6, 0.3, 0.5), np.array([1.0, 0.7, 0.4]), ""),
    "widest": Widest(_rate(0.2, 0.5, 0.7), np.array([2, 0, 1]), np.zeros(3), N, smallest=False, reason=""),
    "larger": Larger(_rate(0.2, 0.5, 0.7), _rate(0.6, 0.3, 0.5)),
    "norm": NoisyNorm(np.array([[0.1, 0.0], [0.2, 0.1], [0.3, 0.3]]), np.full((3, 2), 0.05), N, ""),
    "paired share": PairedShare(np.array([0.2, 0.1, 0.3]), np.array([0.1, 0.2, 0.1]), TRIALS, N, ""),
    "paired balanced accuracy": PairedBalancedAccuracy(
        PairedShare(np.array([0.2, 0.1, 0.3]), np.array([0.1, 0.2, 0.1]), TRIALS, N, ""),
        PairedShare(np.array([0.3, 0.1, 0.2]), np.array([0.05, 0.2, 0.15]), TRIALS, N, ""),
    ),
    "paired mean": PairedMean(
        np.array([0.1, -0.2, 0.0]),
        np.array([0.01, 0.02, 0.0]),
        np.array([0.01, 0.02, 0.03]),
        TRIALS,
        np.array([0.0, 0.01, 0.02]),
        N,
        "",
    ),
    "positive mean": _POSITIVE,
    "skewed mean": _SIGNED,
    "root": Monotone(_POSITIVE, np.sqrt),
    "standardized": Standardized(_SIGNED, _POSITIVE, ""),
    "determination": Determination(np.array([0.5, 0.2, 0.9]), np.array([0.1, 0.2, 0.05]), TRIALS, N, ""),
    "macro": Macro.of(_CLASSES, N, NEVER_TOGETHER),
    "cost": MeanCost(UnitMean(np.array([0.1, 0.4, 0.6]), TRIALS, N, TRIALS, ""), -1.0, 3.0),
    "wald": Wald(np.array([0.1, 0.4, 0.6]), np.array([0.02, 0.03, 0.04]), TRIALS, np.array([0.0, 0.1, 0.2]), N, ""),
}


@pytest.mark.parametrize("kind", _MADE)
def test_an_entry_that_is_taken_is_that_entry(kind):
    made = _MADE[kind]
    lower, upper = made.limits(0.01, exact=True)
    assert (lower <= made.value).all() and (made.value <= upper).all() and (lower < upper).all()
    for i in (2, 0, 1):
        one = bounds_at(made, i)
        assert (one.value, one.n, one.quantity.bound[0]) == (made.value[i], made.n[i], made.bound[i])
        assert one.lower(0.01) == pytest.approx(lower[i] - made.bound[i], abs=1e-12)
        assert one.upper(0.01) == pytest.approx(upper[i] + made.bound[i], abs=1e-12)


def test_limits_of_an_area_by_hand():
    # logit .8 -+ 2.085963 * .04 / .16, t of 20 degrees of freedom: 1 / (1 + exp(-.864803)) and ... 1.907785.
    lower, upper = _area(0.8, 0.04, 20).limits(0.025, exact=False)
    assert (lower[0], upper[0]) == (pytest.approx(0.703663, abs=1e-6), pytest.approx(0.870770, abs=1e-6))
    # .2 * 21 = 4.2 rows of the smaller class are ranked wrongly: the exact limit of .8 of 21 trials, the quantile of
    # beta(16.8, 5.2) at .025; on the other side are enough.
    lower, upper = _area(0.8, 0.04, 20).limits(0.025, exact=True)
    assert (lower[0], upper[0]) == (pytest.approx(0.570193, abs=1e-6), pytest.approx(0.870770, abs=1e-6))


def test_ten_rows_ranked_wrongly_are_enough_for_the_logit():
    # Of .5 with an error of .05: t * .05 / .25, t of 19 degrees of freedom 2.093024, of 18 2.100922.
    lower, upper = _area(0.5, 0.05, 19).limits(0.025, exact=True)
    assert lower[0] == pytest.approx(1 / (1 + np.exp(0.2 * 2.093024)), abs=1e-6) == 1 - upper[0]
    # One row fewer has the exact limits of 9.5 of 19, those of beta(9.5, 10.5) at .025.
    lower, upper = _area(0.5, 0.05, 18).limits(0.025, exact=True)
    assert lower[0] == pytest.approx(0.266285, abs=1e-6) == 1 - upper[0]


def test_an_area_of_one_has_the_limits_of_a_proportion_or_of_half_a_pair_less():
    # Wilson's of 20 of 20 is n / (n + z**2) with z = 1.959964, the exact one .025 ** (1 / 20).
    assert _area(1.0, 0.5, 19).limits(0.025, exact=False)[0][0] == pytest.approx(20 / 23.841459, abs=1e-7)
    assert _area(1.0, 0.5, 19).limits(0.025, exact=True)[0][0] == pytest.approx(0.025 ** (1 / 20), abs=1e-9)
    # Half of one of 400 pairs less: logit .99875 = 6.683361, less 2.093024 * .0005 / (.99875 * .00125) = .838257.
    lower, upper = _area(1.0, 0.0005, 19).limits(0.025, exact=False)
    assert (lower[0], upper[0]) == (pytest.approx(1 / (1 + np.exp(-5.845104)), abs=1e-6), 1)
    lower, upper = _area(0.0, 0.0005, 19).limits(0.025, exact=False)
    assert (lower[0], upper[0]) == (0, pytest.approx(1 / (1 + np.exp(5.845104)), abs=1e-6))


def test_trials_of_a_mean_by_hand():
    # .3 * .7 is 3 times the variance of .07; a variance of 0 or .5 adds none.
    found = trials_of(np.full(3, 0.3), np.array([0.07, 0.0, 0.5]), np.full(3, 10.0))
    assert found == pytest.approx([30, 10, 10])


def test_variance_beyond_that_of_the_trials_is_added_to_the_squares_of_the_distances():
    # Wilson's limits of 8 of 20 are .218806 and .613418; z**2 * .004 = .015366 with z = 1.959964.
    made = UnitMean(np.array([0.4]), np.array([20.0]), N[:1], TRIALS[:1], "", beyond=np.array([0.004]))
    lower, upper = made.limits(0.025, exact=False)
    assert lower[0] == pytest.approx(0.4 - np.sqrt(0.181194**2 + 0.015366), abs=1e-6)
    assert upper[0] == pytest.approx(0.4 + np.sqrt(0.213418**2 + 0.015366), abs=1e-6)
    plain, at_half = replace(made, beyond=None), (0.5, 0.6)
    for alpha in at_half:  # whose limits are the estimate, or on its other side
        assert [made.limits(alpha, exact=False)] == [plain.limits(alpha, exact=False)]


def test_a_mean_ends_where_its_values_end():
    made = MeanQuantity(np.array([0.9, 0.1]), np.full(2, 0.2), np.full(2, 10.0), N[:2], TRIALS[:2], "", highest=1.0)
    # t of 9 degrees of freedom at .025: 2.262157.
    lower, upper = made.limits(0.025, exact=False)
    assert lower == pytest.approx([0.9 - 0.2 * 2.262157, 0], abs=1e-6)
    assert upper == pytest.approx([1, 0.1 + 0.2 * 2.262157], abs=1e-6)


def test_limits_of_an_f1_are_those_of_its_proportion():
    # f = 2 p / (1 + p): a proportion of .5 is an F1 of 2 / 3, and its limits go the same way.
    plain, f1 = (_rate(0.5, 0.2, 1.0, f1=one).limits(0.05, exact=False) for one in (False, True))
    assert _rate(0.5, 0.2, 1.0, f1=True).value == pytest.approx([2 / 3, 1 / 3, 1])
    for side, found in zip(plain, f1, strict=True):
        assert found == pytest.approx(2 * side / (1 + side))


def test_limits_of_a_balanced_accuracy_by_hand():
    # Half of .2 + .6, and half the root of the squared distances to the limits of both.
    recall, specificity = _rate(0.2, 0.5, 0.7), _rate(0.6, 0.9, 0.8)
    made = BalancedAccuracy(recall, specificity, N)
    assert made.value == pytest.approx([0.4, 0.7, 0.75])
    (a_low, a_high), (b_low, b_high) = (one.limits(0.05, exact=False) for one in (recall, specificity))
    lower, upper = made.limits(0.05, exact=False)
    assert lower == pytest.approx(made.value - np.hypot(recall.value - a_low, specificity.value - b_low) / 2)
    assert upper == pytest.approx(made.value + np.hypot(a_high - recall.value, b_high - specificity.value) / 2)


def test_bounds_of_a_difference_and_of_a_ratio_add_up():
    # .001 and .004 together, times a half; (.001 + .7 / .8 * .004) / .8 to first order.
    first, second, half = _area(0.7, 0.05, 20, 0.001), _area(0.8, 0.04, 20, 0.004), np.array([0.5])
    assert Difference(first, second, half, "").bound == pytest.approx([0.0025])
    assert Ratio(first, second, np.ones(1), "").bound == pytest.approx([(0.001 + 0.875 * 0.004) / 0.8])


def test_a_ratio_to_the_whole_by_hand():
    # A part of rate .3 that is .4 of the whole, and .6 in the rest: .3 / (.4 * .3 + .6 * .6) = .625. Its share argument
    # is that of the rest, and the limits of .3 / .6 go the same way.
    share = np.full(3, 0.6)
    part, rest = _rate(0.3, 0.3, 0.3), _rate(0.6, 0.6, 0.6)
    assert Ratio(part, rest, share, "").value == pytest.approx([0.625] * 3)
    plain = Ratio(part, rest, np.ones(3), "").limits(0.05, exact=False)
    whole = Ratio(part, rest, share, "").limits(0.05, exact=False)
    for side, found in zip(plain, whole, strict=True):
        assert found == pytest.approx(side / (0.4 * side + 0.6))
    assert Ratio(part, part, share, "").value == pytest.approx([1] * 3)
    nothing = Ratio(_rate(0.0, 0.0, 0.0), rest, share, "")
    assert (nothing.value == 0).all() and (nothing.limits(0.05, exact=False)[0] == 0).all()
    # Where the rest may have none the ratio to it has no limit, and that to the whole is 1 / .4.
    unknown = Ratio(part, _rate(0.0, 0.0, 0.0), share, "")
    assert np.isnan(unknown.value).all() and (unknown.bound == 0).all()


def _gaps(*values: float) -> Wald:
    """Normal ones, with an error of .05."""
    shape = len(values)
    bound = np.linspace(0.01, 0.04, shape)
    return Wald(np.array(values), np.full(shape, 0.05), np.full(shape, 1e12), bound, np.full(shape, 9), "")


def test_limits_of_the_widest_gap_by_hand():
    # Normal quantiles of .05 and .05 / 2: 1.644854 and 1.959964. The first owner has two candidates, the second has
    # one with a value, the third none but itself; the fourth has no value.
    owner, itself = np.array([0, 0, 1, 1]), np.array([0.0, 0.0, 0.0, np.nan])
    made = Widest(_gaps(0.1, 0.3, 0.2, np.nan), owner, itself, np.full(4, 9), smallest=False, reason="")
    lower, upper = made.limits(0.05, exact=True)
    assert made.value == pytest.approx([0.3, 0.2, 0, np.nan], nan_ok=True)
    assert made.bound == pytest.approx([0.02, 0.04, 0, 0])
    assert lower == pytest.approx([0.3 - 0.0979982, 0.2 - 0.0822427, 0, np.nan], abs=1e-6, nan_ok=True)
    assert upper == pytest.approx([0.3 + 0.0822427, 0.2 + 0.0822427, 0, np.nan], abs=1e-6, nan_ok=True)
    least = Widest(_gaps(0.1, 0.3, 0.2, np.nan), owner, itself + 1, np.full(4, 9), smallest=True, reason="")
    lower, upper = least.limits(0.05, exact=True)
    assert least.value == pytest.approx([0.1, 0.2, 1, np.nan], nan_ok=True)
    assert lower == pytest.approx([0.1 - 0.0822427, 0.2 - 0.0822427, 1, np.nan], abs=1e-6, nan_ok=True)
    assert upper == pytest.approx([0.1 + 0.0979982, 0.2 + 0.0822427, 1, np.nan], abs=1e-6, nan_ok=True)


def test_an_unknown_bound_of_a_candidate_adds_nothing():
    gaps = Wald(np.full(2, 0.1), np.full(2, 0.05), np.full(2, 9.0), np.array([np.nan, 0.01]), N[:2], "")
    made = Widest(gaps, np.zeros(2, dtype=np.intp), np.zeros(1), N[:1], smallest=False, reason="")
    assert made.bound == pytest.approx([0.01])


def test_limits_of_the_larger_of_two_by_hand():
    # Lower limits at .05 / 2 each, 1.959964 errors of .05 below; upper ones at .05, 1.644854 above.
    lower, upper = Larger(_gaps(0.1, 0.3), _gaps(0.2, 0.1)).limits(0.05, exact=True)
    assert lower == pytest.approx([0.2 - 0.0979982, 0.3 - 0.0979982], abs=1e-6)
    assert upper == pytest.approx([0.2 + 0.0822427, 0.3 + 0.0822427], abs=1e-6)
    assert Larger(_gaps(0.1, 0.3), _gaps(0.2, 0.1)).value == pytest.approx([0.2, 0.3])
    rates, areas = _rate(0.2, 0.5, 0.7), _areas()
    assert (Larger(rates, areas).bound == areas.bound).all() and (Larger(areas, rates).bound == areas.bound).all()


def test_a_paired_share_has_tangos_limits_and_in_a_check_the_exact_ones():
    gained, lost, trials = np.array([0.25]), np.array([0.125]), np.array([160.0])
    made = PairedShare(gained, lost, trials, np.array([160]), "")
    assert made.limits(0.05, exact=False) == tango(gained, lost, trials, 0.05)
    assert made.limits(0.05, exact=True) == discordant(gained, lost, trials, 0.05)


def test_limits_of_a_change_in_balanced_accuracy_by_hand():
    # The first changes by .1, the second by -.1; half of (.1 + .1) -+ sqrt of the squared distances to their limits.
    rows = np.array([160]), "no rows"
    recall = PairedShare(np.array([0.2]), np.array([0.1]), np.array([160.0]), *rows)
    fpr = PairedShare(np.array([0.05]), np.array([0.15]), np.array([90.0]), *rows)
    made = PairedBalancedAccuracy(recall, fpr)
    assert made.value == pytest.approx([0.1])
    (low, high), (fpr_low, fpr_high) = recall.limits(0.05, exact=False), fpr.limits(0.05, exact=False)
    lower, upper = made.limits(0.05, exact=False)
    assert lower == pytest.approx(0.1 - np.sqrt((0.1 - low) ** 2 + (fpr_high + 0.1) ** 2) / 2)
    assert upper == pytest.approx(0.1 + np.sqrt((high - 0.1) ** 2 + (-0.1 - fpr_low) ** 2) / 2)


def test_a_paired_mean_has_students_limits_and_room_for_what_was_not_seen():
    # sqrt(.0016 + 3 * .02**2) = .0529150 times t at .05 of 20 degrees of freedom, 1.724718; without variance the rows
    # that were not seen remain, and beyond a half no limit crosses the value.
    made = PairedMean(np.array([0.1, 0.1]), np.array([0.0016, 0.0]), np.array([0.02, 0.02]), np.array([21.0, 21.0]),
                      np.zeros(2), np.array([21, 21]), "")  # fmt: skip
    for exact in (False, True):
        lower, upper = made.limits(0.05, exact=exact)
        assert lower == pytest.approx([0.1 - 0.0912634, 0.1 - 0.0597461], abs=1e-6)
        assert upper == pytest.approx([0.1 + 0.0912634, 0.1 + 0.0597461], abs=1e-6)
    assert np.array_equal(made.limits(0.9, exact=False), made.limits(0.5, exact=False))


@pytest.mark.parametrize("together", [NEVER_TOGETHER, IN_PAIRS, ANY])
def test_limits_of_a_mean_over_classes_by_hand(together):
    # .9, .7 and .5, with .1, .05 and .02 to each limit below, twice as much above; the third class of the second slice
    # does not count.
    distance = np.array([0.1, 0.05, 0.02] * 2)

    class Fixed(MeanQuantity):
        def limits(self, alpha, *, exact):
            return self.value - distance, self.value + distance / 2

    values = np.array([0.9, 0.7, 0.5, 0.8, 0.6, np.nan])
    classes = Fixed(values, distance, np.full(6, 9.0), np.full(6, 9), np.full(6, 9.0), "")
    made = Macro.of(classes, np.array([9, 9]), together)
    assert made.value == pytest.approx([0.7, 0.7])
    sums, squares = np.array([0.17, 0.15]), np.array([0.0129, 0.0125])
    reach = np.minimum(sums, np.sqrt(together * squares)) / [3, 2]
    lower, upper = made.limits(0.05, exact=True)
    assert lower == pytest.approx(0.7 - reach) and upper == pytest.approx(0.7 + reach / 2)


def test_a_mean_of_classes_varies_at_least_like_one_proportion():
    # Two classes of 20 rows, all right: with half a row on either side p = 20.5 / 21, of variance p (1 - p) / 20 each.
    # The mean varies like that of 40 trials, and the exact limit of 40 of 40 is .05 ** (1 / 40).
    classes = ProportionQuantity(np.ones(2), np.full(2, 20.0), np.full(2, 20), np.full(2, 20.0), "")
    made = Macro.of(classes, np.array([40]), NEVER_TOGETHER)
    of_each = 1 - np.sqrt(2) * (1 - 0.05 ** (1 / 20)) / 2
    assert made.limits(0.05, exact=True)[0][0] == pytest.approx(min(of_each, 0.05 ** (1 / 40)))
    # Of F1, f = 2 p / (1 + p), the variance is (2 / (1 + p)**2)**2 times as large, and the errors of 3 classes count
    # double: f (1 - f) / (2 * 3 variances / 3**2).
    scores = ProportionQuantity(np.ones(3), np.full(3, 20.0), np.full(3, 20), np.full(3, 20.0), "", f1=True)
    p = 20.5 / 21
    f, variance = 2 * p / (1 + p), p * (1 - p) / 20 * (2 / (1 + p) ** 2) ** 2
    found = Macro.of(scores, np.array([60]), IN_PAIRS)._trials(scores)
    assert found == pytest.approx([f * (1 - f) / (2 * 3 * variance / 9)])


def test_without_a_class_there_is_no_mean():
    nothing = ProportionQuantity(np.full(2, np.nan), np.zeros(2), np.zeros(2, dtype=int), np.zeros(2), "")
    made = Macro.of(nothing, np.array([0]), NEVER_TOGETHER)
    assert np.isnan(made.value).all() and made.bound == 0


def test_a_mean_of_norms_has_the_mean_of_limits_at_a_share_of_the_error():
    first, second = _gaps(0.1, 0.3), _gaps(0.2, 0.1)
    made = MeanOfNorms((first, second))
    assert made.value == pytest.approx([0.15, 0.2]) and made.bound == pytest.approx([0.01, 0.04])
    lower, upper = made.limits(0.05, exact=True)
    assert lower == pytest.approx(np.array([0.15, 0.2]) - 0.0979982, abs=1e-6)
    assert upper == pytest.approx(np.array([0.15, 0.2]) + 0.0979982, abs=1e-6)
    assert made.take(np.array([1])).value == pytest.approx([0.2])
    assert made.n.tolist() == [9, 9] and MeanOfNorms((_rate(0.2, 0.5, 0.7),)).reason == "no rows"


def test_estimates_say_why_they_are_absent():
    made = Wald(np.array([np.nan, 0.5, 0.5]), np.full(3, 0.1), np.array([9.0, 0.0, 9.0]),
                np.array([0.1, np.inf, 0.2]), N, "it is undefined")  # fmt: skip
    absent, endless, whole = estimates(made)
    assert (absent.value, absent.interval, absent.bound, absent.reason) == (None, None, 0, "it is undefined")
    assert (endless.value, endless.interval, endless.bound, endless.reason) == (0.5, None, 0, None)
    # The error of binning is in the interval.
    assert whole.interval == pytest.approx((0.3 - 0.2262157, 0.7 + 0.2262157), abs=1e-6) and whole.bound == 0.2
    assert bounds_at(made, 0).reason == "it is undefined" and bounds_at(made, 2).reason is None
