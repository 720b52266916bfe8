"""Whatever the rows, no interval leaves the range of its metric, and the value is in it."""

from __future__ import annotations

import math
from dataclasses import asdict

import numpy as np
import pandas as pd
import pytest

from mlflow_eval_plugin.engines.arrow import (
    paired_rows,
    paired_summary,
    placement_summary,
    score_summary,
    slice_summary,
)
from mlflow_eval_plugin.engines.arrow.multiclass.inputs import ClassScored
from mlflow_eval_plugin.engines.arrow.multiclass.slices import multiclass_summary
from mlflow_eval_plugin.engines.slicing import Slicing
from mlflow_eval_plugin.stats.binary.calibration.changes import changes
from mlflow_eval_plugin.stats.binary.calibration.report import CALIBRATION_METRICS, calibrate, calibration_bounds
from mlflow_eval_plugin.stats.binary.comparison import PairedTable, compare
from mlflow_eval_plugin.stats.binary.disaggregated import disaggregate, gap_bounds, metric_bounds
from mlflow_eval_plugin.stats.binary.metrics import METRICS
from mlflow_eval_plugin.stats.binary.table import SliceTable
from mlflow_eval_plugin.stats.counts import ranks
from mlflow_eval_plugin.stats.inference.estimate import estimates
from mlflow_eval_plugin.stats.multiclass.metrics import CLASSWISE, MULTICLASS_METRICS, MulticlassTable
from mlflow_eval_plugin.stats.paired.differences import change_bounds

UNIT, ANY, ABOVE = (0.0, 1.0), (-math.inf, math.inf), (0.0, math.inf)
RANGES = {
    "calibration_slope": ANY,
    "calibration_intercept": ANY,
    "log_loss": ABOVE,
    "log_loss_mcb": ABOVE,
    "log_loss_dsc": (0.0, math.log(2)),
    "log_loss_unc": (0.0, math.log(2)),
    "brier_dsc": (0.0, 0.25),
    "brier_unc": (0.0, 0.25),
    "calibration_in_the_large": (-1.0, 1.0),
}
LEVELS = (0.4, 0.05, 1e-4, 1e-9)


def _range(name, *, change=False, paired=False, unit=UNIT):
    least, most = RANGES.get(name, unit)
    if paired and name == "calibration_in_the_large":  # of the same labels: a difference of mean scores
        return -1.0, 1.0
    return (least - most, most - least) if change else (least, most)


def _in_range(name, made, **kind):
    least, most = ABOVE if kind.get("ratio") else _range(name, **kind)
    if made.interval is not None:
        low, high = made.interval
        assert least <= low <= made.value + 1e-12 and made.value - 1e-12 <= high <= most, (name, made)


def _limits_in_range(name, bounds, **kind):
    least, most = _range(name, **kind)
    for alpha in LEVELS:
        low, high = bounds.lower(alpha), bounds.upper(alpha)
        assert math.isnan(low) or least <= low <= high <= most, (name, alpha, low, high)


def _rows(kind: str, n: int = 40) -> pd.DataFrame:
    rng = np.random.default_rng(len(kind))
    y, g = rng.integers(0, 2, n), rng.integers(0, 3, n)
    a, b = {
        "random": (rng.random(n), rng.random(n)),
        "perfect": (y * 1.0, 1.0 - y),
        "crowded": (10.0 ** -rng.uniform(5, 9, n), 1 - 10.0 ** -rng.uniform(5, 9, n)),
        "tied": (np.round(rng.random(n), 1), np.full(n, 0.5)),
        "one event": (rng.random(n) / 50, rng.random(n)),
        "separated": (0.4 + 0.2 * y + 0.1 * rng.random(n), 0.5 + 0.01 * y),
    }[kind]
    y = (np.arange(n) == 3).astype(int) if kind == "one event" else y
    return pd.DataFrame({"y": y, "a": a, "b": b, "g": g, "w": rng.integers(1, 9, n) / 2})


KINDS = ("random", "perfect", "crowded", "tied", "one event", "separated")


@pytest.mark.parametrize("exact", [True, False])
@pytest.mark.parametrize("weight", [None, "w"])
@pytest.mark.parametrize("kind", KINDS)
def test_of_slices_and_gaps(kind, weight, exact, monkeypatch):
    monkeypatch.setattr(ranks, "EXACT_ROWS", 10**9 if exact else 1)
    monkeypatch.setattr(ranks, "FEW_SLICES", 0)
    monkeypatch.setattr(ranks, "SOME_SLICES", 0)
    table = SliceTable(slice_summary(_rows(kind), label="y", score="a", slicing=Slicing(["g"]), weight=weight))
    report = disaggregate(table, minimum_count=1, gap_metrics=METRICS)
    for one in (report.overall, *report.slices):
        for name, made in vars(one.metrics).items():
            _in_range(name, made)
    for one in report.gaps:
        _in_range(one.metric, one.difference, change=True)
        # What is 0 on average has no ratio.
        if one.metric != "calibration_in_the_large":
            _in_range(one.metric, one.ratio, ratio=True)
    for name in METRICS:
        _limits_in_range(name, metric_bounds(table, name, "g=1"))
        for versus in ("best", "complement", "overall"):
            _limits_in_range(name, gap_bounds(table, name, "g=1", versus, minimum_count=1), change=True)


@pytest.mark.parametrize("weight", [None, "w"])
@pytest.mark.parametrize("kind", KINDS)
def test_of_calibration_and_its_changes(kind, weight):
    rows = _rows(kind)
    first, second = (score_summary(rows, label="y", score=name, weight=weight) for name in ("a", "b"))
    for name, made in vars(calibrate(first, replicates=30).metrics).items():
        _in_range(name, made)
    for name in CALIBRATION_METRICS:
        _limits_in_range(name, calibration_bounds(first, name, replicates=30))
    for name, made in changes(first, second).items():
        _in_range(name, made, change=True)


@pytest.mark.parametrize("weight", [None, "w"])
@pytest.mark.parametrize("kind", KINDS)
def test_of_comparisons(kind, weight):
    pairs = paired_rows(
        _rows(kind), label="y", champion="a", challenger="b", slicing=Slicing(["g"], depth=1), weight=weight
    )
    summary = paired_summary(pairs)
    table = PairedTable(summary, placement_summary(pairs, summary))
    report = compare(table)
    for one in (report.overall, *report.slices):
        for name, made in one.metrics.items():
            _in_range(name, made.difference, change=True, paired=True)
    for name in table.metrics:
        for label in ("overall", "g=1"):
            _limits_in_range(name, change_bounds(table, name, label), change=True, paired=True)


@pytest.mark.parametrize("weighted", [False, True])
def test_of_three_classes(weighted):
    rng = np.random.default_rng(3)
    n = 50
    probability = rng.dirichlet(np.full(3, 0.05), n)
    weight = rng.integers(1, 9, n) / 2 if weighted else None
    rows = ClassScored(("a", "b", "c"), rng.integers(0, 3, n), probability.argmax(axis=1), probability, weight)
    table = MulticlassTable(
        multiclass_summary(pd.DataFrame({"g": np.arange(n) % 3}), rows, slicing=Slicing(["g"], depth=1))
    )
    for name in (*MULTICLASS_METRICS, *(f"{name}[{one}]" for name in CLASSWISE for one in "abc")):
        unit = (0.0, 2.0) if name == "brier" else UNIT
        for made in estimates(table.metric(name)):
            _in_range(name, made, unit=unit)
    assert asdict(estimates(table.metric("auc[a]"))[0])["bound"] == 0
