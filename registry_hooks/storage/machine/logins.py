"""Set the password of a user who is locked out, written into the ledger as any other change of an account is."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from registry_hooks.errors import NotFound
from registry_hooks.identity import Actor
from registry_hooks.records import AccountAction
from registry_hooks.rules.log import accounts
from registry_hooks.storage.ledger import Ledger
from registry_hooks.storage.mlflow_rows import Registry
from registry_hooks.storage.upgrading import engine_of, refuse_unfit

BY_MACHINE = "machine"
"""How somebody is authenticated who acts on the server's machine with the databases' own addresses."""

_users = sa.table("users", *map(sa.column, ("id", "username", "password_hash", "is_admin")))


def reset_password(registry_uri: str, auth_uri: str, user: str, password_hash: str, by: str) -> int:
    """Give a user another password; returns the number of the ledger entry that says so.

    The entry is written before the change, as the server does it. It counts ``by`` among those who have the account
    in their hands: what they ask for, this user's signature does not approve.

    Args:
        registry_uri: of the database with the ledger.
        auth_uri: of the database with MLflow's logins.
        user: the login name.
        password_hash: of the new password, as MLflow's auth keeps it.
        by: who does it, as the machine knows them.

    Raises:
        NotFound: when there is no such user.
        Invalid, Unreachable, Unfit: as `registry_hooks.storage.upgrading.refuse_unfit`.
    """
    refuse_unfit(registry_uri)
    actor = Actor(f"{BY_MACHINE}:{by}", BY_MACHINE)
    with engine_of(auth_uri) as logins, engine_of(registry_uri) as registry:
        with logins.connect() as connection:
            found = connection.execute(sa.select(_users.c.username).where(_users.c.username == user)).scalar()
        if found is None:
            raise NotFound(f"there is no user {user!r}")
        entry = _append(
            registry, actor, "password-changed", {"call": "reset-password", "user": str(found), "admin": None}
        )
        try:
            with logins.begin() as connection:
                changed = sa.update(_users).where(_users.c.username == found)
                connection.execute(changed.values(password_hash=password_hash))
        except sa.exc.DBAPIError as error:
            _append(registry, actor, "account-undone", {"of": entry, "why": type(error).__name__})
            raise
    return entry


def _append(engine: sa.Engine, actor: Actor, action: AccountAction, body: dict[str, Any]) -> int:
    with Session(engine) as session, session.begin():
        if engine.dialect.name == "sqlite":
            session.connection().exec_driver_sql("BEGIN IMMEDIATE")
        ledger = Ledger(session)
        ledger.lock_policies()  # decisions under way may rest on who has the account in their hands
        Registry(session).lock_all()
        now = datetime.now(timezone.utc)
        at = now.replace(microsecond=now.microsecond // 1000 * 1000)
        return ledger.append(action, actor, at, model=None, version=None, body=body, scope=accounts.SCOPE).seq
