"""A full disk and a lost connection: told as what they are, nothing half-written, and the next request is served."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import psycopg2
import pytest
import sqlalchemy as sa
from mlflow.exceptions import MlflowException
from support.databases import facts
from support.world import MODEL, World

from registry_hooks.storage import mlflow_io

pytestmark = pytest.mark.filterwarnings("ignore::FutureWarning")
FRESH = 20


@contextmanager
def at_statement(engine: sa.Engine, number: int, act: Callable[[object], None]) -> Iterator[list[str]]:
    """Call ``act`` with the driver's connection before the ``number``-th statement; the statements that were made."""
    seen: list[str] = []

    def before(_connection, cursor, statement, *_rest) -> None:
        seen.append(statement)
        if len(seen) == number:
            act(cursor.connection)

    sa.event.listen(engine, "before_cursor_execute", before)
    try:
        yield seen
    finally:
        sa.event.remove(engine, "before_cursor_execute", before)


def killer(world: World) -> Callable[[object], None]:
    """A function that ends a connection from another one, as an administrator or a network would."""
    other = sa.create_engine(world.store.engine.url, poolclass=sa.pool.NullPool)

    def kill(driver) -> None:
        on_postgres = other.dialect.name == "postgresql"
        statement = (
            f"SELECT pg_terminate_backend({driver.get_backend_pid()})" if on_postgres else f"KILL {driver.thread_id()}"
        )
        with other.connect() as connection:
            connection.exec_driver_sql(statement)

    return kill


@pytest.fixture(params=["postgres", "mariadb"])
def over_a_network(request, new_world) -> World:
    return new_world(request.getfixturevalue(f"{request.param}_with_tables")())


def test_a_connection_that_is_lost_in_the_middle_leaves_nothing_and_is_told_as_such(over_a_network):
    world = over_a_network
    world.govern()
    world.register()
    world.ask(1)
    before, kill = facts(world.store.engine), killer(world)
    number = 1
    while True:
        with at_statement(world.store.engine, number, kill) as seen:
            try:
                world.approve(1, "raj")
            except MlflowException as error:
                assert error.get_http_status_code() == 503, f"at {seen[-1]}: {error}"
            else:
                break
        assert facts(world.store.engine) == before, f"at {seen[-1]}"  # by the same pool: it notices by itself
        number += 1
    assert number > len(seen) > 5  # every statement was hit, and only with none left did it come through
    world.assert_sound()


def test_a_loss_that_the_driver_calls_by_no_name_is_told_as_one(postgres_with_tables, new_world):
    world = new_world(postgres_with_tables())
    world.govern()
    world.register()
    world.ask(1)
    before = facts(world.store.engine)

    def lost(cursor, _statement, _parameters, _context) -> None:
        # As seen where PostgreSQL's first process ends all others in the middle of an answer; it cannot be timed.
        raise psycopg2.DatabaseError("server closed the connection unexpectedly")

    sa.event.listen(world.store.engine, "do_execute", lost)
    try:
        with pytest.raises(MlflowException) as caught:
            world.approve(1, "raj")
    finally:
        sa.event.remove(world.store.engine, "do_execute", lost)
    assert caught.value.get_http_status_code() == 503
    assert facts(world.store.engine) == before
    world.approve(1, "raj")
    world.assert_sound()


def test_a_connection_that_is_lost_while_runs_are_read_is_no_fault_of_the_request(over_a_network):
    """What the store of runs, which has connections of its own, was asked is not answered by losing it."""
    world = over_a_network
    world.govern()
    world.register()
    desk, runs, kill, hits = world.desk, world.client._tracking_client.store.engine, killer(world), {}
    for name, who, call in (
        ("lineage", "raj", lambda: desk.lineage(MODEL, 1)),
        ("nominate", "ana", lambda: desk.nominate(MODEL, 1)),
        ("request", "ana", lambda: desk.request(MODEL, 1, "please")),
        ("raj approves", "raj", lambda: desk.approve(MODEL, 1, comment="looks right")),
        ("mei approves", "mei", lambda: desk.approve(MODEL, 1, comment="looks right")),
        ("promote", "ana", lambda: desk.promote(MODEL, 1)),
    ):
        for number in range(1, 200):
            mlflow_io._artifact_uri.cache_clear()
            with at_statement(runs, number, kill) as seen, world.acting(who):
                try:
                    call()
                except MlflowException as error:
                    assert error.get_http_status_code() == 503, f"{name} at {seen[-1]}: {error}"
                else:
                    break
        hits[name] = number - 1
    assert min(hits.values()) > 0, hits
    assert world.roles() == {"champion": 1}
    world.assert_sound()


def test_a_connection_that_is_lost_before_a_native_call_commits_leaves_nothing(over_a_network, monkeypatch):
    world = over_a_network
    world.govern()
    world.register()
    before, kill, engine = facts(world.store.engine), killer(world), world.store.engine
    commit = engine.dialect.do_commit

    def lost(connection) -> None:
        monkeypatch.undo()
        kill(getattr(connection, "driver_connection", connection))
        commit(connection)

    def register() -> None:
        with world.acting("ana"):
            world.client.create_model_version(MODEL, "file:///tmp/x")

    monkeypatch.setattr(engine.dialect, "do_commit", lost)
    with pytest.raises(MlflowException) as caught:
        while facts(world.store.engine) == before:
            register()
    assert caught.value.get_http_status_code() == 503
    assert facts(world.store.engine) == before
    register()
    assert world.stages() == {1: "None", 2: "None"}
    world.assert_sound()


def test_a_full_disk_is_told_and_leaves_nothing_half_written(world):
    """SQLite's own limit on pages gives what a full disk gives, SQLITE_FULL."""
    world.govern()
    world.register(FRESH)
    world.ask(1)
    engine, done = world.store.engine, 0
    engine.dispose()

    def limit(driver, _record) -> None:
        pages = driver.execute("PRAGMA page_count").fetchone()[0]
        driver.execute(f"PRAGMA max_page_count = {pages}")

    sa.event.listen(engine, "connect", limit)
    refused = None
    for version in range(2, FRESH + 1):
        before = facts(world.store.engine)
        with world.acting("ana"):
            try:
                world.desk.nominate(MODEL, version, comment="x" * 4000)
            except MlflowException as error:
                refused = version
                assert error.get_http_status_code() == 503 and "full" in str(error)
                assert facts(world.store.engine) == before
                break
            done += 1
    assert refused is not None, "the disk was never full"
    world.assert_sound()
    sa.event.remove(engine, "connect", limit)
    engine.dispose()
    with world.acting("ana"):
        assert world.desk.nominate(MODEL, refused)["pair"]["challenger"] == refused
    world.assert_sound()
