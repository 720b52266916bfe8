"""The same gate for MLflow's own clients; and what stays allowed beside the roles, which it must not move either."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

import mlflow
import pytest
from mlflow import MlflowClient
from mlflow.exceptions import MlflowException
from mlflow.store.artifact.models_artifact_repo import ModelsArtifactRepository
from support.attacking import AJAX, Attacker, Attempt, release, roles, standing
from support.probes.pace import patience
from support.releasing import POLICY
from support.serving import ADMIN, PASSWORDS, Server

pytestmark = pytest.mark.filterwarnings("ignore::FutureWarning")
Call = Callable[[MlflowClient, dict[str, str]], Any]

CALLS: dict[str, Call] = {
    "set the alias champion": lambda c, n: c.set_registered_model_alias(n["model"], "champion", n["fresh"]),
    "set the alias fallback": lambda c, n: c.set_registered_model_alias(n["model"], "fallback", n["fresh"]),
    "delete the alias champion": lambda c, n: c.delete_registered_model_alias(n["model"], "champion"),
    "stage Production": lambda c, n: c.transition_model_version_stage(n["model"], n["fresh"], "Production"),
    "stage Production, archiving": lambda c, n: c.transition_model_version_stage(
        n["model"], n["fresh"], "Production", archive_existing_versions=True
    ),
    "archive the champion": lambda c, n: c.transition_model_version_stage(n["model"], n["champion"], "Archived"),
    "delete the champion": lambda c, n: c.delete_model_version(n["model"], n["champion"]),
    "delete the model": lambda c, n: c.delete_registered_model(n["model"]),
    "rename the model": lambda c, n: c.rename_registered_model(n["model"], n["model"] + "-2"),
    "rename another to it": lambda c, n: c.rename_registered_model(n["plain"], n["model"]),
    "tag it as a prompt": lambda c, n: c.set_registered_model_tag(n["model"], "mlflow.prompt.is_prompt", "true"),
    "tag a version as a prompt": lambda c, n: c.set_model_version_tag(
        n["model"], n["fresh"], "mlflow.prompt.is_prompt", "true"
    ),
    "register a prompt of its name": lambda c, n: c.register_prompt(n["model"], "Hello"),
    "create a prompt of its name": lambda c, n: c.create_prompt(n["model"]),
    "set champion as a prompt's alias": lambda c, n: c.set_prompt_alias(n["model"], "champion", int(n["fresh"])),
    "delete champion as a prompt's alias": lambda c, n: c.delete_prompt_alias(n["model"], "champion"),
    "delete the champion as a prompt's version": lambda c, n: c.delete_prompt_version(n["model"], n["champion"]),
    "delete the model as a prompt": lambda c, n: c.delete_prompt(n["model"]),
    "tag it as a prompt, as a prompt": lambda c, n: c.set_prompt_tag(n["model"], "mlflow.prompt.is_prompt", "true"),
    "copy a version that is marked as a prompt to it": lambda c, n: c.copy_model_version(
        f"models:/{n['marked']}/1", n["model"]
    ),
}  # fmt: skip

HARMLESS = [
    Attempt("an alias in fullwidth letters", "POST", "registered-models/alias",
            {"name": "$model", "alias": "ｃｈａｍｐｉｏｎ", "version": "$fresh"}),
    Attempt("an alias with a dotless letter", "POST", "registered-models/alias",
            {"name": "$model", "alias": "champ\u0131on", "version": "$fresh"}),
    Attempt("an alias with a Cyrillic letter", "POST", "registered-models/alias",
            {"name": "$model", "alias": "\u0441hampion", "version": "$fresh"}),
    Attempt("an alias that is no role", "POST", "registered-models/alias",
            {"name": "$model", "alias": "champion-2", "version": "$fresh"}),
    Attempt("the alias champion to the champion", "POST", "registered-models/alias",
            {"name": "$model", "alias": "champion", "version": "$champion"}),
    Attempt("the stage Production to the champion", "POST", AJAX + "model-versions/transition-stage",
            {"name": "$model", "version": "$champion", "stage": "production", "archive_existing_versions": True}),
    Attempt("a look with a verb in another header", "GET", "registered-models/alias?name=$model&alias=champion",
            headers={"X-HTTP-Method-Override": "DELETE"}),
    Attempt("a description with a stage beside it", "PATCH", "model-versions/update",
            {"name": "$model", "version": "$fresh", "description": "d", "current_stage": "Production"}),
    Attempt("a description with a new name beside it", "PATCH", "registered-models/update",
            {"name": "$model", "description": "d", "new_name": "other", "aliases": [{"alias": "champion"}]}),
    Attempt("a tag champion", "POST", "model-versions/set-tag",
            {"name": "$model", "version": "$fresh", "key": "champion", "value": "true"}),
    Attempt("the tag of prompts in capitals", "POST", "model-versions/set-tag",
            {"name": "$model", "version": "$fresh", "key": "MLFLOW.PROMPT.IS_PROMPT", "value": "true"}),
    Attempt("a new version with stage and aliases beside it", "POST", "model-versions/create",
            {"name": "$model", "source": "models:/$model/$fresh", "stage": "Production", "current_stage": "Production",
             "aliases": ["champion"], "user_id": "raj"}),
    Attempt("a GraphQL mutation that there is none of", "POST", "/graphql",
            {"query": "mutation { setRegisteredModelAlias(name: \"$model\") { name } }"}),
    Attempt("GraphQL that asks one thing by a hundred names", "POST", "/graphql",
            {"query": "query {" + " ".join(f"a{i}: test(inputString: \"x\") {{ output }}" for i in range(100)) + "}"}),
    Attempt("a version in no role deleted", "DELETE", "model-versions/delete",
            {"name": "$model", "version": "$failing"}),
    Attempt("a model that differs in letter case", "POST", "registered-models/create", {"name": "$MODEL"}),
]  # fmt: skip


@pytest.fixture(scope="module")
def names(governed: Server) -> dict[str, str]:
    """The model under attack, and what lies around it."""
    made = release(governed)
    plain, marked = made["model"] + "-plain", made["model"] + "-marked"
    prompt = [{"key": "mlflow.prompt.is_prompt", "value": "true"}]
    governed.mlflow("ana", "POST", "registered-models/create", name=plain)
    governed.mlflow("ana", "POST", "registered-models/create", name=marked)
    governed.mlflow("ana", "POST", "model-versions/create", name=marked, source="prompt-template", tags=prompt)
    champion = f"model-versions/get?name={made['model']}&version={made['champion']}"
    run = governed.mlflow("ana", "GET", champion)["model_version"]["run_id"]
    return {**made, "plain": plain, "marked": marked, "champion_run": run}


@pytest.fixture
def client(governed: Server, monkeypatch: pytest.MonkeyPatch) -> Iterator[MlflowClient]:
    """MLflow's own client as ana, and as what ``mlflow.pyfunc.load_model`` would use."""
    monkeypatch.setenv("MLFLOW_TRACKING_USERNAME", "ana")
    monkeypatch.setenv("MLFLOW_TRACKING_PASSWORD", PASSWORDS["ana"])
    before = mlflow.get_tracking_uri(), mlflow.get_registry_uri()
    mlflow.set_tracking_uri(governed.uri)
    mlflow.set_registry_uri(governed.uri)
    yield MlflowClient(governed.uri, governed.uri)
    mlflow.set_tracking_uri(before[0])
    mlflow.set_registry_uri(before[1])


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS.keys())
def test_mlflows_own_client_is_refused_at_once_and_changes_nothing(
    governed: Server, client: MlflowClient, names: dict[str, str], call: Call
) -> None:
    model = names["model"]
    before = standing(governed, model), loaded_from(model)
    begun = time.monotonic()
    with pytest.raises(MlflowException) as caught:
        call(client, names)
    seconds = time.monotonic() - begun
    assert 400 <= caught.value.get_http_status_code() < 500, caught.value
    assert (standing(governed, model), loaded_from(model)) == before
    assert seconds < patience(1)


def loaded_from(model: str) -> tuple[str, str]:
    """Where ``mlflow.pyfunc.load_model`` would take the champion and Production from."""
    by_alias, by_stage = f"models:/{model}@champion", f"models:/{model}/Production"
    resolve = ModelsArtifactRepository.get_underlying_uri
    return resolve(by_alias), resolve(by_stage)


@pytest.mark.parametrize("attempt", HARMLESS, ids=str)
def test_what_is_allowed_beside_the_roles_does_not_move_them(
    governed: Server, names: dict[str, str], attempt: Attempt
) -> None:
    attacker = Attacker(governed, names)
    before = roles(governed, names["model"])
    answer = attacker.perform(attempt)
    attacker.close()
    assert answer.status == 200, answer.text
    assert roles(governed, names["model"]) == before


def test_a_policy_takes_no_model_that_searches_hold_for_a_prompt(governed: Server, names: dict[str, str]) -> None:
    policy = POLICY.format(name=names["marked"], model=names["marked"])
    answer = governed.ask(ADMIN, "POST", "policy/apply", json={"yaml": policy})
    assert answer.status_code == 400 and "is a prompt" in answer.text
