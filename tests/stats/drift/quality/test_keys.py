"""Rows that repeat a key, in any number of parts: what pandas counts of all at once."""

from __future__ import annotations

from functools import reduce
from operator import add

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlflow_eval_plugin.stats.drift.quality import keys
from mlflow_eval_plugin.stats.drift.quality.keys import KeyCounts, Keys
from mlflow_eval_plugin.stats.errors import InputError


def of(values: list[int], missing: int = 0) -> Keys:
    return Keys.of(len(values) + missing, np.array(values, dtype=np.uint64))


@given(st.lists(st.tuples(st.lists(st.integers(0, 30), max_size=40), st.integers(0, 3)), min_size=1, max_size=9))
def test_parts_in_any_order_count_what_pandas_counts_of_all(parts: list[tuple[list[int], int]]) -> None:
    values = [one for own, _ in parts for one in own]
    repeated = int(pd.Series(values, dtype="int64").duplicated().sum())
    missing = sum(none for _, none in parts)
    expected = KeyCounts(len(values) + missing, missing, repeated)
    made = [of(*one) for one in parts]
    assert reduce(add, made).counts == reduce(add, made[::-1]).counts == expected
    # In pairs, as a cluster adds them.
    while len(made) > 1:
        made = [reduce(add, made[place : place + 2]) for place in range(0, len(made), 2)]
    assert made[0].counts == expected


def test_many_small_parts_are_held_in_few_runs() -> None:
    found = reduce(add, (of(list(range(place, place + 4))) for place in range(0, 4000, 4)))
    assert len(found.runs) <= np.log2(4000) and found.counts == KeyCounts(4000, 0, 0)


def test_more_keys_than_are_held_are_refused_and_repeats_are_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keys, "MOST_KEYS", 10)
    same = of(list(range(10)))
    assert (same + same + same).counts == KeyCounts(30, 0, 20)
    with pytest.raises(InputError, match="key: there are more than 10 different keys, which is as many as are counted"):
        same + of([11])
    with pytest.raises(InputError, match="evaluate fewer rows at a time"):
        of(list(range(11)))


def test_without_any_key_there_is_no_share() -> None:
    assert np.isnan(of([], 5).counts.share)
    assert (of([1, 1, 2], 1).counts.share, of([1, 1, 2], 1).counts.with_key) == (1 / 3, 3)
