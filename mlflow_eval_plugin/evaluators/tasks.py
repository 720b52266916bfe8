"""Which evaluator judges rows of a task, by the kind that a config is of.

Of three or more classes ``drift`` takes the predicted class like any column.
"""

from __future__ import annotations

from mlflow_eval_plugin.evaluators import drift
from mlflow_eval_plugin.evaluators.config.base import Config
from mlflow_eval_plugin.evaluators.config.calibration import CalibrationConfig
from mlflow_eval_plugin.evaluators.config.comparison import ComparisonConfig
from mlflow_eval_plugin.evaluators.config.disaggregated import DisaggregatedConfig
from mlflow_eval_plugin.evaluators.config.drift import DriftConfig
from mlflow_eval_plugin.evaluators.config.regression import (
    RegressionCalibrationConfig,
    RegressionComparisonConfig,
    RegressionDisaggregatedConfig,
)
from mlflow_eval_plugin.evaluators.document import About
from mlflow_eval_plugin.evaluators.multiclass import calibration as multiclass_calibration
from mlflow_eval_plugin.evaluators.multiclass import comparison as multiclass_comparison
from mlflow_eval_plugin.evaluators.multiclass import disaggregated as multiclass_disaggregated
from mlflow_eval_plugin.evaluators.multiclass.comparison import ClassChampion
from mlflow_eval_plugin.evaluators.multiclass.rows import MulticlassRows
from mlflow_eval_plugin.evaluators.regression import calibration as regression_calibration
from mlflow_eval_plugin.evaluators.regression import comparison as regression_comparison
from mlflow_eval_plugin.evaluators.regression import disaggregated as regression_disaggregated
from mlflow_eval_plugin.evaluators.regression.comparison import PredictedChampion
from mlflow_eval_plugin.evaluators.regression.rows import RegressionRows
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
        return regression_calibration.evaluate(config, rows, reference, about)
    if isinstance(config, RegressionDisaggregatedConfig):
        return regression_disaggregated.evaluate(config, rows, about)
    if not isinstance(config, DriftConfig) or reference is None:
        raise InputError(f"{config.kind}: there is no reference to compare with")
    return drift.evaluate(config, rows, reference, about)
