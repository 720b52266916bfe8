"""The keys of the ``disaggregated`` evaluator that every model has, whatever it predicts: slices, search, system."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar, TypeVar

from pydantic import Field, field_validator, model_validator

from mlflow_eval_plugin.evaluators.config.base import VersusConfig, known
from mlflow_eval_plugin.evaluators.config.slices import Band, MaybeSearch
from mlflow_eval_plugin.evaluators.config.tolerances import Tolerance, Tolerances

PERCENTILES = ("p50", "p95", "p99")
OF_THE_SYSTEM = ("cost_per_1000", *(f"latency_{one}" for one in PERCENTILES))
_BEGINNINGS = ("gap_", "ratio_", "change_")  # of names that mean something in Checks and reports
_OF_EVERY_SLICE = ("min_metric", "max_metric", "max_latency", "max_cost", "max_cost_per_1000")


def own_functions(value: Any, taken: Sequence[str]) -> Any:
    """The custom metrics, where their names can be told from all others.

    Args:
        taken: names of other measurements.

    Raises:
        ValueError: for what is no function, or a name that is taken or cannot be one.
    """
    if not isinstance(value, Mapping):
        raise ValueError("expected functions by name, such as {'mistakes': lambda view: view.fp + view.fn}")
    for name, function in value.items():
        if not str(name).isidentifier():
            raise ValueError(f"{name!r} is no name of letters, digits and underscores")
        if name in taken:
            raise ValueError(f"there is a metric {name!r} already; give yours another name")
        if name.startswith(_BEGINNINGS):
            raise ValueError(f"{name!r} begins like the name of a difference or ratio; give yours another name")
        if not callable(function):
            raise ValueError(f"{name}: expected a function, found {type(function).__name__}")
    return value


Self = TypeVar("Self", bound="DisaggregatedBase")


class DisaggregatedBase(VersusConfig):
    """Keys of ``disaggregated`` for any model.

    Attributes:
        slices, gap_versus: as in ``VersusConfig``; slices may be left out where there are ``queries`` or a ``search``.
        row_metrics: name to a function of the arrays ``(label, score, prediction, weight)`` of a slice's rows that
            gives a number; called 51 times for every slice, and as often for all other rows where its gaps are asked.
        search: ``True``, or options, to look for the slices in which the model errs most; see ``Search``.
        latency_column, cost_column: numeric columns of the data or of ``slice_data``: what a row took, what it cost.
        max_latency: percentile (``p50``, ``p95``, ``p99``) to the largest latency, for every slice and for all rows.
        max_cost_per_1000: the largest cost of 1,000 rows, for every slice and for all rows.
        reference, reference_name: rows since which slices may have changed, or a baseline; scored by the model, if any.
        max_slice_change: metric to tolerance: how much worse a slice, or all rows, may have become since the reference.
    """

    kind: ClassVar[str] = "disaggregated"
    base_keys: ClassVar[frozenset[str]] = frozenset(
        {"slices", "queries", "search", "depth", "row_metrics", "latency_column", "cost_column", "max_latency",
         "max_cost_per_1000", "max_slice_change"}
    )  # fmt: skip
    # In a config that is copied to all evaluators the reference of others is not meant, unless a change is asked for.
    flat_needs: ClassVar[Mapping[str, str]] = dict.fromkeys(["reference", "reference_name"], "max_slice_change")
    # What a search can count; the first where nothing is asked for.
    errors: ClassVar[tuple[str, ...]]

    row_metrics: dict[str, Callable[..., Any]] = Field(default={})
    search: MaybeSearch = None
    latency_column: str | None = None
    cost_column: str | None = None
    max_latency: Tolerances = Field(default={})
    max_cost_per_1000: Tolerance | None = None
    reference: Any = None
    reference_name: str = "reference"
    max_slice_change: Tolerances = Field(default={})

    @field_validator("max_latency")
    @classmethod
    def _percentiles_are_known(cls, value: Tolerances) -> Tolerances:
        return {known("percentile", name, PERCENTILES): limit for name, limit in value.items()}

    @model_validator(mode="after")
    def _a_tolerance_has_its_column(self: Self) -> Self:
        for key, column in (("max_latency", "latency_column"), ("max_cost_per_1000", "cost_column")):
            if getattr(self, key) not in (None, {}) and getattr(self, column) is None:
                raise ValueError(f"{key!r} needs {column!r}: the name of a numeric column")
        return self

    @model_validator(mode="after")
    def _a_change_has_a_reference(self: Self) -> Self:
        if self.max_slice_change and self.reference is None:
            raise ValueError("'max_slice_change' needs 'reference': the rows since which slices may not have changed")
        if self.reference is not None and "max_slice_change" not in self.model_fields_set:
            raise ValueError("'reference' has no effect without 'max_slice_change'; give some or leave it out")
        cut = sorted({one.column for some in self.subsets for one in some if isinstance(one, Band) and one.quantiles})
        if self.max_slice_change and cut:
            raise ValueError(
                f"'max_slice_change': {', '.join(map(repr, cut))} would be cut at quantiles of each side; give 'edges'"
            )
        return self

    @model_validator(mode="after")
    def _something_is_sliced(self: Self) -> Self:
        if not self.slices and not self.queries and self.search is None:
            raise ValueError(
                "key 'slices': expected at least one slice column, named slices in 'queries', or a 'search'"
            )
        return self

    @model_validator(mode="after")
    def _what_is_set_judges_something(self: Self) -> Self:
        sliced = self.subsets or self.queries
        self.refuse_without([*self.against, "gap_versus"], "'slices' or 'queries'", sliced)
        if all(getattr(self, key, None) in (None, {}) for key in _OF_EVERY_SLICE):
            self.refuse_without(["min_count"], "'slices' or 'queries'", sliced)
        return self

    @model_validator(mode="after")
    def _a_search_counts_rows(self: Self) -> Self:
        if self.search is not None and self.sample_weights is not None:
            raise ValueError("'search' counts rows and knows no weights; leave out 'sample_weights' or search apart")
        if self.search is not None and self.search.error not in (None, *self.errors):
            raise ValueError(
                f"'search': the error {self.search.error!r} is not one of this model's; expected one of "
                f"{', '.join(map(repr, self.errors))}"
            )
        return self

    @property
    def custom_metrics(self) -> tuple[str, ...]:
        """The names of the user's own metrics."""
        return tuple(self.row_metrics)

    def _apart(self) -> tuple[str | None, ...]:
        return *super()._apart(), self.latency_column, self.cost_column
