"""A rollback at night waits for one request, and not for imports."""

import resource
import subprocess
import sys
import time

import pytest
from support.probes.pace import patience
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

    def seconds(*arguments: str) -> tuple[float, float]:
        started, before = time.monotonic(), resource.getrusage(resource.RUSAGE_CHILDREN)
        governed.cli("oncall", *arguments)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        used = after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime
        return time.monotonic() - started, used

    # The best of five, also in seconds of a processor: what the machine does besides is not what is measured.
    for arguments, most in ((["--help"], 0.3), (["rollback", model, "--reason", "x"], 0.7)):
        took, used = (min(each) for each in zip(*(seconds(*arguments) for _ in range(5)), strict=True))
        assert took <= patience(most) and used <= most
