"""Starting and ending: what is made, what is refused, and that nothing stays behind."""

import os
import signal
import socket
import stat
import sys
from pathlib import Path

import pytest
import requests
from support.releasing import govern, serve
from support.serving import ADMIN, PASSWORDS, Process, Server, clean_environment, free_port, run, start

USAGE = 2


def refusal(tmp_path: Path, *options: str, **env: str) -> str:
    done = run("server", "--port", str(free_port()), *options, env=clean_environment(tmp_path, **env), cwd=tmp_path)
    assert done.returncode == USAGE and "not started" in done.stderr and "Traceback" not in done.stderr
    return done.stderr


def test_a_first_start_makes_what_is_missing_and_a_second_one_keeps_it(tmp_path: Path) -> None:
    port = free_port()
    command = [str(Path(sys.executable).parent / "registry-hooks"), "server", "--workers", "1", "--port", str(port)]
    first = Process(command, clean_environment(tmp_path), tmp_path)
    first.wait_until_healthy(f"http://127.0.0.1:{port}")
    told = [line for line in first.told().splitlines() if "shown only this once" in line]
    assert len(told) == 1
    password = told[0].rsplit(" ", 1)[1]
    assert first.stop() == []
    state = tmp_path / "registry-hooks-state"
    assert stat.S_IMODE(state.stat().st_mode) == 0o700
    for name in ("secret.key", "auth.ini", "auth.db"):
        assert stat.S_IMODE((state / name).stat().st_mode) == 0o600, name
        assert password.encode() not in (state / name).read_bytes()
    key = (state / "secret.key").read_text()

    (tmp_path / "server.log").unlink()
    second = Process(command, clean_environment(tmp_path), tmp_path)
    second.wait_until_healthy(f"http://127.0.0.1:{port}")
    uri = f"http://127.0.0.1:{port}/api/2.0/registry-hooks/health"
    assert requests.get(uri, auth=("admin", password), timeout=30).json()["governed"] is True
    assert "shown only this once" not in second.told() and (state / "secret.key").read_text() == key
    assert second.stop() == []


@pytest.mark.parametrize(
    ("how", "jobs"),
    [
        # With job execution on, as it is by default, MLflow starts processes of its own beside the workers.
        (signal.SIGTERM, "true"),
        pytest.param(signal.SIGINT, "true", marks=pytest.mark.long),
        pytest.param(signal.SIGHUP, "true", marks=pytest.mark.long),
        (signal.SIGINT, "false"),
        (signal.SIGHUP, "false"),
    ],
)
def test_no_process_stays_behind(tmp_path: Path, how: int, jobs: str) -> None:
    server = start(tmp_path, "--workers", "2", users=False, MLFLOW_SERVER_ENABLE_JOB_EXECUTION=jobs)
    assert len(server.process.members()) >= 4
    assert server.process.stop(how) == []


def test_ctrl_c_reaches_the_whole_group_and_ends_it(tmp_path: Path) -> None:
    server = start(tmp_path, "--workers", "2", users=False)
    os.killpg(server.process.process.pid, signal.SIGINT)  # what a terminal does
    assert server.process.stop(signal.SIGINT) == []
    assert "Traceback" not in server.process.told()


@pytest.mark.parametrize(
    ("options", "env", "told"),
    [
        (["--app-name", "basic-auth"], {}, "--app-name"),
        (["--registry-store-uri", "sqlite:///mlflow.db"], {}, "put governed: in front of it"),
        ([], {"MLFLOW_REGISTRY_STORE_URI": "sqlite:///x.db"}, "put governed: in front of it"),
        (["--backend-store-uri", "./mlruns"], {}, "a database"),
        (["--backend-store-uri", "sqlite:///:memory:"], {}, "SQLite in memory"),
        (["--artifacts-only"], {}, "no registry to govern"),
        ([], {"MLFLOW_ARTIFACTS_ONLY": "true"}, "no registry to govern"),
        (["--enable-workspaces"], {}, "roles of one workspace would count in another"),
        (["--disable-security-middleware"], {}, "any web page"),
        (["--dev"], {}, "default app"),
        (["--host", "0.0.0.0"], {}, "without TLS"),
        (["--host", "::"], {}, "without TLS"),
        ([], {"MLFLOW_AUTH_ADMIN_PASSWORD": "password1234"}, "which everybody knows"),
        ([], {"MLFLOW_AUTH_ADMIN_PASSWORD": "short"}, "at least 12 characters"),
        (["--auth-cache-seconds", "5"], {"MLFLOW_AUTH_CONFIG_PATH": "auth.ini"}, "set it in that file"),
    ],
)
def test_unsafe_combinations_are_refused_with_the_reason(
    tmp_path: Path, options: list[str], env: dict[str, str], told: str
) -> None:
    assert told in refusal(tmp_path, *options, **env)


def test_all_reasons_are_told_at_once(tmp_path: Path) -> None:
    told = refusal(tmp_path, "--host", "0.0.0.0", "--artifacts-only", "--app-name", "basic-auth")
    assert all(f"  {number}. " in told for number in (1, 2, 3)) and not any(tmp_path.iterdir())


def test_a_busy_port_is_one_clear_message(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as busy:
        port = busy.getsockname()[1]
        assert f"cannot listen on 127.0.0.1:{port}" in refusal(tmp_path, "--port", str(port))


def test_a_secret_that_others_can_read_is_refused(tmp_path: Path) -> None:
    state = tmp_path / "registry-hooks-state"
    state.mkdir()
    (state / "secret.key").write_text("0" * 64)
    (state / "secret.key").chmod(0o644)
    assert "chmod 600" in refusal(tmp_path)


def plain(directory: Path, *options: str) -> tuple[Process, str]:
    port = free_port()
    command = [
        str(Path(sys.executable).parent / "mlflow"),
        "server",
        "--app-name",
        "registry-hooks",
        "--port",
        str(port),
    ]
    env = clean_environment(
        directory, MLFLOW_FLASK_SERVER_SECRET_KEY="secret", MLFLOW_AUTH_ADMIN_PASSWORD=PASSWORDS[ADMIN]
    )
    ini = directory / "auth.ini"
    ini.write_text(
        "[mlflow]\ndefault_permission = READ\ndatabase_uri = sqlite:///auth.db\nadmin_username = admin\n"
        f"admin_password = {PASSWORDS[ADMIN]}\n"
    )
    store = "sqlite:///mlflow.db"
    process = Process(
        [*command, "--backend-store-uri", store, *options], {**env, "MLFLOW_AUTH_CONFIG_PATH": str(ini)}, directory
    )
    return process, f"http://127.0.0.1:{port}"


@pytest.mark.early
def test_plain_mlflow_server_works_too_and_its_four_workers_do_not_race(tmp_path: Path) -> None:
    process, uri = plain(tmp_path, "--registry-store-uri", "governed:sqlite:///mlflow.db")
    process.wait_until_healthy(uri)
    server = Server(uri, tmp_path, process)
    server.make_users()
    assert serve(server, govern(server)) == 1
    assert process.stop() == []
    told = process.told()
    assert told.count("Created admin user") == 1 and "Traceback" not in told
    assert told.count("Started server process") == 4


def test_plain_mlflow_server_without_the_governed_store_ends_with_one_reason(tmp_path: Path) -> None:
    process, _uri = plain(tmp_path)
    process.process.wait(60)
    told = process.told()
    assert "refusing to start" in told and "found sqlite:…" in told
    assert process.stop() == []
