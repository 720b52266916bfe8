"""The JSON API against its own OpenAPI document: whatever is sent, the answer is one that the document tells of."""

from __future__ import annotations

import json
from pathlib import Path

from support.fuzzing import fuzz
from support.releasing import govern, serve
from support.serving import ADMIN, Server

from registry_hooks.app.api.openapi import document
from registry_hooks.app.api.routes import ROUTES

COMMITTED = Path(__file__).parents[2] / "docs" / "openapi.json"


def test_the_committed_document_is_what_the_routes_are() -> None:
    told = "run: python -m registry_hooks.app.api.openapi > docs/openapi.json"
    assert json.loads(COMMITTED.read_text()) == document(ROUTES), told


def test_the_server_gives_the_document_to_everybody_who_is_logged_in(governed: Server) -> None:
    answer = governed.ask("guest", "GET", "openapi.json")
    assert answer.json() == document(ROUTES)
    assert governed.ask(None, "GET", "openapi.json").status_code == 401


def test_whatever_is_sent_is_answered_as_documented_and_moves_nothing(governed: Server) -> None:
    model = govern(governed, "fuzzed")
    serve(governed, model)
    serve(governed, model)
    before = governed.mlflow(ADMIN, "GET", f"registered-models/get?name={model}")["registered_model"]["aliases"]
    outcome = fuzz(governed, model, each=3, number=3)
    assert {200, 400, 403, 404} <= set(outcome.statuses), outcome
    after = governed.mlflow(ADMIN, "GET", f"registered-models/get?name={model}")["registered_model"]["aliases"]
    assert after == before and before
    assert governed.ask(ADMIN, "GET", "audit/verify").json()["ok"]
