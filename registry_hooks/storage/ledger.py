"""The append-only audit log and what is derived from it: the only SQL on our own tables, with `resting`.

A ``Ledger`` lives for one unit of work, on that unit's session. ``append`` writes the entry, the tree's head and the
state that the entry belongs to; whether they stay is the unit's decision, together with the registry rows that it
moved. An entry's *scope* is its model, `trust.SCOPE` for keys and delegations, or `accounts.SCOPE` for users and their
roles; entries about policies have none.

Locks are always taken in one order, so that they cannot deadlock: policies (to change them, or to keep them from
changing), the model's row (``mlflow_rows.Registry.lock``), or those of all models in the order of their names where a
policy, a key or a lent role changes that decisions under way may rest on, then the head's row. The head's row is taken
last and held for the few statements until commit.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any

import rfc8785
import sqlalchemy as sa
from sqlalchemy.orm import Session

from registry_hooks.errors import RegistryError
from registry_hooks.identity import Actor
from registry_hooks.records import AccountsState, Action, Condemned, Entry, ModelState, TrustState
from registry_hooks.rules.condemned import all_condemned
from registry_hooks.rules.log import accounts, altered, trust
from registry_hooks.rules.log.merkle import Columns, StoredEntry, Tree, leaf_hash
from registry_hooks.rules.matters import matters
from registry_hooks.rules.pair import fold
from registry_hooks.rules.policy import Policy, governing
from registry_hooks.rules.policy_file import load_policy, policy_digest
from registry_hooks.storage import schema
from registry_hooks.storage.kept.states import (
    accounts_state,
    model_state,
    read_model_state,
    scope_state_of,
    trust_state,
)
from registry_hooks.storage.kept.waiting import Waiting
from registry_hooks.storage.resting import Resting
from registry_hooks.storage.snapshots import Snapshots

# Scopes that are no model's, each with the kind of its state and the fold of its entries.
SCOPES: dict[str, tuple[type[TrustState] | type[AccountsState], Callable[[Any, Entry], Any]]] = {
    trust.SCOPE: (TrustState, trust.fold_trust),
    accounts.SCOPE: (AccountsState, accounts.fold_accounts),
}
_ledger, _head, _policies, _states, _manifests, _condemned = (
    schema.ledger, schema.head, schema.policies, schema.states, schema.manifests, schema.condemned,
)  # fmt: skip

_scope: sa.BindParameter[str] = sa.bindparam("of_scope")
_HEAD = sa.select(_head.c.size, _head.c.frontier).where(_head.c.id == 1)
_LOCK_HEAD = _HEAD.with_for_update()
_MOVE_HEAD = (
    sa.update(_head).where(_head.c.id == 1).values(size=sa.bindparam("new_size"), frontier=sa.bindparam("new_frontier"))
)
_ADD = sa.insert(_ledger)
_STATES = sa.select(_states.c.model, _states.c.state).where(_states.c.model.in_((_scope, *SCOPES)))
_MOVE_STATE = (
    sa.update(_states)
    .where(_states.c.model == _scope)
    .values(seq=sa.bindparam("new_seq"), state=sa.bindparam("new_state"))
)
_SEQ = sa.select(_states.c.seq).where(_states.c.model == _scope)
_POLICIES = sa.select(_policies).order_by(_policies.c.name)
_NEWEST_MANIFEST = sa.select(_manifests.c.files).where(
    _manifests.c.model == _scope, _manifests.c.version == sa.bindparam("of_version")
)
_MANIFEST = _NEWEST_MANIFEST.where(_manifests.c.digest == sa.bindparam("of_digest"))
_CONDEMNED = sa.select(_condemned).order_by(_condemned.c.at.desc(), _condemned.c.model, _condemned.c.version)
_CONDEMNED_AS = _CONDEMNED.where(_condemned.c.content == sa.bindparam("of_content"))
_NO_LONGER = sa.delete(_condemned).where(_condemned.c.model == _scope)


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
        self._rows = session.connection()
        self._written: dict[str, ModelState] = {}  # by this unit of work
        self._promised: Tree | None = None  # the head, from when its lock was taken for the next number

    def append(
        self,
        action: Action,
        actor: Actor,
        at: datetime,
        *,
        model: str | None,
        version: int | None,
        body: dict[str, Any],
        scope: str | None = None,
        onto: ModelState | None = None,
    ) -> Entry:
        """Write one entry at the end, and fold it into the state of its scope (by default its model).

        ``onto`` is the model's state as it was read under the lock of the model's row; read anew where it is None.

        Raises:
            registry_hooks.rules.pair.PairError: when the entry is not possible in the model's state; nothing is kept
                then.
        """
        tree, self._promised = self._promised or self._locked_head(), None
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
        self._write(entry, tree, scope or model)
        if model is not None:
            self._fold_in(entry, model, onto)
        elif scope is not None:
            self._save(scope, SCOPES[scope][1](self.scope_state(scope), entry), entry.seq)
        return entry

    def _fold_in(self, entry: Entry, model: str, onto: ModelState | None) -> None:
        before = self._written.get(model) or onto or self.state(model)
        self._written[model] = fold(before, entry)
        self._save(model, self._written[model], entry.seq)
        if all_condemned(before) != all_condemned(self._written[model]):
            self._save_condemned(self._written[model])
        if matters(before) != matters(self._written[model]):
            self.waiting.keep(self._written[model])

    def _write(self, entry: Entry, tree: Tree, scope: str | None) -> None:
        text = rfc8785.dumps(entry.as_json())
        leaf = leaf_hash(text)
        row = {"seq": entry.seq, "model": scope, "action": entry.action, "entry": text.decode()}
        self._rows.execute(_ADD, {**row, "leaf_hash": leaf.hex()})
        grown = tree.append(leaf)
        frontier = ",".join(node.hex() for node in grown.frontier)
        self._rows.execute(_MOVE_HEAD, {"new_size": grown.size, "new_frontier": frontier})

    @property
    def rests(self) -> Resting:
        """What versions rest on."""
        return Resting(self._rows)

    @property
    def snapshots(self) -> Snapshots:
        """The states that purges kept."""
        return Snapshots(self._rows)

    @property
    def waiting(self) -> Waiting:
        """What waits for people."""
        return Waiting(self._rows)

    @property
    def next_seq(self) -> int:
        """The number that the next entry will get; the head stays locked until the unit of work ends."""
        self._promised = self._locked_head()
        return self._promised.size + 1

    def state(self, model: str) -> ModelState:
        """The state of a model; empty when nothing was ever recorded of it."""
        return self._written.get(model) or model_state(model, self._stored(model))

    def state_and_people(self, model: str) -> tuple[ModelState, TrustState, AccountsState]:
        """The state of a model, the keys and delegations, and the accounts, by one query."""
        stored = self._stored(model)
        return model_state(model, stored), trust_state(stored), accounts_state(stored)

    def stored_states(self) -> Iterator[tuple[str, str]]:
        """Every model whose state is kept, with that state as it is stored, a thousand at a time."""
        query = sa.select(_states.c.model, _states.c.state).where(_states.c.model.not_in(SCOPES))
        for model, text in self._rows.execute(query, execution_options={"yield_per": 1000}):
            yield str(model), str(text)

    def states(self, models: Collection[str]) -> dict[str, ModelState]:
        """The states of several models, by one query; those of which nothing was recorded are left out."""
        query = sa.select(_states.c.model, _states.c.state).where(_states.c.model.in_(models))
        return {str(model): read_model_state(model, text) for model, text in self._rows.execute(query)}

    def trust(self) -> TrustState:
        """The keys and delegations; empty when there never were any."""
        return trust_state(self._stored(trust.SCOPE))

    def accounts(self) -> AccountsState:
        """What the ledger knows of the users of MLflow's auth; empty when it knows nothing yet."""
        return accounts_state(self._stored(accounts.SCOPE))

    def scope_state(self, scope: str) -> TrustState | AccountsState:
        """The state of one of `SCOPES`."""
        return scope_state_of(scope, self._stored(scope))

    def _stored(self, scope: str) -> dict[str, str]:
        """The states as they are stored, of one scope and of those that are no model's."""
        return {row.model: row.state for row in self._rows.execute(_STATES, {"of_scope": scope})}

    def entries(
        self, scope: str | None = None, newest: int | None = None, after: int = 0, actions: Collection[str] = ()
    ) -> list[Entry]:
        """Entries that are not purged, in order: of one scope or of all, behind number ``after``, with these actions.

        With ``newest`` only the last so many.
        """
        query = sa.select(_ledger.c.entry).order_by(_ledger.c.seq.desc() if newest else _ledger.c.seq)
        there = sa.or_(_ledger.c.model.is_(None), _ledger.c.model != altered.SCOPE)
        query = query.where(there if scope is None else _ledger.c.model == scope)
        query = query.where(_ledger.c.seq > after) if after else query
        query = query.where(_ledger.c.action.in_(actions)) if actions else query
        entries = list(map(_parsed, self._rows.execute(query.limit(newest) if newest else query).scalars()))
        return entries[::-1] if newest else entries

    def each_entry(self, model: str) -> Iterator[Entry]:
        """Every entry of a model in order, read as they are asked for: a model may have more than memory holds."""
        query = sa.select(_ledger.c.entry).where(_ledger.c.model == model).order_by(_ledger.c.seq)
        yield from map(_parsed, self._rows.execute(query, execution_options={"yield_per": 500}).scalars())

    def rows(self, after: int = 0, limit: int | None = None) -> Iterator[StoredEntry]:
        """Rows as they are stored, in order, a thousand at a time: those behind number ``after``, at most ``limit``."""
        columns = (_ledger.c.seq, _ledger.c.entry, _ledger.c.leaf_hash, _ledger.c.model, _ledger.c.action)
        query = sa.select(*columns).order_by(_ledger.c.seq).where(_ledger.c.seq > after).limit(limit)
        for seq, entry, leaf, scope, action in self._rows.execute(query, execution_options={"yield_per": 1000}):
            text = entry if isinstance(entry, bytes) else str(entry).encode()
            yield StoredEntry(int(seq), text, str(leaf), Columns(scope, str(action)))

    @property
    def head(self) -> Tree:
        """The tree as its head has it."""
        return self._tree(self._rows.execute(_HEAD).one())

    @property
    def last_seq(self) -> int:
        """The number of the last entry that is there; 0 when there is none."""
        return int(self._rows.execute(sa.select(sa.func.max(_ledger.c.seq))).scalar_one() or 0)

    def policies(self) -> list[AppliedPolicy]:
        """The policies in force, by name."""
        rows = self._rows.execute(_POLICIES)
        return [
            AppliedPolicy(_in_force(row.text), row.text, row.version, row.applied_by, row.applied_at) for row in rows
        ]

    def policy_texts(self) -> dict[str, str]:
        """The texts of the policies in force, by name, as they are stored. A text may no longer parse."""
        rows = self._rows.execute(sa.select(_policies.c.name, _policies.c.text))
        return {str(row.name): str(row.text) for row in rows}

    def policy_for(self, model: str) -> AppliedPolicy | None:
        """The policy that governs a model of that name, or None: then the model is plain MLflow."""
        return governing(model, ((applied.policy, applied) for applied in self.policies()))

    def lock_policies(self, *, shared: bool = False) -> None:
        """Let one unit of work at a time change policies, and none while others hold them ``shared``.

        Taken before any model's row.
        """
        # This row is always there, and written by migrations alone.
        one_row = sa.table(schema.VERSION_TABLE, sa.column("version_num"))
        self._rows.execute(sa.select(one_row.c.version_num).with_for_update(read=shared)).all()

    def save_policy(self, policy: Policy, text: str, version: int, actor: Actor, at: datetime) -> None:
        """Put a policy in force; the history of policies is in the ledger."""
        self._rows.execute(sa.delete(_policies).where(_policies.c.name == policy.name))
        values = {"version": version, "text": text, "applied_by": actor.name, "applied_at": at.isoformat()}
        self._rows.execute(sa.insert(_policies).values(name=policy.name, **values))

    def save_manifest(self, model: str, version: int, digest: str, files: dict[str, tuple[int, str]]) -> None:
        """Keep a nominated version's list of files; what it must be is said by its digest in the ledger."""
        here = (_manifests.c.model == model, _manifests.c.version == version)
        self._rows.execute(sa.delete(_manifests).where(*here))
        text = json.dumps(files, separators=(",", ":"))
        self._rows.execute(sa.insert(_manifests).values(model=model, version=version, digest=digest, files=text))

    def newest_manifest(self, model: str, version: int) -> dict[str, tuple[int, str]] | None:
        """The list of files that was nominated last, or None where none is kept."""
        text = self._rows.execute(_NEWEST_MANIFEST, {"of_scope": model, "of_version": version}).scalar_one_or_none()
        return None if text is None else _files(text)

    def condemned(self, content: str | None = None) -> list[Condemned]:
        """Every condemned version of every model, the newest first; of one ``content``, those made of it."""
        query, asked = (_CONDEMNED, {}) if content is None else (_CONDEMNED_AS, {"of_content": content})
        return [Condemned.model_validate(dict(row._mapping)) for row in self._rows.execute(query, asked)]

    def _save_condemned(self, state: ModelState) -> None:
        self._rows.execute(_NO_LONGER, {"of_scope": state.model})
        if rows := [{**by.as_json(), "model": state.model} for by in all_condemned(state)]:
            self._rows.execute(sa.insert(_condemned), rows)

    def manifest(self, model: str, version: int, digest: str) -> dict[str, tuple[int, str]] | None:
        """The list of files that was nominated under ``digest``, or None where it is not kept."""
        here = {"of_scope": model, "of_version": version, "of_digest": digest}
        text = self._rows.execute(_MANIFEST, here).scalar_one_or_none()
        return None if text is None else _files(text)

    def forget_states(self) -> None:
        """Drop all states, to fold them anew from the entries."""
        self._rows.execute(sa.delete(_states))
        self._rows.execute(sa.delete(_condemned))
        self.waiting.forget()

    def scopes(self) -> dict[str, int]:
        """Every scope that has entries, with the number of its newest."""
        newest = sa.select(_ledger.c.model, sa.func.max(_ledger.c.seq)).where(_ledger.c.model != altered.SCOPE)
        return {str(scope): int(seq) for scope, seq in self._rows.execute(newest.group_by(_ledger.c.model))}

    def save_state(self, scope: str, state: ModelState | TrustState | AccountsState, seq: int | None = None) -> None:
        """Keep a state that was folded anew from the entries until number ``seq``, by default of as many as before."""
        if seq is None:
            seq = self._rows.execute(_SEQ, {"of_scope": scope}).scalar_one()
        self._save(scope, state, seq)
        if isinstance(state, ModelState):
            self._written[scope] = state
            self._save_condemned(state)
            self.waiting.keep(state)

    def _save(self, scope: str, state: ModelState | TrustState | AccountsState, seq: int) -> None:
        text = state.model_dump_json()
        found = self._rows.execute(_MOVE_STATE, {"of_scope": scope, "new_seq": seq, "new_state": text})
        if not found.rowcount:
            self._rows.execute(sa.insert(_states).values(model=scope, seq=seq, state=text))

    def _locked_head(self) -> Tree:
        return self._tree(self._rows.execute(_LOCK_HEAD).one())

    @staticmethod
    def _tree(row: Any) -> Tree:
        return Tree(int(row.size), tuple(bytes.fromhex(node) for node in row.frontier.split(",") if node))


@lru_cache(maxsize=256)
def _in_force(text: str) -> Policy:
    return load_policy(text)  # kept for the policies in force alone: who checks others neither fills nor empties this


def _files(text: str) -> dict[str, tuple[int, str]]:
    return {path: (size, sha) for path, (size, sha) in json.loads(text).items()}


def _parsed(text: str) -> Entry:
    try:
        return Entry.model_validate(json.loads(text))
    except ValueError as error:
        raise RegistryError(
            "a ledger entry cannot be read: it was changed in the database. registry-hooks audit verify names it"
        ) from error
