"""Visits to pages in a browser that is a process of its own."""

from __future__ import annotations

import functools
import json
import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

BROWSER = Path(__file__).with_name("browser.py")
FLAGS = "--disable-gpu --no-first-run --disable-background-networking"
DARK = f"{FLAGS} --blink-settings=preferredColorScheme=0"


def start(*arguments: object, flags: str = FLAGS) -> subprocess.CompletedProcess[str]:
    """Run the browser once."""
    return subprocess.run(
        [sys.executable, str(BROWSER), *map(str, arguments)],
        env={**os.environ, "QTWEBENGINE_CHROMIUM_FLAGS": flags}, capture_output=True, text=True, timeout=120,
    )  # fmt: skip


@functools.cache
def _missing() -> str:
    started = start()
    if not started.returncode:
        return ""
    return (started.stderr.strip().splitlines() or [f"exit code {started.returncode}"])[-1]


def require_browser() -> None:
    """Skip where no browser starts."""
    if reason := _missing():
        pytest.skip(f"no browser to look at pages with (PySide6-Addons, of the extra 'test'): {reason}")


def visit(
    page: Path | str, *steps: str, width: int = 1280, height: int = 1600, flags: str = FLAGS, picture: Path,
    login: str = "", scripts: bool = True,
) -> tuple[list[Any], list[str], Image.Image]:  # fmt: skip
    """What the steps gave, what came to the console, and a picture of the window."""
    options = ["--login", login] if login else []
    options += [] if scripts else ["--without-scripts"]
    done = start(*options, page, width, height, picture, "--", *steps, flags=flags)
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    return said["results"], said["console"], Image.open(picture).convert("L")


def axe() -> str:
    """The step that holds the page against axe-core, which gives what is wrong with it."""
    spec = find_spec("axe_playwright_python")
    if spec is None or not spec.submodule_search_locations:
        pytest.skip("no axe-core to hold pages against (axe-playwright-python, of the extra 'test')")
    return f"axe:{Path(spec.submodule_search_locations[0]) / 'axe.min.js'}"
