"""Champion and challenger side by side: the metrics of both, for whom they differ, and how their scores agree."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

from markupsafe import Markup

from mlflow_eval_plugin.evidence import Evidence
from mlflow_eval_plugin.reports.figures.pictures import Gallery, Picture
from mlflow_eval_plugin.reports.figures.svg import Scale, element, path
from mlflow_eval_plugin.reports.sentences.wording import count, in_order, metric_label, number
from mlflow_eval_plugin.reports.tables.cells import (
    Cell,
    PageTable,
    count_cell,
    estimate_cells,
    named_slices,
    number_cell,
    table_of,
)

_LEFT, _RIGHT, _TOP, _BOTTOM = 58.0, 470.0, 12.0, 424.0
_WIDTH, _HEIGHT = 484.0, 478.0
_BOTH = ("Champion", "Challenger", "Change", "95 % interval")
_JOINT = (
    "How often the champion gave one score and the challenger another: the darker, the more rows (by the logarithm). "
    "On the dashed line they agree."
)


def comparison_tables(measurements: Mapping[str, Any]) -> list[PageTable]:
    """Both classifiers on all rows, for whom they differ, and every change of every slice."""
    return _tables(measurements, _for_whom)


def error_comparison_tables(measurements: Mapping[str, Any]) -> list[PageTable]:
    """Both regressions on all rows, for whom which is closer, and every change of every slice."""
    return _tables(measurements, _who_is_closer)


def _tables(
    measurements: Mapping[str, Any], for_whom: Callable[[list[Mapping[str, Any]]], PageTable]
) -> list[PageTable]:
    reports = [measurements["overall"], *measurements["slices"]]
    tables = [_both(measurements["overall"]), for_whom(reports)]
    if "by_class" in measurements:
        tables += [_by_class(measurements["by_class"]), _moves(measurements["moves"])]
    return [*tables, _changes(reports), *named_slices(reports)] if len(reports) > 1 else tables


def _both(overall: Mapping[str, Any]) -> PageTable:
    metrics = overall["metrics"]
    rows = [(Cell(metric_label(name)), *_side_by_side(metrics[name])) for name in in_order(metrics)]
    return table_of("Both models on all rows", ("Metric", *_BOTH), rows)


def _side_by_side(metric: Mapping[str, Any]) -> tuple[Cell, ...]:
    change, limits = estimate_cells(metric["difference"])
    missing = metric["difference"]["value"] is None
    return (
        number_cell(metric["champion"]),
        number_cell(metric["challenger"]),
        change,
        Cell(metric["difference"]["reason"]) if missing else limits,
    )


def _by_class(by_class: Mapping[str, Mapping[str, Any]]) -> PageTable:
    rows = [
        (Cell(one), Cell(metric_label(name)), *_side_by_side(metrics[name]))
        for one, metrics in by_class.items()
        for name in in_order(metrics)
    ]
    return table_of("Both models by class", ("Class", "Metric", *_BOTH), rows)


def _moves(moves: list[Mapping[str, Any]]) -> PageTable:
    rows = [
        (
            Cell(one["champion"]),
            Cell(one["challenger"]),
            count_cell(one["n"]),
            count_cell(one["champion_right"]),
            count_cell(one["challenger_right"]),
        )
        for one in moves
    ]
    headers = ("Champion says", "Challenger says", "n", "Champion right", "Challenger right")
    return table_of("Where decisions moved", headers, rows)


def _who_is_closer(reports: list[Mapping[str, Any]]) -> PageTable:
    rows = [
        (
            Cell("all rows" if one["label"] == "overall" else one["label"]),
            count_cell(one["n"]),
            *estimate_cells(one["distance"]),
            count_cell(one["challenger_closer"]),
            count_cell(one["champion_closer"]),
            *estimate_cells(one["metrics"]["mae"]["difference"]),
            number_cell(one["sign_p"]),
        )
        for one in sorted(reports, key=lambda one: (one["label"] != "overall", -(one["distance"]["value"] or 0.0)))
    ]
    headers = (
        "Slice", "n", "Mean distance of the two", "95 % interval", "Challenger closer", "Champion closer",
        "Change in MAE", "95 % interval", "Sign test p",
    )  # fmt: skip
    return table_of("Whose predictions are closer, and for whom", headers, rows)


def _for_whom(reports: list[Mapping[str, Any]]) -> PageTable:
    rows = [
        (
            Cell("all rows" if one["label"] == "overall" else one["label"]),
            count_cell(one["n"]),
            *estimate_cells(one["disagreement"]),
            count_cell(one["only_challenger_right"]),
            count_cell(one["only_champion_right"]),
            *estimate_cells(one["metrics"]["accuracy"]["difference"]),
            number_cell(one["mcnemar_p"]),
        )
        for one in sorted(reports, key=lambda one: (one["label"] != "overall", -(one["disagreement"]["value"] or 0.0)))
    ]
    headers = (
        "Slice", "n", "Share decided differently", "95 % interval", "Only challenger right", "Only champion right",
        "Change in accuracy", "95 % interval", "McNemar p",
    )  # fmt: skip
    return table_of("Where they disagree, and for whom", headers, rows)


def _changes(reports: list[Mapping[str, Any]]) -> PageTable:
    names = in_order(reports[0]["metrics"])
    rows = [
        (
            Cell("all rows" if one["label"] == "overall" else one["label"]),
            count_cell(one["n"]),
            *(number_cell(one["metrics"][name]["difference"]["value"]) for name in names),
        )
        for one in reports
    ]
    return table_of("Changes by slice", ("Slice", "n", *(metric_label(name) for name in names)), rows)


def both_scores(evidence: Evidence) -> Gallery | None:
    """The scores of both; None where the models gave classes."""
    drawing = joint_scores(evidence.measurements)
    return None if drawing is None else Gallery((Picture("The scores of both", _JOINT, drawing),))


def joint_scores(measurements: Mapping[str, Any]) -> Markup | None:
    """How often each pair of scores was given, as inline SVG; None where the models gave classes."""
    joint = measurements.get("joint")
    if joint is None:
        return None
    sums = [[sum(cell) for cell in row] for row in joint]
    most = max(max(row) for row in sums) or 1.0
    x, y = Scale(0.0, 1.0, _LEFT, _RIGHT), Scale(0.0, 1.0, _BOTTOM, _TOP)
    side = (_RIGHT - _LEFT) / len(sums)
    cells = [
        element(
            "rect", x=x(i / len(sums)), y=y((j + 1) / len(sums)), width=side, height=side, class_="joint",
            fill_opacity=_shade(weight, most),
        )
        for i, row in enumerate(sums)
        for j, weight in enumerate(row)
        if weight > 0
    ]  # fmt: skip
    said = _described(measurements)
    parts = [*cells, path([(x(0), y(0)), (x(1), y(1))], class_="diagonal"), *_axes(x, y)]
    return element(
        "svg", element("title", "The scores of both models"), element("desc", said), *parts,
        viewBox=f"0 0 {_WIDTH:.0f} {_HEIGHT:.0f}", role="img", class_="plot", aria_label=f"Scores of both. {said}",
    )  # fmt: skip


def _shade(weight: float, most: float) -> float:
    # By the logarithm, or the few cells that hold most rows would be all there is to see.
    return 0.1 + 0.9 * math.log1p(1000 * weight / most) / math.log1p(1000)


def _described(measurements: Mapping[str, Any]) -> str:
    overall = measurements["overall"]
    return (
        f"They decide differently on {number(100 * (overall['disagreement']['value'] or 0.0))} % of the rows: on "
        f"{count(overall['only_challenger_right'])} only the challenger is right, on "
        f"{count(overall['only_champion_right'])} only the champion."
    )


def _axes(x: Scale, y: Scale) -> list[Markup]:
    parts = []
    for tick in (0.0, 0.2, 0.4, 0.6, 0.8, 1.0):
        parts += [
            element("text", f"{tick:g}", x=_LEFT - 8, y=y(tick) + 5, text_anchor="end"),
            element("text", f"{tick:g}", x=x(tick), y=_BOTTOM + 20, text_anchor="middle"),
        ]
    middle = (_TOP + _BOTTOM) / 2
    parts.append(element("text", "Champion's score", x=(_LEFT + _RIGHT) / 2, y=_BOTTOM + 44, text_anchor="middle"))
    parts.append(
        element(
            "text", "Challenger's score", x=16.0, y=middle, text_anchor="middle", transform=f"rotate(-90 16 {middle:g})"
        )
    )
    return parts
