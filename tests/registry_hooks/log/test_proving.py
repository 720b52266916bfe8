"""Checkpoints and proofs from a real registry: what is signed, what is not and why, and that decisions go on."""

import json
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import rfc8785
import sqlalchemy as sa
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from support.proofs.long_log import lengthen, some_log
from support.world import MODEL

from registry_hooks.app.refusing import status_of
from registry_hooks.errors import Conflict, Invalid, NotFound, Refused, RegistryError
from registry_hooks.notify.making import made
from registry_hooks.rules.log.checkpoints import opened
from registry_hooks.rules.log.notes import COSIGNS, Note, cosign, read_note, read_vkey, verified, vkey_of
from registry_hooks.rules.log.proof_texts import GrowthProof, grown, proven, read_proof
from registry_hooks.rules.log.proofs import WIDTH, Torn, is_consistent
from registry_hooks.rules.signatures import new_key, private_pem
from registry_hooks.storage.log import outside
from registry_hooks.storage.outbox.streams import Streams


def sql(world, statement, **values):
    with world.store.engine.begin() as connection:
        connection.execute(sa.text(statement), values)


def test_the_head_is_signed_on_first_need_and_every_entry_is_proven(any_world, outdoors):
    world = any_world
    world.govern()
    world.quickly(3)
    with world.acting("ana"):
        for version in (1, 2, 3):
            world.desk.nominate(MODEL, version)
        head = world.desk.audit_checkpoint()
    key = read_vkey(head["key"])
    signed = opened(head["note"].encode(), [key])
    verified = world.desk.audit_verify()
    assert signed.checkpoint.size == verified["size"] == head["size"]
    assert signed.checkpoint.root.hex() == verified["root"]
    assert oct(Path(os.environ[outside.KEY]).stat().st_mode)[-3:] == "600"
    exported = b"".join(world.desk.audit_export()).splitlines()
    for seq, entry in enumerate(exported, 1):
        answer = world.desk.audit_prove(seq)
        assert answer["entry"].encode() == entry
        proof = read_proof(answer["proof"].encode())
        assert proof.entry == entry and proven(proof, [key]).checkpoint == signed.checkpoint
    with pytest.raises(NotFound):
        world.desk.audit_prove(len(exported) + 1)
    world.assert_sound()


def test_growth_is_proven_from_each_size(world, outdoors):
    world.govern()
    old = world.desk.audit_checkpoint()
    world.quickly(2)
    new = world.desk.audit_checkpoint()
    assert new["size"] > old["size"]
    proof = read_proof(world.desk.audit_consistency(old["size"])["proof"].encode())
    assert isinstance(proof, GrowthProof)
    assert grown(proof, old["note"].encode(), [read_vkey(new["key"])]).checkpoint.size == new["size"]
    told = world.desk.audit_consistency(1, 2)
    assert is_consistent(1, 2, [bytes.fromhex(each) for each in told["hashes"]],
                         bytes.fromhex(told["old_root"]), bytes.fromhex(told["checkpoint"]["root"]))  # fmt: skip
    with pytest.raises(Invalid):
        world.desk.audit_consistency(new["size"] + 1)
    with pytest.raises(NotFound):
        world.desk.audit_consistency(1, new["size"] + 1)


def test_without_a_key_nothing_is_called_signed_and_decisions_go_on(world, monkeypatch):
    monkeypatch.delenv(outside.KEY, raising=False)
    world.govern()
    world.quickly()
    head = world.desk.audit_checkpoint()
    assert head["note"] is None and head["key"] is None and outside.KEY in head["why_unsigned"]
    answer = world.desk.audit_prove(1)
    assert answer["proof"] is None and answer["hashes"]
    world.promote(1)
    world.assert_sound()


def bad_key(kind: str, file: Path) -> None:
    if kind == "garbage":
        file.write_text("no key")
        file.chmod(0o600)
    elif kind == "read by others":
        file.chmod(0o644)
    elif kind == "missing":
        file.unlink()
    elif kind == "a pipe":
        file.unlink()
        os.mkfifo(file)
    elif kind == "a folder":
        file.unlink()
        file.mkdir()
    elif kind == "empty":
        file.write_bytes(b"")
    elif kind == "encrypted":
        file.write_bytes(private_pem(new_key(), "a passphrase that is not told"))
    elif kind == "of another kind":
        file.write_bytes(generate_private_key(65537, 2048).private_bytes(
            Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))  # fmt: skip
    elif kind == "another":
        file.unlink()
        outside.log_key(make=True)


@pytest.mark.parametrize(
    ("kind", "told"),
    [("garbage", "holds no key"), ("read by others", "chmod 600"), ("missing", "is not there"),
     ("a pipe", "is no file"), ("a folder", "cannot be read"), ("empty", "holds no key"), ("encrypted", "holds no key"),
     ("of another kind", "holds no key"), ("another", "audit key rotate")],
)  # fmt: skip
def test_a_key_that_went_wrong_is_told_and_decisions_go_on(world, outdoors, kind, told):
    world.govern()
    first = world.desk.audit_checkpoint()
    bad_key(kind, outdoors / "log.key")
    world.quickly()
    head = world.desk.audit_checkpoint()
    assert head["note"] is None and told in head["why_unsigned"] and told in world.desk.audit_keys()["why_unsigned"]
    assert told in world.desk.checkpointing.keep()
    world.promote(1)
    assert not (kind == "missing" and (outdoors / "log.key").exists()), "another key was made in silence"
    # What was signed before stays proven.
    assert proven(read_proof(world.desk.audit_prove(1, first["size"])["proof"].encode()), [read_vkey(first["key"])])


def test_a_key_on_a_disk_that_cannot_be_written_is_told(world, outdoors, monkeypatch):
    (outdoors / "no-folder").write_text("a file")
    monkeypatch.setenv(outside.KEY, str(outdoors / "no-folder" / "log.key"))
    world.govern()
    head = world.desk.audit_checkpoint()
    assert head["note"] is None and "cannot be" in head["why_unsigned"]
    with world.acting("admin"), pytest.raises(RegistryError, match="cannot be") as refusal:
        world.desk.audit_key_rotate("to no avail")
    assert status_of(refusal.value) < 500
    monkeypatch.setenv(outside.KEY, str(outdoors / "log.key"))
    monkeypatch.setenv(outside.DIRECTORY, str(outdoors / "no-folder" / "checkpoints"))
    assert world.desk.audit_checkpoint()["note"]
    assert "cannot be kept" in world.desk.checkpointing.keep()
    world.assert_sound()


def test_another_key_is_an_entry_and_each_verifies_its_time(world, outdoors):
    world.govern()
    old = world.desk.audit_checkpoint()
    (outdoors / "log.key").unlink()
    with world.acting("ana"), pytest.raises(Refused):
        world.desk.audit_key_rotate("not mine to do")
    with world.acting("admin"):
        changed = world.desk.audit_key_rotate("the disk was copied")
        with pytest.raises(Conflict):
            world.desk.audit_key_rotate("twice")
    assert changed["before"] == old["key"] and changed["key"] != old["key"]
    new = world.desk.audit_checkpoint()
    assert new["key"] == changed["key"] and new["size"] == changed["entry"]
    keys = world.desk.audit_keys()
    assert [(each["vkey"], each["since"]) for each in keys["keys"]] == [(old["key"], 0), (new["key"], new["size"])]
    standing = world.desk.checkpointing.standing()
    assert [str(each) for each in standing.keys_at(old["size"])] == [old["key"]]
    assert [str(each) for each in standing.keys_at(new["size"])] == [new["key"]]
    with pytest.raises(Invalid):
        opened(new["note"].encode(), standing.keys_at(old["size"]))
    world.assert_sound()


@pytest.mark.parametrize(("seq", "told"), [(1, "another log"), (2, "has not grown")])
def test_a_log_that_was_rewritten_is_not_signed_again(world, outdoors, seq, told):
    world.govern()
    world.quickly(2)
    assert world.desk.checkpointing.keep() is None
    sql(world, "DELETE FROM registry_hooks_checkpoints")  # all that the database knows of it
    sql(world, "UPDATE registry_hooks_ledger SET leaf_hash = :hash WHERE seq = :seq", hash="0" * 64, seq=seq)
    with world.acting("ana"):
        world.desk.nominate(MODEL, 1)
    head = world.desk.audit_checkpoint()
    assert head["note"] is None and told in head["why_unsigned"]


def test_a_log_that_was_taken_back_is_signed_under_another_name_alone(world, outdoors, tmp_path, monkeypatch):
    world.govern()
    backup = (tmp_path / "mlflow.db").read_bytes()
    world.quickly(2)
    assert world.desk.checkpointing.keep() is None
    world.store.engine.dispose()
    (tmp_path / "mlflow.db").write_bytes(backup)
    head = world.desk.audit_checkpoint()
    assert head["note"] is None and "backup" in head["why_unsigned"] and outside.ORIGIN in head["why_unsigned"]
    monkeypatch.setenv(outside.ORIGIN, "example.com/restored")
    with world.acting("admin"):
        world.desk.audit_key_rotate("restored from a backup")
    head = world.desk.audit_checkpoint()
    assert head["origin"] == "example.com/restored" and head["note"]
    assert world.desk.checkpointing.keep() is None
    assert outside.newest_outside().origin == "example.com/restored"


def test_checkpoints_are_kept_outside_the_database(world, outdoors):
    world.govern()
    assert world.desk.checkpointing.keep() is None
    world.quickly()
    assert world.desk.checkpointing.keep() is None and world.desk.checkpointing.keep() is None
    head = world.desk.audit_checkpoint()
    folder = outdoors / "checkpoints"
    assert (folder / "checkpoint").read_text() == (folder / f"{head['size']:012}").read_text() == head["note"]
    assert len(list(folder.iterdir())) == 3


def test_witnesses_that_are_configured_are_kept_with_the_checkpoint(world, outdoors, monkeypatch):
    world.govern()
    head, witness, stranger = world.desk.audit_checkpoint(), new_key(), new_key()
    known = vkey_of("witness.example/w1", witness, COSIGNS)
    note = read_note(head["note"].encode())
    lines = [cosign(note.text, "witness.example/w1", witness, 1_700_000_000),
             cosign(note.text, "stranger.example", stranger, 1_700_000_000)]  # fmt: skip
    cosigned = bytes(Note(note.text, (*note.signatures, *lines))).decode()
    with world.acting("raj"), pytest.raises(Invalid, match="no configured witness"):
        world.desk.audit_cosign(cosigned)
    (outdoors / "witnesses").write_text(f"# ours\n{known}\n")
    monkeypatch.setenv(outside.WITNESSES, str(outdoors / "witnesses"))
    with world.acting("raj"):
        told = world.desk.audit_cosign(cosigned)
        assert world.desk.audit_cosign(cosigned) == told
    assert told["witnesses"] == [{"name": "witness.example/w1", "at": 1_700_000_000}]
    assert world.desk.audit_checkpoint() == told
    signed = proven(read_proof(world.desk.audit_prove(1)["proof"].encode()), [read_vkey(head["key"]), known])
    assert signed.witnesses == {"witness.example/w1": 1_700_000_000}
    broken = cosigned.replace("witness.example/w1 ", "witness.example/w2 ")
    with world.acting("raj"), pytest.raises(Invalid):
        world.desk.audit_cosign(broken)


def test_hashes_behind_are_filled_and_none_is_trusted(world, outdoors):
    world.govern()
    lengthen(world, WIDTH + 3)
    assert world.desk.audit_prove(5)["proof"]
    with world.store.engine.begin() as connection:
        (row,) = connection.execute(sa.text("SELECT level, number, hash FROM registry_hooks_nodes")).all()
    assert (row.level, row.number) == (1, 0)
    world.assert_sound()
    sql(world, "UPDATE registry_hooks_nodes SET hash = :hash", hash="0" * 64)
    (problem,) = world.desk.audit_verify()["problems"]
    assert "empty the table registry_hooks_nodes" in problem["what"]
    with pytest.raises(Torn, match="does not lead to the log's root") as refusal:
        world.desk.audit_prove(WIDTH + 2)
    assert status_of(refusal.value) < 500


def test_a_log_that_was_rewritten_whole_is_found_by_what_was_signed(world, outdoors):
    """Every row and the head fit one another; the checkpoint that was signed does not fit them."""
    from registry_hooks.rules.log.merkle import Tree, leaf_hash

    some_log(world, 3)
    world.desk.audit_checkpoint()
    tree = Tree()
    for row in b"".join(world.desk.audit_export()).splitlines():
        document = json.loads(row)
        document["tree"], document["authenticated_by"] = tree.root.hex(), "nobody"
        text = rfc8785.dumps(document)
        sql(world, "UPDATE registry_hooks_ledger SET entry = :entry, leaf_hash = :leaf WHERE seq = :seq",
            entry=text.decode(), leaf=leaf_hash(text).hex(), seq=document["seq"])  # fmt: skip
        tree = tree.append(leaf_hash(text))
    sql(world, "UPDATE registry_hooks_head SET frontier = :f", f=",".join(each.hex() for each in tree.frontier))
    (problem, *_) = world.desk.audit_verify()["problems"]
    assert "has not grown from the checkpoint" in problem["what"] and problem["seq"] is None


def test_an_upgrade_fills_the_hashes_of_a_log_without_them(world, outdoors, tmp_path):
    from registry_hooks.storage.schema import VERSION_TABLE
    from registry_hooks.storage.upgrading import upgrade_database

    some_log(world, WIDTH)
    for table in ("registry_hooks_nodes", "registry_hooks_checkpoints"):
        sql(world, f"DROP TABLE {table}")
    sql(world, f"UPDATE {VERSION_TABLE} SET version_num = 'r0005'")
    world.store.engine.dispose()
    upgrade_database(f"sqlite:///{tmp_path / 'mlflow.db'}")
    with world.store.engine.begin() as connection:
        assert connection.execute(sa.text("SELECT count(*) FROM registry_hooks_nodes")).scalar_one() == 1
    assert world.desk.audit_prove(1)["proof"]
    world.assert_sound()


def test_another_text_is_sealed_and_a_checkpoint_is_not(world, outdoors):
    world.govern()
    head = world.desk.audit_checkpoint()
    note = world.desk.checkpointing.sealed("a list of files\n")
    assert [str(each) for each in verified(read_note(note), [read_vkey(head["key"])])] == [head["key"]]
    with pytest.raises(ValueError, match="checkpoint"):
        world.desk.checkpointing.sealed(text := read_note(head["note"].encode()).text)
    assert text.startswith(head["origin"])
    assert world.desk.checkpointing.covering(1).checkpoint.size == head["size"]


def test_checkpoints_are_kept_in_a_run_that_is_configured(world, outdoors, monkeypatch):
    world.govern()
    run_id = world.client.create_run(world.experiment).info.run_id
    monkeypatch.setenv(outside.RUN, run_id)
    assert world.desk.checkpointing.keep() is None
    head = world.desk.audit_checkpoint()
    (logged,) = world.client.list_artifacts(run_id, "checkpoints")
    assert Path(world.client.download_artifacts(run_id, logged.path)).read_text() == head["note"]
    monkeypatch.setenv(outside.RUN, "0" * 32)
    world.quickly()
    assert "cannot be kept" in world.desk.checkpointing.keep() and world.desk.audit_checkpoint()["note"]


def test_a_folder_that_cannot_be_written_keeps_no_checkpoint_from_the_run(world, outdoors, monkeypatch):
    world.govern()
    run_id = world.client.create_run(world.experiment).info.run_id
    (outdoors / "checkpoints").write_text("no folder")
    monkeypatch.setenv(outside.RUN, run_id)
    assert "cannot be" in world.desk.checkpointing.keep()
    assert world.client.list_artifacts(run_id, "checkpoints")


def test_many_workers_sign_at_once_while_others_write(row_locks, outdoors):
    """None fails, every size has one checkpoint, and each has grown from the one before."""
    world = row_locks
    world.govern()
    some = [lambda: [world.desk.checkpointing.signed() for _ in range(10)]] * 3
    with ThreadPoolExecutor(4) as pool:
        writing = pool.submit(lengthen, world, 60)
        signed = [kept for each in [pool.submit(one) for one in some] for kept in each.result(60)]
        writing.result(60)
    last = world.desk.checkpointing.signed()
    assert len({(kept.checkpoint.size, kept.note) for kept in signed}) == len({kept.checkpoint.size for kept in signed})
    for kept in signed:
        told = world.desk.audit_consistency(kept.checkpoint.size, last.checkpoint.size)
        path = [bytes.fromhex(each) for each in told["hashes"]]
        assert is_consistent(
            kept.checkpoint.size, last.checkpoint.size, path, kept.checkpoint.root, last.checkpoint.root
        )
    world.assert_sound()


def test_webhooks_carry_the_newest_checkpoint(world, outdoors):
    world.govern()
    head = world.desk.audit_checkpoint()
    with world.store.unit_of_work(write=False) as session:
        (item,) = Streams(session).items("ledger", 0, 1)
        message = made(item, next(iter(item.events)), session, "")
    assert message.data["ledger"]["checkpoint"] == head["note"]


@pytest.mark.parametrize("name", ["two words", "a+b", "a\nb"])
def test_a_name_that_no_key_can_have_is_told(world, outdoors, monkeypatch, name):
    monkeypatch.setenv(outside.ORIGIN, name)
    world.govern()
    assert outside.ORIGIN in world.desk.audit_checkpoint()["why_unsigned"]
    assert (
        outside.ORIGIN in world.desk.checkpointing.keep() and outside.ORIGIN in world.desk.audit_keys()["why_unsigned"]
    )


@pytest.mark.parametrize("text", [None, b"no key\n", b"\xff\xfe"])
def test_a_file_of_witnesses_that_cannot_be_read_is_told(world, outdoors, monkeypatch, text):
    world.govern()
    head, file = world.desk.audit_checkpoint(), outdoors / "witnesses"
    if text is not None:
        file.write_bytes(text)
    monkeypatch.setenv(outside.WITNESSES, str(file))
    told = world.desk.audit_keys()
    assert told["witnesses"] == [] and told["why_no_witnesses"] and told["why_unsigned"] is None
    assert world.desk.audit_checkpoint() == head
    with world.acting("raj"), pytest.raises(RegistryError):
        world.desk.audit_cosign(head["note"])


def test_a_copy_that_is_no_checkpoint_is_told_once_and_put_right(world, outdoors, caplog):
    world.govern()
    assert world.desk.checkpointing.keep() is None
    (outdoors / "checkpoints" / "checkpoint").write_text("no checkpoint")
    for _ in range(3):
        head = world.desk.audit_checkpoint()
    assert head["note"] and sum("not compared" in each.message for each in caplog.records) == 1
    assert world.desk.checkpointing.keep() is None
    assert (outdoors / "checkpoints" / "checkpoint").read_text() == head["note"]
