"""The keys of the ``drift`` evaluator."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Literal

from pydantic import Field, field_validator

from mlflow_eval_plugin.evaluators.config.base import Config
from mlflow_eval_plugin.evaluators.config.tolerances import Of, Tolerance

ANY_COLUMN = "*"
Tolerances = Tolerance | tuple[Tolerance, Tolerance]


class DriftConfig(Config):
    """Keys of the ``drift`` evaluator; a tolerance of None sets no Check.

    A tolerance is a number, or two: a column fails when its drift is above the first with confidence, and passes when
    it is below the second with confidence. A window that is too small to tell 0.05 from 0 then passes where it
    excludes 0.2, and a large one still finds 0.06.

    Attributes:
        reference: the rows to compare with: a frame or an MLflow data set.
        columns: which columns to compare; all features, the score and the label where None.
        exclude_columns: columns to leave out, such as keys and dates.
        categorical: columns to take as categories though they are numbers.
        schema_changes: column to "fail" or "allow": whether it may come, go or change its type; ``"*"`` is any other
            column. Without it every change of schema is a ``fail``.
        max_psi, max_ks, max_js: tolerances of the distances between the two distributions.
        max_shift_sigma: tolerance of the Wasserstein distance of numeric columns, in robust reference standard
            deviations.
        max_new_share: tolerance of the rise in the share of a value that the reference hardly has.
        max_missing_change: tolerance of the change in the share of missing values; late labels are not judged by it.
        max_infinite_change: the same of infinite values, where there are any.
        evidently: attach Evidently's interactive report, on at most 10,000 rows of each side.
    """

    kind: ClassVar[str] = "drift"
    takes_columns: ClassVar[bool] = True
    own_keys: ClassVar[frozenset[str]] = frozenset(
        {"reference", "columns", "exclude_columns", "categorical", "schema_changes", "max_psi", "max_ks", "max_js",
         "max_shift_sigma", "max_new_share", "evidently"}
    )  # fmt: skip

    ranged: ClassVar[Mapping[str, tuple[str | None, Of]]] = {
        "max_ks": ("ks", "value"), "max_js": ("js", "value"), "max_missing_change": ("missing_change", "value"),
        "max_new_share": ("new_share", "value"), "max_infinite_change": ("infinite_change", "value"),
    }  # fmt: skip

    reference: Any
    reference_name: str = "reference"
    columns: tuple[str, ...] | None = None
    exclude_columns: tuple[str, ...] = ()
    categorical: tuple[str, ...] = ()
    schema_changes: dict[str, Literal["fail", "allow"]] = Field(default={})
    slice_data: Any = None
    max_psi: Tolerances | None = None
    max_ks: Tolerances | None = None
    max_js: Tolerances | None = (0.03, 0.2)
    max_shift_sigma: Tolerances | None = (0.05, 0.4)
    max_new_share: Tolerances | None = (0.003, 0.1)
    max_missing_change: Tolerances | None = (0.01, 0.05)
    max_infinite_change: Tolerances | None = (0.001, 0.05)
    min_count: int = Field(default=30, ge=1)
    evidently: bool = False

    @field_validator("reference")
    @classmethod
    def _reference_is_given(cls, value: Any) -> Any:
        if value is None:
            raise ValueError("drift needs 'reference': the rows to compare with")
        return value

    @field_validator(
        "max_psi", "max_ks", "max_js", "max_shift_sigma", "max_new_share", "max_missing_change", "max_infinite_change"
    )
    @classmethod
    def _the_second_is_larger(cls, value: Tolerances | None) -> Tolerances | None:
        if isinstance(value, tuple) and value[1] < value[0]:
            raise ValueError("of two tolerances the first is to fail and the second, no smaller, to pass")
        return value

    @property
    def interactive(self) -> bool:
        """Whether Evidently's report is wanted."""
        return self.evidently

    def allows(self, column: str) -> bool:
        """Whether a column may come, go or change its type."""
        names = {self.column(name): said for name, said in self.schema_changes.items()}
        return names.get(column, names.get(ANY_COLUMN, "fail")) == "allow"
