"""The ``doctor`` command: is everything installed, importable, reachable, governed, and does the login work?"""

from __future__ import annotations

import importlib.metadata
import sys
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from typing import Any

import click

from registry_hooks.cli.asking import told_as_failure
from registry_hooks.cli.commands.machine.addresses import databases
from registry_hooks.cli.commands.machine.surveying import surveyed
from registry_hooks.cli.failures import NO_ANSWER, Failure
from registry_hooks.cli.output import clean, heading, show
from registry_hooks.client import Client

DISTRIBUTIONS = (
    "mlflow-registry-hooks",
    "mlflow",
    "evidently",
    "pandas",
    "numpy",
    "scikit-learn",
    "pydantic",
    "sqlalchemy",
)
EVALUATORS = "mlflow.model_evaluator"  # the group of one plugin a kind of Evidence
OTHER_PLUGINS = (("mlflow.model_registry_store", "governed"), ("mlflow.app", "registry-hooks"))
MODULES = ("evidently",)


@dataclass(frozen=True)
class Finding:
    """One thing looked at."""

    what: str
    ok: bool
    found: str


@click.command()
@click.option("--tracking-uri", metavar="URI", help="The server's address; else MLFLOW_TRACKING_URI.")
@click.option("--timeout", type=click.FloatRange(min=0.1), default=20, show_default=True)
@click.option("--no-server", is_flag=True, help="Look at this installation only.")
@click.option(
    "--server",
    "on_machine",
    is_flag=True,
    help="On the server's machine: look into its databases, which need not be governed yet, and change nothing.",
)
@databases
@click.option(
    "--artifacts-destination",
    envvar="MLFLOW_ARTIFACTS_DESTINATION",
    metavar="URI",
    help="Where the server is to keep artifacts.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the findings as JSON.")
def doctor(
    tracking_uri: str | None, timeout: float, no_server: bool, on_machine: bool, as_json: bool,
    artifacts_destination: str | None, **options: Any,
) -> None:  # fmt: skip
    """Check this installation and the server. Exit code 3 when something is wrong.

    MLflow only warns when a plugin fails to import; here it is a finding. With --server it tells what will bite a team
    whose MLflow is taken over: missing drivers, users without grants on their own experiments, versions without
    authors, aliases and stages that disagree.

    \b
    Example:
      registry-hooks doctor --tracking-uri http://127.0.0.1:5000
      registry-hooks doctor --server --backend-store-uri postgresql://mlflow@db/mlflow
    """
    from mlflow_eval_plugin.evidence import KNOWN_KINDS

    plugins = (*((EVALUATORS, kind) for kind in KNOWN_KINDS), *OTHER_PLUGINS)
    findings = [Finding("python", True, sys.version.split()[0])]
    findings += [_probe(f"package {name}", _version, name) for name in DISTRIBUTIONS]
    findings += [_probe(f"plugin {name} ({group})", _load, group, name) for group, name in plugins]
    findings += [_probe(f"import {name}", _import, name) for name in MODULES]
    if on_machine:
        findings += [Finding(*told) for told in surveyed(artifacts_destination, options)]
    elif not no_server:
        findings.append(_probe("server", _server, tracking_uri, timeout))
    ok = all(each.ok for each in findings)
    show({"ok": ok, "findings": [asdict(each) for each in findings]}, as_json, _told(findings))
    if not ok:
        raise click.exceptions.Exit(NO_ANSWER)


def _told(findings: list[Finding]) -> Iterator[str]:
    for each in findings:
        mark = heading("ok   ", "green") if each.ok else heading("FAULT", "red")
        yield f"  {mark} {each.what}: {clean(each.found)}"


def _probe(what: str, look: Callable[..., str], *arguments: object) -> Finding:
    try:
        return Finding(what, True, look(*arguments))
    except Failure as failure:
        return Finding(what, False, failure.message)
    except Exception as error:  # noqa: BLE001 (a plugin may raise anything at import; that is what is looked for)
        return Finding(what, False, f"{type(error).__name__}: {error}")


def _version(name: str) -> str:
    return importlib.metadata.version(name)


def _load(group: str, name: str) -> str:
    found = [each for each in importlib.metadata.entry_points(group=group) if each.name == name]
    if not found:
        raise Failure("not installed: run pip install mlflow-registry-hooks in this environment", NO_ANSWER)
    found[0].load()
    return found[0].value


def _import(name: str) -> str:
    importlib.import_module(name)
    return "imports"


def _server(tracking_uri: str | None, timeout: float) -> str:
    with told_as_failure():
        return _asked(Client(tracking_uri, timeout=timeout))


def _asked(client: Client) -> str:
    health = client.health()
    if not health.get("governed"):
        raise Failure("its registry is not governed", NO_ANSWER)
    here = _version("mlflow-registry-hooks")
    if health["version"] != here:
        raise Failure(f"it runs registry-hooks {health['version']}, and this is {here}", NO_ANSWER)
    lost = [f"{each['model']} {line}" for each in client.status()["models"] for line in each.get("missing") or ()]
    if lost:
        raise Failure("files of what serves are missing: " + "; ".join(lost[:5]), NO_ANSWER)
    return f"governed, registry-hooks {health['version']}, login accepted"
