"""How rows are counted: in chunks whose temporaries stay in the cache, by two threads.

Sums of integers are the same whoever adds them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import pairwise
from typing import Any, TypeVar

from numpy.typing import NDArray

from mlflow_eval_plugin.stats.counts.threads import THREADS, side_by_side

CHUNK_ROWS = 2**16  # smaller ones have the threads wait for the lock, larger ones leave the cache
FEW_ROWS = 2**18  # are counted before a second thread would have begun

Lanes = dict[str, NDArray[Any]]
Made = TypeVar("Made")


def chunked(rows: slice) -> Iterator[slice]:
    """The rows from ``rows.start`` to ``rows.stop``, ``CHUNK_ROWS`` at a time."""
    for start in range(rows.start, rows.stop, CHUNK_ROWS):
        yield slice(start, min(start + CHUNK_ROWS, rows.stop))


def counted(rows: int, count: Callable[[slice], Lanes]) -> Lanes:
    """The lanes of all of ``rows`` rows: each thread counts some of them, and the lanes are added.

    Args:
        count: gives the lanes of some rows, in arrays of its own.
    """
    total, *others = in_parts(rows, count)
    for lanes in others:
        for name, lane in lanes.items():
            total[name] += lane
    return total


def in_parts(rows: int, make: Callable[[slice], Made]) -> list[Made]:
    """What is made of some of ``rows`` rows, thread by thread; few rows are one part."""
    if rows < FEW_ROWS:
        return [make(slice(0, rows))]
    ends = [rows * part // THREADS for part in range(THREADS + 1)]
    return side_by_side(make, [slice(*pair) for pair in pairwise(ends)])
