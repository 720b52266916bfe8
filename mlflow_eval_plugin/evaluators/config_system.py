"""The keys of the ``disaggregated`` evaluator that are of the system rather than of the model's mistakes."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field, field_validator, model_validator

from mlflow_eval_plugin.evaluators.config_base import Tolerance, Tolerances, VersusConfig, known

PERCENTILES = ("p50", "p95", "p99")


class SystemConfig(VersusConfig):
    """Keys of latency and cost: of every model, whatever it predicts.

    Attributes:
        latency_column, cost_column: numeric columns of the data or of ``slice_data``: what a row took, what it cost.
        max_latency: percentile (``p50``, ``p95``, ``p99``) to the largest latency, for every slice and for all rows.
        max_cost_per_1000: the largest cost of 1,000 rows, for every slice and for all rows.
    """

    system_keys: ClassVar[frozenset[str]] = frozenset(
        {"latency_column", "cost_column", "max_latency", "max_cost_per_1000"}
    )

    latency_column: str | None = None
    cost_column: str | None = None
    max_latency: Tolerances = Field(default={})
    max_cost_per_1000: Tolerance | None = None

    @field_validator("max_latency")
    @classmethod
    def _percentiles_are_known(cls, value: Tolerances) -> Tolerances:
        return {known("percentile", name, PERCENTILES): limit for name, limit in value.items()}

    @model_validator(mode="after")
    def _a_tolerance_has_its_column(self) -> SystemConfig:
        for key, column in (("max_latency", "latency_column"), ("max_cost_per_1000", "cost_column")):
            if getattr(self, key) not in (None, {}) and getattr(self, column) is None:
                raise ValueError(f"{key!r} needs {column!r}: the name of a numeric column")
        return self

    def _apart(self) -> tuple[str | None, ...]:
        return *super()._apart(), self.latency_column, self.cost_column
