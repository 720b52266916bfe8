"""The commands about the audit log: verify and export."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click

from registry_hooks.cli.asking import talks_to_server
from registry_hooks.cli.failures import BROKEN_AUDIT, require_name
from registry_hooks.cli.output import Answer, clean, heading, show
from registry_hooks.cli.summaries import Summarized
from registry_hooks.client import Client


@click.group(cls=Summarized)
def audit() -> None:
    """Verify and export the append-only log of every decision.

    \b
    Example:
      registry-hooks audit verify
    """


@audit.command()
@talks_to_server
def verify(client: Client, as_json: bool) -> None:
    """Verify the whole log on the server, and name every entry that does not add up (exit code 4).

    Keep the root that it prints in another place. A log that was rewritten as a whole has another root.

    \b
    Example:
      registry-hooks audit verify
    """
    _tell(client.audit_verify(), as_json)


@audit.command("verify-file")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--root", metavar="HEX", help="The root that was written down for this many entries.")
@click.option("--json", "as_json", is_flag=True, help="Print the outcome as JSON.")
def verify_file(file: Path, root: str | None, as_json: bool) -> None:
    """Verify an exported log without the server, which need not be trusted (exit code 4).

    \b
    Example:
      registry-hooks audit verify-file log.ndjson \\
          --root 2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae
    """
    _tell(_recomputed(file, root), as_json)


def _recomputed(file: Path, root: str | None) -> dict[str, Any]:
    from registry_hooks.rules.log.merkle import StoredEntry, Tree, leaf_hash, verify

    with file.open("rb") as lines:
        entries = [line.rstrip(b"\n") for line in lines if line.strip()]
    head, rows = Tree(), []
    for seq, entry in enumerate(entries, 1):
        leaf = leaf_hash(entry)
        rows.append(StoredEntry(seq, entry, leaf.hex()))
        head = head.append(leaf)
    problems: list[dict[str, Any]] = [{"seq": each.seq, "what": each.what} for each in verify(rows, head).problems]
    if root is not None and root.lower() != head.root.hex():
        problems.append(
            {"seq": None, "what": f"the root is not the one given: expected {root}, found {head.root.hex()}"}
        )
    return {"ok": not problems, "size": head.size, "root": head.root.hex(), "problems": problems}


def _tell(answer: Answer, as_json: bool) -> None:
    show(answer, as_json, _verified(answer))
    if not answer["ok"]:
        raise click.exceptions.Exit(BROKEN_AUDIT)


def _verified(answer: Answer) -> Iterator[str]:
    if answer["ok"]:
        yield f"The audit log is {heading('sound', 'green')}: {answer['size']} entries, root {clean(answer['root'])}."
        return
    yield f"The audit log is {heading('BROKEN', 'red')}: {answer['size']} entries, root {clean(answer['root'])}."
    for problem in answer["problems"]:
        where = "the log" if problem["seq"] is None else f"entry {problem['seq']}"
        yield f"  {where}: {clean(problem['what'])}"


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
    require_name(output)
    # Beside the file first: a log that broke off must not look whole.
    part = output.with_name(output.name + ".part")
    try:
        with part.open("wb") as file:
            file.writelines(chunks)
        part.replace(output)
    finally:
        part.unlink(missing_ok=True)
