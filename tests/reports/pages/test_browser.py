"""Pages in a real browser: they fit, they are drawn in both schemes, and their tables obey the keyboard."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import mlflow
import pytest
from PIL import Image
from support.browsing import visiting
from support.browsing.visiting import DARK, FLAGS, require_browser, start
from support.documents import evidence as documents

from mlflow_eval_plugin.reports import render_diff, render_joined

LABELS = [f"RAC1P={i % 9} & AGEP=[{i}, {i + 1}) & SCHL={i % 24}" for i in range(36)]


@pytest.fixture(scope="module", autouse=True)
def browser() -> None:
    require_browser()


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("pages")
    groups = documents.disaggregated(LABELS)
    texts = {
        "joined": render_joined([documents.calibration(), groups, documents.drift()]),
        "diff": render_diff(documents.disaggregated(LABELS[::-1]), groups),
    }
    for name, text in texts.items():
        (folder / f"{name}.html").write_text(text, encoding="utf-8")
    return {name: folder / f"{name}.html" for name in texts}


def visit(
    page: Path | str, *steps: str, width: int = 1280, flags: str = FLAGS, picture: Path | None = None
) -> tuple[list[Any], Image.Image]:
    """What the steps gave, and a picture of the window; nothing may have come to the console."""
    picture = Path(page).with_suffix(".png") if picture is None else picture
    results, console, drawn = visiting.visit(page, *steps, width=width, flags=flags, picture=picture)
    assert console == []
    return results, drawn


@pytest.mark.parametrize("width", [1280, 390])
@pytest.mark.parametrize("name", ["joined", "diff"])
def test_a_page_fits_its_window_and_is_drawn(pages: dict[str, Path], name: str, width: int) -> None:
    (drawn, room), picture = visit(pages[name], "document.documentElement.scrollWidth", "innerWidth", width=width)
    assert room == width and drawn <= room
    darkest, lightest = picture.getextrema()
    assert darkest < 80 and lightest > 240
    assert picture.histogram()[255] > picture.width * picture.height / 2  # a white page


def test_the_dark_scheme_is_dark(pages: dict[str, Path]) -> None:
    _, picture = visit(pages["joined"], flags=DARK)
    assert sum(picture.histogram()[:48]) > picture.width * picture.height / 2
    assert picture.getextrema()[1] > 200


TABLE = (
    "[...document.querySelectorAll('#tables table')]"
    ".find(table => table.caption.textContent === 'All checks' && table.tBodies[0].rows.length > 50)"
)
SHOWN = f"[...{TABLE}.tBodies[0].rows].filter(row => row.offsetHeight).length"
STATUS = f"{TABLE}.parentElement.previousElementSibling.textContent"
STATUS_ROLE = f"{TABLE}.parentElement.previousElementSibling.getAttribute('role')"
TOOLS = f"{TABLE}.parentElement.previousElementSibling.previousElementSibling"


def test_typing_filters_rows_and_says_how_many_are_left(pages: dict[str, Path]) -> None:
    found, _ = visit(
        pages["joined"], STATUS, STATUS_ROLE, f"{TOOLS}.querySelector('input').focus()", "type:schl=3 positive", SHOWN,
        STATUS, f"{TOOLS}.querySelector('input').labels[0].textContent.trim()",
    )  # fmt: skip
    before, role, _, shown, after, label = found
    # SCHL=3 is the slices 3 and 27, and its beginning is in no other label; each has one Check of the FPR.
    assert (before, role, label) == ("73 of 73 rows shown.", "status", "Filter")
    assert (shown, after) == (2, "2 of 73 rows shown.")


def test_verdicts_filter_rows(pages: dict[str, Path]) -> None:
    pick = f"{TOOLS}.querySelector('select').focus()"
    found, _ = visit(pages["joined"], pick, "key:Down", STATUS, SHOWN, "key:Home", STATUS)
    failed = sum(check.verdict == "fail" for check in documents.disaggregated(LABELS).checks)
    assert found[1:] == [f"{failed} of 73 rows shown.", failed, "73 of 73 rows shown."]


def test_enter_on_a_heading_sorts_by_number_and_says_so(pages: dict[str, Path]) -> None:
    head = f"[...{TABLE}.tHead.rows[0].cells].find(cell => cell.textContent.startsWith('Value'))"
    values = (
        f"[...{TABLE}.tBodies[0].rows].map(row => Number(row.cells[3].dataset.key.replace('inf', 'Infinity')) || 0)"
    )
    found, _ = visit(
        pages["joined"], f"{head}.querySelector('button').focus()", "key:Return", f"{head}.ariaSort", values,
        "key:Space", f"{head}.ariaSort", values, STATUS,
    )  # fmt: skip
    _, first, up, second, down, status = found
    assert (first, second) == ("ascending", "descending")
    numbers = [value if value is not None else float("-inf") for value in up]
    assert numbers == sorted(numbers)
    assert [value if value is not None else float("-inf") for value in down] == sorted(numbers, reverse=True)
    assert status == "73 of 73 rows shown, sorted by Value, descending."


def test_the_first_stop_of_the_keyboard_leads_past_the_header(pages: dict[str, Path]) -> None:
    found, _ = visit(
        pages["joined"], "key:Tab", "document.activeElement.textContent",
        "document.activeElement.getBoundingClientRect().left >= 0", "key:Return", "location.hash",
    )  # fmt: skip
    assert found == ["Skip to the results", True, "#main"]


def test_what_is_wider_than_the_window_scrolls_by_keyboard(pages: dict[str, Path]) -> None:
    wide = "document.querySelector('.heat').parentElement"
    found, _ = visit(
        pages["joined"], f"[{wide}.tabIndex, {wide}.getAttribute('role')]", f"{wide}.focus()", "key:Right", "key:Right",
        f"{wide}.scrollLeft > 0", width=390,
    )  # fmt: skip
    assert found == [[0, "region"], None, True]


VIEWER = """<!doctype html><title>a viewer</title><script>
fetch("%s").then((found) => found.text()).then((text) => {
  const frame = document.createElement("iframe");
  const src = URL.createObjectURL(new Blob([text], { type: "text/html" }));
  Object.assign(frame, { width: "1200", height: "600", src });
  frame.setAttribute("sandbox", "%s");
  document.body.append(frame);
});
</script><body></body>"""


@pytest.fixture(scope="module")
def viewer(pages: dict[str, Path]) -> Iterator[str]:
    """The address of a page that shows a report as MLflow's artifact viewer does: as a blob, in a sandboxed frame."""
    folder = pages["joined"].parent
    (folder / "viewer.html").write_text(VIEWER % ("joined.html", sandbox_of_mlflow()), encoding="utf-8")

    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, format: str, *args: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(folder))) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/viewer.html"
        server.shutdown()


def sandbox_of_mlflow() -> str:
    """The sandbox of the frame in which the installed MLflow shows HTML artifacts, from its own user interface."""
    scripts = Path(mlflow.__file__).parent.glob("server/js/build/static/js/*.js")
    found = [re.search(r'mlflow-html-iframe".{0,200}?sandbox:"([^"]*)"', text.read_text()) for text in scripts]
    sandboxes = {one.group(1) for one in found if one}
    assert len(sandboxes) == 1, "MLflow's viewer of HTML artifacts has changed: see what its frame allows now"
    return sandboxes.pop()


def test_links_lead_to_their_parts_in_the_viewer_of_mlflow(viewer: str, pages: dict[str, Path]) -> None:
    top = "Math.round(document.getElementById('{}').getBoundingClientRect().top)"
    click = "frame:document.querySelector('nav a[href=\"#{}\"]').click()"
    found, _ = visit(
        viewer, "frame:[location.protocol, self.origin]", "frame:scrollY", click.format("drift"),
        f"frame:{top.format('drift')}", "frame:document.activeElement.id", click.format("calibration"),
        f"frame:{top.format('calibration')}", "frame:document.querySelectorAll('th button').length > 0",
        picture=pages["joined"].with_name("viewer.png"),
    )  # fmt: skip
    assert found[:2] == [["blob:", "null"], 0]
    assert found[3:5] == [0, "drift"]
    # The first part is near the top of the page, and the scripts of the tables run here, too.
    assert found[6:] == [0, True]


def test_links_of_a_page_alone_need_no_script(pages: dict[str, Path]) -> None:
    alone = pages["joined"].with_name("bare.html")
    alone.write_text(re.sub(r"<script>.*?</script>", "", pages["joined"].read_text(), flags=re.S))
    for page in (pages["joined"], alone):
        found, _ = visit(
            page, "document.querySelector('nav a[href=\"#drift\"]').click()", "location.hash",
            "Math.round(document.getElementById('drift').getBoundingClientRect().top)",
        )  # fmt: skip
        assert found[1:] == ["#drift", 0]


def test_nothing_but_our_own_script_runs(pages: dict[str, Path]) -> None:
    broken = pages["joined"].with_name("broken.html")
    text = pages["joined"].read_text()
    broken.write_text(
        text.replace("</main>", "<script>document.title = 'taken'</script><img src=x onerror=alert(1)></main>")
    )
    done = start(broken, 800, 600, broken.with_suffix(".png"), "document.title")
    said = json.loads(done.stdout)
    assert said["results"] != ["taken"]
    assert len(said["console"]) == 3 and all("Content Security Policy" in message for message in said["console"])
