"""The worst Checks over time as one PNG, for slides and run pages."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from mlflow_eval_plugin.evidence import Check, Evidence
from mlflow_eval_plugin.reports.pages.trend import Line, trend_of
from mlflow_eval_plugin.reports.png.figures import COLOURS, GREY, SHAPES, blank, cut, plain, png, sober
from mlflow_eval_plugin.reports.sentences.wording import VERDICTS, metric_label, where
from mlflow_eval_plugin.verdicts import Verdict

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_MOST, _ACROSS = 12, 3
_HEAD = 34.0  # pixels for the title


def trend_figure(evidences: Sequence[Evidence]) -> bytes:
    """At most 12 Checks over time, the worst of the last document first, each in a panel of its own.

    Raises:
        EvidenceError: see ``trend_of``; also where no Check has a value.
    """
    trend = trend_of(evidences)
    lines = [line for line in trend.lines if line.has_values][:_MOST]
    across = min(_ACROSS, max(len(lines), 1))
    down = -(-max(len(lines), 1) // across)
    figure = blank(3.4 * across + 0.4, 2.3 * down + 0.6)
    panels = figure.subplots(down, across, squeeze=False).flatten().tolist()
    for axes, line in zip(panels, lines, strict=False):
        _panel(axes, line, trend.dates)
    for axes in panels[len(lines) :]:
        axes.set_axis_off()
    title = f"{VERDICTS[trend.evidences[-1].verdict]} – {trend.dates[0]} to {trend.dates[-1]}"
    head = _HEAD / figure.bbox.height
    figure.text(0.5, 1 - head / 4, title, ha="center", va="top", fontsize=11)
    return png(figure, spaces={"hspace": 0.62, "wspace": 0.3}, head=head)


def _panel(axes: Axes, line: Line, dates: Sequence[str]) -> None:
    sober(axes)
    for limit in line.limits:
        axes.axhline(limit, color="black", linestyle="--", linewidth=1)
    seen = [(i, check) for i, check in enumerate(line.checks) if check and check.value is not None]
    axes.plot([i for i, _ in seen], [check.value or 0.0 for _, check in seen], color=GREY, linewidth=1)
    for verdict in COLOURS:
        _points(axes, [(i, check) for i, check in seen if check.verdict == verdict], verdict)
    ends = [0, len(dates) - 1]
    axes.set_xticks(ends, [dates[i].replace(" ", "\n") for i in ends])
    axes.set_xlim(-0.3, len(dates) - 0.7)
    first, last = axes.get_xticklabels()
    first.set_horizontalalignment("left")
    last.set_horizontalalignment("right")
    axes.set_title(f"{cut(where(line.last))}\n{plain(metric_label(line.last.metric))}", fontsize=8.5, y=1.0)
    axes.tick_params(labelsize=8)


def _points(axes: Axes, seen: Sequence[tuple[int, Check]], verdict: Verdict) -> None:
    colour = COLOURS[verdict]
    held = [(i, *check.interval) for i, check in seen if check.interval]
    if held:
        axes.vlines(*zip(*held, strict=True), color=colour, linewidth=1.6)
    filled = "white" if verdict == "insufficient" else colour
    points = [(i, check.value) for i, check in seen]
    if points:
        axes.plot(*zip(*points, strict=True), SHAPES[verdict], color=filled, markeredgecolor=colour, markersize=6)
