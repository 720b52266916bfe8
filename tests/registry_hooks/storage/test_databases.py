"""What databases do of their own accord: undo one of two transactions, compare loosely, forget to undo a table."""

from __future__ import annotations

import sqlite3
import threading
import time

import pytest
import sqlalchemy as sa
from mlflow.entities.model_registry import RegisteredModelTag
from mlflow.exceptions import MlflowException
from mlflow.prompt.constants import IS_PROMPT_TAG_KEY
from support.world import MODEL, POLICY, World

from registry_hooks.errors import Refused, RegistryError
from registry_hooks.storage.retry import again_if_undone, was_undone
from registry_hooks.storage.schema import VERSION_TABLE, migrate

pytestmark = pytest.mark.filterwarnings("ignore::FutureWarning")


@pytest.fixture
def on_mariadb(mariadb_with_tables, new_world) -> World:
    return new_world(mariadb_with_tables())


def meet(world: World, call) -> None:
    """Make ``call`` wait for the head while it holds the model, and then ask for the model while holding the head."""
    told = []

    def run() -> None:
        try:
            call()
        except (MlflowException, RegistryError) as error:
            told.append(error)

    thread = threading.Thread(target=run)
    with world.store.engine.connect() as other:
        # MariaDB undoes the transaction that has changed less.
        other.exec_driver_sql("CREATE TABLE IF NOT EXISTS weight (a INTEGER)")
        other.commit()
        other.exec_driver_sql("INSERT INTO weight VALUES " + ",".join(["(1)"] * 100))
        other.exec_driver_sql("SELECT size FROM registry_hooks_head FOR UPDATE")
        thread.start()
        time.sleep(0.5)
        other.exec_driver_sql("SELECT name FROM registered_models FOR UPDATE")
        other.rollback()
    thread.join(60)
    assert not told, told


def test_a_decision_that_the_database_undid_in_a_deadlock_is_made_again_and_once(row_locks, caplog):
    world = row_locks
    world.govern()
    world.register()
    world.ask(1)
    meet(world, lambda: world.approve(1, "raj"))
    assert "done again" in caplog.text
    with world.acting("mei"):
        actions = [entry["action"] for entry in world.desk.history(MODEL)["entries"]]
    assert actions == ["registered", "nominated", "requested", "approved"]
    world.assert_sound()


def test_a_native_call_that_the_database_undid_is_made_again_and_once(row_locks, caplog):
    world = row_locks
    world.govern()
    world.register()

    def register() -> None:
        with world.acting("ana"):
            world.client.create_model_version(MODEL, "file:///tmp/x")

    meet(world, register)
    assert "done again" in caplog.text and world.stages() == {1: "None", 2: "None"}
    world.assert_sound()


def test_only_what_the_database_says_it_undid_is_made_again(tmp_path):
    path = tmp_path / "some.db"
    engine = sa.create_engine(f"sqlite:///{path}", connect_args={"timeout": 0})
    calls = []

    def write(statement: str) -> None:
        calls.append(statement)
        with engine.begin() as connection:
            connection.exec_driver_sql(statement)

    with sqlite3.connect(path) as holder:
        holder.execute("BEGIN IMMEDIATE")
        with pytest.raises(sa.exc.OperationalError, match="locked") as caught:
            again_if_undone(again_if_undone(write))("CREATE TABLE a (b INTEGER)")
        assert was_undone(caught.value) and len(calls) == 6
    with pytest.raises(sa.exc.OperationalError, match="no such table"):
        again_if_undone(write)("INSERT INTO nowhere VALUES (1)")
    assert calls.count("INSERT INTO nowhere VALUES (1)") == 1


# MySQL and MariaDB ----------------------------------------------------------------------------------------------------


def test_a_model_in_other_letters_is_not_a_way_past_the_gate(on_mariadb):
    """MariaDB finds the governed model by such a name."""
    world, client = on_mariadb, on_mariadb.client
    world.govern()
    world.register()
    for name in (MODEL.upper(), MODEL + " ", MODEL.replace("e", "é")):
        with world.acting("ana"):
            for call in (
                lambda name=name: client.set_registered_model_alias(name, "champion", "1"),
                lambda name=name: client.transition_model_version_stage(name, "1", "Production"),
                lambda name=name: client.delete_registered_model(name),
                lambda name=name: client.rename_registered_model(name, "other"),
                lambda name=name: client.create_registered_model(name),
                lambda name=name: client.create_model_version(name, "file:///tmp/x"),
                lambda name=name: client.set_registered_model_tag(name, IS_PROMPT_TAG_KEY, "true"),
            ):
                with pytest.raises(MlflowException) as caught:
                    call()
                assert 400 <= caught.value.get_http_status_code() < 500
    with world.acting("ana"):
        world.client.create_registered_model("other")
        with pytest.raises(MlflowException, match="may be 'acs-employment' to this database"):
            client.rename_registered_model("other", MODEL.upper())
        for key in (IS_PROMPT_TAG_KEY.upper(), IS_PROMPT_TAG_KEY.replace("o", "ö")):
            with pytest.raises(MlflowException, match="is governed"):
                world.store.set_registered_model_tag(MODEL, RegisteredModelTag(key, "true"))
    assert world.roles() == {} and world.stages() == {1: "None"}
    world.assert_sound()


def test_a_name_that_is_governed_once_it_is_registered_is_not_taken_in_other_letters(on_mariadb):
    """A squatter's model would be found by whoever asks for the governed name."""
    world = on_mariadb
    world.govern(POLICY.replace(f"[{MODEL}]", "['credit-*', chorn]"))
    with world.acting("ana"):
        world.client.create_registered_model("scratch")
        world.store.create_model_version("scratch", *world.quick_model()[1::-1])
        for call in (
            lambda: world.client.create_registered_model("Credit-Risk"),
            lambda: world.client.rename_registered_model("scratch", "CREDIT-risk"),
            lambda: world.client.rename_registered_model("scratch", "Credit-other"),
            lambda: world.client.create_registered_model("ch\u00adorn"),
            lambda: world.client.create_registered_model("chørn"),
        ):
            with pytest.raises(MlflowException, match="may be"):
                call()
        world.client.create_registered_model("credit-other")
        world.client.rename_registered_model("scratch", "debit-risk")
        world.client.set_registered_model_alias("debit-risk", "champion", "1")


def test_a_model_that_reads_like_one_that_came_under_policy_can_only_go(on_mariadb):
    world, client = on_mariadb, on_mariadb.client
    with world.acting("ana"):
        for name in ("Credit-Card", "Credit-Loan"):
            client.create_registered_model(name)
            world.store.create_model_version(name, *world.quick_model()[1::-1])
            client.set_registered_model_alias(name, "champion", "1")
    world.govern(POLICY.replace(f"[{MODEL}]", "['credit-*']"))
    with world.acting("ana"):
        for call in (
            lambda: client.create_model_version("Credit-Card", "file:///tmp/x"),
            lambda: client.set_registered_model_alias("Credit-Card", "champion", "1"),
            lambda: client.rename_registered_model("Credit-Card", "credit-Card"),
        ):
            with pytest.raises(MlflowException, match=r"may be|governed"):
                call()
        client.delete_registered_model_alias("Credit-Card", "champion")
        client.rename_registered_model("Credit-Card", "debit-card")
        client.delete_registered_model("Credit-Loan")
        client.create_registered_model("credit-card")
    world.assert_sound()


def test_an_alias_in_other_letters_that_was_put_in_past_the_server_is_told_and_can_go(on_mariadb):
    world = on_mariadb
    world.govern()
    world.quickly()
    world.promote(1)
    with world.store.engine.begin() as connection:
        columns = "(workspace, name, alias, version)"
        connection.exec_driver_sql(
            f"INSERT INTO registered_model_aliases {columns} VALUES ('default', '{MODEL}', 'Fallback', 1)"
        )
    with world.acting("ana"):
        assert "alias 'Fallback' passes for a role" in str(world.desk.audit_verify()["problems"])
        with pytest.raises(MlflowException, match="never taken away"):
            world.client.delete_registered_model_alias(MODEL, "champion")
        world.client.delete_registered_model_alias(MODEL, "Fallback")
    assert world.roles() == {"champion": 1}
    world.assert_sound()


def test_names_that_a_policy_exempts_stay_free_in_any_letters(on_mariadb):
    world = on_mariadb
    world.govern(POLICY.replace(f"[{MODEL}]", "['credit-*']\nexempt: ['credit-play*']"))
    with world.acting("ana"):
        for name in ("credit-play1", "Credit-Play2"):
            world.client.create_registered_model(name)
            world.store.create_model_version(name, *world.quick_model()[1::-1])
            world.client.set_registered_model_alias(name, "champion", "1")


def test_aliases_in_other_letters_trouble_only_their_own_model(on_mariadb):
    world = on_mariadb
    world.govern()
    world.quickly()
    world.promote(1)
    world.quickly(model="free")
    with world.acting("ana"):
        world.client.set_registered_model_alias("free", "Champion", "1")
        assert [model["model"] for model in world.desk.status()["models"]] == [MODEL]
    world.assert_sound()
    with world.acting("admin"), pytest.raises(Refused, match="'free' has the alias 'Champion'"):
        world.desk.policy_apply(POLICY.replace("name: employment", "name: free").replace(f"[{MODEL}]", "[free]"))


def test_two_policies_whose_names_differ_in_case_are_two(on_mariadb):
    world = on_mariadb
    world.govern()
    world.govern(POLICY.replace("name: employment", "name: Employment").replace(f"[{MODEL}]", "[another]"))
    assert [policy["name"] for policy in world.desk.policy_show()["policies"]] == ["Employment", "employment"]


def test_every_character_is_kept_whatever_the_databases_default(on_mariadb):
    world = on_mariadb
    assert world.store.engine.connect().exec_driver_sql("SELECT @@character_set_database").scalar() == "latin1"
    world.govern()
    world.register()
    with world.acting("ana"):
        world.desk.nominate(MODEL, 1, comment="well 🦉 calibrated, 十分")
        world.desk.request(MODEL, 1, "🦉" * 4000)
        (model,) = world.desk.status(MODEL)["models"]
    assert model["proposals"][0]["comment"] == "🦉" * 4000
    world.assert_sound()


@pytest.mark.parametrize("done", ["registry_hooks_ledger", "registry_hooks_policies"])
def test_a_migration_that_was_killed_in_the_middle_is_finished_by_the_next_start(on_mariadb, done):
    """MariaDB keeps the tables that were made before."""
    tables = ["registry_hooks_ledger", "registry_hooks_head", "registry_hooks_policies", "registry_hooks_models"]
    with on_mariadb.store.engine.begin() as connection:
        for table in tables[tables.index(done) + 1 :]:
            connection.exec_driver_sql(f"DROP TABLE {table}")
        connection.exec_driver_sql(f"DELETE FROM {VERSION_TABLE}")
    migrate(on_mariadb.store.engine)
    on_mariadb.govern()
    on_mariadb.assert_sound()
