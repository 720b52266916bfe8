"""The keys of the ``calibration`` evaluator."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from pydantic import Field, field_validator, model_validator

from mlflow_eval_plugin.evaluators.config.base import SlicedConfig, known
from mlflow_eval_plugin.evaluators.config.tolerances import Of, Tolerance, Tolerances
from mlflow_eval_plugin.stats.binary.summary import FINE_BINS

CHANGES = (
    "ece_equal_width", "ece_equal_mass", "ece_debiased", "brier", "log_loss", "calibration_in_the_large",
    "calibration_slope", "calibration_intercept",
)  # fmt: skip


class CalibrationConfig(SlicedConfig):
    """Keys of the ``calibration`` evaluator; a tolerance of None sets no Check.

    Attributes:
        bins: number of bins of the ECE and of the diagram.
        max_ece: tolerance of the ECE on equal-mass bins.
        max_calibration_in_the_large: tolerance of |mean score - event rate|.
        max_brier, max_log_loss: tolerances of the two losses.
        min_calibration_slope, max_calibration_slope: between which the calibration slope is to lie, 1 among them.
        max_change: metric to tolerance of its change since ``reference``: how much an error or a loss may have risen,
            how far a slope, an intercept or calibration in the large may have moved either way.
        slices, depth, min_count, max_levels: as in ``SlicedConfig``; without slices there are only those of all rows.
            ``max_ece`` and ``max_calibration_in_the_large`` hold for every slice.
        reference, reference_name: data to show beside it and to compare with; with a model, scored by it.
    """

    kind: ClassVar[str] = "calibration"
    own_keys: ClassVar[frozenset[str]] = frozenset(
        {"bins", "max_ece", "max_calibration_in_the_large", "max_brier", "max_log_loss", "min_calibration_slope",
         "max_calibration_slope", "max_change"}
    )  # fmt: skip

    ranged: ClassVar[Mapping[str, tuple[str | None, Of]]] = {
        "max_ece": ("ece", "value"), "max_calibration_in_the_large": ("calibration_in_the_large", "value"),
        "max_brier": ("brier", "value"), "max_change": (None, "difference"),
    }  # fmt: skip

    bins: int = Field(default=15, ge=2, le=200)
    max_ece: Tolerance | None = 0.05
    max_calibration_in_the_large: Tolerance | None = 0.05
    max_brier: Tolerance | None = None
    max_log_loss: Tolerance | None = None
    min_calibration_slope: float | None = Field(default=None, ge=0, le=1)
    max_calibration_slope: float | None = Field(default=None, ge=1, allow_inf_nan=False)
    max_change: Tolerances = Field(default={})
    reference: Any = None
    reference_name: str = "reference"

    @field_validator("bins")
    @classmethod
    def _bins_fit(cls, value: int) -> int:
        if FINE_BINS % value:
            near = [n for n in range(2, 201) if FINE_BINS % n == 0]
            raise ValueError(f"expected a divisor of {FINE_BINS}, such as {min(near, key=lambda n: abs(n - value))}")
        return value

    @field_validator("max_change")
    @classmethod
    def _changes_are_known(cls, value: Tolerances) -> Tolerances:
        return {known("change", name, CHANGES): limit for name, limit in value.items()}

    @model_validator(mode="after")
    def _a_change_has_a_reference(self) -> CalibrationConfig:
        if self.max_change and self.reference is None:
            raise ValueError("'max_change' needs 'reference': the rows since which nothing may have changed")
        return self
