"""Limits widen as their error falls, whatever they are made of: the p-value of a Check rests on it."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from mlflow_eval_plugin.engines.arrow import moment_summary, predicted_rows, score_summary, slice_summary
from mlflow_eval_plugin.engines.slicing import Slicing
from mlflow_eval_plugin.stats.binary.calibration.changes import CHANGES, bounds_of_change_since
from mlflow_eval_plugin.stats.binary.calibration.report import CALIBRATION_METRICS, calibration_quantity
from mlflow_eval_plugin.stats.binary.metrics import METRICS
from mlflow_eval_plugin.stats.binary.table import SliceTable
from mlflow_eval_plugin.stats.regression.metrics import RegressionTable
from mlflow_eval_plugin.stats.slices.fairness import FAIRNESS, fairness
from mlflow_eval_plugin.stats.slices.gaps import VERSUS, gap

LEVELS = np.geomspace(1e-12, 0.499, 40)


def widen(quantity, what):
    lower, upper = (np.array(ends) for ends in zip(*(quantity.limits(a, exact=True) for a in LEVELS), strict=True))
    for ends, sign in ((lower, 1.0), (upper, -1.0)):
        finite = np.nan_to_num(sign * ends[:, ~np.isnan(ends).any(axis=0)], posinf=1e300, neginf=-1e300)
        scale = np.maximum(np.abs(finite[:-1]), 1e-12)
        assert (np.diff(finite, axis=0) >= -1e-7 * scale).all(), what


def rows(seed, n):
    rng = np.random.default_rng(seed)
    score = np.round(rng.beta(0.5, 0.7, n), 3)
    label = (rng.random(n) < score).astype(int)
    label[:2] = [0, 1]
    return pd.DataFrame({"y": label, "s": score, "g": rng.integers(0, 4, n), "w": rng.random(n) + 0.1})


@pytest.mark.parametrize(("seed", "n", "weight"), [(0, 60, None), (1, 400, "w"), (2, 3000, None)])
def test_metrics_gaps_and_fairness_of_slices(seed, n, weight):
    table = SliceTable(slice_summary(rows(seed, n), label="y", score="s", slicing=Slicing(["g"]), weight=weight))
    for metric in METRICS:
        widen(table.metric(metric), metric)
        for versus in VERSUS:
            for kind in ("difference",) if metric == "calibration_in_the_large" else ("difference", "ratio"):
                widen(gap(table, metric, versus, kind, minimum_count=10), (metric, versus, kind))
    for name in FAIRNESS:
        widen(fairness(table, "g", name, minimum_count=10), name)


@pytest.mark.parametrize(("seed", "n"), [(0, 60), (1, 2000)])
def test_calibration_and_its_changes(seed, n):
    summaries = [score_summary(rows(seed + i, n), label="y", score="s") for i in (0, 10)]
    for metric in CALIBRATION_METRICS:
        widen(calibration_quantity(summaries[0], metric), metric)
    for metric in CHANGES:
        widen(bounds_of_change_since(*summaries, metric).quantity, metric)


@pytest.mark.parametrize(("seed", "n"), [(0, 25), (1, 500)])
def test_errors_of_a_regression(seed, n):
    rng = np.random.default_rng(seed)
    y = rng.lognormal(0, 1, n)
    data = pd.DataFrame({"y": y, "p": y + rng.standard_t(3, n), "g": rng.integers(0, 3, n)})
    table = RegressionTable(
        moment_summary(data, predicted_rows(data, target="y", prediction="p"), slicing=Slicing(["g"], depth=1))
    )
    for metric in ("mae", "rmse", "bias", "r2"):
        widen(table.metric(metric), metric)
        for versus in ("complement", "overall"):
            widen(gap(table, metric, versus, "difference", minimum_count=5), (metric, versus))
