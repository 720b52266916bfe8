"""The tables of a drift report."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mlflow_eval_plugin.reports.sentences.wording import metric_label
from mlflow_eval_plugin.reports.tables.cells import Cell, PageTable, number_cell, table_of
from mlflow_eval_plugin.reports.tables.windows import window_tables

_ALWAYS = ("psi", "wasserstein", "ks", "js", "chi2", "new_share", "missing_change")
_WHERE_ANY = (
    "infinite_change", "sentinel_change", "new_categories", "vanished_categories", "lost_variety", "unit_change",
    "out_of_range",
)  # fmt: skip


def drift_tables(measurements: Mapping[str, Any]) -> list[PageTable]:
    """All causes that fit, changes of schema, and every column."""
    had = {name for column in measurements["columns"] for name in column["metrics"]}
    names = (*_ALWAYS, *(name for name in _WHERE_ANY if name in had))
    rows = [
        (
            Cell(column["name"]),
            Cell(f"{column['role']}, {column['kind']}"),
            Cell(column["hint"]),
            *(number_cell((column["metrics"].get(name) or {}).get("value")) for name in names),
            number_cell(column["missing_reference"]),
            number_cell(column["missing_current"]),
            Cell(", ".join(map(str, column["new_categories"][:5]))),
            Cell(", ".join(map(str, column["vanished_categories"][:5]))),
        )
        for column in measurements["columns"]
    ]
    headers = (
        "Column", "Role", "Hint", *(metric_label(name) for name in names), "Missing, reference", "Missing, current",
        "New categories", "Vanished",
    )  # fmt: skip
    further = (_causes_table, _schema_table, _keys_table, _passed_over_table, _together_table, _carriers_table)
    first = (table for table in (one(measurements) for one in further) if table is not None)
    return [*first, *window_tables(measurements), table_of("Drift by column", headers, rows)]


def _causes_table(measurements: Mapping[str, Any]) -> PageTable | None:
    """What fits, in the order in which to look; documents of before, and those where nothing fits, have none."""

    def row(one: Mapping[str, Any]) -> tuple[Cell, ...]:
        low, high = one.get("interval") or (None, None)
        numbers = (number_cell(number) for number in (one.get("value"), low, high))
        return (Cell(one["cause"]), Cell(one["column"]), Cell(one["sentence"]), *numbers)

    rows = [row(one) for one in measurements.get("causes") or ()]
    headers = ("Cause", "Column", "What was found", "Value", "At least", "At most")
    return table_of("Causes that fit, first to look at first", headers, rows) if rows else None


def _schema_table(measurements: Mapping[str, Any]) -> PageTable | None:
    def side(change: Mapping[str, Any], name: str) -> Cell:
        if change[name] is None:
            return Cell("not there")
        found = ", ".join(change.get(f"{name}_examples") or ())
        return Cell(f"{change[name]} ({found})" if found else str(change[name]))

    rows = [
        (Cell(one["column"]), Cell(one["change"]), side(one, "reference"), side(one, "current"),
         Cell("yes" if one.get("allowed") else ""))
        for one in measurements["schema_changes"]
    ]  # fmt: skip
    headers = ("Column", "Change", "Reference", "Current", "Allowed")
    return table_of("Changes of schema", headers, rows) if rows else None


def _keys_table(measurements: Mapping[str, Any]) -> PageTable | None:
    keys = measurements.get("keys")
    if keys is None:
        return None
    sides = ((name, keys[name]) for name in ("reference", "current") if keys[name] is not None)
    counts = ("rows", "missing", "repeated", "share")
    rows = [(Cell(name), *(number_cell(one[count]) for count in counts)) for name, one in sides]
    headers = ("Side", "Rows", "Without a key", "Rows that repeat a key", "Share of those with a key")
    return table_of(f"Key: {', '.join(keys['columns'])}", headers, rows)


def _passed_over_table(measurements: Mapping[str, Any]) -> PageTable | None:
    rows = [(Cell(one["column"]), Cell(one["reason"])) for one in measurements.get("passed_over") or ()]
    return table_of("Columns that were not compared", ("Column", "Reason"), rows) if rows else None


def _together_table(measurements: Mapping[str, Any]) -> PageTable | None:
    together = measurements.get("together")
    found = [("all columns together", together)] if together else []
    found += [(one["name"], one) for one in measurements.get("vectors") or ()]
    rows = []
    for name, one in found:
        read_back, shift = one["reconstruction"] or {}, one["mean_shift"] or {}
        auc = one["two_sample_auc"]
        numbers = (
            one["n_reference"], one["n_current"], auc["value"], *(auc["interval"] or (None, None)), shift.get("value"),
            read_back.get("reference"), read_back.get("current"),
        )  # fmt: skip
        rows.append((Cell(name), *map(number_cell, numbers)))
    headers = (
        "Of", "Rows drawn, reference", "Rows drawn, current", metric_label("two_sample_auc"), "from", "to",
        metric_label("mean_shift"), "Reconstruction error, reference", "Reconstruction error, current",
    )  # fmt: skip
    return table_of("Rows told from those of the reference", headers, rows) if rows else None


def _carriers_table(measurements: Mapping[str, Any]) -> PageTable | None:
    rows = [
        (Cell(one["column"]), number_cell(one["drop"]["value"]), *map(number_cell, one["drop"]["interval"]),
         Cell("yes" if one["named"] else ""))
        for one in (measurements.get("together") or {}).get("carriers") or ()
    ]  # fmt: skip
    headers = ("Column", "Drop of the AUC without it", "from", "to", "With confidence")
    return table_of("What rows are told apart by", headers, rows) if rows else None
