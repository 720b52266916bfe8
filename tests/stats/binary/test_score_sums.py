"""Sums of functions of the score by slice, against sums over the rows of the slice and over all others."""

import numpy as np
import pandas as pd
import pytest

from mlflow_eval_plugin.engines.arrow import slice_summary
from mlflow_eval_plugin.engines.slicing import Slicing
from mlflow_eval_plugin.stats.binary.table import SliceTable
from mlflow_eval_plugin.stats.counts import ranks as module


@pytest.fixture(scope="module")
def rows() -> pd.DataFrame:
    rng = np.random.default_rng(0)
    score = np.r_[rng.random(4990), np.zeros(5), np.ones(5)]
    label = (rng.random(5000) < score).astype(int)
    return pd.DataFrame({"s": score, "y": label, "g": rng.choice(list("abc"), 5000), "w": rng.integers(1, 5, 5000)})


def _by_hand(rows: pd.DataFrame, weight: str | None) -> dict[str, float]:
    s, w = rows.s.to_numpy(), np.ones(len(rows)) if weight is None else rows[weight].to_numpy(dtype=float)
    spread = s * (1 - s)
    with np.errstate(divide="ignore", invalid="ignore"):
        losses = np.stack([-np.log(s), -np.log1p(-s)])
        chances = np.stack([s, 1 - s])
        loss, loss_square = (np.nan_to_num(chances * losses**power).sum(axis=0) for power in (1, 2))
    return {
        "loss": (w * loss).sum(),
        "loss_square": (w * loss_square).sum(),
        "spread": (w * spread).sum(),
        "spread_square": (w * spread**2).sum(),
        "curved": (w * (1 - 2 * s) ** 2 * spread).sum(),
        "fourth_power": (w * (s - rows.y) ** 4).sum(),
    }


@pytest.mark.parametrize("weight", [None, "w"])
@pytest.mark.parametrize(("most", "within"), [(module.EXACT_ROWS, 1e-12), (1000, 1e-6)])
def test_sums_are_those_of_the_rows_and_of_all_others(rows, monkeypatch, weight, most, within):
    monkeypatch.setattr(module, "EXACT_ROWS", most)
    table = SliceTable(slice_summary(rows, label="y", score="s", slicing=Slicing(["g"], depth=1), weight=weight))
    for complement in (False, True):
        sums = table.part(complement=complement).by_score
        for i, one in enumerate(table.slices):
            inside = np.ones(len(rows), bool) if one.label == "overall" else (rows.g == one.label[2:]).to_numpy()
            part = rows[~inside if complement else inside]
            for name, expected in _by_hand(part, weight).items():
                assert getattr(sums, name)[i] == pytest.approx(expected, rel=within, abs=1e-9), (name, one.label)
            member = np.minimum((part.s * 15).astype(int), 14)
            w = np.ones(len(part)) if weight is None else part.w
            by_bin = np.bincount(member, w * part.s * (1 - part.s), 15)
            assert sums.spread_by_ece_bin[i].sum() == pytest.approx(by_bin.sum(), rel=within, abs=1e-9)
            if most > 1000:
                assert sums.spread_by_ece_bin[i] == pytest.approx(by_bin, rel=1e-9, abs=1e-9)


def test_no_rest_is_negative_where_a_slice_has_all_rows(rows):
    table = SliceTable(slice_summary(rows.assign(g="a"), label="y", score="s", slicing=Slicing(["g"], depth=1)))
    sums = table.part(complement=True).by_score
    assert (sums.loss == 0).all() and (sums.fourth_power == 0).all() and (sums.spread_by_ece_bin == 0).all()
