"""Attempts to have files kept in somebody else's place: as an experiment's, a version's, or a trace's own."""

from __future__ import annotations

import uuid
from collections.abc import Iterator

import pytest
from support.attacking import Attacker, Attempt, release
from support.serving import ADMIN, Server

ADMINISTRATOR = "ask an administrator"
KEEPS = "keeps its files"
ELSEWHERE = "file:///etc"
ARTIFACTS, ARCHIVE, SPANS = "mlflow.artifactLocation", "mlflow.trace.archiveLocation", "mlflow.trace.spansLocation"
ARCHIVED = {SPANS: "ARCHIVE_REPO", ARCHIVE: ELSEWHERE}
EXPERIMENTS = "/2.0/mlflow/experiments/create"


def experiment(name: str, location: str, user: str = "guest", path: str = f"/api{EXPERIMENTS}") -> Attempt:
    return Attempt(name, "POST", path, {"name": "$model-x", "artifact_location": location}, user, ADMINISTRATOR)


def source(name: str, location: str, prompt: bool = True, **more: str) -> Attempt:
    """A version of a model of guest's own, said to be a prompt's, for whose source MLflow has other rules."""
    tags = [{"key": key, "value": "true"} for key in ("mlflow.prompt.is_prompt",) if prompt]
    body = {"name": "$model-source", "source": location, "tags": tags} | more
    return Attempt(name, "POST", "model-versions/create", body, "guest", "permission denied")


def info(trace: str, **tags: str) -> dict[str, object]:
    """The body that starts a trace of guest's."""
    place = {"type": "MLFLOW_EXPERIMENT", "mlflow_experiment": {"experiment_id": "$own"}}
    told = {"trace_id": trace, "trace_location": place, "request_time": "2026-01-01T00:00:00Z", "state": "OK"}
    return {"trace": {"trace_info": told | {"tags": tags}}}


def spans(**tags: str) -> dict[str, object]:
    """A root span that carries tags of its trace, as OpenTelemetry's JSON."""
    told = [{"key": f"mlflow.traceTag.{key}", "value": {"stringValue": value}} for key, value in tags.items()]
    span = {"traceId": "$otel", "spanId": "$span", "name": "x", "startTimeUnixNano": "1", "endTimeUnixNano": "2"}
    return {"resourceSpans": [{"scopeSpans": [{"spans": [span | {"attributes": told}]}]}]}


def otel(name: str, **tags: str) -> Attempt:
    return Attempt(
        name, "POST", "/v1/traces", spans(**tags), "guest", KEEPS, headers={"X-MLflow-Experiment-Id": "$own"}
    )


def older(name: str, method: str, path: str, user: str = "guest", **tags: str) -> Attempt:
    """By the routes of MLflow's older clients, which list tags."""
    listed = [{"key": key, "value": value} for key, value in tags.items()]
    body = {"experiment_id": "$own", "timestamp_ms": 1, "status": "OK", "request_metadata": [], "tags": listed}
    return Attempt(name, method, path, body, user, KEEPS)


ATTEMPTS = [
    experiment("the folder of the champion", "mlflow-artifacts:/$files"),
    experiment("the same, by who owns the model", "mlflow-artifacts:/$files", "ana"),
    experiment("the same, by the API of MLflow's pages", "mlflow-artifacts:/$files", path=f"/ajax-api{EXPERIMENTS}"),
    experiment("the same, in capitals", "MLFLOW-ARTIFACTS:/$files"),
    experiment("the same, with three slashes", "mlflow-artifacts:///$files"),
    experiment("the same, escaped", "mlflow-artifacts:/%2e/$files"),
    experiment("the same, by dots", "mlflow-artifacts:/x/../$files"),
    experiment("the same, with a tab", "mlflow-\tartifacts:/$files"),
    experiment("the same, behind a space", " mlflow-artifacts:/$files"),
    experiment("a folder of nobody's among everybody's", "mlflow-artifacts:/mine"),
    experiment("the folder of everybody's", "mlflow-artifacts:/"),
    experiment("a run", "RUNS:/$run/model"),
    experiment("a registered model", "models:/$model/$champion"),
    experiment("a logged model", "models:/m-00000000000000000000000000000000"),
    experiment("another experiment's bucket", "s3://$model-bucket/team"),
    experiment("the same, with a slash behind", "s3://$model-bucket/team/"),
    experiment("a folder in another experiment's", "s3://$model-bucket/team/1/run/artifacts/model"),
    experiment("the same, escaped twice", "s3://$model-bucket/%2574eam/1"),
    experiment("the same, by dots and slashes", "s3://$model-bucket//mine/../team//1"),
    experiment("the folder of a version that was registered by its location", "gs://$model-source/model/more"),
    source("the server's own folder, as a prompt's", "."),
    source("the folder above, as a prompt's", "../"),
    source("the server's artifacts, as a prompt's", "mlartifacts/1"),
    source("a folder of the disk behind a space, as a prompt's", " /etc"),
    source("a folder of the disk behind a tab, as a prompt's", "\t/etc"),
    source("a folder of the disk with its slash escaped, as a prompt's", "%2fetc"),
    source("a folder of the disk by its scheme, as a prompt's", "FILE:/etc"),
    source("a folder of the disk, for a model", "/etc", prompt=False),
    source("a folder of the disk, for a model and its run", "file:%2fetc", prompt=False, run_id="$run"),
    source("everybody's artifacts, as a prompt's", "mlflow-artifacts:/", run_id="$run"),
    source("files with no word of whose", "mlflow-artifacts:/$files", prompt=False),
    source("files beside those of the run that is named", "mlflow-artifacts:/$files/../../..", False, run_id="$run"),
    Attempt("files of a new trace archived on the server's disk", "POST", "/api/3.0/mlflow/traces",
            info("$new", **ARCHIVED), "guest", KEEPS),
    Attempt("the same, by the administrator", "POST", "/ajax-api/3.0/mlflow/traces", info("$new", **ARCHIVED), ADMIN,
            KEEPS),
    Attempt("a new trace on the server's disk", "POST", "/api/3.0/mlflow/traces", info("$new", **{ARTIFACTS: "/etc"}),
            "guest", KEEPS),
    Attempt("a trace that is started once more", "POST", "/api/3.0/mlflow/traces",
            info("$trace", **{ARTIFACTS: ELSEWHERE}), "guest", KEEPS),
    Attempt("the archive of a trace that is started once more, in capitals", "POST", "/api/3.0/mlflow/traces",
            info("$trace", **{ARCHIVE.upper(): ELSEWHERE}), "guest", KEEPS),
    older("a new trace of an older client", "POST", "/api/2.0/mlflow/traces", **ARCHIVED),
    older("the archive of a trace, as it ends", "PATCH", "/api/2.0/mlflow/traces/$trace", **ARCHIVED),
    older("the files of a trace, as it ends", "PATCH", "/ajax-api/2.0/mlflow/traces/$trace", **{ARTIFACTS: "/etc"}),
    otel("the files of a trace on the server's disk, by a span", **{ARTIFACTS: ELSEWHERE}),
    otel("the same, as JSON in the span", **{ARTIFACTS: f'"{ELSEWHERE}"'}),
    otel("the files of a trace at another host, by a span", **{ARTIFACTS: "http://169.254.169.254/latest"}),
    otel("the archive of a trace, by a span", **ARCHIVED),
]  # fmt: skip


@pytest.fixture(scope="module")
def attacker(governed: Server) -> Iterator[Attacker]:
    names = release(governed)
    model = names["model"]
    governed.mlflow(
        ADMIN, "POST", "experiments/create", name=f"{model}-team", artifact_location=f"s3://{model}-bucket/team"
    )
    governed.mlflow("guest", "POST", "registered-models/create", name=f"{model}-source")
    governed.mlflow(
        "guest", "POST", "model-versions/create", name=f"{model}-source", source=f"gs://{model}-source/model"
    )
    own = governed.mlflow("guest", "POST", "experiments/create", name=f"{model}-own")["experiment_id"]
    new = {"own": own, "trace": f"tr-places-{own}", "new": f"tr-new-{own}"}
    made = Attacker(governed, names | new | {"otel": uuid.uuid4().hex, "span": uuid.uuid4().hex[:16]})
    started = made.perform(Attempt("a trace", "POST", "/api/3.0/mlflow/traces", info("$trace"), "guest"))
    assert started.status == 200, started.text
    yield made
    made.close()


@pytest.mark.parametrize("attempt", ATTEMPTS, ids=str)
def test_nothing_is_kept_in_anothers_place(attacker: Attacker, attempt: Attempt) -> None:
    attacker.refused(attempt)


def test_a_place_that_is_nobodys_and_tags_that_name_none_are_let_by(attacker: Attacker, governed: Server) -> None:
    model = attacker.fill("$model")
    for user, name, location in (
        ("guest", "bucket", f"s3://{model}-guests/x"),
        ("guest", "near", f"s3://{model}-bucket/team-of-mine"),
        (ADMIN, "admins", f"mlflow-artifacts:/{model}-admins"),
    ):
        governed.mlflow(user, "POST", "experiments/create", name=f"{model}-{name}", artifact_location=location)
    kept = governed.ask("guest", "GET", attacker.fill("/api/3.0/mlflow/traces/$trace")).json()
    place = kept["trace"]["trace_info"]["tags"][ARTIFACTS]
    back = older("a trace that ends", "PATCH", "/api/2.0/mlflow/traces/$trace", **{ARTIFACTS: place, "mine": "x"})
    assert attacker.perform(back).status == 200  # as older clients send them
    assert attacker.perform(otel("a span", mine="x")).status == 200
