"""Which metrics of which slices no Claim of a document judges, and what harm is found there."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from mlflow_eval_plugin.evaluators.document import as_json
from mlflow_eval_plugin.known_metrics import same_metric, way
from mlflow_eval_plugin.stats.binary.metrics import OF_SCORES
from mlflow_eval_plugin.stats.binary.table import SliceTable
from mlflow_eval_plugin.stats.inference.checks import Claim
from mlflow_eval_plugin.stats.multiclass.metrics import MULTICLASS_METRICS, MulticlassTable
from mlflow_eval_plugin.stats.multiclass.metrics import OF_PROBABILITIES as OF_CLASS_PROBABILITIES
from mlflow_eval_plugin.stats.paired.differences import ChangeTable
from mlflow_eval_plugin.stats.regression.metrics import RegressionTable
from mlflow_eval_plugin.stats.slices.gaps import MetricTable
from mlflow_eval_plugin.stats.slices.unchecked import Looked, unchecked_changes, unchecked_gaps

# Without the average precision: it follows the share of positives, so that slices differ in it however they are served.
_OF_TWO = (
    "accuracy", "balanced_accuracy", "precision", "recall", "fpr", "f1", "auc", "log_loss", "brier", "ece",
    "calibration_in_the_large",
)  # fmt: skip
_OF_SLICE_CALIBRATION = ("log_loss", "brier", "ece", "calibration_in_the_large")
# The balanced accuracy is the mean recall, and so is the rate of false negatives.
_OF_CLASSES = tuple(name for name in MULTICLASS_METRICS if name not in ("balanced_accuracy", "fnr"))
_OF_A_CLASS = ("recall", "precision")
_MOST_BY_CLASS = 4096  # slices times classes
_PREFIXES = ("gap_", "ratio_", "change_")
_LOSSES = ("log_loss", "brier", "cost", "mae", "rmse", "pinball_", "interval_score_")
_NEITHER = ("selection_rate", "prevalence", "width_")  # more is neither better nor worse by itself


def checked_by(claims: Iterable[Claim]) -> set[tuple[str, str]]:
    """The slices and metrics that Claims judge; one about fewer rows than its minimum count judges nothing."""
    return {
        (claim.scope, same_metric(_measured(claim.metric))) for claim in claims if claim.bounds.n >= claim.minimum_count
    }


def gaps_of_two(
    table: SliceTable, labels: Sequence[str], claims: Iterable[Claim], alpha: float, *, scores: bool
) -> dict[str, Any]:
    """Of a classifier of two classes: slices that do worse than all other rows."""
    names = [name for name in _OF_TWO if scores or name not in OF_SCORES]
    return _gaps(table, labels, names, claims, alpha, rate=_rate_of(table))


def gaps_in_calibration(
    table: SliceTable, labels: Sequence[str], claims: Iterable[Claim], alpha: float
) -> dict[str, Any]:
    """Of the calibration by slice: slices whose scores are further off than those of all other rows."""
    return _gaps(table, labels, _OF_SLICE_CALIBRATION, claims, alpha, rate=_rate_of(table))


def gaps_of_classes(
    table: MulticlassTable, labels: Sequence[str], claims: Iterable[Claim], alpha: float
) -> dict[str, Any]:
    """Of a classifier of three or more classes: means over classes, and the recall and precision of each class."""
    summary = table.summary
    names = [name for name in _OF_CLASSES if summary.moments is not None or name not in OF_CLASS_PROBABILITIES]
    names = [name for name in names if name != "auc" or summary.ranks is not None]
    if len(summary.slices) * len(summary.classes) <= _MOST_BY_CLASS:
        names += [f"{metric}[{one}]" for metric in _OF_A_CLASS for one in summary.classes]
    return _gaps(table, labels, names, claims, alpha)


def gaps_of_regression(
    table: RegressionTable, labels: Sequence[str], claims: Iterable[Claim], alpha: float
) -> dict[str, Any]:
    """Of a regression: slices with larger errors than all other rows, or intervals that hold fewer or more."""
    levels = {f"coverage_{band.name}": band.level for band in table.summary.bands}
    levels |= {f"coverage_{level:.12g}": level for level in table.summary.levels}
    return _gaps(table, labels, table.names, claims, alpha, ideals=levels)


def changes_for_the_worse(
    table: ChangeTable[Any], labels: Sequence[str], metrics: Sequence[str], claims: Iterable[Claim], alpha: float
) -> dict[str, Any]:
    """Of a comparison: where the challenger does worse than the champion, on all rows or for a slice."""
    checked, places = checked_by(claims), _places(table, ("overall", *labels))
    names = _without_twins(name for name in metrics if not name.startswith(_NEITHER))
    looked = [_looked(name, _unit(name, float(table.values(name)[0][0])), 0.0) for name in names]
    made: dict[str, Any] = as_json(unchecked_changes(table, places, looked, checked, alpha=alpha))
    return made


def _gaps(
    table: MetricTable,
    labels: Sequence[str],
    names: Iterable[str],
    claims: Iterable[Claim],
    alpha: float,
    *,
    rate: float = 1.0,
    ideals: Mapping[str, float] | None = None,
) -> dict[str, Any]:
    ideals = ideals or {}
    looked = [
        _looked(name, _unit(name, float(table.metric(name).value[0]), rate, _root(table, name)), ideals.get(name, 0.0))
        for name in names
        if not name.startswith(_NEITHER)
    ]
    found = unchecked_gaps(table, _places(table, labels), looked, checked_by(claims), alpha=alpha)
    made: dict[str, Any] = as_json(found)
    return made


def _looked(name: str, unit: float, ideal: float) -> Looked:
    return Looked(name, way(name), ideal, unit)


def _unit(name: str, overall: float, rate: float = 1.0, root: float = 0.0) -> float:
    """What makes differences of metrics comparable: all that a rate can be, and for a loss that of all rows."""
    if name.startswith(_LOSSES):
        return abs(overall) or 1.0
    if name == "bias":
        return root or 1.0
    if name in ("ece", "calibration_in_the_large"):
        return rate
    return 0.5 if name.startswith("auc") else 1.0


def _rate_of(table: SliceTable) -> float:
    # A score that is a point too high is little where half the rows have the event, and much where few have it.
    event = float(table.metric("prevalence").value[0])
    return 2 * min(event, 1 - event) or 1.0


def _root(table: MetricTable, name: str) -> float:
    return float(table.metric("rmse").value[0]) if name == "bias" else 0.0


def _places(table: MetricTable | ChangeTable[Any], labels: Sequence[str]) -> list[int]:
    place = {one.label: i for i, one in enumerate(table.slices)}
    return [place[label] for label in labels]


def _without_twins(names: Iterable[str]) -> list[str]:
    found: dict[str, str] = {}
    for name in names:
        found.setdefault(same_metric(name), name)
    return list(found.values())


def _measured(metric: str) -> str:
    return next((metric.removeprefix(prefix) for prefix in _PREFIXES if metric.startswith(prefix)), metric)
