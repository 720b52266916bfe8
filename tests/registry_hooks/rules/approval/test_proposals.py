"""Which Proposals there may be: one open for a version, the one that was read, and whose it is to take back."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

import pytest
from support.world import MODEL, POLICY

from registry_hooks.identity import Actor
from registry_hooks.records import Approval, ModelState, Nomination, Pair, Proposal
from registry_hooks.rules.approval.people import Facts
from registry_hooks.rules.approval.proposals import already_open, another_than_read, may_withdraw, meant
from registry_hooks.rules.policy_file import load_policy

NOW = datetime(2026, 1, 1, tzinfo=timezone.utc)
WEEK = timedelta(days=7)
USERS = {name: Actor(name, "test") for name in ("ana", "raj", "mei")}
SIGNED = Approval(proposal="P-5", proposal_digest="sha256:9", actor="raj", roles=("risk",), decision="yes",
                  meaning="read", comment="read", at=NOW)  # fmt: skip
PROPOSED = Proposal(
    id="P-5", model=MODEL, version=2, requester="ana", created_at=NOW, expires_at=NOW + WEEK, expected_champion=None,
    evidence=(), files_digest="sha256:2", policy_digest="sha256:1", comment="", digest="sha256:9", approvals=(SIGNED,),
)  # fmt: skip
NOMINATED = Nomination(version=2, evidence=(), files_digest="sha256:2", actor="ana", at=NOW)
STATE = ModelState(model=MODEL, pair=Pair(challenger=2), nominations={2: NOMINATED}, proposals={"P-5": PROPOSED})


def facts(now: datetime = NOW, users: dict[str, Actor] = USERS) -> Facts:
    return Facts(now, load_policy(POLICY), "sha256:1", directory=users.get)


def test_a_version_has_one_open_proposal():
    (reason,) = already_open(STATE, 2, facts())
    assert reason.found == "P-5, requested by ana"
    assert reason.mend == f"approve or reject it (registry-hooks approve|reject {MODEL} 2)"


def test_one_that_no_longer_holds_or_is_of_another_version_is_in_nobodys_way():
    assert already_open(STATE, 2, facts(NOW + WEEK)) == []
    assert already_open(STATE, 3, facts()) == []


@pytest.mark.parametrize(("digest", "rules"), [(None, []), ("sha256:9", []), ("sha256:8", ["digest"])])
def test_what_is_signed_is_what_was_read(digest, rules):
    assert [reason.rule for reason in another_than_read(PROPOSED, digest)] == rules


def test_one_that_still_holds_is_meant_among_those_that_do_not():
    stale = PROPOSED.model_copy(update={"id": "P-3", "expires_at": NOW, "approvals": ()})
    state = STATE.model_copy(update={"proposals": {"P-3": stale, "P-5": PROPOSED}})
    ids = {
        args: [p.id for p in meant(state, *args, facts())] for args in ((None, None), (2, None), (2, "P-3"), (3, None))
    }
    assert ids == {(None, None): ["P-5"], (2, None): ["P-5"], (2, "P-3"): ["P-3"], (3, None): []}
    assert [p.id for p in meant(state, 2, None, facts(NOW + WEEK))] == ["P-3", "P-5"]  # nobody can say which


def test_the_requester_and_each_signer_take_back_their_own():
    assert may_withdraw(USERS["ana"], PROPOSED, facts()) == may_withdraw(USERS["raj"], PROPOSED, facts()) == []
    (reason,) = may_withdraw(USERS["mei"], PROPOSED, facts())
    assert reason.mend == "ask ana to withdraw it, or say no with registry-hooks reject"


def test_nobody_is_sent_to_a_requester_who_is_gone():
    (reason,) = may_withdraw(USERS["mei"], PROPOSED, facts(users={"mei": USERS["mei"]}))
    assert reason.mend == "say no with registry-hooks reject"
