"""Clients that meet on SQLite and PostgreSQL leave no anomaly; and the checker sees each kind of anomaly."""

from __future__ import annotations

import copy

import pytest
from support.databases import database_server
from support.faults.hammering import play
from support.faults.linearizing import Op, anomalies

from registry_hooks.records import Entry


def played(kind: str, folder, calls: int):
    with database_server(kind, folder) as new:
        outcome = play(
            folder, new(), servers=2 if kind == "postgresql" else 1, models=2, calls=calls, clients=12,
            auth_uri=new() if kind == "postgresql" else None,
        )  # fmt: skip
    return outcome


@pytest.mark.early
@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])  # MariaDB too in the long run, soak_concurrency.py
def test_what_twelve_clients_saw_is_explained_by_the_ledgers_order(kind, tmp_path):
    outcome = played(kind, tmp_path, 200)
    assert outcome.wrong == []
    assert [op.answer for op in outcome.unanswered] == []
    done = {op.kind for op in outcome.ops if op.done}
    assert done >= {"register", "nominate", "approve", "status", "aliases"}, done


# A history of one model, made by hand ---------------------------------------------------------------------------------


def entry(seq: int, action: str, actor: str, version: int | None, body: dict) -> Entry:
    return Entry(
        seq=seq, at="2026-01-01T00:00:00Z", actor=actor, authenticated_by="test", action=action, model="m",
        version=version, body=body, tree="",
    )  # fmt: skip


def nominated(seq: int, version: int, token: str, before: int | None) -> Entry:
    evidence = {"kind": "drift", "digest": "d", "verdict": "pass", "created_at": "2026-01-01T00:00:00Z",
                "run_id": "r", "path": "p"}  # fmt: skip
    nomination = {"version": version, "evidence": [evidence], "files_digest": "f", "actor": "ana",
                  "at": "2026-01-01T00:00:00Z", "comment": token}  # fmt: skip
    pairs = {"before": pair(challenger=before), "after": pair(challenger=version)}
    return entry(seq, "nominated", "ana", version, {"nomination": nomination, "via": "registry-hooks", **pairs})


def checked(seq: int, version: int) -> Entry:
    return entry(seq, "files-checked", "registry-hooks", version, {"differences": []})


def pair(**roles: int | None) -> dict:
    return {"champion": None, "challenger": None, "fallback": None, **roles}


def status(begin: float, end: float, challenger: int | None) -> Op:
    told = {"pair": pair(challenger=challenger), "condemned": [], "proposals": [], "reviews": [], "meddled": []}
    return Op("status", "m", "mei", f"s{begin}", begin=begin, end=end, status=200, answer={"models": [told]})


@pytest.fixture
def history():
    entries = [
        entry(1, "registered", "ana", 1, {}), entry(2, "registered", "ana", 2, {}),
        nominated(3, 1, "a", None), nominated(4, 2, "b", 1),
    ]  # fmt: skip
    first, second = (
        Op("nominate", "m", "ana", token, version, begin=begin, end=begin + 2, status=200,
           answer={"pair": pair(challenger=version), "entry": seq})
        for token, version, begin, seq in (("a", 1, 1.0, 3), ("b", 2, 4.0, 4))
    )  # fmt: skip
    refusal = Op("nominate", "m", "ana", "c", 3, begin=5, end=6, status=404)
    return [first, second, status(0, 0.5, None), status(3.2, 3.5, 1), status(7, 8, 2), refusal], entries


def doctored(history, change) -> list[str]:
    ops, entries = copy.deepcopy(history)
    entries = change(ops, entries) or entries
    return anomalies(ops, entries, base=2)


def test_a_history_without_fault_has_no_anomaly(history):
    assert doctored(history, lambda ops, entries: None) == []


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda ops, entries: entries[:3], "acknowledged, and not in the ledger"),
        (lambda ops, entries: ops.pop(1) and None, "nobody asked for it"),
        (lambda ops, entries: vars(ops[3]).update(begin=7.0, end=8.0), "no state of its time explains"),
        (lambda ops, entries: vars(ops[3]).update(begin=0.1, end=0.5), "no state of its time explains"),
        (lambda ops, entries: vars(ops[0]).update(begin=10.0, end=11.0), "stands behind one of a call that began"),
        (lambda ops, entries: ops[1].answer.update(pair=pair(challenger=1)), "was answered as"),
        (lambda ops, entries: ops[1].answer.update(entry=9), "the answer names entry 9"),
        (lambda ops, entries: vars(ops[1]).update(status=403), "was made by a call that was refused"),
        (lambda ops, entries: vars(ops[5]).update(version=2, status=403), "no state of its time explains"),
        (lambda ops, entries: entries[3].body.update(before=pair(challenger=7)), "the fold says"),
        (lambda ops, entries: [*entries, nominated(5, 2, "b", 2)], "more than one entry"),
        (lambda ops, entries: vars(ops[1]).update(user="raj"), "not nominate"),
        (lambda ops, entries: [*entries, checked(5, 2)], "a check that nobody awaited"),
    ],
)  # fmt: skip
def test_a_doctored_history_is_found_out(history, change, told):
    found = doctored(history, change)
    assert any(told in line for line in found), found


def test_a_call_without_an_answer_may_have_happened_or_not(history):
    def in_doubt(ops, entries):
        vars(ops[1]).update(status=0, end=float("inf"), answer={})

    assert doctored(history, in_doubt) == []

    def in_doubt_and_undone(ops, entries):
        in_doubt(ops, entries)
        del ops[4]
        return entries[:3]

    assert doctored(history, in_doubt_and_undone) == []
