"""What the design says of one governed model, written down once more and simply, to hold the real store against.

Each method answers whether the call is allowed, and if it is, changes the model. Nothing here is shared with the
product: not its records, not its rules.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta

AUTHORS, RISK, ONCALL, EMERGENCY = {"ana", "bob"}, {"raj", "mei", "sam", "bob"}, {"oncall", "ana"}, {"eva", "ana"}
SKEW = timedelta(minutes=5)
ROLES = ("champion", "challenger", "fallback")


@dataclass
class Asked:
    """A Proposal."""

    requester: str
    expires: datetime
    champion: int | None
    evidence: datetime
    said: dict[str, bool] = field(default_factory=dict)


@dataclass
class Looked:
    """A review."""

    opened_by: str
    due: datetime


@dataclass
class PairModel:
    """One model with its versions; ``evidence`` says when the newest Evidence of each was made."""

    authors: dict[int, str]
    evidence: dict[int, datetime]
    clock: datetime
    last: datetime
    champion: int | None = None
    challenger: int | None = None
    fallback: int | None = None
    served: list[int] = field(default_factory=list)
    condemned: dict[int, datetime] = field(default_factory=dict)
    nominated: dict[int, datetime | None] = field(default_factory=dict)
    asked: dict[int, Asked] = field(default_factory=dict)
    reviews: list[Looked] = field(default_factory=list)
    rolled_back: tuple[int, datetime] | None = None
    gone: set[int] = field(default_factory=set)

    @property
    def now(self) -> datetime:
        return max(self.clock, self.last)

    @property
    def clock_is_wrong(self) -> bool:
        return self.now - self.clock > SKEW

    def roles(self) -> dict[str, int]:
        return {role: held for role in ROLES if (held := getattr(self, role)) is not None}

    def is_there(self, version: int) -> bool:
        return version in self.authors and version not in self.gone

    def _wrote(self, allowed: bool) -> bool:
        if allowed:
            self.last = self.now
        return allowed

    def _is_fresh(self, at: datetime | None) -> bool:
        return at is not None and self.now - at >= -SKEW

    def nominate(self, who: str, version: int) -> bool:
        at = self.evidence.get(version)
        allowed = (
            who in AUTHORS
            and self.is_there(version)
            and not self.clock_is_wrong
            and version != self.champion
            and (version not in self.condemned or (at is not None and at > self.condemned[version]))
            and self._is_fresh(at)
        )
        if allowed:
            self.challenger = version
            kept = {v: e for v, e in self.nominated.items() if v in self.served or v in self.asked}
            self.nominated = {**kept, version: at}
        return self._wrote(allowed)

    def _is_ready(self, version: int) -> bool:
        return (
            not self.clock_is_wrong
            and self.is_there(version)
            and version == self.challenger != self.champion
            and version in self.nominated
            and self._is_fresh(self.nominated[version])
        )

    def _holds(self, version: int) -> bool:
        asked = self.asked.get(version)
        return (
            asked is not None
            and all(asked.said.values())
            and self.now < asked.expires
            and asked.champion == self.champion
            and asked.evidence == self.nominated.get(version)
        )

    def request(self, who: str, version: int) -> bool:
        allowed = who in AUTHORS and not self._holds(version) and self._is_ready(version)
        if allowed:
            at = self.nominated[version]
            assert at is not None
            self.asked[version] = Asked(who, self.now + timedelta(days=7), self.champion, at)
        return self._wrote(allowed)

    def sign(self, who: str, version: int, yes: bool) -> bool:
        allowed = (
            who in RISK
            and self._holds(version)
            and who not in (self.asked[version].requester, self.authors[version])
            and who not in self.asked[version].said
            and not (yes and self.clock_is_wrong)
        )
        if allowed:
            self.asked[version].said[who] = yes
        return self._wrote(allowed)

    def withdraw(self, who: str, version: int) -> bool:
        asked = self.asked.get(version)
        if asked is None or (who != asked.requester and who not in asked.said):
            return False
        if who == asked.requester:
            del self.asked[version]
        else:
            del asked.said[who]
        return self._wrote(True)

    def may_promote(self, who: str, version: int) -> bool:
        return (
            who in AUTHORS
            and self._is_ready(version)
            and self._holds(version)
            and len(self.asked[version].said) >= 2
            and not any(self.now > review.due for review in self.reviews)
        )

    def promote(self, who: str, version: int) -> bool:
        allowed = self.may_promote(who, version)
        if allowed:
            self._crown(version)
        return self._wrote(allowed)

    def break_glass(self, who: str, version: int) -> bool:
        allowed = (
            who in EMERGENCY
            and self.is_there(version)
            and version != self.champion
            and not self.may_promote(who, version)
        )
        if allowed:
            self.nominated.setdefault(version, None)
            self._crown(version)
            self.reviews.append(Looked(who, self.now + timedelta(hours=2)))
        return self._wrote(allowed)

    def _crown(self, version: int) -> None:
        self.champion, self.challenger, self.fallback = version, self.champion, self.champion
        self.served.append(version)
        self.condemned.pop(version, None)
        self.asked.pop(version, None)

    def rollback(self, who: str, to: int | None) -> bool:
        target = self.fallback if to is None else to
        allowed = who in ONCALL and self.champion not in (None, target) and target in self.served
        if allowed and to is None and self.rolled_back is not None:
            left, at = self.rolled_back
            allowed = not (self.served[-2:] == [left, self.champion] and self.now - at < timedelta(minutes=2))
        if allowed:
            assert target is not None and self.champion is not None
            self.rolled_back = (self.champion, self.now)
            self.condemned.pop(target, None)
            self.condemned[self.champion] = self.now
            self.served.append(target)
            self.champion = target
            earlier = [v for v in self.served if v != target and v not in self.condemned]
            self.fallback = self.challenger = earlier[-1] if earlier else None
            self.reviews.append(Looked(who, self.now + timedelta(hours=24)))
        return self._wrote(allowed)

    def native_champion(self, who: str, version: int) -> bool:
        if version == self.champion:
            return True
        if self.is_there(version) and version == self.fallback:
            return self.rollback(who, version)
        return self.promote(who, version)

    def unstage(self, version: int) -> bool:
        return self.is_there(version) and version not in (self.champion, self.challenger)

    def delete(self, version: int) -> bool:
        allowed = self.is_there(version) and version not in self.roles().values()
        if allowed:
            self.gone.add(version)
            self.served = [v for v in self.served if v != version]
            for held in (self.condemned, self.nominated, self.asked):
                held.pop(version, None)
        return self._wrote(allowed)

    def close(self, who: str, review: int) -> bool:
        allowed = who in RISK and review < len(self.reviews) and self.reviews[review].opened_by != who
        if allowed:
            del self.reviews[review]
        return self._wrote(allowed)

    def assert_whole(self) -> None:
        """I1 and I2."""
        assert self.champion is None or self.champion not in (self.challenger, self.fallback)
        earlier = [v for v in self.served if v != self.champion and v not in self.condemned]
        assert not (earlier and self.champion) or self.fallback in earlier
