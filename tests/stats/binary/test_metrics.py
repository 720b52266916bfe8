"""What the metrics of slices are made of, against sums over rows."""

import numpy as np
import pandas as pd
import pytest

from mlflow_eval_plugin.engines.arrow import slice_summary
from mlflow_eval_plugin.engines.slicing import Slicing
from mlflow_eval_plugin.stats.binary.metrics import calibration_error, gap_variance, quantity, slice_part
from mlflow_eval_plugin.stats.binary.table import SliceTable
from mlflow_eval_plugin.stats.inference.means import kish


@pytest.fixture(scope="module")
def rows() -> pd.DataFrame:
    rng = np.random.default_rng(0)
    score = rng.random(5000)
    label = (rng.random(5000) < score**1.3).astype(int)
    return pd.DataFrame({"s": score, "y": label, "g": rng.choice(list("ab"), 5000), "w": rng.integers(1, 5, 5000)})


def _table(rows, weight):
    return SliceTable(slice_summary(rows, label="y", score="s", slicing=Slicing(["g"], depth=1), weight=weight))


def _parts(table, rows):
    for i, one in enumerate(table.slices):
        yield i, rows if one.label == "overall" else rows[rows.g == one.label[2:]]


def test_effective_rows_by_hand():
    # (1 + 1 + 2)**2 / (1 + 1 + 4) = 16 / 6; nothing has none.
    assert kish(np.array([4.0, 0.0, 0.3]), np.array([6.0, 0.0, 0.09])) == pytest.approx([16 / 6, 0, 1])


@pytest.mark.parametrize("weight", [None, "w"])
def test_an_area_has_the_effective_rows_of_the_fewer_class(rows, weight):
    table = _table(rows, weight)
    for i, part in _parts(table, rows):
        w = np.ones(len(part)) if weight is None else part.w
        effective = [w[part.y == label].sum() ** 2 / (w[part.y == label] ** 2).sum() for label in (0, 1)]
        assert table.metric("auc").df[i] == pytest.approx(min(effective) - 1)


@pytest.mark.parametrize("weight", [None, "w"])
def test_calibration_errors_of_slices_are_those_of_their_rows(rows, weight):
    table = _table(rows, weight)
    total, largest, debiased = (
        calibration_error(table.part(), kind) for kind in ("sum", "maximum", "root_mean_square")
    )
    for i, part in _parts(table, rows):
        w = (np.ones(len(part)) if weight is None else part.w).astype(float)
        member = np.minimum((part.s * 15).astype(int), 14)
        by_bin = pd.DataFrame({
            "w": w, "y": w * part.y, "gap": w * (part.s - part.y), "spread": w * part.s * (1 - part.s),
        }).groupby(member).sum()  # fmt: skip
        gap, share, rate = by_bin.gap / by_bin.w, by_bin.w / w.sum(), by_bin.y / by_bin.w
        assert total.value[i] == pytest.approx((share * gap.abs()).sum(), abs=1e-9)
        assert largest.value[i] == pytest.approx(gap.abs().max(), abs=1e-9)
        inflation = (w**2).sum() / w.sum()
        bias = (share * rate * (1 - rate) / (by_bin.w / inflation - 1)).sum()
        assert debiased.value[i] == pytest.approx(np.sqrt((share * gap**2).sum() - bias), abs=1e-9)
        # The variance of a bin's sum of labels: that of calibrated scores, or that of its event rate where larger.
        variance = np.maximum(by_bin.spread, by_bin.w * rate * (1 - rate)) * inflation
        assert total.deviation[i] == pytest.approx(np.sqrt(variance) / w.sum(), rel=5e-4)


def test_the_variance_of_a_bin_by_hand():
    # Ten rows with five events vary by 10 * .25; without an event, or with events alone, as their scores say.
    found = gap_variance(np.array([10.0, 10, 10, 0.5, 0]), np.array([5.0, 0, 10, 0.25, 0]), np.array([1.0, 1, 1, 0, 0]))
    assert found == pytest.approx([2.5, 1, 1, 0.125, 0])


def test_weights_inflate_variances_by_their_mean_over_themselves():
    # (1 + 4) / (1 + 2) of the weights 1 and 2, here in units of 1 / 16; a slice without weight is not inflated.
    rows = pd.DataFrame({"s": [0.1, 0.9, 0.2], "y": [0, 1, 0], "g": list("aab"), "w": [1 / 16, 2 / 16, 0.0]})
    assert _table(rows, "w").part().inflation == pytest.approx([5 / 48, 5 / 48, 1])


def test_more_slices_than_fit_a_block_are_those_of_each(rows):
    many = rows.assign(g=np.arange(len(rows)) % 70)
    summary = slice_summary(many, label="y", score="s", slicing=Slicing(["g"], depth=1, max_levels=70))
    everything, last = np.arange(len(summary.slices)), np.array([len(summary.slices) - 1])
    for metric in ("ece", "brier", "auc"):
        together, alone = (quantity(slice_part(summary, index), metric) for index in (everything, last))
        assert together.value[-1] == alone.value[0]
        assert [side[-1] for side in together.limits(0.05, exact=True)] == [
            side[0] for side in alone.limits(0.05, exact=True)
        ]
