"""The keys of the ``disaggregated`` evaluator that every model has, whatever it predicts: slices, search, system."""

from __future__ import annotations

from typing import ClassVar, TypeVar

from pydantic import Field, field_validator, model_validator

from mlflow_eval_plugin.evaluators.config_base import Tolerance, Tolerances, VersusConfig, known
from mlflow_eval_plugin.evaluators.config_slices import MaybeSearch

PERCENTILES = ("p50", "p95", "p99")
_OF_EVERY_SLICE = ("min_metric", "max_metric", "max_latency", "max_cost", "max_cost_per_1000")

Self = TypeVar("Self", bound="DisaggregatedBase")


class DisaggregatedBase(VersusConfig):
    """Keys of ``disaggregated`` for any model.

    Attributes:
        slices, gap_versus: as in ``VersusConfig``; slices may be left out where there are ``queries`` or a ``search``.
        search: ``True``, or options, to look for the slices in which the model errs most; see ``Search``.
        latency_column, cost_column: numeric columns of the data or of ``slice_data``: what a row took, what it cost.
        max_latency: percentile (``p50``, ``p95``, ``p99``) to the largest latency, for every slice and for all rows.
        max_cost_per_1000: the largest cost of 1,000 rows, for every slice and for all rows.
    """

    kind: ClassVar[str] = "disaggregated"
    base_keys: ClassVar[frozenset[str]] = frozenset(
        {"slices", "queries", "search", "depth", "latency_column", "cost_column", "max_latency", "max_cost_per_1000"}
    )
    # What a search can count; the first where nothing is asked for.
    errors: ClassVar[tuple[str, ...]]

    search: MaybeSearch = None
    latency_column: str | None = None
    cost_column: str | None = None
    max_latency: Tolerances = Field(default={})
    max_cost_per_1000: Tolerance | None = None

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

    def _apart(self) -> tuple[str | None, ...]:
        return *super()._apart(), self.latency_column, self.cost_column
