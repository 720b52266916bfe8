"""The demo's whole story on two replicas, one of which loses its power in the middle of it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from support.company.topology import company
from support.serving import PASSWORDS, clean_environment

SCRIPT = Path(__file__).parents[3] / "examples" / "governed_release.py"
PEOPLE = {name: f"{name}-demo-password" for name in PASSWORDS}


@pytest.mark.early
@pytest.mark.timeout(900)
def test_the_story_is_told_to_the_end_with_one_replica_killed_in_the_middle(tmp_path: Path) -> None:
    with company(passwords=PEOPLE) as place:
        requests_for_approval: list[str] = []

        def kill_one(_verb: str, path: str) -> None:
            if path.endswith("/registry-hooks/request"):
                requests_for_approval.append(path)
                if len(requests_for_approval) == 2:  # version 2 is asked for; its approvers have not decided
                    place.kill(0)

        place.proxy.after = kill_one
        done = subprocess.run(
            [sys.executable, str(SCRIPT), "--folder", str(tmp_path / "demo"),
             "--server", place.proxy.uri, "--database", place.database],
            env=clean_environment(tmp_path), capture_output=True, text=True, timeout=500, stdin=subprocess.DEVNULL,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
        assert len(requests_for_approval) == 3 and place.replicas[0].process.process.poll() is not None
        dead, alive = (server.uri for server in place.replicas)
        answered = {replica for _, _, replica in place.proxy.answered}
        assert answered == {dead, alive}
        for expected in (
            '"champion", 1)\n      HTTP 403',
            "four-eyes",
            "Version 2 of acs-employment is now the champion.",
            "Version 1 of acs-employment is the champion again.",
            "The audit log is BROKEN",
        ):
            assert expected in done.stdout
        assert done.stdout.rstrip().endswith("/registry-hooks/")
        assert "Traceback" not in place.replicas[1].process.told()
