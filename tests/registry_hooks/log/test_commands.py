"""The commands about checkpoints and proofs on a real server, and what they say without one."""

import json
import shutil
import subprocess
import time

import pytest
from support.releasing import govern
from support.serving import SCRIPT, Server, clean_environment, run, start

DONE, REFUSED, USAGE, NO_ANSWER, BROKEN = range(5)


@pytest.fixture(scope="module")
def governed(tmp_path_factory):
    """A server of these tests: in the log that all tests share others redact, which no foreign reader knows of."""
    server = start(tmp_path_factory.mktemp("log"), "--workers", "1", "--auth-cache-seconds", "600")
    yield server
    server.process.stop()


def longer(governed: Server) -> None:
    """At least one entry more."""
    govern(governed, "proof")


@pytest.fixture
def vkey(governed, tmp_path):
    """The log's key, written down."""
    longer(governed)
    assert governed.cli("guest", "audit", "checkpoint").returncode == DONE
    file = tmp_path / "log.vkey"
    file.write_text(governed.json("guest", "audit", "key", "show")["keys"][-1]["vkey"] + "\n")
    return file


def alone(tmp_path, *arguments):
    """A command that has no server."""
    return run("audit", *arguments, env=clean_environment(tmp_path), cwd=tmp_path)


def test_an_entry_is_proven_and_verified_without_the_server(governed, tmp_path, vkey):
    proof = tmp_path / "1.tlog-proof"
    done = governed.cli("admin", "audit", "prove", "1", "--output", str(proof))
    assert done.returncode == DONE, done.stderr
    done = alone(tmp_path, "verify-proof", str(proof), "--key", str(vkey))
    assert done.returncode == DONE and "Entry 1 is in the log" in done.stdout, done.stderr
    assert governed.cli("admin", "audit", "prove", "1").stdout.encode() == proof.read_bytes()
    proof.write_bytes(proof.read_bytes().replace(b"index 0", b"index 1"))
    done = alone(tmp_path, "verify-proof", str(proof), "--key", str(vkey))
    assert done.returncode == BROKEN and "not entry 2" in done.stderr
    done = alone(tmp_path, "verify-proof", str(proof))
    assert done.returncode == USAGE and "--key" in done.stderr
    done = alone(tmp_path, "verify-proof", str(proof), "--key", "nobody+00000000+AAAA")
    assert done.returncode == USAGE


def test_growth_is_proven_and_a_witness_is_asked_for(governed, tmp_path, vkey):
    old, growth = tmp_path / "old", tmp_path / "growth"
    assert governed.cli("guest", "audit", "checkpoint", "--output", str(old)).returncode == DONE
    longer(governed)
    size = old.read_text().split("\n")[1]
    assert governed.cli("guest", "audit", "consistency", size, "--output", str(growth)).returncode == DONE
    done = alone(tmp_path, "verify-proof", str(growth), "--old", str(old), "--key", str(vkey))
    assert done.returncode == DONE and f"grown from {size} entries" in done.stdout
    done = alone(tmp_path, "verify-proof", str(growth), "--old", str(old), "--key", str(vkey), "--witnesses", "1")
    assert done.returncode == BROKEN and "expected 1 witnesses, found 0" in done.stderr
    assert alone(tmp_path, "verify-proof", str(growth), "--key", str(vkey)).returncode == USAGE
    done = governed.cli("guest", "audit", "cosign", str(old))
    assert done.returncode == DONE, done.stderr


def test_a_fork_is_found_from_two_checkpoints(governed, tmp_path, vkey):
    from registry_hooks.rules.log.checkpoints import Checkpoint
    from registry_hooks.rules.log.notes import sign
    from registry_hooks.storage.log.outside import _read

    kept = [tmp_path / "march", tmp_path / "april"]
    for file in kept:
        assert governed.cli("guest", "audit", "checkpoint", "--output", str(file)).returncode == DONE
        longer(governed)
    given = [word for file in kept for word in ("--checkpoint", str(file))]
    done = governed.cli("guest", "audit", "verify", *given, "--key", str(vkey))
    assert done.returncode == DONE and "sound" in done.stdout, done.stderr
    assert governed.cli("guest", "audit", "verify", *given).returncode == DONE
    # What a server that shows two histories would sign: the same key, the same size, another root.
    origin, size = kept[1].read_text().split("\n")[:2]
    key = _read(governed.directory / "registry-hooks-state" / "log.key")
    for forked, told in ((int(size), "are both of"), (int(size) + 10**6, "taken back"), (1, "rewritten")):
        (tmp_path / "other").write_bytes(bytes(sign(Checkpoint(origin, forked, bytes(32)).text, origin, key)))
        done = governed.cli("guest", "audit", "verify", *given, "--checkpoint", str(tmp_path / "other"))
        assert done.returncode == BROKEN and told in done.stdout, done.stdout
    log = tmp_path / "log.ndjson"
    assert governed.cli("admin", "audit", "export", "--output", str(log)).returncode == DONE
    assert alone(tmp_path, "verify-file", str(log), *given, "--key", str(vkey)).returncode == DONE
    done = alone(tmp_path, "verify-file", str(log), *given, "--checkpoint", str(tmp_path / "other"), "--key", str(vkey))
    assert done.returncode == BROKEN and "rewritten" in done.stdout
    kept[0].write_text(kept[0].read_text().replace(origin, origin + "x", 1))
    done = governed.cli("guest", "audit", "verify", *given)
    assert done.returncode == BROKEN and "march" in done.stderr


def test_the_log_is_copied_and_the_copy_grows_also_after_kill_9(governed, tmp_path, vkey, gos):
    folder = tmp_path / "copy"
    for _ in range(2):
        told = governed.json("admin", "audit", "tiles", str(folder), "--key", str(vkey))
        (answer,) = gos.ask(("log", vkey.read_text().strip(), folder))
        assert answer.ok and answer.size == told["size"] and answer.root == told["root"], answer.why
        longer(governed)
    shutil.rmtree(folder / "tile")
    for delay in (0.4, 0.6, 0.8):
        killed = subprocess.Popen([SCRIPT, "audit", "tiles", folder], env=governed.env("admin"), cwd=tmp_path,
                                  stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)  # fmt: skip
        try:
            killed.wait(delay)
        except subprocess.TimeoutExpired:
            killed.kill()
        killed.wait()
    done = governed.cli("admin", "audit", "tiles", str(folder))
    assert done.returncode == DONE and "under the checkpoint signed by" in done.stdout, done.stderr
    assert gos.ask(("log", vkey.read_text().strip(), folder))[0].ok
    assert governed.cli("raj", "audit", "tiles", str(tmp_path / "raj")).returncode in (DONE, REFUSED)


def test_another_key_needs_an_administrator_and_another_file(governed, vkey):
    done = governed.cli("ana", "audit", "key", "rotate", "--reason", "mine")
    assert done.returncode == REFUSED and "administrator" in done.stderr
    done = governed.cli("admin", "audit", "key", "rotate", "--reason", "the same file")
    assert done.returncode == REFUSED and "still holds the key" in done.stderr
    shown = governed.cli("guest", "audit", "key", "show")
    assert shown.returncode == DONE and vkey.read_text().strip() in shown.stdout


def test_checkpoints_are_kept_behind_every_change(governed, vkey):
    """The job beside requests signs, and keeps copies in the state directory."""
    longer(governed)
    size, folder = governed.json("guest", "audit", "verify")["size"], governed.directory / "registry-hooks-state"
    until = time.monotonic() + 30
    while time.monotonic() < until:
        newest = folder / "checkpoints" / "checkpoint"
        if newest.exists() and int(newest.read_text().split("\n")[1]) >= size:
            break
        time.sleep(0.05)
    assert int(newest.read_text().split("\n")[1]) >= size
    done = governed.cli("guest", "audit", "verify", "--checkpoint", str(newest), "--key", str(vkey))
    assert done.returncode == DONE, done.stdout


def test_an_unsigned_log_says_so(tmp_path, monkeypatch):
    """What the commands say where the server cannot sign."""
    from click.testing import CliRunner

    from registry_hooks.cli import main
    from registry_hooks.client import Client

    head = {"origin": "o", "size": 3, "root": "ab" * 32, "note": None, "key": None, "witnesses": [],
            "why_unsigned": "the key's file is gone"}  # fmt: skip
    proven = {"seq": 1, "leaf_hash": "", "hashes": [], "entry": None, "proof": None, "checkpoint": head}
    monkeypatch.setattr(Client, "audit_checkpoint", lambda self: head)
    monkeypatch.setattr(Client, "audit_prove", lambda self, seq, size: proven)
    for arguments in (["checkpoint"], ["checkpoint", "--output", str(tmp_path / "c")], ["prove", "1"],
                      ["tiles", str(tmp_path / "copy")]):  # fmt: skip
        done = CliRunner().invoke(main, ["audit", *arguments, "--tracking-uri", "http://127.0.0.1:1"])
        assert done.exit_code == NO_ANSWER and "unsigned" in done.stderr.lower() and "file is gone" in done.stderr
        assert "signed by" not in done.output
    assert not (tmp_path / "c").exists() and not (tmp_path / "copy").exists()
    done = CliRunner().invoke(main, ["audit", "checkpoint", "--json", "--tracking-uri", "http://127.0.0.1:1"])
    assert done.exit_code == NO_ANSWER and json.loads(done.stdout)["note"] is None


def test_a_key_that_was_replaced_does_not_speak_for_later(tmp_path, monkeypatch):
    from click.testing import CliRunner

    from registry_hooks.cli import main
    from registry_hooks.client import Client
    from registry_hooks.rules.log.checkpoints import Checkpoint
    from registry_hooks.rules.log.notes import sign, vkey_of
    from registry_hooks.rules.signatures import new_key

    old, new = new_key(), new_key()
    keys = [{"vkey": str(vkey_of("o", key)), "since": since} for key, since in ((old, 0), (new, 10))]
    monkeypatch.setattr(Client, "audit_keys", lambda self: {"keys": keys})
    (tmp_path / "late").write_bytes(bytes(sign(Checkpoint("o", 10, bytes(32)).text, "o", old)))
    arguments = ["audit", "verify", "--checkpoint", str(tmp_path / "late"), "--tracking-uri", "http://127.0.0.1:1"]
    done = CliRunner().invoke(main, arguments)
    assert done.exit_code == BROKEN and "entry 10 put another" in done.stderr
