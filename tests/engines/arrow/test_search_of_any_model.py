"""A search of a model of several classes, or of a regression: one exact error a row, and SliceLine's weak slices."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import log_loss, mean_absolute_error, mean_squared_error
from sliceline.slicefinder import Slicefinder

from mlflow_eval_plugin.engines.arrow.multiclass.errors import class_error_counts
from mlflow_eval_plugin.engines.arrow.multiclass.inputs import ClassScored
from mlflow_eval_plugin.engines.arrow.regression.errors import regression_error_counts
from mlflow_eval_plugin.engines.arrow.regression.inputs import predicted_rows
from mlflow_eval_plugin.engines.arrow.search import (
    CodedErrors,
    searched_columns,
)
from mlflow_eval_plugin.stats.slices.lattice import NO_CODES
from mlflow_eval_plugin.stats.slices.weak import weak_slices

NAMES = [f"c{i}" for i in range(6)]


def coded(n: int, seed: int) -> tuple[pd.DataFrame, Any]:
    rng = np.random.default_rng(seed)
    rows = pd.DataFrame({name: rng.integers(0, 2 + i % 4, n) for i, name in enumerate(NAMES)})
    columns, _ = searched_columns(rows, NAMES, edges={}, quantiles={}, bands=10, max_levels=100, as_given=False)
    return rows, columns


def mean_of(counts: CodedErrors) -> float:
    whole = counts.split((), NO_CODES).by(0)
    return float(whole.total.sum() / counts.one / whole.n.sum())


def classes(n: int, seed: int) -> ClassScored:
    rng = np.random.default_rng(seed)
    probability = rng.dirichlet([1.0, 0.7, 2.0, 0.4], n)
    probability[0] = [0.0, 0.0, 1.0, 0.0]
    label = np.array([rng.choice(4, p=p) for p in probability])
    label[0] = 3  # a label that was given no probability at all
    return ClassScored(("a", "b", "c", "d"), label, probability.argmax(axis=1), probability, None)


@pytest.mark.parametrize("error", ["log_loss", "brier", "wrong"])
def test_errors_of_classes_are_those_of_every_row(error: Any) -> None:
    n = 70_000  # more than a chunk
    _, columns = coded(n, 0)
    rows = classes(n, 1)
    probability, label = rows.probability, rows.label
    assert probability is not None
    # Brier (1950): the sum over classes, from 0 to 2.
    brier = ((probability - np.eye(4)[label]) ** 2).sum(axis=1)
    expected = {
        "log_loss": log_loss(label, probability, labels=range(4)),
        "brier": brier.mean(),
        "wrong": (rows.prediction != label).mean(),
    }[error]
    counts = class_error_counts(columns, rows, error)
    assert mean_of(counts) == pytest.approx(expected, abs=1e-9)
    largest = {"log_loss": -np.log(np.finfo(float).eps), "brier": brier.max(), "wrong": 1.0}[error]
    assert counts.spectrum.largest == pytest.approx(largest, abs=1e-8)


def test_predicted_classes_alone_are_right_or_wrong() -> None:
    _, columns = coded(500, 0)
    rows = classes(500, 2)
    hard = ClassScored(rows.classes, rows.label, rows.prediction, None, None)
    assert mean_of(class_error_counts(columns, hard, "wrong")) == (rows.prediction != rows.label).mean()


@pytest.mark.parametrize("unit", [1e-9, 1.0, 3e40])
def test_errors_of_a_regression_are_those_of_every_row_in_any_unit(unit: float) -> None:
    n = 70_000
    rows, columns = coded(n, 0)
    rng = np.random.default_rng(3)
    target = unit * rng.lognormal(0, 1.5, n)
    prediction = target + unit * rng.standard_t(3, n)
    predicted = predicted_rows(rows, target=target, prediction=prediction)
    for error, theirs in (("squared_error", mean_squared_error), ("absolute_error", mean_absolute_error)):
        counts = regression_error_counts(columns, predicted, error)
        assert mean_of(counts) == pytest.approx(theirs(target, prediction), rel=1e-6)
        errors = np.abs(target - prediction) ** (2 if error == "squared_error" else 1)
        assert counts.spectrum.square == pytest.approx((errors**2).sum(), rel=1e-6)
        assert counts.spectrum.largest == pytest.approx(errors.max(), rel=1e-8)


def test_a_regression_without_any_error_has_no_weak_slice() -> None:
    rows, columns = coded(400, 0)
    predicted = predicted_rows(rows, target=np.ones(400), prediction=np.ones(400))
    counts = regression_error_counts(columns, predicted, "squared_error")
    assert weak_slices(counts, depth=2, top=5, minimum=20, weight=0.95).slices == ()


def test_the_weak_slices_of_a_regression_are_those_of_sliceline_in_any_order() -> None:
    n = 4000
    rows, columns = coded(n, 5)
    rng = np.random.default_rng(6)
    target = rng.normal(50, 10, n)
    bad = (rows.c1 == 1) & (rows.c2 == 2) | (rows.c3 == 4)
    prediction = target + rng.normal(0, np.where(bad, 9.0, 3.0))
    errors = (target - prediction) ** 2
    theirs = Slicefinder(alpha=0.95, k=5, max_l=2, min_sup=60, verbose=False)
    theirs.fit(rows.to_numpy(), errors)

    found = []
    for order in (np.arange(n), rng.permutation(n)):
        part = rows.iloc[order].reset_index(drop=True)
        columns, _ = searched_columns(part, NAMES, edges={}, quantiles={}, bands=10, max_levels=100, as_given=False)
        predicted = predicted_rows(part, target=target[order], prediction=prediction[order])
        counts = regression_error_counts(columns, predicted, "squared_error")
        found.append(weak_slices(counts, depth=2, top=5, minimum=60, weight=0.95))
    assert found[0] == found[1]
    assert len(found[0].slices) == len(theirs.top_slices_) == 5
    for one, cell, known in zip(found[0].slices, theirs.top_slices_, theirs.top_slices_statistics_, strict=True):
        assert dict(one.slice) == {
            name: str(level) for name, level in zip(NAMES, cell, strict=True) if level is not None
        }
        assert one.n == known["slice_size"]
        assert one.mean_error == pytest.approx(known["slice_average_error"], rel=1e-6)
        assert one.score == pytest.approx(known["slice_score"], abs=1e-6)
    assert found[0].slices[0].label in ("c3=4", "c1=1 & c2=2")
    assert found[0].slices[0].p_adjusted < 1e-9
