"""The dossier of a version: what is in it, the same for the same facts, and verified by its own program."""

from __future__ import annotations

import io
import json
import subprocess
import sys
import zipfile
from datetime import timedelta
from pathlib import Path

import pytest
from support.world import MODEL, POLICY, rules_of

from mlflow_eval_plugin.evidence import loads
from registry_hooks.desk.dossier.program.telling import BROKEN, SOUND, main
from registry_hooks.errors import Invalid, NotFound, Refused
from registry_hooks.identity import Actor, acting_as
from registry_hooks.rules.signatures import new_key, public_pem, sign

BUILD = new_key()
SIGNED = POLICY.replace("{kind: drift}", "{kind: drift, signed_by: [build]}") + "break_glass: {by: [oncall]}\n"


def dossier(world, version=2, **more) -> bytes:
    with world.acting("admin"):
        return b"".join(world.desk.dossier(MODEL, version, **more))


def members(data: bytes) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(data)) as held:
        return {name: held.read(name) for name in held.namelist()}


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


def verify(tmp_path, data: bytes, *arguments: str) -> subprocess.CompletedProcess[str]:
    """As an outsider does it: unpack, and run its program in an interpreter that knows nothing of ours."""
    with zipfile.ZipFile(io.BytesIO(data)) as held:
        held.extractall(tmp_path / "out")
    command = [sys.executable, "-I", str(tmp_path / "out" / "verify.py"), *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=60)


def test_an_outsider_verifies_it_and_reads_who_decided_what(told, tmp_path):
    done = verify(tmp_path, dossier(told))
    assert done.returncode == SOUND, done.stdout
    said = done.stdout
    assert f"Dossier of {MODEL} version 2" in said and "SOUND" in said and "WHOSE log this is" in said
    assert "raj signed P-" in said and "as risk: 'I have read the Evidence" in said and "'looks right'" in said
    assert "drift.json is signed by the key build, trusted when it was nominated" in said
    assert "because: 'complaints <b>from</b> the street'" in said and "'a subgroup was wrong'" in said
    assert "Served from " in said and said.count("Served from") == 1
    assert "That nothing was left out." in said


def test_it_holds_all_that_was_decided_on(told):
    held = members(dossier(told))
    entries = [json.loads(text) for name, text in held.items() if name.startswith("entries/")]
    assert {e["action"] for e in entries} == {
        "policy-applied", "key-trusted", "registered", "nominated", "requested", "approved", "promoted", "rolled-back",
        "review-closed",
    }  # fmt: skip
    assert {e["version"] for e in entries if e["action"] == "approved"} == {2}
    assert sum(name.startswith("runs/") and name.endswith(".json") for name in held) == 3
    assert sum(name.endswith(".dsse") for name in held) == 1 and sum(name.endswith("drift.html") for name in held) == 1
    (policy,) = (text for name, text in held.items() if name.startswith("policies/"))
    assert policy.decode() == SIGNED
    page = held["index.html"].decode()
    assert "complaints &lt;b&gt;from&lt;/b&gt; the street" in page and "<b>from" not in page
    assert "a subgroup was wrong" in page and "I have read the Evidence" in page


def test_the_same_facts_give_the_same_bytes(told):
    first = dossier(told)
    told.later(days=3)
    told.quickly(1, "another-model")  # governed by nobody, and so no fact of this version
    assert dossier(told) == first
    at = json.loads(members(first)["dossier.json"])["as_of"]
    assert dossier(told, as_of=at) == first


def test_as_of_a_time_it_knows_nothing_of_later(told, tmp_path):
    data = dossier(told, as_of=(told.now - timedelta(hours=1)).isoformat())
    entries = [json.loads(text)["action"] for name, text in members(data).items() if name.startswith("entries/")]
    assert "promoted" in entries and "rolled-back" not in entries
    done = verify(tmp_path, data)
    assert done.returncode == SOUND and "and still at the end of this dossier" in done.stdout


def test_with_its_files_they_are_held_against_what_was_nominated(told, tmp_path):
    data = dossier(told, files="copies")
    held = members(data)
    assert held["files/weights.bin"] == (told.folder(2) / "weights.bin").read_bytes()
    done = verify(tmp_path, data)
    assert done.returncode == SOUND and "They are here, unchanged." in done.stdout, done.stdout
    (told.folder(2) / "weights.bin").write_bytes(b"other weights")
    done = verify(tmp_path, dossier(told, files="copies"))
    assert done.returncode == BROKEN and "the model's files are not those that were nominated" in done.stdout


def test_evidence_that_is_gone_is_named_and_does_not_pass(told, tmp_path):
    run_id = told.client.get_model_version(MODEL, "2").run_id
    (Path(told._artifacts) / run_id / "artifacts/evidence/calibration.json").unlink()
    done = verify(tmp_path, dossier(told))
    assert done.returncode == BROKEN
    assert f"runs/{run_id}/evidence/calibration.json is missing: it is gone from its run" in done.stdout


def test_a_root_or_key_that_is_not_its_own_does_not_pass(told, tmp_path, capsys):
    file = tmp_path / "it.zip"
    file.write_bytes(dossier(told))
    assert main([str(file), "--root", "00" * 32]) == BROKEN
    assert "the root is not the one that you gave" in capsys.readouterr().out
    assert main([str(file)]) == SOUND


def test_what_is_not_there_is_not_found(told):
    with pytest.raises(NotFound, match="nothing about version 9"):
        dossier(told, 9)
    with pytest.raises(NotFound, match="nothing about version 2"):
        dossier(told, as_of="2001-01-01T00:00:00Z")
    with pytest.raises(Invalid, match="as_of: no time"):
        dossier(told, as_of="yesterday")


class Partly:
    """May READ the model, and not the runs."""

    def model(self, name):
        return name == MODEL

    def run(self, run_id):
        return False

    def logged_model(self, model_id):
        return False

    def everything(self):
        return False


def test_who_may_not_read_all_of_it_is_refused_and_learns_no_names(told):
    with acting_as(Actor("guest", "test"), None, lambda name: Partly()), pytest.raises(Refused) as error:
        next(told.desk.dossier(MODEL, 2))
    assert rules_of(error.value) == ["mlflow-permission"]
    assert told.client.get_model_version(MODEL, "2").run_id not in str(error.value)
