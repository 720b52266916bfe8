"""Verdicts by chunk, as benchmarks/soak_drift_verdicts.py puts them beside those of others."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from support.simulating_drift import chunk_verdicts

pytest.importorskip("evidently")
SCRIPT = Path(__file__).parents[2] / "benchmarks" / "soak_drift_verdicts.py"


def people(seed: int, rows: int, shift: float = 0.0, share: float = 0.5) -> pd.DataFrame:
    chance = np.random.default_rng(seed)
    town = np.where(chance.random(rows) < share, "a", "b")
    return pd.DataFrame({"age": chance.normal(40 + 10 * shift, 10, rows), "town": town, "still": chance.random(rows)})


def test_each_column_of_a_chunk_has_the_worst_of_its_verdicts_and_its_distance():
    found = chunk_verdicts(people(0, 20_000), people(1, 5_000, shift=0.5, share=0.8))
    assert {name: one.verdict for name, one in found.items()} == {"age": "fail", "town": "fail", "still": "pass"}
    assert found["age"].distance == pytest.approx(0.5, abs=0.05) and found["age"].unit == "σ"
    # Of shares .5 and .8, in bits: the root of H((p + q) / 2) - (H(p) + H(q)) / 2.
    assert found["town"].distance == pytest.approx(0.2704, abs=0.02) and found["town"].unit == "JS"


def test_few_rows_cannot_tell():
    assert chunk_verdicts(people(0, 20_000), people(1, 60))["age"].verdict == "insufficient"


@pytest.mark.parametrize(
    ("chunks", "said"), [([], "–"), ([1, 2, 3], "all"), ([2], "2"), ([1, 3], "1, 3"), ([2, 3], "2-3")]
)
def test_chunks_are_said_as_runs(chunks, said, monkeypatch):
    monkeypatch.syspath_prepend(str(SCRIPT.parent))
    import soak_drift_verdicts

    assert soak_drift_verdicts.said(chunks, 3) == said
