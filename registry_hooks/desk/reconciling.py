"""Everything that was decided held against the world as it is: roles, stages, files and Evidence of one model."""

from __future__ import annotations

from dataclasses import dataclass, replace

from registry_hooks.desk.answers import Answer
from registry_hooks.desk.emergency import Emergency, differences_now
from registry_hooks.desk.grounds.absence import held_in, missing
from registry_hooks.desk.grounds.bound import bound
from registry_hooks.desk.grounds.case import Case, Cases
from registry_hooks.desk.grounds.presence import LOOK
from registry_hooks.desk.log.auditing import disagreements
from registry_hooks.records import ROLES, Nomination
from registry_hooks.storage.mlflow_rows import VersionRow
from registry_hooks.storage.places import deleted_reasons


@dataclass(frozen=True)
class Reconciling:
    """Finds what was changed past the server."""

    cases: Cases
    emergency: Emergency

    def reconcile(self, model: str) -> Answer:
        """Hold a model's roles, stages, files and Evidence against the ledger; ``problems`` says what differs, by name.

        Reads every file of the versions in a role and of earlier champions, which takes as long as it takes. A check of
        files that a rollback did not wait for, and that nobody finished, is finished here.
        """
        with self.cases.case(model, write=False) as case:
            problems = disagreements(case.ledger, case.registry, model)
            held, trust = _held(case), case.facts.trust
            lists = {row.version: case.ledger.manifest(model, row.version, n.files_digest) for row, n in held}
            others = [each for each in held_in(case, _versions(case)) if each.row.version not in lists]
        for row, nomination in held:
            differences = differences_now(row, nomination.files_digest, lists[row.version])
            problems += [f"{model} version {row.version}: {difference}" for difference in differences]
            changed = bound(nomination, trust).reasons
            problems += [f"{model} version {row.version}: {reason.found}" for reason in changed]
            self.emergency.note_files(model, row.version, differences)
            problems += _deleted(row, nomination)
        for each in others:  # that were never nominated: of their files is known that there must be some
            problems += [f"{model} {line}" for line in missing([replace(each, deleted=())], LOOK)]
            problems += _deleted(each.row, None)
        return {"model": model, "ok": not problems, "versions": [row.version for row, _ in held], "problems": problems}


def _versions(case: Case) -> list[int]:
    roles = [version for role in ROLES if (version := getattr(case.state.pair, role))]
    return list(dict.fromkeys([*roles, *case.state.champions]))  # a rollback may go to any that was champion


def _held(case: Case) -> list[tuple[VersionRow, Nomination]]:
    nominations = case.state.nominations
    return [(case.registry.version(case.model, v), nominations[v]) for v in _versions(case) if v in nominations]


def _deleted(row: VersionRow, nomination: Nomination | None) -> list[str]:
    """What a version rests on and is deleted in MLflow: there still, until the next ``mlflow gc``."""
    runs = (item.run_id for item in (nomination.evidence if nomination else ()))
    return [f"{row.model} version {row.version}: {reason.found}" for reason in deleted_reasons(row, runs)]
