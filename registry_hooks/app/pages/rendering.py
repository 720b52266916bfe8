"""Templates filled: everything escaped, and characters that nobody sees, or that turn others around, shown as codes."""

from __future__ import annotations

import unicodedata
from base64 import b64encode
from collections.abc import Mapping
from datetime import datetime
from functools import cache
from hashlib import sha256
from importlib.resources import files
from typing import Any
from urllib.parse import urlencode

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape

from mlflow_eval_plugin.known_metrics import METRICS
from mlflow_eval_plugin.verdicts import VERDICT_WORDS
from registry_hooks.app.guards.powers import static_prefix

# Cc control, Cf format (the bidirectional marks and those without width), Cs half of a pair, Co private, Zl and Zp line
# ends of their own.
_UNSEEN = frozenset({"Cc", "Cf", "Cs", "Co", "Zl", "Zp"})
_GLYPHS = {"pass": "●", "fail": "✕", "insufficient": "○"}


def render(template: str, **values: Any) -> str:
    """The page that a template of this package makes of ``values``."""
    return _environment().get_template(template).render(**values)


def headers() -> dict[str, str]:
    """What every page says of itself: nothing but its own style, no frame around it, kept nowhere."""
    policy = (
        f"default-src 'none'; style-src '{_style_digest()}'; img-src data:; form-action 'self'; "
        "frame-ancestors 'none'; base-uri 'none'"
    )
    return {
        "Content-Security-Policy": policy,
        "X-Content-Type-Options": "nosniff",
        "X-Frame-Options": "DENY",
        "Referrer-Policy": "same-origin",
        "Cross-Origin-Opener-Policy": "same-origin",
        "Cross-Origin-Resource-Policy": "same-origin",
        "Cache-Control": "no-store",
    }


def headers_of_file() -> dict[str, str]:
    """As `headers`, for a file that somebody else made: it has an origin of its own, and runs and loads nothing."""
    policy = (
        "sandbox; default-src 'none'; style-src 'unsafe-inline'; img-src data:; form-action 'none'; base-uri 'none'"
    )
    return {
        **headers(),
        "Content-Security-Policy": f"{policy}; frame-ancestors 'none'",
        "Referrer-Policy": "no-referrer",
    }


def number(value: object) -> str:
    """A number in four digits; a dash where there is none."""
    return "–" if not isinstance(value, int | float) else f"{value:,.4g}".replace("-", "−")


def interval(limits: object) -> str:
    """``0.012 to 0.034``."""
    return f"{number(limits[0])} to {number(limits[1])}" if isinstance(limits, list | tuple) else "no interval"


def tolerance(check: Mapping[str, Any]) -> str:
    """``at most 0.1``, or both limits."""
    low, high = check["minimum"], check["maximum"]
    if low is not None and high is not None:
        return f"{number(low)} to {number(high)}"
    return f"at most {number(high)}" if low is None else f"at least {number(low)}"


def sentence(text: str) -> str:
    """With a capital letter, and everything else as it is."""
    return text[:1].upper() + text[1:]


def metric(name: str) -> str:
    """A metric as people call it: ``gap_fnr`` is the gap in false-negative rate."""
    for prefix, said in (("gap_", "gap in "), ("change_", "change in ")):
        if name.startswith(prefix):
            return said + metric(name.removeprefix(prefix))
    base, bracket, rest = name.partition("[")
    label = METRICS[base].label if base in METRICS else ""
    plain = label[:1].lower() + label[1:] if label[1:2].islower() else label
    return f"{plain or base.replace('_', ' ')}{bracket}{rest}"


def size(count: int) -> str:
    """A number of bytes for a reader."""
    if count < 1000:
        return f"{count} bytes"
    thousands = min((len(str(count)) - 1) // 3, 3)
    return f"{count / 1000**thousands:.3g} {('kB', 'MB', 'GB')[thousands - 1]}"


def address(path: str, query: Mapping[str, object] | None = None) -> str:
    """Where a page of ours is on this server: ``path`` is below ``/registry-hooks/``."""
    asked = f"?{urlencode({name: str(value) for name, value in query.items()})}" if query else ""
    return f"{static_prefix()}/registry-hooks/{path}{asked}"


def seen(value: object) -> object:
    """Text as a page shows it: what no eye sees stands as its code, ``⟨U+202E⟩``."""
    if not isinstance(value, str) or isinstance(value, Markup):
        return value
    return "".join(each if _is_seen(each) else f"⟨U+{ord(each):04X}⟩" for each in value)


def _is_seen(letter: str) -> bool:
    return letter == "\n" or unicodedata.category(letter) not in _UNSEEN


def exact(value: object) -> Markup:
    """Escaped and otherwise as it is, for the fields of a form."""
    return escape(str(value))


def when(moment: object) -> str:
    """A time, to the minute, in UTC."""
    at = moment if isinstance(moment, datetime) else datetime.fromisoformat(str(moment).replace("Z", "+00:00"))
    return f"{at:%Y-%m-%d %H:%M} UTC"


def short(digest: object) -> str:
    """The beginning of a digest, by which a person knows it again."""
    return f"{str(digest)[:19]}…"


@cache
def _style() -> str:
    return files(__package__).joinpath("templates", "style.css").read_text(encoding="utf-8")


@cache
def _style_digest() -> str:
    return f"sha256-{b64encode(sha256(_style().encode()).digest()).decode()}"


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("registry_hooks.app.pages"), autoescape=True, undefined=StrictUndefined,
        finalize=seen, trim_blocks=True, lstrip_blocks=True,
    )  # fmt: skip
    environment.filters.update(
        exact=exact,
        when=when,
        short=short,
        number=number,
        interval=interval,
        tolerance=tolerance,
        size=size,
        sentence=sentence,
        metric=metric,
    )
    environment.globals.update(
        style=Markup(_style()), address=address, mlflow=f"{static_prefix()}/", verdicts=VERDICT_WORDS, glyphs=_GLYPHS
    )
    return environment
