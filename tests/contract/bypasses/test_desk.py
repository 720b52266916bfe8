"""Attempts to change what serves through the desk's own routes, or by being somebody else; each is refused at once.

Models beside the one that `release` makes: ``other``, whose version 2 has its whole quorum; ``rejected``, ``void`` and
``expired``, whose Proposals ended so; ``tampered``, whose files changed after its approvals; ``forged``, whose versions
carry Evidence that is not theirs.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator

import pytest
from support.attacking import Attacker, Attempt, basic, release, roles
from support.releasing import POLICY, go, govern, register, sealed, serve, upload, write_past
from support.serving import ADMIN, API, PASSWORDS, Server

from mlflow_eval_plugin.evidence import Subject

FRESH = {"model": "$model", "version": "$fresh"}
CHALLENGER = {"model": "$model", "version": "$challenger"}
YES = {"comment": "looks right"}
SECOND = {"version": 2}
WHOLE_QUORUM = ("ana nominate", "ana request", "raj approve", "mei approve")
USERS, ROLES = "/api/2.0/mlflow/users/", "/api/3.0/mlflow/roles/"
FORM = {"Content-Type": "application/x-www-form-urlencoded"}
UNKNOWN = "unknown field"


def desk(name: str, verb: str, body: object, user: str | None = "ana", said: str = "", **more: str) -> Attempt:
    return Attempt(name, "POST", API + verb, body, user, said, more.get("on", "model"), more.get("text"))


PROMOTIONS = [
    desk("promote what nobody nominated", "promote", FRESH, said="nomination"),
    desk("promote with half of the approvals", "promote", CHALLENGER, said="2 yes from risk"),
    desk("promote as administrator", "promote", CHALLENGER, "admin", "promote a version of"),
    desk("promote as one who may only read", "promote", CHALLENGER, "guest", "promote a version of"),
    desk("promote as nobody", "promote", CHALLENGER, None, "not authenticated"),
    desk("promote with a forged actor", "promote", CHALLENGER | {"actor": "raj"}, said=UNKNOWN),
    desk("promote with forged roles", "promote", CHALLENGER | {"roles": ["risk"]}, said=UNKNOWN),
    desk("promote with approvals of one's own", "promote", CHALLENGER | {"approvals": ["mei"]}, said=UNKNOWN),
    desk("promote with the store's inner argument", "promote", CHALLENGER | {"via": "mlflow"}, said=UNKNOWN),
    desk("promote with digests of one's own", "promote", CHALLENGER | {"files_digest": "sha256:0"}, said=UNKNOWN),
    desk("promote by force", "promote", CHALLENGER | {"force": True}, said=UNKNOWN),
    desk("promote with another model's approved Proposal", "promote", CHALLENGER | {"proposal": "$other_proposal"},
         said=UNKNOWN),
    desk("promote a version that only another model has approved", "promote", {"model": "$model", "version": 2},
         said="is champion"),
    desk("promote with one name twice", "promote", None, said="given twice",
         text='{"model": "$other", "version": 2, "model": "$model"}'),
    desk("promote in a list", "promote", [CHALLENGER], said="found a list"),
    desk("promote a version as text with spaces", "promote", CHALLENGER | {"version": " 4"}, said="a whole number"),
    desk("promote a version in fullwidth digits", "promote", CHALLENGER | {"version": "４"}, said="a whole number"),
    desk("promote a version as true", "promote", CHALLENGER | {"version": True}, said="true or false"),
    desk("promote the model by another spelling", "promote", CHALLENGER | {"model": "$MODEL"}, said="has no policy"),
    Attempt("promote by GET", "GET", f"{API}promote?model=$model&version=$challenger", user="admin"),
    Attempt("promote as a form", "POST", f"{API}promote", text="model=$model&version=4", said="application/json",
            headers=FORM),
    desk("promote with a rejected Proposal", "promote", {"model": "$rejected", **SECOND}, said="an open Proposal",
         on="rejected"),
    desk("promote with a Proposal of an older policy", "promote", {"model": "$void", **SECOND}, said="policy-changed",
         on="void"),
    desk("promote with an expired Proposal", "promote", {"model": "$expired", **SECOND}, said="expired", on="expired"),
    desk("promote files that changed after the approvals", "promote", {"model": "$tampered", **SECOND}, said="files",
         on="tampered"),
    Attempt("set the alias of files that changed after the approvals", "POST", "registered-models/alias",
            {"name": "$tampered", "alias": "champion", "version": "2"}, said="files", on="tampered"),
    desk("roll back as one who may not", "rollback", {"model": "$model", "reason": "mine"}, said="roll"),
    desk("roll back as administrator", "rollback", {"model": "$model", "reason": "mine"}, "admin", "roll"),
    desk("roll back to a version that never served", "rollback", {"model": "$model", "reason": "r", "to": "$fresh"},
         "oncall"),
    desk("roll back from a champion that is none", "rollback", {"model": "$model", "reason": "r", "expected": "$fresh"},
         "oncall"),
    desk("roll back without a reason", "rollback", {"model": "$model", "reason": "  "}, "oncall", "reason"),
]  # fmt: skip

APPROVALS = [
    desk("approve what one has requested", "approve", CHALLENGER | YES, said="four-eyes"),
    desk("approve twice", "approve", CHALLENGER | YES, "raj", "one signature a person"),
    desk("approve in the name of another", "approve", CHALLENGER | YES | {"actor": "mei"}, said=UNKNOWN),
    desk("approve with a role of one's own", "approve", CHALLENGER | YES | {"roles": ["risk"]}, "guest", UNKNOWN),
    desk("approve for another time", "approve", CHALLENGER | YES | {"at": "2020-01-01T00:00:00Z"}, "mei", UNKNOWN),
    desk("approve as administrator", "approve", CHALLENGER | YES, "admin", "a holder of risk"),
    desk("approve as one without a role", "approve", CHALLENGER | YES, "guest", "a holder of risk"),
    desk("approve without a comment", "approve", CHALLENGER, "mei", "comment"),
    desk("approve another model's Proposal through this one", "approve",
         {"model": "$model", "proposal": "$other_proposal", **YES}, "mei", "0 Proposals"),
    desk("approve a Proposal under another version's number", "approve",
         FRESH | {"proposal": "$proposal", **YES}, "mei", "0 Proposals"),
    desk("approve a Proposal that is none", "approve", {"model": "$model", "proposal": "P-0", **YES}, "mei",
         "0 Proposals"),
    desk("approve what was rejected", "approve", {"model": "$rejected", **SECOND, **YES}, "mei", "rejected",
         on="rejected"),
    desk("approve what has expired", "approve", {"model": "$expired", **SECOND, **YES}, "mei", "expired", on="expired"),
    desk("request what nobody nominated", "request", FRESH, said="nomination"),
    desk("request as another", "request", CHALLENGER | {"requester": "raj"}, said=UNKNOWN),
    desk("request once more to shed the approvals against it", "request", CHALLENGER, said="ALREADY_EXISTS"),
]  # fmt: skip

EVIDENCE = [
    desk("nominate on failing Evidence", "nominate", {"model": "$model", "version": "$failing"}, said="passes"),
    desk("nominate on another version's run", "nominate",
         {"model": "$model", "version": "$failing", "runs": ["$run"]}, said="is about other files"),
    desk("nominate on another model's run", "nominate",
         {"model": "$model", "version": "$failing", "runs": ["$other_run"]}, said="is about other files"),
    desk("nominate on a run that is none", "nominate", FRESH | {"runs": ["../../etc"]}, said="no run"),
    desk("nominate with Evidence in the request", "nominate", FRESH | {"evidence": [{"kind": "calibration"}]},
         said=UNKNOWN),
    desk("nominate Evidence whose verdict was edited", "nominate", {"model": "$forged", "version": "$edited"},
         said="digest", on="forged"),
    desk("nominate Evidence that was made for another model", "nominate", {"model": "$forged", "version": "$foreign"},
         said="is about other files", on="forged"),
    desk("nominate Evidence of the same MLmodel beside other weights", "nominate",
         {"model": "$forged", "version": "$reweighed"}, said="is about other files", on="forged"),
    desk("nominate Evidence that was made for another run", "nominate", {"model": "$forged", "version": "$elsewhere"},
         said="was made in run", on="forged"),
    desk("nominate Evidence that is cut short", "nominate", {"model": "$forged", "version": "$cut"},
         said="cannot be trusted", on="forged"),
    desk("nominate without Evidence", "nominate", {"model": "$forged", "version": "$bare"},
         said="none in the nomination", on="forged"),
    desk("nominate as administrator", "nominate", FRESH, "admin", "nominate a version"),
    Attempt("nominate a forged version by its alias", "POST", "registered-models/alias",
            {"name": "$forged", "alias": "challenger", "version": "$edited"}, said="digest", on="forged"),
    Attempt("stage of a forged version", "POST", "model-versions/transition-stage",
            {"name": "$forged", "version": "$foreign", "stage": "Staging"}, said="is about other files", on="forged"),
]  # fmt: skip

IDENTITIES = [
    desk("a policy of one's own", "policy/apply", {"yaml": "$policy"}, said="only an administrator"),
    desk("a second policy for the model, by the administrator", "policy/apply", {"yaml": "$policy"}, "admin",
         "is governed by policy"),
    Attempt("make oneself an administrator", "PATCH", USERS + "update-admin", {"username": "ana", "is_admin": True},
            said="Permission denied"),
    Attempt("make a second user for oneself", "POST", USERS + "create",
            {"username": "sock", "password": "sock-long-password"}, said="Permission denied"),
    Attempt("make a user of an approver's name in capitals", "POST", USERS + "create",
            {"username": "MEI", "password": "mei-long-password"}, said="Permission denied"),
    Attempt("sign up by the form", "POST", USERS + "create-ui", headers=FORM,
            text="username=sock&password=sock-long-password"),
    Attempt("change an approver's password", "PATCH", USERS + "update-password",
            {"username": "mei", "password": "known-to-ana-now"}, said="Permission denied"),
    Attempt("delete an approver", "DELETE", USERS + "delete", {"username": "mei"}, said="Permission denied"),
    Attempt("make a role of MLflow's that a policy could name", "POST", ROLES + "create",
            {"workspace": "default", "name": "risk"}, said="Permission denied"),
    Attempt("take a role of MLflow's", "POST", ROLES + "assign", {"username": "ana", "role_id": 1}),
    Attempt("grant oneself a permission on everything", "POST", "/api/3.0/mlflow/users/permissions/grant",
            {"username": "ana", "resource_type": "workspace", "resource_id": "default", "permission": "MANAGE"}),
    Attempt("approve with the name in capitals", "POST", f"{API}approve", CHALLENGER | YES, None,
            headers={"Authorization": "$ANA"}),
    Attempt("approve with a space behind the name", "POST", f"{API}approve", CHALLENGER | YES, None,
            headers={"Authorization": "$ana_space"}),
    Attempt("approve with two logins in one header", "POST", f"{API}approve", CHALLENGER | YES, None,
            headers={"Authorization": "$ana_login, $mei_wrong"}),
    Attempt("approve with an approver's name and one's own password", "POST", f"{API}approve", CHALLENGER | YES, None,
            headers={"Authorization": "$mei_wrong"}),
    Attempt("approve with an approver's name in other headers", "POST", f"{API}approve", CHALLENGER | YES, "ana",
            "four-eyes", headers={"X-Forwarded-User": "mei", "X-MLflow-User": "mei", "X-Remote-User": "mei"}),
    Attempt("approve with a run whose author is said to be another", "POST", f"{API}approve",
            {"model": "$other", "version": "$borrowed", **YES}, "ana", on="other"),
]  # fmt: skip
ATTEMPTS = [*PROMOTIONS, *APPROVALS, *EVIDENCE, *IDENTITIES]


@pytest.fixture(scope="module")
def names(governed: Server) -> dict[str, str]:
    """The models under attack, and what lies around them."""
    made = release(governed)
    other, other_run = _second(governed, *WHOLE_QUORUM)
    borrowed = _with_a_borrowed_author(governed, other)
    rejected, _ = _second(governed, "ana nominate", "ana request", "raj reject")
    void, _ = _second(governed, *WHOLE_QUORUM)
    _apply(governed, POLICY.format(name=void, model=void) + "# again\n")
    tampered, run = _second(governed, *WHOLE_QUORUM)
    write_past(governed, _artifacts_of(governed, run), "model/code.py", b"evil")
    models = {"other": other, "rejected": rejected, "void": void, "tampered": tampered, "expired": _expired(governed)}
    approved = governed.ask("ana", "GET", f"plan?model={other}&version=2").json()["proposal"]["id"]
    more = {"other_run": other_run, "other_proposal": approved, "borrowed": borrowed}
    policy = json.dumps(POLICY.format(name="mine", model=made["model"]))[1:-1]
    return {**made, **models, **more, **_forged(governed), **_logins(), "policy": policy}


def _second(server: Server, *steps: str) -> tuple[str, str]:
    """A model with a champion, and a version 2 that has come so far; the model and the version's run."""
    model = govern(server)
    serve(server, model)
    version, run = register(server, model)
    go(server, model, version, *steps)
    return model, run


def _with_a_borrowed_author(server: Server, model: str) -> str:
    """A version by ana out of a run that says it is raj's, requested by raj: who approves it must not be ana."""
    version, run = register(server, model)
    server.mlflow("ana", "POST", "runs/set-tag", run_id=run, key="mlflow.user", value="raj")
    go(server, model, version, "ana nominate", "raj request")
    return str(version)


def _expired(server: Server) -> str:
    model = govern(server)
    serve(server, model)
    _apply(server, POLICY.format(name=model, model=model).replace("\nrollback", "\n  expires: 3s\nrollback"))
    version, _ = register(server, model)
    go(server, model, version, *WHOLE_QUORUM)
    time.sleep(3.1)
    return model


def _forged(server: Server) -> dict[str, str]:
    """A model whose further versions carry Evidence that is not theirs."""
    model = govern(server)
    serve(server, model)

    def edited(subject: Subject) -> bytes:
        return sealed(subject, "fail").replace(b'"fail"', b'"pass"')

    def foreign(subject: Subject) -> bytes:
        return sealed(Subject(run_id=subject.run_id, model_digest="sha256:" + "1" * 64), "pass")

    def elsewhere(subject: Subject) -> bytes:
        return sealed(Subject(run_id="1" * 32, model_digest=subject.model_digest), "pass")

    def reweighed(subject: Subject) -> bytes:
        upload(server, _artifacts_of(server, subject.run_id), "model/weights.bin", b"never evaluated")
        return sealed(subject, "pass")

    def cut(subject: Subject) -> bytes:
        return sealed(subject, "pass")[:-100]

    def bare(_subject: Subject) -> bytes:
        return b""

    makers = (edited, foreign, elsewhere, reweighed, cut, bare)
    return {"forged": model, **{make.__name__: str(register(server, model, evidence=make)[0]) for make in makers}}


def _logins() -> dict[str, str]:
    return {
        "ANA": basic("ANA", PASSWORDS["ana"]),
        "ana_space": basic("ana ", PASSWORDS["ana"]),
        "ana_login": basic("ana", PASSWORDS["ana"]),
        "mei_wrong": basic("mei", PASSWORDS["ana"]),
    }


def _apply(server: Server, policy: str) -> None:
    answer = server.ask(ADMIN, "POST", "policy/apply", json={"yaml": policy})
    assert answer.ok, answer.text


def _artifacts_of(server: Server, run: str) -> str:
    return str(server.mlflow("ana", "GET", f"runs/get?run_id={run}")["run"]["info"]["artifact_uri"])


@pytest.fixture(scope="module")
def attacker(governed: Server, names: dict[str, str]) -> Iterator[Attacker]:
    """Whoever is logged in, over warm connections."""
    made = Attacker(governed, names)
    yield made
    made.close()


@pytest.mark.parametrize("attempt", ATTEMPTS, ids=str)
def test_an_attempt_is_refused_at_once_and_changes_nothing(attacker: Attacker, attempt: Attempt) -> None:
    attacker.refused(attempt)


def test_the_way_that_is_meant_still_leads_to_production(governed: Server, names: dict[str, str]) -> None:
    """After all of these, the missing approval is all that was missing."""
    go(governed, names["model"], int(names["challenger"]), "mei approve", "ana promote")
    assert roles(governed, names["model"])["searched"] == [("Production", names["challenger"]), ("Staging", "2")]
    assert governed.json(ADMIN, "audit", "verify")["ok"]
