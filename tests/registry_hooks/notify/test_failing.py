"""What goes wrong in any way beside a plain refusal is noted and paused: nothing is sent over and over."""

import socket
import threading
from contextlib import contextmanager, suppress
from datetime import datetime, timezone
from email.utils import format_datetime

import pytest
from cryptography.fernet import Fernet
from sqlalchemy.exc import OperationalError
from support.probes.receiving import LET_IN, receiver

from registry_hooks.notify import http
from registry_hooks.notify.stdout import Stdout
from registry_hooks.storage.outbox.targets import Targets


@pytest.fixture(autouse=True)
def let_in(monkeypatch):
    for name, value in LET_IN.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("MLFLOW_WEBHOOK_SECRET_ENCRYPTION_KEY", Fernet.generate_key().decode())


def listed(world, name="hook"):
    with world.acting("admin"):
        (found,) = [each for each in world.desk.notify_list()["targets"] if each["name"] == name]
    return found


def tell(world):
    courier = world.desk.notifying.courier
    for target_id in courier.due():
        courier.tell(target_id)


@contextmanager
def breaking_off(after):
    """A receiver that refuses each message with an answer whose body breaks off, or never comes."""
    listener, held = socket.create_server(("127.0.0.1", 0)), []

    def serve():
        with suppress(OSError):
            while True:
                connection, _ = listener.accept()
                connection.recv(65536)
                connection.sendall(b"HTTP/1.1 500 Oh\r\n" + after)
                held.append(connection) if after.startswith(b"Content") else connection.close()

    threading.Thread(target=serve, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}/services/SECRET?token=SECRET"
    finally:
        listener.close()


@pytest.mark.parametrize(
    "after", [b"Content-Length: 100\r\n\r\n", b"Transfer-Encoding: chunked\r\n\r\nzz\r\n"], ids=["hangs", "breaks"]
)
def test_an_answer_that_breaks_off_is_a_failure_with_a_pause_as_any_other(world, monkeypatch, after):
    monkeypatch.setattr(http, "READ", 0.5)
    with breaking_off(after) as url:
        with world.acting("admin"):
            world.desk.notify_add("hook", "webhook", url)
            assert not world.desk.notify_test("hook")["ok"]
        world.govern()
        tell(world)
    assert listed(world)["failures"] == 1 and listed(world)["error"]
    assert world.desk.notifying.courier.due() == []


@pytest.mark.parametrize(
    ("asked", "seconds"),
    [
        ("30", 30),
        (format_datetime(datetime(2096, 1, 1, tzinfo=timezone.utc), usegmt=True), 60),  # which is the longest pause
        ("99999999999999999999", 60),
        ("Wed, 21 Oct 2015 07:28:00 GMT", 1),
        ("soon", 1),
        ("-5", 1),
    ],
)
def test_a_receiver_is_tried_again_when_it_asks_for_it(world, tmp_path, asked, seconds):
    with receiver(tmp_path / "hook") as hook:
        with world.acting("admin"):
            world.desk.notify_add("hook", "webhook", hook.url)
        hook.answer(f"429 {asked}")
        world.govern()
        tell(world)
        hook.answer("204")
        world.later(seconds=seconds - 1)
        tell(world)
        assert listed(world)["failures"] == 1 and "HTTP 429" in listed(world)["error"]
        world.later(seconds=1)
        tell(world)
        assert listed(world)["waiting"] == 0 and hook.events()


def test_what_a_receiver_lets_in_by_is_not_in_an_error(world):
    with world.acting("admin"):
        world.desk.notify_add("hook", "webhook", "http://127.0.0.1:9/services/SECRET?token=SECRET")
    world.govern()
    tell(world)
    assert "refused" in listed(world)["error"] and "SECRET" not in listed(world)["error"]


def test_code_that_sends_and_fails_in_any_way_is_paused(world, monkeypatch):
    def broken(*_):
        raise KeyError("a plugin's own fault")

    with world.acting("admin"):
        world.desk.notify_add("log", "stdout")
    world.govern()
    monkeypatch.setattr(Stdout, "open", lambda *_: broken)
    tell(world)
    assert "KeyError" in listed(world, "log")["error"] and listed(world, "log")["failures"] == 1
    assert world.desk.notifying.courier.due() == []


def test_what_was_sent_and_cannot_be_noted_is_not_sent_over_and_over(world, monkeypatch, capsys, caplog):
    with world.acting("admin"):
        world.desk.notify_add("log", "stdout")
    world.govern()
    courier = world.desk.notifying.courier

    def full(*_):
        raise OperationalError("UPDATE", {}, Exception("database or disk is full"))

    def rounds(number):
        for _ in range(number):
            courier.round()
            for thread in threading.enumerate():
                if thread.name.startswith("tell-"):
                    thread.join(30)
        return len(capsys.readouterr().out.splitlines())

    with monkeypatch.context() as patched:
        patched.setattr(Targets, "move", full)
        once = rounds(1)
        assert once and rounds(3) == 0 and caplog.text.count("left alone") == 1
    world.later(seconds=1)
    assert rounds(2) == once and listed(world, "log")["waiting"] == 0


def test_a_clock_that_was_put_back_keeps_no_message(world, tmp_path):
    with receiver(tmp_path / "hook") as hook:
        with world.acting("admin"):
            world.desk.notify_add("hook", "webhook", hook.url)
        hook.answer("500")
        world.later(days=900)  # by mistake
        world.govern()
        tell(world)
        world.later(days=-900)
        hook.answer("204")
        tell(world)
        assert listed(world)["waiting"] == 0 and hook.events()
