"""States as they are stored, read."""

from __future__ import annotations

from functools import lru_cache
from typing import TypeVar

from registry_hooks.errors import RegistryError
from registry_hooks.records import AccountsState, ModelState, TrustState
from registry_hooks.rules.log import accounts, trust

State = TypeVar("State", ModelState, TrustState, AccountsState)


def model_state(model: str, stored: dict[str, str]) -> ModelState:
    """The state of a model among those that are stored; empty when nothing was ever recorded of it."""
    return read_model_state(model, stored[model]) if model in stored else ModelState(model=model)


def trust_state(stored: dict[str, str]) -> TrustState:
    """The keys and delegations; empty when there never were any."""
    return _read_state(trust.SCOPE, TrustState, stored[trust.SCOPE]) if trust.SCOPE in stored else TrustState()


def accounts_state(stored: dict[str, str]) -> AccountsState:
    """What is known of the users of MLflow's auth; empty when nothing is yet."""
    return _read_accounts(stored[accounts.SCOPE]) if accounts.SCOPE in stored else AccountsState()


@lru_cache(maxsize=4)
def _read_accounts(text: str) -> AccountsState:
    # The same for every model, and read with each.
    return _read_state(accounts.SCOPE, AccountsState, text)


def scope_state_of(scope: str, stored: dict[str, str]) -> TrustState | AccountsState:
    """The state of keys and delegations, or of accounts."""
    return trust_state(stored) if scope == trust.SCOPE else accounts_state(stored)


def _read_state(scope: str, kind: type[State], text: str) -> State:
    try:
        return kind.model_validate_json(text)
    except ValueError as error:
        raise RegistryError(f"the state of {scope!r} cannot be read: it was changed in the database") from error


def read_model_state(model: str, text: str) -> ModelState:
    """A model's state from what `registry_hooks.storage.ledger.Ledger.stored_states` gives.

    Raises:
        RegistryError: when it cannot be read.
    """
    return _read_state(model, ModelState, text)
