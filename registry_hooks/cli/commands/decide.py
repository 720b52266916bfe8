"""The commands by which people decide: baseline, request, approve and reject."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

import click

from registry_hooks.cli.asking import talks_to_server
from registry_hooks.cli.commands.move import VERSION
from registry_hooks.cli.output import clean, show
from registry_hooks.cli.output import proposal as told
from registry_hooks.client import Client


def names_a_proposal(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command what names a Proposal: its model, and its version or its id where several are open."""
    asked = click.option("--proposal", metavar="ID", help="Which Proposal, when more than one is open.")(command)
    return click.argument("model")(click.argument("version", type=VERSION, required=False)(asked))


def signs(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command what says how a signature is made: by whom, over what, and with the password once more."""

    @click.option("--digest", metavar="SHA256", help="Sign only if the Proposal still has this digest.")
    @click.option("--for", "for_whom", metavar="USER", help="Who lent you the role, where several did.")
    @click.option("--reauthenticate", is_flag=True, help="Ask for the password once more, as some policies demand.")
    @wraps(command)
    def signing(*arguments: Any, reauthenticate: bool, **options: Any) -> None:
        password = click.prompt("Password", hide_input=True, err=True) if reauthenticate else None
        command(*arguments, password=password, **options)

    return signing


@click.command()
@click.argument("model")
@click.argument("version", type=VERSION)
@click.argument("address")
@click.option("--reason", required=True, metavar="TEXT", help="Why this one; it goes into the audit log.")
@talks_to_server
def baseline(client: Client, model: str, version: int, address: str, reason: str, as_json: bool) -> None:
    """Name the frozen baseline at ADDRESS that of VERSION of MODEL, or put it in the place of another.

    ADDRESS is the folder of a run, as evidence freeze prints it. Where the policy says baseline: required, Evidence
    of this version counts only if it was held against this very baseline.

    \b
    Example:
      registry-hooks baseline acs-employment 2 runs:/8d0f1c2b3a4e5f60/baseline --reason "rows of training, 2026"
    """
    answer = client.baseline(model, version, address, reason)
    instead = f" in place of {clean(answer['replaces'])}" if answer["replaces"] else ""
    said = f"Version {version} of {clean(model)} has the baseline {clean(answer['digest'])}{instead}."
    show(answer, as_json, [f"{said} Ledger entry {answer['entry']}."])


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
    answer = client.request(model, version, comment)
    next_step = f"  Next, by an approver: registry-hooks approve {clean(model)} {version} --comment TEXT"
    show(answer, as_json, [*told(answer), next_step])


@click.command()
@names_a_proposal
@click.option("--comment", required=True, help="What you looked at.")
@click.option("--meaning", help="What your yes means, e.g. 'reviewed subgroup report'.")
@signs
@talks_to_server
def approve(client: Client, model: str, as_json: bool, **signature: Any) -> None:
    """Approve the open Proposal of MODEL. Its requester and the version's author cannot.

    \b
    Example:
      registry-hooks approve acs-employment 2 --comment "read the calibration and subgroup reports"
    """
    answer = client.approve(model, **signature)
    promotable = answer["state"] == "approved"
    next_step = [f"  Next: registry-hooks promote {clean(model)} {answer['version']}"] if promotable else []
    show(answer, as_json, [*told(answer), *next_step])


@click.command()
@names_a_proposal
@click.option("--comment", required=True, help="Why not.")
@click.option("--meaning", help="What your no means.")
@signs
@talks_to_server
def reject(client: Client, model: str, as_json: bool, **signature: Any) -> None:
    """Reject the open Proposal of MODEL, which ends it.

    \b
    Example:
      registry-hooks reject acs-employment 2 --comment "recall for SEX=2 fell by 4 points"
    """
    answer = client.reject(model, **signature)
    show(answer, as_json, told(answer))


@click.command()
@names_a_proposal
@click.option("--comment", required=True, help="Why.")
@talks_to_server
def withdraw(
    client: Client, model: str, version: int | None, proposal: str | None, comment: str, as_json: bool
) -> None:
    """Withdraw your Proposal of MODEL, or the signature that you gave to one.

    \b
    Example:
      registry-hooks withdraw acs-employment 2 --comment "asked for too early"
    """
    answer = client.withdraw(model, version, comment=comment, proposal=proposal)
    if "withdrawn" in answer:
        lines = [f"Proposal {clean(answer['withdrawn'])} is withdrawn. Ledger entry {answer['entry']}."]
    else:
        lines = ["Your signature is taken back.", *told(answer)]
    show(answer, as_json, lines)
