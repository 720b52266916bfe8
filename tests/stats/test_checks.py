from dataclasses import dataclass

import numpy as np
import pytest
from scipy import special

from mlflow_eval_plugin.evidence import Check
from mlflow_eval_plugin.stats.checks import Claim, holm, judge
from mlflow_eval_plugin.stats.errors import InputError
from mlflow_eval_plugin.stats.estimate import QuantityBounds
from mlflow_eval_plugin.stats.quantities import Difference, ProportionQuantity


@dataclass(frozen=True)
class Normal:
    """A normal estimate."""

    value: float | None
    error: float = 0.01
    n: int = 100
    reason: str | None = None

    def lower(self, alpha):
        return self.value + special.ndtri(alpha) * self.error

    def upper(self, alpha):
        return self.value - special.ndtri(alpha) * self.error


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


def test_holm_by_hand():
    # p .01 .02 .04 at alpha .05: .01 <= .05/3, .02 <= .05/2, .04 <= .05: all rejected; adjusted .03 .04 .04.
    levels, adjusted = holm(np.array([0.04, 0.01, 0.02]), 0.05)
    assert np.allclose(levels, [0.05, 0.05 / 3, 0.05 / 2])
    assert np.allclose(adjusted, [0.04, 0.03, 0.04])
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


def test_an_undefined_metric_is_insufficient_with_its_reason():
    check = judge([_claim("a", None, reason="no row has the positive label")]).checks[0]
    assert (check.verdict, check.value, check.n_to_decide) == ("insufficient", None, None)
    assert "no row has the positive label" in check.reason


def test_untested_claims_do_not_count_in_the_family():
    judged = judge([_claim("a", 0.05), _claim("b", None, reason="x"), _claim("c", 0.9, n=1, minimum_count=5)])
    assert judged.family_size == 1


def test_the_rows_to_decide_would_decide():
    check = judge([_claim("a", 0.095)]).checks[0]
    error = 0.01 * np.sqrt(100 / check.n_to_decide)
    assert judge([_claim("a", 0.095, error=error * 0.999)]).checks[0].verdict == "pass"


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
    ],
)
def test_families_that_cannot_be_judged_are_refused(claims, alpha, message):
    with pytest.raises(InputError, match=message):
        judge(claims, alpha=alpha)


def test_an_empty_family_is_judged():
    assert judge([]).checks == ()
