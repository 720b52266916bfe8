"""What a kind of target is: how its address is checked, what of it may be shown, and how a message is sent."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Protocol

from registry_hooks.rules.telling.messages import Message
from registry_hooks.storage.outbox.targets import Target

Send = Callable[[Message], None]
"""Sends one message; raises `Undelivered` unless it was taken."""


class Undelivered(Exception):
    """A message was not taken, or nobody knows whether it was; why is told to administrators.

    Args:
        told: why.
        wait: how many seconds the receiver asks us to wait; 0 where it does not.
    """

    def __init__(self, told: str, wait: float = 0) -> None:
        super().__init__(told)
        self.wait = wait


class TargetKind(Protocol):
    """One kind of target."""

    def checked(self, address: str) -> Mapping[str, str]:
        """What is kept of a new target, encrypted: its address, and its secret where it has one.

        Raises:
            Invalid: when it is no address of this kind, or one that the server does not send to.
        """

    def shown(self, address: str) -> str:
        """The address without what is secret in it."""

    def open(self, target: Target, session: Any) -> Send | None:
        """What sends to a target, with all that must be read from the database for that; None where it wants nothing.

        Raises:
            Undelivered: when what is needed cannot be read.
        """
