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
from registry_hooks.records import ROLES
from registry_hooks.storage.ledger import Ledger
from registry_hooks.storage.mlflow_rows import Registry
from registry_hooks.storage.resting import Rest

_MEND = {
    True: "write beside it, under another name or into another run",
    False: "leave it; what a rollback may go back to is let go when its version is deleted from the registry",
}


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
                if standing := _standing(ledger, registry, rest):
                    told.setdefault((rest.model, rest.version), []).append(_reason(rest, standing))
        refuse_if(what, [reason for reasons in told.values() for reason in reasons])


def _standing(ledger: Ledger, registry: Registry, rest: Rest) -> str | None:
    """What a version is, for which that place must stay; None where nothing asks for it."""
    if governing_policy(ledger, registry, rest.model) is None:
        return None
    state = ledger.state(rest.model)
    roles = [role for role in ROLES if getattr(state.pair, role) == rest.version]
    if roles:
        return f"is {' and '.join(roles)}"
    if rest.version in state.champions:
        return "was champion, and a rollback may go back to it"
    if rest.paths is not None and any(t["version"] == rest.version for t in tenures(ledger.entries(rest.model))):
        return "was champion"
    return None


def _reason(rest: Rest, standing: str) -> Reason:
    held = "files" if rest.paths is None else "Evidence"
    of_run = f" of run {rest.run}" if rest.run else ""
    # Who may write into the run need not be one who may READ the model that came out of it.
    model = rest.model if current_sight().model(rest.model) else "a model that you may not read"
    return Reason(
        "serves",
        "what no version rests on that serves, did, or may again",
        f"the {held}{of_run} of version {rest.version} of {model}, which {standing}",
        _MEND[rest.paths is not None],
    )
