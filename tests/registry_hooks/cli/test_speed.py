"""A rollback at night waits for one request, and not for imports."""

import subprocess
import sys
import time

import pytest
from support.releasing import govern
from support.serving import Server

HEAVY = ("mlflow", "pandas", "numpy", "pydantic", "sqlalchemy", "flask", "yaml", "mlflow_eval_plugin.evidence")


@pytest.mark.parametrize(
    ("arguments", "also_absent"),
    [
        (["--help"], ("requests",)),
        (["rollback", "{model}", "--reason", "x"], ()),
        (["server", "--help"], ("requests",)),
    ],
)
def test_a_command_imports_only_what_it_uses(
    governed: Server, arguments: list[str], also_absent: tuple[str, ...]
) -> None:
    model = govern(governed)
    given = [each.format(model=model) for each in arguments]
    program = (
        "import sys; from registry_hooks.cli import main\n"
        f"try: main({given!r})\nexcept SystemExit: pass\n"
        "print('IMPORTED', *sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        env=governed.env("oncall"),
        cwd=governed.directory,
        capture_output=True,
        text=True,
    )
    imported = set(done.stdout.split("IMPORTED")[1].split())
    assert imported.isdisjoint((*HEAVY, *also_absent))


def test_help_and_a_whole_rollback_are_quick(governed: Server) -> None:
    model = govern(governed)

    def seconds(*arguments: str) -> float:
        started = time.monotonic()
        governed.cli("oncall", *arguments)
        return time.monotonic() - started

    # The best of five: what the machine does besides is not what is measured.
    assert min(seconds("--help") for _ in range(5)) <= 0.3
    assert min(seconds("rollback", model, "--reason", "x") for _ in range(5)) <= 0.7
