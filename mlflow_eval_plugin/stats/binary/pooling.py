"""Partially pooled rates of slices: what a rate is likely to be, when the slices beside it are taken into account.

    pooled(table) -> tuple[PooledRate, ...]

A rate of twelve rows says little by itself; that the same rate of the other slices lies between 0.1 and 0.2 says more.
The rates of the slices of the same columns are taken as drawn from one beta distribution of mean ``mu`` and size ``m``
(the rows that it counts for), the rows as drawn from the rates: the hierarchical beta-binomial model of Gelman et al.
(2013), "Bayesian data analysis", section 5.3, with its prior ``p(mu, m) ~ m**-1.5``, which is flat in the standard
deviation of the rates between slices. That deviation is integrated over, not estimated, so nothing breaks where the
data would estimate it as 0: then large ``m`` have most of the weight, and the rates are pooled all but completely, with
intervals that still know that they may differ. ``m`` is at least 1.

The estimates are shown beside the raw ones, and no Check rests on them: a slice that is truly unlike the others is
drawn towards them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from scipy import special

from mlflow_eval_plugin.stats.arrays import FloatArray
from mlflow_eval_plugin.stats.binary.metrics import rate
from mlflow_eval_plugin.stats.binary.table import SliceTable
from mlflow_eval_plugin.stats.inference.estimate import Estimate

POOLED = ("prevalence", "selection_rate", "accuracy", "precision", "recall", "fpr", "fnr")
FEWEST_SLICES = 3
MOST_ROWS = 200.0  # of the denominator: a rate of more rows is pooled with the others, and not listed
_SIZES, _MEANS = 64, 21  # nodes of the integral
_REACH = 6.0  # standard deviations, roughly


@dataclass(frozen=True)
class PooledRate:
    """One rate of one slice.

    Attributes:
        trials: rows of the rate's denominator, Kish's effective number under weights.
        raw: the rate of the slice alone.
        pooled: the posterior mean with the 95 % interval of a beta distribution of the posterior mean and variance.
        mean, deviation: posterior means of the mean and of the standard deviation of the rate between the slices.
    """

    metric: str
    label: str
    columns: tuple[str, ...]
    trials: float
    raw: float
    pooled: Estimate
    mean: float
    deviation: float


@dataclass(frozen=True, eq=False)
class Posterior:
    """The posterior of ``G`` rates and of what they are drawn from.

    Attributes:
        mean, variance: of each rate, ``(G,)``.
        centre, deviation: posterior means of ``mu`` and of the standard deviation ``sqrt(mu (1 - mu) / (m + 1))``.
    """

    mean: FloatArray
    variance: FloatArray
    centre: float
    deviation: float


def pooled(table: SliceTable, metrics: Sequence[str] = POOLED) -> tuple[PooledRate, ...]:
    """Rates of every slice with 1 to ``MOST_ROWS`` rows in their denominator, by metric.

    Slices of the same columns are pooled with one another, where there are ``FEWEST_SLICES`` with a value.

    Args:
        metrics: some of ``POOLED``.
    """
    return tuple(one for metric in metrics for one in _pooled(table, metric))


def posterior(events: FloatArray, trials: FloatArray) -> Posterior:
    """The posterior of rates, by the trapezoidal rule over ``log m`` and, for each, over ``logit mu``.

    Args:
        events, trials: ``(G,)``; need not be whole; 0 <= events <= trials, 0 < trials.
    """
    # Beyond the last size even the largest slice would be drawn all the way to the mean.
    log_m = np.linspace(0.0, np.log(1e3 * (trials.max() + 100)), _SIZES)[:, None]
    m = np.exp(log_m)
    mu, step = _means(events, trials, m)
    p, q = m * mu, m * (1 - mu)
    each = special.betaln(events + p[..., None], (trials - events) + q[..., None]) - special.betaln(p, q)[..., None]
    # The changes of variable give m, mu (1 - mu) and the step of each m; the prior has m**-1.5.
    log_weight = each.sum(axis=2) + np.log(mu * (1 - mu) * step) - log_m / 2
    weight = np.exp(log_weight - log_weight.max())
    weight[0] /= 2  # the end of a trapezoidal rule that does not fade out
    weight /= weight.sum()
    mean = (events + p[..., None]) / (trials + m[..., None])
    square = mean * (events + p[..., None] + 1) / (trials + m[..., None] + 1)
    first, second = (np.einsum("ij,ijg->g", weight, one) for one in (mean, square))
    deviation = np.sqrt(mu * (1 - mu) / (m + 1))
    variance = np.maximum(second - first**2, 0.0)
    return Posterior(first, variance, float((weight * mu).sum()), float((weight * deviation).sum()))


def _means(events: FloatArray, trials: FloatArray, m: FloatArray) -> tuple[FloatArray, FloatArray]:
    """For every ``m`` the means ``mu`` at which to look, ``(_SIZES, _MEANS)``, and their step, ``(_SIZES, 1)``."""
    # So many independent trials the slices count for together, when they vary as a beta of this size lets them.
    count = trials * (m + 1) / (trials + m)
    heads = (count * events / trials).sum(axis=1, keepdims=True) + 0.5
    tails = count.sum(axis=1, keepdims=True) + 1 - heads
    step = np.sqrt(1 / heads + 1 / tails)
    place = np.linspace(-_REACH, _REACH, _MEANS)
    return np.asarray(special.expit(np.log(heads / tails) + step * place)), step


def _pooled(table: SliceTable, metric: str) -> Iterator[PooledRate]:
    found = rate(table.part(), metric)
    for family in table.families():
        members = family[found.trials[family] > 0]
        columns = table.summary.slices[int(family[0])].columns
        few = found.trials[members] <= MOST_ROWS
        if not columns or len(members) < FEWEST_SLICES or not few.any():
            continue
        trials, raw = found.trials[members], found.value[members]
        made = posterior(raw * trials, trials)
        low, high = _interval(made)
        for i in np.flatnonzero(few).tolist():
            yield PooledRate(
                metric=metric,
                label=table.summary.slices[int(members[i])].label,
                columns=columns,
                trials=float(trials[i]),
                raw=float(raw[i]),
                pooled=Estimate(float(made.mean[i]), (float(low[i]), float(high[i]))),
                mean=made.centre,
                deviation=made.deviation,
            )


def _interval(made: Posterior) -> tuple[FloatArray, FloatArray]:
    size = made.mean * (1 - made.mean) / np.maximum(made.variance, 1e-300) - 1
    a, b = made.mean * size, (1 - made.mean) * size
    return np.asarray(special.betaincinv(a, b, 0.025)), np.asarray(special.betaincinv(a, b, 0.975))
