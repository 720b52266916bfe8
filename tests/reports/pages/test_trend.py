"""Every Check over time: the order, what is drawn, what is said of it, and what is refused."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from support.documents import evidence as documents
from support.documents.parsed_page import Page

from mlflow_eval_plugin.canonical import EvidenceError
from mlflow_eval_plugin.evidence import Check, Evidence, dumps, overall_verdict, seal
from mlflow_eval_plugin.report_cli import main
from mlflow_eval_plugin.reports import render_trend
from mlflow_eval_plugin.reports.pages.trend import headline, trend_of
from mlflow_eval_plugin.reports.png.trend import trend_figure
from mlflow_eval_plugin.verdicts import Verdict


def written(day: str, *checks: Check, **config: Any) -> Evidence:
    evidence = documents.disaggregated()
    parts = {name: getattr(evidence, name) for name in ("subject", "data", "reference", "inference", "producer")}
    return seal(
        kind="disaggregated", config={**evidence.config, **config}, checks=checks,
        measurements={**evidence.measurements, "gaps": []}, created_at=f"{day}T09:00:00Z", **parts,
    )  # fmt: skip


def gap(scope: str, value: float | None, verdict: Verdict, high: float = 0.1) -> Check:
    return documents.check("gap_fpr", scope, value, 0.02, verdict, low=-high, high=high)


JANUARY = written("2026-01-31", gap("SEX=1", 0.02, "pass"), gap("SEX=2", 0.15, "fail"), gap("old", 0.01, "pass"))
FEBRUARY = written("2026-02-28", gap("SEX=1", 0.09, "insufficient"), gap("SEX=2", 0.11, "insufficient"))
MARCH = written(
    "2026-03-31", gap("SEX=1", 0.16, "fail"), gap("SEX=2", 0.03, "pass", high=0.2), gap("new", None, "insufficient")
)
ALL = [JANUARY, FEBRUARY, MARCH]


def test_documents_stand_in_the_order_in_which_they_were_written() -> None:
    trend = trend_of([MARCH, JANUARY, FEBRUARY])
    assert trend.dates == ["2026-01-31", "2026-02-28", "2026-03-31"]
    assert render_trend([MARCH, JANUARY, FEBRUARY]) == render_trend(ALL)
    same_day = [written("2026-01-31"), JANUARY.model_copy(update={"created_at": "2026-01-31T17:30:00Z"})]
    assert trend_of(same_day).dates == ["2026-01-31 09:00", "2026-01-31 17:30"]


def test_every_check_is_a_line_the_worst_at_the_end_first() -> None:
    lines = trend_of(ALL).lines
    assert [line.last.scope for line in lines] == ["SEX=1", "new", "SEX=2", "old"]
    assert lines[0].told == "0.020 (pass); 0.090 (insufficient evidence); 0.160 (fail)"
    assert lines[1].told == "not checked; not checked; – (insufficient evidence)"


def test_what_the_page_says_first() -> None:
    assert headline(trend_of(ALL)) == (
        "2026-01-31 to 2026-03-31, 3 documents: “fail” → “insufficient evidence” → “fail”. 1 check fails at the end, 1 "
        "of them not at first. Worst: difference in false-positive rate for SEX=1 is 0.160; the tolerance is within "
        "±0.1. 1 that failed at first does so no longer."
    )
    steady = headline(
        trend_of([written("2026-01-01", gap("a", 0, "pass")), written("2026-02-01", gap("a", 0, "pass"))])
    )
    assert steady == "2026-01-01 to 2026-02-01, 2 documents: “pass” throughout."


def test_a_strip_has_a_mark_an_interval_and_a_course_for_each_time() -> None:
    text = render_trend(ALL)
    strips = re.findall(r'<svg role="img" aria-label="([^"]*)" class="strip course".*?</svg>\s*</td>', text, re.S)
    bodies = re.findall(r'<svg role="img"[^>]*class="strip course".*?</svg>', text, re.S)
    assert [label.split(",")[0] for label in strips] == ["SEX=1", "SEX=2", "old"]
    first, _, third = bodies
    assert first.count('class="whisker"') == 3 and first.count('class="course"') == 2
    assert first.count("<circle") == 2 and first.count("✕") == 1
    assert [body.count('class="limit"') for body in bodies] == [2, 4, 2]
    assert third.count('class="course"') == 0


def test_what_keeps_documents_from_being_compared_is_said() -> None:
    said = Page(render_trend(ALL)).words
    assert "1 of the checks had several tolerances" in said
    assert "2 of the checks are not in all documents" in said
    assert "Compare with care" not in Page(render_trend([JANUARY, JANUARY])).words


def test_a_page_needs_no_network_and_labels_stay_text() -> None:
    hostile = [written(f"2026-0{i}-01", gap(documents.HOSTILE, 0.2, "fail")) for i in (1, 2)]
    text = render_trend(hostile)
    page = Page(text)
    assert page.open == [] and text.count("<script") == 1 and "alert(" in "".join(page.text)
    assert not any(key in attrs for _, attrs in page.tags for key in ("src", "srcset", "action"))


def test_hundreds_of_checks_over_a_year_stay_below_half_a_megabyte() -> None:
    year = [written(f"2026-{i:02d}-01", *(gap(f"RAC1P={k}", 0.3, "fail") for k in range(300))) for i in range(1, 13)]
    text = render_trend(year)
    assert len(text.encode()) < 500_000
    assert text.count('class="strip course"') == 1200 // 12
    assert "200 checks are not drawn" in Page(text).words


def test_other_documents_are_refused() -> None:
    with pytest.raises(EvidenceError, match="expected two documents or more"):
        trend_of([JANUARY])
    with pytest.raises(EvidenceError, match=r"documents of one kind, found disaggregated.* and drift"):
        trend_of([JANUARY, documents.drift()])


def test_the_picture_has_a_panel_for_each_and_is_repeatable() -> None:
    first = trend_figure(ALL)
    assert first.startswith(b"\x89PNG") and first == trend_figure(ALL)
    assert trend_figure([written("2026-01-01", gap("income=$5$", 0.2, "fail")), MARCH])


def test_the_command_writes_the_page_or_the_picture(tmp_path: Path) -> None:
    files = [tmp_path / f"{i}.json" for i in range(3)]
    for file, document in zip(files, ALL, strict=True):
        file.write_bytes(dumps(document))
    page, picture = tmp_path / "out.html", tmp_path / "out.png"
    for out in (page, picture):
        result = CliRunner().invoke(main, ["trend", *map(str, files), "-o", str(out)])
        assert (result.exit_code, result.output) == (0, f"{out}\n")
    assert page.read_text() == render_trend(ALL) and picture.read_bytes() == trend_figure(ALL)
    refused = CliRunner().invoke(main, ["trend", str(files[0]), "-o", str(page)])
    assert refused.exit_code == 1 and "expected two documents or more" in refused.output
    assert overall_verdict(ALL[-1].checks) == "fail"
