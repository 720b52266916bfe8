"""Why the files of a version stay: it serves, or a rollback may go back to it; told to each as they may READ."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from registry_hooks.records import ModelState, Pair
from registry_hooks.rules.grounds.serving import rested_on, standing

STATE = ModelState(model="churn", pair=Pair(champion=3, challenger=2, fallback=2), champions=(1, 2, 3))


@dataclass(frozen=True)
class Sees:
    """Sight of the models named."""

    models: tuple[str, ...] = ()

    def model(self, name: str) -> bool:
        return name in self.models

    def run(self, run_id: str) -> bool:
        return False

    def logged_model(self, model_id: str) -> bool:
        return False

    def everything(self) -> bool:
        return False


@pytest.mark.parametrize(
    ("version", "expected"),
    [
        (3, "is champion"),
        (2, "is challenger and fallback"),
        (1, "was champion, and a rollback may go back to it"),
        (4, None),
    ],
)
def test_what_a_version_is(version, expected):
    assert standing(STATE, version) == expected


def test_whose_version_it_is_is_told_to_those_who_may_read_the_model():
    told = rested_on("churn", 3, "r1", "is champion", evidence=False, sight=Sees(("churn",)))
    assert told.found == "the files of run r1 of version 3 of churn, which is champion"
    told = rested_on("churn", 3, "", "was champion", evidence=True, sight=Sees())
    assert told.found == "the Evidence of version 3 of a model that you may not read, which was champion"
    assert told.mend == "write beside it, under another name or into another run"
