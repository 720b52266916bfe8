"""The weak slices are those of the package sliceline (DataDome's implementation of SliceLine)."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from sliceline.slicefinder import Slicefinder

from mlflow_eval_plugin.engines.arrow.binary.errors import error_counts
from mlflow_eval_plugin.engines.arrow.search import searched_columns
from mlflow_eval_plugin.stats.slices.weak import weak_slices


@pytest.mark.parametrize(("depth", "weight", "minimum"), [(2, 0.95, 30), (3, 0.95, 60), (3, 0.9, 100), (3, 1.0, 100)])
def test_the_best_are_those_of_sliceline(depth: int, weight: float, minimum: int) -> None:
    rng = np.random.default_rng(depth)
    rows = pd.DataFrame({f"c{i}": rng.integers(0, 2 + i % 4, 4000) for i in range(8)})
    score = rng.beta(1, 2, 4000)
    bad = (rows.c1 == 1) & (rows.c2 == 2) | (rows.c3 == 4) | (rows.c0 == 1) & (rows.c4 == 0)
    rows["y"] = (rng.random(4000) < np.where(bad, 1 - score, score)).astype(int)
    errors = (score - rows.y) ** 2
    theirs = Slicefinder(alpha=weight, k=8, max_l=depth, min_sup=minimum, verbose=False)
    theirs.fit(rows.drop(columns="y").to_numpy(), errors)

    names = [name for name in rows.columns if name != "y"]
    columns, passed_over = searched_columns(
        rows, names, edges={}, quantiles={}, bands=10, max_levels=100, as_given=False
    )
    counts = error_counts(rows, columns, label="y", score=score, error="brier", threshold=0.5)
    ours = weak_slices(counts, depth=depth, top=8, minimum=minimum, weight=weight)
    assert passed_over == ()
    assert len(ours.slices) == len(theirs.top_slices_) >= 4
    for one, cell, known in zip(ours.slices, theirs.top_slices_, theirs.top_slices_statistics_, strict=True):
        assert dict(one.slice) == {
            name: str(level) for name, level in zip(names, cell, strict=True) if level is not None
        }
        assert one.n == known["slice_size"]
        assert one.mean_error == pytest.approx(known["slice_average_error"], abs=1e-8)
        assert one.score == pytest.approx(known["slice_score"], abs=1e-7)
