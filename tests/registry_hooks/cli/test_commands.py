"""Every command as the real console script, against a real server, by people who have logged in."""

import json
import re
from pathlib import Path

import pytest
from support.releasing import POLICY, govern, register, serve
from support.serving import ADMIN, Server

DONE, REFUSED, USAGE, NO_ANSWER, BROKEN = range(5)


def test_a_release_from_policy_to_rollback_in_words(governed: Server) -> None:
    model = govern(governed)
    first = serve(governed, model)
    second, _run = register(governed, model)

    planned = governed.cli("ana", "plan", model, str(second))
    assert planned.returncode == REFUSED
    assert "  1. " in planned.stdout and f"registry-hooks nominate {model} {second}" in planned.stdout

    nominated = governed.cli("ana", "nominate", model, str(second), "--comment", "the boosted one")
    assert nominated.returncode == DONE, nominated.stderr
    assert f"Version {second} of {model} is now the challenger." in nominated.stdout
    assert f"champion {first}, challenger {second}" in nominated.stdout

    requested = governed.cli("ana", "request", model, str(second), "--comment", "better Brier score")
    assert requested.returncode == DONE, requested.stderr
    assert re.search(r"Proposal P-\d+", requested.stdout) and "Approvals from risk: 0 of 2" in requested.stdout

    own = governed.cli("ana", "approve", model, str(second), "--comment", "trust me")
    assert own.returncode == REFUSED
    assert "four-eyes" in own.stderr and "To fix: ask one of" in own.stderr and own.stdout == ""

    for user, have in (("raj", 1), ("mei", 2)):
        approved = governed.cli(user, "approve", model, "--comment", "read the report")
        assert approved.returncode == DONE, approved.stderr
        assert f"Approvals from risk: {have} of 2" in approved.stdout

    planned = governed.cli("ana", "plan", model, str(second))
    assert planned.returncode == DONE and "may be promoted now" in planned.stdout

    promoted = governed.cli("ana", "promote", model, str(second))
    assert promoted.returncode == DONE, promoted.stderr
    assert re.search(rf"champion +{first} +{second}", promoted.stdout)
    assert re.search(rf"fallback +none +{first}", promoted.stdout)

    back = governed.cli("oncall", "rollback", model, "--reason", "scores drifted")
    assert back.returncode == DONE, back.stderr
    assert f"Version {first} of {model} is the champion again." in back.stdout and "is open and due" in back.stdout

    status = governed.cli("guest", "status", model)
    assert status.returncode == DONE and f"Rolled back from: {second}" in status.stdout
    assert "scores drifted" in status.stdout

    history = governed.cli("guest", "history", model)
    assert history.returncode == DONE
    actions = re.findall(r"Z? +(ana|raj|mei|oncall|admin) +([a-z-]+) ", history.stdout)
    assert [action for _who, action in actions][-6:] == [
        "registered", "nominated", "requested", "approved", "approved", "promoted", "rolled-back",
    ][-6:]  # fmt: skip

    sound = governed.cli("guest", "audit", "verify")
    assert sound.returncode == DONE and "sound" in sound.stdout


def test_every_command_answers_in_json(governed: Server, tmp_path: Path) -> None:
    model = govern(governed)
    first = serve(governed, model)
    version, run_id = register(governed, model)
    file = tmp_path / "policy.yaml"
    file.write_text(POLICY.format(name=model, model=model))

    checked = governed.json("ana", "policy", "check", str(file))
    assert checked["name"] == model and checked["problems"] == []
    shown = governed.json("guest", "policy", "show", "--model", model)
    assert shown["policies"][0]["digest"] == checked["digest"]

    nominated = governed.json("ana", "nominate", model, str(version), "--run", run_id)
    assert nominated["pair"] == {"champion": first, "challenger": version, "fallback": None}
    assert nominated["evidence"][0]["run_id"] == run_id
    requested = governed.json("ana", "request", model, str(version))
    assert requested["state"] == "open"
    rejected = governed.json("raj", "reject", model, "--proposal", requested["id"], "--comment", "not yet")
    assert rejected["approvals"][0]["decision"] == "no"
    assert governed.json("ana", "request", model, str(version))["id"] != requested["id"]
    for user in ("raj", "mei"):
        approved = governed.json(user, "approve", model, str(version), "--comment", "read", "--meaning", "reviewed")
    assert approved["approvals"][-1]["meaning"] == "reviewed" and approved["state"] == "approved"
    assert governed.json("ana", "plan", model, str(version))["allowed"] is True
    assert governed.json("ana", "promote", model, str(version))["after"]["champion"] == version
    assert (
        governed.json("oncall", "rollback", model, "--reason", "drift", "--to", str(first))["after"]["champion"]
        == first
    )
    assert governed.json("guest", "status", model)["models"][0]["condemned"] == [version]
    assert len(governed.json("guest", "history", model, "--limit", "2")["entries"]) == 2
    verified = governed.json("guest", "audit", "verify")
    assert verified["ok"] is True

    exported = governed.cli("guest", "audit", "export", "--json")
    entries = [json.loads(line) for line in exported.stdout.splitlines()]
    assert len(entries) == verified["size"]
    log = tmp_path / "log.ndjson"
    assert governed.cli("guest", "audit", "export", "--output", str(log)).returncode == DONE
    assert log.read_text() == exported.stdout and not log.with_name("log.ndjson.part").exists()
    assert governed.json("guest", "audit", "verify-file", str(log), "--root", verified["root"])["ok"] is True

    health = governed.json("guest", "doctor")
    assert next(each for each in health["findings"] if each["what"] == "server")["ok"] is True


def test_a_refusal_in_json_is_the_servers_answer_and_exit_code_1(governed: Server) -> None:
    model = govern(governed)
    version, _run = register(governed, model, verdict="fail")
    done = governed.cli("ana", "nominate", model, str(version), "--json")
    assert done.returncode == REFUSED
    answer = json.loads(done.stdout)
    assert answer["error_code"] == "PERMISSION_DENIED"
    assert set(answer["reasons"][0]) == {"rule", "expected", "found", "mend"}


def test_an_exported_log_with_one_byte_changed_is_named_without_the_server(governed: Server, tmp_path: Path) -> None:
    govern(governed)
    log = tmp_path / "log.ndjson"
    governed.cli("guest", "audit", "export", "--output", str(log))
    lines = log.read_bytes().splitlines(keepends=True)
    lines[0] = lines[0].replace(b'"admin"', b'"nimda"', 1)
    log.write_bytes(b"".join([*lines, b'{"seq":0}\n']))
    done = governed.cli("guest", "audit", "verify-file", str(log))
    assert done.returncode == BROKEN and "entry 1:" in done.stdout and f"entry {len(lines) + 1}:" in done.stdout
    log.write_bytes(b"".join(lines[:1]))
    done = governed.cli("guest", "audit", "verify-file", str(log), "--root", "00" * 32)
    assert done.returncode == BROKEN and "the root is not the one given" in done.stdout


@pytest.mark.parametrize(
    ("user", "arguments", "code", "told"),
    [
        ("ana", ["plan", "nobody", "1"], USAGE, "'nobody'"),
        ("ana", ["nominate", "{model}", "99"], USAGE, "no version 99"),
        ("ana", ["rollback", "{model}", "--reason", "x"], REFUSED, "role"),
        ("oncall", ["rollback", "{model}", "--reason", "x"], REFUSED, "{model} cannot be rolled back"),
        ("oncall", ["rollback", "{model}"], USAGE, "Missing option '--reason'"),
        ("oncall", ["rollback", "{model}", "--reason", " "], USAGE, "reason"),
        ("ana", ["nominate", "{model}", "two"], USAGE, "'two' is not a valid integer"),
        ("ana", ["nominate", "{model}", "0"], USAGE, "0 is not in the range"),
        ("ana", ["approve", "{model}"], USAGE, "Missing option '--comment'"),
        ("raj", ["approve", "{model}", "--comment", "yes"], USAGE, "0 Proposals"),
        ("ana", ["history", "nobody"], USAGE, "'nobody'"),
        ("ana", ["promot", "{model}", "1"], USAGE, "No such command 'promot'"),
        ("ana", ["policy", "check", "missing.yaml"], USAGE, "does not exist"),
    ],
)  # fmt: skip
def test_what_cannot_be_done_says_why(
    governed: Server, shared_model: str, user: str, arguments: list[str], code: int, told: str
) -> None:
    done = governed.cli(user, *(each.format(model=shared_model) for each in arguments))
    assert (done.returncode, told.format(model=shared_model) in done.stderr) == (code, True), done.stderr
    assert "Traceback" not in done.stderr


@pytest.fixture(scope="module")
def shared_model(governed: Server) -> str:
    return govern(governed)


def test_a_policy_is_applied_by_an_administrator_only(governed: Server, tmp_path: Path) -> None:
    name = govern(governed)
    file = tmp_path / "policy.yaml"
    file.write_text(POLICY.format(name=name, model=name))
    refused = governed.cli("ana", "policy", "apply", str(file))
    assert refused.returncode == REFUSED and "only an administrator" in refused.stderr
    applied = governed.cli(ADMIN, "policy", "apply", str(file))
    assert applied.returncode == DONE and "is in force" in applied.stdout
    shown = governed.cli("guest", "policy", "show", "--name", name)
    assert "data-science: [ana]" in shown.stdout


def test_policy_check_needs_no_server_and_names_every_mistake(governed: Server, tmp_path: Path) -> None:
    file = tmp_path / "policy.yaml"
    file.write_text(POLICY.format(name="p", model="m").replace("rollback:", "rolback:").replace("count: 2", "count: 0"))
    done = governed.cli("ana", "policy", "check", str(file), MLFLOW_TRACKING_URI="")
    assert done.returncode == USAGE and "rollback" in done.stderr and "promote.approvals.0.count" in done.stderr
    answer = governed.json("ana", "policy", "check", str(file))
    assert answer["error_code"] == "INVALID_PARAMETER_VALUE" and len(answer["reasons"]) >= 3


def test_what_somebody_wrote_cannot_drive_the_terminal(governed: Server) -> None:
    model = govern(governed)
    version, _run = register(governed, model)
    governed.json("ana", "nominate", model, str(version))
    governed.json("ana", "request", model, str(version), "--comment", "\x1b[2J\x1b]0;owned\x07 fine\nreally")
    done = governed.cli("guest", "status", model)
    assert "\x1b" not in done.stdout and "\x07" not in done.stdout
    assert r"\x1b[2J" in done.stdout and "fine really" in done.stdout


@pytest.mark.parametrize(
    "command",
    ["server", "doctor", "policy", "policy new", "policy check", "policy apply", "policy show", "nominate", "plan",
     "request", "approve", "reject", "promote", "rollback", "status", "history", "audit", "audit verify",
     "audit verify-file", "audit export"],
)  # fmt: skip
def test_help_of_every_command_has_an_example(governed: Server, command: str) -> None:
    done = governed.cli("guest", *command.split(), "--help")
    assert (
        done.returncode == DONE and f"registry-hooks {command.split(maxsplit=1)[0]}" in done.stdout.split("Example:")[1]
    )


def test_help_documents_the_exit_codes(governed: Server) -> None:
    told = governed.cli("guest", "--help").stdout
    for code, word in enumerate(("done", "refused", "usage", "no answer", "audit log")):
        assert re.search(rf"^ +{code}  .*{word}", told, re.MULTILINE)


def test_only_evidence_of_the_model_that_was_evaluated_is_signed(governed: Server, tmp_path: Path) -> None:
    model = govern(governed)
    (first, run_id), (second, _) = register(governed, model), register(governed, model)
    made = governed.cli("ana", "key", "new", str(tmp_path / "build.key"))
    assert made.returncode == DONE, made.stderr
    sign = ("evidence", "sign", "--run", run_id, "--key", str(tmp_path / "build.key"), "--model")
    other = governed.cli("ana", *sign, f"models:/{model}/{second}")
    assert other.returncode == REFUSED
    assert "evidence/calibration.json: is not about the files of models:/" in other.stderr
    gone = governed.cli("ana", *sign, f"models:/{model}/99")
    assert gone.returncode == NO_ANSWER and "cannot be read" in gone.stderr
    right = governed.cli("ana", *sign, f"models:/{model}/{first}")
    assert right.returncode == DONE, right.stderr
    assert "Signed evidence/calibration.json" in right.stdout
