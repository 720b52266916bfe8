"""The commands about policies: new, check, apply and show."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

import click

from registry_hooks.cli.asking import talks_to_server
from registry_hooks.cli.failures import USAGE, Failure, require_name
from registry_hooks.cli.output import Answer, clean, heading, pair, show, when
from registry_hooks.cli.summaries import Summarized
from registry_hooks.client import Client
from registry_hooks.client.calls import Adopt

FILE = click.Path(exists=True, dir_okay=False, readable=True, path_type=Path)


@click.group(cls=Summarized)
def policy() -> None:
    """Write, check, apply and show policies: which Evidence and whose approval a model needs.

    \b
    Example:
      registry-hooks policy new policy.yaml
      registry-hooks policy check policy.yaml
    """


@policy.command()
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="Print the outcome as JSON.")
def new(file: Path, as_json: bool) -> None:
    """Write a policy to start from to FILE, with every key, its default and its meaning. Needs no server.

    \b
    Example:
      registry-hooks policy new policy.yaml
    """
    require_name(file)
    try:
        with file.open("x", encoding="utf-8") as written:
            written.write(template())
    except FileExistsError as error:
        raise Failure(f"{file} exists; choose another name, so that no policy is lost", USAGE) from error
    except OSError as error:
        raise Failure(f"cannot write {error.filename}: {error.strerror}", USAGE) from error
    lines = [f"{file}: name your models and people in it.", f"  Next: registry-hooks policy check {file}"]
    show({"file": str(file)}, as_json, lines)


def template() -> str:
    """The policy that ``policy new`` writes; it is sound as it stands."""
    from importlib.resources import files

    return (files("registry_hooks.cli") / "policy_template.yaml").read_text(encoding="utf-8")


@policy.command()
@click.argument("file", type=FILE)
@click.option("--json", "as_json", is_flag=True, help="Print the outcome as JSON.")
def check(file: Path, as_json: bool) -> None:
    """Check a policy FILE. Needs no server.

    \b
    Example:
      registry-hooks policy check policy.yaml
    """
    from registry_hooks.errors import Invalid
    from registry_hooks.rules.policy_file import load_policy, policy_digest

    text = _text_of(file)
    try:
        found = load_policy(text)
    except Invalid as error:
        raise Failure(f"{file}: {error.headline}", USAGE, error.as_json()) from error
    answer = {"name": found.name, "models": list(found.models), "digest": policy_digest(text), "problems": []}
    lines = [f"{file}: policy {clean(found.name)} is sound; it rules {', '.join(found.models)}."]
    show({**answer, "warnings": list(found.warnings)}, as_json, [*lines, *_warned(found.warnings)])


@policy.command()
@click.argument("file", type=FILE)
@click.option("--adopt", type=click.Choice(["alias", "stage"]),
              help="Which counts for models whose aliases and stages disagree; what the other said is recorded, and "
              "versions in other roles' stages are archived. Without it such a model is refused.")  # fmt: skip
@talks_to_server
def apply(client: Client, file: Path, adopt: Adopt | None, as_json: bool) -> None:
    """Put a policy FILE in force. Administrators only. Open Proposals under the old text become void.

    Models come under it with the roles that they have: the aliases champion, challenger and fallback, the stages
    Production and Staging.

    \b
    Example:
      registry-hooks policy apply policy.yaml
    """
    answer = client.policy_apply(_text_of(file), adopt)
    told = f"Policy {clean(answer['name'])} version {answer['version']} is in force."
    entry = answer["entry"]
    lines = [told, f"  Ledger entry {clean(entry)}." if entry else "  It was already: nothing changed."]
    lines += [f"  Taken in: {clean(each['model'])}, {pair(each['pair'])}." for each in answer.get("adopted", ())]
    lines += [f"  No longer governed: {clean(model)}." for model in answer.get("let_go", ())]
    lines += _warned(answer.get("warnings", ()))
    show(answer, as_json, lines)


@policy.command("show")
@click.option("--model", help="The policy that rules this model.")
@click.option("--name", help="The policy of this name.")
@talks_to_server
def show_policy(client: Client, model: str | None, name: str | None, as_json: bool) -> None:
    """Show the policies in force.

    \b
    Example:
      registry-hooks policy show --model acs-employment
    """
    answer = client.policy_show(model, name)
    lines = [line for each in answer["policies"] for line in _policy(each)]
    show(answer, as_json, lines or ["No policy is in force."])


def _warned(warnings: Iterable[str]) -> list[str]:
    return [f"  Warning: {clean(each)}." for each in warnings]


def _policy(held: Answer) -> Iterator[str]:
    yield (
        f"{heading(clean(held['name']))} version {held['version']}, applied by {clean(held['applied_by'])} at "
        f"{when(held['applied_at'])}, rules {clean(', '.join(held['models']))}; {clean(held['digest'])}"
    )
    yield from (f"  {clean(line)}" for line in held["yaml"].splitlines())


def _text_of(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise Failure(f"{file} is not UTF-8 text: {error}", USAGE) from error
