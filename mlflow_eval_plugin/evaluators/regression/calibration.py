"""The ``calibration`` evaluator of a regression: of the mean, of quantiles and intervals, of slices, and since when."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import reduce
from operator import add
from typing import Any

from mlflow_eval_plugin.evaluators.claims import MIDDLES, change_claim, tolerance_claim
from mlflow_eval_plugin.evaluators.config.regression import RegressionCalibrationConfig
from mlflow_eval_plugin.evaluators.document import About, as_json, document, slice_json
from mlflow_eval_plugin.evaluators.regression.rows import RegressionRows
from mlflow_eval_plugin.evaluators.slicing import slicing_of, wanted_labels
from mlflow_eval_plugin.evaluators.unchecked import gaps_of_regression
from mlflow_eval_plugin.evidence import Evidence
from mlflow_eval_plugin.known_metrics import way
from mlflow_eval_plugin.stats.errors import InputError
from mlflow_eval_plugin.stats.inference.checks import Claim
from mlflow_eval_plugin.stats.inference.estimate import Quantity, bounds_at, estimates
from mlflow_eval_plugin.stats.inference.held_out import FOLDS
from mlflow_eval_plugin.stats.regression.calibration.changes import MeanSummaries, mean_changes
from mlflow_eval_plugin.stats.regression.calibration.quantiles import calibrate_quantiles, coverage_bounds
from mlflow_eval_plugin.stats.regression.calibration.recalibration import recalibrate_mean
from mlflow_eval_plugin.stats.regression.calibration.report import bias_in_deviations, calibrate_mean, mean_bounds
from mlflow_eval_plugin.stats.regression.disaggregated import regression_slices
from mlflow_eval_plugin.stats.regression.metrics import Moments, RegressionTable
from mlflow_eval_plugin.stats.regression.names import level_text
from mlflow_eval_plugin.stats.regression.summary import MomentSummary

_CLAIMS = {
    "bias_sigma": ("max_bias_sigma", "the mean prediction is within {limit} standard deviations of the mean target"),
    "bias": ("max_bias", "the mean prediction is within {limit} of the mean target"),
    "mean_error": ("max_mean_error", "mean predictions differ from mean targets by at most {limit} on average"),
    "rmse": ("max_rmse", "the root mean squared error is at most {limit}"),
    "mae": ("max_mae", "the mean absolute error is at most {limit}"),
}
_LABEL = "{slice}"  # replaced and not formatted: names of intervals may hold braces
_SIDE = {"quantile": "at or below", "interval": "inside"}


def evaluate(
    config: RegressionCalibrationConfig, rows: RegressionRows, reference: RegressionRows | None, about: About
) -> Evidence:
    """Measure calibration and judge it.

    Raises:
        InputError: for slice columns that cannot be evaluated, or a change since a reference that lacks targets or
            predictions.
    """
    folds = rows.known.folds(FOLDS).folds
    # Of slices everything but their own reports takes "overall", the first of them.
    moments = rows.known.moments(slicing_of(config))
    summaries = MeanSummaries(moments, reduce(add, folds))
    before = None if reference is None or reference.predicted is None else _summaries(reference)
    if config.max_change and before is None:
        raise InputError(
            "calibration: 'max_change' needs targets and predictions in the reference; add them or leave it out"
        )
    labels = wanted_labels(config, moments.slices)
    reports = {one.label: slice_json(one) for one in regression_slices(RegressionTable(moments))} if labels else {}
    changed = {} if before is None else mean_changes(summaries, before, bins=config.bins)
    measured = {
        **_measured(config, summaries),
        "recalibration": as_json(recalibrate_mean(folds, bins=config.bins)),
        "reference": None if before is None else _measured(config, before),
        "change": None if before is None else {name: as_json(estimates(one)[0]) for name, one in changed.items()},
        "slices": [reports[label] for label in labels],
    }
    claims = [*_mean_claims(config, summaries), *_coverage_claims(config, moments)]
    claims += [*_change_claims(config, changed), *_slice_claims(config, moments, labels)]
    if labels:
        measured["unchecked"] = gaps_of_regression(RegressionTable(moments), labels, claims, config.alpha)
    return document(config, rows, claims, measured, about, reference=reference.data if reference else None)


def _summaries(rows: RegressionRows) -> MeanSummaries:
    return MeanSummaries(rows.known.moments(), rows.known.predictions())


def _measured(config: RegressionCalibrationConfig, summaries: MeanSummaries) -> dict[str, Any]:
    of_mean = as_json(calibrate_mean(summaries.moments, summaries.predictions, bins=config.bins))
    found = {**of_mean, **as_json(calibrate_quantiles(summaries.moments))}
    for one in found["quantiles"]:
        one["column"] = config.quantiles[one["level"]]
    return found


def _mean_claims(config: RegressionCalibrationConfig, summaries: MeanSummaries) -> Iterator[Claim]:
    for metric, (key, sentence) in _CLAIMS.items():
        limit = getattr(config, key)
        if limit is not None:
            bounds = mean_bounds(summaries.moments, summaries.predictions, metric, bins=config.bins)
            words = sentence.format(limit=f"{limit:g}")
            yield tolerance_claim(metric, "overall", words, bounds, limit, middle=MIDDLES.get(metric))


def _claimed(moments: MomentSummary) -> Iterator[tuple[str, str, float]]:
    """Every quantile and interval, with the share of targets that it claims to hold."""
    for level in moments.levels:
        yield "quantile", level_text(level), level
    for band in moments.bands:
        yield "interval", band.name, band.level


def _coverage_claims(config: RegressionCalibrationConfig, moments: MomentSummary) -> Iterator[Claim]:
    limit = config.max_coverage_error
    if limit is None:
        return
    for what, name, level in _claimed(moments):
        yield Claim(
            id=f"coverage_error:{what}:{name}",
            claim=f"the share of targets {_SIDE[what]} the {what} {name} is within {limit:g} of {level:g}",
            metric="coverage_error",
            scope=f"{what} {name}",
            bounds=coverage_bounds(moments, name, level),
            minimum=-limit,
            maximum=limit,
        )


def _change_claims(config: RegressionCalibrationConfig, changed: Mapping[str, Quantity]) -> Iterator[Claim]:
    for metric, limit in config.max_change.items():
        bounds, harm = bounds_at(changed[metric], 0), way(metric)
        yield change_claim(metric, "overall", bounds, limit, fallen=harm <= 0, risen=harm >= 0)


def _slice_claims(
    config: RegressionCalibrationConfig, moments: MomentSummary, labels: Sequence[str]
) -> Iterator[Claim]:
    """That every slice keeps to the tolerances of bias and coverage."""
    places = {one.label: at for at, one in enumerate(moments.slices)}
    for metric, sentence, quantity, middle, limit in _of_slices(config, moments):
        if limit is None:
            continue
        for label in labels:
            words, bounds = f"{sentence.replace(_LABEL, label)} {limit:g}", bounds_at(quantity, places[label])
            yield tolerance_claim(metric, label, words, bounds, limit, middle=middle, minimum_count=config.min_count)


def _of_slices(
    config: RegressionCalibrationConfig, moments: MomentSummary
) -> Iterator[tuple[str, str, Quantity, float, float | None]]:
    """What is claimed of a slice: metric, sentence, estimates, what they should be, and the tolerance."""
    of_all = Moments(moments)
    words = "the mean prediction of {slice} differs from the mean target, in standard deviations, by at most"
    yield "bias_sigma", words, bias_in_deviations(moments), 0.0, config.max_bias_sigma
    yield (
        "bias",
        "the mean prediction of {slice} differs from the mean target by at most",
        of_all.bias(),
        0.0,
        config.max_bias,
    )
    for what, name, level in _claimed(moments):
        words = f"the share of targets {_SIDE[what]} the {what} {name} in {{slice}} differs from {level:g} by at most"
        yield f"coverage_{name}", words, of_all.quantity(f"coverage_{name}"), level, config.max_coverage_error
