"""Requests made from our own OpenAPI document, right and wrong ones, sent to a real server as several users."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

import requests
import schemathesis
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st
from schemathesis.checks import not_a_server_error
from schemathesis.generation import GenerationMode
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)
from support.probes.pace import patience
from support.serving import API, PASSWORDS, Server

from registry_hooks.app.api.openapi import document
from registry_hooks.app.api.routes import ROUTES

CHECKS = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]
HARMLESS = ("guest", "raj", "admin")  # none of whom may move a role of the model, which has no challenger
LONGEST = 2.0  # seconds that one answer may take
LARGEST_GROWTH = 96.0  # MiB
"""What all requests together may add to the largest of the server's processes, however many they are."""


@dataclass
class Outcome:
    """What came of the requests.

    Args:
        statuses: how many of each HTTP status.
        slowest: seconds.
        growth: MiB by which the largest of the server's processes grew, at its peak.
    """

    statuses: dict[int, int] = field(default_factory=dict)
    slowest: float = 0.0
    growth: float = 0.0


def fuzz(server: Server, model: str, each: int, number: int) -> Outcome:
    """Send ``each`` requests a route and mode; half of them name ``model``, and the others are whatever comes."""
    schema = schemathesis.openapi.from_dict(document(ROUTES))
    outcome = Outcome()
    server.process.forget_peak()
    before = server.process.peak()
    with requests.Session() as session:
        for found in schema.get_all_operations():
            for mode in (GenerationMode.POSITIVE, GenerationMode.NEGATIVE):
                _fuzz_one(server, session, found.ok(), mode, model, each, number, outcome)
                outcome.growth = server.process.peak() - before
                assert outcome.growth < LARGEST_GROWTH, (found.ok().label, mode, before, outcome)
    return outcome


def _fuzz_one(server, session, operation, mode, model, each, number, outcome) -> None:  # type: ignore[no-untyped-def]
    cases = operation.as_strategy(generation_mode=mode)

    @seed(number)
    @settings(max_examples=each, deadline=None, database=None, suppress_health_check=list(HealthCheck),
              phases=[Phase.generate])  # fmt: skip
    @given(case=cases, user=st.sampled_from(sorted(PASSWORDS)), named=st.booleans())
    def send(case: Any, user: str, named: bool) -> None:
        if named and user in HARMLESS:
            for values in (case.body, case.query):
                if isinstance(values, dict) and "model" in values:
                    values["model"] = model
        answer = case.call(base_url=server.uri + API.rstrip("/"), session=session, auth=(user, PASSWORDS[user]))
        outcome.statuses[answer.status_code] = outcome.statuses.get(answer.status_code, 0) + 1
        outcome.slowest = max(outcome.slowest, answer.elapsed)
        case.validate_response(answer, checks=CHECKS)
        assert answer.elapsed < patience(LONGEST), (case.as_curl_command(), answer.elapsed)
        if 400 <= answer.status_code < 500 and answer.status_code != 401:
            told = json.loads(answer.content)
            assert told["message"], told

    send()
