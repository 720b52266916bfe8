"""What falls due or is found, and is no entry of the ledger, is told as well, and once."""

import logging
import threading
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from urllib.parse import parse_qs, urlsplit

import pytest
from cryptography.fernet import Fernet
from sqlalchemy.exc import OperationalError
from support.world import MODEL, POLICY

from registry_hooks.app.pages.routes import PAGES
from registry_hooks.errors import Invalid
from registry_hooks.notify.falling_due import BEFORE, FallingDue
from registry_hooks.rules.telling.messages import page
from registry_hooks.storage.outbox.streams import Streams


def notices(world):
    with world.store.unit_of_work(write=False) as session:
        return [(each.model, *each.events) for each in Streams(session).items("notices", 0, 100)]


@pytest.mark.parametrize("anew", [False, True], ids=["one courier", "another after each look"])
def test_a_review_is_told_of_before_it_is_due_and_when_it_is_overdue_once_each(any_world, anew):
    world = any_world
    world.govern(POLICY.replace("rollback: {by: [oncall]}", "rollback: {by: [oncall], review_due: 7d}"))
    world.register(2)
    world.promote(1)
    world.later(minutes=5)
    world.promote(2)
    with world.acting("oncall"):
        review = world.desk.rollback(MODEL, "it drifts")["review"]
    look = world.desk.notifying.falling_due.look

    def looked():
        (FallingDue(world.store.unit_of_work, lambda: world.now).look if anew else look)()
        return notices(world)

    assert looked() == []
    world.now += timedelta(days=7) - BEFORE - timedelta(seconds=1)
    assert looked() == []
    world.later(seconds=1)
    assert looked() == looked() == [(MODEL, "review-due")]
    world.now += BEFORE + timedelta(seconds=1)
    assert looked() == looked() == [(MODEL, "review-due"), (MODEL, "review-overdue")]
    with world.store.unit_of_work(write=False) as session:
        _, overdue = Streams(session).items("notices", 0, 100)
    assert review["id"] in overdue.text and "it drifts" in overdue.text
    with world.acting("raj"):
        world.desk.review_close(MODEL, review["id"], "the sensor was broken")
    world.later(days=30)
    assert len(looked()) == 2


def test_tampering_that_verify_or_reconcile_finds_is_told_once_a_day(world, capsys):
    world.govern()
    world.register(2)
    world.promote(1)
    with world.acting("admin"):
        world.desk.notify_add("log", "stdout", events=["tampering-seen"])
    world.assert_sound()
    assert notices(world) == []
    with world.store.engine.begin() as connection:
        connection.exec_driver_sql("UPDATE registered_model_aliases SET version = 2 WHERE alias = 'champion'")
    with world.acting("admin"):
        for _ in range(3):
            assert not world.desk.audit_verify()["ok"]
        assert notices(world) == [(None, "tampering-seen")]
        assert world.desk.reconcile(MODEL)["problems"]
        assert notices(world) == [(None, "tampering-seen"), (MODEL, "tampering-seen")]
        world.later(days=1)
        assert not world.desk.audit_verify()["ok"]
    assert len(notices(world)) == 3
    courier = world.desk.notifying.courier
    for target_id in courier.due():
        courier.tell(target_id)
    told = capsys.readouterr().out.splitlines()
    assert len(told) == 3 and "the aliases say" in told[0]


def test_a_database_that_takes_no_notice_keeps_nobody_from_the_audit(world, monkeypatch, caplog):
    world.govern()
    world.register(2)
    world.promote(1)
    with world.store.engine.begin() as connection:
        connection.exec_driver_sql("UPDATE registered_model_aliases SET version = 2 WHERE alias = 'champion'")

    def full(*_):
        raise OperationalError("INSERT", {}, Exception("database or disk is full"))

    monkeypatch.setattr(Streams, "note", full)
    with world.acting("admin"):
        found = world.desk.audit_verify()
    assert not found["ok"] and "the aliases say" in found["problems"][0]["what"]
    assert "could not be noted" in caplog.text


def test_the_page_of_a_message_is_one_that_there_is(world):
    paths = {f"/registry-hooks/{each.path}" for each in PAGES}
    for model in (None, "a name/with & signs"):
        parts = urlsplit(page("https://models.example/", model))
        assert parts.path in paths and parse_qs(parts.query).get("model", [None]) == [model]


def test_an_older_backup_in_the_place_of_the_database_keeps_no_review_from_being_told(world):
    world.govern(POLICY.replace("rollback: {by: [oncall]}", "rollback: {by: [oncall], review_due: 7d}"))
    world.register(2)
    world.promote(1)
    world.promote(2)
    with world.acting("oncall"):
        world.desk.rollback(MODEL, "it drifts")
    falling_due = world.desk.notifying.falling_due
    falling_due._read_to = 10_000  # as if it had read a longer log
    world.later(days=8)
    falling_due.look()
    assert notices(world) == [(MODEL, "review-overdue")]


class Chat(BaseHTTPRequestHandler):
    said: list[str]

    def do_POST(self):
        self.said.append(self.rfile.read(int(self.headers["Content-Length"])).decode())
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_):
        pass


@pytest.fixture
def chat():
    handler = type("Said", (Chat,), {"said": []})
    server = HTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"json://user:hidden-word@127.0.0.1:{server.server_port}/room", handler.said
    server.shutdown()
    server.server_close()


def test_an_apprise_address_hears_in_words_and_its_secret_is_not_shown(world, chat, monkeypatch):
    address, said = chat
    monkeypatch.setenv("MLFLOW_WEBHOOK_SECRET_ENCRYPTION_KEY", Fernet.generate_key().decode())
    monkeypatch.setenv("MLFLOW_WEBHOOK_ALLOW_PRIVATE_IPS", "true")
    world.govern()
    with world.acting("admin"):
        added = world.desk.notify_add("chat", "apprise", address, events=["promoted"])
        assert "hidden-word" not in str(added) and added["secret"] is None
        assert world.desk.notify_test("chat")["ok"]
    world.register()
    world.promote(1)
    courier = world.desk.notifying.courier
    for target_id in courier.due():
        courier.tell(target_id)
    assert len(said) == 2 and "ana: version 1 became champion" in said[1] and f"{MODEL}: promoted" in said[1]
    with world.store.engine.connect() as connection:
        assert "hidden-word" not in str(connection.exec_driver_sql("SELECT * FROM registry_hooks_targets").all())


def test_an_apprise_address_of_this_network_is_refused_as_it_is_connected_to(world, chat, monkeypatch, caplog):
    address, said = chat
    monkeypatch.setenv("MLFLOW_WEBHOOK_SECRET_ENCRYPTION_KEY", Fernet.generate_key().decode())
    with world.acting("admin"), caplog.at_level(logging.WARNING):
        world.desk.notify_add("chat", "apprise", address)
        tested = world.desk.notify_test("chat")
    assert not tested["ok"] and said == []
    assert "hidden-word" not in str(tested)


@pytest.mark.parametrize("address", ["nonsense", "", "http//x", "json://", "slack://\u202e"])
def test_what_is_no_apprise_address_is_refused(world, address):
    with world.acting("admin"), pytest.raises(Invalid, match="cannot be added"):
        world.desk.notify_add("chat", "apprise", address)
