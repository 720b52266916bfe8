"""What ``doctor --server`` looks at on the server's machine: its databases, their drivers, its artifact store."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

from registry_hooks.cli.commands.machine.addresses import auth_uri, registry_uri
from registry_hooks.errors import RegistryError

Told = tuple[str, bool, str]

_OF_DIALECTS = {"postgresql": "psycopg2", "mysql": "MySQLdb"}  # SQLAlchemy's own choice where a URI names no driver
_PACKAGES = {"psycopg2": "psycopg2-binary", "psycopg": "psycopg", "pymysql": "pymysql", "MySQLdb": "mysqlclient"}
_OF_STORES = {"s3": ("boto3", "boto3"), "gs": ("google.cloud.storage", "google-cloud-storage"),
              "wasbs": ("azure.storage.blob", "azure-storage-blob"), "hdfs": ("pyarrow", "pyarrow")}  # fmt: skip


def surveyed(artifacts: str | None, options: dict[str, Any]) -> Iterator[Told]:
    """What was looked at, whether it is well, and what was found. Without a driver its database is not opened."""
    from registry_hooks.storage.machine.survey import survey, told

    uris = [options["backend_store_uri"], registry_uri(options), auth_uri(options)]
    drivers = [_driver(uri.removeprefix("governed:")) for uri in dict.fromkeys(filter(None, uris))]
    yield from drivers
    if artifacts and urlsplit(artifacts).scheme in _OF_STORES:
        yield _module(*_OF_STORES[urlsplit(artifacts).scheme], f"driver of {urlsplit(artifacts).scheme}:")
    if not all(ok for _, ok, _ in drivers):
        return
    try:
        yield from told(survey(options["backend_store_uri"], registry_uri(options), auth_uri(options)))
    except RegistryError as error:
        yield "databases", False, str(error)


def _driver(uri: str) -> Told:
    dialect, _, driver = uri.partition(":")[0].partition("+")
    module = driver or _OF_DIALECTS.get(dialect, "")
    if dialect == "sqlite":
        return "driver of sqlite", True, "part of Python"
    if not module:
        return f"driver of {dialect[:20]}", False, "no database. To fix: give the address of one"
    return _module(module, _PACKAGES.get(module, module), f"driver of {dialect[:20]}")


def _module(module: str, package: str, what: str) -> Told:
    try:
        found = importlib.util.find_spec(module) is not None
    except ModuleNotFoundError:  # of a module whose package is not there
        found = False
    return what, found, f"{module} is installed" if found else f"{module} is missing. To fix: pip install {package}"
