"""Slices that do worse where nothing was checked, as a page names them: one entry a slice, the worst first."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, replace
from statistics import NormalDist
from typing import Any

from mlflow_eval_plugin.evidence import Evidence
from mlflow_eval_plugin.known_metrics import same_metric, way
from mlflow_eval_plugin.reports.layouts import layout_of
from mlflow_eval_plugin.reports.sentences.findings import SIGNED, amount, too
from mlflow_eval_plugin.reports.sentences.naming import spoken
from mlflow_eval_plugin.reports.sentences.wording import (
    count,
    lower_first,
    measured_metric,
    metric_label,
    number,
    short,
)

MATERIAL = 0.05  # of what a metric can be, or of the loss of all rows: from here on the headline says it
_MOST_SLICES, _MOST_METRICS = 5, 3
_MOST_LINES = 3
CHAMPION = "Champion"
_FEW = 1000  # rows that a headline names
# Of several that say nearly the same, one that needs no explanation is told first.
_PLAIN = frozenset({"accuracy", "recall", "fpr", "calibration_in_the_large", "mae", "bias"})
# For documents that do not hold what was looked at.
_IN_UNITS = frozenset({"log_loss", "mae", "rmse", "cost"})
_POINTWISE = NormalDist().inv_cdf(0.975)


@dataclass(frozen=True)
class Finding:
    """One metric of a slice: its value, what it is held against, and their difference with its interval."""

    metric: str
    value: float
    other: float
    difference: float
    interval: tuple[float, float]
    harm: float

    @property
    def rank(self) -> tuple[bool, float]:
        """What the metrics of a slice are ordered by: those that matter and need no explanation stand first."""
        return self.harm >= MATERIAL and self.metric.partition("[")[0] in _PLAIN, self.harm


@dataclass(frozen=True)
class Harmed:
    """One slice that does worse: its worst metrics first; ``failed`` where some other Check of it fails."""

    label: str
    n: int
    findings: tuple[Finding, ...]
    failed: bool

    @property
    def told(self) -> tuple[Finding, ...]:
        """The metrics that a page shows."""
        return self.findings[:_MOST_METRICS]

    @property
    def others(self) -> str:
        """The names of those that it does not."""
        return ", ".join(lower_first(metric_label(one.metric)) for one in self.findings[_MOST_METRICS:])


@dataclass(frozen=True)
class Unchecked:
    """What was looked at besides the Checks of a document, and the slices that do worse there.

    Attributes:
        against: what a slice is held against, as the head of a column.
        slices: all of them, the worst first: before others those of which no Check fails, which nothing else names.
        approximate: whether the intervals are made of others.
        searched: what a search has found beyond luck, a line for each of the weakest slices.
    """

    against: str
    metrics: int
    comparisons: int
    alpha: float
    slices: tuple[Harmed, ...]
    approximate: bool
    searched: tuple[str, ...] = ()

    @property
    def told(self) -> tuple[Harmed, ...]:
        """The slices that a page shows: of a slice and its parts only the one that is worse off, the same rows once."""
        shown: list[Harmed] = []
        for one in self.slices:
            levels = set(one.label.split(" & "))
            inside = any(levels > set(other.label.split(" & ")) for other in shown)
            if not inside and not any(one.findings == other.findings for other in shown):
                shown.append(one)
        return tuple(shown[:_MOST_SLICES])

    @property
    def note(self) -> str:
        """What a reader must know of the numbers."""
        sure = short(100 * (1 - self.alpha))
        how = "about " if self.approximate else ""
        held = (
            f"{count(self.comparisons)} differences were looked at, on {self.metrics} "
            f"{'metric' if self.metrics == 1 else 'metrics'} without a tolerance; all intervals together hold with "
            f"{how}{sure} % confidence."
        )
        left = len(self.slices) - len(self.told)
        return f"No check covers these. {held}" + (f" {count(left)} more slices do worse." if left else "")


def unchecked_of(evidence: Evidence) -> Unchecked | None:
    """What a document holds of it, or what can be told from its intervals; None where nothing was looked at."""
    found = evidence.measurements.get("unchecked")
    approximate = found is None
    found = _from_intervals(evidence) if found is None else found
    if not found or not found["comparisons"]:
        return None
    failed = {check.scope for check in evidence.failed}
    by_slice: dict[str, list[Mapping[str, Any]]] = {}
    for one in found["found"]:
        by_slice.setdefault(one["label"], []).append(one)
    slices = [
        Harmed(label, max(one["n"] for one in ones), _findings(ones), label in failed)
        for label, ones in by_slice.items()
    ]
    slices.sort(key=lambda one: (one.failed, -max(finding.harm for finding in one.findings)))
    against = CHAMPION if found["versus"] == "champion" else "All other rows"
    looked_at = len(found["metrics"]), found["comparisons"], found["alpha"]
    return Unchecked(against, *looked_at, tuple(slices), approximate, tuple(_searched(evidence)))


def _searched(evidence: Evidence) -> Iterator[str]:
    weak = evidence.measurements.get("weak_slices")
    sure = [one for one in weak["slices"] if one["p_adjusted"] <= evidence.inference.alpha] if weak else []
    for one in sure[:_MOST_LINES]:
        yield (
            f"Found by search: {spoken(evidence, one['label'])} ({count(one['n'])} rows), where the mean error is "
            f"{number(one['ratio'])} times that of all rows (adjusted p {number(one['p_adjusted'])})."
        )


def unchecked_of_page(evidences: Sequence[Evidence]) -> list[Unchecked | None]:
    """``unchecked_of`` each document; what an earlier one has told, a later one does not."""
    told: set[tuple[str, str, str]] = set()
    found: list[Unchecked | None] = []
    for evidence in evidences:
        one = unchecked_of(evidence)
        if one and told:
            fresh = [part for part in (_fresh(slice_, one.against, told) for slice_ in one.slices) if part]
            one = replace(one, slices=tuple(fresh)) if fresh or not one.slices else None
        if one:
            told |= {(one.against, slice_.label, each.metric) for slice_ in one.slices for each in slice_.findings}
        found.append(one)
    return found


def _fresh(slice_: Harmed, against: str, told: Set[tuple[str, str, str]]) -> Harmed | None:
    findings = tuple(one for one in slice_.findings if (against, slice_.label, one.metric) not in told)
    return replace(slice_, findings=findings) if findings else None


def first_lines(evidences: Sequence[Evidence], found: Sequence[Unchecked | None]) -> list[str]:
    """What the head of a page says of it, with intervals: a line for each of the worst three slices."""
    known = [(evidence, one) for evidence, one in zip(evidences, found, strict=True) if one]
    slices = [(evidence, one, slice_) for evidence, one in known for slice_ in one.told]
    slices.sort(key=lambda each: (each[2].failed, not each[2].findings[0].rank[0], -each[2].findings[0].rank[1]))
    return [_line(*each) for each in slices[:_MOST_LINES]]


def _line(evidence: Evidence, one: Unchecked, slice_: Harmed) -> str:
    finding = slice_.findings[0]
    low, high = finding.interval
    if low * high > 0:
        low, high = sorted((abs(low), abs(high)))
    side = "lower" if finding.difference < 0 else "higher"
    than = "with the champion" if one.against == CHAMPION else "for all other rows"
    if finding.metric in SIGNED:
        apart = f"{amount(finding.metric, low)} to {amount(finding.metric, high)} {side} than {than}"
        return f"{too(finding.metric, finding.value, spoken(evidence, slice_.label))}, {apart}"
    return (
        f"{spoken(evidence, slice_.label)}: {lower_first(metric_label(finding.metric))} {number(finding.value)}, "
        f"{number(low)} to {number(high)} {side} than {than}"
    )


def harm_in_words(evidences: Sequence[Evidence]) -> str:
    """The worst harm that no Check covers as a sentence; empty where there is none that matters."""
    looked = [(evidence, unchecked_of(evidence)) for evidence in evidences]
    found = [(evidence, one, slice_) for evidence, one in looked if one for slice_ in one.slices[:1]]
    found = [each for each in found if max(finding.harm for finding in each[2].findings) >= MATERIAL]
    if not found:
        return ""
    evidence, against, worst = max(found, key=lambda each: (not each[2].failed, each[2].findings[0].rank))
    return f"Not checked: {_said(evidence, worst, champion=against.against == CHAMPION)}."


def _said(evidence: Evidence, worst: Harmed, *, champion: bool) -> str:
    finding = worst.findings[0]
    where = spoken(evidence, worst.label) + (f" ({worst.n} rows)" if worst.n < _FEW else "")
    if finding.metric in SIGNED and not champion:
        return f"{too(finding.metric, finding.difference, where)} compared with all others"
    others = "with the champion" if champion else "for all other rows"
    name = lower_first(metric_label(finding.metric))
    return f"{name} for {where} is {number(finding.value)}; {others} it is {number(finding.other)}"


def _findings(ones: Sequence[Mapping[str, Any]]) -> tuple[Finding, ...]:
    members = ("metric", "value", "other", "difference", "interval", "harm")
    found = [Finding(**{name: one[name] for name in members}) for one in ones]
    return tuple(sorted(found, key=lambda one: one.rank, reverse=True))


def _from_intervals(evidence: Evidence) -> Mapping[str, Any]:
    """What such a document would say of ``unchecked``: from its 95 % intervals, widened as those of a normal."""
    versus = "champion" if layout_of(evidence).of_two_models else "complement"
    judged = [(check.scope, measured_metric(check.metric)) for check in evidence.checks if check.interval]
    checked = {(scope, same_metric(metric)) for scope, metric in judged}
    rows = [
        one
        for one in (_changes if versus == "champion" else _gaps)(evidence.measurements)
        if way(one["metric"]) and one["metric"] == same_metric(one["metric"])
        if (one["label"], one["metric"]) not in checked
    ]
    alpha = evidence.inference.alpha
    wider = NormalDist().inv_cdf(1 - alpha / 2 / max(len(rows), 1)) / _POINTWISE
    found = [_widened(one, wider) for one in rows]
    return {
        "versus": versus,
        "alpha": alpha,
        "comparisons": len(rows),
        "metrics": sorted({one["metric"] for one in rows}),
        "found": [one for one in found if one["harm"] > 0],
    }


def _widened(one: Mapping[str, Any], wider: float) -> dict[str, Any]:
    difference, (low, high) = one["difference"], one["interval"]
    low, high = difference - wider * (difference - low), difference + wider * (high - difference)
    unit = (abs(one["other"]) or 1.0) if one["metric"] in _IN_UNITS else 1.0
    harm = (low if way(one["metric"]) > 0 else -high) / unit
    return {**one, "interval": (low, high), "harm": harm}


def _gaps(measurements: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    slices = {one["label"]: one for one in measurements.get("slices", [])}
    for gap in measurements.get("gaps", []):
        one, apart = slices.get(gap["label"]), gap["difference"]
        value = one["metrics"].get(gap["metric"], {}).get("value") if one else None
        if gap["versus"] == "complement" and one and value is not None and apart["interval"]:
            yield {
                "label": gap["label"], "metric": gap["metric"], "n": one["n"], "value": value,
                "other": value - apart["value"], "difference": apart["value"], "interval": apart["interval"],
            }  # fmt: skip


def _changes(measurements: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    for one in (measurements["overall"], *measurements["slices"]):
        for name, metric in one["metrics"].items():
            change = metric["difference"]
            if change["interval"]:
                yield {
                    "label": one["label"], "metric": name, "n": one["n"], "value": metric["challenger"],
                    "other": metric["champion"], "difference": change["value"], "interval": change["interval"],
                }  # fmt: skip
