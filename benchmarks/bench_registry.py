"""Promote and roll back over HTTP beside a plain alias flip, and whole processes of the command line.

Both servers are real: four workers, SQLite, basic auth with MLflow's credential cache on. Calls of the two are made in
turn, by one client each with its connection kept open, so that the ratios hold when the machine's speed drifts.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import requests

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
sys.path.insert(0, str(Path(__file__).parents[1]))
from support.releasing import govern, register
from support.serving import API, PASSWORDS, Server, run, start, start_plain


def session_of(user: str) -> requests.Session:
    """A client that has logged in and keeps its connection."""
    session = requests.Session()
    session.auth = (user, PASSWORDS[user])
    return session


def timed(call: Callable[[], requests.Response]) -> float:
    """Milliseconds of one call that must succeed."""
    begun = time.perf_counter()
    answer = call()
    took = (time.perf_counter() - begun) * 1000
    assert answer.ok, answer.text
    return took


class Desk:
    """The governed server's API for one model after another."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self.users = {name: session_of(name) for name in ("ana", "raj", "mei", "oncall")}

    def post(self, user: str, path: str, **body: object) -> requests.Response:
        """One request as ``user``."""
        return self.users[user].post(self.server.uri + API + path, json=body)

    def release(self, model: str, version: int, nominate: bool) -> float:
        """The whole way to champion; milliseconds of its last step, the promotion."""
        if nominate:
            assert self.post("ana", "nominate", model=model, version=version).ok
        assert self.post("ana", "request", model=model, version=version, comment="bench").ok
        for name in ("raj", "mei"):
            assert self.post(name, "approve", model=model, version=version, comment="yes").ok
        return timed(lambda: self.post("ana", "promote", model=model, version=version))


def flips(plain: Server) -> Callable[[], float]:
    """A function that moves an alias of a plain model to its other version and gives the milliseconds."""
    admin, base = session_of("admin"), plain.uri + "/api/2.0/mlflow/"
    assert admin.post(base + "registered-models/create", json={"name": "plain"}).ok
    run_info = admin.post(base + "runs/create", json={"experiment_id": "0"}).json()["run"]["info"]
    for _ in range(2):
        body = {"name": "plain", "source": run_info["artifact_uri"] + "/model", "run_id": run_info["run_id"]}
        assert admin.post(base + "model-versions/create", json=body).ok
    turn = [0]

    def flip() -> float:
        turn[0] += 1
        body = {"name": "plain", "alias": "champion", "version": str(turn[0] % 2 + 1)}
        return timed(lambda: admin.post(base + "registered-models/alias", json=body))

    return flip


def row(name: str, ours: list[float], plain: list[float]) -> str:
    """One line of the table: p50 and p99 of ours and of the plain flip beside it, and their ratios."""

    def p(values: list[float], share: float) -> float:
        return statistics.quantiles(values, n=100, method="inclusive")[round(share * 100) - 1]

    cells = [f"{p(v, s):.1f}" for s in (0.5, 0.99) for v in (ours, plain)]
    ratios = [f"{p(ours, s) / p(plain, s):.2f}" for s in (0.5, 0.99)]
    return f"| {name} | {cells[0]} | {cells[1]} | {ratios[0]} | {cells[2]} | {cells[3]} | {ratios[1]} |"


def over_http(folder: Path, calls: int, models: int, workers: int) -> tuple[list[str], Server, str]:
    """The HTTP half of the table; the governed server stays up for the processes."""
    many = ("--workers", str(workers))
    plain = start_plain(folder_in(folder, "plain"), *many)
    governed = start(folder_in(folder, "governed"), "--auth-cache-seconds", "600", *many)
    try:
        desk, flip = Desk(governed), flips(plain)
        names = [govern(governed) for _ in range(models)]
        for name in names:
            register(governed, name), register(governed, name)
            desk.release(name, 1, nominate=True)
            desk.release(name, 2, nominate=True)
        for _ in range(20):
            flip()
        promoted, beside = [], []
        for number in range(calls):
            name, version = names[number % models], (number // models) % 2 + 1
            promoted.append(desk.release(name, version, nominate=False))
            beside.append(flip())
        lines = [row("promote", promoted, beside)]
        back, beside = [], []
        champion = {name: (calls - 1 - names.index(name)) // models % 2 + 1 for name in names}
        for number in range(calls):
            name = names[number % models]
            champion[name] = 3 - champion[name]
            body = {"model": name, "reason": "bench", "to": champion[name]}
            back.append(timed(lambda body=body: desk.post("oncall", "rollback", **body)))
            beside.append(flip())
        return [*lines, row("rollback", back, beside)], governed, names[0]
    finally:
        plain.process.stop()


def folder_in(folder: Path, name: str) -> Path:
    """A new folder."""
    (folder / name).mkdir()
    return folder / name


def processes(server: Server, model: str, runs: int) -> list[str]:
    """Whole processes of the command line, in seconds."""
    champion = server.ask("ana", "GET", f"status?model={model}").json()["models"][0]["pair"]["champion"]
    turn = [champion]

    def rollback() -> list[str]:
        turn[0] = 3 - turn[0]
        return ["rollback", model, "--reason", "bench", "--to", str(turn[0])]

    lines = []
    for name, arguments, aim in (
        ("registry-hooks --help", lambda: ["--help"], 0.3),
        ("registry-hooks rollback", rollback, 0.7),
    ):
        took = []
        for _ in range(runs + 1):
            given, begun = arguments(), time.perf_counter()
            done = run(*given, env=server.env("oncall"), cwd=server.directory)
            took.append(time.perf_counter() - begun)
            assert done.returncode == 0, done.stderr
        took = sorted(took[1:])
        lines.append(f"| {name} | {statistics.median(took):.2f} | {took[-1]:.2f} | {aim} |")
    return lines


def main() -> None:
    """Print both tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--calls", type=int, default=300)
    parser.add_argument("--models", type=int, default=10)
    parser.add_argument("--runs", type=int, default=15)
    parser.add_argument("--workers", type=int, default=4, help="of each server")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        lines, governed, model = over_http(Path(folder), arguments.calls, arguments.models, arguments.workers)
        try:
            whole = processes(governed, model, arguments.runs)
        finally:
            governed.process.stop()
    print(
        "| over HTTP, ms | p50 | alias flip p50 | ratio | p99 | alias flip p99 | ratio |\n|---|---|---|---|---|---|---|"
    )
    print("\n".join(lines))
    print("\n| whole process, s | median | slowest | aim |\n|---|---|---|---|")
    print("\n".join(whole))


if __name__ == "__main__":
    main()
