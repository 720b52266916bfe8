"""The keys of the ``comparison`` evaluator."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from mlflow_eval_plugin.evaluators.config.base import AnyCosts, SlicedConfig, known
from mlflow_eval_plugin.evaluators.config.classes import split_metric
from mlflow_eval_plugin.evaluators.config.tolerances import Of, Tolerances

# Metrics of which more, or less, is better; the others have no margin.
MARGINS = ("accuracy", "balanced_accuracy", "precision", "recall", "f1", "auc", "average_precision",
           "fpr", "fnr", "log_loss", "brier", "ece", "cost")  # fmt: skip
OF_A_CLASS = ("precision", "recall", "f1", "auc", "fpr", "fnr")
MARGIN_KEYS = ("non_inferiority", "superiority", "slice_non_inferiority")
_TABLES = (".parquet", ".csv", ".json")


class Champion(BaseModel):
    """Where the champion's predictions come from: one of ``model``, ``column`` and ``run``.

    Attributes:
        model: the URI of the model, which is asked about the same rows.
        column: a column of the data, or of ``slice_data``, that holds them; with ``run``, of its table; with ``model``,
            of its output, where that is not the ``probability_column``.
        run, path: a run, and the path of a table (parquet, CSV, or the JSON of ``mlflow.log_table``) among its
            artifacts, with one row for each row of the data, in the same order.
        key: with ``run``, a column of the data and of the table that says of which row each is.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    model: str | None = Field(default=None, min_length=1)
    column: str | None = Field(default=None, min_length=1)
    run: str | None = Field(default=None, min_length=1)
    path: str | None = Field(default=None, min_length=1)
    key: str | None = Field(default=None, min_length=1)

    @model_validator(mode="before")
    @classmethod
    def _of_text(cls, value: Any) -> Any:
        if not isinstance(value, str):
            return value
        return {"model" if value.startswith(("models:/", "runs:/")) or "://" in value else "column": value}

    @model_validator(mode="after")
    def _one_source(self) -> Champion:
        if self.model is not None and (self.run or self.path or self.key):
            raise ValueError("champion: give 'model' or 'run', not both; a model is asked about the same rows")
        if self.run is None and (self.path or self.key):
            raise ValueError("champion: 'path' and 'key' are of a table of a 'run'; give the run's id as well")
        if self.run is not None and not (self.path and self.column):
            raise ValueError("champion: a 'run' needs the 'path' of a table among its artifacts, and its 'column'")
        if self.path is not None and not self.path.endswith(_TABLES):
            raise ValueError(f"champion: 'path' {self.path!r} is no table; expected one of {', '.join(_TABLES)}")
        if not (self.model or self.column):
            raise ValueError("champion: give 'model' (a URI), 'column', or 'run' with 'path' and 'column'")
        return self


class ComparisonBase(SlicedConfig):
    """Keys of the ``comparison`` evaluator for any model: the model that is evaluated is the challenger.

    Attributes:
        champion: a model URI, a column, or a mapping with the members of ``Champion``.
        non_inferiority: metric to margin: how much worse than the champion the challenger may be.
        superiority: metric to margin: how much better it must be; 0 asks for any improvement.
        slice_non_inferiority: as ``non_inferiority``, for every slice.
    """

    kind: ClassVar[str] = "comparison"
    has_champion: ClassVar[bool] = True
    own_keys: ClassVar[frozenset[str]] = frozenset({"champion", "champion_threshold", *MARGIN_KEYS})
    ranged: ClassVar[Mapping[str, tuple[str | None, Of]]] = dict.fromkeys(MARGIN_KEYS, (None, "difference"))

    champion: Champion
    non_inferiority: Tolerances = Field(default={})
    superiority: Tolerances = Field(default={})
    slice_non_inferiority: Tolerances = Field(default={})

    def _apart(self) -> tuple[str | None, ...]:
        return *super()._apart(), self.champion.key if self.champion.run else self.champion.column

    @model_validator(mode="after")
    def _a_margin_of_slices_has_slices(self) -> ComparisonBase:
        self.refuse_without(["slice_non_inferiority"], "'slices' or 'queries'", self.subsets or self.queries)
        return self


class ComparisonConfig(ComparisonBase):
    """Keys of ``comparison`` for a classifier, besides those of ``ComparisonBase``.

    Attributes:
        non_inferiority, superiority, slice_non_inferiority: with three or more classes also of one of them, as in
            ``recall[cat]``.
        threshold: scores of the challenger at or above it are predicted positive.
        champion_threshold: the same of the champion; as ``threshold`` where not given.
        costs: what a row costs, for the metric ``cost``; as in ``disaggregated``.
    """

    non_inferiority: Tolerances = Field(default={"accuracy": 0.01})
    slice_non_inferiority: Tolerances = Field(default={"accuracy": 0.05})
    threshold: float = Field(default=0.5, ge=0, le=1)
    champion_threshold: float | None = Field(default=None, ge=0, le=1)
    costs: AnyCosts = None

    @field_validator(*MARGIN_KEYS)
    @classmethod
    def _metrics_are_known(cls, value: Tolerances) -> Tolerances:
        for name in value:
            rate, of_class = split_metric(name)
            known("metric with a margin", rate, MARGINS if of_class is None else OF_A_CLASS)
        return value

    @model_validator(mode="after")
    def _a_margin_of_cost_has_costs(self) -> ComparisonConfig:
        for key in MARGIN_KEYS:
            if "cost" in getattr(self, key) and self.costs is None:
                raise ValueError(f"'{key}' of 'cost' needs 'costs': what a row costs, such as {{'fp': 1, 'fn': 5}}")
        return self
