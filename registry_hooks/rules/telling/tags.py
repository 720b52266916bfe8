"""What MLflow's own pages say of governed models: tags that follow from the ledger and are never read back.

They hold nothing that a person wrote, and nothing that time alone makes false.
"""

from __future__ import annotations

from datetime import datetime
from urllib.parse import urlencode

from mlflow_eval_plugin.verdicts import VERDICT_WORDS
from registry_hooks.records import ROLES, ModelState, NamedBaseline, Nomination, Proposal

PREFIX = "registry_hooks."
LONGEST = 1000
"""Characters of a value: MLflow's column takes 5,000, and a decision must not fail for its tags."""
Tags = dict[str, str]


def is_ours(key: str | None) -> bool:
    """Whether a tag's key is one of those that the desk alone writes, in whatever letters a database takes for them."""
    return (key or "").strip().casefold().startswith(PREFIX)


def changed_tags(before: ModelState, after: ModelState) -> dict[int | None, Tags]:
    """The tags of each version, and under None of the model, that are others than before; empty ones are taken away."""
    old, new = _all(before), _all(after)
    return {each: new.get(each, {}) for each in {**old, **new} if old.get(each, {}) != new.get(each, {})}


def all_tags(state: ModelState) -> dict[int | None, Tags]:
    """The tags of every version that has any, and under None of the model."""
    return _all(state)


def _all(state: ModelState) -> dict[int | None, Tags]:
    pair = state.pair
    held = {getattr(pair, role) for role in ROLES} - {None}
    asked = {each.version: each for each in state.proposals.values()}
    known = {*held, *state.champions, *state.condemned, *state.nominations, *state.baselines, *asked}
    page = f"/registry-hooks/model?{urlencode({'model': state.model})}"
    found: dict[int | None, Tags] = {
        version: _named(
            status=_status(state, version),
            evidence=_evidence(state.nominations.get(version)),
            proposal=_proposal(asked.get(version)),
            baseline=_baseline(state.baselines.get(version)),
            page=page,
        )
        for version in known
    }
    if not known and not state.reviews:
        return found
    roles = ", ".join(f"{role} {getattr(pair, role)}" for role in ROLES if getattr(pair, role))
    found[None] = _named(
        status=roles or "no version is in a role",
        proposal="; ".join(_proposal(each) for each in state.proposals.values()),
        reviews="; ".join(f"{each.id} of version {each.version}, due {_when(each.due_at)}" for each in state.reviews),
        page=page,
    )
    return found


def _named(**values: str) -> Tags:
    return {PREFIX + name: _cut(name, value) for name, value in values.items() if value}


def _cut(name: str, value: str) -> str:
    # Half of an address leads nowhere; one is no longer than a model's name can make it.
    return value if len(value) <= LONGEST or name == "page" else f"{value[: LONGEST - 1]}…"


def _status(state: ModelState, version: int) -> str:
    roles = " and ".join(role for role in ROLES if getattr(state.pair, role) == version)
    is_now = roles or ("served before" if version in state.champions else "in no role")
    left = state.condemned.get(version)
    return f"{is_now}; rolled back from {_when(left)}" if left else is_now


def _evidence(nomination: Nomination | None) -> str:
    if nomination is None:
        return ""
    told = [f"{each.kind} {VERDICT_WORDS.get(each.verdict, each.verdict)}" for each in nomination.evidence]
    return f"{', '.join(told) or 'none'}; nominated {_when(nomination.at)}"


def _proposal(proposal: Proposal | None) -> str:
    if proposal is None:
        return ""
    if proposal.rejected_by is not None:
        return f"{proposal.id}, rejected"
    return f"{proposal.id}, asked {_when(proposal.created_at)}, ends {_when(proposal.expires_at)} at the latest"


def _baseline(named: NamedBaseline | None) -> str:
    return f"{named.digest}; named {_when(named.at)}" if named else ""


def _when(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M} UTC"
