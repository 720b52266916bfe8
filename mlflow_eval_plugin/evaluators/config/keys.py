"""What a user may set, per evaluator: every key, its type, its default; everything else is refused by name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from pydantic import Field, TypeAdapter, ValidationError, field_validator, model_validator
from pydantic_core import ErrorDetails

from mlflow_eval_plugin.evaluators.config.base import (
    Config,
    ConfigError,
    SlicedConfig,
    Tolerance,
    Tolerances,
    did_you_mean,
    known,
)
from mlflow_eval_plugin.evaluators.config.comparison import Champion, ComparisonConfig
from mlflow_eval_plugin.evaluators.config.disaggregated import DisaggregatedConfig
from mlflow_eval_plugin.evaluators.config.drift import DriftConfig
from mlflow_eval_plugin.evaluators.config.tolerances import Of
from mlflow_eval_plugin.stats.binary.summary import FINE_BINS

__all__ = [
    "CONFIGS", "CalibrationConfig", "Champion", "ComparisonConfig", "Config", "ConfigError", "Configs",
    "DisaggregatedConfig", "DriftConfig", "is_configured", "parse", "unwrapped",
]  # fmt: skip

CHANGES = (
    "ece_equal_width", "ece_equal_mass", "ece_debiased", "brier", "log_loss", "calibration_in_the_large",
    "calibration_slope", "calibration_intercept",
)  # fmt: skip

# Keys of MLflow's own evaluators: a flat config is copied to all evaluators, so that ours meet them too.
MLFLOW_KEYS = frozenset({
    "average", "default_model", "eval_results_mode", "eval_results_path", "explainability_algorithm",
    "explainability_kernel_link", "explainability_nsamples", "log_explainer", "log_metrics_with_dataset_info",
    "log_model_explainability", "max_classes_for_multiclass_roc_pr", "retriever_k", "calibration_classifier_name",
    "calibration_n_bins",
})  # fmt: skip


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


CONFIGS: dict[str, type[Config]] = {
    c.kind: c for c in (CalibrationConfig, DisaggregatedConfig, DriftConfig, ComparisonConfig)
}
Configs = Mapping[str, type[Config]]


def unwrapped(kind: str, given: Mapping[str, Any] | None) -> Mapping[str, Any]:
    """The evaluator's own part: MLflow hands nested configs over whole when one evaluator is named."""
    inner = (given or {}).get(kind)
    return inner if isinstance(inner, Mapping) else (given or {})


def is_configured(kind: str, given: Mapping[str, Any] | None, configs: Configs = CONFIGS) -> bool:
    """Whether the config means this evaluator: it is named, or one of its own keys is set."""
    return kind in (given or {}) or any(key in configs[kind].own_keys for key in (given or {}))


def parse(kind: str, given: Mapping[str, Any] | None, *, flat: bool = False, configs: Configs = CONFIGS) -> Config:
    """The validated config of one evaluator.

    Args:
        configs: the evaluators there are for this type of model.
        flat: the config was copied to all evaluators, so that keys of the others are passed over.

    Raises:
        ConfigError: for every unknown key, with the nearest known one, and every value that cannot be used.
    """
    model = configs[kind]
    inner = unwrapped(kind, given)
    others = {key for name, other in configs.items() if name != kind for key in other.model_fields}
    passed_over = MLFLOW_KEYS | (others if flat else frozenset())
    kept = {key: value for key, value in inner.items() if key in model.model_fields}
    unknown = [key for key in inner if key not in kept and key not in passed_over]
    wrong, found, cause = [_unknown_key(kind, str(key), configs) for key in unknown], None, None
    try:
        found = model.model_validate(kept)
    except ValidationError as error:
        by_key, cause = _first_errors(error), error
        wrong += [_invalid_key(kind, key, one) for key, one in by_key.items()]
        right = {key: value for key, value in kept.items() if key not in by_key}
        wrong += model.beyond_range_in(_validated(model, right), many=True)
    else:
        wrong += found.beyond_range(many=True)
    if wrong or found is None:
        raise ConfigError(f"{kind}: {'; '.join(wrong)}") from cause
    return found


def _validated(model: type[Config], given: Mapping[str, Any]) -> dict[str, Any]:
    """Of a config that is refused for other keys: its tolerances as numbers."""
    fields = {key: model.model_fields[key].rebuild_annotation() for key in model.ranged if key in given}
    return {**given, **{key: TypeAdapter(kind).validate_python(given[key]) for key, kind in fields.items()}}


def _unknown_key(kind: str, key: str, configs: Configs) -> str:
    owners = [name for name, config in configs.items() if key in config.model_fields]
    if owners:
        return f"key {key!r} belongs to {' and '.join(owners)}; set it in evaluator_config[{owners[0]!r}]"
    if key in CONFIGS[kind].model_fields:
        return f"key {key!r} is for classifiers, and this model is none; leave it out"
    return f"there is no key {key!r}{did_you_mean(key, tuple(configs[kind].model_fields))}"


def _first_errors(error: ValidationError) -> dict[str, ErrorDetails]:
    """What is wrong with every key, in the order of the keys."""
    found: dict[str, ErrorDetails] = {}
    for one in error.errors():
        key = str(one["loc"][0]) if one["loc"] else ""
        # A value that may be of several types has one error for each; ours says most.
        if key not in found or (one["type"] == "value_error" and found[key]["type"] != "value_error"):
            found[key] = one
    return found


def _invalid_key(kind: str, key: str, error: ErrorDetails) -> str:
    message = error["msg"].removeprefix("Value error, ")
    if not key:  # of several keys together; the message names them, and what was found is the whole config
        return message
    if error["type"] == "missing":
        return f"key {key!r} is required; set it in evaluator_config[{kind!r}]"
    return f"key {key!r}: {message} (found {error.get('input')!r:.80})"
