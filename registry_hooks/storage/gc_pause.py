"""Python's search for cycles, paused while very many records are made that stay and that hold no cycle.

The search goes through all that is alive each time a share of it is new: over a ledger of a million entries it takes as
long as reading them. Reference counting goes on and frees what it always does.
"""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Lock

_lock = Lock()
_open = 0  # how many have it paused: requests are served on several threads
_was_on = False


@contextmanager
def unsearched() -> Iterator[None]:
    """Pause the search for cycles. The last of several pauses turns it on again, if it was on before the first."""
    global _open, _was_on  # noqa: PLW0603 (the collector is one for the whole process)
    with _lock:
        if not _open:
            _was_on = gc.isenabled()
            gc.disable()
        _open += 1
    try:
        yield
    finally:
        with _lock:
            _open -= 1
            if not _open and _was_on:
                gc.enable()
