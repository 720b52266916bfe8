"""The pictures of a regression: the isotonic curve on its band with binned points, and targets between quantiles."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

from markupsafe import Markup

from mlflow_eval_plugin.reports.figures.histograms import histogram
from mlflow_eval_plugin.reports.figures.reliability import (
    BOTTOM,
    HEIGHT,
    HIST_BOTTOM,
    HIST_TOP,
    LEFT,
    RIGHT,
    TOP,
    WIDTH,
    band,
    grid,
    points,
)
from mlflow_eval_plugin.reports.figures.svg import Scale, element, path, span_of
from mlflow_eval_plugin.reports.sentences.wording import number, short


def mean_reliability(measurements: Mapping[str, Any]) -> Markup:
    """The diagram as inline SVG, from the ``calibration`` measurements of a regression."""
    low, high = spans(measurements)
    x, y = Scale(low, high, LEFT, RIGHT), Scale(low, high, BOTTOM, TOP)
    parts = [
        element("title", "Reliability diagram: mean target against prediction"),
        element("desc", _described(measurements)),
        *grid(x, y, x.ticks(4), y.ticks(5), "Mean target"),
        *band(measurements["corp_band"], x, y),
        path([(x(low), y(low)), (x(high), y(high))], class_="diagonal"),
        path([(x(place), y(mean)) for place, mean in measurements["corp"]], class_="curve"),
        *points(measurements["bins_equal_mass"], x, y, "mean_prediction", "mean_target"),
        *_histogram(measurements["histogram"], x),
    ]
    return element(
        "svg", *parts, viewBox=f"0 0 {WIDTH:.0f} {HEIGHT:.0f}", role="img", class_="plot reliability",
        aria_label="Reliability diagram. " + _described(measurements),
    )  # fmt: skip


def pit_picture(pit: Mapping[str, Any]) -> Markup:
    """The share of targets between consecutive quantiles, against the outline of what the levels claim."""
    levels = pit["levels"]
    labels = [f"{short(low)} to {short(high)}" for low, high in pairwise(levels)]
    furthest = max(range(len(labels)), key=lambda k: abs(pit["share"][k] - pit["expected"][k]))
    described = (
        f"Furthest from its claim: levels {labels[furthest]} hold {number(pit['share'][furthest])} of the targets and "
        f"should hold {number(pit['expected'][furthest])}."
    )
    bars = {"labels": labels, "reference": pit["expected"], "current": pit["share"]}
    return histogram({"name": "Targets between quantiles", "histogram": bars}, described)


def pit_caption(pit: Mapping[str, Any]) -> str:
    """What the picture shows, with the test."""
    test = f"(chi-squared {number(pit['chi_squared'])} with {pit['degrees_of_freedom']} degrees of freedom)"
    return (
        "Share of targets between consecutive predicted quantiles (filled) against what the levels claim (outline). "
        + (
            f"Too few targets are expected between some of them for a test {test}."
            if pit["p_value"] is None
            else "Were all quantiles right, a difference as large would have the probability "
            f"{number(pit['p_value'])} {test}."
        )
    )


def spans(measurements: Mapping[str, Any]) -> tuple[float, float]:
    """The range of both axes: that of the predictions and of the means of bins, with their intervals."""
    bins = measurements["bins_equal_mass"]
    values = [place for place, _ in measurements["corp"]]
    values += [end for b in bins for end in (b["mean_target"], *(b["interval"] or ()))]
    return span_of(values)


def _described(measurements: Mapping[str, Any]) -> str:
    furthest = max(measurements["bins_equal_mass"], key=lambda b: abs(b["mean_target"] - b["mean_prediction"]))
    return (
        f"Mean prediction {number(measurements['mean_prediction'])}, mean target "
        f"{number(measurements['mean_target'])}. The bin furthest from the diagonal has mean prediction "
        f"{number(furthest['mean_prediction'])} and mean target {number(furthest['mean_target'])}."
    )


def _histogram(histogram: Mapping[str, Sequence[float]], x: Scale) -> list[Markup]:
    top = max(histogram["weight"]) or 1.0
    parts = [element("line", x1=LEFT, x2=RIGHT, y1=HIST_BOTTOM, y2=HIST_BOTTOM, class_="axis")]
    for low, high, weight in zip(histogram["edges"], histogram["edges"][1:], histogram["weight"], strict=False):
        if weight:
            height = max(weight / top * (HIST_BOTTOM - HIST_TOP), 0.4)
            width = max(x(high) - x(low) - 0.6, 0.4)
            parts.append(
                element("rect", x=x(low), y=HIST_BOTTOM - height, width=width, height=height, class_="positive")
            )
    label = element("text", "Prediction", x=(LEFT + RIGHT) / 2, y=HEIGHT - 18, text_anchor="middle")
    return [*parts, label]
