"""What leaves the house is verified by code that is not ours: Go's ``sumdb/note`` and ``sumdb/tlog``."""

import random
import shutil
from pathlib import Path

import pytest
from support.proofs.long_log import lengthen, some_log
from support.proofs.tampering import changed
from support.world import MODEL

from registry_hooks.cli.commands.log.copying import Copy, leaves
from registry_hooks.errors import Invalid, RegistryError
from registry_hooks.rules.log.checkpoints import opened
from registry_hooks.rules.log.notes import read_vkey
from registry_hooks.rules.log.proof_texts import grown, proven, read_proof


def copy_to(folder: Path, world) -> dict:
    head = world.desk.audit_checkpoint()
    copy = Copy(folder)
    for leaf, entry in leaves(world.desk.audit_leaves(copy.size or None, head["size"])):
        copy.add(leaf, entry)
    copy.publish(opened(head["note"].encode(), [read_vkey(head["key"])]))
    return head


@pytest.mark.parametrize("entries", [1, 250, 700])
def test_go_reads_the_static_files_at_every_size(world, outdoors, gos, entries):
    some_log(world, entries)
    for _ in range(2):
        head = copy_to(outdoors / "copy", world)
        (answer,) = gos.ask(("log", head["key"], outdoors / "copy"))
        assert answer.ok, answer.why
        assert (answer.size, answer.root) == (head["size"], head["root"])
        lengthen(world, 20)


def files_of(world, outdoors) -> tuple[str, list[Path], Path, list[Path]]:
    old = outdoors / "old"
    old.write_text(world.desk.audit_checkpoint()["note"])
    lengthen(world, 40)
    head = world.desk.audit_checkpoint()
    records, growths = [], []
    for seq in (1, 2, 7, head["size"] // 2, head["size"] - 1, head["size"]):
        records.append(outdoors / f"{seq}.tlog-proof")
        records[-1].write_text(world.desk.audit_prove(seq)["proof"])
    growths.append(outdoors / "growth")
    growths[-1].write_text(world.desk.audit_consistency(int(old.read_text().split("\n")[1]))["proof"])
    return head["key"], records, old, growths


def test_go_verifies_proofs_of_entries_and_of_growth(world, outdoors, gos):
    some_log(world, 300)
    key, records, old, growths = files_of(world, outdoors)
    answers = gos.ask(*(("record", key, each) for each in records), *(("growth", key, old, each) for each in growths))
    assert [each.why for each in answers if not each.ok] == []
    assert {(each.size, each.root) for each in answers} == {(answers[0].size, world.desk.audit_verify()["root"])}


def ours_takes(kind: str, data: bytes, key, old: bytes) -> bool:
    try:
        proof = read_proof(data)
        if kind == "growth":
            grown(proof, old, [key])
        else:
            proven(proof, [key])
    except (Invalid, AttributeError):  # a proof of the other kind has none of the members
        return False
    return True


def tamper(world, outdoors, gos, turns: int) -> None:
    """Neither we nor Go take a changed proof, and both say the same."""
    some_log(world, 300)
    key, records, old, growths = files_of(world, outdoors)
    chance, folder = random.Random(20261130), outdoors / "changed"
    folder.mkdir()
    kinds, questions, told = [], [], []
    for turn in range(turns):
        kind, file = chance.choice([("record", each) for each in records] + [("growth", each) for each in growths])
        data = changed(file.read_bytes(), chance)
        if data == file.read_bytes():
            continue
        (folder / str(turn)).write_bytes(data)
        kinds.append(kind)
        told.append(ours_takes(kind, data, read_vkey(key), old.read_bytes()))
        questions.append((kind, key, *([old] if kind == "growth" else []), folder / str(turn)))
    assert len(questions) > turns * 0.8 and not any(told)
    # Go reads base64 and numbers in more than one form; what they stand for it checks as we do.
    taken = [question[-1] for question, each in zip(questions, gos.ask(*questions), strict=True) if each.ok]
    assert len(taken) <= len(questions) // 50


def test_no_changed_proof_is_taken(world, outdoors, gos):
    tamper(world, outdoors, gos, 600)


@pytest.mark.long
def test_no_changed_proof_of_ten_thousand_is_taken(world, outdoors, gos):
    tamper(world, outdoors, gos, 10_000)


def tamper_with_copies(world, outdoors, gos, turns: int) -> None:
    some_log(world, 300)
    head = copy_to(outdoors / "copy", world)
    chance = random.Random(4)
    files = sorted(path for path in (outdoors / "copy").rglob("*") if path.is_file())
    questions = []
    for turn in range(turns):
        folder, file = outdoors / f"copy-{turn}", chance.choice(files)
        shutil.copytree(outdoors / "copy", folder)
        data = changed(file.read_bytes(), chance)
        if data == file.read_bytes():
            continue
        (folder / file.relative_to(outdoors / "copy")).write_bytes(data)
        questions.append(("log", head["key"], folder))
    answers = gos.ask(*questions)
    assert not any(each.ok for each in answers) and len(answers) > turns * 0.8


def test_no_changed_file_of_a_copy_is_taken(world, outdoors, gos):
    tamper_with_copies(world, outdoors, gos, 100)


def test_a_copy_of_a_log_that_forked_is_not_published(world, outdoors, gos):
    some_log(world, 300)
    head = copy_to(outdoors / "copy", world)
    kept = (outdoors / "copy" / "checkpoint").read_bytes()
    lengthen(world, 300)
    new = world.desk.audit_checkpoint()
    lines = b"".join(world.desk.audit_leaves(None, new["size"])).splitlines(keepends=True)
    signed = opened(new["note"].encode(), [read_vkey(new["key"])])
    for at in (3, 280, 400):
        copy = Copy(outdoors / "copy")
        for number, line in enumerate(lines[copy.size :], copy.size):
            leaf, entry = next(leaves([line.replace(b'"actor":"admin"', b'"actor":"nobody"')]))
            copy.add(bytes(32) if number == max(at, 256) else leaf, entry)
        with pytest.raises(RegistryError, match="forked or was rewritten"):
            copy.publish(signed)
        assert (outdoors / "copy" / "checkpoint").read_bytes() == kept
        (answer,) = gos.ask(("log", head["key"], outdoors / "copy"))
        assert answer.ok and answer.size == head["size"]
    assert copy_to(outdoors / "copy", world)["size"] == new["size"]
    (answer,) = gos.ask(("log", new["key"], outdoors / "copy"))
    assert answer.ok and answer.size == new["size"]


def test_what_was_redacted_is_told_apart_from_what_was_changed(world, outdoors, gos):
    some_log(world, 3)
    with world.acting("ana"):
        world.desk.request(MODEL, 2, "call me: +49 171 5550100")
        (entry,) = [each for each in world.desk.history(MODEL)["entries"] if "5550100" in str(each)]
    with world.acting("admin"):
        world.desk.redact(entry["seq"], "comment", "personal data")
    head = world.desk.audit_checkpoint()
    lines = b"".join(world.desk.audit_leaves(None, head["size"])).splitlines(keepends=True)
    assert b"5550100" not in b"".join(lines)
    for number, changed_too in ((None, []), (2, [3])):
        copy = Copy(outdoors / f"copy-{number}")
        for at, line in enumerate(lines):
            text = line.replace(b'"schema"', b'"Schema"') if at == number else line
            copy.add(*next(leaves([text])))
        copy.publish(opened(head["note"].encode(), [read_vkey(head["key"])]))
        assert copy.unsound() == changed_too and copy.other_text == 1 + len(changed_too)
    (answer,) = gos.ask(("log", head["key"], outdoors / "copy-None"))
    assert not answer.ok and f"entry {entry['seq'] - 1} is not what was hashed" in answer.why
