"""What can be told of: an event for each kind of change, and for what is found or falls due."""

from __future__ import annotations

from collections.abc import Collection
from typing import Literal, get_args

from registry_hooks.records import AccountAction, Action, Record
from registry_hooks.rules.log.altered import PURGED_BODY
from registry_hooks.rules.policy import matches

Event = Literal[
    "requested",
    "signed",
    "rejected",
    "withdrawn",
    "promoted",
    "rolled-back",
    "broke-glass",
    "review-opened",
    "review-due",
    "review-overdue",
    "review-closed",
    "tampering-seen",
    "policy-changed",
    "trust-changed",
    "accounts-changed",
    "notify-changed",
    "baseline-named",
    "nominated",
    "adopted",
    "registered",
    "deleted",
    "files-checked",
    "log-altered",
    "other",
]
EVENTS: tuple[Event, ...] = get_args(Event)
"""All events, those that most people want first."""

_OF_ACTION: dict[Action, tuple[Event, ...]] = {
    "requested": ("requested",),
    "approved": ("signed",),
    "rejected": ("rejected", "signed"),
    "withdrawn": ("withdrawn",),
    "approval-withdrawn": ("withdrawn",),
    "promoted": ("promoted",),
    "rolled-back": ("rolled-back", "review-opened"),
    "broke-glass": ("broke-glass", "review-opened"),
    "review-closed": ("review-closed",),
    "policy-applied": ("policy-changed",),
    "key-trusted": ("trust-changed",),
    "key-revoked": ("trust-changed",),
    "delegated": ("trust-changed",),
    "delegation-ended": ("trust-changed",),
    "log-key-changed": ("trust-changed",),
    "notify-added": ("notify-changed",),
    "notify-removed": ("notify-changed",),
    "baseline-named": ("baseline-named",),
    "nominated": ("nominated",),
    "adopted": ("adopted",),
    "registered": ("registered",),
    "deleted": ("deleted",),
    "files-checked": ("files-checked",),
    "redacted": ("log-altered",),
    "purged": ("log-altered",),
}


def events_of(action: str) -> tuple[Event, ...]:
    """The events that an entry with that action is, the main one first; none of a row whose body was purged."""
    if action == PURGED_BODY:
        return ()
    if action in get_args(AccountAction):
        return ("accounts-changed",)
    return _OF_ACTION.get(action, ("other",))  # type: ignore[call-overload, no-any-return]


class Chosen(Record):
    """What a target wants to hear: of which events, and of which models.

    A model is meant by its name, or by a pattern as in a policy. What is about no single model (policies, keys,
    accounts) is told whatever models are chosen.
    """

    events: tuple[Event, ...] = EVENTS
    models: tuple[str, ...] = ("*",)

    def event_for(self, events: Collection[Event], model: str | None) -> Event | None:
        """Under which event this is told; None where the target does not want it."""
        if model is not None and not any(matches(each, model) for each in self.models):
            return None
        return next((each for each in events if each in self.events), None)
