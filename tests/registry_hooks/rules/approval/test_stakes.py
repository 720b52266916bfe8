"""Whose approvals count: none from accounts or roles that come from somebody with a stake in the Proposal."""

from __future__ import annotations

import json

import pytest
from support.world import MODEL, POLICY, refused, rules_of

from registry_hooks.errors import Invalid, Refused
from registry_hooks.identity import Actor, acting_as
from registry_hooks.records import AccountsState, Approval
from registry_hooks.rules.log.accounts import fold_accounts, hands_of
from registry_hooks.rules.policy_file import load_policy

BY_ROLES = POLICY.replace("risk: [raj, mei, ana]", "risk: {mlflow_roles: [model-risk]}") + "delegation: {longest: 3d}\n"
HOLDER = frozenset({"model-risk"})


class People:
    """Users of MLflow's auth as the app knows them, and the book of what is done to them."""

    def __init__(self, world):
        self.world, self.there = world, {name: Actor(name, "test") for name in ("ana", "admin", "boss", "oncall")}

    def did(self, actor, action, **body):
        return self.world.desk.keeping.account_change(Actor(actor, "test"), action, body)

    def make(self, actor, name, *roles):
        self.did(actor, "user-created", user=name)
        self.there[name] = Actor(name, "test")
        for role in roles:
            self.give(actor, name, role)

    def give(self, actor, name, role="model-risk"):
        self.did(actor, "role-assigned", user=name, role=role, workspace="default")
        self.there[name] = Actor(name, "test", mlflow_roles=self.there[name].mlflow_roles | {role})

    def acting(self, name):
        return acting_as(self.there[name], self.there.get)

    def sign(self, name):
        with self.acting(name):
            return self.world.desk.approve(MODEL, 1, comment="read")

    def refused(self, name):
        return refused(Refused, self.world, lambda: self.sign(name))

    def plan(self):
        with self.acting("ana"):
            return self.world.desk.plan(MODEL, 1)

    def promote(self):
        with self.acting("ana"):
            return self.world.desk.promote(MODEL, 1)


@pytest.fixture
def people(world):
    """Version 1, by ana, is proposed by ana; the quorum is two holders of an MLflow role."""
    world.govern(BY_ROLES)
    world.quickly()
    world.ask(1)
    return People(world)


def found_of(error):
    return [reason.found for reason in error.reasons]


def test_one_who_may_make_users_does_not_fill_the_quorum(people):
    people.make("ana", "puppet", "model-risk")
    people.make("boss", "raj", "model-risk")
    people.make("boss", "mei", "model-risk")
    error = people.refused("puppet")
    assert rules_of(error) == ["stake"]
    assert "the account of puppet was made by ana, who requested P-" in found_of(error)[0]
    assert "ledger entry" in found_of(error)[0]
    people.sign("raj")
    people.sign("mei")
    people.promote()
    people.world.assert_sound()


def test_a_puppets_puppet_is_a_puppet(people):
    people.make("ana", "puppet")
    people.make("puppet", "second", "model-risk")
    error = people.refused("second")
    assert "was made by puppet, whose account was in the hands of ana" in found_of(error)[0]


def test_a_password_that_somebody_with_a_stake_set_counts_and_ones_own_change_mends_nothing(people):
    people.make("boss", "raj", "model-risk")
    people.did("ana", "password-changed", user="raj")
    assert "was given a password by ana" in found_of(people.refused("raj"))[0]
    people.did("raj", "password-changed", user="raj")  # or whoever knew the password that ana gave
    people.refused("raj")
    people.did("boss", "password-changed", user="raj")
    people.sign("raj")


def test_an_administrator_whose_password_was_reset_gives_what_its_new_owner_gives(people):
    people.make("boss", "raj", "model-risk")
    people.did("ana", "password-changed", user="boss")
    people.make("boss", "mei", "model-risk")
    people.sign("raj")  # whom boss made while the account was boss's alone
    assert "made by boss, whose account was in the hands of ana" in found_of(people.refused("mei"))[0]


def test_a_role_given_by_the_author_does_not_count_unless_another_gives_it_too(people):
    people.make("boss", "raj")
    people.give("ana", "raj")
    error = people.refused("raj")
    assert "raj was given the MLflow role model-risk by ana" in found_of(error)[0]
    people.did("boss", "role-unassigned", user="raj", role="model-risk", workspace="default")
    people.give("boss", "raj")
    people.sign("raj")


@pytest.mark.parametrize("way", ["renamed", "permitted"])
def test_a_role_that_was_made_what_it_is_by_somebody_with_a_stake_does_not_count(people, way):
    people.make("boss", "raj", "friends" if way == "renamed" else "model-risk")
    if way == "renamed":
        body = {"role": "friends", "new_name": "model-risk", "holders": ["raj"], "workspace": "default"}
        people.did("ana", "role-changed", **body)
        people.there["raj"] = Actor("raj", "test", mlflow_roles=HOLDER)
    else:
        grant = {"role": "model-risk", "workspace": "default", "resource_type": "registered_model", "resource": "*"}
        people.did("ana", "permission-changed", **grant, permission="READ")
    assert rules_of(people.refused("raj")) == ["stake"]
    if way == "permitted":
        people.did("boss", "permission-changed", **grant, permission="READ")
        people.sign("raj")


def test_an_approver_who_gave_another_the_role_is_counted_and_the_other_is_not(people):
    people.make("boss", "mei", "model-risk")
    people.make("boss", "raj")
    people.give("mei", "raj")
    people.sign("raj")
    assert [need["have"] for need in people.plan()["proposal"]["needs"]] == [1]
    told = people.sign("mei")
    assert [need["have"] for need in told["needs"]] == [1] and told["state"] == "open"
    reasons = {reason["rule"]: reason["found"] for reason in people.plan()["reasons"]}
    assert reasons["stake"].startswith("the yes of raj does not count: raj was given the MLflow role model-risk by mei")
    assert "stake" in rules_of(refused(Refused, people.world, people.promote))
    people.make("boss", "tom", "model-risk")
    people.sign("tom")
    people.promote()


def test_what_is_done_to_an_account_after_it_signed_is_told_by_plan_and_stops_the_promotion(people):
    for name in ("raj", "mei"):
        people.make("boss", name, "model-risk")
        people.sign(name)
    assert people.plan()["allowed"]
    people.did("ana", "password-changed", user="mei")
    plan = people.plan()
    assert not plan["allowed"] and "stake" in {reason["rule"] for reason in plan["reasons"]}
    refused(Refused, people.world, people.promote)
    assert [reason["rule"] for reason in plan["proposal"]["uncounted"]] == ["stake"]


def test_a_borrower_and_a_lender_are_both_looked_at(people):
    people.make("boss", "raj", "model-risk")
    people.make("ana", "puppet")
    people.make("boss", "lee")
    with people.acting("raj"):
        for name in ("puppet", "lee"):
            people.world.desk.delegate("employment", "risk", name, "2d", "on holiday")
    assert "the account of puppet was made by ana" in found_of(people.refused("puppet"))[0]
    people.did("ana", "password-changed", user="raj")
    assert "the account of raj was given a password by ana" in found_of(people.refused("lee"))[0]


def test_a_no_counts_whoever_gave_the_account(people):
    people.make("ana", "puppet", "model-risk")
    with people.acting("puppet"):
        people.world.desk.reject(MODEL, 1, comment="no")


def test_accounts_from_before_and_roles_of_the_policy_count(world):
    world.govern()
    world.quickly()
    world.ask(1)
    people = People(world)
    for name in ("raj", "mei"):
        people.there[name] = Actor(name, "test")
        people.sign(name)
    people.promote()


def test_an_approval_says_where_each_role_came_from_and_who_gave_it(people):
    people.make("boss", "raj", "model-risk")
    people.there["old"] = Actor("old", "test", mlflow_roles=HOLDER)  # from before accounts were governed
    people.make("boss", "lee")
    with people.acting("raj"):
        lent = people.world.desk.delegate("employment", "risk", "lee", "2d", "on holiday")["delegation"]["id"]
    people.sign("old")
    approvals = {each["actor"]: each["sources"] for each in people.sign("lee")["approvals"]}
    role = {"role": "risk", "via": "mlflow-role", "name": "model-risk"}
    assert approvals["old"] == [role | {"given_by": None}]
    loan = {"role": "risk", "via": "loan", "name": lent, "given_by": "raj"}
    assert approvals["lee"] == [loan, role | {"given_by": "boss"}]
    with people.acting("ana"):
        told = people.world.desk.history(MODEL)["entries"][-1]["summary"]
    assert "for raj as risk (loan " in told and "given by boss" in told


def test_a_role_of_the_policy_was_given_by_who_applied_it(world):
    world.govern()
    world.quickly()
    world.ask(1)
    with world.acting("raj"):
        (approval,) = world.desk.approve(MODEL, 1, comment="read")["approvals"]
    assert approval["sources"] == [{"role": "risk", "via": "policy", "name": "employment", "given_by": "admin"}]


def test_hints_do_not_name_whom_somebody_with_a_stake_put_there(world):
    world.govern(POLICY.replace("risk: [raj, mei, ana]", "risk: [raj, mei, tom, ana]"))
    world.quickly()
    world.ask(1)
    people = People(world)
    for name in ("raj", "mei"):
        people.make("boss", name)
    people.make("ana", "tom")
    (reason,) = people.plan()["reasons"]
    assert "mei, raj" in reason["mend"] and "tom" not in reason["mend"]


def test_a_review_is_not_closed_by_an_account_that_its_opener_made(world):
    world.govern()
    world.quickly(2)
    world.promote(1)
    world.promote(2)
    world.govern(POLICY.replace("oncall: [oncall]", "oncall: [oncall]\n  closers: {mlflow_roles: [closers]}")
                 + "reviews: {by: [closers]}\n")  # fmt: skip
    with world.acting("oncall"):
        review = world.desk.rollback(MODEL, "bad")["review"]["id"]
    people = People(world)
    people.make("oncall", "puppet", "closers")
    people.make("boss", "raj", "closers")

    def close(name):
        with people.acting(name):
            return world.desk.review_close(MODEL, review, "found")

    assert rules_of(refused(Refused, world, lambda: close("puppet"))) == ["stake"]
    close("raj")


# Settled ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("what", ["account", "password", "role"])
def test_accounts_and_roles_have_to_settle_where_the_policy_says_so(world, what):
    world.govern(BY_ROLES.replace("  expires: 7d", "  expires: 7d\n  settled: 24h"))
    world.quickly()
    people = People(world)
    people.make("boss", "raj", *(() if what == "role" else ("model-risk",)))
    if what != "account":
        world.later(days=2)
        if what == "role":
            people.give("boss", "raj")
        else:
            people.did("boss", "password-changed", user="raj")
    world.later(hours=23)
    world.ask(1)
    error = people.refused("raj")
    assert set(rules_of(error)) == {"settled"} and "less than 24h before the signature" in found_of(error)[0]
    world.later(hours=1)
    people.sign("raj")


def test_settled_is_a_duration_and_off_by_default():
    assert load_policy(POLICY).promote.settled is None
    with pytest.raises(Invalid, match="duration"):
        load_policy(POLICY.replace("  expires: 7d", "  expires: 7d\n  settled: soon"))


# The book ---------------------------------------------------------------------------------------------------------


def test_what_failed_is_taken_back_and_what_nobody_could_say_stands(people):
    people.make("boss", "raj", "model-risk")
    entry = people.did("ana", "user-created", user="raj")  # who is there already: MLflow refuses
    people.refused("raj")
    people.world.desk.keeping.account_undone(Actor("ana", "test"), entry, "RESOURCE_ALREADY_EXISTS")
    people.sign("raj")
    people.did("ana", "password-changed", user="mei")  # and the process died
    people.there["mei"] = Actor("mei", "test", mlflow_roles=HOLDER)
    people.refused("mei")
    people.world.assert_sound()


def test_what_others_did_since_is_not_taken_back(people):
    people.make("boss", "raj", "model-risk")
    failed = people.did("boss", "password-changed", user="raj")
    people.did("ana", "password-changed", user="raj")
    people.world.desk.keeping.account_undone(Actor("boss", "test"), failed, "refused")
    people.refused("raj")


def test_who_is_removed_and_made_again_is_somebody_else(people):
    people.make("ana", "raj", "model-risk")
    people.did("boss", "user-deleted", user="raj")
    people.make("boss", "raj", "model-risk")
    people.sign("raj")


def test_what_is_given_and_taken_at_once_stays_known_in_whatever_order_it_was_written_down(people):
    people.make("boss", "raj")
    people.give("ana", "raj")
    people.did(
        "ana", "role-unassigned", user="raj", role="model-risk", workspace="default"
    )  # and made before the other
    assert "raj was given the MLflow role model-risk by ana" in found_of(people.refused("raj"))[0]
    people.did("boss", "role-deleted", role="model-risk", workspace="default")
    people.refused("raj")
    people.make("ana", "puppet")
    people.did("ana", "user-deleted", user="puppet")
    people.give("boss", "puppet")
    assert "the account of puppet was made by ana" in found_of(people.refused("puppet"))[0]
    people.make("boss", "mei")
    people.give("ana", "mei", "friends")
    body = {"role": "friends", "new_name": "model-risk", "holders": [], "workspace": "default"}
    people.did("ana", "role-changed", **body)
    people.there["mei"] = Actor("mei", "test", mlflow_roles=HOLDER)
    assert "mei was given the MLflow role model-risk by ana" in found_of(people.refused("mei"))[0]
    people.world.assert_sound()


def test_roles_of_another_workspace_give_nothing_and_a_deleted_ones_giver_stays_known(people):
    world = people.world
    people.make("boss", "raj", "model-risk")
    people.did("ana", "role-assigned", user="raj", role="model-risk", workspace="elsewhere")
    people.sign("raj")
    people.did("ana", "role-deleted", role="model-risk", workspace="default")
    with world.store.unit_of_work(write=False) as session:
        from registry_hooks.storage.ledger import Ledger

        state = Ledger(session).accounts()
    assert state.accounts["raj"].roles["model-risk"].by == "boss" and hands_of(state, "raj") == {"raj", "boss"}


def test_entries_of_approvals_without_sources_are_still_read():
    old = {"proposal": "P-1", "proposal_digest": "sha256:1", "actor": "raj", "roles": ["risk"], "decision": "yes",
           "meaning": "m", "comment": "c", "at": "2026-01-01T00:00:00Z"}  # fmt: skip
    assert Approval.model_validate(json.loads(json.dumps(old))).sources == ()
    assert AccountsState() == AccountsState.model_validate({}) and callable(fold_accounts)
