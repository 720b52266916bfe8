"""What a page says of harm that no Check covers: in its first sentence, in its first table, and in the heat map."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from support.documents import evidence as documents
from support.documents.parsed_page import Page

from mlflow_eval_plugin.evidence import Evidence, loads
from mlflow_eval_plugin.reports import render, render_diff, render_joined, render_trend
from mlflow_eval_plugin.reports.pages import joined
from mlflow_eval_plugin.reports.sentences.unchecked import MATERIAL, unchecked_of
from mlflow_eval_plugin.reports.tables.heatmap import slice_heatmap

GOLDEN = Path(__file__).parents[2] / "golden"


def harm(label: str, metric: str = "accuracy", value: float = 0.008, **more: Any) -> dict[str, Any]:
    found = {"value": value, "other": 0.81, "difference": value - 0.81, "interval": [value - 0.83, value - 0.77]}
    return {"label": label, "metric": metric, "n": 356, **found, "harm": 0.77 - value, **more}


def unchecked(*found: dict[str, Any], versus: str = "complement") -> dict[str, Any]:
    metrics = ["accuracy", "brier", "recall"]
    return {
        "versus": versus,
        "alpha": 0.05,
        "comparisons": 129,
        "metrics": metrics,
        "total": len(found),
        "found": found,
    }


def document(*found: dict[str, Any], verdict: str = "pass", labels: list[str] | None = None) -> Evidence:
    """Slices that all pass, or all fail, and what is worse besides."""
    labels = labels or ["hospital=A", "hospital=B"]
    value = {"pass": 0.01, "fail": 0.4, "insufficient": 0.09}[verdict]
    checks = [documents.check("gap_fpr", one, value, 0.05, verdict, low=-0.1, high=0.1) for one in labels]  # type: ignore[arg-type]
    reports = [documents.slice_report(one, 500) for one in dict.fromkeys([*labels, *(one["label"] for one in found)])]
    for one in reports:
        one["metrics"]["accuracy"] = documents.estimate(0.5)
    measurements = {**documents.disaggregated().measurements, "slices": reports, "unchecked": unchecked(*found)}
    measurements["overall"] = {**reports[0], "label": "overall"}
    return documents.document("disaggregated", checks, measurements)


def heading(evidence: Evidence) -> str:
    text = render(evidence)
    return Page(text[text.index("<h1>") : text.index("</h1>") + 5]).words


@pytest.mark.parametrize(
    ("verdict", "first"),
    [("pass", "All 2 checks are within"), ("insufficient", "No check failed"), ("fail", "2 of 2 checks failed")],
)
def test_the_first_sentences_do_not_leave_out_harm_that_no_check_covers(verdict: str, first: str) -> None:
    said = heading(document(harm("hospital=H99"), verdict=verdict))
    assert first in said
    assert said.endswith("Not checked: accuracy for hospital=H99 (356 rows) is 0.0080; for all other rows it is 0.810.")


def test_what_is_too_little_to_matter_stays_out_of_the_first_sentence() -> None:
    evidence = document(harm("hospital=B", value=0.80, interval=[-0.02, -0.01], harm=MATERIAL / 5))
    assert "Not checked" not in heading(evidence)
    assert "Brier score" not in Page(render(evidence)).words.split("Worse where nothing was checked", 1)[0]
    assert "hospital=B Accuracy 0.800 0.810" in Page(render(evidence)).words


def test_where_nothing_is_worse_the_page_says_what_was_looked_at() -> None:
    text = Page(render(document())).words
    assert (
        "No slice does worse beyond luck. No check covers these. 129 differences were looked at, on 3 metrics" in text
    )


def test_slices_that_no_check_fails_come_before_those_that_are_named_already() -> None:
    found = [harm("hospital=A", value=0.001), harm("hospital=H99", value=0.3)]
    evidence = document(*found, verdict="fail", labels=["hospital=A"])
    told = unchecked_of(evidence)
    assert told is not None
    assert [one.label for one in told.slices] == ["hospital=H99", "hospital=A"]


def test_parts_of_a_slice_that_is_named_take_no_place_of_others() -> None:
    parts = [harm(f"SEX={i % 2} & hospital=H99 & AGEP={i}", value=0.1) for i in range(9)]
    told = unchecked_of(document(harm("hospital=H99"), *parts, harm("hospital=B", value=0.5)))
    assert told is not None
    assert [one.label for one in told.told] == ["hospital=H99", "hospital=B"]
    assert "9 more slices do worse" in told.note


def test_a_slice_is_one_entry_with_what_needs_no_explanation_first() -> None:
    found = [harm("hospital=H99", "brier", harm=2.0), harm("hospital=H99", "log_loss", harm=1.5), harm("hospital=H99"),
             harm("hospital=H99", "ece", harm=0.6)]  # fmt: skip
    told = unchecked_of(document(*found))
    assert told is not None
    assert [one.metric for one in told.told[0].told] == ["accuracy", "brier", "log_loss"]
    assert told.told[0].others == "ECE"


def test_the_heat_map_has_the_worst_of_checks_and_of_what_has_none() -> None:
    many = [f"hospital=F{i}" for i in range(60)]
    evidence = document(harm("hospital=H99"), verdict="fail", labels=many)
    drawn = slice_heatmap(evidence)
    assert drawn is not None
    labels = [label for label, _, _ in drawn.rows]
    assert len(labels) == 30 and "hospital=H99" in labels[:3]
    assert "Accuracy" in [column.label for column in drawn.columns]


def test_a_joined_page_tells_the_same_harm_once() -> None:
    calibration = documents.document(
        "calibration", [], {**documents.calibration_measurements(), "unchecked": unchecked(harm("hospital=H99"))}
    )
    text = render_joined([document(harm("hospital=H99")), calibration])
    assert text.count('<caption class="unseen">Worse where nothing was checked</caption>') == 1
    assert joined.headline([document(harm("hospital=H99")), calibration]).count("hospital=H99") == 1


def test_the_first_sentence_of_a_joined_page_prefers_what_needs_no_explanation() -> None:
    worse = harm("hospital=H99", "brier", harm=3.0)
    calibration = documents.document(
        "calibration", [], {**documents.calibration_measurements(), "unchecked": unchecked(worse)}
    )
    assert "Not checked: accuracy for" in joined.headline([calibration, document(harm("hospital=H99"))])


def test_of_a_comparison_the_champion_is_what_a_slice_is_held_against() -> None:
    measurements = documents.comparison().measurements
    checks = [documents.check("change_auc", "overall", 0.0, 0.001, "pass", low=-0.01)]
    measurements = {**measurements, "unchecked": unchecked(harm("SEX=2"), versus="champion")}
    said = heading(documents.document("comparison", checks, measurements))
    assert "Not checked: accuracy for SEX=2 (356 rows) is 0.0080; with the champion it is 0.810." in said


@pytest.mark.parametrize("kind", ["disaggregated", "disaggregated-regression", "comparison", "comparison-multiclass"])
def test_documents_that_do_not_hold_it_are_read_by_their_intervals(kind: str) -> None:
    evidence = loads((GOLDEN / f"{kind}-v1.json").read_bytes())
    assert "unchecked" not in evidence.measurements
    told = unchecked_of(evidence)
    assert told is not None and told.comparisons > 0
    assert "together hold with about 95 % confidence" in Page(render(evidence)).words
    judged = {(check.scope, check.metric.partition("_")[2]) for check in evidence.checks}
    assert not judged & {(one.label, finding.metric) for one in told.slices for finding in one.findings}


def test_intervals_of_old_documents_are_widened_by_the_number_of_all() -> None:
    evidence = loads((GOLDEN / "disaggregated-v1.json").read_bytes())
    told = unchecked_of(evidence)
    assert told is not None
    one = next(one for one in told.slices if one.label == "SEX=1" or one.findings)
    finding = one.findings[0]
    gap = next(
        gap["difference"]
        for gap in evidence.measurements["gaps"]
        if (gap["label"], gap["metric"], gap["versus"]) == (one.label, finding.metric, "complement")
    )
    wider = (finding.interval[1] - finding.difference) / (gap["interval"][1] - gap["value"])
    # The normal quantile of 1 - 0.025 / m over that of 0.975: 1.50 for 16, 2.00 for 580.
    assert 1.2 < wider < 2.0


def test_a_label_that_tries_to_be_markup_stays_text() -> None:
    text = render(document(harm(documents.HOSTILE)))
    assert text.count("<script") == 1 and "alert(" in "".join(Page(text).text)


def test_no_page_and_no_picture_leaves_it_out(monkeypatch: pytest.MonkeyPatch) -> None:
    from matplotlib.axes import Axes

    from mlflow_eval_plugin.reports.png.figures import figures

    said = "Not checked: accuracy for hospital=H99 (356 rows) is 0.0080; for all other rows it is 0.810."
    evidence = document(harm("hospital=H99"))
    for text in (render(evidence), render_diff(document(), evidence), render_trend([evidence, evidence])):
        assert said in Page(text[text.index("<h1>") : text.index("</h1>") + 5]).words
    titles: list[str] = []
    monkeypatch.setattr(Axes, "set_title", lambda self, text, **_: titles.append(text))
    figures(evidence)
    assert " ".join(titles[0].split()) == f"Pass – census-2018 {said}"


def test_the_head_of_a_page_names_the_slices_with_intervals_and_leads_to_them() -> None:
    found = [harm(f"hospital=H{i}", value=0.1 + i / 100) for i in range(4)]
    failing = [f"hospital=F{i}" for i in range(30)]
    text = render(document(*found, verdict="fail", labels=failing))
    head = text[text.index("<header") : text.index("</header>")]
    said = Page(head).words
    assert "hospital=H0: accuracy 0.100, 0.670 to 0.730 lower than for all other rows" in said
    assert "hospital=H2:" in said and "hospital=H3:" not in said
    assert 'href="#unchecked"' in head and 'id="unchecked"' in text
    assert "Worse where nothing was checked" not in render(document())[: render(document()).index("</header>")]


def test_the_same_rows_by_another_name_are_told_once() -> None:
    twin = harm("hospital=H99")
    told = unchecked_of(document(twin, {**twin, "label": "the new hospital"}))
    assert told is not None and [one.label for one in told.told] == ["hospital=H99"]


def test_what_a_search_has_found_beyond_luck_stands_beside_it() -> None:
    evidence = document(harm("hospital=H99"))
    weak = documents.weak_slices()
    lucky = {**weak["slices"][0], "label": "lucky", "p_adjusted": 0.3}
    measurements = {**evidence.measurements, "weak_slices": {**weak, "slices": [*weak["slices"], lucky]}}
    text = render(documents.document("disaggregated", list(evidence.checks), measurements))
    first = Page(text[: text.index('id="tables"') - 9]).words
    assert "(812 rows), where the mean error is 1.900 times that of all rows (adjusted p 0.0042)." in first
    assert "lucky" not in first and text.count("<script") == 1
