"""Fixtures that every test may use: real servers with real logins."""

from __future__ import annotations

from collections.abc import Iterator

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
