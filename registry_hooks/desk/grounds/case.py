"""A governed model within one unit of work: what every decision is made on, and the few checks that all share."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass, replace
from datetime import datetime, timedelta, timezone
from functools import cache, wraps
from typing import Any, ParamSpec, Protocol, TypeVar

from registry_hooks.desk.grounds.bound import Bound, bound
from registry_hooks.desk.grounds.presence import absent
from registry_hooks.errors import Invalid, NotFound, Reason, Refused
from registry_hooks.identity import Actor, Directory, current_directory, current_sight, require_actor
from registry_hooks.records import Action, Entry, ModelState, Pair
from registry_hooks.rules.approval.people import Facts, is_no_admin
from registry_hooks.rules.files import differing_files, files_reason
from registry_hooks.rules.grounds.model import clock_went_back, meddled, nominated_anew
from registry_hooks.rules.policy import governing
from registry_hooks.rules.telling.tags import changed_tags
from registry_hooks.storage.ledger import AppliedPolicy, Ledger
from registry_hooks.storage.mlflow_io import Manifest, manifest
from registry_hooks.storage.mlflow_rows import Registry, VersionRow

P = ParamSpec("P")
R = TypeVar("R")
LONGEST_TEXT = 4000
READINGS = 5
CLOCK_TOLERANCE = timedelta(minutes=5)  # by which the clocks of several servers may differ


class UnitOfWork(Protocol):
    """Opens the one transaction in which registry rows and ledger entry change together."""

    def __call__(self, *, write: bool) -> AbstractContextManager[Any]:
        """A session that commits when the block ends and leaves no trace when it raises."""


def utc_now() -> datetime:
    """The time, to the millisecond; the only clock of this package."""
    now = datetime.now(timezone.utc)
    return now.replace(microsecond=now.microsecond // 1000 * 1000)


@dataclass(frozen=True)
class Case:
    """A governed model within one unit of work: all that a decision is made on.

    Args:
        actor: who asks.
        ledger: the ledger in this unit of work, ``registry`` MLflow's rows.
        state: the model's state as the ledger has it, under the lock of the model's row where the unit writes.
        applied: the policy that governs it.
        facts: policy, time, people and keys. Its time is never before the model's newest entry.
        files: the version's files as they are, where they were read.
        bound: what its nomination is bound to in its runs, as it is, where that was read.
        clock: what the clock says, where that is well before the model's newest entry; else None.
    """

    actor: Actor
    ledger: Ledger
    registry: Registry
    state: ModelState
    applied: AppliedPolicy
    facts: Facts
    files: Manifest | None = None
    bound: Bound | None = None
    clock: datetime | None = None

    @property
    def model(self) -> str:
        """Name of the registered model."""
        return self.state.model

    def record(self, action: Action, version: int | None, body: dict[str, Any]) -> Entry:
        """Append an entry of this model, now, by this actor, and have its tags in MLflow say what is so then.

        Last of all, because it locks the ledger's head.
        """
        ledger, at, state = self.ledger, self.facts.now, self.state
        entry = ledger.append(action, self.actor, at, model=self.model, version=version, body=body, onto=state)
        if changed := changed_tags(state, ledger.state(self.model)):
            self.registry.put_tags(self.model, changed)
        return entry

    def move(self, after: Pair) -> None:
        """Make MLflow's aliases and stages say ``after``."""
        self.registry.put_pair(self.model, after, int(self.facts.now.timestamp() * 1000))

    def unsettled(self) -> list[Reason]:
        """Reasons against any decision about this model: roles changed past the server, or the clock is wrong."""
        return [*self.meddling(), *clock_went_back(self.facts.now, self.clock)]

    def meddling(self) -> list[Reason]:
        """A reason when MLflow's aliases or stages are not what the ledger says; nothing is decided on such ground."""
        if self.registry.agrees(self.model, self.state.pair):
            return []
        registry, model = self.registry, self.model
        return [meddled(self.state.pair, registry.pair(model), registry.stages(model), registry.misspelt(model))]


class Cases:
    """What every part of the desk works with: it opens units of work, and the case of a model in one.

    Args:
        unit_of_work: opens a transaction on the registry's database.
        clock: gives the time in UTC.
    """

    def __init__(self, unit_of_work: UnitOfWork, clock: Callable[[], datetime] = utc_now) -> None:
        self.unit_of_work = unit_of_work
        self.clock = clock

    @contextmanager
    def case(
        self, model: str, *, write: bool, files: Manifest | None = None, bound: Bound | None = None
    ) -> Iterator[Case]:
        """The case of a governed model in a unit of work of its own; with ``write`` under the lock of its row.

        Raises:
            NotFound: when no policy governs the model.
        """
        actor = require_actor()
        with self.unit_of_work(write=write) as session:
            ledger, registry = Ledger(session), Registry(session)
            if write:
                registry.lock(model)
            applied = governing_policy(ledger, registry, model)
            if applied is None:
                raise NotFound(
                    f"{model!r} has no policy"
                    + ("" if registry.exists(model) else " and is not registered")
                    + ": to govern it an admin runs registry-hooks policy apply FILE"
                )
            state, trust, accounts = ledger.state_and_people(model)
            facts = Facts(
                self.clock(),
                applied.policy,
                applied.digest,
                files.digest if files else None,
                trust,
                remembering(current_directory()),
                current_sight(),
                accounts,
                applied.applied_by,
            )
            yield case_at(Case(actor, ledger, registry, state, applied, facts, files, bound))

    def as_it_is(self, model: str, version: int) -> dict[str, Any]:
        """A version's files, and what its nomination is bound to, as they are: read before the unit of work.

        A store that does not answer for the Evidence within seconds is not asked for gigabytes: no files then.
        """
        with self.case(model, write=False) as case:
            row = case.registry.version(model, version)
            nomination, trust = case.state.nominations.get(version), case.facts.trust
        held = bound(nomination, trust)
        if held.silent:
            return {"files": None, "bound": held}
        return {"files": manifest(row) if nomination else files_of(row), "bound": held}


def files_of(row: VersionRow) -> Manifest:
    """A version's files as they are, from a store that says within seconds whether there are any.

    Raises:
        RegistryError: when they cannot be read, or the store does not answer.
    """
    absent(row, None)
    return manifest(row)


def case_at(case: Case) -> Case:
    """The case at the later of two times: the clock's, and that of the model's newest entry."""
    clock, last = case.facts.now, case.state.last_at
    if last is None or last <= clock:
        return case
    return replace(case, facts=replace(case.facts, now=last), clock=clock if last - clock > CLOCK_TOLERANCE else None)


def governing_policy(ledger: Ledger, registry: Registry, model: str) -> AppliedPolicy | None:
    """The policy that governs a model. A pattern governs no prompts, which MLflow keeps in the same tables."""
    applied = ledger.policy_for(model)
    if applied is None or model in applied.policy.models or not registry.is_prompt(model):
        return applied
    return None


def governed_models(ledger: Ledger, registry: Registry) -> dict[str, AppliedPolicy]:
    """The policy of each model that one names, and of each there that one's pattern matches; by name."""
    policies = [(applied.policy, applied) for applied in ledger.policies()]
    named = {name for policy, _ in policies for name in policy.names}
    there = registry.models() if any(policy.patterns for policy, _ in policies) else ()
    found = ((name, governing(name, policies)) for name in sorted({*named, *there}))
    return {name: applied for name, applied in found if applied is not None}


def remembering(directory: Directory | None) -> Directory | None:
    """The directory, asked once for each person."""
    return None if directory is None else cache(directory)


def changed_files(case: Case, version: int) -> list[Reason]:
    """A reason with the names of files that are not as they were nominated; none where files were not read."""
    nomination = case.state.nominations.get(version)
    if nomination is None or case.files is None or nomination.files_digest == case.files.digest:
        return []
    differences = differing_files(case.ledger.manifest(case.model, version, nomination.files_digest), case.files.files)
    return [files_reason(case.model, version, differences)]


def changed_evidence(case: Case, version: int) -> list[Reason]:
    """A reason for each document, signature and report page that is not as it was nominated; none where not read."""
    nomination = case.state.nominations.get(version)
    if case.bound is None or nomination is None:
        return []
    if case.bound.nomination != nomination:
        raise NominatedAnew("what was read is no longer what was nominated", [nominated_anew(version)])
    return list(case.bound.reasons)


class NominatedAnew(Refused):
    """Somebody nominated the version anew between the reading of its Evidence and the unit of work."""


def reading_again(act: Callable[P, R]) -> Callable[P, R]:
    """Retry ``act`` a few times where the version was nominated anew after it was read and before it was locked."""

    @wraps(act)
    def acting(*arguments: P.args, **named: P.kwargs) -> R:
        for _ in range(READINGS - 1):
            with suppress(NominatedAnew):
                return act(*arguments, **named)
        return act(*arguments, **named)

    return acting


def refuse_if(headline: str, reasons: list[Reason]) -> None:
    """Raise ``Refused`` with every reason, each once, if there is any."""
    if reasons:
        raise Refused(headline, list(dict.fromkeys(reasons)))


def require_admin(what: str) -> Actor:
    """The Actor, who must be an administrator for ``what`` (a clause: "keys are trusted")."""
    actor = require_actor()
    refuse_if(f"{what} by an administrator alone", is_no_admin(actor))
    return actor


def check_text(name: str, value: str, required: bool = False) -> None:
    """Raise ``Invalid`` for a text that is too long, empty though required, or not Unicode."""
    if required and not value.strip():
        raise Invalid(f"{name}: expected a sentence for the audit log, found nothing; give --{name} TEXT")
    if len(value) > LONGEST_TEXT:
        raise Invalid(f"{name}: expected at most {LONGEST_TEXT} characters, found {len(value)}")
    try:
        value.encode()
    except UnicodeEncodeError as error:
        raise Invalid(f"{name}: not valid Unicode text ({error.reason} at {error.start})") from error
