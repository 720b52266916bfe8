"""Fixtures that every test may use: real servers with real logins, a real PostgreSQL and a real MariaDB."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from support.databases import database_server
from support.serving import Server, start


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Let files with a test that is marked ``early`` begin before all others."""
    early = {item.path for item in items if item.get_closest_marker("early")}
    items.sort(key=lambda item: item.path not in early)


@pytest.fixture(scope="session")
def governed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A governed server on SQLite with one worker, which remembers checked passwords for speed."""
    server = start(tmp_path_factory.mktemp("governed"), "--workers", "1", "--auth-cache-seconds", "600")
    yield server
    server.process.stop()


@pytest.fixture(scope="session")
def postgres() -> Iterator[Callable[[], str]]:
    """A PostgreSQL server of this test process: call it for the URI of a new database."""
    # Not in pytest's folder: as root, PostgreSQL runs as another user, whom each pytest that starts shuts out of there.
    with TemporaryDirectory(prefix="registry-hooks-") as folder, database_server("postgresql", Path(folder)) as new:
        yield new


@pytest.fixture(scope="session")
def mariadb(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[], str]]:
    """A MariaDB (or MySQL) server of this test process: call it for the URI of a new database."""
    if os.environ.get("REGISTRY_HOOKS_NO_MARIADB"):
        pytest.skip("REGISTRY_HOOKS_NO_MARIADB is set")
    with database_server("mariadb", tmp_path_factory.mktemp("mariadb")) as new:
        yield new
