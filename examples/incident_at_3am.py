"""At three in the morning the champion goes wrong, and the version to go back to has been tampered with.

Run it: ``python examples/incident_at_3am.py``. It starts a real server in ``demo/incident_at_3am``.
"""

from __future__ import annotations

import json

from governed_release import Story
from small_release import MODEL, story, train

POLICY = """\
schema: registry-hooks/policy/1
name: payments
models: ["late-*"]
roles:
  data-science: [ana]
  risk: [mei]
  oncall: [oncall]
nominate: {by: [data-science]}
promote:
  by: [data-science]
  evidence: [{kind: calibration}]
  approvals: [{role: risk}]
rollback: {by: [oncall], review_due: 24h}
break_glass: {by: [oncall], review_due: 4h}
reviews: {by: [risk]}
"""


def release(told: Story, seed: int) -> str:
    """One more version, all the way to champion; gives its number."""
    number = str(train(told, seed)[0])
    told.run("ana", "nominate", MODEL, number)
    told.run("ana", "request", MODEL, number)
    told.run("mei", "approve", MODEL, number, "--comment", "read the calibration report")
    told.run("ana", "promote", MODEL, number)
    return number


def tamper(told: Story) -> str:
    """Change one byte of a file of version 2, in the artifact store and past the server; gives the file's name."""
    files = sorted(told.folder.glob("mlartifacts/*/models/*/artifacts/model.*"), key=lambda each: each.stat().st_mtime)
    file = files[1]
    content = bytearray(file.read_bytes())
    content[-2] ^= 1
    file.write_bytes(content)
    told.say(f"  (somebody with access to the bucket changes one byte of {file.name} of version 2)")
    return file.name


def main() -> None:
    """Tell the story."""
    with story("incident_at_3am", POLICY, ("ana", "mei", "oncall")) as told:
        told.step("Three versions served, one after the other")
        first, second, third = (release(told, seed) for seed in (1, 2, 3))
        tamper(told)

        told.step("03:00. Version 3 scores nonsense; oncall goes back, and is told that version 2 is not what it was")
        told.run("oncall", "status", MODEL)
        told.run("oncall", "rollback", MODEL, "--reason", "all scores are 0.5 since 02:40", expect=1)
        told.run("oncall", "rollback", MODEL, "--to", first, "--reason", "all scores are 0.5; version 2 was changed")

        told.step("A colleague who was woken as well runs it again, and does no harm")
        told.run("oncall", "rollback", MODEL, "--reason", "all scores are 0.5", expect=1)

        told.step("03:20. Version 1 is wrong for the new input, and version 4 is right: the glass is broken")
        fourth = str(train(told, seed=4)[0])
        told.run("oncall", "promote", MODEL, fourth, expect=1)
        told.run("oncall", "break-glass", MODEL, fourth, "--reason", "versions 1 to 3 cannot read the new input")
        told.run("oncall", "status", MODEL)

        told.step("In the morning: what was changed, and reviews, closed by somebody else")
        told.run("mei", "reconcile", MODEL, expect=4)
        for review in json.loads(told.run("mei", "review", "list", MODEL, "--json"))["reviews"]:
            arguments = ("review", "close", MODEL, review["id"], "--finding", "the feed changed its units at 02:40")
            told.run("oncall", *arguments, expect=1)
            told.run("mei", *arguments)
        told.run("mei", "history", MODEL, "--limit", "8")
        told.run("mei", "audit", "verify")
        told.say(
            f"\nChampion: version {fourth}. Version {first} is the fallback, version {second} was changed, "
            f"and version {third} is condemned."
        )


if __name__ == "__main__":
    main()
