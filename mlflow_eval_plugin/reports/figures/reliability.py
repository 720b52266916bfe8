"""The reliability diagram: CORP curve on its consistency band, binned points with intervals, scores per class below."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from markupsafe import Markup

from mlflow_eval_plugin.reports.figures.svg import Scale, element, path
from mlflow_eval_plugin.reports.sentences.wording import compact, count, number

LEFT, RIGHT, TOP, BOTTOM = 58.0, 470.0, 12.0, 424.0
HIST_TOP, HIST_BOTTOM = 470.0, 560.0
WIDTH, HEIGHT = 484.0, 606.0
_TICKS = (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)


class Words(NamedTuple):
    """What the axes of a diagram are called."""

    score: str
    rate: str
    positive: str
    negative: str


PROBABILITY = Words("Predicted probability", "Observed event rate", "positive", "negative")
CONFIDENCE = Words("Confidence", "Share of right predictions", "right", "wrong")


def reliability(measurements: Mapping[str, Any], words: Words = PROBABILITY) -> Markup:
    """The diagram as inline SVG, from the ``calibration`` measurements."""
    x, y = Scale(0.0, 1.0, LEFT, RIGHT), Scale(0.0, 1.0, BOTTOM, TOP)
    parts = [
        element("title", f"Reliability diagram: {words.rate.lower()} against {words.score.lower()}"),
        element("desc", _described(measurements)),
        *grid(x, y, _TICKS, _TICKS, words.rate),
        *band(measurements.get("corp_band"), x, y),
        path([(x(0), y(0)), (x(1), y(1))], class_="diagonal"),
        path([(x(score), y(rate)) for score, rate in _steps(measurements["corp"])], class_="curve"),
        *points(measurements["bins"], x, y, "mean_score", "event_rate"),
        *_histogram(measurements["histogram"], x, words),
    ]
    return element(
        "svg", *parts, viewBox=f"0 0 {WIDTH:.0f} {HEIGHT:.0f}", role="img", class_="plot reliability",
        aria_label="Reliability diagram. " + _described(measurements),
    )  # fmt: skip


def _described(measurements: Mapping[str, Any]) -> str:
    rates = [b for b in measurements["bins"] if b["mean_score"] is not None]
    furthest = max(rates, key=lambda b: abs(b["event_rate"] - b["mean_score"]), default=None)
    if furthest is None:
        return "No rows."
    return (
        f"Mean score {number(measurements['mean_score'])}, event rate {number(measurements['prevalence'])}. The bin "
        f"furthest from the diagonal has mean score {number(furthest['mean_score'])} and event rate "
        f"{number(furthest['event_rate'])}."
    )


def _steps(corp: Sequence[Sequence[float]]) -> list[tuple[float, float]]:
    return [(float(score), float(rate)) for score, rate in corp]


def grid(x: Scale, y: Scale, x_ticks: Sequence[float], y_ticks: Sequence[float], label: str) -> list[Markup]:
    """Lines and numbers at the ticks, and what is on the upright axis."""
    parts = []
    for tick in x_ticks:
        parts += [
            element("line", x1=x(tick), x2=x(tick), y1=TOP, y2=BOTTOM, class_="grid"),
            element("text", compact(tick), x=x(tick), y=BOTTOM + 20, text_anchor="middle"),
        ]
    for tick in y_ticks:
        parts += [
            element("line", x1=LEFT, x2=RIGHT, y1=y(tick), y2=y(tick), class_="grid"),
            element("text", compact(tick), x=LEFT - 8, y=y(tick) + 5, text_anchor="end"),
        ]
    middle = (TOP + BOTTOM) / 2
    turned = f"rotate(-90 16 {middle:.0f})"
    parts.append(element("text", label, x=16.0, y=middle, text_anchor="middle", transform=turned))
    return parts


def band(places: Sequence[Sequence[float]] | None, x: Scale, y: Scale) -> list[Markup]:
    """The consistency band, from triples of place, lower and upper end."""
    if not places:
        return []
    lower = [(x(score), y(low)) for score, low, _ in places]
    upper = [(x(score), y(high)) for score, _, high in reversed(places)]
    return [path([*lower, *upper], closed=True, class_="band")]


def points(bins: Sequence[Mapping[str, Any]], x: Scale, y: Scale, across: str, up: str) -> list[Markup]:
    """Binned means with their intervals; ``across`` and ``up`` are the members that hold them."""
    parts = []
    for b in bins:
        # Rows without weight count in n, and have no mean.
        if b[across] is None:
            continue
        at = x(b[across])
        if b["interval"]:
            low, high = b["interval"]
            parts.append(element("line", x1=at, x2=at, y1=y(low), y2=y(high), class_="whisker"))
        tip = element("title", f"from {number(b['lower'])} to {number(b['upper'])}: n = {b['n']}")
        parts.append(element("circle", tip, cx=at, cy=y(b[up]), r=4.0, class_="point"))
    return parts


def _histogram(histogram: Mapping[str, Sequence[float]], x: Scale, words: Words) -> list[Markup]:
    edges, positive, negative = histogram["edges"], histogram["positive"], histogram["negative"]
    top = _top([*positive, *negative])
    middle = (HIST_TOP + HIST_BOTTOM) / 2
    parts = [element("line", x1=LEFT, x2=RIGHT, y1=middle, y2=middle, class_="axis")]
    for low, high, up, down in zip(edges, edges[1:], positive, negative, strict=False):
        width = max(x(high) - x(low) - 0.6, 0.4)
        for value, class_, sign in ((up, "positive", 1.0), (down, "negative", -1.0)):
            if value:
                height = max(min(value / top, 1.0) * (middle - HIST_TOP), 0.4)
                y_top = middle - height if sign > 0 else middle
                parts.append(element("rect", x=x(low), y=y_top, width=width, height=height, class_=class_))
            if value > top:
                said = f"{'↑' if sign > 0 else '↓'} {count(round(value))}"
                parts.append(_beside(said, x(low), x(high), HIST_TOP + 10 if sign > 0 else HIST_BOTTOM - 2))
    return [
        *parts,
        element("text", words.positive, x=LEFT - 8, y=HIST_TOP + 12, text_anchor="end", class_="small"),
        element("text", words.negative, x=LEFT - 8, y=HIST_BOTTOM - 4, text_anchor="end", class_="small"),
        element("text", words.score, x=(LEFT + RIGHT) / 2, y=HEIGHT - 18, text_anchor="middle"),
    ]


def _top(weights: Sequence[float]) -> float:
    # One bar that towers over all others would flatten them: it is cut, and says how tall it is.
    highest, *others = sorted(weights, reverse=True)
    second = others[0] if others else 0.0
    return 2.0 * second if second and highest > 3.0 * second else highest or 1.0


def _beside(text: str, left: float, right: float, y: float) -> Markup:
    onward = left < (LEFT + RIGHT) / 2
    at, anchor = (right + 5, "start") if onward else (left - 5, "end")
    return element("text", text, x=at, y=y, text_anchor=anchor, class_="small")
