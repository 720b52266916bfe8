"""Rows drawn by what they hold, and what principal components say of them, against scikit-learn."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from sklearn.decomposition import PCA
from sklearn.preprocessing import StandardScaler
from support.multivariate.simulating import compared, rows

from mlflow_eval_plugin.engines.arrow.multivariate import drawing
from mlflow_eval_plugin.engines.arrow.multivariate.components import axes_shift, reconstruction
from mlflow_eval_plugin.engines.arrow.multivariate.drawing import both, drawn


@pytest.fixture
def few(monkeypatch: pytest.MonkeyPatch) -> int:
    """Draw few rows."""
    monkeypatch.setattr(drawing, "DRAWN_ROWS", 256)
    return 256


def parts(frame: pd.DataFrame, seed: int) -> drawing.Drawn:
    """The same rows in another order, in parts."""
    mixed = frame.sample(frac=1, random_state=seed).reset_index(drop=True)
    first, *others = [drawn(mixed.iloc[at::7].reset_index(drop=True), list(frame.columns)) for at in range(7)]
    for one in others:
        first = first + one
    return first


@pytest.mark.parametrize("repeated", [0, 500, 2_900])
def test_neither_order_nor_parts_change_what_is_drawn(few: int, repeated: int) -> None:
    frame = rows(1, 0.3, 3_000, 3)
    frame["g"] = np.array(list("abc"))[np.arange(3_000) % 3]
    frame.iloc[:repeated] = frame.iloc[0].tolist()
    whole = drawn(frame, list(frame.columns))
    for seed in range(3):
        one = parts(frame, seed)
        assert one.total == whole.total == 3_000
        assert (one.digests == whole.digests).all() and (one.times == whole.times).all()
        pd.testing.assert_frame_equal(one.below(one.ceiling), whole.below(whole.ceiling))
    assert len(whole.below(whole.ceiling)) <= few


def test_what_is_drawn_is_a_fair_sample(few: int) -> None:
    frame = rows(2, 0.0, 50_000, 2)
    found = drawn(frame, list(frame.columns)).below(2**64 - 1)
    assert len(found) == few
    assert np.abs(found.mean()).max() < 4 / np.sqrt(few)


def test_a_row_that_comes_often_is_on_both_sides_or_on_neither(few: int) -> None:
    """One row in five is the same one, among many others; the sides are of unlike size."""
    for seed in range(6):
        sides = []
        for at, n in ((0, 20_000), (1, 3_000)):
            frame = rows(10 * seed + at, 0.0, n, 2)
            frame.iloc[: n // 5] = [seed, seed]
            sides.append(drawn(frame, list(frame.columns)))
        shares = [float((one.x0 == seed).mean()) for one in both(*sides)]
        assert (shares[0] == 0) == (shares[1] == 0)


def test_two_columns_of_few_values_are_told_apart_by_how_they_go_together() -> None:
    rng = np.random.default_rng(1)
    before = pd.DataFrame({"a": rng.integers(0, 2, 4_000), "b": rng.integers(0, 2, 4_000)})
    after = before.assign(b=np.where(rng.random(4_000) < 0.5, before.a, before.b))
    assert compared(before, after).auc.value[0] > 0.6
    assert abs(compared(before, before).auc.value[0] - 0.5) < 0.03


def test_single_precision_on_one_side_tells_nothing_apart() -> None:
    values = np.random.default_rng(1).choice(np.linspace(0, 1, 11), (2, 2_000))
    before, after = pd.DataFrame({"a": values[0]}), pd.DataFrame({"a": values[1].astype(np.float32)})
    assert abs(compared(before, after).auc.value[0] - 0.5) < 0.04


def test_reconstruction_is_that_of_scikit_learn() -> None:
    before, after = rows(1, 0.9, 1_000, 6).to_numpy(), rows(2, 0.0, 500, 6).to_numpy()
    found = reconstruction(before, after)
    assert found is not None
    scaler = StandardScaler().fit(before[::2])
    components = PCA(0.65, svd_solver="full").fit(scaler.transform(before[::2]))
    means = []
    for side in (before[1::2], after):
        scaled = scaler.transform(side)
        lost = scaled - components.inverse_transform(components.transform(scaled))
        means.append(np.sqrt((lost**2).sum(axis=1)).mean())
    assert found.components == components.n_components_
    assert (found.reference, found.current) == pytest.approx(tuple(means), rel=1e-9)
    # The correlation that is gone is what the components rely on.
    assert found.change.limits(0.001, exact=True)[0][0] > 0.1


def test_vectors_are_turned_to_their_own_axes() -> None:
    rng = np.random.default_rng(3)
    turn, _ = np.linalg.qr(rng.normal(size=(5, 5)))
    spreads = np.array([5, 3, 2, 1, 0.5])
    before, after = (rng.normal(size=(4_000, 5)) * spreads for _ in range(2))
    after[:, 2] += 2 * 0.3
    found = axes_shift(before @ turn, after @ turn)
    # 0.3 standard deviations along the third axis; the last two hold less than 5 % of the variance.
    assert found.shifts.shape == (1, 3)
    assert found.value[0] == pytest.approx(0.3, abs=0.06)
