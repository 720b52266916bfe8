"""A real registry on SQLite, PostgreSQL and MariaDB."""

import shutil
from contextlib import ExitStack, contextmanager
from functools import partial

import mlflow
import pytest
from support.world import World

from registry_hooks.store import GovernedStore


def _world(uri, tmp_path):
    before = mlflow.get_tracking_uri(), mlflow.get_registry_uri()
    yield World(uri, tmp_path / "artifacts")
    mlflow.set_tracking_uri(before[0])
    mlflow.set_registry_uri(before[1])


@pytest.fixture
def new_world(tmp_path):
    """Call it for the registry at a database URI; once in a test."""
    with ExitStack() as worlds:
        yield lambda uri: worlds.enter_context(contextmanager(_world)(uri, tmp_path))


@pytest.fixture(scope="session")
def empty_database(tmp_path_factory):
    """A SQLite file with MLflow's tables and ours, which take seconds to make; tests copy it."""
    file = tmp_path_factory.mktemp("empty") / "mlflow.db"
    GovernedStore(f"governed:sqlite:///{file}").engine.dispose()
    return file


@pytest.fixture
def world(tmp_path, empty_database):
    """A registry on SQLite."""
    shutil.copy(empty_database, tmp_path / "mlflow.db")
    yield from _world(f"sqlite:///{tmp_path / 'mlflow.db'}", tmp_path)


@pytest.fixture(scope="session")
def postgres_with_tables(postgres):
    """Call it for the URI of a new database with MLflow's tables and ours, which is a copy as of `empty_database`."""
    return _with_tables(postgres)


@pytest.fixture(scope="session")
def mariadb_with_tables(mariadb):
    """The same on MariaDB."""
    return _with_tables(mariadb)


def _with_tables(new):
    first = new()
    GovernedStore(f"governed:{first}").engine.dispose()
    return partial(new, like=first)


@pytest.fixture(params=["sqlite", "postgresql", "mariadb"])
def any_world(request):
    """The same registry on SQLite, PostgreSQL and MariaDB."""
    if request.param == "sqlite":
        return request.getfixturevalue("world")
    fixtures = {"postgresql": "postgres_with_tables", "mariadb": "mariadb_with_tables"}
    new = request.getfixturevalue(fixtures[request.param])
    return request.getfixturevalue("new_world")(new())


@pytest.fixture(params=["postgres", "mariadb"])
def row_locks(request, new_world):
    """The registry on databases where many write at once; on SQLite one does."""
    return new_world(request.getfixturevalue(f"{request.param}_with_tables")())
