"""The append-only audit log and what is derived from it: the only SQL on our own tables.

A ``Ledger`` lives for one unit of work, on that unit's session. ``append`` writes the entry, the tree's head and the
model's state; whether they stay is the unit's decision, together with the registry rows that it moved.

Locks are always taken in one order, so that they cannot deadlock: the model's row (``mlflow_io.Registry.lock``), then
the head's row. The head's row is taken last and held for the few statements until commit. Whoever changes policies
takes ``lock_policies`` before both.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import rfc8785
import sqlalchemy as sa
from sqlalchemy.dialects.mysql import LONGTEXT
from sqlalchemy.orm import Session

from registry_hooks.audit import StoredEntry, Tree, Verification, leaf_hash, verify
from registry_hooks.errors import RegistryError
from registry_hooks.identity import Actor
from registry_hooks.pair import fold
from registry_hooks.policy import Policy, load_policy, policy_digest
from registry_hooks.records import Action, Entry, ModelState

VERSION_TABLE = "registry_hooks_alembic_version"
_LONG = sa.Text().with_variant(LONGTEXT(), "mysql")

metadata = sa.MetaData()
_ledger = sa.Table(
    "registry_hooks_ledger",
    metadata,
    sa.Column("seq", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("model", sa.String(256)),
    sa.Column("action", sa.String(32), nullable=False),
    sa.Column("entry", _LONG, nullable=False),
    sa.Column("leaf_hash", sa.String(64), nullable=False),
    sa.Index("registry_hooks_ledger_model", "model", "seq"),
)
_head = sa.Table(
    "registry_hooks_head",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("size", sa.BigInteger, nullable=False),
    sa.Column("frontier", sa.Text, nullable=False),
)
_policies = sa.Table(
    "registry_hooks_policies",
    metadata,
    sa.Column("name", sa.String(256), primary_key=True),
    sa.Column("version", sa.Integer, nullable=False),
    sa.Column("text", _LONG, nullable=False),
    sa.Column("applied_by", sa.String(256), nullable=False),
    sa.Column("applied_at", sa.String(40), nullable=False),
)
_models = sa.Table(
    "registry_hooks_models",
    metadata,
    sa.Column("model", sa.String(256), primary_key=True),
    sa.Column("seq", sa.BigInteger, nullable=False),
    sa.Column("state", _LONG, nullable=False),
)


@dataclass(frozen=True)
class AppliedPolicy:
    """A policy in force: its parsed form, its text as applied, and who applied which version of it."""

    policy: Policy
    text: str
    version: int
    applied_by: str
    applied_at: str

    @property
    def digest(self) -> str:
        """Digest of the text as applied."""
        return policy_digest(self.text)


class Ledger:
    """The ledger within one unit of work."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def append(
        self,
        action: Action,
        actor: Actor,
        at: datetime,
        *,
        model: str | None,
        version: int | None,
        body: dict[str, Any],
    ) -> Entry:
        """Write one entry at the end, and fold it into its model's state.

        Raises:
            registry_hooks.pair.PairError: when the entry is not possible in the model's state; nothing is kept then.
        """
        tree = self._locked_head()
        entry = Entry(
            seq=tree.size + 1,
            at=at,
            actor=actor.name,
            authenticated_by=actor.authenticated_by,
            action=action,
            model=model,
            version=version,
            body=body,
            tree=tree.root.hex(),
        )
        text = rfc8785.dumps(entry.as_json())
        leaf = leaf_hash(text)
        self._session.execute(
            sa.insert(_ledger).values(
                seq=entry.seq, model=model, action=action, entry=text.decode(), leaf_hash=leaf.hex()
            )
        )
        grown = tree.append(leaf)
        frontier = ",".join(node.hex() for node in grown.frontier)
        self._session.execute(sa.update(_head).where(_head.c.id == 1).values(size=grown.size, frontier=frontier))
        if model is not None:
            self._save(fold(self.state(model), entry), entry.seq)
        return entry

    @property
    def next_seq(self) -> int:
        """The number that the next entry will get; the head stays locked until the unit of work ends."""
        return self._locked_head().size + 1

    def state(self, model: str) -> ModelState:
        """The state of a model; empty when nothing was ever recorded of it."""
        row = self._session.execute(sa.select(_models.c.state).where(_models.c.model == model)).scalar_one_or_none()
        try:
            return ModelState.model_validate_json(row) if row is not None else ModelState(model=model)
        except ValueError as error:
            raise RegistryError(f"the state of {model!r} cannot be read: it was changed in the database") from error

    def replayed_state(self, model: str) -> ModelState:
        """The state of a model folded anew from its entries; differs from ``state`` only if somebody meddled."""
        state = ModelState(model=model)
        for entry in self.entries(model):
            state = fold(state, entry)
        return state

    def entries(self, model: str | None = None, newest: int | None = None) -> list[Entry]:
        """Entries in order, of one model or of all; with ``newest`` only the last so many."""
        query = sa.select(_ledger.c.entry).order_by(_ledger.c.seq.desc() if newest else _ledger.c.seq)
        if model is not None:
            query = query.where(_ledger.c.model == model)
        rows = self._session.execute(query.limit(newest) if newest else query).scalars()
        entries = [_parsed(row) for row in rows]
        return entries[::-1] if newest else entries

    def rows(self, after: int = 0, limit: int | None = None) -> Iterator[StoredEntry]:
        """Rows as they are stored, in order, a thousand at a time: those behind number ``after``, at most ``limit``."""
        query = sa.select(_ledger.c.seq, _ledger.c.entry, _ledger.c.leaf_hash).order_by(_ledger.c.seq)
        query = query.where(_ledger.c.seq > after).limit(limit)
        for row in self._session.execute(query, execution_options={"yield_per": 1000}):
            text = row.entry if isinstance(row.entry, bytes) else str(row.entry).encode()
            yield StoredEntry(int(row.seq), text, str(row.leaf_hash))

    @property
    def last_seq(self) -> int:
        """The number of the last entry that is there; 0 when there is none."""
        return int(self._session.execute(sa.select(sa.func.max(_ledger.c.seq))).scalar_one() or 0)

    def verify(self) -> Verification:
        """Recompute the Merkle tree from every entry and hold it against the head."""
        head = self._tree(self._session.execute(sa.select(_head.c.size, _head.c.frontier)).one())
        return verify(self.rows(), head)

    def policies(self) -> list[AppliedPolicy]:
        """The policies in force, by name."""
        rows = self._session.execute(sa.select(_policies).order_by(_policies.c.name))
        return [
            AppliedPolicy(load_policy(row.text), row.text, row.version, row.applied_by, row.applied_at) for row in rows
        ]

    def policy_for(self, model: str) -> AppliedPolicy | None:
        """The policy that governs a model, or None: then the model is plain MLflow."""
        return next((applied for applied in self.policies() if model in applied.policy.models), None)

    def lock_policies(self) -> None:
        """Let one unit of work at a time change policies; taken before any model's row."""
        one_row = sa.table(VERSION_TABLE, sa.column("version_num"))  # always there, and written by migrations alone
        self._session.execute(sa.select(one_row.c.version_num).with_for_update()).all()

    def save_policy(self, policy: Policy, text: str, version: int, actor: Actor, at: datetime) -> None:
        """Put a policy in force; the history of policies is in the ledger."""
        self._session.execute(sa.delete(_policies).where(_policies.c.name == policy.name))
        values = {"version": version, "text": text, "applied_by": actor.name, "applied_at": at.isoformat()}
        self._session.execute(sa.insert(_policies).values(name=policy.name, **values))

    def _save(self, state: ModelState, seq: int) -> None:
        values = {"seq": seq, "state": state.model_dump_json()}
        found = self._session.execute(sa.update(_models).where(_models.c.model == state.model).values(**values))
        if not found.rowcount:  # type: ignore[attr-defined]
            self._session.execute(sa.insert(_models).values(model=state.model, **values))

    def _locked_head(self) -> Tree:
        query = sa.select(_head.c.size, _head.c.frontier).where(_head.c.id == 1).with_for_update()
        return self._tree(self._session.execute(query).one())

    @staticmethod
    def _tree(row: Any) -> Tree:
        return Tree(int(row.size), tuple(bytes.fromhex(node) for node in row.frontier.split(",") if node))


def _parsed(text: str) -> Entry:
    try:
        return Entry.model_validate(json.loads(text))
    except ValueError as error:
        raise RegistryError(
            "a ledger entry cannot be read: it was changed in the database. registry-hooks audit verify names it"
        ) from error


def migrate(engine: sa.Engine) -> None:
    """Bring our own tables to the newest revision; safe to run from several processes at once.

    Raises:
        RegistryError: when the database was written by a newer version than this one.
    """
    from alembic import command
    from alembic.config import Config
    from alembic.runtime.migration import MigrationContext
    from alembic.script import ScriptDirectory

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    script = ScriptDirectory.from_config(config)
    known = {revision.revision for revision in script.walk_revisions()}
    with engine.begin() as connection, _one_at_a_time(connection):
        context = MigrationContext.configure(connection, opts={"version_table": VERSION_TABLE})
        current = context.get_current_revision()
        if current == script.get_current_head():
            return
        if current is not None and current not in known:
            raise RegistryError(
                f"the database's registry-hooks tables are at revision {current}, which this version does not know; "
                "install the version that wrote them, or a newer one"
            )
        config.attributes["connection"] = connection
        command.upgrade(config, "head")


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
        connection.exec_driver_sql("SELECT GET_LOCK('registry_hooks_migration', 60)")
    yield
    if dialect in ("mysql", "mariadb"):
        connection.exec_driver_sql("SELECT RELEASE_LOCK('registry_hooks_migration')")
