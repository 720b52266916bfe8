"""The client door: the ``registry-hooks`` command.

Start-up imports click and the standard library only; ``requests``, the rules and MLflow are imported by the commands
that use them, because a rollback at night should not wait for pandas.
"""

from __future__ import annotations

from registry_hooks.cli.group import main

__all__ = ["main"]
