"""What operators watch a server by: ids of requests, lines of the log, and numbers that all workers agree on."""

from __future__ import annotations

import json
import logging
import re
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests
from support.releasing import govern, register, serve
from support.serving import Server, start

from registry_hooks.app import asked
from registry_hooks.app.asked import Asked
from registry_hooks.app.watching import numbers
from registry_hooks.app.watching.logs import JsonLines
from registry_hooks.app.watching.refusals import id_of

TOKEN = "t" * 32


@pytest.fixture(scope="module")
def watched(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("watched")
    (folder / "metrics.token").write_text(f"{'o' * 40}\n{TOKEN}\n")
    server = start(folder, "--workers", "2", "--auth-cache-seconds", "600", "--log-format", "json",
                   "--metrics-token-file", "metrics.token")  # fmt: skip
    yield server
    server.process.stop()


def scrape(server: Server, token: str = TOKEN) -> dict[str, float]:
    """Every sample, by its name with labels."""
    answer = requests.get(
        f"{server.uri}/registry-hooks/metrics", headers={"Authorization": f"Bearer {token}"}, timeout=60
    )
    assert answer.status_code == 200, answer.text
    assert answer.headers["Content-Type"].startswith("text/plain")
    lines = [line for line in answer.text.splitlines() if not line.startswith("#")]
    return {line.rpartition(" ")[0]: float(line.rpartition(" ")[2]) for line in lines}


def lines_of(server: Server, request_id: str, logger: str) -> list[dict[str, object]]:
    """Lines of one logger about a request; the answer may be here before they are."""
    until = time.monotonic() + 30
    while True:
        told = [json.loads(line) for line in server.process.told().splitlines() if line.startswith("{")]
        found = [line for line in told if (line["request_id"], line["logger"]) == (request_id, logger)]
        if found or time.monotonic() > until:
            return found
        time.sleep(0.05)


def test_numbers_are_those_of_the_log_and_of_all_workers(watched: Server) -> None:
    before = scrape(watched)
    model = govern(watched)
    serve(watched, model)
    version, _run = register(watched, model)
    for _ in range(6):  # two workers share what they count
        assert watched.ask("ana", "POST", "promote", json={"model": model, "version": version}).status_code == 403
    assert watched.ask("mei", "GET", "audit/verify").ok
    told = [scrape(watched) for _ in range(6)]

    def grown(name: str) -> set[float]:
        return {each.get(name, 0.0) - before.get(name, 0.0) for each in told}

    assert grown('registry_hooks_decisions_total{action="promoted"}') == {1.0}
    assert grown('registry_hooks_decisions_total{action="approved"}') == {2.0}
    assert grown('registry_hooks_refused_decisions_total{action="promoted"}') == {6.0}
    assert grown('registry_hooks_refusals_total{reason="evidence"}') == {6.0}
    exported = watched.ask("admin", "GET", "audit/export").text.splitlines()
    head = max(json.loads(line).get("seq", 0) for line in exported)
    assert {each["registry_hooks_ledger_head"] for each in told} == {float(head)}
    done = [sum(v for k, v in each.items() if k.startswith("registry_hooks_decisions_total")) for each in told]
    assert set(done) == {float(head)}
    assert all(0 <= each["registry_hooks_verify_age_seconds"] < 300 for each in told)


@pytest.mark.parametrize("token", ["", "t" * 31, "t" * 33, "o" * 39, "Bearer", "é" * 16])
def test_who_shows_no_token_must_log_in(watched: Server, token: str) -> None:
    answer = requests.get(
        f"{watched.uri}/registry-hooks/metrics", headers={"Authorization": f"Bearer {token}".encode()}, timeout=60
    )
    assert answer.status_code == 401 and "registry_hooks" not in answer.text
    assert scrape(watched, "o" * 40)


def test_who_may_read_everything_may_scrape_and_who_may_not_is_told_so(watched: Server) -> None:
    assert watched.ask("mei", "GET", "/registry-hooks/metrics").ok
    model = govern(watched)
    about = {"username": "guest", "resource_type": "registered_model", "resource_id": model}
    said = [watched.ask("admin", "POST", "/api/3.0/mlflow/users/permissions/grant", json={**about, "permission": word})
            for word in ("DENY", "NO_PERMISSIONS")]  # fmt: skip
    assert any(each.ok for each in said)  # releases have one or the other word
    answer = watched.ask("guest", "GET", "/registry-hooks/metrics")
    assert answer.status_code == 403 and "the scraper's token" in answer.json()["reasons"][0]["expected"]


@pytest.mark.parametrize(
    ("verb", "path", "body", "rule"),
    [
        ("POST", "promote", {"model": "MODEL", "version": 1}, "nomination"),  # of our API, by Flask
        ("POST", "/api/2.0/mlflow/registered-models/alias",
         {"name": "MODEL", "alias": "champion", "version": "1"}, "nomination"),  # of MLflow's, by the store
        ("POST", "/api/2.0/mlflow/runs/create?experiment_id=0", {"experiment_id": "1"}, "experiment_id"),  # by a guard
        ("POST", "/gateway/mlflow/v1/chat/completions", {}, "gateway"),  # native to FastAPI
    ],
)  # fmt: skip
def test_a_refusal_is_a_line_with_the_id_of_its_request_and_its_reasons(
    watched: Server, verb: str, path: str, body: dict[str, object], rule: str
) -> None:
    model = govern(watched)
    register(watched, model)
    given = f"trace-{model}.{rule}"
    told = {key: model if value == "MODEL" else value for key, value in body.items()}
    answer = watched.ask("ana", verb, path, json=told, headers={"X-Request-ID": given})
    assert answer.status_code in (400, 403) and answer.headers["X-Request-ID"] == given
    [line] = lines_of(watched, given, "registry_hooks.refused")
    assert line["status"] == answer.status_code and line["level"] == "WARNING"
    reasons = line["reasons"]
    assert isinstance(reasons, list) and reasons[0]["rule"] == rule
    if "api" in path or "/" not in path:
        assert line["user"] == "ana" or rule == "experiment_id"


def test_an_id_that_could_break_a_line_is_not_taken_over() -> None:
    assert id_of(["abc-1:2/3"]) == "abc-1:2/3"
    for given in ([], ["a", "b"], [""], ["a b"], ["a\nb"], ["é"], ["x" * 129], ['"}']):
        assert re.fullmatch(r"[0-9a-f]{32}", id_of(given))


def test_answers_that_are_no_refusals_have_an_id_too(watched: Server) -> None:
    first, second = (watched.ask("mei", "GET", "status") for _ in range(2))
    assert first.headers["X-Request-ID"] != second.headers["X-Request-ID"]
    assert lines_of(watched, first.headers["X-Request-ID"], "uvicorn.access")


def test_a_line_of_the_log_is_one_line_whatever_stands_in_it() -> None:
    record = logging.LogRecord("x", logging.ERROR, "f.py", 1, "broken %s", ('"\n{"level": "fake"}',), None)
    asked.begin(Asked("id-1", user="mei"))
    line = JsonLines().format(record)
    assert "\n" not in line
    told = json.loads(line)
    assert (told["message"], told["request_id"], told["user"]) == ('broken "\n{"level": "fake"}', "id-1", "mei")


def test_what_clients_call_a_field_is_no_name_of_a_number(tmp_path: Path) -> None:
    numbers.refused("/x", "INVALID_PARAMETER_VALUE", ["a-name-of-a-client"])
    for number in range(300):
        numbers.refused("/x", "PERMISSION_DENIED", [f"rule-{number}"])
    reasons = {sample.labels["reason"] for family in numbers.OfThisHost().collect() for sample in family.samples
               if "reason" in sample.labels}  # fmt: skip
    assert "a-name-of-a-client" not in reasons and len(reasons) <= 202
