"""What a report of three or more classes shows where that of two shows the positive class."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mlflow_eval_plugin.reports.sentences.wording import metric_label
from mlflow_eval_plugin.reports.tables.cells import Cell, PageTable, count_cell, estimate_cells, number_cell, table_of

_MOST_CONFUSED = 15
_RATES = ("precision", "recall", "f1", "fpr", "auc")
_OF_CLASS = ("ece_equal_mass", "calibration_in_the_large", "max_calibration_error", "brier")


def diagram_of(measurements: Mapping[str, Any]) -> Mapping[str, Any]:
    """The measurements that a reliability diagram draws: the confidence, where there are three or more classes."""
    confidence: Mapping[str, Any] = measurements.get("confidence", measurements)
    return confidence


def worst_class(measurements: Mapping[str, Any]) -> tuple[str, Mapping[str, Any]] | None:
    """The class whose probabilities are furthest from its rates, with its measurements; None where none is drawn."""
    drawn = {one: made for one, made in measurements["classwise"].items() if "corp" in made}
    worst = max(drawn, key=lambda one: drawn[one]["metrics"]["ece_equal_mass"]["value"], default=None)
    return None if worst is None else (worst, drawn[worst])


def class_tables(measurements: Mapping[str, Any]) -> list[PageTable]:
    """Calibration of all classes together, of each against the rest, and of the predictions of each."""
    metrics = measurements["metrics"]
    rows = [(Cell(metric_label(name)), *estimate_cells(metrics[name])) for name in sorted(metrics)]
    absent = measurements["classes_absent"]
    caption = "All classes together" + (f"; no row is of {', '.join(absent)}" if absent else "")
    return [
        table_of(caption, ("Metric", "Value", "95 % interval"), rows),
        _by_class("Each class against the rest", measurements, "classwise"),
        _by_class("The predictions of each class (top-label calibration)", measurements, "top_label"),
    ]


def slice_class_tables(measurements: Mapping[str, Any]) -> list[PageTable]:
    """Of all rows: every class against the rest, and which is taken for which; and the recalls of every slice."""
    overall, classes = measurements["overall"]["classes"], measurements["classes"]
    rows = [
        (
            Cell(one),
            count_cell(overall[one]["labelled"]),
            count_cell(overall[one]["predicted"]),
            *(number_cell(overall[one]["metrics"][name]["value"]) for name in _RATES),
        )
        for one in classes
    ]
    headers = ("Class", "Labelled", "Predicted", *map(metric_label, _RATES))
    tables = [table_of("Each class against the rest, all rows", headers, rows)]
    if len(classes) <= _MOST_CONFUSED:
        lines = zip(classes, measurements["confusion"], strict=True)
        confused = [(Cell(one), *map(count_cell, line)) for one, line in lines]
        tables.append(table_of("Labels (rows) and predictions (columns)", ("Label", *classes), confused))
    described = [one for one in measurements["slices"] if one["classes"]]
    if described and len(classes) <= _MOST_CONFUSED:
        recalls = [
            (Cell(one["label"]), *(number_cell(one["classes"][c]["metrics"]["recall"]["value"]) for c in classes))
            for one in described
        ]
        tables.append(table_of("Recall of each class by slice", ("Slice", *classes), recalls))
    return tables


def _by_class(caption: str, measurements: Mapping[str, Any], member: str) -> PageTable:
    rows = []
    for one in measurements["classes"]:
        made = measurements[member][one]
        values = (made["metrics"].get(name, {}).get("value") for name in _OF_CLASS)
        rows.append(
            (
                Cell(one),
                count_cell(made["n"]),
                number_cell(made["mean_score"]),
                number_cell(made["prevalence"]),
                *map(number_cell, values),
            )
        )
    headers = ("Class", "n", "Mean score", "Event rate", *map(metric_label, _OF_CLASS))
    return table_of(caption, headers, rows)
