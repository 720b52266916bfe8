"""The commands by which people decide: request, approve and reject."""

from __future__ import annotations

import click

from registry_hooks.cli.client import Client, talks_to_server
from registry_hooks.cli.move import VERSION
from registry_hooks.cli.output import clean, proposal, show


@click.command()
@click.argument("model")
@click.argument("version", type=VERSION)
@click.option("--comment", help="What the approvers should know.")
@talks_to_server
def request(client: Client, model: str, version: int, comment: str | None, as_json: bool) -> None:
    """Ask for approval of VERSION of MODEL, the challenger, as champion.

    The Proposal is bound to the version's files, the Evidence, the policy and the champion of now. When one of them
    changes, approvals are void.

    \b
    Example:
      registry-hooks request acs-employment 2 --comment "better Brier score, no subgroup worse"
    """
    answer = client.post("request", model=model, version=version, comment=comment)
    next_step = f"  Next, by an approver: registry-hooks approve {clean(model)} {version} --comment TEXT"
    show(answer, as_json, [*proposal(answer), next_step])


@click.command()
@click.argument("model")
@click.argument("version", type=VERSION, required=False)
@click.option("--proposal", "number", metavar="ID", help="Which Proposal, when more than one is open.")
@click.option("--comment", required=True, help="What you looked at.")
@click.option("--meaning", help="What your yes means, e.g. 'reviewed subgroup report'.")
@talks_to_server
def approve(
    client: Client,
    model: str,
    version: int | None,
    number: str | None,
    comment: str,
    meaning: str | None,
    as_json: bool,
) -> None:
    """Say yes to the open Proposal of MODEL. Its requester and the version's author cannot.

    \b
    Example:
      registry-hooks approve acs-employment 2 --comment "read the calibration and subgroup reports"
    """
    answer = client.post("approve", model=model, version=version, proposal=number, comment=comment, meaning=meaning)
    promotable = answer["state"] == "approved"
    next_step = [f"  Next: registry-hooks promote {clean(model)} {answer['version']}"] if promotable else []
    show(answer, as_json, [*proposal(answer), *next_step])


@click.command()
@click.argument("model")
@click.argument("version", type=VERSION, required=False)
@click.option("--proposal", "number", metavar="ID", help="Which Proposal, when more than one is open.")
@click.option("--comment", required=True, help="Why not.")
@click.option("--meaning", help="What your no means.")
@talks_to_server
def reject(
    client: Client,
    model: str,
    version: int | None,
    number: str | None,
    comment: str,
    meaning: str | None,
    as_json: bool,
) -> None:
    """Say no to the open Proposal of MODEL.

    \b
    Example:
      registry-hooks reject acs-employment 2 --comment "recall for SEX=2 fell by 4 points"
    """
    answer = client.post("reject", model=model, version=version, proposal=number, comment=comment, meaning=meaning)
    show(answer, as_json, proposal(answer))
