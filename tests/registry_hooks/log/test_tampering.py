"""No changed log and no changed checkpoint passes; ten thousand of each in `make soak`."""

import json
import random

import pytest
import rfc8785
from support.proofs.long_log import some_log
from support.proofs.tampering import changed

from registry_hooks.cli.commands.log.verifying import _recomputed
from registry_hooks.errors import Invalid
from registry_hooks.rules.log.checkpoints import opened
from registry_hooks.rules.log.merkle import Growing, leaf_hash
from registry_hooks.rules.log.notes import read_vkey

FEW, MANY = 400, 10_000
TURNS = [pytest.param(FEW, id="few"), pytest.param(MANY, id="many", marks=pytest.mark.long)]


@pytest.fixture
def written(world, outdoors):
    """A log as it is exported, and its checkpoint."""
    some_log(world, 40)
    head = world.desk.audit_checkpoint()
    return b"".join(world.desk.audit_export()), head


def rewritten(lines: list[bytes], at: int) -> list[bytes]:
    """A log whose entry was changed, and every one behind it so that all fit one another again."""
    tree, made = Growing(), []
    for number, line in enumerate(lines):
        document = json.loads(line)
        if number == at:
            document["actor"] = "somebody else"
        made.append(rfc8785.dumps({**document, "tree": tree.root.hex()}))
        tree.append(leaf_hash(made[-1]))
    return made


def changed_log(lines: list[bytes], chance: random.Random) -> list[bytes]:
    at = chance.randrange(len(lines))
    match chance.randrange(6):
        case 0:
            return lines[:at] + lines[at + 1 :]
        case 1:
            return [*lines[:at], lines[chance.randrange(len(lines))], *lines[at:]]
        case 2:
            return lines[:at]
        case 3:
            return rewritten(lines, at)
    return changed(b"\n".join(lines), chance).split(b"\n")


@pytest.mark.parametrize("turns", TURNS)
def test_no_changed_log_passes(written, tmp_path, turns):
    log, head = written
    kept = {"kept": opened(head["note"].encode(), [read_vkey(head["key"])]).checkpoint}
    lines, chance, file, tried = log.splitlines(), random.Random(17), tmp_path / "log.ndjson", 0
    file.write_bytes(log)
    assert _recomputed(file, None, kept)["ok"]
    for _ in range(turns):
        told = [line for line in changed_log(lines, chance) if line.strip()]
        if told == lines:
            continue
        tried += 1
        file.write_bytes(b"\n".join(told))
        assert not _recomputed(file, None, kept)["ok"], told
    assert tried > turns * 0.9


@pytest.mark.parametrize("turns", TURNS)
def test_no_changed_checkpoint_passes(written, turns):
    _, head = written
    note, key, chance, tried = head["note"].encode(), read_vkey(head["key"]), random.Random(18), 0
    assert opened(note, [key])
    for _ in range(turns):
        data = changed(note, chance)
        if data == note:
            continue
        tried += 1
        with pytest.raises(Invalid):
            opened(data, [key])
    assert tried > turns * 0.8
