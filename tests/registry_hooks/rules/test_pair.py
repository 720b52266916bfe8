"""The pair against a plain model of it: every sequence of transitions keeps the invariants, and entries fold back."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from registry_hooks.records import Entry, EvidenceRef, ModelState, Nomination, Pair, Review
from registry_hooks.rules import pair as rules
from registry_hooks.rules.pair import PairError

START = datetime(2026, 1, 1, tzinfo=timezone.utc)
VERSIONS = st.integers(1, 5)


def nomination(version: int, at: datetime, evidence_at: datetime) -> Nomination:
    evidence = EvidenceRef(
        kind="drift", digest="sha256:1", verdict="pass", created_at=evidence_at, run_id="r", path="evidence/drift.json"
    )
    return Nomination(version=version, evidence=(evidence,), files_digest="sha256:2", actor="ana", at=at)


class PairMachine(RuleBasedStateMachine):
    """Drives the state and, beside it, the words of the design written down a second time in lists and sets."""

    def __init__(self) -> None:
        super().__init__()
        self.state = ModelState(model="m")
        self.entries: list[Entry] = []
        self.now = START
        self.past: list[int] = []  # champions in order
        self.condemned: dict[int, datetime] = {}
        self.champion: int | None = None
        self.challenger: int | None = None
        self.fallback: int | None = None
        self.nominated: set[int] = set()

    def record(self, action: str, version: int | None, body: dict) -> None:
        entry = Entry(
            seq=len(self.entries) + 1,
            at=self.now,
            actor="ana",
            authenticated_by="test",
            action=action,
            model="m",
            version=version,
            body=body,
            tree="",
        )
        self.entries.append(entry)
        self.state = rules.fold(self.state, entry)

    @rule(version=VERSIONS, fresh=st.booleans())
    def nominate(self, version: int, fresh: bool) -> None:
        self.now += timedelta(minutes=1)
        made = nomination(version, self.now, self.now if fresh else START - timedelta(days=1))
        allowed = version != self.champion and (version not in self.condemned or fresh)
        assert (not rules.may_nominate(self.state, made)) == allowed
        if not allowed:
            with pytest.raises(PairError):
                rules.nominate(self.state, made)
            return
        self.record("nominated", version, {"nomination": made.as_json()})
        self.challenger = version
        self.nominated.add(version)

    @rule(version=VERSIONS)
    def promote(self, version: int) -> None:
        allowed = version == self.challenger and version != self.champion and version in self.nominated
        assert (not rules.may_promote(self.state, version)) == allowed
        if not allowed:
            with pytest.raises(PairError):
                rules.promote(self.state, version)
            return
        self.record("promoted", version, {})
        self.condemned.pop(version, None)
        self.fallback = self.challenger = self.champion
        self.champion = version
        self.past.append(version)

    @rule(to=st.none() | VERSIONS)
    def roll_back(self, to: int | None) -> None:
        self.now += timedelta(minutes=1)
        target = self.fallback if to is None else to
        allowed = self.champion is not None and target in self.past and target != self.champion
        assert (not rules.may_roll_back(self.state, to)) == allowed
        if not allowed:
            return
        review = Review(
            id="R", version=self.champion, opened_by="o", opened_at=self.now, due_at=self.now, reason="because"
        )
        left = self.champion
        self.record("rolled-back", target, {"review": review.as_json()})
        self.condemned[left] = self.now
        self.condemned.pop(target, None)
        self.champion = target
        self.past.append(target)
        earlier = [v for v in self.past if v != target and v not in self.condemned]
        self.fallback = self.challenger = earlier[-1] if earlier else None

    @invariant()
    def agrees(self) -> None:
        assert self.state.pair == Pair(champion=self.champion, challenger=self.challenger, fallback=self.fallback)
        assert set(self.state.condemned) == set(self.condemned)

    @invariant()
    def keeps_the_invariants(self) -> None:
        pair = self.state.pair
        if pair.champion is not None:  # I1
            assert pair.champion not in (pair.challenger, pair.fallback)
        earlier = {v for v in self.past if v != pair.champion} - set(self.condemned)
        if pair.champion is not None and earlier:  # I2
            assert pair.fallback is not None
        assert pair.fallback is None or pair.fallback not in self.condemned

    @invariant()
    def folds_back_from_its_entries_and_from_json(self) -> None:
        replayed = ModelState(model="m")
        for entry in self.entries[-1:] and self.entries:
            replayed = rules.fold(replayed, entry)
        assert replayed == self.state == ModelState.model_validate_json(self.state.model_dump_json())


PairMachine.TestCase.settings = settings(max_examples=150, stateful_step_count=25, deadline=None)
TestPair = PairMachine.TestCase


def test_a_version_in_a_role_cannot_leave():
    state = rules.nominate(ModelState(model="m"), nomination(1, START, START))
    with pytest.raises(PairError, match="in a role"):
        rules.without(state, 1)
    assert rules.without(state, 2) == state


def test_adoption_takes_what_is_there_and_starts_anew_where_it_is_fresh():
    state = rules.promote(rules.nominate(ModelState(model="m"), nomination(1, START, START)), 1)

    def adopt(fresh: bool) -> ModelState:
        body = {"pair": Pair(champion=2).as_json(), "fresh": fresh}
        entry = Entry(
            seq=1,
            at=START,
            actor="a",
            authenticated_by="t",
            action="adopted",
            model="m",
            version=None,
            body=body,
            tree="",
        )
        return rules.fold(state, entry)

    assert adopt(fresh=True) == ModelState(model="m", pair=Pair(champion=2), champions=(2,), last_at=START)
    assert adopt(fresh=False).pair == Pair(champion=2, fallback=1)
