"""A governed model within one unit of work: what every decision is made on, and the few checks that all share."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Any, Protocol

from registry_hooks.approvals import Facts
from registry_hooks.errors import Invalid, NotFound, Reason, Refused
from registry_hooks.identity import Actor, require_actor
from registry_hooks.ledger import AppliedPolicy, Ledger
from registry_hooks.mlflow_io import Registry, manifest
from registry_hooks.records import Action, Entry, ModelState, Nomination, Pair

LONGEST_TEXT = 4000


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
    """A governed model within one unit of work: all that a decision is made on."""

    actor: Actor
    ledger: Ledger
    registry: Registry
    state: ModelState
    applied: AppliedPolicy
    facts: Facts

    @property
    def model(self) -> str:
        """Name of the registered model."""
        return self.state.model

    def record(self, action: Action, version: int, body: dict[str, Any]) -> Entry:
        """Append an entry of this model, now, by this actor."""
        return self.ledger.append(action, self.actor, self.facts.now, model=self.model, version=version, body=body)

    def move(self, after: Pair) -> None:
        """Make MLflow's aliases and stages say ``after``."""
        self.registry.put_pair(self.model, after, int(self.facts.now.timestamp() * 1000))

    def meddling(self) -> list[Reason]:
        """A reason when MLflow's aliases or stages are not what the ledger says; nothing is decided on such ground."""
        if self.registry.agrees(self.model, self.state.pair):
            return []
        stages = ", ".join(f"{stage} {held or 'none'}" for stage, held in self.registry.stages(self.model).items())
        return [
            Reason(
                "meddled",
                f"aliases and stages as the ledger has them ({self.state.pair})",
                f"{self.registry.pair(self.model)}, {stages}: they were changed in the database, past the server",
                "find out who did; then an admin applies the policy again to adopt what is there",
            )
        ]


class BaseDesk:
    """What every part of the desk works with.

    Args:
        unit_of_work: opens a transaction on the registry's database.
        clock: gives the time in UTC.
    """

    def __init__(self, unit_of_work: UnitOfWork, clock: Callable[[], datetime] = utc_now) -> None:
        self._unit_of_work = unit_of_work
        self._clock = clock

    @contextmanager
    def _case(self, model: str, *, write: bool, files_digest: str | None = None) -> Iterator[Case]:
        actor = require_actor()
        with self._unit_of_work(write=write) as session:
            ledger, registry = Ledger(session), Registry(session)
            if write:
                registry.lock(model)
            applied = ledger.policy_for(model)
            if applied is None:
                raise NotFound(
                    f"{model!r} has no policy"
                    + ("" if registry.exists(model) else " and is not registered")
                    + ": to govern it an admin runs registry-hooks policy apply FILE"
                )
            facts = Facts(self._clock(), applied.policy, applied.digest, files_digest)
            yield Case(actor, ledger, registry, ledger.state(model), applied, facts)

    def _files_as_they_are(self, model: str, version: int) -> str:
        with self._case(model, write=False) as case:
            row = case.registry.version(model, version)
        return manifest(row).digest


def changed_files(nomination: Nomination | None, files: str | None) -> list[Reason]:
    """A reason when the version's files are not those that were nominated; none where they were not read."""
    if nomination is None or files is None or nomination.files_digest == files:
        return []
    return [
        Reason(
            "files",
            f"the files as nominated ({nomination.files_digest[:19]}…)",
            f"other files ({files[:19]}…)",
            "find out who changed the artifacts; register and nominate them as a new version",
        )
    ]


def refuse_if(headline: str, reasons: list[Reason]) -> None:
    """Raise ``Refused`` with every reason, each once, if there is any."""
    if reasons:
        raise Refused(headline, list(dict.fromkeys(reasons)))


def promote_role(case: Case) -> list[Reason]:
    """Why this actor may not request or make a promotion."""
    policy = case.applied.policy
    return policy.role_reasons(case.actor, policy.promote.by, f"promote a version of {case.model}")


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
