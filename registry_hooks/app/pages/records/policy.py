"""The page of a policy: in words, as it is written, every version of it, and what two versions say differently."""

from __future__ import annotations

from difflib import unified_diff
from typing import Any

from registry_hooks.app.api.asking import ask
from registry_hooks.app.pages.table import Fields, Shown
from registry_hooks.errors import Invalid, NotFound, Reason
from registry_hooks.rules.policy_file import load_policy
from registry_hooks.rules.wording import policy_in_words

_VERSIONS = ("from", "to")


def show(fields: Fields) -> Shown:
    """A policy by its name; without a name, those in force."""
    asked = {name: value for name, value in fields.items() if name not in _VERSIONS}
    if "name" not in asked:
        return Shown("policies.html.j2", {"policies": ask("policy_show", asked)["policies"]})
    every = ask("policy_history", asked)["versions"]
    newest = every[0]
    old, new = (_chosen(every, fields.get(name)) for name in _VERSIONS)
    words = policy_in_words(load_policy(newest["yaml"]))
    diff = _difference(old, new or newest) if old else None
    return Shown("policy.html.j2", {"held": newest, "every": every, "words": words, "diff": diff, "old": old,
                                    "new": new or newest})  # fmt: skip


def _chosen(every: list[dict[str, Any]], version: str | None) -> dict[str, Any] | None:
    if version is None:
        return None
    if not version.isdecimal() or len(version) > 10:
        raise Invalid("which version is not understood", [Reason("version", "a number", version[:40], "choose one")])
    found = next((each for each in every if each["version"] == int(version)), None)
    if found is None:
        raise NotFound(f"there is no version {version} of policy {every[0]['name']!r} that you may read")
    return found


def _difference(old: dict[str, Any], new: dict[str, Any]) -> list[tuple[str, str]]:
    """The lines that differ, each with what happened to it: ``+``, ``-`` or nothing."""
    lines = unified_diff(old["yaml"].splitlines(), new["yaml"].splitlines(), n=3, lineterm="")
    kept = [line for line in list(lines)[2:] if not line.startswith("@@")]
    return [(line[:1].strip(), line[1:]) for line in kept]
