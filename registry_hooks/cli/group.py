"""The group of all commands; each command is a door of its own in this package."""

from __future__ import annotations

import os

import click

from registry_hooks.cli.commands.audit import audit
from registry_hooks.cli.commands.db import db
from registry_hooks.cli.commands.decide import approve, baseline, reject, request, withdraw
from registry_hooks.cli.commands.doctor import doctor
from registry_hooks.cli.commands.emergency import break_glass, review
from registry_hooks.cli.commands.evidence import evidence
from registry_hooks.cli.commands.look import history, inbox, lineage, plan, read_proposal, reconcile, status
from registry_hooks.cli.commands.machine.admin import admin
from registry_hooks.cli.commands.model import whole_model
from registry_hooks.cli.commands.move import nominate, promote, rollback
from registry_hooks.cli.commands.notify import notify
from registry_hooks.cli.commands.policy import policy
from registry_hooks.cli.commands.server import server
from registry_hooks.cli.commands.trust import delegate, key
from registry_hooks.cli.summaries import Summarized

BY_ROLE: dict[str, tuple[click.Command, ...]] = {
    "Data scientists, who bring a version into production": (
        baseline,
        nominate,
        plan,
        request,
        withdraw,
        promote,
        evidence,
    ),
    "Approvers, who answer for it": (inbox, read_proposal, approve, reject, review, delegate),
    "People on call": (status, whole_model, rollback, break_glass),
    "Auditors": (history, lineage, reconcile, audit),
    "Administrators, who run the server": (server, doctor, policy, key, notify, db, admin),
}
"""Every command, once, under the role that needs it most; what anybody may do is for the server and a policy to say."""


@click.group(
    cls=Summarized,
    sections={role: [str(command.name) for command in commands] for role, commands in BY_ROLE.items()},
    context_settings={"help_option_names": ["-h", "--help"]},
)
@click.version_option(package_name="mlflow-registry-hooks", prog_name="registry-hooks")
@click.pass_context
def main(context: click.Context) -> None:
    """Let a model version serve only on evidence and human approval, and go back in one command.

    \b
    Where the server is:  --tracking-uri, or MLFLOW_TRACKING_URI (http or https)
    Who you are:          MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD,
                          or MLFLOW_TRACKING_TOKEN, or ~/.mlflow/credentials
    TLS:                  MLFLOW_TRACKING_INSECURE_TLS, MLFLOW_TRACKING_SERVER_CERT_PATH,
                          MLFLOW_TRACKING_CLIENT_CERT_PATH, REQUESTS_CA_BUNDLE

    \b
    Exit codes:
      0  done
      1  refused: a rule, the registry's state or a permission says no
      2  usage: wrong input, or no such model, version, proposal or policy
      3  no answer to rely on: the server cannot be reached, does not run
         registry-hooks, did not accept the login, or failed; doctor found a fault
      4  the audit log, or what was reconciled with it, does not add up

    \b
    Example:
      registry-hooks status acs-employment
    """
    if os.environ.get("NO_COLOR"):
        context.color = False


for commands in BY_ROLE.values():
    for command in commands:
        main.add_command(command)
