"""Attempts to be counted twice through accounts and roles, and to read past MLflow's permissions; each refused at once.

``ana`` requests, registers and is an administrator of MLflow besides: she may make users, give roles and reset
passwords. Nobody has a permission that was not given.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
import requests
from support.attacking import Attacker, Attempt
from support.releasing import POLICY, go, register
from support.serving import ADMIN, API, PASSWORDS, Server, start

USERS, ROLES = "/api/2.0/mlflow/users/", "/api/3.0/mlflow/roles/"
PEOPLE = (
    POLICY.replace(
        "risk: [raj, mei]", "risk: {{users: [raj, mei, tom], mlflow_roles: [model-risk, permitted, renamed]}}"
    )
    + "delegation: {{longest: 3d}}\n"
)
NEW = ("puppet", "second", "reset", "own", "given", "renaming", "permitting", "formed", "ajaxed", "again", "heir",
       "borrower", "tom", "auditor", "colleague", "boss")  # fmt: skip


def yes(who: str, why: str, said: str = "stake", **more: Any) -> Attempt:
    return Attempt(
        f"approve as {why}", "POST", f"{API}approve", {"model": "$model", "comment": "read", **more}, who, said
    )


SIGNING = [
    yes("puppet", "an account that the requester made", said="was made by ana"),
    yes("second", "an account that such an account made", said="was in the hands of ana"),
    yes("reset", "somebody whose password the requester reset", said="was given a password by ana"),
    yes("own", "somebody who changed it again, or so it seems", said="was given a password by ana"),
    yes("given", "somebody to whom the requester gave the role", said="was given the MLflow role model-risk by ana"),
    yes("renaming", "a holder of a role that the requester renamed", said="was given the MLflow role renamed by ana"),
    yes("permitting", "a holder of a role that the requester gave a permission", said="was given a permission by ana"),
    yes("formed", "an account from the requester's sign-up form", said="was made by ana"),
    yes("ajaxed", "an account that the requester's page made", said="was made by ana"),
    yes("again", "somebody whom the requester removed and made again", said="was made by ana"),
    yes("heir", "an account of an administrator whose password the requester reset", said="was in the hands of ana"),
    yes("borrower", "a borrower whom the requester made", said="the account of borrower was made by ana"),
    yes("borrower", "a borrower for a lender by name", said="the account of borrower was made by ana", for_whom="raj"),
    yes("tom", "one whom the policy names and the requester made", said="the account of tom was made by ana"),
    yes("colleague", "one to whom another approver gave the role", said="by raj, who signed"),
    yes("ana", "the requester herself, who is an administrator", said="four-eyes"),
    yes("guest", "one who may not READ the model", said="READ"),
    Attempt("promote on such approvals", "POST", f"{API}promote", {"model": "$model", "version": 2}, "ana",
            "approvals"),
    Attempt("set the alias on such approvals", "POST", "registered-models/alias",
            {"name": "$model", "alias": "champion", "version": "2"}, "ana", "approvals"),
    Attempt("approve with sources of one's own", "POST", f"{API}approve",
            {"model": "$model", "comment": "x", "sources": [{"via": "policy"}]}, "puppet", "unknown field"),
]  # fmt: skip


def read(name: str, path: str, said: str = "READ", verb: str = "GET", body: Any = None, user: str = "guest") -> Attempt:
    return Attempt(name, verb, API + path, body, user, said)


READING = [
    read("status of a model that is not mine", "status?model=$model"),
    read("history of it", "history?model=$model"),
    read("history of it at a time", "history?model=$model&at=2100-01-01T00:00:00Z"),
    read("plan of it", "plan?model=$model&version=1"),
    read("lineage of it", "lineage?model=$model&version=1"),
    read("its policy", "policy?model=$model"),
    read("its policy by name", "policy?name=$model", "there is no policy"),
    read("the whole log", "audit/export"),
    read("reconcile it", "reconcile", "READ", "POST", {"model": "$model"}),
    read("nominate it", "nominate", "READ", "POST", {"model": "$model", "version": 1}),
    read("nominate on a run of others", "nominate", "there is no run", "POST",
         {"model": "$hers", "version": 1, "runs": ["$run"]}),
    read("nominate on a run that is not there", "nominate", "there is no run", "POST",
         {"model": "$hers", "version": 1, "runs": ["f" * 32]}),
    read("nominate on the version's own run", "nominate", "there is no run", "POST", {"model": "$hers", "version": 1}),
    read("lend a role under a policy that is not shown", "delegate", "there is no policy", "POST",
         {"policy": "$model", "role": "risk", "to": "raj", "lasts": "1d", "reason": "x"}),
    read("end a loan that is not shown", "delegate/end", "there is no delegation", "POST", {"delegation": "$loan"}),
    read("learn who is a user", "delegate", "a holder of risk", "POST",
         {"policy": "$hers", "role": "risk", "to": "no-such-user", "lasts": "1d", "reason": "x"}),
    Attempt("delete a run of mine that a model rests on", "POST", "runs/delete", {"run_id": "$served"}, "guest",
            "of a model that you may not read, which is champion"),
    Attempt("a password that is wrong", "GET", "users/current", None, "guest", "not authenticated",
            headers={"Authorization": "Basic Z3Vlc3Q6d3Jvbmc="}),
    Attempt("a user who does not exist", "GET", "users/current", None, "guest", "not authenticated",
            headers={"Authorization": "Basic bm9ib2R5Ondyb25n"}),
]  # fmt: skip


@pytest.fixture(scope="module")
def attacker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Attacker]:
    options = ("--workers", "1", "--auth-cache-seconds", "600", "--default-permission", "NO_PERMISSIONS")
    server = start(tmp_path_factory.mktemp("people"), *options)
    PASSWORDS.update({name: f"{name}-long-password" for name in NEW})
    try:
        found = Attacker(server, _targets(server))
        yield found
        found.close()
    finally:
        for name in NEW:
            del PASSWORDS[name]
        server.process.stop()


class _Hands:
    """What people do to accounts, over HTTP."""

    def __init__(self, server: Server) -> None:
        self.server = server

    def ask(self, who: str, verb: str, path: str, **body: Any) -> Any:
        answer = self.server.ask(who, verb, path, json=body)
        assert answer.ok, answer.text
        return answer.json() if answer.content else {}

    def make(self, who: str, name: str, *roles: int, path: str = USERS) -> None:
        self.ask(who, "POST", f"{path}create", username=name, password=PASSWORDS[name])
        for role in roles:
            self.give(who, name, role)

    def give(self, who: str, name: str, role: int) -> None:
        self.ask(who, "POST", f"{ROLES}assign", username=name, role_id=role)

    def role(self, who: str, name: str) -> int:
        return int(self.ask(who, "POST", f"{ROLES}create", name=name, workspace="default")["role"]["id"])

    def reset(self, who: str, name: str, **more: str) -> None:
        body = {"username": name, "password": PASSWORDS[name] + "!", **more}
        self.ask(who, "PATCH", f"{USERS}update-password", **body)
        PASSWORDS[name] += "!"

    def permit(self, who: str, role: int, pattern: str = "*", kind: str = "registered_model") -> None:
        what = {"resource_type": kind, "resource_pattern": pattern, "permission": "READ"}
        self.ask(who, "POST", f"{ROLES}permissions/add", role_id=role, **what)


def _targets(server: Server) -> dict[str, str]:
    """Who was made, re-passworded or given roles by ana, the requester; and models that guest may and may not READ."""
    hands = _Hands(server)
    for name in ("ana", "raj"):
        hands.ask(ADMIN, "PATCH", f"{USERS}update-admin", username=name, is_admin=True)
    risk, permitted, renamed, readers = (
        hands.role(ADMIN, n) for n in ("model-risk", "permitted", "friends", "readers")
    )
    for role in (risk, permitted, renamed):
        hands.permit(ADMIN, role)
    for name in ("reset", "own"):
        hands.make(ADMIN, name, risk)
        hands.reset("ana", name)
    hands.reset("own", "own", current_password=PASSWORDS["own"])
    hands.make(ADMIN, "given")
    hands.give("ana", "given", risk)
    hands.make(ADMIN, "renaming", renamed)
    hands.ask("ana", "PATCH", f"{ROLES}update", role_id=renamed, name="renamed")
    hands.make(ADMIN, "permitting", permitted)
    hands.permit("ana", permitted, kind="experiment")
    hands.make("ana", "puppet", risk)
    hands.ask(ADMIN, "PATCH", f"{USERS}update-admin", username="puppet", is_admin=True)
    hands.make("puppet", "second", risk)
    hands.make("ana", "ajaxed", risk, path="/ajax-api/2.0/mlflow/users/")
    _sign_up(server, "formed")
    hands.give(ADMIN, "formed", risk)
    hands.make(ADMIN, "again", risk)
    hands.ask("ana", "DELETE", f"{USERS}delete", username="again")
    hands.make("ana", "again")
    hands.give(ADMIN, "again", risk)
    hands.make(ADMIN, "boss")
    hands.ask(ADMIN, "PATCH", f"{USERS}update-admin", username="boss", is_admin=True)
    hands.reset("ana", "boss")
    hands.make("boss", "heir", risk)
    hands.make("ana", "borrower", readers)
    hands.permit(ADMIN, readers)
    hands.make("ana", "tom", readers)
    hands.make(ADMIN, "colleague")
    hands.give("raj", "colleague", risk)
    return _models(server)


def _sign_up(server: Server, name: str) -> None:
    with requests.Session() as browser:
        browser.auth = ("ana", PASSWORDS["ana"])
        page = browser.get(f"{server.uri}/signup", timeout=60).text
        token = next(re.search(r'value="([^"]+)"', tag) for tag in re.findall(r"<input[^>]*csrf_token[^>]*>", page))
        assert token is not None
        form = {"username": name, "password": PASSWORDS[name], "csrf_token": token[1]}
        headers = {"Content-Type": "application/x-www-form-urlencoded", "Referer": f"{server.uri}/signup"}
        assert browser.post(f"{server.uri}{USERS}create-ui", data=form, headers=headers, timeout=60).ok


def _models(server: Server) -> dict[str, str]:
    grant = "/api/3.0/mlflow/users/permissions/grant"
    for model, by in (("model", "ana"), ("hers", "ana, guest")):
        server.mlflow("ana", "POST", "registered-models/create", name=model)
        policy = PEOPLE.format(name=model, model=model).replace("data-science: [ana]", f"data-science: [{by}]")
        assert server.ask(ADMIN, "POST", "policy/apply", json={"yaml": policy}).ok
    body = {"username": "guest", "resource_type": "registered_model", "resource_id": "hers", "permission": "READ"}
    assert server.ask("ana", "POST", grant, json=body).ok
    for model in ("model", "hers"):  # raj is an administrator
        body = {"username": "mei", "resource_type": "registered_model", "resource_id": model, "permission": "READ"}
        assert server.ask(ADMIN, "POST", grant, json=body).ok
    first, served = register(server, "model")
    go(server, "model", first, "ana nominate", "ana request", "raj approve", "mei approve", "ana promote")
    experiment = server.mlflow("ana", "GET", f"runs/get?run_id={served}")["run"]["info"]["experiment_id"]
    body = {"username": "guest", "resource_type": "experiment", "resource_id": experiment, "permission": "MANAGE"}
    assert server.ask("ana", "POST", grant, json=body).ok
    version, run = register(server, "model")
    register(server, "hers")
    for policy in ("model", "hers"):
        lend = {"policy": policy, "role": "risk", "to": "borrower", "lasts": "2d", "reason": "holiday"}
        lent = server.ask("raj", "POST", "delegate", json=lend)
        assert lent.ok, lent.text
        if policy == "model":
            loan = lent.json()["delegation"]["id"]
    proposal = go(server, "model", version, "ana nominate", "ana request")["id"]
    go(server, "model", version, "raj approve")  # one good yes: every other one is missing
    return {"model": "model", "hers": "hers", "run": run, "served": served, "loan": loan, "proposal": proposal}


@pytest.mark.parametrize("attempt", SIGNING, ids=str)
def test_nobody_is_counted_who_was_put_there(attacker: Attacker, attempt: Attempt) -> None:
    attacker.refused(attempt)


@pytest.mark.parametrize("attempt", READING, ids=str)
def test_nothing_is_read_past_mlflow(attacker: Attacker, attempt: Attempt) -> None:
    answer = attacker.changes_nothing(attempt)
    assert 400 <= answer.status < 500 and answer.seconds < 1, answer
    assert attacker.fill(attempt.said) in answer.text, answer.text
    given = json.dumps(attempt.body or "") + attempt.path
    hidden = ("$run", "evidence/", "calibration.json", "raj")
    assert [each for each in hidden if each not in given and attacker.fill(each) in answer.text] == []
