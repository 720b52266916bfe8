"""Numbers that others have published, each with its source, reached through the engine and the Summaries."""

from itertools import pairwise
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from mlflow_eval_plugin.engines.arrow import drift_binning, drift_summary, score_summary, slice_summary
from mlflow_eval_plugin.engines.slicing import Slicing
from mlflow_eval_plugin.stats.binary.calibration.bins import ReliabilityTable, calibration_norm
from mlflow_eval_plugin.stats.binary.calibration.report import calibrate
from mlflow_eval_plugin.stats.binary.disaggregated import disaggregate
from mlflow_eval_plugin.stats.drift.report import compare

ROOT = Path(__file__).parents[2]
CENSUS = ROOT / "examples/data/acs_employment_ma.parquet"
CAR_LOAN = Path(__file__).parent / "data/nannyml_car_loan.parquet"


@pytest.fixture(scope="module")
def census() -> pd.DataFrame:
    return pd.read_parquet(CENSUS, columns=["year", "employed", "predicted_probability"])


def _summary(census, year):
    return score_summary(census[census.year == year], label="employed", score="predicted_probability")


@pytest.mark.parametrize(
    ("year", "bins", "published"),
    [(2015, 15, 0.0063112), (2015, 10, 0.0061757), (2016, 10, 0.0102760), (2017, 10, 0.0113725), (2018, 10, 0.0120767)],
)
def test_ece_of_the_positive_class_on_census_data(census, year, bins, published):
    # Naeini, Cooper & Hauskrecht (2015) for the positive class: sum over equal-width bins of |sum s - sum y| / n.
    found = calibrate(_summary(census, year), bins=bins, replicates=0).metrics.ece_equal_width
    # Summed row by row the first is .00631112, not .0063112, hence 1e-7 and not 5e-8.
    assert found.value == pytest.approx(published, abs=1e-7)
    assert found.interval[0] <= found.value <= found.interval[1]


def test_debiased_l2_error_on_census_data(census):
    # uncertainty-calibration (Kumar, Liang & Ma 2019), get_calibration_error(p=2, debias=True), 15 bins: .0050268.
    # Its bins cut between rows, ours between score bins of 1/61440; a few rows at fourteen cuts move the last digits.
    found = calibrate(_summary(census, 2015), replicates=0).metrics.ece_debiased
    assert found.value == pytest.approx(0.0050268, abs=2e-5)


def test_debiased_l2_error_is_the_published_one_on_the_published_bins(census):
    rows = census[census.year == 2015]
    score, label = rows.predicted_probability.to_numpy(), rows.employed.to_numpy()
    parts = np.array_split(np.sort(score), 15)
    cuts = [(low[-1] + high[0]) / 2 for low, high in pairwise(parts)]
    member = np.searchsorted(cuts, score)
    n = np.bincount(member)
    table = ReliabilityTable(
        edges=np.array([0.0, *cuts, 1.0]),
        n=n,
        weight=n.astype(float),
        weight_square=n.astype(float),
        score=np.bincount(member, score),
        events=np.bincount(member, label),
        variance=n / 4,
    )
    assert calibration_norm(table, "root_mean_square").value[0] == pytest.approx(0.0050268, abs=5e-8)


def test_ecce_of_all_years_of_census_data(census):
    # Arrieta-Ibarra et al. (2022), ECCE-R .00888675, 13.2524 of its standard deviations.
    summary = score_summary(census, label="employed", score="predicted_probability")
    found = calibrate(summary, replicates=0)
    assert found.metrics.ecce.value == pytest.approx(0.00888675, abs=5e-9)
    assert found.ecce_test.sigmas == pytest.approx(13.2524, abs=5e-5)
    assert found.ecce_test.p_value < 1e-30


def test_smooth_ece_on_census_data(census):
    # relplot 1.0.3, smECE: .0088779. It halves the bandwidth ten times, to 10/1024, where ours is the root itself, and
    # reflects its grid so that what lies on 0 and 1 counts half in the mass that it divides by. The definition row by
    # row is in tests/stats/binary/calibration/test_bin_free.py.
    found = calibrate(_summary(census, 2015), replicates=0).metrics.smooth_ece
    assert found.value == pytest.approx(0.0088779, abs=2e-4)


def test_corp_decompositions_of_model_diagnostics():
    # model-diagnostics, scoring/tests/test_scoring.py; by hand: PAV of .1 .2 .3 .4 .5 .9 with labels 1 0 0 0 1 1
    # pools the first four to 1/4, so Brier's recalibrated score is (3/16 * 4) / 6 = .125, UNC 1/4, S .2266667.
    rows = pd.DataFrame({"y": [0, 0, 0, 1, 1, 1], "z": [0.4, 0.3, 0.2, 0.1, 0.5, 0.9]})
    found = calibrate(score_summary(rows, label="y", score="z"), replicates=0).metrics
    assert found.brier_mcb.value == pytest.approx(0.1016667, abs=5e-8)
    assert found.brier_dsc.value == pytest.approx(0.125, abs=1e-12)
    assert found.brier_unc.value == pytest.approx(0.25, abs=1e-12)
    assert found.log_loss_mcb.value == pytest.approx(0.3237327, abs=5e-8)
    assert found.log_loss_dsc.value == pytest.approx(0.3182571, abs=5e-8)
    assert found.log_loss_unc.value == pytest.approx(0.6931472, abs=5e-8)
    assert found.brier_mcb.bound == 0.0


def test_compas_error_rates_by_race():
    # Larson, Mattu, Kirchner & Angwin (ProPublica 2016), "How We Analyzed the COMPAS Recidivism Algorithm".
    black = [(0, 0.2, 990), (0, 0.8, 805), (1, 0.2, 532), (1, 0.8, 1369)]
    white = [(0, 0.2, 1139), (0, 0.8, 349), (1, 0.2, 461), (1, 0.8, 505)]
    rows = [
        (race, *cell[:2])
        for race, cells in (("black", black), ("white", white))
        for cell in cells
        for _ in range(cell[2])
    ]
    data = pd.DataFrame(rows, columns=["race", "y", "score"])
    report = disaggregate(slice_summary(data, label="y", score="score", slicing=Slicing(["race"])))
    found = {one.label: one for one in report.slices}
    assert [(one.tn, one.fp, one.fn, one.tp) for one in found.values()] == [
        (990, 805, 532, 1369),
        (1139, 349, 461, 505),
    ]
    for label, fpr, fnr in (("race=black", 0.4485, 0.2799), ("race=white", 0.2345, 0.4772)):
        assert found[label].metrics.fpr.value == pytest.approx(fpr, abs=5e-5)
        assert found[label].metrics.fnr.value == pytest.approx(fnr, abs=5e-5)


@pytest.fixture(scope="module")
def car_loan() -> tuple[pd.DataFrame, list[pd.DataFrame]]:
    data = pd.read_parquet(CAR_LOAN)
    analysis = data[data.part == "analysis"]
    return data[data.part == "reference"], [analysis[i : i + 5000] for i in range(0, 25000, 5000)]


def test_realized_auc_of_nannyml(car_loan):
    # NannyML 0.13.1 documentation, "Estimating performance for binary classification", chunks 1-5, realized roc_auc.
    published = [0.970962, 0.970248, 0.976282, 0.967721, 0.969886]
    for chunk, expected in zip(car_loan[1], published, strict=True):
        summary = slice_summary(chunk, label="repaid", score="y_pred_proba", slicing=Slicing([]))
        assert disaggregate(summary).overall.metrics.auc.value == pytest.approx(expected, abs=5e-7)


def test_ks_of_nannyml(car_loan):
    # NannyML 0.13.1 documentation, "Univariate drift detection", debt_to_income_ratio; theirs is binned, too.
    reference = drift_binning(car_loan[0], columns=["debt_to_income_ratio"])
    for chunk, expected in zip(car_loan[1], [0.01576, 0.01268, 0.01734, 0.0128, 0.01918], strict=True):
        found = compare(reference, drift_summary(chunk, like=reference)).columns[0].metrics.ks
        assert found.value == pytest.approx(expected, abs=2e-4)


def test_recall_by_intersecting_groups_of_fairlearn():
    # fairlearn user guide, "Intersecting Groups" (18 rows): recall and precision by two sensitive features.
    data = pd.DataFrame({
        "y": [0, 1, 1, 1, 1, 0, 1, 0, 1, 0, 0, 0, 1, 1, 1, 1, 1, 1],
        "predicted": [0, 0, 1, 0, 1, 1, 1, 0, 0, 1, 1, 1, 1, 0, 0, 1, 1, 0],
        "SF 0": list("bbabbcccaacabccbcc"),
        "SF 1": [8, 6, 8, 8, 8, 8, 6, 6, 6, 8, 6, 6, 6, 6, 8, 6, 6, 6],
    })  # fmt: skip
    table = slice_summary(data, label="y", score="predicted", slicing=Slicing(["SF 0", "SF 1"], depth=2))
    report = disaggregate(table, minimum_count=1)
    published = {
        ("a", "6"): (0, 0, 2), ("a", "8"): (1, 0.5, 2), ("b", "6"): (2 / 3, 1, 3),
        ("b", "8"): (0.5, 1, 3), ("c", "6"): (0.5, 2 / 3, 6), ("c", "8"): (0, 0, 2),
    }  # fmt: skip
    found = {
        tuple(level for _, level in one.slice): (one.metrics.recall.value, one.metrics.precision.value, one.n)
        for one in report.slices
        if len(one.slice) == 2
    }
    assert report.overall.metrics.recall.value == pytest.approx(0.5)
    assert report.overall.metrics.precision.value == pytest.approx(0.6)
    assert set(found) == set(published)
    for group, (recall, precision, n) in published.items():
        assert found[group][0] == pytest.approx(recall) and found[group][2] == n
        # Nothing predicted positive: scikit-learn says 0 and warns, we say undefined.
        expected = None if (found[group][1] is None and precision == 0) else pytest.approx(precision)
        assert found[group][1] == expected
