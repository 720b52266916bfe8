import numpy as np
import pandas as pd
import pytest
from scipy import stats
from scipy.spatial import distance

from mlflow_eval_plugin.engines.arrow import drift_binning, drift_summary
from mlflow_eval_plugin.stats.drift.divergences import DistributionDistance, chi_squared, divergence, ks_p_value
from mlflow_eval_plugin.stats.drift.report import compare, drift_bounds
from mlflow_eval_plugin.stats.drift.schema import ColumnType, schema_changes
from mlflow_eval_plugin.stats.errors import InputError
from mlflow_eval_plugin.stats.inference.checks import Claim, judge

TOLERANCES = {"psi": 0.1, "js": 0.1, "ks": 0.05, "wasserstein": 0.05, "missing_change": 0.02}


def robust(values):
    """The spread of normal values with these quartiles, or this middle 70 %, and the fences five of it off."""
    ends = [
        np.quantile(values, [p, 1 - p], method="inverted_cdf") @ [-1, 1] / (stats.norm.isf(p) * 2) for p in (0.25, 0.15)
    ]
    median = np.sort(values)[len(values) // 2]
    return max(ends), median - 5 * max(ends), median + 5 * max(ends)


def fenced_distance(reference, current):
    """scipy's Wasserstein distance of what lies within the fences, in robust standard deviations."""
    spread, least, most = robust(reference)
    return stats.wasserstein_distance(*(np.clip(side, least, most) for side in (reference, current))) / spread


def _drift(reference, current, **options):
    before = drift_binning(reference, **options)
    after = drift_summary(current, like=before)
    return before, after, {one.name: one for one in compare(before, after).columns}


def test_discrete_columns_are_exact():
    rng = np.random.default_rng(0)
    a, b = rng.poisson(4, 3000), rng.poisson(4.4, 2000)
    found = _drift(pd.DataFrame({"x": a}), pd.DataFrame({"x": b}))[2]["x"]
    expected = stats.ks_2samp(a, b, method="asymp")
    assert found.metrics.ks.value == pytest.approx(expected.statistic, abs=1e-12)
    assert found.metrics.ks.bound == pytest.approx(0, abs=1e-12)
    assert found.p_value == pytest.approx(expected.pvalue, rel=1e-9)
    # Values beyond the reference's are summed in steps of 4e-6 standard deviations.
    assert found.metrics.wasserstein.value == pytest.approx(fenced_distance(a, b), abs=1e-8)


@pytest.mark.parametrize("shape", ["normal", "lognormal", "zero inflated"])
def test_continuous_columns_are_within_their_bounds(shape):
    rng = np.random.default_rng(1)
    draw = {
        "normal": lambda n, s: rng.normal(s, 1, n),
        "lognormal": lambda n, s: rng.lognormal(s, 1.5, n),
        "zero inflated": lambda n, s: np.where(rng.random(n) < 0.6, 0.0, rng.exponential(1 + s, n)),
    }[shape]
    a, b = draw(40_000, 0.0), draw(30_000, 0.15)
    found = _drift(pd.DataFrame({"x": a}), pd.DataFrame({"x": b}))[2]["x"].metrics
    assert abs(found.ks.value - stats.ks_2samp(a, b).statistic) <= found.ks.bound + 1e-12
    assert found.ks.bound < 1e-3
    exact = fenced_distance(a, b)
    assert abs(found.wasserstein.value - exact) <= found.wasserstein.bound + 1e-5
    assert found.wasserstein.value == pytest.approx(exact, rel=2e-3)


def test_jensen_shannon_and_chi_squared_are_those_of_scipy():
    a, b = np.array([50, 30, 20, 0]), np.array([40, 20, 35, 5])
    expected = distance.jensenshannon(a, b, base=2)
    assert divergence("js", a, b).value[0] == pytest.approx(expected, abs=1e-12)
    a, b = np.array([50, 30, 20, 4]), np.array([40, 20, 35, 9])
    table = stats.chi2_contingency(np.stack([a, b]), correction=False)
    assert chi_squared(a, b) == pytest.approx((table.statistic, table.pvalue), rel=1e-9)


def test_psi_by_hand_less_its_bias():
    # (.5 - .4) ln(.5/.4) + (.5 - .6) ln(.5/.6) = .0223144 + .0182322 = .0405465; bias (2 - 1)(1/1000 + 1/500) = .003.
    found = divergence("psi", np.array([500, 500]), np.array([200, 300])).value[0]
    assert found == pytest.approx(0.0405465 - 0.003, abs=1e-7)


def test_psi_without_drift_has_no_bias_left_to_speak_of():
    rng = np.random.default_rng(2)
    cells = rng.multinomial(500, np.full(10, 0.1), size=(2, 400))
    made = [divergence("psi", a, b) for a, b in zip(*cells, strict=True)]
    raw = np.array([one.raw[0] for one in made])
    assert abs((raw - 9 * (2 / 500)).mean()) < 0.15 * raw.mean()


@pytest.mark.parametrize("rows", [200, 2000, 100_000])
def test_no_drift_gives_at_most_five_percent_false_alarms_over_twenty_columns(rows):
    rng = np.random.default_rng(rows)
    trials = {200: 60, 2000: 40, 100_000: 4}[rows]
    before = drift_binning(pd.DataFrame({f"c{i}": rng.normal(size=20_000) for i in range(20)}))
    alarms = 0
    for _ in range(trials):
        after = drift_summary(pd.DataFrame({f"c{i}": rng.normal(size=rows) for i in range(20)}), like=before)
        # Tolerances of nearly nothing: every alarm is false.
        claims = [
            Claim(f"{c}/{m}", "", m, c, drift_bounds(before, after, c, m), maximum=1e-9)
            for c in (f"c{i}" for i in range(20))
            for m in ("psi", "js", "ks", "wasserstein", "missing_change")
        ]
        alarms += any(check.verdict == "fail" for check in judge(claims).checks)
    assert alarms / trials <= 0.05 + 2 * np.sqrt(0.05 * 0.95 / trials)


def test_a_shift_of_eight_hundredths_is_found_at_a_hundred_thousand_rows():
    rng = np.random.default_rng(3)
    n = 100_000
    before = drift_binning(pd.DataFrame({f"c{i}": rng.normal(size=n) for i in range(20)}))
    shifted = {f"c{i}": rng.normal(size=n) + (0.08 if i == 7 else 0) for i in range(20)}
    after = drift_summary(pd.DataFrame(shifted), like=before)
    claims = [
        Claim(f"{c}/{m}", "", m, c, drift_bounds(before, after, c, m), maximum=t)
        for c in shifted
        for m, t in TOLERANCES.items()
    ]
    failed = [check.id for check in judge(claims).checks if check.verdict == "fail"]
    assert failed == ["c7/wasserstein"]


def test_effects_on_their_tolerance_are_not_failed_more_often_than_alpha():
    rng = np.random.default_rng(4)
    trials, n = 80, 3000
    before = drift_binning(pd.DataFrame({"x": rng.normal(size=n * 20)}))
    wrong = {"wasserstein": 0, "ks": 0}
    truth = {"wasserstein": 0.2, "ks": 2 * stats.norm.cdf(0.1) - 1}
    for _ in range(trials):
        after = drift_summary(pd.DataFrame({"x": rng.normal(0.2, 1, n)}), like=before)
        for metric in wrong:
            wrong[metric] += drift_bounds(before, after, "x", metric).lower(0.05) > truth[metric]
    assert max(wrong.values()) / trials <= 0.05 + 2 * np.sqrt(0.05 * 0.95 / trials)


@pytest.mark.parametrize(("kind", "multiple"), [("psi", 1.0), ("js", 1.0)])
def test_divergences_on_their_tolerance_are_not_failed_more_often_than_alpha(kind, multiple):
    rng = np.random.default_rng(5)
    p, q = np.full(10, 0.1), np.r_[np.full(5, 0.07), np.full(5, 0.13)] * multiple
    truth = ((p - q) * np.log(p / q)).sum() if kind == "psi" else distance.jensenshannon(p, q, base=2)
    trials = 1500
    made = [divergence(kind, rng.multinomial(2000, p), rng.multinomial(1000, q)) for _ in range(trials)]
    lower, upper = np.array([[side[0] for side in one.limits(0.05, exact=True)] for one in made]).T
    tolerance = 0.05 + 3 * np.sqrt(0.05 * 0.95 / trials)
    assert np.mean(lower > truth) <= tolerance
    assert np.mean(upper < truth) <= tolerance


def test_hints_name_data_bugs_before_shifts():
    rng = np.random.default_rng(6)
    n = 2000
    reference = pd.DataFrame(
        {
            "holes": rng.normal(size=n),
            "unit": rng.normal(size=n),
            "shift": rng.normal(size=n),
            "same": rng.normal(size=n),
            "code": rng.choice(["a", "b"], n),
            "stuck": rng.choice(["a", "b"], n),
        }
    )
    current = pd.DataFrame(
        {
            "holes": np.where(rng.random(n) < 0.1, np.nan, rng.normal(size=n)),
            "unit": rng.normal(size=n) * 1000,
            "shift": rng.normal(0.5, 1, n),
            "same": rng.normal(size=n),
            "code": rng.choice(["a", "b", "c"], n),
            "stuck": ["a"] * n,
        }
    )
    hints = {name: one.hint for name, one in _drift(reference, current)[2].items()}
    assert hints == {
        "holes": "data bug",
        "unit": "data bug",
        "shift": "distribution shift",
        "same": "none",
        "code": "data bug",
        "stuck": "data bug",
    }


def test_categories_are_compared_on_their_union():
    found = _drift(pd.DataFrame({"x": ["a", "b", None]}), pd.DataFrame({"x": ["b", "c", "c"]}))[2]["x"]
    assert (found.new_categories, found.vanished_categories) == (("c",), ("a",))
    assert (found.missing_reference, found.missing_current) == (pytest.approx(1 / 3), 0.0)
    assert found.metrics.missing_change.value == pytest.approx(-1 / 3)
    assert found.metrics.ks is None


def test_an_empty_column_is_undefined_with_a_reason():
    found = _drift(pd.DataFrame({"x": [1.0, 2.0] * 9}), pd.DataFrame({"x": [np.nan] * 18}))[2]["x"]
    assert found.metrics.ks.value is None
    assert found.metrics.psi.reason
    assert found.hint == "data bug"


def test_a_constant_reference_has_no_unit_for_wasserstein():
    found = _drift(pd.DataFrame({"x": [1.0, 1.0]}), pd.DataFrame({"x": [1.0, 2.0]}))[2]["x"]
    assert found.metrics.wasserstein.value is None
    assert found.metrics.ks.value == 0.5


def test_schema_changes_are_listed_by_column():
    before = (ColumnType("a", "float"), ColumnType("b", "text"), ColumnType("c", "integer"))
    after = (ColumnType("a", "float"), ColumnType("b", "integer"), ColumnType("d", "text"))
    assert [(one.column, one.change) for one in schema_changes(before, after)] == [
        ("b", "type"),
        ("c", "removed"),
        ("d", "added"),
    ]


def test_chi_squared_is_no_claim():
    before, after, _ = _drift(pd.DataFrame({"x": ["a", "b"]}), pd.DataFrame({"x": ["a", "b"]}))
    with pytest.raises(InputError, match="chi2"):
        drift_bounds(before, after, "x", "chi2")


@pytest.mark.parametrize("z", [0.3, 0.8, 1.0, 1.36, 1.63, 2.0, 3.0])
def test_large_sample_ks_p_values_are_near_the_exact_ones(z):
    n = 20_004  # an effective 10,002 rows, just above where the approximation starts and is worst
    value, nothing = np.array([z / np.sqrt(n / 2)]), np.zeros(1)
    found = ks_p_value(DistributionDistance("ks", value, nothing, nothing, nothing, np.array([n])), n, n)
    assert found == pytest.approx(stats.kstwo.sf(value[0], n // 2), abs=2.5e-6)


@pytest.mark.parametrize(
    ("reference", "current"),
    [
        (np.arange(2000) < 100, np.arange(2000) < 1200),
        (np.zeros(2000), np.ones(2000)),
        (np.zeros(2000), -np.ones(2000)),
    ],
    ids=["rare flag becomes common", "constant moves up", "constant moves down"],
)
def test_psi_sees_what_leaves_a_value_that_holds_most_deciles(reference, current):
    data = [pd.DataFrame({"x": np.asarray(side, dtype=float)}) for side in (reference, current)]
    before, after, found = _drift(*data)
    claim = Claim("psi", "", "psi", "x", drift_bounds(before, after, "x", "psi"), maximum=0.1)
    assert judge([claim]).checks[0].verdict == "fail"
    assert found["x"].histogram.labels == ("below 0", "0", "above 0")


def test_psi_of_a_flag_is_that_of_its_two_values():
    # p = (.95, .05), q = (.4, .6): (.95 - .4) ln(.95 / .4) + (.05 - .6) ln(.05 / .6) = 1.842447; bias 2 / 2000.
    reference, current = np.arange(2000) < 100, np.arange(2000) < 1200
    found = _drift(pd.DataFrame({"x": reference * 1.0}), pd.DataFrame({"x": current * 1.0}))[2]["x"]
    p, q = np.array([0.95, 0.05]), np.array([0.4, 0.6])
    assert found.metrics.psi.value == pytest.approx(((p - q) * np.log(p / q)).sum() - 2 / 2000, abs=1e-9)
    assert found.metrics.psi.value == pytest.approx(1.842447 - 0.001, abs=1e-6)


def test_drift_among_more_categories_than_rows_can_show_is_not_called_none():
    rng = np.random.default_rng(5)
    before = np.full(2000, 1 / 2000)
    after = before * np.exp(rng.normal(0, 0.7, 2000))
    after /= after.sum()
    assert ((before - after) * np.log(before / after)).sum() > 0.4
    drawn = [pd.DataFrame({"x": rng.choice(2000, 3000, p=p).astype(str)}) for p in (before, after)]
    summaries = _drift(*drawn)[:2]
    claim = Claim("psi", "", "psi", "x", drift_bounds(*summaries, "x", "psi"), maximum=0.1)
    assert judge([claim]).checks[0].verdict == "insufficient"


@pytest.mark.parametrize(("levels", "before", "after"), [(200, 400, 400), (1000, 33_000, 3300), (2000, 3000, 3000)])
@pytest.mark.parametrize("shape", ["even", "zipf"])
@pytest.mark.parametrize("kind", ["psi", "js"])
def test_many_rare_categories_without_drift_give_no_false_alarm(kind, shape, levels, before, after):
    rng = np.random.default_rng(levels)
    shares = np.ones(levels) if shape == "even" else 1 / np.arange(1, levels + 1)
    shares = shares / shares.sum()
    trials = 100
    drawn = [divergence(kind, rng.multinomial(before, shares), rng.multinomial(after, shares)) for _ in range(trials)]
    alarms = sum(one.limits(0.05, exact=True)[0][0] > 1e-9 for one in drawn)
    assert alarms / trials <= 0.05 + 2.5 * np.sqrt(0.05 * 0.95 / trials)


def test_a_column_without_a_value_may_be_of_any_kind():
    # Missing values have a Check of their own.
    before, after = (ColumnType("a", "number"),), (ColumnType("a", "nothing"),)
    assert schema_changes(before, after) == schema_changes(after, before) == ()
    assert [one.change for one in schema_changes(before, (ColumnType("a", "text"),))] == ["type"]
