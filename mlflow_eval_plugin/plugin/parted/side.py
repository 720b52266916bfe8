"""One data set that is read in parts: its first rows, what it is called, and its digest."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import pandas as pd
import pyarrow as pa

from mlflow_eval_plugin.engines.arrow.columns.streams import read_arrow
from mlflow_eval_plugin.engines.parts.asking import Asking
from mlflow_eval_plugin.engines.parts.local import LocalPasses
from mlflow_eval_plugin.engines.parts.passes import Passes
from mlflow_eval_plugin.engines.parts.shown import Shown, ShownColumn
from mlflow_eval_plugin.engines.parts.survey.facts import require_names
from mlflow_eval_plugin.engines.parts.survey.hashing import Digest
from mlflow_eval_plugin.evaluators.config.base import Config
from mlflow_eval_plugin.evidence import Data
from mlflow_eval_plugin.plugin.data.tables import HEAD_ROWS
from mlflow_eval_plugin.plugin.sources.source import Source
from mlflow_eval_plugin.plugin.sources.spark import SparkSource
from mlflow_eval_plugin.stats.errors import InputError

Watching = Callable[[Iterable[pa.RecordBatch], int | None], Iterator[pa.RecordBatch]]


@dataclass(frozen=True, eq=False)
class Side:
    """Rows of a source.

    Attributes:
        label, prediction: the columns of labels and predictions, where there are such.
        features: the columns that are sliced and compared.
        label_name: what labels are called, also where there are none.
        watching: tells whoever looks how far each pass over the rows is.
    """

    name: str
    source: Source
    label: str | None
    prediction: str | None
    features: tuple[str, ...]
    watching: Watching
    label_name: str
    is_reference: bool = False

    @cached_property
    def asking(self) -> Asking:
        """The one through which all handles ask, so that passes and answers are shared."""
        return Asking(self._passes(), self.stored(None))

    def _passes(self) -> Passes:
        if isinstance(self.source, SparkSource):
            return self.source.passes
        return LocalPasses(self.source.schema, self._batches)

    def _batches(self, columns: Sequence[str]) -> Iterable[pa.RecordBatch]:
        # A batch without columns has no rows in Arrow's tables; the first column stands for them.
        names = list(columns) or self.source.schema.names[:1]
        return self.watching(self.source.batches(names), self.source.rows)

    def stored(self, weight: str | None) -> Shown:
        """What is digested: all columns as they were given, and the weights once more under their own name."""
        beside = [one for one in (self.label, self.prediction) if one is not None and one not in self.features]
        found = [ShownColumn(name, name) for name in (*self.features, *beside)]
        if weight is not None:
            free = "sample_weight"
            while free in self.features:
                free = f"model {free}"
            found.append(ShownColumn(free, weight))
        return Shown(tuple(found))

    @property
    def sliced(self) -> Shown:
        """The columns that rows are sliced by."""
        return Shown.given(self.features)

    def has_numbers(self, column: str) -> bool:
        """Whether a column holds numbers as such, and not as text, codes or decimals."""
        kind = self.source.schema.field(column).type
        return bool(pa.types.is_integer(kind) or pa.types.is_floating(kind))

    def weight(self, config: Config) -> str | None:
        """The column of weights, where the config names one; a reference has none.

        Raises:
            InputError: when there is no such column.
        """
        given = None if self.is_reference else getattr(config, "sample_weights", None)
        if given is None:
            return None
        name = str(config.column(given))
        require_names(self.sliced, [name], "sample_weights")
        return name

    def champion(self, config: Any, own: str | None) -> tuple[str, dict[str, Any]]:
        """The column with what the champion says of these rows, and whose it is, as JSON.

        Args:
            own: the column that holds the challenger's predictions, where one does.

        Raises:
            InputError: when there is no such column, or it is the challenger's.
        """
        name = str(config.column(str(config.champion.column)))
        if name == own:
            raise InputError(
                f"champion: {name!r} holds the challenger's predictions; name the column of the champion's"
            )
        require_names(self.sliced, [name], "champion")
        return name, {"source": "column", "column": name, "model_digest": None}

    def data(self, weight: str | None) -> Data:
        """The name of the data by content."""
        stored = self.stored(weight)
        digest = self.asking.digest if weight is None else Digest(stored, self.asking.digest.sampled)
        summary = self.asking.one(digest).summary
        return Data(name=self.name, digest=summary.digest, rows=summary.rows, columns=stored.names)


def head_of(source: Source) -> pd.DataFrame:
    """The first rows, with all columns.

    Raises:
        InputError: when there are none, or they cannot be read.
    """
    first = source.head().to_batches() if isinstance(source, SparkSource) else source.batches(source.schema.names)
    for batch in first:
        if batch.num_rows:
            found: Any = read_arrow(pa.table(batch.slice(0, HEAD_ROWS).replace_schema_metadata(None)))
            return found if isinstance(found, pd.DataFrame) else pd.DataFrame({source.schema.names[0]: found})
    raise InputError(f"{source.told}: it has no rows; check what made it")
