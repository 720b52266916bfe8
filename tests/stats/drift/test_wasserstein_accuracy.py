"""How exact the Wasserstein distance is: to rounding for a shift, and within its bound where the functions cross."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from mlflow_eval_plugin.engines.arrow import drift_binning, drift_summary
from mlflow_eval_plugin.stats.drift.report import compare

RNG = np.random.default_rng(12)
Z, Z2 = RNG.normal(size=(2, 20_000))
CASES = {
    "shift": (Z, Z2 + 1, True),
    "few values": (np.round(2 * Z), np.round(2 * Z2 + 0.3), True),
    "same": (Z, Z2, False),
    "wider": (Z, 1.1 * Z2, False),
    "same, few rows": (Z[:1000], Z2[:1000], False),
    "lognormal": (np.exp(Z), np.exp(Z2), False),
    "long tails": (Z / np.abs(RNG.normal(size=20_000)), Z2 / np.abs(RNG.normal(size=20_000)), False),
}


@pytest.mark.parametrize("case", sorted(CASES))
def test_it_is_that_of_scipy_within_its_bound(case: str) -> None:
    before, after, exactly = CASES[case]
    reference = drift_binning(pd.DataFrame({"x": before}))
    found: Any = compare(reference, drift_summary(pd.DataFrame({"x": after}), like=reference)).columns[0]
    sigma = reference.columns[0].spread
    low, high = (np.median(before) + side * 5 * sigma for side in (-1, 1))
    exact = stats.wasserstein_distance(before.clip(low, high), after.clip(low, high)) / sigma
    error = abs(found.metrics.wasserstein.value - exact)
    assert error <= found.metrics.wasserstein.bound + 1e-6
    assert error <= (1e-6 if exactly else 3e-4)
    assert found.metrics.wasserstein.bound <= 2e-3
