"""One company for all tests of this room."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from support.company.topology import Company, company


@pytest.fixture(scope="session")
def place() -> Iterator[Company]:
    """Two replicas behind the proxy, with the users of `support.serving`."""
    with company() as found:
        found.front.make_users()
        yield found
