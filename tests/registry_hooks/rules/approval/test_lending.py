"""Who may lend a role: a holder in their own right, to a user who does not hold it, for no longer than allowed."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

import pytest
from support.world import POLICY

from registry_hooks.identity import Actor
from registry_hooks.records import Delegation
from registry_hooks.rules.approval.lending import may_end, may_lend
from registry_hooks.rules.approval.people import Facts
from registry_hooks.rules.policy_file import load_policy

NOW = datetime(2026, 1, 1, tzinfo=timezone.utc)
DAY = timedelta(days=1)
USERS = {name: Actor(name, "test") for name in ("ana", "raj", "mei", "kim", "lee")}


def facts(policy: str = POLICY + "delegation: {longest: 3d}\n", known: bool = True) -> Facts:
    return Facts(NOW, load_policy(policy), "sha256:1", directory=USERS.get if known else None)


def refusals(by: str, role: str, to: str, length: timedelta, at: Facts) -> list[tuple[str, str]]:
    return [(reason.rule, reason.found) for reason in may_lend(USERS[by], role, to, length, at)]


@pytest.mark.parametrize(("to", "length"), [("kim", DAY), ("lee", 3 * DAY)])
def test_a_holder_lends_to_another_user(to, length):
    assert refusals("raj", "risk", to, length, facts()) == []


@pytest.mark.parametrize(
    ("by", "role", "to", "length", "expected"),
    [
        ("raj", "risk", "kim", 4 * DAY, [("delegation", "4d")]),
        ("raj", "risk", "raj", DAY, [("delegation", "raj")]),
        ("raj", "risk", "nobody", DAY, [("delegation", "nobody")]),
        ("raj", "risk", "mei", DAY, [("delegation", "mei does")]),
        ("raj", "risk", "mei", 4 * DAY, [("delegation", "4d"), ("delegation", "mei does")]),
        ("raj", "author", "kim", DAY, [("role", "raj, who holds risk")]),
        ("lee", "risk", "kim", DAY, [("role", "lee, who holds no role of this policy")]),
        # Who does not hold the role learns nothing of the other: neither that they hold it, nor that they are no user.
        ("lee", "risk", "mei", 4 * DAY, [("role", "lee, who holds no role of this policy"),
                                         ("delegation", "4d")]),
        ("lee", "risk", "nobody", DAY, [("role", "lee, who holds no role of this policy")]),
    ],
)  # fmt: skip
def test_what_cannot_be_lent_is_said_with_every_reason(by, role, to, length, expected):
    assert refusals(by, role, to, length, facts()) == expected


def test_a_policy_without_delegation_lends_nothing():
    assert refusals("lee", "risk", "nobody", 9 * DAY, facts(POLICY)) == [("delegation", "none in 'employment'")]


def test_where_nobody_can_say_who_is_a_user_anybody_may_borrow():
    assert refusals("raj", "risk", "nobody", DAY, facts(known=False)) == []


def test_the_lender_the_borrower_and_an_administrator_end_it():
    lent = Delegation(id="D-1", policy="employment", role="risk", by="raj", to="kim", since=NOW, until=NOW + DAY,
                      reason="on holiday")  # fmt: skip
    for actor in (USERS["raj"], USERS["kim"], Actor("root", "test", is_admin=True)):
        assert may_end(actor, lent) == []
    (reason,) = may_end(USERS["mei"], lent)
    assert (reason.rule, reason.found, reason.mend) == ("role", "mei", "ask raj")
