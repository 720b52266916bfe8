"""In which order Checks are told: by verdict, and within one by how bad they are in the harmful direction."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from mlflow_eval_plugin.evidence import Check, Evidence
from mlflow_eval_plugin.known_metrics import way
from mlflow_eval_plugin.reports.layouts import layout_of
from mlflow_eval_plugin.reports.sentences.wording import SEVERITY, count, measured_metric, where
from mlflow_eval_plugin.verdicts import Verdict

_MOST_NAMED = 8


@dataclass(frozen=True)
class TooFew:
    """The Checks of slices below the minimum count, in one line."""

    checks: tuple[Check, ...]
    minimum: int
    what: str

    @property
    def line(self) -> str:
        """Which slices these are, and that nothing is concluded from them; empty where there is none."""
        if not self.checks:
            return ""
        rows = {where(check): check.n for check in sorted(self.checks, key=lambda check: -check.n)}
        named = ", ".join(f"{scope} ({count(n)})" for scope, n in list(rows.items())[:_MOST_NAMED])
        more = f" and {count(len(rows) - _MOST_NAMED)} more" if len(rows) > _MOST_NAMED else ""
        slices = f"One {self.what} has" if len(rows) == 1 else f"{count(len(rows))} {self.what}s have"
        return (
            f"{slices} fewer than the minimum count of {count(self.minimum)} rows, from which nothing is concluded: "
            f"{named}{more}."
        )


def too_few(evidence: Evidence) -> TooFew:
    """The Checks of a document that were not tested because their slice is too small."""
    minimum = evidence.measurements.get("minimum_count", evidence.config.get("min_count")) or 0
    checks = [
        check
        for check in evidence.checks
        if check.verdict == "insufficient" and check.interval is None and check.p_value is None and check.n < minimum
    ]
    return TooFew(tuple(checks), int(minimum), layout_of(evidence).scope)


def worst_first(checks: Iterable[Check]) -> list[Check]:
    """Sorted by ``gravity``."""
    return sorted(checks, key=gravity)


def gravity(check: Check) -> tuple[int, bool, float]:
    """What Checks are sorted by; the least is the worst.

    First fails, then what cannot be decided, then passes. Of two alike the one beyond its tolerance in the harmful
    direction: a slice with fewer false positives than all others is less pressing than one with more. Then fails and
    passes by how far the value is beyond the tolerance, in tolerances; what cannot be decided by how near it is to
    failing.
    """
    sides = harmful_sides(check)
    if check.verdict == "insufficient":
        return SEVERITY[check.verdict], False, -nearness(check, sides)
    harmless = check.verdict == "fail" and excess(check, sides) <= 0
    return SEVERITY[check.verdict], harmless, -excess(check)


def harmful_sides(check: Check) -> tuple[str, ...]:
    """The limits that the harmful direction can break: both where neither direction is harmful by itself."""
    both = [side for side in ("minimum", "maximum") if getattr(check, side) is not None]
    harmful = {1: "maximum", -1: "minimum"}.get(way(measured_metric(check.metric)))
    return (harmful,) if len(both) == 2 and harmful else tuple(both)


def excess(check: Check, sides: Sequence[str] = ("minimum", "maximum")) -> float:
    """How far the value is beyond its tolerance, in tolerances; negative inside, minus infinity without a value."""
    beyond = [-math.inf]
    if check.value is not None and check.maximum is not None and "maximum" in sides:
        beyond.append((check.value - check.maximum) / (abs(check.maximum) or 1.0))
    if check.value is not None and check.minimum is not None and "minimum" in sides:
        beyond.append((check.minimum - check.value) / (abs(check.minimum) or 1.0))
    return max(beyond)


def nearness(check: Check, sides: Sequence[str]) -> float:
    """How much of the way to a fail has been gone: at 1 the whole interval is beyond the tolerance.

    The way goes from the interval's middle, so to say, on the tolerance (0) to its near end there (1); what is within
    tolerance is below 0. Minus infinity without an interval.
    """
    if check.value is None or check.interval is None:
        return -math.inf
    low, high = check.interval
    gone = [-math.inf]
    if check.maximum is not None and "maximum" in sides:
        gone.append(_share(check.value - check.maximum, check.value - low))
    if check.minimum is not None and "minimum" in sides:
        gone.append(_share(check.minimum - check.value, high - check.value))
    return max(gone)


def _share(beyond: float, reach: float) -> float:
    return beyond / reach if reach > 0 else math.copysign(math.inf, beyond) if beyond else 0.0


def undecided(checks: Iterable[Check], small: TooFew) -> list[Check]:
    """What cannot be decided, nearest to failing first, without what is told in the line of small slices."""
    told = {check.id for check in small.checks}
    return worst_first(check for check in checks if check.verdict == "insufficient" and check.id not in told)


def by_verdict(evidence: Evidence, verdict: Verdict) -> list[Check]:
    """The Checks with a verdict, the worst first; those of slices below the minimum count are told in a line."""
    if verdict == "insufficient":
        return undecided(evidence.checks, too_few(evidence))
    return worst_first(check for check in evidence.checks if check.verdict == verdict)
