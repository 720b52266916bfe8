"""What every config is made of: the keys that all evaluators know, slice columns, and how a mistake is told."""

from __future__ import annotations

import hashlib
import inspect
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import fields, is_dataclass
from numbers import Real
from typing import Annotated, Any, ClassVar, Literal, TypeGuard

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, field_validator, model_validator
from rapidfuzz import process

from mlflow_eval_plugin.evaluators.config.classes import ClassColumns, check_class_keys
from mlflow_eval_plugin.evaluators.config.slices import Band, Queries, SliceItem, ValueLabels
from mlflow_eval_plugin.evaluators.config.tolerances import Limit, Limits, Of, Tolerance, Tolerances, all_beyond
from mlflow_eval_plugin.stats.counts.slice import level_label
from mlflow_eval_plugin.stats.errors import InputError
from mlflow_eval_plugin.stats.inference.costs import ClassCosts, Costs

_OWN = ("metrics", "row_metrics")  # keys of the custom metrics, which may have any value
Probability = Annotated[float, Field(gt=0, lt=1)]


__all__ = [
    "AnyCosts", "Config", "ConfigError", "Limit", "Limits", "Probability", "SlicedConfig", "Tolerance", "Tolerances",
    "VersusConfig", "did_you_mean", "known",
]  # fmt: skip


class ConfigError(ValueError):
    """A configuration that cannot be used; the message names the key, what was expected and what was found."""


class Config(BaseModel):
    """The keys that all evaluators know.

    Attributes:
        metric_prefix: set before every metric and file name of this evaluator.
        pos_label: the positive class; needed when labels are not 0/1, -1/1 or booleans.
        label_list: both classes; the larger is positive where ``pos_label`` is not given, as in MLflow. With three or
            more, the classes in the order of unnamed columns of probabilities.
        probability_column: the column of the model's output, or of the data, that holds probabilities.
        probability_columns: with three or more classes, class to column, or the columns in the order of ``label_list``
            (of sorted classes without one).
        col_mapping: from names used here to column names of the data, as in MLflow.
        alpha: the chance of any false ``fail`` in the whole document.
        value_labels: what people call the values of a column: ``{"SEX": {1: "men", 2: "women"}}``; reports name slices
            and categories so, the Evidence keeps the values.
        model_uri: where the files of the evaluated model are, where its MLmodel does not say so itself: it was saved
            and not logged, or comes from another server.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", arbitrary_types_allowed=True)
    kind: ClassVar[str]
    # Keys whose presence in a flat config, which MLflow copies to everyone, means this evaluator.
    own_keys: ClassVar[frozenset[str]]
    # Keys of a flat config that are of others where another key, which this evaluator alone knows, is not there.
    flat_needs: ClassVar[Mapping[str, str]] = {}
    # Keys whose tolerances have a range: of which metric, None where the key maps metrics to tolerances.
    ranged: ClassVar[Mapping[str, tuple[str | None, Of]]] = {}
    # Whether columns are taken as they are, with whatever is missing in them; else rows are judged by their labels.
    takes_columns: ClassVar[bool] = False
    # Whether rows are looked at in slices.
    is_sliced: ClassVar[bool] = False
    # Whether the rows are held against a champion's; else against those of a reference, where there is one.
    has_champion: ClassVar[bool] = False
    # Values that are data: the Evidence names them and does not hold them.
    _DATA: ClassVar[frozenset[str]] = frozenset({"sample_weights", "slice_data", "reference"})

    metric_prefix: str = Field(default="", max_length=100, pattern=r"^[\w. -]*$")
    pos_label: Any = None
    label_list: tuple[Any, ...] | None = Field(default=None, min_length=2)
    probability_column: str | None = None
    probability_columns: ClassColumns | None = None
    col_mapping: dict[str, Any] = {}
    alpha: Probability = 0.05
    value_labels: ValueLabels = Field(default={})
    model_uri: str | None = Field(default=None, min_length=1)

    @model_validator(mode="after")
    def _positive_is_listed(self) -> Config:
        check_class_keys(self.probability_columns, self.label_list, self.pos_label)
        if self.label_list and self.pos_label is not None and self.pos_label not in self.label_list:
            raise ValueError(f"'pos_label' {self.pos_label!r} is not in 'label_list' {list(self.label_list)!r}")
        try:
            _ = self.positive
        except TypeError as error:
            raise ValueError(f"'label_list' {list(self.label_list or ())!r} has no order; give 'pos_label'") from error
        return self

    def beyond_range(self, *, many: bool) -> tuple[str, ...]:
        """Every tolerance that is out of its metric's range, and why it judges nothing.

        Args:
            many: whether there are, or may be, three or more classes.
        """
        return self.beyond_range_in({key: getattr(self, key, None) for key in (*self.ranged, *_OWN)}, many=many)

    @classmethod
    def beyond_range_in(cls, given: Mapping[str, Any], *, many: bool) -> tuple[str, ...]:
        """What ``beyond_range`` says, of a config whose other keys may be wrong.

        Args:
            given: key to value, of keys that are valid by themselves.
        """
        own = {name for key in _OWN if isinstance(given.get(key), Mapping) for name in given[key]}
        return all_beyond(cls._ranged(given), own, many=many)

    @classmethod
    def _ranged(cls, given: Mapping[str, Any]) -> Iterator[tuple[str, str, float, Of]]:
        for key, (metric, of) in cls.ranged.items():
            limits = given.get(key)
            if metric is None:
                yield from ((key, name, limit, of) for name, limit in (limits or {}).items())
            else:
                # One of all columns, or one of each.
                found = tuple(limits.values()) if isinstance(limits, Mapping) else (limits,)
                each = (limit for one in found for limit in (one if isinstance(one, tuple) else (one,)))
                yield from ((key, metric, limit, of) for limit in each if limit is not None)

    @property
    def leaves_out_late(self) -> bool:
        """Whether rows whose labels have not arrived are left out."""
        return False

    @property
    def interactive(self) -> bool:
        """Whether another project's report is wanted beside ours."""
        return False

    @property
    def names_many_classes(self) -> bool:
        """Whether the config itself says that there are three or more classes."""
        return self.probability_columns is not None or len(self.label_list or ()) > 2

    @property
    def positive(self) -> Any:
        """The positive class where the config says it, else None."""
        two = self.pos_label is None and self.label_list and len(self.label_list) == 2
        return max(self.label_list or ()) if two else self.pos_label

    @property
    def columns_apart(self) -> frozenset[str]:
        """The columns of the data that the config names as scores, weights, costs and the like, so no features."""
        return frozenset(map(self.column, filter(None, self._apart())))

    def _apart(self) -> tuple[str | None, ...]:
        """Names of such columns, as given."""
        many, weights = self.probability_columns or (), getattr(self, "sample_weights", None)
        named = (self.probability_column, weights if isinstance(weights, str) else None)
        return *named, *(many.values() if isinstance(many, Mapping) else many)

    def column(self, name: str) -> str:
        """The column of the data that ``name`` means."""
        mapped = self.col_mapping.get(name, name)
        return mapped if isinstance(mapped, str) else name

    def document(self) -> dict[str, Any]:
        """The effective config as JSON, defaults included; data is named, not held."""
        return {key: _jsonable(key, getattr(self, key), self._DATA) for key in sorted(type(self).model_fields)}


class SlicedConfig(Config):
    """Keys of the evaluators that look at slices.

    Attributes:
        slices: column names, bands, and lists of them for intersections.
        queries: named slices: from names to queries, such as ``{"young women": "AGEP < 25 and SEX == 2"}``.
        depth: 2 adds all intersections of two of the columns, and so on.
        min_count: slices with fewer rows are reported, and their Checks are ``insufficient``.
        max_levels: the most levels a slice column may have.
        slice_data: a frame or mapping of further columns, row by row, that the model must not see.
        sample_weights: an array of one weight a row, or the name of a column of the data or of ``slice_data``.
        missing_labels: ``refuse`` rows without a label, or judge those whose labels have been ``received`` and say how
            many they are.
    """

    is_sliced: ClassVar[bool] = True

    slices: tuple[SliceItem | tuple[SliceItem, ...], ...] = ()
    queries: Queries = Field(default={})
    depth: int = Field(default=1, ge=1, le=4)
    min_count: int = Field(default=30, ge=1)
    max_levels: int = Field(default=100, ge=2, le=1000)
    slice_data: Any = None
    sample_weights: Any = None
    missing_labels: Literal["refuse", "received"] = "refuse"

    @model_validator(mode="after")
    def _one_cut_a_column(self) -> SlicedConfig:
        # A plain name beside a band means that band; two bands of one column would leave one of them out.
        bands: dict[str, Band] = {}
        for item in (item for subset in self.subsets for item in subset):
            if isinstance(item, Band) and bands.setdefault(self.column(item.column), item) != item:
                raise ValueError(
                    f"column {item.column!r} is cut in two ways; give it the same band wherever it is named"
                )
        return self

    @model_validator(mode="after")
    def _a_depth_is_of_columns(self) -> SlicedConfig:
        if self.depth > 1:
            self.refuse_without(["depth"], "'slices'", self.subsets)
        return self

    def refuse_without(self, keys: Iterable[str], what: str, given: object) -> None:
        """Refuse what is set and judges nothing, which would look like a Check that passed.

        Raises:
            ValueError: for a key that is set to something while ``given`` is empty.
        """
        for key in keys:
            if not given and key in self.model_fields_set and getattr(self, key):
                raise ValueError(f"{key!r} has no effect without {what}; give some or leave it out")

    @property
    def leaves_out_late(self) -> bool:
        """Whether rows whose labels have not arrived are left out."""
        return self.missing_labels == "received"

    @property
    def subsets(self) -> tuple[tuple[SliceItem, ...], ...]:
        """Every item of ``slices`` as a tuple of columns."""
        return tuple(item if isinstance(item, tuple) else (item,) for item in self.slices)


class VersusConfig(SlicedConfig):
    """Keys of the evaluators that compare slices with other rows.

    Attributes:
        gap_versus: ``complement`` (all other rows), ``overall`` or ``best``.
    """

    # The keys whose tolerances are of a slice against other rows.
    against: ClassVar[tuple[str, ...]] = ("max_gap", "min_ratio")

    gap_versus: str = "complement"

    @field_validator("gap_versus")
    @classmethod
    def _versus_is_known(cls, value: str) -> str:
        return known("gap_versus", value, ("complement", "overall", "best"))

    @model_validator(mode="after")
    def _the_best_is_one_of_several(self) -> VersusConfig:
        if self.gap_versus == "best" and len(self.queries) == 1 and any(getattr(self, key) for key in self.against):
            raise ValueError(
                f"'gap_versus': 'best' compares named slices with each other, and {next(iter(self.queries))!r} is the "
                "only one; name another or compare with the 'complement'"
            )
        return self


def _costs(value: Any) -> Any:
    if value is None or isinstance(value, Costs):
        return value
    if not isinstance(value, Mapping):
        raise ValueError("expected the cost of each kind of row, such as {'fp': 1, 'fn': 5}")
    names = tuple(field.name for field in fields(Costs))
    numbers = {known("cost", str(name), names): cost for name, cost in value.items()}
    for name in ("fp", "fn"):
        if name not in numbers:
            raise ValueError(f"there is no {name!r}; both mistakes have a cost, such as {{'fp': 1, 'fn': 5}}")
    return _made(Costs, **{name: _number(name, cost) for name, cost in numbers.items()})


def _any_costs(value: Any) -> Any:
    if value is None or isinstance(value, (Costs, ClassCosts)):
        return value
    if not isinstance(value, Mapping):
        raise ValueError(
            "expected the cost of each kind of row, such as {'fp': 1, 'fn': 5}, or for three or more classes of each "
            "taken for another, {'cat': {'dog': 1, …}, …}"
        )
    if not value or not all(isinstance(row, Mapping) for row in value.values()):
        return _costs(value)
    rows: dict[str, dict[str, float]] = {}
    for label, row in value.items():
        costs = rows.setdefault(level_label(label), {})
        for one, cost in row.items():
            if level_label(one) in costs:
                raise ValueError(
                    f"there are two costs of {level_label(label)!r} taken for {level_label(one)!r}; keep one"
                )
            costs[level_label(one)] = _number(f"{label!r} taken for {one!r}", cost)
    return _made(ClassCosts, by_label=rows)


def _number(name: str, cost: Any) -> float:
    if isinstance(cost, bool) or not isinstance(cost, Real):
        raise ValueError(f"{name}: expected a number, found {type(cost).__name__}")
    return float(cost)


def _made(kind: type[Costs] | type[ClassCosts], **given: Any) -> Costs | ClassCosts:
    try:
        return kind(**given)
    except InputError as error:
        raise ValueError(str(error).removeprefix("costs: ")) from error


AnyCosts = Annotated[Costs | ClassCosts | None, BeforeValidator(_any_costs)]


def known(what: str, name: str, names: tuple[str, ...]) -> str:
    """The name, where it is one of ``names``.

    Raises:
        ValueError: names the nearest one.
    """
    if name not in names:
        raise ValueError(f"there is no {what} {name!r}{did_you_mean(name, names)}")
    return name


def did_you_mean(name: str, names: tuple[str, ...]) -> str:
    """The end of a message about an unknown name."""
    near = process.extractOne(name, names, score_cutoff=60)
    return f"; did you mean {near[0]!r}?" if near else f"; known are {', '.join(sorted(names))}"


def _jsonable(key: str, value: Any, data: frozenset[str]) -> Any:
    if key in data and value is not None and not isinstance(value, str):
        return "given"
    if isinstance(value, ClassCosts):
        return value.by_label
    if is_dataclass(value):
        return dict(vars(value))
    if callable(value):
        return _named(value)
    if isinstance(value, BaseModel):
        return {name: _jsonable(name, item, data) for name, item in value.model_dump(exclude_none=True).items()}
    if isinstance(value, Mapping):
        return {str(name): _jsonable(key, item, data) for name, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_jsonable(key, item, data) for item in value]
    return value if value is None or isinstance(value, (bool, int, float, str)) else str(value)


def _named(function: Callable[..., Any]) -> dict[str, str | None]:
    """A function by its name and, where its source can be had, the SHA-256 of that."""
    named = function if hasattr(function, "__qualname__") else type(function)
    try:
        digest = hashlib.sha256(inspect.getsource(named).encode()).hexdigest()
    except (OSError, TypeError):
        digest = None
    return {"function": f"{named.__module__}.{named.__qualname__}", "source_sha256": digest}


def judges_slices(config: Config) -> TypeGuard[SlicedConfig]:
    """Whether an evaluator judges rows by their labels in slices, and not columns as they are."""
    return config.is_sliced and not config.takes_columns
