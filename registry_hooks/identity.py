"""Who acts. Absent means refuse: no rule ever guesses an Actor."""

from __future__ import annotations

from collections.abc import Callable, Iterator
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


Whoever = Actor | Callable[[], Actor | None] | None
"""An Actor, nobody, or a function that looks the Actor up when a rule first asks."""

_actor: ContextVar[Whoever] = ContextVar("registry_hooks_actor", default=None)


def current_actor() -> Actor | None:
    """The Actor of the request being served, or None where nobody was authenticated."""
    found = _actor.get()
    return found() if callable(found) else found


def require_actor() -> Actor:
    """The Actor of the request being served.

    Raises:
        Unauthenticated: when there is none, as for a client that holds the database's own URI.
    """
    actor = current_actor()
    if actor is None:
        raise Unauthenticated(
            "no authenticated actor: a governed role changes only through a server started with "
            "`registry-hooks server` (or --app-name registry-hooks), by a user who has logged in"
        )
    return actor


@contextmanager
def acting_as(actor: Whoever) -> Iterator[None]:
    """Make ``actor`` the current one for the length of the block.

    A function is called each time the Actor is asked for, and not before: most requests change nothing in the
    registry, and need not pay for the queries that find the admin flag and the roles.
    """
    token = _actor.set(actor)
    try:
        yield
    finally:
        _actor.reset(token)
