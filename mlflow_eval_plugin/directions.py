"""Which direction of a metric is harmful, and which metrics say the same; light to import."""

from __future__ import annotations

from typing import Final

MORE_IS_WORSE: Final = frozenset(
    {"fpr", "fnr", "log_loss", "brier", "ece", "cost", "mae", "rmse", "mse", "mean_error", "psi", "ks", "js",
     "wasserstein", "cost_per_1000"}
)  # fmt: skip
LESS_IS_WORSE: Final = frozenset(
    {"accuracy", "balanced_accuracy", "precision", "recall", "f1", "auc", "average_precision", "r2"}
)
_MORE_IS_WORSE = ("pinball_", "interval_score_", "latency_", "ece_")
# One less the other, or one in another unit: a tolerance on one is a tolerance on both.
_SAME: Final = {"fnr": "recall", "bias_sigma": "bias"}


def way(metric: str) -> int:
    """1 where more of a metric is worse, -1 where less is, 0 where neither is so by itself; ``recall[a]`` as recall."""
    base = metric.partition("[")[0]
    if base in MORE_IS_WORSE or base.startswith(_MORE_IS_WORSE):
        return 1
    return -1 if base in LESS_IS_WORSE else 0


def same_metric(name: str) -> str:
    """The name under which a metric is known that says the same: ``fnr[a]`` is ``recall[a]``."""
    base, bracket, rest = name.partition("[")
    return f"{_SAME.get(base, base)}{bracket}{rest}"
