"""Rollback, policies and adoption, and what MLflow's own calls may not do, on a real registry."""

from __future__ import annotations

import json
import warnings

import pytest
import sqlalchemy as sa
from mlflow.exceptions import MlflowException
from support.world import MODEL, POLICY, refused, rules_of

from registry_hooks.errors import Conflict, Refused
from registry_hooks.store import GovernedStore

pytestmark = pytest.mark.filterwarnings("ignore::FutureWarning")


# Rollback -------------------------------------------------------------------------------------------------------------


def test_rollback_moves_the_fallback_past_condemned_champions(world):
    world.govern()
    world.register(3)
    for version in (1, 2, 3):
        world.promote(version)
    with world.acting("oncall"):
        assert world.desk.rollback(MODEL, "bad")["after"] == {"champion": 2, "challenger": 1, "fallback": 1}
        assert world.desk.rollback(MODEL, "worse", expected=2)["after"] == {
            "champion": 1,
            "challenger": None,
            "fallback": None,
        }
        error = refused(Refused, world, lambda: world.desk.rollback(MODEL, "again", expected=1))
        assert "no earlier champion that is not condemned" in str(error)
        assert world.desk.rollback(MODEL, "the first was right", to=3)["after"]["champion"] == 3
    world.assert_sound()


def test_a_rollback_given_twice_goes_back_once(world):
    world.govern()
    world.register(3)
    for version in (1, 2, 3):
        world.promote(version)
    with world.acting("oncall"):
        world.desk.rollback(MODEL, "bad", expected=3)
        error = refused(Refused, world, lambda: world.desk.rollback(MODEL, "bad", expected=3))
        assert rules_of(error) == ["champion-changed"]
        error = refused(Refused, world, lambda: world.desk.rollback(MODEL, "bad"))
        assert rules_of(error) == ["rolled-back-just-now"] and "oncall rolled back from 3 to 2" in str(error)
        error = refused(Refused, world, lambda: world.desk.rollback(MODEL, "bad", to=2))
        assert "version 2 is champion" in str(error)
        world.later(minutes=2)
        assert world.desk.rollback(MODEL, "worse")["after"]["champion"] == 1


def test_rollback_goes_only_to_earlier_champions(world):
    world.govern()
    world.register(3)
    with world.acting("oncall"):
        assert rules_of(refused(Refused, world, lambda: world.desk.rollback(MODEL, "none yet"))) == ["pair"]
    world.promote(1)
    world.promote(2)
    with world.acting("oncall"):
        assert "version 3 was not" in str(refused(Refused, world, lambda: world.desk.rollback(MODEL, "x", to=3)))


def test_a_condemned_version_needs_newer_evidence(world):
    world.govern()
    _, (run, digest) = world.register(2)
    world.promote(1)
    world.promote(2)
    world.later(minutes=5)
    with world.acting("oncall"):
        world.desk.rollback(MODEL, "bad")
    with world.acting("ana"):
        assert rules_of(refused(Refused, world, lambda: world.desk.nominate(MODEL, 2))) == ["condemned"]
    world.later(minutes=5)
    world.put_evidence(run, digest)
    with world.acting("ana"):
        assert world.desk.nominate(MODEL, 2)["pair"]["challenger"] == 2


# Policies and adoption ------------------------------------------------------------------------------------------------


def test_only_an_admin_applies_a_policy(world):
    with world.acting("ana"), pytest.raises(Refused, match="applied by an administrator"):
        world.desk.policy_apply(POLICY)
    assert world.desk.policy_show() == {"policies": []}


def test_a_model_has_one_policy(world):
    world.govern()
    with world.acting("admin"), pytest.raises(Conflict, match="governed by policy 'employment' already"):
        world.desk.policy_apply(POLICY.replace("name: employment", "name: other"))


def test_applying_again_changes_nothing_and_a_new_text_is_a_new_version(world):
    world.govern()
    world.govern()
    assert world.desk.audit_verify()["size"] == 1
    world.govern(POLICY + "# second\n")
    (shown,) = world.desk.policy_show(model=MODEL)["policies"]
    assert shown["version"] == 2 and shown["yaml"].endswith("# second\n")


def test_a_model_comes_under_policy_as_it_is(world):
    world.register(2)
    with world.acting("ana"):
        world.client.set_registered_model_alias(MODEL, "champion", "1")
        world.client.transition_model_version_stage(MODEL, "2", "Staging")
    world.govern()
    assert world.roles() == {"champion": 1, "challenger": 2}
    assert world.stages() == {1: "Production", 2: "Staging"}
    world.assert_sound()


def test_roles_changed_past_the_server_are_found_and_stop_every_decision(world):
    world.govern()
    world.register(2)
    world.promote(1)
    world.ask(2)
    world.approve(2)
    with world.store.engine.begin() as connection:
        connection.execute(sa.text("UPDATE registered_model_aliases SET version = 2 WHERE alias = 'champion'"))
    problems = world.desk.audit_verify()["problems"]
    assert any(MODEL in problem["what"] and "aliases" in problem["what"] for problem in problems)
    with world.acting("oncall"), pytest.raises(Refused) as caught:
        world.desk.rollback(MODEL, "what is going on")
    assert "meddled" in rules_of(caught.value)
    world.govern(adopt="alias")
    world.assert_sound()
    assert world.roles()["champion"] == 2


def test_one_changed_byte_of_the_ledger_is_named(world):
    world.govern()
    world.register()
    world.promote(1)
    with world.store.engine.begin() as connection:
        connection.execute(
            sa.text("UPDATE registry_hooks_ledger SET entry = replace(entry, 'raj', 'roj') WHERE action = 'approved'")
        )
    found = world.desk.audit_verify()
    assert not found["ok"] and found["problems"][0]["seq"] == 5
    lines = [json.loads(line) for line in world.desk.audit_export()]
    assert [json.loads(line["text"])["seq"] for line in lines if "leaf_hash" in line] == [5]  # beside what was hashed
    assert [line["seq"] for line in lines if "leaf_hash" not in line] == [1, 2, 3, 4, 6, 7]


# What stays as it was -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "call",
    [
        lambda c: c.set_registered_model_alias(MODEL, "fallback", "1"),
        lambda c: c.set_registered_model_alias(MODEL, "Champion", "2"),
        lambda c: c.set_registered_model_alias(MODEL, " champion", "2"),
        lambda c: c.delete_registered_model_alias(MODEL, "champion"),
        lambda c: c.delete_registered_model_alias(MODEL, "challenger"),
        lambda c: c.transition_model_version_stage(MODEL, "1", "Archived"),
        lambda c: c.transition_model_version_stage(MODEL, "1", "None"),
        lambda c: c.transition_model_version_stage(MODEL, "2", "Production", archive_existing_versions=True),
        lambda c: c.transition_model_version_stage(MODEL, "2", "Staging"),
        lambda c: c.delete_model_version(MODEL, "1"),
        lambda c: c.delete_registered_model(MODEL),
        lambda c: c.rename_registered_model(MODEL, "free"),
        lambda c: c.rename_registered_model("plain", MODEL),
        lambda c: c.set_registered_model_tag(MODEL, "mlflow.prompt.is_prompt", "true"),
        lambda c: c.delete_registered_model_tag(MODEL, "mlflow.prompt.is_prompt"),
        lambda c: c.register_prompt(MODEL, "Say {{something}}"),
        lambda c: c.create_model_version(MODEL, "/tmp/x"),
    ],
)
def test_every_refused_write_of_the_closure_table(world, call):
    world.govern()
    world.register(2)
    world.promote(1)
    with world.acting("ana"):
        world.client.create_registered_model("plain")
    before = world.roles(), world.stages(), world.desk.audit_verify()
    name = "stranger" if "create_model_version" not in call.__code__.co_names else None
    with world.acting(name), pytest.raises(MlflowException) as caught, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        call(world.client)
    assert caught.value.get_http_status_code() in (400, 401, 403), caught.value
    assert (world.roles(), world.stages(), world.desk.audit_verify()) == before


def test_versions_in_no_role_may_be_staged_back_and_deleted(world):
    world.govern()
    world.register(2)
    with world.acting("ana"):
        assert world.client.transition_model_version_stage(MODEL, "2", "Archived").current_stage == "Archived"
        world.client.set_registered_model_alias(MODEL, "nightly", "2")
        world.client.delete_model_version(MODEL, "2")
    assert world.stages() == {1: "None"}
    world.assert_sound()


def test_a_database_that_does_not_lock_rows_is_refused_at_start():
    with pytest.raises(MlflowException, match="sqlite, postgresql, mysql, found 'mssql'"):
        GovernedStore("governed:mssql+pyodbc://db/mlflow")
