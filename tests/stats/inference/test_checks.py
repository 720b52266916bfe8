import math
from dataclasses import dataclass, replace

import numpy as np
import pytest
from scipy import special

from mlflow_eval_plugin.evidence import Check
from mlflow_eval_plugin.stats.errors import InputError
from mlflow_eval_plugin.stats.inference.checks import Claim, holm, judge, p_value
from mlflow_eval_plugin.stats.inference.contrasts import Difference
from mlflow_eval_plugin.stats.inference.estimate import QuantityBounds
from mlflow_eval_plugin.stats.inference.quantities import ProportionQuantity


@dataclass(frozen=True)
class Normal:
    """A normal estimate."""

    value: float | None
    error: float = 0.01
    n: int = 100
    reason: str | None = None
    bound: float = 0.0

    def lower(self, alpha):
        return float(self.value - self.bound + special.ndtri(alpha) * self.error)

    def upper(self, alpha):
        return float(self.value + self.bound - special.ndtri(alpha) * self.error)


def _claim(name, value, *, maximum=0.1, minimum=None, minimum_count=0, **options):
    bounds = Normal(value, **options)
    return Claim(name, f"{name} keeps to it", "ece", "overall", bounds, minimum, maximum, minimum_count)


@pytest.mark.parametrize(
    ("value", "verdict"), [(0.05, "pass"), (0.15, "fail"), (0.095, "insufficient"), (0.105, "insufficient")]
)
def test_a_verdict_compares_an_interval_with_the_tolerance(value, verdict):
    check = judge([_claim("a", value)]).checks[0]
    assert check.verdict == verdict
    assert (check.n_to_decide is None) == (verdict != "insufficient")


@pytest.mark.parametrize("value", [0.08, 0.12])
def test_more_rows_do_not_lessen_an_error_of_binning(value):
    z, bound = special.ndtri(0.95), 0.015
    check = judge([_claim("a", value, error=0.02, bound=bound)]).checks[0]
    assert check.verdict == "insufficient"
    # The part of the interval that is chance shrinks to what the bound leaves of the way.
    assert check.n_to_decide == math.ceil(100 * (z * 0.02 / (0.02 - bound)) ** 2)
    assert judge([_claim("a", value, error=0.02, bound=0.021)]).checks[0].n_to_decide is None


def test_a_minimum_is_the_mirror_image_of_a_maximum():
    for value, verdict in ((0.95, "pass"), (0.85, "fail"), (0.905, "insufficient")):
        assert judge([_claim("a", value, maximum=None, minimum=0.9)]).checks[0].verdict == verdict


def test_both_ends_can_fail():
    verdicts = [judge([_claim("a", value, minimum=-0.1)]).checks[0].verdict for value in (-0.2, 0.0, 0.2)]
    assert verdicts == ["fail", "pass", "fail"]


def test_interval_p_value_and_verdict_agree_in_every_family():
    rng = np.random.default_rng(0)
    for _ in range(50):
        claims = [_claim(str(i), value) for i, value in enumerate(rng.normal(0.1, 0.03, 12))]
        judged = judge(claims)
        for check in judged.checks:
            failed = check.interval[0] > 0.1
            assert (check.verdict == "fail") == failed == (check.p_adjusted <= judged.alpha)
            assert (check.verdict == "pass") == (check.interval[1] <= 0.1)


def test_limits_that_turn_back_beyond_a_half_have_a_p_value_all_the_same():
    # Limits of a difference are made of those of two rates by the root of squares, which knows no sign.
    def rate(proportion, n):
        made = np.array([proportion]), np.array([float(n)])
        return ProportionQuantity(*made, np.array([n]), made[1], "there are no rows")

    gap = Difference(rate(0.63, 2000), rate(0.5, 60000), np.ones(1), "nothing to compare")
    bounds = QuantityBounds(gap)
    assert bounds.lower(1 - 1e-12) < 0.1 < bounds.lower(0.025)
    check = judge([Claim("a", "the gap is small", "gap_fpr", "g", bounds, -0.1, 0.1)]).checks[0]
    assert check.verdict == "fail"
    assert 0 < check.p_adjusted == check.p_value <= 0.05


def test_p_values_are_those_of_the_normal_distribution():
    check = judge([_claim("a", 0.12)]).checks[0]
    assert check.p_value == pytest.approx(special.ndtr(-2), rel=1e-6)


def test_p_values_at_their_ends_and_of_two_sides():
    # Two standard errors above a maximum, Phi(-2) = .0227501; with a minimum as well either side could have failed.
    for value in (0.12, -0.12):
        check = judge([_claim("a", value, minimum=-0.1)]).checks[0]
        assert check.p_value == pytest.approx(2 * 0.0227501, rel=1e-5)
    assert judge([_claim("a", 0.105)]).checks[0].p_value == pytest.approx(0.308538, rel=1e-5)  # Phi(-.5)
    # On the tolerance and inside it nothing speaks against it.
    assert [judge([_claim("a", value)]).checks[0].p_value for value in (0.1, 0.098, 0.05, 0.2)] == [1, 1, 1, 1e-12]
    assert judge([_claim("a", 0.1, maximum=None, minimum=0.1)]).checks[0].p_value == 1
    assert judge([_claim("a", 0.0, minimum=-0.1)]).checks[0].p_value == 1


def test_intervals_of_a_family_by_hand():
    # Normal quantiles of .05 and .025: 1.644854, 1.959964. The first of two fails at .05 / 2, the second stays at .05.
    first, second = judge([_claim("a", 0.15), _claim("b", 0.05)]).checks
    assert first.interval == pytest.approx((0.15 - 0.01959964, 0.15 + 0.01644854), abs=1e-7)
    assert second.interval == pytest.approx((0.05 - 0.01644854, 0.05 + 0.01644854), abs=1e-7)
    assert first.p_adjusted == pytest.approx(2 * special.ndtr(-5), rel=1e-6) and second.p_adjusted == 1
    first = judge([_claim("a", 0.85, maximum=None, minimum=0.9), _claim("b", 0.05)]).checks[0]
    assert first.interval == pytest.approx((0.85 - 0.01644854, 0.85 + 0.01959964), abs=1e-7)
    # Both ends may fail, each at half the level.
    both = judge([_claim("a", 0.0, minimum=-0.1)]).checks[0]
    assert both.interval == pytest.approx((-0.01959964, 0.01959964), abs=1e-7)


def test_a_limit_on_the_tolerance_keeps_to_it():
    def verdict(value, maximum, minimum):
        return judge([_claim("a", value, maximum=maximum, minimum=minimum, error=0.0)]).checks[0].verdict

    assert verdict(0.1, 0.1, None) == verdict(0.1, None, 0.1) == verdict(0.1, 0.1, 0.1) == "pass"
    assert verdict(np.nextafter(0.1, 1), 0.1, None) == verdict(np.nextafter(0.1, 0), None, 0.1) == "fail"


def test_without_a_finite_interval_nothing_is_concluded():
    with np.errstate(invalid="ignore"):
        check = judge([_claim("a", 0.05, error=np.inf)]).checks[0]
    assert (check.verdict, check.interval, check.n_to_decide) == ("insufficient", None, None)
    assert check.p_value == 1  # at an error of a half the limit is no number: it has left nothing
    assert "without a finite interval" in check.reason


@dataclass(frozen=True)
class Endless(Normal):
    """Without an upper limit."""

    def upper(self, alpha):
        return float("inf")


def test_one_finite_end_can_fail_but_makes_no_interval():
    for maximum, verdict in ((0.01, "fail"), (0.1, "insufficient")):
        check = judge([Claim("a", "", "ece", "", Endless(0.05), maximum=maximum)]).checks[0]
        assert (check.verdict, check.interval, check.n_to_decide) == (verdict, None, None)
        assert "without a finite interval" in check.reason


@pytest.mark.parametrize(
    ("minimum", "maximum", "tolerance"),
    [(-0.1, 0.1, "at least -0.1 and at most 0.1"), (None, 0.1, " at most 0.1"), (-0.1, None, " at least -0.1")],
)
def test_a_reason_states_the_tolerance_and_the_interval(minimum, maximum, tolerance):
    reason = judge([_claim("a", 0.0, minimum=minimum, maximum=maximum)]).checks[0].reason
    assert f"keeps to {tolerance.strip()}." in reason
    assert "ece is 0, between -0.0" in reason and "with confidence" in reason


def test_holm_by_hand():
    # A p-value on its level is rejected: .025 <= .05 / 2, then .05 <= .05.
    assert holm(np.array([0.025, 0.05]), 0.05)[0] == pytest.approx([0.025, 0.05], abs=1e-12)
    # p .01 .02 .04 at alpha .05: .01 <= .05/3, .02 <= .05/2, .04 <= .05: all rejected; adjusted .03 .04 .04.
    levels, adjusted = holm(np.array([0.04, 0.01, 0.02]), 0.05)
    assert np.allclose(levels, [0.05, 0.05 / 3, 0.05 / 2])
    assert np.allclose(adjusted, [0.04, 0.03, 0.04])
    assert holm(np.array([0.6, 0.7]), 0.05)[1].tolist() == [1, 1]
    levels, adjusted = holm(np.array([0.04, 0.03]), 0.05)
    assert np.allclose(levels, [0.025, 0.025])
    assert np.allclose(adjusted, [0.06, 0.06])


def test_the_chance_of_any_false_fail_is_at_most_alpha():
    # Every true value lies exactly on its tolerance, the hardest case.
    rng = np.random.default_rng(1)
    trials, family = 400, 20
    wrong = 0
    for values in rng.normal(0.1, 0.01, (trials, family)):
        wrong += any(c.verdict == "fail" for c in judge([_claim(str(i), v) for i, v in enumerate(values)]).checks)
    assert wrong / trials <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / trials)


def test_few_rows_of_a_proportion_do_not_fail_by_chance():
    # 200 slices of 30 rows, each with the true rate on the tolerance: exact limits are needed so far out in the tail.
    rng = np.random.default_rng(2)
    wrong = 0
    for _ in range(60):
        claims = []
        for i, k in enumerate(rng.binomial(30, 0.05, 100)):
            rows = np.array([30])
            made = ProportionQuantity(k / np.array([30.0]), rows * 1.0, rows, rows * 1.0, "")
            claims.append(Claim(str(i), "", "fnr", "", QuantityBounds(made), maximum=0.05))
        wrong += any(check.verdict == "fail" for check in judge(claims).checks)
    assert wrong / 60 <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / 60)


def test_small_slices_are_insufficient_with_that_reason():
    check = judge([_claim("a", 0.9, n=12, minimum_count=30)]).checks[0]
    assert (check.verdict, check.n_to_decide, check.interval) == ("insufficient", 30, None)
    assert "12 rows, fewer than the minimum count of 30" in check.reason


def test_as_many_rows_as_the_minimum_count_are_judged():
    assert judge([_claim("a", 0.9, n=30, minimum_count=30)]).checks[0].verdict == "fail"


def test_an_undefined_metric_is_insufficient_with_its_reason():
    check = judge([_claim("a", None, reason="no row has the positive label")]).checks[0]
    assert (check.verdict, check.value, check.n_to_decide) == ("insufficient", None, None)
    assert "no row has the positive label" in check.reason
    nobody = judge([Claim("a", "", "ece", "", Normal(None, n=0, reason="there are no rows"), maximum=0.1)]).checks[0]
    assert "undefined" in nobody.reason and nobody.n_to_decide is None


def test_untested_claims_do_not_count_in_the_family():
    judged = judge([_claim("a", 0.05), _claim("b", None, reason="x"), _claim("c", 0.9, n=1, minimum_count=5)])
    assert judged.family_size == 1


def test_the_rows_to_decide_would_decide():
    check = judge([_claim("a", 0.095)]).checks[0]
    error = 0.01 * np.sqrt(100 / check.n_to_decide)
    assert judge([_claim("a", 0.095, error=error * 0.999)]).checks[0].verdict == "pass"


# Of 100 rows 100 * (z * .01 / room) ** 2, rounded up, with z = 1.644854 one-sided and 1.959964 two-sided.
@pytest.mark.parametrize(
    ("value", "minimum", "maximum", "rows"),
    [
        (0.095, None, 0.1, 1083),  # the far end must come in by .005
        (0.105, None, 0.1, 1083),  # the near end must clear it
        (0.905, 0.9, None, 1083),
        (0.895, 0.9, None, 1083),
        (0.095, 0.0, 0.1, 1537),  # one side is settled already
        (0.095, 0.094, 0.1, 38415),  # the nearer tolerance decides
        (0.099, 0.09, 0.1, 38415),
    ],
)
def test_rows_to_decide_by_hand(value, minimum, maximum, rows):
    assert judge([_claim("a", value, minimum=minimum, maximum=maximum)]).checks[0].n_to_decide == rows


@dataclass(frozen=True)
class Skewed(Normal):
    """Three times as far up as down."""

    def upper(self, alpha):
        return float(self.value - 3 * special.ndtri(alpha) * self.error)


@pytest.mark.parametrize(
    ("value", "minimum", "maximum", "rows"),
    [(0.095, None, 0.1, 9740), (0.105, None, 0.1, 1083), (0.905, 0.9, None, 1083), (0.895, 0.9, None, 9740)],
)
def test_the_end_that_has_to_move_gives_the_rows_to_decide(value, minimum, maximum, rows):
    assert judge([Claim("a", "", "ece", "", Skewed(value), minimum, maximum)]).checks[0].n_to_decide == rows


def test_more_rows_than_there_are_do_not_decide():
    # 1e12 rows shrink an interval of 100 rows by 1e5.
    room = 1.6448536269514729 * 0.01 / 1e5
    assert judge([_claim("a", 0.1 - 1.01 * room)]).checks[0].n_to_decide < 10**12
    assert judge([_claim("a", 0.1 - 0.99 * room)]).checks[0].n_to_decide is None


def test_a_side_that_is_settled_on_its_tolerance_asks_for_no_rows():
    # 20 of 20 rows: at most 1 holds as it is, at least .9 needs more.
    one, rows = np.ones(1), np.array([20])
    bounds = QuantityBounds(ProportionQuantity(one, 20.0 * one, rows, 20.0 * one, ""))
    check = judge([Claim("a", "", "recall", "", bounds, minimum=0.9, maximum=1.0)]).checks[0]
    # Either side may fail, so the exact lower limit is that at .025, .025 ** (1 / 20) = .831571, and
    # (.168429 / .1) ** 2 * 20 = 56.7.
    assert (check.verdict, check.n_to_decide) == ("insufficient", 57)


def test_no_number_of_rows_decides_a_value_on_its_tolerance():
    assert judge([_claim("a", 0.1)]).checks[0].n_to_decide is None


def test_records_are_evidence_checks():
    record = judge([_claim("a", 0.05)]).checks[0]
    assert Check(**vars(record)).verdict == "pass"


@pytest.mark.parametrize(
    ("claims", "alpha", "message"),
    [
        ([_claim("a", 0.1), _claim("a", 0.2)], 0.05, "used twice"),
        ([_claim("a", 0.1, maximum=None)], 0.05, "neither"),
        ([], 0.0, "alpha"),
        ([], 1.0, "alpha"),
    ],
)
def test_families_that_cannot_be_judged_are_refused(claims, alpha, message):
    with pytest.raises(InputError, match=message):
        judge(claims, alpha=alpha)


def test_an_empty_family_is_judged():
    assert judge([]).checks == ()


@pytest.mark.parametrize("side", ["maximum", "minimum"])
def test_a_limit_that_stops_at_the_tolerance_has_not_left_it(side):
    """A range from 0: a lower limit is cut off at 0, and a tolerance of 0 is left from the error .2 on only."""

    @dataclass(frozen=True)
    class CutOff:
        value = 0.1 if side == "maximum" else -0.1
        n = 100
        reason = None
        bound = 0.0

        def lower(self, alpha):
            return max(alpha - 0.2, 0.0) if side == "maximum" else -1.0

        def upper(self, alpha):
            return min(0.2 - alpha, 0.0) if side == "minimum" else 1.0

    claim = Claim(id="a", claim="", metric="m", scope="overall", bounds=CutOff(), **{side: 0.0})
    assert p_value(claim) == pytest.approx(0.2, rel=1e-9)
    (check,) = judge([claim]).checks
    assert check.verdict == "insufficient" and check.p_adjusted == pytest.approx(0.2, rel=1e-9)


@pytest.mark.parametrize(
    ("value", "verdict"),
    [
        (0.05, "pass"), (0.095, "pass"), (0.105, "pass"), (0.15, "fail"), (0.4, "fail"),
        # Neither above the one with confidence nor below the other.
        (0.115, "pass"), (0.29, "fail"),
    ],
)  # fmt: skip
def test_a_second_tolerance_is_the_one_to_pass_at(value, verdict):
    check = judge([replace(_claim("a", value), passes_at=0.3)]).checks[0]
    assert (check.verdict, check.maximum, check.passes_at) == (verdict, 0.1, 0.3)
    assert ("keeps to at most 0.3" if verdict == "pass" else "breaks the tolerance of at most 0.1") in check.reason


def test_between_two_tolerances_more_rows_decide():
    wide = replace(_claim("a", 0.2, error=0.1), passes_at=0.3)
    check = judge([wide]).checks[0]
    assert check.verdict == "insufficient" and "whether it is at most 0.3" in check.reason
    # It fails when .1645 of noise has shrunk to .1: (1.645 * .1 / .1)**2 times the 100 rows.
    assert check.n_to_decide == 271
    # And passes when it has shrunk from .1645 to .3 less .09.
    inside = judge([replace(_claim("a", 0.09, error=0.2), passes_at=0.3)]).checks[0]
    assert inside.n_to_decide == int(np.ceil(100 * (-special.ndtri(0.05) * 0.2 / 0.21) ** 2))
    both = [judge([replace(_claim("a", value, minimum=-0.1), passes_at=0.3)]).checks[0] for value in (-0.15, 0, 0.15)]
    assert [one.verdict for one in both] == ["fail", "pass", "fail"]
    assert "keeps to at least -0.3 and at most 0.3" in both[1].reason
    with pytest.raises(InputError, match="passes_at is a tolerance above the maximum, found"):
        judge([replace(_claim("a", 0.2), passes_at=0.05)])
