"""Rows of two sides, told apart by scikit-learn's boosted trees on folds that they have not seen."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import sklearn
from numpy.typing import NDArray
from sklearn.ensemble import HistGradientBoostingClassifier
from threadpoolctl import threadpool_limits

from mlflow_eval_plugin.engines.arrow.multivariate.drawing import shuffled
from mlflow_eval_plugin.engines.arrow.multivariate.features import Feature, together
from mlflow_eval_plugin.stats.arrays import Float64Array, IntArray
from mlflow_eval_plugin.stats.multivariate.two_sample import Fold

FOLDS = 5  # the first is learned from alone
# Small trees, many of them: what several columns have in common is found, and little else is learned by heart.
_TREES = {"max_iter": 100, "max_leaf_nodes": 8, "min_samples_leaf": 40, "learning_rate": 0.1, "early_stopping": False}
SOFTWARE = f"scikit-learn {sklearn.__version__} HistGradientBoostingClassifier"


def folds(features: Sequence[Feature], before: int) -> tuple[Fold, ...]:
    """The rows by fold, each scored by trees that learned from the folds before.

    Args:
        before: how many rows are of the reference; they come first. The order of the rows of a side has no meaning.
    """
    values, codes, owner = together(features)
    count = len(values)
    side = (np.arange(count) >= before).astype(np.int64)
    # Both sides are dealt out evenly.
    fold = np.concatenate([np.arange(before), np.arange(count - before)]) % FOLDS
    # Threads of OpenMP would wait for one another on a machine with other work, a hundred times as long as they work.
    with threadpool_limits(1, user_api="openmp"):
        return tuple(_fold(values, codes, owner, side, fold, at) for at in range(1, FOLDS))


def _fold(
    values: Float64Array,
    codes: NDArray[np.bool_],
    owner: NDArray[np.intp],
    side: IntArray,
    fold: IntArray,
    at: int,
) -> Fold:
    known, held_out = fold < at, fold == at
    trees = HistGradientBoostingClassifier(
        **_TREES, categorical_features=codes, class_weight="balanced", random_state=0
    )
    trees.fit(values[known], side[known])
    rows = values[held_out]
    order = shuffled(len(rows), at)
    without = []
    for column in range(int(owner.max()) + 1):
        exchanged = rows.copy()
        exchanged[:, owner == column] = rows[np.ix_(order, owner == column)]
        without.append(trees.decision_function(exchanged))
    return Fold(trees.decision_function(rows), int(side[held_out].sum()), np.array(without))
