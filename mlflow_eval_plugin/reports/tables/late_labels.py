"""What a page says of labels that have not arrived: how many have, and which documents judge those rows alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from mlflow_eval_plugin.evidence import Evidence
from mlflow_eval_plugin.reports.layouts import layout_of
from mlflow_eval_plugin.reports.sentences.wording import count, listed
from mlflow_eval_plugin.reports.tables.cells import Cell, PageTable, number_cell, table_of


def late_in_words(evidences: Sequence[Evidence]) -> str:
    """On which rows documents are judged whose labels have not all arrived; empty where there is none.

    Drift is judged on all rows, whatever has arrived.
    """
    late = [one for one in evidences if layout_of(one).needs_labels and _is_late(one.measurements)]
    if not late:
        return ""
    labels = late[0].measurements["labels"]
    kinds = list(dict.fromkeys(one.kind for one in late)) if len(late) < len(evidences) else []
    who = f"{listed(kinds).capitalize()} judged" if kinds else "Judged"
    received = f"{count(labels['received'])} of {count(labels['rows'])} rows"
    return f"{who} only the {received} whose labels have arrived; those whose labels come late may be unlike them."


def tables(measurements: Mapping[str, Any]) -> list[PageTable]:
    """How many labels have arrived, where some have not."""
    if not _is_late(measurements):
        return []
    labels = measurements["labels"]
    row = (Cell(labels["column"]), number_cell(labels["received"]), number_cell(labels["rows"]))
    return [table_of("Labels received", ("Label", "Received", "Rows"), [row])]


def _is_late(measurements: Mapping[str, Any]) -> bool:
    labels = measurements.get("labels") or {}
    return labels.get("received") != labels.get("rows")
