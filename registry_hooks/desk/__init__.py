"""The use cases: nominate, request, approve, promote, roll back, reconcile, and what people ask to see.

Every change is decided and written in one unit of work, under the lock of the model's row: the policy, the state and
the registry's rows are read, all reasons against it are collected, and either all are told or the registry rows and
the ledger entry change together. Files and Evidence are read before the unit of work begins, because reading them
takes time; what was read is bound by its digest.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from functools import partial

from registry_hooks.desk.dossier.making import Dossiers
from registry_hooks.desk.emergency import Emergency
from registry_hooks.desk.grounds.case import Cases, UnitOfWork, utc_now
from registry_hooks.desk.holding import Holding
from registry_hooks.desk.keeping import Keeping
from registry_hooks.desk.log.auditing import Auditing
from registry_hooks.desk.log.checkpointing import Checkpointing
from registry_hooks.desk.log.counting import Counting
from registry_hooks.desk.log.proving import Proving
from registry_hooks.desk.log.redacting import Redacting
from registry_hooks.desk.log.searching import Searching
from registry_hooks.desk.native import Native
from registry_hooks.desk.notifying import Notifying
from registry_hooks.desk.policies import Policies
from registry_hooks.desk.purging import Purging
from registry_hooks.desk.reading import Reading
from registry_hooks.desk.reconciling import Reconciling
from registry_hooks.desk.shown.inbox import Inbox
from registry_hooks.desk.shown.model import Models
from registry_hooks.desk.shown.proposal import Shown
from registry_hooks.desk.signing import Signing
from registry_hooks.desk.transitions import Transitions
from registry_hooks.desk.trusting import Trusting

__all__ = ["Desk", "UnitOfWork", "utc_now"]


class Desk:
    """All use cases over one registry; each answers with plain JSON and raises ``registry_hooks.errors``.

    Those that change something are made again, in full, when the database undid them.

    Args:
        unit_of_work: opens a transaction on the registry's database.
        clock: gives the time in UTC.
    """

    def __init__(self, unit_of_work: UnitOfWork, clock: Callable[[], datetime] = utc_now) -> None:
        self.cases = cases = Cases(unit_of_work, clock)
        transitions, signing, policies, trusting = Transitions(cases), Signing(cases), Policies(cases), Trusting(cases)
        self.emergency = emergency = Emergency(cases)
        reading, reconciling = Reading(cases), Reconciling(cases, emergency)
        self.notifying = notifying = Notifying(cases)
        # No route leads to these: the store and the app ask them.
        self.native = Native(cases, transitions, emergency)
        self.holding, self.keeping, self.counting = Holding(cases), Keeping(cases), Counting(cases)

        self.policy_check, self.policy_apply = policies.policy_check, policies.policy_apply
        self.policy_show, self.policy_history = policies.policy_show, policies.policy_history
        self.baseline = transitions.baseline
        self.nominate, self.plan, self.promote = transitions.nominate, transitions.plan, transitions.promote
        self.request, self.withdraw = signing.request, signing.withdraw
        self.approve, self.reject = partial(signing.sign, "yes"), partial(signing.sign, "no")
        self.rollback, self.break_glass = emergency.rollback, emergency.break_glass
        self.review_close = emergency.review_close
        self.status, self.history, self.lineage = reading.status, reading.history, reading.lineage
        shown = Shown(cases)
        self.model = Models(cases).model
        self.inbox, self.proposal, self.report = Inbox(cases).inbox, shown.proposal, shown.report
        auditing = Auditing(cases)
        self.audit_verify, self.audit_export = notifying.of_tampering(auditing.audit_verify), auditing.audit_export
        self.checkpointing = checkpointing = Checkpointing(cases, notifying.tell_tampering)
        proving = Proving(cases, checkpointing)
        self.audit_checkpoint, self.audit_cosign = checkpointing.audit_checkpoint, checkpointing.audit_cosign
        self.audit_keys, self.audit_key_rotate = checkpointing.audit_keys, checkpointing.audit_key_rotate
        self.audit_prove, self.audit_consistency = proving.audit_prove, proving.audit_consistency
        self.audit_search = Searching(cases).audit_search
        self.audit_leaves = proving.audit_leaves
        self.reconcile = notifying.of_tampering(reconciling.reconcile)
        self.dossier = Dossiers(cases, checkpointing).dossier
        self.redact, purging = Redacting(cases).redact, Purging(cases)
        self.purge, self.purge_plan = purging.purge, purging.purge_plan
        self.key_trust, self.key_revoke, self.keys = trusting.key_trust, trusting.key_revoke, trusting.keys
        self.delegate, self.delegation_end = trusting.delegate, trusting.delegation_end
        self.delegations = trusting.delegations
        self.notify_add, self.notify_list = notifying.notify_add, notifying.notify_list
        self.notify_test, self.notify_remove = notifying.notify_test, notifying.notify_remove
