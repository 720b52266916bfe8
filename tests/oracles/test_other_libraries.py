"""The same census rows in other libraries: agreement to 1e-9 where the definition is the same.

What each statistic is, and where ours differs on purpose, is in docs/statistics.md.
"""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from fairlearn import metrics as fairlearn
from model_diagnostics.calibration import compute_bias
from model_diagnostics.scoring import LogLoss, SquaredError, decompose
from scipy import stats
from sklearn import calibration as sklearn_calibration
from sklearn import metrics as sklearn
from statsmodels.stats.proportion import confint_proportions_2indep, proportion_confint

from mlflow_eval_plugin.engines.arrow import drift_binning, drift_summary, score_summary, slice_summary
from mlflow_eval_plugin.engines.slicing import Slicing
from mlflow_eval_plugin.stats.binary.calibration.report import calibrate
from mlflow_eval_plugin.stats.binary.disaggregated import disaggregate
from mlflow_eval_plugin.stats.drift.report import compare

CENSUS = Path(__file__).parents[2] / "examples/data/acs_employment_ma.parquet"
LABEL, SCORE = "employed", "predicted_probability"


@pytest.fixture(scope="module")
def census() -> pd.DataFrame:
    data = pd.read_parquet(CENSUS, columns=["year", "SEX", "RAC1P", "AGEP", LABEL, SCORE])
    data["predicted"] = (data[SCORE] >= 0.5).astype(int)
    # The age stands in for a survey weight: whole numbers from 0 on.
    return data.assign(weight=data["AGEP"].astype(float))


@pytest.fixture(scope="module")
def year(census) -> pd.DataFrame:
    return census[census.year == 2015].reset_index(drop=True)


@pytest.fixture(scope="module", params=[None, "weight"])
def report(request, year):
    table = slice_summary(year, label=LABEL, score=SCORE, slicing=Slicing(["SEX", "RAC1P"]), weight=request.param)
    return request.param, disaggregate(table, minimum_count=1)


def _parts(report, rows):
    """Every slice with its rows; levels are compared as texts."""
    text = {column: rows[column].map(lambda one: f"{float(one):g}") for column in ("SEX", "RAC1P")}
    for one in (report.overall, *report.slices):
        chosen = np.ones(len(rows), dtype=bool)
        for column, level in one.slice:
            chosen &= (text[column] == level).to_numpy()
        yield one, rows[chosen]


def test_every_slice_is_that_of_scikit_learn(report, year):
    weight, found = report
    compared = 0
    for one, part in _parts(found, year):
        y, s, p = part[LABEL], part[SCORE], part["predicted"]
        w = None if weight is None else part[weight]
        (tn, fp), (fn, tp) = sklearn.confusion_matrix(y, p, sample_weight=w, labels=[0, 1])
        assert (one.tn, one.fp, one.fn, one.tp, one.n) == (tn, fp, fn, tp, len(part))
        expected = {
            "accuracy": sklearn.accuracy_score(y, p, sample_weight=w),
            "brier": sklearn.brier_score_loss(y, s, sample_weight=w, labels=[0, 1]),
            "log_loss": sklearn.log_loss(y, s, sample_weight=w, labels=[0, 1]),
            "prevalence": np.average(y, weights=w),
            "selection_rate": np.average(p, weights=w),
            "calibration_in_the_large": np.average(s - y, weights=w),
        }
        if min(tn + fp, fn + tp) > 0:
            expected["balanced_accuracy"] = sklearn.balanced_accuracy_score(y, p, sample_weight=w)
            exact = sklearn.roc_auc_score(y, s, sample_weight=w)
            assert abs(one.metrics.auc.value - exact) <= one.metrics.auc.bound + 1e-12
            exact = sklearn.average_precision_score(y, s, sample_weight=w)
            ranked = one.metrics.average_precision
            assert abs(ranked.value - exact) <= ranked.bound + 1e-12
        if tp > 0:
            for name, score in (("recall", sklearn.recall_score), ("precision", sklearn.precision_score)):
                expected[name] = score(y, p, sample_weight=w)
            expected["f1"] = sklearn.f1_score(y, p, sample_weight=w)
        for metric, value in expected.items():
            assert getattr(one.metrics, metric).value == pytest.approx(value, abs=1e-9), (one.label, metric)
        compared += 1
    assert compared == 1 + 2 + 9 + 17


def test_ranking_of_grid_scores_is_that_of_scikit_learn(year):
    grid = year.assign(**{SCORE: np.rint(year[SCORE] * 100) / 100})
    found = disaggregate(slice_summary(grid, label=LABEL, score=SCORE, slicing=Slicing(["SEX"])))
    for one, part in _parts(found, grid):
        assert one.metrics.auc.value == pytest.approx(sklearn.roc_auc_score(part[LABEL], part[SCORE]), abs=1e-9)
        expected = sklearn.average_precision_score(part[LABEL], part[SCORE])
        assert one.metrics.average_precision.value == pytest.approx(expected, abs=1e-9)


def test_intervals_of_rates_are_those_of_statsmodels(year):
    found = disaggregate(
        slice_summary(year, label=LABEL, score=SCORE, slicing=Slicing(["SEX", "RAC1P"])), minimum_count=1
    )
    for one in (found.overall, *found.slices):
        counts = {
            "selection_rate": (one.tp + one.fp, one.n),
            "accuracy": (one.tp + one.tn, one.n),
            "recall": (one.tp, one.tp + one.fn),
            "fpr": (one.fp, one.fp + one.tn),
            "precision": (one.tp, one.tp + one.fp),
        }
        for metric, (k, n) in counts.items():
            if n > 0:
                expected = proportion_confint(k, n, 0.05, "wilson")
                assert getattr(one.metrics, metric).interval == pytest.approx(expected, abs=1e-9), (one.label, metric)


def test_intervals_of_gaps_are_those_of_statsmodels(year):
    # Newcombe (1998), method 10, of a slice and all other rows.
    found = disaggregate(
        slice_summary(year, label=LABEL, score=SCORE, slicing=Slicing(["SEX", "RAC1P"])), gap_metrics=("fpr", "recall")
    )
    whole, by_label = found.overall, {one.label: one for one in found.slices}
    compared = 0
    for gap in found.gaps:
        one = by_label[gap.label]
        hit, total = (one.fp, one.fp + one.tn) if gap.metric == "fpr" else (one.tp, one.tp + one.fn)
        hits, totals = (whole.fp, whole.fp + whole.tn) if gap.metric == "fpr" else (whole.tp, whole.tp + whole.fn)
        if gap.versus == "complement" and total > 0:
            expected = confint_proportions_2indep(hit, total, hits - hit, totals - total, method="newcomb")
            assert gap.difference.interval == pytest.approx(expected, abs=1e-9), gap.label
            compared += 1
    assert compared > 40


def test_groups_are_those_of_fairlearn(year):
    found = disaggregate(slice_summary(year, label=LABEL, score=SCORE, slicing=Slicing(["SEX"])), gap_metrics=())
    rates = {
        "selection_rate": fairlearn.selection_rate,
        "fpr": fairlearn.false_positive_rate,
        "fnr": fairlearn.false_negative_rate,
    }
    frame = fairlearn.MetricFrame(
        metrics=rates, y_true=year[LABEL], y_pred=year["predicted"], sensitive_features=year["SEX"].astype(int)
    )
    for one in found.slices:
        for metric in rates:
            expected = frame.by_group.loc[int(one.slice[0][1]), metric]
            assert getattr(one.metrics, metric).value == pytest.approx(expected, abs=1e-9)
    (measures,) = found.fairness
    for name in ("demographic_parity_difference", "demographic_parity_ratio", "equalized_odds_difference"):
        expected = getattr(fairlearn, name)(year[LABEL], year["predicted"], sensitive_features=year["SEX"])
        assert getattr(measures, name).value == pytest.approx(expected, abs=1e-9)


# netcal 1.4.0, ECE(10), ECE(15), MCE(15), measure(scores, labels), recorded: it needs torch, which is some gigabytes.
NETCAL = {
    2015: (0.006175733263829875, 0.006311118884320752, 0.01775882087645811),
    2016: (0.01027604578142936, 0.010364567918840039, 0.02500686205097119),
    2017: (0.01137252736424515, 0.011417088869131188, 0.02916662538775716),
    2018: (0.012076731557844049, 0.012869623611550685, 0.04495907171359176),
}


@pytest.mark.parametrize("number", NETCAL)
def test_binned_errors_are_those_of_netcal(census, number):
    summary = score_summary(census[census.year == number], label=LABEL, score=SCORE)
    ten, fifteen = (calibrate(summary, bins=bins, replicates=0).metrics for bins in (10, 15))
    found = (ten.ece_equal_width.value, fifteen.ece_equal_width.value, fifteen.max_calibration_error.value)
    assert found == pytest.approx(NETCAL[number], abs=1e-9)


def test_the_reliability_table_is_that_of_scikit_learn(year):
    rates, scores = sklearn_calibration.calibration_curve(year[LABEL], year[SCORE], n_bins=10)
    bins = calibrate(score_summary(year, label=LABEL, score=SCORE), bins=10, replicates=0).bins
    assert [one.event_rate for one in bins] == pytest.approx(list(rates), abs=1e-9)
    assert [one.mean_score for one in bins] == pytest.approx(list(scores), abs=1e-9)


def test_decompositions_are_those_of_model_diagnostics(year):
    grid = year.assign(**{SCORE: np.clip(np.rint(year[SCORE] * 960) / 960, 1 / 960, 959 / 960)})
    found = calibrate(score_summary(grid, label=LABEL, score=SCORE), replicates=0).metrics
    for name, scoring in (("brier", SquaredError()), ("log_loss", LogLoss())):
        theirs = decompose(grid[LABEL], grid[SCORE], scoring_function=scoring)
        for ours, column in (("mcb", "miscalibration"), ("dsc", "discrimination"), ("unc", "uncertainty")):
            assert getattr(found, f"{name}_{ours}").value == pytest.approx(float(theirs[column][0]), abs=1e-9)


def test_calibration_in_the_large_is_the_bias_of_model_diagnostics(year):
    found = calibrate(score_summary(year, label=LABEL, score=SCORE, weight="weight"), replicates=0).metrics
    theirs = compute_bias(year[LABEL], year[SCORE], weights=year["weight"])
    assert found.calibration_in_the_large.value == pytest.approx(float(theirs["bias_mean"][0]), abs=1e-9)


def test_distances_are_those_of_scipy(census):
    # Ages have fewer than 500 values, so that the bins are the values and nothing is lost.
    before, after = (census.loc[census.year == one, ["AGEP"]].astype(float) for one in (2015, 2018))
    reference = drift_binning(before)
    found = compare(reference, drift_summary(after, like=reference)).columns[0].metrics
    a, b = before["AGEP"].to_numpy(), after["AGEP"].to_numpy()
    assert found.ks.value == pytest.approx(stats.ks_2samp(a, b).statistic, abs=1e-9)
    # In robust standard deviations, by the quartiles, which are further apart than the middle 70 % would have them.
    first, third = np.quantile(a, [0.25, 0.75], method="inverted_cdf")
    spread = (third - first) / (2 * stats.norm.ppf(0.75))
    assert found.wasserstein.value == pytest.approx(stats.wasserstein_distance(a, b) / spread, abs=1e-6)


@pytest.mark.parametrize("column", ["SEX", "RAC1P"])
def test_chi_squared_is_that_of_scipy(census, column):
    before, after = (census.loc[census.year == one, [column]] for one in (2015, 2018))
    reference = drift_binning(before, categorical=[column])
    found = compare(reference, drift_summary(after, like=reference)).columns[0]
    table = pd.concat([before[column].value_counts(), after[column].value_counts()], axis=1).fillna(0).to_numpy()
    expected = stats.chi2_contingency(table, correction=False)
    assert found.metrics.chi2.value == pytest.approx(expected.statistic, abs=1e-9)
    # Some races have next to no rows, so that scipy's p-value, that of the limit, is none.
    sparse = (expected.expected_freq < 1).any() or (expected.expected_freq < 5).mean() > 0.2
    assert sparse == (column == "RAC1P")
    assert found.p_value == (None if sparse else pytest.approx(expected.pvalue, abs=1e-9))
