"""Texts with personal data are taken out of the log again. The log says so, and still verifies."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from mlflow_eval_plugin.canonical import canonical
from registry_hooks.desk.answers import Answer
from registry_hooks.desk.grounds.case import Cases, check_text, refuse_if, require_admin
from registry_hooks.errors import NotFound, Reason
from registry_hooks.records import AccountsState, ModelState, TrustState
from registry_hooks.rules.log import altered, redaction
from registry_hooks.rules.log.merkle import StoredEntry, leaf_hash
from registry_hooks.storage.ledger import SCOPES, Ledger
from registry_hooks.storage.log.rows import StoredLog
from registry_hooks.storage.mlflow_rows import Registry
from registry_hooks.storage.outbox.streams import Streams
from registry_hooks.storage.outbox.targets import Targets
from registry_hooks.storage.replay import replayed
from registry_hooks.storage.retry import again_if_undone
from registry_hooks.storage.snapshots import Snapshot


@dataclass(frozen=True)
class Redacting:
    """What administrators may take out of the texts of others."""

    cases: Cases

    @again_if_undone
    def redact(self, seq: int, field: str, reason: str) -> Answer:
        """Take a text that somebody wrote out of an entry, and of every entry and state that repeats it.

        The leaf hashes stay. An entry says which text is gone, and binds what the rows say now. Administrators only.
        """
        actor = require_admin("texts are redacted")
        check_text("reason", reason, required=True)
        with self.cases.unit_of_work(write=True) as session:
            ledger, registry, stored = Ledger(session), Registry(session), StoredLog(session)
            ledger.lock_policies()
            scope = _scope_of(stored, seq)
            model = None if scope in SCOPES else scope
            if model is not None:
                registry.lock(model, missing_ok=True)
            else:
                registry.lock_all()
            rows = _rows_of(stored, scope, seq)
            documents = {row.seq: json.loads(row.entry) for row in rows}
            refuse_if(f"entry {seq} cannot be redacted", [
                *_unsound(ledger, stored, scope, documents, rows), *redaction.may_redact(documents[seq], field),
            ])  # fmt: skip
            taken = redaction.texts(documents[seq], field)
            now = _rewritten(stored, documents, taken)
            if model is not None:
                Streams(session).take_out(model, taken)
            Targets(session).forget_errors()
            body = {"seq": seq, "field": field, "rows": now, "reason": reason, **_snapshot(ledger, scope, taken)}
            onto = _refolded(ledger, scope)
            clock = self.cases.clock()
            at = max(clock, onto.last_at) if onto is not None and onto.last_at else clock
            version = documents[seq]["version"]
            entry = ledger.append("redacted", actor, at, model=model, version=version, body=body, onto=onto)
        return {"seq": seq, "field": field, "rows": sorted(map(int, now)), "entry": entry.seq}


def _scope_of(stored: StoredLog, seq: int) -> str | None:
    """The scope of an entry: a model, one of `SCOPES`, or none."""
    for row in stored.of([seq]):
        assert row.columns is not None  # a row of the database has them
        if row.columns.scope == altered.SCOPE:
            raise NotFound(f"entry {seq} was purged, and has no text any more")
        return row.columns.scope
    raise NotFound(f"there is no entry {seq} in the audit log")


def _rows_of(stored: StoredLog, scope: str | None, seq: int) -> list[StoredEntry]:
    """The rows in which a text of the entry may stand: those of its scope, or itself alone."""
    return list(stored.of_scope(scope)) if scope is not None else stored.of([seq])


def _unsound(
    ledger: Ledger, stored: StoredLog, scope: str | None, documents: dict[int, dict[str, Any]], rows: list[StoredEntry]
) -> list[Reason]:
    """Reasons where rows, or what is folded from them, are not as they were written: nothing is written over that."""
    found, every = altered.Altered(), {row.seq: row for row in rows}
    every.update({row.seq: row for row in stored.of_action("redacted", "purged")})
    for seq, row in sorted(every.items()):
        document = documents.get(seq) or json.loads(row.entry)
        found.read(seq, row.entry, document, matches=leaf_hash(row.entry).hex() == row.leaf_hash)
    told = [f"entry {seq}: {what}" for seq, what in found.problems() if seq in documents]
    snapshot = ledger.snapshots.of(scope) if scope is not None else None
    if snapshot and found.states().get(altered.hidden(snapshot.scope)) != _digest(snapshot):
        told = ["a state that is not the one that a purge bound"]
    if scope is not None and not told and _kept(ledger, scope) != replayed(ledger, scope):
        told = ["a state that is not what its entries say"]
    return [Reason("log", "a log that adds up", each, "registry-hooks audit verify") for each in told]


def _kept(ledger: Ledger, scope: str) -> ModelState | TrustState | AccountsState:
    return ledger.scope_state(scope) if scope in SCOPES else ledger.state(scope)


def _rewritten(stored: StoredLog, documents: dict[int, dict[str, Any]], taken: list[redaction.Text]) -> dict[str, str]:
    """Rows that had the texts and are written without them: the digest of what each says now, by its number."""
    now = {}
    for seq, document in documents.items():
        changed, had = redaction.without(document, taken)
        if had:
            text = canonical(changed)
            stored.rewrite(seq, text)
            now[str(seq)] = altered.digest_of_text(text)
    return now


def _snapshot(ledger: Ledger, scope: str | None, taken: list[redaction.Text]) -> dict[str, Any]:
    """Write the state that a purge kept without the texts; what binds it from now on, where it had any."""
    snapshot = ledger.snapshots.of(scope) if scope is not None else None
    state, had = redaction.without(json.loads(snapshot.state), taken) if snapshot else ({}, False)
    if snapshot is None or not had:
        return {}
    now = snapshot._replace(state=json.dumps(state))
    ledger.snapshots.put(now)
    return {"states": {altered.hidden(now.scope): _digest(now)}}


def _digest(snapshot: Snapshot) -> str:
    return altered.digest_of_text(snapshot.state.encode())


def _refolded(ledger: Ledger, scope: str | None) -> ModelState | None:
    """Keep the state of a scope as its entries say it now; that of a model is given back."""
    if scope is None:
        return None
    state = replayed(ledger, scope)
    ledger.save_state(scope, state, ledger.scopes()[scope])
    return state if isinstance(state, ModelState) else None
