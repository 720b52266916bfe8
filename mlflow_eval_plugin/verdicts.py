"""The three verdicts, and how every report and command says them; light to import."""

from __future__ import annotations

from typing import Final, Literal

Verdict = Literal["pass", "fail", "insufficient"]
VERDICT_WORDS: Final[dict[Verdict, str]] = {"pass": "pass", "fail": "fail", "insufficient": "insufficient evidence"}
