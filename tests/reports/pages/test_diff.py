"""Two documents of one kind as a page of what changed: the ways worked by hand, and what cannot be compared."""

from __future__ import annotations

from typing import Any

import pytest
from reports.pages.test_joined import GOLDEN, heading
from support.documents import evidence as documents
from support.documents.parsed_page import Page
from support.documents.regression import regression_slices

from mlflow_eval_plugin.canonical import EvidenceError
from mlflow_eval_plugin.evidence import Check, Evidence, seal
from mlflow_eval_plugin.reports import compare, render_diff
from mlflow_eval_plugin.reports.pages.diff import VERDICT_MOVES
from mlflow_eval_plugin.verdicts import Verdict


def check(scope: str, value: float | None, verdict: Verdict, high: float = 0.1) -> Check:
    return documents.check("psi", scope, value, 0.01, verdict, high=high)


def drift(*checks: Check, **changes: Any) -> Evidence:
    """A drift document with these Checks, and with other members where ``changes`` has them."""
    plain = documents.document("drift", list(checks), documents.drift().measurements)
    names = ("kind", "subject", "data", "reference", "config", "inference", "checks", "measurements", "producer")
    return seal(**{**{name: getattr(plain, name) for name in (*names, "created_at")}, **changes})


def section(text: str, title: str) -> str:
    start = text.index(f"<h2>{title}</h2>")
    return Page(text[start : text.index("</section>", start)]).words


@pytest.mark.parametrize(
    ("was", "now", "way", "title"),
    [
        ("pass", "fail", "↓ Worse", "Now failing"),
        ("insufficient", "fail", "↓ Worse", "Now failing"),
        ("pass", "insufficient", "↓ Worse", "No longer within tolerance"),
        ("fail", "pass", "↑ Better", "No longer failing"),
        ("fail", "insufficient", "↑ Better", "No longer failing"),
        ("insufficient", "pass", "↑ Better", "Now within tolerance"),
        ("fail", "fail", "= No verdict moved", "Still failing"),
    ],
)
def test_which_way_a_verdict_went(was: Verdict, now: Verdict, way: str, title: str) -> None:
    text = render_diff(drift(check("AGEP", 0.05, was)), drift(check("AGEP", 0.2, now)))
    assert heading(text).startswith(way)
    # 0.2 - 0.05, each with ± 0.01.
    assert "0.050 0.200 0.150 0.040 to 0.060 0.190 to 0.210 at most 0.1 500 → 500" in section(text, title)


def test_every_pair_of_verdicts_has_one_place_or_did_not_move() -> None:
    sides = ("pass", "fail", "insufficient", "none")
    pairs = {f"{was} {now}" for was in sides for now in sides} - {"none none"}
    told = [verdicts for move in VERDICT_MOVES for verdicts in move.verdicts]
    assert len(told) == len(set(told))
    assert pairs - set(told) == {"pass pass", "insufficient insufficient"}


def test_both_ways_are_mixed_and_the_worst_is_named_with_both_values() -> None:
    before = drift(check("AGEP", 0.05, "pass"), check("SEX", 0.3, "fail"), check("MAR", 0.02, "pass"))
    after = drift(check("AGEP", 0.2, "fail"), check("SEX", 0.03, "pass"), check("MAR", 0.4, "fail"))
    assert heading(render_diff(before, after)) == (
        "↕ Mixed 2 checks now fail, 1 check fails no longer. The verdict is still “fail”. "
        "Worst: PSI for MAR went from 0.020 to 0.400; the tolerance is at most 0.1."
    )


def test_new_checks_can_make_it_worse_and_gone_ones_make_nothing_better() -> None:
    one, failing = check("AGEP", 0.05, "pass"), check("SEX", 0.3, "fail")
    worse = render_diff(drift(one), drift(one, failing))
    assert heading(worse).startswith("↓ Worse 1 check is new and fails. The verdict went from “pass” to “fail”.")
    gone = render_diff(drift(one, failing), drift(one))
    assert heading(gone).startswith("= No verdict moved")
    assert "1 check that failed is gone: in one of the documents only" in section(gone, "Compare with care")
    assert "0.300 – – 0.290 to 0.310 –" in section(gone, "Gone, and was failing")


def test_a_pass_by_another_tolerance_is_told() -> None:
    text = render_diff(drift(check("AGEP", 0.2, "fail")), drift(check("AGEP", 0.2, "pass", high=0.5)))
    assert "1 check had another tolerance before" in section(text, "Compare with care")
    assert "at most 0.5 (was at most 0.1)" in section(text, "No longer failing")


def test_everything_else_that_differs_is_listed_and_what_is_the_same_is_counted() -> None:
    before = drift(check("AGEP", 0.05, "pass"))
    after = drift(
        check("AGEP", 0.05, "pass"),
        config={"alpha": 0.05, "max_psi": 0.2},
        data=before.data.model_copy(update={"name": "census-2019", "rows": 1234}),
        subject=before.subject.model_copy(update={"model_digest": "sha256:" + "cd" * 32}),
        created_at="2026-02-03T00:00:00Z",
    )
    said = section(render_diff(before, after), "What else changed")
    for each in (
        "data: name census-2018 census-2019",
        "data: rows 70 131 1 234",
        "subject: model_digest sha256:abababababababab… sha256:cdcdcdcdcdcdcdcd…",
        "config: min_count 30 –",
        "config: max_psi – 0.2",
        "written 2026-01-02T03:04:05Z 2026-02-03T00:00:00Z",
    ):
        assert each in said
    assert "config: alpha" not in said


def test_the_wrong_order_and_another_reference_are_told() -> None:
    late = drift(check("AGEP", 0.05, "pass"), created_at="2027-01-01T00:00:00Z", reference=documents.drift().reference)
    said = section(render_diff(late, drift(check("AGEP", 0.05, "pass"))), "Compare with care")
    assert "The first document was written later" in said and "different references" in said


def test_documents_of_two_tasks_are_refused() -> None:
    with pytest.raises(EvidenceError, match=r"one kind, found disaggregated before and disaggregated \(regression\)"):
        render_diff(documents.disaggregated(), regression_slices())
    assert "No verdict moved" in render_diff(regression_slices(), regression_slices())


def test_documents_of_two_kinds_are_refused() -> None:
    with pytest.raises(EvidenceError, match="expected two documents of one kind, found calibration before and drift"):
        render_diff(documents.calibration(), documents.drift())


@pytest.mark.parametrize("document", GOLDEN, ids=lambda document: document.kind)
def test_documents_of_the_first_release_still_compare(document: Evidence) -> None:
    text = render_diff(document, document)
    page = Page(text)
    assert page.open == [] and "The two are one and the same document." in heading(text)
    later = next(each for each in (documents.calibration(), documents.disaggregated(), documents.drift())
                 if each.kind == document.kind)  # fmt: skip
    assert Page(render_diff(document, later)).open == []


def test_pairs_are_found_by_id_and_the_gone_come_last() -> None:
    before = drift(check("AGEP", 0.3, "fail"), check("SEX", 0.3, "fail"))
    after = drift(check("MAR", 0.01, "pass"), check("SEX", 0.2, "fail"))
    assert [(change.either.scope, change.moved) for change in compare(before, after)] == [
        ("SEX", "fail fail"), ("MAR", "none pass"), ("AGEP", "fail none"),
    ]  # fmt: skip


def test_labels_from_data_cannot_become_markup() -> None:
    hostile = check(documents.HOSTILE, 0.3, "fail")
    assert render_diff(drift(hostile), drift(hostile)).count("<script") == 1


def test_three_thousand_checks_stay_below_half_a_megabyte() -> None:
    labels = [f"RAC1P={i % 9} & AGEP=[{i}, {i + 1})" for i in range(1500)]
    before, after = documents.disaggregated(labels), documents.disaggregated(labels[::-1])
    assert len(render_diff(before, after).encode()) < 500_000
