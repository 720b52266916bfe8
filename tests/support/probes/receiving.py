"""A receiver of webhooks: a process of its own on loopback that writes down every request, and answers as it is told.

Run as a program with a port and a folder. It answers with the status in the file ``answer`` of the folder (204 where
there is none), read anew for each request: a number, with what is to stand in ``Retry-After`` behind it, ``hang``
(answers after a minute), ``trickle`` (one byte of its answer a second), ``redirect URL``, or ``refuse MODEL`` (500 to
what is about that model, 204 to the rest).
"""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

LET_IN = {"MLFLOW_WEBHOOK_ALLOW_PRIVATE_IPS": "true", "MLFLOW_WEBHOOK_ALLOWED_SCHEMES": "http,https"}
"""The environment of a server that may send to loopback."""


class _Handler(BaseHTTPRequestHandler):
    folder: Path

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        file = self.folder / "answer"
        told = file.read_text().split() if file.exists() else ["204"]
        status = self._status(told, body)
        # Written down before it is answered: what the sender believes to be taken was.
        line = {"at": time.time(), "path": self.path, "headers": dict(self.headers), "body": body, "status": status}
        with (self.folder / "received.jsonl").open("a") as out:
            out.write(json.dumps(line) + "\n")
        if told[0] == "hang":
            time.sleep(60)
        if told[0] == "trickle":
            self._trickle()
            return
        self.send_response(status)
        if told[0] == "redirect":
            self.send_header("Location", told[1])
        elif told[0].isdecimal() and told[1:]:
            self.send_header("Retry-After", " ".join(told[1:]))
        if status != 204:
            self.send_header("Content-Length", "8")
        self.end_headers()
        if status != 204:
            self.wfile.write(b"answered")

    def _status(self, told: list[str], body: str) -> int:
        if told[0] == "refuse":
            return 500 if json.loads(body)["data"].get("model") == told[1] else 204
        return {"redirect": 307, "hang": 204, "trickle": 204}.get(told[0]) or int(told[0])

    def _trickle(self) -> None:
        try:
            for byte in b"HTTP/1.1 204 No Content\r\nX-Slow: " + b"y" * 600:
                self.connection.sendall(bytes([byte]))
                time.sleep(1)
        except OSError:
            pass

    def log_message(self, *_: Any) -> None:
        pass


class Receiver:
    """The process, and what it has received."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = int(probe.getsockname()[1])
        self.url = f"http://127.0.0.1:{self.port}/hook"
        self.start()

    def start(self) -> None:
        """Begin to listen."""
        command = [sys.executable, str(Path(__file__)), str(self.port), str(self.folder)]
        self._process = subprocess.Popen(command, stdin=subprocess.DEVNULL)
        until = time.monotonic() + 30
        while True:
            try:
                socket.create_connection(("127.0.0.1", self.port), 1).close()
                return
            except OSError:
                assert time.monotonic() < until and self._process.poll() is None
                time.sleep(0.02)

    def stop(self) -> None:
        """End it."""
        self._process.kill()
        self._process.wait()

    def answer(self, how: str) -> None:
        """How it answers from now on."""
        (self.folder / "next").write_text(how)
        (self.folder / "next").replace(self.folder / "answer")

    @property
    def requests(self) -> list[dict[str, Any]]:
        """All requests, in the order in which they came."""
        file = self.folder / "received.jsonl"
        lines = file.read_text().splitlines(keepends=True) if file.exists() else []
        return [json.loads(line) for line in lines if line.endswith("\n")]

    @property
    def taken(self) -> list[dict[str, Any]]:
        """The messages that were answered with success, each the first time, in order."""
        seen: dict[str, dict[str, Any]] = {}
        for each in self.requests:
            if each["status"] < 300:
                seen.setdefault(each["headers"].get("webhook-id") or str(each["at"]), json.loads(each["body"]))
        return list(seen.values())

    def events(self) -> list[tuple[str | None, str]]:
        """Model and event of each message that was taken."""
        return [(each["data"].get("model"), each["data"]["event"]) for each in self.taken]

    def wait(self, number: int, seconds: float = 60) -> list[dict[str, Any]]:
        """The messages that were taken, once there are so many."""
        until = time.monotonic() + seconds
        while len(self.taken) < number:
            assert time.monotonic() < until, f"{len(self.taken)} of {number} arrived: {self.events()}"
            time.sleep(0.02)
        return self.taken


@contextmanager
def receiver(folder: Path) -> Iterator[Receiver]:
    """A receiver for the length of the block."""
    made = Receiver(folder)
    try:
        yield made
    finally:
        made.stop()


if __name__ == "__main__":
    _Handler.folder = Path(sys.argv[2])
    ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), _Handler).serve_forever()
