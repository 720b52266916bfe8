"""A world in which two versions were promoted, and one was rolled back from, with a dossier of that one."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import pytest
from support.world import MODEL, POLICY

from mlflow_eval_plugin.evidence import loads
from registry_hooks.rules.signatures import new_key, private_pem, public_pem, sign

BUILD, LOG = new_key(), new_key()
SIGNED = POLICY.replace("{kind: drift}", "{kind: drift, signed_by: [build]}") + "break_glass: {by: [oncall]}\n"


@pytest.fixture
def policy():
    """The policy that governs the model."""
    return SIGNED


@pytest.fixture
def told(world):
    """Two promotions with signed Evidence and a page, a rollback from version 2 to version 1 and its review."""
    world.govern(SIGNED)
    with world.acting("admin"):
        world.desk.key_trust("build", public_pem(BUILD.public_key()))
    for run_id, _ in world.quickly(2):
        folder = Path(world._artifacts) / run_id / "artifacts"
        envelope = sign(loads((folder / "evidence/drift.json").read_bytes()), BUILD)
        (folder / "evidence/drift.json.dsse").write_bytes(envelope)
        (folder / "reports").mkdir()
        (folder / "reports/drift.html").write_text("<p>No drift</p>")
    for version in (1, 2):
        world.later(hours=1)
        world.promote(version)
    world.later(hours=5)
    with world.acting("oncall"):
        review = world.desk.rollback(MODEL, "complaints <b>from</b> the street", verify="now")["review"]["id"]
    with world.acting("raj"):
        world.desk.review_close(MODEL, review, "a subgroup was wrong")
    return world


@pytest.fixture
def dossier():
    """Makes the dossier of a version of a world's model."""

    def make(world, version=2, **more) -> bytes:
        with world.acting("admin"):
            return b"".join(world.desk.dossier(MODEL, version, **more))

    return make


@pytest.fixture
def members():
    """Gives the members of a zip file."""

    def read(data: bytes) -> dict[str, bytes]:
        with zipfile.ZipFile(io.BytesIO(data)) as held:
            return {name: held.read(name) for name in held.namelist()}

    return read


@pytest.fixture
def log_key(told, tmp_path, monkeypatch):
    """The log's public key, from when it has one."""
    file = tmp_path / "log.key"
    file.write_bytes(private_pem(LOG, None))
    file.chmod(0o600)
    monkeypatch.setenv("REGISTRY_HOOKS_LOG_KEY", str(file))
    return told.desk.audit_checkpoint()["key"]
