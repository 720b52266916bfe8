"""AUC and average precision where scores crowd near 0 or 1, or are few: they are scikit-learn's."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy import special
from sklearn.calibration import CalibratedClassifierCV
from sklearn.datasets import make_classification
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import average_precision_score, roc_auc_score
from sklearn.model_selection import train_test_split
from sklearn.naive_bayes import GaussianNB

from mlflow_eval_plugin.engines.arrow import paired_rows, paired_summary, placement_summary, slice_summary
from mlflow_eval_plugin.engines.slicing import Slicing
from mlflow_eval_plugin.stats.binary.comparison import PairedTable
from mlflow_eval_plugin.stats.binary.disaggregated import metric_bounds
from mlflow_eval_plugin.stats.binary.table import SliceTable
from mlflow_eval_plugin.stats.counts import ranks
from mlflow_eval_plugin.stats.inference.checks import Claim, judge

NEAR = 1e-5


def _agrees(rows: pd.DataFrame, slices: list[str], *, near: float = NEAR) -> SliceTable:
    """Both areas of every slice with rows of both labels."""
    table = SliceTable(slice_summary(rows, label="y", score="s", slicing=Slicing(slices)))
    for i, one in enumerate(table.slices):
        part = rows
        for column, level in one.levels:
            part = part[part[column].astype(str) == level]
        for name, exact in (("auc", roc_auc_score), ("average_precision", average_precision_score)):
            if part.y.nunique() == 2:
                found, expected = table.metric(name), exact(part.y, part.s)
                assert found.value[i] == pytest.approx(expected, abs=near), (one.label, name)
                assert abs(found.value[i] - expected) <= found.bound[i] + 1e-12
    return table


@pytest.fixture(scope="module")
def calibration_example() -> dict[str, pd.DataFrame]:
    # https://scikit-learn.org/1.5/auto_examples/calibration/plot_calibration_curve.html
    x, y = make_classification(n_samples=100_000, n_features=20, n_informative=2, n_redundant=10, random_state=42)
    x, x_test, y, y_test = train_test_split(x, y, test_size=0.99, random_state=42)
    models = {
        "logistic": LogisticRegression(C=1.0),
        "naive bayes": GaussianNB(),
        "isotonic": CalibratedClassifierCV(GaussianNB(), cv=2, method="isotonic"),
        "sigmoid": CalibratedClassifierCV(GaussianNB(), cv=2, method="sigmoid"),
    }
    group = np.random.default_rng(0).integers(0, 4, len(y_test))
    return {
        name: pd.DataFrame({"s": model.fit(x, y).predict_proba(x_test)[:, 1], "y": y_test, "g": group})
        for name, model in models.items()
    }


# As the page prints them.
@pytest.mark.parametrize(
    ("model", "published"),
    [("logistic", 0.937443), ("naive bayes", 0.940374), ("isotonic", 0.938613), ("sigmoid", 0.940201)],
)
def test_the_models_of_scikit_learns_calibration_example(calibration_example, model, published):
    table = _agrees(calibration_example[model], ["g"], near=1e-12)
    found = table.metric("auc")
    assert found.value[0] == pytest.approx(published, abs=1e-4 if model == "isotonic" else 5e-6)
    assert found.bound.max() == 0


@pytest.mark.parametrize("rate", [1e-2, 1e-3, 1e-4, 1e-5, 1e-6])
def test_base_rates_of_fraud_and_default(rate):
    rng = np.random.default_rng(7)
    n = 500_000
    score = special.expit(rng.normal(special.logit(rate) - 1.1, 1.5, n))
    label = (rng.random(n) < score).astype(int)
    label[np.argsort(-score)[[3, 5000]]] = 1  # there are two events at least, whatever the rate
    table = _agrees(pd.DataFrame({"s": score, "y": label, "g": rng.integers(0, 3, n)}), ["g"])
    assert table.metric("auc").bound.max() < 1e-5


def test_two_models_of_rare_events():
    rng = np.random.default_rng(0)
    n = 300_000
    logit = rng.normal(special.logit(1e-4) - 1.1, 1.5, n)
    label = (rng.random(n) < special.expit(logit)).astype(int)
    rows = pd.DataFrame({"y": label, "g": rng.integers(0, 2, n)})
    for name, noise in (("a", 0.6), ("b", 0.3)):
        rows[name] = special.expit(logit + rng.normal(0, noise, n))
    pairs = paired_rows(rows, label="y", champion="a", challenger="b", slicing=Slicing(["g"], depth=1))
    summary = paired_summary(pairs)
    table = PairedTable(summary, placement_summary(pairs, summary))
    for label, part in (("overall", rows), ("g=0", rows[rows.g == 0]), ("g=1", rows[rows.g == 1])):
        at = [one.label for one in table.slices].index(label)
        for name, exact in (("auc", roc_auc_score), ("average_precision", average_precision_score)):
            change = table.change(name)
            assert change.value[at] == pytest.approx(exact(part.y, part.b) - exact(part.y, part.a), abs=1e-12)
            assert change.bound[at] == 0
        # DeLong, DeLong & Clarke-Pearson (1988), by the places of the rows of either label among the other's.
        moved = [_places(part.y, part.b, one) - _places(part.y, part.a, one) for one in (0, 1)]
        variance = sum(one.var(ddof=1) / len(one) for one in moved)
        assert table.change("auc").variance[at] == pytest.approx(variance, rel=1e-4)


def _places(label, score, one):
    other = np.sort(score[label != one])
    mine = score[label == one]
    low, high = (np.searchsorted(other, mine, side=side) for side in ("left", "right"))
    return ((low + high) / 2 / len(other)) if one else 1 - (low + high) / 2 / len(other)


# ProPublica's public table compas-scores-two-years.csv, all 7,214 rows: people by decile score, and how many of them
# were charged again within two years.
PEOPLE = (1440, 941, 747, 769, 681, 641, 592, 512, 508, 383)
CHARGED = (308, 293, 281, 334, 326, 358, 350, 350, 355, 296)


def _deciles(times: int = 1) -> pd.DataFrame:
    score = np.repeat(np.arange(1, 11) / 10, PEOPLE)
    label = np.concatenate([np.arange(n) < one for n, one in zip(PEOPLE, CHARGED, strict=True)]).astype(int)
    rows = pd.DataFrame({"s": score, "y": label, "g": np.arange(len(score)) % 3})
    return pd.concat([rows] * times, ignore_index=True)


def test_the_deciles_of_compas_are_an_exact_table():
    rows = _deciles()
    table = _agrees(rows, ["g"], near=1e-12)
    auc = table.metric("auc")
    assert len(rows) == 7214 and auc.bound.max() == table.metric("average_precision").bound.max() == 0
    assert auc.value[0] == pytest.approx(0.7021663, abs=5e-8)  # .7022 as published
    claim = Claim("a", "", "auc", "overall", metric_bounds(table, "auc"), minimum=0.65)
    assert judge([claim]).checks[0].verdict == "pass"


def test_the_rows_that_would_decide_do_not_grow_with_the_rows_there_are(monkeypatch):
    # However coarse the cells: a score that thousands share is a tie.
    monkeypatch.setattr(ranks, "EXACT_ROWS", 5000)
    needed = []
    for times in (1, 4, 16):
        rows = _deciles(times)
        tolerance = roc_auc_score(rows.y, rows.s) - 5e-4
        table = SliceTable(slice_summary(rows, label="y", score="s", slicing=Slicing(["g"])))
        check = judge([Claim("a", "", "auc", "overall", metric_bounds(table, "auc"), minimum=tolerance)]).checks[0]
        assert check.verdict == "insufficient"
        needed.append(check.n_to_decide)
    assert needed == pytest.approx([needed[0]] * 3, rel=0.02)
