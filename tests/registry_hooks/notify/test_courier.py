"""Targets that hang, fail for a day, redirect, are removed, or take all but one message: nothing is lost."""

import json
import threading
import time
from contextlib import contextmanager
from datetime import timedelta

import pytest
from cryptography.fernet import Fernet
from standardwebhooks import Webhook
from support.probes.pace import patience
from support.probes.receiving import LET_IN, receiver
from support.world import MODEL, POLICY

from registry_hooks.errors import Conflict, Invalid, NotFound, Refused
from registry_hooks.notify import http

OTHER = "acs-income"
BOTH = POLICY.replace(f"[{MODEL}]", f"[{MODEL}, {OTHER}]")
MINUTE = timedelta(minutes=1)


@pytest.fixture(autouse=True)
def let_in(monkeypatch):
    for name, value in LET_IN.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("MLFLOW_WEBHOOK_SECRET_ENCRYPTION_KEY", Fernet.generate_key().decode())


@contextmanager
def receivers(tmp_path, *names):
    """Receivers by name, as many as there are names."""
    if not names:
        yield {}
        return
    with receiver(tmp_path / names[0]) as first, receivers(tmp_path, *names[1:]) as rest:
        yield {names[0]: first, **rest}


def add(world, name, hook, **chosen):
    with world.acting("admin"):
        return world.desk.notify_add(name, "webhook", hook.url, **chosen)


def listed(world, name="hook"):
    with world.acting("admin"):
        (found,) = [each for each in world.desk.notify_list()["targets"] if each["name"] == name]
    return found


def tell(world):
    """Tell every target what it can be told now."""
    courier = world.desk.notifying.courier
    for target_id in courier.due():
        courier.tell(target_id)


def register(world, *models):
    for model in models:
        world.quickly(model=model)


def test_what_was_chosen_is_told_in_order_and_signed_and_nothing_from_before(any_world, tmp_path):
    world = any_world
    world.govern(BOTH)
    register(world, MODEL)
    with receivers(tmp_path, "all", "some") as hooks:
        secret = add(world, "all", hooks["all"])["secret"]
        add(world, "some", hooks["some"], events=["nominated", "review-opened"], models=["acs-e*"])
        register(world, OTHER, MODEL)
        with world.acting("ana"):
            world.desk.nominate(MODEL, 2)
        tell(world)
        assert hooks["some"].events() == [(MODEL, "nominated")]
        events = [(None, "notify-changed"), (OTHER, "registered"), (MODEL, "registered"), (MODEL, "nominated")]
        assert hooks["all"].events() == events
        for each in hooks["all"].requests:
            assert Webhook(secret).verify(each["body"], each["headers"])
        assert listed(world, "all")["waiting"] == listed(world, "some")["waiting"] == 0
        tell(world)
        assert len(hooks["all"].requests) == 4  # and nothing twice


def test_a_receiver_that_answers_500_for_a_day_is_tried_every_minute_and_then_hears_all_of_it(world, tmp_path):
    world.govern(BOTH)
    with receivers(tmp_path, "hook") as hooks:
        hook = hooks["hook"]
        add(world, "hook", hook)
        hook.answer("500")
        register(world, MODEL, OTHER)
        began = world.now
        tell(world)
        for minutes in range(24 * 60):
            world.later(minutes=1)
            if minutes in (200, 900):
                register(world, MODEL)
            if minutes % 60 == 0 or minutes < 10:  # a try an hour is enough to see it
                tell(world)
        failing = listed(world)
        assert failing["waiting"] == 4 and failing["failures"] > 10 and failing["error"].startswith("HTTP 500 answered")
        assert failing["failing_since"] == began.isoformat().replace("+00:00", "Z")
        assert failing["retry_at"] <= (world.now + MINUTE).isoformat()
        hook.answer("204")
        for _ in range(3):
            world.later(minutes=1)
            tell(world)
        assert sorted(hook.events(), key=str) == sorted([(MODEL, "registered")] * 3 + [(OTHER, "registered")], key=str)
        of_model = [each["data"]["version"] for each in hook.taken if each["data"]["model"] == MODEL]
        assert of_model == [1, 2, 3]
        assert (listed(world)["waiting"], listed(world)["error"], listed(world)["failing_since"]) == (0, None, None)


def test_a_message_that_is_never_taken_holds_its_own_model_and_no_other(any_world, tmp_path):
    world = any_world
    world.govern(BOTH)
    with receivers(tmp_path, "hook") as hooks:
        hook = hooks["hook"]
        add(world, "hook", hook)
        hook.answer(f"refuse {MODEL}")
        for _ in range(3):
            register(world, MODEL, OTHER)
            tell(world)
            world.later(minutes=2)
        assert hook.events() == [(OTHER, "registered")] * 3
        failing = listed(world)
        assert (failing["held"], failing["waiting"]) == ([MODEL], 3)
        hook.answer("204")
        tell(world)
        assert [each["data"]["version"] for each in hook.taken if each["data"]["model"] == MODEL] == [1, 2, 3]
        assert (listed(world)["held"], listed(world)["waiting"]) == ([], 0)


def test_an_entry_that_was_changed_in_the_database_holds_its_own_model_and_is_told_of(world, tmp_path):
    world.govern(BOTH)
    with receivers(tmp_path, "hook") as hooks:
        add(world, "hook", hooks["hook"])
        register(world, MODEL, OTHER)
        with world.store.engine.begin() as connection:
            changed = "UPDATE registry_hooks_ledger SET entry = 'no JSON' WHERE model = ? AND action = 'registered'"
            connection.exec_driver_sql(changed, (MODEL,))
        tell(world)
        world.later(minutes=1)
        tell(world)
        assert hooks["hook"].events() == [(OTHER, "registered")]
        assert "it was changed in the database" in listed(world)["error"] and listed(world)["held"] == [MODEL]


def test_one_target_that_hangs_delays_no_other(world, tmp_path, monkeypatch):
    monkeypatch.setattr(http, "READ", 3.0)
    world.govern(BOTH)
    with receivers(tmp_path, "hangs", "trickles", "good") as hooks:
        for name, hook in hooks.items():
            add(world, name, hook)
        hooks["hangs"].answer("hang")
        hooks["trickles"].answer("trickle")
        monkeypatch.setattr(http, "LONGEST", 4.0)
        register(world, MODEL)
        begun = time.monotonic()
        world.desk.notifying.courier.round()
        hooks["good"].wait(1, seconds=20)
        assert time.monotonic() - begun < patience(2.5)
        until = time.monotonic() + 30
        while not all(listed(world, name)["error"] for name in ("hangs", "trickles")):
            world.desk.notifying.courier.round()  # begins nothing anew for those that are being told
            assert time.monotonic() < until
            time.sleep(0.05)
        assert "Read timed out" in listed(world, "hangs")["error"]
        assert len(hooks["hangs"].requests) == len(hooks["trickles"].requests) == 1
        assert listed(world, "good")["error"] is None


def test_a_redirection_is_not_followed(world, tmp_path):
    with receivers(tmp_path, "hook", "elsewhere") as hooks:
        add(world, "hook", hooks["hook"])
        hooks["hook"].answer(f"redirect {hooks['elsewhere'].url}")
        world.govern(BOTH)
        tell(world)
        assert "redirections are not followed" in listed(world)["error"]
        assert hooks["elsewhere"].requests == []


def test_a_target_that_is_removed_while_messages_wait_hears_nothing_more_and_anew_only_what_is_new(world, tmp_path):
    world.govern(BOTH)
    with receivers(tmp_path, "hook") as hooks:
        hook = hooks["hook"]
        add(world, "hook", hook)
        hook.answer("500")
        register(world, MODEL)
        tell(world)
        with world.acting("admin"):
            world.desk.notify_remove("hook")
            with pytest.raises(NotFound, match="no target 'hook'"):
                world.desk.notify_remove("hook")
        hook.answer("204")
        world.later(minutes=5)
        tell(world)
        assert hook.events() == []
        add(world, "hook", hook)
        register(world, OTHER)
        tell(world)
        assert hook.events() == [(OTHER, "registered")]
        world.assert_sound()
        told = list(world.desk.audit_export())
        assert [json.loads(each)["action"] for each in told].count("notify-removed") == 1


def test_a_target_that_is_removed_in_the_middle_of_a_message_is_no_error(world, tmp_path, monkeypatch):
    monkeypatch.setattr(http, "READ", 1.0)
    world.govern(BOTH)
    with receivers(tmp_path, "hook") as hooks:
        hooks["hook"].answer("hang")
        add(world, "hook", hooks["hook"])
        register(world, MODEL)
        courier = world.desk.notifying.courier
        (target_id,) = courier.due()
        telling = threading.Thread(target=courier.tell, args=(target_id,))
        telling.start()
        until = time.monotonic() + 20
        while not hooks["hook"].requests:
            assert time.monotonic() < until
            time.sleep(0.01)
        with world.acting("admin"):
            world.desk.notify_remove("hook")
        telling.join(20)
        assert not telling.is_alive() and courier.due() == []


def test_two_couriers_at_once_note_what_the_further_one_told(world, tmp_path):
    """One that lost its lease and does not know it yet: messages may come twice, and none is skipped."""
    from registry_hooks.notify.courier import Courier

    world.govern(BOTH)
    with receivers(tmp_path, "hook") as hooks:
        add(world, "hook", hooks["hook"])
        for _ in range(5):
            register(world, MODEL, OTHER)
        couriers = [Courier(world.store.unit_of_work, lambda: world.now) for _ in range(4)]
        (target_id,) = couriers[0].due()
        threads = [threading.Thread(target=each.tell, args=(target_id,)) for each in couriers]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
        seqs = [each["data"]["ledger"]["seq"] for each in hooks["hook"].taken]
        assert seqs == sorted(seqs) and len(seqs) == 10 and listed(world)["waiting"] == 0


@pytest.mark.parametrize(
    ("address", "told"),
    [
        ("http://127.0.0.1:9/x", "must not resolve to a non-public IP"),
        ("http://169.254.169.254/latest/meta-data", "must not resolve to a non-public IP"),
        ("http://localhost/x", "must not resolve to a non-public IP"),
        ("http://[::ffff:10.0.0.1]/x", "must not resolve to a non-public IP"),
        ("http://2130706433/x", "non-public IP"),
        ("ftp://example.com/x", "scheme"),
        ("https://", "hostname"),
        ("https://exa\u202emple.com/", "ASCII"),
        ("https://e.example/" + "a" * 2000, "ASCII"),
    ],
)
def test_an_address_that_is_no_public_one_is_refused_when_it_is_added(world, monkeypatch, address, told):
    monkeypatch.delenv("MLFLOW_WEBHOOK_ALLOW_PRIVATE_IPS")
    with world.acting("admin"), pytest.raises(Invalid) as caught:
        world.desk.notify_add("hook", "webhook", address)
    assert told in str(caught.value) and len(str(caught.value)) < 1000
    with world.acting("admin"):
        assert world.desk.notify_list()["targets"] == []


def test_a_name_that_resolves_to_a_private_address_later_is_refused_as_it_is_connected_to(world, tmp_path, monkeypatch):
    with receivers(tmp_path, "hook") as hooks:
        add(world, "hook", hooks["hook"])
        monkeypatch.delenv("MLFLOW_WEBHOOK_ALLOW_PRIVATE_IPS")
        monkeypatch.setattr(http, "_validate_webhook_url", lambda url: None)  # as if the name had been public then
        world.govern(BOTH)
        tell(world)
        assert "is not a public IP address" in listed(world)["error"]
        assert hooks["hook"].requests == []


def test_a_secret_of_another_key_is_told_and_nothing_is_sent_unsigned(world, tmp_path, monkeypatch):
    with receivers(tmp_path, "hook") as hooks:
        add(world, "hook", hooks["hook"])
        kept = world.store.engine
        with kept.connect() as connection:
            stored = str(connection.exec_driver_sql("SELECT * FROM registry_hooks_targets").all())
        assert "whsec_" not in stored
        monkeypatch.setenv("MLFLOW_WEBHOOK_SECRET_ENCRYPTION_KEY", Fernet.generate_key().decode())
        world.govern(BOTH)
        tell(world)
        assert "encrypted by another key" in listed(world)["error"] and hooks["hook"].requests == []
        with world.acting("admin"):
            assert world.desk.notify_test("hook")["ok"] is False
        monkeypatch.delenv("MLFLOW_WEBHOOK_SECRET_ENCRYPTION_KEY")
        with pytest.raises(Invalid, match="cannot keep a secret"):
            add(world, "another", hooks["hook"])


def test_targets_are_the_administrators_and_have_names_of_their_own(world, tmp_path):
    with receivers(tmp_path, "hook") as hooks:
        add(world, "hook", hooks["hook"])
        with pytest.raises(Conflict, match="already"):
            add(world, "hook", hooks["hook"])
        with world.acting("ana"):
            for call in (lambda: world.desk.notify_add("x", "stdout"), world.desk.notify_list,
                         lambda: world.desk.notify_remove("hook"), lambda: world.desk.notify_test("hook")):  # fmt: skip
                with pytest.raises(Refused):
                    call()


def test_standard_output_is_a_line_of_json_a_change(world, capsys):
    with world.acting("admin"):
        world.desk.notify_add("log", "stdout")
        world.desk.notify_add("other", "stdout")
    world.govern(BOTH)
    tell(world)
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [each["data"]["event"] for each in lines] == ["notify-changed", "policy-changed", "policy-changed"]
    assert all(each["id"].startswith("entry-") for each in lines)


def test_a_batch_is_noted_in_the_middle_when_it_takes_long(world, tmp_path, monkeypatch):
    from registry_hooks.notify import courier

    world.govern(BOTH)
    monkeypatch.setattr(courier, "LONGEST", 0.0)  # each message is noted by itself
    with receivers(tmp_path, "hook") as hooks:
        add(world, "hook", hooks["hook"])
        for _ in range(3):
            register(world, MODEL, OTHER)
        tell(world)
        assert len(hooks["hook"].requests) == 6 and listed(world)["waiting"] == 0


def test_more_than_a_batch_waits_behind_a_message_that_is_held(world, tmp_path, monkeypatch):
    from registry_hooks.notify import courier

    monkeypatch.setattr(courier, "BATCH", 3)
    world.govern(BOTH)
    with receivers(tmp_path, "hook") as hooks:
        hook = hooks["hook"]
        add(world, "hook", hook)
        hook.answer(f"refuse {MODEL}")
        for _ in range(8):
            register(world, MODEL, OTHER)
        tell(world)
        world.later(seconds=1)
        tell(world)
        assert hook.events() == [(OTHER, "registered")] * 8
        hook.answer("204")
        world.later(minutes=5)
        tell(world)
        assert [each["data"]["version"] for each in hook.taken if each["data"]["model"] == MODEL] == list(range(1, 9))
        assert listed(world)["held"] == []
