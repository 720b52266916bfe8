"""The JSON API, one literal table: which path and method, which fields, and which method of the desk answers.

Each route exists under ``/api/2.0/registry-hooks/`` for clients and under ``/ajax-api/2.0/registry-hooks/`` for pages.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from registry_hooks.app.api.bodies import Field

PASSWORD = "password"
"""The field that no use case sees: it re-authenticates the Actor."""
MODEL = Field("model", required=True, longest=256)
ANY_MODEL = Field("model", longest=256)
VERSION = Field("version", "whole", required=True)
ANY_VERSION = Field("version", "whole")
COMMENT = Field("comment")
PROPOSAL = Field("proposal", longest=64)
YAML = Field("yaml", required=True, longest=256 * 1024)
REASON = Field("reason", required=True)
NAME = Field("name", required=True, longest=256)
ADOPT = Field("adopt", "choice", choices=("alias", "stage"))
VERIFY = Field("verify", "choice", choices=("parallel", "now", "later"))
ROLLBACK = (MODEL, REASON, Field("to", "whole"), Field("expected", "whole"), VERIFY)
SIGNED = (Field("digest", longest=80), Field("for_whom", longest=256), Field(PASSWORD, longest=1024))
DECISION = (MODEL, ANY_VERSION, PROPOSAL, COMMENT, Field("meaning"), *SIGNED)
DELEGATE = (
    Field("policy", required=True, longest=256),
    Field("role", required=True, longest=256),
    Field("to", required=True, longest=256),
    Field("lasts", required=True, longest=16),
    REASON,
)

Reads = Literal["model", "models", "everything", "nothing"]


@dataclass(frozen=True)
class Route:
    """One route.

    Args:
        method: GET or POST.
        path: below ``registry-hooks/``.
        answers: the desk's method.
        fields: of the body, or of the query for a GET.
        reads: what somebody who is no administrator must be allowed to READ in MLflow: the ``model`` that the request
            names, each of the ``models`` that the answer names (others are left out), ``everything`` in the registry,
            or ``nothing``.
        admin_only: whether only an administrator may.
        streams: whether the desk answers with lines, not with an object.
        long: whether it may take longer than a second, and so is answered to few at a time.
    """

    method: Literal["GET", "POST"]
    path: str
    answers: str
    fields: tuple[Field, ...] = ()
    reads: Reads = "model"
    admin_only: bool = False
    streams: bool = False
    long: bool = False


ROUTES = (
    Route("POST", "policy/check", "policy_check", (YAML,), reads="nothing"),
    Route("POST", "policy/apply", "policy_apply", (YAML, ADOPT), reads="nothing", admin_only=True),
    Route("GET", "policy", "policy_show", (ANY_MODEL, Field("name", longest=256))),
    Route("POST", "nominate", "nominate", (MODEL, VERSION, Field("runs", "texts", longest=64), COMMENT)),
    Route("GET", "plan", "plan", (MODEL, VERSION)),
    Route("POST", "request", "request", (MODEL, VERSION, COMMENT)),
    Route("POST", "approve", "approve", DECISION),
    Route("POST", "reject", "reject", DECISION),
    Route("POST", "withdraw", "withdraw", (MODEL, ANY_VERSION, PROPOSAL, COMMENT)),
    Route("POST", "promote", "promote", (MODEL, VERSION)),
    Route("POST", "break-glass", "break_glass", (MODEL, VERSION, REASON)),
    Route(
        "POST",
        "review/close",
        "review_close",
        (MODEL, Field("review", required=True, longest=64), Field("finding", required=True)),
    ),
    Route("POST", "rollback", "rollback", ROLLBACK),
    Route("GET", "status", "status", (ANY_MODEL,), reads="models"),
    Route("GET", "history", "history", (MODEL, Field("limit", "whole", largest=1000), Field("at", longest=64))),
    Route("GET", "lineage", "lineage", (MODEL, VERSION)),
    Route("POST", "reconcile", "reconcile", (MODEL,), long=True),
    Route("POST", "key/trust", "key_trust", (NAME, Field("public", required=True)), reads="nothing", admin_only=True),
    Route(
        "POST",
        "key/revoke",
        "key_revoke",
        (Field("key", required=True, longest=80), REASON),
        reads="nothing",
        admin_only=True,
    ),
    Route("GET", "key", "keys", reads="nothing"),
    Route("POST", "delegate", "delegate", DELEGATE, reads="nothing"),
    Route("POST", "delegate/end", "delegation_end", (Field("delegation", required=True, longest=64),), reads="nothing"),
    Route("GET", "delegate", "delegations", reads="nothing"),
    Route("GET", "audit/verify", "audit_verify", reads="nothing", long=True),
    Route("GET", "audit/export", "audit_export", reads="everything", streams=True),
    Route("GET", "health", "health", reads="nothing"),
    Route("GET", "openapi.json", "openapi", reads="nothing"),
)
"""All routes. ``health`` and ``openapi`` are those that the door answers itself."""
