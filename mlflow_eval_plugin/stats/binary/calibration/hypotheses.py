"""Tests of the hypothesis that the scores are the probabilities: how surprising the data are were the model calibrated.

A large sample rejects a model that is calibrated well enough for any use, and a small one none. So these are told, and
no Check rests on them.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy import special

from mlflow_eval_plugin.stats.binary.calibration.bin_free import Gaps, ecce, range_exceeded
from mlflow_eval_plugin.stats.binary.calibration.bins import reliability, score_spread
from mlflow_eval_plugin.stats.binary.summary import ScoreSummary
from mlflow_eval_plugin.stats.counts.slice import over_labels
from mlflow_eval_plugin.stats.inference.sparse_tables import p_value

GROUPS = 10


@dataclass(frozen=True)
class SpiegelhalterTest:
    """Spiegelhalter's (1986) z: standard normal were the model calibrated; two-sided p-value; None where undefined."""

    z: float | None
    p_value: float | None


@dataclass(frozen=True)
class HosmerLemeshowTest:
    """Hosmer & Lemeshow's (1980) statistic: chi-squared were the model calibrated; None where undefined.

    There is no p-value where too few events, or too few others, are expected in some groups.
    """

    chi_squared: float | None
    degrees_of_freedom: int
    p_value: float | None


@dataclass(frozen=True)
class EcceTest:
    """ECCE-R in standard deviations: the range of a Brownian motion were the model calibrated; None where undefined."""

    sigmas: float | None
    p_value: float | None


def spiegelhalter(summary: ScoreSummary) -> SpiegelhalterTest:
    """Spiegelhalter's z = sum w (y - s)(1 - 2 s) / sqrt(sum w**2 (1 - 2 s)**2 s (1 - s)).

    The variance is taken at the mean score of each score bin with a second-order correction; its relative error is
    below 1e-6.
    """
    weight, total = over_labels(summary.w), over_labels(summary.w_score)
    positive_score = summary.w_score[:, 1]
    square = total - score_spread(summary)
    numerator = float((summary.w[:, 1] - total - 2 * positive_score + 2 * square).sum())
    used = weight > 0
    mean = total[used] / weight[used]
    spread = np.maximum(square[used] / weight[used] - mean**2, 0.0)
    u = mean * (1 - mean)
    curved = np.maximum(u - 4 * u**2 + spread * (48 * u - 10) / 2, 0.0)
    variance = float((over_labels(summary.w_square)[used] * curved).sum())
    if variance <= 0:
        return SpiegelhalterTest(None, None)
    z = numerator / math.sqrt(variance)
    return SpiegelhalterTest(z, float(2 * special.ndtr(-abs(z))))


def hosmer_lemeshow(summary: ScoreSummary, groups: int = GROUPS) -> HosmerLemeshowTest:
    """Hosmer-Lemeshow on groups of equal mass: sum of (O - E)**2 / (E (1 - E / n)) over the groups with rows.

    Groups are of whole score bins, each where the middle of its rows is, so that rows of nearly equal scores are not
    parted: they are deciles where no score bin holds many rows, and fewer and uneven where scores are few or tied.

    As many degrees of freedom as groups: the rows are not those that the model was fitted to (Hosmer, Lemeshow &
    Sturdivant 2013, section 5.2.2; on fitted rows it would be two less). Under weights every term is divided by its
    group's sum w**2 / sum w. Undefined where a group's expected events are none, or all.
    """
    table = reliability(summary, groups, "mass")
    used = table.weight > 0
    weight, expected, observed = table.weight[used], table.score[used], table.events[used]
    variance = expected * (1 - expected / weight) * table.weight_square[used] / weight
    if not (variance > 0).all():
        return HosmerLemeshowTest(None, int(used.sum()), None)
    statistic, freedom = float(((observed - expected) ** 2 / variance).sum()), int(used.sum())
    # Under weights a group has as many rows as would tell as much, each of weight one.
    rows = weight / table.weight_square[used]
    cells = np.stack([expected, weight - expected]) * rows
    return HosmerLemeshowTest(statistic, freedom, p_value(statistic, freedom, cells))


def ecce_test(gaps: Gaps) -> EcceTest:
    """ECCE-R over its standard deviation sqrt(sum w**2 s (1 - s)) / sum w (Arrieta-Ibarra et al. 2022)."""
    if gaps.deviation <= 0:
        return EcceTest(None, None)
    sigmas = float(ecce(gaps).value[0]) / gaps.deviation
    return EcceTest(sigmas, float(range_exceeded(sigmas)))
