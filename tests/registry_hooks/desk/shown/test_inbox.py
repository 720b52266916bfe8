"""The inbox: what waits for whom, read from a table that is kept with every entry."""

import sqlalchemy as sa
from support.world import MODEL, POLICY

from registry_hooks.desk.shown.inbox import MOST
from registry_hooks.identity import EVERYTHING, Actor, acting_as
from registry_hooks.storage.schema import waiting


def told(world, name):
    with world.acting(name):
        return world.desk.inbox()


def names(found, part):
    return [(each["model"], each["version"]) for each in found[part]]


def test_what_waits_is_told_to_those_whose_yes_would_count_and_to_nobody_else(any_world):
    world = any_world
    world.govern()
    world.quickly(1)
    assert all(told(world, name)["waiting"] == [] for name in ("ana", "raj", "mei"))
    world.ask(1)
    assert [name for name in ("ana", "raj", "mei", "oncall") if names(told(world, name), "waiting")] == ["raj", "mei"]
    (mine,) = told(world, "ana")["asked"]
    assert (mine["state"], mine["champion"], mine["needs"][0]["have"]) == ("open", None, 0)
    world.approve(1, "raj")
    assert [name for name in ("raj", "mei") if names(told(world, name), "waiting")] == ["mei"]
    with world.acting("mei"):
        world.desk.reject(MODEL, 1, comment="no")
    assert told(world, "mei")["waiting"] == [] and told(world, "ana")["asked"][0]["state"] == "rejected"
    world.assert_sound()


def test_what_has_expired_or_is_bound_to_a_policy_of_before_waits_for_nobody(world):
    world.govern()
    world.quickly(1)
    world.ask(1)
    world.govern(POLICY + "# again\n")
    assert told(world, "raj")["waiting"] == [] and told(world, "ana")["asked"][0]["state"] == "void"
    world.ask(1)
    world.later(days=8)
    assert told(world, "raj")["waiting"] == [] and told(world, "ana")["asked"][0]["state"] in ("expired", "void")


def test_reviews_are_told_with_whose_they_are_to_close(world):
    world.govern()
    world.quickly(2)
    world.promote(1)
    world.promote(2)
    with world.acting("oncall"):
        world.desk.rollback(MODEL, reason="drift")
    assert [(each["overdue"], each["yours_to_close"]) for each in told(world, "raj")["reviews"]] == [(False, True)]
    world.later(hours=25)
    (review,) = told(world, "oncall")["reviews"]
    assert (review["model"], review["overdue"], review["yours_to_close"]) == (MODEL, True, False)
    with world.acting("raj"):
        world.desk.review_close(MODEL, review["id"], finding="a new form")
    assert told(world, "raj")["reviews"] == []
    world.assert_sound()


def test_what_changed_is_told_for_a_day(world):
    world.govern()
    world.quickly(1)
    assert told(world, "raj")["changed"][0]["action"] == "registered"
    world.later(hours=25)
    assert told(world, "raj")["changed"] == []


def test_nothing_is_told_of_a_model_that_may_not_be_read(world):
    class Blind(type(EVERYTHING)):
        def model(self, name):
            return False

    world.govern()
    world.quickly(1)
    world.ask(1)
    with acting_as(Actor("raj", "test"), sight_of=lambda name: Blind()):
        found = world.desk.inbox()
    assert found["waiting"] == found["changed"] == found["reviews"] == []


def test_many_are_told_in_part_and_that_there_are_more(world):
    many = [f"model-{number}" for number in range(MOST + 2)]
    world.govern(POLICY.replace(f"[{MODEL}]", f"[{', '.join(many)}]"))
    for model in many:
        world.quickly(1, model=model)
        with world.acting("ana"):
            world.desk.nominate(model, 1)
            world.desk.request(model, 1, "please")
    found = told(world, "raj")
    assert len(found["waiting"]) == MOST and found["more"] == ["waiting"]
    assert told(world, "ana")["more"] == ["asked"]
    assert len({each["model"] for each in found["waiting"]}) == MOST


def test_a_table_that_somebody_changed_is_found(world):
    world.govern()
    world.quickly(1)
    world.ask(1)
    world.assert_sound()
    with world.store.unit_of_work(write=True) as session:
        session.connection().execute(sa.delete(waiting))
    problems = world.desk.audit_verify()["problems"]
    assert [each["what"] for each in problems] == ["what waits for people is not what the ledger entries say"]
