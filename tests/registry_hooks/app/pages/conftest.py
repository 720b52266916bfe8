"""A server for each file of tests: an inbox shows what waits in all of its models, and no more than fifteen."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from support.serving import Server, start


@pytest.fixture(scope="module")
def governed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    server = start(tmp_path_factory.mktemp("governed"), "--workers", "1", "--auth-cache-seconds", "600")
    yield server
    server.process.stop()
