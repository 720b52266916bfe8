"""Names of values wherever a slice is named, and what was found as a person would say it."""

from __future__ import annotations

from typing import Any

import pytest
from support.documents import evidence as documents
from support.documents.parsed_page import Page

from mlflow_eval_plugin.evidence import Evidence
from mlflow_eval_plugin.reports import render, render_diff, render_joined
from mlflow_eval_plugin.reports.pages import joined
from mlflow_eval_plugin.reports.sentences.findings import points
from mlflow_eval_plugin.reports.sentences.naming import named, spoken
from mlflow_eval_plugin.verdicts import Verdict

LABELS = {"SEX": {"1": "men", "2": "women"}, "AGEP": {"below 25": "people under 25"}, "DIS": {"1": "yes"}}
SLICES: dict[str, dict[str, str]] = {
    "SEX=1": {"SEX": "1"},
    "SEX=2": {"SEX": "2"},
    "SEX=2 & AGEP=below 25": {"AGEP": "below 25", "SEX": "2"},
    "AGEP=below 25": {"AGEP": "below 25"},
    "AGEP=25 or more": {"AGEP": "25 or more"},
    "DIS=1": {"DIS": "1"},
}


def labelled(evidence: Evidence, **config: Any) -> Evidence:
    return evidence.model_copy(update={"config": {**evidence.config, "value_labels": LABELS, **config}})


def groups(metric: str = "gap_fpr", verdict: Verdict = "fail", value: float = 0.19, **config: Any) -> Evidence:
    evidence = documents.disaggregated(list(SLICES))
    measurements = evidence.measurements
    slices = [{**documents.slice_report(label, 500), "slice": slice_} for label, slice_ in SLICES.items()]
    young = {**slices[0], "label": "young women", "slice": {}, "query": "AGEP < 25 and SEX in (2, 3)"}
    checks = [
        documents.check(metric, label, value / (1 + i), 0.02, verdict, low=-0.1, high=0.1)
        for i, label in enumerate(SLICES)
    ]
    gaps = [{**measurements["gaps"][0], "label": "SEX=1", "against": "not SEX=1"},
            {**measurements["gaps"][0], "label": "SEX=2 & AGEP=below 25",
             "against": "not (SEX=2 & AGEP=below 25)"}]  # fmt: skip
    harm = {"label": "SEX=2", "metric": "accuracy", "n": 356, "value": 0.1, "other": 0.8, "difference": -0.7,
            "interval": [-0.8, -0.6], "harm": 0.6}  # fmt: skip
    unchecked = {"versus": "complement", "alpha": 0.05, "comparisons": 9, "metrics": ["accuracy"], "total": 1,
                 "found": [harm]}  # fmt: skip
    pooled = [{**measurements["pooled"][0], "label": "SEX=2"}]
    system = {**measurements["system"], "slices": [{**measurements["system"]["slices"][0], "label": "SEX=1"}]}
    more = {"slices": [*slices, young], "gaps": gaps, "unchecked": unchecked, "pooled": pooled, "system": system}
    measurements = {**measurements, **more, "weak_slices": None, "costs": None}
    return labelled(documents.document("disaggregated", checks, measurements), **config)


TEXTS = [render(groups()), render_joined([groups(), documents.drift()]), render_diff(groups(), groups(value=0.3))]


@pytest.mark.parametrize("text", TEXTS, ids=["page", "joined", "diff"])
def test_values_are_named_wherever_a_slice_is(text: str) -> None:
    said = Page(text).words
    config = said.index("Where this comes from")
    assert "SEX=1" not in said[:config] and "SEX=2" not in said[:config] and "below 25" not in said[:config]
    assert "SEX=men" in said and "SEX=women & AGEP=people under 25" in said and "DIS=yes" in said


def test_the_document_keeps_the_raw_levels() -> None:
    evidence = groups()
    before = evidence.model_dump_json()
    told = named(evidence)
    assert evidence.model_dump_json() == before
    assert [check.id for check in told.checks] == [check.id for check in evidence.checks]
    slices = [one.measurements["slices"] for one in (told, evidence)]
    assert [one["slice"] for one in slices[0]] == [one["slice"] for one in slices[1]]
    assert told.digest == evidence.digest
    assert named(told).model_dump() == told.model_dump()
    plain = documents.disaggregated()
    assert named(plain) is plain


def test_a_query_is_told_with_the_names_of_its_values() -> None:
    assert "AGEP < 25 and SEX in (2, 3) (SEX 2 is women)" in Page(render(groups())).words
    mapped = groups(col_mapping={"sex": "SEX"})
    query = {**mapped.measurements["slices"][-1], "query": "sex == 2 or sex != 1.0 and not sex is missing"}
    measurements = {**mapped.measurements, "slices": [*mapped.measurements["slices"][:-1], query]}
    told = named(mapped.model_copy(update={"measurements": measurements}))
    assert told.measurements["slices"][-1]["query"].endswith("missing (SEX 2 is women, SEX 1 is men)")


def test_names_are_of_columns_of_the_data_also_where_the_config_calls_them_otherwise() -> None:
    evidence = groups(value_labels={"sex": {"1": "men"}}, col_mapping={"sex": "SEX"})
    assert named(evidence).checks[0].scope == "SEX=men"


def test_the_picture_names_values(monkeypatch: pytest.MonkeyPatch) -> None:
    from matplotlib.axes import Axes

    from mlflow_eval_plugin.reports.png.figures import figures

    ticks: list[str] = []
    monkeypatch.setattr(Axes, "set_yticks", lambda self, places, labels=(), **_: ticks.extend(labels))
    figures(groups())
    assert "SEX=men" in ticks and not any("SEX=1" in text or "SEX=2" in text for text in ticks)


def test_categories_of_a_drifted_column_are_named() -> None:
    evidence = documents.drift()
    column = {**documents.drift_column("SEX", "distribution shift", 1.0, ["1", "2", "3"]), "new_categories": ["3"]}
    evidence = documents.document(
        "drift", [documents.check("psi", "SEX", 0.3, 0.1, "fail", high=0.1)],
        {**evidence.measurements, "columns": [column]}, evidence.reference,
    )  # fmt: skip
    text = render(labelled(evidence))
    assert "<title>men:" in text and "<title>women:" in text and "<title>3:" in text


def test_within_a_sentence_a_value_with_a_name_needs_no_column() -> None:
    evidence = groups()
    said = [spoken(evidence, label) for label in (*SLICES, "overall", "young women", "interval 80 %")]
    assert said == ["men", "women", "women & people under 25", "people under 25", "AGEP=25 or more", "DIS=yes",
                    "all rows", "young women", "interval 80 %"]  # fmt: skip
    assert [spoken(named(evidence), check.scope) for check in named(evidence).checks] == said[:6]


MEN = "scores of men run 13.2 points too"


@pytest.mark.parametrize(
    ("metric", "value", "versus", "said"),
    [
        ("gap_calibration_in_the_large", 0.132, "complement", f"{MEN} high compared with all others"),
        ("gap_calibration_in_the_large", -0.132, "overall", f"{MEN} low compared with all rows"),
        ("calibration_in_the_large", 0.132, "complement", f"{MEN} high"),
        ("gap_fpr", 0.19, "complement", "false-positive rate for men is 0.190 higher than that of all other rows"),
        ("gap_accuracy", -0.19, "best", "accuracy for men is 0.190 lower than that of the best slice"),
        ("ratio_selection_rate", 0.5, "complement", "ratio of selection rate for men is 0.500"),
    ],
)  # fmt: skip
def test_the_headline_says_it_in_words(metric: str, value: float, versus: str, said: str) -> None:
    headline = joined.headline([groups(metric, value=value, gap_versus=versus)])
    assert f"6 of 6 checks failed. Worst: {said}; the tolerance is within ±0.1." in headline
    assert headline in Page(render(groups(metric, value=value, gap_versus=versus))).words


def test_predictions_of_a_regression_are_told_in_its_unit() -> None:
    evidence = groups("gap_bias", value=-1200.0, gap_versus="complement")
    evidence = evidence.model_copy(update={"measurements": {**evidence.measurements, "task": "regression"}})
    assert "predictions of men run 1 200 too low compared with all others" in joined.headline([evidence]).replace(
        "\u202f", " "
    )


def test_harm_that_no_check_covers_is_said_with_the_names_of_values() -> None:
    assert joined.headline([groups(verdict="pass", value=0.01)]) == (
        "All 6 checks are within tolerance. Not checked: accuracy for women (356 rows) is 0.100; for all other rows it "
        "is 0.800."
    )


def test_what_is_nearest_to_failing_is_said_where_nothing_fails() -> None:
    near = groups(verdict="insufficient", value=0.115, gap_versus="complement")
    assert "Nearest to failing: false-positive rate for men is 0.115 higher than that of all other rows;" in (
        joined.headline([near])
    )
    assert "Nearest to failing" not in joined.headline([groups(verdict="insufficient", value=0.09)])


def test_the_first_sentence_of_a_comparison_is_its_effect_on_all_rows() -> None:
    evidence = documents.comparison()
    effect = (
        "On all rows the challenger's accuracy is 0.020 higher than the champion's (95 % interval of the change: 0.010 "
        "to 0.030)."
    )
    assert joined.headline([evidence]).startswith(f"{effect} 1 of 4 checks failed.")
    assert "the challenger's accuracy for SEX=1 is 0.090 lower than the champion's" in joined.headline([evidence])
    # Without a Check of all rows it is that of a metric that everybody knows; on a joined page the verdict goes first.
    bare = documents.document("comparison", [], evidence.measurements)
    assert joined.headline([bare]).startswith(effect)
    assert joined.headline([documents.calibration(), evidence]).startswith("2 of 6 checks failed.")
    assert effect in Page(render_joined([documents.calibration(), evidence])).words


@pytest.mark.parametrize(
    ("value", "text"), [(0.032, "3.2 points"), (-0.01, "1.0 point"), (0.0004, "0.04 points"), (0.5, "50.0 points")]
)
def test_points(value: float, text: str) -> None:
    assert points(value) == text


def test_names_from_people_cannot_become_markup() -> None:
    evidence = groups(value_labels={"SEX": {"1": documents.HOSTILE}})
    text = render(evidence)
    assert text.count("<script") == 1 and "alert(" in "".join(Page(text).text)


@pytest.mark.parametrize(
    ("level", "name"),
    [("(-inf, 25)", "below 25"), ("(-inf, 25]", "at most 25"), ("(65, inf)", "above 65"), ("[65, inf)", "65 or more")],
)
def test_an_open_band_is_named_as_it_is_said(level: str, name: str) -> None:
    evidence = groups()
    slice_ = {**documents.slice_report(f"AGEP={level}", 500), "slice": {"AGEP": level}}
    measurements = {**evidence.measurements, "slices": [slice_]}
    labels = {"value_labels": {"AGEP": {name: "the young or old"}}}
    found = evidence.model_copy(update={"measurements": measurements, "config": {**evidence.config, **labels}})
    assert spoken(found, f"AGEP={level}") == "the young or old"


def test_of_a_calibration_error_the_direction_is_said_and_what_is_so_of_all_rows() -> None:
    evidence = documents.calibration()
    slices = [{**evidence.measurements["slices"][0], "label": "AGEP=below 25", "slice": {"AGEP": "below 25"}}]
    checks = [
        documents.check("ece", "AGEP=below 25", 0.247, 0.02, "fail", high=0.05),
        documents.check("calibration_in_the_large", "AGEP=below 25", 0.243, 0.02, "fail", low=-0.05, high=0.05),
    ]
    made = documents.document("calibration", checks, {**evidence.measurements, "slices": slices})
    said = "Worst: scores of people under 25 run 24.3 points too high (all rows: 2.7 points too low); the tolerance is"
    assert said in joined.headline([labelled(made)])
    # Without a Check of the mean error the calibration error is what there is to say.
    alone = documents.document("calibration", checks[:1], {**evidence.measurements, "slices": slices})
    assert "Worst: ECE for people under 25 is 0.247" in joined.headline([labelled(alone)])


def test_the_head_of_a_page_says_it_in_points_too() -> None:
    evidence = groups(verdict="pass", value=0.01)
    harm = {**evidence.measurements["unchecked"]["found"][0], "metric": "calibration_in_the_large", "value": 0.05,
            "other": 0.01, "difference": 0.04, "interval": [0.032, 0.048]}  # fmt: skip
    unchecked = {**evidence.measurements["unchecked"], "found": [harm]}
    evidence = evidence.model_copy(update={"measurements": {**evidence.measurements, "unchecked": unchecked}})
    text = Page(render(evidence)).words
    assert "scores of women run 5.0 points too high, 3.2 points to 4.8 points higher than for all other rows" in text
