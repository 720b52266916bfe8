"""Verdicts: a tolerance against an interval, for a whole family of Checks at once.

The rule, for a ``maximum``; a ``minimum`` is its mirror image:

- ``fail`` when the lower end of the interval lies above the maximum,
- ``pass`` when the upper end lies at or below it, or at or below ``passes_at`` where the Claim has that,
- ``insufficient`` otherwise, with the rows that would decide it.

With ``passes_at``, the larger of two tolerances, an effect between the two is a ``fail`` once it is shown to be above
the smaller one, and a window in which nothing is shown passes where it excludes effects above the larger one.

The end that can fail a Check is a confidence limit at the Check's level in Holm's (1979) procedure, so that the
chance of *any* false ``fail`` in the family is at most ``alpha``. The end that can pass it is a limit at ``alpha``
itself: all Checks must pass for the Evidence to pass, an intersection-union test (Berger 1982), which needs no
correction. The p-value of a Check is the least error at which its interval leaves the tolerance, so interval and
p-value cannot disagree.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from mlflow_eval_plugin.stats.errors import InputError
from mlflow_eval_plugin.stats.inference.estimate import Bounds
from mlflow_eval_plugin.verdicts import Verdict

METHOD = "Holm (1979) on one-sided p-values for fail; intersection-union at alpha for pass"
SMALLEST_P = 1e-12
_HALVINGS = 32  # of the logarithm of a p-value, which is then within 1e-8 of itself, and never too small
LARGEST_N = 10**12


@dataclass(frozen=True)
class Claim:
    """What is claimed of one quantity: that it is at most ``maximum``, at least ``minimum``, or both.

    Attributes:
        claim: a sentence; used as it is in the record.
        minimum_count: rows below which the Check is ``insufficient`` whatever the data say.
        passes_at: a tolerance above ``maximum`` (and, less it, below ``minimum``) at which the Check already passes.
    """

    id: str
    claim: str
    metric: str
    scope: str
    bounds: Bounds
    minimum: float | None = None
    maximum: float | None = None
    minimum_count: int = 0
    passes_at: float | None = None

    @property
    def passing(self) -> tuple[float | None, float | None]:
        """The least and the largest value with which it passes."""
        if self.passes_at is None:
            return self.minimum, self.maximum
        return None if self.minimum is None else -self.passes_at, self.passes_at


@dataclass(frozen=True)
class CheckRecord:
    """One judged Claim, with the members of an Evidence Check."""

    id: str
    claim: str
    metric: str
    scope: str
    n: int
    minimum: float | None
    maximum: float | None
    value: float | None
    interval: tuple[float, float] | None
    p_value: float | None
    p_adjusted: float | None
    verdict: Verdict
    reason: str
    n_to_decide: int | None
    passes_at: float | None = None


@dataclass(frozen=True)
class Judgement:
    """A family of judged Claims, in the order of the Claims."""

    checks: tuple[CheckRecord, ...]
    method: str
    alpha: float
    family_size: int


def judge(claims: Iterable[Claim], *, alpha: float = 0.05) -> Judgement:
    """Judge all Claims of one Evidence as one family.

    Claims whose slice is too small, or whose value is undefined, are ``insufficient`` and not tested; ``family_size``
    counts the tested ones. Whether a Claim is tested depends on counts of rows only, not on its value.

    Args:
        alpha: the largest chance of any false ``fail``.

    Raises:
        InputError: for an ``alpha`` outside (0, 1), a Claim without a tolerance, or an id that is used twice.
    """
    claims = tuple(claims)
    _validate(claims, alpha)
    tested = [i for i, one in enumerate(claims) if _untestable(one) is None]
    p_values = np.array([p_value(claims[i]) for i in tested])
    levels, adjusted = holm(p_values, alpha)
    judged = {
        i: _decide(claims[i], float(p), float(level), float(p_adjusted), alpha)
        for i, p, level, p_adjusted in zip(tested, p_values, levels, adjusted, strict=True)
    }
    records = tuple(judged[i] if i in judged else _insufficient(one) for i, one in enumerate(claims))
    return Judgement(records, METHOD, alpha, len(tested))


def holm(p_values: np.ndarray, alpha: float) -> tuple[np.ndarray, np.ndarray]:
    """Holm's step-down procedure: the level at which each hypothesis is judged, and adjusted p-values.

    The level of the i-th smallest p-value is ``alpha / (m - i + 1)`` until one is not rejected; all after it share its
    level. So a hypothesis is rejected exactly when its p-value is at most its level.
    """
    m = len(p_values)
    order = np.argsort(p_values, kind="stable")
    steps = alpha / (m - np.arange(m))
    kept = np.flatnonzero(p_values[order] > steps)
    if len(kept):
        steps[kept[0] :] = steps[kept[0]]
    adjusted = np.minimum(np.maximum.accumulate(p_values[order] * (m - np.arange(m))), 1.0)
    place = np.empty(m, dtype=np.intp)
    place[order] = np.arange(m)
    return steps[place], adjusted[place]


def p_value(claim: Claim) -> float:
    """The least one-sided error at which the interval leaves the tolerance; 1e-12 stands for anything smaller.

    1 where it does not leave it at an error of a half: beyond that, limits that are made of two others turn back. With
    both a minimum and a maximum the smaller of the two p-values counts double.
    """
    sides = _failing_sides(claim)
    return min(1.0, len(sides) * min(_least_error(claim.bounds, *one) for one in sides))


def _least_error(bounds: Bounds, side: str, tolerance: float) -> float:
    def left(error: float) -> bool:
        return bounds.lower(error) > tolerance if side == "maximum" else bounds.upper(error) < tolerance

    if not left(0.5):
        return 1.0
    if left(SMALLEST_P):
        return SMALLEST_P
    # Limits may jump, be flat or stop at the tolerance itself, so nothing but having left it or not is asked of them.
    low, high = math.log(SMALLEST_P), math.log(0.5)
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        low, high = (low, middle) if left(math.exp(middle)) else (middle, high)
    return math.exp(high)


def _failing_sides(claim: Claim) -> list[tuple[str, float]]:
    both = (("maximum", claim.maximum), ("minimum", claim.minimum))
    return [(side, tolerance) for side, tolerance in both if tolerance is not None]


def _decide(claim: Claim, p: float, level: float, p_adjusted: float, alpha: float) -> CheckRecord:
    lower, upper = _interval(claim, level, alpha)
    failed = (claim.maximum is not None and lower > claim.maximum) or (
        claim.minimum is not None and upper < claim.minimum
    )
    least, most = claim.passing
    passed = (most is None or upper <= most) and (least is None or lower >= least)
    verdict: Verdict = "fail" if failed else "pass" if passed else "insufficient"
    return _record(
        claim,
        verdict,
        _reason(claim, verdict, lower, upper),
        interval=(lower, upper) if math.isfinite(lower) and math.isfinite(upper) else None,
        p_value=p,
        p_adjusted=p_adjusted,
        n_to_decide=_rows_to_decide(claim, lower, upper) if verdict == "insufficient" else None,
    )


def _record(
    claim: Claim,
    verdict: Verdict,
    reason: str,
    *,
    n_to_decide: int | None,
    interval: tuple[float, float] | None = None,
    p_value: float | None = None,
    p_adjusted: float | None = None,
) -> CheckRecord:
    return CheckRecord(
        id=claim.id,
        claim=claim.claim,
        metric=claim.metric,
        scope=claim.scope,
        n=claim.bounds.n,
        minimum=claim.minimum,
        maximum=claim.maximum,
        value=claim.bounds.value,
        interval=interval,
        p_value=p_value,
        p_adjusted=p_adjusted,
        verdict=verdict,
        reason=reason,
        n_to_decide=n_to_decide,
        passes_at=claim.passes_at,
    )


def _interval(claim: Claim, level: float, alpha: float) -> tuple[float, float]:
    """The failing end at the Check's Holm level, the passing end at ``alpha``; the wider where both apply."""
    bounds, share = claim.bounds, len(_failing_sides(claim))
    fail_at = min(level / share, alpha)
    lower = bounds.lower(fail_at if claim.maximum is not None else alpha)
    upper = bounds.upper(fail_at if claim.minimum is not None else alpha)
    return lower, upper


def _reason(claim: Claim, verdict: Verdict, lower: float, upper: float) -> str:
    value = claim.bounds.value
    tolerance, passing = _said(claim.minimum, claim.maximum), _said(*claim.passing)
    found = f"{claim.metric} is {value:.4g}, between {lower:.4g} and {upper:.4g} with confidence"
    if not (math.isfinite(lower) and math.isfinite(upper)):
        found = f"{claim.metric} is {value:.4g}, without a finite interval"
    endings = {
        "pass": f"which keeps to {passing}",
        "fail": f"which breaks the tolerance of {tolerance}",
        "insufficient": f"so these {claim.bounds.n:,} rows cannot tell whether it is {passing}",
    }
    return f"{found}, {endings[verdict]}."


def _said(minimum: float | None, maximum: float | None) -> str:
    both = (("at least", minimum), ("at most", maximum))
    return " and ".join(f"{side} {tolerance:.4g}" for side, tolerance in both if tolerance is not None)


def _untestable(claim: Claim) -> str | None:
    if claim.bounds.n < claim.minimum_count:
        return (
            f"{claim.scope} has {claim.bounds.n:,} rows, fewer than the minimum count of {claim.minimum_count:,}; "
            "nothing is concluded from so few."
        )
    if claim.bounds.value is None:
        return f"{claim.metric} is undefined for {claim.scope}: {claim.bounds.reason}."
    return None


def _insufficient(claim: Claim) -> CheckRecord:
    small = claim.bounds.n < claim.minimum_count
    return _record(claim, "insufficient", _untestable(claim) or "", n_to_decide=claim.minimum_count if small else None)


def _rows_to_decide(claim: Claim, lower: float, upper: float) -> int | None:
    """Rows at which the interval, shrunk with the root of n, would clear the tolerance; None if none would.

    What is no chance, but an error of binning, does not shrink.
    """
    value = claim.bounds.value
    if value is None:
        return None
    factors = []
    least, most = claim.passing
    for side, tolerance in _failing_sides(claim):
        inside = value <= tolerance if side == "maximum" else value >= tolerance
        # Inside the tolerance the far end has to come in, outside the near end has to clear it.
        towards_upper = inside == (side == "maximum")
        reach = (upper - value if towards_upper else value - lower) - claim.bounds.bound
        passing = most if side == "maximum" else least
        room = abs((passing if inside and passing is not None else tolerance) - value) - claim.bounds.bound
        # A side that is settled has a factor below 1, or no reach.
        if reach > 0:
            factors.append(reach / room if room > 0 else math.inf)
    needed = claim.bounds.n * max(factors, default=math.inf) ** 2
    return math.ceil(needed) if needed <= LARGEST_N else None


def _validate(claims: Sequence[Claim], alpha: float) -> None:
    if not 0 < alpha < 1:
        raise InputError(f"alpha: expected a number between 0 and 1, found {alpha!r}")
    seen: set[str] = set()
    for one in claims:
        if one.minimum is None and one.maximum is None:
            raise InputError(f"check {one.id!r}: expected a minimum or a maximum, found neither")
        if one.passes_at is not None and (one.maximum is None or one.passes_at < one.maximum):
            raise InputError(f"check {one.id!r}: passes_at is a tolerance above the maximum, found {one.passes_at}")
        if one.id in seen:
            raise InputError(f"check {one.id!r}: the id is used twice; ids name Checks and must differ")
        seen.add(one.id)
