"""The use cases: nominate, request, approve, promote, roll back, reconcile, and what people ask to see.

Every change is decided and written in one unit of work, under the lock of the model's row: the policy, the state and
the registry's rows are read, all reasons against it are collected, and either all are told or the registry rows and
the ledger entry change together. Files and Evidence are read before the unit of work begins, because reading them
takes time; what was read is bound by its digest.
"""

from registry_hooks.desk.grounds.case import UnitOfWork, utc_now
from registry_hooks.desk.holding import Holding
from registry_hooks.desk.keeping import Keeping
from registry_hooks.desk.native import Native
from registry_hooks.desk.policies import Policies
from registry_hooks.desk.reading import Reading
from registry_hooks.desk.reconciling import Reconciling
from registry_hooks.desk.signing import Signing
from registry_hooks.desk.trusting import Trusting
from registry_hooks.storage.retry import again_if_undone

__all__ = ["Desk", "UnitOfWork", "utc_now"]


class Desk(Signing, Policies, Trusting, Keeping, Reading, Native, Reconciling, Holding):
    """All use cases over one registry; each answers with plain JSON and raises ``registry_hooks.errors``.

    Those that change something are made again, in full, when the database undid them.
    """

    policy_apply = again_if_undone(Policies.policy_apply)
    nominate = again_if_undone(Native.nominate)
    request = again_if_undone(Signing.request)
    approve = again_if_undone(Signing.approve)
    reject = again_if_undone(Signing.reject)
    promote = again_if_undone(Native.promote)
    rollback = again_if_undone(Native.rollback)
    withdraw = again_if_undone(Signing.withdraw)
    break_glass = again_if_undone(Native.break_glass)
    review_close = again_if_undone(Native.review_close)
    key_trust = again_if_undone(Trusting.key_trust)
    key_revoke = again_if_undone(Trusting.key_revoke)
    delegate = again_if_undone(Trusting.delegate)
    delegation_end = again_if_undone(Trusting.delegation_end)
    account_change = again_if_undone(Keeping.account_change)
    account_undone = again_if_undone(Keeping.account_undone)
    note_files = again_if_undone(Native.note_files)
