"""The two short stories, as a reader runs them: processes of their own against a real server."""

import subprocess
import sys
from pathlib import Path

import pytest
from support.serving import clean_environment, free_port

EXAMPLES = Path(__file__).parents[1] / "examples"
STORIES = {
    "approve_with_quorum": (
        "found signed by no trusted key",
        "Signed evidence/calibration.json",
        "ana registered it",
        "1. approvals: expected 1 yes from product; found 0",
        "found bob, who holds no role of this policy",
        "bob signs as product in pam's place",
        "for pam as product (loan D-",
        "Version 1 of late-payment is now the champion.",
        "data payments, digest",
        "The audit log is sound",
    ),
    "incident_at_3am": (
        " was changed.",
        "--to VERSION, with one of [1]",
        "Version 1 of late-payment is the champion again.",
        "Files: as they were nominated.",
        "rolled-back-just-now",
        "Version 4 of late-payment is now the champion, BY BREAK-GLASS.",
        "of BREAK-GLASS promotion of version 4",
        "late-payment version 2: model.",
        "found oncall opened it",
        " of late-payment is closed.",
        "Champion: version 4.",
    ),
}


@pytest.mark.early
@pytest.mark.timeout(400)
@pytest.mark.parametrize("name", STORIES)
def test_a_story_is_told_to_its_end(name: str, tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, EXAMPLES / f"{name}.py", "--folder", tmp_path / name, "--port", str(free_port())],
        env=clean_environment(tmp_path), cwd=tmp_path, capture_output=True, text=True, timeout=300,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    for expected in STORIES[name]:
        assert expected in done.stdout, expected
    assert len((EXAMPLES / f"{name}.py").read_text().splitlines()) <= 100
