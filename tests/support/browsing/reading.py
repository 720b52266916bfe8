"""A reader of pages without a browser: follows links and redirects, and sends forms as a browser does."""

from __future__ import annotations

from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import Any

import requests
from support.serving import PASSWORDS, Server

PAGES = "/registry-hooks/"


class _Forms(HTMLParser):
    """Every form of a page that is posted: where it goes, and the fields that it has before anybody writes in it."""

    def __init__(self) -> None:
        super().__init__()
        self.forms: list[tuple[str, dict[str, str]]] = []
        self.posted = False
        self.links: list[str] = []
        self.text: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        named = {name: value or "" for name, value in attrs}
        if tag == "form":
            self.posted = named["method"] == "post"
            self.forms += [(named["action"], {})] if self.posted else []
        elif tag == "input" and named.get("type") == "hidden" and self.posted:
            self.forms[-1][1][named["name"]] = named["value"]
        elif tag == "a":
            self.links.append(named["href"])

    def handle_data(self, data: str) -> None:
        self.text.append(data)


@dataclass
class Read:
    """One page as it was answered."""

    answer: requests.Response
    forms: list[tuple[str, dict[str, str]]] = field(default_factory=list)
    links: list[str] = field(default_factory=list)
    text: str = ""

    @property
    def status(self) -> int:
        return self.answer.status_code


@dataclass
class Reader:
    """Somebody with a login and without scripts."""

    server: Server
    user: str

    def open(self, path: str = "", **query: Any) -> Read:
        """Open one of our pages by its path, or whatever a link names."""
        url = self.server.uri + (path if path.startswith("/") else PAGES + path)
        login = (self.user, PASSWORDS[self.user])
        return _read(requests.get(url, params=query, auth=login, timeout=60, headers={"Sec-Fetch-Site": "none"}))

    def send(self, page: Read, headers: dict[str, str] | None = None, number: int = 0, **written: str) -> Read:
        """Send a form of a page, with what somebody writes in it, as a browser does; the page that comes of it."""
        action, hidden = page.forms[number]
        own = {"Origin": self.server.uri, "Sec-Fetch-Site": "same-origin", **(headers or {})}
        login, fields = (self.user, PASSWORDS[self.user]), {**hidden, **written}
        answer = requests.post(self.server.uri + action, data=fields, auth=login, headers=own, timeout=60)
        return _read(answer)


def _read(answer: requests.Response) -> Read:
    parser = _Forms()
    parser.feed(answer.text)
    return Read(answer, parser.forms, parser.links, " ".join("".join(parser.text).split()))
