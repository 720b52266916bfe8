"""Work side by side."""

from __future__ import annotations

import threading

import numpy as np
import pytest

from mlflow_eval_plugin.stats.counts.threads import THREADS, both, side_by_side, streams


def test_two_are_at_work_at_a_time_and_answers_keep_their_order():
    both = threading.Barrier(2, timeout=20)

    def make(item):
        both.wait()  # a thread that worked alone would wait in vain
        return item, threading.get_ident()

    made = side_by_side(make, iter(range(6)))
    assert [item for item, _ in made] == list(range(6))
    assert len({thread for _, thread in made}) == 2 == THREADS


def test_an_error_reaches_the_caller():
    with pytest.raises(ZeroDivisionError):
        side_by_side(lambda item: 1 / item, [1, 0])


def test_both_are_at_work_at_the_same_time_and_the_first_error_counts():
    together = threading.Barrier(2, timeout=20)

    def one(answer):
        together.wait()
        if isinstance(answer, Exception):
            raise answer
        return answer

    assert both(lambda: one(1), lambda: one("2")) == (1, "2")
    for first, second in ((KeyError("a"), OSError("b")), (KeyError("a"), 2), (1, KeyError("a"))):
        with pytest.raises(KeyError, match="a"):
            both(lambda first=first: one(first), lambda second=second: one(second))


def test_streams_are_those_that_numpy_spawns_and_no_two_are_alike():
    first, second = (stream.random(4).tolist() for stream in streams(5))
    expected = [np.random.default_rng(child).random(4).tolist() for child in np.random.SeedSequence(5).spawn(2)]
    assert [first, second] == expected
    assert first != second
