"""The page of a model, and the list of all: who serves, who served when and why, versions, reviews."""

from __future__ import annotations

from registry_hooks.app.api.asking import ask
from registry_hooks.app.pages.table import Fields, Shown

MOST = 200  # models in the list; a name, or a part of one, finds the others
_FIND = "find"


def show(fields: Fields) -> Shown:
    """A model; without its name, all models that the reader may READ, or those whose name has what was asked for."""
    if "model" in fields:
        return Shown("model.html.j2", {"held": ask("model", fields)})
    wanted = fields.get(_FIND, "")
    every = ask("status", {name: value for name, value in fields.items() if name != _FIND})["models"]
    found = [each for each in every if wanted.casefold() in each["model"].casefold()]
    more = len(found) - MOST
    return Shown("models.html.j2", {"models": found[:MOST], "more": max(more, 0), "find": wanted, "all": len(every)})
