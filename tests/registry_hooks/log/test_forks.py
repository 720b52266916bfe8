"""A log that somebody rewrote in the database, with its checkpoints: found by what stands outside, and told."""

import json

import pytest
import rfc8785
import sqlalchemy as sa
from support.proofs.long_log import some_log

from registry_hooks.rules.log.checkpoints import Checkpoint
from registry_hooks.rules.log.merkle import Tree, leaf_hash
from registry_hooks.rules.log.notes import sign, vkey_of
from registry_hooks.rules.signatures import new_key
from registry_hooks.storage.log import outside


def sql(world, statement, **values):
    with world.store.engine.begin() as connection:
        connection.execute(sa.text(statement), values)


def rewritten(world, key=None, name=None):
    """The whole log by somebody else, and its checkpoint by a key of theirs; the database has no other."""
    tree = Tree()
    for row in b"".join(world.desk.audit_export()).splitlines():
        document = json.loads(row)
        document["tree"], document["authenticated_by"] = tree.root.hex(), "nobody"
        text = rfc8785.dumps(document)
        sql(world, "UPDATE registry_hooks_ledger SET entry = :entry, leaf_hash = :leaf WHERE seq = :seq",
            entry=text.decode(), leaf=leaf_hash(text).hex(), seq=document["seq"])  # fmt: skip
        tree = tree.append(leaf_hash(text))
    sql(world, "UPDATE registry_hooks_head SET frontier = :f", f=",".join(each.hex() for each in tree.frontier))
    sql(world, "DELETE FROM registry_hooks_checkpoints")
    if key is not None:
        checkpoint = Checkpoint(name, tree.size, tree.root)
        sql(world, "INSERT INTO registry_hooks_checkpoints (size, at, vkey, note) VALUES (:size, :at, :vkey, :note)",
            size=tree.size, at="2026-11-30T00:00:00+00:00", vkey=str(vkey_of(name, key)),
            note=bytes(sign(checkpoint.text, name, key)).decode())  # fmt: skip
    return tree


def whats(world):
    return " ".join(each["what"] for each in world.desk.audit_verify()["problems"])


def test_a_checkpoint_by_another_key_is_found_by_the_key_of_the_server(world, outdoors, monkeypatch):
    some_log(world, 3)
    head = world.desk.audit_checkpoint()
    assert world.desk.audit_verify()["held_against"] == ["the checkpoint of 12 entries, by the key of this server"]
    rewritten(world, new_key(), head["origin"])
    assert "is signed by" in whats(world) and "the key of this server is" in whats(world)
    monkeypatch.delenv(outside.KEY)  # nothing but the database: it is said that nothing else was there
    assert "is signed by" not in whats(world)
    assert world.desk.audit_verify()["held_against"] == [
        "the checkpoint of 12 entries, by no key but the one beside it"
    ]


def test_a_log_without_its_checkpoints_is_found_by_the_copy_outside(world, outdoors):
    some_log(world, 3)
    assert world.desk.checkpointing.keep() is None
    told = world.desk.audit_verify()["held_against"]
    assert len(told) == 2 and told[1].startswith("the copy of 12 entries of ")
    rewritten(world)
    assert "forked from the copy of 12 entries" in whats(world)


def test_a_key_that_the_log_names_is_what_a_checkpoint_is_held_against(world, outdoors):
    world.govern()
    world.desk.audit_checkpoint()
    (outdoors / "log.key").unlink()
    with world.acting("admin"):
        world.desk.audit_key_rotate("the disk was copied")
    head = world.desk.audit_checkpoint()
    (told, *_) = world.desk.audit_verify()["held_against"]
    assert told == f"the checkpoint of {head['size']} entries, by the key that the log names"
    key = new_key()
    note = bytes(sign(Checkpoint(head["origin"], head["size"], bytes.fromhex(head["root"])).text, head["origin"], key))
    sql(world, "UPDATE registry_hooks_checkpoints SET vkey = :vkey, note = :note WHERE size = :size",
        vkey=str(vkey_of(head["origin"], key)), note=note.decode(), size=head["size"])  # fmt: skip
    assert "the key that the log names is" in whats(world)


def test_a_rewritten_log_under_another_name_is_told_and_overwrites_no_copy(world, outdoors, monkeypatch):
    """The entry that names the log anew was forged: whoever rewrote it knows the server's public key."""
    some_log(world, 3)
    assert world.desk.checkpointing.keep() is None
    folder = outdoors / "checkpoints"
    kept = (folder / f"{12:012}").read_text()
    rewritten(world)
    with world.acting("admin"), monkeypatch.context() as forging:
        forging.setenv(outside.ORIGIN, "example.com/forged")
        world.desk.audit_key_rotate("forged")
    sql(world, "DELETE FROM registry_hooks_notices")
    assert world.desk.checkpointing.keep() is None and world.desk.checkpointing.keep() is None
    (aside,) = (each for each in folder.iterdir() if each.is_dir())
    assert (aside / f"{12:012}").read_text() == (aside / "checkpoint").read_text() == kept
    assert outside.newest_outside().origin == "example.com/forged"
    assert "forked from the copy of 12 entries" in whats(world)
    with world.store.engine.connect() as connection:
        (told,) = connection.execute(sa.text("SELECT body FROM registry_hooks_notices")).scalars().all()
    assert "forked from the copy of 12 entries" in told
    for each in aside.iterdir():  # somebody looked into it
        each.unlink()
    assert "forked" not in whats(world) and world.desk.checkpointing.keep() is None


def test_a_log_that_was_rewritten_is_told_without_being_asked(world, outdoors):
    some_log(world, 3)
    assert world.desk.checkpointing.keep() is None
    rewritten(world)
    assert "rewritten" in world.desk.checkpointing.keep() and "rewritten" in world.desk.checkpointing.keep()
    with world.store.engine.connect() as connection:
        (event,) = connection.execute(sa.text("SELECT event FROM registry_hooks_notices")).scalars().all()
    assert event == "tampering-seen"


def test_no_checkpoint_is_written_over_another_of_its_size(outdoors):
    key, folder = new_key(), outdoors / "checkpoints"
    one, other = (bytes(sign(Checkpoint("log", 5, root * 32).text, "log", key)) for root in (b"a", b"b"))
    outside.keep_outside(5, one)
    with pytest.raises(outside.NotKept, match="forked"):
        outside.keep_outside(5, other)
    assert (folder / f"{5:012}").read_bytes() == (folder / "checkpoint").read_bytes() == one
    renewed = bytes(sign(Checkpoint("log", 6, b"a" * 32).text, "log", other_key := new_key()))
    outside.keep_outside(6, renewed)
    (aside,) = (each for each in folder.iterdir() if each.is_dir())
    assert aside.name == f"log+{vkey_of('log', key).id.hex()}" and (aside / f"{5:012}").read_bytes() == one
    assert {each.name for each in folder.iterdir()} == {"checkpoint", f"{6:012}", aside.name}
    assert vkey_of("log", other_key).id != vkey_of("log", key).id
