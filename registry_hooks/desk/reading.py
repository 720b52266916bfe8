"""What people ask to see of models: status, history, lineage."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from registry_hooks.desk.answers import Answer, entry_json, reasons_json, state_json, status_json, tenures
from registry_hooks.desk.grounds.absence import GLANCE, in_roles, missing
from registry_hooks.desk.grounds.case import Case, Cases, case_at, governed_models, remembering
from registry_hooks.desk.grounds.times import moment
from registry_hooks.errors import NotFound
from registry_hooks.identity import Sight, current_directory, current_sight, require_actor
from registry_hooks.records import Entry, ModelState, Nomination
from registry_hooks.rules.approval.people import Facts
from registry_hooks.rules.sight import WITHHELD, shown_lineage, shown_nomination
from registry_hooks.storage.kept.states import read_model_state
from registry_hooks.storage.ledger import SCOPES, Ledger
from registry_hooks.storage.mlflow_io import lineage
from registry_hooks.storage.mlflow_rows import Registry, SweptRegistry
from registry_hooks.storage.replay import replayed_until


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


def _status(case: Case) -> Answer:
    policy = {"name": case.applied.policy.name, "version": case.applied.version}
    return {**status_json(case.state, case.facts, policy), "meddled": reasons_json(case.unsettled())}


def _nominated(entry: Entry, sight: Sight) -> Answer:
    nomination = Nomination.model_validate(entry.body["nomination"])
    return {**shown_nomination(nomination, sight).as_json(), "lineage": shown_lineage(entry.body.get("lineage"), sight)}


def _kept(entries: Iterable[Entry], version: int, mine: list[Entry]) -> Iterator[Entry]:
    """The entries as they come; those of the version are added to ``mine``."""
    for entry in entries:
        if entry.version == version:
            mine.append(entry)
        yield entry
