"""The page of a Proposal: what it shows in which order, and that a signature there is one ledger entry or nothing."""

from __future__ import annotations

import json
from datetime import datetime, timezone
from typing import Any

import pytest
import requests
from support.browsing.reading import Reader
from support.releasing import POLICY, go, govern, register, sealed, serve, upload, write_past
from support.serving import ADMIN, PASSWORDS, Server

from mlflow_eval_plugin.evidence import Check, Data, Inference, Producer, Subject, dumps, seal
from registry_hooks.rules.findings import findings


def entries(server: Server, model: str) -> list[dict[str, Any]]:
    """The ledger entries of a model as they are stored."""
    lines = server.ask(ADMIN, "GET", "audit/export").text.splitlines()
    return [entry for entry in map(json.loads, lines) if entry.get("model") == model]


@pytest.fixture
def asked(governed: Server) -> tuple[str, int]:
    """A model whose second version waits for signatures."""
    model = govern(governed)
    serve(governed, model)
    version, _run = register(governed, model)
    go(governed, model, version, "ana nominate", "ana request")
    return model, version


def page_of(reader: Reader, model: str) -> Any:
    return reader.open("proposal", model=model)


def test_a_yes_on_the_page_is_one_entry_equal_to_that_of_the_command(governed: Server, asked: tuple[str, int]) -> None:
    model, version = asked
    mei = Reader(governed, "mei")
    done = mei.send(page_of(mei, model), decision="yes", comment="read it\r\nall")
    assert done.status == 200 and "You said yes to P-" in done.text
    assert [each.status_code for each in done.answer.history] == [303]
    cli = governed.cli("raj", "approve", model, str(version), "--comment", "read it\nall")
    assert cli.returncode == 0, cli.stderr
    by_page, by_command = entries(governed, model)[-2:]
    assert by_page["body"]["approval"]["comment"] == "read it\nall"
    for entry, other in ((by_page, "mei"), (by_command, "raj")):
        assert entry["body"]["approval"].pop("at") and entry.pop("at")
        assert entry.pop("seq") and entry.pop("tree")
        assert entry["actor"] == other and entry["body"]["approval"]["actor"] == other
        del entry["actor"], entry["body"]["approval"]["actor"]
    assert by_page == by_command


def test_a_no_on_the_page_ends_the_proposal(governed: Server, asked: tuple[str, int]) -> None:
    model, _version = asked
    raj = Reader(governed, "raj")
    done = raj.send(page_of(raj, model), decision="no", comment="which subgroups?")
    assert "You said no to P-" in done.text and "rejected" in done.text and not done.forms
    assert entries(governed, model)[-1]["action"] == "rejected"


def test_the_page_tells_in_the_order_in_which_a_person_asks(governed: Server, asked: tuple[str, int]) -> None:
    model, _version = asked
    page = page_of(Reader(governed, "mei"), model)
    order = (
        "version 2 would serve in place of version 1", "champion 1 → 2", "ana asks", "What the Evidence says",
        "No comparison with version 1", "Calibration: pass", "What could not be decided", "What no check covers",
        "The whole report", "Files", "Where it comes from", "Registered by", "What the policy asks",
        "2 holders of risk must say yes", "Who has signed, and who may", "Could still sign: mei, raj", "Your signature",
        "I sign as risk", "Approve.", "Reject.",
    )  # fmt: skip
    places = [page.text.find(words) for words in order]
    assert -1 not in places and places == sorted(places), dict(zip(order, places, strict=True))


@pytest.mark.parametrize(("user", "why"), [("ana", "role"), ("oncall", "role"), ("guest", "role")])
def test_who_may_not_sign_reads_and_is_told_why_and_has_no_form(
    governed: Server, asked: tuple[str, int], user: str, why: str
) -> None:
    model, version = asked
    page = Reader(governed, user).open("proposal", model=model, version=version)
    assert page.status == 200 and not page.forms
    assert "You cannot sign this Proposal" in page.text and f"{why} Expected" in page.text


def test_a_double_click_signs_once_and_says_so(governed: Server, asked: tuple[str, int]) -> None:
    model, _version = asked
    mei = Reader(governed, "mei")
    page = page_of(mei, model)
    for decision in ("yes", "yes"):
        done = mei.send(page, decision=decision, comment="read it")
    assert done.status == 200 and "already. Nothing was signed a second time." in done.text
    other = mei.send(page, decision="no", comment="on second thoughts")
    assert other.status == 403 and "mei has signed" in other.text and "on second thoughts" in other.text
    assert [entry["action"] for entry in entries(governed, model)].count("approved") == 3  # two of version 1


def test_a_proposal_that_was_asked_for_anew_is_not_signed_from_a_page_that_showed_the_old_one(
    governed: Server, asked: tuple[str, int]
) -> None:
    model, version = asked
    mei = Reader(governed, "mei")
    page = page_of(mei, model)
    before = len(entries(governed, model))
    assert governed.ask("ana", "POST", "withdraw", json={"model": model, "comment": "too early", "version": version}).ok
    refused = mei.send(page, decision="yes", comment="read it")
    assert refused.status == 404 and "has ended" in refused.text and "withdrew" in refused.text
    action, hidden = page.forms[0]
    go(governed, model, version, "ana request")
    fresh = page_of(mei, model).forms[0][1]
    page.forms[0] = action, {**hidden, "proposal": fresh["proposal"]}
    stale = mei.send(page, decision="yes", comment="read it")
    assert stale.status == 403 and "the Proposal that was read" in stale.text and "See how it is now" in stale.text
    assert len(entries(governed, model)) == before + 2  # withdrawn and requested


def test_what_changed_while_the_page_was_open_is_named_and_nothing_is_signed(governed: Server) -> None:
    model = govern(governed)
    version, run = register(governed, model)
    go(governed, model, version, "ana nominate", "ana request")
    mei = Reader(governed, "mei")
    page = page_of(mei, model)
    uri = governed.mlflow("ana", "GET", f"runs/get?run_id={run}")["run"]["info"]["artifact_uri"]
    write_past(governed, uri, "evidence/calibration.json", sealed(Subject(run_id=run), "pass"))
    before = entries(governed, model)
    refused = mei.send(page, decision="yes", comment="read it")
    assert (
        refused.status == 403 and "evidence/calibration.json" in refused.text and "Nothing was changed" in refused.text
    )
    assert entries(governed, model) == before
    rejected = mei.send(page, decision="no", comment="what I read is gone")
    assert "You said no" in rejected.text


def test_a_policy_that_changed_while_the_page_was_open_is_named(governed: Server, asked: tuple[str, int]) -> None:
    model, _version = asked
    mei = Reader(governed, "mei")
    page = page_of(mei, model)
    text = POLICY.format(name=model, model=model) + "# another\n"
    assert governed.ask(ADMIN, "POST", "policy/apply", json={"yaml": text}).ok
    refused = mei.send(page, decision="yes", comment="read it")
    assert refused.status == 403 and "policy-changed" in refused.text
    now = mei.open("proposal", model=model, proposal=page.forms[0][1]["proposal"])
    assert "This Proposal can no longer be signed" in now.text and not now.forms


@pytest.mark.parametrize(
    ("fields", "status", "told"),
    [
        ({"comment": "x"}, 400, "whether you approve or reject"),
        ({"decision": "maybe", "comment": "x"}, 400, "whether you approve or reject"),
        ({"decision": "yes"}, 400, "comment: expected a sentence"),
        ({"decision": "yes", "comment": " \r\n "}, 400, "comment: expected a sentence"),
        ({"decision": "yes", "comment": "x" * 4001}, 400, "4001 characters"),
        ({"decision": "yes", "comment": "a\x00b"}, 400, "a NUL character"),
        ({"decision": "yes", "comment": "x", "digest": "sha256:" + "0" * 64}, 403, "the Proposal that was read"),
        ({"decision": "yes", "comment": "x", "digest": ""}, 400, "does not say what was read"),
        ({"decision": "yes", "comment": "x", "proposal": "P-999999"}, 404, "P-999999"),
        ({"decision": "yes", "comment": "x", "model": "' OR 1=1 --"}, 404, "' OR 1=1 --"),
        ({"decision": "yes", "comment": "x", "surprise": "x"}, 400, "surprise"),
        ({"decision": "yes", "comment": "x", "password": "wrong"}, 403, "re-authentication"),
        ({"decision": "yes", "comment": "x", "for_whom": "raj"}, 403, "cannot sign"),
    ],
)  # fmt: skip
def test_a_form_that_is_not_as_it_should_be_does_nothing_and_says_what_is_wrong(
    governed: Server, asked: tuple[str, int], fields: dict[str, str], status: int, told: str
) -> None:
    model, _version = asked
    mei = Reader(governed, "mei")
    page, before = page_of(mei, model), entries(governed, model)
    refused = mei.send(page, **fields)
    assert (refused.status, told in refused.text) == (status, True), refused.text
    assert entries(governed, model) == before


def test_the_policys_password_is_asked_for_with_the_form(governed: Server, asked: tuple[str, int]) -> None:
    model, version = asked
    text = POLICY.format(name=model, model=model).replace("promote:\n", "promote:\n  reauthenticate: true\n")
    assert governed.ask(ADMIN, "POST", "policy/apply", json={"yaml": text}).ok
    go(governed, model, version, "ana request")
    mei = Reader(governed, "mei")
    page = page_of(mei, model)
    assert 'type="password"' in page.answer.text
    without = mei.send(page, decision="yes", comment="read it")
    assert without.status == 403 and "re-authentication" in without.text
    wrong = mei.send(page, decision="yes", comment="read it", password="guess")
    assert wrong.status == 403 and "guess" not in wrong.text
    done = mei.send(page, decision="yes", comment="read it", password=PASSWORDS["mei"])
    assert "You said yes" in done.text and PASSWORDS["mei"] not in done.text
    assert entries(governed, model)[-1]["body"]["approval"]["reauthenticated"] is True


def test_markup_and_turned_text_of_people_and_data_is_text(governed: Server) -> None:
    evil = "<script>alert(1)</script>\u202e'\"&"
    shown = "&lt;script&gt;alert(1)&lt;/script&gt;⟨U+202E⟩"

    def made(subject: Subject) -> bytes:
        check = Check(id="a", claim=evil, metric=evil, scope=evil, n=9, maximum=1, value=2, interval=(1.5, 3),
                      verdict="insufficient", reason=evil)  # fmt: skip
        passing = check.model_copy(update={"id": "b", "verdict": "pass"})
        harmed = {"n": 3, "value": 1, "other": 2, "difference": 1, "interval": [0, 1], "harm": 1}
        unchecked = {"versus": evil, "found": [{"label": evil, "metric": evil, **harmed}]}
        return dumps(seal(
            kind="calibration", subject=subject, config={}, reference=None, checks=[check, passing],
            measurements={"unchecked": unchecked}, inference=Inference(method="holm", alpha=0.05, family_size=1),
            data=Data(name=evil, digest="sha256:" + "0" * 64, rows=9, columns=("x",)),
            producer=Producer(name="test", version="1"), created_at=f"{datetime.now(timezone.utc):%Y-%m-%dT%H:%M:%SZ}",
        ))  # fmt: skip

    model = govern(governed)
    text = POLICY.format(name=model, model=model).replace(
        "{kind: calibration}", "{kind: calibration, insufficient: allow}"
    )
    assert governed.ask(ADMIN, "POST", "policy/apply", json={"yaml": text}).ok
    version, _run = register(governed, model, evidence=made)
    for verb in ("nominate", "request"):
        assert governed.ask("ana", "POST", verb, json={"model": model, "version": version, "comment": evil}).ok
    signed = {"model": model, "version": version, "comment": evil, "meaning": evil}
    assert governed.ask("raj", "POST", "approve", json=signed).ok
    page = page_of(Reader(governed, "mei"), model)
    assert "<script" not in page.answer.text and "\u202e" not in page.answer.text
    assert page.answer.text.count(shown) >= 8
    inbox = Reader(governed, "mei").open()
    assert "<script" not in inbox.answer.text and shown in inbox.answer.text


def test_a_report_is_shown_in_the_bytes_that_were_nominated_without_scripts_and_cut_off(governed: Server) -> None:
    model = govern(governed)
    version, run = register(governed, model)
    uri = governed.mlflow("ana", "GET", f"runs/get?run_id={run}")["run"]["info"]["artifact_uri"]
    content = b"<!doctype html><title>r</title><script>top.location='http://evil.example'</script>"
    upload(governed, uri, "reports/report.html", content)
    go(governed, model, version, "ana nominate", "ana request")
    mei = Reader(governed, "mei")
    (link,) = [link for link in page_of(mei, model).links if "/report?" in link]
    found = mei.open(link)
    assert found.answer.content == content
    policy = found.answer.headers["Content-Security-Policy"]
    assert policy.startswith("sandbox; default-src 'none'") and "allow" not in policy and "script" not in policy
    assert mei.open(link.replace("report.html", "other.html")).status == 404
    assert mei.open(link.replace("reports%2Freport.html", "evidence%2Fcalibration.json")).status == 404
    assert mei.open(link.replace("reports%2Freport.html", "..%2F..%2F..%2Fmlflow.db")).status == 404
    write_past(governed, uri, "reports/report.html", b"another")
    gone = mei.open(link)
    assert gone.status == 403 and "another" not in gone.text


def test_findings_tell_the_worst_first_and_nothing_that_is_not_as_this_release_writes_it() -> None:
    def check(name: str, verdict: str, value: float, interval: Any = (0.0, 1.0), metric: str = "gap_fpr") -> Check:
        return Check.model_validate({
            "id": name, "claim": name, "metric": metric, "scope": name, "n": 5, "minimum": -0.1, "maximum": 0.1,
            "value": value, "interval": interval, "verdict": verdict, "reason": name,
        })  # fmt: skip

    checks = [
        check("passes", "pass", 0.0), check("fewer false positives", "fail", -0.9), check("more", "fail", 0.2),
        check("tiny", "insufficient", 9.0, None), check("undecided", "insufficient", 0.12),
    ]  # fmt: skip
    made = seal(
        kind="disaggregated", subject=Subject(run_id="r"), config={}, reference=None, checks=checks,
        measurements={"unchecked": {"versus": 3, "found": "none"}, "overall": [1]},
        inference=Inference(method="holm", alpha=0.05, family_size=1),
        data=Data(name="d", digest="sha256:" + "0" * 64, rows=9, columns=("x",)),
        producer=Producer(name="test", version="1"), created_at="2026-01-01T00:00:00Z",
    )  # fmt: skip
    told = findings(made)
    assert [each["scope"] for each in told["checks"]] == [
        "more",
        "fewer false positives",
        "undecided",
        "tiny",
        "passes",
    ]
    assert told["too_few_rows"] == [{"scope": "tiny", "n": 5}]
    assert told["unchecked"] == [] and told["effect"] is None
    assert told["counts"] == {"fail": 2, "insufficient": 2, "pass": 1}


def test_two_tabs_two_users_a_form_of_one_is_nothing_to_the_other(governed: Server, asked: tuple[str, int]) -> None:
    model, _version = asked
    page, before = page_of(Reader(governed, "mei"), model), entries(governed, model)
    refused = Reader(governed, "raj").send(page, decision="yes", comment="read it")
    assert refused.status == 403 and "made for somebody else" in refused.text
    action, fields = page.forms[0]
    login_gone = requests.post(governed.uri + action, data={**fields, "decision": "yes", "comment": "x"}, timeout=60)
    assert login_gone.status_code == 401
    assert entries(governed, model) == before
