"""Pages in a real browser: QtWebEngine, which is Chromium, from a wheel.

    python browser.py [--login NAME:PASSWORD] [--without-scripts] PAGE WIDTH HEIGHT SCREENSHOT STEP...

PAGE is a file or an address. A step is a JavaScript expression, or

    frame:EXPRESSION  one in the page's first frame
    key:NAME          what a person does at the keyboard
    type:TEXT
    follow:SELECTOR   clicks on what CSS finds first, and waits until the page that it leads to is there
    press:NAME        a key that leads to another page, and waits likewise
    open:ADDRESS      goes there, and waits likewise
    axe:FILE          gives what axe-core, in that file, has against the page

Printed as JSON is what the expressions gave, and all that came to the console. A process of its own, because Qt ends
the process where a system library is missing; without arguments it only tells, by its exit code, whether there is a
browser. Where the pages' own scripts are off, the expressions still run, in a world apart.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Callable
from pathlib import Path

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
os.environ.setdefault("QTWEBENGINE_DISABLE_SANDBOX", "1")  # Chromium's own does not start as root

from PySide6.QtCore import Qt, QTimer, QUrl
from PySide6.QtTest import QTest
from PySide6.QtWebEngineCore import QWebEnginePage, QWebEngineScript, QWebEngineSettings
from PySide6.QtWebEngineWidgets import QWebEngineView
from PySide6.QtWidgets import QApplication

PAUSE = 150  # milliseconds, for layout, painting, and keys on their way
AXE = "axe.run(document, {resultTypes: ['violations']}).then((all) => { globalThis.axeSays = all.violations.map("
AXE += "(each) => `${each.id}: ${each.nodes.map((node) => node.html).join(' | ')}`); }); null"


class Recorded(QWebEnginePage):
    """A page that keeps what comes to its console, and logs in where it is asked to."""

    def __init__(self, view: QWebEngineView, login: str) -> None:
        super().__init__(view)
        self.console: list[str] = []
        self.login = login
        self.authenticationRequired.connect(self.log_in)

    def javaScriptConsoleMessage(self, level: object, message: str, line: int, source: str) -> None:  # noqa: N802
        self.console.append(f"{message} ({source}:{line})")

    def log_in(self, _url: object, asked: object) -> None:
        name, _, password = self.login.partition(":")
        asked.setUser(name)
        asked.setPassword(password)


class Visit:
    """The steps in a page, one after the other."""

    def __init__(self, view: QWebEngineView, page: Recorded, screenshot: str, steps: list[str], world: object) -> None:
        self.view, self.page, self.screenshot, self.steps, self.world = view, page, screenshot, steps, world
        self.results: list[object] = []
        self.leaving = True
        self.kinds: dict[str, Callable[[str], None]] = {
            "frame": self.in_frame, "key": self.key, "type": self.type, "follow": self.follow, "open": self.open,
            "press": self.press, "axe": self.axe,
        }  # fmt: skip

    def begin(self, loaded: bool) -> None:
        self.page.console += [] if loaded else ["the page did not load"]
        if self.leaving:  # which a page that loads more of itself is not
            self.leaving = False
            QTimer.singleShot(2 * PAUSE, self.next)

    def next(self) -> None:
        if not self.steps:
            self.end()
            return
        step = self.steps.pop(0)
        kind, _, rest = step.partition(":")
        if kind in self.kinds:
            self.kinds[kind](rest)
        else:
            self.run(f"JSON.stringify({step})", self.keep)

    def run(self, script: str, then: Callable[[str], None]) -> None:
        self.page.runJavaScript(script, self.world, then)

    def in_frame(self, expression: str) -> None:
        self.page.mainFrame().children()[0].runJavaScript(f"JSON.stringify({expression})", self.keep)

    def key(self, name: str) -> None:
        QTest.keyClick(self.view.focusProxy(), getattr(Qt.Key, f"Key_{name}"))
        QTimer.singleShot(PAUSE, self.next)

    def type(self, text: str) -> None:
        QTest.keyClicks(self.view.focusProxy(), text)
        QTimer.singleShot(PAUSE, self.next)

    def follow(self, selector: str) -> None:
        self.leaving = True
        self.run(f"document.querySelector({json.dumps(selector)}).click()", lambda _: None)

    def press(self, name: str) -> None:
        self.leaving = True
        QTest.keyClick(self.view.focusProxy(), getattr(Qt.Key, f"Key_{name}"))

    def open(self, address: str) -> None:
        self.leaving = True
        self.view.load(QUrl(address))

    def axe(self, file: str) -> None:
        self.run(Path(file).read_text() + "; null", lambda _: self.run(AXE, lambda _: self.hear()))

    def hear(self, said: str = "") -> None:
        if said:
            self.keep(said)
        else:
            QTimer.singleShot(PAUSE, lambda: self.run("JSON.stringify(globalThis.axeSays) || ''", self.hear))

    def keep(self, result: str) -> None:
        self.results.append(json.loads(result or "null"))
        QTimer.singleShot(0, self.next)

    def end(self) -> None:
        self.view.grab().save(self.screenshot)
        print(json.dumps({"results": self.results, "console": self.page.console}))
        QApplication.quit()


def main(application: QApplication) -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--login", default="")
    parser.add_argument("--without-scripts", action="store_true")
    parser.add_argument("page")
    parser.add_argument("width", type=int)
    parser.add_argument("height", type=int)
    parser.add_argument("screenshot")
    parser.add_argument("steps", nargs="*")
    asked = parser.parse_args()
    view = QWebEngineView()
    page = Recorded(view, asked.login)
    view.setPage(page)
    page.settings().setAttribute(QWebEngineSettings.WebAttribute.JavascriptEnabled, not asked.without_scripts)
    worlds = QWebEngineScript.ScriptWorldId
    world = worlds.ApplicationWorld if asked.without_scripts else worlds.MainWorld
    view.resize(asked.width, asked.height)
    view.show()
    visit = Visit(view, page, asked.screenshot, asked.steps, world.value)
    page.loadFinished.connect(visit.begin)
    here = asked.page.startswith("http:")
    view.load(QUrl(asked.page) if here else QUrl.fromLocalFile(str(Path(asked.page).resolve())))
    return application.exec()


if __name__ == "__main__":
    qt = QApplication([])
    sys.exit(main(qt) if len(sys.argv) > 1 else 0)
