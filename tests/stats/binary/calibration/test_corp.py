"""The isotonic curve, its band and the bound of its components, worked by hand."""

import math

import numpy as np
import pandas as pd
import pytest
from scipy import optimize
from sklearn.isotonic import IsotonicRegression

from mlflow_eval_plugin.engines.arrow import score_summary
from mlflow_eval_plugin.stats.binary.calibration import corp
from mlflow_eval_plugin.stats.binary.calibration.corp import (
    band_groups,
    consistency_band,
    corp_curve,
    decomposed,
    decompositions,
    quadratic_score,
)
from mlflow_eval_plugin.stats.binary.calibration.report import calibrate
from mlflow_eval_plugin.stats.binary.summary import SCORE_BINS
from mlflow_eval_plugin.stats.inference.isotonic import Curve, isotonic, thinned


def _summary(score, label, weight=None):
    rows = pd.DataFrame({"s": score, "y": label})
    return score_summary(rows, label="y", score="s", weight=weight)


def test_components_and_their_bound_by_hand():
    # Four rows of one score bin with two events, and three of another with two. The fit is 1/2 and 2/3.
    score = np.array([0.500001, 0.500003, 0.500005, 0.500007, 0.8, 0.8, 0.8])
    summary = _summary(score, np.array([1, 0, 0, 1, 0, 1, 1]))
    brier, log_loss = decompositions(summary)
    assert brier.score == pytest.approx((4 * 0.25 + 0.64 + 2 * 0.04) / 7, abs=1e-5)
    fitted = (4 / 4 + 3 * 2 / 9) / 7
    assert (brier.unc, brier.dsc) == (pytest.approx(12 / 49), pytest.approx(12 / 49 - fitted))
    # Were the two rows without an event the lowest of their bin, the fit would be 0, 0, then 2/3 for the other two
    # events with the one row of .8 that has none, then 1: a Brier score of 3 * 2/9 of seven rows.
    assert brier.bound == pytest.approx(fitted - 3 * (2 / 9) / 7)
    entropy = -(2 * math.log(2 / 3) + math.log(1 / 3))  # of three rows
    assert log_loss.unc - log_loss.dsc == pytest.approx((4 * math.log(2) + entropy) / 7)
    assert log_loss.bound == pytest.approx(4 * math.log(2) / 7)
    assert decomposed(0.3, corp_curve(summary), quadratic_score).bound == 0


def test_a_bin_with_one_label_has_no_bound():
    found = decompositions(_summary(np.array([0.2, 0.2, 0.7, 0.9]), np.array([0, 0, 1, 0])))
    assert [one.bound for one in found] == pytest.approx([0, 0], abs=1e-15)


def test_the_curve_is_the_fit_of_scikit_learn_at_the_mean_scores():
    rng = np.random.default_rng(0)
    score = np.sort(rng.choice(SCORE_BINS, 300, replace=False) + 0.3) / SCORE_BINS
    weight = rng.integers(1, 5, 300).astype(float)
    label = (rng.random(300) < score).astype(int)
    curve = corp_curve(_summary(score, label, weight))
    assert curve.score == pytest.approx(score, abs=1e-9)
    model = IsotonicRegression().fit(score, label, sample_weight=weight)
    assert curve.event_rate == pytest.approx(model.predict(score), abs=1e-9)
    assert isotonic(np.array([1.0, 0.0, 3.0]), np.array([1.0, 3.0, 3.0])).tolist() == [0.25, 0.25, 1.0]


def test_a_thinned_curve_keeps_both_ends_of_its_steps():
    score, rate = np.arange(7) / 10, np.array([0.0, 0.0, 0.0, 0.5, 0.5, 0.5, 1.0])
    points = thinned(Curve(score, rate, np.ones(7), rate))
    assert points == ((0.0, 0.0), (0.2, 0.0), (0.3, 0.5), (0.5, 0.5), (0.6, 1.0))
    level = thinned(Curve(score, np.full(7, 0.5), np.ones(7), rate))
    assert level == ((0.0, 0.5), (0.6, 0.5))


@pytest.mark.parametrize("n", [511, 512, 513, 5000])
def test_a_thinned_curve_has_512_points_and_both_its_ends(n):
    score = np.arange(n) / n
    points = thinned(Curve(score, score, np.ones(n), score))
    assert len(points) == min(n, 512)
    assert (points[0], points[-1]) == ((0.0, 0.0), (score[-1], score[-1]))
    assert {place for place, _ in points} <= set(score.tolist())


def test_groups_of_the_band_are_480_of_equal_width_and_480_of_equal_weight():
    assert band_groups(np.ones(SCORE_BINS)).tolist() == list(range(0, SCORE_BINS, 128))
    crowd = np.zeros(SCORE_BINS)
    crowd[1000:1960] = 1.0
    # Every second of the 960 bins begins a group, beside every 128th bin of all.
    assert band_groups(crowd).tolist() == sorted({*range(0, SCORE_BINS, 128), *range(1000, 1960, 2)})


def test_the_band_of_two_rows_by_hand():
    # Labels drawn with .4 and .6: the fit at .4 is 0 with .6, 1/2 (after 1, 0) with .16, 1 with .24; at .6 the mirror.
    summary = _summary([0.4, 0.6], [0, 1])
    (low, *first), (high, *second) = consistency_band(summary, replicates=2000, seed=1, level=0.4)
    assert (low, high) == (pytest.approx(0.4), pytest.approx(0.6))
    # Between the quantiles of .3 and .7.
    assert (first, second) == ([0, 0.5], [0.5, 1])
    (_, *first), (_, *second) = consistency_band(summary, replicates=2000, seed=1, level=0.1)
    assert (first, second) == ([0, 0], [1, 1])


@pytest.mark.parametrize("replicates", [1, 2, 3, 200, 201])
@pytest.mark.parametrize("level", [0.0, 0.5, 0.95, 1.0])
def test_the_band_lies_where_numpy_puts_quantiles(monkeypatch, level, replicates):
    fits, own = [], optimize.isotonic_regression

    def fitted(*given, **named):
        fits.append(own(*given, **named))
        return fits[-1]

    rng = np.random.default_rng(4)
    score = rng.random(60)
    summary = _summary(score, (rng.random(60) < score).astype(int))
    monkeypatch.setattr(corp.optimize, "isotonic_regression", fitted)
    band = consistency_band(summary, replicates=replicates, level=level)
    assert len(fits) == replicates
    expected = np.quantile([one.x for one in fits], [(1 - level) / 2, (1 + level) / 2], axis=0)
    assert np.array(band).T[1:] == pytest.approx(expected, abs=1e-15)


def test_the_band_of_a_report_is_of_95_percent_and_200_replicates():
    rng = np.random.default_rng(1)
    score = rng.random(400)
    summary = _summary(score, (rng.random(400) < score).astype(int))
    band = calibrate(summary).corp_band
    assert band == consistency_band(summary) == consistency_band(summary, replicates=200, seed=0, level=0.95)
    assert len(band) <= 400
    assert (band[0][0], band[-1][0]) == (
        pytest.approx(score.min(), abs=1 / 480),
        pytest.approx(score.max(), abs=1 / 480),
    )


def test_a_group_of_next_to_no_weight_is_drawn_as_one_row():
    # A weight of 2**-20 has no square in units of 2**-32.
    band = consistency_band(_summary([0.2, 0.5, 0.8], [0, 1, 1], np.array([1, 2.0**-20, 1])), replicates=50)
    assert [place for place, _, _ in band] == pytest.approx([0.2, 0.5, 0.8], abs=1e-3)
    assert np.isfinite(band).all()
