"""Small kernels that count in ways that can be checked by hand."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from mlflow_eval_plugin.stats.errors import InputError


@dataclass(frozen=True)
class Rows:
    """How many rows there are, and the sizes of the parts that they came in, in no order."""

    columns: tuple[str, ...] = ()

    def __call__(self, part: pa.Table) -> RowsFound:
        return RowsFound(part.num_rows, (part.num_rows,))


@dataclass(frozen=True)
class RowsFound:
    rows: int
    parts: tuple[int, ...]

    def __add__(self, other: RowsFound) -> RowsFound:
        return RowsFound(self.rows + other.rows, tuple(sorted(self.parts + other.parts)))


@dataclass(frozen=True)
class Table:
    """How often each value of a column comes, of whole numbers below a size; what is missing is counted last."""

    column: str
    size: int

    @property
    def columns(self) -> tuple[str, ...]:
        return (self.column,)

    def __call__(self, part: pa.Table) -> np.ndarray:
        codes = pc.fill_null(part[self.column], self.size).to_numpy().astype(np.int64)
        return np.bincount(codes, minlength=self.size + 1)


@dataclass(frozen=True)
class Refusing:
    """Refuses rows that hold a value."""

    column: str
    value: object

    @property
    def columns(self) -> tuple[str, ...]:
        return (self.column,)

    def __call__(self, part: pa.Table) -> int:
        if self.value in part[self.column].to_pylist():
            raise InputError(f"{self.column}: found {self.value!r}")
        return part.num_rows


@dataclass(frozen=True)
class Types:
    """The types of a part's columns, as text; the same in all parts."""

    columns: tuple[str, ...]

    def __call__(self, part: pa.Table) -> Same:
        return Same(frozenset({tuple(str(part.schema.field(name).type) for name in self.columns)}))


@dataclass(frozen=True)
class Same:
    found: frozenset[tuple[str, ...]]

    def __add__(self, other: Same) -> Same:
        return Same(self.found | other.found)
