"""What readers need who do not see, do not point, or print: contrast from the style sheet, structure from the pages."""

from __future__ import annotations

import itertools
import re
from importlib.resources import files

import pytest
from support.documents import evidence as documents
from support.documents.parsed_page import Page
from support.documents.windows import windows

from mlflow_eval_plugin.reports import render, render_diff, render_joined, render_trend

CSS = (files("mlflow_eval_plugin.reports.pages") / "templates" / "style.css").read_text()
ALL = [documents.calibration(), documents.disaggregated(), documents.drift(), documents.comparison()]
PAGES = {
    **{document.kind: render(document) for document in ALL},
    "windows": render(windows()),
    "joined": render_joined(ALL),
    "diff": render_diff(documents.drift(), documents.drift()),
    "trend": render_trend([documents.drift(), documents.drift()]),
}
pages = pytest.mark.parametrize("text", PAGES.values(), ids=PAGES.keys())


def palettes() -> dict[str, dict[str, str]]:
    """The colours of the light scheme, of the dark one and of paper, each over those of the light one."""
    found = [
        dict(re.findall(r"--([\w-]+): (#[0-9a-f]{3,6});", body)) for body in re.findall(r":root \{(.*?)\}", CSS, re.S)
    ]
    light, dark, paper = found
    return {"light": light, "dark": {**light, **dark}, "paper": {**light, **paper}}


def luminance(colour: str) -> float:
    """Relative luminance, https://www.w3.org/TR/WCAG22/#dfn-relative-luminance."""
    digits = colour[1:] if len(colour) == 7 else "".join(digit * 2 for digit in colour[1:])
    parts = [int(digits[i : i + 2], 16) / 255 for i in (0, 2, 4)]
    red, green, blue = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    lighter, darker = sorted((luminance(one), luminance(other)), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


def test_contrast_is_computed_as_wcag_does() -> None:
    # The ends of the scale, and the grey that WebAIM's contrast checker gives as the lightest that passes on white.
    assert contrast("#000", "#ffffff") == pytest.approx(21.0)
    assert contrast("#777777", "#ffffff") == pytest.approx(4.48, abs=0.005)
    assert contrast("#767676", "#ffffff") == pytest.approx(4.54, abs=0.005)


VERDICTS = ("fail", "pass", "insufficient")
STEPS = [f"{side}-{step}" for side in ("low", "high") for step in (1, 2, 3)]
TEXT = [
    ("ink", "paper"), ("soft", "paper"),
    *((name, f"{verdict}-wash") for verdict in VERDICTS for name in ("ink", "soft", verdict)),
    *((verdict, "paper") for verdict in VERDICTS),
    *(("ink", step) for step in STEPS),
]  # fmt: skip
# What is not text needs 3 : 1 (WCAG 1.4.11). Grid lines and the band are decoration: curve and dots tell the same.
DRAWN = [("blue", "paper"), ("orange", "paper"), ("soft", "paper")]


@pytest.mark.parametrize("scheme", ["light", "dark", "paper"])
def test_text_has_a_contrast_of_4_5_and_what_is_drawn_of_3(scheme: str) -> None:
    palette = palettes()[scheme]
    low = [(a, b) for a, b in TEXT if contrast(palette[a], palette[b]) < 4.5]
    low += [(a, b) for a, b in DRAWN if contrast(palette[a], palette[b]) < 3]
    assert low == []


def test_all_colours_are_in_the_palettes() -> None:
    outside = re.sub(r":root \{.*?\}", "", CSS, flags=re.S)
    assert re.findall(r"#[0-9a-fA-F]{3,8}\b|rgba?\(|hsl", outside) == []


def test_the_shades_of_the_heat_map_get_further_from_the_page_with_each_step() -> None:
    for palette in palettes().values():
        for side in ("low", "high"):
            away = [contrast(palette[f"{side}-{step}"], palette["paper"]) for step in (1, 2, 3)]
            assert 1 < away[0] < away[1] < away[2]


@pages
def test_landmarks_and_a_way_past_the_header(text: str) -> None:
    page = Page(text)
    tags = [tag for tag, _ in page.tags]
    assert [tags.count(tag) for tag in ("header", "main", "h1")] == [1, 1, 1]
    links = [attrs["href"] for tag, attrs in page.tags if tag == "a"]
    assert links[0] == "#main"
    assert [attrs.get("lang") for tag, attrs in page.tags if tag == "html"] == ["en"]
    assert all(attrs.get("aria-label") for tag, attrs in page.tags if tag == "nav")


@pages
def test_headings_skip_no_level(text: str) -> None:
    levels = [int(tag[1]) for tag, _ in Page(text).tags if re.fullmatch(r"h[1-6]", tag)]
    assert all(after <= before + 1 for before, after in itertools.pairwise(levels))


@pages
def test_tables_have_captions_and_scopes_and_drawings_names(text: str) -> None:
    for body in re.findall(r"<table(?! class=\"config\").*?</table>", text, re.S):
        assert re.search(r"<caption[^>]*>[^<]+</caption>", body)
        assert not re.search(r"<th(?![a-z])(?![^>]*scope=)", body)
    for attributes in re.findall(r"<svg([^>]*)>", text):
        drawn = 'role="img"' in attributes and "aria-label=" in attributes
        assert drawn or 'aria-hidden="true"' in attributes or 'class="arrow"' in attributes


@pages
def test_ids_are_unique_and_labels_lead_to_them(text: str) -> None:
    page = Page(text)
    ids = [attrs["id"] for _, attrs in page.tags if "id" in attrs]
    assert len(ids) == len(set(ids))
    assert {attrs["aria-labelledby"] for _, attrs in page.tags if "aria-labelledby" in attrs} <= set(ids)


def test_without_the_script_there_is_no_control_and_every_row() -> None:
    page = Page(PAGES["joined"])
    assert not {tag for tag, _ in page.tags} & {"button", "input", "select"}
    assert not any("hidden" in attrs for _, attrs in page.tags)
