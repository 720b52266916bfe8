"""Keys and delegations as the fold of the ledger entries about them."""

from __future__ import annotations

from typing import Any

from registry_hooks.errors import Reason
from registry_hooks.records import Delegation, Entry, LogKey, TrustedKey, TrustState
from registry_hooks.rules.pair import PairError

SCOPE = ":trust"
"""The scope of such entries in the ledger; no registered model can have a name with a colon."""
ACTIONS = frozenset({"key-trusted", "key-revoked", "delegated", "delegation-ended", "log-key-changed"})
"""The actions of such entries."""


def fold_trust(state: TrustState, entry: Entry) -> TrustState:
    """The state after one ledger entry about a key or a delegation.

    Raises:
        PairError: when the entry is not possible in this state.
    """
    body: dict[str, Any] = entry.body
    match entry.action:
        case "key-trusted":
            key = TrustedKey.model_validate(body["key"])
            return state.model_copy(update={"keys": {**state.keys, key.id: key}})
        case "key-revoked":
            known = state.keys.get(body["key"])
            if known is None:
                raise PairError(f"entry {entry.seq}: there is no key {body['key']}")
            revoked = known.model_copy(update={"revoked_at": entry.at})
            return state.model_copy(update={"keys": {**state.keys, known.id: revoked}})
        case "delegated":
            lent = Delegation.model_validate(body["delegation"])
            current = {i: d for i, d in state.delegations.items() if d.until > entry.at}
            return state.model_copy(update={"delegations": {**current, lent.id: lent}})
        case "delegation-ended":
            left = {i: d for i, d in state.delegations.items() if i != body["delegation"]}
            return state.model_copy(update={"delegations": left})
        case "log-key-changed":
            first = () if body["before"] is None else (LogKey(vkey=body["before"], since=0),)
            changed = LogKey(vkey=body["key"], since=entry.seq)
            return state.model_copy(update={"log_keys": (*(state.log_keys or first), changed)})
    raise PairError(f"entry {entry.seq}: {entry.action} is no entry about keys or delegations")


def may_trust(state: TrustState, key_id: str, name: str) -> list[Reason]:
    """Why a key cannot be trusted under a name; empty when it can."""
    known = state.keys.get(key_id)
    if known is None:
        return []
    if known.revoked_at is not None:
        return [Reason("key", "a key that was never revoked", f"{name} is the revoked key {known.name}",
                       "registry-hooks key new makes another")]  # fmt: skip
    return [Reason("key", "a key that is not trusted yet", f"it is trusted as {known.name}", "nothing to do")]
