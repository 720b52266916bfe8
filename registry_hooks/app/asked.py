"""The request that is being answered: its id, who asks, and why it is refused, for the log and the counts."""

from __future__ import annotations

from contextvars import ContextVar
from dataclasses import dataclass

from registry_hooks.errors import RegistryError


@dataclass
class Asked:
    """One request; what is found out about it while it is answered is written here.

    Args:
        id: as the client or the proxy named it, or made here.
        user: who asks, once MLflow knows.
        error: why a page refuses it; of other answers the body says so.
    """

    id: str
    user: str | None = None
    error: RegistryError | None = None


_asked: ContextVar[Asked | None] = ContextVar("registry_hooks_asked", default=None)


def current_request() -> Asked | None:
    """The request that is being answered here; None where there is none."""
    return _asked.get()


def begin(request: Asked) -> None:
    """Make it the current one; whoever runs in this context, and in copies of it, finds it."""
    _asked.set(request)


def note_refusal(error: RegistryError) -> None:
    """Say why the current request is refused, where its answer does not say it to programs."""
    request = _asked.get()
    if request is not None:
        request.error = error
