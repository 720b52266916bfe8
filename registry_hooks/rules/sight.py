"""What of the registry's own records a caller is shown: nothing of runs that MLflow would not let them READ.

That a version was nominated on Evidence of some kind, with some verdict and digest, is the registry's to tell to
everybody who may READ the model. In which run it is, and what it says, is the run's.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from registry_hooks.errors import Reason
from registry_hooks.identity import Sight
from registry_hooks.records import Condemned, EvidenceRef, NamedBaseline, Nomination, Proposal, Resemblance

WITHHELD = "withheld"
"""Stands where an answer does not name what the caller may not READ."""


def shown_evidence(evidence: tuple[EvidenceRef, ...], sight: Sight) -> tuple[EvidenceRef, ...]:
    """Evidence as the caller may see it: without the id and failed Checks of a run that they may not READ."""
    hidden = {"run_id": WITHHELD, "path": WITHHELD, "failed": ()}
    return tuple(item if sight.run(item.run_id) else item.model_copy(update=hidden) for item in evidence)


def shown_proposal(proposal: Proposal, sight: Sight) -> Proposal:
    """A Proposal as the caller may see it; its digest stays that of the whole."""
    likes = _shown_likes(proposal.condemned_by, proposal.resembles, sight)
    return proposal.model_copy(update={"evidence": shown_evidence(proposal.evidence, sight), **likes})


def shown_nomination(nomination: Nomination, sight: Sight) -> Nomination:
    """A nomination as the caller may see it."""
    pages = tuple(page for page in nomination.pages if sight.run(page.run_id))
    likes = _shown_likes(nomination.condemned_by, nomination.resembles, sight)
    update = {"evidence": shown_evidence(nomination.evidence, sight), "pages": pages, **likes}
    return nomination.model_copy(update=update)


def shown_baseline(named: NamedBaseline, sight: Sight) -> NamedBaseline:
    """A version's baseline as the caller may see it."""
    return named if sight.run(named.run_id) else named.model_copy(update={"run_id": WITHHELD, "path": WITHHELD})


def shown_without_run(reason: Reason) -> Reason:
    """A reason as told to somebody who may not READ the run that it is about: it names neither run nor file."""
    return replace(reason, found="something else, in a run that you may not read")


def shown_condemned(by: Condemned, sight: Sight) -> Condemned:
    """A condemned version, without the name of a model that the caller may not READ."""
    return by if sight.model(by.model) else by.model_copy(update={"model": WITHHELD})


def _shown_likes(by: Condemned | None, resembles: tuple[Resemblance, ...], sight: Sight) -> dict[str, Any]:
    hidden = {"model": WITHHELD, "near": ()}
    likes = tuple(each if sight.model(each.model) else each.model_copy(update=hidden) for each in resembles)
    return {"condemned_by": shown_condemned(by, sight) if by else None, "resembles": likes}


def shown_lineage(lineage: dict[str, Any] | None, sight: Sight) -> dict[str, Any] | None:
    """Where a version comes from, as its run said: data, metrics and people are the run's."""
    run_id = (lineage or {}).get("run_id")
    return lineage if run_id is None or sight.run(run_id) else {"run_id": WITHHELD}
