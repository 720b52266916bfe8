"""The commands that move a role: nominate, promote and rollback."""

from __future__ import annotations

from collections.abc import Iterator

import click

from registry_hooks.cli.asking import talks_to_server
from registry_hooks.cli.output import Answer, clean, evidence, heading, moves, pair, show, warned, when
from registry_hooks.client import Client
from registry_hooks.client.calls import Verify

VERSION = click.IntRange(min=1)
FILES_SAID = {
    "match": "as they were nominated.",
    "pending": "being compared with the nomination; registry-hooks status will say what differs.",
    "unknown": "never nominated under this server, so there is nothing to compare them with.",
}


@click.command()
@click.argument("model")
@click.argument("version", type=VERSION)
@click.option("--run", "runs", multiple=True, metavar="ID", help="A run that holds Evidence; may be repeated.")
@click.option("--comment", help="Why.")
@talks_to_server
def nominate(
    client: Client, model: str, version: int, runs: tuple[str, ...], comment: str | None, as_json: bool
) -> None:
    """Make VERSION of MODEL the challenger, which needs passing Evidence and no approval.

    Evidence is looked for in the version's own run, and in every --run.

    \b
    Example:
      registry-hooks nominate acs-employment 2 --run 8d0f1c2b3a4e5f60718293a4b5c6d7e8
    """
    answer = client.nominate(model, version, runs, comment)
    show(answer, as_json, _nominated(answer))


def _nominated(answer: Answer) -> Iterator[str]:
    yield f"Version {answer['version']} of {clean(answer['model'])} is now the {heading('challenger')}."
    yield from evidence(answer["evidence"])
    yield from warned(answer)
    yield f"  Now: {pair(answer['pair'])}."
    yield f"  Next: registry-hooks request {clean(answer['model'])} {answer['version']}"


@click.command()
@click.argument("model")
@click.argument("version", type=VERSION)
@talks_to_server
def promote(client: Client, model: str, version: int, as_json: bool) -> None:
    """Make VERSION of MODEL the champion, which serves. It must be the challenger, and its Proposal approved.

    \b
    Example:
      registry-hooks promote acs-employment 2
    """
    answer = client.promote(model, version)
    show(answer, as_json, _promoted(answer))


def _promoted(answer: Answer) -> Iterator[str]:
    yield f"Version {answer['version']} of {clean(answer['model'])} is now the {heading('champion', 'green')}."
    yield from moves(answer["before"], answer["after"])
    yield f"  By proposal {clean(answer['proposal'])}; ledger entry {clean(answer['entry'])}."


@click.command()
@click.argument("model")
@click.option("--reason", required=True, metavar="TEXT", help="Why; it goes into the audit log.")
@click.option("--to", type=VERSION, metavar="V", help="A version that was champion before; else the fallback.")
@click.option("--from", "expected", type=VERSION, metavar="V", help="Roll back only if this version is champion.")
@click.option("--verify", type=click.Choice(["parallel", "now", "later"]), default="parallel", show_default=True,
              help="Compare the version's files with its nomination: beside the work without waiting for long, to the "
              "end before anything else, or only afterwards.")  # fmt: skip
@talks_to_server
def rollback(
    client: Client, model: str, reason: str, to: int | None, expected: int | None, verify: Verify, as_json: bool
) -> None:
    """Return MODEL to its previous champion, at once. A review falls due afterwards.

    The version left is condemned: it comes back only with newer Evidence. A second rollback within two minutes is
    taken for the first one, given twice, and refused; to go further back, say --from or --to. A version whose files
    were changed since it was nominated is refused by their names, unless --verify later says to look afterwards; one
    whose files are not there is refused always.

    \b
    Example:
      registry-hooks rollback acs-employment --reason "scores drifted since Monday"
    """
    answer = client.rollback(model, reason, to=to, expected=expected, verify=verify)
    show(answer, as_json, _rolled_back(answer))


def _rolled_back(answer: Answer) -> Iterator[str]:
    champion, review = answer["after"]["champion"], answer["review"]
    yield f"Version {champion} of {clean(answer['model'])} is the {heading('champion', 'green')} again."
    yield from moves(answer["before"], answer["after"])
    yield f"  Ledger entry {clean(answer['entry'])}."
    yield f"  Files: {FILES_SAID[answer['files']]}"
    yield f"  Review {clean(review['id'])} is open and due {when(review['due_at'])}."
