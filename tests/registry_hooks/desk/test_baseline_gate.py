"""A policy that asks for Evidence held against the version's own baseline takes no other, as the ledger names it."""

import json
from pathlib import Path

import pytest
from support.frozen.baselines import put_baseline
from support.world import MODEL, POLICY, evidence_bytes, refused, rules_of

from mlflow_eval_plugin.canonical import digest_of
from registry_hooks.errors import Invalid, NotFound, Refused
from registry_hooks.rules.policy_file import load_policy
from registry_hooks.rules.wording import promotion_in_words
from registry_hooks.storage.ledger import Ledger

ASKING = POLICY.replace("{kind: drift}", "{kind: drift, baseline: required}")
OTHER = "sha256:" + "b" * 64
assert ASKING != POLICY


@pytest.fixture
def asked(world):
    world.govern(ASKING)
    return world, world.quickly(1)[0]


def hold(world, tmp_path, run_id, digest, baseline):
    path = tmp_path / "drift.json"
    path.write_bytes(evidence_bytes(run_id, "drift", "pass", digest, world.now, baseline=baseline))
    world.client.log_artifact(run_id, str(path), "evidence")


def name(world, address, reason="rows of training", who="ana", version=1):
    with world.acting(who):
        return world.desk.baseline(MODEL, version, address, reason)


def state_of(world):
    with world.desk.cases.unit_of_work(write=False) as session:
        return Ledger(session).state(MODEL)


def test_without_a_named_baseline_and_against_rows_both_are_told_with_how_to_go_on(asked):
    world, _ = asked
    with world.acting("ana"):
        error = refused(Refused, world, lambda: world.desk.nominate(MODEL, 1))
    assert rules_of(error) == ["baseline", "baseline"]
    assert f"registry-hooks baseline {MODEL} 1 ADDRESS --reason TEXT" in str(error)
    assert "expected drift Evidence that was held against a frozen baseline" in str(error)


def test_evidence_against_the_named_baseline_opens_the_gate_and_the_ledger_says_who_named_it_and_why(asked, tmp_path):
    world, (run, digest) = asked
    uri, frozen = put_baseline(world, run, digest)
    answer = name(world, uri)
    assert (answer["digest"], answer["replaces"], answer["reason"]) == (frozen, None, "rows of training")
    hold(world, tmp_path, run, digest, frozen)
    world.promote(1)
    assert world.roles()["champion"] == 1
    state = state_of(world)
    assert {each.kind: each.baseline for each in state.nominations[1].evidence}["drift"] == frozen
    with world.acting("mei"):
        (told,) = world.desk.status(MODEL)["models"][0]["baselines"]
        (entry,) = [e for e in world.desk.history(MODEL)["entries"] if e["action"] == "baseline-named"]
    assert (told["digest"], told["address"], told["actor"], told["version"]) == (frozen, uri, "ana", 1)
    assert entry["summary"] == f"baseline of version 1 is {frozen}, because: rows of training"
    assert world.client.get_model_version(MODEL, "1").tags["registry_hooks.baseline"].startswith(frozen)
    world.assert_sound()


def test_evidence_against_another_baseline_is_refused_whatever_the_tags_say(asked, tmp_path):
    world, (run, digest) = asked
    uri, frozen = put_baseline(world, run, digest)
    name(world, uri)
    hold(world, tmp_path, run, digest, OTHER)
    with world.acting("ana"):
        world.client.set_model_version_tag(MODEL, "1", "mlflow_eval_plugin.baseline_digest", OTHER)
        error = refused(Refused, world, lambda: world.desk.nominate(MODEL, 1))
    assert rules_of(error) == ["baseline"]
    assert frozen in str(error) and OTHER in str(error)


def test_a_refresh_says_what_it_replaces_and_ends_what_was_nominated_on_the_one_before(asked, tmp_path):
    world, (run, digest) = asked
    first, old = put_baseline(world, run, digest)
    name(world, first)
    hold(world, tmp_path, run, digest, old)
    world.ask(1)
    world.approve(1)
    second, new = put_baseline(world, run, digest, folder="newer", rows=20)
    assert name(world, second, "the sensor was replaced in May")["replaces"] == old
    assert state_of(world).baselines[1].digest == new
    with world.acting("ana"):
        error = refused(Refused, world, lambda: world.desk.promote(MODEL, 1))
    assert "baseline" in rules_of(error)
    world.assert_sound()


def test_the_same_digest_again_a_stranger_and_another_models_baseline_are_refused_all_at_once(asked):
    world, (run, digest) = asked
    uri, _ = put_baseline(world, run, digest)
    name(world, uri)
    error = refused(Refused, world, lambda: name(world, uri, "again"))
    assert rules_of(error) == ["baseline"] and "which is named since" in str(error)
    error = refused(Refused, world, lambda: name(world, uri, who="oncall"))
    assert rules_of(error) == ["role"]
    other, _ = put_baseline(world, run, OTHER, folder="other")
    error = refused(Refused, world, lambda: name(world, other))
    assert rules_of(error) == ["baseline"] and f"one of other files, {OTHER}" in str(error)


def test_one_that_names_no_model_is_taken(asked):
    world, (run, _) = asked
    uri, frozen = put_baseline(world, run, None)
    assert name(world, uri)["digest"] == frozen


def test_an_edited_one_is_refused_with_each_file_that_was(asked):
    world, (run, digest) = asked
    uri, _ = put_baseline(world, run, digest, edit=True)
    error = refused(Refused, world, lambda: name(world, uri))
    assert rules_of(error) == ["baseline", "baseline"]
    assert "baseline.json that matches its own digest" in str(error) and "tables.arrow that" in str(error)


def test_what_is_no_baseline_is_refused(asked, tmp_path):
    world, (run, _) = asked
    error = refused(Refused, world, lambda: name(world, f"runs:/{run}/nothing"))
    assert "no baseline.json and tables.arrow there" in str(error)
    for number, text in enumerate((b"{", b"[]", json.dumps({"schema": "x"}).encode(), b"\xff")):
        for file, content in (("baseline.json", text), ("tables.arrow", b"")):
            (tmp_path / file).write_bytes(content)
            world.client.log_artifact(run, str(tmp_path / file), f"bad{number}")
        error = refused(Refused, world, lambda number=number: name(world, f"runs:/{run}/bad{number}"))
        assert "something else" in str(error)
    refused(NotFound, world, lambda: name(world, f"runs:/{'0' * 32}/baseline"))


@pytest.mark.parametrize(
    "address", ["file:///etc", "runs:/1", "runs:/1/", "runs:/1/../2", "runs:/1/a//b", "runs:/1/%2e%2e", "models:/m/1"]
)
def test_the_server_reads_folders_of_runs_alone(asked, address):
    error = refused(Invalid, asked[0], lambda: name(asked[0], address))
    assert "expected a folder of a run" in str(error)


def test_a_naming_needs_a_reason(asked):
    world, (run, digest) = asked
    uri, _ = put_baseline(world, run, digest)
    assert "reason: expected" in str(refused(Invalid, world, lambda: name(world, uri, " ")))


def test_a_version_that_is_deleted_leaves_none_to_the_next_of_its_number(asked):
    world, (run, digest) = asked
    name(world, put_baseline(world, run, digest)[0])
    with world.acting("ana"):
        world.client.delete_model_version(MODEL, "1")
    assert state_of(world).baselines == {}
    world.assert_sound()


def test_the_policy_in_words_says_it():
    said = promotion_in_words(load_policy(ASKING))
    assert sum("It is held against the baseline that the ledger names for the version." in each for each in said) == 1


def test_the_digest_is_that_of_the_document(asked):
    world, (run, digest) = asked
    uri, frozen = put_baseline(world, run, digest)
    text = world.client.download_artifacts(run, "baseline/baseline.json")
    body = json.loads(Path(text).read_bytes())
    assert uri == f"runs:/{run}/baseline" and body.pop("digest") == frozen == digest_of(body)
