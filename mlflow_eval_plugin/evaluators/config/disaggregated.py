"""The keys of the ``disaggregated`` evaluator."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, ClassVar

from pydantic import Field, ValidationInfo, field_validator, model_validator

from mlflow_eval_plugin.evaluators.config.base import AnyCosts, known
from mlflow_eval_plugin.evaluators.config.classes import OF_ONE_CLASS, split_metric
from mlflow_eval_plugin.evaluators.config.disaggregated_base import OF_THE_SYSTEM, DisaggregatedBase, own_functions
from mlflow_eval_plugin.evaluators.config.tolerances import Limits, Of, Tolerance, Tolerances

RATES = (
    "prevalence", "selection_rate", "accuracy", "balanced_accuracy", "precision", "recall", "fpr", "fnr", "f1", "auc",
    "average_precision", "log_loss", "brier", "ece", "calibration_in_the_large",
)  # fmt: skip
DIFFERENCES = ("demographic_parity_difference", "equal_opportunity_difference", "equalized_odds_difference")
RATIOS = ("demographic_parity_ratio",)
# Names of other measurements.
_TAKEN = (*RATES, *DIFFERENCES, *RATIOS, "cost", *OF_THE_SYSTEM)


class DisaggregatedConfig(DisaggregatedBase):
    """Keys of ``disaggregated`` for a classifier, besides those of ``DisaggregatedBase``.

    Attributes:
        metrics: name to a function of a ``stats.binary.user_metrics.SliceView``, or of a ``ClassView`` where there are
            three or more classes, that gives a number.
        threshold: scores at or above it are predicted positive.
        max_gap: metric to tolerance: how far a slice may be from ``gap_versus``, in either direction.
        min_ratio: metric to tolerance of the ratio to ``gap_versus``; 0.8 on selection_rate is the four-fifths rule.
        min_metric, max_metric: metric to the least or largest value that every slice may have.
        max_fairness, min_fairness: fairness difference or ratio to tolerance, per slice column.
        costs: what a row costs by what it is and what it is taken for: ``{"fp": 1, "fn": 5}``, and ``tp``, ``tn``; with
            three or more classes by label and predicted class, ``{"cat": {"dog": 1, "emu": 5}, …}``.
        max_cost: the largest mean cost of a row, for every slice and for all rows; needs ``costs``.
    """

    own_keys: ClassVar[frozenset[str]] = frozenset(
        {"max_gap", "min_ratio", "min_metric", "max_metric", "max_fairness", "min_fairness", "costs", "max_cost",
         "metrics", *DisaggregatedBase.base_keys}
    )  # fmt: skip
    errors: ClassVar[tuple[str, ...]] = ("log_loss", "brier", "wrong")
    ranged: ClassVar[Mapping[str, tuple[str | None, Of]]] = {
        "max_gap": (None, "difference"), "min_metric": (None, "value"), "max_metric": (None, "value"),
        "max_slice_change": (None, "difference"), "max_fairness": (None, "value"), "min_fairness": (None, "value"),
    }  # fmt: skip

    threshold: float = Field(default=0.5, ge=0, le=1)
    metrics: dict[str, Callable[..., Any]] = Field(default={})
    max_gap: Tolerances = Field(default={"fnr": 0.1, "fpr": 0.1})
    min_ratio: Tolerances = Field(default={})
    min_metric: Limits = Field(default={})
    max_metric: Limits = Field(default={})
    max_fairness: Tolerances = Field(default={})
    min_fairness: Tolerances = Field(default={})
    costs: AnyCosts = None
    max_cost: Tolerance | None = None

    @model_validator(mode="after")
    def _a_tolerance_has_costs(self) -> DisaggregatedConfig:
        if self.max_cost is not None and self.costs is None:
            raise ValueError(
                "'max_cost' needs 'costs': what a row of each kind costs, such as {'fp': 1, 'fn': 5}, or for three or "
                "more classes {'cat': {'dog': 1, …}, …}"
            )
        return self

    @model_validator(mode="after")
    def _fairness_is_of_columns(self) -> DisaggregatedConfig:
        columns = [subset for subset in self.subsets if len(subset) == 1]
        self.refuse_without(["max_fairness", "min_fairness"], "'slices' of single columns", columns)
        return self

    @model_validator(mode="after")
    def _signed_metrics_have_no_ratio_and_no_best(self) -> DisaggregatedConfig:
        signed = "calibration_in_the_large"
        if signed in self.min_ratio:
            raise ValueError(f"'min_ratio' of {signed!r}: it may be negative, so a ratio says nothing; use 'max_gap'")
        if signed in self.max_gap and self.gap_versus == "best":
            raise ValueError(f"'max_gap' of {signed!r}: neither end of it is the best; compare with the 'complement'")
        return self

    @property
    def custom_metrics(self) -> tuple[str, ...]:
        """Those of counts first."""
        return *self.metrics, *super().custom_metrics

    @field_validator("metrics", "row_metrics", mode="before")
    @classmethod
    def _metrics_are_functions(cls, value: Any, info: ValidationInfo) -> Any:
        # Of the two keys the one that is validated last sees the names of the other.
        return own_functions(value, (*_TAKEN, *info.data.get("row_metrics", {}), *info.data.get("metrics", {})))

    @field_validator("max_gap", "min_ratio", "min_metric", "max_metric", "max_slice_change")
    @classmethod
    def _metrics_are_known(cls, value: Limits, info: ValidationInfo) -> Limits:
        names = (*RATES, *info.data.get("metrics", {}), *info.data.get("row_metrics", {}))
        for name in value:
            rate, of_class = split_metric(name)
            known(*(("metric", name, names) if of_class is None else ("metric of one class", rate, OF_ONE_CLASS)))
        return value

    @field_validator("max_fairness")
    @classmethod
    def _differences_are_known(cls, value: Tolerances) -> Tolerances:
        return {known("fairness difference", name, DIFFERENCES): limit for name, limit in value.items()}

    @field_validator("min_fairness")
    @classmethod
    def _ratios_are_known(cls, value: Tolerances) -> Tolerances:
        return {known("fairness ratio", name, RATIOS): limit for name, limit in value.items()}
