"""Retention: nothing younger than the floor goes, older bodies do, and the tree, the roles and all decisions stay."""

from __future__ import annotations

import json
from datetime import datetime, timedelta, timezone

import pytest
import sqlalchemy as sa
from click.testing import CliRunner
from support.world import MODEL, POLICY, rules_of

from registry_hooks.cli import main
from registry_hooks.desk import purging
from registry_hooks.desk.log import auditing, purge_plans
from registry_hooks.desk.log.whole import documents
from registry_hooks.errors import Conflict, Invalid, NotFound, Refused
from registry_hooks.rules.log.altered import SCOPE, minus
from registry_hooks.rules.log.retention import kept_for, lots, too_young
from registry_hooks.storage.ledger import Ledger
from registry_hooks.storage.upgrading import _rebuild_states

GLASS = POLICY + "break_glass: {by: [oncall]}\ndelegation: {longest: 3d}\n"
HALF_A_YEAR = timedelta(days=184)


def rows(world):
    with world.store.unit_of_work(write=False) as session:
        return {row.seq: row for row in Ledger(session).rows()}


def sql(world, statement, **values):
    with world.store.engine.begin() as connection:
        connection.execute(sa.text(statement), values)


def told(world):
    return {problem["seq"]: problem["what"] for problem in world.desk.audit_verify()["problems"]}


def purge(world, before, reason="half a year has passed"):
    with world.acting("admin"):
        return world.desk.purge(before.isoformat(), reason)


def status(world):
    with world.acting("admin"):
        (found,) = world.desk.status(MODEL)["models"]
    return found


def long_ago(world):
    """Three champions one after another, a rollback with its review closed, a withdrawn Proposal; then a year."""
    world.govern(GLASS)
    world.quickly(4)
    for version in (1, 2, 3):
        world.later(days=1)
        world.promote(version)
    world.ask(4)
    with world.acting("ana"):
        world.desk.withdraw(MODEL, 4, comment="Erika was ill")
    with world.acting("oncall"):
        review = world.desk.rollback(MODEL, "Erika complained", verify="now")["review"]["id"]
    with world.acting("raj"):
        world.desk.review_close(MODEL, review, "she was right")
    world.later(days=365)
    return world


@pytest.fixture
def old(world):
    return long_ago(world)


def test_old_bodies_go_and_roles_states_and_tree_stay(old):
    before, roles, root = status(old), old.roles(), old.desk.audit_verify()["root"]
    leaves = {seq: row.leaf_hash for seq, row in rows(old).items()}
    done = purge(old, old.now - HALF_A_YEAR)
    assert done["count"] > 0 and done["kept"] > 0
    after = rows(old)
    assert {seq: after[seq].leaf_hash for seq in leaves} == leaves
    gone = [seq for seq, row in after.items() if row.columns.action == "purged-body"]
    assert len(gone) == done["count"]
    assert b"Erika was ill" not in b"".join(row.entry for row in after.values())
    entry = json.loads(after[done["entry"]].entry)
    assert entry["action"] == "purged" and entry["tree"] == root and entry["actor"] == "admin"
    assert status(old) == before and old.roles() == roles
    old.assert_sound()
    with old.acting("admin"):
        assert old.desk.reconcile(MODEL)["ok"]


def test_what_serves_can_still_be_shown_from_its_registration_on(old):
    purge(old, old.now - HALF_A_YEAR)
    pair = status(old)["pair"]
    for version in {pair["champion"], pair["fallback"]}:
        actions = {json.loads(row.entry).get("action") for row in rows(old).values()
                   if json.loads(row.entry).get("version") == version}  # fmt: skip
        assert {"registered", "nominated", "requested", "approved", "promoted"} <= actions
        with old.acting("admin"):
            assert b"".join(old.desk.dossier(MODEL, version))
            served = old.desk.lineage(MODEL, version)["deployments"]
        assert served and served[0]["by"] == "ana"
    assert any(json.loads(row.entry).get("action") == "policy-applied" for row in rows(old).values())


def test_decisions_go_on_as_they_would_have(old):
    purge(old, old.now - HALF_A_YEAR)
    with old.acting("ana"), pytest.raises(Refused) as error:
        old.desk.nominate(MODEL, 3)
    assert "condemned" in rules_of(error.value)
    with old.acting("oncall"):
        assert old.desk.rollback(MODEL, "again", to=1, verify="now")["version"] == 1  # a champion of a year ago
    old.assert_sound()
    with old.store.engine.begin() as connection:
        _rebuild_states(connection)
    old.assert_sound()


def test_a_second_purge_takes_what_has_become_old(old):
    first = purge(old, old.now - HALF_A_YEAR)
    with pytest.raises(Conflict, match="nothing to purge"):
        purge(old, old.now - HALF_A_YEAR)
    with old.acting("oncall"):
        review = old.desk.rollback(MODEL, "again", to=1, verify="now")["review"]["id"]
    with old.acting("raj"):
        old.desk.review_close(MODEL, review, "found")
    old.later(days=400)
    second = purge(old, old.now - HALF_A_YEAR)
    assert second["through"] >= first["entry"]
    assert json.loads(rows(old)[first["entry"]].entry)["action"] == "purged"  # the log says so for good
    old.assert_sound()
    assert old.roles()["champion"] == 1


def test_an_open_proposal_and_an_open_review_survive(world):
    world.govern(GLASS)
    world.quickly(3)
    world.promote(1)
    with world.acting("oncall"):
        review = world.desk.break_glass(MODEL, 2, "fire")["review"]["id"]
    world.later(days=400)
    before = status(world)
    purge(world, world.now - HALF_A_YEAR)
    assert status(world) == before and before["reviews"]
    with world.acting("raj"):
        world.desk.review_close(MODEL, review, "it was a fire")
    world.assert_sound()


def test_an_export_made_afterwards_verifies_to_the_same_root(old, tmp_path):
    purge(old, old.now - HALF_A_YEAR)
    log = tmp_path / "log.ndjson"
    log.write_bytes(b"".join(old.desk.audit_export()))
    root = old.desk.audit_verify()["root"]
    done = CliRunner().invoke(main, ["audit", "verify-file", str(log), "--root", root, "--json"])
    assert json.loads(done.stdout)["ok"], done.stdout


# What is found ------------------------------------------------------------------------------------------------------


def _a_body_put_back(old, seq, by):
    sql(old, "UPDATE registry_hooks_ledger SET entry = '{}' WHERE seq = :seq", seq=seq)
    return {seq}


def _another_body_taken(old, seq, by):
    kept = next(n for n, row in rows(old).items() if row.columns.action == "promoted")
    text = f'{{"purged_by":{by},"schema":"registry-hooks/purged/1","seq":{kept}}}'
    sql(old, "UPDATE registry_hooks_ledger SET entry = :text, model = :scope, action = 'purged-body' WHERE seq = :seq",
        text=text, seq=kept, scope=SCOPE)  # fmt: skip
    return {kept}


def _taken_in_the_name_of_an_entry_that_purges_nothing(old, seq, by):
    text = f'{{"purged_by":{by + 7},"schema":"registry-hooks/purged/1","seq":{seq}}}'
    sql(old, "UPDATE registry_hooks_ledger SET entry = :text WHERE seq = :seq", text=text, seq=seq)
    return {seq}


def _filed_under_another_model(old, seq, by):
    sql(old, "UPDATE registry_hooks_ledger SET model = 'acs-employment' WHERE seq = :seq", seq=seq)
    return {seq}


def _another_leaf(old, seq, by):
    sql(old, "UPDATE registry_hooks_ledger SET leaf_hash = :leaf WHERE seq = :seq", leaf="0" * 64, seq=seq)
    return {None, seq + 1}


def _the_kept_state(old, seq, by):
    sql(old, "UPDATE registry_hooks_snapshots SET state = REPLACE(state, 'ana', 'bob')")
    return {None}


def _the_kept_state_dropped(old, seq, by):
    sql(old, "DELETE FROM registry_hooks_snapshots")
    return {None}


def _the_purge_itself(old, seq, by):
    sql(old, "UPDATE registry_hooks_ledger SET entry = REPLACE(entry, 'half a year', 'a day') WHERE seq = :seq", seq=by)
    return {by}


CHANGES = [
    _a_body_put_back, _another_body_taken, _taken_in_the_name_of_an_entry_that_purges_nothing,
    _filed_under_another_model, _another_leaf, _the_kept_state, _the_kept_state_dropped, _the_purge_itself,
]  # fmt: skip


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: change.__name__.strip("_"))
def test_any_other_change_is_found_and_named(old, change):
    by = purge(old, old.now - HALF_A_YEAR)["entry"]
    seq = next(n for n, row in rows(old).items() if row.columns.action == "purged-body")
    named = change(old, seq, by)
    assert not old.desk.audit_verify()["ok"]
    assert named & set(told(old)), told(old)


# Who may, and how old -------------------------------------------------------------------------------------------------


def test_nothing_younger_than_the_floor_goes(old):
    for before in (old.now, old.now - HALF_A_YEAR + timedelta(seconds=1), old.now + timedelta(days=1)):
        with pytest.raises(Refused) as error:
            purge(old, before)
        assert rules_of(error.value) == ["retention"]
    young = {seq for seq, row in rows(old).items() if json.loads(row.entry)["at"] > f"{old.now - HALF_A_YEAR:%Y-%m-%d}"}
    purge(old, old.now - HALF_A_YEAR)
    assert not young & {seq for seq, row in rows(old).items() if row.columns.action == "purged-body"}


def test_a_policy_or_the_server_may_keep_longer_and_never_shorter(old, monkeypatch):
    old.govern(GLASS + "retention: 300d\n")
    with pytest.raises(Refused, match="bodies are kept for 300 days"):
        purge(old, old.now - timedelta(days=299))
    monkeypatch.setenv("REGISTRY_HOOKS_RETENTION", "400d")
    with pytest.raises(Refused, match="bodies are kept for 400 days"):
        purge(old, old.now - timedelta(days=301))
    monkeypatch.setenv("REGISTRY_HOOKS_RETENTION", "1d")
    with pytest.raises(Refused, match="bodies are kept for 300 days"):
        purge(old, old.now - timedelta(days=2))
    monkeypatch.setenv("REGISTRY_HOOKS_RETENTION", "a while")
    with pytest.raises(Invalid, match="REGISTRY_HOOKS_RETENTION"):
        purge(old, old.now - timedelta(days=301))
    with pytest.raises(Invalid, match="at least 184d"):
        old.govern(GLASS + "retention: 30d\n")


def test_the_floor_is_six_months_whichever_six():
    now = datetime(2026, 12, 31, tzinfo=timezone.utc)
    assert kept_for([None, timedelta(days=1)]) == HALF_A_YEAR
    assert too_young(datetime(2026, 6, 30, tzinfo=timezone.utc), now, HALF_A_YEAR) == []
    assert too_young(datetime(2026, 7, 1, tzinfo=timezone.utc), now, HALF_A_YEAR) != []


def test_who_is_no_administrator_and_what_is_no_time_are_refused_and_a_plan_changes_nothing(old):
    before = rows(old)
    with old.acting("ana"), pytest.raises(Refused):
        old.desk.purge((old.now - HALF_A_YEAR).isoformat(), "because")
    with pytest.raises(Invalid, match="before: no time"), old.acting("admin"):
        old.desk.purge("long ago", "because")
    with pytest.raises(Invalid, match="reason"), old.acting("admin"):
        old.desk.purge((old.now - HALF_A_YEAR).isoformat(), " ")
    with old.acting("admin"):
        plan = old.desk.purge_plan((old.now - HALF_A_YEAR).isoformat())
    assert rows(old) == before
    done = purge(old, old.now - HALF_A_YEAR)
    assert plan == {name: done[name] for name in ("through", "count", "kept")}


def test_a_log_that_was_changed_is_not_purged(old):
    sql(
        old, "UPDATE registry_hooks_ledger SET entry = REPLACE(entry, 'Erika was ill', 'so') WHERE action = 'withdrawn'"
    )
    with pytest.raises(Refused) as error:
        purge(old, old.now - HALF_A_YEAR)
    assert "log" in rules_of(error.value)
    assert told(old)


def test_how_it_stood_before_is_not_known_any_more_and_after_is(old):
    purge(old, old.now - HALF_A_YEAR)
    with old.acting("admin"):
        with pytest.raises(NotFound, match="were purged"):
            old.desk.history(MODEL, at=(old.now - timedelta(days=367)).isoformat())
        now = old.desk.history(MODEL, at=old.now.isoformat())["as_of"]
    assert now["pair"] == status(old)["pair"]


def test_a_text_in_a_kept_state_is_redacted_too(old):
    old.quickly(1)
    old.ask(5)
    old.later(days=300)
    purge(old, old.now - HALF_A_YEAR)  # the Proposal is open, and so its entry stays
    with old.store.unit_of_work(write=False) as session:
        assert "please" in Ledger(session).snapshots.of(MODEL).state
    seq = next(n for n, row in rows(old).items() if b'"version":5' in row.entry and row.columns.action == "requested")
    with old.acting("admin"):
        old.desk.redact(seq, "comment", "names a person")
    with old.store.unit_of_work(write=False) as session:
        assert "please" not in Ledger(session).snapshots.of(MODEL).state
    old.assert_sound()
    sql(
        old,
        "UPDATE registry_hooks_snapshots SET state = REPLACE(state, 'ana', 'bob') WHERE model = :model",
        model=MODEL,
    )
    assert None in told(old)
    with old.acting("admin"), pytest.raises(Refused, match="a state that is not the one that a purge bound"):
        old.desk.redact(seq - 1, "comment", "names a person")


def test_what_is_purged_has_no_text_to_redact(old):
    purge(old, old.now - HALF_A_YEAR)
    gone = next(n for n, row in rows(old).items() if row.columns.action == "purged-body")
    with old.acting("admin"), pytest.raises(NotFound, match="was purged"):
        old.desk.redact(gone, "comment", "names a person")


def test_it_is_the_same_on_every_database(any_world):
    long_ago(any_world)
    purge(any_world, any_world.now - HALF_A_YEAR)
    any_world.assert_sound()
    with any_world.acting("admin"):
        assert any_world.desk.reconcile(MODEL)["ok"]


def test_ranges_are_taken_from_ranges():
    assert minus([[1, 5], [8, 9]], [[2, 3], [5, 8]]) == [1, 4, 9]
    assert minus([[1, 3]], []) == [1, 2, 3] and minus([], [[1, 3]]) == []


# In steps, beside decisions -------------------------------------------------------------------------------------------


class Killed(BaseException):
    """The process ends here."""


def in_small_steps(monkeypatch):
    for name, most in (("ROWS_AT_ONCE", 3), ("RANGES_AT_ONCE", 2), ("STATES_AT_ONCE", 1), ("_BREATH", 0)):
        monkeypatch.setattr(purging, name, most)


def test_decisions_are_made_between_the_steps_and_after_each_the_log_adds_up(old, monkeypatch):
    in_small_steps(monkeypatch)
    decided = []

    def meanwhile(_):
        old.assert_sound()
        with old.acting("oncall"):  # would wait for ever within the transaction of a step
            decided.append(old.desk.rollback(MODEL, "beside", to=1 + len(decided) % 2, verify="now")["version"])

    monkeypatch.setattr(purging.time, "sleep", meanwhile)
    done = purge(old, old.now - HALF_A_YEAR)
    assert len(done["entries"]) > 3 and done["entry"] == done["entries"][-1] and len(decided) > 2
    old.assert_sound()
    kept = rows(old)
    assert sum(row.columns.action == "purged-body" for row in kept.values()) == done["count"]
    named = [json.loads(kept[seq].entry)["body"]["count"] for seq in done["entries"]]
    assert sum(named) == done["count"] and max(named) <= 3
    assert all(len(kept[seq].entry) < 65_536 for seq in done["entries"])
    assert old.roles()["champion"] == decided[-1]


def test_no_decision_waits_while_the_log_is_read(old, monkeypatch):
    """A decision is made while each purge is planned: it has the database to itself between two short readings."""
    read, done = documents, []

    def beside(*arguments):
        with old.acting("oncall"):
            done.append(old.desk.rollback(MODEL, "beside", to=1 + len(done) % 2, verify="now"))
        return read(*arguments)

    monkeypatch.setattr(purge_plans, "documents", beside)
    purge(old, old.now - HALF_A_YEAR)
    assert len(done) >= 3
    old.assert_sound()


def test_no_decision_waits_while_an_audit_compares_what_it_has_read(old, monkeypatch):
    answer, done = auditing.Seen.answer, []

    def beside(seen):
        with old.acting("oncall"):
            done.append(old.desk.rollback(MODEL, "beside", to=1 + len(done) % 2, verify="now"))
        return answer(seen)

    monkeypatch.setattr(auditing.Seen, "answer", beside)
    assert old.desk.audit_verify()["ok"]
    purge(old, old.now - HALF_A_YEAR)
    assert len(done) == 2
    old.assert_sound()


@pytest.mark.parametrize("steps", [1, 2, 3])
def test_a_purge_that_was_killed_between_its_steps_is_made_again(old, monkeypatch, steps):
    in_small_steps(monkeypatch)
    left = iter(range(steps - 1))

    def killed(_):
        if next(left, None) is None:
            raise Killed

    monkeypatch.setattr(purging.time, "sleep", killed)
    with pytest.raises(Killed):
        purge(old, old.now - HALF_A_YEAR)
    old.assert_sound()
    monkeypatch.setattr(purging.time, "sleep", lambda _: None)
    purge(old, old.now - HALF_A_YEAR)
    old.assert_sound()
    assert b"Erika was ill" not in b"".join(row.entry for row in rows(old).values())


def test_what_is_needed_again_meanwhile_stays(world, monkeypatch):
    """Version 1 was retired a year ago, and is rolled back to between the plan and the first step."""
    old = world
    old.govern(GLASS)
    old.quickly(4)
    for version in (1, 2, 3, 4):
        old.promote(version)
    old.later(days=365)
    planned, first = purging.planned, []

    def and_then(*arguments):
        plan = planned(*arguments)
        if not first:
            with old.acting("oncall"):
                first.append(old.desk.rollback(MODEL, "beside", to=1, verify="now"))
        return plan

    monkeypatch.setattr(purging, "planned", and_then)
    purge(old, old.now - HALF_A_YEAR)
    actions = {json.loads(row.entry).get("action") for row in rows(old).values()
               if json.loads(row.entry).get("version") == 1}  # fmt: skip
    assert {"registered", "nominated", "requested", "approved", "promoted"} <= actions
    old.assert_sound()


def test_an_earlier_time_after_a_later_one_takes_no_state_back(old):
    """What a purge kept is of after its last entry, also where the next purge is of before that."""
    purge(old, old.now - HALF_A_YEAR)
    with old.acting("oncall"):
        old.desk.rollback(MODEL, "again", to=1, verify="now")
    with old.acting("admin"):
        plan = old.desk.purge_plan((old.now - timedelta(days=366, hours=12)).isoformat())
    if plan["count"]:
        purge(old, old.now - timedelta(days=366, hours=12))
    old.assert_sound()


def test_a_policy_that_a_newer_decision_rests_on_stays(world):
    """The Proposal was decided half a year ago on a policy of a year ago, which another has replaced since."""
    world.govern(GLASS)
    world.quickly(1)
    world.promote(1)
    world.later(days=200)
    world.quickly(2)
    world.promote(2)
    world.promote(3)
    world.govern(GLASS + "retention: 190d\n")
    world.later(days=195)
    purge(world, world.now - timedelta(days=300))
    kept = [row for row in rows(world).values() if row.columns.action == "policy-applied"]
    assert len(kept) == 2
    world.assert_sound()


def test_ranges_are_taken_in_lots():
    assert lots([[1, 5], [8, 9]], 3, 9) == [[[1, 3]], [[4, 5], [8, 8]], [[9, 9]]]
    assert lots([[1, 1], [3, 3], [5, 5]], 9, 2) == [[[1, 1], [3, 3]], [[5, 5]]] and lots([], 3, 3) == []
