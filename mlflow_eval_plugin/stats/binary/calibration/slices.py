"""Calibration of every slice, from a ``SliceTable``: a model may be calibrated on the whole and on no part of it.

    slice_calibrations(table, labels) -> tuple[SliceCalibration, ...]        what a report shows
    slice_calibration_bounds(table, metric, label) -> QuantityBounds         one metric of one slice, for a Check

That all of many slices keep to one tolerance is multicalibration (Hébert-Johnson et al. 2018), as far as data can tell.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import special

from mlflow_eval_plugin.stats.binary.calibration.hypotheses import SpiegelhalterTest
from mlflow_eval_plugin.stats.binary.calibration.slope import cells_of_ranked, intercept, slope
from mlflow_eval_plugin.stats.binary.metrics import SlicePart, calibration_error, quantity, slice_part
from mlflow_eval_plugin.stats.binary.table import SliceTable
from mlflow_eval_plugin.stats.errors import InputError
from mlflow_eval_plugin.stats.inference.estimate import Estimate, Quantity, QuantityBounds, bounds_at, estimates


@dataclass(frozen=True)
class SliceCalibrationMetrics:
    """One estimate a metric: calibration errors on 15 equal-width bins; slope and intercept see ``slope``."""

    ece: Estimate
    ece_debiased: Estimate
    calibration_in_the_large: Estimate
    brier: Estimate
    log_loss: Estimate
    calibration_slope: Estimate
    calibration_intercept: Estimate


METRICS = tuple(SliceCalibrationMetrics.__dataclass_fields__)


@dataclass(frozen=True)
class SliceCalibration:
    """One slice: its rows, its weight and that of its events, its metrics, and Spiegelhalter's test."""

    label: str
    slice: tuple[tuple[str, str], ...]
    query: str | None
    n: int
    weight: float
    positives: float
    metrics: SliceCalibrationMetrics
    spiegelhalter: SpiegelhalterTest


def slice_calibrations(table: SliceTable, labels: Sequence[str]) -> tuple[SliceCalibration, ...]:
    """The calibration of some slices, with pointwise 95 % intervals, in the order of the labels.

    Raises:
        KeyError: for a slice there is none of.
    """
    index = [table.summary.index(label) for label in labels]
    part = slice_part(table.summary, np.array(index, dtype=np.intp))
    columns = {name: estimates(_quantity(part, name)) for name in METRICS}
    tests = _spiegelhalter(part)
    return tuple(
        SliceCalibration(
            label=label,
            slice=table.summary.slices[at].levels,
            query=table.summary.slices[at].query,
            n=int(part.n[i]),
            weight=float(part.weight[i]),
            positives=float(part.cells[i, 1].sum()),
            metrics=SliceCalibrationMetrics(**{name: columns[name][i] for name in METRICS}),
            spiegelhalter=tests[i],
        )
        for i, (label, at) in enumerate(zip(labels, index, strict=True))
    )


def slice_calibration_bounds(table: SliceTable, metric: str, label: str) -> QuantityBounds:
    """A metric of one slice, for a Check.

    Raises:
        InputError: for a metric there is none of.
        KeyError: for a slice there is none of.
    """
    if metric not in METRICS:
        raise InputError(f"metric: there is no {metric!r}; expected one of {', '.join(METRICS)}")
    part = slice_part(table.summary, np.array([table.summary.index(label)]))
    return bounds_at(_quantity(part, metric), 0)


def _quantity(part: SlicePart, metric: str) -> Quantity:
    if metric == "ece_debiased":
        return calibration_error(part, "root_mean_square")
    if metric in ("calibration_slope", "calibration_intercept"):
        inflation = part.inflation.tolist()
        cells = [
            cells_of_ranked(one, part.by_score.unit, more) for one, more in zip(part.ranked(), inflation, strict=True)
        ]
        return (slope if metric == "calibration_slope" else intercept)(cells, part.n)
    return quantity(part, metric)


def _spiegelhalter(part: SlicePart) -> list[SpiegelhalterTest]:
    """Spiegelhalter's z: sum w (y - s)(1 - 2 s), which is that of squared errors less that of s (1 - s)."""
    events, score = part.cells[:, 1].sum(axis=1), part.score.sum(axis=1)
    square = part.square_error - events + 2 * score[:, 1]
    numerator = part.square_error - (score.sum(axis=1) - square)
    variance = part.by_score.curved * part.inflation
    return [_test(*one) for one in zip(numerator.tolist(), variance.tolist(), strict=True)]


def _test(numerator: float, variance: float) -> SpiegelhalterTest:
    if variance <= 0:
        return SpiegelhalterTest(None, None)
    z = numerator / math.sqrt(variance)
    return SpiegelhalterTest(z, float(2 * special.ndtr(-abs(z))))
