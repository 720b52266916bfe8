"""Bring a database to this version: MLflow's tables with MLflow's own migrations, then ours, then the states anew.

Nothing is changed in a database that is newer than this version. Our tables and the states that are folded from the
ledger change in one transaction; MLflow's migrations are MLflow's, and commit for themselves before that.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import sqlalchemy as sa
from sqlalchemy.orm import Session

from registry_hooks.errors import Invalid, RegistryError
from registry_hooks.records import ROLES, Nomination, Pair
from registry_hooks.rules.telling.tags import all_tags
from registry_hooks.storage.databases import DATABASES, SCHEME
from registry_hooks.storage.kept.states import read_model_state
from registry_hooks.storage.ledger import Ledger
from registry_hooks.storage.log.nodes import Nodes
from registry_hooks.storage.mlflow_rows import Registry, VersionRow
from registry_hooks.storage.places import held_by, rests_of
from registry_hooks.storage.replay import rebuild_states
from registry_hooks.storage.schema import VERSION_TABLE, migrate, migration_scripts

MLFLOW_TABLE = "alembic_version"
_OF_DATABASE = "CONCAT('registry_hooks_start_', SHA1(DATABASE()))"  # such locks of MySQL are the server's; 64 at most


class Unreachable(RegistryError):
    """The database gave no answer."""

    code = "TEMPORARILY_UNAVAILABLE"


class Unfit(RegistryError):
    """The database is of another version than this one."""

    code = "INVALID_STATE"


@dataclass(frozen=True)
class Revision:
    """How far one of the two sets of tables is.

    Args:
        tables: whose they are.
        found: the revision in the database; None where there are no such tables.
        newest: the revision of this version.
        state: what that comes to.
    """

    tables: Literal["MLflow", "registry-hooks"]
    found: str | None
    newest: str
    state: Literal["current", "missing", "older", "newer"]


def check_database(uri: str) -> list[Revision]:
    """How far a database is; nothing is changed, and no file is made.

    Raises:
        Invalid: when ``uri`` is none of a database that this can serve from.
        Unreachable: when the database gives no answer.
    """
    url = _url(uri)
    if url.get_backend_name() == "sqlite" and not Path(url.database or "").exists():
        return [_judged("MLflow", None), _judged("registry-hooks", None)]
    with _engine(url) as engine:
        return _revisions(engine)


def upgrade_database(uri: str) -> tuple[list[Revision], list[Revision]]:
    """Bring a database to this version; how far it was, and how far it is now.

    Raises:
        Invalid, Unreachable: as `check_database`.
        Unfit: when it is newer than this version, or its ledger does not fold into states.
    """
    with _engine(_url(uri)) as engine:
        before = _revisions(engine)
        refuse_newer(before)
        if before[0].state != "current":
            _upgrade_mlflow(engine, fresh=before[0].state == "missing")
        migrate(engine, upgrade=True, then=_rebuild_states)
        return before, _revisions(engine)


def refuse_newer(revisions: list[Revision]) -> None:
    """Refuse a database that a newer version has written.

    Raises:
        Unfit: naming what is newer.
    """
    newer = [each for each in revisions if each.state == "newer"]
    if newer:
        told = " and ".join(f"{each.tables}'s tables are at revision {each.found}" for each in newer)
        raise Unfit(
            f"the database is newer than this version: {told}, unknown here; install the version that wrote it, or a "
            "newer one. Nothing was changed"
        )


def refuse_unfit(uri: str) -> None:
    """Refuse to serve from a database that must be upgraded first, or is newer; one without tables gets them.

    Raises:
        Unfit: saying which.
        Invalid, Unreachable: as `check_database`.
    """
    revisions = check_database(uri)
    refuse_newer(revisions)
    older = [each for each in revisions if each.state == "older"]
    if older:
        told = " and ".join(f"{each.tables}'s tables are at revision {each.found}" for each in older)
        raise Unfit(
            f"the database is older than this version: {told}. Stop the servers, make a backup, and run: "
            f"registry-hooks db upgrade {without_password(uri)}"
        )


def make_ready(uri: str) -> None:
    """Make MLflow's tables in a database that has none, and refuse one that this version cannot serve from.

    Raises:
        Unfit, Invalid, Unreachable: as `refuse_unfit`.
    """
    with alone(uri):
        refuse_unfit(uri)
        with _engine(_url(uri)) as engine:
            if _revisions(engine)[0].state == "missing":
                _upgrade_mlflow(engine, fresh=True)


@contextmanager
def alone(uri: str) -> Iterator[None]:
    """Let one process at a time, of all machines, make or change the tables of a database; SQLite is one machine's.

    MLflow's own lock is a file of one machine: replicas that start together on an empty database would both make it.
    The lock is a transaction's, so that a pool of connections between here and the database does not keep it.

    Raises:
        Invalid, Unreachable: as `check_database`; the latter also when another process has it for five minutes.
    """
    url = _url(uri)
    if url.get_backend_name() == "sqlite":
        yield
        return
    with _engine(url) as engine:
        connection = engine.connect()
        if not _locked(connection):
            raise Unreachable(f"another process has been making the tables of {_shown(url)} for minutes; start again")
    with connection:
        try:
            yield
        finally:
            if connection.dialect.name != "postgresql":
                connection.exec_driver_sql(f"SELECT RELEASE_LOCK({_OF_DATABASE})")


def _locked(connection: sa.Connection) -> bool:
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql("SELECT pg_advisory_xact_lock(7217046952)")
        return True
    return bool(connection.exec_driver_sql(f"SELECT GET_LOCK({_OF_DATABASE}, 300)").scalar() == 1)


def without_password(uri: str) -> str:
    """``uri`` as it may be printed."""
    try:
        return _shown(_url(uri))
    except Invalid:
        return uri.partition(":")[0] + ":…"


def _url(uri: str) -> sa.URL:
    try:
        url = sa.make_url(uri.removeprefix(SCHEME))
    except (sa.exc.ArgumentError, ValueError):
        # Not told what it was: a password may stand anywhere in it.
        raise Invalid("expected a database URI, such as sqlite:///mlflow.db; found none") from None
    if url.get_backend_name() not in DATABASES:
        raise Invalid(f"expected a database of {', '.join(DATABASES)}; found {url.get_backend_name()[:40]!r}")
    if url.get_backend_name() == "sqlite" and url.database in (None, "", ":memory:"):
        raise Invalid("expected a database file; found SQLite in memory")
    return url


def _shown(url: sa.URL) -> str:
    # Drivers take a password from the query, too.
    return url.set(query={}).render_as_string(hide_password=True)


@contextmanager
def engine_of(uri: str) -> Iterator[sa.Engine]:
    """An engine of a database, for as long as the block lasts.

    Raises:
        Invalid, Unreachable: as `check_database`; the latter for whatever the database says within the block, too.
    """
    with _engine(_url(uri)) as engine:
        yield engine


@contextmanager
def _engine(url: sa.URL) -> Iterator[sa.Engine]:
    from mlflow.store.db.utils import create_sqlalchemy_engine

    engine = None
    try:
        if url.get_backend_name() == "sqlite":  # as MLflow's own server does
            Path(url.database or "").parent.mkdir(parents=True, exist_ok=True)
        engine = create_sqlalchemy_engine(url.render_as_string(hide_password=False))
        yield engine
    except (sa.exc.DBAPIError, sa.exc.NoSuchModuleError, ImportError, OSError, ValueError) as error:
        told = str(getattr(error, "orig", None) or error)
        for secret in (url.password, url.query.get("password")):
            told = told.replace(str(secret), "***") if secret else told
        raise Unreachable(f"the database {_shown(url)} gives no answer: {told}") from error
    finally:
        if engine is not None:
            engine.dispose()


def _revisions(engine: sa.Engine) -> list[Revision]:
    with engine.connect() as connection:
        return [
            _judged("MLflow", _stored(connection, MLFLOW_TABLE)),
            _judged("registry-hooks", _stored(connection, VERSION_TABLE)),
        ]


def _stored(connection: sa.Connection, table: str) -> str | None:
    if not sa.inspect(connection).has_table(table):
        return None
    found = connection.execute(sa.select(sa.table(table, sa.column("version_num")).c.version_num)).scalars().first()
    return None if found is None else str(found)


def _judged(tables: Literal["MLflow", "registry-hooks"], found: str | None) -> Revision:
    newest, known = migration_scripts() if tables == "registry-hooks" else _mlflow_scripts()
    if found is None:
        return Revision(tables, found, newest, "missing")
    if found == newest:
        return Revision(tables, found, newest, "current")
    return Revision(tables, found, newest, "older" if found in known else "newer")


def _mlflow_scripts() -> tuple[str, frozenset[str]]:
    from alembic.script import ScriptDirectory
    from mlflow.store.db.utils import _get_alembic_config

    script = ScriptDirectory.from_config(_get_alembic_config(""))
    return str(script.get_current_head()), frozenset(each.revision for each in script.walk_revisions())


def _upgrade_mlflow(engine: sa.Engine, *, fresh: bool) -> None:
    from mlflow.store.db.utils import _initialize_tables, _upgrade_db

    if fresh:
        _initialize_tables(engine)
    else:
        _upgrade_db(engine)


def _rebuild_states(connection: sa.Connection) -> None:
    # A session that joins a transaction leaves it open: it is committed together with the new revision.
    with Session(connection, join_transaction_mode="rollback_only") as session:
        ledger = Ledger(session)
        rebuild_states(ledger)
        _find_rests(ledger, Registry(session))
        _put_tags(ledger, Registry(session))
        Nodes(session).fill_anew()


def _find_rests(ledger: Ledger, registry: Registry) -> None:
    """Note what versions rest on that a version without that table nominated or adopted."""
    for model, text in list(ledger.stored_states()):
        state = read_model_state(model, text)
        held: dict[int, list[tuple[str, str]]] = {v: [] for v in (*state.champions, *_numbers(state.pair))}
        for entry in ledger.entries(model):
            if entry.action in ("nominated", "broke-glass") and entry.version is not None:
                nomination = Nomination.model_validate(entry.body["nomination"])
                held.setdefault(entry.version, []).extend(held_by(nomination.evidence, nomination.pages))
        there = set(registry.versions(model))
        for version, files in held.items():
            row = registry.version(model, version) if version in there else VersionRow(model, version, None, "", "")
            ledger.rests.note(rest for rest in rests_of(row, files, registry.run_location) if rest.run or rest.place)


def _put_tags(ledger: Ledger, registry: Registry) -> None:
    """Write the tags of models that a version without tags governed."""
    for model, text in list(ledger.stored_states()):
        if registry.exists(model):
            registry.put_tags(model, all_tags(read_model_state(model, text)), anew=True)


def _numbers(pair: Pair) -> list[int]:
    return [version for role in ROLES if (version := getattr(pair, role)) is not None]
