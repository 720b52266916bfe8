"""Simulations of which causes are named: small in tests/evaluators/drift/test_drift_causes.py, in full in a soak.

A draw is a window of a scorer of loans: twelve inputs of several shapes, a score that depends on three of them, and a
label that follows the score. One cause is planted, or none.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from types import SimpleNamespace

import numpy as np
import pandas as pd

from mlflow_eval_plugin.engines.arrow.rows import ArrowRows
from mlflow_eval_plugin.engines.contract import AskedColumns
from mlflow_eval_plugin.evaluators.drift_causes import causes_of
from mlflow_eval_plugin.evaluators.drift_columns import DriftColumns
from mlflow_eval_plugin.stats.drift.report import DriftTable

REGIONS = ("north", "south", "east", "west")
SHARES = {"before": (0.4, 0.3, 0.2, 0.1), "mix": (0.25, 0.2, 0.25, 0.3)}
ROLES = {"p": "score", "y": "label"}
Generator = np.random.Generator


def rows(rng: Generator, n: int, *, shares: str = "before", slope: float = 1.0, deployed: bool = False) -> pd.DataFrame:
    """A window.

    Args:
        shares: of the regions.
        slope: of the label on the logit of the score; below 0 the label follows it otherwise.
        deployed: another model scores.
    """
    region = rng.choice(REGIONS, n, p=SHARES[shares])
    by_region = pd.Series(region).map({"north": 0.0, "south": 0.3, "east": 0.9, "west": 1.8}).to_numpy()
    income = rng.lognormal(3.5 + 0.3 * by_region, 0.5)
    age, debt = rng.integers(18, 80, n).astype(float), rng.normal(by_region, 1.0)
    logit = -1.0 + 0.8 * (debt - 0.5) - 0.5 * (np.log(income) - 3.7) + 0.01 * (age - 45)
    scored = 1.2 * logit + 0.8 if deployed else logit
    likely = 1 / (1 + np.exp(-(slope * (logit + 1.0) - 1.0)))
    others = {f"normal {i}": rng.normal(size=n) for i in range(4)}
    spent = np.where(rng.random(n) < 0.5, 0.0, rng.lognormal(2, 1, n))
    return pd.DataFrame({
        "region": region, "income": income, "age": age, "debt": debt, "calls": rng.poisson(2, n).astype(float),
        "purpose": rng.choice(list("abcdef"), n, p=[0.3, 0.25, 0.2, 0.15, 0.07, 0.03]),
        "flag": (rng.random(n) < 0.02).astype(float), "spent": spent,
        **others, "p": 1 / (1 + np.exp(-scored)), "y": (rng.random(n) < likely).astype(float),
    })  # fmt: skip


def _some(window: pd.DataFrame, rng: Generator, name: str, share: float, value: object) -> pd.DataFrame:
    return window.assign(**{name: window[name].mask(rng.random(len(window)) < share, value)})


PLANTED: dict[str, tuple[str, Callable[[Generator, int], pd.DataFrame]]] = {
    "unit ×1000": ("unit:income", lambda rng, n: rows(rng, n).assign(income=lambda one: one.income * 1000)),
    "unit ÷100": ("unit:income", lambda rng, n: rows(rng, n).assign(income=lambda one: one.income / 100)),
    "unit °F": ("unit:age", lambda rng, n: rows(rng, n).assign(age=lambda one: one.age * 1.8 + 32)),
    "sentinel -999": ("sentinel:debt", lambda rng, n: _some(rows(rng, n), rng, "debt", 0.03, -999.0)),
    "sentinel 99": ("sentinel:age", lambda rng, n: _some(rows(rng, n), rng, "age", 0.03, 99.0)),
    "sentinel text": ("sentinel:purpose", lambda rng, n: _some(rows(rng, n), rng, "purpose", 0.03, "N/A")),
    "missing": ("missing:income", lambda rng, n: _some(rows(rng, n), rng, "income", 0.05, np.nan)),
    "infinite": ("infinite:debt", lambda rng, n: _some(rows(rng, n), rng, "debt", 0.02, np.inf)),
    "constant": ("constant:calls", lambda rng, n: rows(rng, n).assign(calls=2.0)),
    "new category": ("new category:purpose", lambda rng, n: _some(rows(rng, n), rng, "purpose", 0.03, "g")),
    "mix": ("routing:region", lambda rng, n: rows(rng, n, shares="mix")),
    "deploy": ("deploy:p", lambda rng, n: rows(rng, n, deployed=True)),
    "concept": ("concept:y", lambda rng, n: rows(rng, n, slope=-0.5)),
    "late labels": ("labels:y", lambda rng, n: _some(rows(rng, n), rng, "y", 0.4, np.nan)),
    "shift": ("shift:debt", lambda rng, n: rows(rng, n).assign(debt=lambda one: one.debt + 0.4)),
}
KNOWN = DriftColumns((), (), frozenset())
NAMES = ("none", *PLANTED)


def causes(before: pd.DataFrame, after: pd.DataFrame) -> set[str]:
    """The causes that are named, as ``cause:column``."""
    sides = [SimpleNamespace(everything=ArrowRows(side)) for side in (before, after)]
    counts = sides[1].everything.drift(
        sides[0].everything, AskedColumns(tuple(before.columns), ROLES, frozenset({"y"}))
    )
    table = DriftTable(counts.reference, counts.current)
    return {f"{one['cause']}:{one['column']}" for one in causes_of(table, counts, KNOWN, sides[1], sides[0])}


def named(seed: int, before: int, n: int, name: str, draws: int) -> tuple[int, Counter[str]]:
    """In how many draws the planted cause is named, and how often others are; of "none" in how many there is none.

    Args:
        before: rows of the reference, which every draw has its own of.
    """
    right, others = 0, Counter[str]()
    planted, window = PLANTED.get(name, ("", rows))
    for draw in range(draws):
        rng = np.random.default_rng([seed, n, draw])
        found = causes(rows(rng, before), window(rng, n))
        right += planted in found if planted else not found
        others.update(found - {planted})
    return right, others
