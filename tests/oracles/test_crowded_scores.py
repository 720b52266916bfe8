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

from mlflow_eval_plugin.engines import slice_summary
from mlflow_eval_plugin.stats.gaps import SliceTable

NEAR = 1e-5


def _agrees(rows: pd.DataFrame, slices: list[str], *, near: float = NEAR) -> SliceTable:
    """Both areas of every slice with rows of both labels."""
    table = SliceTable(slice_summary(rows, label="y", score="s", slices=slices))
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
