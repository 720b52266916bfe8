"""The names of a regression's metrics, and the intervals that its quantiles make."""

from __future__ import annotations

from mlflow_eval_plugin.stats.regression.names import (
    can_be_best,
    can_be_divided,
    changed_names,
    level_text,
    metric_names,
    pairs_of,
)


def test_quantiles_make_central_intervals_in_pairs():
    assert pairs_of((0.05, 0.1, 0.5, 0.9)) == {"80 %": (0.1, 0.9)}
    assert pairs_of((0.025, 0.05, 0.95, 0.975)) == {"95 %": (0.025, 0.975), "90 %": (0.05, 0.95)}
    assert pairs_of((0.3, 0.4, 0.6)) == {"20 %": (0.4, 0.6)}
    assert pairs_of((0.45, 0.5)) == pairs_of((0.6, 0.9)) == pairs_of((0.5,)) == {}
    assert list(pairs_of((0.1, 0.1 + 0.8))) == ["80 %"]  # 0.9 but for rounding


def test_every_metric_has_a_name():
    assert level_text(0.1) == "0.1" and level_text(1 - 0.9) == "0.1"
    of_all = ("mae", "rmse", "bias", "r2")
    assert metric_names((0.1,), ("80 %",)) == (
        *of_all, "pinball_0.1", "coverage_0.1", "coverage_80 %", "width_80 %", "interval_score_80 %",
    )  # fmt: skip
    assert changed_names((0.1,), ("80 %",)) == (*of_all, "mean_error", "slope", "coverage_0.1", "coverage_80 %")


def test_what_can_be_best_and_what_can_be_divided():
    names = metric_names((0.1,), ("80 %",))
    assert [name for name in names if not can_be_best(name)] == ["bias", "coverage_0.1", "coverage_80 %", "width_80 %"]
    assert [name for name in names if not can_be_divided(name)] == ["bias", "r2"]
