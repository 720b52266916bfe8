"""What was found as a person would say it: "scores of people under 25 run 3.2 points too high"."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from mlflow_eval_plugin.evidence import Check, Evidence
from mlflow_eval_plugin.reports.layouts import layout_of
from mlflow_eval_plugin.reports.sentences.naming import spoken
from mlflow_eval_plugin.reports.sentences.wording import (
    interval,
    listed,
    lower_first,
    measured_metric,
    metric_label,
    number,
    tolerance,
)

_OTHERS = {"complement": "all others", "overall": "all rows", "best": "the best slice"}
_OF_SCORES = "calibration_in_the_large"
_ROWS = {"complement": "all other rows", "overall": "all rows", "best": "the best slice"}
FACT = "A fact, not an estimate: "  # how the reason of a Check without an uncertainty begins
_CHANGES = 3  # of schema, that one sentence tells
_CARRIERS = 4  # columns, that one sentence names
_FIRST = ("accuracy", "log_loss", "mae", "auc", "brier", "rmse")  # of a comparison without Checks of all rows


def sentence(evidence: Evidence, check: Check) -> str:
    """A Check's value in a sentence without its end, and its tolerance; of changes of schema what changed."""
    if check.metric == "schema_changes" and check.value:
        return _changes_of_schema(check)
    return f"{_said(evidence, check)}; the tolerance is {tolerance(check)}"


def _said(evidence: Evidence, check: Check) -> str:
    if check.metric == "two_sample_auc" and check.value is not None:
        return _told_apart(evidence, check)
    metric, value, where = measured_metric(check.metric), check.value, spoken(evidence, check.scope)
    versus = str(evidence.config.get("gap_versus", ""))
    name = lower_first(metric_label(metric))
    if value is not None and check.metric == f"gap_{metric}" and versus in _ROWS:
        if metric in SIGNED:
            return f"{too(metric, value, where)} compared with {_OTHERS[versus]}"
        return f"{name} for {where} is {number(abs(value))} {_side(value)} than that of {_ROWS[versus]}"
    if value is not None and check.metric in SIGNED:
        return too(metric, value, where) + _beside_all(evidence, check)
    if value is not None and check.metric == f"change_{metric}" and layout_of(evidence).of_two_models:
        for_whom = "" if check.scope == "overall" else f" for {where}"
        return f"the challenger's {name}{for_whom} is {number(abs(value))} {_side(value)} than the champion's"
    return f"{lower_first(metric_label(check.metric))} for {where} is {number(value)}"


def _told_apart(evidence: Evidence, check: Check) -> str:
    alone = "" if check.scope == "overall" else f"by {check.scope} alone "
    found = f"{alone}rows are told from those of the reference with an AUC of {number(check.value)}, where 1/2 is alike"
    together = evidence.measurements.get("together") or {}
    carriers = [str(one["column"]) for one in together.get("carriers") or () if one["named"]]
    if alone or not carriers:
        return found
    more = len(carriers) - _CARRIERS
    names = listed([*carriers[:_CARRIERS], *([f"{more} more"] if more > 0 else [])])
    return f"{found}, which {names} {'carries' if len(carriers) == 1 else 'carry'}"


def _changes_of_schema(check: Check) -> str:
    changes = check.reason.removeprefix(FACT).removesuffix(".").split("; ")
    first = "; ".join(changes[:_CHANGES])
    rest = len(changes) - _CHANGES
    return first if rest <= 0 else f"{first}; and {rest} more changes of schema"


def plainest(check: Check, failed: Iterable[Check]) -> Check:
    """What says most of several Checks that fail for one slice or column.

    Of a calibration error and a mean error it is the second, which says in which direction; of a column that changed
    its type that it did, since its other Checks follow from that.
    """
    failed = list(failed)
    changed = (one for one in failed if one.scope == check.scope != "overall" and one.metric == "schema_changes")
    if found := next(changed, None):
        return found
    if check.scope == "overall" or not check.metric.removeprefix("gap_").startswith("ece"):
        return check
    prefix = "gap_" if check.metric.startswith("gap_") else ""
    same = (one for one in failed if one.scope == check.scope and one.metric == f"{prefix}{_OF_SCORES}")
    return next(same, check)


def _beside_all(evidence: Evidence, check: Check) -> str:
    """Beside the mean error of a slice that of all rows, where a document has it."""
    metrics = evidence.measurements.get("metrics") or evidence.measurements.get("overall", {}).get("metrics") or {}
    value = (metrics.get(check.metric) or {}).get("value")
    if value is None or check.scope == "overall":
        return ""
    return f" (all rows: {amount(check.metric, value)} too {'high' if value > 0 else 'low'})"


def too(metric: str, value: float, where: str) -> str:
    """That predictions are too high or too low, and by how much; ``metric`` is one of ``SIGNED``."""
    of = "" if where == "all rows" else f" of {where}"
    return f"{SIGNED[metric].what}{of} run {amount(metric, value)} too {'high' if value > 0 else 'low'}"


def amount(metric: str, value: float) -> str:
    """How much predictions are off, by one of ``SIGNED``."""
    return SIGNED[metric].amount(value)


def points(value: float) -> str:
    """A share in points: 0.032 is "3.2 points"."""
    size = 100 * abs(value)
    text = f"{size:.1f}" if size >= 0.95 else f"{size:.2g}"
    return f"{text} {'point' if text == '1.0' else 'points'}"


@dataclass(frozen=True)
class Signed:
    """A metric that says in which direction predictions are off: what they are called, and how much is said."""

    what: str
    amount: Callable[[float], str]


SIGNED: Mapping[str, Signed] = {
    _OF_SCORES: Signed("scores", points),
    "bias": Signed("predictions", lambda value: number(abs(value))),
}


def overall_effect(evidence: Evidence) -> str:
    """Of a comparison what the challenger changes on all rows, with its interval; empty for other kinds."""
    if not layout_of(evidence).of_two_models:
        return ""
    metrics = evidence.measurements["overall"]["metrics"]
    asked = [measured_metric(check.metric) for check in evidence.checks if check.scope == "overall"]
    known = [name for name in (*asked, *_FIRST, *sorted(metrics)) if _value(metrics, name) is not None]
    if not known:
        return ""
    change, name = metrics[known[0]]["difference"], lower_first(metric_label(known[0]))
    held = f" (95 % interval of the change: {interval(change['interval'])})" if change["interval"] else ""
    if change["value"] == 0:
        return f"On all rows the challenger's {name} is that of the champion{held}."
    size = number(abs(change["value"]))
    return f"On all rows the challenger's {name} is {size} {_side(change['value'])} than the champion's{held}."


def _value(metrics: dict[str, dict[str, dict[str, float | None]]], name: str) -> float | None:
    return metrics[name]["difference"]["value"] if name in metrics else None


def _side(value: float) -> str:
    return "lower" if value < 0 else "higher"
