"""Three or more classes through MLflow: a model, static columns, what is refused, and drift of classes."""

from __future__ import annotations

import json
from typing import Any

import mlflow
import numpy as np
import pandas as pd
import pytest
from sklearn import metrics as sklearn
from sklearn.linear_model import LogisticRegression
from support.evaluating import World, refused
from support.zoo import CLASSES, COLUMNS, Zoo

from mlflow_eval_plugin.engines.arrow import score_summary
from mlflow_eval_plugin.evaluators.config.base import ConfigError
from mlflow_eval_plugin.evaluators.config.keys import parse
from mlflow_eval_plugin.evaluators.document import as_json
from mlflow_eval_plugin.stats.binary.calibration.recalibration import recalibrate


@pytest.fixture(scope="module")
def found(zoo: Zoo) -> dict[str, Any]:
    return zoo.measured(
        calibration={"reference": zoo.train, "max_brier": 0.6, "max_log_loss": 1.0},
        disaggregated={
            "slices": ["x4"],
            "min_metric": {"recall[emu]": 0.3, "auc": 0.5},
            "gap_versus": "overall",
            "max_gap": {"fnr": 0.1, "recall[cat]": 0.2},
        },
        drift={"reference": zoo.train},
    )


def test_calibration_has_the_numbers_of_scikit_learn(zoo: Zoo, found: dict[str, Any]) -> None:
    document = found["calibration"]
    measured, p = document["measurements"], zoo.probability
    onehot = (zoo.rows.y.to_numpy()[:, None] == np.array(CLASSES)).astype(float)
    right = np.array(CLASSES)[p.argmax(axis=1)] == zoo.rows.y
    assert document["task"] == "multiclass" and measured["classes"] == CLASSES and measured["classes_absent"] == []
    assert measured["metrics"]["log_loss"]["value"] == pytest.approx(sklearn.log_loss(zoo.rows.y, p), abs=1e-9)
    assert measured["metrics"]["brier"]["value"] == pytest.approx(((p - onehot) ** 2).sum(axis=1).mean(), abs=1e-9)
    assert measured["metrics"]["accuracy"]["value"] == pytest.approx(right.mean(), abs=1e-12)
    confidence = measured["confidence"]
    assert confidence["mean_score"] == pytest.approx(p.max(axis=1).mean(), abs=1e-9)
    assert confidence["prevalence"] == pytest.approx(right.mean(), abs=1e-12)
    classwise = [measured["classwise"][one]["metrics"]["ece_equal_width"]["value"] for one in CLASSES]
    assert measured["metrics"]["classwise_ece"]["value"] == pytest.approx(np.mean(classwise), abs=1e-12)
    taken = p.argmax(axis=1) == 1
    assert measured["top_label"]["dog"]["n"] == taken.sum()
    assert measured["top_label"]["dog"]["mean_score"] == pytest.approx(p[taken, 1].mean(), abs=1e-9)
    assert measured["reference"]["n"] == 1200 and "confidence" in measured["reference"]


def test_calibration_judges_the_confidence_the_classes_and_the_losses(found: dict[str, Any]) -> None:
    checks = {check["id"]: check for check in found["calibration"]["checks"]}
    assert set(checks) == {
        "ece_equal_mass:confidence", "ece_equal_mass:class=cat", "ece_equal_mass:class=dog", "ece_equal_mass:class=emu",
        "calibration_in_the_large:confidence", "brier:overall", "log_loss:overall",
    }  # fmt: skip
    assert checks["ece_equal_mass:class=dog"]["scope"] == "class=dog"
    assert checks["brier:overall"]["verdict"] == checks["log_loss:overall"]["verdict"] == "pass"
    measured = found["calibration"]["measurements"]
    assert found["metrics"]["calibration_ece"] == measured["confidence"]["metrics"]["ece_equal_mass"]["value"]
    assert found["metrics"]["calibration_brier"] == measured["metrics"]["brier"]["value"]
    assert found["metrics"]["calibration_classwise_ece"] == measured["metrics"]["classwise_ece"]["value"]


def test_slices_have_the_numbers_of_scikit_learn(zoo: Zoo, found: dict[str, Any]) -> None:
    measured = found["disaggregated"]["measurements"]
    predicted = np.array(CLASSES)[zoo.probability.argmax(axis=1)]
    assert measured["confusion"] == sklearn.confusion_matrix(zoo.rows.y, predicted, labels=CLASSES).tolist()
    (one,) = (one for one in measured["slices"] if one["label"] == "x4=1")
    part = (zoo.rows.x4 == 1).to_numpy()
    y, t = zoo.rows.y[part], predicted[part]
    expected = {
        "recall": sklearn.recall_score(y, t, average="macro"),
        "f1": sklearn.f1_score(y, t, average="macro"),
        "log_loss": sklearn.log_loss(y, zoo.probability[part]),
    }
    for metric, number in expected.items():
        assert one["metrics"][metric]["value"] == pytest.approx(number, abs=1e-9)
    recalls = sklearn.recall_score(y, t, average=None, labels=CLASSES)
    assert [one["classes"][c]["metrics"]["recall"]["value"] for c in CLASSES] == pytest.approx(recalls)
    assert one["classes"]["dog"]["labelled"] == (y == "dog").sum()
    ids = {check["id"] for check in found["disaggregated"]["checks"]}
    assert {"gap:fnr:overall:x4=1", "gap:recall[cat]:overall:x4=0", "min:recall[emu]:x4=0", "min:auc:overall"} <= ids
    worst = [name for name in found["metrics"] if name.startswith("disaggregated_worst")]
    assert worst == ["disaggregated_worst_gap_fnr"]  # MLflow takes no brackets in a name
    assert measured["fairness"] == {} and measured["costs"] is None


def test_drift_compares_predicted_classes_and_labels_as_categories(zoo: Zoo, found: dict[str, Any]) -> None:
    columns = {one["role"]: one for one in found["drift"]["measurements"]["columns"][-2:]}
    assert set(columns) == {"prediction", "label"}
    assert {column["kind"] for column in columns.values()} == {"categorical"}
    drawn = columns["prediction"]["histogram"]
    shares = dict(zip(drawn["labels"], drawn["current"], strict=True))
    predicted = np.array(CLASSES)[zoo.probability.argmax(axis=1)]
    assert shares["dog"] == pytest.approx((predicted == "dog").mean())


def test_the_pages_tell_classes_apart(found: dict[str, Any]) -> None:
    page = found["pages"]["calibration"]
    assert "Share of right predictions" in page and "Confidence against right predictions" in page
    assert "Each class against the rest" in page and "top-label" in page and "Classwise ECE" in page
    page = found["pages"]["disaggregated"]
    assert "means over classes" in page and "Labels (rows) and predictions (columns)" in page
    assert "Recall of each class by slice" in page and "Recall of emu" in page


def test_named_slices_are_told(zoo: Zoo) -> None:
    given = {"slices": ["x4"], "queries": {"far": "x0 > 1"}, "max_gap": {"fnr": 0.5}}
    found = zoo.measured(disaggregated=given)
    measured = {one["label"]: one["query"] for one in found["disaggregated"]["measurements"]["slices"]}
    assert measured == {"x4=0": None, "x4=1": None, "far": "x0 > 1"}
    page = found["pages"]["disaggregated"]
    assert "Named slices" in page and "x0 &gt; 1</td>" in page


@pytest.mark.parametrize(
    "key",
    [{"probability_columns": COLUMNS}, {"probability_columns": list(COLUMNS.values())},
     {"probability_columns": ["p_emu", "p_cat", "p_dog"], "label_list": ["emu", "cat", "dog"]}],
    ids=["mapping", "sorted", "label_list"],
)  # fmt: skip
def test_static_columns_say_what_the_model_says(zoo: Zoo, found: dict[str, Any], key: dict[str, Any]) -> None:
    config = {
        "slices": ["x4"], "min_metric": {"recall[emu]": 0.3, "auc": 0.5}, "gap_versus": "overall",
        "max_gap": {"fnr": 0.1, "recall[cat]": 0.2}, **key,
    }  # fmt: skip
    static = zoo.measured(
        zoo.static.assign(t=zoo.rows.y), model=False, predictions="t",
        calibration={**key, "max_brier": 0.6, "max_log_loss": 1.0}, disaggregated=config,
    )  # fmt: skip
    for kind in ("calibration", "disaggregated"):
        without = {"reference": None, "change": None}
        assert {**static[kind]["measurements"], **without} == {**found[kind]["measurements"], **without}
        assert static[kind]["checks"] == found[kind]["checks"]


def test_the_order_of_rows_changes_no_byte(zoo: Zoo, found: dict[str, Any]) -> None:
    mixed, before = (one.sample(frac=1, random_state=0).reset_index(drop=True) for one in (zoo.rows, zoo.train))
    config = {"reference": before, "max_brier": 0.6, "max_log_loss": 1.0}
    again = zoo.measured(mixed, calibration=config)["calibration"]
    assert json.dumps(again["measurements"]) == json.dumps(found["calibration"]["measurements"])
    assert again["data"]["digest"] == found["calibration"]["data"]["digest"]


def test_predicted_classes_without_probabilities(zoo: Zoo) -> None:
    data = zoo.rows.assign(t=np.array(CLASSES)[zoo.probability.argmax(axis=1)])
    before = data.assign(t="cat")
    static = zoo.measured(
        data, model=False, predictions="t", disaggregated={"slices": ["x4"]}, drift={"reference": before}
    )
    overall = static["disaggregated"]["measurements"]["overall"]
    assert overall["metrics"]["f1"]["value"] == pytest.approx(sklearn.f1_score(data.y, data.t, average="macro"))
    assert overall["metrics"]["auc"] == {
        "value": None, "interval": None, "bound": 0, "reason": "predictions are classes, not probabilities",
    }  # fmt: skip
    assert "js:t" in {check["id"] for check in static["drift"]["checks"] if check["verdict"] == "fail"}
    message = refuse(zoo, data, model=None, predictions="t", calibration={})
    assert "calibration: there are no probabilities" in message


def test_a_class_that_the_data_lack_is_named(zoo: Zoo) -> None:
    some = zoo.rows[zoo.rows.y != "emu"].reset_index(drop=True)
    found = zoo.measured(some, calibration={}, disaggregated={"slices": ["x4"]})
    for kind in ("calibration", "disaggregated"):
        assert found[kind]["measurements"]["classes_absent"] == ["emu"]
    assert "no row is of emu" in found["pages"]["calibration"]
    recall = found["disaggregated"]["measurements"]["overall"]["classes"]["emu"]["metrics"]["recall"]
    assert recall["value"] is None and recall["reason"] == "no row is of this class"


class Python(mlflow.pyfunc.PythonModel):  # type: ignore[misc]
    """A model without classes: what it answers is told by a column."""

    def predict(self, context: Any, model_input: Any, params: Any = None) -> Any:
        x = model_input["x"].to_numpy()
        found = np.stack([x, (1 - x) / 2, (1 - x) / 2], axis=1)
        return found if model_input["as"].iloc[0] == 0 else pd.DataFrame(found, columns=["1", "2", "3"])


def test_probabilities_of_a_plain_function_are_in_the_order_of_the_classes(zoo: Zoo, world: World) -> None:
    uri = mlflow.pyfunc.log_model(python_model=Python(), name="plain", pip_requirements=["mlflow"]).model_uri
    x = np.random.default_rng(0).random(300)
    rows = pd.DataFrame({"x": x, "as": 0.0, "y": np.where(x > 0.5, 1, np.arange(300) % 2 + 2)})
    plain = Zoo(world, uri, rows, rows, None)
    array = plain.measured(rows, calibration={})["calibration"]
    named = plain.measured(rows.assign(**{"as": 1.0}), calibration={})["calibration"]
    assert array["measurements"] == named["measurements"]
    assert array["measurements"]["classes"] == ["1", "2", "3"]
    given = {"calibration": {"label_list": [3, 2, 1]}}
    assert plain.measured(rows, **given)["calibration"]["measurements"] != array["measurements"]
    message = refuse(plain, rows.assign(y=rows.y + 10 * (rows.index == 0)), calibration={})
    assert "3 columns of probabilities without names, and 4 classes" in message


def refuse(zoo: Zoo, data: pd.DataFrame | None = None, **given: Any) -> str:
    config = {kind: value for kind, value in given.items() if kind in ("calibration", "disaggregated", "drift")}
    further = {key: value for key, value in given.items() if key not in config}
    arguments = {"model": zoo.uri, "targets": "y", "evaluators": list(config), "evaluator_config": config, **further}
    return refused(zoo.world, zoo.rows if data is None else data, **arguments)


CONFIGS = [
    ({"calibration": {"probability_column": "p"}}, "one column cannot hold the probabilities of three or more classes"),
    ({"calibration": {"pos_label": "cat"}}, "expected two classes, found 3"),
    ({"calibration": {"label_list": ["cat", "dog"]}}, "expected two classes, found 3"),
    ({"calibration": {"label_list": CLASSES, "pos_label": "cat"}}, "'pos_label' is for two classes"),
    ({"calibration": {"label_list": ["cat", "dog", "yak"]}}, "label_list: it has 'cat', 'dog', 'yak', and not 'emu'"),
    ({"disaggregated": {"max_fairness": {"equalized_odds_difference": 0.1}}}, "max_fairness is for two classes"),
    (
        {"disaggregated": {"costs": {"fp": 1, "fn": 5}}},
        "give those of every class taken for another, {'cat': {'dog': 1, …}, …}",
    ),
    ({"disaggregated": {"costs": {"cat": {"cow": 1}}}}, "costs: there is no class 'cow'; the classes are 'cat', 'dog'"),
    ({"disaggregated": {"costs": {"cat": {"dog": 1}}}}, "costs: there is no cost of 'cat' taken for 'emu'"),
    ({"disaggregated": {"costs": {"cat": {"dog": -1}}}}, "'cat' taken for 'dog' is -1.0; expected a finite number"),
    ({"disaggregated": {"costs": {"cat": {"dog": "much"}}}}, "'cat' taken for 'dog': expected a number, found str"),
    ({"disaggregated": {"costs": {"cat": {"cat": 2, "dog": 1}}}}, "is 1, less than the 2 of being right"),
    ({"disaggregated": {"costs": {"cat": {"dog": 1}, "1": {"2": 1}, 1: {2.0: 3}}}}, "two costs of '1' taken for '2'"),
    ({"disaggregated": {"costs": [[0, 1], [5, 0]]}}, "for three or more classes of each taken for another"),
    ({"disaggregated": {"costs": {"cat": {"dog": 0}}}}, "no mistake costs more than being right"),
    ({"disaggregated": {"max_cost": 1}}, "'max_cost' needs 'costs'"),
    ({"disaggregated": {"threshold": 0.3}}, "threshold is for two classes"),
    ({"disaggregated": {"search": {"error": "squared_error"}}}, "the error 'squared_error' is not one of this model's"),
    ({"disaggregated": {"metrics": {"mine": len}}}, "metrics: 'mine' failed on slice 'overall': TypeError"),
    ({"disaggregated": {"metrics": {"recall": len}}}, "there is a metric 'recall' already"),
    ({"calibration": {"slices": ["g"]}}, "slices: no column 'g'"),
    ({"calibration": {"max_change": {"brier": 0.1}}}, "'max_change' needs 'reference'"),
    ({"calibration": {"queries": {"confidence": "x0 > 1"}}}, "queries: with three or more classes 'confidence' is the"),
    ({"disaggregated": {"max_gap": {"recall[cow]": 0.1}}}, "the classes are 'cat', 'dog', 'emu'"),
    ({"disaggregated": {"max_gap": {"selection_rate": 0.1}}}, "as in 'selection_rate[cat]'"),
    (
        {"disaggregated": {"max_gap": {"average_precision": 0.1}}},
        "max_gap names 'average_precision', which is for two classes; leave it out",
    ),
    ({"disaggregated": {"max_gap": {"brier[cat]": 0.1}}}, "there is no metric of one class 'brier'"),
]


@pytest.mark.parametrize(("given", "message"), CONFIGS, ids=[message for _, message in CONFIGS])
def test_keys_that_mean_nothing_for_three_classes(zoo: Zoo, given: dict[str, Any], message: str) -> None:
    (kind,) = given
    slices = {"slices": ["x4"]} if kind == "disaggregated" else {}
    assert message in refuse(zoo, **{kind: {**slices, **given[kind]}})


@pytest.mark.parametrize(
    ("change", "message"),
    [(1.5, "1 row is (first at row 5) outside [0, 1]"), (np.nan, "1 row is (first at row 5) missing"),
     (0.0, "1 row is (first at row 5) not summing to 1")],
)  # fmt: skip
def test_probabilities_that_are_none(zoo: Zoo, change: float, message: str) -> None:
    data = zoo.static.assign(t=zoo.rows.y)
    data.loc[5, "p_emu"] = change
    config = {"probability_columns": COLUMNS}
    assert message in refuse(zoo, data, model=None, predictions="t", calibration=config)


def test_classes_and_columns_that_do_not_fit(zoo: Zoo) -> None:
    strange = zoo.rows.assign(y=zoo.rows.y.where(zoo.rows.index > 3, "yak").where(zoo.rows.index != 0, "cow"))
    message = refuse(zoo, strange, calibration={})
    assert "the probabilities are of 'cat', 'dog', 'emu', and not 'cow', 'yak', which there is too" in message
    static = {"model": None, "predictions": "t"}
    data = zoo.static.assign(t=zoo.rows.y)
    wrong = {"probability_columns": {**COLUMNS, "emu": "p_em"}}
    assert "no column 'p_em', did you mean 'p_emu'" in refuse(zoo, data, **static, calibration=wrong)
    assert "one column of numbers that are not whole" in refuse(
        zoo, data.assign(t=0.4), **static, disaggregated={"slices": ["x4"]}
    )
    late = zoo.rows.assign(y=zoo.rows.y.where(zoo.rows.index != 7, None))
    assert "label: 1 row is (first at row 7) missing" in refuse(zoo, late, calibration={})
    many = zoo.rows.assign(y=np.arange(len(zoo.rows)) % 60, t=0)
    assert "at most 50 classes, found 60" in refuse(zoo, many, **static, disaggregated={"slices": ["x4"]})
    ranked = {"slices": ["g"], "slice_data": {"g": np.arange(1200)}, "max_levels": 1000, "max_gap": {"auc": 0.1}}
    assert "1,200 levels" in refuse(zoo, disaggregated=ranked)
    ranked = {**ranked, "slice_data": {"g": np.arange(1200) % 800}}
    assert "needs at most 2,048 possible slices times classes" in refuse(zoo, disaggregated=ranked)
    best = {"slices": ["g"], "slice_data": {"g": np.arange(1200) % 999}, "max_levels": 1000, "gap_versus": "best"}
    p = {f"p{i}": np.full(1200, 0.2) for i in range(5)}
    given = {**best, "probability_columns": [*p], "label_list": [*CLASSES, "fox", "gnu"]}
    data = zoo.rows.assign(t=zoo.rows.y, **p)
    assert "'best' compares every slice with all others" in refuse(zoo, data, **static, disaggregated=given)
    found = zoo.measured(data, model=False, predictions="t", disaggregated={**given, "gap_versus": "overall"})
    overall = found["disaggregated"]["measurements"]["overall"]
    assert overall["metrics"]["auc"]["reason"] == "scores were not ranked: there are too many slices and classes"


@pytest.mark.parametrize(
    ("given", "message"),
    [({"probability_columns": ["a", "b"]}, "three or more classes"), ({"probability_columns": ["a", "b", "b"]}, "own"),
     ({"probability_columns": COLUMNS, "pos_label": "cat"}, "'pos_label' is for two classes"),
     ({"probability_columns": COLUMNS, "label_list": ["cat", "dog"]}, "has 2 classes, 'probability_columns' 3")],
)  # fmt: skip
def test_columns_of_classes_are_checked_in_the_config(given: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        parse("calibration", given)


def test_fifty_classes_stay_small(world: World) -> None:
    rng = np.random.default_rng(0)
    names = [f"class {i:02}" for i in range(50)]
    p = rng.dirichlet(np.full(50, 0.1), 2000)
    label = (rng.random(2000)[:, None] > p.cumsum(axis=1)).sum(axis=1).clip(0, 49)
    data = pd.DataFrame(p, columns=[f"p{i}" for i in range(50)]).assign(y=np.array(names)[label], t="class 01", g="one")
    config = {"probability_columns": {name: f"p{i}" for i, name in enumerate(names)}}
    zoo = Zoo(world, "", data, data, None)
    found = zoo.measured(
        data, model=False, predictions="t", calibration=config, disaggregated={**config, "slices": ["g"]}
    )
    measured = found["calibration"]["measurements"]
    assert sum("bins" in one for one in measured["classwise"].values()) == 5
    assert len(json.dumps(found["calibration"])) < 1_000_000
    assert all(len(page.encode()) < 500_000 for page in found["pages"].values())
    assert len(found["calibration"]["checks"]) == 52
    assert found["calibration"]["verdict"] != "fail"


def test_weights_and_a_model_that_is_never_wrong(world: World) -> None:
    data = pd.DataFrame({"y": np.arange(300) % 3, "w": np.arange(300) % 4, "g": "one"})
    data = data.assign(t=data.y, **{f"p{i}": (data.y == i).astype(float) for i in range(3)})
    config = {"probability_columns": ["p0", "p1", "p2"], "sample_weights": "w"}
    zoo = Zoo(world, "", data, data, None)
    limits = {"max_metric": {"brier": 0.2}, "min_metric": {"f1": 0.9}, "max_gap": {}}
    found = zoo.measured(
        data, model=False, predictions="t", calibration=config, disaggregated={**config, **limits, "slices": ["g"]}
    )
    assert found["calibration"]["verdict"] == "pass"
    assert found["calibration"]["measurements"]["weighted"] is True
    overall = found["disaggregated"]["measurements"]["overall"]
    assert overall["weight"] == data.w.sum() and overall["n"] == 300
    assert overall["metrics"]["accuracy"]["value"] == overall["metrics"]["f1"]["value"] == 1
    # Nothing wrong was seen, and something can be: limits are not the values.
    checks = {check["id"]: check for check in found["disaggregated"]["checks"]}
    assert checks["min:f1:overall"]["verdict"] == "pass" and checks["min:f1:overall"]["interval"][0] < 0.999


def test_names_of_classes_cannot_become_markup_or_mathematics(zoo: Zoo) -> None:
    names = {"cat": "<b>$c_{", "dog": "{0}", "emu": "e]"}
    data = zoo.static.assign(y=zoo.rows.y.map(names), t="e]")
    columns = {"probability_columns": {names[one]: column for one, column in COLUMNS.items()}}
    limits = {"min_metric": {f"recall[{name}]": 0.99 for name in names.values()}, "slices": ["x4"]}
    found = zoo.measured(
        data, model=False, predictions="t", calibration={**columns, "max_ece": 0}, disaggregated={**columns, **limits}
    )
    assert all("<b>" not in page for page in found["pages"].values())
    assert "min:recall[e]]:overall" in {check["id"] for check in found["disaggregated"]["checks"]}


def test_evidently_and_drift_of_classes(zoo: Zoo) -> None:
    with mlflow.start_run() as run:
        mlflow.models.evaluate(
            zoo.uri, zoo.rows, targets="y", model_type="classifier", evaluators="drift",
            evaluator_config={"reference": zoo.train, "evidently": True},
        )  # fmt: skip
    after = zoo.world.client.get_run(run.info.run_id)
    assert "mlflow_eval_plugin.drift.warning" not in after.data.tags
    reports = {item.path for item in zoo.world.client.list_artifacts(run.info.run_id, "reports")}
    assert "reports/drift-evidently.html" in reports


def test_drift_takes_probabilities_as_such_whatever_the_labels_are(zoo: Zoo) -> None:
    """One column of them is a score beside labels of three classes; whole numbers are classes beside late labels."""
    data = zoo.static.rename(columns={"p_cat": "p"}).drop(columns=["p_dog", "p_emu"])
    measured = zoo.measured(data, model=False, predictions="p", drift={"reference": data})["drift"]["measurements"]
    assert [one["role"] for one in measured["columns"][-2:]] == ["score", "label"]
    late = data.assign(y=0, p=np.arange(len(data)) % 3)
    measured = zoo.measured(late, model=False, predictions="p", drift={"reference": late})["drift"]["measurements"]
    assert [one["role"] for one in measured["columns"][-2:]] == ["prediction", "label"]
    assert measured["columns"][-2]["histogram"]["labels"] == ["0", "1", "2"]


def test_a_rate_of_one_class_needs_more_than_two(zoo: Zoo) -> None:
    two = zoo.static.assign(y=(zoo.rows.y == "cat").astype(int))
    config = {"slices": ["x4"], "max_gap": {"recall[cat]": 0.1}}
    message = refuse(zoo, two, model=None, predictions="p_cat", disaggregated=config)
    assert "metric: there is no 'recall[cat]'; expected one of prevalence" in message


def test_a_positive_class_among_three_says_what_can_be_done(zoo: Zoo) -> None:
    message = refused(
        zoo.world, zoo.static.rename(columns={"p_cat": "p"}), model=None, targets="y", predictions="p",
        evaluators=["comparison"], evaluator_config={"comparison": {"champion": "p_dog", "pos_label": "cat"}},
    )  # fmt: skip
    assert "expected two classes, found" in message and "make the label one class against the rest" in message
    assert "to evaluate all classes" not in message


def test_the_model_is_asked_once(zoo: Zoo, monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[int] = []
    asked = LogisticRegression.predict_proba
    monkeypatch.setattr(LogisticRegression, "predict_proba", lambda self, x: calls.append(len(x)) or asked(self, x))
    zoo.measured(calibration={}, disaggregated={"slices": ["x4"]}, drift={"reference": zoo.train})
    assert calls == [1200, 1200]  # the rows and the reference


def test_what_would_mend_the_confidence_is_suggested(zoo: Zoo) -> None:
    rng = np.random.default_rng(0)
    logits = rng.normal(0, 1.5, (4000, 3))
    honest = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    label = np.array([rng.choice(CLASSES, p=p) for p in honest])
    sharp = honest**3 / (honest**3).sum(axis=1, keepdims=True)  # three times too sure
    data = pd.DataFrame(sharp, columns=list(COLUMNS.values())).assign(y=label, t=np.array(CLASSES)[sharp.argmax(1)])
    call = {"model": False, "predictions": "t"}
    found = zoo.measured(data, **call, calibration={"probability_columns": COLUMNS})
    mended = found["calibration"]["measurements"]["recalibration"]
    assert mended["suggested"] is not None
    confidence, right = pd.Series(sharp.max(axis=1)), data.t == data.y
    alone = recalibrate(score_summary(pd.DataFrame({"s": confidence, "y": right}), label="y", score="s"))
    assert mended == json.loads(json.dumps(as_json(alone)))
    assert next(one for one in alone.methods if one.method == "temperature").parameters["temperature"] > 2
    assert "Could the confidence be mended" in found["pages"]["calibration"]


COSTS = {"cat": {"dog": 1, "emu": 5}, "dog": {"cat": 2, "emu": 3, "dog": 0.5}, "emu": {"cat": 0, "dog": 4}}


def test_what_mistaken_classes_cost(zoo: Zoo) -> None:
    weights = np.random.default_rng(0).integers(1, 4, len(zoo.rows)).astype(float)
    config = {"slices": ["x4"], "costs": COSTS, "max_cost": 1.5, "sample_weights": weights}
    found = zoo.measured(disaggregated=config)
    measured = found["disaggregated"]["measurements"]["costs"]
    said = np.array(CLASSES)[zoo.probability.argmax(axis=1)]
    each = np.array([COSTS[label].get(one, 0) for label, one in zip(zoo.rows.y, said, strict=True)])
    assert measured["by_label"] == COSTS == found["disaggregated"]["config"]["costs"]
    assert measured["slices"][0]["label"] == "overall"
    for one in measured["slices"]:
        mine = np.ones(len(each), bool) if one["label"] == "overall" else zoo.rows.x4 == float(one["label"][3:])
        cost = one["cost"]
        assert cost["value"] == pytest.approx(np.average(each[mine], weights=weights[mine]), rel=1e-9)
        # Student's interval of a weighted mean, Kish's effective n: that of a mean in [0, 5] is about the same.
        spread = np.sqrt(np.cov(each[mine], aweights=weights[mine], ddof=0))
        error = 1.96 * spread / np.sqrt(weights[mine].sum() ** 2 / (weights[mine] ** 2).sum())
        low, high = cost["interval"]
        assert low < cost["value"] < high
        assert (high - low) / 2 == pytest.approx(error, rel=0.15)
    checks = {check["id"]: check for check in found["disaggregated"]["checks"] if check["metric"] == "cost"}
    assert set(checks) == {f"max:cost:{one['label']}" for one in measured["slices"]}
    assert checks["max:cost:overall"]["value"] == measured["slices"][0]["cost"]["value"]
    page = found["pages"]["disaggregated"]
    assert "where a row costs cat taken for emu 5, emu taken for dog 4" in page


@pytest.mark.parametrize("number", [np.float32, np.int64, float, str])
def test_costs_take_classes_and_numbers_of_any_kind(number: Any) -> None:
    given = {number(a): {number(b): np.int64(1) for b in (1, 2, 3) if b != a} for a in (1, 2, 3)}
    costs = parse("disaggregated", {"slices": ["g"], "costs": given}).costs
    assert costs.matrix(["1", "2", "3"]).tolist() == [[0, 1, 1], [1, 0, 1], [1, 1, 0]]


def test_costs_by_class_are_refused_of_two(zoo: Zoo) -> None:
    data = zoo.rows.assign(y=(zoo.rows.y == "cat").astype(int), p=zoo.probability[:, 0])
    config = {"slices": ["x4"], "costs": {"1": {"0": 5}, "0": {"1": 1}}}
    assert "costs by class are for three or more classes" in refuse(
        zoo, data, model=None, predictions="p", disaggregated=config
    )


def test_slices_of_a_calibration_are_those_of_the_confidence(zoo: Zoo) -> None:
    config = {"slices": ["x4"], "queries": {"high": "x0 > 1"}, "max_ece": 0.2, "min_calibration_slope": 0.1}
    weight = np.where(zoo.rows.x1 > 0, 2.0, 1.0)
    found = zoo.measured(calibration={**config, "sample_weights": weight})
    document, page = found["calibration"], found["pages"]["calibration"]
    confidence, right = zoo.probability.max(axis=1), np.array(CLASSES)[zoo.probability.argmax(axis=1)] == zoo.rows.y
    slices = {one["label"]: one for one in document["measurements"]["slices"]}
    assert set(slices) == {"x4=0", "x4=1", "high"} and slices["high"]["query"] == "x0 > 1"
    for label, chosen in {"x4=1": zoo.rows.x4 == 1, "high": zoo.rows.x0 > 1}.items():
        one, w = slices[label], weight[chosen]
        assert one["n"] == chosen.sum() and one["positives"] == pytest.approx((w * right[chosen]).sum())
        brier = sklearn.brier_score_loss(right[chosen], confidence[chosen], sample_weight=w)
        assert one["metrics"]["brier"]["value"] == pytest.approx(brier, abs=1e-8)
        large = np.average(confidence[chosen] - right[chosen], weights=w)
        assert one["metrics"]["calibration_in_the_large"]["value"] == pytest.approx(large, abs=1e-8)
    ids = [check["id"] for check in document["checks"]]
    assert ids[-6:] == [f"{metric}:{label}" for label in ("x4=0", "x4=1", "high")
                        for metric in ("ece", "calibration_in_the_large")]  # fmt: skip
    slope = next(check for check in document["checks"] if check["id"] == "calibration_slope:confidence")
    assert slope["minimum"] == 0.1 and slope["verdict"] == "pass"
    assert "Calibration by slice" in page and "confidences in x4=0 differ" in json.dumps(document)


def test_changes_since_the_reference_are_of_the_confidence_and_the_losses_of_all_classes(zoo: Zoo) -> None:
    limits = {"ece_equal_mass": 0.2, "calibration_in_the_large": 0.2, "brier": 0.001, "log_loss": 0.5}
    worse = zoo.train.assign(y=np.where(np.arange(1200) % 2, "cat", zoo.train.y))
    found = zoo.measured(calibration={"reference": worse, "max_change": limits})
    document, page = found["calibration"], found["pages"]["calibration"]
    measured, before = document["measurements"], document["measurements"]["reference"]
    for name in ("ece_equal_width", "ece_equal_mass", "ece_debiased", "calibration_in_the_large", "calibration_slope"):
        now, then = (one["confidence"]["metrics"][name]["value"] for one in (measured, before))
        assert measured["change"][name]["value"] == pytest.approx(now - then, abs=1e-12), name
    for name in ("brier", "log_loss"):
        now, then = (one["metrics"][name] for one in (measured, before))
        change = measured["change"][name]
        assert change["value"] == pytest.approx(now["value"] - then["value"], abs=1e-12), name
        # Of independent samples, by variance recovery (Zou & Donner 2008).
        low = change["value"] - np.hypot(now["value"] - now["interval"][0], then["interval"][1] - then["value"])
        assert change["interval"][0] == pytest.approx(low, abs=1e-9)
    checks = {check["id"]: check for check in document["checks"]}
    assert checks["change:brier:overall"]["verdict"] == "pass"  # it fell
    assert checks["change:ece_equal_mass:confidence"]["minimum"] is None
    assert checks["change:calibration_in_the_large:confidence"]["minimum"] == -0.2
    assert "The reference rows, and what has changed since" in page
    bare = zoo.rows.drop(columns="y")
    message = refuse(zoo, calibration={"reference": bare, "max_change": {"brier": 0.1}})
    assert "'max_change' needs labels and probabilities in the reference" in message


@pytest.mark.parametrize("said", ["Cat", "gnu"])
def test_a_predicted_class_that_no_label_is_is_refused(zoo: Zoo, said: str) -> None:
    """It was a class of its own, so that every Check could pass while a class was never predicted."""
    data = zoo.rows.assign(t=np.where(zoo.rows.y == "cat", said, zoo.rows.y))
    message = refuse(zoo, data, model=None, predictions="t", disaggregated={"slices": ["x4"]})
    assert f"found '{said}', which no label is; give 'label_list'" in message
    listed = {"slices": ["x4"], "label_list": [*CLASSES, said]}
    found = zoo.measured(data, model=False, predictions="t", disaggregated=listed)["disaggregated"]["measurements"]
    assert found["overall"]["metrics"]["accuracy"]["value"] == pytest.approx((zoo.rows.y != "cat").mean())


def test_late_labels_are_refused_with_what_takes_them(zoo: Zoo) -> None:
    late = zoo.static.assign(y=zoo.rows.y.where(zoo.rows.index > 3))
    config = {"calibration": {"probability_columns": COLUMNS}, "drift": {"reference": zoo.static}}
    assert "drift takes late labels as they are" in refuse(zoo, late, model=None, **config)
