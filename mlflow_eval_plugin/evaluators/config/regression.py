"""What a user may set where the model is a regression: the same evaluators, with tolerances in units of the target."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, ClassVar

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from mlflow_eval_plugin.evaluators.config.base import Config, SlicedConfig, known
from mlflow_eval_plugin.evaluators.config.comparison import MARGIN_KEYS, ComparisonBase
from mlflow_eval_plugin.evaluators.config.disaggregated_base import OF_THE_SYSTEM, DisaggregatedBase, own_functions
from mlflow_eval_plugin.evaluators.config.drift import DriftConfig
from mlflow_eval_plugin.evaluators.config.tolerances import Limits, Of, Tolerance, Tolerances
from mlflow_eval_plugin.stats.regression.names import (
    OF_ALL,
    SMALLEST_LEVEL,
    can_be_best,
    can_be_divided,
    changed_names,
    level_text,
    metric_names,
    pairs_of,
)

Level = Annotated[float, Field(ge=SMALLEST_LEVEL, le=1 - SMALLEST_LEVEL)]
_OF_FORECASTS = ("pinball_", "coverage_", "width_", "interval_score_")
_MARGINS = tuple(name for name in OF_ALL if can_be_best(name))
_OF_CLASSES = ("pos_label", "label_list", "probability_column", "probability_columns")


class IntervalColumns(BaseModel):
    """The columns of a predicted interval, and the share of rows that it claims to hold."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    lower: str
    upper: str
    level: Level


@dataclass(frozen=True)
class Forecasts:
    """Predicted quantiles by level, and intervals by name: the columns that hold them."""

    quantiles: Mapping[float, str] = field(default_factory=dict)
    intervals: Mapping[str, IntervalColumns] = field(default_factory=dict)

    @property
    def columns(self) -> dict[str, str]:
        """Every column of a predicted quantile or of an end of an interval, with the key that names it."""
        ends = {end: f"intervals {name!r}" for name, one in self.intervals.items() for end in (one.lower, one.upper)}
        return {**ends, **dict.fromkeys(self.quantiles.values(), "quantiles")}


class MeanConfig(Config):
    """Keys of every evaluator of a regression.

    Attributes:
        prediction_column: the column of the model's output, or of the data, that holds the prediction of the mean.
    """

    prediction_column: str | None = None

    @model_validator(mode="after")
    def _there_are_no_classes(self) -> MeanConfig:
        for key in _OF_CLASSES:
            if getattr(self, key) is not None:
                raise ValueError(f"{key!r} is for classifiers, and this model is none; leave it out")
        return self

    def _apart(self) -> tuple[str | None, ...]:
        return *super()._apart(), self.prediction_column

    @property
    def forecasts(self) -> Forecasts:
        """What is predicted beside the mean."""
        return Forecasts()


class PredictionConfig(MeanConfig):
    """Keys of the evaluators that know predicted quantiles and intervals.

    Attributes:
        quantiles: level to the column of the model's output, or of the data, that holds the predicted quantile.
        intervals: name to the columns of a predicted interval; pairs of quantiles make some too, 0.1 and 0.9 "80 %".
    """

    quantiles: dict[Level, str] = Field(default={})
    intervals: dict[Annotated[str, Field(min_length=1, max_length=50)], IntervalColumns] = Field(default={})

    @field_validator("quantiles")
    @classmethod
    def _levels_in_order(cls, value: dict[float, str]) -> dict[float, str]:
        return dict(sorted(value.items()))

    @model_validator(mode="after")
    def _names_differ(self) -> PredictionConfig:
        for name in self.intervals:
            if name in map(level_text, self.quantiles):
                raise ValueError(f"the interval {name!r} is called like a quantile; rename it, such as '80 %'")
        return self

    def _apart(self) -> tuple[str | None, ...]:
        return *super()._apart(), *self.forecasts.columns

    @property
    def forecasts(self) -> Forecasts:
        """What is predicted beside the mean."""
        return Forecasts(self.quantiles, self.intervals)

    @property
    def bands(self) -> dict[str, float]:
        """Every interval by its name, with its level: those given, and those that pairs of quantiles make."""
        derived = {name: high - low for name, (low, high) in pairs_of(tuple(self.quantiles)).items()}
        return {**derived, **{name: one.level for name, one in self.intervals.items()}}

    @property
    def slice_metrics(self) -> tuple[str, ...]:
        """Every metric that there is of a slice."""
        return metric_names(tuple(self.quantiles), tuple(self.bands))


class RegressionCalibrationConfig(PredictionConfig, SlicedConfig):
    """Keys of ``calibration`` for a regression; a tolerance of None sets no Check.

    Attributes:
        bins: number of bins of equal mass of the mean error and of the diagram.
        max_bias_sigma: tolerance of the bias in standard deviations of the target, in either direction.
        max_bias: the same in units of the target.
        max_mean_error: tolerance of the mean distance between mean prediction and mean target of a bin.
        max_rmse, max_mae: tolerances of the two errors.
        max_coverage_error: how far the coverage of a quantile or an interval may be from its level, either way.
        max_change: metric to tolerance of its change since ``reference``: how much an error may have risen or ``r2``
            fallen, how far ``bias``, ``slope`` or a coverage may have moved either way.
        slices, depth, min_count, max_levels: as in ``SlicedConfig``; ``max_bias_sigma``, ``max_bias`` and
            ``max_coverage_error`` hold for every slice.
        reference, reference_name: as for classifiers.
    """

    kind: ClassVar[str] = "calibration"
    own_keys: ClassVar[frozenset[str]] = frozenset(
        {"bins", "max_bias_sigma", "max_bias", "max_mean_error", "max_rmse", "max_mae", "max_coverage_error",
         "max_change"}
    )  # fmt: skip

    ranged: ClassVar[Mapping[str, tuple[str | None, Of]]] = {
        "max_coverage_error": ("coverage_error", "value"), "max_change": (None, "difference"),
    }  # fmt: skip

    bins: int = Field(default=15, ge=2, le=200)
    max_bias_sigma: Tolerance | None = 0.1
    max_bias: Tolerance | None = None
    max_mean_error: Tolerance | None = None
    max_rmse: Tolerance | None = None
    max_mae: Tolerance | None = None
    max_coverage_error: Tolerance | None = 0.05
    max_change: Tolerances = Field(default={})
    reference: Any = None
    reference_name: str = "reference"

    @model_validator(mode="after")
    def _changes_are_known(self) -> RegressionCalibrationConfig:
        for name in self.max_change:
            known("change", name, changed_names(tuple(self.quantiles), tuple(self.bands)))
        if self.max_change and self.reference is None:
            raise ValueError("'max_change' needs 'reference': the rows since which nothing may have changed")
        return self


class RegressionDisaggregatedConfig(PredictionConfig, DisaggregatedBase):
    """Keys of ``disaggregated`` for a regression, besides those of ``DisaggregatedBase``.

    Attributes:
        max_gap: metric to tolerance, in units of the metric: how far a slice may be from ``gap_versus``, either way.
        min_ratio: metric to the least ratio to ``gap_versus``.
        max_ratio: metric to the largest ratio to ``gap_versus``.
        min_metric, max_metric: metric to the least or largest value that every slice may have.
    """

    own_keys: ClassVar[frozenset[str]] = frozenset(
        {"max_gap", "max_ratio", "min_ratio", "min_metric", "max_metric", *DisaggregatedBase.base_keys}
    )
    errors: ClassVar[tuple[str, ...]] = ("squared_error", "absolute_error")
    ranged: ClassVar[Mapping[str, tuple[str | None, Of]]] = {
        "max_gap": (None, "difference"), "min_metric": (None, "value"), "max_metric": (None, "value"),
        "max_slice_change": (None, "difference"),
    }  # fmt: skip
    against: ClassVar[tuple[str, ...]] = ("max_gap", "max_ratio", "min_ratio")

    max_gap: Tolerances = Field(default={})
    max_ratio: Tolerances = Field(default={"mae": 1.5})
    min_ratio: Tolerances = Field(default={})
    min_metric: Limits = Field(default={})
    max_metric: Limits = Field(default={})

    @field_validator("row_metrics", mode="before")
    @classmethod
    def _metrics_are_functions(cls, value: Any) -> Any:
        given = map(str, value) if isinstance(value, Mapping) else ()
        return own_functions(value, (*OF_ALL, *OF_THE_SYSTEM, *(one for one in given if one.startswith(_OF_FORECASTS))))

    @model_validator(mode="after")
    def _metrics_are_known(self) -> RegressionDisaggregatedConfig:
        for key in ("max_gap", "max_ratio", "min_ratio", "min_metric", "max_metric", "max_slice_change"):
            for metric in getattr(self, key):
                known(f"metric of {key}", metric, (*self.slice_metrics, *self.row_metrics))
                if "ratio" in key and not can_be_divided(metric):
                    raise ValueError(f"{key}: {metric!r} can be negative, so that no ratio of it means anything")
                if (
                    key not in ("min_metric", "max_metric", "max_slice_change")
                    and self.gap_versus == "best"
                    and not can_be_best(metric)
                ):
                    raise ValueError(f"{key}: there is no best {metric!r}; set 'gap_versus' to complement or overall")
        return self


class RegressionDriftConfig(PredictionConfig, DriftConfig):
    """Keys of ``drift`` for a regression: those of any model, and which columns hold predictions."""


class RegressionComparisonConfig(MeanConfig, ComparisonBase):
    """Keys of ``comparison`` for a regression: those of ``ComparisonBase``, and which column holds the prediction.

    Attributes:
        non_inferiority, superiority, slice_non_inferiority: of ``mae`` and ``rmse`` in units of the target, or of
            ``r2``.
    """

    non_inferiority: Tolerances = Field(default={"r2": 0.01})
    slice_non_inferiority: Tolerances = Field(default={"r2": 0.05})

    @field_validator(*MARGIN_KEYS)
    @classmethod
    def _metrics_are_known(cls, value: Tolerances) -> Tolerances:
        return {known("metric with a margin", name, _MARGINS): margin for name, margin in value.items()}


CONFIGS: dict[str, type[Config]] = {
    c.kind: c
    for c in (
        RegressionCalibrationConfig,
        RegressionDisaggregatedConfig,
        RegressionDriftConfig,
        RegressionComparisonConfig,
    )
}
