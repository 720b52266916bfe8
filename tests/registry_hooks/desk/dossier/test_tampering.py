"""Tampered dossiers: seeded changes of every member, clumsy and clever, of which none passes."""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import os
import random
import zipfile

import pytest

from mlflow_eval_plugin.canonical import canonical, digest_of
from registry_hooks.desk.dossier.program.telling import BROKEN, SOUND, main
from registry_hooks.rules.log.merkle import leaf_hash

CHANGES = int(os.environ.get("REGISTRY_HOOKS_TAMPERED_DOSSIERS", "300"))
MANY = 10_000


def zipped(held: dict[str, bytes]) -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_STORED) as file:
        for name, content in held.items():
            file.writestr(zipfile.ZipInfo(name), content)
    return made.getvalue()


def relisted(held: dict[str, bytes]) -> dict[str, bytes]:
    """With a list of members that fits what they are now: the work of somebody who knows the format."""
    index = json.loads(held["dossier.json"])
    names = [name for name in held if name not in ("dossier.json", "dossier.note")]
    index["members"] = [
        {"path": name, "size": len(held[name]), "sha256": hashlib.sha256(held[name]).hexdigest()} for name in names
    ]
    del index["digest"]
    return {**held, "dossier.json": canonical({**index, "digest": digest_of(index)})}


def passes(tmp_path, data: bytes, *arguments: str) -> bool:
    file = tmp_path / "tampered.zip"
    file.write_bytes(data)
    with contextlib.redirect_stdout(io.StringIO()):
        code = main([str(file), *arguments])
    assert code in (SOUND, BROKEN)
    return code == SOUND


# Clumsy: the list of members stays as it was --------------------------------------------------------------------------


def _a_byte(held, chance):
    name = chance.choice([name for name in held if held[name]])
    content = bytearray(held[name])
    content[chance.randrange(len(content))] ^= 1 << chance.randrange(8)
    return {**held, name: bytes(content)}


def _cut_short(held, chance):
    name = chance.choice([name for name in held if held[name]])
    return {**held, name: held[name][: chance.randrange(len(held[name]))]}


def _left_out(held, chance):
    name = chance.choice([name for name in held if name != "dossier.note"])
    return {each: content for each, content in held.items() if each != name}


def _added(held, chance):
    return {**held, f"{chance.choice(('entries/00000099.json', 'runs/x/y.json', 'files/z', 'note'))}": b"{}"}


def _swapped(held, chance):
    one, other = chance.sample([name for name in held if name != "dossier.note"], 2)
    return {**held, one: held[other], other: held[one]} if held[one] != held[other] else _a_byte(held, chance)


# Clever: the list of members fits -------------------------------------------------------------------------------------


def _word(value, chance):
    """Another value of the same kind somewhere in a document."""
    if isinstance(value, dict) and value:
        name = chance.choice(sorted(value))
        return {**value, name: _word(value[name], chance)}
    if isinstance(value, list) and value:
        place = chance.randrange(len(value))
        return [*value[:place], _word(value[place], chance), *value[place + 1 :]]
    if isinstance(value, bool):
        return not value
    if isinstance(value, int | float):
        return value + 1
    return f"{value} indeed" if value is not None else "something"


def _an_entry(held, chance):
    name = chance.choice([name for name in held if name.startswith("entries/")])
    return relisted({**held, name: canonical(_word(json.loads(held[name]), chance))})


def _an_entry_with_its_leaf(held, chance):
    name = chance.choice([name for name in held if name.startswith("entries/")])
    text, proofs = canonical(_word(json.loads(held[name]), chance)), json.loads(held["proofs.json"])
    proofs[str(int(name[8:16]))]["leaf_hash"] = leaf_hash(text).hex()
    return relisted({**held, name: text, "proofs.json": canonical(proofs)})


def _an_entry_left_out(held, chance):
    name = chance.choice([name for name in held if name.startswith("entries/")])
    return relisted({each: content for each, content in held.items() if each != name})


def _a_proof(held, chance):
    return relisted({**held, "proofs.json": canonical(_word(json.loads(held["proofs.json"]), chance))})


def _the_root(held, chance):
    lines = held["checkpoint"].decode().split("\n")
    place = chance.choice((1, 2))
    lines[place] = (
        str(int(lines[1]) + 1) if place == 1 else "A" + lines[2][1:] if lines[2][0] != "A" else "B" + lines[2][1:]
    )
    return relisted({**held, "checkpoint": "\n".join(lines).encode()})


def _evidence_sealed_anew(held, chance):
    name = chance.choice([name for name in held if name.startswith("runs/") and name.endswith(".json")])
    document = _word({k: v for k, v in json.loads(held[name]).items() if k != "digest"}, chance)
    return relisted({**held, name: canonical({**document, "digest": digest_of(document)})})


def _a_signature(held, chance):
    name = chance.choice([name for name in held if name.endswith(".dsse")])
    return relisted({**held, name: json.dumps(_word(json.loads(held[name]), chance)).encode()})


def _a_document_left_out(held, chance):
    name = chance.choice([name for name in held if name.startswith(("runs/", "manifests/", "policies/"))])
    return relisted({each: content for each, content in held.items() if each != name})


def _a_document_of_nobody(held, chance):
    return relisted({**held, "runs/elsewhere/evidence/better.json": b'{"verdict":"pass"}'})


def _a_page_or_policy(held, chance):
    name = chance.choice([name for name in held if name.endswith((".html", ".yaml")) and name != "index.html"])
    return relisted({**held, name: held[name] + b" "})


def _the_list_of_files(held, chance):
    name = chance.choice([name for name in held if name.startswith("manifests/")])
    return relisted({**held, name: canonical(_word(json.loads(held[name]), chance))})


def _the_model_s_files(held, chance):
    name = chance.choice([name for name in held if name.startswith("files/")])
    return relisted({**held, name: held[name] + b"!"})


CLUMSY = [_a_byte, _cut_short, _left_out, _added, _swapped]
CLEVER = [
    _an_entry, _an_entry_with_its_leaf, _an_entry_left_out, _a_proof, _the_root, _evidence_sealed_anew, _a_signature,
    _a_document_left_out, _a_document_of_nobody, _a_page_or_policy, _the_list_of_files, _the_model_s_files,
]  # fmt: skip


# Only the log's key shows these: no entry names what they change -----------------------------------------------------


def _the_page_to_read(held, chance):
    return relisted({**held, "index.html": held["index.html"].replace(b"yes to", b"no to")})


def _the_program(held, chance):
    return relisted({**held, "verify.py": b"print('SOUND')"})


def _of_another_version(held, chance):
    index = json.loads(held["dossier.json"])
    del index["digest"]
    index["as_of"] = "2031-01-01T00:00:00Z"
    return {**held, "dossier.json": canonical({**index, "digest": digest_of(index)})}


UNDER_SEAL = [_the_page_to_read, _the_program, _of_another_version]


def tampered(held, seed):
    chance = random.Random(seed)
    return chance.choice([*CLUMSY, *CLEVER])(held, chance)


@pytest.fixture
def held(told, dossier, members, log_key):
    return members(dossier(told, files="copies"))


@pytest.mark.parametrize("sealed", [False, True], ids=["without the key", "with the key"])
def test_no_tampered_dossier_passes(held, tmp_path, log_key, sealed):
    keys = ("--key", log_key) if sealed else ()
    assert passes(tmp_path, zipped(held), *keys)
    for seed in range(CHANGES):
        changed = tampered(held, seed)
        assert changed != held, seed
        if not sealed and {name for name in held if held[name] != changed.get(name)} == {"dossier.note"}:
            continue  # a signature that nobody asked for
        assert not passes(tmp_path, zipped(changed), *keys), seed


@pytest.mark.parametrize("change", CLEVER, ids=lambda change: change.__name__.strip("_"))
def test_who_knows_the_format_is_found_too(held, tmp_path, change):
    for seed in range(10):
        assert not passes(tmp_path, zipped(change(held, random.Random(seed)))), seed


@pytest.mark.parametrize("change", UNDER_SEAL, ids=lambda change: change.__name__.strip("_"))
def test_what_no_entry_names_is_under_the_seal(held, tmp_path, log_key, change):
    changed = change(held, random.Random(0))
    assert changed != held
    assert not passes(tmp_path, zipped(changed), "--key", log_key)


def test_a_byte_of_the_file_itself_changes_no_member_or_does_not_pass(told, dossier, members, tmp_path, log_key):
    data, chance = dossier(told), random.Random(5)
    held = members(data)
    for _ in range(100):
        changed = bytearray(data)
        changed[chance.randrange(len(data))] ^= 1 << chance.randrange(8)
        if passes(tmp_path, bytes(changed), "--key", log_key):
            assert members(bytes(changed)) == held


def test_a_file_that_is_there_twice_or_packed_does_not_pass(held, tmp_path, log_key):
    file = tmp_path / "twice.zip"
    with zipfile.ZipFile(file, "w") as packed, pytest.warns(UserWarning, match="Duplicate"):
        for name, content in [*held.items(), ("index.html", b"<p>other</p>")]:
            packed.writestr(name, content)
    assert not passes(tmp_path, file.read_bytes(), "--key", log_key)
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as packed:
        for name, content in held.items():
            packed.writestr(name, content)
    assert not passes(tmp_path, file.read_bytes(), "--key", log_key)
    for nonsense in (
        b"",
        b"PK",
        b"\x00" * 100,
        zipped({}),
        zipped({"dossier.json": b"[]"}),
        zipped({"dossier.json": b"{}"}),
    ):
        assert not passes(tmp_path, nonsense)


@pytest.mark.long
@pytest.mark.timeout(3600)
def test_of_ten_thousand_tampered_dossiers_none_passes(held, tmp_path, log_key):
    for seed in range(1_000_000, 1_000_000 + MANY):
        assert not passes(tmp_path, zipped(tampered(held, seed)), "--key", log_key), seed
