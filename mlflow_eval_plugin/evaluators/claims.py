"""The Claims that are the same whatever is predicted: of slopes, changes, slices, gaps, metrics, costs and margins."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from mlflow_eval_plugin.evaluators.config.calibration import CalibrationConfig
from mlflow_eval_plugin.evaluators.config.classes import split_metric
from mlflow_eval_plugin.evaluators.config.comparison import MARGIN_KEYS, ComparisonBase, ComparisonConfig
from mlflow_eval_plugin.evaluators.config.disaggregated import DisaggregatedConfig
from mlflow_eval_plugin.evaluators.config.regression import RegressionDisaggregatedConfig
from mlflow_eval_plugin.known_metrics import way
from mlflow_eval_plugin.stats.binary.calibration.slices import slice_calibration_bounds
from mlflow_eval_plugin.stats.binary.disaggregated import (
    gap_bounds,
    metric_bounds,
)
from mlflow_eval_plugin.stats.binary.table import SliceTable
from mlflow_eval_plugin.stats.errors import InputError
from mlflow_eval_plugin.stats.inference.checks import Claim
from mlflow_eval_plugin.stats.inference.estimate import Bounds, QuantityBounds
from mlflow_eval_plugin.stats.paired.differences import ChangeTable, change_bounds
from mlflow_eval_plugin.stats.slices.gaps import VERSUS, MetricTable

# Where metrics that may miss on either side should be.
MIDDLES = {"calibration_in_the_large": 0.0, "bias": 0.0, "bias_sigma": 0.0}
# Metrics of slices, and the key that holds their tolerance.
_OF_SLICES = {"ece": "max_ece", "calibration_in_the_large": "max_calibration_in_the_large"}


def tolerance_claim(
    metric: str,
    scope: str,
    claim: str,
    bounds: Bounds,
    limit: float,
    *,
    middle: float | None = None,
    minimum_count: int = 0,
) -> Claim:
    """That a metric is at most ``limit``; with ``middle``, that it is at most so far from there on either side."""
    return Claim(
        id=f"{metric}:{scope}",
        claim=claim,
        metric=metric,
        scope=scope,
        bounds=bounds,
        minimum=None if middle is None else middle - limit,
        maximum=limit if middle is None else middle + limit,
        minimum_count=minimum_count,
    )


def limit_claim(
    metric: str,
    label: str,
    claim: str,
    bounds: Bounds,
    *,
    minimum: float | None = None,
    maximum: float | None = None,
    minimum_count: int = 0,
) -> Claim:
    """That a metric of one slice is at most, or at least, so much."""
    return Claim(
        id=f"{'max' if maximum is not None else 'min'}:{metric}:{label}",
        claim=claim,
        metric=metric,
        scope=label,
        bounds=bounds,
        minimum=minimum,
        maximum=maximum,
        minimum_count=minimum_count,
    )


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
            words = sentences[metric].format(label=label, limit=f"{limit:g}")
            bounds = slice_calibration_bounds(table, metric, label)
            middle = MIDDLES.get(metric)
            yield tolerance_claim(metric, label, words, bounds, limit, middle=middle, minimum_count=config.min_count)


MOST_FULLY_COMPARED = 100
AGAINST = {"complement": "that of all other rows", "overall": "that of all rows", "best": "that of the best slice"}
GapConfig = DisaggregatedConfig | RegressionDisaggregatedConfig


def comparisons_of(config: DisaggregatedConfig, slices: int, usual: Sequence[str]) -> dict[str, list[str]]:
    """Which gaps a report holds: those that have a tolerance, and the usual ones unless there are too many slices."""
    chosen = [*config.max_gap, *config.min_ratio]
    if slices > MOST_FULLY_COMPARED:
        # With hundreds of slices, three comparisons of seven metrics each would be most of the document.
        return {"gap_metrics": sorted(set(chosen)), "versus": [config.gap_versus]}
    return {"gap_metrics": list(dict.fromkeys([*usual, *chosen])), "versus": list(VERSUS)}


def cost_claims(config: DisaggregatedConfig, bounds: Mapping[str, QuantityBounds]) -> Iterator[Claim]:
    """That a row of each slice costs at most ``max_cost`` on average; ``bounds`` by label."""
    if config.max_cost is None:
        return
    for label, of_slice in bounds.items():
        words = f"a row of {label} costs at most {config.max_cost:g} on average"
        yield limit_claim("cost", label, words, of_slice, maximum=config.max_cost, minimum_count=config.min_count)


def metric_claims(config: GapConfig, table: MetricTable, label: str) -> Iterator[Claim]:
    """The least and largest values that one slice may have."""
    for metric, limit in config.max_metric.items():
        yield _metric_claim(config, table, metric, label, maximum=limit)
    for metric, limit in config.min_metric.items():
        yield _metric_claim(config, table, metric, label, minimum=limit)


def gap_claims(config: GapConfig, table: MetricTable, labels: Sequence[str]) -> Iterator[Claim]:
    """How far every slice may be from what it is compared with."""
    versus = config.gap_versus
    for label in labels:
        for metric, limit in config.max_gap.items():
            yield Claim(
                id=f"gap:{metric}:{versus}:{label}",
                claim=f"{metric} of {label} is within {limit:g} of {AGAINST[versus]}",
                metric=f"gap_{metric}",
                scope=label,
                bounds=gap_bounds(table, metric, label, versus, minimum_count=config.min_count),
                minimum=-limit,
                maximum=limit,
                minimum_count=config.min_count,
            )
        for metric, limit in config.min_ratio.items():
            yield ratio_claim(config, table, metric, label, minimum=limit)


def ratio_claim(
    config: GapConfig,
    table: MetricTable,
    metric: str,
    label: str,
    *,
    minimum: float | None = None,
    maximum: float | None = None,
) -> Claim:
    """The Claim that a metric of one slice is at most, or at least, so many times what it is compared with."""
    versus = config.gap_versus
    return Claim(
        id=f"{'max_ratio' if maximum is not None else 'ratio'}:{metric}:{versus}:{label}",
        claim=f"{metric} of {label} is {limit_in_words(minimum, maximum)} times {AGAINST[versus]}",
        metric=f"ratio_{metric}",
        scope=label,
        bounds=gap_bounds(table, metric, label, versus, kind="ratio", minimum_count=config.min_count),
        minimum=minimum,
        maximum=maximum,
        minimum_count=config.min_count,
    )


def _metric_claim(
    config: GapConfig,
    table: MetricTable,
    metric: str,
    label: str,
    *,
    minimum: float | None = None,
    maximum: float | None = None,
) -> Claim:
    """The Claim that a metric of one slice is at most, or at least, so much."""
    return limit_claim(
        metric,
        label,
        f"{metric} of {label} is {limit_in_words(minimum, maximum)}",
        metric_bounds(table, metric, label),
        minimum=minimum,
        maximum=maximum,
        minimum_count=config.min_count,
    )


def limit_in_words(minimum: float | None, maximum: float | None) -> str:
    """The one end that is set, as a Claim says it."""
    return f"at most {maximum:g}" if maximum is not None else f"at least {minimum:g}"


def refuse_blind(config: ComparisonConfig, of_scores: Sequence[str]) -> None:
    """Refuse margins of metrics that need probabilities, where one of the two models has none.

    Raises:
        InputError: names the metrics.
    """
    for key in MARGIN_KEYS:
        lacking = [metric for metric in getattr(config, key) if split_metric(metric)[0] in of_scores]
        if lacking:
            raise InputError(
                f"comparison: {key} names {', '.join(map(repr, lacking))}, which needs the probabilities of both "
                "models, and one of them has only classes; give probabilities or leave it out"
            )


def margin_claims(config: ComparisonBase, table: ChangeTable[Any], labels: Iterable[str]) -> Iterator[Claim]:
    """The margins of a config as Claims about the changes of a table."""
    for metric, margin in config.non_inferiority.items():
        yield _margin_claim(config, table, "non_inferiority", metric, "overall", margin)
    for metric, margin in config.superiority.items():
        yield _margin_claim(config, table, "superiority", metric, "overall", margin)
    for label in labels:
        for metric, margin in config.slice_non_inferiority.items():
            yield _margin_claim(config, table, "non_inferiority", metric, label, margin)


def _margin_claim(
    config: ComparisonBase, table: ChangeTable[Any], kind: str, metric: str, label: str, margin: float
) -> Claim:
    lower_is_better = way(metric) == 1
    # The least gain that is still good enough; a gain in a loss is a change downwards.
    least = margin if kind == "superiority" else -margin
    worse = "above" if lower_is_better else "below"
    better = "below" if lower_is_better else "above"
    words = f"at least {margin:g} {better}" if kind == "superiority" else f"at most {margin:g} {worse}"
    where = "" if label == "overall" else f" of {label}"
    return Claim(
        id=f"{kind}:{metric}:{label}",
        claim=f"the challenger's {metric}{where} is {words} the champion's",
        metric=f"change_{metric}",
        scope=label,
        bounds=change_bounds(table, metric, label),
        minimum=None if lower_is_better else least,
        maximum=0.0 - least if lower_is_better else None,
        minimum_count=config.min_count,
    )
