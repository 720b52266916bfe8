"""What MLflow's own pages say of governed models: tags that the desk keeps true, that nobody else writes or reads."""

from __future__ import annotations

import pytest
import sqlalchemy as sa
from mlflow.entities.model_registry import ModelVersionTag, RegisteredModelTag
from mlflow.exceptions import MlflowException
from mlflow.store.model_registry.dbmodels.models import SqlRegisteredModelTag
from support.world import MODEL, POLICY

from registry_hooks.rules.telling.tags import PREFIX, all_tags
from registry_hooks.storage.ledger import Ledger
from registry_hooks.storage.upgrading import _rebuild_states


def tags(world, version=None):
    """The desk's own tags, without the beginning of their names."""
    found = world.client.get_model_version(MODEL, str(version)) if version else world.client.get_registered_model(MODEL)
    return {key.removeprefix(PREFIX): value for key, value in found.tags.items() if key.startswith(PREFIX)}


def test_tags_follow_every_decision(world):
    world.govern()
    world.quickly(3)
    assert tags(world, 1) == {} and tags(world) == {}
    world.promote(1)
    world.promote(2)
    assert tags(world, 2)["status"] == "champion" and tags(world, 1)["status"] == "challenger and fallback"
    assert tags(world, 2)["evidence"].startswith("calibration pass, disaggregated pass, drift pass; nominated 20")
    assert tags(world, 2)["page"] == f"/registry-hooks/model?model={MODEL}"
    assert tags(world)["status"] == "champion 2, challenger 1, fallback 1" and "proposal" not in tags(world)
    world.ask(3)
    assert tags(world, 3)["status"] == "challenger" and tags(world, 3)["proposal"].startswith("P-")
    assert " at the latest" in tags(world)["proposal"] and "please" not in str(tags(world, 3))
    with world.acting("raj"):
        world.desk.reject(MODEL, 3, comment="no")
    assert tags(world, 3)["proposal"].endswith(", rejected")
    with world.acting("oncall"):
        world.desk.rollback(MODEL, "drift in the free text")
    assert tags(world, 1)["status"] == "champion"
    assert tags(world, 2)["status"].startswith("served before; rolled back from 20")
    assert tags(world)["reviews"].startswith("R-") and "free text" not in str(tags(world))
    with world.acting("mei"):
        world.desk.review_close(MODEL, world.desk.status(MODEL)["models"][0]["reviews"][0]["id"], "found")
    assert "reviews" not in tags(world)
    world.assert_sound()


def test_no_number_of_open_reviews_makes_a_tag_that_the_column_does_not_take(world):
    world.govern()
    world.quickly(2)
    world.promote(1)
    world.promote(2)
    with world.acting("oncall"):
        world.desk.rollback(MODEL, "drift")
    with world.store.unit_of_work(write=False) as session:
        state = Ledger(session).state(MODEL)
    many = state.model_copy(update={"model": "\u00e4" * 256, "reviews": state.reviews * 200})
    column = SqlRegisteredModelTag.__table__.c.value.type.length
    values = [value for each in all_tags(many).values() for value in each.values()]
    assert max(map(len, values)) <= column
    assert any(value.endswith("…") for value in values)


def test_a_withdrawn_proposal_leaves_no_tag(world):
    world.govern()
    world.quickly(1)
    world.ask(1)
    assert "proposal" in tags(world, 1) and "proposal" in tags(world)
    with world.acting("ana"):
        world.desk.withdraw(MODEL, 1, comment="too early")
    assert "proposal" not in tags(world, 1) and "proposal" not in tags(world)


def test_nobody_else_writes_or_removes_them_and_other_tags_and_descriptions_stay(world):
    world.govern()
    world.quickly(1)
    with world.acting("ana"):
        world.client.set_model_version_tag(MODEL, "1", "mine", "x")
        world.client.update_model_version(MODEL, "1", "a person's words")
    world.promote(1)
    before, of_model, store = tags(world, 1), tags(world), world.store
    for key in ("registry_hooks.status", " Registry_Hooks.STATUS", "registry_hooks.more"):
        for attempt in (
            lambda key=key: store.set_model_version_tag(MODEL, "1", ModelVersionTag(key, "champion 9")),
            lambda key=key: store.delete_model_version_tag(MODEL, "1", key),
            lambda key=key: store.set_registered_model_tag(MODEL, RegisteredModelTag(key, "champion 9")),
            lambda key=key: store.delete_registered_model_tag(MODEL, key),
        ):
            with world.acting("admin"), pytest.raises(MlflowException, match="a tag of another name"):
                attempt()
    assert tags(world, 1) == before and tags(world) == of_model
    found = world.client.get_model_version(MODEL, "1")
    assert found.tags["mine"] == "x" and found.description == "a person's words"
    with world.acting("ana"):
        world.client.delete_model_version_tag(MODEL, "1", "mine")


def test_a_copy_does_not_carry_them(world):
    world.govern()
    world.quickly(1)
    world.promote(1)
    with world.acting("ana"):
        copied = world.client.copy_model_version(f"models:/{MODEL}/1", "elsewhere")
        made = world.store.create_registered_model("other", [RegisteredModelTag("registry_hooks.status", "champion 9")])
    assert not [key for key in copied.tags if key.startswith(PREFIX)] and not made.tags


def test_what_is_changed_past_the_server_decides_nothing_and_the_next_decision_restores_it(world):
    world.govern()
    world.quickly(2)
    world.promote(1)
    with world.store.engine.begin() as rows:
        rows.execute(sa.text("UPDATE model_version_tags SET value = 'champion; approved by all'"))
        rows.execute(sa.text("UPDATE registered_model_tags SET value = 'champion 2'"))
    with world.acting("mei"):
        assert world.desk.status(MODEL)["models"][0]["pair"]["champion"] == 1
    world.assert_sound()
    world.promote(2)
    assert tags(world, 1)["status"] == "challenger and fallback" and tags(world)["status"].startswith("champion 2, ")


def test_a_model_comes_under_a_policy_with_its_tags_and_leaves_without_them(world):
    world.quickly(2)
    with world.acting("ana"):
        world.store.set_model_version_tag(MODEL, "2", ModelVersionTag("registry_hooks.status", "champion"))
        world.client.set_registered_model_alias(MODEL, "champion", "1")
        world.client.transition_model_version_stage(MODEL, "1", "Production")
    world.govern()
    assert tags(world, 1)["status"] == "champion" and tags(world, 2) == {}
    world.govern(POLICY.replace(f"[{MODEL}]", "[another]"))
    assert tags(world, 1) == {} and tags(world) == {}


def test_an_upgrade_writes_the_tags_of_models_that_were_governed_before_there_were_any(world):
    world.govern()
    world.quickly()
    world.promote(1)
    tables = ("model_version_tags", "registered_model_tags")

    def ours(connection):
        query = "SELECT * FROM {} WHERE key LIKE 'registry_hooks.%' ORDER BY key, value"
        return [connection.execute(sa.text(query.format(table))).all() for table in tables]

    with world.store.engine.begin() as connection:
        before = ours(connection)
        for table in tables:
            connection.execute(sa.text(f"DELETE FROM {table} WHERE key LIKE 'registry_hooks.%'"))
        assert all(before) and not any(ours(connection))
        _rebuild_states(connection)
        assert ours(connection) == before
