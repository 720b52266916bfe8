"""The JSON API, one literal table: which path and method, which fields, and which method of the desk answers.

Each route exists under ``/api/2.0/registry-hooks/`` for clients and under ``/ajax-api/2.0/registry-hooks/`` for pages.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from registry_hooks.app.api import requests
from registry_hooks.app.api.requests import Body

PASSWORD = "password"
"""The field that no use case sees: it re-authenticates the Actor."""

Reads = Literal["model", "models", "everything", "nothing"]


@dataclass(frozen=True)
class Route:
    """One route.

    Args:
        method: GET or POST.
        path: below ``registry-hooks/``.
        answers: the desk's method.
        body: what the request may say; of a GET, in its query.
        reads: what somebody who is no administrator must be allowed to READ in MLflow: the ``model`` that the request
            names, each of the ``models`` that the answer names (others are left out), ``everything`` in the registry,
            or ``nothing``.
        admin_only: whether only an administrator may.
        streams: the media type of what the desk answers with piece by piece; None where it answers with an object.
        long: whether it may take longer than a second, and so is answered to few at a time.
    """

    method: Literal["GET", "POST"]
    path: str
    answers: str
    body: type[Body] = Body
    reads: Reads = "model"
    admin_only: bool = False
    streams: Literal["application/x-ndjson", "application/zip", "text/plain"] | None = None
    long: bool = False


ROUTES = (
    Route("POST", "policy/check", "policy_check", requests.PolicyText, reads="nothing"),
    Route("POST", "policy/apply", "policy_apply", requests.PolicyApply, reads="nothing", admin_only=True),
    Route("GET", "policy", "policy_show", requests.PolicyShow),
    Route("GET", "policy/history", "policy_history", requests.PolicyNamed, reads="nothing"),
    Route("POST", "baseline", "baseline", requests.Baseline),
    Route("POST", "nominate", "nominate", requests.Nominate),
    Route("GET", "plan", "plan", requests.OfVersion),
    Route("POST", "request", "request", requests.Request),
    Route("POST", "approve", "approve", requests.Decision),
    Route("POST", "reject", "reject", requests.Decision),
    Route("POST", "withdraw", "withdraw", requests.Withdraw),
    Route("POST", "promote", "promote", requests.OfVersion),
    Route("POST", "break-glass", "break_glass", requests.BreakGlass),
    Route("POST", "review/close", "review_close", requests.ReviewClose),
    Route("POST", "rollback", "rollback", requests.Rollback),
    Route("GET", "inbox", "inbox", reads="nothing"),
    Route("GET", "proposal", "proposal", requests.OfProposal),
    Route("GET", "status", "status", requests.AnyModel, reads="models"),
    Route("GET", "model", "model", requests.Model),
    Route("GET", "history", "history", requests.History),
    Route("GET", "lineage", "lineage", requests.OfVersion),
    Route("POST", "reconcile", "reconcile", requests.OfModel, long=True),
    Route("POST", "key/trust", "key_trust", requests.KeyTrust, reads="nothing", admin_only=True),
    Route("POST", "key/revoke", "key_revoke", requests.KeyRevoke, reads="nothing", admin_only=True),
    Route("GET", "key", "keys", reads="nothing"),
    Route("POST", "delegate", "delegate", requests.Delegate, reads="nothing"),
    Route("POST", "delegate/end", "delegation_end", requests.DelegationEnd, reads="nothing"),
    Route("GET", "delegate", "delegations", reads="nothing"),
    Route("POST", "notify/add", "notify_add", requests.NotifyAdd, reads="nothing", admin_only=True),
    Route("POST", "notify/test", "notify_test", requests.NotifyTarget, reads="nothing", admin_only=True, long=True),
    Route("POST", "notify/remove", "notify_remove", requests.NotifyTarget, reads="nothing", admin_only=True),
    Route("GET", "notify", "notify_list", reads="nothing", admin_only=True),
    Route("GET", "audit/verify", "audit_verify", reads="nothing", long=True),
    Route("GET", "audit/search", "audit_search", requests.AuditSearch, reads="nothing"),
    Route("GET", "audit/checkpoint", "audit_checkpoint", reads="nothing"),
    Route("POST", "audit/cosign", "audit_cosign", requests.Cosign, reads="nothing"),
    Route("GET", "audit/prove", "audit_prove", requests.Prove, reads="nothing"),
    Route("GET", "audit/consistency", "audit_consistency", requests.Consistency, reads="nothing"),
    Route("GET", "audit/leaves", "audit_leaves", requests.Leaves, reads="everything", streams="text/plain"),
    Route("GET", "audit/key", "audit_keys", reads="nothing"),
    Route("POST", "audit/key", "audit_key_rotate", requests.KeyRotate, reads="nothing", admin_only=True),
    Route("GET", "audit/export", "audit_export", reads="everything", streams="application/x-ndjson"),
    Route("GET", "audit/dossier", "dossier", requests.Dossier, streams="application/zip"),
    Route("GET", "audit/purge", "purge_plan", requests.Before, reads="nothing", admin_only=True, long=True),
    Route("POST", "audit/purge", "purge", requests.Purge, reads="nothing", admin_only=True, long=True),
    Route("POST", "audit/redact", "redact", requests.Redact, reads="nothing", admin_only=True),
    Route("GET", "health", "health", reads="nothing"),
    Route("GET", "openapi.json", "openapi", reads="nothing"),
)
"""All routes. ``health`` and ``openapi`` are those that the door answers itself."""
