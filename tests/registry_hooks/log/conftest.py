"""A key and a folder outside the database, and Go's verifier."""

import pytest
from support.proofs.sumdb import Verifier

from registry_hooks.storage.log import outside


@pytest.fixture
def outdoors(tmp_path, monkeypatch):
    """A key's file and a folder of checkpoints; neither is there yet."""
    monkeypatch.setenv(outside.KEY, str(tmp_path / "log.key"))
    monkeypatch.setenv(outside.DIRECTORY, str(tmp_path / "checkpoints"))
    return tmp_path


@pytest.fixture(scope="session")
def gos(tmp_path_factory) -> Verifier:
    """Go's own verifier."""
    return Verifier(tmp_path_factory.mktemp("sumdb"))
