"""What evaluators may ask of several columns at once, which no counts of columns can answer: keys, and drawn rows."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Protocol

from mlflow_eval_plugin.stats.drift.quality.keys import KeyCounts
from mlflow_eval_plugin.stats.multivariate.together import Together


class RowSample(Protocol):
    """Some rows of one side, which an engine looks into, and nobody else."""

    @property
    def total(self) -> int:
        """Of how many rows they were drawn."""


class SampledReference(Protocol):
    """Rows with which others are compared."""

    def keys(self, columns: Sequence[str]) -> KeyCounts:
        """How many rows repeat a key that is made of these columns, in any order.

        Raises:
            InputError: for a column of lists, too many keys, or a key that was not counted when there were rows.
        """

    def draw(self, columns: Sequence[str]) -> RowSample:
        """Some columns of at most 2**14 different rows, drawn by what they hold, whatever their order.

        Raises:
            InputError: for what has no rows any more.
        """


class SampledRows(SampledReference, Protocol):
    """Rows that are compared."""

    def together(
        self, reference: SampledReference, *, columns: Sequence[str], categorical: Collection[str], axes: bool
    ) -> Together:
        """Columns of both sides looked at together.

        Args:
            columns: both sides have them.
            categorical: columns of numbers whose values are codes.
            axes: also how far the mean has moved along the reference's principal axes.
        """
