"""Lists of commands with whole summaries: the first sentence of each command's help, however many lines it takes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import click

_WHOLE = 10_000  # characters; click cuts a summary off at what it takes for a line


class Summarized(click.Group):
    """A group whose help tells the whole summary of each command, under one heading or under several.

    Args:
        sections: the heading of each section, with the names of its commands in order. A command that stands in none
            is listed last, under "Commands"; without sections all are.
    """

    def __init__(self, *args: object, sections: Mapping[str, Sequence[str]] | None = None, **settings: object) -> None:
        super().__init__(*args, **settings)  # type: ignore[arg-type]
        self.sections = dict(sections or {})

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write every section; nothing is cut off, and the summaries of all sections begin in one column."""
        widest = max((len(name) for name in self.list_commands(ctx)), default=0)
        for heading, names in self._sections(ctx):
            rows = [(name.ljust(widest), command.get_short_help_str(_WHOLE)) for name, command in names]
            with formatter.section(heading):
                formatter.write_dl(rows)

    def _sections(self, ctx: click.Context) -> Iterator[tuple[str, list[tuple[str, click.Command]]]]:
        shown = {name: command for name in self.list_commands(ctx) if (command := self.get_command(ctx, name))}
        shown = {name: command for name, command in shown.items() if not command.hidden}
        for heading, names in self.sections.items():
            yield heading, [(name, shown.pop(name)) for name in names if name in shown]
        if shown:
            yield "Commands", list(shown.items())
