"""``audit tiles``: the log as static files for others to read."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from registry_hooks.cli.asking import talks_to_server
from registry_hooks.cli.commands.log.files import KEYS, signers, told_as_broken, vkeys
from registry_hooks.cli.failures import BROKEN_AUDIT, NO_ANSWER, USAGE, Failure
from registry_hooks.cli.output import clean, heading, show
from registry_hooks.client import Client

if TYPE_CHECKING:
    from registry_hooks.cli.commands.log.copying import Copy
    from registry_hooks.rules.log.checkpoints import Signed

_TOLD = 20  # entries that are named


@click.command()
@click.argument("folder", metavar="DIR", type=click.Path(file_okay=False, path_type=Path))
@KEYS
@talks_to_server
def tiles(client: Client, folder: Path, keys: tuple[str, ...], as_json: bool) -> None:
    """Copy the log into DIR as static files (c2sp.org/tlog-tiles), which tools of others read.

    What is there already is not copied again, also when the last copy was broken off. The checkpoint is written last,
    and only when all entries lead to it and to the one that was there before (exit code 4). Any web server serves DIR.

    \b
    Example:
      registry-hooks audit tiles /srv/log --key log.vkey
    """
    from registry_hooks.rules.log.checkpoints import opened

    answer = client.audit_checkpoint()
    if answer["note"] is None or answer["key"] is None:
        raise Failure(f"the log's head is UNSIGNED, and so nobody could read the copy: {answer['why_unsigned']}",
                      NO_ANSWER)  # fmt: skip
    with told_as_broken():
        signed = opened(answer["note"].encode(), vkeys(keys or (answer["key"],)))
        try:
            copy, before = _copied(client, folder, signed, as_json)
        except OSError as error:
            raise Failure(f"cannot write {error.filename or folder}: {error.strerror}", USAGE) from error
    unsound = copy.unsound()
    told = {
        "origin": answer["origin"], "size": answer["size"], "root": answer["root"], "added": copy.size - before,
        "redacted": copy.other_text - len(unsound), "unsound": unsound, "long_bundles": copy.long,
    }  # fmt: skip
    show(told, as_json, _lines(told, signed, folder))
    if unsound:
        raise click.exceptions.Exit(BROKEN_AUDIT)


def _copied(client: Client, folder: Path, signed: Signed, as_json: bool) -> tuple[Copy, int]:
    from registry_hooks.cli.commands.log.copying import Copy, Unsound, leaves

    copy, size = Copy(folder), signed.checkpoint.size
    before = copy.size
    if before > size:
        raise Unsound(f"the log was taken back or has forked: {folder} has {before} entries of it, and it has {size}")
    if before < size:
        chunks = client.audit_leaves(before or None, size)
        with click.progressbar(length=size - before, label="Copying entries", file=sys.stderr, hidden=as_json) as bar:
            for number, (leaf, entry) in enumerate(leaves(chunks), 1):
                copy.add(leaf, entry)
                if not number % 1000:
                    bar.update(1000)
            bar.update((size - before) % 1000)
    copy.publish(signed)
    return copy, before


def _lines(told: dict[str, Any], signed: Signed, folder: Path) -> Iterator[str]:
    yield (f"{clean(folder)} holds {told['size']} entries of {heading(clean(told['origin']))}, {told['added']} of them "
           f"new, under the checkpoint {signers(signed)}.")  # fmt: skip
    if told["long_bundles"]:
        yield (f"  {told['long_bundles']} bundles hold an entry that is too long for tlog-tiles (65,535 bytes); "
               "they are below entries/, an entry a line.")  # fmt: skip
    if told["redacted"]:
        yield f"  The text of {told['redacted']} entries was taken out later, as entries of the log say."
    if unsound := told["unsound"]:
        named = ", ".join(map(str, unsound[:_TOLD])) + ("…" if len(unsound) > _TOLD else "")
        yield f"  {heading('The text is not what was hashed', 'red')} of entries {named}: registry-hooks audit verify"
