"""Attempts to have one thing checked and another acted on: each is answered 400 at once, and changes nothing.

guest reads everything and owns the run ``$mine``, the experiment ``$own``, the logged model ``$logged`` and the model
``$guests``; the champion's run, logged model and model are ana's.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import mlflow
import pytest
from mlflow import MlflowClient
from support.attacking import AJAX, Attacker, Attempt, release
from support.serving import ADMIN, PASSWORDS, Server

from registry_hooks.app.guards.given import Given, in_json, twice

API3 = "/api/3.0/mlflow/"
FILES = "/api/2.0/mlflow-artifacts/artifacts/"
MCP = f"{API3}mcp-servers"
FORM = {"Content-Type": "application/x-www-form-urlencoded"}
PARTS = {"Content-Type": "multipart/form-data; boundary=x"}
PLAIN = {"Content-Type": "text/plain"}
DENIED = "ermission denied"
ONCE = "does not say each thing once"
UPLOAD = f"{AJAX}upload-artifact"
TAG = {"key": "k", "value": "v"}
OWN = {"experiment_id": "$own"}
RUN, BOTH = {"run_id": "$mine"}, {"run_id": "$mine", "run_uuid": "$run"}
TWO = {"run_id": "$mine", "runId": "$run"}


def twice_in(name: str, method: str, path: str, body: Any = None, user: str = "guest", **more: Any) -> Attempt:
    return Attempt(name, method, path, body, user, ONCE, **more)


UPLOADS = [
    twice_in("upload by two names", "POST", f"{UPLOAD}?run_id=$mine&run_uuid=$run&path=model/MLmodel", text=b"x"),
    twice_in("upload, theirs first", "POST", f"{UPLOAD}?run_uuid=$run&run_id=$mine&path=model/MLmodel", text=b"x"),
    twice_in("upload by the administrator", "POST", f"{UPLOAD}?run_id=$mine&run_uuid=$run&path=x", user=ADMIN),
    twice_in("upload, one name twice", "POST", f"{UPLOAD}?run_uuid=$mine&run_uuid=$run&path=x", text=b"x"),
    twice_in("upload, one name and value twice", "POST", f"{UPLOAD}?run_uuid=$run&run_uuid=$run&path=x", text=b"x"),
    twice_in("upload, an empty name first", "POST", f"{UPLOAD}?run_id=&run_uuid=$run&path=x", text=b"x"),
    twice_in("upload, two paths", "POST", f"{UPLOAD}?run_uuid=$mine&path=x&path=../../$run/artifacts/x", text=b"x"),
    twice_in("upload, escaped names", "POST", f"{UPLOAD}?run%5Fid=$mine&run%5Fuuid=$run&path=x", text=b"x"),
    twice_in("upload, in camel case", "POST", f"{UPLOAD}?runUuid=$mine&run_uuid=$run&path=x", text=b"x"),
    twice_in("download by two names", "GET", "/get-artifact?run_id=$mine&run_uuid=$run&path=model/MLmodel"),
    twice_in("download, one name twice", "GET", "/get-artifact?run_id=$mine&run_id=$run&path=model/MLmodel"),
    twice_in("download of a version, two names", "GET",
             "/model-versions/get-artifact?name=$guests&name=$model&version=2&path=MLmodel"),
    twice_in("download of a trace, two names", "GET", f"{AJAX}get-trace-artifact?request_id=a&trace_id=b"),
    twice_in("a file by its path and another in the query", "GET", f"{FILES}$own/x?path=$files/MLmodel"),
    twice_in("a file put by its path and another in the query", "PUT", f"{FILES}$files/MLmodel?path=$own/x", text=b"x"),
    twice_in("a file of the path of pages", "PUT", f"/ajax-api{FILES[4:]}$files/MLmodel?path=$own", text=b"x"),
    twice_in("a file deleted", "DELETE", f"{FILES}$files/MLmodel?path=$own/x"),
    twice_in("files listed twice", "GET", f"{FILES[:-1]}?path=$own&path=$files"),
    twice_in("an upload in parts", "POST", "/api/2.0/mlflow-artifacts/mpu/create/$files?path=$own", {"path": "x"}),
]  # fmt: skip

RUNS = [
    twice_in("tag in two spellings", "POST", "runs/set-tag", TWO | TAG),
    twice_in("tag in two spellings, theirs first", "POST", "runs/set-tag", {"runId": "$run", **RUN, **TAG}),
    twice_in("tag by two names", "POST", "runs/set-tag", BOTH | TAG),
    twice_in("tag by two names, one of them null", "POST", "runs/set-tag", BOTH | TAG | {"run_id": None}),
    twice_in("tag by two names, one of them empty", "POST", "runs/set-tag", BOTH | TAG | {"run_id": ""}),
    twice_in("tag by two names in camel case", "POST", "runs/set-tag", TAG | {"run_id": "$mine", "runUuid": "$run"}),
    twice_in("tag in camel case alone", "POST", "runs/set-tag", TAG | {"runId": "$run"}, "ana"),
    twice_in("tag by the administrator", "POST", "runs/set-tag", TWO | TAG, ADMIN),
    twice_in("tag by the path of pages", "POST", f"{AJAX}runs/set-tag", TWO | TAG),
    twice_in("tag, one name twice in the text", "POST", "runs/set-tag",
             text='{"run_id": "$run", "run_id": "$mine", "key": "k", "value": "v"}'),
    twice_in("tag, one name twice by an escape", "POST", "runs/set-tag",
             text='{"run_id": "$mine", "run\\u005fid": "$run", "key": "k", "value": "v"}'),
    twice_in("tag, JSON within a JSON text", "POST", "runs/set-tag",
             text=r'"{\"run_id\": \"$mine\", \"runId\": \"$run\", \"key\": \"k\", \"value\": \"v\"}"'),
    twice_in("tag, in UTF-16", "POST", "runs/set-tag", text=json.dumps({"run_id": "a", "runId": "b"}).encode("utf-16")),
    twice_in("tag, the body and the query", "POST", "runs/set-tag?run_id=$run", RUN | TAG),
    twice_in("tag, the body and another name in the query", "POST", "runs/set-tag?run_uuid=$run", RUN | TAG),
    twice_in("tag, the body and the query with one value", "POST", "runs/set-tag?run_id=$mine", RUN | TAG),
    twice_in("tag, not announced as JSON", "POST", "runs/set-tag", TWO | TAG, headers=PLAIN),
    twice_in("tag as a form", "POST", "runs/set-tag", text="run_id=$mine&run_uuid=$run&key=k&value=v", headers=FORM),
    twice_in("tag as a form of parts", "POST", "runs/set-tag", headers=PARTS,
             text='--x\r\nContent-Disposition: form-data; name="run_id"\r\n\r\n$mine\r\n'
                  '--x\r\nContent-Disposition: form-data; name="run_id"\r\n\r\n$run\r\n--x--\r\n'),
    twice_in("tag, a header and the body", "POST", "runs/set-tag", RUN | TAG, headers={"X-MLflow-Run-Id": "$run"}),
    twice_in("deletion in two spellings", "POST", "runs/delete", TWO),
    twice_in("restoring in two spellings", "POST", "runs/restore", TWO),
    twice_in("status by two names", "POST", "runs/update", BOTH | {"status": "FAILED"}),
    twice_in("parameter by two names", "POST", "runs/log-parameter", BOTH | TAG),
    twice_in("metric by two names", "POST", "runs/log-metric", BOTH | {"key": "k", "value": 1, "timestamp": 1}),
    twice_in("batch in two spellings", "POST", "runs/log-batch", TWO | {"metrics": [], "params": [], "tags": [TAG]}),
    twice_in("batch, of which a metric is another's", "POST", "runs/log-batch",
             RUN | {"metrics": [{"key": "k", "value": 1, "timestamp": 1, "run_id": "$run"}]}),
    twice_in("inputs in two spellings", "POST", "runs/log-inputs", TWO | {"datasets": []}),
    twice_in("outputs in two spellings", "POST", "runs/outputs", TWO | {"models": []}),
    twice_in("outputs, a model in two spellings", "POST", "runs/outputs",
             RUN | {"models": [{"model_id": "$logged", "modelId": "$theirs", "step": 0}]}),
    twice_in("deletion of a tag", "POST", "runs/delete-tag", TWO | {"key": "k"}),
    twice_in("the record of a model", "POST", "runs/log-model", TWO | {"model_json": "{}"}),
    twice_in("a run read by two names", "GET", "runs/get?run_id=$mine&run_uuid=$run"),
    twice_in("a run read, and a body", "GET", "runs/get?run_id=$mine", {"run_id": "$run"}),
    twice_in("files listed by two names", "GET", "artifacts/list?run_id=$mine&run_uuid=$run"),
    twice_in("metrics read by two names", "GET", "metrics/get-history?run_id=$mine&run_uuid=$run&metric_key=k"),
    twice_in("a presigned address", "POST", "artifacts/presigned-upload-url", TWO | {"path": "model/MLmodel"}),
    twice_in("a request with its name in capitals", "POST", "runs/set-tag", RUN | {"RUN_ID": "$run"} | TAG),
]  # fmt: skip

OTHERS = [
    twice_in("a logged model by its path and its body", "PATCH", "logged-models/$logged", {"model_id": "$theirs"}),
    twice_in("tags of a logged model", "PATCH", "logged-models/$logged/tags", {"modelId": "$theirs", "tags": [TAG]}),
    twice_in("deletion of a logged model", "DELETE", "logged-models/$logged", {"model_id": "$theirs"}),
    twice_in("deletion of a logged model, by a query", "DELETE", "logged-models/$logged?model_id=$theirs"),
    twice_in("an experiment in two spellings", "POST", "experiments/delete", OWN | {"experimentId": "0"}),
    twice_in("an experiment, query and body", "POST", "experiments/update?experiment_id=$own",
             {"experiment_id": "0", "new_name": "x"}),
    twice_in("a registered model, query and body", "DELETE", "registered-models/delete?name=$guests",
             {"name": "$model"}, headers=PLAIN),
    twice_in("a registered model, one name twice", "POST", "registered-models/alias", user="ana",
             text='{"name": "$guests", "name": "$model", "alias": "champion", "version": "$fresh"}'),
    twice_in("a version, one name twice", "GET", "model-versions/get?name=$guests&name=$model&version=2"),
    twice_in("a new version of two models", "POST", "model-versions/create?name=$guests", {"name": "$model"}),
    twice_in("a new version by two runs", "POST", "model-versions/create",
             {"name": "$guests", "source": "runs:/$mine/m", "run_id": "$mine", "runId": "$run"}),
    twice_in("a trace by its path and its body", "PATCH", f"{API3}traces/tr-a/tags", {"trace_id": "tr-b", **TAG}),
    twice_in("a trace by two names", "PATCH", f"{API3}traces/tr-a/tags", {"request_id": "tr-b", **TAG}),
    twice_in("an assessment of another trace", "POST", f"{API3}traces/tr-a/assessments",
             {"assessment": {"trace_id": "tr-b", "assessment_name": "x"}}),
    twice_in("an assessment of another trace, in camel case", "POST", f"{API3}traces/tr-a/assessments",
             {"assessment": {"traceId": "tr-b", "assessment_name": "x"}}),
    twice_in("traces of another experiment, in camel case", "POST", f"{API3}traces",
             {"trace": {"trace_info": {"trace_location": {"mlflow_experiment": OWN | {"experimentId": "0"}}}}}),
    twice_in("an assessment of another trace, in a new one", "POST", f"{API3}traces",
             {"trace": {"trace_info": {"trace_id": "tr-a", "assessments": [{"trace_id": "tr-b"}]}}}),
    twice_in("a list of runs where one is meant", "POST", "runs/set-tag", TAG | {"run_id": ["$mine", "$run"]}),
    twice_in("a number where a name is meant", "POST", "registered-models/alias", {"name": 5, "alias": "a"}),
    twice_in("a text where runs are listed", "POST", f"{API3}datasets/search", {"experiment_ids": "0" * 100_000}),
    twice_in("no list where traces are listed", "POST", "traces/link-to-run", RUN | {"trace_ids": None}),
    twice_in("a metric that is none", "POST", "runs/log-batch", RUN | {"metrics": [None, []]}),
    twice_in("half of a surrogate pair", "POST", "runs/set-tag", RUN | TAG | {"value": "\ud800"}),
    twice_in("an object where a run is meant", "POST", "runs/set-tag", TAG | {"run_id": {"$mine": "$run"}}),
    twice_in("traces read, in camel case", "POST", f"{API3}traces/batchGetInfos", {"traceIds": ["tr-a"]}),
    twice_in("traces linked, in camel case", "POST", "traces/link-to-run", RUN | {"traceIds": ["tr-a"]}),
    twice_in("a data set of other experiments", "POST", f"{API3}datasets/create", {"experimentIds": ["0"]}),
    twice_in("a data set by its path and its body", "PATCH", f"{API3}datasets/d-1/tags", {"dataset_id": "d-2"}),
    twice_in("scorers of two experiments", "GET", f"{API3}scorers/list?experiment_id=$own&experiment_ids=0"),
    twice_in("a user in two places", "PATCH", "users/update-password?username=guest",
             {"username": "ana", "password": "a-long-password-of-mine"}),
    twice_in("a user twice", "PATCH", "users/update-password",
             text='{"username": "guest", "username": "ana", "password": "a-long-password-of-mine"}'),
    twice_in("a user twice, by the administrator", "PATCH", "users/update-admin?username=raj",
             {"username": "guest", "is_admin": True}, ADMIN),
    twice_in("a permission in two spellings", "POST", f"{API3}users/permissions/grant",
             {"username": "guest", "resource_type": "experiment", "resource_id": "$own", "resourceId": "0",
              "permission": "MANAGE"}),
    twice_in("a role given twice", "POST", f"{API3}roles/assign?username=ana", {"username": "guest"}, ADMIN),
    twice_in("GraphQL of a run by two names", "POST", "/graphql",
             {"query": 'query { mlflowGetRun(input: {runId: "$mine", runUuid: "$run"}) { run { info { runId } } } }'}),
    twice_in("GraphQL by two variables", "POST", "/graphql",
             {"query": "query($$a: String, $$b: String) { mlflowGetRun(input: {runId: $$a, runUuid: $$b}) { run } }",
              "variables": {"a": "$mine", "b": "$run"}}),
    twice_in("GraphQL by one variable", "POST", "/graphql",
             {"query": "query($$i: MlflowGetRunInput) { mlflowGetRun(input: $$i) { __typename } }",
              "variables": {"i": {"runId": "$mine", "runUuid": "$run"}}}),
    twice_in("GraphQL in the query and the body", "POST", "/graphql?query=%7Btest%7D", {"query": "{ test }"}),
    twice_in("an MCP server in the query twice", "GET", f"{MCP}?page_token=a&page_token=b"),
    twice_in("an MCP server twice", "POST", MCP, text='{"name": "a/b", "name": "c/d"}'),
    twice_in("an MCP server, query and body", "POST", f"{MCP}?name=a/b", {"name": "c/d"}),
    twice_in("an MCP server by its path and its body", "PATCH", f"{MCP}/a/b", {"name": "c/d"}),
    twice_in("an alias by its path and the query", "DELETE", f"{MCP}/a/b/aliases/x?alias=y"),
    twice_in("spans, two experiments", "POST", "/v1/traces?experiment_id=0", text=b"x",
             headers={"X-MLflow-Experiment-Id": "$own", "Content-Type": "application/x-protobuf"}),
    twice_in("one of our own routes, with a query", "POST", "/api/2.0/registry-hooks/promote?model=$guests",
             {"model": "$model", "version": 3}),
]  # fmt: skip

METRIC = {"key": "k", "value": 1, "timestamp": 1, "model_id": "$theirs"}
LOGGED = {"model_id": "$logged"}


def beside(name: str, path: str, body: dict[str, Any]) -> Attempt:
    return Attempt(name, "POST", path, RUN | body, "guest", DENIED)


BESIDE = [
    beside("a metric of another's model", "runs/log-metric", METRIC),
    beside("a metric of another's model, by the path of pages", f"{AJAX}runs/log-metric", METRIC),
    beside("a batch, one metric of another's model", "runs/log-batch", {"metrics": [METRIC | LOGGED, METRIC]}),
    beside("a metric of a model that is none", "runs/log-metric", METRIC | {"model_id": "m-0"}),
    beside("another's model as an output", "runs/outputs", {"models": [{"model_id": "$theirs", "step": 0}]}),
    beside("another's model as an input", "runs/log-inputs", {"models": [{"model_id": "$theirs"}]}),
    beside("an address to upload to another's run", "artifacts/presigned-upload-url", {"run_id": "$run", "path": "x"}),
]  # fmt: skip


@pytest.fixture(scope="module")
def names(governed: Server) -> dict[str, str]:
    """What ana has released, and what guest owns."""
    made = release(governed)
    guests = made["model"] + "-guests"
    governed.mlflow("guest", "POST", "registered-models/create", name=guests)
    own = governed.mlflow("guest", "POST", "experiments/create", name=guests)["experiment_id"]
    mine = governed.mlflow("guest", "POST", "runs/create", experiment_id=own)["run"]["info"]["run_id"]
    logged = governed.mlflow("guest", "POST", "logged-models", experiment_id=own, name="m")["model"]["info"]["model_id"]
    anas = governed.mlflow("ana", "GET", f"runs/get?run_id={made['run']}")["run"]["info"]["experiment_id"]
    theirs = governed.mlflow("ana", "POST", "logged-models", experiment_id=anas, name="m")["model"]["info"]["model_id"]
    return made | {"guests": guests, "own": own, "mine": mine, "logged": logged, "theirs": theirs}


@pytest.fixture(scope="module")
def attacker(governed: Server, names: dict[str, str]) -> Iterator[Attacker]:
    made = Attacker(governed, names)
    yield made
    made.close()


@pytest.fixture(scope="module", autouse=True)
def untouched(governed: Server, names: dict[str, str]) -> Iterator[None]:
    """After all attempts the champion's run and its files are as they were."""

    def found() -> Any:
        files = sorted((governed.directory / "mlartifacts" / names["files"]).rglob("*"))
        run = governed.mlflow("ana", "GET", f"runs/get?run_id={names['run']}")
        return run, [(str(file), file.read_bytes()) for file in files if file.is_file()]

    before = found()
    yield
    assert found() == before


@pytest.mark.parametrize("attempt", [*UPLOADS, *RUNS, *OTHERS], ids=str)
def test_what_is_given_twice_is_refused_before_anything_runs(attacker: Attacker, attempt: Attempt) -> None:
    attacker.refused(attempt)
    assert attacker.perform(attempt).status == 400


def test_what_mlflows_own_client_sends_is_given_once(
    governed: Server, names: dict[str, str], tmp_path, monkeypatch
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_USERNAME", "guest")
    monkeypatch.setenv("MLFLOW_TRACKING_PASSWORD", PASSWORDS["guest"])
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    client, own = MlflowClient(governed.uri, governed.uri), names["own"]
    run = client.create_run(own).info.run_id
    client.log_metric(run, "m", 1.0)
    client.log_param(run, "p", "1")
    client.set_tag(run, "t", "1")
    client.delete_tag(run, "t")
    client.update_run(run, name="again")
    (tmp_path / "twice.json").write_text('{"run_id": "a", "run_id": "b", "runId": "c"}')
    client.log_artifact(run, str(tmp_path / "twice.json"))
    assert [each.path for each in client.list_artifacts(run)] == ["twice.json"]
    assert client.get_run(run).data.metrics == {"m": 1.0}
    assert len(client.get_metric_history(run, "m")) == 1
    logged = client.create_logged_model(own, name="m").model_id
    client.log_batch(run, [mlflow.entities.Metric("n", 1.0, 1, 0, model_id=logged, run_id=run)])
    client.set_logged_model_tags(logged, {"k": "v"})
    client.delete_logged_model_tag(logged, "k")
    client.finalize_logged_model(logged, "READY")
    client.log_outputs(run, [mlflow.entities.LoggedModelOutput(logged, 0)])
    assert client.get_logged_model(logged).model_id == logged
    client.delete_logged_model(logged)
    trace, store = "tr-1234", client._tracing_client.store
    place = {"type": "MLFLOW_EXPERIMENT", "mlflow_experiment": {"experiment_id": own}}
    info = {"trace_id": trace, "trace_location": place, "request_time": "2026-01-01T00:00:00Z", "state": "OK"}
    assert governed.ask("guest", "POST", f"{API3}traces", json={"trace": {"trace_info": info}}).ok
    client.set_trace_tag(trace, "k", "v")
    client.delete_trace_tag(trace, "k")
    said = store.create_assessment(mlflow.entities.Feedback(name="good", value=True, trace_id=trace))
    store.update_assessment(trace, said.assessment_id, name="better")
    store.delete_assessment(trace, said.assessment_id)
    client.link_traces_to_run([trace], run)
    assert [each.trace_id for each in store.search_traces(locations=[own])[0]] == [trace]
    client.delete_traces(own, trace_ids=[trace])
    bulk = f"{AJAX}metrics/get-history-bulk?metric_key=m&run_id={run}&run_id={names['mine']}"
    assert governed.ask("guest", "GET", bulk).ok


def test_one_value_may_stand_in_the_path_and_under_both_names_of_a_thing() -> None:
    both = [Given("run_id", "body", ("r",)), Given("run_uuid", "body", ("r",)), Given("run_id", "path", ("r",))]
    assert twice(both) == []
    assert [reason.rule for reason in twice([*both, Given("run_id", "path", ("s",))])] == ["run_id"]
    assert [reason.rule for reason in twice([Given("run_id", "query", ("r",)), Given("run_uuid", "body", ("r",))])]
    assert twice([Given("stages", "query", ("a", "b"))], frozenset({"stages"})) == []
    assert len(twice([Given("stages", "query", ("a", "b"))])) == 1


def test_names_that_a_caller_chooses_may_be_alike() -> None:
    from mlflow.protos.service_pb2 import LogBatch, StartTraceV3

    tags = '{"run_id": "r", "tags": [{"key": "run_id", "value": "x"}, {"key": "runId", "value": "y"}]}'
    assert in_json(tags, LogBatch.DESCRIPTOR)[1] == []
    own = '{"trace": {"trace_info": {"trace_metadata": {"run_id": "a", "runId": "b"}, "tags": {"traceId": "c"}}}}'
    assert in_json(own, StartTraceV3.DESCRIPTOR)[1] == []
    assert len(in_json(own.replace('"runId"', '"run_id"'), StartTraceV3.DESCRIPTOR)[1]) == 1


@pytest.mark.parametrize("text", ["", "x", "[" * 100_000, "null", "[]", '"x"', "{", b"\xff\xfe{", '"\\ud800"'])
def test_what_is_no_json_object_gives_nothing(text: Any) -> None:
    assert in_json(text)[0] == []
