"""Condemned is what the bytes are: under another number, run, source or name they are what was rolled back from."""

from __future__ import annotations

import shutil
from datetime import datetime, timedelta, timezone
from pathlib import Path

import mlflow
import numpy as np
import pytest
from mlflow.exceptions import MlflowException
from sklearn.linear_model import LogisticRegression
from support.world import MODEL, POLICY, refused, rules_of

from mlflow_eval_plugin.model_files import model_digest_at
from registry_hooks.errors import Refused
from registry_hooks.records import Condemned
from registry_hooks.rules.condemned import content_digest, resemblance

TWO = POLICY.replace(f"[{MODEL}]", f"[{MODEL}, acs-other]") + "break_glass: {by: [oncall]}\n"


@pytest.fixture
def left(world):
    """Version 2 was rolled back from, a minute ago."""
    world.govern(TWO)
    world.quickly(2)
    world.promote(1)
    world.promote(2)
    world.later(minutes=5)
    with world.acting("oncall"):
        world.desk.rollback(MODEL, "scores run too high")
    world.later(minutes=1)
    return world


def copied(world, change=lambda folder: None, model=MODEL, version=2, minutes=-3):
    """Register a copy of a version's files, with a run of its own and Evidence of so many minutes from now."""
    run = world.client.create_run(world.experiment).info.run_id
    folder = Path(world._artifacts) / run / "artifacts" / "again"
    shutil.copytree(world.folder(version), folder)
    change(folder)
    with world.acting("ana"):
        if not world.client.search_registered_models(f"name='{model}'"):
            world.client.create_registered_model(model)
        world.put_evidence(run, model_digest_at(folder), at=world.now + timedelta(minutes=minutes))
        return int(world.store.create_model_version(model, folder.as_uri(), run).version)


def nominate(world, version, model=MODEL):
    with world.acting("ana"):
        return world.desk.nominate(model, version)


def told(error):
    return next(reason.found for reason in error.reasons if reason.rule == "condemned")


def _nothing(folder):
    pass


def _mlmodel_written_anew(folder):
    text = (folder / "MLmodel").read_text()
    (folder / "MLmodel").write_text(text.replace("model_uuid: ", "model_uuid: 0") + "utc_time_created: now\n")


def _environment_written_anew(folder):
    (folder / "requirements.txt").write_text("mlflow==3.17.9\n")
    (folder / "conda.yaml").write_text("name: mlflow-env\n")
    (folder / "python_env.yaml").write_text("python: 3.12.1\n")


def _note_of_its_name(folder):
    (folder / "registered_model_meta").write_text(f"model_name: {MODEL}\nmodel_version: '2'\n")


def _renamed(folder):
    (folder / "code").mkdir()
    (folder / "weights.bin").rename(folder / "code" / "other.bin")
    (folder / "code" / "__init__.py").touch()


@pytest.mark.parametrize(
    "change",
    [_renamed, _nothing, _mlmodel_written_anew, _environment_written_anew, _note_of_its_name],
    ids=lambda change: change.__name__.strip("_"),
)
@pytest.mark.parametrize("model", [MODEL, "acs-other"])
def test_condemned_files_under_another_number_run_and_name_need_newer_evidence(left, change, model):
    version = copied(left, change, model)
    with left.acting("ana"):
        error = refused(Refused, left, lambda: left.desk.nominate(model, version))
    of = "" if model == MODEL else f" of {MODEL}"
    assert told(error) == (
        f"version {version} has the files of version 2{of}, which was rolled back from; "
        "its Evidence of calibration, disaggregated, drift is older"
    )
    with left.acting("ana"), pytest.raises(MlflowException, match="has the files of version 2"):
        left.client.set_registered_model_alias(model, "challenger", str(version))
    again = copied(left, change, model, minutes=0)
    (warning,) = nominate(left, again, model)["warnings"]
    assert warning.startswith(f"is made of what version 2 of {MODEL} is, which a rollback condemned at ")
    with left.acting("ana"):
        proposal = left.desk.request(model, again)
        assert proposal["warnings"] == [warning] and proposal["condemned_by"]["version"] == 2
        assert again in left.desk.status(model)["models"][0]["condemned"]  # until it is promoted
    with left.acting("raj"):
        assert left.desk.approve(model, again, comment="I know")["warnings"] == [warning]
    left.assert_sound()


def test_the_same_source_registered_again_is_condemned(left):
    with left.acting("ana"):
        source = left.client.get_model_version(MODEL, "2")
        left.store.create_model_version(MODEL, source.source, source.run_id)
        error = refused(Refused, left, lambda: left.desk.nominate(MODEL, 3))
    assert "has the files of version 2" in told(error)


def test_a_promotion_lifts_it_from_the_bytes(left):
    version = copied(left, minutes=0)
    left.promote(version)
    with left.acting("ana"):
        assert left.desk.status(MODEL)["models"][0]["condemned"] == []
    assert copied(left) == version + 1
    assert nominate_refusal(left, version + 1) != ["condemned"]
    left.assert_sound()


def nominate_refusal(world, version):
    try:
        nominate(world, version)
    except Refused as error:
        return rules_of(error)
    return []


def test_deleting_the_condemned_version_leaves_its_bytes_condemned(left):
    version = copied(left)
    with left.acting("ana"):
        left.client.delete_model_version(MODEL, "2")
        error = refused(Refused, left, lambda: left.desk.nominate(MODEL, version))
    assert "has the files of version 2" in told(error)
    left.assert_sound()


def test_another_policys_model_is_free(left):
    left.govern(POLICY.replace(f"[{MODEL}]", "[elsewhere]").replace("name: employment", "name: other"))
    assert nominate(left, copied(left, model="elsewhere"), "elsewhere")["warnings"] == []


def test_bytes_condemned_after_the_approvals_are_not_promoted_under_another_name(world):
    world.govern(TWO)
    world.quickly(2)
    world.promote(1)
    world.promote(2)
    copied(world, model="acs-other", minutes=0)
    with world.acting("ana"):
        world.desk.nominate("acs-other", 1)
        world.desk.request("acs-other", 1)
    with world.acting("raj"):
        world.desk.approve("acs-other", 1, comment="yes")
    world.later(minutes=1)
    with world.acting("oncall"):
        world.desk.rollback(MODEL, "bad")
    with world.acting("mei"):
        error = refused(Refused, world, lambda: world.desk.approve("acs-other", 1, comment="yes"))
    assert f"has the files of version 2 of {MODEL}, which was rolled back from" in told(error)
    with world.acting("ana"):
        error = refused(Refused, world, lambda: world.desk.promote("acs-other", 1))
        assert told(error) and "condemned" in {r["rule"] for r in world.desk.plan("acs-other", 1)["reasons"]}
    with world.acting("oncall"):
        overridden = world.desk.break_glass("acs-other", 1, "no other is left")["overridden"]
    assert "condemned" in {reason["rule"] for reason in overridden}


def test_a_rollback_to_the_same_bytes_is_done_and_goes_nowhere_from_there(world):
    """Version 2 is version 1 once more: going back to it is for people to decide."""
    world.govern(TWO)
    world.quickly(1)
    world.promote(1)
    assert copied(world, version=1, minutes=0) == 2
    world.promote(2)
    with world.acting("oncall"):
        assert world.desk.rollback(MODEL, "bad")["after"] == {"champion": 1, "challenger": None, "fallback": None}
    world.assert_sound()


def test_no_fallback_is_made_of_the_bytes_that_were_left(world):
    """Version 3 is version 2 once more: who goes back past both does not return to the other."""
    world.govern(TWO)
    world.quickly(2)
    world.promote(1)
    world.promote(2)
    assert copied(world, minutes=0) == 3
    world.promote(3)
    with world.acting("oncall"):
        after = world.desk.rollback(MODEL, "bad", to=1)["after"]
    assert after == {"champion": 1, "challenger": None, "fallback": None}
    world.assert_sound()


def test_files_of_a_nomination_of_before_are_read_for_it(left, monkeypatch):
    """A version that was nominated before digests of what it is made of were taken."""
    from registry_hooks.desk.grounds import condemning

    kept = condemning.before

    def unknown(case):
        return [
            condemning.CondemnedFiles(
                each.by.model_copy(update={"content": None}), None, case.registry.version(MODEL, 2)
            )
            for each in kept(case)
        ]

    monkeypatch.setattr("registry_hooks.desk.transitions.before", unknown)
    monkeypatch.setattr("registry_hooks.storage.ledger.Ledger.condemned", lambda self, content=None: [
        Condemned(model=MODEL, version=2, at=left.now.replace(second=0)) for _ in range(content is None)
    ])  # fmt: skip
    version = copied(left)
    assert nominate_refusal(left, version) == ["condemned"]


@pytest.mark.parametrize("serialization", ["cloudpickle", "skops"])
def test_the_same_model_logged_again_by_mlflow_is_condemned_or_said_to_resemble_it(world, serialization):
    """MLflow writes the same bytes again in one format, and in skops, its own, never."""
    world.govern(TWO)
    fitted = LogisticRegression().fit(np.array([[0.0], [1.0]]), [0, 1])

    def log():
        with mlflow.start_run(experiment_id=world.experiment) as run:
            info = mlflow.sklearn.log_model(
                fitted, name="model", pip_requirements=["scikit-learn"], serialization_format=serialization
            )
        folder = Path(mlflow.artifacts.download_artifacts(info.model_uri))
        with world.acting("ana"):
            if not world.client.search_registered_models(f"name='{MODEL}'"):
                world.client.create_registered_model(MODEL)
            world.put_evidence(run.info.run_id, model_digest_at(folder))
            world.client.create_model_version(MODEL, info.model_uri, run.info.run_id)

    world.quickly()
    world.promote(1)
    log()
    world.promote(2)
    log()
    world.later(minutes=1)
    with world.acting("oncall"):
        world.desk.rollback(MODEL, "bad")
    if serialization == "cloudpickle":
        assert nominate_refusal(world, 3) == ["condemned"]
    else:
        (warning,) = nominate(world, 3)["warnings"]
        assert warning.startswith(f"resembles version 2 of {MODEL}, which a rollback condemned at ")
        assert warning.endswith("Z: 0 of its 1 files are the same; model.skops of about the same size")


CONDEMNED = Condemned(model="m", version=1, at=datetime(2026, 1, 1, tzinfo=timezone.utc), content="sha256:0")
THEIRS = {"MLmodel": (9, "a"), "model.pkl": (1000, "b"), "code/prepare.py": (100, "c")}


@pytest.mark.parametrize(
    ("ours", "same", "near"),
    [
        ({**THEIRS, "model.pkl": (1001, "x")}, 1, ("model.pkl",)),
        ({**THEIRS, "code/prepare.py": (5000, "x")}, 1, ()),
        ({"weights": (1000, "b"), **{f"more{i}": (10**6, f"{i}") for i in range(100)}}, 1, ()),
        ({"model.pkl": (1009, "x"), "other.py": (1, "y")}, 0, ("model.pkl",)),
    ],
)
def test_what_is_not_the_same_is_told_by_what_it_has_in_common(ours, same, near):
    found = resemblance(ours, CONDEMNED, THEIRS)
    assert found is not None and (found.files, found.same, found.near) == (2, same, near)


@pytest.mark.parametrize(
    "ours",
    [
        THEIRS,
        {"MLmodel": (9, "a")},
        {"model.pkl": (2000, "x")},
        {**THEIRS, "MLmodel": (10, "y"), "conda.yaml": (1, "")},
    ],
)
def test_what_is_the_same_or_quite_another_resembles_nothing(ours):
    assert resemblance(ours, CONDEMNED, THEIRS) is None


def test_a_version_of_nothing_but_its_mlmodel_is_what_that_says():
    one = b"artifact_path: a\nflavors:\n  python_function:\n    loader_module: x\nmodel_uuid: 1\nrun_id: 2\n"
    files = {"MLmodel": (len(one), "a"), "requirements.txt": (1, "b")}
    assert content_digest(files, one) == content_digest(files, one.replace(b": 2", b": 9").replace(b": a", b": b"))
    assert content_digest(files, one) != content_digest(files, one.replace(b"uuid: 1", b"uuid: 2"))
    assert content_digest(files, one) != content_digest(files, one.replace(b"module: x", b"module: y"))
