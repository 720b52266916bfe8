"""What rows are sliced by: one record, whatever is counted of the slices and by which engine."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from mlflow_eval_plugin.query import NamedQuery

Edge = float | datetime


@dataclass(frozen=True)
class Slicing:
    """Slice columns, how they are cut, and named slices.

    Attributes:
        columns: their levels and the intersections of up to ``depth`` columns are slices.
        edges, quantiles: numeric columns to cut, at edges or into so many full intervals; shards need ``edges``.
        max_levels: a column with more levels is an error.
        queries: named slices, each the rows that answer its query.
    """

    columns: Sequence[str] = ()
    depth: int = 2
    edges: Mapping[str, Sequence[Edge]] = field(default_factory=dict)
    quantiles: Mapping[str, int] = field(default_factory=dict)
    max_levels: int = 100
    queries: Sequence[NamedQuery] = ()


UNSLICED: Final = Slicing(depth=1)
