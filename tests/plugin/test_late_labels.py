"""Labels that arrive late, in one call of all evaluators: refused by default, or those that arrived are judged."""

from __future__ import annotations

from typing import Any

import mlflow
import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LinearRegression, LogisticRegression
from support.evaluating import World, refused

ROWS = 1500
KINDS = ["calibration", "disaggregated", "comparison", "drift"]
TASKS = ["binary", "multiclass", "regression"]


def data(task: str, seed: int = 0) -> pd.DataFrame:
    generator = np.random.default_rng(seed)
    x, z = generator.normal(size=(2, ROWS))
    target = x + z / 2 + generator.normal(size=ROWS)
    label = target if task == "regression" else np.digitize(target, [0] if task == "binary" else [-1, 1])
    return pd.DataFrame({"x": x, "z": z, "g": generator.integers(0, 2, ROWS), "y": label})


@pytest.fixture(scope="module")
def models(world: World) -> dict[str, tuple[str, str]]:
    """Of every task the model, and a champion that knows less."""
    found = {}
    for task in TASKS:
        rows = data(task, 9)
        uris = []
        for columns in (["x", "z", "g"], ["x"]):
            model = (LinearRegression() if task == "regression" else LogisticRegression()).fit(rows[columns], rows.y)
            logged = mlflow.sklearn.log_model(
                model, name="m", input_example=rows[columns].head(2), pip_requirements=["scikit-learn"]
            )
            uris.append(logged.model_uri)
        found[task] = (uris[0], uris[1])
    return found


def asked(task: str, champion: Any, rows: pd.DataFrame, missing: str, reference: pd.DataFrame) -> dict[str, Any]:
    more = {"missing_labels": missing}
    weights = np.where(rows.index % 3 == 0, 2.0, 1.0)
    return {
        "calibration": {"slices": ["g"], "sample_weights": weights, "reference": reference, **more},
        "disaggregated": {"slices": ["town"], "slice_data": pd.DataFrame({"town": np.where(rows.z > 0, "a", "b")}),
                          **more},
        "comparison": {"champion": champion, **more},
        "drift": {"reference": data(task, 5)},
    }  # fmt: skip


def call(task: str, uri: str | None, rows: pd.DataFrame, config: dict[str, Any], **given: Any) -> Any:
    kind = "regressor" if task == "regression" else "classifier"
    with mlflow.start_run() as run:
        mlflow.models.evaluate(
            uri, rows, targets="y", model_type=kind, evaluators=list(config), evaluator_config=config, **given
        )
    names = [item.path for item in mlflow.artifacts.list_artifacts(run_id=run.info.run_id, artifact_path="evidence")]
    found = {name[9:-5]: mlflow.artifacts.load_dict(f"runs:/{run.info.run_id}/{name}") for name in names}
    return found, mlflow.get_run(run.info.run_id)


@pytest.mark.parametrize("task", TASKS)
def test_labels_that_have_arrived_are_judged_as_they_would_be_alone(
    world: World, models: dict[str, tuple[str, str]], task: str, capsys: pytest.CaptureFixture[str]
) -> None:
    uri, champion = models[task]
    rows, arrived = data(task), np.arange(ROWS) % 5 != 0
    late = rows.assign(y=rows.y.where(arrived))
    reference = data(task, 5).assign(y=lambda frame: frame.y.where(frame.index >= 100))
    found, run = call(task, uri, late, asked(task, champion, late, "received", reference))
    told = capsys.readouterr().out
    alone = rows[arrived].assign(w=np.where(rows.index % 3 == 0, 2.0, 1.0)[arrived]).reset_index(drop=True)
    config = asked(task, champion, alone, "refuse", reference[100:])
    config["calibration"]["sample_weights"] = alone.pop("w").to_numpy()
    expected, _ = call(task, uri, alone, config)
    assert sorted(found) == sorted(KINDS)
    for kind in ("calibration", "disaggregated", "comparison"):
        labels = found[kind]["measurements"].pop("labels")
        before = ROWS - 100 if kind == "calibration" else None
        assert labels == {"column": "y", "rows": ROWS, "received": 1200, "received_reference": before}
        assert found[kind]["checks"] == expected[kind]["checks"]
        assert found[kind]["measurements"] == expected[kind]["measurements"]
        assert found[kind]["data"]["rows"] == ROWS and found[kind]["config"]["missing_labels"] == "received"
        assert run.data.metrics[f"{kind}_labels_received"] == 1200
        page = mlflow.artifacts.load_text(f"runs:/{run.info.run_id}/reports/{kind}.html")
        assert "Judged only the 1\u202f200 of 1\u202f500 rows whose labels have arrived" in page
        assert "Labels received" in page
    # Everything that was given is in the digests; drift is judged on all rows.
    assert found["drift"]["data"]["digest"] == found["comparison"]["data"]["digest"]
    assert found["drift"]["measurements"]["n_current"] == ROWS
    assert found["calibration"]["reference"]["rows"] == ROWS
    said = "Labels: Calibration, disaggregated and comparison judged only the 1,200 of 1,500 rows whose labels have"
    assert said in told


@pytest.mark.parametrize("task", TASKS)
def test_missing_labels_are_refused_by_default_with_the_key_that_judges_the_others(world: World, task: str) -> None:
    rows = data(task).assign(p=0.5 if task != "multiclass" else 1)
    late = rows.assign(y=rows.y.where(rows.index > 2))
    config = {"disaggregated": {"slices": ["g"]}, "drift": {"reference": rows}}
    if task != "multiclass":
        config["calibration"] = {"reference": rows.assign(y=rows.y.where(rows.index != 7))}
    kind = "regressor" if task == "regression" else "classifier"
    before = len(mlflow.search_runs())
    with mlflow.start_run() as run, pytest.raises(mlflow.MlflowException) as caught:
        mlflow.models.evaluate(
            data=late, targets="y", predictions="p", model_type=kind, evaluators=list(config), evaluator_config=config
        )
    assert mlflow.artifacts.list_artifacts(run_id=run.info.run_id) == [] and before == len(mlflow.search_runs()) - 1
    message = str(caught.value)
    assert "label: 3 rows are (first at row 0) missing" in message and "'missing_labels': 'received'" in message
    if task != "multiclass":
        assert "reference: label: 1 row is (first at row 7) missing, and calibration judges" in message


@pytest.mark.parametrize("task", TASKS)
def test_where_no_label_has_arrived_drift_is_judged_and_the_others_say_that_they_are_not(
    world: World, models: dict[str, tuple[str, str]], task: str, capsys: pytest.CaptureFixture[str]
) -> None:
    uri, champion = models[task]
    late = data(task).assign(y=np.nan)
    config = asked(task, champion, late, "received", data(task, 5))
    found, run = call(task, uri, late, config)
    assert list(found) == ["drift"] and found["drift"]["measurements"]["labels"]["received"] == 0
    assert {check["scope"] for check in found["drift"]["checks"]} >= {"x", "z"}
    assert run.data.metrics["calibration_labels_received"] == run.data.metrics["drift_labels_received"] == 0
    assert "calibration_verdict" not in run.data.metrics
    assert run.data.tags["mlflow_eval_plugin.calibration.verdict"] == "not judged"
    assert "none of 1,500 labels has arrived, so that calibration, disaggregated and comparison judged nothing" in (
        capsys.readouterr().out
    )
    del config["drift"]
    with pytest.raises(mlflow.MlflowException, match="calibration: none of 1,500 labels has arrived"):
        call(task, uri, late, config)


def test_predictions_given_with_the_data_and_a_table_of_another_run_are_those_of_the_same_rows(world: World) -> None:
    rows = data("binary").assign(p=lambda frame: 1 / (1 + np.exp(-frame.x)), row=np.arange(ROWS))
    late = rows.assign(y=rows.y.where(rows.index % 2 == 0))
    with mlflow.start_run() as run:
        mlflow.log_table(rows[["row"]].assign(q=1 - rows.p), "old.json")
    champion = {"run": run.info.run_id, "path": "old.json", "column": "q", "key": "row"}
    config = {
        "calibration": {"missing_labels": "received"},
        "comparison": {"champion": champion, "missing_labels": "received"},
    }
    found, _ = call("binary", None, late, config, predictions="p")
    at = rows[::2]
    assert found["calibration"]["measurements"]["metrics"]["brier"]["value"] == pytest.approx(
        ((at.p - at.y) ** 2).mean()
    )
    brier = found["comparison"]["measurements"]["overall"]["metrics"]["brier"]
    assert brier["champion"] == pytest.approx(((1 - at.p - at.y) ** 2).mean())


def test_nothing_is_said_of_late_labels_where_all_have_arrived(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = data("binary").assign(p=0.5)
    found, run = call("binary", None, rows, {"calibration": {"missing_labels": "received"}}, predictions="p")
    assert found["calibration"]["measurements"]["labels"]["received"] == ROWS
    assert "Labels:" not in capsys.readouterr().out
    assert "Labels received" not in mlflow.artifacts.load_text(f"runs:/{run.info.run_id}/reports/calibration.html")


def test_a_word_for_missing_labels_that_is_none_is_refused(world: World) -> None:
    message = refused(world, evaluators=["calibration"], evaluator_config={"calibration": {"missing_labels": "drop"}})
    assert "key 'missing_labels'" in message and "'refuse' or 'received'" in message


@pytest.mark.parametrize("task", TASKS)
def test_where_too_few_have_arrived_drift_is_judged_and_the_reason_is_told(
    world: World, models: dict[str, tuple[str, str]], task: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """A named slice of which no row has a label yet is nothing that a Check could be left out for."""
    rows = data(task)
    late = rows.assign(y=rows.y.where((rows.index < 40) & (rows.z < 2)))
    named: dict[str, Any] = {"queries": {"far": "z >= 2"}, "missing_labels": "received"}
    drift: dict[str, Any] = {"drift": {"reference": data(task, 5)}}
    found, run = call(
        task, models[task][0], late, {"disaggregated": named, "calibration": {**named, "queries": {}}, **drift}
    )
    assert sorted(found) == ["calibration", "drift"]
    received = run.data.metrics["disaggregated_labels_received"]
    assert 0 < received <= 40 and run.data.tags["mlflow_eval_plugin.disaggregated.verdict"] == "not judged"
    told = capsys.readouterr().out
    assert f"Labels: too few labels have arrived, {received:.0f} of 1,500 (queries: no row answers 'far'" in told
    assert "Labels: Calibration judged only the" in told
    # What is wrong whatever arrives is refused.
    for wrong in ({"queries": {"far": "z >= 99"}}, {"queries": {"far": "zz >= 2"}}, {"slices": ["zz"]}):
        with pytest.raises(mlflow.MlflowException, match=r"no row answers 'far'|no column 'zz'"):
            call(task, models[task][0], late, {"disaggregated": {**named, **wrong}, **drift})
    with pytest.raises(
        mlflow.MlflowException, match=r"disaggregated: too few labels have arrived.*Wait for more labels"
    ):
        call(task, models[task][0], late, {"disaggregated": named})
    one = rows.assign(y=rows.y.where(rows.index == 0))
    search = {"search": True, "missing_labels": "received"}
    assert list(call(task, models[task][0], one, {"disaggregated": search, **drift})[0]) == ["drift"]


def test_predictions_say_how_many_classes_there_are_where_one_label_has_arrived(world: World) -> None:
    rows = data("binary").assign(p=lambda frame: np.resize(["a", "b", "c"], len(frame)), y="a")
    late = rows.assign(y=rows.y.where(rows.index == 0))
    config = {"disaggregated": {"slices": ["g"], "missing_labels": "received"}}
    found, _ = call("binary", None, late, config, predictions="p")
    assert found["disaggregated"]["verdict"] == "insufficient"
