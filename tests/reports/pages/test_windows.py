"""Drift over windows of time on a page: the dates in words, a picture a column, both distributions, and cautions."""

from __future__ import annotations

import re
from functools import cache

import pandas as pd
import pytest
from support.documents.parsed_page import Page
from support.documents.windows import EVIL, november, windows

from mlflow_eval_plugin.evidence import Evidence, dumps, loads
from mlflow_eval_plugin.reports import render, render_diff, render_joined, render_trend
from mlflow_eval_plugin.reports.figures.changes import columns_over_time
from mlflow_eval_plugin.reports.figures.pictures import Gallery
from mlflow_eval_plugin.reports.sentences.naming import named


@cache
def of_november() -> Evidence:
    return loads(dumps(windows(value_labels={"land": {"3": "Utopia"}})))


def gallery(evidence: Evidence) -> Gallery:
    found = columns_over_time(named(evidence))
    assert found is not None
    return found


def test_the_headline_says_when_which_column_changed() -> None:
    text = " ".join(" ".join(Page(render(of_november())).text).split())
    assert (
        "When it changed: tenure on 2026-11-12; income on 2026-11-19; land on 2026-11-23; another date below." in text
    )


def test_every_column_has_a_picture_those_that_changed_first() -> None:
    found = gallery(of_november())
    assert [one.title for one in found.pictures[:3]] == ["tenure", "income", "land"]
    assert {one.title for one in found.pictures[3:]} == {"amount", "age", "score"}
    assert found.title == "Window by window: days of at"
    tenure, income, _, *still = found.pictures
    # One line of a date for each change, and the two distributions below.
    assert [one.drawing.count('class="date"') for one in found.pictures] == [2, 1, 1, 0, 0, 0]
    assert [one.drawing.count("<svg") for one in found.pictures] == [2, 2, 2, 1, 1, 1]
    assert "Changed 2026-11-19. From before to after:" in income.caption
    assert "dashed: the tolerance, 0.05" in income.caption
    assert "Also changed 2026-11-13" in tenure.caption
    # The tolerance, and the value of the line behind a band, are over it.
    for over in ("limit", "small height"):
        assert all(one.drawing.index(f'class="{over}"') > one.drawing.index('class="band"') for one in found.pictures)
    assert ">missing<" in tenure.drawing and ">with a value<" in tenure.drawing
    assert all("Changed" not in one.caption for one in still)
    # Twenty-eight days in two runs, as two days have no rows.
    assert all(one.drawing.count('class="dot"') == 28 and one.drawing.count('class="curve"') == 2 for one in still)


def test_names_of_values_are_those_that_people_say() -> None:
    land = next(one for one in gallery(of_november()).pictures if one.title == "land")
    assert "Utopia: 0" in land.drawing


def test_what_a_reader_must_know_of_the_times_stands_there() -> None:
    legend = str(gallery(of_november()).legend)
    assert "No rows from 2026-11-07 until 2026-11-09 (2 days)." in legend
    assert re.search(r"\d\d rows are without a time: in no window, and in the numbers of all rows\.", legend)
    data = november().assign(at=lambda rows: rows["at"].dt.tz_localize("Asia/Tokyo"))
    data.loc[3, "at"] = pd.Timestamp("2030-01-01", tz="Asia/Tokyo")
    legend = str(gallery(windows(data)).legend)
    assert "Times of at are of Asia/Tokyo; windows are of UTC." in legend
    assert "One window begins later than the evaluation was made; the times of these rows are in doubt." in legend


def test_the_tables_have_every_date_and_every_window() -> None:
    text = " ".join(" ".join(Page(render(of_november())).text).split())
    assert "When columns changed" in text and "Windows of at" in text
    assert "income 2026-11-19 this window Wasserstein distance (reference σ)" in text
    assert "2026-11-30 2026-12-01" in text


def test_a_page_with_windows_is_from_the_document_alone_and_holds_no_markup_of_data() -> None:
    evidence = of_november()
    text = render(evidence)
    assert render(loads(dumps(evidence))) == text
    assert EVIL not in text and text.count("<script") == 1
    assert Page(text).open == []
    assert len(text.encode()) < 500_000


def test_other_pages_take_documents_with_windows_and_without() -> None:
    plain = windows(time_column=None, window=None)
    assert columns_over_time(plain) is None
    for page in (
        render_joined([of_november(), plain]),
        render_diff(plain, of_november()),
        render_trend([plain, of_november()]),
    ):
        assert Page(page).open == []


@pytest.mark.parametrize("config", [{"season": "week"}, {"window": "hour"}, {"window": "1500 rows"}, {"max_js": None}])
def test_windows_of_any_kind_have_a_page(config: dict[str, object]) -> None:
    data = november(rows_a_day=300)
    if config.get("window") == "hour":
        data = data[data["at"] < pd.Timestamp("2026-11-15")]
    evidence = windows(data, **config)
    text = render(evidence)
    assert Page(text).open == []
    assert len(text.encode()) < 500_000
    title = "1500 rows by at" if "rows" in str(config.get("window")) else f"{config.get('window', 'day')}s of at"
    assert f"Window by window: {title}" in text


def test_a_document_without_any_tolerance_has_pictures_too() -> None:
    none = dict.fromkeys(
        ["max_js", "max_shift_sigma", "max_new_share", "max_missing_change", "max_infinite_change"]
    )  # fmt: skip
    evidence = windows(**none)
    assert "Changed 2026-11-19" in next(one for one in gallery(evidence).pictures if one.title == "income").caption
