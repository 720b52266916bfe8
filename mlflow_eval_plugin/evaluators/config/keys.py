"""What a user may set, per evaluator: every key, its type, its default; everything else is refused by name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import TypeAdapter, ValidationError
from pydantic_core import ErrorDetails

from mlflow_eval_plugin.evaluators.config.base import Config, ConfigError, did_you_mean
from mlflow_eval_plugin.evaluators.config.calibration import CalibrationConfig
from mlflow_eval_plugin.evaluators.config.comparison import ComparisonConfig
from mlflow_eval_plugin.evaluators.config.disaggregated import DisaggregatedConfig
from mlflow_eval_plugin.evaluators.config.drift import DriftConfig

# Keys of MLflow's own evaluators: a flat config is copied to all evaluators, so that ours meet them too.
MLFLOW_KEYS = frozenset({
    "average", "default_model", "eval_results_mode", "eval_results_path", "explainability_algorithm",
    "explainability_kernel_link", "explainability_nsamples", "log_explainer", "log_metrics_with_dataset_info",
    "log_model_explainability", "max_classes_for_multiclass_roc_pr", "retriever_k", "calibration_classifier_name",
    "calibration_n_bins",
})  # fmt: skip


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
    of_others = {key for key, needed in model.flat_needs.items() if flat and needed not in inner}
    kept = {key: value for key, value in inner.items() if key in model.model_fields and key not in of_others}
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
