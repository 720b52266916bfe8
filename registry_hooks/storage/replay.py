"""States folded anew from the ledger's entries, to be held against those that are kept, or put in their place."""

from __future__ import annotations

from functools import reduce
from typing import Any

from registry_hooks.errors import RegistryError
from registry_hooks.records import AccountsState, Entry, ModelState, TrustState
from registry_hooks.rules.log.merkle import scope_of
from registry_hooks.rules.pair import fold
from registry_hooks.storage.ledger import SCOPES, Ledger

_UNFIT = (ValueError, LookupError, TypeError, AttributeError)  # what an entry that somebody rewrote may raise


def replayed(ledger: Ledger, scope: str) -> ModelState | TrustState | AccountsState:
    """The state of a model, or of one of `SCOPES`, folded anew; differs from the kept one only if somebody meddled.

    Raises:
        PairError: when an entry is not possible in the state before it.
    """
    if scope in SCOPES:
        kind, fold_scope = SCOPES[scope]
        return reduce(fold_scope, ledger.entries(scope), kind())
    return reduce(fold, ledger.entries(scope), ModelState(model=scope))


def replayed_model(ledger: Ledger, model: str) -> ModelState:
    """As `replayed`, of a model."""
    state = replayed(ledger, model)
    assert isinstance(state, ModelState)  # no model has the name of one of SCOPES
    return state


def rebuild_states(ledger: Ledger) -> None:
    """Fold every scope anew and keep the result, as after an upgrade that changed what a state holds."""
    ledger.forget_states()
    for scope, seq in ledger.scopes().items():
        ledger.save_state(scope, replayed(ledger, scope), seq)


class Replay:
    """States folded anew from entries as `Ledger.verify` reads them: of every model, and of `SCOPES`.

    ``policies`` are the texts applied last, by name.

    ``broken`` says of a model why its entries cannot be replayed; its state is then the one before.
    """

    def __init__(self) -> None:
        self.states: dict[str, ModelState] = {}
        self.broken: dict[str, str] = {}
        self.scopes: dict[str, TrustState | AccountsState] = {scope: kind() for scope, (kind, _) in SCOPES.items()}
        self.policies: dict[str, str] = {}

    def read(self, seq: int, document: dict[str, Any]) -> None:
        """Fold one more entry in. It counts for the model that itself names, whatever its row says."""
        body = document.get("body")
        if document.get("action") == "policy-applied" and isinstance(body, dict):
            self.policies[str(body.get("name"))] = str(body.get("text"))
        scope = scope_of(document)
        if scope is None or scope in self.broken:
            return
        try:
            entry = Entry.model_validate(document)
            if scope in SCOPES:
                self.scopes[scope] = SCOPES[scope][1](self.scopes[scope], entry)
            else:
                self.states[scope] = fold(self.states.get(scope) or ModelState(model=scope), entry)
        except (RegistryError, *_UNFIT) as error:
            self.broken[scope] = f"entry {seq}: {error}"
