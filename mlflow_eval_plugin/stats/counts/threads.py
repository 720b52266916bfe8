"""Work side by side: numpy works on arrays, and draws random numbers, without the interpreter's lock."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import numpy as np

THREADS = 2

_STREAMS = 2  # a part of what a seed means; another number would draw other numbers

Item = TypeVar("Item")
Made = TypeVar("Made")
Other = TypeVar("Other")


def side_by_side(make: Callable[[Item], Made], items: Iterable[Item]) -> list[Made]:
    """What is made of each item, in their order; ``THREADS`` of them are made at a time."""
    with ThreadPoolExecutor(THREADS) as threads:
        return list(threads.map(make, items))


def both(first: Callable[[], Made], second: Callable[[], Other]) -> tuple[Made, Other]:
    """What two functions return, which work at the same time; where both fail, the error of the first."""
    with ThreadPoolExecutor(1) as thread:
        other = thread.submit(second)
        return first(), other.result()


def streams(seed: int) -> list[np.random.Generator]:
    """Independent streams of random numbers, for what is drawn side by side; the same for the same seed."""
    return np.random.default_rng(seed).spawn(_STREAMS)
