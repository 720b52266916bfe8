"""Whose word counts beside the policy's: keys that sign Evidence, and roles lent for a time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from registry_hooks.desk.answers import Answer
from registry_hooks.desk.grounds.case import Cases, check_text, refuse_if, remembering, require_admin
from registry_hooks.desk.grounds.visible import shown_policies
from registry_hooks.errors import Invalid, NotFound
from registry_hooks.identity import Actor, current_directory, current_sight, require_actor
from registry_hooks.records import Action, Delegation, Entry, TrustedKey
from registry_hooks.rules.approval.lending import may_end, may_lend
from registry_hooks.rules.approval.people import Facts
from registry_hooks.rules.log import trust
from registry_hooks.rules.policy import duration
from registry_hooks.rules.signatures import key_id, read_public
from registry_hooks.storage.ledger import Ledger
from registry_hooks.storage.mlflow_rows import Registry
from registry_hooks.storage.retry import again_if_undone


@dataclass(frozen=True)
class Trusting:
    """Keys and delegations."""

    cases: Cases

    @again_if_undone
    def key_trust(self, name: str, public: str) -> Answer:
        """Trust a public key, in PEM, under a name that policies may ask for. Administrators only."""
        actor = require_admin("keys are trusted")
        check_text("name", name, required=True)
        known = key_id(read_public(public))
        with self.cases.unit_of_work(write=True) as session:
            ledger = Ledger(session)
            ledger.lock_policies()
            refuse_if(f"the key cannot be trusted as {name!r}", trust.may_trust(ledger.trust(), known, name))
            key = TrustedKey(id=known, name=name, public=public, trusted_by=actor.name, trusted_at=self.cases.clock())
            entry = self._note(ledger, "key-trusted", actor, {"key": key.as_json()})
        return {"key": key.as_json(), "entry": entry.seq}

    @again_if_undone
    def key_revoke(self, key: str, reason: str) -> Answer:
        """End the trust in a key, by its id: nothing that it ever signed counts from now on. Administrators only."""
        actor = require_admin("keys are revoked")
        check_text("reason", reason, required=True)
        with self.cases.unit_of_work(write=True) as session:
            ledger = Ledger(session)
            ledger.lock_policies()
            Registry(session).lock_all()
            known = ledger.trust().keys.get(key)
            if known is None or known.revoked_at is not None:
                raise NotFound(f"there is no trusted key {key[:80]!r}; registry-hooks key list shows them")
            entry = self._note(ledger, "key-revoked", actor, {"key": key, "reason": reason})
            found = ledger.trust().keys[key]
        return {"key": found.as_json(), "entry": entry.seq}

    def keys(self) -> Answer:
        """Every key that is or ever was trusted."""
        with self.cases.unit_of_work(write=False) as session:
            return {"keys": [key.as_json() for key in Ledger(session).trust().keys.values()]}

    @again_if_undone
    def delegate(self, policy: str, role: str, to: str, lasts: str, reason: str) -> Answer:
        """Lend one's own seat in a role of a policy to somebody, from now and for so long (``3d``)."""
        actor = require_actor()
        check_text("reason", reason, required=True)
        try:
            length = duration(lasts)
        except ValueError as error:
            raise Invalid(f"lasts: {error}, found {lasts[:40]!r}") from error
        with self.cases.unit_of_work(write=True) as session:
            ledger = Ledger(session)
            ledger.lock_policies()
            applied = next((each for each in ledger.policies() if each.policy.name == policy), None)
            if applied is None:
                raise _no_policy(policy)
            now = self.cases.clock()
            if not applied.policy.roles_of(actor) and not _visible(ledger, session, policy):
                raise _no_policy(policy)
            directory = remembering(current_directory())
            facts = Facts(now, applied.policy, applied.digest, trust=ledger.trust(), directory=directory)
            refuse_if(f"{role} cannot be lent to {to}", may_lend(actor, role, to, length, facts))
            lent = Delegation(
                id=f"D-{ledger.next_seq}", policy=policy, role=role, by=actor.name, to=to, since=now,
                until=now + length, reason=reason,
            )  # fmt: skip
            entry = self._note(ledger, "delegated", actor, {"delegation": lent.as_json()})
        return {"delegation": lent.as_json(), "entry": entry.seq}

    @again_if_undone
    def delegation_end(self, delegation: str) -> Answer:
        """Take a seat back before its time: the lender, the borrower or an administrator."""
        actor = require_actor()
        with self.cases.unit_of_work(write=True) as session:
            ledger = Ledger(session)
            ledger.lock_policies()
            Registry(session).lock_all()
            found = ledger.trust().delegations.get(delegation)
            mine = found is not None and actor.name in (found.by, found.to)
            seen = mine or (found is not None and _visible(ledger, session, found.policy))
            if found is None or not seen or not found.in_force(self.cases.clock()):
                raise NotFound(f"there is no delegation {delegation[:80]!r} in force")
            refuse_if(f"delegation {found.id} is not yours to end", may_end(actor, found))
            entry = self._note(ledger, "delegation-ended", actor, {"delegation": found.id})
        return {"delegation": found.as_json(), "entry": entry.seq}

    def delegations(self) -> Answer:
        """The delegations in force: the caller's own, and those under policies that they are shown."""
        name = require_actor().name
        with self.cases.unit_of_work(write=False) as session:
            ledger = Ledger(session)
            found = ledger.trust().delegations.values()
            shown = shown_policies(ledger.policies(), Registry(session), current_sight())
        mine = [each for each in found if name in (each.by, each.to) or each.policy in shown]
        return {"delegations": [each.as_json() for each in mine if each.in_force(self.cases.clock())]}

    def _note(self, ledger: Ledger, action: Action, actor: Actor, body: dict[str, Any]) -> Entry:
        return ledger.append(action, actor, self.cases.clock(), model=None, version=None, body=body, scope=trust.SCOPE)


def _visible(ledger: Ledger, session: Any, policy: str) -> bool:
    return policy in shown_policies(ledger.policies(), Registry(session), current_sight())


def _no_policy(name: str) -> NotFound:
    return NotFound(f"there is no policy {name[:80]!r}; registry-hooks policy show lists them")
