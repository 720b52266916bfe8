"""What a tolerance may be: a number that the metric can have, or the distance of two such; None sets none."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from mlflow_eval_plugin.known_metrics import metric_of

Of = Literal["value", "difference"]  # what a tolerance is held against: a metric, or how far two values are apart

Tolerance = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Limit = Annotated[float, Field(allow_inf_nan=False)]


def _without_none(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {name: limit for name, limit in value.items() if limit is not None}
    return {} if value is None else value


Tolerances = Annotated[dict[str, Tolerance], BeforeValidator(_without_none)]
Limits = Annotated[dict[str, Limit], BeforeValidator(_without_none)]


def span_of(metric: str, *, many: bool) -> tuple[float, float]:
    """The least and the largest value that a metric can have; of a custom metric nothing is known.

    Args:
        many: whether there may be three or more classes, of which the Brier score goes up to 2.
    """
    found = metric_of(metric)
    return found.of_many or found.span if many else found.span


def beyond(key: str, metric: str, tolerance: float, of: Of, *, many: bool) -> str | None:
    """Why a tolerance cannot be meant: nothing, or everything, keeps to it; None where it can."""
    low, high = span_of(metric, many=many)
    if of == "difference":
        low, high = 0.0, high - low
    if low <= tolerance <= high:
        return None
    named = f"{key!r}" if metric in key else f"{key!r} of {metric!r}"
    what = f"two values of {metric} are at most {high:g} apart" if of == "difference" else (
        f"{metric} is never above {high:g}" if tolerance > high else f"{metric} is never below {low:g}"
    )  # fmt: skip
    return f"{named}: {what}, so that {tolerance:g} judges nothing; set a tolerance within, or None for none"


def all_beyond(
    tolerances: Iterator[tuple[str, str, float, Of]], own: Collection[str], *, many: bool
) -> tuple[str, ...]:
    """What ``beyond`` says of every tolerance that cannot be meant.

    Args:
        own: the custom metrics, which may have any value.
    """
    found = (beyond(key, metric, limit, of, many=many) for key, metric, limit, of in tolerances if metric not in own)
    return tuple(one for one in found if one is not None)
