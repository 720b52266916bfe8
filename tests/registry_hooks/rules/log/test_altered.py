"""What accounts for a row that does not match its leaf hash, and what does not."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlflow_eval_plugin.canonical import canonical
from registry_hooks.rules.log import altered
from registry_hooks.rules.log.altered import minus, purged_text
from registry_hooks.rules.log.merkle import StoredEntry, Tree, leaf_hash, verify
from registry_hooks.rules.log.redaction import REDACTED, may_redact, texts, without


class Log:
    """A log that redacts and purges as the desk does, with nothing of the desk in it."""

    def __init__(self):
        self.tree, self.rows = Tree(), list[StoredEntry]()

    def add(self, action, body):
        seq = len(self.rows) + 1
        document = {"seq": seq, "action": action, "model": None, "body": body, "tree": self.tree.root.hex()}
        text = canonical(document)
        leaf = leaf_hash(text)
        self.rows.append(StoredEntry(seq, text, leaf.hex()))
        self.tree = self.tree.append(leaf)
        return seq

    def write(self, seq, text):
        self.rows[seq - 1] = self.rows[seq - 1]._replace(entry=text)

    def redact(self, seq, text):
        self.write(seq, text)
        return self.add("redacted", {"rows": {str(seq): altered.digest_of_text(text)}})

    def purge(self, ranges):
        by = len(self.rows) + 1
        for first, last in ranges:
            for seq in range(first, last + 1):
                self.write(seq, purged_text(seq, by).encode())
        return self.add("purged", {"purged": ranges, "states": {"s": f"of {by}"}})

    def named(self):
        found = verify(self.rows, self.tree)
        return {problem.seq for problem in found.problems}


def changed(log, seq, chance):
    text = bytearray(log.rows[seq - 1].entry)
    place = chance.randrange(len(text))
    text[place] ^= 1 << chance.randrange(8)
    return bytes(text)


@pytest.mark.parametrize("seed", range(40))
def test_of_a_log_that_redacts_and_purges_every_other_change_is_named(seed):
    chance, log, gone = random.Random(seed), Log(), 0
    for step in range(60):
        kind = chance.choice(("said", "said", "said", "redact", "purge"))
        there = [row.seq for row in log.rows if b"said" in row.entry and b"purged_by" not in row.entry]
        if kind == "redact" and there:
            seq = chance.choice(there)
            log.redact(seq, canonical({"seq": seq, "action": "said", "body": {"text": REDACTED, "step": step}}))
        elif kind == "purge" and len(there) > 5:
            some = sorted(chance.sample(there, 3))
            log.purge([[seq, seq] for seq in some])
            gone += 3
        else:
            log.add("said", {"text": f"something {step}"})
        assert log.named() == set()
    for seq in range(1, len(log.rows) + 1):
        before = log.rows[seq - 1].entry
        log.write(seq, changed(log, seq, chance))
        assert log.named() & {seq, seq - 1, None} or seq in log.named(), seq
        assert log.named()
        log.write(seq, before)
    assert log.named() == set() and gone


def test_a_redaction_of_a_redaction_counts_and_its_first_text_no_more():
    log = Log()
    seq = log.add("said", {"text": "x"})
    first = canonical({"seq": seq, "action": "said", "body": {"text": REDACTED, "more": "y"}})
    log.redact(seq, first)
    log.redact(seq, canonical({"seq": seq, "action": "said", "body": {"text": REDACTED, "more": REDACTED}}))
    assert log.named() == set()
    log.write(seq, first)
    assert log.named() == {seq}


def test_a_text_that_says_something_else_is_no_redaction_whatever_binds_it():
    log = Log()
    seq = log.add("said", {"text": "raj approved"})
    log.redact(seq, canonical({"seq": seq, "action": "said", "body": {"text": "ray approved"}}))
    assert log.named() == {seq}


def test_an_entry_accounts_for_none_behind_it_nor_for_itself():
    log = Log()
    text = canonical({"seq": 2, "action": "said", "body": {}})
    log.add("redacted", {"rows": {"2": altered.digest_of_text(text), "1": altered.digest_of_text(b"{}")}})
    log.add("said", {})
    log.write(2, text)
    assert log.named() == {2}


@pytest.mark.parametrize(
    "body",
    [
        {"rows": []}, {"rows": {"x": 1}}, {"purged": "all"}, {"purged": [[1]]}, {"purged": [[1, "2"]]}, {"states": 3},
        {},
    ],
)  # fmt: skip
@pytest.mark.parametrize("action", ["redacted", "purged"])
def test_an_entry_that_is_not_in_its_form_accounts_for_nothing_and_stops_nothing(action, body):
    log = Log()
    seq = log.add("said", {})
    log.add(action, body)
    log.write(seq, b"{}")
    assert seq in log.named()


def test_the_newest_purge_binds_all_states_and_a_redaction_one_of_them():
    log = Log()
    for _ in range(6):
        log.add("said", {})
    log.purge([[1, 2]])
    log.purge([[3, 4]])
    log.add("redacted", {"rows": {}, "states": {"t": "of a redaction"}})
    assert verify(log.rows, log.tree).states == {"s": "of 8", "t": "of a redaction"}


def test_a_line_of_an_export_is_read_as_it_was_written():
    line = altered.exported(b'{"a":1}', "ab" * 32)
    assert altered.imported(line) == (b'{"a":1}', "ab" * 32)
    assert altered.imported(b'{"a":1}') == (b'{"a":1}', None)
    for forged in (
        b'{"schema":"registry-hooks/altered/1"}',
        b'"registry-hooks/altered/1"',
        b"registry-hooks/altered/1",
    ):
        assert altered.imported(forged)[1] is None


RANGES = st.lists(st.tuples(st.integers(1, 40), st.integers(0, 4)), max_size=6).map(
    lambda pairs: [[first, first + more] for first, more in sorted(pairs)]
)


@given(RANGES, RANGES)
def test_ranges_are_what_the_numbers_in_them_are(one, other):
    one, other = disjoint(one), disjoint(other)
    numbers = lambda ranges: {n for first, last in ranges for n in range(first, last + 1)}  # noqa: E731
    assert minus(one, other) == sorted(numbers(one) - numbers(other))


def disjoint(ranges):
    made = []
    for n in sorted({n for first, last in ranges for n in range(first, last + 1)}):
        altered.extend(made, n)
    return made


# Redaction of documents -----------------------------------------------------------------------------------------------

APPROVAL = {"proposal": "P-4", "proposal_digest": "sha256:x", "actor": "raj", "at": "2026-01-01T00:00:00Z",
            "comment": "looks right", "meaning": "yes"}  # fmt: skip


def entry(action, body, seq=5):
    return {"seq": seq, "action": action, "at": "2026-01-01T00:00:00Z", "tree": "00", "version": 1, "body": body}


def test_a_text_is_taken_from_its_record_wherever_that_is_and_from_no_other_of_the_same_words():
    signed = entry("approved", {"approval": APPROVAL})
    other = {**APPROVAL, "actor": "mei"}
    proposal = {"id": "P-4", "requester": "ana", "expected_champion": None, "comment": "looks right"}
    promoted = entry("promoted", {"proposal": {**proposal, "approvals": [APPROVAL, other]}}, 9)
    taken = texts(signed, "comment")
    now, had = without(promoted, taken)
    assert had and now["body"]["proposal"]["approvals"] == [{**APPROVAL, "comment": REDACTED}, other]
    assert now["body"]["proposal"]["comment"] == "looks right"
    assert without(signed, taken)[0]["body"]["approval"] == {**APPROVAL, "comment": REDACTED}
    assert without(entry("approved", {"approval": other}), taken)[1] is False


def test_the_body_of_an_entry_is_its_own_record():
    withdrawn, other = entry("withdrawn", {"comment": "x", "proposal": "P-4"}), entry("withdrawn", {"comment": "x"}, 6)
    taken = texts(withdrawn, "comment")
    assert without(withdrawn, taken)[0]["body"]["comment"] == REDACTED and without(other, taken)[1] is False


@pytest.mark.parametrize("field", ["actor", "model", "proposal_digest", "nothing"])
def test_only_texts_that_people_write_can_be_taken(field):
    (reason,) = may_redact(entry("approved", {"approval": APPROVAL}), field)
    assert "comment, meaning" in reason.expected
