"""Drift Summaries: counts of every column on the reference's bins; integers, mergeable, storable as JSON.

A numeric column has about four thousand edges at the reference's quantiles; a value that holds more of the rows than
that is a bin of its own, and where there are few distinct values each one is, so that counts of discrete columns are
exact. Bin ``j`` is ``[edges[j - 1], edges[j])``; the first and the last are open. The sum of the values of every bin
is held too, so that areas between distribution functions are exact. A value beyond the fences counts as on the fence in
these sums: a single value of 1e12 would be most of an area. Infinite values are counted apart.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Literal, get_args

import numpy as np

from mlflow_eval_plugin.stats.arrays import FloatArray, IntArray
from mlflow_eval_plugin.stats.counts.slice import lanes_added
from mlflow_eval_plugin.stats.drift.watched import Watched
from mlflow_eval_plugin.stats.errors import InputError, MergeError

Role = Literal["feature", "score", "prediction", "label"]
FORMAT = "mlflow-eval-plugin/drift-summary/1"
STEPS = 2.0**18  # fixed-point steps of a value per reference standard deviation
STEP_LIMIT = 2**35  # a value further from the first edge, in steps, counts as this: 131,072 standard deviations
NO_FENCES = (-np.inf, np.inf)


@dataclass(frozen=True, eq=False)
class NumericColumn:
    """One numeric column.

    Attributes:
        edges: increasing, ``(E,)``.
        coarse: positions in ``edges`` of the edges of the ten-bin table for PSI and Jensen-Shannon.
        spread: robust standard deviation of the reference, the unit of Wasserstein distances; 0 where it is constant.
        counts: rows per bin, ``(E + 1,)``.
        sums: sums per bin of value less first edge, both within the fences, ``(E + 1,)``, in ``spread / STEPS``; zeros
            where ``spread`` is 0.
        missing: rows that are missing or not a number.
        infinite: rows that are infinite; they are in no bin.
        fences: between which areas are taken, from the reference.
        moves_on: the reference's values are times, or whole numbers of which each came once, as keys and counters do.
        watched: counts of single values, for the quality of the data; None in documents that were written before.
    """

    name: str
    role: Role
    edges: FloatArray
    coarse: IntArray
    spread: float
    counts: IntArray
    sums: IntArray
    missing: int
    infinite: int = 0
    fences: tuple[float, float] = NO_FENCES
    moves_on: bool = False
    watched: Watched | None = None

    @property
    def present(self) -> int:
        """Rows with a finite value."""
        return int(self.counts.sum())

    @property
    def rows(self) -> int:
        """All rows."""
        return self.present + self.missing + self.infinite

    @property
    def fenced(self) -> FloatArray:
        """The edges, those beyond a fence on it."""
        return np.clip(self.edges, *self.fences)

    @property
    def offsets(self) -> FloatArray:
        """The sums per bin of value less first edge, both within the fences, in units of the column."""
        return self.sums * (self.spread / STEPS)

    def __add__(self, other: NumericColumn) -> NumericColumn:
        """The counts of both.

        Raises:
            MergeError: when the edges differ.
        """
        units = (self.spread, self.fences) == (other.spread, other.fences)
        if self.name != other.name or not np.array_equal(self.edges, other.edges) or not units:
            raise MergeError(
                f"column {self.name!r}: the bins differ; count both with drift_summary(..., like=reference)"
            )
        return replace(
            self,
            counts=self.counts + other.counts,
            sums=lanes_added(self.sums, other.sums),
            missing=self.missing + other.missing,
            infinite=self.infinite + other.infinite,
            watched=None if self.watched is None or other.watched is None else self.watched + other.watched,
        )


@dataclass(frozen=True, eq=False)
class CategoricalColumn:
    """One categorical column: ``counts[i]`` rows of ``levels[i]``, levels sorted; ``missing`` rows without a value."""

    infinite: ClassVar[int] = 0  # that would be a level

    name: str
    role: Role
    levels: tuple[str, ...]
    counts: IntArray
    missing: int

    @property
    def present(self) -> int:
        """Rows with a value."""
        return int(self.counts.sum())

    @property
    def rows(self) -> int:
        """All rows."""
        return self.present + self.missing

    def on(self, levels: tuple[str, ...]) -> IntArray:
        """The counts of these levels; 0 for those there are none of."""
        known = dict(zip(self.levels, self.counts.tolist(), strict=True))
        return np.array([known.get(level, 0) for level in levels], dtype=np.int64)

    def __add__(self, other: CategoricalColumn) -> CategoricalColumn:
        """The counts of both, on the union of their levels."""
        if self.name != other.name:
            raise MergeError(f"columns {self.name!r} and {other.name!r} are different columns")
        levels = tuple(sorted(set(self.levels) | set(other.levels)))
        return replace(
            self, levels=levels, counts=self.on(levels) + other.on(levels), missing=self.missing + other.missing
        )


Column = NumericColumn | CategoricalColumn


@dataclass(frozen=True, eq=False)
class DriftSummary:
    """All columns of one data set, counted on the reference's bins."""

    rows: int
    columns: tuple[Column, ...]

    def column(self, name: str) -> Column:
        """A column by its name.

        Raises:
            InputError: when there is none.
        """
        for one in self.columns:
            if one.name == name:
                return one
        raise InputError(f"column: no {name!r} among {', '.join(one.name for one in self.columns)}")

    def __add__(self, other: DriftSummary) -> DriftSummary:
        """The Summary of both sets of rows.

        Raises:
            MergeError: when columns or their bins differ.
        """
        if [(one.name, type(one)) for one in self.columns] != [(one.name, type(one)) for one in other.columns]:
            raise MergeError(
                "drift Summaries have different columns; count both with drift_summary(..., like=reference)"
            )
        merged: list[Any] = [a + b for a, b in zip(self.columns, other.columns, strict=True)]  # type: ignore[operator]
        return DriftSummary(self.rows + other.rows, tuple(merged))

    def to_document(self) -> dict[str, Any]:
        """JSON: what a reference is stored as."""
        return {"format": FORMAT, "rows": self.rows, "columns": [_written(one) for one in self.columns]}

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> DriftSummary:
        """Read what ``to_document`` wrote.

        Raises:
            InputError: for another format, or a document with parts missing.
        """
        if document.get("format") != FORMAT:
            raise InputError(f"drift reference: expected format {FORMAT!r}, found {document.get('format')!r}")
        try:
            return cls(int(document["rows"]), tuple(_read(one) for one in document["columns"]))
        except (KeyError, TypeError) as error:
            raise InputError(f"drift reference: the document is damaged ({error!r}); make it again") from error


def _written(column: Column) -> dict[str, Any]:
    common = {"name": column.name, "role": column.role, "counts": column.counts.tolist(), "missing": column.missing}
    if isinstance(column, CategoricalColumn):
        return {**common, "kind": "categorical", "levels": list(column.levels)}
    return {
        **common,
        "kind": "numeric",
        "edges": column.edges.tolist(),
        "coarse": column.coarse.tolist(),
        "spread": column.spread,
        "sums": column.sums.tolist(),
        "infinite": column.infinite,
        # JSON has no infinity.
        "fences": None if column.fences == NO_FENCES else list(column.fences),
        "moves_on": column.moves_on,
        **({} if column.watched is None else {"watched": column.watched.to_document()}),
    }


def _read(document: Mapping[str, Any]) -> Column:
    role = document["role"]
    if role not in get_args(Role):
        raise InputError(f"drift reference: unknown role {role!r}; expected one of {', '.join(get_args(Role))}")
    counts = np.array(document["counts"], dtype=np.int64)
    if document["kind"] == "categorical":
        return CategoricalColumn(document["name"], role, tuple(document["levels"]), counts, document["missing"])
    watched = document.get("watched")
    return NumericColumn(
        name=document["name"],
        role=role,
        edges=np.array(document["edges"], dtype=np.float64),
        coarse=np.array(document["coarse"], dtype=np.int64),
        spread=float(document["spread"]),
        counts=counts,
        sums=np.array(document["sums"], dtype=np.int64),
        missing=document["missing"],
        # Documents of earlier versions have none of these.
        infinite=document.get("infinite", 0),
        fences=tuple(document.get("fences") or NO_FENCES),
        moves_on=document.get("moves_on", False),
        watched=Watched.from_document(watched, len(document["coarse"]) + 1) if watched else None,
    )
