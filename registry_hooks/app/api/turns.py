"""Who may ask for what takes long: few at a time, so that one user's questions do not keep the others waiting.

An audit reads the whole ledger, and a reconciliation every file of a model's versions. No answer to them is cached:
they are asked to find what was changed a moment ago.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Lock

from registry_hooks.errors import Busy, Reason

AT_ONCE = 2
"""Of everybody, in one worker of the server; of one user one."""


class Turns:
    """The long requests that are being answered in this process."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._asking: Counter[str] = Counter()

    @contextmanager
    def taken(self, user: str) -> Iterator[None]:
        """Answer a long request of ``user``.

        Raises:
            Busy: when one of theirs, or several of others, are being answered.
        """
        with self._lock:
            if self._asking[user] or sum(self._asking.values()) >= AT_ONCE:
                raise Busy("the server is busy with such requests", [self._reason(user)])
            self._asking[user] += 1
        try:
            yield
        finally:
            with self._lock:
                del self._asking[user]

    def _reason(self, user: str) -> Reason:
        whose = "one of yours" if self._asking[user] else "those of others"
        return Reason("busy", f"one such request of a user, and {AT_ONCE} of all", whose, "ask again in a minute")
