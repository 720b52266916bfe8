"""What one request of a reader costs the server: less than a second and 64 MiB, or it is refused.

The processor time of the server's processes is measured, and not the clock, which on a busy machine says little.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from string import Template
from typing import Any

import pytest
from support.releasing import govern, register, serve
from support.serving import ADMIN, API, Server

MLFLOW = "/api/2.0/mlflow/"
SECONDS, MEBIBYTES = 1.0, 64
LONG = 10_000_000
NAMES = ("-" * 2_000_000, "\ufdfa" * 300_000)
CONDITIONS = " AND ".join(["name LIKE '%'"] * 500)


def _policy(text: str) -> str:
    return json.dumps({"yaml": text})


def _pieces() -> Iterator[bytes]:
    """A body without end to it, in pieces, whose length nobody tells."""
    yield b'{"model": "'
    for _ in range(200):
        yield b"x" * 65_536
    yield b'"}'


def _ordered(name: str, columns: int) -> str:
    return json.dumps({"experiment_ids": ["0"], name: [f"params.a{i} ASC" for i in range(columns)]})


COSTLY: dict[str, tuple[str, str, Any]] = {
    "a policy of one number of base 60": ("POST", API + "policy/check", _policy("a: " + "1:" * 127_000 + "1")),
    "a policy of one number and a colon": ("POST", API + "policy/check", _policy("a: " + "1:" * 127_000)),
    "a policy of many lists": ("POST", API + "policy/check", _policy("[" + "[]," * 80_000 + "]")),
    "a policy of many keys": ("POST", API + "policy/check", _policy("".join(f"k{i}: 1\n" for i in range(20_000)))),
    "many unknown fields": ("POST", API + "nominate", "{" + ",".join(f'"{i:x}":1' for i in range(40_000)) + "}"),
    "many runs": ("POST", API + "nominate", json.dumps({"model": "$model", "version": 1, "runs": ["a" * 32] * 10_000})),
    "a long text": ("POST", API + "nominate", json.dumps({"model": "x" * LONG})),
    "a text that comes in pieces": ("POST", API + "nominate", _pieces),
    "a text that comes in pieces, to MLflow": ("POST", MLFLOW + "runs/search", _pieces),
    "a name of dashes": ("GET", API + "plan?version=2&model=" + "-" * 240, None),
    "a long name of dashes": ("GET", MLFLOW + "registered-models/get?name=" + "-" * 30_000, None),
    "a model of a long name": ("POST", MLFLOW + "registered-models/create", json.dumps({"name": NAMES[0]})),
    "a model of letters of many": ("POST", MLFLOW + "registered-models/create", json.dumps({"name": NAMES[1]})),
    "an alias of letters of many": (
        "POST", MLFLOW + "registered-models/alias",
        json.dumps({"name": "$model", "alias": "\ufdfa" * 300_000, "version": "1"}),
    ),
    "all of a history": ("GET", API + "history?model=$model&limit=2147483647", None),
    "a history before there was time": ("GET", API + "history?model=$model&at=0001-01-01T00:00:00%2B23:59", None),
    "a history after there was time": ("GET", API + "history?model=$model&at=9999-12-31T23:59:59-23:59", None),
    "a history at no time": ("GET", API + "history?model=$model&at=" + "9" * 64, None),
    "the status of all": ("GET", API + "status", None),
    "the whole audit": ("GET", API + "audit/verify", None),
    "a search for a long text": ("POST", MLFLOW + "runs/search", json.dumps({"filter": "x" * LONG})),
    "a search of many keys": (
        "POST", MLFLOW + "runs/search", "{" + ",".join(f'"k{i}":1' for i in range(500_000)) + "}",
    ),
    "a search of one key many times": ("POST", MLFLOW + "runs/search", '{"a":1,' + '"b":1,' * 90_000 + '"c":1}'),
    "a search whose last key is there twice": (
        "POST", MLFLOW + "runs/search", "{" + "".join(f'"k{i}":1,' for i in range(90_000)) + '"k89999":1}',
    ),
    "a search of many lists": ("POST", MLFLOW + "runs/search", '{"a":[' + "[]," * 2_500_000 + "[]]}"),
    "a search of brackets": ("POST", MLFLOW + "runs/search", '{"a":' + "[" * 100_000 + "]" * 100_000 + "}"),
    "a number of many digits": ("POST", MLFLOW + "runs/search", '{"max_results":' + "1" * 1_000_000 + "}"),
    "a query of many fields": ("POST", "/graphql", json.dumps({"query": "{" + "a " * 1_000_000 + "}"})),
    "a query of escapes": ("POST", "/graphql", json.dumps({"query": '{a(b:"' + "\\n" * 500_000 + '")}'})),
    "a query within queries": ("POST", "/graphql", json.dumps({"query": "{a" * 15_000 + "}" * 15_000})),
    "a filter of many conditions": ("GET", MLFLOW + "registered-models/search?filter=" + CONDITIONS, None),
    "a filter of many words": ("POST", MLFLOW + "runs/search", json.dumps({"filter": "x " * 3_000_000})),
    "many columns to order by": ("POST", MLFLOW + "runs/search", _ordered("order_by", 5000)),
    "many columns to order by, in camel case": ("POST", MLFLOW + "runs/search", _ordered("orderBy", 5000)),
    "as many columns to order by as may be": ("POST", MLFLOW + "runs/search", _ordered("order_by", 50)),
    "many columns to order traces by": ("POST", "/api/3.0/mlflow/traces/search", _ordered("order_by", 500)),
    "many columns to order models by": ("POST", MLFLOW + "logged-models/search", json.dumps({
        "experiment_ids": ["0"], "order_by": [{"field_name": f"metrics.a{i}", "dataset_name": "x"} for i in range(490)],
    })),
    "models of many datasets": ("POST", MLFLOW + "logged-models/search", json.dumps({
        "experiment_ids": ["0"], "datasets": [{"dataset_name": f"d{i}"} for i in range(2000)],
    })),
    "data of many experiments": (
        "POST", "/ajax-api/2.0/mlflow/experiments/search-datasets", json.dumps({"experiment_ids": ["0"] * 20_000}),
    ),
    "a data set of many experiments": (
        "POST", "/api/3.0/mlflow/datasets/create", json.dumps({"name": "d", "experiment_ids": ["0"] * 20_000}),
    ),
    "runs of many experiments": (
        "POST", MLFLOW + "runs/search", json.dumps({"experiment_ids": [str(i) for i in range(20_000)]}),
    ),
    "two filters of many words": (
        "POST", "/api/3.0/mlflow/traces/calculate-filter-correlation",
        json.dumps({"experiment_ids": ["0"], "filter_string1": "x " * 300_000, "base_filter": "x " * 300_000}),
    ),
    "traces of many places": ("POST", "/api/3.0/mlflow/traces/search", json.dumps({
        "locations": [{"type": "MLFLOW_EXPERIMENT", "mlflow_experiment": {"experiment_id": str(i)}}
                      for i in range(20_000)],
    })),
    "metrics of one run many times": (
        "GET", "/ajax-api/2.0/mlflow/metrics/get-history-bulk?metric_key=a" + "&run_id=$run" * 900, None,
    ),
    "many columns to order by, asked of GraphQL": ("POST", "/graphql", json.dumps({
        "query": "query($o: [String]) {mlflowSearchRuns(input: {orderBy: $o}) {runs {info {runId}}}}",
        "variables": {"o": [f"params.a{i}" for i in range(3000)]},
    })),
    "a filter of many conditions, posted": ("POST", MLFLOW + "runs/search", json.dumps({"filter": CONDITIONS})),
}  # fmt: skip


def _seconds(server: Server) -> float:
    """Processor time that the server's processes have taken."""
    taken = 0
    for process in server.process.members():
        fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
        taken += int(fields[11]) + int(fields[12])
    return taken / os.sysconf("SC_CLK_TCK")


@pytest.fixture(scope="module")
def made(governed: Server) -> Iterator[dict[str, str]]:
    """A model with a champion and a version beside it; the server has answered everything once."""
    name = govern(governed)
    serve(governed, name)
    run = register(governed, name)[1]
    for path in (f"{API}status?model={name}", f"{API}history?model={name}", MLFLOW + "registered-models/search"):
        assert governed.ask("guest", "GET", path).ok
    yield {"model": name, "run": run}
    for each in NAMES:
        governed.ask(ADMIN, "DELETE", MLFLOW + "registered-models/delete", json={"name": each})


@pytest.mark.parametrize("name", COSTLY)
def test_a_request_of_a_reader_costs_little_or_is_refused(name: str, governed: Server, made: dict[str, str]) -> None:
    method, path, body = COSTLY[name]
    data = body() if callable(body) else Template(body).safe_substitute(made) if body else None
    governed.process.forget_peak()
    seconds, mebibytes = _seconds(governed), governed.process.peak()
    headers = {"Content-Type": "application/json"} if body else {}
    answer = governed.ask("guest", method, Template(path).safe_substitute(made), data=data, headers=headers)
    assert answer.status_code < 500, answer.text[:500]
    assert len(answer.content) < 4_500_000
    assert _seconds(governed) - seconds < SECONDS, answer.text[:500]
    assert governed.process.peak() - mebibytes < MEBIBYTES
