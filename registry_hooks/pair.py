"""The champion-challenger pair of one registered model, as a state machine.

- ``champion`` serves. ``challenger`` is the validated other half. ``fallback`` is the prior champion that
  ``rollback`` returns to. A version that is not in the registry is in no role.
- *nominate(v)* makes v the challenger. A champion cannot be its own challenger. A condemned version comes back only
  with Evidence that is newer than the rollback that condemned it; it stays condemned until it is promoted again.
- *promote(v)* needs v to be the challenger. v becomes champion; the old champion becomes fallback and challenger, so
  the pair stays whole.
- *rollback(to)* returns to the fallback, or to any version that was champion before. The version left is condemned.
  Fallback and challenger move to the newest earlier champion that is not condemned, or to nobody.

Invariants after every transition (I1, I2 of the design):
I1 champion differs from challenger and from fallback. I2 where an earlier champion is not condemned, a fallback exists.

Every function takes a state and gives a new one. Refusals are returned as reasons, all of them; what a caller may not
ask at all (a transition whose reasons were not heeded) raises ``PairError``.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from registry_hooks.errors import Reason, RegistryError
from registry_hooks.records import Approval, Entry, ModelState, Nomination, Pair, Proposal, Review

TWICE = timedelta(minutes=2)  # within it a second rollback is taken for the first one, sent again


class PairError(RegistryError):
    """A transition that its own reasons forbid, or one that would break an invariant: a bug or a trick, HTTP 400."""

    code = "INVALID_STATE"


def may_nominate(state: ModelState, nomination: Nomination) -> list[Reason]:
    """Why ``nomination.version`` cannot become challenger; empty when it can."""
    version, reasons = nomination.version, []
    if state.pair.champion == version:
        reasons.append(
            Reason(
                "pair", "a version that is not champion", f"version {version} is champion", "nominate another version"
            )
        )
    condemned_at = state.condemned.get(version)
    stale = [e.kind for e in nomination.evidence if condemned_at is not None and e.created_at <= condemned_at]
    if condemned_at is not None and (stale or not nomination.evidence):
        reasons.append(
            Reason(
                "condemned",
                f"Evidence newer than the rollback of {condemned_at:%Y-%m-%d %H:%M:%S}Z",
                f"version {version} was rolled back from; older Evidence of {', '.join(stale) or 'every kind'}",
                f"evaluate version {version} again, then registry-hooks nominate {state.model} {version}",
            )
        )
    return reasons


def may_promote(state: ModelState, version: int) -> list[Reason]:
    """Why ``version`` cannot become champion as far as the pair goes; empty when it can."""
    if state.pair.champion == version:
        return [Reason("pair", "a version that is not champion yet", f"version {version} is champion", "nothing to do")]
    if state.pair.challenger != version or version not in state.nominations:
        held = f"version {state.pair.challenger} is" if state.pair.challenger else "there is none"
        return [
            Reason(
                "nomination",
                f"version {version} as challenger, with a nomination",
                f"{held} challenger" if state.pair.challenger else "no challenger, and no nomination of this version",
                f"registry-hooks nominate {state.model} {version}",
            )
        ]
    return []


def may_roll_back(state: ModelState, to: int | None) -> list[Reason]:
    """Why the champion cannot be rolled back (to ``to``, or to the fallback); empty when it can."""
    if state.pair.champion is None:
        return [Reason("pair", "a champion to roll back from", "no champion", "nothing to do")]
    target = state.pair.fallback if to is None else to
    earlier = [v for v in dict.fromkeys(state.champions) if v != state.pair.champion]
    mend = f"registry-hooks rollback {state.model} --to VERSION --reason …, with one of {earlier}" if earlier else (
        "nominate and promote another version: no earlier champion exists"
    )  # fmt: skip
    if target is None:
        return [Reason("pair", "a fallback", "none: no earlier champion that is not condemned", mend)]
    if target == state.pair.champion:
        return [Reason("pair", "a version that is not champion", f"version {target} is champion", "nothing to do")]
    if target not in earlier:
        return [Reason("pair", "a version that was champion before", f"version {target} was not", mend)]
    return []


def meant_twice(state: ModelState, now: datetime, expected: int | None, to: int | None) -> list[Reason]:
    """Why a rollback may not be what its caller means: the champion is not the one that was seen.

    ``expected`` is the champion that the caller saw. A caller who says neither that nor ``to`` is refused for a short
    while after a rollback: two people at night, or a request sent again, would otherwise go back two versions.
    """
    champion = state.pair.champion
    if expected is not None and expected != champion:
        mend = f"look at registry-hooks status {state.model}, and decide again"
        return [
            Reason("champion-changed", f"version {expected} as champion", f"champion is {champion or 'none'}", mend)
        ]
    newest = state.reviews[-1] if state.reviews else None
    if expected is not None or to is not None or newest is None or champion is None:
        return []
    last_change_was_this = state.champions[-2:] == (newest.version, champion)
    if not last_change_was_this or now - newest.opened_at >= TWICE:
        return []
    ago = f"{(now - newest.opened_at).total_seconds():.0f} s ago"
    return [
        Reason(
            "rolled-back-just-now",
            f"no rollback in the last {TWICE.total_seconds():.0f} s, or --from saying which champion you see",
            f"{newest.opened_by} rolled back from {newest.version} to {champion} {ago}",
            f"if {champion} is bad as well: registry-hooks rollback {state.model} --from {champion} --reason …",
        )
    ]


def nominate(state: ModelState, nomination: Nomination) -> ModelState:
    """The state with ``nomination.version`` as challenger."""
    _heed(may_nominate(state, nomination))
    return _checked(
        state.model_copy(
            update={
                "pair": state.pair.model_copy(update={"challenger": nomination.version}),
                "nominations": {**state.nominations, nomination.version: nomination},
            }
        )
    )


def promote(state: ModelState, version: int) -> ModelState:
    """The state with ``version`` as champion, and the old champion as fallback and challenger."""
    _heed(may_promote(state, version))
    old = state.pair.champion
    return _checked(
        state.model_copy(
            update={
                "pair": Pair(champion=version, challenger=old, fallback=old),
                "champions": (*state.champions, version),
                "condemned": {v: at for v, at in state.condemned.items() if v != version},
                "proposals": {i: p for i, p in state.proposals.items() if p.version != version},
            }
        )
    )


def roll_back(state: ModelState, to: int, at: datetime, review: Review) -> ModelState:
    """The state with ``to`` as champion again, the version left condemned, and a review open."""
    _heed(may_roll_back(state, to))
    left = state.pair.champion
    assert left is not None  # may_roll_back has seen to it
    condemned = {**{v: when for v, when in state.condemned.items() if v != to}, left: at}
    champions = (*state.champions, to)
    fallback = _newest_earlier(champions, to, condemned)
    return _checked(
        state.model_copy(
            update={
                "pair": Pair(champion=to, challenger=fallback, fallback=fallback),
                "champions": champions,
                "condemned": condemned,
                "reviews": (*state.reviews, review),
            }
        )
    )


def fold(state: ModelState, entry: Entry) -> ModelState:
    """The state after one ledger entry of its model; the state is nothing but the fold of all of them.

    Raises:
        PairError: when the entry is not possible in this state.
    """
    body: dict[str, Any] = entry.body
    match entry.action:
        case "adopted":
            # Who registered a version stays known while the model is there, or its author could approve it.
            authors = state.authors if body.get("registered") else {}
            anew = ModelState(model=state.model, authors=authors) if body["fresh"] else state
            return _adopt(anew, Pair.model_validate(body["pair"]))
        case "registered":
            return state.model_copy(update={"authors": {**state.authors, _version(entry): entry.actor}})
        case "deleted":
            return without(state, _version(entry))
        case "nominated":
            return nominate(state, Nomination.model_validate(body["nomination"]))
        case "requested":
            proposal = Proposal.model_validate(body["proposal"])
            others = {i: p for i, p in state.proposals.items() if p.version != proposal.version}
            return state.model_copy(update={"proposals": {**others, proposal.id: proposal}})
        case "approved" | "rejected":
            approval = Approval.model_validate(body["approval"])
            signed = state.proposals[approval.proposal]
            signed = signed.model_copy(update={"approvals": (*signed.approvals, approval)})
            return state.model_copy(update={"proposals": {**state.proposals, signed.id: signed}})
        case "promoted":
            return promote(state, _version(entry))
        case "rolled-back":
            return roll_back(state, _version(entry), entry.at, Review.model_validate(body["review"]))
    raise PairError(f"entry {entry.seq}: {entry.action} is not an entry of a model")


def without(state: ModelState, version: int) -> ModelState:
    """The state after ``version`` was deleted from the registry; refuses one that is in a role."""
    if version in (state.pair.champion, state.pair.challenger, state.pair.fallback):
        raise PairError(f"version {version} is in a role")
    return state.model_copy(
        update={
            "champions": tuple(v for v in state.champions if v != version),
            "condemned": {v: at for v, at in state.condemned.items() if v != version},
            "nominations": {v: n for v, n in state.nominations.items() if v != version},
            "proposals": {i: p for i, p in state.proposals.items() if p.version != version},
        }
    )


def _adopt(state: ModelState, pair: Pair) -> ModelState:
    past = tuple(v for v in (pair.fallback, pair.champion) if v is not None)
    fallback = pair.fallback or _newest_earlier((*state.champions, *past), pair.champion or 0, state.condemned)
    taken = pair.model_copy(update={"fallback": fallback if pair.champion else None})
    condemned = {v: at for v, at in state.condemned.items() if v not in past}
    update = {"pair": taken, "champions": (*state.champions, *past), "condemned": condemned, "proposals": {}}
    return _checked(state.model_copy(update=update))


def _newest_earlier(champions: tuple[int, ...], champion: int, condemned: dict[int, datetime]) -> int | None:
    return next((v for v in reversed(champions) if v != champion and v not in condemned), None)


def _version(entry: Entry) -> int:
    if entry.version is None:
        raise PairError(f"entry {entry.seq}: {entry.action} names no version")
    return entry.version


def _heed(reasons: list[Reason]) -> None:
    if reasons:
        raise PairError("; ".join(map(str, reasons)))


def _checked(state: ModelState) -> ModelState:
    pair = state.pair
    if pair.champion is not None and pair.champion in (pair.challenger, pair.fallback):
        raise PairError(f"I1: champion {pair.champion} is also challenger or fallback: {pair}")
    earlier = [v for v in state.champions if v != pair.champion and v not in state.condemned]
    if pair.champion is not None and earlier and pair.fallback is None:
        raise PairError(f"I2: {earlier} were champion and are not condemned, but there is no fallback")
    return state
