"""Baselines of a model: the model is asked once, and the baseline of another one is refused."""

from __future__ import annotations

import re
from typing import Any

import mlflow
import numpy as np
import pytest
from mlflow.exceptions import MlflowException
from sklearn.linear_model import LogisticRegression
from support.evaluating import FEATURES, LABEL, World
from support.frozen_rows import said

from mlflow_eval_plugin import freeze
from mlflow_eval_plugin.canonical import canonical
from mlflow_eval_plugin.plugin.baseline.opening import DIGEST_TAG, TAG, opened_baseline

BOTH = {"drift": {}, "calibration": {"max_change": {"brier": 0.01}}}


def evidence(world: World, reference: Any, data: Any = None, **more: Any) -> dict[str, dict[str, Any]]:
    given = more.pop("more", {})
    config = {kind: {**one, **given, "reference": reference} for kind, one in BOTH.items()}
    run, _ = world.evaluate(data, evaluators=list(config), evaluator_config=config, **more)
    return {kind: mlflow.artifacts.load_dict(f"runs:/{run.info.run_id}/evidence/{kind}.json") for kind in config}


@pytest.fixture(scope="module")
def uri(world: World) -> str:
    return freeze(world.train, targets=LABEL, model=world.model_uri)


def test_a_model_is_asked_once_and_its_rows_are_gone(world: World, uri: str) -> None:
    assert canonical(said(evidence(world, uri))) == canonical(said(evidence(world, world.train)))
    found = opened_baseline(uri).document
    assert found.model.uri == world.model_uri
    assert found.model.digest == evidence(world, uri)["drift"]["subject"]["model_digest"]


def test_another_model_is_refused(world: World, uri: str) -> None:
    other = LogisticRegression(C=0.01).fit(world.train[FEATURES], world.train[LABEL])
    logged = mlflow.sklearn.log_model(other, name="other", pip_requirements=["scikit-learn"])
    with pytest.raises(MlflowException, match=r"the model: expected sha256:\w+ \(models:/m-\w+\), found sha256:\w+"):
        evidence(world, uri, model=logged.model_uri)


def test_labels_that_arrive_late_are_left_out_of_both(world: World) -> None:
    late, given = {"missing_labels": "received"}, {"calibration": BOTH["calibration"]}
    train, rows = (
        one.assign(**{LABEL: one[LABEL].astype(float).where(np.arange(len(one)) % 3 > 0)})
        for one in (world.train, world.rows)
    )
    config = {"calibration": late}
    uri = freeze(train, targets=LABEL, model=world.model_uri, evaluator_config=config)
    found = []
    for reference in (uri, train):
        configs = {"calibration": {**given["calibration"], **late, "reference": reference}}
        run, _ = world.evaluate(rows, evaluators=["calibration"], evaluator_config=configs)
        found.append(said({"c": mlflow.artifacts.load_dict(f"runs:/{run.info.run_id}/evidence/calibration.json")}))
    assert canonical(found[0]) == canonical(found[1])
    assert found[0]["c"]["measurements"]["labels"]["received_reference"] == 4000
    with pytest.raises(MlflowException, match="missing_labels: expected 'received', as 2,000 of its rows had no label"):
        world.evaluate(evaluators=["calibration"], evaluator_config={"calibration": {"reference": uri}})


def test_a_version_names_its_baseline(world: World) -> None:
    version = mlflow.register_model(world.model_uri, "frozen")
    named = f"models:/frozen/{version.version}"
    with pytest.raises(MlflowException, match="version 1 of frozen names none"):
        evidence(world, named)
    uri = freeze(world.train, targets=LABEL, model=world.model_uri, register=named)
    found = opened_baseline(named)
    assert found.document.digest == opened_baseline(uri).document.digest
    tags = world.client.get_model_version("frozen", version.version).tags
    assert tags == {TAG: uri, DIGEST_TAG: found.document.digest}
    reference = evidence(world, named)["drift"]["reference"]
    assert reference["baseline"] == {"uri": uri, "digest": found.document.digest}
    world.client.set_model_version_tag("frozen", version.version, DIGEST_TAG, "sha256:" + "0" * 64)
    with pytest.raises(MlflowException, match=re.escape(f"names {uri} with the digest sha256:000")):
        evidence(world, named)


def test_the_run_says_what_it_was_held_against(world: World, uri: str) -> None:
    config = {"drift": {"reference": uri}}
    run, _ = world.evaluate(evaluators=["drift"], evaluator_config=config)
    (found,) = [one for one in run.inputs.dataset_inputs if {tag.value for tag in one.tags} == {"reference"}]
    assert found.dataset.source_type == "baseline" and uri in found.dataset.source
    assert opened_baseline(uri).document.data.digest.startswith(f"sha256:{found.dataset.digest}")
