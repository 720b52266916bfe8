"""Evidence and reports name model and champion as the registry does."""

from __future__ import annotations

from pathlib import Path

import mlflow
import pytest
from support.documents.parsed_page import Page
from support.evaluating import FEATURES, LABEL, World, evidence_of

from mlflow_eval_plugin.evidence import Registered, dumps, loads
from mlflow_eval_plugin.plugin.registered import registered_as
from mlflow_eval_plugin.reports import render, render_diff
from mlflow_eval_plugin.reports.pages import joined

GOLDEN = Path(__file__).parents[1] / "golden"


@pytest.fixture(scope="module")
def registered(world: World) -> World:
    """Version 1 of "income" is the model, and the champion by its alias; version 2 is another."""
    mlflow.register_model(world.model_uri, "income")
    world.client.set_registered_model_alias("income", "champion", "1")
    other = mlflow.sklearn.log_model(
        world.model[-1], name="other", input_example=world.train[FEATURES].head(2), pip_requirements=["scikit-learn"]
    )
    mlflow.register_model(other.model_uri, "income")
    return world


def test_addresses_are_what_they_mean_at_that_moment(registered: World) -> None:
    first, second = Registered(name="income", version="1"), Registered(name="income", version="2")
    assert registered_as("models:/income@champion") == registered_as("models:/income/1") == (first,)
    assert registered_as(registered.model_uri) == (first,)
    assert registered_as("models:/income/latest") == (second,)
    for unknown in ("models:/none@champion", "models:/income/7/x", "models:/m-00000000000000000000000000000000",
                    "runs:/1/model", None):  # fmt: skip
        assert registered_as(unknown) == ()


def test_model_and_champion_are_named_as_in_the_registry(registered: World) -> None:
    config = {"comparison": {"champion": "models:/income@champion", "slices": ["SEX"]}}
    run, _ = registered.evaluate(model="models:/income/2", evaluators="comparison", evaluator_config=config)
    evidence = evidence_of(registered, run, "comparison")
    assert [vars(one) for one in evidence.subject.registered] == [{"name": "income", "version": "2"}]
    assert evidence.measurements["champion"]["registered"] == [{"name": "income", "version": "1"}]
    said = Page(render(evidence)).words
    assert "Model income version 2; champion: income version 1;" in said
    assert "income version 1, models:/income@champion" in said
    assert loads(dumps(evidence)) == evidence
    assert joined.headline([evidence]).startswith("On all rows the challenger's accuracy is ")


def test_a_model_that_no_registry_knows_is_named_by_its_address(world: World) -> None:
    logged = mlflow.sklearn.log_model(
        world.model, name="unregistered", input_example=world.train[FEATURES].head(2), pip_requirements=["scikit-learn"]
    )
    run, _ = world.evaluate(model=logged.model_uri, evaluators="calibration", targets=LABEL)
    evidence = evidence_of(world, run, "calibration")
    assert evidence.subject.registered == ()
    assert b'"registered"' not in dumps(evidence)
    assert f"Model {logged.model_uri};" in Page(render(evidence)).words


def test_documents_of_earlier_releases_stay_as_they_are() -> None:
    for file in sorted(GOLDEN.glob("*-v1.json")):
        evidence = loads(file.read_bytes())
        assert dumps(evidence).strip() == file.read_bytes().strip(), file.name
    before = loads((GOLDEN / "calibration-v1.json").read_bytes())
    subject = before.subject.model_copy(update={"registered": (Registered(name="income", version="7"),)})
    text = render_diff(before, before.model_copy(update={"subject": subject, "digest": "sha256:" + "0" * 64}))
    assert "subject: registered – income version 7" in Page(text).words
