"""The cells of which the tables of a report are made: text with a sort key, rows capped, the cap said."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from mlflow_eval_plugin.reports.sentences.wording import count, interval, number
from mlflow_eval_plugin.verdicts import Verdict

_MOST_ROWS = 150


@dataclass(frozen=True)
class Cell:
    """A cell's text, the number it sorts by (text where None), and the verdict that it shows, to filter by."""

    text: str
    key: float | None = None
    verdict: Verdict | None = None


@dataclass(frozen=True)
class PageTable:
    """A table whose first column names its rows; ``numeric`` says which columns are numbers, and so set right.

    ``note`` is what a reader must know of its numbers, ``cut_short`` how many of its rows are shown, where not all are.
    """

    caption: str
    headers: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    numeric: tuple[bool, ...]
    note: str = ""
    cut_short: str = ""

    def cut(self, most: int) -> PageTable:
        """The table with its first rows only, which it then says."""
        if len(self.rows) <= most:
            return self
        cut = f"The first {most} rows; the page of this kind alone has more, the Evidence document all."
        return replace(self, rows=self.rows[:most], cut_short=cut)


def table_of(
    caption: str, headers: Sequence[str], rows: Sequence[tuple[Cell, ...]], total: int | None = None
) -> PageTable:
    """A table of at most 150 rows; ``total`` says of how many where that is not all that are given."""
    total = len(rows) if total is None else total
    cut = f"The first {_MOST_ROWS} of {count(total)} rows; the Evidence document holds all." * (total > _MOST_ROWS)
    numeric = tuple(
        any(row[i].key is not None and row[i].verdict is None for row in rows) or "interval" in headers[i].lower()
        for i in range(len(headers))
    )
    return PageTable(caption, tuple(headers), tuple(rows[:_MOST_ROWS]), numeric, cut_short=cut)


def named_slices(reports: Sequence[Mapping[str, Any]]) -> list[PageTable]:
    """Which rows each named slice holds, as one table; none where there are no such slices."""
    named = [(Cell(one["label"]), Cell(one["query"])) for one in reports if one.get("query")]
    return [table_of("Named slices", ("Slice", "Its rows"), named)] if named else []


def estimate_cells(estimate: Mapping[str, Any]) -> tuple[Cell, Cell]:
    """An estimate and its interval."""
    return number_cell(estimate["value"]), Cell(interval(estimate["interval"]))


def number_cell(value: float | None) -> Cell:
    """A number, or an en dash that sorts below all."""
    return Cell(number(value), float("-inf") if value is None else float(value))


def count_cell(value: float) -> Cell:
    """A count, or a sum of weights."""
    return Cell(count(int(value)) if value == int(value) else number(value), float(value))
