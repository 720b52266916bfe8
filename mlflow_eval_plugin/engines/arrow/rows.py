"""Rows in memory behind the contract: what those of any task are asked.

The doors make these handles, and know what is in them; who is given one knows the contract alone.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from mlflow_eval_plugin.engines.arrow.comparing import FrameReference, counted_against, sliced_drift
from mlflow_eval_plugin.engines.arrow.digest import schema_of
from mlflow_eval_plugin.engines.arrow.drift import count_present, examples_of
from mlflow_eval_plugin.engines.arrow.multivariate.drawing import Drawn, drawn
from mlflow_eval_plugin.engines.arrow.multivariate.keys import keys_of
from mlflow_eval_plugin.engines.arrow.multivariate.looking import looked_at, require_vectors
from mlflow_eval_plugin.engines.arrow.queries import Sliced, sliced_columns
from mlflow_eval_plugin.engines.arrow.system import counted_system
from mlflow_eval_plugin.engines.arrow.windows import windows_against
from mlflow_eval_plugin.engines.contract import AskedColumns, DriftCounts, ReferenceData, WindowCounts
from mlflow_eval_plugin.engines.sampled import SampledReference
from mlflow_eval_plugin.engines.slicing import Slicing
from mlflow_eval_plugin.stats.drift.quality.keys import KeyCounts
from mlflow_eval_plugin.stats.drift.schema import ColumnType
from mlflow_eval_plugin.stats.drift.strata.sliced import SlicedDrift
from mlflow_eval_plugin.stats.drift.summary import DriftSummary
from mlflow_eval_plugin.stats.drift.windows import Windowing
from mlflow_eval_plugin.stats.multivariate.together import Together
from mlflow_eval_plugin.stats.slices.system import SystemSummary


@dataclass(frozen=True, eq=False)
class ArrowRows(FrameReference):
    """See ``contract.RowData``.

    Attributes:
        frame: columns by name; neither changed nor copied.
        part_of: how many rows there are, where these are some of them.
    """

    part_of: int = field(default=0, kw_only=True)
    _cut: list[tuple[Slicing, Sliced]] = field(default_factory=list, init=False, repr=False)

    @property
    def names(self) -> tuple[str, ...]:
        """What the columns are called, in their order."""
        return tuple(map(str, self.frame.columns))

    def schema(self) -> tuple[ColumnType, ...]:
        """The columns by name, sorted, each with its kind."""
        return self._types

    @cached_property
    def _types(self) -> tuple[ColumnType, ...]:
        return schema_of(self.frame)

    def present(self, column: str) -> int | None:
        """How many rows have a value of a column; None where there is no such column."""
        return count_present(self.frame, column)

    def examples(self, column: str) -> tuple[str, ...]:
        """A few values of a column; none where there is no such column."""
        return examples_of(self.frame, column)

    def drift(self, reference: ReferenceData, columns: AskedColumns) -> DriftCounts:
        """Both sides of some columns, counted on the bins of the reference."""
        return counted_against(reference, self.frame, columns)

    def windows(self, reference: ReferenceData, windowing: Windowing, columns: AskedColumns) -> WindowCounts:
        """The same, and these rows by window of time."""
        return windows_against(reference, self.frame, windowing, columns)

    def sliced_drift(self, slicing: Slicing, *, like: DriftSummary) -> SlicedDrift:
        """The rows by slice, each slice counted on these bins."""
        return sliced_drift(self.frame, self.cut(slicing), like=like)

    def keys(self, columns: Sequence[str]) -> KeyCounts:
        """How many rows repeat a key."""
        return keys_of(self.frame, columns).counts

    def draw(self, columns: Sequence[str]) -> Drawn:
        """Some columns of at most 2**14 different rows."""
        return drawn(self.frame, columns)

    def together(
        self, reference: SampledReference, *, columns: Sequence[str], categorical: Collection[str], axes: bool
    ) -> Together:
        """Columns of both sides looked at together."""
        own = self.draw(columns)
        require_vectors(own)  # also where the reference has no rows to look at
        return looked_at(reference.draw(columns), own, columns=columns, categorical=categorical, axes=axes)

    def system(self, slicing: Slicing, *, latency: str | None, cost: str | None) -> SystemSummary:
        """Latencies and costs by slice."""
        cut = self.cut(slicing)
        return counted_system(self.frame, cut.columns, cut.depth, latency=latency, cost=cost)

    def cut(self, slicing: Slicing) -> Sliced:
        """The columns that rows are sliced by, coded once for all that is counted by them.

        Raises:
            InputError: for a slice column that is missing or cannot be cut.
            TooManyLevels: for one with too many levels.
        """
        for known, found in self._cut:
            if known == slicing:
                return found
        self._cut.append((slicing, Sliced(sliced_columns(self.frame, slicing, sample=self.sample), slicing.depth)))
        return self._cut[-1][1]
