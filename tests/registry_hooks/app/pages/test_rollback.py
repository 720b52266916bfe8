"""The page of a model and its rollback: two clicks, one ledger entry equal to the command's, and never a second one."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from support.browsing.reading import Read, Reader
from support.releasing import POLICY, go, govern, register, serve
from support.serving import ADMIN, Server


def entries(server: Server, model: str) -> list[dict[str, Any]]:
    """The ledger entries of a model as they are stored."""
    lines = server.ask(ADMIN, "GET", "audit/export").text.splitlines()
    return [entry for entry in map(json.loads, lines) if entry.get("model") == model]


def pair_of(server: Server, model: str) -> dict[str, int | None]:
    found: dict[str, int | None] = server.ask("ana", "GET", f"status?model={model}").json()["models"][0]["pair"]
    return found


@pytest.fixture
def served(governed: Server) -> str:
    """A model whose third version serves."""
    model = govern(governed)
    for _ in range(3):
        serve(governed, model)
    return model


def confirm(reader: Reader, model: str, to: int = 2) -> Read:
    """What the first click shows."""
    page = reader.open("model", model=model)
    (link,) = [link for link in page.links if "/rollback?" in link and link.endswith(f"to={to}")]
    return reader.open(link)


def test_a_rollback_by_the_page_is_one_entry_equal_to_that_of_the_command(governed: Server, served: str) -> None:
    other = govern(governed)
    for _ in range(3):
        serve(governed, other)
    oncall = Reader(governed, "oncall")
    list_of_all = oncall.open(next(link for link in oncall.open().links if link.endswith("/model")))
    assert any(served in link for link in list_of_all.links)
    done = oncall.send(confirm(oncall, served), reason="scores drifted\r\nsince Monday")
    assert [each.status_code for each in done.answer.history] == [303] and done.status == 200
    assert "Version 2 serves again, and version 3 does not." in done.text
    assert "version 2 serves Since" in done.text and "scores drifted since Monday" in done.text
    cli = governed.cli("oncall", "rollback", other, "--reason", "scores drifted\nsince Monday")
    assert cli.returncode == 0, cli.stderr
    by_page, by_command = entries(governed, served)[-1], entries(governed, other)[-1]
    for entry in (by_page, by_command):
        review = entry["body"]["review"]
        assert entry.pop("at") == review.pop("opened_at") and review.pop("due_at")
        assert review.pop("id") == f"R-{entry.pop('seq')}" and entry.pop("tree") and entry.pop("model")
    assert by_page == by_command
    assert by_page["body"]["before"]["champion"] == 3 and by_page["body"]["after"]["champion"] == 2


def test_the_first_click_tells_what_would_be_and_changes_nothing(governed: Server, served: str) -> None:
    version, _run = register(governed, served)
    go(governed, served, version, "ana nominate", "ana request")
    before = entries(governed, served)
    page = confirm(Reader(governed, "oncall"), served)
    for words in (
        "from version 3 to version 2?", "Serves then Version 2, at once", "comes back only with Evidence that is newer",
        "Fallback then version 1", "would no longer hold", "due within 24h", "Done only if version 3 still serves",
    ):  # fmt: skip
        assert words in page.text, words
    assert entries(governed, served) == before


def test_a_second_click_does_nothing_a_second_time_and_says_so(governed: Server, served: str) -> None:
    oncall = Reader(governed, "oncall")
    page = confirm(oncall, served)
    with ThreadPoolExecutor(4) as pool:
        said = [each.text for each in pool.map(lambda _: oncall.send(page, reason="drift"), range(4))]
    assert sum("Version 2 serves again" in text for text in said) == 1
    assert sum("You had rolled back to version 2 already. Nothing was done a second time." in t for t in said) == 3
    assert [entry["action"] for entry in entries(governed, served)].count("rolled-back") == 1
    assert pair_of(governed, served) == {"champion": 2, "challenger": 1, "fallback": 1}


def test_two_people_at_once_go_back_one_version_and_the_second_reads_who_was_first(
    governed: Server, served: str
) -> None:
    yaml = POLICY.format(name=served, model=served).replace(
        "rollback: {by: [oncall]}", "rollback: {by: [oncall, risk]}"
    )
    assert governed.ask(ADMIN, "POST", "policy/apply", json={"yaml": yaml}).ok
    oncall, raj = Reader(governed, "oncall"), Reader(governed, "raj")
    theirs, mine = confirm(raj, served), confirm(oncall, served)
    assert "serves again" in raj.send(theirs, reason="alarm").text
    second = oncall.send(mine, reason="the same alarm")
    assert second.status == 200 and "raj had rolled back to version 2 already" in second.text
    assert [entry["action"] for entry in entries(governed, served)].count("rolled-back") == 1
    swapped = oncall.send(confirm(raj, served, to=1), reason="x")
    assert swapped.status == 403 and "made for somebody else" in swapped.text


def test_a_page_that_showed_another_champion_rolls_nothing_back_and_names_who_serves(
    governed: Server, served: str
) -> None:
    oncall = Reader(governed, "oncall")
    page = confirm(oncall, served)
    serve(governed, served)
    before = entries(governed, served)
    refused = oncall.send(page, reason="<i>drift</i> \u202e")
    assert refused.status == 403 and "champion is 4" in refused.text and "Nothing was changed" in refused.text
    assert "<i>drift</i> ⟨U+202E⟩" in refused.text and "\u202e" not in refused.answer.text
    assert any("/rollback?" in link for link in refused.links)
    assert entries(governed, served) == before


@pytest.mark.parametrize("user", ["mei", "ana", "guest"])
def test_who_may_not_roll_back_is_told_why_and_has_no_form(governed: Server, served: str, user: str) -> None:
    reader = Reader(governed, user)
    page = reader.open("model", model=served)
    assert page.status == 200 and "You could not roll it back now role Expected" in page.text
    assert not [link for link in page.links if "/rollback?" in link]
    shown = reader.open("rollback", model=served)
    assert shown.status == 200 and not shown.forms and "cannot be rolled back" in shown.text


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"reason": " "}, "reason"), ({"expected": ""}, "expected"), ({"to": ""}, "to"), ({"to": "9"}, "was not"),
        ({"to": "x" * 99}, "to"), ({"expected": "-1"}, "expected"), ({"model": ""}, "model"), ({"token": ""}, "form"),
        ({"token": "x.y.z"}, "form"), ({"reason": "x" * 4001}, "reason"), ({"verify": "never"}, "verify"),
        ({"sql": "'; DROP TABLE registered_models; --"}, "sql"), ({"reason": "a\x00b"}, "reason"),
        ({"model": "<script>x</script>\u202e"}, "no policy"),
    ],
)  # fmt: skip
def test_a_form_that_is_not_the_pages_does_nothing(
    governed: Server, served: str, change: dict[str, str], says: str
) -> None:
    oncall = Reader(governed, "oncall")
    page, before = confirm(oncall, served), entries(governed, served)
    refused = oncall.send(page, **{"reason": "drift", **change})
    assert 400 <= refused.status < 500 and says in refused.text and "Nothing was changed" in refused.text
    assert "<script>x" not in refused.answer.text and "\u202e" not in refused.answer.text
    assert entries(governed, served) == before


@pytest.mark.parametrize(
    "headers",
    [{"Origin": "http://evil.example"}, {"Origin": "null"}, {"Sec-Fetch-Site": "cross-site", "Origin": ""}],
    ids=["foreign", "null", "cross-site"],
)
def test_a_form_from_elsewhere_rolls_nothing_back(governed: Server, served: str, headers: dict[str, str]) -> None:
    oncall = Reader(governed, "oncall")
    page, before = confirm(oncall, served), entries(governed, served)
    refused = oncall.send(page, headers, reason="drift")
    assert refused.status == 403
    assert entries(governed, served) == before


def test_versions_are_told_with_verdicts_reviews_and_the_log_entry(governed: Server, served: str) -> None:
    told = {"model": served, "reason": "<b>drift</b> \u202e", "to": 1}
    assert governed.ask("oncall", "POST", "rollback", json=told).ok
    page = Reader(governed, "mei").open("model", model=served)
    assert "<b>drift</b> ⟨U+202E⟩" in page.text and "\u202e" not in page.answer.text
    assert "Version 3, served before, rolled back from" in page.text and "pass: calibration" in page.text
    assert "Due" in page.text and "You may close it." in page.text
    answer = governed.ask("mei", "GET", f"model?model={served}").json()
    assert [each["version"] for each in answer["versions"]] == [3, 2, 1]
    assert [(each["version"], each["how"], each["why"]) for each in answer["tenures"]][:2] == [
        (1, "rolled-back", "<b>drift</b> \u202e"), (3, "promoted", ""),
    ]  # fmt: skip
    assert answer["rollback"]["after"]["champion"] == 2 and answer["rollback"]["could_be"] == [3, 2]
    reader = Reader(governed, "mei")
    assert reader.open("model", model=served, to="one").status == 400
    assert "No governed model has <u>x" in reader.open("model", find="<u>x").text
