"""Two regressions on the same rows: scikit-learn's numbers, rows one by one, and limits by simulation."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from sklearn import metrics as sk

from mlflow_eval_plugin.engines.arrow import predicted_rows
from mlflow_eval_plugin.engines.arrow.queries import Sliced, sliced_columns
from mlflow_eval_plugin.engines.arrow.regression.paired import paired_moment_summary
from mlflow_eval_plugin.engines.slicing import Slicing
from mlflow_eval_plugin.stats.errors import InputError
from mlflow_eval_plugin.stats.paired.differences import change_bounds
from mlflow_eval_plugin.stats.regression.comparison import PairedRegressionTable, compare_regressions
from mlflow_eval_plugin.stats.regression.summary import RegressionScale

LEAST_EVENTS = 3


def _population(n, rng, tail=0.0):
    x, shared = rng.normal(size=n), rng.normal(size=n)
    noise = rng.normal(size=n) * np.exp(tail * rng.normal(size=n))
    y = 100 + 10 * x + 4 * noise
    first, second = (100 + 10 * x + 2 * shared + one * rng.normal(size=n) for one in (3.0, 2.0))
    return pd.DataFrame({"y": y, "a": first, "b": second})


def _rows(n=900, seed=0):
    rng = np.random.default_rng(seed)
    return _population(n, rng).assign(g=rng.integers(0, 3, n), w=rng.integers(1, 5, n).astype(float))


def _summary(rows, weight=None, scale=None, slices=("g",), max_levels=100):
    both = [predicted_rows(rows, target="y", prediction=name, weight=weight, scale=scale) for name in ("a", "b")]
    columns = sliced_columns(rows, Slicing(slices, depth=1, max_levels=max_levels))
    return paired_moment_summary(*both, Sliced(columns))


def _table(rows, **options):
    return PairedRegressionTable(_summary(rows, **options))


OF = {
    "mae": sk.mean_absolute_error,
    "rmse": sk.root_mean_squared_error,
    "r2": sk.r2_score,
    "bias": lambda y, p, sample_weight: np.average(p - y, weights=sample_weight),
}


def _parts(rows, found):
    for i, one in enumerate((found.overall, *found.slices)):
        yield i, one, rows if one.label == "overall" else rows[rows.g == int(one.label[2:])]


@pytest.mark.parametrize("weighted", [False, True])
def test_every_change_is_the_difference_of_what_scikit_learn_says(weighted):
    rows = _rows()
    found = compare_regressions(_table(rows, weight="w" if weighted else None))
    for _, one, part in _parts(rows, found):
        weight = part.w if weighted else None
        for name, expected in OF.items():
            first, second = (expected(part.y, part[model], sample_weight=weight) for model in ("a", "b"))
            metric = one.metrics[name]
            assert (metric.champion, metric.challenger) == pytest.approx((first, second), rel=1e-10), name
            assert metric.difference.value == pytest.approx(second - first, abs=1e-10), name
        errors = [(part[model] - part.y).abs() for model in ("a", "b")]
        assert one.champion_closer == (errors[0] < errors[1]).sum() and one.as_close == 0
        assert one.challenger_closer == (errors[1] < errors[0]).sum() and one.n == len(part)
        expected = stats.binomtest(one.champion_closer, one.n).pvalue
        assert one.sign_p == pytest.approx(expected, rel=1e-9)
        assert one.distance.value == pytest.approx(np.average((part.b - part.a).abs(), weights=weight), rel=1e-10)


def _changes(part, weight):
    """What each row changes of every metric, by the delta method, and the most that a row can change."""
    e, f = (part[model].to_numpy() - part.y.to_numpy() for model in ("a", "b"))
    roots = [np.sqrt(np.average(one**2, weights=weight)) for one in (e, f)]
    away = (part.y.to_numpy() - np.average(part.y, weights=weight)) ** 2
    variance = np.average(away, weights=weight)
    gain = np.average(e**2 - f**2, weights=weight) / variance
    effective = len(part) if weight is None else weight.sum() ** 2 / (weight**2).sum()
    largest = (np.average(e**6 + f**6, weights=weight) * effective) ** (1 / 6)
    assert max(np.abs(e).max(), np.abs(f).max()) <= largest or weight is not None
    return (
        effective,
        largest,
        {
            "mae": (np.abs(f) - np.abs(e), largest),
            "bias": (f - e, 2 * largest),
            "rmse": (
                f**2 / (2 * roots[1]) - e**2 / (2 * roots[0]),
                effective * (np.sqrt(min(roots) ** 2 + largest**2 / effective) - min(roots)),
            ),
            "r2": ((e**2 - f**2 - gain * away) / variance, largest**2 / variance),
        },
    )


def _third(change, weight):
    return np.average((change - np.average(change, weights=weight)) ** 3, weights=weight)


@pytest.mark.parametrize("weighted", [False, True])
def test_a_change_varies_like_what_its_rows_change_and_three_that_were_not_seen(weighted):
    rows = _rows()
    table = _table(rows, weight="w" if weighted else None)
    for i, _, part in _parts(rows, compare_regressions(table)):
        weight = part.w.to_numpy() if weighted else None
        effective, largest, changes = _changes(part, weight)
        for name, (change, most) in changes.items():
            made = table.change(name)
            variance = np.average((change - np.average(change, weights=weight)) ** 2, weights=weight)
            seen = effective * np.average((part.b - part.a) ** 2, weights=weight) / largest**2
            whole = variance + LEAST_EVENTS / (1 + seen) * most**2 / effective
            assert made.effective[i] == pytest.approx(effective, rel=1e-9)
            assert made.standard_error[i] == pytest.approx(np.sqrt(whole / (effective - 1)), rel=1e-8), name
            if name == "r2":  # the third moment is that of the squares alone
                e, f = (part[model].to_numpy() - part.y.to_numpy() for model in ("a", "b"))
                away = (part.y - np.average(part.y, weights=weight)) ** 2
                third = _third((e**2 - f**2) / np.average(away, weights=weight), weight)
            else:
                third = _third(change, weight)
            assert made.skewness[i] == pytest.approx(third / whole**1.5, rel=1e-6, abs=1e-9), name


def test_the_unit_of_the_target_changes_nothing_else():
    rows = _rows()
    scaled = rows.assign(y=rows.y * 1000 + 7, a=rows.a * 1000 + 7, b=rows.b * 1000 + 7)
    for metric in ("mae", "rmse", "bias", "r2"):
        first, second = (change_bounds(_table(one), metric, "g=1") for one in (rows, scaled))
        times = 1 if metric == "r2" else 1000
        assert second.value == pytest.approx(times * first.value, rel=1e-9, abs=1e-9)
        assert second.lower(1e-3) == pytest.approx(times * first.lower(1e-3), rel=1e-7, abs=1e-9)


def test_a_model_against_itself_changes_nothing_and_knows_it():
    rows = _rows(n=4000).assign(b=lambda rows: rows.a)
    table = _table(rows)
    one = compare_regressions(table).overall
    assert (one.as_close, one.champion_closer, one.challenger_closer, one.sign_p) == (4000, 0, 0, 1.0)
    assert one.distance.value == 0
    for name, metric in one.metrics.items():
        low, high = metric.difference.interval
        assert metric.difference.value == 0 and low < 0 < high, name
        assert high - low < 0.05 * (1 if name == "r2" else one.metrics["rmse"].champion), name


def test_what_cannot_be_known_has_no_limits():
    rows = _rows().assign(y=5.0)
    one = compare_regressions(_table(rows)).overall
    assert one.metrics["r2"].difference.value is None and "the same in all rows" in one.metrics["r2"].difference.reason
    perfect = _rows().assign(a=lambda rows: rows.y)
    bounds = change_bounds(_table(perfect), "rmse")  # a root has no slope at 0
    assert bounds.value == pytest.approx(sk.root_mean_squared_error(perfect.y, perfect.b))
    assert 0.8 * bounds.value < bounds.lower(0.05) < bounds.upper(0.05) < 1.2 * bounds.value
    assert np.isfinite(change_bounds(_table(perfect), "mae").upper(0.05))
    single = _table(_rows(n=1), slices=[])
    assert change_bounds(single, "mae").upper(0.05) == np.inf
    with pytest.raises(InputError, match=r"'pinball_0\.1' cannot be compared; expected one of mae, rmse, bias, r2"):
        single.change("pinball_0.1")


# Of nominal 95 % intervals at least 94 % must cover, less the error of 2,000 samples; ``tail`` is of errors whose
# deviation is lognormal.
@pytest.mark.parametrize(("n", "tail"), [(30, 0.0), (100, 0.0), (400, 0.0), (400, 0.7)])
def test_intervals_of_changes_cover(n, tail):
    rng = np.random.default_rng(n)
    truth = compare_regressions(_table(_population(1_000_000, rng, tail), slices=[])).overall.metrics
    rows = _population(2000 * n, rng, tail).assign(g=np.repeat(np.arange(2000), n))
    found = compare_regressions(_table(rows, max_levels=2000)).slices
    for name in OF:
        intervals = [one.metrics[name].difference.interval for one in found]
        value = truth[name].difference.value
        covered = np.mean([low <= value <= high for low, high in intervals])
        assert covered >= 0.94 - 3 * np.sqrt(0.94 * 0.06 / 2000), (name, covered)
        if n == 400 and not tail:  # what rows that were not seen could change is little by then
            assert covered <= 0.985, (name, covered)


@pytest.mark.parametrize("metric", ["mae", "rmse", "r2"])
@pytest.mark.parametrize("n", [100, 1000])
def test_checks_of_changes_hold_their_level(n, metric):
    """Also for a challenger that differs on 2 % of the rows, of which a sample may show next to none."""
    rng = np.random.default_rng(3)

    def rarely(rows):
        wrong = rng.random(len(rows)) < 0.02
        return rows.assign(b=np.where(wrong, rows.a + rng.normal(size=len(rows)) * 12, rows.a))

    for make in (lambda rows: rows, rarely):
        truth = _table(make(_population(1_000_000, rng)), slices=[]).change(metric).value[0]
        rows = make(_population(1000 * n, rng)).assign(g=np.repeat(np.arange(1000), n))
        made = _table(rows, max_levels=1000).change(metric)
        for alpha in (0.05, 0.005):
            lower, upper = made.limits(alpha, exact=True)
            missed = max(np.mean(lower[1:] > truth), np.mean(upper[1:] < truth))
            assert missed <= alpha + 3 * np.sqrt(alpha * (1 - alpha) / 1000), (alpha, missed)


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 10**6))
def test_order_and_shards_change_nothing(seed):
    rows = _rows(n=90, seed=seed)
    options = {"weight": "w", "scale": RegressionScale(100.0, 256.0, 4.0)}
    whole = compare_regressions(_table(rows, **options))
    assert repr(compare_regressions(_table(rows.sample(frac=1, random_state=seed), **options))) == repr(whole)
    parts = [_summary(part, **options) for part in (rows[:40], rows[40:60], rows[60:])]
    assert repr(compare_regressions(PairedRegressionTable(parts[2] + (parts[0] + parts[1])))) == repr(whole)


@pytest.mark.parametrize("weighted", [False, True])
def test_the_distance_of_two_predictions_is_a_mean_of_rows(weighted):
    rows = _rows()
    rows[["y", "a", "b"]] *= 1000  # the unit is no 1
    table = _table(rows, weight="w" if weighted else None)
    distance, made = (rows.b - rows.a).abs(), table.distance()
    weight = rows.w if weighted else None
    effective = len(rows) if weight is None else weight.sum() ** 2 / (weight**2).sum()
    variance = np.average((distance - np.average(distance, weights=weight)) ** 2, weights=weight)
    assert made.value[0] == pytest.approx(np.average(distance, weights=weight), rel=1e-10)
    assert made.standard_error[0] == pytest.approx(np.sqrt(variance / (effective - 1)), rel=1e-8)
    assert made.n[0] == len(rows) and made.effective[0] == pytest.approx(effective)


def test_shards_with_slices_of_their_own_add_up():
    rows, scale = _rows(n=300).sort_values("g"), RegressionScale(100.0, 256.0, 1.0)
    halves = [_summary(part, scale=scale) for part in (rows[:180], rows[180:])]
    assert {one.label for one in halves[0].slices} != {one.label for one in halves[1].slices}
    whole = compare_regressions(_table(rows, scale=scale))
    assert repr(compare_regressions(PairedRegressionTable(halves[1] + halves[0]))) == repr(whole)


def test_rows_that_both_are_as_close_to_count_as_rows():
    rows = _rows(n=200).assign(b=lambda rows: np.where(rows.g == 0, rows.a, rows.b))
    one = compare_regressions(_table(rows)).overall
    assert one.as_close == (rows.g == 0).sum() and one.n == 200


def test_two_rows_have_limits_and_one_has_none():
    for n, known in ((2, True), (1, False)):
        made = _table(_rows(n=n), slices=[]).change("mae")
        assert np.isfinite(made.limits(0.05, exact=True)[1][0]) == known


def test_the_better_the_challenger_the_shorter_the_limits_of_rmse():
    rng = np.random.default_rng(0)
    rows = pd.DataFrame({"y": rng.normal(size=300)})
    e, f, reaches = rng.normal(size=300), rng.normal(size=300), []
    for share in (0.1, 0.05, 0.02, 0.01, 0.001, 0.0):
        made = _table(rows.assign(a=rows.y + e, b=rows.y + share * f), slices=[]).change("rmse")
        low, high = (float(one[0]) for one in made.limits(1e-3, exact=True))
        assert low < made.value[0] < high < 0
        reaches.append(high - low)
    assert max(reaches) < 1.6 * min(reaches)
