"""A text that was redacted while word of it was under way: it is in no notice, and in no answer that is kept."""

import sqlalchemy as sa
from support.world import MODEL, POLICY

from registry_hooks.rules.log.redaction import REDACTED
from registry_hooks.storage.ledger import Ledger
from registry_hooks.storage.outbox.streams import Streams
from registry_hooks.storage.outbox.targets import Failing, Line, Targets

SECRET = "Erika Mustermann, born 1964, complained"


def broken(world):
    """Glass was broken, with a text; the number of the entry."""
    world.govern(POLICY + "break_glass: {by: [oncall]}\n")
    world.quickly()
    with world.acting("oncall"):
        world.desk.break_glass(MODEL, 1, SECRET)
    with world.store.unit_of_work(write=False) as session:
        return Ledger(session).last_seq


def redact(world, seq):
    with world.acting("admin"):
        world.desk.redact(seq, "reason", "names a person")


def everything_stored(world) -> str:
    """All tables of the database, ours and MLflow's, as text."""
    inspector, found = sa.inspect(world.store.engine), []
    with world.store.engine.connect() as connection:
        for table in inspector.get_table_names():
            found += [str(tuple(row)) for row in connection.execute(sa.text(f"SELECT * FROM {table}"))]
    return "\n".join(found)


def between(world, monkeypatch, then):
    """Look for what falls due, and do something between the reading of the reviews and the writing of a notice."""
    falling_due, left = world.desk.notifying.falling_due, [then]
    work = falling_due._unit_of_work

    def unit_of_work(*, write):
        if write and left:
            left.pop()()
        return work(write=write)

    monkeypatch.setattr(falling_due, "_unit_of_work", unit_of_work)
    falling_due.look()
    with world.store.unit_of_work(write=False) as session:
        return [each.text for each in Streams(session).items("notices", 0, 9)]


def test_a_redaction_between_the_reading_of_a_review_and_its_notice_leaves_nothing(world, monkeypatch):
    seq = broken(world)
    world.later(days=60)
    (told,) = between(world, monkeypatch, lambda: redact(world, seq))
    assert REDACTED in told and SECRET not in everything_stored(world)


def test_a_review_that_is_closed_meanwhile_is_not_told_as_overdue(world, monkeypatch):
    seq = broken(world)
    world.later(days=60)

    def close():
        with world.acting("raj"):
            world.desk.review_close(MODEL, f"R-{seq}", "found")

    assert between(world, monkeypatch, close) == []


def test_what_a_receiver_repeated_is_gone_with_the_text(world):
    seq = broken(world)
    with world.acting("admin"):
        world.desk.notify_add("log", "stdout")
    with world.store.unit_of_work(write=True) as session:
        targets = Targets(session)
        (target,) = targets.all()
        failing = Failing().again(1, f"HTTP 500 you sent: {SECRET}")
        assert targets.move(target, target.done_to, failing)
        targets.hold(target.id, [Line("ledger", MODEL, 1, failing)])
    assert everything_stored(world).count(f"you sent: {SECRET}") == 2
    redact(world, seq)
    assert SECRET not in everything_stored(world)
    with world.acting("admin"):
        (told,) = world.desk.notify_list()["targets"]
    assert told["failures"] == 1 and "dropped" in told["error"]
