"""The pictures of columns over windows of time: those that changed first, each with what it was and what it became."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from markupsafe import Markup

from mlflow_eval_plugin.evidence import Check, Evidence
from mlflow_eval_plugin.reports.figures.histograms import histogram
from mlflow_eval_plugin.reports.figures.over_time import OverTime
from mlflow_eval_plugin.reports.figures.pictures import Gallery, Picture
from mlflow_eval_plugin.reports.sentences.dates import between, cautions, dated, spoken_instant, windows_of
from mlflow_eval_plugin.reports.sentences.ranking import worst_first
from mlflow_eval_plugin.reports.sentences.wording import interval, listed, metric_label, number, short

_MOST, _MOST_OF_MANY, _MANY = 20, 8, 100  # pictures, of so many windows
_MOST_DATES = 4
_WORST = "worst_"
_USUAL = ("wasserstein", "js", "missing_change")


def columns_over_time(evidence: Evidence) -> Gallery | None:
    """Every column window by window, and where it changed both distributions."""
    windows = windows_of(evidence)
    if not windows:
        return None
    checks: dict[str, list[Check]] = {}
    for check in worst_first(one for one in evidence.checks if one.metric.startswith(_WORST)):
        checks.setdefault(check.scope, []).append(check)
    columns = {one["name"]: one for one in windows["columns"]}
    changed = [column["name"] for column, _ in dated(windows)]
    names = [name for name in dict.fromkeys([*changed, *checks, *columns]) if name in columns]
    most = _MOST if len(windows["windows"]) <= _MANY else _MOST_OF_MANY
    pictures = tuple(_picture(columns[name], windows, checks.get(name, [])) for name in names[:most])
    left = len(names) - len(pictures)
    more = f" {left} more columns; the Evidence document holds all." if left else ""
    legend = _LEGEND + " ".join([more, *cautions(windows)])
    unit, of = windows["window"], windows["time_column"]
    title = f"Window by window: {unit} by {of}" if "rows" in unit else f"Window by window: {unit}s of {of}"
    return Gallery(pictures, title, legend, small=True)


def _picture(column: Mapping[str, Any], windows: Mapping[str, Any], checks: list[Check]) -> Picture:
    changes = column["changes"]
    main = max(changes, key=_size) if changes else None
    metric = (main and main["metric"]) or _metric(column, checks)
    judged = next((check for check in checks if check.metric == _WORST + metric), None)
    starts, gaps = [one["start"] for one in windows["windows"]], frozenset(one["end"] for one in windows["gaps"])
    drawing = OverTime(column, starts, gaps, metric, judged.maximum if judged else None).drawing
    if main:
        drawing += histogram(_both(column, main), f"The rows before and after {spoken_instant(main['first'])}.")
    return Picture(column["name"], _caption(column, metric, main, judged), drawing)


def _both(column: Mapping[str, Any], change: Mapping[str, Any]) -> Mapping[str, Any]:
    """Both distributions; of a column whose missing values changed, how many there are."""
    if change["metric"] != "missing_change":
        return {**column, "histogram": change["histogram"]}
    sides = {"reference": change["missing_before"], "current": change["missing_after"]}
    shares = {name: [share, 1 - share] for name, share in sides.items()}
    return {**column, "kind": "categorical", "histogram": {"labels": ["missing", "with a value"], **shares}}


def _metric(column: Mapping[str, Any], checks: list[Check]) -> str:
    """What is drawn of a column without a change: what failed, or else what is usual."""
    failed = [check.metric.removeprefix(_WORST) for check in checks if check.verdict == "fail"]
    known: list[str] = [name for name in (*failed, *_USUAL, *sorted(column["metrics"])) if name in column["metrics"]]
    return known[0]


def _size(change: Mapping[str, Any]) -> float:
    """By how much both sides differ, for which of several changes is shown."""
    return float((change["metrics"].get("js") or {}).get("value") or 0.0)


def _caption(column: Mapping[str, Any], metric: str, main: Mapping[str, Any] | None, judged: Check | None) -> str:
    tolerance = f"; dashed: the tolerance, {short(judged.maximum)}" if judged and judged.maximum is not None else ""
    said = [f"{metric_label(metric)}{tolerance}."]
    if main:
        held = f", with confidence between {within}" if (within := between(main)) else ""
        said.append(f"Changed {spoken_instant(main['first'])}{held}.")
        if estimate := main["metrics"].get(metric):
            said.append(f"From before to after: {number(estimate['value'])} ({interval(estimate['interval'])}).")
    others = [spoken_instant(change["first"]) for change in column["changes"] if change is not main]
    if others:
        said.append(f"Also changed {listed(others[:_MOST_DATES])}{', and later' * (len(others) > _MOST_DATES)}.")
    return " ".join(said)


_LEGEND = Markup(
    "The line is the distance of each window, in a band of pointwise 95 % intervals; a red line is the date of a "
    'change, in the interval of that date. Below, where a column changed: <span class="key current"></span> after '
    '<span class="key reference"></span> before; heights are shares of rows.'
)
