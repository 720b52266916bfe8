"""What was nominated is what serves: changed files are refused, and told, by name; edited Evidence opens no gate."""

from __future__ import annotations

import json
import socket
import sqlite3
import time
from contextlib import closing

import pytest
from mlflow.exceptions import MlflowException
from support.probes.pace import patience
from support.serving import free_port
from support.world import MODEL, POLICY, refused, rules_of

from registry_hooks.desk.emergency import PATIENCE, Emergency
from registry_hooks.desk.grounds import presence
from registry_hooks.errors import Invalid, Refused


def _flip_a_byte(folder):
    file = folder / "weights.bin"
    content = bytearray(file.read_bytes())
    content[7] ^= 1
    file.write_bytes(content)
    return "weights.bin was changed"


def _remove(folder):
    (folder / "weights.bin").unlink()
    return "weights.bin is missing"


def _add(folder):
    (folder / "code").mkdir()
    (folder / "code" / "sitecustomize.py").write_text("print('hello')")
    return "code/sitecustomize.py was added"


def _rename(folder):
    (folder / "weights.bin").rename(folder / "weights.old")
    return "weights.bin is missing, weights.old was added"


CHANGED, GONE = (_flip_a_byte, _add), (_remove, _rename)


def _changes(*those):
    return pytest.mark.parametrize("change", those, ids=lambda change: change.__name__.strip("_"))


changes, kept, gone = _changes(*CHANGED, *GONE), _changes(*CHANGED), _changes(*GONE)


@pytest.fixture
def served(world):
    """Version 2 serves, version 1 did before it."""
    world.govern()
    world.quickly(2)
    world.promote(1)
    world.promote(2)
    return world


def status(world):
    with world.acting("ana"):
        return world.desk.status(MODEL)["models"][0]


def checked(world):
    """The status once the check that runs beside it is done."""
    until = time.monotonic() + 30
    while (found := status(world)["file_check"]) and found["differences"] is None and time.monotonic() < until:
        time.sleep(0.01)
    return found


def newest(world):
    with world.acting("ana"):
        return world.desk.history(MODEL, limit=1)["entries"][0]


def told(error, rule="files"):
    return next(reason.found for reason in error.reasons if reason.rule == rule)


@changes
def test_changed_files_are_refused_by_name_at_request_plan_and_promotion(world, change):
    world.govern()
    world.quickly(2)
    with world.acting("ana"):
        world.desk.nominate(MODEL, 1)
    said = change(world.folder(1))
    with world.acting("ana"):
        assert told(refused(Refused, world, lambda: world.desk.request(MODEL, 1))) == said
    world.ask(2)
    world.approve(2)
    said = change(world.folder(2))
    with world.acting("ana"):
        plan = world.desk.plan(MODEL, 2)
        error = refused(Refused, world, lambda: world.desk.promote(MODEL, 2))
    assert told(error) == said and not plan["allowed"]
    assert {reason["rule"] for reason in plan["reasons"]} == set(rules_of(error)) >= {"files", "files-changed"}
    problems = reconcile(world)
    assert f"{MODEL} version 2: {said.split(', ')[0]}" in problems


def reconcile(world):
    with world.acting("ana"):
        return world.desk.reconcile(MODEL)["problems"]


@pytest.mark.parametrize("verify", ["parallel", "now"])
@kept
def test_rollback_to_changed_files_is_refused_by_name(served, change, verify):
    said = change(served.folder(1))
    with served.acting("oncall"):
        error = refused(Refused, served, lambda: served.desk.rollback(MODEL, "bad", verify=verify))
    assert told(error) == said
    assert ("--verify later" in str(error)) == (verify == "parallel")
    assert reconcile(served) == [f"{MODEL} version 1: {each}" for each in said.split(", ")]


@pytest.mark.parametrize("verify", ["parallel", "now", "later"])
@gone
def test_rollback_never_goes_back_to_files_that_are_not_there(served, change, verify):
    said = change(served.folder(1))
    with served.acting("oncall"):
        for to in (None, 1):
            error = refused(Refused, served, lambda to=to: served.desk.rollback(MODEL, "bad", to=to, verify=verify))
            assert told(error, "files-missing") == "weights.bin is missing"
    with served.acting("oncall"), pytest.raises(MlflowException, match=r"weights\.bin is missing"):
        served.client.set_registered_model_alias(MODEL, "champion", "1")
    assert reconcile(served) == [f"{MODEL} version 1: {each}" for each in said.split(", ")]


def test_status_and_reconcile_say_what_is_not_there(served):
    assert status(served)["missing"] == []
    _remove(served.folder(1))
    _rename(served.folder(2))
    told = ["version 1: weights.bin is missing", "version 2: weights.bin is missing"]
    assert sorted(status(served)["missing"]) == told
    with served.acting("ana"):
        (every,) = served.desk.status()["models"]
    assert sorted(every["missing"]) == told
    assert {f"{MODEL} {line}" for line in told} <= set(reconcile(served))


def test_a_run_that_is_deleted_under_what_serves_is_told(served):
    run = served.client.get_model_version(MODEL, "2").run_id
    served.client.delete_run(run)  # with the database's own credentials, past the server
    told = f"run {run} is deleted, and the next mlflow gc purges it with its files"
    assert status(served)["missing"] == [f"version 2: {told}"]
    assert reconcile(served) == [f"{MODEL} version 2: {told}"]
    served.client.restore_run(run)
    assert status(served)["missing"] == [] == reconcile(served)


def test_a_version_whose_run_or_evidence_is_deleted_is_not_nominated(served):
    ((run, digest),) = served.quickly()
    other = served.client.create_run(served.experiment).info.run_id
    served.put_evidence(other, digest)
    for gone, runs in ((run, [other]), (other, [other])):
        served.client.delete_run(gone)
        with served.acting("ana"):
            error = refused(Refused, served, lambda runs=runs: served.desk.nominate(MODEL, 3, runs))
        assert rules_of(error) == ["deleted"] and gone in str(error)
        served.client.restore_run(gone)
    with served.acting("ana"):
        served.desk.nominate(MODEL, 3, [other])


def test_a_version_whose_run_was_deleted_since_is_not_promoted(served):
    ((run, _),) = served.quickly()
    served.ask(3)
    served.approve(3)
    served.client.delete_run(run)
    with served.acting("ana"):
        assert [reason["rule"] for reason in served.desk.plan(MODEL, 3)["reasons"]] == ["deleted"]
        assert rules_of(refused(Refused, served, lambda: served.desk.promote(MODEL, 3))) == ["deleted"]
        served.client.restore_run(run)
        assert served.desk.promote(MODEL, 3)["after"]["champion"] == 3


def test_a_version_that_was_never_nominated_must_have_files_to_go_back_to(world):
    world.quickly(2)
    for version, stage in ((1, "Archived"), (2, "Production")):
        world.client.transition_model_version_stage(MODEL, str(version), stage)
    world.client.set_registered_model_alias(MODEL, "fallback", "1")
    world.govern()
    folder = world.folder(1)
    folder.rename(folder.with_name("elsewhere"))
    with world.acting("oncall"):
        error = refused(Refused, world, lambda: world.desk.rollback(MODEL, "bad", verify="later"))
    assert rules_of(error) == ["files-missing"] and "no file is at" in str(error)
    folder.with_name("elsewhere").rename(folder)
    with world.acting("oncall"):
        assert world.desk.rollback(MODEL, "bad", verify="later")["files"] == "unknown"


def test_nothing_else_leads_to_files_that_are_not_there(world):
    world.govern(POLICY + "break_glass: {by: [oncall]}\n")
    world.quickly(2)
    world.promote(1)
    world.ask(2)
    world.approve(2)
    _remove(world.folder(2))
    with world.acting("ana"):
        assert told(refused(Refused, world, lambda: world.desk.promote(MODEL, 2))) == "weights.bin is missing"
        for call in (
            lambda: world.client.set_registered_model_alias(MODEL, "champion", "2"),
            lambda: world.client.transition_model_version_stage(MODEL, "2", "Production"),
        ):
            with pytest.raises(MlflowException, match=r"weights\.bin is missing"):
                call()
    with world.acting("oncall"):
        error = refused(Refused, world, lambda: world.desk.break_glass(MODEL, 2, "night"))
    assert rules_of(error) == ["files-missing"] and world.roles()["champion"] == 1


@pytest.mark.parametrize("verify", ["parallel", "now", "later"])
def test_an_artifact_store_that_is_silent_or_away_is_told_within_seconds(served, verify, monkeypatch):
    monkeypatch.setattr(presence, "LOOK", 0.2)
    with (
        closing(socket.create_server(("127.0.0.1", 0))) as silent,
        closing(sqlite3.connect(served.store.engine.url.database)) as database,
    ):
        away = f"http://127.0.0.1:{free_port()}/models"  # nobody listens there
        for location, said in ((f"ftp://127.0.0.1:{silent.getsockname()[1]}/m", "did not answer"), (away, "cannot be")):
            database.execute("UPDATE model_versions SET storage_location = ? WHERE version = 1", (location,))
            database.commit()
            began = time.monotonic()
            with served.acting("oncall"):
                error = refused(Refused, served, lambda: served.desk.rollback(MODEL, "bad", verify=verify))
            assert said in told(error, "files-unreachable") and time.monotonic() - began < patience(5)
            began = time.monotonic()
            assert any(said in line for line in status(served)["missing"]) and time.monotonic() - began < patience(3)
    assert served.roles()["champion"] == 2


@pytest.mark.parametrize("verify", ["parallel", "now", "later"])
def test_rollback_to_files_as_they_were_says_so(served, verify):
    with served.acting("oncall"):
        answer = served.desk.rollback(MODEL, "bad", verify=verify)
    assert answer["files"] == ("pending" if verify == "later" else "match")
    assert checked(served) is None and served.roles()["champion"] == 1
    assert newest(served)["action"] == ("files-checked" if verify == "later" else "rolled-back")
    served.assert_sound()


@kept
def test_rollback_that_does_not_wait_goes_back_and_tells_afterwards(served, change):
    said = change(served.folder(1)).split(", ")
    with served.acting("oncall"):
        answer = served.desk.rollback(MODEL, "bad", verify="later")
    assert answer["files"] == "pending" and answer["after"]["champion"] == 1
    assert checked(served)["differences"] == said
    assert newest(served)["action"] == "files-checked" and said[0] in newest(served)["summary"]
    assert reconcile(served) == [f"{MODEL} version 1: {each}" for each in said]
    served.assert_sound()


def test_files_that_take_long_do_not_hold_a_rollback(served):
    with (served.folder(1) / "weights.bin").open("r+b") as file:
        file.truncate(1 << 30)  # sparse: it takes no disk, and over a second to read
    with served.acting("oncall"):
        began = time.monotonic()
        answer = served.desk.rollback(MODEL, "bad")
        took = time.monotonic() - began
    assert answer["files"] == "pending" and served.roles() == {"champion": 1}
    assert status(served)["file_check"]["differences"] is None
    assert took < patience(PATIENCE + 0.5)
    assert checked(served)["differences"] == ["weights.bin was changed"]
    served.assert_sound()


def test_a_check_that_nobody_finished_is_finished_by_reconcile(served, monkeypatch):
    _flip_a_byte(served.folder(1))
    monkeypatch.setattr(
        Emergency, "_note_check", lambda *_: None
    )  # as where the server was stopped before the check was done
    with served.acting("oncall"):
        served.desk.rollback(MODEL, "bad", verify="later")
    assert status(served)["file_check"]["differences"] is None
    assert reconcile(served) == [f"{MODEL} version 1: weights.bin was changed"]
    assert status(served)["file_check"]["differences"] == ["weights.bin was changed"]
    entries = newest(served)["seq"]
    reconcile(served)
    assert newest(served)["seq"] == entries


def test_a_check_of_a_champion_that_left_changes_nothing(served):
    with served.acting("oncall"):
        served.desk.rollback(MODEL, "bad", verify="later")
    assert checked(served) is None
    before = newest(served)["seq"]
    with served.acting("oncall"):
        served.desk.emergency.note_files(MODEL, 1, ("weights.bin was changed",))
        served.desk.emergency.note_files(MODEL, 2, ("weights.bin was changed",))
    assert newest(served)["seq"] == before


def _unreadable(folder):
    (folder / "weights.bin").unlink()
    (folder / "weights.bin").symlink_to("/proc/self/mem")  # a file that the system reads for nobody, root included


def test_files_that_cannot_be_read_are_said_to_be(served):
    served.quickly()
    served.ask(3)
    served.approve(3)
    for version in (1, 3):
        _unreadable(served.folder(version))
    with served.acting("ana"):
        for call in (served.desk.plan, served.desk.promote):
            with pytest.raises(Invalid, match=r"weights\.bin of version 3 .* cannot be read"):
                call(MODEL, 3)
    with served.acting("oncall"):
        assert "weights.bin of version 1" in told(refused(Refused, served, lambda: served.desk.rollback(MODEL, "bad")))
        refused(Invalid, served, lambda: served.desk.rollback(MODEL, "bad", verify="now"))
        served.desk.rollback(MODEL, "bad", verify="later")
    assert "cannot be read" in checked(served)["differences"][0]
    served.assert_sound()


def test_a_folder_that_is_gone_is_said_to_be(served):
    folder = served.folder(1)
    folder.rename(folder.with_name("elsewhere"))
    with served.acting("oncall"):
        error = refused(Refused, served, lambda: served.desk.rollback(MODEL, "bad"))
    assert told(error, "files-missing") == "MLmodel is missing, weights.bin is missing"
    assert any("version 1" in problem for problem in reconcile(served))


# Evidence ---------------------------------------------------------------------------------------------------------


def test_a_metric_edited_by_hand_opens_no_gate(world):
    world.govern()
    ((run, _),) = world.quickly(verdict="fail")
    with world.acting("ana"):
        for metric in ("calibration", "calibration-1", "ece", "evidence/calibration/verdict"):
            world.client.log_metric(run, metric, 0.0)
        error = refused(Refused, world, lambda: world.desk.nominate(MODEL, 1))
    assert rules_of(error) == ["evidence"] * 3


@pytest.mark.parametrize("sealed_again", [False, True])
def test_evidence_edited_by_hand_opens_no_gate(world, sealed_again):
    world.govern()
    world.quickly(verdict="fail")
    file = world.folder(1).parent / "evidence" / "drift.json"
    document = json.loads(file.read_text())
    document["checks"][0]["verdict"] = "pass"
    if not sealed_again:
        file.write_text(json.dumps(document))
        with world.acting("ana"):
            error = refused(Invalid, world, lambda: world.desk.nominate(MODEL, 1))
        assert "evidence/drift.json" in str(error)
        return
    # Who re-seals it has forged a whole document: that is for the policy's `signed_by` to refuse.
    file.write_text(json.dumps({**document, "digest": "sha256:" + "0" * 64}))
    with world.acting("ana"):
        refused(Invalid, world, lambda: world.desk.nominate(MODEL, 1))


def test_evidence_edited_after_its_nomination_is_found_by_reconcile(served):
    evidence = served.folder(2).parent / "evidence"
    (evidence / "drift.json").unlink()
    (evidence / "calibration.json").write_bytes((served.folder(1).parent / "evidence/calibration.json").read_bytes())
    run = served.client.get_model_version(MODEL, "2").run_id
    assert reconcile(served) == [
        f"{MODEL} version 2: Evidence evidence/calibration.json of run {run} is another document than was nominated",
        f"{MODEL} version 2: Evidence evidence/drift.json of run {run} is gone",
    ]
