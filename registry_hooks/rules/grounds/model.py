"""What makes a model no ground for a decision: roles changed past the server, a wrong clock, a newer nomination."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime

from registry_hooks.errors import Reason
from registry_hooks.records import ModelState, Pair
from registry_hooks.rules.stages import staged


def clock_went_back(now: datetime, clock: datetime | None) -> list[Reason]:
    """A reason where ``clock``, if given, is well before ``now``, the time of the model's newest entry."""
    if clock is None:
        return []
    fix = "set the server's clock; if it is the entry's time that is wrong, an admin applies the policy again"
    return [Reason("clock", f"a time after this model's newest entry, {now:%Y-%m-%d %H:%M:%S}Z",
                   f"the server's clock says {clock:%Y-%m-%d %H:%M:%S}Z", fix)]  # fmt: skip


def meddled(pair: Pair, aliases: Pair, stages: Mapping[str, object], misspelt: Iterable[str]) -> Reason:
    """The refusal to decide where aliases and stages are not what the ledger says.

    Args:
        pair: the roles that the ledger has.
        aliases: the roles that MLflow's aliases say.
        stages: the versions in each stage.
        misspelt: aliases that pass for a role in the database.
    """
    told = ", ".join(f"{stage} {held or 'none'}" for stage, held in stages.items())
    told += "".join(f", alias {alias!r}" for alias in misspelt)
    fix = "find out who did it; then an admin applies the policy again (--adopt alias|stage) to adopt what is there"
    return Reason("meddled", f"aliases and stages as the ledger has them ({pair})",
                  f"{aliases}, {told}: they were changed in the database, past the server", fix)  # fmt: skip


def otherwise(
    state: ModelState, replayed: ModelState, aliases: Pair, stages: Mapping[str, list[int]], misspelt: Iterable[str]
) -> list[str]:
    """Where a model's cached state, aliases and stages are not what its ledger entries say: ``replayed``."""
    model, pair = replayed.model, replayed.pair
    said = [f"{model}: its cached state is not what its ledger entries say"] if state != replayed else []
    said += [f"{model}: the alias {alias!r} passes for a role in this database, and the ledger knows none"
             for alias in misspelt]  # fmt: skip
    if aliases != pair:
        said.append(f"{model}: the ledger says {pair}, the aliases say {aliases}")
    for stage, held in staged(pair).items():
        if stages[stage] != held:
            is_there = held[0] if held else "nobody"
            said.append(f"{model}: the ledger says {stage} is {is_there}, the registry says {stages[stage]}")
    return said


def nominated_anew(version: int) -> Reason:
    """The refusal to decide on Evidence that was read before somebody nominated the version anew."""
    expected = f"version {version} as it was nominated when its Evidence was read"
    return Reason("nomination-changed", expected, "it was nominated anew meanwhile", "ask again")
