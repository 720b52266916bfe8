"""Evidence, signatures and pages in other bytes than were nominated: the same, another, unreadable or gone."""

from __future__ import annotations

from datetime import datetime, timezone

import pytest
from support.world import evidence_bytes

from mlflow_eval_plugin.evidence import loads
from registry_hooks.records import EvidenceRef, Page, TrustedKey, TrustState
from registry_hooks.rules.evidence_gate import about_another
from registry_hooks.rules.grounds.bound import MOST_READ, another_document, another_page, another_signature, unreachable
from registry_hooks.rules.sight import shown_without_run
from registry_hooks.rules.signatures import key_id, new_key, public_pem, sign

NOW = datetime(2026, 1, 1, tzinfo=timezone.utc)
TEXT = evidence_bytes("r1", "drift", "pass", "sha256:" + "1" * 64, NOW)
OTHER = evidence_bytes("r1", "drift", "fail", "sha256:" + "1" * 64, NOW)
KEY, STRANGER = new_key(), new_key()
TRUST = TrustState(
    keys={
        key_id(key.public_key()): TrustedKey(
            id=key_id(key.public_key()),
            name=name,
            public=public_pem(key.public_key()),
            trusted_by="root",
            trusted_at=NOW,
        )
        for name, key in (("ci", KEY), ("lab", STRANGER))
    }
)
ITEM = EvidenceRef(
    kind="drift", digest=loads(TEXT).digest, verdict="pass", created_at=NOW, run_id="r1", path="evidence/drift.json",
    signed_by=(key_id(KEY.public_key()),), sha256="ab",
)  # fmt: skip


def said(reasons):
    return [(reason.rule, reason.found) for reason in reasons]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (TEXT, None),  # the same document, whatever its bytes are
        (OTHER, "is another document than was nominated"),
        (None, "is gone"),
        (b" " * (MOST_READ + 1), "was changed"),
    ],
)
def test_a_document_in_other_bytes(text, expected):
    found = [("evidence-changed", f"Evidence evidence/drift.json of run r1 {expected}")] if expected else []
    assert said(another_document(ITEM, text)) == found


def test_a_document_that_is_none_says_why():
    (reason,) = another_document(ITEM, b"{}")
    assert "cannot be trusted: " in reason.found


@pytest.mark.parametrize(
    ("envelope", "expected"),
    [
        (sign(loads(TEXT), KEY), None),
        (sign(loads(OTHER), KEY), f"is over another document, {loads(OTHER).digest[:19]}…"),
        (sign(loads(TEXT), STRANGER), "is by other keys"),
        (None, "is gone"),
    ],
)
def test_an_envelope_in_other_bytes(envelope, expected):
    reasons = another_signature(ITEM, envelope, TRUST)
    assert said(reasons) == (
        [("evidence-signature", f"evidence/drift.json.dsse of run r1 {expected}")] if expected else []
    )
    assert all(reason.expected.startswith("the signature of ci over the drift Evidence") for reason in reasons)


@pytest.mark.parametrize(("sha256", "expected"), [("aa", None), ("bb", "was changed"), (None, "is gone")])
def test_a_report_page(sha256, expected):
    page = Page(run_id="r1", path="reports/drift.html", sha256="aa")
    found = [("reports", f"reports/drift.html of run r1 {expected}")] if expected else []
    assert said(another_page(page, sha256)) == found


def test_who_may_not_read_the_run_is_told_neither_run_nor_file():
    told = shown_without_run(another_page(Page(run_id="r1", path="reports/drift.html", sha256="aa"), None)[0])
    assert told.found == "something else, in a run that you may not read"
    assert unreachable("no answer within 5 s").rule == "evidence-unreachable"


@pytest.mark.parametrize(
    ("run_id", "subject", "digest", "expected"),
    [
        ("r1", "sha256:" + "1" * 64, "sha256:" + "1" * 64, None),
        ("r2", "sha256:" + "1" * 64, "sha256:" + "1" * 64, "was made in run r1"),
        (
            "r1",
            None,
            "sha256:" + "1" * 64,
            "names no model's files: it is about predictions alone, or the files could not be read",
        ),
        ("r1", "sha256:" + "1" * 64, "sha256:" + "2" * 64, "is about other files"),
    ],
)
def test_evidence_is_about_the_files_of_this_version(run_id, subject, digest, expected):
    evidence = loads(evidence_bytes("r1", "drift", "pass", subject, NOW))
    found = about_another(evidence, "evidence/drift.json", run_id, 3, digest)
    assert (found and found.found) == (expected and f"evidence/drift.json of run {run_id} {expected}")
