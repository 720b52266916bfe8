"""On the server's machine: what will bite a team that is taken over, and a way in for who is locked out."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest
import requests
import sqlalchemy as sa
from mlflow.entities import RunTag, ViewType
from mlflow.server.auth.sqlalchemy_store import SqlAlchemyStore as Logins
from mlflow.store.model_registry.sqlalchemy_store import SqlAlchemyStore as Registry
from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore as Tracking
from support.releasing import govern, serve
from support.serving import PASSWORDS, SCRIPT, clean_environment, run, start


def a_teams_mlflow(uri: str, auth: str, folder: Path) -> dict[str, str]:
    """A plain MLflow of some years: experiments of three people, models with aliases and stages; ids by name."""
    tracking, registry, logins = Tracking(uri, str(folder / "artifacts")), Registry(uri), Logins()
    logins.init_db(auth)
    for name in ("ana", "raj", "root"):
        logins.create_user(name, PASSWORDS.get(name, "root-long-password"), is_admin=name == "root")
    ids = {name: tracking.create_experiment(name) for name in ("churn", "fraud", "mine", "shared", "gone")}
    for name, people in {
        "churn": ["ana", "bob"],
        "fraud": ["raj"],
        "mine": ["ana"],
        "shared": ["root"],
        "gone": ["ana"],
    }.items():
        for person in people:
            tracking.create_run(ids[name], person, 0, [RunTag("mlflow.user", person)], "run")
    tracking.delete_experiment(ids["gone"])
    logins.grant_user_permission("ana", "experiment", ids["mine"], "MANAGE")
    for model in ("good", "torn"):
        registry.create_registered_model(model)
        for _ in range(2):
            registry.create_model_version(model, "s3://models/x")
    registry.set_registered_model_alias("good", "champion", "1")
    registry.transition_model_version_stage("good", "1", "Production", False)
    registry.set_registered_model_alias("torn", "champion", "2")
    registry.transition_model_version_stage("torn", "1", "Production", False)
    assert tracking.search_experiments(ViewType.ALL)
    tracking.engine.dispose()
    registry.engine.dispose()
    logins.engine.dispose()
    return ids


def doctor(folder: Path, *options: str) -> tuple[int, dict[str, tuple[bool, str]]]:
    done = run("doctor", "--server", *options, "--json", env=clean_environment(folder), cwd=folder)
    assert done.stdout, done.stderr
    answer = json.loads(done.stdout)
    return done.returncode, {each["what"]: (each["ok"], each["found"]) for each in answer["findings"]}


@pytest.mark.filterwarnings("ignore::FutureWarning")
@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_doctor_tells_what_will_bite_a_team_that_is_taken_over(
    kind: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    new = request.getfixturevalue("postgres") if kind == "postgresql" else None
    uri, auth = (new(), new()) if new else (f"sqlite:///{tmp_path / 'm.db'}", f"sqlite:///{tmp_path / 'auth.db'}")
    ids = a_teams_mlflow(uri, auth, tmp_path)
    code, found = doctor(tmp_path, "--backend-store-uri", uri, "--auth-database-uri", auth)
    assert code == 3
    ok, told = found["people with runs and without an account"]
    assert not ok and told.startswith("bob, who logged runs in 1 experiments. ")
    ok, told = found["users who may not write to experiments that have runs of theirs"]
    assert not ok and f"ana on experiment {ids['churn']} (churn)" in told
    assert f"raj on experiment {ids['fraud']} (fraud)" in told
    assert "mine" not in told and "gone" not in told and "root" not in told
    ok, told = found["models whose aliases and stages disagree"]
    assert not ok and told.startswith("torn: aliases champion 2; stages Production 1") and "good" not in told
    ok, told = found["versions whose author is not known"]
    assert ok and told.startswith("good: 2 versions (1, 2); torn: 2 versions (1, 2). ")
    assert found["tables of another version"] == (True, "none")
    assert "experiments at a disk" in found["artifacts that are not behind the server"][1]
    with sa.create_engine(uri).connect() as connection:  # nothing was made in it
        assert not sa.inspect(connection).has_table("registry_hooks_ledger")


@pytest.mark.parametrize(
    ("uri", "what", "told"),
    [
        ("postgresql+nodriver://db/x", "driver of postgresql", "nodriver is missing. To fix: pip install nodriver"),
        ("mysql://db/x", "driver of mysql", "pip install mysqlclient"),
        ("./mlruns", "driver of ./mlruns", "no database"),
        ("postgresql+psycopg2://u:secret-word@127.0.0.1:1/x", "databases", "gives no answer"),
    ],
)
def test_a_driver_that_is_missing_and_a_database_that_is_silent_are_told(
    tmp_path: Path, uri: str, what: str, told: str
) -> None:
    code, found = doctor(tmp_path, "--backend-store-uri", uri, "--artifacts-destination", "gs://x")
    assert code == 3 and not found[what][0] and told in found[what][1]
    assert not found["driver of gs:"][0] and "google-cloud-storage" in found["driver of gs:"][1]
    assert "secret-word" not in str(found)


def reset(folder: Path, *arguments: str, given: str = "") -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(SCRIPT), "admin", "reset-password", *arguments], env=clean_environment(folder), cwd=folder, input=given,
        capture_output=True, text=True, timeout=120,
    )  # fmt: skip


@pytest.mark.early
def test_a_locked_out_administrator_gets_in_again_and_the_log_says_who_let_them(tmp_path: Path) -> None:
    server = start(tmp_path, "--workers", "1")
    try:
        model = govern(server)
        serve(server, model)
        done = reset(tmp_path, "admin", "--json")
        assert done.returncode == 0, done.stderr
        told = json.loads(done.stdout)
        assert server.ask("admin", "GET", "status").status_code == 401  # the old one
        url = f"{server.uri}/api/2.0/registry-hooks/audit/export"
        exported = requests.get(url, auth=("admin", told["password"]), timeout=60)
        entries = [json.loads(line) for line in exported.text.splitlines()]
        [entry] = [each for each in entries if each.get("seq") == told["entry"]]
        assert entry["action"] == "password-changed" and entry["body"]["user"] == "admin"
        assert entry["actor"].startswith("machine:") and entry["authenticated_by"] == "machine"
        assert told["password"] not in exported.text
        assert server.ask("mei", "GET", "audit/verify").json()["ok"] is True
        done = reset(tmp_path, "admin", "--stdin", given=PASSWORDS["admin"] + "\n")
        assert done.returncode == 0 and PASSWORDS["admin"] not in done.stdout
        assert server.ask("admin", "GET", "status").ok
        refused = reset(tmp_path, "nobody"), reset(tmp_path, "admin", "--stdin", given="short\n")
        assert [each.returncode for each in refused] == [2, 2] and "no user 'nobody'" in refused[0].stderr
        after = server.ask("mei", "GET", "audit/verify").json()
        assert after["ok"] is True and after["size"] == told["entry"] + 1
    finally:
        server.process.stop()


def test_without_a_state_it_is_told_what_to_give(tmp_path: Path) -> None:
    done = reset(tmp_path, "admin")
    assert done.returncode == 2 and "--auth-database-uri" in done.stderr and not any(tmp_path.iterdir())
