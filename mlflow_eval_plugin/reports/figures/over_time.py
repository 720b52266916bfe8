"""A column over windows of time: one distance with its intervals, its tolerance and the dates of its changes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Any

from markupsafe import Markup

from mlflow_eval_plugin.reports.figures.svg import Scale, element, path
from mlflow_eval_plugin.reports.sentences.dates import spoken_instant
from mlflow_eval_plugin.reports.sentences.wording import metric_label, number, short

_WIDTH, _HEIGHT, _BASE, _TOP, _LEFT = 340.0, 150.0, 118.0, 20.0, 4.0
_DOTS = 62  # windows, beyond which the line alone is drawn
_LETTER = 6.6  # how wide one is, about


@dataclass(frozen=True)
class OverTime:
    """One column over time, as it is drawn.

    Attributes:
        starts: of all windows, as the Evidence has them.
        after_gaps: those of them that come after a stretch without rows.
        metric: which distance.
        tolerance: where it fails; None where it has none.
    """

    column: Mapping[str, Any]
    starts: Sequence[str]
    after_gaps: frozenset[str]
    metric: str
    tolerance: float | None

    @property
    def drawing(self) -> Markup:
        """The picture."""
        series, places = self.column["metrics"][self.metric], self._places()
        x = Scale(0.0, max(places[-1], 1.0), _LEFT + 6, _WIDTH - 8)
        y = self._heights(series)
        parts = [element("desc", self.sentence), *_heights(y), *self._dates(x)]
        for run in self._runs(series["value"]):
            parts += _drawn(run, series, [x(place) for place in places], y, dots=len(self.starts) <= _DOTS)
        parts += [*self._tolerance(y), element("line", x1=_LEFT, x2=_WIDTH, y1=y(0.0), y2=y(0.0), class_="axis")]
        parts += self._labels(x)
        parts += [element("text", short(one), x=_LEFT, y=y(one) - 3, class_="small height") for one in _round(y)]
        return element(
            "svg", *parts, viewBox=f"0 0 {_WIDTH:.0f} {_HEIGHT:.0f}", role="img", class_="plot small time",
            aria_label=f"{self.column['name']}: {self.sentence}",
        )  # fmt: skip

    @property
    def sentence(self) -> str:
        """What is drawn, and when it changed."""
        changes = [spoken_instant(change["first"]) for change in self.column["changes"]]
        when = f"changed {', '.join(changes)}" if changes else "no date of change"
        known = [value for value in self.column["metrics"][self.metric]["value"] if value is not None]
        ends = f", {number(min(known))} to {number(max(known))}" if known else ""
        return f"{metric_label(self.metric)} window by window{ends}; {when}."

    def _heights(self, series: Mapping[str, Any]) -> Scale:
        values = [value for value in series["value"] if value is not None]
        ends = [end for name in ("lower", "upper") for end in series[name] if end is not None]
        core = max([abs(value) for value in values] + [self.tolerance or 0.0, 1e-9])
        # One tiny window with a wide interval would flatten all others.
        high, low = (min(max([core, *ends]), 1.6 * core), max(min([0.0, *values, *ends]), -1.6 * core))
        return Scale(low, high, _BASE, _TOP)

    def _places(self) -> list[float]:
        """Where each window is along the axis: one step after the one before, or two where rows are lacking between."""
        steps = (2.0 if start in self.after_gaps else 1.0 for start in self.starts)
        found = list(accumulate(steps))
        return [one - found[0] for one in found]

    def _runs(self, values: Sequence[float | None]) -> Iterator[list[int]]:
        """Windows with a value that follow each other."""
        run: list[int] = []
        for at, value in enumerate(values):
            if run and (value is None or self.starts[at] in self.after_gaps):
                yield run
                run = []
            if value is not None:
                run.append(at)
        if run:
            yield run

    def _dates(self, x: Scale) -> Iterator[Markup]:
        place = dict(zip(self.starts, self._places(), strict=True))
        half = (x(1.0) - x(0.0)) / 2
        for change in self.column["changes"]:
            low, high = (x(place[change[name]]) for name in ("earliest", "latest"))
            if low < high:
                yield element(
                    "rect", x=low - half, width=high - low, y=_TOP - 6, height=_BASE - _TOP + 6, class_="when"
                )
            at = x(place[change["first"]]) - half
            yield element("line", x1=at, x2=at, y1=_TOP - 6, y2=_BASE, class_="date")

    def _tolerance(self, y: Scale) -> Iterator[Markup]:
        for side in (1.0, -1.0):
            if self.tolerance and y.low <= side * self.tolerance <= y.high:
                at = y(side * self.tolerance)
                yield element("line", x1=_LEFT, x2=_WIDTH, y1=at, y2=at, class_="limit")

    def _labels(self, x: Scale) -> Iterator[Markup]:
        """The first and the last window below, and above the dates of change as far as there is room."""
        days = all("T" not in start for start in self.starts)
        said = [spoken_instant(start)[5:] if not days else start for start in (self.starts[0], self.starts[-1])]
        yield element("text", said[0], x=_LEFT, y=_BASE + 18, class_="small")
        yield element("text", said[1], x=_WIDTH, y=_BASE + 18, text_anchor="end", class_="small")
        place, taken = dict(zip(self.starts, self._places(), strict=True)), -_WIDTH
        half = (x(1.0) - x(0.0)) / 2
        for change in self.column["changes"]:
            text = spoken_instant(change["first"])[5:]
            wide = len(text) * _LETTER / 2
            at = min(max(x(place[change["first"]]) - half, wide), _WIDTH - wide)
            if at - wide > taken:
                taken = at + wide + 4
                yield element("text", text, x=at, y=_TOP - 9, text_anchor="middle", class_="small date")


def _heights(y: Scale) -> Iterator[Markup]:
    """A line at a round value, behind everything; the value itself is written over everything."""
    for tick in _round(y):
        yield element("line", x1=_LEFT, x2=_WIDTH, y1=y(tick), y2=y(tick), class_="grid")


def _round(y: Scale) -> list[float]:
    return [one for one in y.ticks(2) if one != 0][-1:]


def _drawn(
    run: Sequence[int], series: Mapping[str, Any], x: Sequence[float], y: Scale, *, dots: bool
) -> Iterator[Markup]:
    lower, upper = (
        [(x[at], y(series["value"][at] if series[name][at] is None else series[name][at])) for at in run]
        for name in ("lower", "upper")
    )
    if len(run) > 1:
        yield path([*upper, *reversed(lower)], closed=True, class_="band")
        yield path([(x[at], y(series["value"][at])) for at in run], class_="curve")
    for at in run if dots or len(run) == 1 else ():
        yield element("circle", cx=x[at], cy=y(series["value"][at]), r=2.4, class_="dot")
