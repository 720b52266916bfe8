"""What the registry says when it says no.

A refusal carries *all* its reasons at once; each says what was expected, what was found and what would fix it.
``code`` is the name of an MLflow error code (``mlflow.protos.databricks_pb2``); a door turns it into the integer that
MLflow needs, and so into a 4xx. Nothing here becomes a 5xx, because MLflow's client retries those for minutes.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass


@dataclass(frozen=True)
class Reason:
    """One rule that does not hold.

    Args:
        rule: short stable name, e.g. ``four-eyes``.
        expected: what the rule asks for.
        found: what there is.
        mend: the command, or the person, that would fix it.
    """

    rule: str
    expected: str
    found: str
    mend: str

    def __str__(self) -> str:
        return f"{self.rule}: expected {self.expected}; found {self.found}. To fix: {self.mend}"


class RegistryError(Exception):
    """Base of all that the registry refuses; ``code`` names an MLflow error code."""

    code = "INVALID_PARAMETER_VALUE"

    def __init__(self, message: str, reasons: Iterable[Reason] = ()) -> None:
        self.reasons = tuple(reasons)
        lines = [message, *(f"  {number}. {reason}" for number, reason in enumerate(self.reasons, 1))]
        super().__init__("\n".join(lines))
        self.headline = message

    def as_json(self) -> dict[str, object]:
        """The body of an HTTP answer, in MLflow's own form plus ``reasons``."""
        return {"error_code": self.code, "message": str(self), "reasons": [asdict(r) for r in self.reasons]}


class Refused(RegistryError):
    """The rules say no: HTTP 403."""

    code = "PERMISSION_DENIED"


class Invalid(RegistryError):
    """The request itself is malformed: HTTP 400."""

    code = "INVALID_PARAMETER_VALUE"


class NotFound(RegistryError):
    """There is no such model, version, proposal or policy: HTTP 404."""

    code = "RESOURCE_DOES_NOT_EXIST"


class Conflict(RegistryError):
    """Another such thing is open already: HTTP 400, as MLflow answers for what exists already."""

    code = "RESOURCE_ALREADY_EXISTS"


class Unauthenticated(RegistryError):
    """Nobody is known to be asking: HTTP 401."""

    code = "UNAUTHENTICATED"


class Busy(RegistryError):
    """Too many are asking for what takes long: HTTP 429."""

    code = "REQUEST_LIMIT_EXCEEDED"


class NoAnswer(RegistryError):
    """A client's word: no answer to rely on came from a governed server. A write may or may not have been done."""

    code = "CLIENT"
