"""The full tables of a report: cells as text with a sort key, rows capped, the cap said."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from mlflow_eval_plugin.evidence import Check
from mlflow_eval_plugin.reports.sentences.ranking import worst_first
from mlflow_eval_plugin.reports.sentences.wording import (
    GLYPHS,
    SEVERITY,
    VERDICTS,
    count,
    in_order,
    interval,
    metric_label,
    number,
    short,
    where,
)
from mlflow_eval_plugin.reports.sentences.wording import tolerance as tolerance_of
from mlflow_eval_plugin.reports.tables.cells import (
    Cell,
    PageTable,
    count_cell,
    estimate_cells,
    named_slices,
    number_cell,
    table_of,
)
from mlflow_eval_plugin.reports.tables.multiclass import class_tables, diagram_of, slice_class_tables
from mlflow_eval_plugin.verdicts import Verdict

_MOST_COSTS = 6
_ERRORS = {
    "log_loss": "log loss",
    "brier": "squared error",
    "wrong": "share decided wrongly",
    "squared_error": "squared error",
    "absolute_error": "absolute error",
}
_SLICE_METRICS = (
    "prevalence", "selection_rate", "accuracy", "precision", "recall", "fpr", "fnr", "f1", "auc",
    "average_precision", "log_loss", "brier", "ece", "calibration_in_the_large",
)  # fmt: skip


def checks_table(checks: Sequence[Check]) -> PageTable:
    """All Checks, worst first."""
    rows = [
        (
            Cell(where(check)),
            Cell(metric_label(check.metric)),
            verdict_cell(check.verdict),
            number_cell(check.value),
            Cell(interval(check.interval)),
            Cell(tolerance_of(check)),
            count_cell(check.n),
            number_cell(check.p_adjusted),
        )
        for check in worst_first(checks)
    ]
    headers = ("Scope", "Metric", "Verdict", "Value", "Interval", "Tolerance", "n", "Adjusted p")
    return table_of("All checks", headers, rows, len(checks))


def verdict_cell(verdict: Verdict) -> Cell:
    """A verdict as glyph and word; fails sort first."""
    return Cell(f"{GLYPHS[verdict]} {VERDICTS[verdict]}", float(SEVERITY[verdict]), verdict)


def key_numbers(measurements: Mapping[str, Any], caption: str = "Calibration metrics") -> PageTable:
    """The calibration metrics, to stand beside the diagram: those of what it draws."""
    rows = []
    metrics = diagram_of(measurements)["metrics"]
    for name in in_order(metrics):
        estimate = metrics[name]
        value, limits = estimate_cells(estimate)
        rows.append(
            (Cell(metric_label(name)), value, limits if estimate["value"] is not None else Cell(estimate["reason"]))
        )
    return table_of(caption, ("Metric", "Value", "95 % interval"), rows)


def class_calibration_tables(measurements: Mapping[str, Any]) -> list[PageTable]:
    """All classes, each of them, and what else there is of the confidence."""
    return [*class_tables(measurements), *calibration_tables(measurements, "the confidence")]


def calibration_tables(measurements: Mapping[str, Any], calibrated: str = "it") -> list[PageTable]:
    """The reference, the slices, what recalibration would give, the tests and the bins.

    Args:
        calibrated: what would be recalibrated.
    """
    reference = measurements.get("reference")
    tables = []
    if reference:
        tables.append(reference_table(diagram_of(reference)["metrics"], measurements.get("change") or {}))
    if slices := measurements.get("slices"):
        tables += [_calibration_by_slice(slices), *named_slices(slices)]
    if recalibration := measurements.get("recalibration"):
        tables.append(recalibration_table(recalibration, calibrated))
    drawn = diagram_of(measurements)
    if tests := _tests(drawn):
        tables.append(tests)
    tables.append(bins_table("Bins of equal width", drawn["bins"]))
    tables.append(bins_table("Bins of equal mass", drawn["bins_equal_mass"]))
    return tables


def reference_table(metrics: Mapping[str, Any], change: Mapping[str, Any]) -> PageTable:
    """The metrics of the reference rows, and what is known to have changed since; of coverages only the change."""
    none = (Cell("–"), Cell("–"))
    rows = [
        (
            Cell(metric_label(name)),
            *(estimate_cells(metrics[name]) if name in metrics else none),
            *(estimate_cells(change[name]) if name in change else none),
        )
        for name in in_order({*metrics, *change})
    ]
    headers = ("Metric", "Reference", "95 % interval", "Change since then", "95 % interval")
    return table_of("The reference rows, and what has changed since", headers, rows)


def _calibration_by_slice(slices: Sequence[Mapping[str, Any]]) -> PageTable:
    names = in_order(slices[0]["metrics"])
    rows = [
        (
            Cell(one["label"]),
            count_cell(one["n"]),
            *(number_cell(one["metrics"][name]["value"]) for name in names),
            number_cell(one["spiegelhalter"]["z"]),
            number_cell(one["spiegelhalter"]["p_value"]),
        )
        for one in slices
    ]
    headers = ("Slice", "n", *(metric_label(name) for name in names), "Spiegelhalter's z", "p-value")
    return table_of("Calibration by slice", headers, rows)


# Of what a change is reported, how it is told, and what remains.
OF_SCORES = ("brier_change", "Brier score", "ece_equal_mass", "ECE")
OF_MEANS = ("mse_change", "mean squared error", "mean_error", "Mean error of a bin")


def recalibration_table(
    recalibration: Mapping[str, Any], what: str, told: tuple[str, str, str, str] = OF_SCORES
) -> PageTable:
    """What each recalibration would do, and which one is suggested."""
    changed, loss, remaining, error = told
    rows = []
    for one in recalibration["methods"]:
        change, limits = estimate_cells(one[changed])
        fitted = ", ".join(f"{name} {number(value)}" for name, value in sorted(one["parameters"].items())) or "–"
        rows.append(
            (
                Cell(one["method"].capitalize() + (" ✓" if one["method"] == recalibration["suggested"] else "")),
                change,
                limits if one["reason"] is None else Cell(one["reason"]),
                number_cell(one[remaining]),
                Cell(fitted),
            )
        )
    headers = ("Recalibration", f"Change of {loss}", "95 % interval", f"{error} that remains", "Fitted to all rows")
    said = recalibration["suggested"] or f"none lowers the {loss} beyond chance"
    caption = f"Could {what} be mended without training anew? On rows not fitted to: {said}"
    return table_of(caption, headers, rows)


def _tests(measurements: Mapping[str, Any]) -> PageTable | None:
    named = (("Spiegelhalter", "spiegelhalter", "z"), ("Hosmer-Lemeshow", "hosmer_lemeshow", "chi_squared"),
             ("ECCE-R", "ecce_test", "sigmas"), ("Cox", "cox_test", "chi_squared"))  # fmt: skip
    rows = [
        (Cell(words), number_cell(measurements[member][statistic]), number_cell(measurements[member]["p_value"]))
        for words, member, statistic in named
        if member in measurements  # Evidence of an earlier release has fewer
    ]
    caption = "Tests: how surprising would these rows be if every score were the true probability?"
    return table_of(caption, ("Test", "Statistic", "p-value"), rows) if rows else None


def bins_table(
    caption: str,
    bins: Sequence[Mapping[str, Any]],
    headers: tuple[str, str, str] = ("Scores", "Mean score", "Event rate"),
    members: tuple[str, str] = ("mean_score", "event_rate"),
) -> PageTable:
    """Bins of predictions: of each its range, its rows, the mean of what was said and of what was so.

    Args:
        headers: of the range and of the two means.
        members: of a bin that hold the two means.
    """
    said, so = members
    rows = [
        (
            Cell(f"{number(b['lower'])} to {number(b['upper'])}", float(b["lower"])),
            count_cell(b["n"]),
            number_cell(b[said]),
            number_cell(b[so]),
            Cell(interval(b["interval"])),
        )
        for b in bins
    ]
    return table_of(caption, (headers[0], "n", *headers[1:], "95 % interval"), rows)


def class_disaggregated_tables(measurements: Mapping[str, Any]) -> list[PageTable]:
    """The tables of ``disaggregated`` for three or more classes: without positives, and each class comes second."""
    first, *others = disaggregated_tables(measurements, many=True)
    return [first, *slice_class_tables(measurements), *others]


def disaggregated_tables(measurements: Mapping[str, Any], *, many: bool = False) -> list[PageTable]:
    """Metrics by slice, pooled rates, costs, latencies, fairness and gaps.

    Args:
        many: whether metrics are means over three or more classes.
    """
    reports = [measurements["overall"], *measurements["slices"]]
    known = measurements["overall"]["metrics"]
    own = sorted(set(known) - {*_SLICE_METRICS, "balanced_accuracy"})
    metrics = [*(name for name in _SLICE_METRICS if name in known), *own]
    rows = [
        (
            Cell(report["label"]),
            count_cell(report["n"]),
            *(() if many else (count_cell(report["positives"]),)),
            *(number_cell(report["metrics"].get(name, {}).get("value")) for name in metrics),
        )
        for report in reports
    ]
    headers = ("Slice", "n", *(() if many else ("Positives",)), *(metric_label(name) for name in metrics))
    tables = [table_of("Metrics by slice" + ", means over classes" * many, headers, rows)]
    tables += named_slices(reports)
    if pooled := measurements.get("pooled"):
        tables.append(_pooled(pooled))
    if costs := measurements.get("costs"):
        tables.append(_costs(costs))
    tables += tables_of_any_model(measurements)
    if fairness := _fairness(measurements.get("fairness", {})):
        tables.append(fairness)
    tables.append(gaps_table(measurements.get("gaps", [])))
    return tables


def _pooled(pooled: Sequence[Mapping[str, Any]]) -> PageTable:
    rows = [
        (
            Cell(one["label"]),
            Cell(metric_label(one["metric"])),
            number_cell(one["trials"]),
            number_cell(one["raw"]),
            *estimate_cells(one["pooled"]),
            number_cell(one["mean"]),
            number_cell(one["deviation"]),
        )
        for one in sorted(pooled, key=lambda one: one["trials"])
    ]
    headers = ("Slice", "Metric", "n of the rate", "As counted", "Pooled", "95 % interval", "Mean of such slices",
               "Deviation between them")  # fmt: skip
    return table_of("Rare slices: what their rates are likely to be, given those of their neighbours", headers, rows)


def _costs(costs: Mapping[str, Any]) -> PageTable:
    nowhere = all(one.get("cost_at_best") is None for one in costs["slices"])
    rows = [
        (
            Cell(one["label"]),
            *estimate_cells(one["cost"]),
            *(() if nowhere else (_threshold(one), number_cell(one["cost_at_best"]))),
        )
        for one in costs["slices"]
    ]
    kinds = [(kind, costs[kind]) for kind in ("fp", "fn", "tp", "tn") if kind in costs]
    mistakes = [(f"{a} taken for {b}", cost) for a, row in costs.get("by_label", {}).items() for b, cost in row.items()]
    dear = sorted(mistakes, key=lambda one: -one[1])
    by_kind = ", ".join(f"{kind} {short(cost)}" for kind, cost in (*kinds, *dear[:_MOST_COSTS]))
    by_kind += ", …" * (len(dear) > _MOST_COSTS)
    best = ("Threshold that costs least here", "Cost there")
    headers = ("Slice", "Cost per row", "95 % interval", *(() if nowhere else best))
    return table_of(f"What decisions cost, where a row costs {by_kind}", headers, rows)


def tables_of_any_model(measurements: Mapping[str, Any]) -> list[PageTable]:
    """What slices wait and cost, and what a search has found: where they were asked for, whatever is predicted."""
    tables = []
    if system := measurements.get("system"):
        tables.append(_system(system))
    if weak := measurements.get("weak_slices"):
        tables.append(_weak_slices(weak))
    return tables


def _system(system: Mapping[str, Any]) -> PageTable:
    names = in_order(system["slices"][0]["metrics"])
    rows = [
        (
            Cell(one["label"]),
            count_cell(one["n"]),
            *(cell for name in names for cell in estimate_cells(one["metrics"][name])),
        )
        for one in system["slices"]
    ]
    columns = " and ".join(f"“{system[key]}”" for key in ("latency_column", "cost_column") if system[key] is not None)
    headers = tuple(text for name in names for text in (metric_label(name), "95 % interval"))
    return table_of(
        f"What slices wait and cost, by the columns {columns}; every row counts once", ("Slice", "n", *headers), rows
    )


def _weak_slices(weak: Mapping[str, Any]) -> PageTable:
    rows = [
        (
            Cell(one["label"]),
            count_cell(one["n"]),
            number_cell(one["mean_error"]),
            number_cell(one["ratio"]),
            *estimate_cells(one["difference"]),
            number_cell(one["score"]),
            number_cell(one["p_adjusted"]),
        )
        for one in weak["slices"]
    ]
    headers = (
        "Slice", "n", "Mean error", "Times that of all rows", "Above all other rows", "95 % interval", "Score",
        "Adjusted p",
    )  # fmt: skip
    error = _ERRORS[weak["error"]]
    caption = (
        f"Where the model errs most, found by search: {error} in slices of up to {weak['depth']} of "
        f"{len(weak['columns'])} columns with {count(weak['minimum_support'])} rows or more"
    )
    note = (
        "The adjusted p-value accounts for all slices that could have been found, at most "
        f"{count(sum(weak['lattice']))}; the interval does not."
    )
    if not rows:
        note = "There is none: no slice has so much larger a mean error that its score is above 0."
    if weak["passed_over"]:
        columns = ", ".join(f"{one['column']} ({one['reason']})" for one in weak["passed_over"][:20])
        note += f" Columns passed over: {columns}."
    return replace(table_of(caption, headers, rows), note=note)


def _threshold(one: Mapping[str, Any]) -> Cell:
    if one["best_threshold"] is None and one["cost_at_best"] is not None:
        return Cell("call nobody positive", float("inf"))
    return number_cell(one["best_threshold"])


def _fairness(fairness: Mapping[str, Mapping[str, Any]]) -> PageTable | None:
    if not fairness:
        return None
    names = in_order(next(iter(fairness.values())))
    rows = [
        (Cell(column), *(cell for name in names for cell in estimate_cells(estimates[name])))
        for column, estimates in sorted(fairness.items())
    ]
    headers = tuple(text for name in names for text in (metric_label(name), "95 % interval"))
    return table_of("Fairness of a column: the largest difference between its slices", ("Column", *headers), rows)


def gaps_table(gaps: Sequence[Mapping[str, Any]]) -> PageTable:
    """Every gap, largest first."""
    ordered = sorted(gaps, key=lambda gap: -abs(gap["difference"]["value"] or 0.0))
    rows = [
        (
            Cell(gap["label"]),
            Cell(metric_label(gap["metric"])),
            Cell(gap["against"]),
            *estimate_cells(gap["difference"]),
            *estimate_cells(gap["ratio"]),
        )
        for gap in ordered
    ]
    headers = ("Slice", "Metric", "Against", "Difference", "95 % interval", "Ratio", "95 % interval")
    return table_of("Gaps between slices, largest first", headers, rows)
