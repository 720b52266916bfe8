"""What tells two readings of the same rows apart: how many there are, and the sums of their columns."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from mlflow_eval_plugin.engines.arrow.digest import column_sums
from mlflow_eval_plugin.engines.parts.columns import Part
from mlflow_eval_plugin.stats.errors import InputError


@dataclass(frozen=True)
class SumsOfColumns:
    """The rows, and by column the sum mod 2**64 of its mixed values."""

    rows: int
    columns: dict[str, int]

    def __add__(self, other: SumsOfColumns) -> SumsOfColumns:
        """Those of both sets of rows."""
        sums = {name: (one + other.columns[name]) % 2**64 for name, one in self.columns.items()}
        return SumsOfColumns(self.rows + other.rows, sums)


@dataclass(frozen=True)
class Sums:
    """Adds up columns: the same each time that the same rows are read, in any order."""

    columns: tuple[str, ...]

    def of(self, part: Part) -> SumsOfColumns:
        """Of a part."""
        return SumsOfColumns(part.rows, column_sums(part.frame(self.columns)))


class Readings:
    """What earlier readings were like, against which each further one is held."""

    def __init__(self) -> None:
        self._rows: int | None = None
        self._columns: dict[str, int] = {}

    @property
    def are_new(self) -> bool:
        """Whether nothing was read yet."""
        return self._rows is None

    def hold(self, *found: Any) -> None:
        """Take in a reading.

        Raises:
            InputError: where rows or columns are others than they were.
        """
        for one in found:
            again = {name: total for name, total in one.columns.items() if name in self._columns}
            changed = [name for name, total in again.items() if self._columns[name] != total]
            if self._rows not in (None, one.rows) or changed:
                told = ", ".join(map(repr, changed[:3])) + (", …" if len(changed) > 3 else "")
                raise InputError(
                    f"the data changed between two readings ({self._rows:,} rows, then {one.rows:,}"
                    f"{'; other values of ' + told if changed else ''}): read a fixed version"
                )
            self._rows = one.rows
            self._columns.update(one.columns)
