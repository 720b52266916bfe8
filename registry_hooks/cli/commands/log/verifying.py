"""``audit verify`` and ``verify-file``: the whole log, and whether it has grown from checkpoints kept elsewhere."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from registry_hooks.cli.asking import talks_to_server
from registry_hooks.cli.commands.log.files import FILE, KEYS, read, told_as_broken, vkeys
from registry_hooks.cli.failures import BROKEN_AUDIT, USAGE, Failure
from registry_hooks.cli.output import Answer, clean, heading, show
from registry_hooks.client import Client

if TYPE_CHECKING:
    from registry_hooks.rules.log.checkpoints import Checkpoint
    from registry_hooks.rules.log.notes import Vkey

MOST_REDACTED = 20  # entries that are told one by one
CHECKPOINTS = click.option(
    "--checkpoint",
    "files",
    multiple=True,
    type=FILE,
    help="A checkpoint of before: the log must have grown from it. May be given more than once.",
)


@click.command()
@CHECKPOINTS
@KEYS
@talks_to_server
def verify(client: Client, files: tuple[Path, ...], keys: tuple[str, ...], as_json: bool) -> None:
    """Verify the whole log on the server, and name every entry that does not add up (exit code 4).

    Keep a checkpoint (registry-hooks audit checkpoint) in another place, and give it here: a log that was rewritten as
    a whole, or that shows one person another history than the next, has not grown from it.

    \b
    Example:
      registry-hooks audit verify --checkpoint march --checkpoint april --key log.vkey
    """
    known = dict.fromkeys(vkeys(keys)) if keys or not files else _servers(client)
    kept = _opened(files, known)
    told = _forks(kept)
    if told:  # which needs no server's word
        _tell({"ok": False, **_newest(kept), "problems": told}, as_json)
    answer: dict[str, Any] = {**client.audit_verify()}
    answer["problems"] = [*answer["problems"], *_not_grown(client, kept)]
    _tell({**answer, "ok": not answer["problems"]}, as_json)


@click.command("verify-file")
@click.argument("file", type=FILE)
@click.option("--root", metavar="HEX", help="The root that was written down for this many entries.")
@CHECKPOINTS
@KEYS
@click.option("--json", "as_json", is_flag=True, help="Print the outcome as JSON.")
def verify_file(file: Path, root: str | None, files: tuple[Path, ...], keys: tuple[str, ...], as_json: bool) -> None:
    """Verify an exported log without the server, which need not be trusted (exit code 4).

    \b
    Example:
      registry-hooks audit verify-file log.ndjson --checkpoint march --key log.vkey
    """
    if files and not keys:
        raise Failure("--key: expected a key of the log, found none", USAGE)
    _tell(_recomputed(file, root, _opened(files, dict.fromkeys(vkeys(keys)))), as_json)


def _servers(client: Client) -> dict[Vkey, int | None]:
    """The keys that the server tells, each with the entry that put another in its place."""
    from registry_hooks.rules.log.notes import read_vkey

    keys = client.audit_keys()["keys"]
    ends = [*(each["since"] for each in keys[1:]), None]
    return {read_vkey(each["vkey"]): end for each, end in zip(keys, ends, strict=True)}


def _opened(files: tuple[Path, ...], keys: Mapping[Vkey, int | None]) -> dict[str, Checkpoint]:
    from registry_hooks.rules.log.checkpoints import opened

    found = {}
    for file in files:
        with told_as_broken(f"{file}: "):
            signed = opened(read(file), keys)
        found[str(file)], ends = signed.checkpoint, [keys[key] for key in signed.keys]
        if all(end is not None and signed.checkpoint.size >= end for end in ends):
            told = f"{file}: signed by a key in whose place entry {ends[0]} put another"
            raise Failure(told, BROKEN_AUDIT)
    return found


def _recomputed(file: Path, root: str | None, kept: Mapping[str, Checkpoint]) -> dict[str, Any]:
    from registry_hooks.rules.log.altered import imported
    from registry_hooks.rules.log.merkle import StoredEntry, Tree, leaf_hash, verify

    with file.open("rb") as lines:
        entries = [line.rstrip(b"\n") for line in lines if line.strip()]
    wanted = {each.size for each in kept.values()}
    head, rows, roots = Tree(), [], {0: Tree().root}
    for seq, entry in enumerate(entries, 1):
        text, told = imported(entry)
        leaf = leaf_hash(text) if told is None else bytes.fromhex(told)
        rows.append(StoredEntry(seq, text, leaf.hex()))
        head = head.append(leaf)
        if seq in wanted:
            roots[seq] = head.root
    found = verify(rows, head)
    problems: list[dict[str, Any]] = [{"seq": each.seq, "what": each.what} for each in found.problems]
    if root is not None and root.lower() != head.root.hex():
        problems.append(_whole(f"the root is not the one given: expected {root}, found {head.root.hex()}"))
    problems += _forks(kept)
    problems += [
        _whole(_shrunk(name, each, head.size) if each.size > head.size else _another(name, each))
        for name, each in kept.items()
        if roots.get(each.size) != each.root
    ]
    answer = {"ok": not problems, "size": head.size, "root": head.root.hex(), "problems": problems}
    return {**answer, **found.lacking()}


def _not_grown(client: Client, kept: Mapping[str, Checkpoint]) -> Iterator[dict[str, Any]]:
    """What is wrong with the server's log as seen from checkpoints of before."""
    from registry_hooks.rules.log.proofs import is_consistent

    for name, each in kept.items():
        head = client.audit_checkpoint()
        if each.size > head["size"]:
            yield _whole(_shrunk(name, each, head["size"]))
            continue
        if not each.size:
            continue
        proof = client.audit_consistency(each.size, head["size"])
        path, root = [bytes.fromhex(one) for one in proof["hashes"]], bytes.fromhex(head["root"])
        if not is_consistent(each.size, head["size"], path, each.root, root):
            yield _whole(_another(name, each))


def _forks(kept: Mapping[str, Checkpoint]) -> list[dict[str, Any]]:
    from registry_hooks.rules.log.checkpoints import forks

    return [_whole(what) for what in forks(kept)]


def _newest(kept: Mapping[str, Checkpoint]) -> dict[str, Any]:
    newest = max(kept.values(), key=lambda each: each.size)
    return {"size": newest.size, "root": newest.root.hex()}


def _shrunk(name: str, kept: Checkpoint, size: int) -> str:
    return f"the log was taken back or has forked: {name} is of {kept.size} entries, and the log has {size}"


def _another(name: str, kept: Checkpoint) -> str:
    return f"the log has forked or was rewritten: its first {kept.size} entries are not those of {name}"


def _whole(what: str) -> dict[str, Any]:
    return {"seq": None, "what": what}


def _tell(answer: Answer, as_json: bool) -> None:
    show(answer, as_json, _verified(answer))
    if not answer["ok"]:
        raise click.exceptions.Exit(BROKEN_AUDIT)


def _verified(answer: Answer) -> Iterator[str]:
    if answer["ok"]:
        yield f"The audit log is {heading('sound', 'green')}: {answer['size']} entries, root {clean(answer['root'])}."
        yield from (f"  It agrees with {clean(each)}." for each in answer.get("held_against", ()))
        yield from _lacking(answer)
        return
    yield f"The audit log is {heading('BROKEN', 'red')}: {answer['size']} entries, root {clean(answer['root'])}."
    for problem in answer["problems"]:
        where = "the log" if problem["seq"] is None else f"entry {problem['seq']}"
        yield f"  {where}: {clean(problem['what'])}"
    yield from _lacking(answer)


def _lacking(answer: Answer) -> Iterator[str]:
    """What the log says of itself that it lacks; who verifies it cannot tell what stood there."""
    redacted = answer.get("redacted", [])  # of a server whose log was not read there is none
    for each in redacted[:MOST_REDACTED]:
        yield f"  entry {each['seq']} lacks a text: entry {each['by']} says who redacted it, and why"
    if (more := len(redacted) - MOST_REDACTED) > 0:
        yield f"  {more} more entries lack a text that was redacted (--json names them)"
    if answer.get("purged"):
        yield f"  {answer['purged']} entries lack their bodies, which were purged"
