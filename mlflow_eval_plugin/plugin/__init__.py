"""The door to MLflow: four evaluators for ``mlflow.models.evaluate``, named by the entry points.

Importing this costs nothing beyond MLflow itself: whatever computes, draws or logs is imported when it is used, because
MLflow constructs every registered evaluator, also for calls that use none of them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from mlflow.models.evaluation.base import EvaluationResult, ModelEvaluator

__all__ = ["CalibrationEvaluator", "ComparisonEvaluator", "DisaggregatedEvaluator", "DriftEvaluator"]


class _Evaluator(ModelEvaluator):
    """What the four have in common: MLflow's two methods, handed on to the call they belong to."""

    kind: ClassVar[str]

    @classmethod
    def can_evaluate(
        cls, *, model_type: str | None, evaluator_config: Mapping[str, Any] | None = None, **kwargs: Any
    ) -> bool:
        """Whether this evaluator was asked for: by name in ``evaluators``, or by its config.

        Without either it stays out of calls with ``evaluators=None``, which run whatever says yes.

        Raises:
            MlflowException: inside an evaluate call, for a config or a model type that cannot be used; by then nothing
                of ours is computed or logged.
        """
        from mlflow_eval_plugin.plugin.participants import can_evaluate

        return can_evaluate(cls.kind, model_type, evaluator_config)

    def evaluate(  # noqa: PLR0913 - MLflow's signature
        self,
        *,
        model_type: str,
        dataset: Any,
        run_id: str,
        evaluator_config: Mapping[str, Any] | None,
        model: Any = None,
        extra_metrics: Any = None,
        custom_artifacts: Any = None,
        predictions: str | None = None,
        model_id: str | None = None,
        **kwargs: Any,
    ) -> EvaluationResult:
        """Measure, judge, and log Evidence, report, figures and metrics to the run, each once.

        Raises:
            MlflowException: INVALID_PARAMETER_VALUE, for a config or data that cannot be evaluated; nothing of ours is
                logged in that case, whichever of our evaluators it concerns.
        """
        from mlflow_eval_plugin.plugin.call import Request, call_of
        from mlflow_eval_plugin.plugin.run.log import logged

        request = Request(dataset, run_id, model, predictions, model_id, model_type)
        return logged(call_of(self.kind, evaluator_config, request), self.kind)


class CalibrationEvaluator(_Evaluator):
    """Are predicted probabilities the frequencies that they claim to be?"""

    kind: ClassVar[str] = "calibration"


class DisaggregatedEvaluator(_Evaluator):
    """Does the model serve every slice as well as the others?"""

    kind: ClassVar[str] = "disaggregated"


class DriftEvaluator(_Evaluator):
    """Are the rows still like those of the reference?"""

    kind: ClassVar[str] = "drift"


class ComparisonEvaluator(_Evaluator):
    """Is the challenger at least as good as the champion on the same rows, and for everyone?"""

    kind: ClassVar[str] = "comparison"
