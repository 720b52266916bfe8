"""What every command that asks a server has: its options, its `Client`, and the end that a refusal makes of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from typing import Any

import click

from registry_hooks.cli.failures import NO_ANSWER, REFUSED, USAGE, Failure
from registry_hooks.client import Client
from registry_hooks.errors import Conflict, NoAnswer, Refused, RegistryError, Unauthenticated

_EXITS: tuple[tuple[type[RegistryError], int], ...] = (
    (Refused, REFUSED),
    (Conflict, REFUSED),  # no mistake in the request: the registry is in no state to allow it
    (Unauthenticated, NO_ANSWER),
    (NoAnswer, NO_ANSWER),
)


def talks_to_server(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command ``--tracking-uri``, ``--timeout`` and ``--json``, and a `Client` as its first argument."""

    @click.option("--tracking-uri", metavar="URI", help="The server's address; else MLFLOW_TRACKING_URI.")
    @click.option(
        "--timeout",
        type=click.FloatRange(min=0.1),
        default=60,
        show_default=True,
        help="Seconds to wait for an answer.",
    )
    @click.option("--json", "as_json", is_flag=True, help="Print the server's answer as JSON.")
    @wraps(command)
    def asking(*arguments: Any, tracking_uri: str | None, timeout: float, **options: Any) -> None:
        with told_as_failure():
            command(Client(tracking_uri, timeout=timeout), *arguments, **options)

    return asking


@contextmanager
def told_as_failure() -> Iterator[None]:
    """End the command with the code and the reasons of what the client raises."""
    try:
        yield
    except RegistryError as error:
        code = next((code for kind, code in _EXITS if isinstance(error, kind)), USAGE)
        raise Failure(error.headline, code, error.as_json()) from error
