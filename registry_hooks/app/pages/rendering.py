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
    environment.filters.update(exact=exact, when=when, short=short)
    environment.globals.update(
        style=Markup(_style()), address=address, mlflow=f"{static_prefix()}/", verdicts=VERDICT_WORDS, glyphs=_GLYPHS
    )
    return environment
