"""A second engine: rows in shards, of which each answers with Summaries, and only these are added up.

A shard is an engine of rows in memory. What none of them knows by itself, the levels, edges and scales of all rows, is
found in a first pass (``_sample`` stands for the sample that an engine of files would take, here of all rows); then
each counts on that plan. Metrics of rows (``slice_rows``) are refused by name.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, reduce
from itertools import chain
from operator import add
from typing import Any

import numpy as np
import pandas as pd

from mlflow_eval_plugin.engines.arrow import (
    DigestSummary,
    comparing,
    drift,
    drift_binning,
    drift_summary,
    fold_summary,
    placement_summary,
    prediction_summary,
)
from mlflow_eval_plugin.engines.arrow import paired_summary as binary_pairs
from mlflow_eval_plugin.engines.arrow.binary.errors import scored_errors
from mlflow_eval_plugin.engines.arrow.columns.bands import can_be_cut, quantile_edges
from mlflow_eval_plugin.engines.arrow.columns.levels import CodedColumn, coded_columns
from mlflow_eval_plugin.engines.arrow.columns.plain import kind_of, plain
from mlflow_eval_plugin.engines.arrow.multiclass.errors import class_error_counts
from mlflow_eval_plugin.engines.arrow.queries import Sliced, sliced_columns, unanswered
from mlflow_eval_plugin.engines.arrow.regression.errors import regression_error_counts
from mlflow_eval_plugin.engines.arrow.rows import ArrowRows
from mlflow_eval_plugin.engines.arrow.search import CodedErrors
from mlflow_eval_plugin.engines.arrow.system import counted_system
from mlflow_eval_plugin.engines.arrow.windows import times_of, window_summary
from mlflow_eval_plugin.engines.contract import (
    DriftCounts,
    PassedOver,
    ReferenceColumn,
    ReferenceData,
    Sought,
    Thresholds,
    WindowCounts,
)
from mlflow_eval_plugin.engines.slicing import UNSLICED, Slicing
from mlflow_eval_plugin.stats.arrays import Index
from mlflow_eval_plugin.stats.counts.slice import Slice, level_order
from mlflow_eval_plugin.stats.drift.new_values import NEW_SHARE, new_share
from mlflow_eval_plugin.stats.drift.summary import DriftSummary, NumericColumn
from mlflow_eval_plugin.stats.drift.windows import Windowing
from mlflow_eval_plugin.stats.errors import InputError, TooManyLevels
from mlflow_eval_plugin.stats.regression.summary import MOST_BINS
from mlflow_eval_plugin.stats.slices.chance import Spectrum
from mlflow_eval_plugin.stats.slices.lattice import Errors
from mlflow_eval_plugin.stats.slices.weak import can_be_searched

NO_ROWS = "row_metrics: these rows lie in shards, and only counts leave a shard; give 'metrics', functions of counts"


class Shards:
    """See ``contract.RowData``; the shards are handles of one task."""

    def __init__(self, *shards: Any) -> None:
        self.shards = shards
        self._cut: list[Slicing] = []

    @property
    def names(self) -> tuple[str, ...]:
        return self.shards[0].names

    def schema(self) -> Any:
        kinds = (DigestSummary(one.schema(), 0, (0, 0)) for one in self.shards)
        return reduce(add, kinds).schema

    def present(self, column: str) -> int | None:
        found = [one.present(column) for one in self.shards]
        return None if found[0] is None else sum(found)

    def examples(self, column: str) -> tuple[str, ...]:
        return tuple(dict.fromkeys(chain.from_iterable(one.examples(column) for one in self.shards)))[:3]

    def system(self, slicing: Slicing, *, latency: str | None, cost: str | None) -> Any:
        cuts = self.cut(slicing)

        def counted(scale: float | None) -> list[Any]:
            return [
                counted_system(one.frame, cut.columns, cut.depth, latency=latency, cost=cost, cost_scale=scale)
                for one, cut in zip(self.shards, cuts, strict=True)
            ]

        scale = None if cost is None else max(one.cost_scale for one in counted(None))
        return reduce(add, counted(scale))

    @property
    def rows(self) -> int:
        return sum(one.rows for one in self.shards)

    def binned(
        self,
        columns: Sequence[str],
        *,
        roles: Mapping[str, Any],
        categorical: Collection[str],
        bits: Mapping[str, int],
    ) -> Mapping[str, ReferenceColumn]:
        del bits  # all shards hold their numbers in double precision
        sample = pd.DataFrame({name: self._sample(name) for name in columns})
        like = drift_binning(sample, columns=columns, roles=roles, categorical=list(categorical))
        kinds = {one.name: one.kind for one in self.schema()}
        return {one.name: ReferenceColumn(kinds[one.name], one) for one in self._on(like).columns}

    def _on(self, like: DriftSummary) -> DriftSummary:
        return reduce(add, (drift_summary(one.frame, like=like) for one in self.shards))

    def drift(
        self,
        reference: ReferenceData,
        *,
        columns: Sequence[str],
        roles: Mapping[str, Any],
        categorical: Sequence[str],
        as_given: bool,
    ) -> DriftCounts:
        del as_given  # columns that cannot be compared are left to the engine in memory
        binned = reference.binned(columns, roles=roles, categorical=categorical, bits={})
        before = DriftSummary(reference.rows, tuple(binned[name].known for name in columns))
        after = self._on(before)
        pairs = zip(before.columns, after.columns, strict=True)
        repeated = {one.name: self._repeated(one, other) for one, other in pairs if isinstance(one, NumericColumn)}
        return DriftCounts(before, after, {}, {name: one for name, one in repeated.items() if one is not None})

    def windows(self, reference: ReferenceData, windowing: Windowing, **asked: Any) -> WindowCounts:
        plan = windowing.plan(np.concatenate([times_of(one.frame, windowing.column).present for one in self.shards]))
        counts = self.drift(reference, **asked)
        parts = (window_summary(one.frame, plan, like=counts.reference) for one in self.shards)
        return WindowCounts(counts, reduce(add, parts))

    def cut(self, slicing: Slicing) -> list[Sliced]:
        """The columns that each shard is sliced by, with the levels of all."""
        if slicing not in self._cut:
            self._cut.append(slicing)
            columns = self._coded(slicing)
            for shard, own in zip(self.shards, columns, strict=True):
                shard._cut.append((slicing, Sliced(own, slicing.depth)))
        return [one.cut(slicing) for one in self.shards]

    def slice_rows(self, *_: Any) -> Any:
        raise InputError(NO_ROWS)

    def _added(self, slicing: Slicing, ask: Callable[[Any], Any]) -> Any:
        self.cut(slicing)
        return reduce(add, map(ask, self.shards))

    def _sample(self, name: str) -> pd.Series[Any]:
        return pd.concat([one.frame[name] for one in self.shards], ignore_index=True)

    def _edges(self, name: str, parts: int) -> tuple[Any, ...]:
        return quantile_edges(plain(self._sample(name)), parts, name)

    def _coded(self, slicing: Slicing) -> list[tuple[CodedColumn, ...]]:
        cut = {name: self._edges(name, parts) for name, parts in slicing.quantiles.items()}
        plan = replace(slicing, edges={**slicing.edges, **cut}, quantiles={})
        by_shard = [sliced_columns(one.frame, plan, part=True) for one in self.shards]
        by_column = [aligned(columns, slicing.max_levels) for columns in zip(*by_shard, strict=True)]
        asked = {one.name: one for one in slicing.queries}
        for columns in by_column:
            if columns[0].named and not any(one.codes.any() for one in columns):
                raise unanswered(asked[columns[0].name])
        return [tuple(columns) for columns in zip(*by_column, strict=True)] or [()] * len(self.shards)

    def _errors(self, sought: Sought, count: Callable[[Any, Sequence[CodedColumn]], CodedErrors]) -> ShardedErrors:
        found = {name: self._searched(name, sought) for name in sorted(set(sought.columns))}
        columns = [one for one in found.values() if not isinstance(one, PassedOver)]
        can_be_searched(len(columns), sought.depth)
        passed_over = tuple(one for one in found.values() if isinstance(one, PassedOver))
        parts = [count(one, [column[place] for column in columns]) for place, one in enumerate(self.shards)]
        return ShardedErrors(tuple(parts), passed_over)

    def _searched(self, name: str, sought: Sought) -> list[CodedColumn] | PassedOver:
        columns = [plain(one.frame[name]) for one in self.shards]
        if not sought.as_given and any(kind_of(one) == "lists" for one in columns):
            return PassedOver(name, "lists, not one value a row")
        edges, parts = sought.edges.get(name), sought.quantiles.get(name)
        known = [one for one in columns if kind_of(one) != "nothing"]
        if edges is None and parts is None and known and all(map(can_be_cut, known)):
            distinct = set().union(*(one.dropna().unique().tolist() for one in columns))
            parts = sought.bands if len(distinct) > sought.bands else None
        if parts:
            edges = self._edges(name, parts)
        plan: dict[str, Any] = {"edges": {name: edges} if edges else {}, "quantiles": {}}
        try:
            coded = [coded_columns(one.frame, [name], **plan, max_levels=sought.max_levels)[0] for one in self.shards]
            coded = aligned(coded, sought.max_levels)
        except TooManyLevels:
            if sought.as_given:
                raise
            return PassedOver(name, f"more than {sought.max_levels} levels")
        return PassedOver(name, "the same in all rows") if len(coded[0].levels) < 2 else coded

    def _repeated(self, before: NumericColumn, after: NumericColumn) -> float | None:
        """In a third pass, the value that most rows of the newest bin have."""
        newest = new_share(before.counts, after.counts)
        cell = newest.cell
        if cell is None or after.counts[cell] < comparing.LEAST_REPEATED or newest.rise[0] <= NEW_SHARE:
            return None
        low, high = np.concatenate([[-np.inf], before.edges, [np.inf]])[[cell, cell + 1]]
        found: Counter[float] = Counter()
        for one in self.shards:
            values = drift.values_of(plain(one.frame[before.name]))
            found.update(values[(values >= low) & (values < high) & np.isfinite(values)].tolist())
        value, times = min(found.items(), key=lambda entry: (-entry[1], entry[0]))
        return value if times >= comparing.REPEATED * found.total() else None


def aligned(columns: Sequence[CodedColumn], max_levels: int) -> list[CodedColumn]:
    """One column of each shard, coded by the levels that any of them has.

    Raises:
        TooManyLevels: for more than ``max_levels`` levels without the missing one.
    """
    if columns[0].named:
        return list(columns)
    levels = tuple(sorted({level for one in columns for level in one.levels}, key=level_order))
    if len(set(levels) - {"(missing)"}) > max_levels:
        raise TooManyLevels(f"column {columns[0].name!r} has more than {max_levels} levels")
    place = {level: position for position, level in enumerate(levels)}
    tables = [np.array([place[level] for level in one.levels], dtype=np.int16) for one in columns]
    return [replace(one, codes=at[one.codes], levels=levels) for one, at in zip(columns, tables, strict=True)]


@dataclass(frozen=True, eq=False)
class ShardedErrors:
    """See ``contract.ErrorCounts``: what each shard counts of cells is added up, or the largest taken."""

    parts: tuple[CodedErrors, ...]
    passed_over: tuple[PassedOver, ...]

    @property
    def rows(self) -> int:
        return sum(one.rows for one in self.parts)

    @property
    def columns(self) -> tuple[tuple[str, tuple[str, ...]], ...]:
        return self.parts[0].columns

    @property
    def levels(self) -> tuple[int, ...]:
        return self.parts[0].levels

    @property
    def one(self) -> float:
        return self.parts[0].one

    @cached_property
    def spectrum(self) -> Spectrum:
        largest = max(one.largest for one in self.parts)
        n, offset = (reduce(add, lanes) for lanes in zip(*(one.binned(largest) for one in self.parts), strict=True))
        squares = self.parts[0].in_squares(sum(one.squares() for one in self.parts))
        return Spectrum(n, offset, largest / self.one, squares)

    def split(self, columns: tuple[int, ...], cells: Index) -> ShardedCells:
        return ShardedCells([one.split(columns, cells) for one in self.parts])

    def square(self, columns: tuple[int, ...], cell: Index) -> float:
        squares = (one.squares(one.split(columns, cell[None, :]).rows) for one in self.parts)
        return self.parts[0].in_squares(sum(squares))

    def slice_of(self, columns: tuple[int, ...], cell: Index) -> Slice:
        return self.parts[0].slice_of(columns, cell)


@dataclass(frozen=True, eq=False)
class ShardedCells:
    """Some cells of every shard."""

    parts: list[Any]

    def by(self, column: int) -> Errors:
        found = [one.by(column) for one in self.parts]
        largest = reduce(np.maximum, (one.largest for one in found))
        return Errors(sum(one.n for one in found), sum(one.total for one in found), largest)


class BinaryShards(Shards):
    """See ``contract.BinaryData``."""

    has_labels = property(lambda self: self.shards[0].has_labels)
    has_scores = property(lambda self: self.shards[0].has_scores)
    has_predictions = property(lambda self: self.shards[0].has_predictions)

    def scores(self) -> Any:
        return self._added(UNSLICED, lambda one: one.scores())

    def sliced(self, slicing: Slicing, threshold: float = 0.5) -> Any:
        return self._added(slicing, lambda one: one.sliced(slicing, threshold))

    def errors(self, sought: Sought, error: Any, threshold: float) -> ShardedErrors:
        threshold = threshold if self.has_scores else 0.5
        return self._errors(sought, lambda one, columns: scored_errors(columns, one._scored, error, threshold))


class PairedBinaryShards:
    """See ``contract.PairedBinaryData``; rows are placed in a second pass, among those of all shards."""

    def __init__(self, challenger: BinaryShards, *pairs: Any) -> None:
        self._challenger, self._pairs = challenger, pairs

    champion_has_scores = property(lambda self: self._pairs[0].champion_has_scores)

    def counted(self, slicing: Slicing, thresholds: Thresholds) -> Any:
        self._challenger.cut(slicing)
        known = [one.pairs(slicing, thresholds) for one in self._pairs]
        summary = reduce(add, map(binary_pairs, known))
        placed = self._pairs[0].are_placed
        return summary, reduce(add, (placement_summary(one, summary) for one in known)) if placed else None


class MulticlassShards(Shards):
    """See ``contract.MulticlassData``; all shards are told the classes of all."""

    classes = property(lambda self: self.shards[0].classes)
    has_probabilities = property(lambda self: self.shards[0].has_probabilities)

    def sliced(self, slicing: Slicing = UNSLICED, *, ranked: bool = True) -> Any:
        return self._added(slicing, lambda one: one.sliced(slicing, ranked=ranked))

    def sliced_confidence(self, slicing: Slicing) -> Any:
        return self._added(slicing, lambda one: one.sliced_confidence(slicing))

    def confidence(self) -> Any:
        return self._added(UNSLICED, lambda one: one.confidence())

    def of_class(self, position: int) -> Any:
        return self._added(UNSLICED, lambda one: one.of_class(position))

    def top_label(self, position: int) -> Any:
        return self._added(UNSLICED, lambda one: one.top_label(position))

    def errors(self, sought: Sought, error: Any) -> ShardedErrors:
        return self._errors(sought, lambda one, columns: class_error_counts(columns, one.scored, error))


class PairedMulticlassShards:
    """See ``contract.PairedMulticlassData``."""

    def __init__(self, challenger: MulticlassShards, *pairs: Any) -> None:
        self._challenger, self._pairs = challenger, pairs

    champion_classes = property(lambda self: self._pairs[0].champion_classes)
    have_probabilities = property(lambda self: self._pairs[0].have_probabilities)

    def counted(self, slicing: Slicing, costs: Any) -> Any:
        self._challenger.cut(slicing)
        return reduce(add, (one.counted(slicing, costs) for one in self._pairs))


class RegressionShards(Shards):
    """See ``contract.RegressionData``; all shards are told the scale of all."""

    @cached_property
    def edges(self) -> Any:
        """Each different prediction: the edges of the bins of predictions."""
        found = np.unique(np.concatenate([np.unique(one.predicted.prediction) for one in self.shards]))
        assert len(found) <= MOST_BINS
        return found

    def moments(self, slicing: Slicing = UNSLICED) -> Any:
        return self._added(slicing, lambda one: one.moments(slicing))

    def folds(self, folds: int) -> Any:
        return reduce(add, (fold_summary(one.predicted, folds, edges=self.edges) for one in self.shards))

    def predictions(self) -> Any:
        return reduce(add, (prediction_summary(one.predicted, edges=self.edges) for one in self.shards))

    def errors(self, sought: Sought, error: Any) -> ShardedErrors:
        unit = max(regression_error_counts((), one.predicted, error).unit for one in self.shards)
        return self._errors(
            sought, lambda one, columns: regression_error_counts(columns, one.predicted, error, unit=unit)
        )


class PairedRegressionShards:
    """See ``contract.PairedRegressionData``."""

    def __init__(self, challenger: RegressionShards, *pairs: Any) -> None:
        self._challenger, self._pairs = challenger, pairs

    def counted(self, slicing: Slicing) -> Any:
        self._challenger.cut(slicing)
        return reduce(add, (one.counted(slicing) for one in self._pairs))


def any_shards(frame: pd.DataFrame, parts: Sequence[slice]) -> Shards:
    """Rows of no task, as drift compares them."""
    return Shards(*(ArrowRows(frame.iloc[part]) for part in parts))
