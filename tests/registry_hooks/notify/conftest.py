"""A server that may send to this host, and a receiver."""

import pytest
from support.probes.receiving import LET_IN, receiver
from support.serving import start


@pytest.fixture(scope="package")
def told(tmp_path_factory):
    """A governed server with two workers, which may send to loopback."""
    served = start(
        tmp_path_factory.mktemp("told"), "--workers", "2", "--auth-cache-seconds", "600",
        "--unsafe-allow", "webhooks", MLFLOW_WEBHOOK_CACHE_TTL="0",
        REGISTRY_HOOKS_PUBLIC_URL="https://models.example", **LET_IN,
    )  # fmt: skip
    yield served
    served.process.stop()


@pytest.fixture
def hook(tmp_path):
    """A receiver of webhooks."""
    with receiver(tmp_path / "hook") as made:
        yield made
