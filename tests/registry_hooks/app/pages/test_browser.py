"""The pages in a real browser: they fit, they say nothing to the console, and axe finds nothing."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.browsing.visiting import DARK, FLAGS, axe, require_browser, visit
from support.releasing import go, govern, register, serve
from support.serving import PASSWORDS, Server


@pytest.fixture(scope="module", autouse=True)
def browser() -> None:
    require_browser()


@pytest.fixture(scope="module")
def model(governed: Server) -> str:
    name = govern(governed)
    for _ in range(3):
        serve(governed, name)
    assert governed.ask("oncall", "POST", "rollback", json={"model": name, "reason": "drift"}).ok
    version, _run = register(governed, name)
    go(governed, name, version, "ana nominate", "ana request")
    return name


def test_axe_looks_at_all(tmp_path: Path) -> None:
    page = tmp_path / "bad.html"
    page.write_text('<!doctype html><html><body><p style="color:#ddd">pale</p><input></body></html>')
    (found,), _, _ = visit(page, axe(), picture=tmp_path / "bad.png")
    rules = {each.partition(":")[0] for each in found}
    assert {"color-contrast", "document-title", "html-has-lang", "label"} <= rules


@pytest.mark.parametrize("width", [1280, 390])
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize(
    ("address", "user"),
    [
        ("", "mei"), ("?modle=wrong", "mei"), ("proposal?version=4&model={}", "mei"), ("model", "mei"),
        ("model?model={}", "oncall"), ("rollback?model={}", "oncall"), ("rollback?model={}", "mei"),
        ("review?model={}&review={review}", "raj"), ("policy", "mei"), ("policy?name={}", "mei"), ("audit", "mei"),
        ("audit?seq=1", "admin"), ("keys", "mei"),
    ],
    ids=["inbox", "refusal", "proposal", "models", "model", "rollback", "rollback-refused", "review",
         "policies", "policy", "audit", "entry", "keys"],
)  # fmt: skip
def test_axe_finds_nothing_and_the_page_fits(
    governed: Server, model: str, tmp_path: Path, address: str, user: str, scheme: str, width: int
) -> None:
    (review,) = governed.ask("mei", "GET", f"model?model={model}").json()["reviews"]
    (drawn, room, found), console, picture = visit(
        f"{governed.uri}/registry-hooks/{address.format(model, review=review['id'])}",
        "document.documentElement.scrollWidth", "innerWidth", axe(),
        login=f"{user}:{PASSWORDS[user]}", width=width, flags=DARK if scheme == "dark" else FLAGS,
        picture=tmp_path / "page.png",
    )  # fmt: skip
    assert drawn <= room == width and found == []
    assert console == (
        ["the page did not load"] if "wrong" in address else []
    )  # as the browser says of a refusal's status
    bright = sum(picture.histogram()[200:]) > picture.width * picture.height / 2
    assert bright == (scheme == "light")
