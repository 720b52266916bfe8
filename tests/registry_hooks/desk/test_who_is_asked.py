"""Whom a refusal names as the one to ask: only people who could do what is missing."""

from __future__ import annotations

import pytest
from mlflow.exceptions import MlflowException
from mlflow.protos import databricks_pb2
from support.world import MODEL, POLICY, refused

from registry_hooks.errors import Invalid, Refused
from registry_hooks.identity import Actor, acting_as

MANY = POLICY.replace("risk: [raj, mei, ana]", "risk: [raj, mei, ana, tom, lee, zoe]") + "delegation: {longest: 3d}\n"
THERE = {name: Actor(name, "test") for name in ("ana", "raj", "mei", "tom", "lee", "kim", "oncall")}  # zoe has left


def mends(error):
    return " ".join(reason.mend for reason in error.reasons)


def named(text):
    return {name for name in ("ana", "raj", "mei", "tom", "lee", "zoe") if name in text.replace(",", " ").split()}


@pytest.fixture
def asked(world):
    """Version 1 is proposed by ana, its author, and raj has signed."""
    world.govern(MANY)
    world.quickly()
    world.ask(1)
    world.approve(1, "raj")
    return world


def test_who_has_signed_or_cannot_count_is_not_asked_to_sign(asked):
    def sign(name):
        with acting_as(Actor(name, "test"), THERE.get):
            asked.desk.approve(MODEL, 1, comment="read")

    for name in ("ana", "raj", "guest"):
        assert named(mends(refused(Refused, asked, lambda name=name: sign(name)))) == {"mei", "tom", "lee"}
    with acting_as(Actor("ana", "test"), THERE.get):
        (approvals,) = asked.desk.plan(MODEL, 1)["reasons"]
    assert named(approvals["mend"]) == {"mei", "tom", "lee"}


def test_nobody_is_asked_in_whose_place_somebody_has_signed(asked):
    with asked.acting("tom"):
        asked.desk.delegate("employment", "risk", "kim", "2d", "on holiday")
    with asked.acting("kim"):
        asked.desk.approve(MODEL, 1, comment="for tom")
    with acting_as(Actor("guest", "test"), THERE.get):
        error = refused(Refused, asked, lambda: asked.desk.approve(MODEL, 1, comment="read"))
    assert named(mends(error)) == {"mei", "lee"}


def test_who_opened_a_review_and_who_left_are_not_asked_to_close_it(asked):
    asked.govern(MANY.replace("oncall: [oncall]", "oncall: [raj, zoe]"))
    asked.quickly()
    asked.ask(1)
    asked.approve(1)
    with asked.acting("ana"):
        asked.desk.promote(MODEL, 1)
    asked.promote(2)
    with asked.acting("raj"):
        review = asked.desk.rollback(MODEL, "bad")["review"]["id"]
    asked.later(days=2)
    with acting_as(Actor("ana", "test"), THERE.get):
        overdue = [r for r in asked.desk.plan(MODEL, 2)["reasons"] if r["rule"] == "review-overdue"]
    assert named(overdue[0]["mend"]) == {"ana", "mei", "tom", "lee"}
    with acting_as(Actor("guest", "test"), THERE.get):
        error = refused(Refused, asked, lambda: asked.desk.review_close(MODEL, review, "found"))
        assert named(mends(error)) == {"ana", "mei", "tom", "lee"}
        gone = refused(Refused, asked, lambda: asked.desk.rollback(MODEL, "again", to=2))
    assert "raj" in named(mends(gone)) and "zoe" not in named(mends(gone))


def test_a_policy_that_asks_for_passwords_fits_only_logins_that_are_passwords(world):
    text = POLICY.replace("  expires: 7d", "  expires: 7d\n  reauthenticate: true")
    with acting_as(Actor("admin", "mlflow-auth:company.sso:authenticate", is_admin=True)):
        for call in (world.desk.policy_apply, world.desk.policy_check):
            with pytest.raises(Invalid, match=r"logins by mlflow-auth:company\.sso:authenticate"):
                call(text)
    assert world.desk.policy_show()["policies"] == []
    with acting_as(Actor("admin", "mlflow-auth", is_admin=True)):
        world.desk.policy_apply(text)


@pytest.mark.parametrize("pattern", ["*", "credit-*"])
def test_what_is_no_name_gets_mlflows_own_error_under_a_pattern(world, pattern):
    world.govern(
        POLICY.replace(f"models: [{MODEL}]", f"models: ['{pattern}']").replace("name: employment", "name: all")
    )
    store = world.store
    calls = {
        "rename": lambda: store.rename_registered_model("plain", None),
        "rename to nothing": lambda: store.rename_registered_model("plain", ""),
        "rename nothing": lambda: store.rename_registered_model(None, "other"),
        "create": lambda: store.create_registered_model(None),
        "delete": lambda: store.delete_registered_model(None),
        "register": lambda: store.create_model_version(None, "s3://somewhere/model"),
        "alias": lambda: store.set_registered_model_alias(None, "champion", 1),
        "no alias": lambda: store.set_registered_model_alias("plain", None, 1),
        "unalias": lambda: store.delete_registered_model_alias("plain", None),
    }
    for what, call in calls.items():
        with world.acting("ana"), pytest.raises(MlflowException) as caught:
            call()
        wanted = (databricks_pb2.INVALID_PARAMETER_VALUE, databricks_pb2.RESOURCE_DOES_NOT_EXIST)
        assert databricks_pb2.ErrorCode.Value(caught.value.error_code) in wanted, what


def test_a_hint_names_a_few_and_looks_up_no_more_than_it_is_worth(world):
    crowd = [f"user{number:04}" for number in range(2000)]
    world.govern(POLICY.replace("risk: [raj, mei, ana]", f"risk: {{users: {crowd}, mlflow_roles: [model-risk]}}"))
    world.quickly()
    world.ask(1)
    looked_up = []

    def directory(name):
        looked_up.append(name)
        return Actor(name, "test")

    with acting_as(Actor("guest", "test"), directory):
        error = refused(Refused, world, lambda: world.desk.approve(MODEL, 1, comment="read"))
    assert len(set(looked_up)) < 40
    assert mends(error).count("user0") == 7 and "role:model-risk" in mends(error) and "or another" in mends(error)


def test_an_mlflow_role_is_named_where_people_are_looked_up(world):
    world.govern(POLICY.replace("risk: [raj, mei, ana]", "risk: {users: [zoe], mlflow_roles: [model-risk]}"))
    world.quickly()
    world.ask(1)
    with acting_as(Actor("guest", "test"), THERE.get):
        error = refused(Refused, world, lambda: world.desk.approve(MODEL, 1, comment="read"))
    assert "role:model-risk" in mends(error) and "zoe" not in mends(error)
