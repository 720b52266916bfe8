"""Who acts. Absent means refuse: no rule ever guesses an Actor."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field

from registry_hooks.errors import Unauthenticated


@dataclass(frozen=True)
class Actor:
    """A person or service that the server has authenticated.

    Args:
        name: the login name.
        authenticated_by: how, e.g. ``mlflow-auth``.
        is_admin: an administrator of MLflow's auth; may apply policies, and counts for no approval by that alone.
        mlflow_roles: names of the MLflow RBAC roles held; a policy may map them to its own roles.
    """

    name: str
    authenticated_by: str
    is_admin: bool = False
    mlflow_roles: frozenset[str] = field(default_factory=frozenset)


_actor: ContextVar[Actor | None] = ContextVar("registry_hooks_actor", default=None)


def current_actor() -> Actor | None:
    """The Actor of the request being served, or None where nobody was authenticated."""
    return _actor.get()


def require_actor() -> Actor:
    """The Actor of the request being served.

    Raises:
        Unauthenticated: when there is none, as for a client that holds the database's own URI.
    """
    actor = _actor.get()
    if actor is None:
        raise Unauthenticated(
            "no authenticated actor: a governed role changes only through a server started with "
            "`registry-hooks server` (or --app-name registry-hooks), by a user who has logged in"
        )
    return actor


@contextmanager
def acting_as(actor: Actor | None) -> Iterator[None]:
    """Make ``actor`` the current one for the length of the block."""
    token = _actor.set(actor)
    try:
        yield
    finally:
        _actor.reset(token)
