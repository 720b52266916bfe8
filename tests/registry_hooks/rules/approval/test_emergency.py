"""Who may break the glass, when there is anything to break it for, and who may close the review of it."""

from __future__ import annotations

from datetime import datetime, timezone

import pytest
from support.world import MODEL, POLICY

from registry_hooks.errors import Reason
from registry_hooks.identity import Actor
from registry_hooks.records import Account, AccountsState, Given
from registry_hooks.rules.approval.emergency import (
    closer_lacks_role,
    closer_put_there,
    lacks_break_glass,
    no_need_to_break,
    past_the_rules,
)
from registry_hooks.rules.approval.people import Facts
from registry_hooks.rules.policy_file import load_policy

NOW = datetime(2026, 1, 1, tzinfo=timezone.utc)
GLASS = POLICY + "break_glass: {by: [oncall]}\n"
ONCALL, RAJ = (Actor(name, "test") for name in ("oncall", "raj"))


def facts(policy: str = GLASS, made_by: str | None = None) -> Facts:
    """``made_by`` is who made the account of raj."""
    given = Given(by=made_by, hands=(made_by,), at=NOW, seq=7) if made_by else None
    return Facts(NOW, load_policy(policy), "sha256:1", accounts=AccountsState(accounts={"raj": Account(created=given)}))


@pytest.mark.parametrize(
    ("actor", "policy", "expected"),
    [
        (ONCALL, GLASS, []),
        (RAJ, GLASS, [("role", "raj, who holds risk")]),
        (ONCALL, POLICY, [("break-glass", "none in policy 'employment'")]),
    ],
)
def test_the_policy_says_who_breaks_the_glass(actor, policy, expected):
    assert [(r.rule, r.found) for r in lacks_break_glass(actor, MODEL, facts(policy))] == expected


def test_the_glass_is_broken_only_where_a_rule_stands_in_the_way():
    (reason,) = no_need_to_break(MODEL, 3, [])
    assert (reason.rule, reason.mend) == ("break-glass", f"registry-hooks promote {MODEL} 3")
    assert no_need_to_break(MODEL, 3, [Reason("approvals", "2 yes", "none", "ask")]) == []


def test_no_emergency_overrides_a_meddled_registry_or_changed_files():
    found = [Reason(rule, "", "", "") for rule in ("approvals", "meddled", "evidence", "files", "condemned")]
    assert [reason.rule for reason in past_the_rules(found)] == ["approvals", "evidence", "condemned"]


def test_a_review_is_closed_by_who_approves_and_others_are_named_but_the_one_who_opened_it():
    assert closer_lacks_role(RAJ, MODEL, "oncall", facts()) == []
    (reason,) = closer_lacks_role(ONCALL, MODEL, "mei", facts())
    assert (reason.rule, reason.mend.split(",")[0]) == ("role", "ask one of ana")
    assert "raj" in reason.mend and "mei" not in reason.mend


@pytest.mark.parametrize(
    ("opener", "made_by", "expected"),
    [
        ("oncall", "oncall", [("stake", "the account of raj was made by oncall, who opened R-1 (ledger entry 7)")]),
        ("oncall", "mei", []),
        ("oncall", None, []),
        (None, "oncall", []),  # there is no such review, which has a reason of its own
        ("raj", "raj", []),  # so has closing one's own
    ],
)
def test_nobody_has_a_review_closed_by_an_account_that_they_made(opener, made_by, expected):
    found = closer_put_there(RAJ, "R-1", opener, facts(made_by=made_by))
    assert [(reason.rule, reason.found) for reason in found] == expected
    assert all("mei" in reason.mend and "raj" not in reason.mend for reason in found)


def test_an_account_without_a_role_that_closes_is_not_told_whose_it_is():
    assert closer_put_there(ONCALL, "R-1", "raj", facts()) == []
