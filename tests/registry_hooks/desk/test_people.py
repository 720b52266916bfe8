"""Who counts: seats, lent roles, what is taken back or runs out, people who left, emergencies and their reviews."""

from __future__ import annotations

from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.world import MODEL, POLICY, refused, rules_of

from registry_hooks.errors import Invalid, NotFound, Refused
from registry_hooks.identity import Actor, acting_as
from registry_hooks.rules.quorum import Seat, seated

PEOPLE = POLICY.replace("  oncall: [oncall]", """\
  product: [pia, mei]
  release: {mlflow_roles: [releasers]}
  oncall: [oncall]
  emergency: [eva, ana]""") + """
break_glass: {by: [emergency], review_due: 2h}
delegation: {longest: 3d}
"""  # fmt: skip
RISK_AND_PRODUCT = PEOPLE.replace("{role: risk, count: 2}", "{role: risk}, {role: product}")


# Seats ------------------------------------------------------------------------------------------------------------


def _most(seats, people):
    """How many seats can be filled at most, by trying everything."""
    choices = [[None, *(seat for seat in seats if seat.role in roles)] for roles in people.values()]
    taken = ([seat for seat in each if seat] for each in product(*choices))
    return max((len(each) for each in taken if len(set(each)) == len(each)), default=0)


ROLES_HELD = st.lists(st.frozensets(st.sampled_from("abc")), max_size=5)


@given(st.lists(st.sampled_from("abc"), max_size=4), ROLES_HELD)
def test_as_many_seats_are_filled_as_can_be_by_one_person_each(roles, held):
    seats = [Seat(role, number) for number, role in enumerate(roles)]
    people = {f"p{number}": roles for number, roles in enumerate(held)}
    filled = seated(seats, people)
    assert len(filled) == _most(seats, people)
    assert len(set(filled.values())) == len(filled)
    assert all(seat in seats and seat.role in people[person] for seat, person in filled.items())


def test_one_person_with_two_roles_fills_one_seat(world):
    world.govern(RISK_AND_PRODUCT)
    world.quickly()
    world.ask(1)
    world.approve(1, "mei")
    needs = proposal(world)["needs"]
    assert [(each["role"], each["have"]) for each in needs] == [("risk", 1), ("product", 0)]
    with world.acting("ana"):
        refused(Refused, world, lambda: world.desk.promote(MODEL, 1))
    world.approve(1, "raj")  # so mei moves to the seat of product
    assert proposal(world)["state"] == "approved"
    promote(world)


def proposal(world, directory=None):
    with acting_as(Actor("ana", "test"), directory):
        (found,) = world.desk.status(MODEL)["models"][0]["proposals"]
    return found


def promote(world, version=1, directory=None):
    with acting_as(Actor("ana", "test"), directory):
        return world.desk.promote(MODEL, version)


def sign(world, name, version=1, **more):
    with world.acting(name):
        return world.desk.approve(MODEL, version, comment="looks right", **more)


# Delegation -------------------------------------------------------------------------------------------------------


def lend(world, by, to, role="risk", lasts="2d"):
    with world.acting(by):
        return world.desk.delegate("employment", role, to, lasts, "on holiday")["delegation"]["id"]


@pytest.fixture
def asked(world):
    """Version 1 is proposed by ana."""
    world.govern(PEOPLE)
    world.quickly()
    world.ask(1)
    return world


def test_a_role_is_lent_for_a_time(asked):
    lend(asked, "raj", "lee")
    answer = sign(asked, "lee")
    assert answer["approvals"][0]["actor"] == "lee" and answer["approvals"][0]["for_whom"] == "raj"
    assert "twice" in rules_of(refused(Refused, asked, lambda: sign(asked, "raj")))
    lend(asked, "mei", "kim")
    asked.later(days=2)
    assert "role" in rules_of(refused(Refused, asked, lambda: sign(asked, "kim")))
    sign(asked, "mei")
    promote(asked)
    asked.assert_sound()


def test_a_lent_role_is_taken_back(asked):
    lent = lend(asked, "raj", "lee")
    with asked.acting("kim"), pytest.raises(Refused):
        asked.desk.delegation_end(lent)
    with asked.acting("raj"):
        assert [each["id"] for each in asked.desk.delegations()["delegations"]] == [lent]
        asked.desk.delegation_end(lent)
        with pytest.raises(NotFound):
            asked.desk.delegation_end(lent)
        assert asked.desk.delegations()["delegations"] == []
    refused(Refused, asked, lambda: sign(asked, "lee"))
    asked.assert_sound()


@pytest.mark.parametrize(
    ("by", "to", "role", "lasts", "rule"),
    [
        ("lee", "kim", "risk", "1d", "role"),  # what was lent to lee is not lee's to lend
        ("pia", "kim", "risk", "1d", "role"),
        ("raj", "kim", "nobody", "1d", "role"),
        ("raj", "kim", "risk", "4d", "delegation"),
        ("raj", "raj", "risk", "1d", "delegation"),
        ("raj", "mei", "risk", "1d", "delegation"),
    ],
)
def test_what_cannot_be_lent(asked, by, to, role, lasts, rule):
    lend(asked, "raj", "lee")
    assert rules_of(refused(Refused, asked, lambda: lend(asked, by, to, role, lasts))) == [rule]


def test_without_delegation_in_the_policy_nothing_is_lent(world):
    world.govern()
    world.quickly()
    assert rules_of(refused(Refused, world, lambda: lend(world, "raj", "lee"))) == ["delegation"]
    with world.acting("raj"), pytest.raises(NotFound):
        world.desk.delegate("another", "risk", "lee", "1d", "holiday")
    with world.acting("raj"), pytest.raises(Invalid):
        world.desk.delegate("employment", "risk", "lee", "a while", "holiday")


def test_the_seat_of_requester_or_author_is_no_borrowers_either(asked):
    lend(asked, "ana", "lee")  # ana holds risk, and is requester and author
    assert "four-eyes" in rules_of(refused(Refused, asked, lambda: sign(asked, "lee")))
    lend(asked, "raj", "tom")
    lend(asked, "mei", "tom")
    assert rules_of(refused(Refused, asked, lambda: sign(asked, "tom"))) == ["delegation"]
    assert sign(asked, "tom", for_whom="mei")["approvals"][0]["for_whom"] == "mei"
    assert "twice" in rules_of(refused(Refused, asked, lambda: sign(asked, "tom", for_whom="raj")))
    assert proposal(asked)["needs"][0]["have"] == 1


def test_a_lender_who_lost_the_role_lends_nothing(asked):
    lend(asked, "raj", "lee")
    lend(asked, "mei", "kim")
    sign(asked, "lee")
    asked.govern(PEOPLE.replace("[raj, mei, ana]", "[mei, ana, una]"))
    with asked.acting("ana"):
        asked.desk.request(MODEL, 1)  # the policy changed, and with it the Proposal
    assert "role" in rules_of(refused(Refused, asked, lambda: sign(asked, "lee")))
    sign(asked, "kim")


# Taken back, run out ----------------------------------------------------------------------------------------------


def test_withdrawal_both_ways(asked):
    sign(asked, "raj")
    with asked.acting("oncall"):
        assert rules_of(refused(Refused, asked, lambda: asked.desk.withdraw(MODEL, 1, comment="x"))) == ["withdraw"]
    with asked.acting("raj"):
        refused(Invalid, asked, lambda: asked.desk.withdraw(MODEL, 1, comment=" "))
        assert asked.desk.withdraw(MODEL, 1, comment="misread the slices")["approvals"] == []
        refused(Refused, asked, lambda: asked.desk.withdraw(MODEL, 1, comment="again"))
    asked.approve(1)
    with asked.acting("ana"):
        assert asked.desk.withdraw(MODEL, 1, comment="a better one comes")["withdrawn"]
        error = refused(Refused, asked, lambda: asked.desk.promote(MODEL, 1))
        assert rules_of(error) == ["proposal", "approvals"]
        asked.desk.request(MODEL, 1)
    assert proposal(asked)["approvals"] == []
    asked.assert_sound()


def test_a_no_taken_back_opens_the_proposal_again(asked):
    with asked.acting("mei"):
        asked.desk.reject(MODEL, 1, comment="no")
    refused(Refused, asked, lambda: sign(asked, "raj"))
    with asked.acting("mei"):
        asked.desk.withdraw(MODEL, 1, comment="I was wrong")
    asked.approve(1)
    promote(asked)


def test_approvals_run_out_before_their_proposal(world):
    world.govern(POLICY.replace("count: 2", "count: 2, expires: 1h"))
    world.quickly()
    world.ask(1)
    sign(world, "raj")
    world.later(minutes=59)
    sign(world, "mei")
    assert proposal(world)["state"] == "approved"
    world.later(minutes=1)
    assert proposal(world)["needs"][0]["have"] == 1
    refused(Refused, world, lambda: promote(world))


def test_the_password_once_more(world):
    world.govern(POLICY.replace("  expires: 7d", "  expires: 7d\n  reauthenticate: true"))
    world.quickly()
    world.ask(1)
    assert rules_of(refused(Refused, world, lambda: sign(world, "raj"))) == ["re-authentication"]
    for name in ("raj", "mei"):
        with acting_as(Actor(name, "test", reauthenticated=True)):
            answer = world.desk.approve(MODEL, 1, comment="read")
    assert all(each["reauthenticated"] for each in answer["approvals"])
    promote(world)


# People who left --------------------------------------------------------------------------------------------------


def test_signatures_of_people_who_left_lapse(asked):
    asked.approve(1)
    there = {name: Actor(name, "test") for name in ("ana", "raj", "mei")}
    assert proposal(asked, there.get)["state"] == "approved"
    del there["raj"]
    assert proposal(asked, there.get)["state"] == "open"
    refused(Refused, asked, lambda: promote(asked, directory=there.get))
    there["raj"] = Actor("raj", "test")
    promote(asked, directory=there.get)


def test_signatures_lapse_with_the_mlflow_role_they_were_given_in(world):
    world.govern(PEOPLE.replace("{role: risk, count: 2}", "{role: release}"))
    world.quickly()
    world.ask(1)
    holder = Actor("tom", "test", mlflow_roles=frozenset({"releasers"}))
    with acting_as(holder):
        world.desk.approve(MODEL, 1, comment="read")
    assert proposal(world)["state"] == "approved"  # nobody can say, outside a server
    assert proposal(world, {"tom": holder}.get)["state"] == "approved"
    without = {"tom": Actor("tom", "test")}.get
    assert proposal(world, without)["state"] == "open"
    refused(Refused, world, lambda: promote(world, directory=without))


def test_a_borrower_who_left_signs_for_nobody(asked):
    lend(asked, "raj", "lee")
    sign(asked, "lee")
    there = {name: Actor(name, "test") for name in ("ana", "raj", "mei", "lee")}
    assert proposal(asked, there.get)["needs"][0]["have"] == 1
    del there["lee"]
    assert proposal(asked, there.get)["needs"][0]["have"] == 0


# Break-glass and reviews ------------------------------------------------------------------------------------------


def break_glass(world, version=2, name="eva", reason="the house is on fire"):
    with world.acting(name):
        return world.desk.break_glass(MODEL, version, reason)


@pytest.fixture
def burning(world):
    """Version 1 serves; version 2 was never nominated."""
    world.govern(PEOPLE)
    world.quickly(2)
    world.promote(1)
    return world


def test_break_glass_goes_past_evidence_and_approvals_and_opens_a_review(burning):
    refused(Refused, burning, lambda: break_glass(burning, name="oncall"))
    refused(Invalid, burning, lambda: break_glass(burning, reason=" "))
    answer = break_glass(burning)
    assert burning.roles() == {"champion": 2, "challenger": 1, "fallback": 1}
    assert {each["rule"] for each in answer["overridden"]} >= {"nomination", "evidence", "proposal", "approvals"}
    with burning.acting("ana"):
        (status,) = burning.desk.status(MODEL)["models"]
        last = burning.desk.history(MODEL)["entries"][-1]
    assert [each["kind"] for each in status["reviews"]] == ["break-glass"]
    assert last["summary"].startswith("BROKE GLASS") and "the house is on fire" in last["summary"]
    refused(Refused, burning, lambda: break_glass(burning))  # it serves already
    burning.assert_sound()


def test_break_glass_is_no_way_past_changed_files_or_meddling(burning):
    with burning.acting("ana"):
        burning.desk.nominate(MODEL, 2)
    (burning.folder(2) / "weights.bin").write_text("other")
    assert rules_of(refused(Refused, burning, lambda: break_glass(burning))) == ["files"]
    with burning.store.unit_of_work(write=True) as session:
        session.connection().exec_driver_sql("UPDATE registered_model_aliases SET version = 2 WHERE alias = 'champion'")
    with pytest.raises(Refused, match="meddled"):
        break_glass(burning)


def test_break_glass_is_for_what_the_rules_refuse_and_for_policies_that_have_it(burning):
    burning.ask(2)
    burning.approve(2)
    assert rules_of(refused(Refused, burning, lambda: break_glass(burning, name="ana"))) == ["break-glass"]
    burning.govern(PEOPLE.replace("break_glass: {by: [emergency], review_due: 2h}", ""))
    assert rules_of(refused(Refused, burning, lambda: break_glass(burning))) == ["break-glass"]


def close(world, review, name="raj", finding="a bad data feed; fixed"):
    with world.acting(name):
        return world.desk.review_close(MODEL, review, finding)


def test_reviews_are_closed_by_somebody_else_with_a_finding(burning):
    burning.govern(PEOPLE + "reviews: {by: [emergency]}\n")
    review = break_glass(burning)["review"]["id"]
    assert rules_of(refused(Refused, burning, lambda: close(burning, review, "eva"))) == ["four-eyes"]
    assert rules_of(refused(Refused, burning, lambda: close(burning, review, "raj"))) == ["role"]
    assert rules_of(refused(Refused, burning, lambda: close(burning, "R-999", "ana"))) == ["review"]
    refused(Invalid, burning, lambda: close(burning, review, "ana", finding=""))
    close(burning, review, "ana")
    refused(Refused, burning, lambda: close(burning, review, "ana"))
    with burning.acting("ana"):
        assert burning.desk.status(MODEL)["models"][0]["reviews"] == []
    burning.assert_sound()


@pytest.mark.parametrize("overdue", ["block", "allow"])
def test_an_overdue_review_blocks_the_next_promotion_by_policy(burning, overdue):
    burning.govern(PEOPLE.replace("  expires: 7d", f"  expires: 7d\n  overdue_reviews: {overdue}"))
    burning.quickly()
    review = break_glass(burning)["review"]["id"]
    burning.ask(3)
    burning.approve(3)
    burning.later(hours=2)
    with burning.acting("ana"):
        assert burning.desk.plan(MODEL, 3)["allowed"]  # it falls due now, and is not overdue yet
    burning.later(seconds=1)
    if overdue == "block":
        assert rules_of(refused(Refused, burning, lambda: promote(burning, 3))) == ["review-overdue"]
        with burning.acting("oncall"):
            burning.desk.rollback(MODEL, "a rollback waits for no review", to=1)
        close(burning, review, "mei")
    else:
        promote(burning, 3)
    burning.assert_sound()


def test_a_yes_that_has_lapsed_may_be_given_anew(world):
    world.govern(PEOPLE.replace("count: 2", "count: 2, expires: 2h"))
    world.quickly()
    world.ask(1)
    world.approve(1, "raj")
    world.later(hours=3)
    world.approve(1, "raj")
    found = proposal(world)
    assert [signed["actor"] for signed in found["approvals"]] == ["raj"]
    assert [need["have"] for need in found["needs"]] == [1]
