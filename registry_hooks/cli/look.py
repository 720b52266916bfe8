"""The commands that only look: plan, status and history."""

from __future__ import annotations

from collections.abc import Iterator

import click

from registry_hooks.cli.client import Client, talks_to_server
from registry_hooks.cli.failures import REFUSED
from registry_hooks.cli.move import VERSION
from registry_hooks.cli.output import Answer, clean, heading, numbered_reasons, pair, proposal, show, table, when


@click.command()
@click.argument("model")
@click.argument("version", type=VERSION)
@talks_to_server
def plan(client: Client, model: str, version: int, as_json: bool) -> None:
    """Show what is missing before VERSION of MODEL may be promoted, and change nothing.

    Exit code 1 when something is missing, 0 when nothing is.

    \b
    Example:
      registry-hooks plan acs-employment 2
    """
    answer = client.get("plan", model=model, version=version)
    show(answer, as_json, _planned(answer))
    if not answer["allowed"]:
        raise click.exceptions.Exit(REFUSED)


def _planned(answer: Answer) -> Iterator[str]:
    subject = f"Version {answer['version']} of {clean(answer['model'])}"
    if answer["allowed"]:
        yield f"{subject} may be promoted {heading('now', 'green')}."
        yield f"  Next: registry-hooks promote {clean(answer['model'])} {answer['version']}"
    else:
        yield f"{subject} may {heading('not yet', 'yellow')} be promoted:"
        yield from numbered_reasons(answer["reasons"])
    yield f"  Now:   {pair(answer['pair'])}"
    if answer["allowed"]:
        yield f"  After: {pair(answer['after'])}"
    if answer["proposal"]:
        yield from proposal(answer["proposal"])


@click.command()
@click.argument("model", required=False)
@talks_to_server
def status(client: Client, model: str | None, as_json: bool) -> None:
    """Show who serves: the pair, open Proposals and reviews, of MODEL or of every governed model.

    \b
    Example:
      registry-hooks status
    """
    answer = client.get("status", model=model)
    lines = [line for each in answer["models"] for line in _status_of(each)]
    show(answer, as_json, lines or ["No governed model yet."])


def _status_of(held: Answer) -> Iterator[str]:
    policy = held["policy"]
    ruled = f"policy {clean(policy['name'])} version {policy['version']}" if policy else "no policy: nothing is let in"
    yield f"{heading(clean(held['model']))} ({ruled})"
    yield f"  {pair(held['pair'])}"
    yield from numbered_reasons(held.get("meddled") or [])
    if held["condemned"]:
        yield f"  Rolled back from: {', '.join(map(str, held['condemned']))}"
    for each in held["proposals"]:
        yield from (f"  {line}" for line in proposal(each))
    for review in held["reviews"]:
        due = heading("OVERDUE since", "red") if review["overdue"] else "due"
        yield (
            f"  Review {clean(review['id'])} of version {review['version']}, {due} {when(review['due_at'])}: "
            f"{clean(review['reason'])}"
        )


@click.command()
@click.argument("model")
@click.option("--limit", type=click.IntRange(min=1), help="The latest entries, this many at most.")
@talks_to_server
def history(client: Client, model: str, limit: int | None, as_json: bool) -> None:
    """Show every decision about MODEL, from the audit log.

    \b
    Example:
      registry-hooks history acs-employment --limit 20
    """
    answer = client.get("history", model=model, limit=limit)
    columns = ("seq", "at", "actor", "action", "version", "summary")
    rows = [[when(each[name]) if name == "at" else each[name] for name in columns] for each in answer["entries"]]
    lines = list(table(columns, rows))
    show(answer, as_json, lines or [f"Nothing was decided about {clean(model)} yet."])
