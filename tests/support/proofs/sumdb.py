"""Go's own verifier of its checksum database, built from the sources that come with Go, to check what is ours."""

from __future__ import annotations

import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import go

GO = Path(go.__file__).parent
SOURCES = GO / "src" / "cmd" / "vendor" / "golang.org" / "x" / "mod" / "sumdb"
MOD = "module sumdb\n\ngo 1.22\n"


@dataclass(frozen=True)
class Answer:
    """What it said to one question: the tree that it verified, or why not."""

    ok: bool
    size: int = 0
    root: str = ""
    why: str = ""


class Verifier:
    """Built once, and asked as often as one likes."""

    def __init__(self, folder: Path) -> None:
        for package in ("note", "tlog"):
            shutil.copytree(SOURCES / package, folder / package)
        shutil.copy(Path(__file__).with_name("sumdb.go"), folder / "main.go")
        (folder / "go.mod").write_text(MOD)
        self._program = folder / "verifier"
        env = {**os.environ, "GOROOT": str(GO), "GOCACHE": str(folder / "cache"), "GOPATH": str(folder / "path"),
               "GOPROXY": "off", "GOTOOLCHAIN": "local", "GOFLAGS": "-mod=mod", "GO111MODULE": "on",
               "CGO_ENABLED": "0"}  # fmt: skip
        command = [str(GO / "bin" / "go"), "build", "-o", str(self._program), "."]
        subprocess.run(command, cwd=folder, env=env, check=True, timeout=500)

    def ask(self, *questions: tuple[object, ...]) -> list[Answer]:
        """The answer to each question: ``log``, ``record`` or ``growth``, a key, and files."""
        text = "".join("\t".join(map(str, question)) + "\n" for question in questions)
        done = subprocess.run([self._program], input=text, text=True, capture_output=True, timeout=500, check=True)
        answers = [line.split("\t") for line in done.stdout.splitlines()]
        assert len(answers) == len(questions), done.stderr
        return [
            Answer(True, int(told[0]), told[1]) if word == "ok" else Answer(False, why=told[0])
            for word, *told in answers
        ]
