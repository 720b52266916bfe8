"""The evaluators of a regression; ``drift`` is the same for all models, ``comparison`` has a module of its own."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

from mlflow_eval_plugin.engines import moment_summary, prediction_summary
from mlflow_eval_plugin.evaluators import drift, regression_comparison
from mlflow_eval_plugin.evaluators.config import Config, DriftConfig
from mlflow_eval_plugin.evaluators.disaggregated import gap_claims, metric_claims, ratio_claim
from mlflow_eval_plugin.evaluators.regression_comparison import PredictedChampion
from mlflow_eval_plugin.evaluators.regression_config import (
    RegressionCalibrationConfig,
    RegressionComparisonConfig,
    RegressionDisaggregatedConfig,
)
from mlflow_eval_plugin.evaluators.regression_rows import RegressionRows
from mlflow_eval_plugin.evaluators.rows import About, as_json, document
from mlflow_eval_plugin.evaluators.search import prepared_of_regression, weakest
from mlflow_eval_plugin.evaluators.slicing import cuts_of, slice_columns, wanted_labels
from mlflow_eval_plugin.evaluators.system import measured_system, system_claims, system_of
from mlflow_eval_plugin.evidence import Evidence
from mlflow_eval_plugin.stats.checks import Claim
from mlflow_eval_plugin.stats.disaggregated import Gap, gaps_of
from mlflow_eval_plugin.stats.errors import InputError
from mlflow_eval_plugin.stats.estimate import Estimate
from mlflow_eval_plugin.stats.gaps import VERSUS
from mlflow_eval_plugin.stats.mean_calibration import calibrate_mean, mean_bounds
from mlflow_eval_plugin.stats.quantile_calibration import calibrate_quantiles, coverage_bounds
from mlflow_eval_plugin.stats.regression import RegressionTable
from mlflow_eval_plugin.stats.regression_names import OF_ALL, can_be_best, can_be_divided, level_text
from mlflow_eval_plugin.stats.regression_summary import MomentSummary, PredictionSummary

_CLAIMS = {
    "bias_sigma": ("max_bias_sigma", "the mean prediction is within {limit} standard deviations of the mean target"),
    "bias": ("max_bias", "the mean prediction is within {limit} of the mean target"),
    "mean_error": ("max_mean_error", "mean predictions differ from mean targets by at most {limit} on average"),
    "rmse": ("max_rmse", "the root mean squared error is at most {limit}"),
    "mae": ("max_mae", "the mean absolute error is at most {limit}"),
}
_MOST_FULLY_COMPARED = 100
_NO_RATIO = Estimate(None, None, 0.0, "the metric can be negative, so that no ratio of it means anything")


def evaluate_regression(
    config: Config, rows: RegressionRows, other: RegressionRows | PredictedChampion | None, about: About
) -> Evidence:
    """Measure and judge, by what the config is of.

    Args:
        other: the reference, or the champion of a comparison.

    Raises:
        InputError: for slice columns that cannot be evaluated; targets and predictions were found right before.
    """
    if isinstance(config, RegressionComparisonConfig) and isinstance(other, PredictedChampion):
        return regression_comparison.evaluate(config, rows, other, about)
    reference = other if isinstance(other, RegressionRows) else None
    if isinstance(config, RegressionCalibrationConfig):
        return _calibration(config, rows, reference, about)
    if isinstance(config, RegressionDisaggregatedConfig):
        return _disaggregated(config, rows, about)
    if not isinstance(config, DriftConfig) or reference is None:
        raise InputError(f"{config.kind}: there is no reference to compare with")
    return drift.evaluate(config, rows, reference, about)


def _calibration(
    config: RegressionCalibrationConfig, rows: RegressionRows, reference: RegressionRows | None, about: About
) -> Evidence:
    summaries = _summaries(rows)
    measured = _measured(config, *summaries)
    measured["reference"] = None
    if reference is not None and reference.predicted is not None:
        measured["reference"] = _measured(config, *_summaries(reference))
    claims = (*_mean_claims(config, *summaries), *_coverage_claims(config, summaries[0]))
    return document(config, rows, claims, measured, about, reference=reference.data if reference else None)


def _summaries(rows: RegressionRows) -> tuple[MomentSummary, PredictionSummary]:
    return moment_summary(rows.frame, rows.known), prediction_summary(rows.known)


def _measured(
    config: RegressionCalibrationConfig, moments: MomentSummary, predictions: PredictionSummary
) -> dict[str, Any]:
    of_mean = as_json(calibrate_mean(moments, predictions, bins=config.bins))
    found = {"task": "regression", **of_mean, **as_json(calibrate_quantiles(moments))}
    for one in found["quantiles"]:
        one["column"] = config.quantiles[one["level"]]
    return found


def _mean_claims(
    config: RegressionCalibrationConfig, moments: MomentSummary, predictions: PredictionSummary
) -> Iterator[Claim]:
    for metric, (key, sentence) in _CLAIMS.items():
        limit = getattr(config, key)
        if limit is not None:
            yield Claim(
                id=f"{metric}:overall",
                claim=sentence.format(limit=f"{limit:g}"),
                metric=metric,
                scope="overall",
                bounds=mean_bounds(moments, predictions, metric, bins=config.bins),
                minimum=-limit if metric.startswith("bias") else None,
                maximum=limit,
            )


def _coverage_claims(config: RegressionCalibrationConfig, moments: MomentSummary) -> Iterator[Claim]:
    limit = config.max_coverage_error
    if limit is None:
        return
    claimed = [("quantile", level_text(level), level) for level in moments.levels]
    claimed += [("interval", band.name, band.level) for band in moments.bands]
    for what, name, level in claimed:
        inside = "inside" if what == "interval" else "at or below"
        yield Claim(
            id=f"coverage_error:{what}:{name}",
            claim=f"the share of targets {inside} the {what} {name} is within {limit:g} of {level:g}",
            metric="coverage_error",
            scope=f"{what} {name}",
            bounds=coverage_bounds(moments, name, level),
            minimum=-limit,
            maximum=limit,
        )


def _disaggregated(config: RegressionDisaggregatedConfig, rows: RegressionRows, about: About) -> Evidence:
    searching = prepared_of_regression(config, rows)
    summary = moment_summary(rows.frame, rows.known, **cuts_of(config))
    table, labels = RegressionTable(summary), wanted_labels(config, summary.slices)
    system = system_of(config, rows.frame)
    reports = {report.label: {**as_json(report), "slice": dict(report.slice)} for report in table.reports()}
    measurements = {
        "task": "regression",
        "slice_columns": slice_columns(config),
        "minimum_count": config.min_count,
        "weighted": summary.weighted,
        "overall": reports["overall"],
        "slices": [reports[label] for label in labels],
        "gaps": [as_json(one) for one in _gaps(config, table) if one.label in set(labels)],
        "system": measured_system(config, system, set(labels)),
        "weak_slices": weakest(searching),
    }
    claims = [*_slice_claims(config, table, labels), *system_claims(config, system, labels)]
    return document(config, rows, claims, measurements, about)


def _gaps(config: RegressionDisaggregatedConfig, table: RegressionTable) -> Iterator[Gap]:
    chosen = [*config.max_gap, *config.max_ratio, *config.min_ratio]
    few = len(table.slices) <= _MOST_FULLY_COMPARED
    # With hundreds of slices, three comparisons of every metric would be most of the document.
    for metric in dict.fromkeys([*OF_ALL, *chosen] if few else chosen):
        for versus in VERSUS if few else (config.gap_versus,):
            if versus != "best" or can_be_best(metric):
                for one in gaps_of(table, metric, versus, config.min_count):
                    yield one if can_be_divided(metric) else replace(one, ratio=_NO_RATIO)


def _slice_claims(
    config: RegressionDisaggregatedConfig, table: RegressionTable, labels: Sequence[str]
) -> Iterator[Claim]:
    yield from gap_claims(config, table, labels)
    for label in labels:
        for metric, limit in config.max_ratio.items():
            yield ratio_claim(config, table, metric, label, maximum=limit)
    for label in ("overall", *labels):
        yield from metric_claims(config, table, label)
