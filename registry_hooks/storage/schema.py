"""Our own tables, and how a database comes to have them. MLflow's tables are MLflow's to make."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import sqlalchemy as sa
from sqlalchemy.dialects.mysql import LONGTEXT

from registry_hooks.errors import RegistryError

if TYPE_CHECKING:
    from alembic.config import Config

VERSION_TABLE = "registry_hooks_alembic_version"
LONG = sa.Text().with_variant(LONGTEXT(), "mysql")

metadata = sa.MetaData()
ledger = sa.Table(
    "registry_hooks_ledger",
    metadata,
    sa.Column("seq", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("model", sa.String(256)),
    sa.Column("action", sa.String(32), nullable=False),
    sa.Column("entry", LONG, nullable=False),
    sa.Column("leaf_hash", sa.String(64), nullable=False),
    sa.Index("registry_hooks_ledger_model", "model", "seq"),
)
head = sa.Table(
    "registry_hooks_head",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("size", sa.BigInteger, nullable=False),
    sa.Column("frontier", sa.Text, nullable=False),
)
policies = sa.Table(
    "registry_hooks_policies",
    metadata,
    sa.Column("name", sa.String(256), primary_key=True),
    sa.Column("version", sa.Integer, nullable=False),
    sa.Column("text", LONG, nullable=False),
    sa.Column("applied_by", sa.String(256), nullable=False),
    sa.Column("applied_at", sa.String(40), nullable=False),
)
states = sa.Table(
    "registry_hooks_models",
    metadata,
    sa.Column("model", sa.String(256), primary_key=True),
    sa.Column("seq", sa.BigInteger, nullable=False),
    sa.Column("state", LONG, nullable=False),
)
manifests = sa.Table(
    "registry_hooks_manifests",
    metadata,
    sa.Column("model", sa.String(256), primary_key=True),
    sa.Column("version", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("digest", sa.String(80), nullable=False),
    sa.Column("files", LONG, nullable=False),
)
rests = sa.Table(
    "registry_hooks_rests",
    metadata,
    sa.Column("model", sa.String(256), primary_key=True),
    sa.Column("version", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("digest", sa.String(64), primary_key=True),
    sa.Column("run", sa.String(64), nullable=False),
    sa.Column("place", sa.String(700), nullable=False),
    sa.Column("paths", LONG),
    sa.Index("registry_hooks_rests_run", "run"),
    sa.Index("registry_hooks_rests_place", "place"),
)
condemned = sa.Table(
    "registry_hooks_condemned",
    metadata,
    sa.Column("model", sa.String(256), primary_key=True),
    sa.Column("version", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("at", sa.String(40), nullable=False),
    sa.Column("content", sa.String(80)),
    sa.Index("registry_hooks_condemned_content", "content"),
)
background = sa.Table(
    "registry_hooks_background",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("owner", sa.String(64), nullable=False),
    sa.Column("beat", sa.BigInteger, nullable=False),
    sa.Column("notices", sa.BigInteger, nullable=False),
)
notices = sa.Table(
    "registry_hooks_notices",
    metadata,
    sa.Column("number", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("said", sa.String(80), nullable=False),
    sa.Column("model", sa.String(256)),
    sa.Column("event", sa.String(32), nullable=False),
    sa.Column("body", LONG, nullable=False),
    sa.Index("registry_hooks_notices_said", "said", unique=True),
)
targets = sa.Table(
    "registry_hooks_targets",
    metadata,
    sa.Column("id", sa.String(64), primary_key=True),
    sa.Column("name", sa.String(80), nullable=False),
    sa.Column("kind", sa.String(16), nullable=False),
    sa.Column("address", sa.Text, nullable=False),
    sa.Column("sealed", LONG),
    sa.Column("chosen", LONG, nullable=False),
    sa.Column("added_by", sa.String(256), nullable=False),
    sa.Column("added_at", sa.String(40), nullable=False),
    sa.Column("ledger_to", sa.BigInteger, nullable=False),
    sa.Column("notices_to", sa.BigInteger, nullable=False),
    sa.Column("failures", sa.Integer, nullable=False),
    sa.Column("failing_since", sa.BigInteger),
    sa.Column("retry_at", sa.BigInteger, nullable=False),
    sa.Column("error", sa.Text, nullable=False),
    sa.Index("registry_hooks_targets_name", "name", unique=True),
)
held = sa.Table(
    "registry_hooks_held",
    metadata,
    sa.Column("target", sa.String(64), primary_key=True),
    sa.Column("stream", sa.String(8), primary_key=True),
    sa.Column("scope", sa.String(256), primary_key=True),
    sa.Column("done_to", sa.BigInteger, nullable=False),
    sa.Column("failures", sa.Integer, nullable=False),
    sa.Column("failing_since", sa.BigInteger, nullable=False),
    sa.Column("retry_at", sa.BigInteger, nullable=False),
    sa.Column("error", sa.Text, nullable=False),
)
nodes = sa.Table(
    "registry_hooks_nodes",
    metadata,
    sa.Column("level", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("number", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("hash", sa.String(64), nullable=False),
)
checkpoints = sa.Table(
    "registry_hooks_checkpoints",
    metadata,
    sa.Column("size", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("at", sa.String(40), nullable=False),
    sa.Column("vkey", sa.Text, nullable=False),
    sa.Column("note", LONG, nullable=False),
)
snapshots = sa.Table(
    "registry_hooks_snapshots",
    metadata,
    sa.Column("model", sa.String(256), primary_key=True),
    sa.Column("seq", sa.BigInteger, nullable=False),
    sa.Column("state", LONG, nullable=False),
)

waiting = sa.Table(
    "registry_hooks_waiting",
    metadata,
    sa.Column("model", sa.String(256), primary_key=True),
    sa.Column("item", sa.String(64), primary_key=True),
    sa.Column("kind", sa.String(16), nullable=False),
    sa.Column("who", sa.String(256), nullable=False),
    sa.Column("policy", sa.String(80), nullable=False),
    sa.Column("until", sa.String(40), nullable=False),
    sa.Column("barred", LONG, nullable=False),
    sa.Column("signed", LONG, nullable=False),
    sa.Index("registry_hooks_waiting_policy", "kind", "policy", "until"),
    sa.Index("registry_hooks_waiting_who", "who", "until"),
)


def migration_scripts() -> tuple[str, frozenset[str]]:
    """The newest revision of our tables, and all that this version knows."""
    from alembic.script import ScriptDirectory

    script = ScriptDirectory.from_config(_config())
    return str(script.get_current_head()), frozenset(revision.revision for revision in script.walk_revisions())


def _config() -> Config:
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parents[1] / "migrations").replace("%", "%%"))
    return config


def migrate(engine: sa.Engine, *, upgrade: bool = False, then: Callable[[sa.Connection], None] | None = None) -> None:
    """Make our tables where there are none; safe to run from several processes at once.

    Args:
        engine: of the database.
        upgrade: also bring the tables of an older version to the newest revision, which needs a backup and a moment
            without servers, and so is asked for by a person (``registry-hooks db upgrade``).
        then: what to do in the same transaction, when the tables changed.

    Raises:
        RegistryError: when the tables are of a newer version than this one, or of an older one without ``upgrade``.
    """
    from alembic import command
    from alembic.runtime.migration import MigrationContext

    newest, known = migration_scripts()
    with engine.begin() as connection, _one_at_a_time(connection):
        context = MigrationContext.configure(connection, opts={"version_table": VERSION_TABLE})
        current = context.get_current_revision()
        if current == newest:
            return
        if current is not None and current not in known:
            raise RegistryError(
                f"the database's registry-hooks tables are at revision {current}, which this version does not know; "
                "install the version that wrote them, or a newer one"
            )
        if current is not None and not upgrade:
            raise RegistryError(
                f"the database's registry-hooks tables are at revision {current}, older than this version's "
                f"{newest}: stop the servers, make a backup, and run registry-hooks db upgrade "
                "with the database's URI"
            )
        config = _config()
        config.attributes["connection"] = connection
        command.upgrade(config, "head")
        if then is not None:
            then(connection)


@contextmanager
def _one_at_a_time(connection: sa.Connection) -> Iterator[None]:
    # Four server workers start at once; only one may create the tables, and the others must then find them.
    dialect = connection.dialect.name
    if dialect == "sqlite":
        connection.exec_driver_sql("PRAGMA busy_timeout = 60000")
        connection.exec_driver_sql("BEGIN IMMEDIATE")
    elif dialect == "postgresql":
        connection.exec_driver_sql("SELECT pg_advisory_xact_lock(7217046951)")
    elif dialect in ("mysql", "mariadb"):
        name = "CONCAT('registry_hooks_', SHA1(DATABASE()))"  # such locks are the server's, not the database's
        if connection.exec_driver_sql(f"SELECT GET_LOCK({name}, 60)").scalar() != 1:
            raise RegistryError("another process has been making this database's tables for a minute; start again")
    try:
        yield
    finally:
        if dialect in ("mysql", "mariadb"):
            connection.exec_driver_sql(f"SELECT RELEASE_LOCK({name})")
