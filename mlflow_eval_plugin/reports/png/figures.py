"""PNG figures beside the page, for run pages and slides: matplotlib without its global state."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from io import BytesIO
from textwrap import wrap
from typing import TYPE_CHECKING, Any
from zlib import Z_RLE

from mlflow_eval_plugin.evidence import Check, Evidence
from mlflow_eval_plugin.reports.figures.diagrams import Bars, Diagram
from mlflow_eval_plugin.reports.kinds import kind_of
from mlflow_eval_plugin.reports.sentences.naming import named
from mlflow_eval_plugin.reports.sentences.ranking import too_few, worst_first
from mlflow_eval_plugin.reports.sentences.unchecked import harm_in_words
from mlflow_eval_plugin.reports.sentences.wording import VERDICTS, metric_label, where
from mlflow_eval_plugin.verdicts import Verdict

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Okabe & Ito's palette, which readers with any colour vision can tell apart; shapes repeat what colours say.
_BLUE, _ORANGE, GREY = "#0072b2", "#e69f00", "#59636e"
COLOURS: dict[Verdict, str] = {"fail": "#d55e00", "insufficient": "#8a7500", "pass": "#009e73"}
SHAPES: dict[Verdict, str] = {"fail": "X", "insufficient": "o", "pass": "o"}
_ROWS = 25
_LINE = 62  # characters of a title
_PAD = 5.0  # pixels around a figure


def figures(evidence: Evidence) -> dict[str, bytes]:
    """The PNG figures of one Evidence document, by name; empty where there is nothing to draw.

    ``reliability`` for calibration, ``forest`` for disaggregated and comparison, ``overview`` for drift.
    """
    evidence = named(evidence)
    kind = kind_of(evidence)
    if kind.diagram is not None:
        return {kind.figure: png(_reliability(evidence, kind.diagram(evidence)))}
    small = too_few(evidence).checks
    drawn = [check for check in evidence.checks if kind.drawn(check) and check not in small]
    return {kind.figure: png(_ranked(evidence, drawn))} if drawn else {}


def blank(width: float, height: float) -> Figure:
    """A figure with nothing on it, outside pyplot's global state."""
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), dpi=120, facecolor="white")


def png(figure: Figure, spaces: Mapping[str, float] | None = None, head: float = 0.0) -> bytes:
    """The bytes of a figure, which fits its frame.

    Args:
        spaces: between its axes where there are several, as matplotlib's ``subplots_adjust`` has them.
        head: the share of its height that a title takes.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    canvas: Any = FigureCanvasAgg(figure)
    _fit(figure, canvas.get_renderer(), spaces or {"hspace": 0.05}, head)
    buffer = BytesIO()
    # ``savefig`` would draw the figure twice. No version or date in the file: the same Evidence gives the same bytes.
    canvas.print_png(buffer, metadata={"Software": None}, pil_kwargs={"compress_type": Z_RLE})
    return buffer.getvalue()


def _fit(figure: Figure, renderer: Any, spaces: Mapping[str, float], head: float) -> None:
    """Margins as wide as what stands in them, measured once; matplotlib's layout engines measure it twice or more."""
    from matplotlib.transforms import Bbox

    inner = Bbox.union([axes.get_window_extent(renderer) for axes in figure.axes])
    boxes = (axes.get_tightbbox(renderer, for_layout_only=True) for axes in figure.axes)
    outer = Bbox.union([box for box in boxes if box])
    width, height = figure.bbox.size
    figure.subplots_adjust(
        left=(inner.x0 - outer.x0 + _PAD) / width,
        right=1 - (outer.x1 - inner.x1 + _PAD) / width,
        bottom=(inner.y0 - outer.y0 + _PAD) / height,
        top=1 - head - (outer.y1 - inner.y1 + _PAD) / height,
        **spaces,
    )


def sober(axes: Axes) -> None:
    """Two spines, grey ticks and a light grid."""
    axes.spines[["top", "right"]].set_visible(False)
    axes.tick_params(labelsize=9, colors=GREY)
    axes.grid(color="#e3e7ea", linewidth=0.8)
    axes.set_axisbelow(True)


def _reliability(evidence: Evidence, diagram: Diagram) -> Figure:
    figure = blank(5.6, 6.4)
    upper, lower = figure.subplots(2, 1, sharex=True, height_ratios=(4, 1))
    sober(upper)
    upper.plot(diagram.span, diagram.span, linestyle="--", color=GREY, linewidth=1)
    if diagram.band:
        place, low, high = zip(*diagram.band, strict=True)
        upper.fill_between(place, low, high, color=_BLUE, alpha=0.18, linewidth=0, label="95 % if calibrated")
    upper.plot(*zip(*diagram.curve, strict=True), color=_BLUE, linewidth=1.8, label=diagram.curve_name)
    _bins(upper, diagram)
    upper.set(xlim=diagram.span, ylim=diagram.span, ylabel=diagram.observed)
    _entitle(upper, evidence)
    upper.legend(loc="upper left", frameon=False, fontsize=9)
    _bars(lower, diagram.bars)
    lower.set(xlabel=diagram.predicted)
    return figure


def _bins(axes: Axes, diagram: Diagram) -> None:
    drawn = [b for b in diagram.bins if b[diagram.across] is not None]
    known = [b for b in drawn if b["interval"]]
    low, high = ([b["interval"][end] for b in known] for end in (0, 1))
    axes.vlines([b[diagram.across] for b in known], low, high, color="black", linewidth=0.9)
    points = [b[diagram.across] for b in drawn], [b[diagram.up] for b in drawn]
    axes.plot(*points, "o", color="white", markeredgecolor="black", markersize=5, label="bins, 95 %")


def _bars(axes: Axes, bars: Bars) -> None:
    axes.stairs(bars.up, bars.edges, fill=True, color=_BLUE)
    if not bars.down:
        sober(axes)
        return
    axes.stairs([-v for v in bars.down], bars.edges, fill=True, color=_ORANGE)
    axes.axhline(0, color=GREY, linewidth=0.8)
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.tick_params(labelsize=9, colors=GREY)
    top = max([*bars.up, *bars.down]) or 1.0
    axes.set_ylim(-1.05 * top, 1.05 * top)
    axes.set_yticks([-top / 2, top / 2], bars.sides)


def _ranked(evidence: Evidence, checks: Sequence[Check]) -> Figure:
    # One metric: that of the worst Check. The page shows the others.
    ordered = worst_first(checks)
    metric = ordered[0].metric
    shown = [check for check in ordered if check.metric == metric][:_ROWS]
    figure = blank(7.4, 1.3 + 0.27 * len(shown))
    axes = figure.subplots()
    sober(axes)
    for line in {limit for check in shown for limit in (check.minimum, check.maximum) if limit is not None}:
        axes.axvline(line, color="black", linestyle="--", linewidth=1)
    axes.axvline(0, color=GREY, linewidth=0.8)
    for verdict in COLOURS:
        _ranges(axes, [(row, check) for row, check in enumerate(shown) if check.verdict == verdict], verdict)
    axes.set_yticks(range(len(shown)), [cut(where(check)) for check in shown])
    axes.set(ylim=(len(shown) - 0.4, -0.6), xlabel=plain(metric_label(metric)))
    _entitle(axes, evidence)
    axes.grid(visible=False, axis="y")
    # Nor is there a label of this axis that needs a place beside those of the rows.
    axes.yaxis.set_label_coords(0.0, 0.5)
    return figure


def _ranges(axes: Axes, drawn: Sequence[tuple[int, Check]], verdict: Verdict) -> None:
    """All values of one verdict with their intervals, in their rows."""
    colour = COLOURS[verdict]
    known = [(row, *check.interval) for row, check in drawn if check.interval]
    if known:
        axes.hlines(*zip(*known, strict=True), color=colour, linewidth=1.8)
    points = [(check.value, row) for row, check in drawn if check.value is not None]
    filled = "white" if verdict == "insufficient" else colour
    if points:
        axes.plot(*zip(*points, strict=True), SHAPES[verdict], color=filled, markeredgecolor=colour, markersize=7)


def _entitle(axes: Axes, evidence: Evidence) -> None:
    # A height of its own, or matplotlib measures all labels once more to find one.
    verdict, harm = f"{VERDICTS[evidence.verdict]} – {plain(evidence.data.name[:40])}", harm_in_words([evidence])
    # A picture is passed on without its page, so it says of itself what no Check covers.
    axes.set_title("\n".join([verdict, *wrap(plain(harm), _LINE)]), y=1.0)


def cut(label: str) -> str:
    """A label as long as there is room for."""
    return plain(label if len(label) <= 34 else label[:33] + "…")


def plain(text: str) -> str:
    """Text that is no mathematics."""
    # A dollar sign would start mathematics, and fail on a label that is none.
    return text.replace("$", r"\$")
