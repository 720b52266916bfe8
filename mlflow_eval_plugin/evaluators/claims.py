"""The Claims of ``calibration`` that are the same whatever is predicted: slopes, changes and slices."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from mlflow_eval_plugin.evaluators.config.keys import CalibrationConfig
from mlflow_eval_plugin.stats.binary.calibration.slices import slice_calibration_bounds
from mlflow_eval_plugin.stats.binary.table import SliceTable
from mlflow_eval_plugin.stats.inference.checks import Claim
from mlflow_eval_plugin.stats.inference.estimate import Bounds

# Metrics of slices, and the key that holds their tolerance.
_OF_SLICES = {"ece": "max_ece", "calibration_in_the_large": "max_calibration_in_the_large"}


def slope_claims(config: CalibrationConfig, bounds: Bounds, scope: str, what: str = "slope") -> Iterator[Claim]:
    """That the calibration slope lies between the ends that are set."""
    low, high = config.min_calibration_slope, config.max_calibration_slope
    ends = [f"{words} {end:g}" for words, end in (("at least", low), ("at most", high)) if end is not None]
    if ends:
        yield Claim(
            id=f"calibration_slope:{scope}",
            claim=f"the calibration {what} is {' and '.join(ends)}",
            metric="calibration_slope",
            scope=scope,
            bounds=bounds,
            minimum=low,
            maximum=high,
        )


def change_claim(metric: str, scope: str, bounds: Bounds, limit: float, *, fallen: bool, risen: bool) -> Claim:
    """That a metric has not fallen, or not risen, by more than the limit since the reference."""
    words = {(True, True): "moved by at most {} in either direction", (True, False): "fallen by at most {}"}
    said = words.get((fallen, risen), "risen by at most {}").format(f"{limit:g}")
    return Claim(
        id=f"change:{metric}:{scope}",
        claim=f"since the reference, {metric} has {said}",
        metric=f"change_{metric}",
        scope=scope,
        bounds=bounds,
        minimum=-limit if fallen else None,
        maximum=limit if risen else None,
    )


def slice_claims(
    config: CalibrationConfig, table: SliceTable, labels: Sequence[str], sentences: Mapping[str, str]
) -> Iterator[Claim]:
    """That every slice keeps to the tolerances of all rows.

    Args:
        sentences: metric to what is claimed, with places for ``label`` and ``limit``.
    """
    for label in labels:
        for metric, key in _OF_SLICES.items():
            limit = getattr(config, key)
            if limit is None:
                continue
            yield Claim(
                id=f"{metric}:{label}",
                claim=sentences[metric].format(label=label, limit=f"{limit:g}"),
                metric=metric,
                scope=label,
                bounds=slice_calibration_bounds(table, metric, label),
                minimum=-limit if metric == "calibration_in_the_large" else None,
                maximum=limit,
                minimum_count=config.min_count,
            )
