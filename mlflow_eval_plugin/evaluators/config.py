"""What a user may set, per evaluator: every key, its type, its default; everything else is refused by name."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from math import isfinite
from typing import Annotated, Any, ClassVar, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator
from rapidfuzz import process

from mlflow_eval_plugin.stats.costs import Costs
from mlflow_eval_plugin.stats.errors import InputError
from mlflow_eval_plugin.stats.summaries import FINE_BINS

Tolerance = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Probability = Annotated[float, Field(gt=0, lt=1)]
Tolerances = dict[str, Tolerance]

RATES = (
    "prevalence", "selection_rate", "accuracy", "balanced_accuracy", "precision", "recall", "fpr", "fnr", "f1", "auc",
    "log_loss", "brier", "ece", "calibration_in_the_large",
)  # fmt: skip
DIFFERENCES = ("demographic_parity_difference", "equal_opportunity_difference", "equalized_odds_difference")
RATIOS = ("demographic_parity_ratio",)

# Keys of MLflow's own evaluators: a flat config is copied to all evaluators, so that ours meet them too.
MLFLOW_KEYS = frozenset({
    "average", "default_model", "eval_results_mode", "eval_results_path", "explainability_algorithm",
    "explainability_kernel_link", "explainability_nsamples", "log_explainer", "log_metrics_with_dataset_info",
    "log_model_explainability", "max_classes_for_multiclass_roc_pr", "retriever_k", "calibration_classifier_name",
    "calibration_n_bins",
})  # fmt: skip


class ConfigError(ValueError):
    """A configuration that cannot be used; the message names the key, what was expected and what was found."""


class Band(BaseModel):
    """A numeric slice column, cut at ``edges`` or into ``quantiles`` equally full parts."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    column: str
    edges: tuple[float, ...] | None = None
    quantiles: int | None = Field(default=None, ge=2, le=100)

    @model_validator(mode="after")
    def _one_of_two(self) -> Band:
        if (self.edges is None) == (self.quantiles is None):
            raise ValueError(f"band of {self.column!r}: give either 'edges' or 'quantiles'")
        if not all(map(isfinite, self.edges or ())):
            raise ValueError(
                f"band of {self.column!r}: edges are finite numbers; what lies beyond them has its own slice"
            )
        return self


SliceItem = str | Band


class Config(BaseModel):
    """The keys that all three evaluators know.

    Attributes:
        metric_prefix: set before every metric and file name of this evaluator.
        pos_label: the positive class; needed when labels are not 0/1, -1/1 or booleans.
        label_list: both classes; the larger is positive where ``pos_label`` is not given, as in MLflow.
        probability_column: the column of the model's output, or of the data, that holds probabilities.
        col_mapping: from names used here to column names of the data, as in MLflow.
        alpha: the chance of any false ``fail`` in the whole document.
        model_uri: where the files of the evaluated model are, where its MLmodel does not say so itself: it was saved
            and not logged, or comes from another server.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", arbitrary_types_allowed=True)
    kind: ClassVar[str]
    # Keys whose presence in a flat config, which MLflow copies to everyone, means this evaluator.
    own_keys: ClassVar[frozenset[str]]
    # Values that are data: the Evidence names them and does not hold them.
    _DATA: ClassVar[frozenset[str]] = frozenset({"sample_weights", "slice_data", "reference"})

    metric_prefix: str = Field(default="", max_length=100, pattern=r"^[\w. -]*$")
    pos_label: Any = None
    label_list: tuple[Any, Any] | None = None
    probability_column: str | None = None
    col_mapping: dict[str, Any] = {}
    alpha: Probability = 0.05
    model_uri: str | None = Field(default=None, min_length=1)

    @model_validator(mode="after")
    def _positive_is_listed(self) -> Config:
        if self.label_list and self.pos_label is not None and self.pos_label not in self.label_list:
            raise ValueError(f"'pos_label' {self.pos_label!r} is not in 'label_list' {list(self.label_list)!r}")
        try:
            _ = self.positive
        except TypeError as error:
            raise ValueError(f"'label_list' {list(self.label_list or ())!r} has no order; give 'pos_label'") from error
        return self

    @property
    def positive(self) -> Any:
        """The positive class where the config says it, else None."""
        return max(self.label_list) if self.pos_label is None and self.label_list else self.pos_label

    def column(self, name: str) -> str:
        """The column of the data that ``name`` means."""
        mapped = self.col_mapping.get(name, name)
        return mapped if isinstance(mapped, str) else name

    def document(self) -> dict[str, Any]:
        """The effective config as JSON, defaults included; data is named, not held."""
        return {key: _jsonable(key, getattr(self, key), self._DATA) for key in sorted(type(self).model_fields)}


class CalibrationConfig(Config):
    """Keys of the ``calibration`` evaluator; a tolerance of None sets no Check.

    Attributes:
        bins: number of bins of the ECE and of the diagram.
        max_ece: tolerance of the ECE on equal-mass bins.
        max_calibration_in_the_large: tolerance of |mean score - event rate|.
        max_brier, max_log_loss: tolerances of the two losses.
        sample_weights: an array of one weight a row, or the name of a column of the data or of ``slice_data``.
        reference, reference_name: data to show beside it; with a model, scored by it.
    """

    kind: ClassVar[str] = "calibration"
    own_keys: ClassVar[frozenset[str]] = frozenset(
        {"bins", "max_ece", "max_calibration_in_the_large", "max_brier", "max_log_loss"}
    )

    bins: int = Field(default=15, ge=2, le=200)
    max_ece: Tolerance | None = 0.05
    max_calibration_in_the_large: Tolerance | None = 0.05
    max_brier: Tolerance | None = None
    max_log_loss: Tolerance | None = None
    sample_weights: Any = None
    slice_data: Any = None
    reference: Any = None
    reference_name: str = "reference"

    @field_validator("bins")
    @classmethod
    def _bins_fit(cls, value: int) -> int:
        if FINE_BINS % value:
            near = [n for n in range(2, 201) if FINE_BINS % n == 0]
            raise ValueError(f"expected a divisor of {FINE_BINS}, such as {min(near, key=lambda n: abs(n - value))}")
        return value


class SliceConfig(Config):
    """Keys of ``disaggregated``, whatever the model predicts.

    Attributes:
        slices: column names, bands, and lists of them for intersections.
        depth: 2 adds all intersections of two of the columns, and so on.
        slice_data: a frame or mapping of further columns, row by row, that the model must not see.
        sample_weights: an array of one weight a row, or the name of a column of the data or of ``slice_data``.
        min_count: slices with fewer rows are reported, and their Checks are ``insufficient``.
        max_levels: the most levels a slice column may have.
        max_gap: metric to tolerance: how far a slice may be from ``gap_versus``, in either direction.
        gap_versus: ``complement`` (all other rows), ``overall`` or ``best``.
        min_ratio: metric to tolerance of the ratio to ``gap_versus``; 0.8 on selection_rate is the four-fifths rule.
    """

    kind: ClassVar[str] = "disaggregated"

    slices: tuple[SliceItem | tuple[SliceItem, ...], ...] = Field(min_length=1)
    depth: int = Field(default=1, ge=1, le=4)
    sample_weights: Any = None
    slice_data: Any = None
    min_count: int = Field(default=30, ge=1)
    max_levels: int = Field(default=100, ge=2, le=1000)
    max_gap: Tolerances = {}
    gap_versus: str = "complement"
    min_ratio: Tolerances = {}

    @field_validator("gap_versus")
    @classmethod
    def _versus_is_known(cls, value: str) -> str:
        return known("gap_versus", value, ("complement", "overall", "best"))

    @model_validator(mode="after")
    def _one_cut_a_column(self) -> SliceConfig:
        # A plain name beside a band means that band; two bands of one column would leave one of them out.
        bands: dict[str, Band] = {}
        for item in (item for subset in self.subsets for item in subset):
            if isinstance(item, Band) and bands.setdefault(self.column(item.column), item) != item:
                raise ValueError(
                    f"column {item.column!r} is cut in two ways; give it the same band wherever it is named"
                )
        return self

    @property
    def subsets(self) -> tuple[tuple[SliceItem, ...], ...]:
        """Every item of ``slices`` as a tuple of columns."""
        return tuple(item if isinstance(item, tuple) else (item,) for item in self.slices)


class DisaggregatedConfig(SliceConfig):
    """Keys of the ``disaggregated`` evaluator for classifiers, beside those of ``SliceConfig``.

    Attributes:
        threshold: scores at or above it are predicted positive.
        min_metric, max_metric: metric to the least or largest value that every slice may have.
        max_fairness, min_fairness: fairness difference or ratio to tolerance, per slice column.
        costs: what a row costs by what it is and what it is taken for: ``{"fp": 1, "fn": 5}``, and ``tp``, ``tn``.
        max_cost: the largest mean cost of a row, for every slice and for all rows; needs ``costs``.
    """

    own_keys: ClassVar[frozenset[str]] = frozenset(
        {"slices", "depth", "max_gap", "min_ratio", "min_metric", "max_metric", "max_fairness", "min_fairness", "costs",
         "max_cost"}
    )  # fmt: skip

    threshold: float = Field(default=0.5, ge=0, le=1)
    max_gap: Tolerances = {"fnr": 0.1, "fpr": 0.1}
    min_metric: Tolerances = {}
    max_metric: Tolerances = {}
    max_fairness: Tolerances = {}
    min_fairness: Tolerances = {}
    costs: Costs | None = None
    max_cost: Tolerance | None = None

    @field_validator("costs", mode="before")
    @classmethod
    def _costs_make_sense(cls, value: Any) -> Any:
        if value is None or isinstance(value, Costs):
            return value
        names = tuple(field.name for field in fields(Costs))
        if not isinstance(value, Mapping):
            raise ValueError("expected the cost of each kind of row, such as {'fp': 1, 'fn': 5}")
        numbers = {known("cost", str(name), names): cost for name, cost in value.items()}
        for name in ("fp", "fn"):
            if name not in numbers:
                raise ValueError(f"there is no {name!r}; both mistakes have a cost, such as {{'fp': 1, 'fn': 5}}")
        for name, cost in numbers.items():
            if isinstance(cost, bool) or not isinstance(cost, (int, float)):
                raise ValueError(f"{name}: expected a number, found {type(cost).__name__}")
        try:
            return Costs(**{name: float(cost) for name, cost in numbers.items()})
        except InputError as error:
            raise ValueError(str(error).removeprefix("costs: ")) from error

    @model_validator(mode="after")
    def _a_tolerance_has_costs(self) -> DisaggregatedConfig:
        if self.max_cost is not None and self.costs is None:
            raise ValueError("'max_cost' needs 'costs': what a row of each kind costs, such as {'fp': 1, 'fn': 5}")
        return self

    @field_validator("max_gap", "min_ratio", "min_metric", "max_metric")
    @classmethod
    def _metrics_are_known(cls, value: Tolerances) -> Tolerances:
        return {known("metric", name, RATES): limit for name, limit in value.items()}

    @field_validator("max_fairness")
    @classmethod
    def _differences_are_known(cls, value: Tolerances) -> Tolerances:
        return {known("fairness difference", name, DIFFERENCES): limit for name, limit in value.items()}

    @field_validator("min_fairness")
    @classmethod
    def _ratios_are_known(cls, value: Tolerances) -> Tolerances:
        return {known("fairness ratio", name, RATIOS): limit for name, limit in value.items()}


class DriftConfig(Config):
    """Keys of the ``drift`` evaluator; a tolerance of None sets no Check.

    Attributes:
        reference: the rows to compare with: a frame or an MLflow data set.
        columns: which columns to compare; all features, the score and the label where None.
        categorical: columns to take as categories though they are numbers.
        max_psi, max_ks, max_js: tolerances of the distances between the two distributions.
        max_shift_sigma: tolerance of the Wasserstein distance of numeric columns, in reference standard deviations.
        max_missing_change: tolerance of the change in the share of missing values.
        evidently: attach Evidently's interactive report, on at most 10,000 rows of each side.
    """

    kind: ClassVar[str] = "drift"
    own_keys: ClassVar[frozenset[str]] = frozenset(
        {"reference", "columns", "categorical", "max_psi", "max_ks", "max_js", "max_shift_sigma", "evidently"}
    )

    reference: Any
    reference_name: str = "reference"
    columns: tuple[str, ...] | None = None
    categorical: tuple[str, ...] = ()
    slice_data: Any = None
    max_psi: Tolerance | None = 0.1
    max_ks: Tolerance | None = None
    max_js: Tolerance | None = None
    max_shift_sigma: Tolerance | None = None
    max_missing_change: Tolerance | None = 0.05
    min_count: int = Field(default=30, ge=1)
    evidently: bool = False

    @field_validator("reference")
    @classmethod
    def _reference_is_given(cls, value: Any) -> Any:
        if value is None:
            raise ValueError("drift needs 'reference': the rows to compare with")
        return value


CONFIGS: dict[str, type[Config]] = {c.kind: c for c in (CalibrationConfig, DisaggregatedConfig, DriftConfig)}
Configs = Mapping[str, type[Config]]
AnyConfig = TypeVar("AnyConfig", bound=Config)


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
        flat: the config was copied to all evaluators, so that keys of the other two are passed over.

    Raises:
        ConfigError: for an unknown key or a value that cannot be used; names the key and the nearest known one.
    """
    model = configs[kind]
    inner = unwrapped(kind, given)
    others = {key for name, other in configs.items() if name != kind for key in other.model_fields}
    passed_over = MLFLOW_KEYS | (others if flat else frozenset())
    kept = {key: value for key, value in inner.items() if key in model.model_fields or key not in passed_over}
    for key in kept:
        if key not in model.model_fields:
            raise ConfigError(_unknown_key(kind, str(key), configs))
    try:
        return model.model_validate(kept)
    except ValidationError as error:
        raise ConfigError(_invalid(kind, error)) from error


def _unknown_key(kind: str, key: str, configs: Configs) -> str:
    owners = [name for name, config in configs.items() if key in config.model_fields]
    if owners:
        return f"{kind}: key {key!r} belongs to {' and '.join(owners)}; set it in evaluator_config[{owners[0]!r}]"
    if key in CONFIGS[kind].model_fields:
        return f"{kind}: key {key!r} is for classifiers, and this model is none; leave it out"
    return f"{kind}: there is no key {key!r}{_did_you_mean(key, tuple(configs[kind].model_fields))}"


def known(what: str, name: str, names: tuple[str, ...]) -> str:
    """The name, if it is one of the known ones.

    Raises:
        ValueError: if not, with the nearest.
    """
    if name not in names:
        raise ValueError(f"there is no {what} {name!r}{_did_you_mean(name, names)}")
    return name


def _did_you_mean(name: str, names: tuple[str, ...]) -> str:
    near = process.extractOne(name, names, score_cutoff=60)
    return f"; did you mean {near[0]!r}?" if near else f"; known are {', '.join(sorted(names))}"


def _invalid(kind: str, error: ValidationError) -> str:
    # A value that may be of several types has one error for each; ours says most.
    found = error.errors()
    first = next((one for one in found if one["type"] == "value_error"), found[0])
    key = str(first["loc"][0]) if first["loc"] else "config"
    if first["type"] == "missing":
        return f"{kind}: key {key!r} is required; set it in evaluator_config[{kind!r}]"
    message = first["msg"].removeprefix("Value error, ")
    return f"{kind}: key {key!r}: {message} (found {first.get('input')!r:.80})"


def _jsonable(key: str, value: Any, data: frozenset[str]) -> Any:
    if key in data and value is not None and not isinstance(value, str):
        return "given"
    if is_dataclass(value):
        return dict(vars(value))
    if isinstance(value, BaseModel):
        return {name: _jsonable(name, item, data) for name, item in value.model_dump(exclude_none=True).items()}
    if isinstance(value, Mapping):
        return {str(name): _jsonable(key, item, data) for name, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_jsonable(key, item, data) for item in value]
    return value if value is None or isinstance(value, (bool, int, float, str)) else str(value)
