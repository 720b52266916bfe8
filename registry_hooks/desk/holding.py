"""What serves cannot be pulled away: who is asked before a run, a model or a file goes, or another takes its place.

Of a version in a role, and of every earlier champion to which a rollback may go, the run, the logged model and all
files stay; so do the runs and files of the Evidence of a version that ever served, deleted since or not. Whoever asks,
and whatever else MLflow would let them do.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from registry_hooks.desk.answers import tenures
from registry_hooks.desk.grounds.case import Cases, governing_policy, refuse_if
from registry_hooks.errors import Reason
from registry_hooks.identity import current_sight
from registry_hooks.rules.grounds.serving import rested_on, standing
from registry_hooks.storage.ledger import Ledger
from registry_hooks.storage.mlflow_rows import Registry
from registry_hooks.storage.resting import Rest


@dataclass(frozen=True)
class Holding:
    """Answers for what versions rest on."""

    cases: Cases

    def refuse_pulling_away(self, what: str, runs: Iterable[str] = (), places: Iterable[str] = ()) -> None:
        """Refuse to delete runs, and to write or remove at places, that such a version rests on."""
        with self.cases.unit_of_work(write=False) as session:
            ledger, registry = Ledger(session), Registry(session)
            rests = ledger.rests
            found = dict.fromkeys([*rests.on_runs(runs), *rests.touched_at(places)])
            told: dict[tuple[str, int], list[Reason]] = {}
            for rest in found:
                if held_as := _standing(ledger, registry, rest):
                    told.setdefault((rest.model, rest.version), []).append(_reason(rest, held_as))
        refuse_if(what, [reason for reasons in told.values() for reason in reasons])


def _standing(ledger: Ledger, registry: Registry, rest: Rest) -> str | None:
    """What a version is, for which that place must stay; None where nothing asks for it."""
    if governing_policy(ledger, registry, rest.model) is None:
        return None
    if held_as := standing(ledger.state(rest.model), rest.version):
        return held_as
    if rest.paths is not None and any(t["version"] == rest.version for t in tenures(ledger.entries(rest.model))):
        return "was champion"
    return None


def _reason(rest: Rest, held_as: str) -> Reason:
    evidence = rest.paths is not None
    return rested_on(rest.model, rest.version, rest.run, held_as, evidence=evidence, sight=current_sight())
