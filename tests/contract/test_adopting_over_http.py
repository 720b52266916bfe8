"""``policy apply`` over a model whose alias and stage disagree, by the command line and the JSON API."""

from __future__ import annotations

import uuid

from support.releasing import POLICY, register
from support.serving import ADMIN, Server


def test_a_policy_over_a_model_whose_alias_and_stage_disagree(governed: Server) -> None:
    model = f"adopted-{uuid.uuid4().hex[:8]}"
    governed.mlflow("ana", "POST", "registered-models/create", name=model)
    for _ in range(2):
        register(governed, model)
    governed.mlflow("ana", "POST", "registered-models/alias", name=model, alias="champion", version="1")
    stage = {"stage": "Production", "archive_existing_versions": False}
    governed.mlflow("ana", "POST", "model-versions/transition-stage", name=model, version="2", **stage)
    text = POLICY.format(name=model, model=model)
    answer = governed.ask(ADMIN, "POST", "policy/apply", json={"yaml": text})
    assert answer.status_code == 403 and "aliases champion 1; stages Production 2" in answer.json()["message"]
    assert governed.ask(ADMIN, "POST", "policy/apply", json={"yaml": text, "adopt": "both"}).status_code == 400
    file = governed.directory / f"{model}.yaml"
    file.write_text(text)
    done = governed.cli(ADMIN, "policy", "apply", str(file))
    assert done.returncode == 1 and "--adopt alias (champion 1) or --adopt stage (champion 2)" in done.stderr
    version = governed.mlflow("ana", "GET", f"model-versions/get?name={model}&version=2")["model_version"]
    assert version["current_stage"] == "Production"
    done = governed.cli(ADMIN, "policy", "apply", str(file), "--adopt", "stage")
    assert done.returncode == 0 and f"Taken in: {model}" in done.stdout, done.stderr
    assert governed.json("ana", "status", model)["models"][0]["pair"]["champion"] == 2
    (entry,) = governed.json("ana", "history", model)["entries"][-1:]
    assert "aliases said champion 1, stages Production 2, and the stages counted" in entry["summary"]
