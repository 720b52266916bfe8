"""The commands about the audit log: verify it, export it, and make the dossier of a version; `log` has the others."""

from __future__ import annotations

import hashlib
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import click

from registry_hooks.cli.asking import talks_to_server
from registry_hooks.cli.commands.log.checkpoints import checkpoint, cosign, key
from registry_hooks.cli.commands.log.proofs import consistency, prove, verify_proof
from registry_hooks.cli.commands.log.tiles import tiles
from registry_hooks.cli.commands.log.verifying import verify, verify_file
from registry_hooks.cli.failures import USAGE, Failure, require_name
from registry_hooks.cli.output import clean, show
from registry_hooks.cli.summaries import Summarized
from registry_hooks.client import Client
from registry_hooks.client.calls import Field


@click.group(cls=Summarized)
def audit() -> None:
    """Verify and export the append-only log of every decision, or all of one version.

    \b
    Example:
      registry-hooks audit verify
    """


@audit.command()
@click.option(
    "--output", type=click.Path(dir_okay=False, writable=True, path_type=Path), help="A file; else standard output."
)
@talks_to_server
def export(client: Client, output: Path | None, as_json: bool) -> None:
    """Export the log, one entry a line as canonical JSON.

    \b
    Example:
      registry-hooks audit export --output log.ndjson
    """
    chunks = client.audit_export()
    if output is None:
        sys.stdout.buffer.writelines(chunks)
        return
    _write(output, chunks)


@audit.command()
@click.argument("model")
@click.argument("version", type=click.IntRange(min=1))
@click.option(
    "-o", "--output", type=click.Path(dir_okay=False, writable=True, path_type=Path),
    help="The zip file; else MODEL-VERSION.zip here.",
)  # fmt: skip
@click.option("--as-of", metavar="TIME", help="Leave out what was decided later, such as 2026-11-25T03:00:00Z.")
@click.option("--with-files", is_flag=True, help="Copy the version's own files into it, not their digests alone.")
@talks_to_server
def dossier(
    client: Client, model: str, version: int, output: Path | None, as_of: str | None, with_files: bool, as_json: bool
) -> None:
    """Put everything about VERSION of MODEL into one zip file that an outsider verifies without the server.

    It holds Proposals, policy, Evidence, reports, signatures, times of service, reviews, the proofs of each entry of
    the audit log, an index.html to read, and verify.py.

    \b
    Example:
      registry-hooks audit dossier acs-employment 2 --output dossier.zip
    """
    file = output if output is not None else Path(f"{re.sub(r'[^A-Za-z0-9._-]', '_', model)}-{version}.zip")
    size, digest = _write(file, client.dossier(model, version, as_of=as_of, files="copies" if with_files else None))
    answer = {"model": model, "version": version, "file": str(file), "size": size, "sha256": digest}
    told = f"The dossier of {clean(model)} version {version} is in {clean(file)}: {size} bytes, SHA-256 {digest}."
    show(
        answer,
        as_json,
        [told, f"To verify it: unpack it, and run python verify.py there, or python verify.py {clean(file)}."],
    )


@audit.command()
@click.argument("seq", type=click.IntRange(min=1), metavar="ENTRY")
@click.option(
    "--field", type=click.Choice(["comment", "meaning", "reason", "finding", "why"]), required=True,
    help="Which text of the entry.",
)  # fmt: skip
@click.option("--reason", required=True, help="Why; it goes into the audit log.")
@talks_to_server
def redact(client: Client, seq: int, field: Field, reason: str, as_json: bool) -> None:
    """Take a text with personal data out of ENTRY, and of every entry and answer that repeats it; as an administrator.

    The log says that it was done, by whom and why, and still verifies. What was exported before keeps the text.

    \b
    Example:
      registry-hooks audit redact 12 --field comment --reason "names a patient"
    """
    answer = client.redact(seq, field, reason)
    told = ", ".join(map(str, answer["rows"]))
    show(answer, as_json, [f"The {field} of entry {seq} is gone from entries {told}; entry {answer['entry']} says so."])


@audit.command()
@click.option("--before", metavar="TIME", required=True, help="Entries of before it, such as 2026-01-01T00:00:00Z.")
@click.option("--reason", help="Why; it goes into the audit log. Required, but for a dry run.")
@click.option("--dry-run", is_flag=True, help="Say what would go, and change nothing.")
@talks_to_server
def purge(client: Client, before: str, reason: str | None, dry_run: bool, as_json: bool) -> None:
    """Take the bodies of old entries out of the log, which still verifies; as an administrator.

    Nothing goes that is younger than six months, or than the policies and the server keep. Entries of what serves, of
    its fallback, and of what is undecided stay, and so do roles and states.

    \b
    Example:
      registry-hooks audit purge --before 2026-01-01T00:00:00Z --dry-run
    """
    if dry_run:
        plan = client.purge_plan(before)
        told = f"{plan['count']} bodies would go, of entries until {plan['through']}; {plan['kept']} are still needed."
        return show(plan, as_json, [told])
    if not (reason or "").strip():
        raise Failure("expected a sentence for the audit log, found nothing; give --reason TEXT", USAGE)
    answer = client.purge(before, str(reason))
    gone = f"{answer['count']} bodies are gone, of entries until {answer['through']}"
    entries = answer["entries"]
    says = f"Entry {entries[-1]} says so." if len(entries) == 1 else f"Entries {entries[0]} to {entries[-1]} say so."
    told = f"{gone}; {answer['kept']} are still needed. {says}"
    return show(answer, as_json, [told])


def _write(output: Path, chunks: Iterator[bytes]) -> tuple[int, str]:
    """Write a file, whole or not at all; its size and SHA-256."""
    require_name(output)
    size, digest = 0, hashlib.sha256()
    # Beside the file first: what broke off must not look whole.
    part = output.with_name(output.name + ".part")
    try:
        with part.open("wb") as file:
            for chunk in chunks:
                file.write(chunk)
                digest.update(chunk)
                size += len(chunk)
        part.replace(output)
    finally:
        part.unlink(missing_ok=True)
    return size, digest.hexdigest()


for command in (verify, verify_file, checkpoint, prove, consistency, verify_proof, cosign, key, tiles):
    audit.add_command(command)
