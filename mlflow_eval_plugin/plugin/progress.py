"""A progress bar for calls that take more than a moment: which step of how many, on a terminal or in a notebook."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

Batch = TypeVar("Batch", bound=Any)
MOMENT = 2.0  # seconds, before which nothing is shown


@contextmanager
def progress(steps: int) -> Iterator[Callable[[str], None]]:
    """What is yielded is called with the name of each step as it begins; the bar goes when the last has ended.

    Nothing is written where nobody looks: neither in logs nor in pipes, nor where there is no standard error.
    """
    from tqdm.auto import tqdm

    shown = "{desc} |{bar}| {n_fmt}/{total_fmt} steps, {elapsed}"
    with tqdm(total=steps, bar_format=shown, leave=False, delay=MOMENT, disable=not _watched()) as bar:
        started, begun = time.monotonic(), 0

        def begin(step: str) -> None:
            nonlocal begun
            bar.update(1 if begun else 0)
            begun += 1
            bar.set_description_str(step, refresh=time.monotonic() - started >= MOMENT)

        yield begin


def _watched() -> bool:
    terminal: bool = getattr(sys.stderr, "isatty", lambda: False)()
    return terminal or _in_a_notebook()


def _in_a_notebook() -> bool:
    interactive = sys.modules.get("IPython")
    shell = None if interactive is None else interactive.get_ipython()
    return shell is not None and "IPKernelApp" in shell.config


def counted_rows(batches: Iterable[Batch], rows: int | None) -> Iterator[Batch]:
    """One pass over rows that come in batches, with a bar of how many have been read, and of the time that is left."""
    from tqdm.auto import tqdm

    bar = tqdm(
        total=rows, desc="rows", unit=" rows", unit_scale=True, leave=False, delay=MOMENT, disable=not _watched()
    )
    with bar:
        for batch in batches:
            yield batch
            bar.update(batch.num_rows)
