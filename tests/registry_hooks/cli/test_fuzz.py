"""Whatever is typed: no traceback, an exit code of the table, and JSON that parses. New commands are covered too."""

from __future__ import annotations

import json
from collections.abc import Iterator

import click
import pytest
from click.testing import CliRunner
from hypothesis import HealthCheck, given, seed, settings
from hypothesis import strategies as st
from support.serving import PASSWORDS, Server

from registry_hooks.cli import main

CODES = range(5)
NOWHERE = "http://127.0.0.1:9"  # the discard port, where nobody listens
RUNS_ON = {("server",)}  # does not return; its refusals have tests of their own


def commands(command: click.Command, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    """Every command below ``command`` that is no group."""
    if not isinstance(command, click.Group):
        yield path, command
        return
    for name in command.list_commands(click.Context(command)):
        found = command.get_command(click.Context(command), name)
        assert found is not None
        yield from commands(found, (*path, name))


COMMANDS = {" ".join(path): (path, command) for path, command in commands(main) if path not in RUNS_ON}
WORDS = st.one_of(
    st.sampled_from(["", "-", "--", "0", "-1", "1", "2147483648", "9" * 400, "latest", "champion", "NaN", "1e9", "٣",
                     "\x1b[2J", "\udcff", "<b>", "'; DROP TABLE x; --", "../..", "/", ".", "é" * 300, "sqlite://",
                     "http://[", "postgresql://u:pw@127.0.0.1:1/x", "a=b", "30d", "@file"]),
    st.text(max_size=20).filter(lambda text: "\x00" not in text),
    st.integers().map(str),
)  # fmt: skip


def arguments(command: click.Command) -> st.SearchStrategy[list[str]]:
    """Arguments and options of ``command``, more or less as it takes them."""
    options = sorted(name for each in command.params if isinstance(each, click.Option) for name in each.opts)
    flags = {name for each in command.params if isinstance(each, click.Option) and each.is_flag for name in each.opts}
    given_option = st.sampled_from(options or ["--help"]).flatmap(
        lambda name: st.just([name]) if name in flags else WORDS.map(lambda word: [name, word])
    )
    positional = sum(isinstance(each, click.Argument) for each in command.params)
    words = st.lists(WORDS, min_size=max(0, positional - 1), max_size=positional + 1)
    return st.builds(lambda head, tail: [*head, *(word for each in tail for word in each)], words,
                     st.lists(given_option, max_size=4))  # fmt: skip


def run(path: tuple[str, ...], typed: list[str], env: dict[str, str | None]) -> None:
    done = CliRunner().invoke(main, [*path, *typed], env=env)
    assert done.exception is None or isinstance(done.exception, SystemExit), (typed, done.exc_info)
    assert done.exit_code in CODES and "Traceback" not in done.output, (typed, done.output)
    if "--json" in typed and done.stdout.strip() and path != ("audit", "export") and "--help" not in typed:
        json.loads(done.stdout)


def drive(path: tuple[str, ...], command: click.Command, env: dict[str, str | None], times: int) -> None:
    @seed(5)
    @settings(max_examples=times, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    @given(typed=arguments(command))
    def typing(typed: list[str]) -> None:
        run(path, typed, env)

    typing()


@pytest.mark.parametrize("name", COMMANDS)
def test_no_typing_ends_in_a_traceback(name: str, tmp_path, monkeypatch) -> None:  # type: ignore[no-untyped-def]
    monkeypatch.chdir(tmp_path)
    path, command = COMMANDS[name]
    times = 3 if name == "doctor" else 12 if name == "db upgrade" else 40
    drive(path, command, {"HOME": str(tmp_path), "MLFLOW_TRACKING_URI": NOWHERE}, times)


def test_nor_does_it_against_a_server(governed: Server, tmp_path, monkeypatch) -> None:  # type: ignore[no-untyped-def]
    monkeypatch.chdir(tmp_path)
    login = {"MLFLOW_TRACKING_USERNAME": "guest", "MLFLOW_TRACKING_PASSWORD": PASSWORDS["guest"]}
    env = {"HOME": str(tmp_path), "MLFLOW_TRACKING_URI": governed.uri, **login}
    for name, (path, command) in COMMANDS.items():
        if name not in ("doctor", "db upgrade"):
            drive(path, command, env, 8)
