"""Where two calls meet, where somebody meddled, and where a request is odd: still one decision, and never a 5xx."""

from __future__ import annotations

import threading
import warnings
from contextlib import suppress
from pathlib import Path
from urllib.parse import urlparse
from urllib.request import url2pathname

import pytest
import sqlalchemy as sa
from mlflow.exceptions import MlflowException
from mlflow.store.artifact import artifact_repository_registry
from mlflow.store.artifact.artifact_repo import ArtifactRepository
from mlflow.store.model_registry.sqlalchemy_store import SqlAlchemyStore
from support.world import MODEL, POLICY, refused

from registry_hooks.desk.emergency import Emergency
from registry_hooks.desk.native import Native
from registry_hooks.errors import Conflict, Invalid, NotFound, Refused
from registry_hooks.rules.signatures import new_key, public_pem
from registry_hooks.storage.ledger import Ledger

pytestmark = pytest.mark.filterwarnings("ignore::FutureWarning")


def test_two_native_calls_for_one_rollback_roll_back_once(world, monkeypatch):
    """The second saw the fallback before the first moved it, and would otherwise go back once more."""
    world.govern()
    world.register(3)
    for version in (1, 2, 3):
        world.promote(version)
    rollback = Emergency.rollback

    def after_another_one(emergency, *arguments, **options):
        monkeypatch.undo()
        rollback(emergency, MODEL, "the other call")
        return rollback(emergency, *arguments, **options)

    monkeypatch.setattr(Emergency, "rollback", after_another_one)
    with world.acting("oncall"), pytest.raises(MlflowException, match="cannot be rolled back"):
        world.client.set_registered_model_alias(MODEL, "champion", "2")
    assert world.roles() == {"champion": 2, "challenger": 1, "fallback": 1}
    world.assert_sound()


def test_policies_applied_at_once_do_not_both_take_a_model(any_world):
    world = any_world
    policies_of, both, outcome = Ledger.policies, threading.Barrier(2), []

    def policies_when_both_are_there(self):
        found = policies_of(self)
        with suppress(threading.BrokenBarrierError):
            both.wait(2)  # breaks where the other has to wait for this one, as it should
        return found

    def apply(name: str) -> None:
        with world.acting("admin"):
            try:
                world.desk.policy_apply(POLICY.replace("name: employment", f"name: {name}"))
                outcome.append("applied")
            except Conflict:
                outcome.append("refused")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Ledger, "policies", policies_when_both_are_there)
        threads = [threading.Thread(target=apply, args=(name,)) for name in ("one", "two")]
        [thread.start() for thread in threads]
        [thread.join(60) for thread in threads]
    assert sorted(outcome) == ["applied", "refused"]
    assert len(world.desk.policy_show()["policies"]) == 1


def test_a_version_of_a_model_that_comes_under_policy_meanwhile_is_refused(world, monkeypatch):
    """Its author would be unknown, and could approve it."""
    world.register()
    governs = Native.governs

    def and_then_it_is_governed(native, model):
        answer = governs(native, model)
        monkeypatch.undo()
        world.govern()
        return answer

    monkeypatch.setattr(Native, "governs", and_then_it_is_governed)
    with world.acting("ana"), pytest.raises(MlflowException, match="came under a policy just now"):
        world.client.create_model_version(MODEL, "file:///tmp/x")
    assert world.stages() == {1: "None"}


def test_authors_stay_known_when_a_model_leaves_its_policy_and_returns(world):
    world.govern()
    world.register()
    world.govern(POLICY.replace(f"[{MODEL}]", "[elsewhere]"))
    world.govern()
    world.ask(1)
    with world.acting("ana"), pytest.raises(Refused, match="ana registered it"):
        world.desk.approve(MODEL, 1, comment="mine")
    world.govern()
    world.assert_sound()


def test_an_alias_that_the_database_may_take_for_a_role_is_refused(world, monkeypatch):
    world.govern()
    world.register()
    with world.acting("ana"):
        world.client.set_registered_model_alias(MODEL, "chämpion", "1")
        monkeypatch.setattr(world.store.engine.dialect, "name", "mysql")
        for call in (world.store.delete_registered_model_alias, world.store.set_registered_model_alias):
            with pytest.raises(MlflowException, match="alias 'chämpion'"):
                call(MODEL, "chämpion", *(["1"] if "set" in call.__name__ else []))


def test_a_policy_that_changes_nothing_names_no_entry(world):
    world.govern()
    world.register()
    with world.acting("admin"):
        assert world.desk.policy_apply(POLICY)["entry"] is None
        assert world.desk.policy_apply(POLICY + "# second\n")["entry"] == 3


def test_stages_changed_past_the_server_stop_every_decision(world):
    world.govern()
    world.register(2)
    world.promote(1)
    world.promote(2)
    with world.store.engine.begin() as connection:
        connection.execute(sa.text("UPDATE model_versions SET current_stage = 'Archived' WHERE version = 2"))
    with world.acting("oncall"), pytest.raises(Refused, match="meddled"):
        world.desk.rollback(MODEL, "what is going on")
    world.govern()
    assert world.stages() == {1: "Staging", 2: "Production"}
    world.assert_sound()


def test_an_export_that_nobody_reads_on_keeps_nobody_from_writing(world):
    world.govern()
    world.register()
    export = world.desk.audit_export()
    first = next(export)
    with world.store.engine.connect() as connection:
        connection.exec_driver_sql("PRAGMA busy_timeout = 100")
        connection.exec_driver_sql("BEGIN IMMEDIATE")
        connection.exec_driver_sql("UPDATE registered_models SET description = 'written meanwhile'")
        connection.commit()
    assert len([first, *export]) == 2


def test_evidence_about_predictions_alone_speaks_of_no_version(world):
    world.govern()
    run_id, uri, _ = world.quick_model()
    world.put_evidence(run_id, None)
    with world.acting("ana"):
        world.client.create_registered_model(MODEL)
        world.store.create_model_version(MODEL, uri, run_id)
        error = refused(Refused, world, lambda: world.desk.nominate(MODEL, 1))
    assert "names no model's files" in str(error)


def test_evidence_does_not_speak_of_other_weights_under_the_same_mlmodel(world):
    world.govern()
    ((good, _),) = world.quickly()
    bad, uri, _ = world.quick_model()
    original, copy = world.folder(1), Path(url2pathname(urlparse(uri).path))
    (copy / "MLmodel").write_bytes((original / "MLmodel").read_bytes())
    with world.acting("ana"):
        world.store.create_model_version(MODEL, uri, bad)
        error = refused(Refused, world, lambda: world.desk.nominate(MODEL, 2, runs=[good]))
    assert "calibration.json of run " + good + " is about other files" in str(error)


def test_weights_changed_after_they_were_evaluated_have_no_evidence(world):
    world.govern()
    world.quickly()
    (world.folder(1) / "weights.bin").write_bytes(b"others")
    with world.acting("ana"):
        error = refused(Refused, world, lambda: world.desk.nominate(MODEL, 1))
    assert "is about other files" in str(error)


class SealedStore(ArtifactRepository):
    """A store of artifacts with errors of its own, as the clouds' are."""

    class NoCredentials(Exception):
        """None of Python's, and none of MLflow's."""

    def log_artifact(self, local_file, artifact_path=None):
        raise self.NoCredentials

    log_artifacts = log_artifact

    def list_artifacts(self, path=None):
        raise self.NoCredentials("no credentials were found")

    def _download_file(self, remote_file_path, local_path):
        raise self.NoCredentials


def test_errors_that_only_an_artifact_store_knows_are_told(world):
    artifact_repository_registry._artifact_repository_registry.register("sealed", SealedStore)
    world.govern()
    world.quickly()
    sealed = world.client.create_experiment("sealed", artifact_location="sealed://away")
    run_id = world.client.create_run(sealed).info.run_id
    with world.acting("ana"):
        with pytest.raises(Invalid, match=r"Evidence of run .* cannot be read: no credentials"):
            world.desk.nominate(MODEL, 1, runs=[run_id])
        world.client.create_model_version(MODEL, "sealed://away/model", "0" * 32)
        with pytest.raises(Invalid, match=r"files of version 2 .* cannot be looked for: no credentials"):
            world.desk.nominate(MODEL, 2)


def test_keys_and_delegations_have_no_history_of_a_model(world):
    world.govern()
    with world.acting("admin"):
        world.desk.key_trust("build", public_pem(new_key().public_key()))
    with world.acting("ana"), pytest.raises(NotFound, match="no registered model"):
        world.desk.history(":trust")


def test_a_champion_deleted_past_the_server_is_nobodys_fallback(world):
    world.govern()
    world.quickly(3)
    world.promote(1)
    SqlAlchemyStore(str(world.store.engine.url)).delete_model_version(MODEL, "1")
    world.govern()
    world.promote(2)
    assert world.roles() == {"champion": 2}
    world.assert_sound()
    world.promote(3)
    assert world.roles() == {"champion": 3, "challenger": 2, "fallback": 2}
    world.assert_sound()


def test_a_file_left_by_half_an_upload_is_named(world):
    world.govern()
    world.quickly()
    (world.folder(1) / ".artifact.uploading.1f").write_text("half")
    with world.acting("ana"), pytest.raises(Invalid, match=r"\.artifact\.uploading\.1f, left by an upload"):
        world.desk.nominate(MODEL, 1)


@pytest.mark.parametrize("how", ["promote", "break-glass"])
def test_a_champion_that_was_taken_away_is_followed_by_another(world, how):
    policy = POLICY + "break_glass: {by: [author], review_due: 2h}\n"
    world.govern(policy)
    world.quickly(2)
    world.promote(1)
    with world.store.engine.begin() as connection:
        connection.exec_driver_sql("DELETE FROM registered_model_aliases")
        connection.exec_driver_sql("UPDATE model_versions SET current_stage = 'None'")
    world.govern(policy)
    if how == "promote":
        world.promote(2)
    else:
        with world.acting("ana"):
            world.desk.break_glass(MODEL, 2, "nothing serves")
    assert world.roles() == {"champion": 2, "challenger": 1, "fallback": 1}
    with world.acting("oncall"):
        assert world.desk.rollback(MODEL, "bad")["version"] == 1
    world.assert_sound()


@pytest.mark.parametrize("source", ["weird://x/y", "http://127.0.0.1:9/x", "dbfs:/x"])
def test_files_that_cannot_be_reached_are_told(world, source):
    world.govern()
    world.register()
    with world.acting("ana"):
        world.client.create_model_version(MODEL, source, "0" * 32)
        with pytest.raises(MlflowException, match="files of version 2") as caught:
            world.client.set_registered_model_alias(MODEL, "challenger", "2")
    assert caught.value.get_http_status_code() == 400


@pytest.mark.parametrize(
    "call",
    [
        lambda c, v: c.set_registered_model_alias(MODEL, "champion", v),
        lambda c, v: c.transition_model_version_stage(MODEL, v, "Production"),
        lambda c, v: c.transition_model_version_stage(MODEL, v, "Archived"),
        lambda c, v: c.delete_model_version(MODEL, v),
    ],
)
def test_a_version_number_that_no_database_holds_is_not_found(any_world, call):
    any_world.govern()
    any_world.register()
    with any_world.acting("ana"), pytest.raises(MlflowException) as caught, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        call(any_world.client, str(10**30))
    assert caught.value.get_http_status_code() == 404


def test_a_policy_changed_past_the_server_is_found(world):
    world.govern()
    with world.store.engine.begin() as connection:
        connection.exec_driver_sql("UPDATE registry_hooks_policies SET text = replace(text, 'count: 2', 'count: 1')")
    told = world.desk.audit_verify()
    assert not told["ok"] and "policy 'employment': the text in force is not the one" in told["problems"][-1]["what"]
    world.govern()
    world.assert_sound()
