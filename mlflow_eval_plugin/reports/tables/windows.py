"""The tables of drift over windows of time: when columns changed, and which windows there are."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mlflow_eval_plugin.reports.sentences.dates import between, cautions, dated, spoken_instant
from mlflow_eval_plugin.reports.sentences.wording import metric_label
from mlflow_eval_plugin.reports.tables.cells import Cell, PageTable, count_cell, estimate_cells, number_cell, table_of


def window_tables(measurements: Mapping[str, Any]) -> list[PageTable]:
    """Both tables; none where a document has no windows."""
    windows = measurements.get("windows")
    return [*_changes(windows), _windows(windows)] if windows else []


def _changes(windows: Mapping[str, Any]) -> list[PageTable]:
    rows = [
        (
            Cell(column["name"]),
            Cell(spoken_instant(change["first"])),
            Cell(between(change) or "this window"),
            Cell(metric_label(change["metric"]) if change["metric"] else ""),
            *(estimate_cells(change["metrics"][change["metric"]]) if change["metric"] else (Cell(""), Cell(""))),
            count_cell(change["n_before"]),
            count_cell(change["n_after"]),
            number_cell(change["p_value"]),
        )
        for column, change in dated(windows)
    ]
    headers = (
        "Column", "Changed", "Between", "By", "Before to after", "95 % interval", "Rows before", "Rows after", "p-value"
    )  # fmt: skip
    return [table_of("When columns changed", headers, rows)] if rows else []


def _windows(windows: Mapping[str, Any]) -> PageTable:
    rows = [
        (
            Cell(spoken_instant(one["start"])),
            Cell(spoken_instant(one["end"])),
            count_cell(one["rows"]),
            Cell(spoken_instant(one["against"]) if one.get("against") else "–" if "against" in one else "reference"),
        )
        for one in windows["windows"]
    ]
    table = table_of(f"Windows of {windows['time_column']}", ("Start", "End", "Rows", "Compared with"), rows)
    return PageTable(**{**vars(table), "note": " ".join(cautions(windows))})
