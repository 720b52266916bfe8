"""The tables and pictures of a regression's Evidence; the page and its other parts are those of every kind."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

from markupsafe import Markup

from mlflow_eval_plugin.reports.histograms import histogram
from mlflow_eval_plugin.reports.tables import Cell, Table, count_cell, estimate_cells, gaps_table, number_cell, table
from mlflow_eval_plugin.reports.words import in_order, interval, metric_label, number, short

_METRICS = ("mae", "rmse", "bias", "r2")


def is_regression(measurements: Mapping[str, Any]) -> bool:
    """Whether a document's measurements are of a regression; older documents do not say, and are of classifiers."""
    return measurements.get("task") == "regression"


def calibration_tables(measurements: Mapping[str, Any]) -> list[Table]:
    """Quantiles, intervals, bins, and the metrics of the reference."""
    tables = []
    if measurements["quantiles"]:
        tables.append(_quantiles(measurements))
    if measurements["intervals"]:
        tables.append(_intervals(measurements["intervals"]))
    if reference := measurements.get("reference"):
        metrics = reference["metrics"]
        rows = [(Cell(metric_label(name)), *estimate_cells(metrics[name])) for name in in_order(metrics)]
        tables.append(table("The same metrics on the reference rows", ("Metric", "Value", "95 % interval"), rows))
    return [*tables, _bins(measurements["bins_equal_mass"])]


def slice_tables(measurements: Mapping[str, Any]) -> list[Table]:
    """Metrics by slice, and gaps."""
    reports = [measurements["overall"], *measurements["slices"]]
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
    return [table("Metrics by slice", headers, rows), gaps_table(measurements["gaps"])]


def pit_picture(pit: Mapping[str, Any]) -> Markup:
    """The share of targets between consecutive quantiles, against the outline of what the levels claim."""
    levels = pit["levels"]
    labels = [f"{short(low)} to {short(high)}" for low, high in pairwise(levels)]
    furthest = max(range(len(labels)), key=lambda k: abs(pit["share"][k] - pit["expected"][k]))
    described = (
        f"Furthest from its claim: levels {labels[furthest]} hold {number(pit['share'][furthest])} of the targets and "
        f"should hold {number(pit['expected'][furthest])}."
    )
    bars = {"labels": labels, "reference": pit["expected"], "current": pit["share"]}
    return histogram({"name": "Targets between quantiles", "histogram": bars}, described)


def pit_caption(pit: Mapping[str, Any]) -> str:
    """What the picture shows, with the test."""
    return (
        "Share of targets between consecutive predicted quantiles (filled) against what the levels claim (outline). "
        f"Were all quantiles right, a difference as large would have the probability {number(pit['p_value'])} "
        f"(chi-squared {number(pit['chi_squared'])} with {pit['degrees_of_freedom']} degrees of freedom)."
    )


def _quantiles(measurements: Mapping[str, Any]) -> Table:
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
    return table(caption, ("Level", "Coverage", "95 % interval", "Pinball loss", "95 % interval"), rows)


def _intervals(intervals: Sequence[Mapping[str, Any]]) -> Table:
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
    return table("Intervals: the share of targets inside should be the level", headers, rows)


def _bins(bins: Sequence[Mapping[str, Any]]) -> Table:
    rows = [
        (
            Cell(f"{number(b['lower'])} to {number(b['upper'])}", float(b["lower"])),
            count_cell(b["n"]),
            number_cell(b["mean_prediction"]),
            number_cell(b["mean_target"]),
            Cell(interval(b["interval"])),
        )
        for b in bins
    ]
    headers = ("Predictions", "n", "Mean prediction", "Mean target", "95 % interval")
    return table("Bins of equal mass", headers, rows)
