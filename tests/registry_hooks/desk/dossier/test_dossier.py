"""The dossier of a version: what is in it, the same for the same facts, and verified by its own program."""

from __future__ import annotations

import io
import json
import subprocess
import sys
import zipfile
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import cryptography
import pytest
from support.world import MODEL, rules_of

from registry_hooks.desk.dossier.gathering import gathered, refuse_unseen
from registry_hooks.desk.dossier.program.telling import BROKEN, SOUND, main
from registry_hooks.errors import Invalid, NotFound, Refused
from registry_hooks.identity import Actor, acting_as
from registry_hooks.rules.log.notes import vkey_of
from registry_hooks.rules.signatures import new_key
from registry_hooks.storage.ledger import Ledger
from registry_hooks.storage.log.rows import StoredLog

# What a machine has that has `cryptography` and nothing else: itself, and what it is made of.
ALONE = ("cryptography", "cffi", "pycparser", "_cffi_backend*")


@pytest.fixture
def alone(tmp_path):
    """A folder that holds `cryptography` as it is installed, and nothing else."""
    folder = tmp_path / "alone"
    folder.mkdir()
    for pattern in ALONE:
        for found in Path(cryptography.__file__).parents[1].glob(pattern):
            (folder / found.name).symlink_to(found)
    return folder


def verify(tmp_path, data: bytes, *arguments: str) -> subprocess.CompletedProcess[str]:
    """As an outsider does it: unpack, and run its program in an interpreter that knows nothing of ours."""
    with zipfile.ZipFile(io.BytesIO(data)) as held:
        held.extractall(tmp_path / "out")
    command = [sys.executable, "-I", str(tmp_path / "out" / "verify.py"), *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=60)


def test_an_outsider_verifies_it_and_reads_who_decided_what(told, tmp_path, dossier):
    done = verify(tmp_path, dossier(told))
    assert done.returncode == SOUND, done.stdout
    said = done.stdout
    assert f"Dossier of {MODEL} version 2" in said and "SOUND" in said and "WHOSE log this is" in said
    assert "raj signed P-" in said and "as risk: 'I have read the Evidence" in said and "'looks right'" in said
    assert "drift.json is signed by the key build, trusted when it was nominated" in said
    assert "because: 'complaints <b>from</b> the street'" in said and "'a subgroup was wrong'" in said
    assert "Served from " in said and said.count("Served from") == 1
    assert "That nothing was left out." in said


def test_it_holds_all_that_was_decided_on(told, dossier, members, policy):
    held = members(dossier(told))
    entries = [json.loads(text) for name, text in held.items() if name.startswith("entries/")]
    assert {e["action"] for e in entries} == {
        "policy-applied", "key-trusted", "registered", "nominated", "requested", "approved", "promoted", "rolled-back",
        "review-closed",
    }  # fmt: skip
    assert {e["version"] for e in entries if e["action"] == "approved"} == {2}
    assert sum(name.startswith("runs/") and name.endswith(".json") for name in held) == 3
    assert sum(name.endswith(".dsse") for name in held) == 1 and sum(name.endswith("drift.html") for name in held) == 1
    (applied,) = (text for name, text in held.items() if name.startswith("policies/"))
    assert applied.decode() == policy
    page = held["index.html"].decode()
    assert "complaints &lt;b&gt;from&lt;/b&gt; the street" in page and "<b>from" not in page
    assert "a subgroup was wrong" in page and "I have read the Evidence" in page


def test_the_same_facts_give_the_same_bytes(told, dossier, members):
    first = dossier(told)
    told.later(days=3)
    told.quickly(1, "another-model")  # governed by nobody, and so no fact of this version
    assert dossier(told) == first
    at = json.loads(members(first)["dossier.json"])["as_of"]
    assert dossier(told, as_of=at) == first


def test_as_of_a_time_it_knows_nothing_of_later(told, tmp_path, dossier, members):
    data = dossier(told, as_of=(told.now - timedelta(hours=1)).isoformat())
    entries = [json.loads(text)["action"] for name, text in members(data).items() if name.startswith("entries/")]
    assert "promoted" in entries and "rolled-back" not in entries
    done = verify(tmp_path, data)
    assert done.returncode == SOUND and "and still at the end of this dossier" in done.stdout


def test_with_its_files_they_are_held_against_what_was_nominated(told, tmp_path, dossier, members):
    data = dossier(told, files="copies")
    held = members(data)
    assert held["files/weights.bin"] == (told.folder(2) / "weights.bin").read_bytes()
    done = verify(tmp_path, data)
    assert done.returncode == SOUND and "They are here, unchanged." in done.stdout, done.stdout
    (told.folder(2) / "weights.bin").write_bytes(b"other weights")
    done = verify(tmp_path, dossier(told, files="copies"))
    assert done.returncode == BROKEN and "the model's files are not those that were nominated" in done.stdout


def test_evidence_that_is_gone_is_named_and_does_not_pass(told, tmp_path, dossier):
    run_id = told.client.get_model_version(MODEL, "2").run_id
    (Path(told._artifacts) / run_id / "artifacts/evidence/calibration.json").unlink()
    done = verify(tmp_path, dossier(told))
    assert done.returncode == BROKEN
    assert f"runs/{run_id}/evidence/calibration.json is missing: it is gone from its run" in done.stdout


def test_a_root_or_key_that_is_not_its_own_does_not_pass(told, tmp_path, capsys, dossier):
    file = tmp_path / "it.zip"
    file.write_bytes(dossier(told))
    assert main([str(file), "--root", "00" * 32]) == BROKEN
    assert "the root is not the one that you gave" in capsys.readouterr().out
    assert main([str(file)]) == SOUND


def test_what_is_not_there_is_not_found(told, dossier):
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


def test_every_run_that_an_entry_names_must_be_readable_whatever_version_it_is_about(told):
    with told.store.unit_of_work(write=False) as session:
        found = gathered(Ledger(session), StoredLog(session), MODEL, 2, None)
    runs = {item.run_id for each in found.nominations for item in each.evidence}
    runs |= {entry.body["run_id"] for entry in found.entries if entry.action == "registered"}

    class OfEvidence(Partly):
        def run(self, run_id):
            return run_id in runs

    refuse_unseen(found, OfEvidence())
    place, nominated = next((at, e) for at, e in enumerate(found.entries) if e.action == "nominated")
    history = {**nominated.body["lineage"], "run_id": "trained-elsewhere"}
    another = {**nominated.body["nomination"], "version": 3, "resembles": [{"model": "of-others"}]}
    for body in ({"lineage": history}, {"nomination": another}):
        changed = nominated.model_copy(update={"body": {**nominated.body, **body}})
        entries = (*found.entries[:place], changed, *found.entries[place + 1 :])
        with pytest.raises(Refused, match="not yours to read"):
            refuse_unseen(replace(found, entries=entries), OfEvidence())


def test_it_is_verified_where_there_is_cryptography_and_nothing_else(told, tmp_path, dossier, alone):
    file, program = tmp_path / "dossier.zip", tmp_path / "verify.py"
    file.write_bytes(dossier(told))
    with zipfile.ZipFile(file) as held:
        program.write_bytes(held.read("verify.py"))
    lines = [
        "import importlib.util, runpy, sys",
        f"sys.path.append({str(alone)!r})",
        "assert not any(map(importlib.util.find_spec, ('mlflow', 'registry_hooks', 'jinja2')))",
        f"sys.argv = ['verify.py', {str(file)!r}]",
        f"runpy.run_path({str(program)!r}, run_name='__main__')",
    ]
    command = [sys.executable, "-S", "-I", "-c", "\n".join(lines)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.returncode == SOUND, done.stdout + done.stderr
    assert "SOUND: all that can be checked holds." in done.stdout


def test_with_the_logs_key_the_whole_is_sealed(told, tmp_path, dossier, log_key, members):
    data = dossier(told)
    assert dossier(told) == data
    done = verify(tmp_path, data, "--key", log_key)
    assert done.returncode == SOUND, done.stdout
    assert "The list of members, and with it every file here, is sealed by a key that you gave." in done.stdout
    assert "The checkpoint of 16 entries is signed by a key that you gave." in done.stdout
    assert "WHOSE log this is" not in done.stdout
    other = vkey_of(log_key.partition("+")[0], new_key())
    assert verify(tmp_path, data, "--key", str(other)).returncode == BROKEN
    assert verify(tmp_path, data, "--key", "nonsense").returncode == BROKEN
    assert verify(tmp_path, data, "--key", str(other), "--key", log_key).returncode == SOUND


def test_a_log_that_grows_changes_no_dossier(told, dossier, log_key):
    first = dossier(told)
    told.quickly(1)
    told.desk.audit_checkpoint()
    assert dossier(told) == first


def test_a_dossier_of_a_log_without_a_key_does_not_pass_with_one(told, tmp_path, dossier):
    done = verify(tmp_path, dossier(told), "--key", str(vkey_of("registry-hooks", new_key())))
    assert done.returncode == BROKEN and "dossier.note is missing" in done.stdout


def test_what_was_redacted_is_not_in_it_and_it_passes_and_says_so(told, tmp_path, dossier, members):
    held = members(dossier(told))
    seq = next(json.loads(text)["seq"] for name, text in held.items()
               if name.startswith("entries/") and b'"action":"rolled-back"' in text)  # fmt: skip
    with told.acting("admin"):
        told.desk.redact(seq, "reason", "names a street")
    data = dossier(told)
    assert not any(b"complaints" in text for text in members(data).values())
    done = verify(tmp_path, data)
    assert done.returncode == SOUND, done.stdout
    assert f"Entry {seq} was redacted; its text is the one that the log says it has now." in done.stdout
    assert f"admin redacted the reason of entry {seq}: 'names a street'" in done.stdout


def test_as_of_a_time_before_a_redaction_the_text_is_gone_all_the_same(told, tmp_path, dossier, members):
    at = told.now.isoformat()
    told.later(days=1)
    seq = next(json.loads(text)["seq"] for text in members(dossier(told)).values() if b'"action":"requested"' in text)
    with told.acting("admin"):
        told.desk.redact(seq, "comment", "names a person")
    data = dossier(told, as_of=at)
    assert not any(b"please" in text for text in members(data).values())
    assert verify(tmp_path, data).returncode == SOUND


def test_a_condemned_version_after_a_purge_is_told_as_far_as_it_is_known(told, tmp_path, dossier):
    told.later(days=400)
    with told.acting("admin"):
        told.desk.purge((told.now - timedelta(days=200)).isoformat(), "kept for long enough")
    done = verify(tmp_path, dossier(told, 1))  # which serves
    assert done.returncode == SOUND and "admin purged" in done.stdout
    assert "raj signed P-" in done.stdout
