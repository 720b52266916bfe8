"""``audit checkpoint``, ``cosign`` and ``key``."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click

from registry_hooks.cli.asking import talks_to_server
from registry_hooks.cli.commands.log.files import FILE, OUTPUT, read, write
from registry_hooks.cli.failures import NO_ANSWER, Failure
from registry_hooks.cli.output import clean, heading, show, table
from registry_hooks.cli.summaries import Summarized
from registry_hooks.client import Client


@click.command()
@OUTPUT
@talks_to_server
def checkpoint(client: Client, output: Path | None, as_json: bool) -> None:
    """Fetch the log's head as a signed checkpoint, to be kept where the server's people cannot change it.

    Exit code 3 where the server cannot sign; it says why.

    \b
    Example:
      registry-hooks audit checkpoint --output checkpoint
    """
    answer = client.audit_checkpoint()
    if as_json:
        show(answer, True, [])
    elif answer["note"] is not None:
        write(answer["note"].encode(), output)
    if answer["note"] is None:
        if as_json:
            raise click.exceptions.Exit(NO_ANSWER)
        raise Failure(f"UNSIGNED: {answer['size']} entries, root {answer['root']}: {answer['why_unsigned']}", NO_ANSWER)


@click.command()
@click.argument("file", type=FILE)
@talks_to_server
def cosign(client: Client, file: Path, as_json: bool) -> None:
    """Hand in the checkpoint in FILE, with the lines of witnesses that cosigned it; they are kept with it.

    Counted are the witnesses whose keys the server is configured with (REGISTRY_HOOKS_WITNESSES).

    \b
    Example:
      registry-hooks audit cosign checkpoint.cosigned
    """
    answer = client.audit_cosign(read(file).decode("utf-8", "replace"))
    names = ", ".join(clean(each["name"]) for each in answer["witnesses"])
    show(answer, as_json, [f"The checkpoint of {answer['size']} entries is witnessed by {names}."])


@click.group(cls=Summarized)
def key() -> None:
    """Show and change the key that signs the log's checkpoints.

    \b
    Example:
      registry-hooks audit key show
    """


@key.command("show")
@talks_to_server
def show_keys(client: Client, as_json: bool) -> None:
    """Show the keys that sign, or signed, the log's checkpoints. Keep them in another place.

    \b
    Example:
      registry-hooks audit key show
    """
    answer = client.audit_keys()
    show(answer, as_json, _told(answer))


def _told(answer: Any) -> Iterator[str]:
    yield f"Log {heading(clean(answer['origin']))}"
    yield from table(("from entry", "key"), [(max(each["since"], 1), each["vkey"]) for each in answer["keys"]])
    if not answer["keys"]:
        yield "  No checkpoint was signed yet."
    yield from (f"  Witness: {clean(each)}" for each in answer["witnesses"])
    if answer["why_no_witnesses"]:
        yield f"  {heading('No witness counts', 'red')}: {clean(answer['why_no_witnesses'])}"
    if answer["why_unsigned"]:
        yield f"  {heading('Checkpoints are not signed', 'red')}: {clean(answer['why_unsigned'])}"


@key.command()
@click.option("--reason", required=True, metavar="TEXT", help="Why; it goes into the audit log.")
@talks_to_server
def rotate(client: Client, reason: str, as_json: bool) -> None:
    """Sign from now on with the key that the server's file holds; made there if there is none. Administrators only.

    The file is named by REGISTRY_HOOKS_LOG_KEY. What the older key signed stays good.

    \b
    Example:
      registry-hooks audit key rotate --reason "the disk was copied"
    """
    answer = client.audit_key_rotate(reason)
    show(answer, as_json, [f"Checkpoints are signed with {heading(clean(answer['key']))} from now on. "
                           f"Ledger entry {answer['entry']}."])  # fmt: skip
