"""What cannot wait: roll back, promote past the rules by break-glass, and the reviews that both leave behind."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future
from concurrent.futures import TimeoutError as StillRunning
from dataclasses import dataclass
from datetime import timedelta
from typing import Literal

from registry_hooks.desk.answers import Answer, moved_json, reasons_json
from registry_hooks.desk.grounds.case import (
    Case,
    Cases,
    changed_evidence,
    changed_files,
    check_text,
    reading_again,
    refuse_if,
)
from registry_hooks.desk.grounds.presence import beside, presence_reasons
from registry_hooks.desk.transitions import promote_reasons
from registry_hooks.errors import Reason, Refused, RegistryError
from registry_hooks.identity import SYSTEM, acting_as
from registry_hooks.records import Nomination, Review
from registry_hooks.rules import pair
from registry_hooks.rules.approval.emergency import (
    closer_lacks_role,
    closer_put_there,
    lacks_break_glass,
    no_need_to_break,
    past_the_rules,
)
from registry_hooks.rules.approval.people import lacks_role
from registry_hooks.rules.files import Files, changed_on_the_way_back, differing_files
from registry_hooks.storage.mlflow_io import manifest
from registry_hooks.storage.mlflow_rows import VersionRow
from registry_hooks.storage.places import rests_of
from registry_hooks.storage.retry import again_if_undone

Verify = Literal["parallel", "now", "later"]
Checked = tuple[int, Nomination | None]
Looked = tuple[int, Nomination | None, list[Reason]]
FilesSaid = Literal["match", "pending", "unknown"]
PATIENCE = 0.1  # seconds that a rollback waits for the check of files that runs beside it


@dataclass(frozen=True)
class Emergency:
    """What changes roles at once, on one person's word, and is looked at afterwards."""

    cases: Cases

    @again_if_undone
    def rollback(
        self,
        model: str,
        reason: str,
        to: int | None = None,
        expected: int | None = None,
        verify: Verify = "parallel",
        via: str = "registry-hooks",
    ) -> Answer:
        """Make the fallback (or ``to``, any earlier champion) champion again; opens a review of it.

        ``expected`` is the champion that the caller sees; where another one serves by now, nothing happens.

        The files of the version are held against its nomination, and a rollback to changed files is refused. ``now``
        waits for that; ``parallel`` reads them beside its own work and waits for no more than ``PATIENCE``, after
        which the check goes on alone, and the ledger and ``status`` say what it found; ``later`` never waits.
        Whatever is asked for, the files must be there: they are looked for first, and a store that does not answer
        within ``LOOK`` is a refusal, since nobody could load the version from it either.
        """
        check_text("reason", reason, required=True)
        looked = self._looked_for_first(model, to)
        checked = self._files_checked_first(model, to, looked) if verify == "now" else None
        with self.cases.case(model, write=True) as case:
            refuse_if(f"{model} cannot be rolled back", rollback_reasons(case, to, expected))
            before = case.state.pair
            target = pair.rollback_target(case.state, to)
            assert target is not None and before.champion is not None  # may_roll_back has seen to it
            row = case.registry.version(model, target)
            _refuse_missing(case, target, looked)
            check = self._begin_check(case, row) if checked is None else None
            after = pair.pair_after_rollback(case.state, target, case.facts.now)
            case.move(after)
            files: FilesSaid = _outcome(case, row, check, verify) if checked is None else _now(case, target, checked)
            review = _review(case, "rollback", before.champion, reason, case.applied.policy.rollback.review_due)
            body = {"review": review.as_json(), "before": before.as_json(), "after": after.as_json(), "via": via}
            entry = case.record("rolled-back", target, {**body, "files": files})
        if check is not None and files == "pending":
            check.add_done_callback(lambda done: self._note_check(model, target, done))
        moved = moved_json(model, before, after, entry)
        return {**moved, "version": target, "review": review.as_json(), "files": files}

    @again_if_undone
    @reading_again
    def break_glass(self, model: str, version: int, reason: str) -> Answer:
        """Make ``version`` champion past Evidence and approvals, by the role that the policy names for emergencies.

        What an ordinary promotion would have met is written down. Only what no emergency mends stays in the way: a
        registry that was meddled with, and files that are not those that were nominated, or not there.
        """
        check_text("reason", reason, required=True)
        self._refuse_absent(model, version)
        with self.cases.case(model, write=True, **self.cases.as_it_is(model, version)) as case:
            files = case.files
            if files is None:  # the store did not answer; nobody could load the version from it either
                raise Refused(f"version {version} of {model} cannot become champion by break-glass",
                              changed_evidence(case, version))  # fmt: skip
            row = case.registry.version(model, version)  # it may have been deleted while its files were read
            overridden = past_the_rules(promote_reasons(case, version))
            reasons = [*lacks_break_glass(case.actor, model, case.facts), *case.meddling(),
                       *pair.may_break_glass(case.state, version), *changed_files(case, version)]  # fmt: skip
            reasons = reasons or no_need_to_break(model, version, overridden)
            refuse_if(f"version {version} of {model} cannot become champion by break-glass", reasons)
            power = case.applied.policy.break_glass
            assert power is not None  # lacks_break_glass has seen to it
            nomination = case.state.nominations.get(version) or Nomination(
                version=version, evidence=(), files_digest=files.digest, actor=case.actor.name, at=case.facts.now,
                comment=reason, content=files.content,
            )  # fmt: skip
            before, after = case.state.pair, pair.pair_after_promotion(case.state, version)
            case.move(after)
            case.ledger.save_manifest(model, version, files.digest, files.files)
            case.ledger.rests.note(rests_of(row))
            review = _review(case, "break-glass", version, reason, power.review_due)
            body = {"review": review.as_json(), "before": before.as_json(), "after": after.as_json(),
                    "nomination": nomination.as_json(), "overridden": reasons_json(overridden)}  # fmt: skip
            entry = case.record("broke-glass", version, body)
        said = {"version": version, "review": review.as_json(), "overridden": body["overridden"]}
        return {**moved_json(model, before, after, entry), **said}

    @again_if_undone
    def review_close(self, model: str, review: str, finding: str) -> Answer:
        """Close a review with what was found; by a holder of the policy's role who did not open it."""
        check_text("finding", finding, required=True)
        with self.cases.case(model, write=True) as case:
            opener = next((each.opened_by for each in case.state.reviews if each.id == review), None)
            reasons = [
                *closer_lacks_role(case.actor, model, opener, case.facts),
                *pair.may_close(case.state, review, case.actor.name),
                *closer_put_there(case.actor, review, opener, case.facts),
            ]
            refuse_if(f"review {review[:80]} cannot be closed", reasons)
            closed = next(each for each in case.state.reviews if each.id == review)
            entry = case.record("review-closed", closed.version, {"review": review, "finding": finding})
        return {"model": model, "review": closed.as_json(), "finding": finding, "entry": entry.seq}

    def _looked_for_first(self, model: str, to: int | None) -> Looked | None:
        """Whether the files of the version to go back to are there; None where there is no such version.

        Before the unit of work, which keeps others waiting.
        """
        with self.cases.case(model, write=False) as case:
            target = pair.rollback_target(case.state, to)
            if target is None or pair.may_roll_back(case.state, to):
                return None
            asked = _presence_of(case, target)
        return asked()

    def _refuse_absent(self, model: str, version: int) -> None:
        """Refuse a break-glass to files that are not there, or whose store does not answer in time."""
        with self.cases.case(model, write=False) as case:
            role = lacks_break_glass(case.actor, model, case.facts)
            looks = _presence_of(case, version)
        _, _, absent = looks()
        if absent:
            refuse_if(f"version {version} of {model} cannot become champion by break-glass", [*role, *absent])

    def _files_checked_first(self, model: str, to: int | None, looked: Looked | None) -> Checked:
        """The version to go back to, and its nomination. Its files were all read, and are as they were nominated."""
        with self.cases.case(model, write=False) as case:
            reasons = rollback_reasons(case, to, case.state.pair.champion) or (looked[2] if looked else [])
            refuse_if(f"{model} cannot be rolled back", reasons)
            target = pair.rollback_target(case.state, to)
            assert target is not None  # may_roll_back has seen to it
            row, nomination = case.registry.version(model, target), case.state.nominations.get(target)
        if nomination is not None:
            with self.cases.case(model, write=False, files=manifest(row)) as case:
                refuse_if(f"{model} cannot be rolled back", changed_files(case, target))
        return target, nomination

    def _begin_check(self, case: Case, row: VersionRow) -> Future[tuple[str, ...]] | None:
        nomination = case.state.nominations.get(row.version)
        if nomination is None:
            return None
        digest = nomination.files_digest
        nominated = case.ledger.manifest(case.model, row.version, digest)
        return beside(lambda: differences_now(row, digest, nominated))

    def _note_check(self, model: str, version: int, done: Future[tuple[str, ...]]) -> None:
        """Write down what a check found that a rollback did not wait for."""
        with acting_as(SYSTEM):
            self.note_files(model, version, done.result())

    @again_if_undone
    def note_files(self, model: str, version: int, differences: tuple[str, ...]) -> None:
        """Write down what a check of the champion's files found, if it is still awaited."""
        with self.cases.case(model, write=True) as case:
            awaited = case.state.file_check
            if awaited is not None and awaited.version == version and awaited.differences is None:
                case.record("files-checked", version, {"differences": list(differences)})


def _refuse_missing(case: Case, target: int, looked: Looked | None) -> None:
    if looked is None or looked[:2] != (target, case.state.nominations.get(target)):  # roles have moved since
        looked = _presence_of(case, target)()
    refuse_if(f"{case.model} cannot be rolled back", looked[2])


def _presence_of(case: Case, version: int) -> Callable[[], Looked]:
    """Looks for the files of a version; what must be known for that is read now."""
    nomination, row = case.state.nominations.get(version), case.registry.version(case.model, version)
    nominated = case.ledger.manifest(case.model, version, nomination.files_digest) if nomination else None
    others = _other_champions(case, version)
    return lambda: (version, nomination, presence_reasons(row, nominated, others))


def _other_champions(case: Case, version: int) -> list[int]:
    """Earlier champions but this one, newest first."""
    return [v for v in dict.fromkeys(reversed(case.state.champions)) if v not in (version, case.state.pair.champion)]


def differences_now(row: VersionRow, digest: str, nominated: Files | None) -> tuple[str, ...]:
    """Names of the files that differ from those nominated under ``digest``; or why they cannot be read."""
    try:
        found = manifest(row)
    except RegistryError as error:
        return (error.headline,)
    except OSError as error:
        return (f"its files cannot be read: {error}",)
    return () if found.digest == digest else differing_files(nominated, found.files)


def _outcome(case: Case, row: VersionRow, check: Future[tuple[str, ...]] | None, verify: Verify) -> FilesSaid:
    if check is None:
        return "unknown"
    if verify == "later":
        return "pending"
    try:
        differences = check.result(PATIENCE)
    except StillRunning:
        return "pending"
    if differences:
        others = _other_champions(case, row.version)
        refuse_if(
            f"{case.model} cannot be rolled back",
            [changed_on_the_way_back(case.model, row.version, differences, others)],
        )
    return "match"


def _now(case: Case, target: int, checked: Checked) -> FilesSaid:
    version, nomination = checked
    refuse_if(f"{case.model} cannot be rolled back", pair.read_otherwise(case.state, target, version, nomination))
    return "unknown" if nomination is None else "match"


def rollback_reasons(case: Case, to: int | None, expected: int | None) -> list[Reason]:
    """Why this actor may not roll back now, to ``to`` or to the fallback; empty when they may."""
    return [
        *lacks_role(case.actor, case.applied.policy.rollback.by, f"roll {case.model} back", case.facts),
        *case.meddling(),
        *pair.may_roll_back(case.state, to),
        *pair.meant_twice(case.state, case.facts.now, expected, to),
    ]


def _review(case: Case, kind: Literal["rollback", "break-glass"], version: int, reason: str, due: timedelta) -> Review:
    return Review(
        id=f"R-{case.ledger.next_seq}",
        version=version,
        opened_by=case.actor.name,
        opened_at=case.facts.now,
        due_at=case.facts.now + due,
        reason=reason,
        kind=kind,
    )
