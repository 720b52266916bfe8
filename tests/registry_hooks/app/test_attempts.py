"""Failed logins: counted for each user and address, told, slowed up to a limit, and alike for who does not exist."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest
import requests
from support.probes.pace import patience
from support.serving import ADMIN, PASSWORDS, Server, start

from registry_hooks.app.people.attempts import FORGOTTEN_AFTER, LONGEST_WAIT, MOST, Attempts

FLASK = "/api/2.0/mlflow/users/current"
NATIVE = "/ajax-api/3.0/mlflow/mcp-servers"  # which FastAPI serves


def test_waits_double_up_to_a_limit_and_are_forgotten() -> None:
    now = [0.0]
    attempts = Attempts(lambda: now[0])
    waits = [attempts.failed("raj", "10.0.0.1") for _ in range(2000)]
    assert [number for number, _ in waits] == list(range(1, 2001))
    assert [wait for _, wait in waits[:5]] == [0, 0.05, 0.1, 0.2, 0.4]
    assert {wait for _, wait in waits[8:]} == {LONGEST_WAIT}
    assert attempts.failed("raj", "10.0.0.2") == (1, 0) and attempts.failed("mei", "10.0.0.1") == (1, 0)
    now[0] += FORGOTTEN_AFTER + 1
    assert attempts.failed("raj", "10.0.0.1") == (1, 0)


def test_no_more_than_so_many_are_remembered_and_the_newest_are() -> None:
    attempts = Attempts(lambda: 0.0)
    for number in range(MOST + 50):
        attempts.failed("x" * 5000 + str(number), "10.0.0.1")  # one entry: a name is cut
        attempts.failed(str(number), "10.0.0.1")
    assert len(attempts) == MOST
    assert attempts.failed(str(MOST + 49), "10.0.0.1")[0] == 2
    assert attempts.failed("0", "10.0.0.1")[0] == 1


@pytest.fixture(scope="module", params=["600", None], ids=["cache", "no cache"])
def server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    cached = ("--auth-cache-seconds", request.param) if request.param else ()
    running = start(tmp_path_factory.mktemp("attempts"), "--workers", "1", *cached)
    yield running
    running.process.stop()


def attempt(server: Server, path: str, user: str, password: str) -> tuple[int, float]:
    begun = time.monotonic()
    status = requests.get(server.uri + path, auth=(user, password), timeout=60).status_code
    return status, time.monotonic() - begun


@pytest.mark.parametrize("path", [FLASK, NATIVE], ids=["flask", "native"])
def test_failed_logins_wait_and_the_right_password_never_does(server: Server, path: str) -> None:
    user = "oncall" if path == FLASK else "mei"
    took = [attempt(server, path, user, f"wrong-{number}") for number in range(8)]
    assert {status for status, _ in took} == {401}
    assert took[7][1] >= LONGEST_WAIT and took[6][1] >= 1.6
    right = attempt(server, path, user, PASSWORDS[user])
    assert right[0] != 401 and right[1] < patience(1.5)
    log = server.process.told()
    assert f"failed login of '{user}' from 127.0.0.1: number 8 in a row" in log
    assert "wrong-" not in log


@pytest.mark.parametrize("path", [FLASK, NATIVE], ids=["flask", "native"])
def test_a_user_who_does_not_exist_is_refused_in_the_same_time(server: Server, path: str) -> None:
    known, unknown = [], []
    for number in range(6):
        name = f"known-{path[-3:]}-{number}"
        server.mlflow(ADMIN, "POST", "users/create", username=name, password="a-long-password")
        known.append(attempt(server, path, name, "another-password")[1])
        unknown.append(attempt(server, path, f"nobody-{path[-3:]}-{number}", "another-password")[1])
    # The quickest of each: what a busy machine adds says nothing. Without a hash it was a fifteenth.
    assert 0.5 < min(known) / min(unknown) < 2, (known, unknown)


def test_what_a_log_shows_of_a_user_is_one_line(server: Server) -> None:
    attempt(server, FLASK, "eve\r\n2026-01-01 root logged in", "wrong")
    assert "root logged in' from" in server.process.told()
    assert not any(line.startswith("2026-01-01 root") for line in server.process.told().splitlines())
