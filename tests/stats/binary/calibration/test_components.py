"""CORP components and their bootstrap: model-diagnostics' numbers for the same rows drawn by hand, limits by hand."""

import numpy as np
import pandas as pd
import polars
import pytest
from model_diagnostics.scoring import LogLoss, SquaredError, decompose

from mlflow_eval_plugin.engines.arrow import score_summary
from mlflow_eval_plugin.stats.binary.calibration.components import NAMES, Components, ReplicatedQuantity, components
from mlflow_eval_plugin.stats.binary.summary import FINE_BINS


def _decomposed(rows, weight):
    """The six components in the order of NAMES."""
    kept = rows[weight > 0]
    found = []
    for scoring in (SquaredError(), LogLoss()):
        frame = decompose(kept.y, kept.s, weights=weight[weight > 0], scoring_function=scoring)
        one = polars.DataFrame(frame).row(0, named=True)
        found += [one["miscalibration"], one["discrimination"], one["uncertainty"]]
    return found


@pytest.mark.parametrize("weight", [None, "w"])
def test_replicates_are_the_components_of_rows_drawn_poisson_times(weight):
    # Sixteen scores in bins of their own, of one to seven rows each, with weights from 1 to 4.
    rng = np.random.default_rng(2)
    rows = pd.DataFrame({"bin": np.sort(rng.choice(FINE_BINS, 16, replace=False)).repeat([1, 7] * 8)})
    rows["s"] = (rows.bin + 0.5) / FINE_BINS
    rows["y"] = (rng.random(64) < rows.s).astype(int)
    rows["w"] = rng.integers(1, 5, 64).astype(float)
    # The first and the last are right beyond doubt.
    rows.loc[0, ["bin", "s", "y"]] = 0, 0.0, 0
    rows.loc[rows.bin == rows.bin.max(), ["s", "y"]] = 1.0, 1
    w = np.ones(64) if weight is None else rows.w
    made = components(score_summary(rows, label="y", score="s", weight=weight), 3, seed=7)
    assert made.n == 64
    assert made.value == pytest.approx(_decomposed(rows, w), abs=1e-8)
    assert made.coarse == pytest.approx(made.value, abs=1e-12)
    assert made.bound[2] == made.bound[5] == 0
    # A cell is as many draws as its weights are worth: (sum w)**2 / sum w**2, which is its rows where all count alike.
    cell = [np.unique(rows.bin, return_inverse=True)[1], rows.y]
    effective = np.zeros((16, 2))
    for at, of in pd.DataFrame({"w": w, "ww": w**2}).groupby(cell).sum().iterrows():
        effective[at] = of.w**2 / of.ww
    first, second = np.random.default_rng(7).spawn(2)
    for found, generator in zip(made.replicates, (first, first, second), strict=True):
        share = generator.poisson(effective) / np.where(effective > 0, effective, np.nan)
        assert found == pytest.approx(_decomposed(rows, w * share[tuple(cell)]), abs=1e-8)


def test_a_replicate_without_a_row_is_left_out():
    two_rows = score_summary(pd.DataFrame({"s": [0.3, 0.3], "y": [0, 1]}), label="y", score="s")
    drawn = [generator.poisson([1.0, 1.0]) for generator in np.random.default_rng(0).spawn(2) for _ in range(20)]
    rate = np.array([positive / (negative + positive) for negative, positive in drawn if negative + positive])
    made = components(two_rows, 40, seed=0)
    assert len(made.replicates) == len(rate) < 40
    # With one score for all, miscalibration is (s - rate)**2, uncertainty rate (1 - rate).
    expected = np.stack([(0.3 - rate) ** 2, 0 * rate, rate * (1 - rate)], axis=1)
    assert made.replicates[:, :3] == pytest.approx(expected, abs=1e-9)
    assert components(two_rows, 0, seed=0).replicates.shape == (0, 6)


def test_limits_are_normal_less_the_bias_that_replicates_show():
    made = ReplicatedQuantity(
        value=np.array([0.3, 0.02, 0.3]), deviation=np.array([0.05, 0.05, 0.0]), bias=np.array([0.04, -0.02, -0.02]),
        bound=np.array([0.01, 0.02, 0.03]), n=np.array([50, 60, 70]), reason="none",
    )  # fmt: skip
    # The normal quantile of .975 is 1.959964. A bias that is negative is not put on top.
    for exact in (False, True):
        lower, upper = made.limits(0.025, exact=exact)
        assert lower == pytest.approx([0.3 - 0.04 - 0.0979982, 0, 0.3], abs=1e-7)
        assert upper == pytest.approx([0.3979982, 0.1179982, 0.3], abs=1e-7)
    # Beyond a half the limits stay where they are at a half.
    lower, upper = made.limits(0.9, exact=False)
    assert lower == pytest.approx([0.26, 0.02, 0.3]) and upper == pytest.approx([0.3, 0.02, 0.3])
    taken = made.take(np.array([2, 0]))
    assert (taken.value.tolist(), taken.deviation.tolist(), taken.bias.tolist()) == (
        [0.3, 0.3],
        [0, 0.05],
        [-0.02, 0.04],
    )
    assert (taken.bound.tolist(), taken.n.tolist(), taken.reason) == ([0.03, 0.01], [70, 50], "none")


def test_a_component_takes_its_own_column():
    # Replicates of brier_dsc: 1, 2, 6, of mean 3 and variance ((-2)**2 + 1 + 9) / 2 = 7; on the coarse grid it is 2.5.
    replicates = np.zeros((3, 6))
    replicates[:, 1] = [1, 2, 6]
    coarse, bound = np.full(6, 9.0), np.arange(6.0)
    coarse[1] = 2.5
    found = Components(np.arange(6.0) * 10, coarse, bound, replicates, 12).quantity(NAMES[1])
    assert (found.value.tolist(), found.bound.tolist(), found.n.tolist()) == ([10], [1], [12])
    assert (found.bias.tolist(), found.deviation) == ([0.5], pytest.approx([7**0.5]))
