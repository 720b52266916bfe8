"""Columns of numbers or times cut into bands: ``[25, 35)``, ``[2024-01-01, 2024-04-01)``, the last one closed.

Values below the first edge and above the last have bands of their own, ``(-inf, 25)`` and ``(65, inf)``, and missing
ones the level ``(missing)``.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Protocol

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from mlflow_eval_plugin.engines.arrow.columns.factorizing import Codes
from mlflow_eval_plugin.engines.arrow.columns.plain import kind_of
from mlflow_eval_plugin.engines.arrow.sampling import of_sample
from mlflow_eval_plugin.engines.slicing import Edge
from mlflow_eval_plugin.stats.counts.slice import number_label
from mlflow_eval_plugin.stats.errors import InputError

MISSING = "(missing)"


class _Ordered(Protocol):
    """A column as one number a row, in the order of its values.

    Attributes:
        values: float64; of times counts of a unit, as int64, so that none is rounded.
        missing: whether a row has no value.
        step: how wide a band is where all values are the same.
    """

    values: NDArray[Any]
    missing: NDArray[np.bool_]
    step: Any

    def counted(self, edges: Sequence[Edge]) -> NDArray[Any]:
        """Edges as numbers like the values."""

    def edges(self, cuts: NDArray[Any]) -> tuple[Edge, ...]:
        """Such numbers as edges."""

    def written(self, cuts: NDArray[Any]) -> list[str]:
        """Such numbers as text."""


def by_edges(column: pd.Series[Any], edges: Sequence[Edge], name: str) -> tuple[Codes, list[str]]:
    """The band of every row, and what each code stands for.

    Args:
        column: as ``plain`` has it.
        edges: increasing numbers, or times; times without a time zone are in that of the column.

    Raises:
        InputError: for a column of neither numbers nor times, or edges that do not increase or are not of its kind.
    """
    if kind_of(column) == "nothing" and any(isinstance(edge, datetime) for edge in edges):
        ordered: _Ordered = _Times(pd.to_datetime(column), name, finest=False)
    else:
        ordered = _ordered(column, name, "edges")
    cuts = ordered.counted(edges)
    if len(cuts) < 2 or not (np.diff(cuts) > 0).all():
        raise InputError(f"edges: column {name!r} needs at least two increasing edges, found {_listed(edges)}")
    return _coded(ordered, cuts)


def by_quantiles(
    column: pd.Series[Any], parts: int, name: str, sample: NDArray[np.intp] | None = None
) -> tuple[Codes, list[str]]:
    """The band of each row, as ``by_edges`` has it, with edges that make bands equally full and are values of the data.

    Args:
        sample: the places of the rows that are to be equally many in each band; all rows by default.

    Raises:
        InputError: for fewer than two bands, or a column without a value, or of neither numbers nor times.
    """
    ordered = _ordered(column, name, "quantiles")
    return _coded(ordered, _quantiles(ordered, parts, name, sample))


def quantile_edges(column: pd.Series[Any], parts: int, name: str) -> tuple[Edge, ...]:
    """The edges with which ``by_edges`` cuts rows, of which these are all or a sample, as ``by_quantiles`` cuts these.

    Args:
        column: as ``plain`` has it.

    Raises:
        InputError: as ``by_quantiles``, or for quantiles between microseconds, which no edge can be.
    """
    ordered = _ordered(column, name, "quantiles")
    return ordered.edges(_quantiles(ordered, parts, name))


def _quantiles(ordered: _Ordered, parts: int, name: str, sample: NDArray[np.intp] | None = None) -> NDArray[Any]:
    values, missing = of_sample(ordered.values, sample), of_sample(ordered.missing, sample)
    known = values[~missing & np.isfinite(values)]
    if parts < 2 or len(known) == 0:
        raise InputError(f"quantiles: column {name!r} needs 2 or more intervals and a value, found {parts}")
    places = np.ceil(np.linspace(0, 1, parts + 1) * (len(known) - 1)).astype(np.intp)
    cuts = np.unique(np.partition(known, np.unique(places))[places])
    return cuts if len(cuts) > 1 else np.array([cuts[0], cuts[0] + ordered.step])


def can_be_cut(column: pd.Series[Any]) -> bool:
    """Whether a ``plain`` column holds numbers or times."""
    return kind_of(column) in ("number", "datetime")


def _coded(ordered: _Ordered, cuts: NDArray[Any]) -> tuple[Codes, list[str]]:
    values = ordered.values
    codes = np.searchsorted(cuts[1:-1], values, side="right") + 1
    codes = np.where(values < cuts[0], 0, np.where(values > cuts[-1], len(cuts), codes))
    said = ordered.written(cuts)
    closing = [")"] * (len(cuts) - 2) + ["]"]
    ranges = [f"[{low}, {high}{close}" for low, high, close in zip(said[:-1], said[1:], closing, strict=True)]
    labels = [f"(-inf, {said[0]})", *ranges, f"({said[-1]}, inf)", MISSING]
    return np.where(ordered.missing, len(labels) - 1, codes), labels


def _ordered(column: pd.Series[Any], name: str, argument: str) -> _Ordered:
    kind = kind_of(column)
    if kind == "datetime":
        return _Times(column, name, finest=argument == "quantiles")
    if kind in ("number", "nothing"):
        return _Numbers(column, name)
    raise InputError(
        f"{argument}: column {name!r} holds {kind}, only numbers and times can be cut; make texts that are times into "
        "such with pandas.to_datetime"
    )


class _Numbers:
    def __init__(self, column: pd.Series[Any], name: str) -> None:
        self.name = name
        self.values = column.to_numpy(dtype=np.float64, na_value=np.nan)
        self.missing = np.isnan(self.values)
        self.step = 1.0

    def counted(self, edges: Sequence[Edge]) -> NDArray[np.float64]:
        if any(isinstance(edge, datetime) for edge in edges):
            raise InputError(f"edges: column {self.name!r} holds numbers, and its edges are times: {_listed(edges)}")
        return np.asarray(edges, dtype=np.float64)

    def edges(self, cuts: NDArray[np.float64]) -> tuple[Edge, ...]:
        return tuple(map(float, cuts))

    def written(self, cuts: NDArray[np.float64]) -> list[str]:
        return [number_label(cut) for cut in cuts]


class _Times:
    """Times in the unit of the column, or in microseconds, which edges have."""

    def __init__(self, column: pd.Series[Any], name: str, *, finest: bool) -> None:
        index = pd.DatetimeIndex(column)
        self.name = name
        self.index = index if finest else index.as_unit("us")
        self.values = np.asarray(self.index.asi8)
        self.missing = np.asarray(self.index.isna())
        self.step = np.timedelta64(1, "D").astype(f"m8[{self.index.unit}]").astype(np.int64)

    def counted(self, edges: Sequence[Edge]) -> NDArray[np.int64]:
        return np.array([self._count(edge, edges) for edge in edges], dtype=np.int64)

    def edges(self, cuts: NDArray[np.int64]) -> tuple[Edge, ...]:
        if self.index.unit == "ns" and (cuts % 1000).any():
            raise InputError(f"quantiles: column {self.name!r} has times between microseconds; round them")
        return tuple(time.to_pydatetime() for time in self._times(cuts))

    def _times(self, cuts: NDArray[np.int64]) -> pd.DatetimeIndex:
        times = pd.DatetimeIndex(cuts.astype(f"M8[{self.index.unit}]"))
        return times if self.index.tz is None else times.tz_localize("UTC").tz_convert(self.index.tz)

    def written(self, cuts: NDArray[np.int64]) -> list[str]:
        known = self._times(cuts)
        days = all(time == time.normalize() for time in known)
        return [f"{time:%Y-%m-%d}" if days else time.isoformat(sep=" ") for time in known]

    def _count(self, edge: Edge, edges: Sequence[Edge]) -> int:
        if not isinstance(edge, datetime):
            raise InputError(
                f"edges: column {self.name!r} holds times, and its edges are numbers: {_listed(edges)}; give them as "
                "dates, such as '2024-01-31'"
            )
        time, zone = pd.Timestamp(edge), self.index.tz
        if zone is None and time.tzinfo is not None:
            raise InputError(
                f"edges: column {self.name!r} has no time zone, and the edge {edge.isoformat(sep=' ')} has one; give "
                "all without"
            )
        known = (time.tz_localize(zone) if time.tzinfo is None else time).to_datetime64()
        return int(known.astype(f"M8[{self.index.unit}]").astype(np.int64))


def _listed(edges: Sequence[Edge]) -> str:
    texts = [edge.isoformat(sep=" ") if isinstance(edge, datetime) else repr(edge) for edge in edges]
    return f"[{', '.join(texts[:6])}{', …' if len(texts) > 6 else ''}]"
