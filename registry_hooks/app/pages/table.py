"""What a page is: what it shows, what its forms do, and where the browser goes then."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

Fields = Mapping[str, str]
"""What a query or a form says; nothing empty is in it."""


@dataclass(frozen=True)
class Shown:
    """What a page shows: a template of this package, and the values that it is filled with."""

    template: str
    values: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class File:
    """A file that somebody else made, shown without its scripts and cut off from everything."""

    content: bytes
    kind: str


@dataclass(frozen=True)
class Done:
    """What a form has done, in a sentence, and the page that says it: its path and its query."""

    said: str
    path: str
    query: Fields = field(default_factory=dict)


@dataclass(frozen=True)
class Page:
    """One page.

    Args:
        path: below ``/registry-hooks/``.
        show: gives what a GET shows, from its query.
        act: does what a form asks for that is posted to the same path; None for a page without forms.
        about: the fields of a form that say what the page is about, by which a refusal leads back to it.
        written: the fields that a person has written, which a refusal gives back.
    """

    path: str
    show: Callable[[Fields], Shown | File]
    act: Callable[[Fields], Done] | None = None
    about: tuple[str, ...] = ()
    written: tuple[str, ...] = ()
