"""What people ask to see: status, history, and the audit of the ledger."""

from __future__ import annotations

from collections.abc import Iterator

from registry_hooks.answers import Answer, entry_json, reasons_json, status_json
from registry_hooks.desk.case import BaseDesk
from registry_hooks.errors import NotFound, RegistryError
from registry_hooks.ledger import Ledger
from registry_hooks.mlflow_io import Registry

_BATCH = 1000  # entries


class Reading(BaseDesk):
    """Questions; nothing here changes anything."""

    def status(self, model: str | None = None) -> Answer:
        """The governed models, or one of them, as they stand."""
        with self._unit_of_work(write=False) as session:
            ledger = Ledger(session)
            names = [model] if model else sorted(m for p in ledger.policies() for m in p.policy.models)
        return {"models": [self._status(name) for name in names]}

    def history(self, model: str, limit: int = 100) -> Answer:
        """The newest ``limit`` ledger entries of a model, oldest first."""
        with self._unit_of_work(write=False) as session:
            ledger = Ledger(session)
            if not Registry(session).exists(model) and not ledger.entries(model, newest=1):
                raise NotFound(f"there is no registered model {model!r}")
            return {"model": model, "entries": [entry_json(e) for e in ledger.entries(model, newest=limit)]}

    def audit_verify(self) -> Answer:
        """Recompute the ledger's Merkle tree, and hold every governed model's roles and stages against the ledger.

        ``problems`` names every ledger entry that does not add up, and every model whose registry rows do not.
        """
        with self._unit_of_work(write=False) as session:
            ledger, registry = Ledger(session), Registry(session)
            found = ledger.verify()
            problems: list[Answer] = [{"seq": problem.seq, "what": problem.what} for problem in found.problems]
            for model in sorted(m for applied in ledger.policies() for m in applied.policy.models):
                problems += [{"seq": None, "what": what} for what in _disagreements(ledger, registry, model)]
        return {"ok": not problems, "size": found.tree.size, "root": found.tree.root.hex(), "problems": problems}

    def audit_export(self) -> Iterator[bytes]:
        """Every entry as it is stored, one a line; the leaf hash of each line is RFC 6962's."""
        after, last = 0, self._last_seq()
        while after < last:
            # A transaction a batch: on SQLite an open one keeps everybody from writing while a reader dawdles.
            with self._unit_of_work(write=False) as session:
                batch = list(Ledger(session).rows(after, min(_BATCH, last - after)))
            if not batch:
                return
            for row in batch:
                yield row.entry + b"\n"
            after = batch[-1].seq

    def _last_seq(self) -> int:
        with self._unit_of_work(write=False) as session:
            return Ledger(session).last_seq

    def _status(self, model: str) -> Answer:
        with self._case(model, write=False) as case:
            answer = status_json(
                case.state, case.facts, {"name": case.applied.policy.name, "version": case.applied.version}
            )
            return {**answer, "meddled": reasons_json(case.meddling())}


def _disagreements(ledger: Ledger, registry: Registry, model: str) -> list[str]:
    """Where a model's cached state, aliases and stages are not what its ledger entries say."""
    try:
        state, replayed = ledger.state(model), ledger.replayed_state(model)
    except (RegistryError, ValueError) as error:
        return [f"{model}: its ledger entries or its state cannot be replayed: {error}"]
    said = []
    if state != replayed:
        said.append(f"{model}: its cached state is not what its ledger entries say")
    pair, aliases = replayed.pair, registry.pair(model)
    if aliases != pair:
        said.append(f"{model}: the ledger says {pair}, the aliases say {aliases}")
    stages = registry.stages(model)
    for stage, version in (("Production", pair.champion), ("Staging", pair.challenger)):
        if stages[stage] != ([version] if version else []):
            said.append(f"{model}: the ledger says {stage} is {version or 'nobody'}, the registry says {stages[stage]}")
    return said
