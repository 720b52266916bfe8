"""What an evaluation of rows in parts takes: its first pass alone, which counts nothing by a plan and logs nothing."""

from __future__ import annotations

import resource
import time
from collections.abc import Mapping
from dataclasses import dataclass

from mlflow_eval_plugin.engines.parts.rows import PartedRows
from mlflow_eval_plugin.engines.parts.slices import surveyed
from mlflow_eval_plugin.evaluators.config.base import Config, judges_slices
from mlflow_eval_plugin.evaluators.slicing import slicing_of
from mlflow_eval_plugin.plugin.parted.side import Side
from mlflow_eval_plugin.stats.counts.slice import level_label

_MEBIBYTE = 2**20
_KIBIBYTE = 2**10  # the unit in which Linux tells the largest memory of a process


@dataclass(frozen=True)
class Column:
    """A column: its kind, and of how many rows it has a value."""

    name: str
    kind: str
    present: int
    lowest: str | None
    highest: str | None


@dataclass(frozen=True)
class Plan:
    """What the first pass finds, and what the evaluation takes by it.

    Attributes:
        slices: by evaluator, how many levels each slice column has.
        passes: how often the rows are read at least; a search reads them once more for each of its steps.
        seconds: what the first pass took; each further one takes about as long.
        peak_mebibytes: the largest memory of this process.
    """

    rows: int
    digest: str
    columns: tuple[Column, ...]
    slices: Mapping[str, Mapping[str, int]]
    passes: int
    seconds: float
    peak_mebibytes: int


def planned(side: Side, configs: Mapping[str, Config]) -> Plan:
    """Read all rows once.

    Raises:
        InputError: for rows that cannot be read, and columns of slices that are missing or have too many levels.
    """
    begun = time.monotonic()
    rows = PartedRows(side.asking, side.stored(None))
    slicings = {kind: slicing_of(config) for kind, config in configs.items() if judges_slices(config)}
    for slicing in slicings.values():
        side.asking.survey(*surveyed(slicing, rows.shown))
    digest = side.asking.digested.summary
    took = time.monotonic() - begun
    slices = {kind: {name: len(levels) for name, levels in rows.plan(one).levels} for kind, one in slicings.items()}
    return Plan(
        rows=digest.rows,
        digest=digest.digest,
        columns=tuple(
            Column(name, one.kind, one.present, *_ends(one.ends)) for name, one in sorted(rows.facts.each.items())
        ),
        slices=slices,
        passes=3 if any(config.has_champion for config in configs.values()) else 2,
        seconds=round(took, 3),
        peak_mebibytes=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * _KIBIBYTE // _MEBIBYTE,
    )


def _ends(ends: tuple[object, object] | None) -> tuple[str | None, str | None]:
    return (None, None) if ends is None else (level_label(ends[0]), level_label(ends[1]))
