"""States folded anew from the ledger's entries, to be held against those that are kept, or put in their place."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from functools import reduce
from typing import Any

from registry_hooks.errors import NotFound, RegistryError
from registry_hooks.records import AccountsState, Entry, ModelState, TrustState
from registry_hooks.rules.log.merkle import scope_of
from registry_hooks.rules.pair import fold
from registry_hooks.storage.ledger import SCOPES, Ledger
from registry_hooks.storage.snapshots import Snapshot

_UNFIT = (ValueError, LookupError, TypeError, AttributeError)  # what an entry that somebody rewrote may raise


def replayed(ledger: Ledger, scope: str) -> ModelState | TrustState | AccountsState:
    """The state of a model, or of one of `SCOPES`, folded anew; differs from the kept one only if somebody meddled.

    What was purged is known by its snapshot, and later entries are folded on that.

    Raises:
        PairError: when an entry is not possible in the state before it.
    """
    snapshot = ledger.snapshots.of(scope)
    after, state = (0, empty(scope)) if snapshot is None else (snapshot.seq, read_snapshot(snapshot))
    fold_scope: Callable[[Any, Entry], Any] = SCOPES[scope][1] if scope in SCOPES else fold
    return reduce(fold_scope, ledger.entries(scope, after=after), state)


def replayed_until(ledger: Ledger, model: str, until: datetime) -> ModelState:
    """The state of a model as it was at a time.

    Raises:
        NotFound: when the entries of that time were purged.
    """
    snapshot = ledger.snapshots.of(model)
    state = ModelState(model=model) if snapshot is None else read_snapshot(snapshot)
    assert isinstance(state, ModelState)
    if state.last_at is not None and until < state.last_at:
        raise NotFound(f"how {model!r} stood before {state.last_at:%Y-%m-%d %H:%M:%S}Z is not known any more: entries "
                       "of that time were purged")  # fmt: skip
    after = 0 if snapshot is None else snapshot.seq
    return reduce(fold, (e for e in ledger.each_entry(model) if e.seq > after and e.at <= until), state)


def empty(scope: str) -> ModelState | TrustState | AccountsState:
    """The state of a scope of which nothing was recorded."""
    return SCOPES[scope][0]() if scope in SCOPES else ModelState(model=scope)


def read_snapshot(snapshot: Snapshot) -> ModelState | TrustState | AccountsState:
    """The state that a purge kept.

    Raises:
        RegistryError: when it cannot be read.
    """
    kind = SCOPES[snapshot.scope][0] if snapshot.scope in SCOPES else ModelState
    try:
        return kind.model_validate_json(snapshot.state)
    except ValueError as error:
        raise RegistryError(f"the kept state of {snapshot.scope!r} was changed in the database") from error


def replayed_model(ledger: Ledger, model: str) -> ModelState:
    """As `replayed`, of a model."""
    state = replayed(ledger, model)
    assert isinstance(state, ModelState)  # no model has the name of one of SCOPES
    return state


def rebuild_states(ledger: Ledger) -> None:
    """Fold every scope anew and keep the result, as after an upgrade that changed what a state holds."""
    ledger.forget_states()
    newest = {scope: snapshot.seq for scope, snapshot in ledger.snapshots.all().items()}
    for scope, seq in {**newest, **ledger.scopes()}.items():
        ledger.save_state(scope, replayed(ledger, scope), seq)


class Replay:
    """States folded anew from entries as `Ledger.verify` reads them: of every model, and of `SCOPES`.

    ``policies`` are the texts applied last, by name. Of what was purged the ``snapshots`` are known, and entries that
    are older than these are not folded.

    ``broken`` says of a model why its entries cannot be replayed; its state is then the one before.
    """

    def __init__(self, snapshots: Mapping[str, Snapshot] | None = None) -> None:
        self.snapshots = snapshots or {}
        self.states: dict[str, ModelState] = {}
        self.broken: dict[str, str] = {}
        self.scopes: dict[str, TrustState | AccountsState] = {scope: kind() for scope, (kind, _) in SCOPES.items()}
        self.policies: dict[str, str] = {}
        for scope, snapshot in self.snapshots.items():
            try:
                self._keep(scope, read_snapshot(snapshot))
            except RegistryError as error:
                self.broken[scope] = error.headline

    def _keep(self, scope: str, state: ModelState | TrustState | AccountsState) -> None:
        if isinstance(state, ModelState):
            self.states[scope] = state
        else:
            self.scopes[scope] = state

    def of(self, scope: str) -> ModelState | TrustState | AccountsState:
        """The state of a scope; an empty one of a model of which nothing was read."""
        return self.scopes[scope] if scope in self.scopes else self.states.get(scope) or ModelState(model=scope)

    def read(self, seq: int, document: dict[str, Any]) -> None:
        """Fold one more entry in. It counts for the model that itself names, whatever its row says."""
        body = document.get("body")
        if document.get("action") == "policy-applied" and isinstance(body, dict):
            self.policies[str(body.get("name"))] = str(body.get("text"))
        scope = scope_of(document)
        if scope is None or scope in self.broken or (scope in self.snapshots and seq <= self.snapshots[scope].seq):
            return
        try:
            entry = Entry.model_validate(document)
            if scope in SCOPES:
                self.scopes[scope] = SCOPES[scope][1](self.scopes[scope], entry)
            else:
                self.states[scope] = fold(self.states.get(scope) or ModelState(model=scope), entry)
        except (RegistryError, *_UNFIT) as error:
            self.broken[scope] = f"entry {seq}: {error}"
