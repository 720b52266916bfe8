"""What changes while somebody decides: nothing is decided on what is no longer so."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest
import sqlalchemy as sa
from mlflow.exceptions import MlflowException
from support.world import MODEL, POLICY, World, refused, rules_of

from registry_hooks.desk.native import Native
from registry_hooks.errors import NotFound, Refused
from registry_hooks.rules.signatures import key_id, new_key, public_pem

GLASS = POLICY + "break_glass: {by: [author], review_due: 2h}\n"


def test_a_version_deleted_while_its_files_are_read_does_not_come_back_by_break_glass(world, monkeypatch):
    world.govern(GLASS)
    world.quickly(2)
    world.promote(1)
    read = world.desk.cases.as_it_is

    def read_slowly(model, version):
        files = read(model, version)
        world.client.delete_model_version(model, str(version))
        return files

    monkeypatch.setattr(world.desk.cases, "as_it_is", read_slowly)
    with world.acting("ana"), pytest.raises(NotFound, match="no version 2"):
        world.desk.break_glass(MODEL, 2, "the house is on fire")
    assert world.roles() == {"champion": 1}
    world.assert_sound()


def test_a_name_that_comes_under_policy_while_another_takes_it_is_kept(world, monkeypatch):
    world.govern()
    with world.acting("ana"):
        world.client.create_registered_model("scratch")
    refuse = Native.refuse_governed

    def refuse_slowly(native, model, what):
        refuse(native, model, what)
        if model == "scratch":
            world.govern(POLICY.replace("name: employment", "name: other").replace(MODEL, "churn"))

    monkeypatch.setattr(Native, "refuse_governed", refuse_slowly)
    with world.acting("ana"), pytest.raises(MlflowException, match="'churn' came under a policy just now"):
        world.client.rename_registered_model("scratch", "churn")
    assert world.client.get_registered_model("scratch")
    world.assert_sound()


def _behind_a_decision(world: World, *calls: tuple[str, Callable[[], object]]) -> list[str]:
    """Make the calls, one after another, while somebody holds the model's row; in which order they came to an end."""
    ended: list[str] = []

    def run(name: str, call: Callable[[], object]) -> None:
        call()
        ended.append(name)

    threads = [threading.Thread(target=run, args=call) for call in calls]
    with world.store.unit_of_work(write=True) as session:
        lock = "SELECT name FROM registered_models WHERE name = :name FOR UPDATE"
        session.execute(sa.text(lock), {"name": MODEL}).all()
        for thread in threads:
            thread.start()
            thread.join(0.7)
            assert thread.is_alive()
        ended.append("the decision")
    for thread in threads:
        thread.join(20)
    return ended


def _by(world: World, name: str, call: Callable[[], object]) -> Callable[[], object]:
    def acting() -> object:
        with world.acting(name):
            return call()

    return acting


@pytest.mark.parametrize("what", ["key", "delegation"])
def test_trust_ends_behind_the_decisions_that_rest_on_it(row_locks, what):
    world = row_locks
    world.govern(POLICY + "delegation: {longest: 14d}\n")
    world.quickly()
    key = new_key().public_key()
    with world.acting("admin"):
        world.desk.key_trust("build", public_pem(key))
    with world.acting("raj"):
        lent = world.desk.delegate("employment", "risk", "lee", "1d", "away")["delegation"]["id"]
    end = {
        "key": _by(world, "admin", lambda: world.desk.key_revoke(key_id(key), "lost")),
        "delegation": _by(world, "raj", lambda: world.desk.delegation_end(lent)),
    }[what]
    assert _behind_a_decision(world, (what, end)) == ["the decision", what]


def test_a_policy_applied_during_a_rollback_takes_it_for_no_meddling(row_locks):
    world = row_locks
    world.govern()
    world.quickly(2)
    world.promote(1)
    world.promote(2)
    back = _by(world, "oncall", lambda: world.desk.rollback(MODEL, "bad"))
    applied = _by(world, "admin", lambda: world.desk.policy_apply(POLICY.replace("7d", "6d")))
    assert _behind_a_decision(world, ("rollback", back), ("apply", applied)) == ["the decision", "rollback", "apply"]
    with world.acting("ana"):
        assert [entry["action"] for entry in world.desk.history(MODEL)["entries"]].count("adopted") == 0
    with world.acting("oncall"):  # the guard against a second one stands
        assert "rolled-back-just-now" in rules_of(refused(Refused, world, lambda: world.desk.rollback(MODEL, "bad")))
    world.assert_sound()
