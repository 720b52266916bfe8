"""What people do, in a real browser: from the server's address to one ledger entry, without typing an address."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from support.browsing.visiting import require_browser, visit
from support.releasing import go, govern, register, serve
from support.serving import ADMIN, PASSWORDS, Server

DESKTOP, PHONE = 1280, 390


@pytest.fixture(scope="module", autouse=True)
def browser() -> None:
    require_browser()


def entries(server: Server, model: str) -> list[dict[str, Any]]:
    lines = server.ask(ADMIN, "GET", "audit/export").text.splitlines()
    return [entry for entry in map(json.loads, lines) if entry.get("model") == model]


def alike(entry: dict[str, Any]) -> dict[str, Any]:
    """An entry of a signature without who signed what when."""
    signed = {name: each for name, each in entry["body"]["approval"].items() if name not in PERSONAL}
    rest = {name: each for name, each in entry.items() if name not in ("seq", "at", "tree", "actor", "model", "body")}
    sources = [{**each, "name": "", "given_by": ""} for each in signed.pop("sources")]
    return {**rest, "approval": signed, "sources": sources}


PERSONAL = ("at", "actor", "proposal", "proposal_digest")


def waiting(server: Server) -> tuple[str, int]:
    model = govern(server)
    serve(server, model)
    version, _run = register(server, model)
    go(server, model, version, "ana nominate", "ana request")
    return model, version


@pytest.mark.parametrize("scripts", [True, False], ids=["scripts", "no-scripts"])
@pytest.mark.parametrize("width", [DESKTOP, PHONE])
@pytest.mark.parametrize(("user", "choice", "verb"), [("mei", "yes", "approve"), ("raj", "no", "reject")])
def test_from_the_address_of_the_server_to_a_signature(
    governed: Server, tmp_path: Path, user: str, choice: str, verb: str, width: int, scripts: bool
) -> None:
    model, _version = waiting(governed)
    before = len(entries(governed, model))
    written = "read it: no subgroup is worse"
    results, _console, _picture = visit(
        governed.uri, "follow:#registry-hooks", "document.title", f"follow:.cards a[href*='{model}']",
        "document.querySelector('h1').textContent", f"document.querySelector('#{choice}').focus()", "key:Space",
        "document.querySelector('#comment').focus()", f"type:{written}", "follow:.sign button",
        "document.querySelector('.said').textContent", "document.documentElement.scrollWidth <= innerWidth",
        login=f"{user}:{PASSWORDS[user]}", width=width, scripts=scripts, picture=tmp_path / "signed.png",
    )  # fmt: skip
    assert results[0].startswith("Inbox") and "version 2 would serve in place of version 1" in results[1]
    assert f"You said {choice} to P-" in results[-2] and results[-1] is True
    found = entries(governed, model)
    assert len(found) == before + 1 and found[-1]["body"]["approval"]["comment"] == written

    other, version = waiting(governed)
    done = governed.cli(user, verb, other, str(version), "--comment", written)
    assert done.returncode == 0, done.stderr
    assert alike(found[-1]) == alike(entries(governed, other)[-1])


def test_the_whole_way_by_keyboard(governed: Server, tmp_path: Path) -> None:
    model, version = waiting(governed)
    address = f"{governed.uri}/registry-hooks/proposal?model={model}&version={version}"
    tab = ["key:Tab"]
    focus = "document.activeElement.id || document.activeElement.textContent.trim().slice(0, 40)"
    results, _console, _picture = visit(
        address, *tab, focus, "document.querySelector('#sign').focus()", *tab, focus, "key:Space", *tab, focus,
        "type:read by keyboard", *tab, *tab, focus, "press:Return", "document.title",
        login=f"mei:{PASSWORDS['mei']}", picture=tmp_path / "keys.png",
    )  # fmt: skip
    assert results[0] == "Skip to the page" and results[2:5] == ["yes", "comment", "Sign"]
    assert entries(governed, model)[-1]["body"]["approval"]["comment"] == "read by keyboard"


@pytest.mark.parametrize("scripts", [True, False], ids=["scripts", "no-scripts"])
@pytest.mark.parametrize("width", [DESKTOP, PHONE])
def test_from_the_address_of_the_server_to_a_rollback_in_two_clicks(
    governed: Server, tmp_path: Path, width: int, scripts: bool
) -> None:
    model, other = govern(governed), govern(governed)
    for name in (model, other):
        serve(governed, name)
        serve(governed, name)
    before = len(entries(governed, model))
    results, _console, _picture = visit(
        governed.uri, "follow:#registry-hooks", "follow:nav a[href$='/model']", f"follow:.lines a[href*='{model}']",
        "document.querySelector('h1').textContent", "follow:a.button", "document.querySelector('h1').textContent",
        "document.querySelector('#reason').focus()", "type:scores drifted", "follow:.sign button",
        "document.querySelector('.said').textContent", "document.querySelector('h1').textContent",
        "document.documentElement.scrollWidth <= innerWidth",
        login=f"oncall:{PASSWORDS['oncall']}", width=width, scripts=scripts, picture=tmp_path / "back.png",
    )  # fmt: skip
    assert results[0] == f"{model}: version 2 serves"
    assert "from version 2 to version 1?" in results[1] and "Version 1 serves again" in results[-3]
    assert results[-2] == f"{model}: version 1 serves" and results[-1] is True
    assert governed.cli("oncall", "rollback", other, "--reason", "scores drifted").returncode == 0
    by_page, by_command = entries(governed, model), entries(governed, other)
    assert len(by_page) == before + 1
    assert without_times(by_page[-1]) == without_times(by_command[-1])


def without_times(entry: dict[str, Any]) -> dict[str, Any]:
    """An entry of a rollback without its number, its time, and its model's name."""
    body = {**entry["body"], "review": {**entry["body"]["review"], "id": "", "opened_at": "", "due_at": ""}}
    return {**entry, "seq": 0, "at": "", "tree": "", "model": "", "body": body}
