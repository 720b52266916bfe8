"""The commands for somebody who is locked out: reset a password."""

from __future__ import annotations

import getpass
import secrets
import sys
from typing import Any

import click

from registry_hooks.cli.commands.machine.addresses import auth_uri, databases, registry_uri
from registry_hooks.cli.failures import NO_ANSWER, REFUSED, USAGE, Failure
from registry_hooks.cli.output import clean, heading, show
from registry_hooks.cli.summaries import Summarized
from registry_hooks.errors import Invalid, NotFound, RegistryError
from registry_hooks.mlflow_surface.releases import LEGACY_PASSWORD, password_hash

_SHORTEST = 12


@click.group(cls=Summarized)
def admin() -> None:
    """Let a locked-out administrator in again, on the server's machine.

    \b
    Example:
      registry-hooks admin reset-password admin
    """


@admin.command("reset-password")
@click.argument("user")
@databases
@click.option("--stdin", "from_stdin", is_flag=True, help="Read the password from standard input, in one line.")
@click.option("--json", "as_json", is_flag=True, help="Print the outcome as JSON.")
def reset_password(user: str, from_stdin: bool, as_json: bool, **options: Any) -> None:
    """Set another password for USER, on the server's machine; the audit log says who did.

    Needs the databases themselves, and no login. Without --stdin a password is made up and told once. Who resets a
    password has the account in their hands: this user's signature does not count for what they themselves request.

    \b
    Example:
      registry-hooks admin reset-password admin --backend-store-uri postgresql://mlflow@db/mlflow
    """
    from registry_hooks.storage.machine import logins
    from registry_hooks.storage.upgrading import Unreachable

    logins_at = auth_uri(options)
    if logins_at is None:
        told = "where the logins are is not known: give --auth-database-uri, or --state-dir as the server has it"
        raise Failure(told, USAGE)
    password = _given() if from_stdin else secrets.token_urlsafe(18)
    try:
        kept = password_hash(password)
        entry = logins.reset_password(registry_uri(options), logins_at, user, kept, getpass.getuser())
    except (Invalid, NotFound) as error:
        raise Failure(str(error), USAGE, error.as_json()) from error
    except Unreachable as error:
        raise Failure(str(error), NO_ANSWER, error.as_json()) from error
    except RegistryError as error:
        raise Failure(str(error), REFUSED, error.as_json()) from error
    made_up = None if from_stdin else password
    lines = [f"The password of {clean(user)} was reset; ledger entry {entry} says so."]
    if made_up:
        lines.append(heading(f"It is, told this once: {made_up}"))
    show({"user": user, "entry": entry, "password": made_up}, as_json, iter(lines))


def _given() -> str:
    password = sys.stdin.readline().rstrip("\r\n")
    if len(password) < _SHORTEST or password == LEGACY_PASSWORD:
        raise Failure(f"expected a password of at least {_SHORTEST} characters, of your own, in one line", USAGE)
    return password
