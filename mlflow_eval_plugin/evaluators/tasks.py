"""The evaluators of three or more classes, by kind; ``drift`` takes the predicted class like any column."""

from __future__ import annotations

from mlflow_eval_plugin.evaluators.config.keys import CalibrationConfig, ComparisonConfig, Config, DisaggregatedConfig
from mlflow_eval_plugin.evaluators.document import About, MulticlassRows
from mlflow_eval_plugin.evaluators.multiclass import calibration as multiclass_calibration
from mlflow_eval_plugin.evaluators.multiclass import comparison as multiclass_comparison
from mlflow_eval_plugin.evaluators.multiclass import disaggregated as multiclass_disaggregated
from mlflow_eval_plugin.evaluators.multiclass.comparison import ClassChampion
from mlflow_eval_plugin.evidence import Evidence
from mlflow_eval_plugin.stats.errors import InputError


def evaluate(
    config: Config, rows: MulticlassRows, other: MulticlassRows | ClassChampion | None, about: About
) -> Evidence:
    """Measure and judge.

    Args:
        other: the reference of a calibration, or the champion of a comparison.

    Raises:
        InputError: for what this kind of evaluator cannot say of three or more classes.
    """
    if isinstance(config, CalibrationConfig):
        reference = other if isinstance(other, MulticlassRows) else None
        return multiclass_calibration.evaluate(config, rows, reference, about)
    if isinstance(config, ComparisonConfig) and isinstance(other, ClassChampion):
        return multiclass_comparison.evaluate(config, rows, other, about)
    if isinstance(config, DisaggregatedConfig):
        return multiclass_disaggregated.evaluate(config, rows, about)
    raise InputError(f"{config.kind}: expected two classes, found {len(rows.known.classes)}")
