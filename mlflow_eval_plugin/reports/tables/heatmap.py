"""Slices × metrics as a table of numbers, each shaded by how far it is from that of all rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mlflow_eval_plugin.evidence import Check, Evidence
from mlflow_eval_plugin.reports.sentences.ranking import gravity
from mlflow_eval_plugin.reports.sentences.unchecked import unchecked_of
from mlflow_eval_plugin.reports.sentences.wording import (
    SEVERITY,
    count,
    in_order,
    measured_metric,
    metric_label,
    number,
    short,
)
from mlflow_eval_plugin.verdicts import Verdict

_ROWS, _COLUMNS = 30, 11
_STEPS = (0.5, 1.0, 2.0)  # units at which the shades begin


@dataclass(frozen=True)
class Shaded:
    """A number, its distance from all rows in units (None where it has none), and the verdict on it."""

    text: str
    distance: float | None = None
    verdict: Verdict | None = None

    @property
    def shade(self) -> str:
        """``low-3`` to ``high-3``, or nothing within half a unit; never by colour alone: `said` says it, too."""
        step = sum(abs(self.distance or 0.0) >= edge for edge in _STEPS)
        return f"{'low' if (self.distance or 0.0) < 0 else 'high'}-{step}" if step else ""

    @property
    def said(self) -> str:
        """The shade in words, for those who do not see it."""
        if not self.shade or self.distance is None:
            return ""
        size = f"{abs(self.distance):.1f}" if abs(self.distance) < 10 else "10 or more"
        return f"{'below' if self.distance < 0 else 'above'} by {size}"


@dataclass(frozen=True)
class Column:
    """A metric and the unit of its distances: the tolerance of its gap, or None for half of each interval."""

    label: str
    unit: str | None


@dataclass(frozen=True)
class Heatmap:
    """The worst slices, by their Checks and by what nothing checks; ``overall`` is the row they are held against."""

    columns: tuple[Column, ...]
    overall: tuple[str, ...]
    overall_n: str
    rows: tuple[tuple[str, str, tuple[Shaded, ...]], ...]
    slices: int
    metrics: int


def slice_heatmap(evidence: Evidence) -> Heatmap | None:
    """The heat map of a ``disaggregated`` document: at most 30 slices and 11 metrics.

    First come metrics with Checks and those on which a slice does worse without one. Slices are ordered by the best
    place that they have in any of three lists: of failed Checks, of harm that nothing checks, and of distances; so the
    worst of each is there, however many there are of the others.
    """
    overall, slices = evidence.measurements["overall"], evidence.measurements["slices"]
    checks = _by_cell(evidence.checks)
    names = [name for name in in_order(overall["metrics"]) if overall["metrics"][name]["value"] is not None]
    if not slices or not names:
        return None
    harmed = _harmed(evidence)
    checked = {metric for _, metric in checks}
    harmful = {metric for metrics in harmed.values() for metric in metrics}
    shown = sorted(names, key=lambda name: (name not in checked, name not in harmful))[:_COLUMNS]
    units = {name: _tolerance(evidence.checks, name) for name in shown}
    rows = [
        (one["label"], count(one["n"]), tuple(_shaded(one, overall, name, units[name], checks) for name in shown))
        for one in slices
    ]
    places = _places(evidence, harmed, {label: _furthest(cells) for label, _, cells in rows})
    rows.sort(key=lambda row: places[row[0]])
    return Heatmap(
        columns=tuple(Column(metric_label(name), None if (u := units[name]) is None else short(u)) for name in shown),
        overall=tuple(number(overall["metrics"][name]["value"]) for name in shown),
        overall_n=count(overall["n"]),
        rows=tuple(rows[:_ROWS]),
        slices=len(slices),
        metrics=len(names),
    )


def _shaded(
    one: Mapping[str, Any],
    overall: Mapping[str, Any],
    name: str,
    tolerance: float | None,
    checks: Mapping[tuple[str, str], Verdict],
) -> Shaded:
    estimate = one["metrics"].get(name) or {"value": None, "interval": None}
    value, limits = estimate["value"], estimate["interval"]
    verdict = checks.get((one["label"], name))
    if value is None:
        return Shaded(number(None), verdict=verdict)
    unit = tolerance if tolerance is not None else (limits[1] - limits[0]) / 2 if limits else 0.0
    distance = (value - overall["metrics"][name]["value"]) / unit if unit else None
    return Shaded(number(value), distance, verdict)


def _by_cell(checks: Sequence[Check]) -> dict[tuple[str, str], Verdict]:
    """(scope, metric) → the gravest verdict on the metric there, or on its difference or ratio."""
    found: dict[tuple[str, str], Verdict] = {}
    for check in sorted(checks, key=gravity):
        found.setdefault((check.scope, measured_metric(check.metric)), check.verdict)
    return found


def _tolerance(checks: Sequence[Check], name: str) -> float | None:
    tolerances = {check.maximum for check in checks if check.metric == f"gap_{name}"}
    return tolerances.pop() if len(tolerances) == 1 else None


def _harmed(evidence: Evidence) -> dict[str, list[str]]:
    """Slices that do worse where nothing is checked, the worst first, each with its metrics."""
    found = unchecked_of(evidence)
    return {one.label: [finding.metric for finding in one.findings] for one in found.slices} if found else {}


def _places(
    evidence: Evidence, harmed: Mapping[str, object], distances: Mapping[str, float]
) -> dict[str, tuple[int, tuple[int, bool, float]]]:
    """What slices are ordered by: their best place in any of the lists, and at the same place by their Checks."""
    worst = _worst_by_slice(evidence.checks)
    failing = sorted({check.scope for check in evidence.failed}, key=lambda label: worst[label])
    furthest = sorted(distances, key=lambda label: -distances[label])
    best: dict[str, int] = {}
    for order in (failing, list(harmed), furthest):
        for place, label in enumerate(order):
            best[label] = min(place, best.get(label, place))
    return {label: (best[label], worst.get(label, (len(SEVERITY), False, 0.0))) for label in distances}


def _worst_by_slice(checks: Sequence[Check]) -> dict[str, tuple[int, bool, float]]:
    worst: dict[str, tuple[int, bool, float]] = {}
    for check in checks:
        worst[check.scope] = min(gravity(check), worst.get(check.scope, (len(SEVERITY), False, 0.0)))
    return worst


def _furthest(cells: Sequence[Shaded]) -> float:
    return max((abs(cell.distance) for cell in cells if cell.distance is not None), default=0.0)
