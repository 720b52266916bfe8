"""Where the databases of a server are: the options and variables that start it, and what it wrote of them."""

from __future__ import annotations

import configparser
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click


def databases(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command the options of `registry-hooks server` that say where the databases are."""
    for option in (
        click.option("--state-dir", default="registry-hooks-state", show_default=True,
                     type=click.Path(file_okay=False, path_type=Path), help="That of the server."),
        click.option("--auth-database-uri", metavar="URI",
                     help="The database of logins; by default what the state dir, or MLFLOW_AUTH_CONFIG_PATH, says."),
        click.option("--registry-store-uri", envvar="MLFLOW_REGISTRY_STORE_URI", metavar="URI",
                     help="By default the backend store."),
        click.option("--backend-store-uri", envvar="MLFLOW_BACKEND_STORE_URI", default="sqlite:///mlflow.db",
                     show_default=True, metavar="URI", help="The database of runs."),
    ):  # fmt: skip
        command = option(command)
    return command


def registry_uri(options: dict[str, Any]) -> str:
    """The registry's database."""
    return str(options["registry_store_uri"] or options["backend_store_uri"])


def auth_uri(options: dict[str, Any]) -> str | None:
    """The database of logins; None where nobody has said."""
    if options["auth_database_uri"]:
        return str(options["auth_database_uri"])
    file = os.environ.get("MLFLOW_AUTH_CONFIG_PATH") or options["state_dir"] / "auth.ini"
    parser = configparser.ConfigParser()
    parser.read(file)
    return parser.get("mlflow", "database_uri", fallback=None)
