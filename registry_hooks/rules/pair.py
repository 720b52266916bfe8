"""The champion-challenger pair of one registered model, as a state machine.

- ``champion`` serves. ``challenger`` is the validated other half. ``fallback`` is the prior champion that
  ``rollback`` returns to. A version that is not in the registry is in no role.
- *nominate(v)* makes v the challenger. A champion cannot be its own challenger. A condemned version comes back only
  with Evidence that is newer than the rollback that condemned it; it stays condemned until it is promoted again. So do
  its bytes, under whatever number.
- *promote(v)* needs v to be the challenger. v becomes champion; the old champion becomes fallback and challenger, so
  the pair stays whole.
- *break-glass(v)* does the same for a version that was never nominated or approved, and opens a review.
- *rollback(to)* returns to the fallback, or to any version that was champion before. The version left is condemned.
  Fallback and challenger move to the newest earlier champion that is not condemned, or to nobody.

Invariants after every transition (I1, I2 of the design):
I1 champion differs from challenger and from fallback. I2 where an earlier champion is not condemned, a fallback exists.

Every function takes a state and gives a new one. Refusals are returned as reasons, all of them; what a caller may not
ask at all (a transition whose reasons were not heeded) raises ``PairError``.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime, timedelta
from typing import Any

from registry_hooks.errors import Reason, RegistryError
from registry_hooks.records import (
    ROLES,
    Approval,
    Entry,
    FileCheck,
    ModelState,
    NamedBaseline,
    Nomination,
    Pair,
    Proposal,
    Review,
)
from registry_hooks.rules.condemned import condemnation, left, lifted, stale_reasons

TWICE = timedelta(minutes=2)  # within it a second rollback is taken for the first one, sent again


class PairError(RegistryError):
    """A transition that its own reasons forbid, or one that would break an invariant: a bug or a trick, HTTP 409."""

    code = "RESOURCE_CONFLICT"


def may_nominate(state: ModelState, nomination: Nomination) -> list[Reason]:
    """Why ``nomination.version`` cannot become challenger; empty when it can."""
    version, reasons = nomination.version, []
    if state.pair.champion == version:
        reasons.append(
            Reason(
                "pair", "a version that is not champion", f"version {version} is champion", "nominate another version"
            )
        )
    by = [nomination.condemned_by] if nomination.condemned_by else []
    condemned = condemnation(state, version, nomination.content, by)
    return [*reasons, *stale_reasons(state.model, version, nomination.evidence, condemned)]


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


def rollback_target(state: ModelState, to: int | None) -> int | None:
    """The version that a rollback returns to: ``to``, or by default the fallback."""
    return state.pair.fallback if to is None else to


def may_roll_back(state: ModelState, to: int | None) -> list[Reason]:
    """Why the champion cannot be rolled back (to ``to``, or to the fallback); empty when it can."""
    if state.pair.champion is None:
        return [Reason("pair", "a champion to roll back from", "no champion", "nothing to do")]
    target = rollback_target(state, to)
    earlier = [v for v in dict.fromkeys(state.champions) if v != state.pair.champion]
    mend = f"registry-hooks rollback {state.model} --to VERSION --reason …, with one of {earlier}" if earlier else (
        "nominate and promote another version: no earlier champion exists"
    )  # fmt: skip
    if target is None:
        return [Reason("pair", "a fallback", "none: there is no earlier champion that is not condemned", mend)]
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
    newest = state.last_rollback
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


def read_otherwise(state: ModelState, target: int, version: int, nomination: Nomination | None) -> list[Reason]:
    """Why a rollback does not rest on the files that were read: those of ``version``, as ``nomination`` has them."""
    if (target, state.nominations.get(target)) == (version, nomination):
        return []
    fix = f"look at registry-hooks status {state.model}, and decide again"
    return [Reason("champion-changed", f"version {version} to go back to, as its files were read",
                   f"roles have moved; it would be version {target}", fix)]  # fmt: skip


def nominate(state: ModelState, nomination: Nomination) -> ModelState:
    """The state with ``nomination.version`` as challenger."""
    _heed(may_nominate(state, nomination))
    used = {*state.champions, *(proposal.version for proposal in state.proposals.values())}
    kept = {version: older for version, older in state.nominations.items() if version in used}
    by = nomination.condemned_by
    return _checked(
        state.model_copy(
            update={
                "pair": state.pair.model_copy(update={"challenger": nomination.version}),
                "nominations": {**kept, nomination.version: nomination},
                "condemned": {**state.condemned, nomination.version: by.at} if by else state.condemned,
            }
        )
    )


def promote(state: ModelState, version: int) -> ModelState:
    """The state with ``version`` as champion, and the old champion as fallback and challenger."""
    _heed(may_promote(state, version))
    return _crowned(state, version)


def may_break_glass(state: ModelState, version: int) -> list[Reason]:
    """Why ``version`` cannot become champion even past the rules; empty when it can."""
    if state.pair.champion == version:
        return [Reason("pair", "a version that is not champion yet", f"version {version} is champion", "nothing to do")]
    return []


def break_glass(state: ModelState, version: int, review: Review, nomination: Nomination) -> ModelState:
    """The state with ``version`` as champion, whatever it was before, and a review open.

    ``nomination`` says which files it has: those that were nominated, or, without a nomination, those of the moment.
    """
    _heed(may_break_glass(state, version))
    known = state.model_copy(update={"nominations": {**state.nominations, version: nomination}})
    return _crowned(known, version).model_copy(update={"reviews": (*state.reviews, review)})


def _crowned(state: ModelState, version: int) -> ModelState:
    condemned, condemned_files = lifted(state, version)
    return _checked(
        state.model_copy(
            update={
                "pair": pair_after_promotion(state, version),
                "champions": (*state.champions, version),
                "condemned": condemned,
                "condemned_files": condemned_files,
                "proposals": {i: p for i, p in state.proposals.items() if p.version != version},
                "file_check": None,
            }
        )
    )


def pair_after_promotion(state: ModelState, version: int) -> Pair:
    """The pair once ``version`` is champion: the old champion is fallback and challenger.

    Where there was none (it was taken away in the database, and that was adopted) the newest earlier one is.
    """
    old = state.pair.champion
    if old is None:
        old = _newest_earlier(state.champions, version, state.condemned)
    return Pair(champion=version, challenger=old, fallback=old)


def pair_after_rollback(state: ModelState, to: int, at: datetime) -> Pair:
    """The pair once ``to`` is champion again; empty-handed where no earlier champion is left."""
    fallback = _newest_earlier((*state.champions, to), to, left(state, to, at)[0])
    return Pair(champion=to, challenger=fallback, fallback=fallback)


def roll_back(state: ModelState, to: int, at: datetime, review: Review, files_pending: bool = False) -> ModelState:
    """The state with ``to`` as champion again, the version left condemned, and a review open.

    With ``files_pending`` the files of ``to`` have not been held against its nomination yet.
    """
    _heed(may_roll_back(state, to))
    condemned, condemned_files = left(state, to, at)
    return _checked(
        state.model_copy(
            update={
                "pair": pair_after_rollback(state, to, at),
                "champions": (*state.champions, to),
                "condemned": condemned,
                "condemned_files": condemned_files,
                "reviews": (*state.reviews, review),
                "last_rollback": review,
                "file_check": FileCheck(version=to, since=at) if files_pending else None,
            }
        )
    )


def may_close(state: ModelState, review_id: str, closer: str) -> list[Reason]:
    """Why ``closer`` cannot close a review; empty when they can. Nobody closes what their own act opened."""
    review = next((each for each in state.reviews if each.id == review_id), None)
    if review is None:
        known = ", ".join(each.id for each in state.reviews) or "none"
        return [Reason("review", "an open review of this model", f"{review_id}; open are: {known}",
                       f"registry-hooks status {state.model}")]  # fmt: skip
    if review.opened_by == closer:
        return [Reason("four-eyes", "somebody other than the one whose act opened the review", f"{closer} opened it",
                       "ask another holder of a role that closes reviews")]  # fmt: skip
    return []


def fold(state: ModelState, entry: Entry) -> ModelState:
    """The state after one more ledger entry of its model. A state is the fold of all entries, and nothing else.

    Raises:
        PairError: when the entry is not possible in this state.
    """
    return _folded(state, entry, entry.body).model_copy(update={"last_at": entry.at})


def _folded(state: ModelState, entry: Entry, body: dict[str, Any]) -> ModelState:  # noqa: PLR0911 (one for each kind of entry)
    match entry.action:
        case "adopted":
            # Who registered a version stays known while the model is there, or its author could approve it.
            authors = state.authors if body.get("registered") else {}
            anew = ModelState(model=state.model, authors=authors) if body["fresh"] else state
            return _adopt(_without_all(anew, body.get("gone", ())), Pair.model_validate(body["pair"]))
        case "registered":
            return state.model_copy(update={"authors": {**state.authors, _version(entry): entry.actor}})
        case "deleted":
            return without(state, _version(entry))
        case "baseline-named":
            named = NamedBaseline.model_validate(body["baseline"])
            return state.model_copy(update={"baselines": {**state.baselines, _version(entry): named}})
        case "nominated":
            return nominate(state, Nomination.model_validate(body["nomination"]))
        case "requested" | "approved" | "rejected" | "approval-withdrawn" | "withdrawn":
            return state.model_copy(update={"proposals": _proposals(state, entry, body)})
        case "promoted":
            return promote(state, _version(entry))
        case "rolled-back":
            pending = body.get("files") == "pending"
            return roll_back(state, _version(entry), entry.at, Review.model_validate(body["review"]), pending)
        case "broke-glass":
            review, nomination = Review.model_validate(body["review"]), Nomination.model_validate(body["nomination"])
            return break_glass(state, _version(entry), review, nomination)
        case "files-checked":
            return _files_checked(state, _version(entry), tuple(body["differences"]))
        case "redacted":
            return state  # the texts of earlier entries are without it already
        case "review-closed":
            return state.model_copy(update={"reviews": tuple(r for r in state.reviews if r.id != body["review"])})
    raise PairError(f"entry {entry.seq}: {entry.action} is not an entry of a model")


def _proposals(state: ModelState, entry: Entry, body: dict[str, Any]) -> dict[str, Proposal]:
    """The Proposals after an entry about one of them."""
    if entry.action == "requested":
        asked = Proposal.model_validate(body["proposal"])
        return {**{i: p for i, p in state.proposals.items() if p.version != asked.version}, asked.id: asked}
    approval = Approval.model_validate(body["approval"]) if "approval" in body else None
    meant = state.proposals.get(approval.proposal if approval else body["proposal"])
    if meant is None:
        raise PairError(f"entry {entry.seq}: {entry.action}, but there is no such Proposal")
    if entry.action == "withdrawn":
        return {i: p for i, p in state.proposals.items() if i != meant.id}
    kept = tuple(each for each in meant.approvals if each.actor != entry.actor)
    signed = meant.model_copy(update={"approvals": (*kept, approval) if approval else kept})
    return {**state.proposals, signed.id: signed}


def _files_checked(state: ModelState, version: int, differences: tuple[str, ...]) -> ModelState:
    if state.file_check is None or state.file_check.version != version:
        return state  # the champion has changed since the check began
    done = state.file_check.model_copy(update={"differences": differences}) if differences else None
    return state.model_copy(update={"file_check": done})


def may_delete(state: ModelState, version: int) -> list[Reason]:
    """Why ``version`` cannot be deleted from the registry; empty when it can."""
    held = [role for role in ROLES if getattr(state.pair, role) == version]
    if not held:
        return []
    return [Reason("role", "a version in no role", f"it is {' and '.join(held)}", "promote another version first")]


def without(state: ModelState, version: int) -> ModelState:
    """The state after ``version`` was deleted from the registry."""
    if may_delete(state, version):
        raise PairError(f"version {version} is in a role")
    return _without_all(state, (version,))


def _without_all(state: ModelState, gone: Collection[int]) -> ModelState:
    if not gone:
        return state
    return state.model_copy(
        update={
            "champions": tuple(v for v in state.champions if v not in gone),
            "condemned": {v: at for v, at in state.condemned.items() if v not in gone},
            "nominations": {v: n for v, n in state.nominations.items() if v not in gone},
            "baselines": {v: b for v, b in state.baselines.items() if v not in gone},
            "proposals": {i: p for i, p in state.proposals.items() if p.version not in gone},
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
