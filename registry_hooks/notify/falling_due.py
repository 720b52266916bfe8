"""Reviews that will soon be due, and those that are overdue: said once each."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from typing import Any

from registry_hooks.records import Review
from registry_hooks.rules.telling.events import Event
from registry_hooks.storage.ledger import Ledger
from registry_hooks.storage.mlflow_rows import Registry
from registry_hooks.storage.outbox.reviews import open_reviews
from registry_hooks.storage.outbox.streams import Streams

BEFORE = timedelta(hours=24)
"""How long before it is due a review is told of; at most half of the time that it has."""


class FallingDue:
    """Looks at the reviews of all models.

    Args:
        unit_of_work: opens a transaction on the registry's database.
        clock: gives the time in UTC.
    """

    def __init__(self, unit_of_work: Callable[..., Any], clock: Callable[[], datetime]) -> None:
        self._unit_of_work, self._clock = unit_of_work, clock
        self._reviews: dict[str, tuple[Review, ...]] = {}
        self._read_to = 0

    def look(self) -> None:
        """Add a notice for each review that has become due soon, or overdue, and was not told of as that."""
        now = self._clock()
        with self._unit_of_work(write=False) as session:
            changed, newest = open_reviews(session, self._read_to)
            if newest < self._read_to:  # an older backup was put in the database's place
                self._reviews = {}
                changed, newest = open_reviews(session, 0)
            self._read_to = newest
            self._reviews = {m: held for m, held in {**self._reviews, **changed}.items() if held}
            found = {said: (event, model, review) for said, event, model, review in self._to_say(now)}
            new = found.keys() - Streams(session).said(list(found))
        for said in sorted(new):
            event, model, review = found[said]
            with self._unit_of_work(write=True) as session:
                # As it is now: it may have been closed, or its reason redacted, since it was read.
                Registry(session).lock(model, missing_ok=True)
                for still in Ledger(session).state(model).reviews:
                    if (still.id, still.due_at) == (review.id, review.due_at):
                        Streams(session).note(said, event, model, now, _body(event, still))

    def _to_say(self, now: datetime) -> Iterator[tuple[str, Event, str, Review]]:
        for model, held in self._reviews.items():
            for review in held:
                event = _event(review, now)
                if event is not None:
                    what = f"{event}:{model}:{review.id}:{review.due_at.isoformat()}"
                    yield hashlib.sha256(what.encode()).hexdigest(), event, model, review


def _event(review: Review, now: datetime) -> Event | None:
    if now > review.due_at:
        return "review-overdue"
    soon = min(BEFORE, (review.due_at - review.opened_at) / 2)
    return "review-due" if now >= review.due_at - soon else None


def _body(event: Event, review: Review) -> dict[str, Any]:
    told = "was due" if event == "review-overdue" else "is due"
    what = "rollback from" if review.kind == "rollback" else "break-glass promotion of"
    summary = (
        f"the review {review.id} of the {what} version {review.version}, opened by {review.opened_by}, {told} "
        f"{review.due_at:%Y-%m-%d %H:%M}Z"
    )  # without the reason, which may be redacted, and so stands in one place
    return {"version": review.version, "review": review.id, "reason": review.reason, "summary": summary,
            "due_at": review.due_at.isoformat()}  # fmt: skip
