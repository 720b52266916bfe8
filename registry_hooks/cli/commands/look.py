"""The commands that only look: plan, inbox, proposal, status and history."""

from __future__ import annotations

import sys
from collections.abc import Iterator

import click

from mlflow_eval_plugin.verdicts import VERDICT_WORDS
from registry_hooks.cli.asking import talks_to_server
from registry_hooks.cli.commands.move import VERSION
from registry_hooks.cli.failures import BROKEN_AUDIT, REFUSED
from registry_hooks.cli.output import (
    VERDICT_COLOURS,
    Answer,
    clean,
    heading,
    numbered_reasons,
    pair,
    proposal,
    show,
    table,
    when,
)
from registry_hooks.client import Client

_KINDS = {"rollback": "the rollback from", "break-glass": heading("BREAK-GLASS", "red") + " promotion of"}
_ASKED = ("proposal", "model", "version", "by", "state", "approvals", "comment")


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
    answer = client.plan(model, version)
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
@talks_to_server
def inbox(client: Client, as_json: bool) -> None:
    """Show what waits for your signature, what you asked for, open reviews, and what changed since yesterday.

    \b
    Example:
      registry-hooks inbox
    """
    answer = client.inbox()
    show(answer, as_json, _inbox(answer))


def _inbox(held: Answer) -> Iterator[str]:
    waiting = held["waiting"]
    yield heading("Nothing waits for your signature." if not waiting else "For your signature:")
    yield from table(_ASKED, map(_asked, waiting))
    if "waiting" in held["more"]:
        yield "  … and more, which expire later."
    if held["asked"]:
        yield heading("What you asked for:")
        yield from table(_ASKED, map(_asked, held["asked"]))
    for review in held["reviews"]:
        due = heading("OVERDUE since", "red") if review["overdue"] else "due"
        yours = ", yours to close" if review["yours_to_close"] else ""
        yield (
            f"Review {clean(review['id'])} of {_KINDS[review['kind']]} {clean(review['model'])} version "
            f"{review['version']}, {due} {when(review['due_at'])}{yours}: {clean(review['reason'])}"
        )
    if held["changed"]:
        yield heading("Since yesterday:")
        rows = [(when(each["at"]), each["model"], each["actor"], each["summary"]) for each in held["changed"]]
        yield from table(("at", "model", "actor", "summary"), rows)


def _asked(each: Answer) -> tuple[object, ...]:
    seats = ", ".join(f"{need['have']} of {need['count']} {need['role']}" for need in each["needs"])
    return (each["proposal"], each["model"], each["version"], each["requester"], each["state"], seats, each["comment"])


@click.command("proposal")
@click.argument("model")
@click.argument("version", type=VERSION, required=False)
@talks_to_server
def read_proposal(client: Client, model: str, version: int | None, as_json: bool) -> None:
    """Read a Proposal for VERSION of MODEL before you sign it: what would change, and what its Evidence says.

    Its page in the browser shows the same: /registry-hooks/ on the server.

    \b
    Example:
      registry-hooks proposal acs-employment 2
    """
    answer = client.proposal(model, version)
    show(answer, as_json, _read(answer))


def _read(held: Answer) -> Iterator[str]:
    yield from proposal(held["proposal"])
    yield f"  Champion {held['pair']['champion'] or 'none'} -> {held['after']['champion']}; {pair(held['after'])}."
    for each in held["evidence"]:
        colour = VERDICT_COLOURS[each["verdict"]]
        yield heading(f"  {clean(each['kind'])}: {VERDICT_WORDS.get(each['verdict'], each['verdict'])}", colour)
        found = each["findings"]
        if found is None:
            yield f"    Not shown: {clean(each['untold'])}."
            continue
        yield f"    {', '.join(f'{count} {verdict}' for verdict, count in found['counts'].items())}"
        yield from (f"    {clean(check['claim'])}: {clean(check['reason'])}" for check in found["checks"][:3])
        for one in found["unchecked"][:3]:
            yield (
                f"    Not checked: {clean(one['metric'])} of {clean(one['scope'])} is {one['value']:.4g}, of "
                f"{one['versus']} {one['other']:.4g}"
            )
    yield from (f"  {clean(sentence)}" for sentence in held["policy"]["words"])
    yield f"  Could still sign: {clean(', '.join(held['could_sign']) or 'nobody')}."
    yield f"  Digest: {clean(held['proposal']['digest'])}"
    yield from numbered_reasons(held["you"]["against_yes"])


@click.command()
@click.argument("model", required=False)
@talks_to_server
def status(client: Client, model: str | None, as_json: bool) -> None:
    """Show who serves: the pair, open Proposals and reviews, of MODEL or of every governed model.

    \b
    Example:
      registry-hooks status
    """
    answer = client.status(model)
    lines = [line for each in answer["models"] for line in _status_of(each)]
    show(answer, as_json, lines or ["No governed model yet."])


def _status_of(held: Answer) -> Iterator[str]:
    policy = held["policy"]
    ruled = (
        f"policy {clean(policy['name'])} version {policy['version']}" if policy else "no policy: nothing is promoted"
    )
    yield f"{heading(clean(held['model']))} ({ruled})"
    yield f"  {pair(held['pair'])}"
    yield from numbered_reasons(held.get("meddled") or [])
    if held["condemned"]:
        yield f"  Rolled back from: {', '.join(map(str, held['condemned']))}"
    for named in held.get("baselines") or ():  # an older server tells of none
        yield (
            f"  Baseline of version {named['version']}: {clean(named['digest'])} at {clean(named['address'])}, "
            f"named by {clean(named['actor'])}, {when(named['at'])}"
        )
    yield from _file_check(held.get("file_check"))
    if held.get("missing", ()) is None:
        yield f"  There was no time to look for the files: registry-hooks status {clean(held['model'])}"
    for line in held.get("missing") or ():
        yield f"  {heading('MISSING', 'red')} {clean(line)}"
    for each in held["proposals"]:
        yield from (f"  {line}" for line in proposal(each))
    for review in held["reviews"]:
        due = heading("OVERDUE since", "red") if review["overdue"] else "due"
        yield (
            f"  Review {clean(review['id'])} of {_KINDS[review['kind']]} version {review['version']}, {due} "
            f"{when(review['due_at'])}: {clean(review['reason'])}"
        )


def _file_check(check: Answer | None) -> Iterator[str]:
    if check is None:
        return
    if check["differences"] is None:
        version = check["version"]
        yield f"  Files of version {version} are not yet compared with its nomination: registry-hooks reconcile"
        return
    told = ", ".join(map(clean, check["differences"][:5]))
    yield f"  {heading('FILES CHANGED', 'red')} of version {check['version']} since it was nominated: {told}"


@click.command()
@click.argument("model")
@click.option("--limit", type=click.IntRange(min=1, max=1000), help="Show at most so many of the latest entries.")
@click.option("--at", metavar="TIME", help="Show the state at this time: 2026-11-25T03:00:00Z.")
@talks_to_server
def history(client: Client, model: str, limit: int | None, at: str | None, as_json: bool) -> None:
    """Show every decision about MODEL, from the audit log; with --at those until then, and who served.

    \b
    Example:
      registry-hooks history acs-employment --limit 20
      registry-hooks history acs-employment --at 2026-11-25T03:00:00Z
    """
    answer = client.history(model, limit, at)
    columns = ("seq", "at", "actor", "action", "version", "summary")
    rows = [
        (each["seq"], when(each["at"]), each["actor"], each["action"], each["version"], each["summary"])
        for each in answer["entries"]
    ]
    lines = list(table(columns, rows)) or [f"Nothing was decided about {clean(model)} yet."]
    if at is not None:
        lines.append(f"At {clean(at)}: {pair(answer['as_of']['pair'])}.")
    show(answer, as_json, lines)


@click.command()
@click.argument("model")
@click.argument("version", type=VERSION)
@talks_to_server
def lineage(client: Client, model: str, version: int, as_json: bool) -> None:
    """Show the record of VERSION of MODEL: its training data and metrics, its nominations, and when it served.

    \b
    Example:
      registry-hooks lineage acs-employment 2
    """
    answer = client.lineage(model, version)
    show(answer, as_json, _lineage(answer))


def _lineage(answer: Answer) -> Iterator[str]:
    yield heading(f"Version {answer['version']} of {clean(answer['model'])}") + f" (stage {clean(answer['stage'])})"
    made = answer["registered"]
    yield (
        f"  Registered by {clean(made['actor'])} at {when(made['at'])}." if made else "  Registered before its policy."
    )
    for each in answer["nominations"]:
        yield f"  Nominated by {clean(each['actor'])} at {when(each['at'])}, files {clean(each['files_digest'][:19])}…"
        yield from (f"  {line}" for line in _origin(each["lineage"] or {}))
    if not answer["nominations"]:
        yield "  Never nominated; its run says now:"
        yield from (f"  {line}" for line in _origin(answer["now"]))
    columns = ("since", "until", "how", "by")
    rows = [
        (when(each["since"]), when(each["until"]) if each["until"] else "now", each["how"], each["by"])
        for each in answer["deployments"]
    ]
    yield from table(columns, rows)
    if not rows:
        yield "  It never served."


def _origin(origin: Answer) -> Iterator[str]:
    yield f"  run {clean(origin.get('run_id') or 'none')}"
    for each in origin.get("data", ()):
        yield f"  data {clean(each['name'])}, digest {clean(each['digest'])}, used for {clean(each['context'] or '-')}"
    metrics = [f"{clean(name)} {value:.6g}" for name, value in list(origin.get("metrics", {}).items())[:12]]
    if metrics:
        more = len(origin["metrics"]) - len(metrics)
        yield f"  metrics {', '.join(metrics)}" + (f" and {more} more (--json shows all)" if more else "")


@click.command()
@click.argument("model", required=False)
@talks_to_server
def reconcile(client: Client, model: str | None, as_json: bool) -> None:
    """Compare roles, stages, files and Evidence of MODEL, or of every governed model, with the ledger.

    It reads every file of the versions in a role and of earlier champions. It names what differs (exit code 4).

    \b
    Example:
      registry-hooks reconcile acs-employment
    """
    names = [model] if model else [each["model"] for each in client.status()["models"]]
    answers = []
    with click.progressbar(names, label="Reading files", file=sys.stderr, hidden=len(names) < 2) as waiting:
        for name in waiting:
            answers.append(client.reconcile(name))
    problems = [problem for each in answers for problem in each["problems"]]
    lines = [clean(problem) for problem in problems] or [f"{len(answers)} models agree with the ledger."]
    show({"ok": not problems, "models": answers}, as_json, lines)
    if problems:
        raise click.exceptions.Exit(BROKEN_AUDIT)
