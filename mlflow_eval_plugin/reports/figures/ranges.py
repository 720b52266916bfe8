"""Forest plots and ranked effects: one strip of SVG per table row, in per cent; the text beside it stays text."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from mlflow_eval_plugin.evidence import Check
from mlflow_eval_plugin.reports.figures.svg import Scale, element, span_of
from mlflow_eval_plugin.reports.sentences.ranking import worst_first
from mlflow_eval_plugin.reports.sentences.wording import GLYPHS, interval, number, short, where
from mlflow_eval_plugin.verdicts import VERDICT_WORDS

_ROWS = 25
_HEIGHT = 22.0


@dataclass(frozen=True)
class Row:
    """One Check as a row of a forest plot."""

    check: Check
    strip: Markup


@dataclass(frozen=True)
class Forest:
    """The Checks of one metric, worst first: the axis, the rows drawn, and how many were left out.

    ``passing`` says whether any of them passes at another value than it fails at.
    """

    metric: str
    axis: Markup
    rows: tuple[Row, ...]
    left_out: int
    passing: bool


def forests(checks: Sequence[Check]) -> list[Forest]:
    """One forest per metric with Checks, the metric with the worst Check first; at most 25 rows each."""
    ordered = worst_first(checks)
    metrics = list(dict.fromkeys(check.metric for check in ordered))
    return [_forest(metric, [check for check in ordered if check.metric == metric]) for metric in metrics]


def _forest(metric: str, checks: list[Check]) -> Forest:
    shown = checks[:_ROWS]
    scale = _scale(shown)
    rows = tuple(Row(check, _strip(check, scale)) for check in shown)
    return Forest(metric, _axis(shown, scale), rows, len(checks) - len(shown), any(map(_passing, shown)))


def _scale(checks: Sequence[Check]) -> Scale:
    values = [0.0]
    for check in checks:
        values += [v for v in (check.minimum, check.maximum, check.value) if v is not None]
    inner_low, inner_high = span_of(values)
    # One tiny slice with an interval from -1 to 1 would flatten all others: intervals count to three times the core.
    reach = inner_high - inner_low
    ends = [end for check in checks if check.interval for end in check.interval]
    low = max(min([inner_low, *ends]), inner_low - reach)
    high = min(max([inner_high, *ends]), inner_high + reach)
    if min(values) >= 0:
        low = max(low, 0.0) if not any(end < 0 for end in ends) else low
    return Scale(low, high, 1.0, 99.0)


def _tolerances(checks: Sequence[Check]) -> list[float]:
    lines = {line for check in checks for line in (check.minimum, check.maximum) if line is not None}
    return sorted(lines)


def _passing(check: Check) -> list[float]:
    """Where the whole interval has to end for a pass, of a Check that fails and passes at different values."""
    if check.passes_at is None:
        return []
    return [check.passes_at] if check.minimum is None else [-check.passes_at, check.passes_at]


def _percent(value: float) -> str:
    return f"{value:.2f}%"


def _rule(at: float, scale: Scale, class_: str, height: float) -> Markup:
    position = _percent(scale(at))
    return element("line", x1=position, x2=position, y1=0.0, y2=height, class_=class_)


def _strip(check: Check, scale: Scale) -> Markup:
    middle = _HEIGHT / 2
    parts = [_rule(line, scale, "limit", _HEIGHT) for line in _tolerances([check])]
    parts += [_rule(line, scale, "passing", _HEIGHT) for line in _passing(check) if scale.low <= line <= scale.high]
    if scale.low <= 0 <= scale.high:
        parts.insert(0, _rule(0.0, scale, "zero", _HEIGHT))
    if check.interval:
        low, high = (_percent(scale(end)) for end in check.interval)
        parts.append(element("line", x1=low, x2=high, y1=middle, y2=middle, class_="whisker"))
        for end in check.interval:
            if not scale.low <= end <= scale.high:
                parts.append(_cut(end > scale.high, middle))
    if check.value is not None:
        parts.append(_mark(check, _percent(scale(check.value)), middle))
    label = (
        f"{where(check)}: {number(check.value)}, interval {interval(check.interval)}, {VERDICT_WORDS[check.verdict]}"
    )
    return element("svg", *parts, role="img", aria_label=label, class_=f"strip {check.verdict}", height=_HEIGHT)


def _mark(check: Check, at: str, middle: float) -> Markup:
    # Verdicts differ in shape as well as in colour: a cross, an open circle, a disc.
    if check.verdict == "fail":
        return element("text", GLYPHS["fail"], x=at, y=middle + 5.5, text_anchor="middle", class_="mark")
    return element("circle", cx=at, cy=middle, r=4.5, class_="mark")


def _cut(right: bool, middle: float) -> Markup:
    # An interval that leaves the range ends in an arrow. A polygon knows no per cent, so it stands in its own viewport.
    points = "-7,0 -1,5 -7,10" if right else "7,0 1,5 7,10"
    shape = element("polygon", points=points, class_="cut")
    return element("svg", shape, x="100%" if right else "0", y=middle - 5, overflow="visible", class_="arrow")


def _axis(checks: Sequence[Check], scale: Scale) -> Markup:
    parts = []
    for tick in scale.ticks(4):
        parts.append(element("text", short(tick), x=_percent(scale(tick)), y=13.0, text_anchor="middle"))
    return element("svg", *parts, class_="strip axis", height=18.0, aria_hidden="true")
