"""The search for cycles stays paused while anybody needs it so, and is left as it was found."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from threading import Barrier, Thread

import pytest

from registry_hooks.storage.gc_pause import unsearched


@pytest.fixture(autouse=True)
def searching() -> Iterator[None]:
    gc.enable()
    yield
    gc.enable()


def test_it_is_on_again_after_an_error() -> None:
    with pytest.raises(KeyError), unsearched():
        assert not gc.isenabled()
        raise KeyError
    assert gc.isenabled()


def test_the_last_of_two_threads_turns_it_on() -> None:
    both, one_left, seen = Barrier(2), Barrier(2), list[bool]()

    def short() -> None:
        with unsearched():
            both.wait(10)
        one_left.wait(10)

    thread = Thread(target=short)
    thread.start()
    with unsearched():
        both.wait(10)
        one_left.wait(10)
        seen.append(gc.isenabled())
    thread.join(10)
    assert seen == [False]
    assert gc.isenabled()


def test_where_somebody_turned_it_off_it_stays_off() -> None:
    gc.disable()
    with unsearched():
        pass
    assert not gc.isenabled()
