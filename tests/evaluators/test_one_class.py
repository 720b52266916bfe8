"""A window in which nothing happened, or everything did: what is defined is judged, the rest is insufficient."""

from __future__ import annotations

from typing import Any

import mlflow
import numpy as np
import pandas as pd
import pytest
from scipy.special import expit
from scipy.stats import beta
from sklearn.metrics import brier_score_loss, log_loss, mean_absolute_error
from support.evaluating import World, refused

N = 5_000
BOTH_NEEDED = ("auc", "balanced_accuracy", "calibration_slope")
STATIC: dict[str, Any] = {"model": None, "targets": "y", "predictions": "p"}


@pytest.fixture(scope="module")
def scores() -> pd.DataFrame:
    rng = np.random.default_rng(15)
    x = rng.normal(size=N)
    p = expit(x - 4.5)
    return pd.DataFrame({"x": x, "group": np.where(rng.random(N) < 0.5, "a", "b"), "p": p, "q": np.minimum(p * 1.1, 1)})


def judged(world: World, data: pd.DataFrame, config: dict[str, Any], **given: Any) -> dict[str, Any]:
    """The documents of a call, and its checks by kind and id."""
    run, _ = world.evaluate(data, evaluators=list(config), evaluator_config=config, **{**STATIC, **given})
    uri = f"runs:/{run.info.run_id}"
    documents = {kind: mlflow.artifacts.load_dict(f"{uri}/evidence/{kind}.json") for kind in config}
    checks = {kind: {one["id"]: one for one in found["checks"]} for kind, found in documents.items()}
    return {"documents": documents, **checks}


def configs(before: pd.DataFrame) -> dict[str, Any]:
    limits = {"accuracy": 0.9, "auc": 0.6, "recall": 0.3, "balanced_accuracy": 0.5}
    return {
        "calibration": {"slices": ["group"], "reference": before, "min_calibration_slope": 0.8, "max_brier": 0.1,
                        "max_log_loss": 0.2, "max_change": {"brier": 0.1, "calibration_slope": 0.5}},
        "disaggregated": {"slices": ["group"], "max_gap": {"fpr": 0.1, "fnr": 0.1}, "min_metric": limits,
                          "max_metric": {"fpr": 0.1}, "search": True},
        "drift": {"reference": before},
        "comparison": {"champion": "q", "slices": ["group"],
                       "non_inferiority": {"accuracy": 0.01, "brier": 0.01, "auc": 0.01, "recall": 0.01}},
    }  # fmt: skip


@pytest.mark.parametrize("label", [0, False, -1, 0.0, "no"])
def test_five_thousand_scores_and_no_event(world: World, scores: pd.DataFrame, label: Any) -> None:
    before = scores.assign(y=(np.random.default_rng(0).random(N) < scores.p).astype(int))
    if label == "no":
        before["y"] = before.y.map({0: "no", 1: "yes"})
    config = configs(before)
    if label == "no":
        config = {kind: {**one, "pos_label": "yes"} for kind, one in config.items()}
    found = judged(world, scores.assign(y=label), config)
    metrics = found["documents"]["calibration"]["measurements"]["metrics"]
    zeros = np.zeros(N)
    assert metrics["brier"]["value"] == pytest.approx(brier_score_loss(zeros, scores.p), abs=1e-9)
    assert metrics["log_loss"]["value"] == pytest.approx(log_loss(zeros, scores.p, labels=[0, 1]), abs=1e-9)
    assert metrics["calibration_in_the_large"]["value"] == pytest.approx(scores.p.mean())
    calibration, slices = found["calibration"], found["disaggregated"]
    assert {calibration[f"{one}:overall"]["verdict"] for one in ("brier", "log_loss", "change:brier")} == {"pass"}
    assert calibration["calibration_in_the_large:overall"]["verdict"] == "pass"  # 1.7 % of 5 % are allowed
    slope = calibration["calibration_slope:overall"]
    assert slope["verdict"] == "insufficient" and "a class is absent" in slope["reason"]
    assert calibration["change:calibration_slope:overall"]["verdict"] == "insufficient"
    # The false positive rate is one minus the accuracy, each with its binomial limits.
    accuracy, rate = slices["min:accuracy:overall"], slices["max:fpr:overall"]
    wrong = int((scores.p >= 0.5).sum())
    assert rate["value"] == pytest.approx(1 - accuracy["value"]) == wrong / N
    assert rate["verdict"] == accuracy["verdict"] == "pass" and rate["interval"][1] > beta.ppf(0.95, wrong + 1, N)
    assert slices["gap:fpr:complement:group=a"]["verdict"] == "pass"
    for one in ("min:auc:overall", "min:recall:overall", "min:balanced_accuracy:group=b", "gap:fnr:complement:group=a"):
        assert slices[one]["verdict"] == "insufficient" and "is undefined for" in slices[one]["reason"]
    assert "no row has the positive label" in slices["gap:fnr:complement:group=a"]["reason"]
    compared = found["comparison"]
    assert compared["non_inferiority:accuracy:overall"]["verdict"] == "pass"
    assert compared["non_inferiority:brier:overall"]["verdict"] == "pass"
    assert {compared[f"non_inferiority:{one}:overall"]["verdict"] for one in ("auc", "recall")} == {"insufficient"}
    assert "AUC needs rows of both classes" in compared["non_inferiority:auc:overall"]["reason"]
    drift = {check["verdict"] for check in found["drift"].values() if check["scope"] in ("p", "x", "group", "q")}
    assert drift == {"pass"}


@pytest.mark.parametrize("label", [1, True, 1.0])
def test_nothing_but_events(world: World, scores: pd.DataFrame, label: Any) -> None:
    config = {
        "calibration": {"max_brier": 0.1},
        "disaggregated": {"slices": ["group"], "min_metric": {"recall": 0.3}, "max_metric": {"fpr": 0.1}},
    }
    found = judged(world, scores.assign(y=label, p=1 - scores.p), config)
    brier = found["calibration"]["brier:overall"]
    assert brier["verdict"] == "pass" and brier["value"] == pytest.approx((scores.p**2).mean(), abs=1e-9)
    assert found["disaggregated"]["min:recall:overall"]["verdict"] == "pass"
    assert found["disaggregated"]["max:fpr:overall"]["verdict"] == "insufficient"


def test_a_reference_without_events(world: World, scores: pd.DataFrame) -> None:
    now = scores.assign(y=(np.random.default_rng(0).random(N) < scores.p).astype(int))
    config = {"reference": scores.assign(y=0), "max_change": {"brier": 0.1, "calibration_slope": 0.5}}
    found = judged(world, now, {"calibration": config})["calibration"]
    assert found["change:brier:overall"]["verdict"] == "pass"
    assert found["change:calibration_slope:overall"]["verdict"] == "insufficient"


def test_predicted_classes_without_events(world: World, scores: pd.DataFrame) -> None:
    data = scores.assign(y=0, p=(scores.p > 0.1).astype(int), q=(scores.q > 0.1).astype(int))
    config = {"disaggregated": {"slices": ["group"]}, "comparison": {"champion": "q"}}
    found = judged(world, data, config)
    assert found["disaggregated"]["gap:fpr:complement:group=a"]["verdict"] == "pass"
    assert found["disaggregated"]["gap:fnr:complement:group=a"]["verdict"] == "insufficient"
    assert found["comparison"]["non_inferiority:accuracy:overall"]["verdict"] == "pass"


def test_text_that_says_no_class_is_still_asked_for(world: World, scores: pd.DataFrame) -> None:
    given: dict[str, Any] = {**STATIC, "evaluators": "calibration"}
    words = scores.assign(y="no")
    assert "say with pos_label which one is positive" in refused(world, words, evaluator_config={"bins": 15}, **given)
    listed = {"label_list": ["non", "oui"], "bins": 15}
    assert "label_list: it lacks 'no', which the labels have" in refused(world, words, evaluator_config=listed, **given)


def test_one_class_of_several(world: World, scores: pd.DataFrame) -> None:
    """All rows are cats: what dogs and emus are taken for cannot be known, the rest can."""
    rng = np.random.default_rng(3)
    names = {"cat": "p_cat", "dog": "p_dog", "emu": "p_emu"}
    shares = pd.DataFrame(rng.dirichlet([6, 1, 1], N), columns=list(names.values()))
    data = pd.concat([scores[["x", "group"]], shares], axis=1).assign(y="cat", guess=rng.choice(list(names), N))
    before = data.assign(y=rng.choice(list(names), N))
    limits = {"accuracy": 0.7, "recall[cat]": 0.7, "recall[dog]": 0.1, "auc": 0.1}
    config = {
        "calibration": {"reference": before, "max_brier": 0.5, "max_change": {"brier": 0.1}, "slices": ["group"]},
        "disaggregated": {"slices": ["group"], "min_metric": limits, "max_metric": {"fpr[dog]": 0.2}},
        "drift": {"reference": before},
        "comparison": {"champion": "guess", "non_inferiority": {"accuracy": 0.01, "recall[dog]": 0.1}},
    }
    config = {kind: {**one, "probability_columns": names} for kind, one in config.items()}
    found = judged(world, data, config, predictions=None)
    exact = ((1 - shares.p_cat) ** 2 + shares.p_dog**2 + shares.p_emu**2).mean()
    assert found["calibration"]["brier:overall"]["value"] == pytest.approx(exact, abs=1e-9)
    assert found["calibration"]["brier:overall"]["verdict"] == "pass"
    slices = found["disaggregated"]
    for one in ("min:accuracy:overall", "min:recall[cat]:overall", "max:fpr[dog]:group=a"):
        assert slices[one]["verdict"] == "pass", one
    for one in ("min:recall[dog]:overall", "min:auc:overall", "min:recall[dog]:group=b"):
        assert slices[one]["verdict"] == "insufficient" and "is undefined for" in slices[one]["reason"]
    assert found["comparison"]["non_inferiority:accuracy:overall"]["verdict"] == "pass"
    assert found["comparison"]["non_inferiority:recall[dog]:overall"]["verdict"] == "insufficient"
    assert {check["verdict"] for check in found["drift"].values() if check["scope"] == "x"} == {"pass"}


def test_one_class_of_several_in_predicted_classes(world: World, scores: pd.DataFrame) -> None:
    data = scores.assign(y="cat", p=np.random.default_rng(3).choice(["cat", "dog", "emu"], N, p=[0.9, 0.05, 0.05]))
    config = {"disaggregated": {"slices": ["group"], "min_metric": {"accuracy": 0.8, "recall[dog]": 0.1}}}
    found = judged(world, data, config)["disaggregated"]
    accuracy = found["min:accuracy:overall"]
    assert accuracy["verdict"] == "pass" and accuracy["value"] == pytest.approx((data.p == "cat").mean())
    assert found["min:recall[dog]:overall"]["verdict"] == "insufficient"


def test_a_constant_target(world: World, scores: pd.DataFrame) -> None:
    data = scores.assign(y=3.0, p=3 + scores.x / 10, q=3 + scores.x / 5)
    before = data.assign(y=data.p + np.random.default_rng(2).normal(size=N) / 10)
    config = {
        "calibration": {"max_bias": 0.1, "max_rmse": 0.2, "slices": ["group"], "reference": before,
                        "max_change": {"mae": 0.1, "r2": 0.1}},
        "disaggregated": {"slices": ["group"], "max_metric": {"mae": 0.2}, "min_metric": {"r2": 0.1}},
        "drift": {"reference": before},
        "comparison": {"champion": "q", "slices": ["group"], "non_inferiority": {"mae": 0.01, "r2": 0.01}},
    }  # fmt: skip
    found = judged(world, data, config, model_type="regressor")
    calibration, slices, compared = found["calibration"], found["disaggregated"], found["comparison"]
    assert {calibration[f"{one}:overall"]["verdict"] for one in ("bias", "rmse", "change:mae")} == {"pass"}
    error = slices["max:mae:overall"]
    assert error["verdict"] == "pass" and error["value"] == pytest.approx(mean_absolute_error(data.y, data.p))
    assert slices["max_ratio:mae:complement:group=a"]["verdict"] == "pass"
    assert compared["non_inferiority:mae:overall"]["verdict"] == "pass"
    undefined = [calibration["bias_sigma:overall"], slices["min:r2:overall"], compared["non_inferiority:r2:group=a"]]
    for one in undefined:
        assert one["verdict"] == "insufficient" and "the target is the same in all rows" in one["reason"]
    assert calibration["change:r2:overall"]["verdict"] == "insufficient"
    assert {check["verdict"] for check in found["drift"].values() if check["scope"] == "x"} == {"pass"}
