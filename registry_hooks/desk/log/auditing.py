"""The audit of the log: entries, the states that are folded from them, and the registry, held against each other."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from registry_hooks.desk.answers import Answer
from registry_hooks.desk.grounds.case import Cases, governed_models
from registry_hooks.desk.log.whole import Whole, whole_log
from registry_hooks.errors import RegistryError
from registry_hooks.identity import Sight, current_sight
from registry_hooks.records import AccountsState, Condemned, ModelState, TrustState
from registry_hooks.rules.condemned import all_condemned
from registry_hooks.rules.grounds.model import otherwise
from registry_hooks.rules.log import accounts, altered, trust
from registry_hooks.rules.log.merkle import StoredEntry, leaf_hash
from registry_hooks.rules.matters import Matter, matters
from registry_hooks.storage.gc_pause import unsearched
from registry_hooks.storage.kept.states import read_model_state
from registry_hooks.storage.ledger import Ledger
from registry_hooks.storage.log.auditing import Signed, held_against
from registry_hooks.storage.mlflow_rows import Registry, SweptRegistry
from registry_hooks.storage.replay import Replay, replayed_model
from registry_hooks.storage.snapshots import Snapshot

_BATCH = 1000  # entries
_NO_MODELS = {trust.SCOPE: "keys or delegations", accounts.SCOPE: "accounts or roles"}


@dataclass(frozen=True)
class Auditing:
    """Questions about the log as a whole; nothing here changes anything."""

    cases: Cases

    def audit_verify(self) -> Answer:
        """Recompute the ledger's Merkle tree, and hold every governed model's roles and stages against the ledger.

        ``problems`` names every ledger entry that does not add up, and every model whose registry rows do not.
        """
        with unsearched():
            with whole_log(self.cases, Replay) as whole:
                found = seen(whole)
            return found.answer()

    def audit_export(self) -> Iterator[bytes]:
        """Every entry as it is stored, one a line; the leaf hash of each line is RFC 6962's.

        One that was redacted or purged is told with its leaf hash, and the entry that did it with it, however new.
        """
        after, last = 0, self._last_seq()
        while after < last:
            # A transaction a batch: on SQLite an open one keeps everybody from writing while a reader dawdles.
            with self.cases.unit_of_work(write=False) as session:
                ledger = Ledger(session)
                batch = list(ledger.rows(after, min(_BATCH, last - after)))
                lines = [_line(row) for row in batch]
                if any(row.entry != line for row, line in zip(batch, lines, strict=True)):
                    last = ledger.last_seq
            if not batch:
                return
            yield from (line + b"\n" for line in lines)
            after = batch[-1].seq

    def _last_seq(self) -> int:
        with self.cases.unit_of_work(write=False) as session:
            return Ledger(session).last_seq


@dataclass(frozen=True)
class Seen:
    """What an audit compares, all of one moment; comparing it takes longer than reading it, and needs no transaction.

    Args:
        log: the log as it was read; its session may be closed by now.
        registry: MLflow's roles and stages.
        signed: what checkpoints say.
        changed: what is wrong with the policies in force; who is governed, and by whom, is then not known.
        stored: the states of models as they are kept, ``scopes`` those that are no model's.
        governed: the models that policies govern.
        condemned, waiting: what the tables beside the states say.
    """

    log: Whole[Any]
    registry: Registry
    signed: Signed
    changed: list[str]
    stored: dict[str, str]
    scopes: dict[str, TrustState | AccountsState]
    governed: list[str]
    condemned: list[Condemned]
    waiting: set[Matter]

    def answer(self) -> Answer:
        """The log, its states and the registry held against each other."""
        replay, found, sight = self.log.replay, self.log.found, current_sight()
        whole = sight.everything()
        problems: list[Answer] = [
            {"seq": problem.seq, "what": problem.what if whole else problem.what.split(":")[0]}
            for problem in found.problems
        ]
        told = {"ok": False, "size": found.tree.size, "root": found.tree.root.hex(), "problems": problems,
                "held_against": self.signed.against, **found.lacking()}  # fmt: skip
        said = [*self.signed.problems, *_changed_snapshots(replay.snapshots, found.states)]
        for scope, what in _NO_MODELS.items():
            if scope in replay.broken or self.scopes[scope] != replay.scopes[scope]:
                said.append(f"{what} are not what their ledger entries say")
        if self.changed:
            said += self.changed if whole else ["policies in force are not those that were applied last"]
        else:
            said += self._of_models(replay, sight)
        problems += [{"seq": None, "what": what} for what in said]
        return {**told, "ok": not problems}

    def _of_models(self, replay: Replay, sight: Sight) -> Iterator[str]:
        for model in self.governed:
            said = _replayed_otherwise(replay, self.registry, model, self.stored.get(model))
            if said and not sight.model(model):
                said = ["a model that you may not read is not what its ledger entries say"]
            yield from said
        if _condemned_by(replay) != sorted(self.condemned, key=str):
            yield "what is condemned is not what the ledger entries say"
        if {each for state in replay.states.values() for each in matters(state)} != self.waiting:
            yield "what waits for people is not what the ledger entries say"


def seen(log: Whole[Any]) -> Seen:
    """What an audit compares, read in the transaction in which the end of the log was."""
    ledger, registry = Ledger(log.session), SweptRegistry(log.session)
    changed = _changed_policies(ledger.policy_texts(), log.replay.policies)
    return Seen(
        log,
        registry,
        held_against(log.session, log.found.tree),
        changed,
        dict(ledger.stored_states()),
        {scope: ledger.scope_state(scope) for scope in _NO_MODELS if scope not in log.replay.broken},
        [] if changed else list(governed_models(ledger, registry)),
        ledger.condemned(),
        set(ledger.waiting.all()),
    )


def _changed_snapshots(held: Mapping[str, Snapshot], bound: Mapping[str, str]) -> list[str]:
    """What is wrong with states that purges kept; a scope is not named to whoever may not READ it."""
    found = {altered.hidden(scope): altered.digest_of_text(each.state.encode()) for scope, each in held.items()}
    if found == bound:
        return []
    return ["states that were kept when their entries were purged are not those that the purge bound"]


def _line(row: StoredEntry) -> bytes:
    matches = leaf_hash(row.entry).hex() == row.leaf_hash
    return row.entry if matches else altered.exported(row.entry, row.leaf_hash)


def _condemned_by(replay: Replay) -> list[Condemned]:
    return sorted((by for state in replay.states.values() for by in all_condemned(state)), key=str)


def _changed_policies(in_force: dict[str, str], applied: dict[str, str]) -> list[str]:
    return [
        f"policy {name!r}: the text in force is not the one that was applied last; an admin applies it again"
        for name in sorted(in_force.keys() | applied.keys())
        if in_force.get(name) != applied.get(name)
    ]


def disagreements(ledger: Ledger, registry: Registry, model: str) -> list[str]:
    """Where a model's cached state, aliases and stages are not what its ledger entries say."""
    try:
        state, replayed = ledger.state(model), replayed_model(ledger, model)
    except (RegistryError, ValueError) as error:
        return [_not_replayed(model, error)]
    return _otherwise(registry, state, replayed)


def _replayed_otherwise(replay: Replay, registry: Registry, model: str, stored: str | None) -> list[str]:
    if model in replay.broken:
        return [_not_replayed(model, replay.broken[model])]
    empty = ModelState(model=model)
    try:
        state = empty if stored is None else read_model_state(model, stored)
    except RegistryError as error:
        return [_not_replayed(model, error)]
    return _otherwise(registry, state, replay.states.get(model, empty))


def _not_replayed(model: str, why: object) -> str:
    return f"{model}: its ledger entries or its state cannot be replayed: {why}"


def _otherwise(registry: Registry, state: ModelState, replayed: ModelState) -> list[str]:
    model = replayed.model
    return otherwise(state, replayed, registry.pair(model), registry.stages(model), registry.misspelt(model))
