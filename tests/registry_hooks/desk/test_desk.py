"""The use cases on a real registry: the whole way, and every refusal with nothing changed."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
from mlflow.exceptions import MlflowException
from support.world import MODEL, POLICY, refused, rules_of

from registry_hooks.errors import Conflict, Invalid, NotFound, Refused, Unauthenticated

pytestmark = pytest.mark.filterwarnings("ignore::FutureWarning")


def test_the_whole_way_to_champion_and_back(any_world):
    world = any_world
    world.govern()
    world.register(2)
    world.promote(1)
    assert world.roles() == {"champion": 1}
    assert world.stages() == {1: "Production", 2: "None"}
    world.promote(2)
    assert world.roles() == {"champion": 2, "challenger": 1, "fallback": 1}
    assert world.stages() == {1: "Staging", 2: "Production"}
    with world.acting("oncall"):
        answer = world.desk.rollback(MODEL, reason="complaints from Worcester")
    assert answer["before"] == {"champion": 2, "challenger": 1, "fallback": 1}
    assert answer["after"] == {"champion": 1, "challenger": None, "fallback": None}
    assert answer["review"]["version"] == 2 and answer["review"]["due_at"] > answer["review"]["opened_at"]
    assert world.roles() == {"champion": 1}
    assert world.stages() == {1: "Production", 2: "Archived"}
    with world.acting("ana"):
        actions = [e["action"] for e in world.desk.history(MODEL)["entries"]]
        (status,) = world.desk.status(MODEL)["models"]
    assert actions.count("promoted") == 2 and actions[-1] == "rolled-back"
    assert status["condemned"] == [2] and len(status["reviews"]) == 1 and not status["reviews"][0]["overdue"]
    world.assert_sound()


def test_a_direct_promotion_is_told_everything_that_is_missing(world):
    world.govern()
    world.register()
    with world.acting("ana"):
        for call in (
            lambda: world.client.set_registered_model_alias(MODEL, "champion", "1"),
            lambda: world.client.transition_model_version_stage(MODEL, "1", "Production"),
        ):
            with pytest.raises(MlflowException) as caught:
                call()
            assert caught.value.error_code == "PERMISSION_DENIED"
            for word in ("nomination", "calibration", "disaggregated", "drift", "proposal", "approvals", "mei, raj"):
                assert word in caught.value.message
            assert f"registry-hooks nominate {MODEL} 1" in caught.value.message
    assert world.roles() == {}


def test_plan_says_yes_exactly_when_promote_succeeds(world):
    world.govern()
    world.register()
    for step in ("nothing", "nominated and requested", "one yes", "two"):
        if step == "nominated and requested":
            world.ask(1)
        elif step != "nothing":
            world.approve(1, "raj" if step == "one yes" else "mei")
        with world.acting("ana"):
            plan = world.desk.plan(MODEL, 1)
        assert plan["allowed"] == (step == "two") == (not plan["reasons"])
        if not plan["allowed"]:
            with world.acting("ana"):
                error = refused(Refused, world, lambda: world.desk.promote(MODEL, 1))
            assert rules_of(error) == [reason["rule"] for reason in plan["reasons"]]
    with world.acting("ana"):
        assert world.desk.promote(MODEL, 1)["after"] == plan["after"]


def test_native_calls_promote_and_roll_back_when_the_desk_would(world):
    world.govern()
    world.register(2)
    world.ask(1)
    world.approve(1)
    with world.acting("ana"):
        world.client.set_registered_model_alias(MODEL, "champion", "1")
        world.client.set_registered_model_alias(MODEL, "champion", "1")
    world.ask(2)
    world.approve(2)
    with world.acting("ana"):
        version = world.client.transition_model_version_stage(MODEL, "2", "Production")
    assert version.current_stage == "Production" and world.roles()["champion"] == 2
    with world.acting("oncall"):
        world.client.set_registered_model_alias(MODEL, "champion", "1")
    assert world.roles() == {"champion": 1} and world.stages()[2] == "Archived"
    world.assert_sound()


# Nomination -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("verdict", "told"), [("fail", ["calibration", "disaggregated", "drift"])])
def test_evidence_that_fails_opens_no_gate(world, verdict, told):
    world.govern()
    world.register(verdict=verdict)
    with world.acting("ana"):
        error = refused(Refused, world, lambda: world.desk.nominate(MODEL, 1))
    assert [reason.expected.split()[0] for reason in error.reasons] == told
    assert "the drift claim holds" in str(error)


def test_insufficient_blocks_unless_the_policy_allows_it(world):
    world.govern()
    world.register(verdict="insufficient")
    with world.acting("ana"):
        error = refused(Refused, world, lambda: world.desk.nominate(MODEL, 1))
    assert [reason.expected.split()[0] for reason in error.reasons] == ["calibration", "drift"]


def test_evidence_of_another_model_or_run_does_not_count(world):
    world.govern()
    (_, _), (run, _) = world.register(2)
    other_run, _, other_digest = world.log_model()
    with world.acting("ana"):
        error = refused(Refused, world, lambda: world.desk.nominate(MODEL, 1, runs=[run]))
        assert rules_of(error) == ["evidence"] * 3
        error = refused(Refused, world, lambda: world.desk.nominate(MODEL, 1, runs=[other_run]))
        assert all("none in the nomination" in reason.found for reason in error.reasons)
        world.put_evidence(other_run, other_digest)
        error = refused(Refused, world, lambda: world.desk.nominate(MODEL, 1, runs=[other_run]))
    assert all(f"of run {other_run} is about other files" in reason.found for reason in error.reasons)


def test_evidence_may_come_from_another_run_of_the_same_model(world):
    world.govern()
    ((_, digest),) = world.register()
    run, _, _ = world.log_model()
    world.put_evidence(run, digest)
    with world.acting("ana"):
        answer = world.desk.nominate(MODEL, 1, runs=[run])
    assert {item["run_id"] for item in answer["evidence"]} == {run}


def test_the_newest_evidence_of_a_kind_counts(world):
    world.govern()
    ((run, digest),) = world.register()
    world.put_evidence(run, digest, ("drift",), "fail", world.now + timedelta(seconds=1), name="later_drift.json")
    with world.acting("ana"):
        error = refused(Refused, world, lambda: world.desk.nominate(MODEL, 1))
    assert [reason.expected for reason in error.reasons] == ["drift Evidence that passes"]


def test_evidence_changed_by_one_digit_is_named(world, tmp_path):
    world.govern()
    world.register()
    (path,) = tmp_path.glob("artifacts/*/artifacts/evidence/drift.json")
    path.write_bytes(path.read_bytes().replace(b'"value":0.2', b'"value":0.1'))
    with world.acting("ana"):
        error = refused(Invalid, world, lambda: world.desk.nominate(MODEL, 1))
    assert "evidence/drift.json" in str(error) and "does not match its digest" in str(error)


def test_old_evidence_is_too_old(world):
    world.govern()
    world.register()
    world.later(days=31)
    with world.acting("ana"):
        error = refused(Refused, world, lambda: world.desk.nominate(MODEL, 1))
    assert rules_of(error) == ["evidence-age"] * 3


def test_only_the_roles_of_the_policy_nominate_promote_and_roll_back(world):
    world.govern()
    world.register(2)
    with world.acting("oncall"):
        assert rules_of(refused(Refused, world, lambda: world.desk.nominate(MODEL, 1))) == ["role"]
    world.promote(1)
    world.ask(2)
    world.approve(2)
    with world.acting("raj"):
        assert rules_of(refused(Refused, world, lambda: world.desk.promote(MODEL, 2))) == ["role"]
        assert "role" in rules_of(refused(Refused, world, lambda: world.desk.rollback(MODEL, "no")))
    with world.acting(None):
        for call in (
            lambda: world.desk.nominate(MODEL, 2),
            lambda: world.desk.promote(MODEL, 2),
            lambda: world.desk.rollback(MODEL, "no"),
            lambda: world.desk.approve(MODEL, 2, comment="me"),
        ):
            refused(Unauthenticated, world, call)


# Proposals and approvals ----------------------------------------------------------------------------------------------


def test_a_second_open_proposal_for_the_same_version_is_refused(world):
    world.govern()
    world.register()
    world.ask(1)
    with world.acting("ana"):
        error = refused(Conflict, world, lambda: world.desk.request(MODEL, 1))
    assert "has an open Proposal already" in str(error)


def test_four_eyes_even_for_a_holder_of_the_role(world):
    world.govern()
    world.register()
    world.ask(1)
    with world.acting("ana"):
        error = refused(Refused, world, lambda: world.desk.approve(MODEL, 1, comment="mine"))
    assert rules_of(error) == ["four-eyes", "four-eyes"]
    assert "ana requested it" in str(error) and "ana registered it" in str(error)


@pytest.mark.parametrize("name", ["oncall", "stranger", "admin"])
def test_who_does_not_hold_the_role_does_not_approve(world, name):
    world.govern()
    world.register()
    world.ask(1)
    with world.acting(name):
        assert rules_of(refused(Refused, world, lambda: world.desk.approve(MODEL, 1, comment="me too"))) == ["role"]


def test_nobody_approves_twice(world):
    world.govern()
    world.register()
    world.ask(1)
    world.approve(1, "raj")
    with world.acting("raj"):
        error = refused(Refused, world, lambda: world.desk.approve(MODEL, 1, comment="once more"))
    assert rules_of(error) == ["twice"]


def test_an_approval_after_expiry_is_refused_and_a_new_proposal_may_follow(world):
    world.govern()
    world.register()
    world.ask(1)
    world.approve(1, "raj")
    world.later(days=7)
    with world.acting("mei"):
        assert rules_of(refused(Refused, world, lambda: world.desk.approve(MODEL, 1, comment="late"))) == ["expired"]
    with world.acting("ana"):
        assert "expired" in rules_of(refused(Refused, world, lambda: world.desk.promote(MODEL, 1)))
        assert world.desk.request(MODEL, 1)["approvals"] == []


def test_an_approval_after_the_champion_moved_is_refused(world):
    world.govern()
    world.register(2)
    world.ask(2)
    world.approve(2, "raj")
    world.promote(1)
    with world.acting("mei"):
        error = refused(Refused, world, lambda: world.desk.approve(MODEL, 2, comment="late"))
    assert rules_of(error) == ["champion-changed"] and "champion is now 1" in str(error)


def test_a_changed_policy_voids_an_approved_proposal(world):
    world.govern()
    world.register()
    world.ask(1)
    world.approve(1)
    world.govern(POLICY + "# reviewed\n")
    with world.acting("ana"):
        assert rules_of(refused(Refused, world, lambda: world.desk.promote(MODEL, 1))) == ["policy-changed"]
        (proposal,) = world.desk.status(MODEL)["models"][0]["proposals"]
    assert proposal["state"] == "void"


def test_new_evidence_voids_an_approved_proposal(world):
    world.govern()
    ((run, digest),) = world.register()
    world.ask(1)
    world.approve(1)
    world.later(hours=1)
    world.put_evidence(run, digest)
    with world.acting("ana"):
        world.desk.nominate(MODEL, 1)
        assert rules_of(refused(Refused, world, lambda: world.desk.promote(MODEL, 1))) == ["evidence-changed"]


def test_a_model_file_changed_after_approval_is_refused(world):
    world.govern()
    world.register()
    world.ask(1)
    world.approve(1)
    folder = world.client.get_model_version_download_uri(MODEL, "1").removeprefix("file://")
    with Path(folder, "requirements.txt").open("a") as file:
        file.write("\n# one more line\n")
    with world.acting("ana"):
        error = refused(Refused, world, lambda: world.desk.promote(MODEL, 1))
    assert set(rules_of(error)) == {"files", "files-changed"}


def test_one_no_ends_a_proposal(world):
    world.govern()
    world.register()
    world.ask(1)
    world.approve(1, "raj")
    with world.acting("mei"):
        assert world.desk.reject(MODEL, 1, comment="worse for women over 60")["state"] == "rejected"
    with world.acting("ana"):
        assert "proposal" in rules_of(refused(Refused, world, lambda: world.desk.promote(MODEL, 1)))
        assert world.desk.request(MODEL, 1)["state"] == "open"


def test_a_signature_needs_words(world):
    world.govern()
    world.register()
    world.ask(1)
    with world.acting("raj"):
        assert "comment" in str(refused(Invalid, world, lambda: world.desk.approve(MODEL, 1, comment="  ")))
        assert "at most" in str(refused(Invalid, world, lambda: world.desk.approve(MODEL, 1, comment="x" * 5000)))
    with world.acting("oncall"):
        assert "reason" in str(refused(Invalid, world, lambda: world.desk.rollback(MODEL, reason="")))


@pytest.mark.parametrize(("model", "version"), [("no-such-model", 1), (MODEL, 99)])
def test_unknown_models_and_versions_are_named(world, model, version):
    world.govern()
    world.register()
    with world.acting("ana"):
        for call in (world.desk.nominate, world.desk.plan, world.desk.request, world.desk.promote):
            error = refused(NotFound, world, lambda call=call: call(model, version))
            assert (str(version) if model == MODEL else model) in str(error)
