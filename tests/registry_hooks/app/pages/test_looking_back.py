"""The pages of reviews, policies, the audit log, keys and loans: what they show, and what their forms do once."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from support.browsing.reading import Reader
from support.releasing import POLICY, govern, serve
from support.serving import ADMIN, Server

MARKUP = "<script>x</script>'; DROP TABLE users; --\u202e"


def entries(server: Server, model: str) -> list[dict[str, Any]]:
    lines = server.ask(ADMIN, "GET", "audit/export").text.splitlines()
    return [entry for entry in map(json.loads, lines) if entry.get("model") == model]


def shows_no_markup(answer: str) -> None:
    assert "<script" not in answer and "\u202e" not in answer


@pytest.fixture
def reviewed(governed: Server) -> tuple[str, str]:
    """A model that was rolled back, and the id of its review."""
    model = govern(governed)
    serve(governed, model)
    serve(governed, model)
    told = governed.ask("oncall", "POST", "rollback", json={"model": model, "reason": MARKUP})
    return model, told.json()["review"]["id"]


def test_a_review_is_closed_from_the_inbox_with_the_entry_of_the_command_and_once(
    governed: Server, reviewed: tuple[str, str]
) -> None:
    (model, review), (mei, raj) = reviewed, (Reader(governed, "mei"), Reader(governed, "raj"))
    page = mei.open(next(link for link in mei.open().links if f"review?model={model}" in link))
    theirs = raj.open("review", model=model, review=review)
    shows_no_markup(page.answer.text)
    assert "rollback from version 2" in page.text and "oncall did it" in page.text
    for field, value in (("finding", " "), ("finding", "x" * 4001), ("review", ""), ("token", "x"), ("more", "y")):
        refused = mei.send(page, **{"finding": "wrong unit", field: value})
        assert 400 <= refused.status < 500 and "Nothing was changed" in refused.text, field
    assert mei.send(page, {"Origin": "http://evil.example"}, finding="wrong unit").status == 403
    assert raj.send(page, finding="wrong unit").status == 403  # mei's form
    done = mei.send(page, finding="wrong unit " + MARKUP)
    assert f"Review {review} is closed." in done.text
    shows_no_markup(done.answer.text)
    again = raj.send(theirs, finding="the same")
    assert again.status == 200 and f"mei had closed {review} already. Nothing was done a second time." in again.text
    found = [entry for entry in entries(governed, model) if entry["action"] == "review-closed"]
    assert [entry["body"] for entry in found] == [{"review": review, "finding": "wrong unit " + MARKUP}]
    assert "is closed" in mei.open("review", model=model, review=review).text


def test_who_opened_a_review_has_no_form_to_close_it(governed: Server, reviewed: tuple[str, str]) -> None:
    model, review = reviewed
    page = Reader(governed, "oncall").open("review", model=model, review=review)
    assert page.status == 200 and not page.forms and "You may not close it" in page.text
    assert Reader(governed, "mei").open("review", model=model, review=MARKUP).status == 404


def test_a_policy_is_told_in_words_with_all_versions_and_a_diff_of_two(governed: Server) -> None:
    model = govern(governed)
    yaml = POLICY.format(name=model, model=model)
    for count in (1, 2):
        changed = yaml.replace("count: 2", f"count: {count}") + "# <b>\u202e\n"
        assert governed.ask(ADMIN, "POST", "policy/apply", json={"yaml": changed}).ok
    mei = Reader(governed, "mei")
    page = mei.open("policy", name=model)
    assert "version 3" in page.text and "2 holders of risk must say yes" in page.text
    assert page.text.count("what changed from version") == 2
    diff = mei.open(next(link for link in page.links if "from=1" in link))
    shows_no_markup(diff.answer.text)
    assert "- approvals: [{role: risk, count: 2}]" in diff.text and "+ approvals: [{role: risk, count: 1}]" in diff.text
    assert "They say the same" in mei.open("policy", name=model, **{"from": 3, "to": 3}).text
    assert mei.open("policy", name=model, **{"from": "one"}).status == 400
    assert mei.open("policy", name=model, **{"from": "99"}).status == 404
    assert mei.open("policy", name=MARKUP).status == 404
    assert model in mei.open("policy").text


def test_the_log_is_searched_by_model_actor_action_and_time(governed: Server, reviewed: tuple[str, str]) -> None:
    (model, _review), mei = reviewed, Reader(governed, "mei")
    found = mei.open("audit", model=model, actor="oncall", action="rolled-back", since="2026-01-01", until="2999-01-01")
    shows_no_markup(found.answer.text)
    (link,) = [link for link in found.links if "seq=" in link]
    assert "seq=" not in " ".join(mei.open("audit", model=model, until="2001-01-01").links)
    assert "seq=" not in " ".join(mei.open("audit", actor=MARKUP).links)
    assert mei.open("audit", since="soon").status == 400 and mei.open("audit", seq="x").status == 400
    assert mei.open("audit", seq="99999999").status == 404
    entry = mei.open(link)
    assert "oncall about" in entry.text and "c2sp.org/tlog-proof@v1" in entry.text
    seq = int(re.findall(r"seq=(\d+)", link)[0])
    assert f"Entry {seq} of" in entry.text
    then = mei.open("audit", model=model, at="2999-01-01T00:00")
    assert "champion 1" in then.text
    none = mei.open("audit", model=model, at="2001-01-01")
    assert "champion none" in none.text
    assert mei.open("audit", at="2001-01-01").status == 400


def test_a_search_goes_on_where_it_stopped_and_misses_nothing(governed: Server, reviewed: tuple[str, str]) -> None:
    model, _review = reviewed
    every = [entry["seq"] for entry in entries(governed, model)]
    found, before = list[int](), None
    while True:
        asked = {"model": model, "limit": 3, **({"before": before} if before else {})}
        told = governed.ask("ana", "GET", "audit/search", params=asked).json()
        found += [each["seq"] for each in told["entries"]]
        if (before := told["older"]) is None:
            break
    assert found == every[::-1]


def test_the_whole_log_is_recomputed_from_the_page(governed: Server) -> None:
    page = Reader(governed, "mei").open("audit", verify="now")
    assert page.status == 200 and "The audit log adds up" in page.text


def test_keys_and_loans_are_shown_and_ones_own_loan_is_ended_once(governed: Server) -> None:
    model = govern(governed)
    yaml = POLICY.format(name=model, model=model) + "delegation: {longest: 14d}\n"
    assert governed.ask(ADMIN, "POST", "policy/apply", json={"yaml": yaml}).ok
    lent = {"policy": model, "role": "risk", "to": "guest", "lasts": "7d", "reason": MARKUP}
    loan = governed.ask("raj", "POST", "delegate", json=lent).json()["delegation"]["id"]
    raj, mei = Reader(governed, "raj"), Reader(governed, "mei")
    others = mei.open("keys")
    assert model in others.text and not [fields for _, fields in others.forms if fields.get("delegation") == loan]
    page = raj.open("keys")
    shows_no_markup(page.answer.text)
    (number,) = [at for at, (_, fields) in enumerate(page.forms) if fields["delegation"] == loan]
    assert raj.send(page, {"Origin": "http://evil.example"}, number=number).status == 403
    assert mei.send(page, number=number).status == 403
    assert f"The loan {loan} of risk to guest has ended." in raj.send(page, number=number).text
    assert "is not in force any more" in raj.send(page, number=number).text
    assert not [f for _, f in raj.open("keys").forms if f["delegation"] == loan]
