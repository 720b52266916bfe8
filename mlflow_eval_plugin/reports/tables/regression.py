"""The tables of a regression's Evidence."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from mlflow_eval_plugin.reports.sentences.wording import metric_label, number, short
from mlflow_eval_plugin.reports.tables.cells import (
    Cell,
    PageTable,
    count_cell,
    estimate_cells,
    named_slices,
    number_cell,
    table_of,
)
from mlflow_eval_plugin.reports.tables.full import (
    OF_MEANS,
    bins_table,
    gaps_table,
    recalibration_table,
    reference_table,
    tables_of_any_model,
)

_METRICS = ("mae", "rmse", "bias", "r2")


def mean_calibration_tables(measurements: Mapping[str, Any]) -> list[PageTable]:
    """Quantiles, intervals, bins, and the metrics of the reference."""
    tables = []
    if measurements["quantiles"]:
        tables.append(_quantiles(measurements))
    if measurements["intervals"]:
        tables.append(_intervals(measurements["intervals"]))
    if reference := measurements.get("reference"):
        tables.append(reference_table(reference["metrics"], measurements.get("change") or {}))
    if slices := measurements.get("slices"):
        tables += [_by_slice("Calibration by slice", slices), *named_slices(slices)]
    if recalibration := measurements.get("recalibration"):
        tables.append(recalibration_table(recalibration, "it", OF_MEANS))
    headers, members = ("Predictions", "Mean prediction", "Mean target"), ("mean_prediction", "mean_target")
    return [*tables, bins_table("Bins of equal mass", measurements["bins_equal_mass"], headers, members)]


def error_tables(measurements: Mapping[str, Any]) -> list[PageTable]:
    """Metrics by slice, and gaps."""
    reports = [measurements["overall"], *measurements["slices"]]
    by_slice = _by_slice("Metrics by slice", reports)
    return [by_slice, *named_slices(reports), *tables_of_any_model(measurements), gaps_table(measurements["gaps"])]


def _by_slice(caption: str, reports: Sequence[Mapping[str, Any]]) -> PageTable:
    metrics = [*_METRICS, *sorted(set(reports[0]["metrics"]) - set(_METRICS))]
    rows = [
        (
            Cell(report["label"]),
            count_cell(report["n"]),
            number_cell(report["mean_target"]),
            number_cell(report["mean_prediction"]),
            *(number_cell(report["metrics"][name]["value"]) for name in metrics),
        )
        for report in reports
    ]
    headers = ("Slice", "n", "Mean target", "Mean prediction", *(metric_label(name) for name in metrics))
    return table_of(caption, headers, rows)


def _quantiles(measurements: Mapping[str, Any]) -> PageTable:
    rows = [
        (
            Cell(f"{short(one['level'])} ({one['column']})", one["level"]),
            *estimate_cells(one["coverage"]),
            *estimate_cells(one["pinball"]),
        )
        for one in measurements["quantiles"]
    ]
    crossing = measurements["crossing"]["value"]
    caption = "Quantiles: the share of targets at or below should be the level"
    if crossing:
        caption += f"; in a share of {number(crossing)} of the rows they cross"
    return table_of(caption, ("Level", "Coverage", "95 % interval", "Pinball loss", "95 % interval"), rows)


def _intervals(intervals: Sequence[Mapping[str, Any]]) -> PageTable:
    rows = [
        (
            Cell(one["name"]),
            number_cell(one["level"]),
            *(cell for member in ("coverage", "width", "score") for cell in estimate_cells(one[member])),
        )
        for one in intervals
    ]
    headers = ("Interval", "Level", "Coverage", "95 % interval", "Mean width", "95 % interval", "Interval score",
               "95 % interval")  # fmt: skip
    return table_of("Intervals: the share of targets inside should be the level", headers, rows)
