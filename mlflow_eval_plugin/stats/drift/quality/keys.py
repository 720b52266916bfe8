"""Rows that repeat a key that another row has, counted exactly and in parts.

A part says which different keys it has, by 64 bits each, in sorted runs. Runs are merged where the last is no shorter
than half of the one before, as in a sort by merging, so that n keys in any number of parts cost n log n, and not the
square.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import reduce
from typing import Final

import numpy as np
from numpy.typing import NDArray

from mlflow_eval_plugin.stats.errors import InputError

MOST_KEYS: Final = 2**26  # different ones; 512 MiB, and up to as much twice more where two runs are merged
KeyBits = NDArray[np.uint64]


@dataclass(frozen=True)
class KeyCounts:
    """How many rows repeat a key.

    Attributes:
        rows: all of them.
        missing: rows in which a column of the key has no value; they are no duplicates of one another.
        repeated: rows with a key, beyond the first of each key.
    """

    rows: int
    missing: int
    repeated: int

    @property
    def with_key(self) -> int:
        """Rows that have a key."""
        return self.rows - self.missing

    @property
    def share(self) -> float:
        """Of the rows with a key, those that repeat one; NaN without any."""
        return self.repeated / self.with_key if self.with_key else float("nan")


@dataclass(frozen=True, eq=False)
class Keys:
    """The different keys of some rows.

    Attributes:
        runs: hashes of keys, each run sorted and without repeats; a key may be in several.
    """

    rows: int
    missing: int
    runs: tuple[KeyBits, ...]

    @classmethod
    def of(cls, rows: int, keys: KeyBits) -> Keys:
        """Of so many rows, those that have a key."""
        return cls(rows, rows - len(keys), (_different(keys.copy()),))._held()

    @property
    def counts(self) -> KeyCounts:
        """How many rows repeat a key."""
        different = len(reduce(_merged, reversed(self.runs)))
        return KeyCounts(self.rows, self.missing, self.rows - self.missing - different)

    def __add__(self, other: Keys) -> Keys:
        """Those of both sets of rows.

        Raises:
            InputError: for more than ``MOST_KEYS`` different keys.
        """
        runs = sorted((*self.runs, *other.runs), key=len, reverse=True)
        while len(runs) > 1 and 2 * len(runs[-1]) >= len(runs[-2]):
            runs.append(_merged(runs.pop(), runs.pop()))
        return Keys(self.rows + other.rows, self.missing + other.missing, tuple(runs))._held()

    def _held(self) -> Keys:
        if sum(map(len, self.runs)) <= MOST_KEYS:
            return self
        run = reduce(_merged, reversed(self.runs))
        if len(run) > MOST_KEYS:
            raise InputError(
                f"key: there are more than {MOST_KEYS:,} different keys, which is as many as are counted exactly; "
                "evaluate fewer rows at a time, such as those of one day"
            )
        return Keys(self.rows, self.missing, (run,))


def _merged(first: KeyBits, second: KeyBits) -> KeyBits:
    return _different(np.concatenate([first, second]))


def _different(keys: KeyBits) -> KeyBits:
    """The different ones, sorted; in place, as far as that goes."""
    keys.sort(kind="stable")  # which merges sorted runs, and does not sort them anew
    first = np.empty(len(keys), dtype=np.bool_)
    first[:1] = True
    np.not_equal(keys[1:], keys[:-1], out=first[1:])
    return keys if first.all() else keys[first]
