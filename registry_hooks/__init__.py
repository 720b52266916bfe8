"""The gate over MLflow's model registry: champion-challenger pairs, human approvals, an audit log, rollback.

The Python API is what ``__all__`` names: a `Client` of a governed server, and what it raises. It is imported when it is
asked for, because MLflow imports this package for its store alone. Everything else here may change between versions.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from registry_hooks.client import Client
    from registry_hooks.errors import (
        Busy,
        Conflict,
        Invalid,
        NoAnswer,
        NotFound,
        Reason,
        Refused,
        RegistryError,
        Unauthenticated,
    )

__all__ = [
    "Busy",
    "Client",
    "Conflict",
    "Invalid",
    "NoAnswer",
    "NotFound",
    "Reason",
    "Refused",
    "RegistryError",
    "Unauthenticated",
]


def __getattr__(name: str) -> object:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from registry_hooks import client, errors

    return getattr(client if name == "Client" else errors, name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
