"""Which estimate stands under which name in a calibration report, from the rows themselves, and its defaults."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from mlflow_eval_plugin.engines.arrow import score_summary
from mlflow_eval_plugin.stats.binary.calibration.bin_free import Gaps, smooth_ece
from mlflow_eval_plugin.stats.binary.calibration.report import (
    calibrate,
    calibration_bounds,
    calibration_quantities,
    calibration_quantity,
    score_histogram,
)
from mlflow_eval_plugin.stats.binary.summary import SCORE_BINS, ScoreSummary
from mlflow_eval_plugin.stats.errors import InputError
from mlflow_eval_plugin.stats.inference.estimate import estimates


@pytest.fixture(scope="module")
def rows():
    """Four hundred and fifty rows, sorted by scores that are all different."""
    rng = np.random.default_rng(12)
    score = np.sort(rng.choice(SCORE_BINS, 450, replace=False) + 0.4) / SCORE_BINS
    return pd.DataFrame({"s": score, "y": (rng.random(450) < score**1.5).astype(int), "w": rng.integers(1, 5, 450)})


@pytest.fixture(scope="module")
def summary(rows):
    return score_summary(rows, label="y", score="s")


def _kumar(rows, member):
    """Squared gaps by bin less r (1 - r) / (n - 1), weighted by rows."""
    by_bin = rows.groupby(member).agg(n=("s", "size"), s=("s", "mean"), y=("y", "mean"))
    squared = (by_bin.s - by_bin.y) ** 2 - by_bin.y * (1 - by_bin.y) / (by_bin.n - 1)
    return np.sqrt((by_bin.n * squared).sum() / len(rows))


def test_each_error_stands_under_its_name(rows, summary):
    found = calibrate(summary, replicates=0).metrics
    gap, width, mass = rows.s - rows.y, (rows.s * 15).astype(int), np.arange(450) // 30
    assert found.ece_equal_width.value == pytest.approx(gap.groupby(width).sum().abs().sum() / 450, abs=1e-9)
    assert found.ece_equal_mass.value == pytest.approx(gap.groupby(mass).sum().abs().sum() / 450, abs=1e-9)
    assert found.max_calibration_error.value == pytest.approx(gap.groupby(width).mean().abs().max(), abs=1e-9)
    assert found.ece_debiased.value == pytest.approx(_kumar(rows, mass), abs=1e-9)
    walk = np.cumsum(gap) / 450
    assert found.ecce.value == pytest.approx(max(walk.max(), 0) - min(walk.min(), 0), abs=1e-9)
    assert found.smooth_ece.value == smooth_ece(Gaps(summary)).value[0] != found.ecce.value
    assert found.calibration_in_the_large.value == pytest.approx(gap.mean(), abs=1e-9)
    assert found.brier.value == pytest.approx((gap**2).mean(), abs=1e-9)


def test_bins_may_be_fewer(rows, summary):
    found = calibrate(summary, bins=10, replicates=0)
    gap = rows.s - rows.y
    assert (len(found.bins), len(found.bins_equal_mass)) == (10, 10)
    by_width = gap.groupby((rows.s * 10).astype(int)).sum().abs().sum() / 450
    assert found.metrics.ece_equal_width.value == pytest.approx(by_width, abs=1e-9)
    assert calibration_bounds(summary, "ece_equal_width", bins=10).value == found.metrics.ece_equal_width.value
    by_mass = gap.groupby(np.arange(450) // 45).sum().abs().sum() / 450
    assert found.metrics.ece_equal_mass.value == pytest.approx(by_mass, abs=1e-9)
    assert calibration_quantities(summary, ["ece_equal_mass"], bins=10)["ece_equal_mass"].value[0] == pytest.approx(
        by_mass, abs=1e-9
    )


@pytest.mark.parametrize("weight", [None, "w"])
def test_counts_and_means_are_those_of_the_rows(rows, weight):
    found = calibrate(score_summary(rows, label="y", score="s", weight=weight), replicates=0)
    w = np.ones(450) if weight is None else rows.w
    assert (found.n, found.weighted, found.corp_band) == (450, weight is not None, None)
    assert found.positives == pytest.approx((w * rows.y).sum())
    assert found.prevalence == pytest.approx(np.average(rows.y, weights=w))
    assert found.mean_score == pytest.approx(np.average(rows.s, weights=w), abs=1e-9)
    # A score bin that straddles an edge is where it begins.
    edges, place = np.arange(51) / 50, np.floor(rows.s * SCORE_BINS) / SCORE_BINS
    assert found.histogram.edges == pytest.approx(edges)
    for label, counted in enumerate((found.histogram.negative, found.histogram.positive)):
        of = rows.y == label
        assert counted == pytest.approx(np.histogram(place[of], edges, weights=w[of])[0])
    assert len(score_histogram(score_summary(rows, label="y", score="s"), 20).positive) == 20


SPELT = {"bins": 15, "replicates": 200, "seed": 0}


def test_the_defaults_are_fifteen_bins_two_hundred_replicates_and_seed_0(rows):
    summary = score_summary(rows[::4], label="y", score="s")
    assert calibrate(summary) == calibrate(summary, **SPELT)
    # Of no replicates nothing can be said, and two are the fewest with a deviation.
    none, two = calibrate(summary, replicates=0), calibration_quantity(summary, "brier_mcb", replicates=2)
    assert none.metrics.brier_mcb == estimates(two)[0]


def test_the_defaults_of_one_metric_are_those_of_the_report(rows):
    summary = score_summary(rows[::4], label="y", score="s")
    spelt = calibration_quantity(summary, "log_loss_mcb", **SPELT)
    several = calibration_quantities(summary, ["log_loss_mcb", "ece_equal_mass"])
    made = calibration_quantity(summary, "log_loss_mcb"), several["log_loss_mcb"]
    assert [estimates(each) for each in made] == [estimates(spelt)] * 2
    bounds = calibration_bounds(summary, "log_loss_mcb")
    assert (bounds.value, bounds.upper(0.05)) == (spelt.value[0], spelt.limits(0.05, exact=True)[1][0] + spelt.bound[0])
    fifteen = estimates(calibration_quantity(summary, "ece_equal_mass", bins=15))
    assert fifteen == estimates(several["ece_equal_mass"]) == estimates(calibration_quantity(summary, "ece_equal_mass"))
    assert calibration_bounds(summary, "ece_equal_mass").value == fifteen[0].value


def test_several_quantities_are_those_of_one_each(summary):
    several = calibration_quantities(summary, ["ecce", "brier"])
    assert list(several) == ["ecce", "brier"]
    for name, found in several.items():
        assert estimates(found) == estimates(calibration_quantity(summary, name))
        assert found.n.tolist() == [450]
    for ask in (calibration_quantity, calibration_bounds, lambda *given: calibration_quantities(given[0], given[1:])):
        with pytest.raises(InputError, match="there is no 'auc'; expected one of ece_equal_width"):
            ask(summary, "auc")


def test_the_limits_of_a_log_loss_without_variance_are_those_of_calibrated_scores():
    # Thirty rows of .1 without an event and one of .9 with it have the same loss, -ln .9. Were the scores calibrated,
    # it would have the mean square .1 ln(.1)**2 + .9 ln(.9)**2 about the entropy of .1.
    label = np.repeat([0, 1], [30, 1])
    bounds = calibration_bounds(score_summary(pd.DataFrame({"s": 0.1 + 0.8 * label, "y": label}), label="y", score="s"),
                                "log_loss")  # fmt: skip
    low, high = np.log(0.1), np.log(0.9)
    error = np.sqrt((0.1 * low**2 + 0.9 * high**2 - (0.1 * low + 0.9 * high) ** 2) / 31)
    assert bounds.value == pytest.approx(-high, abs=1e-8)
    assert bounds.upper(0.05) == pytest.approx(-high + stats.t.isf(0.05, 30) * error, abs=1e-7)


def test_a_summary_without_weight_is_refused():
    lanes = [np.zeros((SCORE_BINS, 2), dtype=np.int64)] * 7
    with pytest.raises(InputError, match="no rows with weight"):
        calibrate(ScoreSummary(*lanes, weight_scale=1.0, weighted=True))
