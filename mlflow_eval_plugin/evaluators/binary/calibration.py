"""The ``calibration`` evaluator: are predicted probabilities the frequencies that they claim to be?"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from mlflow_eval_plugin.evaluators.binary.rows import Rows
from mlflow_eval_plugin.evaluators.claims import MIDDLES, change_claim, slice_claims, slope_claims, tolerance_claim
from mlflow_eval_plugin.evaluators.config.calibration import CalibrationConfig
from mlflow_eval_plugin.evaluators.document import About, as_json, document, slice_json
from mlflow_eval_plugin.evaluators.slicing import slicing_of, wanted_labels
from mlflow_eval_plugin.evaluators.unchecked import gaps_in_calibration
from mlflow_eval_plugin.evidence import Evidence
from mlflow_eval_plugin.stats.binary.calibration.changes import bounds_of_change_since, changes
from mlflow_eval_plugin.stats.binary.calibration.recalibration import recalibrate
from mlflow_eval_plugin.stats.binary.calibration.report import ScoreTable, calibrate, calibration_bounds
from mlflow_eval_plugin.stats.binary.calibration.slices import slice_calibrations
from mlflow_eval_plugin.stats.binary.summary import ScoreSummary
from mlflow_eval_plugin.stats.binary.table import SliceTable
from mlflow_eval_plugin.stats.counts.threads import both
from mlflow_eval_plugin.stats.errors import InputError
from mlflow_eval_plugin.stats.inference.checks import Claim

_CLAIMS = {
    "ece_equal_mass": ("max_ece", "predicted probabilities differ from observed rates by at most {limit} on average"),
    "calibration_in_the_large": (
        "max_calibration_in_the_large",
        "the mean predicted probability is within {limit} of the event rate",
    ),
    "brier": ("max_brier", "the Brier score is at most {limit}"),
    "log_loss": ("max_log_loss", "the log loss is at most {limit}"),
}
_OF_SLICES = {
    "ece": "predicted probabilities of {label} differ from observed rates by at most {limit} on average",
    "calibration_in_the_large": "the mean predicted probability of {label} is within {limit} of the event rate",
}


def evaluate(config: CalibrationConfig, rows: Rows, reference: Rows | None, about: About) -> Evidence:
    """Measure calibration and judge it.

    Raises:
        InputError: when there are no probabilities, or labels, scores, weights or slice columns cannot be evaluated.
    """
    summary = _summary(rows)
    before = None if reference is None or not reference.scored.has_labels else _summary(reference)
    if config.max_change and before is None:
        raise InputError("calibration: 'max_change' needs labels in the reference; add them or leave it out")
    table = ScoreTable(summary, config.bins)
    measured, mended = both(lambda: _measured(table), lambda: recalibrate(summary, bins=config.bins))
    measurements = {
        **measured,
        "recalibration": as_json(mended),
        "reference": None if before is None else _measured(ScoreTable(before, config.bins)),
        "change": None if before is None else as_json(changes(summary, before, bins=config.bins)),
        "slices": [],
    }
    claims = [*_claims(table, config), *_change_claims(summary, before, config)]
    if config.slices or config.queries:
        parts = SliceTable(rows.scored.sliced(slicing_of(config)))
        labels = wanted_labels(config, parts.summary.slices)
        found = slice_calibrations(parts, labels)
        measurements["slices"] = [slice_json(one) for one in found]
        claims += slice_claims(config, parts, labels, _OF_SLICES)
        measurements["unchecked"] = gaps_in_calibration(parts, labels, claims, config.alpha)
    seen = reference.data if reference else None
    return document(config, rows, claims, measurements, about, reference=seen)


def _summary(rows: Rows) -> ScoreSummary:
    if not rows.scored.has_scores:
        raise InputError(
            "calibration: there are no probabilities, only predicted classes; give a model with predict_proba, or a "
            "column of probabilities ('predictions', or the key 'probability_column')"
        )
    return rows.scored.scores()


def _measured(table: ScoreTable) -> dict[str, Any]:
    measured: dict[str, Any] = as_json(calibrate(table))
    return measured


def _claims(table: ScoreTable, config: CalibrationConfig) -> Iterator[Claim]:
    for metric, (key, sentence) in _CLAIMS.items():
        limit = getattr(config, key)
        if limit is None:
            continue
        words, bounds = sentence.format(limit=f"{limit:g}"), calibration_bounds(table, metric)
        yield tolerance_claim(metric, "overall", words, bounds, limit, middle=MIDDLES.get(metric))
    yield from slope_claims(config, calibration_bounds(table, "calibration_slope"), "overall")


def _change_claims(summary: ScoreSummary, before: ScoreSummary | None, config: CalibrationConfig) -> Iterator[Claim]:
    if before is None:
        return
    for metric, limit in config.max_change.items():
        bounds = bounds_of_change_since(summary, before, metric, bins=config.bins)
        fallen = metric.startswith("calibration_")
        yield change_claim(metric, "overall", bounds, limit, fallen=fallen, risen=True)
