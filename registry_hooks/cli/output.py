"""Words for a tired person: short sentences, plain tables, and no control characters that somebody else wrote."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import click

from mlflow_eval_plugin.verdicts import VERDICT_WORDS

Answer = Mapping[str, Any]
VERDICT_COLOURS = {"pass": "green", "fail": "red", "insufficient": "yellow"}


def clean(text: object) -> str:
    """``text`` on one line, with control characters shown as escapes: a comment must not drive the terminal."""
    return "".join(
        each if each.isprintable() else repr(each)[1:-1] for each in str(text).replace("\n", " ").replace("\t", " ")
    )


def when(moment: object) -> str:
    """A time as the server gives it, to the second."""
    return re.sub(r"T(\d\d:\d\d:\d\d)(\.\d+)?", r" \1", clean(moment))


def heading(text: str, colour: str | None = None) -> str:
    """``text`` in bold; click takes styles out again where standard output is no terminal."""
    return click.style(text, bold=True, fg=colour)


def numbered_reasons(reasons: Iterable[Answer], first: int = 1) -> Iterator[str]:
    """Every reason with its number, and the command that fixes it on a line of its own, to copy."""
    for number, reason in enumerate(reasons, first):
        told = {name: clean(reason.get(name, "")) for name in ("rule", "expected", "found", "mend")}
        yield f"  {number}. {told['rule']}: expected {told['expected']}; found {told['found']}."
        yield f"     To fix: {told['mend']}"


def show(answer: Answer, as_json: bool, lines: Iterable[str]) -> None:
    """Print the server's answer as JSON, or ``lines`` for a person."""
    if as_json:
        click.echo(json.dumps(answer, indent=2, ensure_ascii=False))
        return
    for line in lines:
        click.echo(line)


def table(headings: Sequence[str], rows: Iterable[Sequence[object]]) -> Iterator[str]:
    """An aligned table; nothing at all where there are no rows."""
    cells = [[clean("-" if cell is None else cell) for cell in row] for row in rows]
    if not cells:
        return
    widths = [max(map(len, column)) for column in zip(headings, *cells, strict=True)]
    yield heading("  " + "  ".join(name.ljust(width) for name, width in zip(headings, widths, strict=True)).rstrip())
    for row in cells:
        yield "  " + "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()


def pair(held: Answer) -> str:
    """``champion 2, challenger 1, fallback 1``."""
    return ", ".join(f"{role} {held.get(role) or 'none'}" for role in ("champion", "challenger", "fallback"))


def moves(before: Answer, after: Answer) -> Iterator[str]:
    """Each role with the version before and after."""
    rows = [
        (role, before.get(role) or "none", after.get(role) or "none") for role in ("champion", "challenger", "fallback")
    ]
    yield from table(("role", "before", "after"), rows)


def evidence(items: Iterable[Answer]) -> Iterator[str]:
    """The Evidence that was found, one a line."""
    rows = [
        (each["kind"], VERDICT_WORDS.get(each["verdict"], each["verdict"]), when(each["created_at"]), each["run_id"])
        for each in items
    ]
    yield from table(("evidence", "verdict", "created", "run"), rows)


def proposal(held: Answer) -> Iterator[str]:
    """A Proposal: its state, who decided what, and who is still needed."""
    yield (
        f"Proposal {clean(held['id'])}: {clean(held['model'])} version {held['version']} as champion, asked for by "
        f"{clean(held['requester'])}; {heading(clean(held['state']))} until {when(held['expires_at'])}."
    )
    if held.get("comment"):
        yield f"  Comment: {clean(held['comment'])}"
    yield from warned(held)
    rows = [
        (_signer(each), _signed_as(each), each["decision"], when(each["at"]), each["comment"])
        for each in held["approvals"]
    ]
    yield from table(("who", "as", "decision", "when", "comment"), rows)
    for need in held["needs"]:
        yield f"  Approvals from {clean(need['role'])}: {need['have']} of {need['count']}."
    yield from numbered_reasons(held["reasons"])
    told = {reason["found"] for reason in held["reasons"]}
    lost = [reason for reason in held.get("uncounted", ()) if reason["found"] not in told]
    yield from numbered_reasons(lost, len(held["reasons"]) + 1)


def warned(held: Answer) -> Iterator[str]:
    """What is known of a version's bytes that speaks against it, one a line."""
    for each in held["warnings"]:
        yield f"  {heading('Beware', 'red')}: version {held['version']} {clean(each)}."


def _signed_as(approval: Answer) -> str:
    """The roles, each with where it came from: the policy, an MLflow role and who gave it, or a loan."""
    told: dict[str, list[str]] = {role: [] for role in approval["roles"]}
    for source in approval.get("sources", ()):
        by = "" if source["via"] == "policy" else f" by {source['given_by'] or 'nobody known'}"
        told.setdefault(source["role"], []).append(f"{source['via']} {source['name']}{by}")
    return ", ".join(f"{role} ({'; '.join(ways)})" if ways else role for role, ways in told.items())


def _signer(approval: Answer) -> str:
    lender = approval.get("for_whom")
    return f"{approval['actor']} for {lender}" if lender else str(approval["actor"])
