"""What an Evidence document says to somebody who decides: in one line, at worst, and where it says nothing.

Pure functions of the document that was nominated, whose digest the Proposal is bound to. What a claim asks, and what
came of it, are the document's own sentences.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from mlflow_eval_plugin.evidence import Check, Evidence
from mlflow_eval_plugin.known_metrics import way

MOST_CHECKS, MOST_UNCHECKED = 40, 5
"""How many of each are told, the worst first."""
_GRAVITY = {"fail": 0, "insufficient": 1, "pass": 2}
_OF_A_METRIC = ("gap_", "change_")
_FIRST = ("accuracy", "log_loss", "mae", "auc", "brier", "rmse")  # of a comparison without Checks of all rows


def findings(evidence: Evidence) -> dict[str, Any]:
    """The document as JSON for a reader: its data, its counts of verdicts, its Checks, and what no Check covers."""
    checks = sorted(evidence.checks, key=_gravity)
    return {
        "kind": evidence.kind,
        "task": evidence.of_task,
        "data": {"name": evidence.data.name, "rows": evidence.data.rows},
        "reference": evidence.reference.name if evidence.reference else None,
        "counts": {verdict: sum(check.verdict == verdict for check in checks) for verdict in _GRAVITY},
        "effect": _effect(evidence),
        "checks": [_told(check) for check in checks[:MOST_CHECKS]],
        "too_few_rows": [{"scope": check.scope, "n": check.n} for check in checks if _untested(check)][:MOST_CHECKS],
        "left_out": max(0, len(checks) - MOST_CHECKS),
        "unchecked": list(_unchecked(evidence))[:MOST_UNCHECKED],
        "alpha": evidence.inference.alpha,
    }


def _untested(check: Check) -> bool:
    return check.verdict == "insufficient" and check.interval is None


def _told(check: Check) -> dict[str, Any]:
    return {
        "claim": check.claim,
        "scope": check.scope,
        "metric": check.metric,
        "n": check.n,
        "value": check.value,
        "interval": list(check.interval) if check.interval else None,
        "minimum": check.minimum,
        "maximum": check.maximum,
        "verdict": check.verdict,
        "reason": check.reason,
    }


def _gravity(check: Check) -> tuple[int, bool, float]:
    """What Checks are sorted by, the worst first: by verdict, then by harm, then by how far beyond the tolerance.

    What cannot be decided because there are too few rows, and so has no interval, comes after what was tested.
    """
    last = _excess(check, _harmful(check)) <= 0 if check.verdict == "fail" else check.interval is None
    return _GRAVITY[check.verdict], last, -_excess(check, ("minimum", "maximum"))


def _harmful(check: Check) -> tuple[str, ...]:
    """The limits that the harmful direction can break."""
    limits = tuple(side for side in ("minimum", "maximum") if getattr(check, side) is not None)
    side = {1: "maximum", -1: "minimum"}.get(way(_plain(check.metric)))
    return (side,) if len(limits) == 2 and side else limits


def _excess(check: Check, sides: tuple[str, ...]) -> float:
    """How far the value is beyond its tolerance, in tolerances; minus infinity without a value."""
    beyond = [-math.inf]
    if check.value is not None and check.maximum is not None and "maximum" in sides:
        beyond.append((check.value - check.maximum) / (abs(check.maximum) or 1.0))
    if check.value is not None and check.minimum is not None and "minimum" in sides:
        beyond.append((check.minimum - check.value) / (abs(check.minimum) or 1.0))
    return max(beyond)


def _plain(metric: str) -> str:
    for prefix in _OF_A_METRIC:
        metric = metric.removeprefix(prefix)
    return metric


def _effect(evidence: Evidence) -> dict[str, Any] | None:
    """Of a comparison what the challenger changes on all rows: of the first metric that was asked about."""
    overall = _read(_Overall, evidence.measurements.get("overall")) if evidence.kind == "comparison" else None
    if overall is None:
        return None
    asked = [_plain(check.metric) for check in evidence.checks if check.scope == "overall"]
    for name in (*asked, *_FIRST, *sorted(overall.metrics)):
        one = overall.metrics.get(name)
        if one is not None and one.difference.value is not None:
            change, sides = one.difference.value, {"champion": one.champion, "challenger": one.challenger}
            better = None if not way(name) or not change else (change > 0) == (way(name) < 0)
            held = list(one.difference.interval) if one.difference.interval else None
            return {"metric": name, **sides, "change": change, "interval": held, "better": better}
    return None


def _unchecked(evidence: Evidence) -> Iterator[dict[str, Any]]:
    """Slices that do worse in something without a tolerance, the worst first; one line a slice."""
    looked = _read(_Looked, evidence.measurements.get("unchecked"))
    if looked is None:
        return
    versus, told = "the champion" if looked.versus == "champion" else "all other rows", set[str]()
    for one in sorted(looked.found, key=lambda each: -each.harm):
        if one.label not in told:
            told.add(one.label)
            members = one.model_dump(mode="json", include={"metric", "n", "value", "other", "difference", "interval"})
            yield {"scope": one.label, **members, "versus": versus}


# The measurements of a document may be anything: what is not as this release writes it is not told.
class _Read(BaseModel):
    model_config = ConfigDict(allow_inf_nan=False)


class _Difference(_Read):
    value: float | None = None
    interval: tuple[float, float] | None = None


class _Paired(_Read):
    champion: float | None = None
    challenger: float | None = None
    difference: _Difference


class _Overall(_Read):
    metrics: dict[str, _Paired]


class _Harmed(_Read):
    label: str
    metric: str
    n: int
    value: float
    other: float
    difference: float
    interval: tuple[float, float]
    harm: float


class _Looked(_Read):
    versus: str
    found: list[_Harmed]


M = TypeVar("M", bound=_Read)


def _read(kind: type[M], measured: object) -> M | None:
    try:
        return kind.model_validate(measured)
    except ValidationError:
        return None
