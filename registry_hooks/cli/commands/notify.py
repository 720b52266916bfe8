"""The commands about who is told of changes: notify add, list, test and remove."""

from __future__ import annotations

from collections.abc import Iterator

import click

from registry_hooks.cli.asking import talks_to_server
from registry_hooks.cli.failures import NO_ANSWER
from registry_hooks.cli.output import clean, heading, show, table, when
from registry_hooks.cli.summaries import Summarized
from registry_hooks.client import Client
from registry_hooks.client.targets import TargetState


@click.group(cls=Summarized)
def notify() -> None:
    """Have changes told to webhooks, chats, mail or standard output. Administrators only.

    \b
    Example:
      registry-hooks notify add deployer webhook https://deploy.example/hooks/models
    """


@notify.command()
@click.argument("name")
@click.argument("kind", type=click.Choice(["webhook", "apprise", "stdout"]))
@click.argument("address", required=False)
@click.option("--event", "events", multiple=True, metavar="EVENT",
              help="Tell of this event, such as rolled-back. May be given more than once. [default: all]")  # fmt: skip
@click.option("--model", "models", multiple=True, metavar="MODEL",
              help="Tell of this model, or of those that a pattern such as acs-* means. May be given more than once. "
              "[default: all]")  # fmt: skip
@talks_to_server
def add(
    client: Client, name: str, kind: str, address: str | None, events: tuple[str, ...], models: tuple[str, ...],
    as_json: bool,
) -> None:  # fmt: skip
    """Have every change from now on told to a target, which you call NAME.

    The secret of a webhook is told this once; its receiver verifies messages with it.

    \b
    Example:
      registry-hooks notify add deployer webhook https://deploy.example/hooks/models \\
          --event promoted --event rolled-back --event broke-glass
    """
    answer = client.notify_add(name, kind, address, events, models)
    lines = [f"{heading(clean(name))} is told from now on. Ledger entry {answer['entry']}."]
    if answer["secret"]:
        lines.append(f"  Secret, told this once: {clean(answer['secret'])}")
    lines.append(f"  To try it: registry-hooks notify test {clean(name)}")
    show(answer, as_json, lines)


@notify.command("list")
@talks_to_server
def list_targets(client: Client, as_json: bool) -> None:
    """List the targets, how far each has heard, and why not further.

    \b
    Example:
      registry-hooks notify list
    """
    answer = client.notify_list()
    rows = [(each["name"], each["kind"], each["address"], *_state(each)) for each in answer["targets"]]
    lines = [*table(("name", "kind", "address", "state", "waiting"), rows)]
    show(answer, as_json, [*lines, *_errors(answer["targets"])] if lines else ["Nobody is told of changes."])


def _state(target: TargetState) -> tuple[str, int]:
    since = target["failing_since"]
    return (f"failing since {when(since)}" if since else "ok", target["waiting"])


def _errors(targets: list[TargetState]) -> Iterator[str]:
    for each in targets:
        if each["error"]:
            yield f"  {heading(clean(each['name']), 'red')}: {clean(each['error'])}"
            held = ", ".join(clean(name or "what is of no model") for name in each["held"])
            yield f"    tried {each['failures']} times, next {when(each['retry_at'])}; waits of: {held or 'nothing'}"


@notify.command()
@click.argument("name")
@talks_to_server
def test(client: Client, name: str, as_json: bool) -> None:
    """Send a target a message that says it is a test. Exit code 3 when it is not taken.

    \b
    Example:
      registry-hooks notify test deployer
    """
    answer = client.notify_test(name)
    told = heading("took it", "green") if answer["ok"] else heading("did not take it", "red")
    show(answer, as_json, [f"{clean(name)} {told}: {clean(answer['found'])}"])
    if not answer["ok"]:
        raise click.exceptions.Exit(NO_ANSWER)


@notify.command()
@click.argument("name")
@talks_to_server
def remove(client: Client, name: str, as_json: bool) -> None:
    """Tell a target no more; what waits for it is forgotten.

    \b
    Example:
      registry-hooks notify remove deployer
    """
    answer = client.notify_remove(name)
    show(answer, as_json, [f"{heading(clean(name))} is told no more. Ledger entry {answer['entry']}."])
