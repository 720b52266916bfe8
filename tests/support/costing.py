"""What a call costs by itself: the time of this thread, and the memory at its peak."""

from __future__ import annotations

import gc
import time
import tracemalloc
from collections.abc import Callable


def seconds_of(call: Callable[[], object]) -> float:
    """Processor seconds of ``call`` in this thread, whatever this process holds, or does in others of its threads."""
    gc.freeze()  # or what other tests left is walked by the collector whenever many lists are made
    begun = time.thread_time()
    try:
        call()
        return time.thread_time() - begun
    finally:
        gc.unfreeze()


def peak_of(call: Callable[[], object]) -> int:
    """Bytes that ``call`` holds at most. Tracing them multiplies the time, so it is measured in a run of its own."""
    tracemalloc.start()
    try:
        call()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
