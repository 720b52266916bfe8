"""Pages drawn from hand-made Evidence: what a reader and a browser must find, and what must not get through."""

from __future__ import annotations

import itertools
import re
from pathlib import Path

import pytest
from support.documents import evidence as documents
from support.documents import regression as regression_documents
from support.documents.parsed_page import Page

from mlflow_eval_plugin.evidence import Check, Evidence, dumps, loads
from mlflow_eval_plugin.reports.figures.ranges import forests
from mlflow_eval_plugin.reports.pages.page import render
from mlflow_eval_plugin.reports.png.figures import figures
from mlflow_eval_plugin.reports.sentences.wording import compact, compared_with, percent

KINDS = ["calibration", "comparison", "disaggregated", "drift", "regression_calibration", "regression_slices"]


def of(kind: str) -> Evidence:
    document: Evidence = getattr(regression_documents if kind.startswith("regression") else documents, kind)()
    return document


@pytest.mark.parametrize("kind", KINDS)
def test_a_page_is_well_formed_and_needs_no_network(kind: str) -> None:
    text = render(of(kind))
    page = Page(text)
    assert page.open == []
    assert not any(key in attrs for _, attrs in page.tags for key in ("src", "srcset", "action"))
    inside = {f"#{attrs['id']}" for _, attrs in page.tags if "id" in attrs}
    assert {attrs["href"] for _, attrs in page.tags if "href" in attrs} <= inside
    assert "url(" not in text and "@import" not in text
    assert len(text.encode()) < 500_000


@pytest.mark.parametrize("kind", KINDS)
def test_a_page_is_drawn_from_the_document_alone(kind: str) -> None:
    evidence = of(kind)
    assert render(loads(dumps(evidence))) == render(evidence)


@pytest.mark.parametrize("kind", KINDS)
def test_every_figure_has_a_name_and_every_table_header_a_scope(kind: str) -> None:
    page = Page(render(of(kind)))
    drawings = [a for tag, a in page.tags if tag == "svg" and "arrow" not in (a.get("class") or "")]
    assert drawings
    assert all(a.get("aria-label") or a.get("aria-hidden") == "true" for a in drawings)
    assert all(attrs.get("scope") for tag, attrs in page.tags if tag == "th")


@pytest.mark.parametrize("kind", ["disaggregated", "drift", "regression_calibration", "regression_slices"])
def test_labels_from_data_cannot_become_markup(kind: str) -> None:
    text = render(of(kind))
    assert text.count("<script") == 1  # ours, which sorts tables
    assert "alert(" in "".join(Page(text).text)


def test_the_verdict_comes_first_and_names_who_and_how_much() -> None:
    text = render(documents.disaggregated())
    heading = re.search(r"<h1>(.*?)</h1>", text, re.S)
    assert heading is not None
    plain = re.sub(r"<[^>]+>", "", heading.group(1))
    assert "Fail" in plain and "2 of 19 checks failed" in plain
    assert "SEX=1 is 0.190" in plain and "within ±0.1" in plain
    assert text.index("<h1>") < text.index("What failed") < text.index("What could not be decided")
    assert text.index("What could not be decided") < text.index('class="forest"')


def test_an_undecided_document_does_not_read_as_a_pass() -> None:
    checks = [documents.check("gap_fpr", "SEX=1", 0.09, 0.03, "insufficient", low=-0.1, high=0.1)]
    evidence = documents.document("disaggregated", checks, documents.disaggregated().measurements)
    text = render(evidence)
    assert "cannot be decided with the rows there are" in text
    assert 'class="insufficient"' in text and 'class="pass"' not in text


def test_a_document_without_checks_says_so() -> None:
    evidence = documents.document("disaggregated", [], documents.disaggregated().measurements)
    assert "Nothing was checked" in render(evidence)


def test_tests_are_told_with_their_p_values_and_one_without_a_value_by_a_dash() -> None:
    text = Page(render(of("calibration"))).words
    assert "Spiegelhalter −2.643 0.0082" in text
    assert "Hosmer-Lemeshow – –" in text
    assert "ECCE-R" not in text  # this document is from before there was one


def test_the_suggested_recalibration_is_told() -> None:
    text = Page(render(of("calibration"))).words
    assert "mended without training anew? On rows not fitted to: platt" in text
    assert "Platt ✓ −0.020" in text and "0.0040 intercept −0.500, slope 0.900" in text
    assert "the scores tell the classes apart" in text


def test_costs_are_told_with_the_threshold_that_would_cost_least() -> None:
    text = Page(render(of("disaggregated"))).words
    assert "What decisions cost, where a row costs fp 1, fn 5, tp 0, tn 0" in text
    assert "call nobody positive 0.300" in text


def test_a_regression_is_told_in_units_of_its_target() -> None:
    text = " ".join(" ".join(Page(render(of("regression_calibration"))).text).split())
    assert "coverage minus level for interval 80 % is −0.100; the tolerance is within ±0.05" in text
    assert "Furthest from its claim: levels 0.1 to 0.9 hold 0.700 of the targets and should hold 0.800" in text
    assert "would have the probability 1.2e−09" in text
    assert "in a share of 0.0040 of the rows they cross" in text
    assert "Mean absolute error 2 100 2 050 to 2 150" in text.replace("\u202f", " ")
    slices = " ".join(" ".join(Page(render(of("regression_slices"))).text).split())
    assert "ratio of mean absolute error for town=A is 1.800; the tolerance is at most 1.5" in slices


@pytest.mark.parametrize(
    ("metric", "text"), [("gap_fpr", "a positive difference means"), ("ratio_mae", "a ratio above 1 means")]
)
def test_a_forest_says_what_more_is(metric: str, text: str) -> None:
    golden = loads((Path(__file__).parents[2] / "golden" / "disaggregated-v1.json").read_bytes())
    assert compared_with(golden, metric) == f"Each slice against all other rows: {text} that the slice has more."


@pytest.mark.parametrize(
    ("value", "text"), [(400_000.0, "400k"), (-1_250_000.0, "−1.25M"), (3e9, "3G"), (0.2, "0.2"), (9000.0, "9000")]
)
def test_ticks_are_short(value: float, text: str) -> None:
    assert compact(value) == text


def test_what_a_named_slice_holds_is_told() -> None:
    text = Page(render(of("disaggregated"))).words
    assert "Named slices" in text and "young women AGEP < 25 and SEX == '" in text


def test_weak_slices_are_told_with_what_the_search_does_to_their_p_value() -> None:
    evidence = of("disaggregated")
    text = Page(render(evidence)).words
    assert "found by search: log loss in slices of up to 3 of 3 columns with 702 rows or more" in text
    assert "812 0.710 1.900 0.350 0.340 to 0.360 0.420 0.0042" in text
    assert "could have been found, at most 215;" in text and "Columns passed over: id (more than 100 levels)." in text
    weak = {**evidence.measurements["weak_slices"], "slices": [], "passed_over": []}
    nothing = documents.document("disaggregated", [], {**evidence.measurements, "weak_slices": weak})
    assert "There is none: no slice has so much larger a mean error" in render(nothing)


def test_forests_put_the_worst_first() -> None:
    text = render(documents.disaggregated())
    forest = text[text.index('class="forest"') :]
    scopes = re.findall(r'<tr><th scope="row">(.*?)</th>', forest[: forest.index("</table>")])
    assert scopes[0] == "SEX=1"
    assert len(scopes) == 9


def test_where_a_check_passes_is_drawn_beside_where_it_fails() -> None:
    def passing(metric: str, scope: str, value: float, at: float, high: float, low: float | None = None) -> Check:
        found = documents.check(metric, scope, value, 0.02, "pass", low=low, high=high)
        return found.model_copy(update={"passes_at": at})

    shifts = [passing("wasserstein", "age", 0.06, 0.4, 0.05), passing("wasserstein", "amount", 0.39, 0.4, 0.05)]
    (shown,) = forests(shifts)
    assert [row.strip.count('class="passing"') for row in shown.rows] == [1, 1]
    (beyond,) = forests([passing("missing_change", "age", 0.0, 5.0, 0.01, -0.01)])
    assert beyond.rows[0].strip.count('class="passing"') == 0  # which would flatten all that is drawn
    measured = documents.drift().measurements
    said = "ends before the dotted rule passes"
    assert said in Page(render(documents.document("drift", shifts, measured))).words
    plain = documents.check("psi", "age", 0.1, 0.05, "pass", high=0.2)
    assert said not in Page(render(documents.document("drift", [plain], measured))).words


def test_three_thousand_checks_stay_below_half_a_megabyte() -> None:
    labels = [f"RAC1P={i % 9} & AGEP=[{i}, {i + 1}) & SCHL={i % 24}" for i in range(1500)]
    text = render(documents.disaggregated(labels))
    assert len(text.encode()) < 500_000
    assert "more are in the Evidence document" in text


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        ("calibration", "reliability"),
        ("disaggregated", "forest"),
        ("drift", "overview"),
        ("regression_calibration", "reliability"),
        ("regression_slices", "forest"),
    ],
)
def test_figures_are_png_and_repeatable(kind: str, name: str) -> None:
    first, second = figures(of(kind)), figures(of(kind))
    assert list(first) == [name]
    assert first[name].startswith(b"\x89PNG")
    assert first == second


def test_figures_leave_pyplot_alone() -> None:
    import matplotlib.pyplot as plt

    before = plt.get_fignums()
    figures(documents.calibration())
    assert plt.get_fignums() == before


def test_a_label_with_a_dollar_sign_is_not_mathematics() -> None:
    assert figures(documents.disaggregated(["income=$50,000$ & _x^{", "SEX=1"]))["forest"]


@pytest.mark.parametrize(
    "labels", [["below 0.0001", "[0.1802, 0.3561)", "0.9057 or more"] * 4, [str(i) for i in range(30)]]
)
def test_labels_of_a_histogram_do_not_overlap(labels: list[str]) -> None:
    from mlflow_eval_plugin.reports.figures.histograms import histogram

    text = str(histogram(documents.drift_column("AGEP", "none", 1.0, labels)))
    placed = [(float(x), len(label)) for x, label in re.findall(r'<text x="([\d.]+)".*?>(.*?)</text>', text)]
    assert len(placed) >= 2
    ends = [(x - 3.4 * size, x + 3.4 * size) for x, size in placed]
    assert all(right < left for (_, right), (left, _) in itertools.pairwise(ends))


def test_a_bar_that_towers_over_all_others_is_cut_and_says_how_tall_it_is() -> None:
    from mlflow_eval_plugin.reports.figures.reliability import reliability

    measurements = documents.calibration_measurements()
    negative = measurements["histogram"]["negative"]
    assert "↓" not in str(reliability(measurements))
    negative[0] = 24_310.0
    text = str(reliability(measurements))
    assert "↓ 24\u202f310" in text
    heights = [float(height) for height in re.findall(r'<rect[^>]*height="([\d.]+)" class="negative"', text)]
    # The second-tallest bar reaches half the 45 pixels of its class.
    assert sorted(heights)[-2:] == [22.5, 45.0]


def test_both_distributions_of_every_column_that_moved_are_drawn() -> None:
    bands = [f"[{1000.0 * i}, {1000.0 * (i + 1)})" for i in range(8)]
    columns = [documents.drift_column(f"F{i}", "none", 2.0, bands) for i in range(14)]
    # One that no Check fails, but that looks like a bug, and one that did not move.
    columns.append(documents.drift_column("hinted", "data bug", 1.0, ["a", "b"]))
    columns.append(documents.drift_column("still", "none", 0.1, bands))
    checks = [documents.check("psi", f"F{i}", 0.3, 0.05, "fail", high=0.1) for i in range(14)]
    checks.append(documents.check("psi", "still", 0.01, 0.005, "pass", high=0.1))
    evidence = documents.drift()
    evidence = documents.document("drift", checks, {**evidence.measurements, "columns": columns}, evidence.reference)
    text = render(evidence)
    drawn = text[text.index("The columns that moved") : text.index('class="forest"')]
    assert drawn.count("<figure>") == 15
    assert "<h3>hinted</h3>" in drawn and "<h3>still</h3>" not in drawn
    first = drawn[: drawn.index("</figure>")]
    assert first.count('class="current"') == first.count('class="reference"') == 8
    assert "PSI 0.050" in first and "missing 0 % → 1.0 %" in first and "[1000, 2000)" in first
    assert len(text.encode()) < 500_000


def test_more_columns_than_a_page_can_draw_are_counted() -> None:
    columns = [documents.drift_column(f"F{i}", "distribution shift", 2.0, ["a", "b", "c"]) for i in range(33)]
    evidence = documents.drift()
    evidence = documents.document("drift", [], {**evidence.measurements, "columns": columns}, evidence.reference)
    text = render(evidence)
    assert text.count("<figure>") == 20 and "13 more moved; the Evidence document holds all." in text


def test_a_fact_is_told_as_a_count_with_its_reason() -> None:
    fact = documents.check("schema_changes", "gone", 1.0, 0.0, "fail", high=0.0)
    fact = fact.model_copy(update={"reason": "gone is in the reference, and not in the data."})
    evidence = documents.document("drift", [fact], documents.drift().measurements, documents.drift().reference)
    text = Page(render(evidence)).words
    assert (
        "gone Changes of schema 1 1.000 to 1.000 at most 0 500 gone is in the reference, and not in the data." in text
    )


@pytest.mark.parametrize(
    ("share", "text"), [(0.0, "0 %"), (0.021, "2.1 %"), (0.0004, "0.04 %"), (1.0, "100 %"), (1e-6, "1.0e−04 %")]
)
def test_shares_in_per_cent(share: float, text: str) -> None:
    assert percent(share) == text
