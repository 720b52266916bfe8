"""Who acts. Absent means refuse: no rule ever guesses an Actor."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Protocol

from registry_hooks.errors import Unauthenticated

MLFLOW_AUTH = "mlflow-auth"
"""How who logged in by MLflow's own password is authenticated; ``mlflow-auth:FUNCTION`` is by another function."""
SSO = "sso"
"""How who was signed on by the proxy in front is authenticated."""


@dataclass(frozen=True)
class Actor:
    """A person or service that the server has authenticated.

    Args:
        name: the login name.
        authenticated_by: how, e.g. ``mlflow-auth`` or ``sso``.
        is_admin: an administrator of MLflow's auth; may apply policies, and counts for no approval by that alone.
        mlflow_roles: names of the MLflow RBAC roles held; a policy may map them to its own roles.
        reauthenticated: whether this very request proved the password once more, apart from the login.
    """

    name: str
    authenticated_by: str
    is_admin: bool = False
    mlflow_roles: frozenset[str] = field(default_factory=frozenset)
    reauthenticated: bool = False

    @property
    def by_password(self) -> bool:
        """Whether the login was a password of MLflow's own, or may have been: ``mlflow-auth:NAME`` and sso are not."""
        return self.authenticated_by != SSO and not self.authenticated_by.startswith(f"{MLFLOW_AUTH}:")


SYSTEM = Actor("registry-hooks", "system")
"""The server itself, for what it does on its own after somebody's decision."""

Directory = Callable[[str], Actor | None]
"""Looks a user up by login name; None for one who does not exist, or no longer does."""


class Sight(Protocol):
    """What MLflow lets one user READ."""

    def model(self, name: str) -> bool:
        """Whether the versions of a registered model; ``*`` asks for every model."""

    def run(self, run_id: str) -> bool:
        """Whether a run; False for one that does not exist."""

    def logged_model(self, model_id: str) -> bool:
        """Whether a logged model; False for one that does not exist."""

    def everything(self) -> bool:
        """Whether every model and every run, without an exception."""


class _Everything:
    """The sight of an administrator, and of a process that holds the database itself."""

    def model(self, name: str) -> bool:
        return True

    def run(self, run_id: str) -> bool:
        return True

    def logged_model(self, model_id: str) -> bool:
        return True

    def everything(self) -> bool:
        return True


EVERYTHING: Sight = _Everything()

SightOf = Callable[[str], Sight]
"""Gives the sight of a user, by login name."""

Whoever = Actor | Callable[[], Actor | None] | None
"""An Actor, nobody, or a function that looks the Actor up when a rule first asks."""

_actor: ContextVar[Whoever] = ContextVar("registry_hooks_actor", default=None)
_directory: ContextVar[Directory | None] = ContextVar("registry_hooks_directory", default=None)
_sight_of: ContextVar[SightOf | None] = ContextVar("registry_hooks_sight", default=None)


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


def current_directory() -> Directory | None:
    """Who can say whether a user still exists, and in which MLflow roles; None outside a server."""
    return _directory.get()


def current_sight() -> Sight:
    """What the Actor may READ; everything outside a server, where nobody is kept from the database.

    Raises:
        Unauthenticated: on a server, when nobody is known to be asking.
    """
    sight_of = _sight_of.get()
    if sight_of is None:
        return EVERYTHING
    actor = require_actor()
    return EVERYTHING if actor.is_admin else sight_of(actor.name)


@contextmanager
def acting_as(actor: Whoever, directory: Directory | None = None, sight_of: SightOf | None = None) -> Iterator[None]:
    """Make ``actor`` the current one for the length of the block, and ``directory`` the one that knows the others.

    A function is called each time the Actor is asked for, and not before: most requests change nothing in the
    registry, and need not pay for the queries that find the admin flag and the roles. ``sight_of`` says what users may
    READ.
    """
    set_before = _actor.set(actor), _directory.set(directory), _sight_of.set(sight_of)
    try:
        yield
    finally:
        _actor.reset(set_before[0])
        _directory.reset(set_before[1])
        _sight_of.reset(set_before[2])
