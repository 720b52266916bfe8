"""The demonstration, as a reader runs it: a process of its own against a real server with two workers."""

import importlib
import re
import socket
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from support.serving import Process, clean_environment, free_port

SCRIPT = Path(__file__).parents[1] / "examples" / "governed_release.py"


def tell(folder: Path, port: int) -> str:
    done = subprocess.run(
        [sys.executable, str(SCRIPT), "--folder", str(folder), "--port", str(port)],
        env=clean_environment(folder.parent), cwd=folder.parent, capture_output=True, text=True, timeout=300,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return done.stdout


@pytest.mark.early
@pytest.mark.timeout(600)
def test_the_story_is_told_to_its_end_and_can_be_looked_at_again(tmp_path: Path) -> None:
    folder = tmp_path / "demo"
    folder.mkdir()
    with socket.create_server(("127.0.0.1", 0)) as busy:  # a busy port is no failure
        port = busy.getsockname()[1]
        told = tell(folder, port)
    assert f"Port {port} is in use; taking" in told
    for expected in (
        'client.set_registered_model_alias("acs-employment", "champion", 1)\n      HTTP 403',
        '"Production")\n      HTTP 403',
        "four-eyes",
        "Version 2 of acs-employment is now the champion.",
        "Version 1 of acs-employment is the champion again.",
        "is open and due",
        "The audit log is BROKEN",
    ):
        assert expected in told
    assert re.search(r"champion +1 +2\b", told) and re.search(r"fallback +none +1\b", told)
    page = r"Report: http://127\.0\.0\.1:\d+/#/experiments/\d+/runs/\w+/artifacts/reports/report\.html"
    assert len(re.findall(page, told)) == 6 and "Verdict: fail (calibration " in told and "      Worst: " in told
    assert re.search(r"Labels of 2018 .*?Evidence \w+: fail", told, re.DOTALL)
    assert float(re.findall(r"\[ *([\d.]+) s\]", told)[-1]) <= 180
    assert re.search(r"log in as mei or raj at\n  http://127\.0\.0\.1:\d+/registry-hooks/$", told.rstrip())
    assert (folder / "transcript.txt").read_text() in told

    port = free_port()
    env = clean_environment(tmp_path)
    shown = Process([sys.executable, str(SCRIPT), "--ui", "--folder", str(folder), "--port", str(port)], env, folder)
    try:
        shown.wait_until_healthy(f"http://127.0.0.1:{port}")
        client = {"MLFLOW_TRACKING_USERNAME": "mei", "MLFLOW_TRACKING_PASSWORD": "mei-demo-password"}
        script = Path(sys.executable).parent / "registry-hooks"
        done = subprocess.run(
            [script, "audit", "verify", "--tracking-uri", f"http://127.0.0.1:{port}"], env={**env, **client}
        )
        assert done.returncode == 0
        waiting = subprocess.run(
            [script, "inbox", "--tracking-uri", f"http://127.0.0.1:{port}"], env={**env, **client},
            capture_output=True, text=True, check=True,
        ).stdout  # fmt: skip
        assert re.search(r"For your signature:\n.*\n +P-\d+ +acs-employment +3 ", waiting)
        dossier = ["audit", "dossier", "acs-employment", "2", "--output", str(tmp_path / "dossier.zip")]
        done = subprocess.run([script, *dossier, "--tracking-uri", f"http://127.0.0.1:{port}"], env={**env, **client})
        assert done.returncode == 0
        assert "login mei" in shown.told()
    finally:
        assert shown.stop() == []
    verify(tmp_path / "dossier.zip")


def verify(dossier: Path) -> None:
    """As an auditor does it, who has no server: what was decided of version 2, and that the log says so."""
    with zipfile.ZipFile(dossier) as held:
        held.extractall(dossier.parent / "dossier")
    program = dossier.parent / "dossier" / "verify.py"
    done = subprocess.run([sys.executable, "-I", str(program)], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout
    for expected in ("SOUND", "raj signed P-", "mei signed P-", "rolled-back: champion is 1", "Served from"):
        assert expected in done.stdout


def test_it_clears_no_folder_but_its_own(tmp_path: Path) -> None:
    (tmp_path / "precious").touch()
    done = subprocess.run(
        [sys.executable, str(SCRIPT), "--folder", str(tmp_path), "--port", str(free_port())],
        env=clean_environment(tmp_path), cwd=tmp_path, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode != 0 and "was not made by this program" in done.stderr
    assert (tmp_path / "precious").exists()


def test_it_clears_what_an_earlier_run_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(SCRIPT.parent))
    release = importlib.import_module("governed_release")
    folder = tmp_path / "demo"
    release.clear(folder)
    (folder / "mlflow.db").touch()
    release.clear(folder)
    assert [each.name for each in folder.iterdir()] == [release.MARK]
