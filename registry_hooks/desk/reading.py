"""What people ask to see: status, history, lineage, and the audit of the ledger."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from registry_hooks.desk.answers import Answer, entry_json, reasons_json, state_json, status_json, tenures
from registry_hooks.desk.grounds.absence import GLANCE, in_roles, missing
from registry_hooks.desk.grounds.case import Case, Cases, case_at, remembering
from registry_hooks.desk.grounds.times import moment
from registry_hooks.errors import NotFound, RegistryError
from registry_hooks.identity import Sight, current_directory, current_sight, require_actor
from registry_hooks.records import Condemned, Entry, ModelState, Nomination
from registry_hooks.rules.approval.people import Facts
from registry_hooks.rules.condemned import all_condemned
from registry_hooks.rules.grounds.model import otherwise
from registry_hooks.rules.log import accounts, altered, trust
from registry_hooks.rules.log.merkle import StoredEntry, leaf_hash
from registry_hooks.rules.matters import matters
from registry_hooks.rules.policy import governing
from registry_hooks.rules.sight import WITHHELD, shown_lineage, shown_nomination
from registry_hooks.storage.gc_pause import unsearched
from registry_hooks.storage.kept.states import read_model_state
from registry_hooks.storage.ledger import SCOPES, AppliedPolicy, Ledger
from registry_hooks.storage.log.auditing import disagreeing
from registry_hooks.storage.mlflow_io import lineage
from registry_hooks.storage.mlflow_rows import Registry, SweptRegistry
from registry_hooks.storage.replay import Replay, replayed_model, replayed_until
from registry_hooks.storage.snapshots import Snapshot

_BATCH = 1000  # entries
_NO_MODELS = {trust.SCOPE: "keys or delegations", accounts.SCOPE: "accounts or roles"}


@dataclass(frozen=True)
class Reading:
    """Questions; nothing here changes anything."""

    cases: Cases

    def status(self, model: str | None = None) -> Answer:
        """The governed models, or one of them, as they stand.

        ``missing`` says what is not where the versions in a role rest on it; None of a model for which there was no
        time to look, where all are asked for.
        """
        if model:
            with self.cases.case(model, write=False) as case:
                told, held = _status(case), in_roles(case)
            return {"models": [{**told, "missing": missing(held, GLANCE)}]}
        until, to_look = time.monotonic() + GLANCE, {}
        actor, sight = require_actor(), current_sight()
        with self.cases.unit_of_work(write=False) as session:
            ledger, registry = Ledger(session), SweptRegistry(session)
            stored, keys, directory = dict(ledger.stored_states()), ledger.trust(), remembering(current_directory())
            people = ledger.accounts()
            now, found = self.cases.clock(), []
            for name, applied in governed_models(ledger, registry).items():
                if not sight.model(name):
                    continue
                facts = Facts(
                    now, applied.policy, applied.digest, None, keys, directory, sight, people, applied.applied_by
                )
                state = read_model_state(name, stored[name]) if name in stored else ModelState(model=name)
                case = case_at(Case(actor, ledger, registry, state, applied, facts))
                found.append({**_status(case), "missing": None})
                if time.monotonic() < until:
                    to_look[len(found) - 1] = in_roles(case)
        for number, held in to_look.items():
            if (left := until - time.monotonic()) > 0:
                found[number]["missing"] = missing(held, left)
        return {"models": found}

    def history(self, model: str, limit: int = 100, at: str | None = None) -> Answer:
        """The newest ``limit`` ledger entries of a model, oldest first.

        With ``at`` (RFC 3339) those until then, and the model as it stood at that time: the fold of those entries.
        """
        until = moment("at", at) if at is not None else None
        with self.cases.unit_of_work(write=False) as session:
            ledger = Ledger(session)
            known = Registry(session).exists(model) or ledger.entries(model, newest=1)
            if not known or model in SCOPES:
                raise NotFound(f"there is no registered model {model!r}")
            if until is None:
                return {"model": model, "entries": [entry_json(e) for e in ledger.entries(model, newest=limit)]}
            newest = deque((each for each in ledger.each_entry(model) if each.at <= until), maxlen=limit)
            state = replayed_until(ledger, model, until)
        return {
            "model": model,
            "entries": [entry_json(e) for e in newest],
            "as_of": state_json(state, current_sight()),
        }

    def lineage(self, model: str, version: int) -> Answer:
        """A version's record: who registered it from which run, its nominations with data and metrics, its tenures.

        ``now`` is what its run says today, for a version that was never nominated or to compare with.
        """
        with self.cases.case(model, write=False) as case:
            row, mine = case.registry.version(model, version), list[Entry]()
            served = tenures(_kept(case.ledger.each_entry(model), version, mine))
        sight = current_sight()
        nominations = [_nominated(entry, sight) for entry in mine if entry.action == "nominated"]
        readable = row.run_id is None or sight.run(row.run_id)
        return {
            "model": model,
            "version": version,
            "stage": row.stage,
            "registered": next((entry_json(e) for e in mine if e.action == "registered"), None),
            "nominations": nominations,
            "deployments": [each for each in served if each["version"] == version],
            "now": lineage(row) if readable else {"run_id": WITHHELD},
        }

    def audit_verify(self) -> Answer:
        """Recompute the ledger's Merkle tree, and hold every governed model's roles and stages against the ledger.

        ``problems`` names every ledger entry that does not add up, and every model whose registry rows do not.
        """
        with unsearched(), self.cases.unit_of_work(write=False) as session:
            return audited(session, Replay(Ledger(session).snapshots.all()))

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


def audited(session: Any, replay: Replay) -> Answer:
    """The log, its states and the registry held against each other; ``replay`` has read every entry then."""
    ledger, registry, sight = Ledger(session), SweptRegistry(session), current_sight()
    whole = sight.everything()
    found = ledger.verify(replay.read)
    problems: list[Answer] = [
        {"seq": problem.seq, "what": problem.what if whole else problem.what.split(":")[0]}
        for problem in found.problems
    ]
    told = {"ok": False, "size": found.tree.size, "root": found.tree.root.hex(), "problems": problems,
            **found.lacking()}  # fmt: skip
    problems += [{"seq": None, "what": what} for what in disagreeing(session, found.tree)]
    problems += [{"seq": None, "what": what} for what in _changed_snapshots(replay.snapshots, found.states)]
    for scope, what in _NO_MODELS.items():
        if scope in replay.broken or ledger.scope_state(scope) != replay.scopes[scope]:
            problems.append({"seq": None, "what": f"{what} are not what their ledger entries say"})
    if changed := _changed_policies(ledger.policy_texts(), replay.policies):
        # Who is governed, and by whom, is then not known.
        said = changed if whole else ["policies in force are not those that were applied last"]
        problems += [{"seq": None, "what": what} for what in said]
        return told
    stored = dict(ledger.stored_states())
    for model in governed_models(ledger, registry):
        said = _replayed_otherwise(replay, registry, model, stored.get(model))
        if said and not sight.model(model):
            said = ["a model that you may not read is not what its ledger entries say"]
        problems += [{"seq": None, "what": what} for what in said]
    if _condemned_by(replay) != sorted(ledger.condemned(), key=str):
        problems.append({"seq": None, "what": "what is condemned is not what the ledger entries say"})
    if {each for state in replay.states.values() for each in matters(state)} != set(ledger.waiting.all()):
        problems.append({"seq": None, "what": "what waits for people is not what the ledger entries say"})
    return {**told, "ok": not problems}


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


def _status(case: Case) -> Answer:
    policy = {"name": case.applied.policy.name, "version": case.applied.version}
    return {**status_json(case.state, case.facts, policy), "meddled": reasons_json(case.unsettled())}


def governed_models(ledger: Ledger, registry: Registry) -> dict[str, AppliedPolicy]:
    """The policy of each model that one names, and of each there that one's pattern matches; by name."""
    policies = [(applied.policy, applied) for applied in ledger.policies()]
    named = {name for policy, _ in policies for name in policy.names}
    there = registry.models() if any(policy.patterns for policy, _ in policies) else ()
    found = ((name, governing(name, policies)) for name in sorted({*named, *there}))
    return {name: applied for name, applied in found if applied is not None}


def _nominated(entry: Entry, sight: Sight) -> Answer:
    nomination = Nomination.model_validate(entry.body["nomination"])
    return {**shown_nomination(nomination, sight).as_json(), "lineage": shown_lineage(entry.body.get("lineage"), sight)}


def _kept(entries: Iterable[Entry], version: int, mine: list[Entry]) -> Iterator[Entry]:
    """The entries as they come; those of the version are added to ``mine``."""
    for entry in entries:
        if entry.version == version:
            mine.append(entry)
        yield entry


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
