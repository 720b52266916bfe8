"""What will bite a team whose MLflow comes under this server: read from its databases, and nothing is changed."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import sqlalchemy as sa
from sqlalchemy.orm import Session

from registry_hooks.errors import RegistryError
from registry_hooks.rules.governing.adopting import Found
from registry_hooks.storage.ledger import Ledger
from registry_hooks.storage.mlflow_rows import SweptRegistry
from registry_hooks.storage.schema import VERSION_TABLE
from registry_hooks.storage.upgrading import check_database, engine_of

_WRITES = ("EDIT", "MANAGE")
_NOBODY = ("", "unknown")
_runs = sa.table("runs", *map(sa.column, ("run_uuid", "experiment_id", "user_id")))
_tags = sa.table("tags", *map(sa.column, ("run_uuid", "key", "value")))
_experiments = sa.table(
    "experiments", *map(sa.column, ("experiment_id", "name", "artifact_location", "lifecycle_stage"))
)
_users = sa.table("users", *map(sa.column, ("id", "username", "is_admin")))
_assigned = sa.table("user_role_assignments", *map(sa.column, ("user_id", "role_id")))
_granted = sa.table("role_permissions", *map(sa.column, ("role_id", "resource_type", "resource_pattern", "permission")))


@dataclass(frozen=True)
class Bite:
    """One thing that was looked at.

    Args:
        what: in a few words.
        found: each instance; empty where there is nothing to mend.
        mend: what to do about them.
        wrong: False for what is only to be known.
    """

    what: str
    found: tuple[str, ...]
    mend: str
    wrong: bool = True


def survey(backend_uri: str, registry_uri: str, auth_uri: str | None) -> list[Bite]:
    """Look at the databases of a server that is to be governed, or is.

    Args:
        backend_uri: of runs and experiments.
        registry_uri: of the registry.
        auth_uri: of MLflow's logins; None where there are none yet.

    Raises:
        Invalid, Unreachable: as `registry_hooks.storage.upgrading.check_database`.
    """
    bites = [_tables(uri) for uri in dict.fromkeys((backend_uri, registry_uri))]
    users = _logins(auth_uri)
    with engine_of(backend_uri) as engine, Session(engine) as session:
        if sa.inspect(engine).has_table("experiments"):
            experiments = _seen_in(session)
            bites += [_without_account(experiments, users), _without_grant(experiments, users), _on_disk(session)]
    with engine_of(registry_uri) as engine, Session(engine) as session:
        if sa.inspect(engine).has_table("registered_models"):
            governed = sa.inspect(engine).has_table(VERSION_TABLE)
            bites += [_disagreeing(session), _without_author(session, governed=governed)]
    return bites


def _tables(uri: str) -> Bite:
    wrong = [each for each in check_database(uri) if each.state in ("older", "newer")]
    found = tuple(f"{each.tables}: {each.found}, and this version's are {each.newest}" for each in wrong)
    return Bite(
        "tables of another version", found, "stop the servers, make a backup, and run registry-hooks db upgrade URI"
    )


@dataclass(frozen=True)
class _User:
    admin: bool
    writes: frozenset[str]  # experiments, or *


def _logins(uri: str | None) -> dict[str, _User]:
    if uri is None:
        return {}
    with engine_of(uri) as engine, engine.connect() as connection:
        if not sa.inspect(engine).has_table("users"):
            return {}
        grants: dict[int, set[str]] = defaultdict(set)
        query = (
            sa.select(_assigned.c.user_id, _granted.c.resource_pattern)
            .join(_granted, _granted.c.role_id == _assigned.c.role_id)
            .where(_granted.c.resource_type.in_(("experiment", "workspace")), _granted.c.permission.in_(_WRITES))
        )
        if sa.inspect(engine).has_table("role_permissions"):
            for user, pattern in connection.execute(query):
                grants[int(user)].add(str(pattern))
        return {
            str(row.username): _User(bool(row.is_admin), frozenset(grants[int(row.id)]))
            for row in connection.execute(sa.select(_users))
        }


def _seen_in(session: Session) -> dict[tuple[str, str], set[str]]:
    """Who has logged runs in each experiment that is not deleted, as its id and name."""
    by = sa.func.coalesce(_tags.c.value, _runs.c.user_id)
    query = (
        sa.select(_experiments.c.experiment_id, _experiments.c.name, by)
        .select_from(_runs)
        .join(_experiments, _experiments.c.experiment_id == _runs.c.experiment_id)
        .join(_tags, sa.and_(_tags.c.run_uuid == _runs.c.run_uuid, _tags.c.key == "mlflow.user"), isouter=True)
        .where(_experiments.c.lifecycle_stage == "active")
        .distinct()
    )
    seen: dict[tuple[str, str], set[str]] = defaultdict(set)
    for identifier, name, user in session.execute(query):
        if user not in (None, *_NOBODY):
            seen[str(identifier), str(name)].add(str(user))
    return seen


def _without_account(experiments: dict[tuple[str, str], set[str]], users: dict[str, _User]) -> Bite:
    mine: dict[str, int] = defaultdict(int)
    for people in experiments.values():
        for person in people - users.keys():
            mine[person] += 1
    found = tuple(f"{person}, who logged runs in {number} experiments" for person, number in sorted(mine.items()))
    mend = "make an account for each who still works there, or have single sign-on make it; then grant as below"
    return Bite("people with runs and without an account", found, mend)


def _without_grant(experiments: dict[tuple[str, str], set[str]], users: dict[str, _User]) -> Bite:
    found = tuple(
        f"{person} on experiment {identifier} ({name})"
        for (identifier, name), people in sorted(experiments.items())
        for person in sorted(people & users.keys())
        if not users[person].admin and not {identifier, "*"} & users[person].writes
    )
    mend = "AuthServiceClient(URI).grant_user_permission(USER, 'experiment', ID, 'MANAGE'); see docs/taking-over.md"
    return Bite("users who may not write to experiments that have runs of theirs", found, mend)


def _on_disk(session: Session) -> Bite:
    query = sa.select(_experiments.c.experiment_id, _experiments.c.artifact_location)
    kinds: dict[str, list[str]] = defaultdict(list)
    for identifier, location in session.execute(query.where(_experiments.c.lifecycle_stage == "active")):
        scheme = urlsplit(str(location or "")).scheme
        kinds["a disk" if scheme in ("", "file") else f"{scheme}:"].append(str(identifier))
    past = {kind: held for kind, held in kinds.items() if kind != "mlflow-artifacts:"}
    found = tuple(f"{len(held)} experiments at {kind} ({', '.join(held[:5])})" for kind, held in sorted(past.items()))
    mend = "clients write there past the server, which finds changes and does not prevent them; log new runs to "
    return Bite("artifacts that are not behind the server", found, mend + "experiments made since", wrong=False)


def _disagreeing(session: Session) -> Bite:
    registry = SweptRegistry(session)
    found = []
    for model in registry.models():
        held = Found(registry.pair(model), registry.stages(model))
        if held.lost(held.pair("alias")):
            found.append(f"{model}: {held}")
        found += [f"{model}: the alias {alias!r} reads as a role" for alias in registry.lookalikes(model)]
    mend = "make them agree, or say which counts: registry-hooks policy apply FILE --adopt alias (or stage)"
    return Bite("models whose aliases and stages disagree", tuple(found), mend)


def _without_author(session: Session, *, governed: bool) -> Bite:
    registry, found = SweptRegistry(session), []
    ledger = Ledger(session) if governed else None
    for model in registry.models():
        known = _authors(ledger, model)
        unknown = [version for version in registry.versions(model) if version not in known]
        if unknown:
            shown = ", ".join(map(str, unknown[:5])) + (", …" if len(unknown) > 5 else "")
            found.append(f"{model}: {len(unknown)} versions ({shown})")
    mend = "nobody is kept from approving them as their author; register again what is to be promoted"
    return Bite("versions whose author is not known", tuple(found), mend, wrong=False)


def _authors(ledger: Ledger | None, model: str) -> Any:
    try:
        return ledger.state(model).authors if ledger is not None else {}
    except (RegistryError, ValueError):  # a state that an upgrade folds anew
        return {}


def told(bites: list[Bite], most: int = 20) -> Iterator[tuple[str, bool, str]]:
    """Each as what was looked at, whether it is well, and what was found with what to do."""
    for bite in bites:
        shown = "; ".join(bite.found[:most]) + (
            f"; and {len(bite.found) - most} more" if len(bite.found) > most else ""
        )
        yield bite.what, not (bite.found and bite.wrong), f"{shown}. To fix: {bite.mend}" if bite.found else "none"
