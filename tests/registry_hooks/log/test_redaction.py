"""Redaction: a text is gone from every place that has it, the log says so and verifies, and any other edit is found."""

from __future__ import annotations

import json

import pytest
import sqlalchemy as sa
from click.testing import CliRunner
from support.frozen.baselines import put_baseline
from support.world import MODEL, POLICY, rules_of

from registry_hooks.cli import main
from registry_hooks.desk.log import auditing
from registry_hooks.errors import NotFound, Refused
from registry_hooks.notify.making import made
from registry_hooks.rules.log.redaction import REDACTED
from registry_hooks.storage.ledger import Ledger
from registry_hooks.storage.outbox.streams import Streams
from registry_hooks.storage.upgrading import _rebuild_states

SECRET = "Erika Mustermann, born 1964, complained"
GLASS = POLICY + "break_glass: {by: [oncall]}\ndelegation: {longest: 3d}\n"


def entries(world):
    with world.store.unit_of_work(write=False) as session:
        return [json.loads(row.entry) for row in Ledger(session).rows()]


def text_of(world, seq):
    with world.store.unit_of_work(write=False) as session:
        return next(row.entry.decode() for row in Ledger(session).rows(seq - 1, 1))


def number(world, action, nth=-1):
    return [entry["seq"] for entry in entries(world) if entry["action"] == action][nth]


def redact(world, seq, field, reason="names a person"):
    with world.acting("admin"):
        return world.desk.redact(seq, field, reason)


def status(world):
    with world.acting("admin"):
        return world.desk.status()["models"]


def reconciled(world):
    with world.acting("admin"):
        return world.desk.reconcile(MODEL)["ok"]


def everything_stored(world) -> str:
    """All tables of the database, ours and MLflow's, as text."""
    engine = world.store.engine
    inspector, found = sa.inspect(engine), []
    with engine.connect() as connection:
        for table in inspector.get_table_names():
            found += [str(tuple(row)) for row in connection.execute(sa.text(f"SELECT * FROM {table}"))]
    return "\n".join(found)


def sql(world, statement, **values):
    with world.store.engine.begin() as connection:
        connection.execute(sa.text(statement), values)


def told(world):
    """The problems that an audit names, and which entry each is of."""
    return {problem["seq"]: problem["what"] for problem in world.desk.audit_verify()["problems"]}


def _nominated(world):
    world.quickly()
    with world.acting("ana"):
        world.desk.nominate(MODEL, 1, comment=SECRET)
        world.desk.request(MODEL, 1)
    return "nominated", "comment"


def _requested(world):
    world.quickly()
    with world.acting("ana"):
        world.desk.nominate(MODEL, 1)
        world.desk.request(MODEL, 1, SECRET)
    world.approve(1)
    with world.acting("ana"):
        world.desk.promote(MODEL, 1)  # whose entry repeats the Proposal
    return "requested", "comment"


def _approved(world):
    world.quickly()
    world.ask(1)
    world.approve(1, "mei")
    with world.acting("raj"):
        world.desk.approve(MODEL, 1, comment=SECRET)
    with world.acting("ana"):
        world.desk.promote(MODEL, 1)
    return "approved", "comment"


def _meaning(world):
    world.quickly()
    world.ask(1)
    with world.acting("raj"):
        world.desk.approve(MODEL, 1, comment="yes", meaning=SECRET)
    return "approved", "meaning"


def _rejected(world):
    world.quickly()
    world.ask(1)
    with world.acting("raj"):
        world.desk.reject(MODEL, 1, comment=SECRET)
    return "rejected", "comment"


def _withdrawn(world):
    world.quickly()
    world.ask(1)
    with world.acting("ana"):
        world.desk.withdraw(MODEL, 1, comment=SECRET)
    return "withdrawn", "comment"


def _rolled_back(world):
    world.quickly(2)
    world.promote(1)
    world.promote(2)
    with world.acting("oncall"):
        world.desk.rollback(MODEL, SECRET, verify="now")
    return "rolled-back", "reason"


def _broke_glass(world):
    world.quickly()
    with world.acting("oncall"):
        world.desk.break_glass(MODEL, 1, SECRET)
    return "broke-glass", "reason"


def _closed(world):
    _broke_glass(world)
    review = number(world, "broke-glass")
    with world.acting("raj"):
        world.desk.review_close(MODEL, f"R-{review}", SECRET)
    redact(world, review, "reason")
    return "review-closed", "finding"


def _baseline(world):
    run, digest = world.quickly()[0]
    with world.acting("ana"):
        world.desk.baseline(MODEL, 1, put_baseline(world, run, digest)[0], SECRET)
    return "baseline-named", "reason"


def _delegated(world):
    with world.acting("raj"):
        world.desk.delegate("employment", "risk", "lee", "1d", SECRET)
    return "delegated", "reason"


def _redacted_itself(world):
    _withdrawn(world)
    redact(world, number(world, "withdrawn"), "comment", reason=SECRET)
    return "redacted", "reason"


STORIES = [
    _nominated, _requested, _approved, _meaning, _rejected, _withdrawn, _rolled_back, _broke_glass, _closed, _delegated,
    _baseline, _redacted_itself,
]  # fmt: skip
stories = pytest.mark.parametrize("story", STORIES, ids=lambda story: story.__name__.strip("_"))


@stories
def test_the_text_is_gone_from_every_place_and_the_log_verifies(world, story):
    world.govern(GLASS)
    action, field = story(world)
    assert SECRET in everything_stored(world)
    before = {entry["seq"]: entry for entry in entries(world)}
    state = status(world)
    done = redact(world, number(world, action), field)
    assert SECRET not in everything_stored(world)
    assert SECRET not in b"".join(world.desk.audit_export()).decode()
    world.assert_sound()
    after = {entry["seq"]: entry for entry in entries(world)}
    assert after[done["entry"]]["action"] == "redacted" and after[done["entry"]]["actor"] == "admin"
    for seq, entry in before.items():  # nothing else has changed
        assert json.loads(json.dumps(entry).replace(json.dumps(SECRET), json.dumps(REDACTED))) == after[seq]
    assert json.dumps(status(world)).replace(REDACTED, SECRET) == json.dumps(state)


def test_the_reason_of_a_review_is_gone_from_what_is_still_to_be_told(world):
    world.govern(GLASS)
    _broke_glass(world)
    world.later(days=60)
    world.desk.notifying.falling_due.look()
    assert SECRET in everything_stored(world).partition("review-overdue")[2]
    redact(world, number(world, "broke-glass"), "reason")
    assert SECRET not in everything_stored(world)
    with world.store.unit_of_work(write=False) as session:
        (item,) = Streams(session).items("notices", 0, 9)
        message = made(item, "review-overdue", session, "https://models.example")
    assert REDACTED in message.data["summary"] and "was due" in message.text


def test_roles_and_states_are_folded_from_what_is_left(world):
    world.govern(GLASS)
    _rolled_back(world)
    redact(world, number(world, "rolled-back"), "reason")
    with world.store.engine.begin() as connection:
        _rebuild_states(connection)
    world.assert_sound()
    assert reconciled(world)
    with world.acting("raj"):
        review = world.desk.status(MODEL)["models"][0]["reviews"][0]
        assert review["reason"] == REDACTED
        world.desk.review_close(MODEL, review["id"], "found")
    world.assert_sound()


def test_a_proposal_whose_comment_is_gone_still_goes_its_way(world):
    world.govern(GLASS)
    world.quickly()
    with world.acting("ana"):
        world.desk.nominate(MODEL, 1)
        digest = world.desk.request(MODEL, 1, SECRET)["digest"]
    redact(world, number(world, "requested"), "comment")
    with world.acting("raj"):
        world.desk.approve(MODEL, 1, comment="yes", digest=digest)
    world.approve(1, "mei")
    with world.acting("ana"):
        world.desk.promote(MODEL, 1)
    assert world.roles() == {"champion": 1}
    world.assert_sound()


def test_any_other_edit_of_a_redacted_row_is_found_and_named(world):
    world.govern(GLASS)
    _withdrawn(world)
    seq = number(world, "withdrawn")
    original = text_of(world, seq)
    by = redact(world, seq, "comment")["entry"]
    redacted = text_of(world, seq)
    for text in (redacted.replace("ana", "bob"), redacted.replace(REDACTED, "all is well"), "{}", "nonsense"):
        sql(world, "UPDATE registry_hooks_ledger SET entry = :text WHERE seq = :seq", text=text, seq=seq)
        assert (
            told(world)[seq] == "this entry was changed: it does not match its leaf hash"
            or "unreadable" in told(world)[seq]
        )
    sql(world, "UPDATE registry_hooks_ledger SET entry = :text WHERE seq = :seq", text=original, seq=seq)
    assert told(world)[seq] == f"the text of this entry, which entry {by} redacted, is there again"
    sql(world, "UPDATE registry_hooks_ledger SET entry = :text WHERE seq = :seq", text=redacted, seq=seq)
    world.assert_sound()


def test_a_redaction_that_was_changed_accounts_for_nothing(world):
    world.govern(GLASS)
    _withdrawn(world)
    seq = number(world, "withdrawn")
    by = redact(world, seq, "comment")["entry"]
    sql(
        world, "UPDATE registry_hooks_ledger SET entry = REPLACE(entry, 'names a person', 'x') WHERE seq = :seq", seq=by
    )
    assert set(told(world)) >= {seq, by}


def test_an_edit_without_a_redaction_is_not_covered_by_one_of_another_entry(world):
    world.govern(GLASS)
    _approved(world)
    redact(world, number(world, "approved"), "comment")
    other = number(world, "approved", 0)
    sql(world, "UPDATE registry_hooks_ledger SET entry = REPLACE(entry, 'looks right', 'wrong') WHERE seq = :seq",
        seq=other)  # fmt: skip
    assert other in told(world)


@pytest.mark.parametrize(
    ("who", "action", "field", "rule"),
    [
        ("ana", "withdrawn", "comment", "role"),
        ("admin", "withdrawn", "finding", "field"),
        ("admin", "registered", "comment", "field"),
        ("admin", "policy-applied", "reason", "field"),
        ("admin", "nominated", "comment", "field"),  # which is empty
    ],
)
def test_who_may_not_and_what_is_no_such_text_is_refused(world, who, action, field, rule):
    world.govern(GLASS)
    _withdrawn(world)
    before = entries(world)
    with world.acting(who), pytest.raises(Refused) as error:
        world.desk.redact(number(world, action), field, "because")
    assert rules_of(error.value) == [rule] and entries(world) == before


def test_what_is_not_there_is_not_found_and_a_second_time_refused(world):
    world.govern(GLASS)
    _withdrawn(world)
    with pytest.raises(NotFound, match="no entry 99"):
        redact(world, 99, "comment")
    redact(world, number(world, "withdrawn"), "comment")
    with pytest.raises(Refused, match="empty or redacted"):
        redact(world, number(world, "withdrawn"), "comment")


def test_nothing_is_written_over_a_log_that_was_changed(world):
    world.govern(GLASS)
    _withdrawn(world)
    sql(
        world,
        "UPDATE registry_hooks_ledger SET entry = REPLACE(entry, 'please', 'pretty please') WHERE action = 'requested'",
    )
    with pytest.raises(Refused) as error:
        redact(world, number(world, "withdrawn"), "comment")
    assert rules_of(error.value) == ["log"] and "registry-hooks audit verify" in str(error.value)


def test_it_is_the_same_on_every_database(any_world):
    any_world.govern(GLASS)
    _approved(any_world)
    redact(any_world, number(any_world, "approved"), "comment")
    assert SECRET not in everything_stored(any_world)
    any_world.assert_sound()
    assert reconciled(any_world)


def exported(world, tmp_path):
    log = tmp_path / "log.ndjson"
    log.write_bytes(b"".join(world.desk.audit_export()))
    return log


def verified(log, *more):
    done = CliRunner().invoke(main, ["audit", "verify-file", str(log), "--json", *more])
    return json.loads(done.stdout)


def test_an_export_made_afterwards_is_verified_to_the_same_root(world, tmp_path):
    world.govern(GLASS)
    _withdrawn(world)
    seq = number(world, "withdrawn")
    redact(world, seq, "comment")
    log = exported(world, tmp_path)
    on_the_server = world.desk.audit_verify()
    on_the_desk = verified(log, "--root", on_the_server["root"])
    assert on_the_desk["ok"] and on_the_desk["purged"] == on_the_server["purged"] == 0
    assert on_the_desk["redacted"] == on_the_server["redacted"] == [{"seq": seq, "by": number(world, "redacted")}]
    told = CliRunner().invoke(main, ["audit", "verify-file", str(log)]).stdout
    assert f"entry {seq} lacks a text: entry {number(world, 'redacted')} says who redacted it" in told
    lines = log.read_bytes().splitlines()
    for forged in (lines[seq - 1].replace(b"ana", b"bob"), json.dumps({"seq": seq}).encode()):
        log.write_bytes(b"\n".join([*lines[: seq - 1], forged, *lines[seq:]]))
        found = verified(log)
        assert not found["ok"] and {problem["seq"] for problem in found["problems"]} >= {seq}
    log.write_bytes(b"\n".join(lines[:-1]))  # without the entry that says so
    assert {problem["seq"] for problem in verified(log)["problems"]} == {seq}


def test_a_redaction_while_an_export_is_read_leaves_it_sound(world, tmp_path, monkeypatch):
    world.govern(GLASS)
    _withdrawn(world)
    seq = number(world, "withdrawn")
    monkeypatch.setattr(auditing, "_BATCH", 1)
    for before in range(seq + 1):
        chunks = world.desk.audit_export()
        read = [next(chunks) for _ in range(before)]
        world.later(minutes=1)
        with world.acting("ana"):
            world.desk.request(MODEL, 1)
            world.desk.withdraw(MODEL, 1, comment=SECRET)
        redact(world, number(world, "withdrawn", 0 if before == 0 else -1), "comment")
        log = tmp_path / "log.ndjson"
        log.write_bytes(b"".join([*read, *chunks]))
        assert verified(log)["ok"], (before, verified(log))
