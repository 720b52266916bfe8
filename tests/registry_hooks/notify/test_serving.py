"""The example of docs/serving.md: MLflow's scoring server changes its model with a promotion and with a rollback."""

import hashlib
import sys
import time
import uuid
from pathlib import Path

import pytest
import requests
import yaml
from support.releasing import go, govern, sealed, upload
from support.serving import ADMIN, Process, free_port

from mlflow_eval_plugin.evidence import Subject
from mlflow_eval_plugin.model_files import model_digest

EXAMPLES = Path(__file__).parents[3] / "examples"
LOADER = """
import pathlib
class Constant:
    def __init__(self, value):
        self.value = value
    def predict(self, data, params=None):
        return [self.value] * len(data)
def _load_pyfunc(path):
    return Constant(float(pathlib.Path(path, "value").read_text()))
"""


def register(server, model, value):
    """A version that predicts one number, with Evidence."""
    experiment = server.mlflow("ana", "POST", "experiments/create", name=uuid.uuid4().hex)["experiment_id"]
    run = server.mlflow("ana", "POST", "runs/create", experiment_id=experiment, start_time=0)["run"]["info"]
    flavor = {"loader_module": "constant_model", "code": "code", "data": "data", "python_version": "3.11.0"}
    files = {
        "MLmodel": yaml.safe_dump({"model_uuid": uuid.uuid4().hex, "flavors": {"python_function": flavor}}),
        "code/constant_model.py": LOADER,
        "data/value": str(value),
    }
    for path, text in files.items():
        upload(server, run["artifact_uri"], f"model/{path}", text.encode())
    digests = {path: (len(text), hashlib.sha256(text.encode()).hexdigest()) for path, text in files.items()}
    subject = Subject(run_id=run["run_id"], model_digest=model_digest(digests))
    upload(server, run["artifact_uri"], "evidence/calibration.json", sealed(subject, "pass"))
    source = {"name": model, "source": f"{run['artifact_uri']}/model", "run_id": run["run_id"]}
    return int(server.mlflow("ana", "POST", "model-versions/create", **source)["model_version"]["version"])


def promote(server, model, value):
    version = register(server, model, value)
    go(server, model, version, "ana nominate", "ana request", "raj approve", "mei approve", "ana promote")


def predicts(uri, value, process, seconds=90):
    """Return once the scorer's prediction is that."""
    until = time.monotonic() + seconds
    while True:
        assert time.monotonic() < until and process.process.poll() is None, process.told()[-3000:]
        try:
            answer = requests.post(f"{uri}/invocations", json={"inputs": [[1.0]]}, timeout=10)
            if answer.ok and answer.json()["predictions"] == [value]:
                return
        except requests.RequestException:
            pass
        time.sleep(0.05)


@pytest.mark.parametrize("way", ["webhook", "poll"])
def test_the_scoring_server_serves_what_is_champion_after_a_promotion_and_a_rollback(told, tmp_path, way):
    model, port = govern(told), free_port()
    uri = f"http://127.0.0.1:{port}"
    env = {"MODEL": model, "POLL_SECONDS": "0.5", "HOOK_SECRET": "whsec_" + "A" * 32}
    if way == "webhook":
        added = told.json(ADMIN, "notify", "add", model, "webhook", f"{uri}/hook", "--model", model)
        env |= {"HOOK_SECRET": added["secret"], "POLL_SECONDS": "3600"}
    promote(told, model, 1.0)
    command = [sys.executable, "-m", "uvicorn", "--app-dir", str(EXAMPLES), "serve_champion:app", "--port", str(port)]
    scorer = Process(command, told.env("guest", **env), tmp_path)
    try:
        predicts(uri, 1.0, scorer)
        assert requests.post(f"{uri}/hook", data=b"{}", timeout=10).status_code == 401  # nobody signed it
        promote(told, model, 2.0)
        predicts(uri, 2.0, scorer)
        rolled = told.ask("oncall", "POST", "rollback", json={"model": model, "reason": "it drifts"})
        assert rolled.ok, rolled.text
        predicts(uri, 1.0, scorer)
    finally:
        scorer.stop()
        if way == "webhook":
            told.json(ADMIN, "notify", "remove", model)
