"""What stands around every page: logins, headers, tokens of forms, and characters that nobody sees."""

from __future__ import annotations

import pytest
import requests
from support.releasing import go, govern, register
from support.serving import ADMIN, Server, start

from registry_hooks.app.pages import tokens
from registry_hooks.app.pages.forms import fields_of_form, fields_of_query
from registry_hooks.app.pages.rendering import render, seen
from registry_hooks.app.pages.routes import PAGES
from registry_hooks.errors import Invalid, Reason, Refused
from registry_hooks.identity import Actor

FORM = "application/x-www-form-urlencoded"
MEI, RAJ = Actor("mei", "test"), Actor("raj", "test")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.path or "inbox")
def test_a_page_asks_for_the_login_of_mlflow(governed: Server, page: object) -> None:
    for verb in ("GET", "POST", "HEAD"):
        answer = governed.ask(None, verb, f"/registry-hooks/{page.path}")  # type: ignore[attr-defined]
        assert answer.status_code == 401
        assert answer.headers["WWW-Authenticate"].startswith("Basic")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.path or "inbox")
def test_a_page_runs_no_script_is_in_no_frame_and_is_kept_nowhere(governed: Server, page: object) -> None:
    answer = governed.ask("mei", "GET", f"/registry-hooks/{page.path}")  # type: ignore[attr-defined]
    assert answer.headers["Content-Type"] == "text/html; charset=utf-8"
    policy = dict(each.strip().split(" ", 1) for each in answer.headers["Content-Security-Policy"].split(";"))
    assert policy.pop("style-src").startswith("'sha256-")
    assert policy == {
        "default-src": "'none'", "img-src": "data:", "form-action": "'self'", "frame-ancestors": "'none'",
        "base-uri": "'none'",
    }  # fmt: skip
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["X-Frame-Options"] in ("DENY", "SAMEORIGIN")
    assert answer.headers["Referrer-Policy"] == "same-origin"
    assert "<script" not in answer.text and "style=" not in answer.text


def test_a_page_of_another_origin_reads_nothing_and_a_link_from_there_opens_the_page(governed: Server) -> None:
    foreign = governed.ask("mei", "GET", "/registry-hooks/", headers={"Origin": "http://evil.example"})
    assert foreign.status_code == 403 and "Inbox" not in foreign.text
    followed = governed.ask("mei", "GET", "/registry-hooks/", headers={"Sec-Fetch-Site": "cross-site"})
    assert followed.status_code == 200


def test_an_unknown_field_of_an_address_is_refused_with_its_reason_as_a_page(governed: Server) -> None:
    answer = governed.ask("mei", "GET", "/registry-hooks/?modle=%3Cb%3Ex&said=x")
    assert answer.status_code == 400
    assert "<h1>" in answer.text and "modle" in answer.text and "To fix" in answer.text and "<b>x" not in answer.text


@pytest.mark.parametrize("query", ["a=%ff", "a=1&a=2", "&".join(f"a{i}=1" for i in range(60))])
def test_an_address_that_is_no_address_is_refused(governed: Server, query: str) -> None:
    assert governed.ask("mei", "GET", f"/registry-hooks/?{query}").status_code == 400


def test_pages_stand_behind_the_static_prefix(tmp_path_factory: pytest.TempPathFactory) -> None:
    server = start(tmp_path_factory.mktemp("below"), "--workers", "1", users=False, below="/behind")
    try:
        answer = server.ask(ADMIN, "GET", "/behind/registry-hooks/")
        assert answer.status_code == 200
        assert 'href="/behind/registry-hooks/"' in answer.text and 'href="/behind/"' in answer.text
    finally:
        server.process.stop()


@pytest.mark.parametrize("token", [None, "x", "a.b.c"])
def test_a_form_without_the_servers_token_is_refused(token: str | None) -> None:
    with pytest.raises(Refused, match="token"):
        tokens.require_form_token("secret", MEI, "proposal", token)


def test_a_form_counts_for_its_reader_its_page_its_server_and_a_day(monkeypatch: pytest.MonkeyPatch) -> None:
    token = tokens.form_token("secret", MEI, "proposal")
    tokens.require_form_token("secret", MEI, "proposal", token)
    for secret, actor, path, found in (
        ("secret", RAJ, "proposal", "somebody else"), ("secret", MEI, "model", "another page"),
        ("other", MEI, "proposal", "not the server's"),
    ):  # fmt: skip
        with pytest.raises(Refused, match=found):
            tokens.require_form_token(secret, actor, path, token)
    monkeypatch.setattr(tokens, "LASTS", -1)
    with pytest.raises(Refused, match="older than"):
        tokens.require_form_token("secret", MEI, "proposal", token)


def test_nobody_else_makes_a_page_say_that_something_was_done(governed: Server) -> None:
    forged = tokens.said_token("guessed", MEI, "Your yes was taken")
    answer = governed.ask("mei", "GET", "/registry-hooks/", params={"said": forged})
    assert answer.status_code == 200 and "Your yes was taken" not in answer.text
    real = tokens.said_token("secret", MEI, "Your yes was taken")
    assert tokens.said("secret", MEI, real) == "Your yes was taken"
    assert tokens.said("secret", RAJ, real) is None
    assert tokens.said("secret", MEI, tokens.form_token("secret", MEI, "Your yes was taken")) is None


@pytest.mark.parametrize(
    ("body", "kind", "rule"),
    [
        (b"a=1&a=2", FORM, "a"),
        (b"a=\xff", FORM, "body"),
        (b"a=%C3%28", FORM, "body"),
        (b"a" * 600_000, FORM, "body"),
        (b"&".join(b"a%d=1" % i for i in range(60)), FORM, "body"),
        (b'{"a": 1}', "application/json", "content-type"),
        (b"", "multipart/form-data", "content-type"),
    ],
)
def test_a_form_is_read_as_strictly_as_json(body: bytes, kind: str, rule: str) -> None:
    with pytest.raises(Invalid) as refused:
        fields_of_form(body, kind)
    assert [reason.rule for reason in refused.value.reasons] == [rule]


def test_what_a_person_leaves_empty_is_not_given_and_lines_end_as_everywhere() -> None:
    assert fields_of_form(b"a=&b=+&c=1%0D%0A2&d=%E2%82%AC", FORM) == {"c": "1\n2", "d": "€"}
    assert fields_of_query(b"model=a%2Fb+c") == {"model": "a/b c"}


def test_what_no_eye_sees_stands_as_its_code_and_markup_is_text() -> None:
    assert seen("a\u202eb\u200bc\x07d\ne\u2028") == "a⟨U+202E⟩b⟨U+200B⟩c⟨U+0007⟩d\ne⟨U+2028⟩"
    assert seen("naïve 日本語 עברית") == "naïve 日本語 עברית"
    reasons = [Reason("rule", "<i>one</i>", "\u202eevil", "</li><script>x</script>")]
    page = render(
        "refusal.html.j2", actor=Actor("<mei>\u202e", "test"), headline="<b>no", reasons=reasons, said=None, back=None,
        written={},
    )  # fmt: skip
    assert "<i>" not in page and "<script" not in page and "<b>no" not in page and "\u202e" not in page
    assert "&lt;mei&gt;⟨U+202E⟩" in page


def test_the_inbox_shows_what_waits_for_whom(governed: Server) -> None:
    model = govern(governed)
    version, _run = register(governed, model)
    go(governed, model, version, "ana nominate")
    asked = {"model": model, "version": version, "comment": "<b>better</b> \u202eindeed"}
    assert governed.ask("ana", "POST", "request", json=asked).ok
    pages = {name: governed.ask(name, "GET", "/registry-hooks/").text for name in ("mei", "raj", "ana", "oncall")}
    waiting = {name: page.partition("Reviews</h2>")[0] for name, page in pages.items()}
    assert [name for name, page in waiting.items() if model in page] == ["mei", "raj"]
    assert "&lt;b&gt;better&lt;/b&gt; ⟨U+202E⟩indeed" in waiting["mei"]
    mine = pages["ana"].partition("What you asked for</h2>")[2].partition("Since yesterday")[0]
    assert model in mine and "0 of 2 yes from" in mine
    go(governed, model, version, "mei approve")
    assert model not in governed.ask("mei", "GET", "/registry-hooks/").text.partition("Reviews</h2>")[0]
    assert model in governed.ask("raj", "GET", "/registry-hooks/").text.partition("Reviews</h2>")[0]


def test_an_address_never_redirects_elsewhere(governed: Server) -> None:
    for address in ("/registry-hooks/?said=//evil.example", "/registry-hooks/?next=http://evil.example"):
        answer = requests.get(
            governed.uri + address, auth=("mei", "mei-long-password"), allow_redirects=False, timeout=30
        )
        assert answer.status_code in (200, 400) and "Location" not in answer.headers
