"""The commands for what cannot wait, and for what is looked at afterwards: break-glass and review."""

from __future__ import annotations

from typing import Any

import click

from registry_hooks.cli.asking import talks_to_server
from registry_hooks.cli.commands.move import VERSION
from registry_hooks.cli.output import clean, heading, moves, numbered_reasons, show, when
from registry_hooks.cli.summaries import Summarized
from registry_hooks.client import Client


@click.command("break-glass")
@click.argument("model")
@click.argument("version", type=VERSION)
@click.option("--reason", required=True, metavar="TEXT", help="Why it cannot wait; it goes into the audit log.")
@talks_to_server
def break_glass(client: Client, model: str, version: int, reason: str, as_json: bool) -> None:
    """Make VERSION of MODEL the champion without Evidence and approvals, in an emergency.

    Only holders of the roles that the policy names under break_glass may. What was overridden is recorded, and a
    review falls due.
    To go back to an earlier champion, use rollback: it needs none of this.

    \b
    Example:
      registry-hooks break-glass acs-employment 4 --reason "both earlier versions crash on the new input"
    """
    answer = client.break_glass(model, version, reason)
    review, told = answer["review"], heading("BY BREAK-GLASS", "red")
    lines = [
        f"Version {answer['version']} of {clean(model)} is now the {heading('champion', 'green')}, {told}.",
        *moves(answer["before"], answer["after"]),
        "  Overridden:",
        *numbered_reasons(answer["overridden"]),
        f"  Ledger entry {clean(answer['entry'])}. Review {clean(review['id'])} is due {when(review['due_at'])}.",
    ]
    show(answer, as_json, lines)


@click.group(cls=Summarized)
def review() -> None:
    """List and close the reviews that rollbacks and break-glass promotions open.

    \b
    Example:
      registry-hooks review close acs-employment R-14 --finding "AGEP was in months since Monday; source fixed"
    """


@review.command("close")
@click.argument("model")
@click.argument("number", metavar="REVIEW")
@click.option("--finding", required=True, metavar="TEXT", help="What was found; it goes into the audit log.")
@talks_to_server
def close(client: Client, model: str, number: str, finding: str, as_json: bool) -> None:
    """Close a REVIEW of MODEL with a finding. Whoever opened it by a rollback or break-glass cannot.

    \b
    Example:
      registry-hooks review close acs-employment R-14 --finding "AGEP was in months since Monday; source fixed"
    """
    answer = client.review_close(model, number, finding)
    show(answer, as_json, [f"Review {clean(number)} of {clean(model)} is closed. Ledger entry {answer['entry']}."])


@review.command("list")
@click.argument("model", required=False)
@talks_to_server
def list_reviews(client: Client, model: str | None, as_json: bool) -> None:
    """List the open reviews of MODEL, or of every governed model, the overdue ones first.

    \b
    Example:
      registry-hooks review list
    """
    models = client.status(model)["models"]
    found: list[dict[str, Any]] = [{"model": held["model"], **each} for held in models for each in held["reviews"]]
    found.sort(key=lambda each: str(each["due_at"]))
    lines = []
    for each in found:
        due = heading("OVERDUE since", "red") if each["overdue"] else "due"
        lines.append(
            f"{clean(each['model'])} {clean(each['id'])}: {each['kind']} of version {each['version']} by "
            f"{clean(each['opened_by'])}, {due} {when(each['due_at'])}: {clean(each['reason'])}"
        )
    show({"reviews": found}, as_json, lines or ["No review is open."])
