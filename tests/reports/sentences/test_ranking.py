"""The order in which Checks are told: what is nearest to failing, in the harmful direction, before what is noisy."""

from __future__ import annotations

from typing import Any

import pytest
from support.documents import evidence as documents
from support.documents.parsed_page import Page

from mlflow_eval_plugin.evidence import Check, Evidence
from mlflow_eval_plugin.reports import render
from mlflow_eval_plugin.reports.pages import joined
from mlflow_eval_plugin.reports.sentences.ranking import by_verdict, gravity, nearness, too_few, worst_first
from mlflow_eval_plugin.reports.sentences.wording import VERDICTS
from mlflow_eval_plugin.verdicts import VERDICT_WORDS, Verdict
from registry_hooks.cli import output


def check(
    metric: str, scope: str, value: float | None, low: float, high: float, verdict: Verdict, **more: Any
) -> Check:
    made = documents.check(metric, scope, value, 0.0, verdict, low=-0.1, high=0.1, n=more.pop("n", 500))
    return made.model_copy(update={"interval": None if value is None else (low, high), "p_value": 0.5, **more})


def of(*checks: Check) -> Evidence:
    return documents.document("disaggregated", list(checks), documents.disaggregated().measurements)


def small(scope: str, n: int, metric: str = "gap_fpr") -> Check:
    return check(metric, scope, None, 0, 0, "insufficient", n=n, p_value=None)


def test_how_much_of_the_way_to_a_fail_is_gone() -> None:
    # 0.12 is 0.02 beyond 0.1 and its near end, 0.095, is 0.025 below it: four fifths. 0.09 within 0.1 is below 0.
    near = check("gap_fpr", "a", 0.12, 0.095, 0.145, "insufficient")
    within = check("gap_fpr", "a", 0.09, 0.05, 0.13, "insufficient")
    assert nearness(near, ("maximum",)) == pytest.approx(0.8)
    assert nearness(within, ("maximum",)) == pytest.approx(-0.25)
    # Of a fail the near end is beyond.
    assert nearness(check("gap_fpr", "a", 0.2, 0.12, 0.28, "fail"), ("maximum",)) > 1


def test_what_is_nearest_to_failing_comes_before_what_is_only_noisy() -> None:
    noisy = check("gap_fpr", "noisy", 0.30, -0.40, 0.95, "insufficient")
    near = check("gap_fpr", "near", 0.12, 0.095, 0.145, "insufficient")
    within = check("gap_fpr", "within", 0.08, 0.04, 0.12, "insufficient")
    assert [one.scope for one in by_verdict(of(within, noisy, near), "insufficient")] == ["near", "noisy", "within"]
    text = render(of(within, noisy, near))
    listed = text[text.index("What could not be decided") : text.index('class="forest"')]
    assert listed.index("near</th>") < listed.index("noisy</th>") < listed.index("within</th>")


@pytest.mark.parametrize(("metric", "harmful"), [("gap_fpr", 1), ("gap_accuracy", -1), ("gap_recall[cat]", -1)])
def test_the_harmless_direction_is_told_last(metric: str, harmful: int) -> None:
    def two_sided(scope: str, sign: int, verdict: Verdict, value: float) -> Check:
        ends = sorted((sign * (value - 0.02), sign * (value + 0.03)))
        return check(metric, scope, sign * value, *ends, verdict)

    for verdict, values in (("insufficient", (0.101, 0.115)), ("fail", (0.2, 0.4))):
        harm = two_sided("harm", harmful, verdict, values[0])  # type: ignore[arg-type]
        favour = two_sided("favour", -harmful, verdict, values[1])  # type: ignore[arg-type]
        assert [one.scope for one in worst_first([favour, harm])] == ["harm", "favour"]


def test_where_neither_direction_is_harmful_both_count() -> None:
    below = check("gap_selection_rate", "below", -0.2, -0.3, -0.12, "fail")
    above = check("gap_selection_rate", "above", 0.15, 0.12, 0.3, "fail")
    assert [one.scope for one in worst_first([above, below])] == ["below", "above"]


def test_limits_on_one_side_are_what_they_say() -> None:
    low = check("accuracy", "low", 0.68, 0.62, 0.74, "insufficient", minimum=0.7, maximum=None)
    high = check("accuracy", "high", 0.72, 0.66, 0.78, "insufficient", minimum=0.7, maximum=None)
    assert [one.scope for one in worst_first([high, low])] == ["low", "high"]
    assert gravity(low) < gravity(high)


def test_slices_below_the_minimum_count_share_one_line() -> None:
    near = check("gap_fpr", "SEX=1", 0.12, 0.095, 0.145, "insufficient")
    evidence = of(near, *(small(f"RAC1P={i}", 3 + i, metric) for i in range(12) for metric in ("gap_fpr", "gap_fnr")))
    line = too_few(evidence).line
    assert line == (
        "12 slices have fewer than the minimum count of 30 rows, from which nothing is concluded: RAC1P=11 (14), "
        "RAC1P=10 (13), RAC1P=9 (12), RAC1P=8 (11), RAC1P=7 (10), RAC1P=6 (9), RAC1P=5 (8), RAC1P=4 (7) and 4 more."
    )
    text = render(evidence)
    assert line in Page(text).words and Page(text).words.count("fewer than the minimum count") == 1
    listed = text[text.index("What could not be decided") : text.index('id="tables"')]
    assert listed.count("SEX=1</th>") >= 1 and "RAC1P=3</th>" not in listed[: listed.index("12 slices have")]
    # Nor do they stand in the forest plots, in which they have no value.
    assert "RAC1P=3" not in text[text.index('class="forest"') : text.index('id="tables"')]


def test_where_all_are_small_the_line_stands_alone() -> None:
    text = Page(render(of(small("RAC1P=3", 6)))).words
    assert "What could not be decided One slice has fewer than the minimum count of 30 rows" in text


def test_a_verdict_is_said_in_the_same_words_everywhere() -> None:
    assert VERDICTS["insufficient"] == "Insufficient evidence"
    assert {verdict: words.lower() for verdict, words in VERDICTS.items()} == VERDICT_WORDS
    line = list(output.evidence([{"kind": "drift", "verdict": "insufficient", "created_at": "x", "run_id": "r"}]))[-1]
    assert "insufficient evidence" in line
    evidence = of(check("gap_fpr", "near", 0.12, 0.095, 0.145, "insufficient"))
    assert "? Insufficient evidence" in Page(render(evidence)).words
    assert "insufficient evidence" in joined.headline([evidence])


def test_the_picture_says_it_in_the_same_words(monkeypatch: pytest.MonkeyPatch) -> None:
    from matplotlib.axes import Axes

    from mlflow_eval_plugin.reports.png.figures import figures

    titles: list[str] = []
    monkeypatch.setattr(Axes, "set_title", lambda self, text, **_: titles.append(text))
    figures(of(check("gap_fpr", "near", 0.12, 0.095, 0.145, "insufficient")))
    assert [title.splitlines()[0] for title in titles] == ["Insufficient evidence – census-2018"]
