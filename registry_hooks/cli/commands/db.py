"""The commands about the database itself, which need its URI and no server: upgrade."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

import click

from registry_hooks.cli.failures import NO_ANSWER, REFUSED, USAGE, Failure
from registry_hooks.cli.output import clean, heading, show
from registry_hooks.cli.summaries import Summarized
from registry_hooks.errors import Invalid, RegistryError


@click.group(cls=Summarized)
def db() -> None:
    """Upgrade the database of runs and of the registry.

    \b
    Example:
      registry-hooks db upgrade --check sqlite:///mlflow.db
    """


@db.command()
@click.argument("database_uri")
@click.option("--check", is_flag=True, help="Only say whether an upgrade is needed (exit code 1) and change nothing.")
@click.option("--json", "as_json", is_flag=True, help="Print the outcome as JSON.")
def upgrade(database_uri: str, check: bool, as_json: bool) -> None:
    """Create or upgrade MLflow's tables and ours at DATABASE_URI, and rebuild every model's state from its ledger.

    Stop the servers and make a backup first: a migration is not undone. A database that is newer than this version is
    refused and left as it is.

    \b
    Example:
      registry-hooks db upgrade postgresql://mlflow@db/mlflow
    """
    from registry_hooks.storage.upgrading import Unreachable, check_database, refuse_newer, upgrade_database

    try:
        if check:
            before = after = check_database(database_uri)
            refuse_newer(before)
        else:
            before, after = upgrade_database(database_uri)
    except Invalid as error:
        raise Failure(str(error), USAGE, error.as_json()) from error
    except Unreachable as error:
        raise Failure(str(error), NO_ANSWER, error.as_json()) from error
    except RegistryError as error:
        raise Failure(str(error), REFUSED, error.as_json()) from error
    tables = [{**asdict(was), "now": now.found} for was, now in zip(before, after, strict=True)]
    needed = any(each.state != "current" for each in after)
    show({"upgrade_needed": needed, "tables": tables}, as_json, _told(tables, needed))
    if needed:
        raise click.exceptions.Exit(REFUSED)


def _told(tables: list[dict[str, Any]], needed: bool) -> Iterator[str]:
    for each in tables:
        name, found, now = each["tables"], clean(each["found"] or "no tables"), clean(each["now"])
        if each["state"] == "current":
            yield f"  {name}: {found}, the newest that this version knows."
        elif each["found"] == each["now"]:
            yield f"  {name}: {found}; this version's are {clean(each['newest'])}."
        else:
            yield f"  {name}: {found}, now {now}."
    if needed:
        yield f"An upgrade is {heading('needed', 'yellow')}: stop the servers, make a backup, run it without --check."
    else:
        yield f"The database is {heading('ready', 'green')} for this version."
