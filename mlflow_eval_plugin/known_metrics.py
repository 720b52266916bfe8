"""What is known of a metric by its name, one record each: what people call it, which way is harm, what it can be.

Light to import. The records stand in the order of a report; a metric that is not here is called by its own name, after
them, and nothing is known of its values.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import inf
from typing import Final

Span = tuple[float, float]
MORE, LESS = 1, -1
SHARE: Span = (0.0, 1.0)
SIGNED_SHARE: Span = (-1.0, 1.0)
SIZE: Span = (0.0, inf)


@dataclass(frozen=True)
class Metric:
    """What is known of one metric.

    Args:
        label: what people call it; where empty, its name.
        harm: ``MORE`` where more of it is worse, ``LESS`` where less is, 0 where neither is so by itself.
        span: the least and the largest value that it can have.
        of_many: the same with three or more classes, where it differs.
    """

    label: str = ""
    harm: int = 0
    span: Span = (-inf, inf)
    of_many: Span | None = None


METRICS: Final[Mapping[str, Metric]] = {
    "ece_equal_width": Metric("ECE (equal-width bins)", harm=MORE, span=SHARE),
    "ece_equal_mass": Metric("ECE (equal-mass bins)", harm=MORE, span=SHARE),
    "ece_debiased": Metric("Calibration error (L2, debiased)", harm=MORE, span=SHARE),
    "ece": Metric("ECE", harm=MORE, span=SHARE),
    "classwise_ece": Metric("Classwise ECE"),
    "smooth_ece": Metric("Smooth ECE"),
    "ecce": Metric("Cumulative calibration error (ECCE-R)"),
    "max_calibration_error": Metric("Largest error of a bin"),
    "brier": Metric("Brier score", harm=MORE, span=SHARE, of_many=(0.0, 2.0)),
    "log_loss": Metric("Log loss", harm=MORE, span=SIZE),
    "brier_mcb": Metric("Miscalibration (Brier)"),
    "brier_dsc": Metric("Discrimination (Brier)"),
    "brier_unc": Metric("Uncertainty (Brier)"),
    "log_loss_mcb": Metric("Miscalibration (log loss)"),
    "log_loss_dsc": Metric("Discrimination (log loss)"),
    "log_loss_unc": Metric("Uncertainty (log loss)"),
    "calibration_in_the_large": Metric("Mean score minus event rate", span=SIGNED_SHARE),
    "mae": Metric("Mean absolute error", harm=MORE, span=SIZE),
    "rmse": Metric("Root mean squared error", harm=MORE, span=SIZE),
    "r2": Metric("R²", harm=LESS, span=(-inf, 1.0)),
    "bias": Metric("Bias (prediction minus target)"),
    "bias_sigma": Metric("Bias in σ of the target"),
    "mean_error": Metric("Mean error of a bin", harm=MORE, span=SIZE),
    "coverage_error": Metric("Coverage minus level", span=SIGNED_SHARE),
    "slope": Metric("Slope of target on prediction"),
    "intercept": Metric("Intercept of target on prediction"),
    "mse": Metric("Mean squared error", harm=MORE),
    "mse_mcb": Metric("Miscalibration (squared error)"),
    "mse_dsc": Metric("Discrimination (squared error)"),
    "mse_unc": Metric("Uncertainty (squared error)"),
    "calibration_slope": Metric("Calibration slope"),
    "calibration_intercept": Metric("Calibration intercept (at slope 1)"),
    "fpr": Metric("False-positive rate", harm=MORE, span=SHARE),
    "fnr": Metric("False-negative rate", harm=MORE, span=SHARE),
    "auc": Metric("AUC", harm=LESS, span=SHARE),
    "average_precision": Metric("Average precision", harm=LESS, span=SHARE),
    "f1": Metric("F1", harm=LESS, span=SHARE),
    "psi": Metric("PSI", harm=MORE, span=SIZE),
    "ks": Metric("Kolmogorov-Smirnov distance", harm=MORE, span=SHARE),
    "js": Metric("Jensen-Shannon distance", harm=MORE, span=SHARE),
    "chi2": Metric("Chi-squared statistic"),
    "wasserstein": Metric("Wasserstein distance (reference σ)", harm=MORE, span=SIZE),
    "cost": Metric("Cost per row", harm=MORE, span=SIZE),
    "latency_p50": Metric("Latency, p50", harm=MORE, span=SIZE),
    "latency_p95": Metric("Latency, p95", harm=MORE, span=SIZE),
    "latency_p99": Metric("Latency, p99", harm=MORE, span=SIZE),
    "cost_per_1000": Metric("Cost per 1,000 rows", harm=MORE, span=SIZE),
    "missing_change": Metric("Change in share missing", span=SIGNED_SHARE),
    "infinite_change": Metric("Change in share infinite", span=SIGNED_SHARE),
    "new_share": Metric("Largest new share", span=SHARE),
    "sentinel_change": Metric("Change in share of sentinels", span=SIGNED_SHARE),
    "new_categories": Metric("Share in new categories", span=SIGNED_SHARE),
    "vanished_categories": Metric("Share in vanished categories", span=SIGNED_SHARE),
    "out_of_range": Metric("Share out of range", span=SIGNED_SHARE),
    "unit_change": Metric("Distance that another unit explains", span=SHARE),
    "lost_variety": Metric("Part of the variety lost", span=SHARE),
    "two_sample_auc": Metric("AUC of telling both sides apart", harm=MORE, span=SHARE),
    "mean_shift": Metric("Largest shift of a vector's mean (reference σ)", harm=MORE, span=SIZE),
    "reconstruction_change": Metric("Change in reconstruction error (reference σ)", span=SIZE),
    "duplicate_keys": Metric("Rise in the share of rows that repeat a key", span=SIGNED_SHARE),
    "schema_changes": Metric("Changes of schema"),
    "accuracy": Metric(harm=LESS, span=SHARE),
    "balanced_accuracy": Metric(harm=LESS, span=SHARE),
    "demographic_parity_difference": Metric(span=SHARE),
    "demographic_parity_ratio": Metric(span=SHARE),
    "equal_opportunity_difference": Metric(span=SHARE),
    "equalized_odds_difference": Metric(span=SHARE),
    "precision": Metric(harm=LESS, span=SHARE),
    "prevalence": Metric(span=SHARE),
    "recall": Metric(harm=LESS, span=SHARE),
    "selection_rate": Metric(span=SHARE),
}
# Metrics of something that the user names, such as a level, by how their names begin.
_FAMILIES: Final[Mapping[str, Metric]] = {
    "pinball_": Metric(harm=MORE, span=SIZE),
    "coverage_": Metric(span=SHARE),
    "width_": Metric(span=SIZE),
    "interval_score_": Metric(harm=MORE, span=SIZE),
    "latency_": Metric(harm=MORE, span=SIZE),
    "ece_": Metric(harm=MORE),
}
_UNKNOWN: Final = Metric()
# One less the other, or one in another unit: a tolerance on one is a tolerance on both.
_SAME: Final = {"fnr": "recall", "bias_sigma": "bias"}


def metric_of(name: str) -> Metric:
    """What is known of a metric; ``recall[a]`` is as recall."""
    base = name.partition("[")[0]
    if base in METRICS:
        return METRICS[base]
    return next((metric for start, metric in _FAMILIES.items() if base.startswith(start)), _UNKNOWN)


def way(metric: str) -> int:
    """1 where more of a metric is worse, -1 where less is, 0 where neither is so by itself; ``recall[a]`` as recall."""
    return metric_of(metric).harm


def same_metric(name: str) -> str:
    """The name under which a metric is known that says the same: ``fnr[a]`` is ``recall[a]``."""
    base, bracket, rest = name.partition("[")
    return f"{_SAME.get(base, base)}{bracket}{rest}"
