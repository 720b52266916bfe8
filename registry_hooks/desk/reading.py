"""What people ask to see: status, history, and the audit of the ledger."""

from __future__ import annotations

from collections.abc import Iterator

from registry_hooks.answers import Answer, entry_json, reasons_json, status_json
from registry_hooks.desk.case import BaseDesk
from registry_hooks.errors import NotFound
from registry_hooks.ledger import Ledger
from registry_hooks.mlflow_io import Registry


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
        """Recompute the ledger's Merkle tree; ``problems`` names every entry that does not add up."""
        with self._unit_of_work(write=False) as session:
            found = Ledger(session).verify()
        problems = [{"seq": problem.seq, "what": problem.what} for problem in found.problems]
        return {"ok": found.ok, "size": found.tree.size, "root": found.tree.root.hex(), "problems": problems}

    def audit_export(self) -> Iterator[bytes]:
        """Every entry as it is stored, one a line; the leaf hash of each line is RFC 6962's."""
        with self._unit_of_work(write=False) as session:
            for row in Ledger(session).rows():
                yield row.entry + b"\n"

    def _status(self, model: str) -> Answer:
        with self._case(model, write=False) as case:
            answer = status_json(
                case.state, case.facts, {"name": case.applied.policy.name, "version": case.applied.version}
            )
            return {**answer, "meddled": reasons_json(case.meddling())}
