"""Simulations of what Checks and intervals promise; small in the tests, at full size in benchmarks/soak_statistics.py.

- ``false_fails``: labels are drawn from census scores, so that every claim of a family of many slices is exactly true
  and lies on its tolerance; how often does any Check fail?
- ``coverage_of_*``: how often do the intervals of the report hold the truth, for small groups? Exact sums over all
  outcomes, but for equalized odds.
- ``power``: how often is a small miscalibrated slice found, and how often by a rule of five standard deviations?
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats

from mlflow_eval_plugin.engines.arrow import slice_summary
from mlflow_eval_plugin.engines.arrow.columns.levels import coded_columns
from mlflow_eval_plugin.engines.slicing import Slicing
from mlflow_eval_plugin.stats.binary.disaggregated import metric_bounds
from mlflow_eval_plugin.stats.binary.table import SliceTable
from mlflow_eval_plugin.stats.inference.checks import Claim
from mlflow_eval_plugin.stats.inference.contrasts import Widest
from mlflow_eval_plugin.stats.inference.quantities import ProportionQuantity
from mlflow_eval_plugin.stats.slices.fairness import Larger
from mlflow_eval_plugin.stats.slices.gaps import gap_between

CENSUS = Path(__file__).parents[2] / "examples/data/acs_employment_ma.parquet"
COLUMNS = ("SEX", "MAR", "CIT", "NATIVITY", "DEAR", "DEYE")  # with their pairs 138 slices of 30 rows or more in 2015
MINIMUM = 30
ALPHA = 0.05
GRID = np.round(np.linspace(0.05, 0.95, 19), 2)


def census(rows: int | None = None) -> pd.DataFrame:
    """The year 2015 with its scores, or the first ``rows`` of it in a fixed random order."""
    data = pd.read_parquet(CENSUS, columns=[*COLUMNS, "year", "predicted_probability"])
    data = data[data.year == 2015].reset_index(drop=True)
    return data if rows is None else data.sample(rows, random_state=0).reset_index(drop=True)


@dataclass(frozen=True)
class Truth:
    """One metric of every slice: the tolerance that is its true value, and on which side it may fail."""

    metric: str
    value: np.ndarray
    sides: tuple[str, ...]


def drawn(data: pd.DataFrame, rng: np.random.Generator, columns: tuple[str, ...] = COLUMNS) -> SliceTable:
    """The slices with labels drawn from ``p``, or from the scores where there is no such column."""
    chance = data["p" if "p" in data else "predicted_probability"].to_numpy()
    label = (rng.random(len(data)) < chance).astype(np.uint8)
    return SliceTable(
        slice_summary(data, label=label, score="predicted_probability", slicing=Slicing(columns, depth=2))
    )


def truths(data: pd.DataFrame, table: SliceTable) -> list[Truth]:
    """What is exactly true of every slice, given its scores, where labels are drawn from them."""
    score = data["predicted_probability"].to_numpy()
    entropy = -score * np.log(score) - (1 - score) * np.log1p(-score)
    zero = np.zeros(len(table.summary.slices))
    return [
        Truth("calibration_in_the_large", zero, ("maximum", "minimum")),
        Truth("ece", zero, ("maximum",)),
        Truth("brier", _means(data, table, score * (1 - score)), ("maximum",)),
        Truth("log_loss", _means(data, table, entropy), ("maximum",)),
        Truth("accuracy", _means(data, table, np.maximum(score, 1 - score)), ("minimum",)),
    ]


def claims(table: SliceTable, known: list[Truth]) -> Iterator[Claim]:
    """The truths as Claims, for ``judge``."""
    for one in known:
        for place, part in enumerate(table.summary.slices):
            limits = {side: float(one.value[place]) for side in one.sides}
            bounds = metric_bounds(table, one.metric, part.label)
            yield Claim(f"{one.metric}:{part.label}", "", one.metric, "", bounds, **limits, minimum_count=MINIMUM)


def any_fails(table: SliceTable, known: list[Truth]) -> bool:
    """Whether ``judge`` would fail any of the claims: Holm's procedure rejects something if its first step does."""
    tested = table.rows >= MINIMUM
    level = ALPHA / (tested.sum() * len(known))
    for one in known:
        made = table.metric(one.metric)
        lower, upper = made.limits(level / len(one.sides), exact=True)
        above, below = lower - made.bound > one.value, upper + made.bound < one.value
        failed = ("maximum" in one.sides) & above | ("minimum" in one.sides) & below
        if (failed & tested).any():
            return True
    return False


def false_fails(runs: int, seed: int, rows: int | None = None) -> int:
    """In how many of the runs any Check fails although all claims are true."""
    data, rng = census(rows), np.random.default_rng(seed)
    known = truths(data, drawn(data, rng))
    return sum(any_fails(drawn(data, rng), known) for _ in range(runs))


def at_most(events: int, runs: int) -> float:
    """The upper limit of a chance of which ``events`` were seen (Clopper & Pearson 1934, one-sided, 95 %)."""
    return float(stats.beta.ppf(0.95, events + 1, runs - events)) if events < runs else 1.0


@dataclass(frozen=True)
class Coverage:
    """Coverage over a grid of true values: its mean, its least value, and where that is."""

    mean: float
    least: float
    where: tuple[float, ...]


def coverage_of_proportions(n: int) -> Coverage:
    """Of the report's intervals of a proportion of ``n`` rows."""
    k = np.arange(n + 1)
    made = _proportions(k / n, np.full(n + 1, n))
    lower, upper = made.limits(0.025, exact=False)
    p = GRID[:, None]
    return _coverage((stats.binom.pmf(k, n, p) * _held(lower, upper, p)).sum(axis=1), [(float(one),) for one in GRID])


def coverage_of_gaps(n: int, m: int, kind: str) -> Coverage:
    """Of the report's intervals of a difference or ratio of the proportions of ``n`` and of ``m`` rows.

    Where the second proportion is 0, a ratio is not defined and has no interval that could miss it.
    """
    a, b = (side.ravel() for side in np.meshgrid(np.arange(n + 1), np.arange(m + 1), indexing="ij"))
    gap = gap_between(_proportions(a / n, np.full(len(a), n)), _proportions(b / m, np.full(len(b), m)), kind)
    lower, upper = gap.limits(0.025, exact=False)
    undefined = np.isnan(gap.value)
    covered, where = [], []
    for p in GRID:
        for q in GRID:
            chance = stats.binom.pmf(a, n, p) * stats.binom.pmf(b, m, q)
            held = undefined | _held(lower, upper, p / q if kind == "ratio" else p - q)
            covered.append((chance * held).sum())
            where.append((float(p), float(q)))
    return _coverage(np.array(covered), where)


def coverage_of_equalized_odds(n: int, groups: int, runs: int, seed: int) -> Coverage:
    """Of the equalized odds difference of ``groups`` with ``n`` rows of each label, over random true rates."""
    rng = np.random.default_rng(seed)
    covered, where = [], []
    for _ in range(40):
        recall, fpr = rng.uniform(0.05, 0.95, groups), rng.uniform(0.05, 0.95, groups)
        made = Larger(*(_widest(rng.binomial(n, rates, (runs, groups)), n) for rates in (recall, fpr)))
        lower, upper = made.limits(0.025, exact=False)
        truth = max(float(np.ptp(recall)), float(np.ptp(fpr)))
        covered.append(_held(lower, upper, truth).mean())
        where.append((round(truth, 3),))
    return _coverage(np.array(covered), where)


@dataclass(frozen=True)
class Power:
    """In what share of the runs a slice of ``rows`` rows was found: by our Check, and by five standard deviations."""

    rows: int
    family: int
    ours: float
    five_sigma: float


def power(runs: int, seed: int, shift: float = 0.05, share: float = 0.02) -> Power:
    """Scores that are too low by ``shift`` in a random slice of ``share`` of the rows, among all slices and pairs.

    The Check asks whether calibration in the large is 0, at the strictest level of its family.
    """
    data, rng, columns = census(), np.random.default_rng(seed), (*COLUMNS[:5], "planted")
    data["planted"] = np.where(rng.random(len(data)) < share, "yes", "no")
    score = data["predicted_probability"].to_numpy()
    hit = (data["planted"] == "yes").to_numpy()
    data["p"] = np.clip(np.where(hit, score + shift, score), 0, 1)
    deviation = np.sqrt((score[hit] * (1 - score[hit])).sum()) / hit.sum()
    ours = sigmas = 0
    for _ in range(runs):
        table = drawn(data, rng, columns)
        place, family = table.summary.index("planted=yes"), int((table.rows >= MINIMUM).sum())
        made = table.metric("calibration_in_the_large").take(np.array([place]))
        lower, upper = made.limits(ALPHA / family / 2, exact=True)
        ours += bool(lower[0] > 0 or upper[0] < 0)
        sigmas += bool(abs(made.value[0]) > 5 * deviation)
    return Power(int(hit.sum()), family, ours / runs, sigmas / runs)


def _means(data: pd.DataFrame, table: SliceTable, values: np.ndarray) -> np.ndarray:
    columns = {one.name: one for one in coded_columns(data, COLUMNS, edges={}, quantiles={}, max_levels=100)}
    found = []
    for one in table.summary.slices:
        chosen = np.ones(len(data), dtype=bool)
        for name, level in one.levels:
            chosen &= columns[name].codes == columns[name].levels.index(level)
        found.append(values[chosen].mean())
    return np.array(found)


def _proportions(rate: np.ndarray, n: np.ndarray) -> ProportionQuantity:
    trials = np.asarray(n, dtype=np.float64)
    return ProportionQuantity(np.asarray(rate, dtype=np.float64), trials, n.astype(np.int64), trials, "none")


def _widest(hits: np.ndarray, n: int) -> Widest:
    """The largest difference of every run, made of candidates as ``fairness`` makes them."""
    runs, groups = hits.shape
    pairs = np.array([(i, j) for i in range(groups) for j in range(groups) if i != j])
    made = _proportions(hits.ravel() / n, np.full(hits.size, n))
    places = (np.arange(runs)[:, None, None] * groups + pairs).reshape(-1, 2)
    return Widest(
        candidates=gap_between(made.take(places[:, 0]), made.take(places[:, 1]), "difference"),
        owner=np.repeat(np.arange(runs), len(pairs)),
        itself=np.zeros(runs),
        n=np.full(runs, n * groups),
        smallest=False,
        reason="none",
    )


def _held(lower: np.ndarray, upper: np.ndarray, truth: Any) -> np.ndarray:
    # A truth that is a count over n may miss a limit that is the same number by a rounding error.
    return np.asarray((lower <= truth + 1e-12) & (truth <= upper + 1e-12))


def _coverage(covered: np.ndarray, where: list[tuple[float, ...]]) -> Coverage:
    return Coverage(float(covered.mean()), float(covered.min()), where[int(covered.argmin())])
