"""Write the reference parts of docs/cli.md from the commands themselves: `python tools/cli_reference.py`.

Between `<!-- reference: ROLE -->` and `<!-- end -->` stands what click knows of each command of the role: its
arguments, help, example and options. A test holds the page against the same text.
"""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterator
from pathlib import Path

import click

from mlflow_eval_plugin.commands.group import main as evidence
from mlflow_eval_plugin.report_cli import main as evidence_report
from registry_hooks.cli.group import BY_ROLE

PAGE = Path(__file__).resolve().parents[1] / "docs" / "cli.md"
PART = re.compile(r"(<!-- reference: (.+?) -->\n).*?(<!-- end -->)", re.DOTALL)
OF_ALL = {
    "--tracking-uri": "The server's address; else MLFLOW_TRACKING_URI.",
    "--timeout": "Seconds to wait for an answer.",
    "--json": None,
}
"""Options that the page tells once, with the help that they have there; None is any."""
OF_EVIDENCE: dict[str, click.Command] = {"evidence": evidence, "evidence-report": evidence_report}


def page() -> str:
    """The page as it should be: its own text, and the reference as the commands are now."""
    return PART.sub(lambda found: found[1] + "\n".join(_of_role(found[2])) + "\n" + found[3], PAGE.read_text())


def _of_role(role: str) -> Iterator[str]:
    if role in OF_EVIDENCE:
        yield from _sections((role,), OF_EVIDENCE[role])
        return
    (commands,) = (commands for name, commands in BY_ROLE.items() if name.partition(",")[0] == role)
    for command in commands:
        yield from _sections((str(command.name),), command)


def _sections(path: tuple[str, ...], command: click.Command) -> Iterator[str]:
    if isinstance(command, click.Group):
        for name, each in command.commands.items():
            yield from _sections((*path, name), each)
        return
    arguments = [_argument(each) for each in command.params if isinstance(each, click.Argument)]
    yield f"\n### `{' '.join((*path, *arguments))}`\n"
    told, examples = re.split(r"Examples?:\n", (command.help or "").replace("\b\n", ""))
    for paragraph in told.strip().split("\n\n"):
        yield _plain(paragraph) + "\n"
    yield "```console\n" + re.sub(r"^(?=\S)", "$ ", textwrap.dedent(examples).strip(), flags=re.MULTILINE) + "\n```"
    options = [each for each in command.params if isinstance(each, click.Option) and not each.hidden]
    rows = [_row(each) for each in options if not _of_all(each)]
    if rows:
        yield "\n| option | |\n|---|---|"
        yield from rows


def _of_all(option: click.Option) -> bool:
    return option.opts[0] in OF_ALL and OF_ALL[option.opts[0]] in (None, option.help)


def _argument(argument: click.Argument) -> str:
    name = (argument.metavar or str(argument.name).upper()).removesuffix("...")
    return (name if argument.required else f"[{name}]") + ("..." if argument.nargs == -1 else "")


def _row(option: click.Option) -> str:
    value = ""
    if isinstance(option.type, click.Choice):
        value = " " + "\\|".join(str(choice) for choice in option.type.choices)
    elif not option.is_flag:
        value = " " + (option.metavar or _kind(option)).replace("|", "\\|")
    notes = [_plain(option.help or "")]
    if option.required:
        notes.append("Required.")
    if option.show_default is True and option.default is not None:
        notes.append(f"Default: `{option.default}`.")
    names = ", ".join(f"`{name}`" for name in option.opts)
    return f"| {names}{value} | {' '.join(note for note in notes if note)} |"


def _kind(option: click.Option) -> str:
    if isinstance(option.type, click.Path):
        return "FILE"
    return "NUMBER" if isinstance(option.type, (click.types.IntParamType, click.types.FloatParamType)) else "TEXT"


def _plain(text: str) -> str:
    return " ".join(text.split()).replace("<", "&lt;")


if __name__ == "__main__":
    PAGE.write_text(page())
