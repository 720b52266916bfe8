"""Slices × metrics: shades worked by hand, and what those learn who do not see them."""

from __future__ import annotations

import pytest
from support.documents import evidence as documents
from support.documents.parsed_page import Page

from mlflow_eval_plugin.evidence import Evidence
from mlflow_eval_plugin.reports import render
from mlflow_eval_plugin.reports.tables.heatmap import Shaded, slice_heatmap


def with_slices(values: dict[str, float | None], half: float, tolerance: float | None) -> Evidence:
    """A document whose slices have these recalls, ± half; those of all rows are 0.5."""
    measurements = documents.disaggregated().measurements

    def report(label: str, value: float | None) -> dict[str, object]:
        return {**documents.slice_report(label, 500), "metrics": {"recall": documents.estimate(value, half)}}

    checks = [
        documents.check("gap_recall", label, 0.0, 0.01, "pass", low=-tolerance, high=tolerance)
        for label in values
        if tolerance is not None
    ]
    slices = [report(label, value) for label, value in values.items()]
    return documents.document(
        "disaggregated", checks, {**measurements, "overall": report("overall", 0.5), "slices": slices}
    )


@pytest.mark.parametrize(
    ("distance", "shade", "said"),
    [
        (0.0, "", ""),
        (0.49, "", ""),
        (-0.5, "low-1", "below by 0.5"),
        (1.0, "high-2", "above by 1.0"),
        (-2.0, "low-3", "below by 2.0"),
        (73.0, "high-3", "above by 10 or more"),
        (None, "", ""),
    ],
)
def test_the_shade_is_said_in_words_too(distance: float | None, shade: str, said: str) -> None:
    cell = Shaded("0.1", distance)
    assert (cell.shade, cell.said) == (shade, said)


def test_distances_are_in_tolerances_where_there_are_some() -> None:
    # (0.62 - 0.5) / 0.1 = 1.2 and (0.3 - 0.5) / 0.1 = -2.
    drawn = slice_heatmap(with_slices({"SEX=1": 0.62, "SEX=2": 0.3}, half=0.04, tolerance=0.1))
    assert drawn is not None and drawn.columns[0].unit == "0.1"
    found = {label: cells[0] for label, _, cells in drawn.rows}
    assert found["SEX=1"].distance == pytest.approx(1.2) and found["SEX=1"].shade == "high-2"
    assert found["SEX=2"].distance == pytest.approx(-2.0) and found["SEX=2"].verdict == "pass"


def test_distances_are_in_halves_of_the_interval_elsewhere() -> None:
    # (0.62 - 0.5) / 0.04 = 3; a number without an interval has no unit, one without a value no distance.
    drawn = slice_heatmap(with_slices({"SEX=1": 0.62, "SEX=2": None}, half=0.04, tolerance=None))
    assert drawn is not None and drawn.columns[0].unit is None
    found = {label: cells[0] for label, _, cells in drawn.rows}
    assert found["SEX=1"].distance == pytest.approx(3.0) and found["SEX=1"].verdict is None
    assert found["SEX=2"] == Shaded("–")


def test_the_verdict_on_a_difference_stands_at_its_metric_and_the_worst_slice_on_top() -> None:
    drawn = slice_heatmap(documents.disaggregated())
    assert drawn is not None
    fnr = [column.label for column in drawn.columns].index("False-negative rate")
    label, _, cells = drawn.rows[0]
    # gap_fnr of SEX=1 is 0.19 with a tolerance of 0.1, the furthest beyond.
    assert (label, cells[fnr].verdict) == ("SEX=1", "fail")


def test_it_is_a_table_with_named_rows_and_columns_and_says_what_it_leaves_out() -> None:
    labels = [f"AGEP={i}" for i in range(44)]
    text = render(documents.disaggregated(labels))
    part = text[text.index("Slices by metric</h2>") + 21 : text.index('<table class="forest">')]
    page = Page(part[: part.index("</section>")])
    assert part.count('<th scope="row">') == 31  # all rows, and the worst 30
    assert "The worst 30 of 45 slices" in page.words
    assert all(attrs.get("scope") for tag, attrs in page.tags if tag == "th")
    assert "<caption" in part and "like all rows" in page.words


def test_labels_from_data_stay_text() -> None:
    text = render(documents.disaggregated([documents.HOSTILE]))
    part = text[text.index('<table class="heat">') : text.index("</table>", text.index('<table class="heat">'))]
    assert "alert(" in part and "<script" not in part


def test_a_document_without_slices_has_none() -> None:
    measurements = {**documents.disaggregated().measurements, "slices": []}
    assert slice_heatmap(documents.document("disaggregated", [], measurements)) is None
