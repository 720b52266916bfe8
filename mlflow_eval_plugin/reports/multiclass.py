"""What a report of three or more classes shows where that of two shows the positive class."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mlflow_eval_plugin.reports.cells import Cell, Table, count_cell, estimate_cells, number_cell, table
from mlflow_eval_plugin.reports.words import metric_label

_OF_CLASS = ("ece_equal_mass", "calibration_in_the_large", "max_calibration_error", "brier")


def is_multiclass(measurements: Mapping[str, Any]) -> bool:
    """Whether the measurements are those of three or more classes."""
    return bool(measurements.get("task") == "multiclass")


def diagram_of(measurements: Mapping[str, Any]) -> Mapping[str, Any]:
    """The measurements that a reliability diagram draws: the confidence, where there are three or more classes."""
    confidence: Mapping[str, Any] = measurements.get("confidence", measurements)
    return confidence


def worst_class(measurements: Mapping[str, Any]) -> tuple[str, Mapping[str, Any]] | None:
    """The class whose probabilities are furthest from its rates, with its measurements; None where none is drawn."""
    drawn = {one: made for one, made in measurements["classwise"].items() if "corp" in made}
    worst = max(drawn, key=lambda one: drawn[one]["metrics"]["ece_equal_mass"]["value"], default=None)
    return None if worst is None else (worst, drawn[worst])


def class_tables(measurements: Mapping[str, Any]) -> list[Table]:
    """Calibration of all classes together, of each against the rest, and of the predictions of each."""
    metrics = measurements["metrics"]
    rows = [(Cell(metric_label(name)), *estimate_cells(metrics[name])) for name in sorted(metrics)]
    absent = measurements["classes_absent"]
    caption = "All classes together" + (f"; no row is of {', '.join(absent)}" if absent else "")
    return [
        table(caption, ("Metric", "Value", "95 % interval"), rows),
        _by_class("Each class against the rest", measurements, "classwise"),
        _by_class("The predictions of each class (top-label calibration)", measurements, "top_label"),
    ]


def _by_class(caption: str, measurements: Mapping[str, Any], member: str) -> Table:
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
    return table(caption, headers, rows)
