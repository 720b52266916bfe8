"""``audit prove``, ``consistency`` and ``verify-proof``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from registry_hooks.cli.asking import talks_to_server
from registry_hooks.cli.commands.log.files import FILE, KEYS, OUTPUT, read, signers, told_as_broken, vkeys, write
from registry_hooks.cli.failures import NO_ANSWER, USAGE, Failure
from registry_hooks.cli.output import clean, heading, show
from registry_hooks.client import Client

NUMBER = click.IntRange(min=1)


@click.command()
@click.argument("seq", type=NUMBER)
@click.option("--size", type=NUMBER, help="In the log of so many entries, by default all; one that was signed.")
@OUTPUT
@talks_to_server
def prove(client: Client, seq: int, size: int | None, output: Path | None, as_json: bool) -> None:
    """Prove that entry SEQ is in the log: one file, with the entry and a signed checkpoint.

    It is checked without the server by registry-hooks audit verify-proof, and by whatever reads c2sp.org/tlog-proof.

    \b
    Example:
      registry-hooks audit prove 12 --output 12.tlog-proof
    """
    answer = client.audit_prove(seq, size)
    _hand_out(answer, as_json, output, f"Entry {seq}")


@click.command()
@click.argument("old", type=NUMBER)
@click.argument("new", type=NUMBER, required=False)
@OUTPUT
@talks_to_server
def consistency(client: Client, old: int, new: int | None, output: Path | None, as_json: bool) -> None:
    """Prove that the log of NEW entries, by default all, has grown from that of OLD entries.

    The file is what a witness is sent (c2sp.org/tlog-witness, add-checkpoint).

    \b
    Example:
      registry-hooks audit consistency 1200 --output growth.txt
    """
    answer = client.audit_consistency(old, new)
    _hand_out(answer, as_json, output, f"The growth from {old} entries")


@click.command("verify-proof")
@click.argument("file", type=FILE)
@KEYS
@click.option("--entry", type=FILE, help="The entry, where the proof does not have it: one line of an export.")
@click.option("--old", type=FILE, help="The older checkpoint, for a proof of registry-hooks audit consistency.")
@click.option("--witnesses", type=click.IntRange(min=0), default=0, show_default=True,
              help="How many of the keys given must be of witnesses that cosigned.")  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="Print the outcome as JSON.")
def verify_proof(file: Path, keys: tuple[str, ...], entry: Path | None, old: Path | None, witnesses: int,
                 as_json: bool) -> None:  # fmt: skip
    """Verify a proof without the server, which need not be trusted (exit code 4 where it proves nothing).

    \b
    Example:
      registry-hooks audit verify-proof 12.tlog-proof --key log.vkey
    """
    from registry_hooks.rules.log.proof_texts import GrowthProof, grown, proven, read_proof

    if not keys:
        raise Failure("--key: expected a key of the log, found none: a proof that is signed by nobody known proves "
                      "nothing. registry-hooks audit key show prints it; keep it in another place", USAGE)  # fmt: skip
    known = vkeys(keys)
    with told_as_broken():
        proof = read_proof(read(file))
        if isinstance(proof, GrowthProof):
            if old is None:
                raise Failure("--old: expected the older checkpoint, found none", USAGE)
            signed, what = grown(proof, read(old), known), f"The log has grown from {proof.old} entries"
        else:
            text = None if entry is None else read(entry).rstrip(b"\n")
            signed, what = proven(proof, known, text), f"Entry {proof.index + 1} is in the log"
    if len(signed.witnesses) < witnesses:
        raise Failure(f"expected {witnesses} witnesses, found {len(signed.witnesses)}", 4)
    head = signed.checkpoint
    answer: dict[str, Any] = {
        "ok": True, "origin": head.origin, "size": head.size, "root": head.root.hex(),
        "keys": [str(key) for key in signed.keys], "witnesses": signed.witnesses,
    }  # fmt: skip
    told = f"{heading(what, 'green')} {clean(head.origin)}, as of {head.size} entries, {signers(signed)}."
    show(answer, as_json, [told])


def _hand_out(answer: Any, as_json: bool, output: Path | None, what: str) -> None:
    head = answer["checkpoint"]
    if answer["proof"] is None and not as_json:
        raise Failure(f"the checkpoint is unsigned, and so a proof would hold only against the server's own word: "
                      f"{head['why_unsigned']}", NO_ANSWER, None)  # fmt: skip
    if as_json:
        show(answer, True, [])
        return
    write(answer["proof"].encode(), output)
    if output is not None:
        click.echo(f"{what} is proven in {clean(output)}, under the checkpoint of {head['size']} entries.")
