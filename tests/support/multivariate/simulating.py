"""Simulations of columns looked at together: small in tests, at full size in benchmarks/soak_multivariate.py."""

from __future__ import annotations

import numpy as np
import pandas as pd

from mlflow_eval_plugin.engines.arrow.multivariate.drawing import drawn
from mlflow_eval_plugin.engines.arrow.multivariate.looking import looked_at
from mlflow_eval_plugin.stats.inference.estimate import bounds_at
from mlflow_eval_plugin.stats.multivariate.together import Together
from mlflow_eval_plugin.stats.multivariate.two_sample import Fold


def rows(seed: int, rho: float, n: int, columns: int) -> pd.DataFrame:
    """Standard normals, of which the first two have this correlation."""
    rng = np.random.default_rng([seed, n, columns])
    values = rng.normal(size=(n, columns))
    values[:, 1] = rho * values[:, 0] + np.sqrt(1 - rho**2) * values[:, 1]
    return pd.DataFrame(values, columns=[f"x{at}" for at in range(columns)])


def compared(before: pd.DataFrame, after: pd.DataFrame) -> Together:
    """Two frames, looked at as an evaluation looks at them."""
    names = [str(name) for name in before.columns]
    return looked_at(drawn(before, names), drawn(after, names), columns=names, categorical=(), axes=False)


def found_at(seed: int, rho: float, n: int, columns: int, tolerance: float = 0.53, alpha: float = 0.05) -> bool:
    """Whether a correlation that went from 0 to ``rho`` fails the Check."""
    found = compared(rows(2 * seed, 0.0, n, columns), rows(2 * seed + 1, rho, n, columns))
    return bounds_at(found.auc, 0).lower(alpha) > tolerance


def linear_folds(seed: int, *, in_a_row: bool, n: int = 200, columns: int = 10, folds: int = 5) -> list[Fold]:
    """Scores by the difference of means of alike sides, learned from the folds before or from all others."""
    rng = np.random.default_rng([seed, n])
    sides, at = rng.normal(size=(2, n, columns)), np.arange(n) % folds
    made = []
    for fold in range(1 if in_a_row else 0, folds):
        known = at < fold if in_a_row else at != fold
        direction = sides[1, known].mean(axis=0) - sides[0, known].mean(axis=0)
        scores = np.concatenate([one[at == fold] @ direction for one in sides])
        made.append(Fold(scores, int((at == fold).sum()), np.zeros((0, len(scores)))))
    return made
