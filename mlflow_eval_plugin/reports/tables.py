"""The full tables of a report, by kind."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from mlflow_eval_plugin.evidence import Check
from mlflow_eval_plugin.reports.cells import Cell, Table
from mlflow_eval_plugin.reports.cells import count_cell as _count
from mlflow_eval_plugin.reports.cells import estimate_cells as _estimate
from mlflow_eval_plugin.reports.cells import number_cell as _number
from mlflow_eval_plugin.reports.cells import table as _table
from mlflow_eval_plugin.reports.multiclass import class_tables, diagram_of, is_multiclass, slice_class_tables
from mlflow_eval_plugin.reports.words import (
    GLYPHS,
    VERDICTS,
    in_order,
    interval,
    metric_label,
    number,
    where,
    worst_first,
)
from mlflow_eval_plugin.reports.words import tolerance as tolerance_of

_SLICE_METRICS = (
    "prevalence", "selection_rate", "accuracy", "precision", "recall", "fpr", "fnr", "f1", "auc", "log_loss", "brier",
    "ece", "calibration_in_the_large",
)  # fmt: skip


def checks_table(checks: Sequence[Check]) -> Table:
    """All Checks, worst first."""
    rows = [
        (
            Cell(where(check)),
            Cell(metric_label(check.metric)),
            Cell(f"{GLYPHS[check.verdict]} {VERDICTS[check.verdict]}"),
            _number(check.value),
            Cell(interval(check.interval)),
            Cell(tolerance_of(check)),
            _count(check.n),
            _number(check.p_adjusted),
        )
        for check in worst_first(checks)
    ]
    headers = ("Scope", "Metric", "Verdict", "Value", "Interval", "Tolerance", "n", "Adjusted p")
    return _table("All checks", headers, rows, len(checks))


def key_numbers(measurements: Mapping[str, Any]) -> Table:
    """The calibration metrics, to stand beside the diagram: those of what it draws."""
    rows = []
    metrics = diagram_of(measurements)["metrics"]
    for name in in_order(metrics):
        estimate = metrics[name]
        value, limits = _estimate(estimate)
        rows.append(
            (Cell(metric_label(name)), value, limits if estimate["value"] is not None else Cell(estimate["reason"]))
        )
    caption = "Calibration of the confidence" if is_multiclass(measurements) else "Calibration metrics"
    return _table(caption, ("Metric", "Value", "95 % interval"), rows)


def tables_of(kind: str, measurements: Mapping[str, Any]) -> list[Table]:
    """The measurements of one kind as tables."""
    return {"calibration": _calibration, "disaggregated": _disaggregated, "drift": _drift}[kind](measurements)


def _calibration(measurements: Mapping[str, Any]) -> list[Table]:
    reference = measurements.get("reference")
    tables = class_tables(measurements) if is_multiclass(measurements) else []
    if reference:
        metrics = diagram_of(reference)["metrics"]
        rows = [(Cell(metric_label(name)), *_estimate(metrics[name])) for name in in_order(metrics)]
        tables.append(_table("The same metrics on the reference rows", ("Metric", "Value", "95 % interval"), rows))
    if recalibration := measurements.get("recalibration"):
        tables.append(_recalibration(recalibration))
    drawn = diagram_of(measurements)
    if tests := _tests(drawn):
        tables.append(tests)
    tables.append(_bins("Bins of equal width", drawn["bins"]))
    tables.append(_bins("Bins of equal mass", drawn["bins_equal_mass"]))
    return tables


def _recalibration(recalibration: Mapping[str, Any]) -> Table:
    rows = []
    for one in recalibration["methods"]:
        change, limits = _estimate(one["brier_change"])
        fitted = ", ".join(f"{name} {number(value)}" for name, value in sorted(one["parameters"].items())) or "–"
        rows.append(
            (
                Cell(one["method"].capitalize() + (" ✓" if one["method"] == recalibration["suggested"] else "")),
                change,
                limits if one["reason"] is None else Cell(one["reason"]),
                _number(one["ece_equal_mass"]),
                Cell(fitted),
            )
        )
    headers = ("Recalibration", "Change of Brier score", "95 % interval", "ECE that remains", "Fitted to all rows")
    said = recalibration["suggested"] or "none lowers the Brier score beyond chance"
    caption = f"Could it be mended without training anew? On rows not fitted to: {said}"
    return _table(caption, headers, rows)


def _tests(measurements: Mapping[str, Any]) -> Table | None:
    named = (("Spiegelhalter", "spiegelhalter", "z"), ("Hosmer-Lemeshow", "hosmer_lemeshow", "chi_squared"),
             ("ECCE-R", "ecce_test", "sigmas"))  # fmt: skip
    rows = [
        (Cell(words), _number(measurements[member][statistic]), _number(measurements[member]["p_value"]))
        for words, member, statistic in named
        if member in measurements  # Evidence of an earlier release has fewer
    ]
    caption = "Tests: how surprising would these rows be if every score were the true probability?"
    return _table(caption, ("Test", "Statistic", "p-value"), rows) if rows else None


def _bins(caption: str, bins: Sequence[Mapping[str, Any]]) -> Table:
    rows = [
        (
            Cell(f"{number(b['lower'])} to {number(b['upper'])}", float(b["lower"])),
            _count(b["n"]),
            _number(b["mean_score"]),
            _number(b["event_rate"]),
            Cell(interval(b["interval"])),
        )
        for b in bins
    ]
    return _table(caption, ("Scores", "n", "Mean score", "Event rate", "95 % interval"), rows)


def _disaggregated(measurements: Mapping[str, Any]) -> list[Table]:
    reports = [measurements["overall"], *measurements["slices"]]
    metrics = [name for name in _SLICE_METRICS if any(name in report["metrics"] for report in reports)]
    many = is_multiclass(measurements)
    rows = [
        (
            Cell(report["label"]),
            _count(report["n"]),
            *(() if many else (_count(report["positives"]),)),
            *(_number(report["metrics"].get(name, {}).get("value")) for name in metrics),
        )
        for report in reports
    ]
    headers = ("Slice", "n", *(() if many else ("Positives",)), *(metric_label(name) for name in metrics))
    tables = [_table("Metrics by slice" + ", means over classes" * many, headers, rows)]
    if many:
        tables += slice_class_tables(measurements)
    if costs := measurements.get("costs"):
        tables.append(_costs(costs))
    if fairness := _fairness(measurements.get("fairness", {})):
        tables.append(fairness)
    tables.append(_gaps(measurements.get("gaps", [])))
    return tables


def _costs(costs: Mapping[str, Any]) -> Table:
    nowhere = all(one["cost_at_best"] is None for one in costs["slices"])
    rows = [
        (
            Cell(one["label"]),
            *_estimate(one["cost"]),
            *(() if nowhere else (_threshold(one), _number(one["cost_at_best"]))),
        )
        for one in costs["slices"]
    ]
    by_kind = ", ".join(f"{kind} {number(costs[kind])}" for kind in ("fp", "fn", "tp", "tn"))
    best = ("Threshold that costs least here", "Cost there")
    headers = ("Slice", "Cost per row", "95 % interval", *(() if nowhere else best))
    return _table(f"What decisions cost, where a row costs {by_kind}", headers, rows)


def _threshold(one: Mapping[str, Any]) -> Cell:
    if one["best_threshold"] is None and one["cost_at_best"] is not None:
        return Cell("call nobody positive", float("inf"))
    return _number(one["best_threshold"])


def _fairness(fairness: Mapping[str, Mapping[str, Any]]) -> Table | None:
    if not fairness:
        return None
    names = in_order(next(iter(fairness.values())))
    rows = [
        (Cell(column), *(cell for name in names for cell in _estimate(estimates[name])))
        for column, estimates in sorted(fairness.items())
    ]
    headers = tuple(text for name in names for text in (metric_label(name), "95 % interval"))
    return _table("Fairness of a column: the largest difference between its slices", ("Column", *headers), rows)


def _gaps(gaps: Sequence[Mapping[str, Any]]) -> Table:
    ordered = sorted(gaps, key=lambda gap: -abs(gap["difference"]["value"] or 0.0))
    rows = [
        (
            Cell(gap["label"]),
            Cell(metric_label(gap["metric"])),
            Cell(gap["against"]),
            *_estimate(gap["difference"]),
            *_estimate(gap["ratio"]),
        )
        for gap in ordered
    ]
    headers = ("Slice", "Metric", "Against", "Difference", "95 % interval", "Ratio", "95 % interval")
    return _table("Gaps between slices, largest first", headers, rows)


def _drift(measurements: Mapping[str, Any]) -> list[Table]:
    names = ("psi", "wasserstein", "ks", "js", "chi2", "missing_change")
    rows = [
        (
            Cell(column["name"]),
            Cell(f"{column['role']}, {column['kind']}"),
            Cell(column["hint"]),
            *(_number((column["metrics"].get(name) or {}).get("value")) for name in names),
            _number(column["missing_reference"]),
            _number(column["missing_current"]),
            Cell(", ".join(map(str, column["new_categories"][:5]))),
            Cell(", ".join(map(str, column["vanished_categories"][:5]))),
        )
        for column in measurements["columns"]
    ]
    headers = (
        "Column", "Role", "Hint", *(metric_label(name) for name in names), "Missing, reference", "Missing, current",
        "New categories", "Vanished",
    )  # fmt: skip
    tables = [_table("Drift by column", headers, rows)]
    changes = [tuple(Cell(str(change[key])) for key in ("column", "change", "reference", "current"))
               for change in measurements["schema_changes"]]  # fmt: skip
    if changes:
        tables.insert(0, _table("Changes of schema", ("Column", "Change", "Reference", "Current"), changes))
    return tables
