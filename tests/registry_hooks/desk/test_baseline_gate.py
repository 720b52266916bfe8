"""A policy that asks for Evidence held against a frozen baseline takes no other; the ledger says which one it was."""

import pytest
from support.world import MODEL, POLICY, evidence_bytes, refused, rules_of

from registry_hooks.errors import Refused
from registry_hooks.rules.policy_file import load_policy
from registry_hooks.rules.wording import promotion_in_words
from registry_hooks.storage.ledger import Ledger

ASKING = POLICY.replace("{kind: drift}", "{kind: drift, baseline: required}")
BASELINE = "sha256:" + "b" * 64
assert ASKING != POLICY


@pytest.fixture
def asked(world):
    world.govern(ASKING)
    return world, world.quickly(1)[0]


def hold(world, tmp_path, run_id, digest, baseline):
    path = tmp_path / "drift.json"
    path.write_bytes(evidence_bytes(run_id, "drift", "pass", digest, world.now, baseline=baseline))
    world.client.log_artifact(run_id, str(path), "evidence")


def test_evidence_against_rows_is_refused_with_how_to_go_on(asked):
    world, _ = asked
    with world.acting("ana"):
        error = refused(Refused, world, lambda: world.desk.nominate(MODEL, 1))
    assert rules_of(error) == ["baseline"]
    assert "expected drift Evidence that was held against a frozen baseline" in str(error)
    assert "freeze a baseline (evidence freeze)" in str(error)


def test_evidence_against_a_baseline_opens_the_gate_and_the_ledger_names_the_baseline(asked, tmp_path):
    world, made = asked
    hold(world, tmp_path, *made, baseline=BASELINE)
    world.promote(1)
    assert world.roles()["champion"] == 1
    with world.desk.cases.unit_of_work(write=False) as session:
        state = Ledger(session).state(MODEL)
    assert {each.kind: each.baseline for each in state.nominations[1].evidence}["drift"] == BASELINE


def test_the_policy_in_words_says_it():
    said = promotion_in_words(load_policy(ASKING))
    assert sum("It is held against a frozen baseline." in each for each in said) == 1
