"""Which rows a plan is made of: all of few, and of many a sample that is chosen by what the rows hold.

Edges, quantiles, medians and spreads are found from it. A row is in the sample by its own digest, so that neither the
order of the rows nor their division into parts changes it, and whoever holds the rows has the same: those whose digest
begins with so many zero bits, the fewest with which at most ``SAMPLED_ROWS`` different rows are left. Rows that are
alike are in it together, each as often as it is in the data. Where they are more than ``SAMPLED_ROWS`` so, which data
of few different rows may be, they are thinned out evenly in the order of their digests.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

SAMPLED_ROWS = 2**18

Digests = NDArray[np.uint64]


def are_many(rows: int) -> bool:
    """Whether plans are made of a sample of so many rows, and not of all."""
    return rows > SAMPLED_ROWS


def begins(digests: Digests, zeros: int) -> NDArray[np.bool_]:
    """Which digests begin with so many zero bits."""
    if zeros == 0:
        return np.ones(len(digests), dtype=np.bool_)
    return np.asarray((digests >> np.uint64(64 - zeros)) == 0)


def zeros_for(digests: Digests, zeros: int = 0) -> int:
    """The fewest zero bits, at least ``zeros``, with which at most ``SAMPLED_ROWS`` different digests begin."""
    # Of rows that mostly differ, those that begin with so many are enough to tell, and need not all be sorted.
    probable = max(zeros, (len(digests) // (2 * SAMPLED_ROWS)).bit_length() - 1)
    for least in dict.fromkeys((probable, zeros)):
        found = np.sort(digests[begins(digests, least)])
        # Those that begin with more zeros come first.
        distinct = found[np.r_[True, found[1:] != found[:-1]][: len(found)]]
        if len(distinct) > SAMPLED_ROWS:
            # The first that is too many must not begin with as many.
            return 65 - int(distinct[SAMPLED_ROWS]).bit_length()
    return zeros


def sampled(digests: Digests) -> NDArray[np.intp] | None:
    """The places of the rows of the sample, in the order of their digests; None where it is all rows."""
    if not are_many(len(digests)):
        return None
    kept = np.flatnonzero(begins(digests, zeros_for(digests)))
    return kept[thinned(digests[kept])]


def thinned(digests: Digests, times: NDArray[np.int64] | None = None) -> NDArray[np.intp]:
    """Which rows are left of these, as places among them, each as often as it is in the sample.

    Args:
        times: how often each row comes; once by default.
    """
    order = np.argsort(digests, kind="stable")
    if times is None:
        count, places = len(order), order
    else:
        ends = np.cumsum(times[order])
        count = int(ends[-1]) if len(ends) else 0
        places = order[np.searchsorted(ends, _evenly(count), side="right")]
        return np.asarray(places)
    return np.asarray(places[_evenly(count)])


def _evenly(count: int) -> NDArray[np.int64]:
    """The places of at most ``SAMPLED_ROWS`` of so many, evenly."""
    kept = min(count, SAMPLED_ROWS)
    return (np.arange(kept, dtype=np.int64) * count) // max(kept, 1)


def of_sample(values: Any, sample: NDArray[np.intp] | None) -> Any:
    """An array's values of the sample; all of them where that is all rows."""
    return values if sample is None else values[sample]
