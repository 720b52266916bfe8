"""The book of accounts: what is done to users and roles of MLflow's auth is written down before it is done."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from registry_hooks.desk.grounds.case import Cases
from registry_hooks.identity import Actor
from registry_hooks.records import AccountAction
from registry_hooks.rules.log import accounts
from registry_hooks.storage.ledger import Ledger
from registry_hooks.storage.mlflow_rows import Registry
from registry_hooks.storage.retry import again_if_undone


@dataclass(frozen=True)
class Keeping:
    """Written by the app around the auth store's methods; no route leads here."""

    cases: Cases

    @again_if_undone
    def account_change(self, actor: Actor, action: AccountAction, body: dict[str, Any]) -> int:
        """Write down a change that is about to be made; returns the entry's number.

        MLflow's auth may have a database of its own, so the two are not one transaction: the entry is there first.
        """
        return self._keep(actor, action, body)

    @again_if_undone
    def account_undone(self, actor: Actor, of: int, why: str) -> None:
        """Write down that the change of entry ``of`` was refused, and that nothing of it was done."""
        self._keep(actor, "account-undone", {"of": of, "why": why})

    def was_removed(self, user: str) -> bool:
        """Whether the last that was written down of an account is that somebody deleted it."""
        deleted: dict[int, bool] = {}
        with self.cases.unit_of_work(write=False) as session:
            for entry in Ledger(session).each_entry(accounts.SCOPE):
                if entry.action in ("user-created", "user-deleted") and entry.body.get("user") == user:
                    deleted[entry.seq] = entry.action == "user-deleted"
                elif entry.action == "account-undone":
                    deleted.pop(int(entry.body["of"]), None)
        return bool(deleted) and deleted[max(deleted)]

    def _keep(self, actor: Actor, action: AccountAction, body: dict[str, Any]) -> int:
        with self.cases.unit_of_work(write=True) as session:
            ledger = Ledger(session)
            if action != "permission-changed" or "role" in body:  # decisions under way may rest on it
                ledger.lock_policies()
                Registry(session).lock_all()
            entry = ledger.append(
                action, actor, self.cases.clock(), model=None, version=None, body=body, scope=accounts.SCOPE
            )
        return entry.seq
