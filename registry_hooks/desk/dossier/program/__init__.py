"""``verify.py``, the program in every dossier: modules put together as one file that needs nothing of ours."""

from __future__ import annotations

import re
from functools import cache
from importlib.resources import files

_MODULES = ("forms", "checks", "telling")
_OURS = re.compile(r"^from (?:__future__|registry_hooks\S*) import (?:\([^)]*\)|.*)\n", re.MULTILINE)
_HEAD = '''#!/usr/bin/env python3
"""Verify the dossier of a model version: a zip file, or the folder that it was unpacked into.

    python verify.py [DOSSIER] [--key VKEY] [--root HEX]

It needs Python 3.10 or newer and the package `cryptography`, no network and no other software. Exit code 0: all that
can be checked holds. Exit code 4: something does not, and is named. A copy of this program that came with the dossier
proves as much as you trust whoever gave you both; the package mlflow-registry-hooks has the same file.
"""

from __future__ import annotations

'''


@cache
def program() -> bytes:
    """The text of ``verify.py``: the modules one after another, without what they import of each other."""
    texts = (files(__package__).joinpath(f"{name}.py").read_text() for name in _MODULES)
    return (_HEAD + "\n\n".join(_OURS.sub("", text) for text in texts)).encode()
