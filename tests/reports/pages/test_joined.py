"""One page of several documents: the joint verdict, every kind, and the documents of earlier releases."""

from __future__ import annotations

from pathlib import Path
from typing import get_args

import pytest
from support.documents import evidence as documents
from support.documents.parsed_page import Page

from mlflow_eval_plugin.evidence import KNOWN_KINDS, KNOWN_TASKS, Evidence, loads
from mlflow_eval_plugin.reports import render, render_diff, render_joined
from mlflow_eval_plugin.reports.kinds import TOLD
from mlflow_eval_plugin.reports.pages import joined
from mlflow_eval_plugin.verdicts import Verdict

GOLDEN = [
    loads((Path(__file__).parents[2] / "golden" / f"{kind}-v1.json").read_bytes())
    for kind in ("calibration", "disaggregated", "drift")
]


def all_three() -> list[Evidence]:
    return [documents.calibration(), documents.disaggregated(), documents.drift()]


def passing(kind: str) -> Evidence:
    checks = [documents.check("psi", "AGEP", 0.01, 0.001, "pass", high=0.1)]
    measurements = next(document.measurements for document in all_three() if document.kind == kind)
    return documents.document(kind, checks, measurements)


def heading(text: str) -> str:
    return Page(text[text.index("<h1>") : text.index("</h1>") + 5]).words


def test_every_kind_of_evidence_has_an_entry() -> None:
    assert all(set(kinds) == set(KNOWN_KINDS) for kinds in TOLD.values()) and tuple(TOLD) == KNOWN_TASKS


def test_a_page_of_one_document_is_that_document_joined_with_none() -> None:
    for document in all_three():
        assert render(document) == render_joined([document])


def test_no_document_is_no_page() -> None:
    with pytest.raises(ValueError, match="expected at least one Evidence document, found none"):
        render_joined([])


def test_the_joint_verdict_comes_first_then_every_kind_then_the_tables() -> None:
    text = render_joined(all_three())
    # 1 of 2, 2 of 19 and 2 of 4 checks failed; psi of AGEP, 0.31, is 2.1 tolerances beyond 0.1.
    assert "✕ Fail 5 of 25 checks failed. Worst: PSI for AGEP is 0.310; the tolerance is at most 0.1." in heading(text)
    order = [
        "<h1>",
        "What failed",
        *(f'<section id="{document.kind}"' for document in all_three()),
        '<section id="tables"',
        "<h3>All checks",
    ]
    assert [text.index(each) for each in order] == sorted(text.index(each) for each in order)
    said = Page(text).words
    for document in all_three():
        assert joined.headline([document]) in said and TOLD["binary"][document.kind].question in said


def test_each_document_is_a_family_so_the_chances_of_a_false_failure_add_up() -> None:
    said = Page(render_joined(all_three())).words
    assert "at most 5 % in each of the 3 parts, and at most 15 % in all of them" in said


@pytest.mark.parametrize("gravest", get_args(Verdict))
def test_the_joint_verdict_is_the_gravest(gravest: Verdict) -> None:
    checks = [documents.check("psi", "AGEP", 0.1, 0.01, gravest, high=0.1)]
    mixed = documents.document("drift", checks, documents.drift().measurements)
    evidences = [passing("calibration"), mixed]
    assert joined.verdict(evidences) == joined.verdict(evidences[::-1]) == gravest
    assert f'<header class="{gravest}">' in render_joined(evidences)


def test_a_document_without_checks_keeps_the_page_from_passing_and_says_so() -> None:
    evidences = [passing("calibration"), documents.document("drift", [], documents.drift().measurements)]
    assert heading(render_joined(evidences)) == (
        "? Insufficient evidence The one check is within tolerance. Nothing was checked in drift."
    )


def test_many_failures_of_one_kind_hide_no_other() -> None:
    labels = [f"AGEP={i}" for i in range(40)]
    checks = [documents.check("gap_fpr", label, 0.9, 0.01, "fail", low=-0.1, high=0.1) for label in labels]
    many = documents.document("disaggregated", checks, documents.disaggregated(labels).measurements)
    text = render_joined([documents.calibration(), many])
    listed = text[text.index("What failed") : text.index("What could not be decided")]
    assert "ECE (equal-mass bins)" in listed
    assert "The worst 11 of 41" in listed


def test_two_documents_of_one_kind_are_told_apart() -> None:
    page = Page(render_joined([documents.drift(), documents.drift()]))
    ids = [attrs["id"] for _, attrs in page.tags if "id" in attrs]
    assert len(ids) == len(set(ids)) and {"drift", "drift-2"} <= set(ids)
    assert "Drift – census-2018" in page.words


def test_what_the_documents_share_is_said_once() -> None:
    said = Page(render_joined(all_three())).words
    assert "Model models:/income/7; 70 131 rows of “census-2018”; reference: 68 785 rows of “census-2015”." in said


@pytest.mark.parametrize("document", GOLDEN, ids=lambda document: document.kind)
def test_documents_of_the_first_release_still_render(document: Evidence) -> None:
    assert joined.headline([document]) in Page(render(document)).words


def test_documents_of_the_first_release_still_join() -> None:
    page = Page(render_joined(GOLDEN))
    assert page.open == []
    assert all(TOLD["binary"][document.kind].question in page.words for document in GOLDEN)


def with_all_metrics(labels: list[str]) -> Evidence:
    """What a real call measures of so many slices: fourteen metrics, costs, five Checks and four gaps of each."""
    plain = documents.disaggregated(labels)
    names = ("prevalence", "selection_rate", "accuracy", "balanced_accuracy", "precision", "recall", "fpr", "fnr", "f1",
             "auc", "log_loss", "brier", "ece", "calibration_in_the_large")  # fmt: skip
    metrics = {name: documents.estimate(0.123456789 + i / 17) for i, name in enumerate(names)}
    slices = [{**documents.slice_report(label, 12345), "metrics": metrics} for label in labels]
    costs = [
        {"label": label, "cost": documents.estimate(0.123456789), "best_threshold": 0.2, "cost_at_best": 0.1}
        for label in labels
    ]
    measurements = {
        **plain.measurements,
        "overall": {**plain.measurements["overall"], "metrics": metrics},
        "slices": slices,
        "costs": {**plain.measurements["costs"], "slices": costs},
        "gaps": [{**gap, "label": label} for gap in plain.measurements["gaps"] * 4 for label in labels],
    }
    checks = [
        documents.check(f"gap_{name}", label, 0.2123456, 0.012345, "fail", low=-0.1, high=0.1)
        for name in ("fpr", "fnr", "recall", "accuracy", "precision")
        for label in labels
    ]
    return documents.document("disaggregated", checks, measurements)


def test_two_hundred_slices_stay_below_half_a_megabyte() -> None:
    groups = with_all_metrics([f"RAC1P={i % 9} & AGEP=[{i}, {i + 1}) & SCHL={i % 24}" for i in range(200)])
    wide = documents.calibration(), groups, documents.drift(), documents.drift()
    for page in (render(groups), render_joined(wide), render_diff(groups, groups)):
        assert len(page.encode()) < 500_000
    assert "The first 75 rows; the page of this kind alone has more" in render_joined(wide)


def test_a_table_that_is_cut_keeps_its_caveat() -> None:
    weak = documents.weak_slices()
    many = {**documents.disaggregated().measurements, "weak_slices": {**weak, "slices": weak["slices"] * 80}}
    text = Page(render_joined([documents.document("disaggregated", [], many), documents.drift()])).words
    caveat = "The adjusted p-value accounts for all slices that could have been found"
    assert "The first 75 rows; the page of this kind alone has more" in text[text.index(caveat) :][:400]
