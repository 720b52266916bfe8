"""The keys of the ``drift`` evaluator."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal, get_args

from pydantic import BeforeValidator, Field, field_validator, model_validator

from mlflow_eval_plugin.evaluators.config.base import Config
from mlflow_eval_plugin.evaluators.config.slices import Band, Edge
from mlflow_eval_plugin.evaluators.config.tolerances import Of, Tolerance
from mlflow_eval_plugin.stats.drift.windows import Unit, Windowing

ANY_COLUMN = "*"
Tolerances = Tolerance | tuple[Tolerance, Tolerance]
ByColumn = Tolerances | dict[str, Tolerances | None] | None


TOLERANCES = (
    "max_psi", "max_ks", "max_js", "max_shift_sigma", "max_new_share", "max_missing_change", "max_infinite_change",
    "max_sentinel_change", "max_new_categories", "max_vanished_categories", "max_lost_variety", "max_unit_change",
    "max_out_of_range", "max_mean_shift",
)  # fmt: skip


_ROWS = re.compile(r"\s*(\d[\d,_]*)\s*rows?\s*")
_UNITS: tuple[Unit, ...] = get_args(Unit)


def _window(value: Any) -> Any:
    """The window as it is written in the Evidence."""
    if value is None or value in _UNITS:
        return value
    rows = _ROWS.fullmatch(value) if isinstance(value, str) else None
    number = int(rows[1].replace(",", "").replace("_", "")) if rows else 0
    if number < 1:
        known = ", ".join(map(repr, _UNITS))
        raise ValueError(f"expected {known}, or a number of rows such as '10000 rows', found {value!r}")
    return f"{number} rows"


def _season(value: Any) -> Any:
    return ("week" if value else None) if isinstance(value, bool) else value


def _columns(value: Any) -> Any:
    return (value,) if isinstance(value, str) else value


class DriftConfig(Config):
    """Keys of the ``drift`` evaluator; a tolerance of None sets no Check.

    A tolerance is a number, or two: a column fails when its drift is above the first with confidence, and passes when
    it is below the second with confidence. A window that is too small to tell 0.05 from 0 then passes where it
    excludes 0.2, and a large one still finds 0.06. Or it is a mapping, from columns to such tolerances: ``"*"`` is any
    other column, whose tolerance is the default where it is not named.

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
        max_sentinel_change: the same of values that stand for none, such as -999, where there are any.
        max_new_categories, max_vanished_categories: tolerances of the shares in categories that the other side lacks.
        max_lost_variety: tolerance of the part of the values other than the commonest that a constant column lost.
        max_unit_change: tolerance of the distance that another unit explains, such as 1,000 times the value.
        key: the column, or the columns, by which a row is told from all others; a single one is not compared.
        max_duplicate_keys: tolerance of the share of rows that repeat a key, above that of the reference.
        max_out_of_range: tolerance of the share of numbers out of the reference's range.
        multivariate: also look at all columns together: a classifier tells rows of the data from rows of the reference,
            and rows are read back from the reference's principal components. The reference must have rows.
        max_two_sample_auc: tolerance of the AUC of that classifier on rows that it has not seen; also for each column
            of vectors, by itself.
        max_mean_shift: tolerance of the largest shift of the mean of a column of vectors along the reference's
            principal axes, in the reference's standard deviations.
        max_reconstruction_change: tolerance of the change of the mean error of rows that are read back, in the
            reference's standard deviations.
        time_column: the column of times by which rows are divided into windows; it is not compared.
        window: how long a window is: ``hour``, ``day``, ``week``, or so many rows (``"10000 rows"``).
        season: ``week`` compares a window with that of the same phase of the week before, not with the reference.
        slice_columns: columns, or bands of them at ``edges``, in whose slices every distance is judged as well.
        evidently: attach Evidently's interactive report, on at most 10,000 rows of each side.
    """

    kind: ClassVar[str] = "drift"
    takes_columns: ClassVar[bool] = True
    own_keys: ClassVar[frozenset[str]] = frozenset(
        {"reference", "columns", "exclude_columns", "categorical", "schema_changes", "max_psi", "max_ks", "max_js",
         "max_shift_sigma", "max_new_share", "max_sentinel_change", "max_new_categories", "max_vanished_categories",
         "max_lost_variety", "max_unit_change", "max_out_of_range", "key", "max_duplicate_keys", "multivariate",
         "max_two_sample_auc", "max_mean_shift", "max_reconstruction_change", "time_column", "window", "season",
         "slice_columns", "evidently"}
    )  # fmt: skip

    ranged: ClassVar[Mapping[str, tuple[str | None, Of]]] = {
        "max_ks": ("ks", "value"), "max_js": ("js", "value"), "max_missing_change": ("missing_change", "value"),
        "max_new_share": ("new_share", "value"), "max_infinite_change": ("infinite_change", "value"),
        "max_sentinel_change": ("sentinel_change", "value"), "max_new_categories": ("new_categories", "value"),
        "max_vanished_categories": ("vanished_categories", "value"), "max_lost_variety": ("lost_variety", "value"),
        "max_unit_change": ("unit_change", "value"), "max_out_of_range": ("out_of_range", "value"),
        "max_duplicate_keys": ("duplicate_keys", "value"),
        "max_two_sample_auc": ("two_sample_auc", "value"), "max_mean_shift": ("mean_shift", "value"),
        "max_reconstruction_change": ("reconstruction_change", "value"),
    }  # fmt: skip

    reference: Any
    reference_name: str = "reference"
    columns: tuple[str, ...] | None = None
    exclude_columns: tuple[str, ...] = ()
    categorical: tuple[str, ...] = ()
    schema_changes: dict[str, Literal["fail", "allow"]] = Field(default={})
    slice_data: Any = None
    max_psi: ByColumn = None
    max_ks: ByColumn = None
    max_js: ByColumn = (0.03, 0.2)
    max_shift_sigma: ByColumn = (0.05, 0.4)
    max_new_share: ByColumn = (0.003, 0.1)
    max_missing_change: ByColumn = (0.01, 0.05)
    max_infinite_change: ByColumn = (0.001, 0.05)
    max_sentinel_change: ByColumn = (0.003, 0.05)
    max_new_categories: ByColumn = (0.005, 0.1)
    max_vanished_categories: ByColumn = (0.01, 0.1)
    max_lost_variety: ByColumn = (0.9, 1.0)
    max_unit_change: ByColumn = (0.1, 1.0)
    max_out_of_range: ByColumn = None
    key: Annotated[tuple[str, ...], BeforeValidator(_columns)] = ()
    max_duplicate_keys: Tolerance | None = 0.001
    multivariate: bool = False
    max_two_sample_auc: Tolerances | None = (0.53, 0.6)
    max_mean_shift: ByColumn = (0.05, 0.4)
    max_reconstruction_change: Tolerances | None = None
    min_count: int = Field(default=30, ge=1)
    time_column: str | None = None
    window: Annotated[str | None, BeforeValidator(_window)] = None
    season: Annotated[Literal["week"] | None, BeforeValidator(_season)] = None
    slice_columns: tuple[str | Band, ...] = ()
    evidently: bool = False

    @field_validator("reference")
    @classmethod
    def _reference_is_given(cls, value: Any) -> Any:
        if value is None:
            raise ValueError("drift needs 'reference': the rows to compare with")
        return value

    @field_validator(*TOLERANCES, "max_two_sample_auc", "max_reconstruction_change")
    @classmethod
    def _the_second_is_larger(cls, value: ByColumn) -> ByColumn:
        for one in value.values() if isinstance(value, dict) else (value,):
            if isinstance(one, tuple) and one[1] < one[0]:
                raise ValueError("of two tolerances the first is to fail and the second, no smaller, to pass")
        return value

    @field_validator("slice_columns")
    @classmethod
    def _both_sides_are_cut_alike(cls, value: tuple[str | Band, ...]) -> tuple[str | Band, ...]:
        for one in value:
            if isinstance(one, Band) and one.edges is None:
                raise ValueError(f"band of {one.column!r}: give 'edges', which are the same on both sides")
        return value

    @model_validator(mode="after")
    def _windows_are_of_times(self) -> DriftConfig:
        if (self.time_column is None) != (self.window is None):
            given, other = ("time_column", "window") if self.window is None else ("window", "time_column")
            raise ValueError(f"{given!r} has no effect without {other!r}; give both, such as 'window': 'day'")
        if self.season and self.window not in ("hour", "day"):
            raise ValueError("'season' compares hours or days with those of the week before; take such a 'window'")
        return self

    @model_validator(mode="after")
    def _duplicates_are_of_a_key(self) -> DriftConfig:
        if len(set(self.key)) < len(self.key):
            raise ValueError(f"'key' names a column twice: {', '.join(map(repr, self.key))}")
        given = "max_duplicate_keys" in self.model_fields_set and self.max_duplicate_keys is not None
        if given and not self.key:
            raise ValueError("'max_duplicate_keys' has no effect without 'key', such as 'key': ['order_id']")
        return self

    @property
    def keyed_by(self) -> tuple[str, ...]:
        """The columns of the data that are the key."""
        return tuple(map(self.column, self.key))

    @property
    def windowing(self) -> Windowing | None:
        """How rows are divided by time, where they are."""
        if self.time_column is None or self.window is None:
            return None
        unit = next((one for one in _UNITS if one == self.window), None)
        return Windowing(self.column(self.time_column), unit or int(self.window.split()[0]))

    @property
    def sliced_by(self) -> tuple[str, ...]:
        """The columns of the data that make slices."""
        return tuple(self.column(one.column if isinstance(one, Band) else one) for one in self.slice_columns)

    @property
    def slice_edges(self) -> dict[str, tuple[Edge, ...]]:
        """Where columns of bands are cut."""
        bands = (one for one in self.slice_columns if isinstance(one, Band))
        return {self.column(one.column): one.edges for one in bands if one.edges is not None}

    @property
    def interactive(self) -> bool:
        """Whether Evidently's report is wanted."""
        return self.evidently

    def tolerance(self, key: str, column: str) -> Tolerances | None:
        """The tolerance of a column of the data, of one of ``TOLERANCES``."""
        given: ByColumn = getattr(self, key)
        if not isinstance(given, dict):
            return given
        others: Tolerances | None = type(self).model_fields[key].default
        named = {self.column(name): one for name, one in given.items()}
        return named.get(column, named.get(ANY_COLUMN, others))

    @property
    def tolerated(self) -> dict[str, tuple[str, ...]]:
        """By key, the columns of the data that have tolerances of their own."""
        found = {key: getattr(self, key) for key in TOLERANCES}
        return {
            key: tuple(self.column(name) for name in one if name != ANY_COLUMN)
            for key, one in found.items()
            if isinstance(one, dict)
        }

    def allows(self, column: str) -> bool:
        """Whether a column may come, go or change its type."""
        names = {self.column(name): said for name, said in self.schema_changes.items()}
        return names.get(column, names.get(ANY_COLUMN, "fail")) == "allow"
