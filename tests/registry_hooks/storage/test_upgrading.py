"""``registry-hooks db upgrade``: a database of before, of later and of no version, and what a server says to each.

``tests/golden/registry-r0001.json`` holds the tables as the first revision left them after two promotions, a rollback
and a request with one of its two approvals; a golden file is not written anew.
"""

import gc
import json
import threading
import time
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic import command
from click.testing import CliRunner
from support.serving import clean_environment, free_port, run
from support.world import MODEL

from registry_hooks.cli import main
from registry_hooks.errors import RegistryError
from registry_hooks.storage.ledger import Ledger
from registry_hooks.storage.replay import replayed_model
from registry_hooks.storage.schema import VERSION_TABLE, _config
from registry_hooks.storage.upgrading import Unreachable, alone, check_database, upgrade_database
from registry_hooks.store import GovernedStore

OLD = json.loads((Path(__file__).parents[2] / "golden" / "registry-r0001.json").read_text())
DONE, REFUSED, USAGE, NO_ANSWER = range(4)


def upgrade(*arguments):
    done = CliRunner().invoke(main, ["db", "upgrade", *arguments])
    assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
    return done


def sql(uri, *statements):
    engine = sa.create_engine(uri)
    with engine.begin() as connection:
        found = [connection.execute(sa.text(each)) for each in statements]
        rows = found[-1].all() if found[-1].returns_rows else []
    engine.dispose()
    return rows


@pytest.fixture(scope="module")
def mlflows(tmp_path_factory):
    """A database with MLflow's tables alone, to copy."""
    from mlflow.store.db.utils import _initialize_tables, create_sqlalchemy_engine

    path = tmp_path_factory.mktemp("mlflow") / "mlflow.db"
    engine = create_sqlalchemy_engine(f"sqlite:///{path}")
    _initialize_tables(engine)
    engine.dispose()
    return path.read_bytes()


@pytest.fixture
def uri(tmp_path, mlflows):
    (tmp_path / "mlflow.db").write_bytes(mlflows)
    return f"sqlite:///{tmp_path / 'mlflow.db'}"


@pytest.fixture
def old(uri):
    """The database as the first revision left it."""
    engine = sa.create_engine(uri)
    with engine.begin() as connection:
        config = _config()
        config.attributes["connection"] = connection
        command.upgrade(config, "r0001")
        connection.execute(sa.text("DELETE FROM registry_hooks_head"))
        for table, rows in OLD.items():
            for row in rows:
                columns = ", ".join(row)
                values = ", ".join(f":{name}" for name in row)
                connection.execute(sa.text(f"INSERT INTO {table} ({columns}) VALUES ({values})"), row)
    engine.dispose()
    return uri


def test_a_database_of_the_first_revision_is_refused_until_it_is_upgraded_and_then_sound(old, new_world):
    with pytest.raises(Exception, match=r"r0001, older than this version's .*registry-hooks db upgrade"):
        GovernedStore("governed:" + old)
    done = upgrade("--check", old)
    assert done.exit_code == REFUSED and "r0001" in done.output and "needed" in done.output
    assert sql(old, f"SELECT version_num FROM {VERSION_TABLE}") == [("r0001",)]
    done = upgrade("--json", old)
    told = json.loads(done.stdout)
    assert done.exit_code == DONE and told["upgrade_needed"] is False
    (mlflows, ours) = told["tables"]
    assert (mlflows["state"], ours["state"], ours["found"]) == ("current", "older", "r0001") and ours["now"] > "r0001"
    done = upgrade("--check", old)
    assert done.exit_code == DONE and "ready" in done.output
    world = new_world(old)
    world.assert_sound()
    assert world.roles() == {"champion": 1, "challenger": 3}
    with world.acting("ana"):
        (status,) = world.desk.status(MODEL)["models"]
    (proposal,) = [each for each in status["proposals"] if each["version"] == 3]
    assert [each["actor"] for each in proposal["approvals"]] == ["raj"]
    with world.acting("oncall"), pytest.raises(RegistryError):
        world.desk.rollback(MODEL, reason="condemned stays condemned", to=2)


def test_what_versions_rest_on_is_found_for_those_of_before(old, new_world):
    upgrade(old)
    found = sql(old, "SELECT version, run, place, paths FROM registry_hooks_rests ORDER BY version")
    assert {row[0] for row in found} == {1, 2, 3}
    ((run, paths),) = [(row[1], json.loads(row[3])) for row in found if row[0] == 1 and row[3] is not None]
    assert "evidence/calibration.json" in paths
    with pytest.raises(RegistryError, match=r"of version 1 of .*, which is champion"):
        new_world(old).desk.holding.refuse_pulling_away("it stays", [run])


def test_states_are_folded_anew_in_the_same_transaction(old):
    sql(old, "UPDATE registry_hooks_models SET state = '{}'")
    leaf = sql(old, "SELECT entry FROM registry_hooks_ledger WHERE seq = 5")[0][0]
    sql(old, "UPDATE registry_hooks_ledger SET entry = 'no JSON' WHERE seq = 5")
    done = upgrade(old)
    assert done.exit_code == REFUSED and "audit verify" in done.output
    assert sql(old, f"SELECT version_num FROM {VERSION_TABLE}") == [("r0001",)]
    del done  # its traceback holds an open cursor, which a process that ended would not
    gc.collect()
    engine = sa.create_engine(old)
    with engine.begin() as connection:
        connection.execute(sa.text("UPDATE registry_hooks_ledger SET entry = :e WHERE seq = 5"), {"e": leaf})
    assert upgrade(old).exit_code == DONE
    with sa.orm.Session(engine) as session:
        ledger = Ledger(session)
        assert ledger.state(MODEL) == replayed_model(ledger, MODEL) and ledger.state(MODEL).pair.champion == 1
    engine.dispose()


@pytest.mark.parametrize("table", [VERSION_TABLE, "alembic_version"])
def test_a_newer_database_is_refused_and_left_as_it_is(old, table):
    sql(old, f"UPDATE {table} SET version_num = 'r9999'")
    before = sql(old, f"SELECT * FROM {table}"), sql(old, "SELECT name FROM sqlite_master")
    for options in ((), ("--check",), ("--json",)):
        done = upgrade(*options, old)
        assert done.exit_code == REFUSED and "r9999" in done.output and "newer" in done.output
    assert before == (sql(old, f"SELECT * FROM {table}"), sql(old, "SELECT name FROM sqlite_master"))


def test_mlflows_own_older_tables_are_upgraded_by_mlflows_own_migrations(tmp_path):
    from mlflow.store.db.utils import _get_alembic_config
    from mlflow.store.tracking.dbmodels.initial_models import Base

    uri = f"sqlite:///{tmp_path / 'mlflow.db'}"
    engine = sa.create_engine(uri)
    Base.metadata.create_all(engine)
    with engine.begin() as connection:
        config = _get_alembic_config(uri)
        config.attributes["connection"] = connection
        command.upgrade(config, "84291f40a231")  # of MLflow 1.x: with run links, before aliases
    engine.dispose()
    done = upgrade("--check", uri)
    assert done.exit_code == REFUSED and "84291f40a231" in done.output
    done = upgrade(uri)
    assert done.exit_code == DONE, done.output
    assert [each.state for each in check_database(uri)] == ["current", "current"]
    GovernedStore("governed:" + uri)


def test_a_database_without_tables_gets_them_and_a_look_makes_no_file(tmp_path):
    uri = f"sqlite:///{tmp_path / 'folder' / 'new.db'}"
    assert upgrade("--check", uri).exit_code == REFUSED
    assert not (tmp_path / "folder").exists()
    assert upgrade("governed:" + uri).exit_code == DONE
    assert [each.state for each in check_database(uri)] == ["current", "current"]


def test_a_file_that_cannot_be_made_is_told(tmp_path):
    (tmp_path / "file").touch()
    done = upgrade(f"sqlite:///{tmp_path / 'file' / 'x.db'}")
    assert done.exit_code == NO_ANSWER and "gives no answer" in done.output


@pytest.mark.parametrize("kind", ["postgres", "mariadb"])
def test_other_databases_too(request, kind):
    uri = request.getfixturevalue(kind)()
    before, after = upgrade_database(uri)
    assert [each.state for each in before] == ["missing", "missing"]
    assert [each.state for each in after] == ["current", "current"]


@pytest.mark.parametrize(
    ("given", "code"),
    [
        ("mlflow.db", USAGE),
        ("", USAGE),
        ("mssql://u:hidden-word@h/x", USAGE),
        ("sqlite://", USAGE),
        ("postgresql://u:hidden-word@h:port/x", USAGE),
        ("mysql+pymysql://u:hidden-word@127.0.0.1:1/x", NO_ANSWER),
        ("mysql+pymysql://127.0.0.1:1/x?user=u&password=hidden-word", NO_ANSWER),
        ("postgresql+psycopg2://u:hidden-word@127.0.0.1:1/x", NO_ANSWER),
        ("postgresql+nodriver://u:hidden-word@h/x", NO_ANSWER),
    ],
)
def test_a_bad_uri_is_one_message_without_its_password(given, code):
    for options in ((), ("--check", "--json")):
        done = upgrade(*options, given)
        assert done.exit_code == code, done.output
        assert "hidden-word" not in done.output and "Traceback" not in done.output


@pytest.mark.parametrize(("revision", "told"), [("r0001", "registry-hooks db upgrade"), ("r9999", "newer")])
def test_a_server_on_another_versions_database_ends_with_one_message(old, tmp_path, revision, told):
    sql(old, f"UPDATE {VERSION_TABLE} SET version_num = '{revision}'")
    done = run("server", "--port", str(free_port()), "--backend-store-uri", old, env=clean_environment(tmp_path),
               cwd=tmp_path)  # fmt: skip
    assert done.returncode == USAGE and "Traceback" not in done.stderr
    assert told in done.stderr and revision in done.stderr and done.stderr.count("not started") == 1
    assert len(done.stderr.strip().splitlines()) == 1, done.stderr
    assert not (tmp_path / "registry-hooks-state" / "auth.db").exists()


@pytest.mark.parametrize("kind", ["postgres", "mariadb"])
def test_of_two_replicas_one_at_a_time_makes_the_tables_of_a_database(kind, request):
    new = request.getfixturevalue(kind)
    uri, other, order, first = new(), new(), [], threading.Event()

    def second() -> None:
        first.wait(30)
        with alone(uri):
            order.append("second")

    thread = threading.Thread(target=second)
    thread.start()
    with alone(uri):
        first.set()
        with alone(other):  # another database is nobody's business
            time.sleep(1)
        order.append("first")
    thread.join(60)
    assert order == ["first", "second"]


def test_a_lock_on_a_database_that_is_silent_is_one_clear_message():
    with pytest.raises(Unreachable, match="gives no answer") as caught, alone("postgresql://u:word@127.0.0.1:1/x"):
        pass
    assert "word" not in str(caught.value)


def test_an_error_within_the_lock_is_told_as_it_is_and_the_lock_is_free_again(postgres):
    uri = postgres()
    with pytest.raises(OSError, match="a disk"), alone(uri):
        raise OSError("a disk")
    with alone(uri):
        pass
