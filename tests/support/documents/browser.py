"""One page in a real browser: QtWebEngine, which is Chromium, from a wheel.

    python browser.py PAGE WIDTH HEIGHT SCREENSHOT STEP...

PAGE is a file or an address. A step is a JavaScript expression, or ``frame:expression`` for one in the page's first
frame, or ``key:Name`` or ``type:text`` for what a person at the keyboard does. Printed as
JSON is what the expressions gave, and all that came to the console. A process of its own, because Qt ends the process
where a system library is missing; without arguments it only tells, by its exit code, whether there is a browser.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
os.environ.setdefault("QTWEBENGINE_DISABLE_SANDBOX", "1")  # Chromium's own does not start as root

from PySide6.QtCore import Qt, QTimer, QUrl
from PySide6.QtTest import QTest
from PySide6.QtWebEngineCore import QWebEnginePage
from PySide6.QtWebEngineWidgets import QWebEngineView
from PySide6.QtWidgets import QApplication

PAUSE = 150  # milliseconds, for layout, painting, and keys on their way


class Recorded(QWebEnginePage):
    """A page that keeps what comes to its console."""

    def __init__(self, view: QWebEngineView) -> None:
        super().__init__(view)
        self.console: list[str] = []

    def javaScriptConsoleMessage(self, level: object, message: str, line: int, source: str) -> None:  # noqa: N802
        self.console.append(f"{message} ({source}:{line})")


class Visit:
    """The steps in a page, one after the other."""

    def __init__(self, view: QWebEngineView, page: Recorded, screenshot: str, steps: list[str]) -> None:
        self.view, self.page, self.screenshot, self.steps = view, page, screenshot, steps
        self.results: list[object] = []

    def begin(self, loaded: bool) -> None:
        self.page.console += [] if loaded else ["the page did not load"]
        QTimer.singleShot(2 * PAUSE, self.next)

    def next(self) -> None:
        if not self.steps:
            self.end()
            return
        kind, _, rest = (step := self.steps.pop(0)).partition(":")
        if kind == "frame":
            self.page.mainFrame().children()[0].runJavaScript(f"JSON.stringify({rest})", self.keep)
            return
        if kind not in ("key", "type"):
            self.page.runJavaScript(f"JSON.stringify({step})", self.keep)
            return
        keyboard = self.view.focusProxy()
        if kind == "key":
            QTest.keyClick(keyboard, getattr(Qt.Key, f"Key_{rest}"))
        else:
            QTest.keyClicks(keyboard, rest)
        QTimer.singleShot(PAUSE, self.next)

    def keep(self, result: str) -> None:
        self.results.append(json.loads(result or "null"))
        QTimer.singleShot(0, self.next)

    def end(self) -> None:
        self.view.grab().save(self.screenshot)
        print(json.dumps({"results": self.results, "console": self.page.console}))
        QApplication.quit()


def main(application: QApplication, file: str, width: str, height: str, screenshot: str, *steps: str) -> int:
    view = QWebEngineView()
    page = Recorded(view)
    view.setPage(page)
    view.resize(int(width), int(height))
    view.show()
    visit = Visit(view, page, screenshot, list(steps))
    page.loadFinished.connect(visit.begin)
    view.load(QUrl(file) if file.startswith("http:") else QUrl.fromLocalFile(str(Path(file).resolve())))
    return application.exec()


if __name__ == "__main__":
    qt = QApplication([])
    sys.exit(main(qt, *sys.argv[1:]) if len(sys.argv) > 1 else 0)
