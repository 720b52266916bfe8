"""The command that shows one model as a whole."""

from __future__ import annotations

from collections.abc import Iterator

import click

from mlflow_eval_plugin.verdicts import VERDICT_WORDS
from registry_hooks.cli.asking import talks_to_server
from registry_hooks.cli.commands.move import VERSION
from registry_hooks.cli.output import Answer, clean, heading, numbered_reasons, pair, show, table, when
from registry_hooks.client import Client


@click.command("model")
@click.argument("model")
@click.option(
    "--to", type=VERSION, metavar="V", help="Say what a rollback to this version would do; else the fallback."
)
@talks_to_server
def whole_model(client: Client, model: str, to: int | None, as_json: bool) -> None:
    """Show all of MODEL: who served when and why, its versions, reviews, and what a rollback would do now.

    Its page in the browser shows the same: /registry-hooks/ on the server.

    \b
    Example:
      registry-hooks model acs-employment
    """
    answer = client.model(model, to)
    show(answer, as_json, _whole(answer))


def _whole(held: Answer) -> Iterator[str]:
    yield f"{heading(clean(held['model']))}: {pair(held['pair'])}"
    yield from numbered_reasons(held["meddled"])
    yield from (f"  {heading('MISSING', 'red')} {clean(line)}" for line in held["missing"])
    yield heading("Who served:")
    rows = [
        (each["version"], when(each["since"]), when(each["until"]) if each["until"] else "now", each["how"], each["by"],
         each["why"] or each["proposal"])
        for each in held["tenures"]
    ]  # fmt: skip
    yield from table(("version", "since", "until", "how", "by", "why"), rows)
    yield heading("Versions:")
    yield from table(("version", "is", "evidence", "proposal"), map(_version, held["versions"]))
    if held["more_versions"]:
        yield f"  and {held['more_versions']} older ones"
    for each in held["closed"]:
        yield f"Review {clean(each['id'])} closed by {clean(each['by'])}: {clean(each['finding'])}"
    yield from _rollback(held)


def _version(each: Answer) -> tuple[object, ...]:
    nominated = each["nominated"]
    told = [f"{item['kind']} {VERDICT_WORDS[item['verdict']]}" for item in nominated["evidence"]] if nominated else []
    left = ["rolled back from"] if each["condemned_at"] else []
    return (each["version"], ", ".join([*each["roles"], *left]) or "-", ", ".join(told) or "-", each["proposal"])


def _rollback(held: Answer) -> Iterator[str]:
    back, name = held["rollback"], clean(held["model"])
    if back["after"] is not None and not back["reasons"]:
        yield f"A rollback would make version {back['to']} serve in place of {back['leaves']}: {pair(back['after'])}."
        yield f"  Next: registry-hooks rollback {name} --from {back['leaves']} --to {back['to']} --reason TEXT"
        return
    yield "You could not roll it back now:"
    yield from numbered_reasons(back["reasons"])
