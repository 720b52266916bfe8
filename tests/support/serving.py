"""A real ``registry-hooks server`` for tests: over HTTP, on loopback, with real logins."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import requests

SCRIPT = Path(sys.executable).parent / "registry-hooks"
API = "/api/2.0/registry-hooks/"
ADMIN = "admin"
PASSWORDS = {name: f"{name}-long-password" for name in (ADMIN, "ana", "raj", "mei", "oncall", "guest")}
# What a developer has set must not leak into a test.
OURS = ("MLFLOW_", "_MLFLOW_", "REQUESTS_CA_BUNDLE", "NO_COLOR", "FORCE_COLOR")


def clean_environment(home: Path, **more: str) -> dict[str, str]:
    """The environment of a process under test."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(OURS)}
    fixed = {
        "HOME": str(home),
        "MLFLOW_DISABLE_TELEMETRY": "true",
        "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
        "PYTHONWARNINGS": "ignore",
    }
    return {**kept, **fixed, **more}


def free_port() -> int:
    """A port that nobody listened on a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def run(*arguments: str, env: dict[str, str], cwd: Path, timeout: float = 60) -> subprocess.CompletedProcess[str]:
    """Run the console script as a process of its own."""
    return subprocess.run(
        [str(SCRIPT), *arguments],
        env=env,
        cwd=cwd,
        timeout=timeout,
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
    )


@dataclass
class Process:
    """A process group of our own; ``stop`` ends all of it and nothing else."""

    command: list[str]
    env: dict[str, str]
    directory: Path
    process: subprocess.Popen[bytes] = field(init=False)

    def __post_init__(self) -> None:
        self.log = self.directory / "server.log"
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                self.command, env=self.env, cwd=self.directory, stdin=subprocess.DEVNULL, stdout=log,
                stderr=subprocess.STDOUT, start_new_session=True,
            )  # fmt: skip

    def told(self) -> str:
        """All that the process has written."""
        return self.log.read_text()

    def members(self) -> list[int]:
        """Ids of the living processes of the group."""
        found = []
        for stat in Path("/proc").glob("[0-9]*/stat"):
            try:
                state, _parent, group = stat.read_text().rpartition(")")[2].split()[:3]
            except OSError:
                continue
            if int(group) == self.process.pid and state != "Z":
                found.append(int(stat.parent.name))
        return found

    def peak(self) -> float:
        """MiB that the largest of the processes has had in memory since `forget_peak`, at most."""
        peaks = [Path(f"/proc/{process}/status").read_text() for process in self.members()]
        lines = (line for text in peaks for line in text.splitlines() if line.startswith("VmHWM"))
        return max(int(line.split()[1]) for line in lines) / 1024

    def forget_peak(self) -> None:
        """From now on, what is in memory now is the most that has been."""
        for process in self.members():
            Path(f"/proc/{process}/clear_refs").write_text("5")

    def wait_until_healthy(self, uri: str, seconds: float = 300, verify: bool | str = True) -> None:
        """Return once the server answers; fail with its log when it ends or takes too long."""
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            if self.process.poll() is not None:
                raise AssertionError(f"the server ended with {self.process.returncode}:\n{self.told()}")
            try:
                if requests.get(uri + "/health", timeout=2, verify=verify).ok:
                    return
            except requests.RequestException:
                time.sleep(0.1)
        raise AssertionError(f"the server did not come up:\n{self.told()}")

    def stop(self, how: int = signal.SIGTERM, seconds: float = 60) -> list[int]:
        """Ask the first process to end; return those of the group that were still there afterwards, and end them."""
        if self.process.poll() is None:
            self.process.send_signal(how)
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(seconds)
        until = time.monotonic() + 30  # MLflow's job runners notice by themselves that their server is gone
        while self.members() and time.monotonic() < until:
            time.sleep(0.05)
        left = self.members()
        if left:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait(seconds)
        return left


@dataclass
class Server:
    """A governed server with the users ana, raj, mei, oncall and guest."""

    uri: str
    directory: Path
    process: Process

    def env(self, user: str = ADMIN, **more: str) -> dict[str, str]:
        """The environment of a client who has logged in as ``user``."""
        login = {"MLFLOW_TRACKING_USERNAME": user, "MLFLOW_TRACKING_PASSWORD": PASSWORDS[user]}
        return clean_environment(self.directory, **{"MLFLOW_TRACKING_URI": self.uri, **login, **more})

    def cli(self, user: str, *arguments: str, **env: str) -> subprocess.CompletedProcess[str]:
        """Run ``registry-hooks`` as ``user``."""
        return run(*arguments, env=self.env(user, **env), cwd=self.directory)

    def json(self, user: str, *arguments: str) -> Any:
        """What ``registry-hooks … --json`` prints, whatever its exit code."""
        done = self.cli(user, *arguments, "--json")
        return json.loads(done.stdout)

    def ask(self, user: str | None, method: str, path: str, **arguments: Any) -> requests.Response:
        """One HTTP request to the server; ``path`` is below the API unless it starts with a slash."""
        login = (user, PASSWORDS[user]) if user else None
        url = self.uri + (path if path.startswith("/") else API + path)
        return requests.request(method, url, auth=login, timeout=60, **arguments)

    def mlflow(self, user: str, method: str, path: str, **body: Any) -> Any:
        """One call of MLflow's own REST API that must succeed."""
        answer = self.ask(user, method, f"/api/2.0/mlflow/{path}", json=body)
        assert answer.ok, answer.text
        return answer.json()

    def make_users(self) -> None:
        """Create every user but the administrator."""
        for name, password in PASSWORDS.items():
            if name != ADMIN:
                self.mlflow(ADMIN, "POST", "users/create", username=name, password=password)


def start(directory: Path, *options: str, users: bool = True, below: str = "", **env: str) -> Server:
    """Start a governed server in ``directory``, its paths behind the prefix ``below``, and wait until it answers."""
    options = (*options, "--static-prefix", below) if below else options
    port = free_port()
    command = [str(SCRIPT), "server", "--port", str(port), *options]
    process = Process(
        command, clean_environment(directory, MLFLOW_AUTH_ADMIN_PASSWORD=PASSWORDS[ADMIN], **env), directory
    )
    server = Server(f"http://127.0.0.1:{port}", directory, process)
    try:
        process.wait_until_healthy(server.uri + below)
        if users:
            server.make_users()
    except BaseException:
        process.stop()
        raise
    return server


def start_plain(directory: Path, *options: str, database_uri: str = "sqlite:///mlflow.db") -> Server:
    """Start MLflow's own server with MLflow's own basic auth, its credential cache on, and wait until it answers."""
    port, config = free_port(), directory / "auth.ini"
    config.write_text(
        "[mlflow]\ndefault_permission = READ\ndatabase_uri = sqlite:///auth.db\nadmin_username = admin\n"
        f"admin_password = {PASSWORDS[ADMIN]}\nauth_cache_ttl_seconds = 600\n"
        "authorization_function = mlflow.server.auth:authenticate_request_basic_auth\n"
    )
    env = clean_environment(directory, MLFLOW_FLASK_SERVER_SECRET_KEY="for a test", MLFLOW_AUTH_CONFIG_PATH=str(config))
    command = [sys.executable, "-m", "mlflow", "server", "--app-name", "basic-auth", *options]
    command += ["--backend-store-uri", database_uri, "--host", "127.0.0.1", "--port", str(port)]
    server = Server(f"http://127.0.0.1:{port}", directory, Process(command, env, directory))
    try:
        server.process.wait_until_healthy(server.uri)
    except BaseException:
        server.process.stop()
        raise
    return server
