"""Help on a terminal of 80 columns: commands by role, and every summary to its end."""

from __future__ import annotations

import re
from collections.abc import Iterator

import click
import pytest
from click.testing import CliRunner

from mlflow_eval_plugin.commands.group import main as evidence
from mlflow_eval_plugin.report_cli import main as reports
from registry_hooks.cli import main
from registry_hooks.cli.group import BY_ROLE


def groups(group: click.Group, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], click.Group]]:
    yield path, group
    for name, command in group.commands.items():
        if isinstance(command, click.Group):
            yield from groups(command, (*path, name))


GROUPS = {" ".join(("registry-hooks", *path)): (main, path, group) for path, group in groups(main)}
GROUPS["evidence"] = (evidence, (), evidence)
GROUPS["evidence-report"] = (reports, (), reports)


def words(text: str | None) -> str:
    return " ".join((text or "").split())


@pytest.mark.parametrize("name", GROUPS)
def test_no_summary_is_cut_off(name: str):
    root, path, group = GROUPS[name]
    told = CliRunner().invoke(root, [*path, "--help"], terminal_width=80).output.partition("\nOptions:\n")[2]
    assert told and max(map(len, told.splitlines())) <= 80
    for command in group.commands.values():
        paragraph = words((command.help or "").partition("\n\n")[0])
        sentence = re.split(r"\. |\.$", paragraph)[0]
        assert sentence and sentence in words(told), command.name
    assert "..." not in told


def test_every_command_stands_once_under_a_role():
    told = CliRunner().invoke(main, ["--help"], terminal_width=80).output.partition("Options:")[2]
    at = {role: told.index(f"\n{role}:\n") for role in BY_ROLE}
    assert list(at) == sorted(at, key=at.__getitem__) and "Commands:" not in told
    ends = [*list(at.values())[1:], len(told)]
    for (role, commands), end in zip(BY_ROLE.items(), ends, strict=True):
        listed = re.findall(r"^  ([a-z-]+)  ", told[at[role] : end], re.MULTILINE)
        assert listed == [command.name for command in commands]
    named = [command.name for commands in BY_ROLE.values() for command in commands]
    assert sorted(named) == main.list_commands(click.Context(main)) and len(named) == len(set(named))
