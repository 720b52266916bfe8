"""The keys of the ``drift`` evaluator."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Literal

from pydantic import Field, field_validator

from mlflow_eval_plugin.evaluators.config_base import Config, Tolerance
from mlflow_eval_plugin.evaluators.config_tolerances import Of

ANY_COLUMN = "*"


class DriftConfig(Config):
    """Keys of the ``drift`` evaluator; a tolerance of None sets no Check.

    Attributes:
        reference: the rows to compare with: a frame or an MLflow data set.
        columns: which columns to compare; all features, the score and the label where None.
        exclude_columns: columns to leave out, such as keys and dates.
        categorical: columns to take as categories though they are numbers.
        schema_changes: column to "fail" or "allow": whether it may come, go or change its type; ``"*"`` is any other
            column. Without it every change of schema is a ``fail``.
        max_psi, max_ks, max_js: tolerances of the distances between the two distributions.
        max_shift_sigma: tolerance of the Wasserstein distance of numeric columns, in reference standard deviations.
        max_missing_change: tolerance of the change in the share of missing values; late labels are not judged by it.
        evidently: attach Evidently's interactive report, on at most 10,000 rows of each side.
    """

    kind: ClassVar[str] = "drift"
    own_keys: ClassVar[frozenset[str]] = frozenset(
        {"reference", "columns", "exclude_columns", "categorical", "schema_changes", "max_psi", "max_ks", "max_js",
         "max_shift_sigma", "evidently"}
    )  # fmt: skip

    ranged: ClassVar[Mapping[str, tuple[str | None, Of]]] = {
        "max_ks": ("ks", "value"), "max_js": ("js", "value"), "max_missing_change": ("missing_change", "value"),
    }  # fmt: skip

    reference: Any
    reference_name: str = "reference"
    columns: tuple[str, ...] | None = None
    exclude_columns: tuple[str, ...] = ()
    categorical: tuple[str, ...] = ()
    schema_changes: dict[str, Literal["fail", "allow"]] = Field(default={})
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

    def allows(self, column: str) -> bool:
        """Whether a column may come, go or change its type."""
        names = {self.column(name): said for name, said in self.schema_changes.items()}
        return names.get(column, names.get(ANY_COLUMN, "fail")) == "allow"
