"""Passes over rows with what a model says of them: the model is asked once, in the first pass that reads it.

What it says is written to a file in passing, and read from there in later passes. So it costs no memory, whatever the
number of rows, and a model that is slow, or does not say the same twice, is asked about each row one time.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa

from mlflow_eval_plugin.engines.parts.columns import Part
from mlflow_eval_plugin.engines.parts.passes import Kernel, Passes
from mlflow_eval_plugin.stats.errors import InputError

ASKED_ROWS = 2**14  # at a time: linear algebra may differ in the last bit with the number of rows, of fewer than 1,000

Said = Mapping[str, Any]


class ScoredPasses:
    """See ``passes.Passes``; rows are read in this process, each time in the same parts."""

    def __init__(self, passes: Passes, inputs: Sequence[str], outputs: pa.Schema, ask: Callable[[Any], Said]) -> None:
        """Rows of a source, with columns of a model.

        Args:
            inputs: the columns that the model is asked with, in their order.
            outputs: the columns that it adds.
            ask: what it says of a frame of these inputs, by the names of the outputs, one value a row.

        Raises:
            InputError: where the source has a column of that name.
        """
        if taken := sorted(set(outputs.names) & set(passes.schema.names)):
            raise InputError(f"model: its output {taken[0]!r} is a column of the data, too; rename the column")
        self._passes, self._inputs, self._outputs, self._ask = passes, tuple(inputs), outputs, ask
        self._folder = tempfile.TemporaryDirectory(prefix="mlflow-eval-")
        self._said: Path | None = None

    @property
    def name(self) -> str:
        """What the engine is called."""
        return self._passes.name

    @property
    def schema(self) -> pa.Schema:
        """The columns of the source, and those of the model."""
        return pa.schema([*self._passes.schema, *self._outputs])

    def count(self, kernels: Sequence[Kernel[Any]]) -> tuple[Any, ...]:
        """One pass over all rows.

        Raises:
            InputError: where the model says something else than one value a row, rows are others than when it was
                asked, or what it says cannot be written.
        """
        if not any(set(one.columns) & set(self._outputs.names) for one in kernels):
            return self._passes.count(kernels)
        if self._said is not None:
            with pa.OSFile(str(self._said)) as file:
                stored = iter(pa.ipc.open_stream(file))
                (found,) = self._passes.count([_Beside(self, kernels, lambda part: _next(stored, part))])
            return tuple(found.each)
        path = Path(self._folder.name) / "said.arrow"
        with pa.OSFile(str(path), "wb") as file, pa.ipc.new_stream(file, self._outputs) as stream:
            (found,) = self._passes.count([_Beside(self, kernels, lambda part: self._written(stream, part))])
        self._said = path
        return tuple(found.each)

    def columns_for(self, kernels: Sequence[Kernel[Any]]) -> tuple[str, ...]:
        """Those of the source that some kernels read, and the inputs of the model where it is still to be asked."""
        wanted = [name for one in kernels for name in one.columns if name not in self._outputs.names]
        return tuple(dict.fromkeys((*wanted, *(self._inputs if self._said is None else ()))))

    def _written(self, stream: Any, part: pa.Table) -> pa.RecordBatch:
        batches = [self._asked(part.slice(first, ASKED_ROWS)) for first in range(0, max(part.num_rows, 1), ASKED_ROWS)]
        (found,) = pa.Table.from_batches(batches).combine_chunks().to_batches() or [batches[0]]
        try:
            _write(stream, found)
        except OSError as error:
            raise InputError(
                f"model: what it says of the rows cannot be written to {self._folder.name} ({error}); make room there, "
                "or name another folder in the environment variable TMPDIR"
            ) from error
        return found

    def _asked(self, rows: pa.Table) -> pa.RecordBatch:
        said = self._ask(Part(rows).frame(self._inputs)) if rows.num_rows else {}
        columns = []
        for one in self._outputs:
            values = said.get(one.name, [])
            if len(values) != rows.num_rows:
                raise InputError(
                    f"model: expected {rows.num_rows} values of {one.name!r}, one a row, found {len(values)}"
                )
            columns.append(pa.array(values, one.type))
        return pa.record_batch(columns, schema=self._outputs)


class _Beside:
    """Several kernels as one, which are given the columns of a model beside those of the source."""

    def __init__(
        self, passes: ScoredPasses, kernels: Sequence[Kernel[Any]], said: Callable[[pa.Table], pa.RecordBatch]
    ) -> None:
        self._kernels, self._said = tuple(kernels), said
        self.columns = passes.columns_for(kernels)

    def __call__(self, part: pa.Table) -> _Each:
        found, said = part, self._said(part)
        for name in said.schema.names:
            found = found.append_column(said.schema.field(name), said.column(name))
        found = found.replace_schema_metadata(part.schema.metadata)
        return _Each([one(found) for one in self._kernels])


class _Each:
    """What each of some kernels counted."""

    def __init__(self, each: list[Any]) -> None:
        self.each = each

    def __add__(self, other: _Each) -> _Each:
        return _Each([a + b for a, b in zip(self.each, other.each, strict=True)])


def _write(stream: Any, batch: pa.RecordBatch) -> None:
    stream.write_batch(batch)


def _next(stored: Any, part: pa.Table) -> pa.RecordBatch:
    """What was said of the next part.

    Raises:
        InputError: where there are other rows than then.
    """
    found: pa.RecordBatch | None = next(stored, None)
    if found is None or found.num_rows != part.num_rows:
        raise InputError("the data changed between two readings, after the model was asked: read a fixed version")
    return found
