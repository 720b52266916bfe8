"""Whole ``mlflow.models.evaluate`` calls that compare a challenger with a champion from each place it can come from."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import mlflow
import numpy as np
import pandas as pd
import pytest
from plugin.test_calls import evidence_of, paths
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import accuracy_score, average_precision_score, roc_auc_score
from support.evaluating import FEATURES, LABEL, World, refused

from mlflow_eval_plugin.canonical import EvidenceError
from mlflow_eval_plugin.evidence import Evidence, dumps, loads
from mlflow_eval_plugin.model_files import model_digest_at
from mlflow_eval_plugin.reports import render

ONLY = ["comparison"]
FEW = FEATURES[:2]


@pytest.fixture(scope="module")
def champion(world: World) -> tuple[str, LogisticRegression]:
    """A model of two of the features, logged with its signature."""
    model = LogisticRegression().fit(world.train[FEW], world.train[LABEL])
    logged = mlflow.sklearn.log_model(
        model, name="champion", input_example=world.train[FEW].head(2), pip_requirements=["scikit-learn"]
    )
    return logged.model_uri, model


def scores(model: Any, rows: pd.DataFrame, features: list[str] = FEATURES) -> np.ndarray:
    found: np.ndarray = model.predict_proba(rows[features])[:, 1]
    return found


def compared(world: World, config: dict[str, Any], **arguments: Any) -> Evidence:
    run, _ = world.evaluate(evaluators=ONLY, evaluator_config={"comparison": config}, **arguments)
    return evidence_of(world, run, "comparison")


def test_a_model_of_other_features_is_the_champion(world: World, champion: tuple[str, LogisticRegression]) -> None:
    uri, model = champion
    config = {"champion": uri, "slices": ["SEX"], "superiority": {"log_loss": 0}}
    run, result = world.evaluate(evaluators=ONLY, evaluator_config={"comparison": config})
    evidence = evidence_of(world, run, "comparison")
    label = world.rows[LABEL]
    first, second = scores(model, world.rows, FEW), scores(world.model, world.rows)
    change = accuracy_score(label, second >= 0.5) - accuracy_score(label, first >= 0.5)
    assert result.metrics["comparison_change_accuracy"] == pytest.approx(change, abs=1e-9)
    area = evidence.measurements["overall"]["metrics"]["auc"]["difference"]
    assert abs(area["value"] - roc_auc_score(label, second) + roc_auc_score(label, first)) <= area["bound"]
    mean = evidence.measurements["overall"]["metrics"]["average_precision"]
    assert mean["challenger"] == pytest.approx(average_precision_score(label, second), abs=mean["difference"]["bound"])
    assert [check.id for check in evidence.checks] == [
        "non_inferiority:accuracy:overall", "superiority:log_loss:overall",
        "non_inferiority:accuracy:SEX=1", "non_inferiority:accuracy:SEX=2",
    ]  # fmt: skip
    assert evidence.verdict == "pass"
    named = evidence.measurements["champion"]
    folder = Path(mlflow.artifacts.download_artifacts(uri))
    assert named["source"] == "model" and named["model_uri"] == uri
    assert evidence.champion_digest == named["model_digest"] == model_digest_at(folder)
    assert evidence.champion_digest != evidence.subject.model_digest
    assert paths(world, run) == {
        "evidence/comparison.json", "reports/comparison.html", "reports/comparison-forest.png"
    }  # fmt: skip
    page = render(evidence)
    assert "Champion and challenger" in page and "Where they disagree, and for whom" in page
    assert len(page.encode()) < 500_000


def test_named_slices_are_compared_and_told(world: World) -> None:
    never = {"p": [0.4] * len(world.rows)}
    config = {"champion": "p", "slice_data": never, "slices": ["SEX"], "queries": {"old": "AGEP >= 60"}}
    evidence = compared(world, config)
    found = {one["label"]: one["query"] for one in evidence.measurements["slices"]}
    assert found == {"SEX=1": None, "SEX=2": None, "old": "AGEP >= 60"}
    assert "non_inferiority:accuracy:old" in [check.id for check in evidence.checks]
    page = render(evidence)
    assert "Named slices" in page and "AGEP &gt;= 60</td>" in page


def test_a_worse_challenger_fails_and_says_for_whom(world: World, champion: tuple[str, LogisticRegression]) -> None:
    rows = world.rows.assign(good=scores(world.model, world.rows), bad=scores(champion[1], world.rows, FEW))
    given = {"model": None, "predictions": "bad", "evaluators": ONLY}
    config = {"champion": "good", "slices": ["SEX"], "non_inferiority": {"auc": 0.001, "log_loss": 0.001}}
    run, _ = world.evaluate(rows, evaluator_config={"comparison": config}, **given)
    evidence = evidence_of(world, run, "comparison")
    assert "non_inferiority:log_loss:overall" in {check.id for check in evidence.failed}
    failed = next(check for check in evidence.checks if check.id == "non_inferiority:log_loss:overall")
    assert failed.maximum == 0.001 and failed.minimum is None and failed.interval is not None
    assert evidence.champion_digest is None and evidence.measurements["champion"]["column"] == "good"


@pytest.mark.parametrize("path", ["served/scores.parquet", "scores.csv", "scores.json"])
def test_the_logged_predictions_of_a_run(world: World, path: str, tmp_path: Path) -> None:
    rows = world.rows.assign(person=np.arange(len(world.rows)))
    table = pd.DataFrame({"person": rows.person, "p": np.round(scores(world.model, rows), 6)})
    with mlflow.start_run() as run:
        if path.endswith(".json"):
            mlflow.log_table(table, path)
        else:
            local = tmp_path / Path(path).name
            table.to_parquet(local) if path.endswith(".parquet") else table.to_csv(local, index=False)
            folder = str(Path(path).parent)
            mlflow.log_artifact(str(local), None if folder == "." else folder)
    source = {"run": run.info.run_id, "path": path, "column": "p"}
    evidence = compared(world, {"champion": source})
    named = evidence.measurements["champion"]
    assert named["source"] == "run" and named["predictions_digest"].startswith("sha256:")
    assert evidence.measurements["overall"]["metrics"]["accuracy"]["difference"]["value"] == pytest.approx(0, abs=2e-3)
    # With a key, the same rows in another order are found out.
    given = {"evaluators": ONLY, "data": None}
    config = {"champion": {**source, "key": "person"}, "slice_data": rows[["person"]].iloc[::-1]}
    message = refused(world, evaluator_config={"comparison": config}, **{k: v for k, v in given.items() if v})
    assert (
        "are not those of the data in the same order" in message and "'person', the first at row 0, 0 there" in message
    )
    right = compared(world, {"champion": {**source, "key": "person"}, "slice_data": rows[["person"]]})
    assert right.measurements["overall"] == evidence.measurements["overall"]


def test_classes_are_compared_as_decisions(world: World) -> None:
    first, second = scores(world.model, world.rows) >= 0.6, scores(world.model, world.rows) >= 0.5
    rows = world.rows.assign(old=first.astype(int), new=second.astype(int))
    given = {"model": None, "predictions": "new", "evaluators": ONLY}
    run, _ = world.evaluate(rows, evaluator_config={"comparison": {"champion": "old"}}, **given)
    evidence = evidence_of(world, run, "comparison")
    overall = evidence.measurements["overall"]
    assert evidence.measurements["probabilities"] is False and evidence.measurements["joint"] is None
    assert evidence.measurements["threshold"] is None and evidence.measurements["champion_threshold"] is None
    assert "auc" not in overall["metrics"] and "brier" not in overall["metrics"]
    label = rows[LABEL] == 1
    assert overall["only_challenger_right"] == int(((second == label) & (first != label)).sum())
    assert overall["disagreement"]["value"] == pytest.approx((first != second).mean())
    assert "The scores of both" not in render(evidence)


def test_thresholds_of_their_own_and_costs(world: World) -> None:
    probability = scores(world.model, world.rows)
    config = {
        "champion": "p", "slice_data": {"p": probability}, "threshold": 0.3, "champion_threshold": 0.7,
        "costs": {"fp": 1, "fn": 4}, "non_inferiority": {"cost": 0.0},
    }  # fmt: skip
    evidence = compared(world, config)
    label = world.rows[LABEL].to_numpy()
    cost = [np.where(label == 1, 4 * (probability < at), probability >= at).mean() for at in (0.7, 0.3)]
    found = evidence.measurements["overall"]["metrics"]["cost"]
    assert (found["champion"], found["challenger"]) == (pytest.approx(cost[0]), pytest.approx(cost[1]))
    assert found["difference"]["value"] == pytest.approx(cost[1] - cost[0])
    assert next(check for check in evidence.checks if check.metric == "change_cost").verdict == "pass"


def test_weights_count(world: World) -> None:
    probability = scores(world.model, world.rows)
    weight = np.where(world.rows.SEX == 2, 3.0, 1.0)
    config = {"champion": "p", "slice_data": {"p": 1 - probability}, "sample_weights": weight}
    evidence = compared(world, config)
    right = (probability >= 0.5) == (world.rows[LABEL] == 1)
    wrong = (1 - probability >= 0.5) == (world.rows[LABEL] == 1)
    expected = np.average(right, weights=weight) - np.average(wrong, weights=weight)
    assert evidence.measurements["weighted"] is True
    found = evidence.measurements["overall"]["metrics"]["accuracy"]["difference"]["value"]
    assert found == pytest.approx(expected, abs=1e-9)


CONFIGS = [
    ({}, "comparison: key 'champion' is required"),
    ({"champion": {}}, "champion: give 'model' (a URI), 'column', or 'run'"),
    ({"champion": {"model": "models:/x/1", "run": "abc"}}, "give 'model' or 'run', not both"),
    ({"champion": {"run": "abc", "column": "p"}}, "a 'run' needs the 'path'"),
    ({"champion": {"run": "abc", "path": "a.pkl", "column": "p"}}, "'path' 'a.pkl' is no table"),
    ({"champion": {"column": "p", "key": "id"}}, "'path' and 'key' are of a table of a 'run'"),
    ({"champion": "p", "non_inferiority": {"acuracy": 0.1}}, "did you mean 'accuracy'"),
    ({"champion": "p", "superiority": {"selection_rate": 0.1}}, "there is no metric with a margin 'selection_rate'"),
    ({"champion": "p", "non_inferiority": {"auc": -0.1}}, "comparison: key 'non_inferiority'"),
    (
        {"champion": "p", "slice_non_inferiority": {"auc": 0.1}},
        "'slice_non_inferiority' has no effect without 'slices'",
    ),
    (
        {"champion": "p", "slices": ["SEX"], "slice_non_inferiority": {"cost": 0.1}},
        "'slice_non_inferiority' of 'cost' needs 'costs'",
    ),
    ({"champion": "AGE"}, "champion: no column 'AGE', did you mean 'AGEP'"),
    (
        {"champion": "AGEP"},
        "champion: column 'AGEP': expected probabilities, or two classes of which '1' is positive, found '10'",
    ),
    ({"champion": "models:/nobody/1"}, "champion: the model 'models:/nobody/1' cannot be loaded"),
    ({"champion": {"run": "0" * 32, "path": "a.csv", "column": "p"}}, "a.csv of run " + "0" * 32 + " cannot be read"),
]


@pytest.mark.parametrize(("config", "message"), CONFIGS, ids=[message for _, message in CONFIGS])
def test_what_cannot_be_compared_names_its_key(world: World, config: dict[str, Any], message: str) -> None:
    assert message in refused(world, evaluators=ONLY, evaluator_config={"comparison": config})


def test_predictions_of_other_rows(world: World, tmp_path: Path) -> None:
    local = tmp_path / "p.csv"
    pd.DataFrame({"p": [0.1, 0.2]}).to_csv(local, index=False)
    with mlflow.start_run() as run:
        mlflow.log_artifact(str(local))
    source = {"run": run.info.run_id, "path": "p.csv", "column": "p"}
    message = refused(world, evaluators=ONLY, evaluator_config={"comparison": {"champion": source}})
    assert "has 2 rows, the data 6,000; both must have the same rows in the same order" in message
    source["column"] = "score"
    message = refused(world, evaluators=ONLY, evaluator_config={"comparison": {"champion": source}})
    assert "no column 'score'" in message


def test_margins_of_scores_need_the_scores_of_both(world: World) -> None:
    classes = (scores(world.model, world.rows) >= 0.5).astype(int)
    config = {"champion": "c", "slice_data": {"c": classes}, "non_inferiority": {"auc": 0.1}}
    message = refused(world, evaluators=ONLY, evaluator_config={"comparison": config})
    assert "non_inferiority names 'auc', which needs the probabilities of both models" in message
    config["non_inferiority"] = {"average_precision": 0.1}
    message = refused(world, evaluators=ONLY, evaluator_config={"comparison": config})
    assert "non_inferiority names 'average_precision', which needs the probabilities" in message


def test_a_champion_that_needs_what_the_data_lack(world: World, champion: tuple[str, LogisticRegression]) -> None:
    rows = world.rows.drop(columns=FEW[0]).assign(p=0.4)
    given = {"model": None, "predictions": "p", "evaluators": ONLY}
    message = refused(world, rows, evaluator_config={"comparison": {"champion": champion[0]}}, **given)
    assert f"needs '{FEW[0]}', which the data lack" in message and "slice_data" in message


def test_evidence_of_a_comparison_names_a_champion(world: World) -> None:
    evidence = compared(world, {"champion": "p", "slice_data": {"p": scores(world.model, world.rows)}})
    assert dumps(loads(dumps(evidence))) == dumps(evidence)
    document = evidence.model_dump(mode="json", by_alias=True)
    del document["measurements"]["champion"], document["digest"]
    from mlflow_eval_plugin.canonical import canonical, digest_of

    with pytest.raises(EvidenceError, match="a comparison names the champion"):
        loads(canonical({**document, "digest": digest_of(document)}))


class _Two(mlflow.pyfunc.PythonModel):  # type: ignore[name-defined, misc]
    """A model of somebody else: probabilities of both classes, in columns."""

    def predict(self, context: Any, model_input: pd.DataFrame, params: Any = None) -> pd.DataFrame:
        if float(model_input["AGEP"].max()) > 1000:
            raise RuntimeError("nobody is that old")
        score = 1 / (1 + np.exp(-(model_input["AGEP"] - 40) / 20))
        return pd.DataFrame({"p0": 1 - score, "p1": score})


def test_a_champion_with_several_columns(world: World) -> None:
    info = mlflow.pyfunc.log_model(name="two", python_model=_Two(), pip_requirements=["mlflow"])
    rows = world.rows.assign(p=scores(world.model, world.rows))
    static = {"model": None, "predictions": "p", "evaluators": ONLY}
    config = {"champion": {"model": info.model_uri, "column": "p1"}}
    run, _ = world.evaluate(rows, evaluator_config={"comparison": config}, **static)
    found = evidence_of(world, run, "comparison").measurements["overall"]["metrics"]["accuracy"]["champion"]
    assert found == pytest.approx(((rows.AGEP >= 40) == (rows[LABEL] == 1)).mean())
    config = {"champion": info.model_uri}
    message = refused(world, rows, evaluator_config={"comparison": config}, **static)
    assert message.startswith("champion: the model") and "'p0', 'p1'" in message
    old = rows.assign(AGEP=2000.0)
    config = {"champion": {"model": info.model_uri, "column": "p1"}}
    message = refused(world, old, evaluator_config={"comparison": config}, **static)
    assert "failed on these rows: RuntimeError: nobody is that old" in message


def test_a_champion_that_is_the_challenger_in_another_name(world: World) -> None:
    rows = world.rows.assign(p=scores(world.model, world.rows))
    given = {"model": None, "evaluators": ONLY}
    config = {"champion": "p", "probability_column": "p"}
    message = refused(world, rows, evaluator_config={"comparison": config}, **given)
    assert "champion: 'p' holds the challenger's predictions" in message


def test_keys_are_compared_as_they_are_written(world: World, tmp_path: Path) -> None:
    keys = [f"{i:05d}" for i in range(len(world.rows))]
    table = pd.DataFrame({"key": keys, "p": scores(world.model, world.rows)})
    table.to_csv(tmp_path / "p.csv", index=False)
    table.to_json(tmp_path / "p.json", orient="split", index=False)
    (tmp_path / "list.json").write_text("[1, 2]")
    with mlflow.start_run() as run:
        mlflow.log_artifacts(str(tmp_path))
    source = {"run": run.info.run_id, "path": "p.csv", "column": "p", "key": "key"}
    for given in (keys, np.arange(len(keys)).astype(float)):
        for path in ("p.csv", "p.json"):
            compared(world, {"champion": {**source, "path": path}, "slice_data": {"key": given}})
    source = {"run": run.info.run_id, "path": "list.json", "column": "p"}
    message = refused(world, evaluators=ONLY, evaluator_config={"comparison": {"champion": source}})
    assert message.startswith("champion: list.json of run") and "cannot be read" in message
