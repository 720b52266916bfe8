"""SVG elements as escaped markup, and linear scales: no drawing library, no scripts, colours from the page's CSS."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from markupsafe import Markup, escape


def element(name: str, *content: str, **attributes: str | float | None) -> Markup:
    """One element; ``class_`` and ``stroke_width`` become ``class`` and ``stroke-width``.

    Everything that is not already Markup is escaped. Numbers are written with at most two decimals, which is a tenth
    of a pixel.
    """
    text = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{escape(_attribute(value))}"'
        for key, value in attributes.items()
        if value is not None
    )
    inner = Markup("").join(escape(part) for part in content)
    return Markup(f"<{name}{text}>{inner}</{name}>") if inner else Markup(f"<{name}{text}/>")


def path(points: Iterable[tuple[float, float]], *, closed: bool = False, **attributes: str | float | None) -> Markup:
    """A polyline, or a filled outline when ``closed``."""
    steps = " ".join(f"{'L' if i else 'M'}{_number(x)},{_number(y)}" for i, (x, y) in enumerate(points))
    return element("path", d=steps + ("Z" if closed else ""), **attributes)


@dataclass(frozen=True)
class Scale:
    """A linear map from data to pixels (or to per cent)."""

    low: float
    high: float
    start: float
    stop: float

    def __call__(self, value: float) -> float:
        """The position of ``value``, held inside the drawn range."""
        span = self.high - self.low
        share = (value - self.low) / span if span else 0.5
        return self.start + min(max(share, 0.0), 1.0) * (self.stop - self.start)

    def ticks(self, about: int = 5) -> list[float]:
        """Round values inside the range: steps of 1, 2 or 5 times a power of ten."""
        raw = (self.high - self.low) / max(about, 1)
        if raw <= 0:
            return [self.low]
        power = 10.0 ** math.floor(math.log10(raw))
        step = next(power * m for m in (1, 2, 5, 10) if power * m >= raw * 0.999)
        first = math.ceil(self.low / step - 1e-9)
        last = math.floor(self.high / step + 1e-9)
        return [round(i * step, 12) + 0.0 for i in range(first, last + 1)]


def span_of(values: Sequence[float], *, pad: float = 0.05) -> tuple[float, float]:
    """The range that holds all values, a little wider; (0, 1) when there are none."""
    if not values:
        return 0.0, 1.0
    low, high = min(values), max(values)
    margin = (high - low) * pad or abs(high) * pad or pad
    return low - margin, high + margin


def _attribute(value: str | float) -> str:
    return value if isinstance(value, str) else _number(value)


def _number(value: float) -> str:
    return f"{value:.2f}".rstrip("0").rstrip(".") if value % 1 else str(int(value))
