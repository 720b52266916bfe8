"""Every tolerance key of every evaluator and task: None sets none, and what no metric can be is refused."""

from __future__ import annotations

from typing import Any

import mlflow
import numpy as np
import pandas as pd
import pytest
from support.evaluating import World, refused
from support.zoo import Zoo

from mlflow_eval_plugin.evaluators.config import regression as regression_config
from mlflow_eval_plugin.evaluators.config.base import ConfigError
from mlflow_eval_plugin.evaluators.config.keys import CONFIGS, parse

TASKS = {"classifier": CONFIGS, "regressor": regression_config.CONFIGS}
NEEDED: dict[str, dict[str, Any]] = {
    "calibration": {"reference": "given", "slices": ["g"]},
    "disaggregated": {"slices": ["g"], "latency_column": "ms", "cost_column": "eur"},
    "drift": {"reference": "given"},
    "comparison": {"champion": "q", "slices": ["g"]},
}
OF_A_KEY: dict[str, dict[str, Any]] = {"max_slice_change": {"reference": "given"}}
MARGINS = ("non_inferiority", "superiority", "slice_non_inferiority")
# A metric of each key that maps metrics to tolerances, by task.
METRIC = {
    "classifier": {"max_change": "brier", "max_gap": "fnr", "min_ratio": "recall", "min_metric": "auc",
                   "max_metric": "fpr", "max_fairness": "equalized_odds_difference",
                   "min_fairness": "demographic_parity_ratio", "max_latency": "p95", "max_slice_change": "recall",
                   **dict.fromkeys(MARGINS, "auc")},
    "regressor": {"max_change": "mae", "max_gap": "mae", "min_ratio": "mae", "max_ratio": "mae", "min_metric": "r2",
                  "max_metric": "mae", "max_latency": "p95", "max_slice_change": "mae",
                  **dict.fromkeys(MARGINS, "mae")},
}  # fmt: skip
NO_TOLERANCES = ("min_count", "max_levels")


def tolerance_keys() -> list[tuple[str, str, str]]:
    return [
        (task, kind, key)
        for task, configs in TASKS.items()
        for kind, config in configs.items()
        for key in config.model_fields
        if (key.startswith(("max_", "min_")) and key not in NO_TOLERANCES) or key in MARGINS
    ]


@pytest.mark.parametrize(("task", "kind", "key"), tolerance_keys())
def test_none_sets_no_tolerance(task: str, kind: str, key: str) -> None:
    configs = TASKS[task]
    needed = {**NEEDED[kind], **OF_A_KEY.get(key, {})}
    found = getattr(parse(kind, {**needed, key: None}, configs=configs), key)
    metric = METRIC[task].get(key)
    assert found == ({} if metric else None)
    if metric:
        assert getattr(parse(kind, {**needed, key: {metric: None}}, configs=configs), key) == {}
        one = parse(kind, {**needed, key: {metric: 0.25}}, configs=configs)
        assert getattr(one, key) == {metric: 0.25}


def test_there_are_no_further_kinds_of_keys() -> None:
    assert {key for _, _, key in tolerance_keys()} == {
        "max_ece", "max_calibration_in_the_large", "max_brier", "max_log_loss", "min_calibration_slope",
        "max_calibration_slope", "max_change", "max_slice_change",
        "max_latency", "max_cost_per_1000", "max_gap", "min_ratio", "min_metric",
        "max_metric", "max_fairness", "min_fairness", "max_cost", "max_psi", "max_ks", "max_js", "max_shift_sigma",
        "max_new_share", "max_infinite_change", "max_sentinel_change", "max_new_categories", "max_vanished_categories",
        "max_lost_variety", "max_unit_change", "max_out_of_range", "max_duplicate_keys",
        "max_two_sample_auc", "max_mean_shift", "max_reconstruction_change",
        "max_missing_change", *MARGINS, "max_bias_sigma", "max_bias", "max_mean_error", "max_rmse", "max_mae",
        "max_coverage_error", "max_ratio",
    }  # fmt: skip


def test_checks_of_none_are_none(world: World) -> None:
    """A whole call: nothing is judged where nothing is asked."""
    rng = np.random.default_rng(0)
    data = pd.DataFrame({"g": ["a", "b"] * 500, "p": rng.random(1000)})
    data["y"], data["q"] = (rng.random(1000) < data.p).astype(int), data.p
    quiet: dict[str, dict[str, Any]] = {
        kind: {**{key: value for key, value in NEEDED[kind].items() if not key.endswith("_column")},
               **{key: None for task, one, key in tolerance_keys() if (task, one) == ("classifier", kind)}}
        for kind in CONFIGS
    }  # fmt: skip
    for kind in ("calibration", "drift"):
        quiet[kind]["reference"] = data
    run, _ = world.evaluate(
        data, model=None, targets="y", predictions="p", evaluators=list(quiet), evaluator_config=quiet
    )
    for kind in quiet:
        found = mlflow.artifacts.load_dict(f"runs:/{run.info.run_id}/evidence/{kind}.json")
        assert [check["id"] for check in found["checks"] if not check["id"].startswith("schema_changes")] == [], kind


REFUSED = [
    ("classifier", "calibration", {"max_ece": 5}, "'max_ece': ece is never above 1, so that 5 judges nothing"),
    ("classifier", "calibration", {"max_calibration_in_the_large": 1.5}, "'max_calibration_in_the_large'"),
    ("classifier", "calibration", {"max_brier": 2.5}, "'max_brier': brier is never above 2"),
    ("classifier", "calibration", {"max_change": {"ece_equal_mass": 3}}, "two values of ece_equal_mass are at most 1"),
    ("classifier", "calibration", {"max_change": {"calibration_in_the_large": 3}}, "are at most 2 apart"),
    ("classifier", "disaggregated", {"max_gap": {"fpr": 10}}, "'max_gap' of 'fpr': two values of fpr are at most 1"),
    ("classifier", "disaggregated", {"max_gap": {"recall[cat]": 10}}, "'max_gap' of 'recall[cat]'"),
    ("classifier", "disaggregated", {"min_metric": {"auc": 75}}, "'min_metric' of 'auc': auc is never above 1"),
    ("classifier", "disaggregated", {"min_metric": {"auc": -0.1}}, "auc is never below 0"),
    ("classifier", "disaggregated", {"max_metric": {"log_loss": -1}}, "log_loss is never below 0"),
    ("classifier", "disaggregated", {"max_fairness": {"equalized_odds_difference": 20}}, "'max_fairness' of"),
    ("classifier", "disaggregated", {"min_fairness": {"demographic_parity_ratio": 80}}, "'min_fairness' of"),
    ("classifier", "drift", {"max_ks": 2}, "'max_ks': ks is never above 1"),
    ("classifier", "drift", {"max_js": 2}, "'max_js': js is never above 1"),
    ("classifier", "drift", {"max_missing_change": 5}, "'max_missing_change': missing_change is never above 1"),
    ("classifier", "comparison", {"non_inferiority": {"accuracy": 2}}, "'non_inferiority' of 'accuracy'"),
    ("classifier", "comparison", {"superiority": {"auc": 1.1}}, "'superiority' of 'auc'"),
    ("classifier", "comparison", {"slice_non_inferiority": {"ece": 2}}, "'slice_non_inferiority' of 'ece'"),
    ("regressor", "calibration", {"max_coverage_error": 5}, "coverage_error is never above 1"),
    ("regressor", "calibration", {"quantiles": {0.1: "q"}, "max_change": {"coverage_0.1": 5}}, "'max_change' of"),
    ("regressor", "disaggregated", {"min_metric": {"r2": 1.5}}, "'min_metric' of 'r2': r2 is never above 1"),
    ("regressor", "disaggregated", {"max_metric": {"mae": -1}}, "'max_metric' of 'mae': mae is never below 0"),
    ("regressor", "disaggregated", {"quantiles": {0.1: "q"}, "max_gap": {"coverage_0.1": 10}}, "'max_gap' of"),
    ("regressor", "drift", {"max_missing_change": 5}, "missing_change is never above 1"),
]


@pytest.mark.parametrize(("task", "kind", "given", "message"), REFUSED)
def test_what_no_metric_can_be_is_refused(task: str, kind: str, given: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse(kind, {**NEEDED[kind], **given}, configs=TASKS[task])
    assert message in str(caught.value) and "None for none" in str(caught.value)


def test_all_of_them_at_once() -> None:
    with pytest.raises(ConfigError, match=r"'max_ece': .*'max_brier': .*'max_change' of 'brier'"):
        parse("calibration", {"reference": "given", "max_ece": 5, "max_brier": 9, "max_change": {"brier": 7}})


def test_the_ends_of_a_range_and_own_metrics_are_admitted() -> None:
    parse("calibration", {"max_ece": 1, "max_brier": 2, "max_log_loss": 30, "max_calibration_slope": 9})
    given = {"metrics": {"score": len}, "row_metrics": {"loss": len}, "slices": ["g"]}
    limits = {"max_gap": {"score": 20, "log_loss": 9}, "min_metric": {"loss": -40}, "max_metric": {"score": 90}}
    parse("disaggregated", {**given, **limits, "min_ratio": {"fpr": 0.0}})
    for kind, config in (("calibration", {"max_rmse": 1e6, "max_bias": 40}), ("drift", {"max_psi": 9})):
        parse(kind, {**NEEDED[kind], **config}, configs=regression_config.CONFIGS)


def test_a_brier_score_of_two_classes_is_never_above_1(world: World, zoo: Zoo) -> None:
    """Of three it may be: which of the two it is shows when the data are read."""
    given: dict[str, Any] = {"evaluators": "calibration", "evaluator_config": {"max_brier": 1.5}}
    assert "calibration: 'max_brier': brier is never above 1" in refused(world, **given)
    zoo.measured(calibration={"max_brier": 1.5})


def test_every_key_that_is_wrong_is_named_at_once() -> None:
    with pytest.raises(ConfigError) as refused:
        parse("calibration", {"max_brier": -1, "max_ece": "high", "bins": 7})
    message = str(refused.value)
    assert message.startswith("calibration: key ") and "calibration: " not in message[1:]
    assert all(f"key {key!r}: " in message for key in ("max_brier", "max_ece", "bins"))


def test_a_refusal_of_keys_together_does_not_show_the_data() -> None:
    reference = pd.DataFrame({"secret": [1.5]})
    with pytest.raises(ConfigError, match="'max_js': js is never above 1") as refused:
        parse("drift", {"reference": reference, "max_js": 2})
    assert "secret" not in str(refused.value) and "found" not in str(refused.value)


def test_everything_that_is_wrong_with_all_configs_is_told_at_once(world: World) -> None:
    config = {
        "calibration": {"max_ece": 5, "bins": 7, "max_bire": 0.1, "max_brier": "0.1", "max_change": {"brier": 3}},
        "disaggregated": {"slices": ["SEX"], "max_gap": {"fpr": 2}, "depht": 2, "gap_verssus": "best"},
        "drift": {"max_js": (0.1, 7), "reference": None},
    }
    message = refused(world, evaluators=list(config), evaluator_config=config)
    for said in (
        "calibration: there is no key 'max_bire'; did you mean", "key 'bins': expected a divisor",
        "'max_ece': ece is never above 1", "'max_change' of 'brier'",
        "disaggregated: there is no key 'depht'; did you mean 'depth'?", "no key 'gap_verssus'",
        "'max_gap' of 'fpr': two values of fpr are at most 1 apart",
        "drift: key 'reference': drift needs 'reference'", "'max_js': js is never above 1",
    ):  # fmt: skip
        assert said in message, said


def test_what_only_the_classes_show_to_be_out_of_range_is_told_of_all_evaluators(world: World) -> None:
    """A Brier score of three classes goes up to 2."""
    config = {
        "calibration": {"max_brier": 1.5},
        "disaggregated": {"slices": ["SEX"], "max_metric": {"brier": 1.6}},
    }
    message = refused(world, evaluators=list(config), evaluator_config=config)
    assert "calibration: 'max_brier': brier is never above 1" in message
    assert "disaggregated: 'max_metric' of 'brier'" in message
