"""A policy that asks for a comparison: with the champion that serves now, and with no other."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest
from support.world import MODEL, POLICY, evidence_bytes, refused, rules_of

from mlflow_eval_plugin.model_files import model_digest_at
from registry_hooks.errors import Refused

ASKING = POLICY.replace("    - {kind: drift}", "    - {kind: drift}\n    - {kind: comparison}")
assert ASKING != POLICY


@pytest.fixture
def asked(world):
    """Three versions under a policy that asks for a comparison; gives the run and the digest of each."""
    world.govern(ASKING)
    return world, world.quickly(3)


def compare(world, run_id, digest, champion):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "comparison.json"
        path.write_bytes(evidence_bytes(run_id, "comparison", "pass", digest, world.now, champion=champion))
        world.client.log_artifact(run_id, str(path), "evidence")


def test_the_first_champion_is_compared_with_nobody(asked):
    world, _ = asked
    world.promote(1)
    assert world.roles()["champion"] == 1


def test_a_second_one_needs_a_comparison_with_the_first(asked):
    world, made = asked
    world.promote(1)
    with world.acting("ana"):
        error = refused(Refused, world, lambda: world.desk.nominate(MODEL, 2))
    assert "comparison Evidence" in str(error)
    compare(world, *made[1], champion=made[0][1])
    world.promote(2)
    assert world.roles()["champion"] == 2


@pytest.mark.parametrize("other", [None, "the third"])
def test_a_comparison_with_another_model_opens_nothing(asked, other):
    world, made = asked
    world.promote(1)
    compare(world, *made[1], champion=made[2][1] if other else None)
    with world.acting("ana"):
        error = refused(Refused, world, lambda: world.desk.nominate(MODEL, 2))
    assert "comparison" in rules_of(error)
    assert "a comparison with the champion, version 1" in str(error)
    assert "models:/acs-employment/1" in str(error)


def test_a_comparison_is_void_when_another_becomes_champion(asked):
    world, made = asked
    world.promote(1)
    compare(world, *made[1], champion=made[0][1])
    compare(world, *made[2], champion=made[0][1])
    world.ask(2)
    world.approve(2)
    world.ask(3)
    world.approve(3)
    with world.acting("ana"):
        world.desk.promote(MODEL, 3)
        error = refused(Refused, world, lambda: world.desk.promote(MODEL, 2))
    assert "comparison" in rules_of(error)
    assert "one with version 1" in str(error)


def test_going_back_needs_no_comparison(asked):
    world, made = asked
    world.promote(1)
    compare(world, *made[1], champion=made[0][1])
    world.promote(2)
    with world.acting("oncall"):
        world.desk.rollback(MODEL, "scores are wrong")
    assert world.roles()["champion"] == 1


def test_a_champion_from_before_the_policy_is_known_by_its_files(world):
    made = world.quickly(2)
    world.client.set_registered_model_alias(MODEL, "champion", "1")
    world.govern(ASKING)
    compare(world, *made[1], champion=made[0][1])
    world.promote(2)
    assert world.roles()["champion"] == 2


def test_files_that_came_back_by_a_rollback_can_be_compared_with(asked):
    world, made = asked
    world.promote(1)
    compare(world, *made[1], champion=made[0][1])
    world.promote(2)
    (world.folder(1) / "weights.bin").write_bytes(b"other weights")
    with world.acting("oncall"):
        world.desk.rollback(MODEL, "scores are wrong", verify="later")
    world.later(minutes=1)
    compare(world, *made[2], champion=model_digest_at(world.folder(1)))
    world.promote(3)
    assert world.roles()["champion"] == 3


def test_a_later_comparison_with_somebody_else_takes_nothing_away(asked):
    world, made = asked
    world.promote(1)
    compare(world, *made[1], champion=made[0][1])
    world.later(minutes=1)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "comparison-2.json"
        path.write_bytes(evidence_bytes(made[1][0], "comparison", "pass", made[1][1], world.now, champion=made[2][1]))
        world.client.log_artifact(made[1][0], str(path), "evidence")
    world.promote(2)
    assert world.roles()["champion"] == 2


def test_a_comparison_counts_that_was_taken_in_before_the_policy_asked(world):
    world.govern()
    made = world.quickly(2)
    world.promote(1)
    compare(world, *made[1], champion=made[0][1])
    world.ask(2)
    world.govern(ASKING)
    with world.acting("ana"):
        world.desk.request(MODEL, 2, "once more, under the new policy")
    world.approve(2)
    with world.acting("ana"):
        world.desk.promote(MODEL, 2)
    assert world.roles()["champion"] == 2
