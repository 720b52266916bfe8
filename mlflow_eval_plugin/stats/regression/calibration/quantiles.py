"""Calibration of predicted quantiles and intervals: how many targets are below, and inside, against what is claimed."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mlflow_eval_plugin.stats.inference.estimate import Estimate, QuantityBounds, bounds_at, estimates
from mlflow_eval_plugin.stats.inference.quantities import ProportionQuantity
from mlflow_eval_plugin.stats.inference.skewed_means import Monotone
from mlflow_eval_plugin.stats.inference.sparse_tables import p_value
from mlflow_eval_plugin.stats.regression.metrics import Moments
from mlflow_eval_plugin.stats.regression.names import level_text
from mlflow_eval_plugin.stats.regression.summary import MomentSummary

ALL = np.array([0])


@dataclass(frozen=True)
class QuantileReport:
    """One quantile: the share of targets at or below it, which should be the level, and its mean pinball loss."""

    level: float
    coverage: Estimate
    pinball: Estimate


@dataclass(frozen=True)
class IntervalReport:
    """One interval: the share of targets inside, ends included; its mean width; its mean interval score."""

    name: str
    level: float
    coverage: Estimate
    width: Estimate
    score: Estimate


@dataclass(frozen=True)
class Pit:
    """The share of rows between consecutive quantiles, below the first and above the last, against what levels claim.

    Attributes:
        levels: 0, the quantile levels, 1.
        chi_squared, p_value: Pearson's test of all shares, with Kish's effective rows under weights; no p-value where
            too few rows are expected between some quantiles.
    """

    levels: tuple[float, ...]
    share: tuple[float, ...]
    expected: tuple[float, ...]
    chi_squared: float
    degrees_of_freedom: int
    p_value: float | None


@dataclass(frozen=True)
class QuantileCalibration:
    """Quantiles and intervals; ``crossing`` is the share of rows in which a higher quantile is below a lower one."""

    quantiles: tuple[QuantileReport, ...]
    intervals: tuple[IntervalReport, ...]
    pit: Pit | None
    crossing: Estimate | None


def calibrate_quantiles(moments: MomentSummary) -> QuantileCalibration:
    """The report of one data set; only the slice "overall" counts."""
    overall = Moments(moments)

    def of(metric: str) -> Estimate:
        return estimates(overall.quantity(metric).take(ALL))[0]

    names = [level_text(level) for level in moments.levels]
    return QuantileCalibration(
        quantiles=tuple(
            QuantileReport(level, of(f"coverage_{name}"), of(f"pinball_{name}"))
            for level, name in zip(moments.levels, names, strict=True)
        ),
        intervals=tuple(
            IntervalReport(
                one.name, one.level, *(of(f"{kind}_{one.name}") for kind in ("coverage", "width", "interval_score"))
            )
            for one in moments.bands
        ),
        pit=_pit(overall) if names else None,
        crossing=estimates(overall.share("crossing").take(ALL))[0] if names else None,
    )


def coverage_bounds(moments: MomentSummary, name: str, level: float) -> QuantityBounds:
    """Coverage less level of a quantile, by its level as text, or of an interval, by its name; for a Check."""
    share = Moments(moments).quantity(f"coverage_{name}")
    return bounds_at(Monotone(share, lambda value: value - level), 0)


def _pit(overall: Moments) -> Pit:
    levels = np.array([0.0, *overall.summary.levels, 1.0])
    shares = [overall.share(f"pit:{k}") for k in range(len(levels) - 1)]
    share, expected = np.array([_first(one) for one in shares]), np.diff(levels)
    chi_squared = float(overall.effective[0] * ((share - expected) ** 2 / expected).sum())
    degrees = len(expected) - 1
    chance = p_value(chi_squared, degrees, expected * overall.effective[0])
    return Pit(tuple(levels.tolist()), tuple(share.tolist()), tuple(expected.tolist()), chi_squared, degrees, chance)


def _first(share: ProportionQuantity) -> float:
    return float(share.value[0])
