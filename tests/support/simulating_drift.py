"""Simulations of what the default tolerances of ``drift`` find, and how often they are wrong.

Small in tests/evaluators/drift/test_drift_defaults.py, at full size and beside Evidently and NannyML in
benchmarks/soak_drift_defaults.py. A draw is a window with twenty columns of many shapes that do not change, and one
more column for each kind of change. A change is looked for among nineteen columns that do not change.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from mlflow_eval_plugin.engines.arrow import drift_binning, drift_counts, drift_summary
from mlflow_eval_plugin.evaluators.config.drift import DriftConfig
from mlflow_eval_plugin.evaluators.drift import drift_claims
from mlflow_eval_plugin.stats.drift.report import DriftTable
from mlflow_eval_plugin.stats.drift.summary import DriftSummary
from mlflow_eval_plugin.stats.inference.checks import Claim, judge

Drawn = np.ndarray
Shape = Callable[[np.random.Generator, int], Drawn]
CODES = np.array(list("abcde"))
SHARES = np.array([0.5, 0.25, 0.15, 0.07, 0.03])
MOVED = np.array([0.42, 0.33, 0.15, 0.07, 0.03])
BASE_RATE = np.log(1e-4)
CONFIG = DriftConfig(reference="given")


def _normal(rng: np.random.Generator, n: int) -> Drawn:
    return rng.normal(size=n)


def _codes(rng: np.random.Generator, n: int) -> Drawn:
    return rng.choice(CODES, n, p=SHARES)


def _scores(rng: np.random.Generator, n: int, shift: float = 0.0) -> Drawn:
    return 1 / (1 + np.exp(-rng.normal(BASE_RATE - 1.1 + shift, 1.5, n)))


def _some(share: float, value: float | str, shape: Shape = _normal) -> Shape:
    """A share of the values is another one."""

    def drawn(rng: np.random.Generator, n: int) -> Drawn:
        values = shape(rng, n)
        values = values.astype(object if isinstance(value, str) else np.float64)
        values[rng.random(n) < share] = value
        return values

    return drawn


SHAPES: tuple[tuple[str, int, Shape], ...] = (
    ("normal", 8, _normal),
    ("lognormal", 3, lambda rng, n: rng.lognormal(0, 1.5, n)),
    ("heavy", 1, lambda rng, n: rng.standard_t(2, n)),
    ("count", 2, lambda rng, n: rng.poisson(3, n).astype(np.float64)),
    ("flag", 1, lambda rng, n: (rng.random(n) < 0.05).astype(np.float64)),
    ("hollow", 1, lambda rng, n: np.where(rng.random(n) < 0.7, 0.0, rng.lognormal(0, 1, n))),
    ("score", 1, _scores),
    ("code", 3, _codes),
)
CHANGES: dict[str, tuple[Shape, Shape]] = {
    "mean by 0.15 σ": (_normal, lambda rng, n: rng.normal(0.15, 1, n)),
    "mean by 0.3 σ": (_normal, lambda rng, n: rng.normal(0.3, 1, n)),
    "mean by 0.5 σ": (_normal, lambda rng, n: rng.normal(0.5, 1, n)),
    "12 weeks of 0.02 σ": (_normal, lambda rng, n: rng.normal(0.24, 1, n)),
    "σ by 1.3": (_normal, lambda rng, n: rng.normal(0, 1.3, n)),
    "tail: 10 % with 4 σ": (_normal, lambda rng, n: rng.normal(size=n) * np.where(rng.random(n) < 0.1, 4, 1)),
    "skewed, times 1.5": (SHAPES[1][2], lambda rng, n: 1.5 * rng.lognormal(0, 1.5, n)),
    "scores of 1e-4, logit + 0.5": (_scores, lambda rng, n: _scores(rng, n, 0.5)),
    "categories: 8 % move": (_codes, lambda rng, n: rng.choice(CODES, n, p=MOVED)),
    "new category, 2 %": (_codes, _some(0.02, "new", _codes)),
    "-999 in 2 %": (_normal, _some(0.02, -999.0)),
    "0 in 2 %, inside the range": (_normal, _some(0.02, 0.0)),
    "missing, 3 %": (_normal, _some(0.03, np.nan)),
    "infinite, 2 %": (_normal, _some(0.02, np.inf)),
}
STILL = tuple(f"{name} {i}" for name, many, _ in SHAPES for i in range(many))


def reference(seed: int, rows: int) -> pd.DataFrame:
    """Rows before any change: the still columns, then one for each change."""
    rng = np.random.default_rng([seed, rows])
    return pd.DataFrame({**still(rng, rows), **{name: before(rng, rows) for name, (before, _) in CHANGES.items()}})


def window(seed: int, rows: int, draw: int) -> pd.DataFrame:
    """Rows after the changes."""
    rng = np.random.default_rng([seed, rows, draw])
    return pd.DataFrame({**still(rng, rows), **{name: after(rng, rows) for name, (_, after) in CHANGES.items()}})


def still(rng: np.random.Generator, rows: int) -> dict[str, Drawn]:
    """The twenty columns that do not change."""
    return {f"{name} {i}": shape(rng, rows) for name, many, shape in SHAPES for i in range(many)}


@dataclass
class Found:
    """How often something was found, over draws.

    Attributes:
        windows: how many windows had a false alarm in any of the twenty still columns.
        passed: how many windows passed as a whole, by their twenty still columns.
        changes: how many changes were found, by kind.
    """

    draws: int = 0
    windows: int = 0
    passed: int = 0
    changes: dict[str, int] = field(default_factory=lambda: dict.fromkeys(CHANGES, 0))

    def add(self, alarms: Iterable[str], passed: bool = False) -> None:
        """One draw, with the columns that raised an alarm."""
        alarms = set(alarms)
        self.draws += 1
        self.windows += bool(alarms & set(STILL))
        self.passed += passed
        for name in CHANGES:
            self.changes[name] += name in alarms


def ours(before: DriftSummary, current: pd.DataFrame, config: DriftConfig = CONFIG) -> tuple[set[str], bool]:
    """The columns that fail, each change among nineteen still columns; and whether all still columns pass."""
    claims: dict[str, list[Claim]] = {}
    for claim in drift_claims(config, DriftTable(before, drift_summary(current, like=before))):
        claims.setdefault(claim.scope, []).append(claim)

    def judged(names: Iterable[str]) -> list[tuple[str, str]]:
        checks = judge([claim for name in names for claim in claims[name]], alpha=config.alpha).checks
        return [(check.scope, check.verdict) for check in checks]

    still = judged(STILL)
    alarms = {scope for scope, verdict in still if verdict == "fail"}
    for name in CHANGES:
        alarms |= {scope for scope, verdict in judged((name, *STILL[1:])) if (scope, verdict) == (name, "fail")}
    return alarms, all(verdict == "pass" for _, verdict in still)


def simulated(seed: int, reference_rows: int, rows: int, draws: int, config: DriftConfig = CONFIG) -> Found:
    """What our defaults find."""
    found, before = Found(), drift_binning(reference(seed, reference_rows))
    for draw in range(draws):
        found.add(*ours(before, window(seed, rows, draw), config))
    return found


@dataclass(frozen=True)
class ColumnVerdict:
    """What our defaults say of one column, and how far it moved: in standard deviations, or Jensen-Shannon."""

    verdict: str
    distance: float
    unit: str


def chunk_verdicts(
    before: pd.DataFrame, current: pd.DataFrame, config: DriftConfig = CONFIG
) -> dict[str, ColumnVerdict]:
    """The verdict on each column of some rows, all of them one family of Checks; the worst of its Checks counts."""
    counts = drift_counts(before, current, columns=list(before.columns))
    claims = list(drift_claims(config, DriftTable(counts.reference, counts.current)))
    checks = judge(claims, alpha=config.alpha).checks
    found = dict.fromkeys(before.columns, ColumnVerdict("passed over", 0.0, ""))
    for name in {check.scope for check in checks}:
        own = [check for check in checks if check.scope == name]
        worst = next(one for one in ("fail", "insufficient", "pass") if any(check.verdict == one for check in own))
        far = {check.metric: check.value for check in own}
        unit = "σ" if "wasserstein" in far else "JS"
        found[name] = ColumnVerdict(worst, far.get("wasserstein", far.get("js")) or 0.0, unit)
    return found
