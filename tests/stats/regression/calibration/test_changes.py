"""Changes of a regression's calibration since a reference: by definition, by hand, and by simulation."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from mlflow_eval_plugin.engines.arrow import moment_summary, predicted_rows, prediction_summary
from mlflow_eval_plugin.stats.inference.estimate import estimates
from mlflow_eval_plugin.stats.regression.calibration.changes import MeanSummaries, mean_changes
from mlflow_eval_plugin.stats.regression.calibration.report import mean_quantity
from mlflow_eval_plugin.stats.regression.metrics import Moments


def _rows(n, seed, bias=0.0, noise=1.0):
    rng = np.random.default_rng(seed)
    p = rng.normal(50, 10, n)
    return pd.DataFrame({"p": p, "y": p - bias + noise * rng.normal(size=n), "low": p - 1.3, "high": p + 1.3})


def _summaries(rows):
    known = predicted_rows(
        rows, target="y", prediction="p", quantiles={0.1: "low", 0.9: "high"},
        intervals=[("80 %", 0.8, rows.low, rows.high)],
    )  # fmt: skip
    return MeanSummaries(moment_summary(rows, known), prediction_summary(known))


def _quantity(summaries, name, bins=15):
    return mean_quantity(summaries.moments, summaries.predictions, name, bins=bins)


def test_every_change_is_current_less_reference():
    now, before = _summaries(_rows(900, 0, bias=0.4, noise=1.5)), _summaries(_rows(700, 1))
    found = mean_changes(now, before, bins=10)
    assert tuple(found) == (
        "mae", "rmse", "bias", "r2", "mean_error", "slope", "coverage_0.1", "coverage_0.9", "coverage_80 %",
    )  # fmt: skip
    for name, change in found.items():
        if name.startswith("coverage_"):
            both = [Moments(one.moments).quantity(name).value[0] for one in (now, before)]
        else:
            both = [_quantity(one, name, 10).value[0] for one in (now, before)]
        assert change.value == pytest.approx([both[0] - both[1]], rel=1e-12), name
    default = mean_changes(now, before)["mean_error"].value[0]
    assert default == pytest.approx(_quantity(now, "mean_error").value[0] - _quantity(before, "mean_error").value[0])


def test_limits_recover_the_variances_of_both_and_those_of_a_norm_hold_together():
    both = _summaries(_rows(900, 0, bias=0.4)), _summaries(_rows(700, 1))
    found = mean_changes(*both)
    for name in ("mae", "rmse", "bias", "slope"):
        first, second = (_quantity(one, name) for one in both)
        (low, high), (low_2, high_2) = (one.limits(0.025, exact=False) for one in (first, second))
        change = first.value - second.value
        lower, upper = found[name].limits(0.025, exact=False)
        assert lower == pytest.approx(change - np.hypot(first.value - low, high_2 - second.value)), name
        assert upper == pytest.approx(change + np.hypot(high - first.value, second.value - low_2)), name
    first, second = (_quantity(one, "mean_error") for one in both)
    (low, high), (low_2, high_2) = (one.limits(0.0125, exact=True) for one in (first, second))
    lower, upper = found["mean_error"].limits(0.025, exact=True)
    assert (lower, upper) == (pytest.approx(low - high_2), pytest.approx(high - low_2))


def test_intervals_of_changes_cover_where_nothing_changed():
    covered = dict.fromkeys(mean_changes(_summaries(_rows(50, 0)), _summaries(_rows(50, 1))), 0)
    runs = 300
    for seed in range(runs):
        found = mean_changes(_summaries(_rows(150, 2 * seed)), _summaries(_rows(100, 2 * seed + 1)))
        for name, change in found.items():
            low, high = estimates(change)[0].interval
            covered[name] += low <= 0 <= high
    for name, count in covered.items():
        assert count / runs >= 0.94 - 3 * np.sqrt(0.94 * 0.06 / runs), (name, count / runs)
