"""Attacks on the pages, one a line: none acts, and none shows what it should not.

A page of somebody else's, open in the victim's browser, can make that browser send any request with the victim's
login, and read no answer; somebody with a login can send anything at all, and put any text into the registry.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

import pytest
import requests
from support.browsing.reading import PAGES, Read, Reader
from support.releasing import go, govern, register, serve
from support.serving import ADMIN, PASSWORDS, Server

from registry_hooks.app.pages import tokens
from registry_hooks.identity import Actor

FORM = {"Content-Type": "application/x-www-form-urlencoded"}
EVIL = "<script>alert(1)</script><img src=x onerror=alert(1)>\u202e\"'>"


@dataclass
class Target:
    """A Proposal that waits, the form as mei and as raj were shown it, and the ledger as it is."""

    server: Server
    model: str
    mei: Read
    raj: Read
    before: list[Any] = field(default_factory=list)

    def fields(self, whose: str = "mei", **changed: str | None) -> dict[str, str]:
        """What mei's form would send as a yes."""
        held = {**getattr(self, whose).forms[0][1], "decision": "yes", "comment": "x", **changed}
        return {name: value for name, value in held.items() if value is not None}

    def post(self, body: Any, user: str | None = "mei", path: str = "proposal", **headers: str) -> requests.Response:
        """A POST with the victim's login, as his browser would send it."""
        login = (user, PASSWORDS[user]) if user else None
        data = urlencode(body) if isinstance(body, dict) else body
        return requests.post(
            self.server.uri + PAGES + path, data=data, auth=login, headers={**FORM, **headers}, timeout=60,
            allow_redirects=False,
        )  # fmt: skip

    def entries(self) -> list[str]:
        return [line for line in self.server.ask(ADMIN, "GET", "audit/export").text.splitlines() if self.model in line]


@pytest.fixture(scope="module")
def target(governed: Server) -> Target:
    model = govern(governed)
    serve(governed, model)
    version, _run = register(governed, model)
    go(governed, model, version, "ana nominate", "ana request")
    pages = [Reader(governed, name).open("proposal", model=model, version=version) for name in ("mei", "raj")]
    made = Target(governed, model, *pages)
    made.before = made.entries()
    return made


def foreign(origin: str) -> Callable[[Target], requests.Response]:
    return lambda at: at.post(at.fields(), Origin=origin)


def said(actor: str, secret: str) -> str:
    return tokens.said_token(secret, Actor(actor, "test"), "Your yes was taken")


ACTING: dict[str, Callable[[Target], requests.Response]] = {
    # a page of somebody else's sends the form
    "origin of another site": foreign("http://evil.example"),
    "origin null of a sandboxed frame": foreign("null"),
    "origin of another port": foreign("http://127.0.0.1:1"),
    "origin that begins like ours": lambda at: at.post(at.fields(), Origin=f"{at.server.uri}.evil.example"),
    "origin with a user in it": lambda at: at.post(at.fields(), Origin=at.server.uri.replace("//", "//x@")),
    "localhost, which MLflow lets ask": foreign("http://localhost:3000"),
    "https of another host": foreign("https://evil.example"),
    "empty origin": foreign(""),
    "no origin and a site that is another": lambda at: at.post(at.fields(), **{"Sec-Fetch-Site": "cross-site"}),
    "no origin and a sibling site": lambda at: at.post(at.fields(), **{"Sec-Fetch-Site": "same-site"}),
    "no origin, no site, no token": lambda at: at.post(at.fields(token=None)),
    # tokens
    "no token": lambda at: at.post(at.fields(token=None), Origin=at.server.uri),
    "empty token": lambda at: at.post(at.fields(token=""), Origin=at.server.uri),
    "guessed token": lambda at: at.post(at.fields(token="x.y.z"), Origin=at.server.uri),
    "token of another reader": lambda at: at.post(at.fields(token=at.raj.forms[0][1]["token"])),
    "token of another secret": lambda at: at.post(
        at.fields(token=tokens.form_token("guessed", Actor("mei", "x"), "proposal"))
    ),
    "token with a letter changed": lambda at: at.post(at.fields(token=at.fields()["token"][:-1] + "_")),
    "token cut short": lambda at: at.post(at.fields(token=at.fields()["token"][:-9])),
    "token twice": lambda at: at.post(urlencode(at.fields()) + "&token=x"),
    "token in the address": lambda at: at.post(at.fields(token=None), path=f"proposal?token={at.fields()['token']}"),
    "sentence of the server as a token": lambda at: at.post(at.fields(token=said("mei", "secret"))),
    "token in JSON": lambda at: at.post(json.dumps(at.fields()), **{"Content-Type": "application/json"}),
    "form as plain text": lambda at: at.post(urlencode(at.fields()), **{"Content-Type": "text/plain"}),
    "form in parts": lambda at: at.post(b"--x\r\n\r\n--x--", **{"Content-Type": "multipart/form-data; boundary=x"}),
    "form without a type": lambda at: at.post(urlencode(at.fields()), **{"Content-Type": ""}),
    # mixed-up sessions
    "form of mei sent as raj": lambda at: at.post(at.fields(), user="raj"),
    "form of mei sent as the requester": lambda at: at.post(at.fields(), user="ana"),
    "form of mei sent as an administrator": lambda at: at.post(at.fields(), user=ADMIN),
    "form sent by nobody": lambda at: at.post(at.fields(), user=None),
    "requester without a form": lambda at: at.post(at.fields(token=None), user="ana"),
    # what is signed
    "another digest": lambda at: at.post(at.fields(digest="sha256:" + "0" * 64)),
    "no digest": lambda at: at.post(at.fields(digest=None)),
    "digest twice": lambda at: at.post(urlencode(at.fields()) + "&digest=sha256:0"),
    "another Proposal": lambda at: at.post(at.fields(proposal="P-1")),
    "another model": lambda at: at.post(at.fields(model="other")),
    "yes and no": lambda at: at.post(urlencode(at.fields()) + "&decision=no"),
    "neither yes nor no": lambda at: at.post(at.fields(decision="approve")),
    "somebody else's place": lambda at: at.post(at.fields(for_whom="raj")),
    "a field of the desk that no form has": lambda at: at.post(at.fields(version="2", actor="raj")),
    "an oversized comment": lambda at: at.post(at.fields(comment="x" * 4001)),
    "an oversized form": lambda at: at.post(at.fields(comment="x" * 600_000)),
    "a NUL": lambda at: at.post(at.fields(comment="a\x00b")),
    "no UTF-8": lambda at: at.post(urlencode(at.fields()).encode() + b"&meaning=%ff%fe"),
    "half a surrogate": lambda at: at.post(urlencode(at.fields()) + "&meaning=%ED%A0%80"),
    "a thousand fields": lambda at: at.post(urlencode(at.fields()) + "".join(f"&a{i}=1" for i in range(1000))),
    "SQL for a name": lambda at: at.post(at.fields(model="x'; DROP TABLE registry_hooks_ledger; --")),
    # verbs and addresses
    "form by GET": lambda at: at.server.ask("mei", "GET", PAGES + "proposal", params=at.fields()),
    "form by PUT": lambda at: at.server.ask("mei", "PUT", PAGES + "proposal", data=at.fields()),
    "form to the inbox": lambda at: at.post(at.fields(), path=""),
    "form to a report": lambda at: at.post(at.fields(), path="report"),
    "verb overridden": lambda at: at.server.ask(
        "mei", "GET", PAGES + "proposal", params={"_method": "POST", **at.fields()}, headers={"X-HTTP-Method": "POST"}
    ),
    "path with a detour": lambda at: at.post(at.fields(token=None), path="x/../proposal"),
    "the API from a page of another site": lambda at: requests.post(
        at.server.uri + "/ajax-api/2.0/registry-hooks/approve", auth=("mei", PASSWORDS["mei"]), timeout=30,
        data=json.dumps({"model": at.model, "comment": "x"}), headers={"Content-Type": "text/plain"},
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", ACTING)
def test_nothing_is_signed(target: Target, name: str) -> None:
    answer = ACTING[name](target)
    assert 400 <= answer.status_code < 500, answer.text
    assert "Location" not in answer.headers
    assert target.entries() == target.before


SHOWING = {
    "markup for a model": {"path": "proposal", "model": EVIL},
    "markup for a Proposal": {"path": "proposal", "model": "m", "proposal": EVIL[:60]},
    "markup for a field": {"path": "", EVIL: "1"},
    "markup for a version": {"path": "proposal", "model": "m", "version": EVIL},
    "markup for what was said": {"path": "", "said": EVIL},
    "a sentence that the server never said": {"path": "", "said": said("mei", "guessed")},
    "markup for a report": {"path": "report", "model": "m", "proposal": "P-1", "run": "r", "path_": EVIL},
    "a place to go next": {"path": "", "next": "http://evil.example"},
    "a place for what was said": {"path": "", "said": "//evil.example"},
}


@pytest.mark.parametrize("name", SHOWING)
def test_nothing_that_is_sent_is_markup_or_leads_away(target: Target, name: str) -> None:
    sent = dict(SHOWING[name])
    path = PAGES + sent.pop("path")
    query = {key.removesuffix("_") if key == "path_" else key: value for key, value in sent.items()}
    answer = target.server.ask("mei", "GET", path, params=query, allow_redirects=False)
    assert answer.status_code in (200, 400, 403, 404) and "Location" not in answer.headers
    for bad in ("<script", "<img", "\u202e", "Your yes was taken", 'href="http', 'href="//'):
        assert bad not in answer.text
    assert answer.headers["Cache-Control"] == "no-store"
    assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
    assert "frame-ancestors 'none'" in answer.headers["Content-Security-Policy"]


def test_there_are_fifty_of_them() -> None:
    assert len(ACTING) + len(SHOWING) >= 50


def test_the_form_that_was_attacked_is_still_good(target: Target) -> None:
    done = target.post(target.fields(), Origin=target.server.uri)
    assert done.status_code == 303 and done.headers["Location"].startswith(PAGES + "proposal?")
    assert len(target.entries()) == len(target.before) + 1
