"""Small reference and current histograms of a drifted column, as inline SVG."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from markupsafe import Markup

from mlflow_eval_plugin.reports.figures.svg import Scale, element
from mlflow_eval_plugin.reports.sentences.wording import compact, number

_WIDTH, _HEIGHT, _BASE, _TOP = 340.0, 168.0, 128.0, 8.0
_LONGEST = 18
_NUMBER = re.compile(r"[-+]?\d+(?:\.\d+)?(?:e[-+]?\d+)?")


def histogram(column: Mapping[str, Any], described: str | None = None) -> Markup:
    """Shares per bin: an outline for the reference, a filled bar for the current rows; ``described`` in a sentence."""
    data = column["histogram"]
    labels, before, after = _short(data["labels"], column), data["reference"], data["current"]
    described = _described(column) if described is None else described
    top = max([*before, *after, 1e-9])
    y = Scale(0.0, top, _BASE, _TOP)
    step = (_WIDTH - 2.0) / max(len(labels), 1)
    parts = [element("desc", described)]
    for i, (label, old, new) in enumerate(zip(labels, before, after, strict=True)):
        x, width = 1 + i * step, max(step - min(3.0, step * 0.2), 1.0)
        tip = element("title", f"{label}: {number(old)} → {number(new)}")
        parts += [
            element("rect", tip, x=x, y=y(new), width=width, height=_BASE - y(new), class_="current"),
            element("rect", x=x, y=y(old), width=width, height=_BASE - y(old), class_="reference"),
        ]
    parts.append(element("line", x1=0.0, x2=_WIDTH, y1=_BASE, y2=_BASE, class_="axis"))
    parts += _labels(labels, step)
    return element(
        "svg", *parts, viewBox=f"0 0 {_WIDTH:.0f} {_HEIGHT:.0f}", role="img", class_="plot small",
        aria_label=f"{column['name']}: {described}",
    )  # fmt: skip


def _short(labels: list[str], column: Mapping[str, Any]) -> list[str]:
    """Ranges of numbers with ends as short as those of an axis; categories as they are."""
    if column.get("kind") != "numeric":
        return labels
    return [_NUMBER.sub(lambda found: compact(float(found[0])), label) for label in labels]


def _labels(labels: list[str], step: float) -> list[Markup]:
    # As many labels as fit side by side; the others are in the bars' titles.
    parts, taken = [], 0.0
    for i, label in enumerate(labels):
        text = label if len(label) <= _LONGEST else label[: _LONGEST - 1] + "…"
        half = len(text) * 4.3  # of the larger letters that small screens have
        centre = min(max(1 + (i + 0.5) * step, half), _WIDTH - half)
        if centre - half < taken:
            continue
        taken = centre + half + 6.0
        parts.append(element("text", text, x=centre, y=_BASE + 17, text_anchor="middle", class_="small"))
    return parts


def _described(column: Mapping[str, Any]) -> str:
    data = column["histogram"]
    changes = [
        (abs(new - old), label, old, new)
        for label, old, new in zip(data["labels"], data["reference"], data["current"], strict=True)
    ]
    if not changes:
        return "No values."
    _, label, old, new = max(changes, key=lambda change: change[0])
    return f"Largest change: the share of {label} went from {number(old)} to {number(new)}."
