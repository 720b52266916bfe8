"""How a command ends when it is not done: an exit code, and what a person or a program is told."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from registry_hooks.cli.output import clean, heading, numbered_reasons

DONE, REFUSED, USAGE, NO_ANSWER, BROKEN_AUDIT = range(5)


def require_name(file: Path) -> None:
    """End with the usage code where no file was meant: an empty text is the folder that one stands in."""
    if not file.name:
        raise Failure("expected the name of a file, found none", USAGE)


class Failure(click.ClickException):
    """A command that is not done.

    Args:
        message: one sentence.
        exit_code: as the group's help says.
        answer: what the server said, for ``--json`` and for the numbered reasons.
    """

    def __init__(self, message: str, exit_code: int, answer: Mapping[str, Any] | None = None) -> None:
        super().__init__(message)
        self.exit_code = exit_code  # type: ignore[misc]  # click reads it from the instance
        self.answer = answer
        context = click.get_current_context(silent=True)  # gone by the time that click calls `show`
        self._as_json = context is not None and bool(context.params.get("as_json"))

    def show(self, file: Any = None) -> None:
        """Tell it: as JSON on standard output when ``--json`` was given, else in words on standard error."""
        if self._as_json:
            body = self.answer or {"error_code": "CLIENT", "message": self.message, "reasons": []}
            click.echo(json.dumps(body, indent=2, ensure_ascii=False))
            return
        word = "refused" if self.exit_code == REFUSED else "error"
        click.echo(f"{heading(word + ':', 'red')} {clean(self.message)}", err=True)
        for line in numbered_reasons((self.answer or {}).get("reasons") or []):
            click.echo(line, err=True)
