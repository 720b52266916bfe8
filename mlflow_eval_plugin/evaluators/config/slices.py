"""How a config says what a slice is: columns, bands of numbers, queries with a name, and a search for weak ones."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from math import isfinite
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

from mlflow_eval_plugin.query import QueryError, parse
from mlflow_eval_plugin.stats.counts.slice import level_label

MOST_QUERIES = 64
MOST_CHARACTERS_OF_A_NAME = 100


def _edge(value: Any) -> Any:
    # Of numpy's times those in nanoseconds would become numbers. A text that is no number is a time.
    return value.astype("M8[us]").item() if type(value).__name__ == "datetime64" else value


Edge = Annotated[float | datetime, BeforeValidator(_edge)]


class Band(BaseModel):
    """A slice column of numbers or times, cut at ``edges`` or into ``quantiles`` equally full parts.

    Edges of times are dates or times, or such as text in ISO 8601.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
    column: str
    edges: tuple[Edge, ...] | None = None
    quantiles: int | None = Field(default=None, ge=2, le=100)

    @model_validator(mode="after")
    def _one_of_two(self) -> Band:
        if (self.edges is None) == (self.quantiles is None):
            raise ValueError(f"band of {self.column!r}: give either 'edges' or 'quantiles'")
        if not all(isinstance(edge, datetime) or isfinite(edge) for edge in self.edges or ()):
            raise ValueError(
                f"band of {self.column!r}: edges are finite numbers; what lies beyond them has its own slice"
            )
        return self


SliceItem = str | Band


class Search(BaseModel):
    """The search of weak slices.

    Attributes:
        depth: slices of at most so many columns.
        top: how many slices are reported at most.
        min_support: rows that a slice needs; the larger of 32 and a hundredth of all where None.
        columns: which columns to search; those of ``slices`` where None, or where there are none all features: columns
            that a config of the call names as a score, a weight, a latency or a cost are none.
        error: ``log_loss``, ``brier`` or ``wrong``; where None log loss, or for predictions that are classes ``wrong``.
            Of a regression ``squared_error``, the default, or ``absolute_error``.
        alpha: SliceLine's weight of the mean error against the number of rows.
        quantiles: into how many equally full parts numbers are cut that have more values than that.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
    depth: int = Field(default=3, ge=1, le=4)
    top: int = Field(default=10, ge=1, le=100)
    min_support: int | None = Field(default=None, ge=2)
    columns: tuple[str, ...] | None = Field(default=None, min_length=1)
    error: Literal["log_loss", "brier", "wrong", "squared_error", "absolute_error"] | None = None
    alpha: float = Field(default=0.95, gt=0, le=1)
    quantiles: int = Field(default=10, ge=2, le=100)


def checked_search(value: Any) -> Search | None:
    """The search that was asked for: ``True`` for one with all defaults.

    Raises:
        ValueError: for options there are none of, or values that they cannot have.
    """
    if value is None or value is False or isinstance(value, Search):
        return value or None
    options = {} if value is True else value
    if not isinstance(options, Mapping):
        raise ValueError(f"expected True or a mapping of options: {', '.join(Search.model_fields)}")
    try:
        return Search.model_validate(dict(options))
    except ValidationError as error:
        first = error.errors()[0]
        name = str(first["loc"][0])
        known = f"; known are {', '.join(Search.model_fields)}" if name not in Search.model_fields else ""
        raise ValueError(f"option {name!r}: {first['msg']}{known}") from error


def checked_queries(queries: Mapping[str, str]) -> dict[str, str]:
    """The queries, by name.

    Raises:
        ValueError: for too many of them, a name that cannot be one, or a text that is no query.
    """
    if len(queries) > MOST_QUERIES:
        raise ValueError(f"expected at most {MOST_QUERIES} named slices, found {len(queries)}; leave some out")
    for name, text in queries.items():
        if not (name.strip() and name.isprintable() and len(name) <= MOST_CHARACTERS_OF_A_NAME):
            raise ValueError(
                f"expected names of 1 to {MOST_CHARACTERS_OF_A_NAME} printable characters, found {name[:120]!r}"
            )
        if name == "overall":
            raise ValueError("'overall' is the name of all rows; take another name")
        try:
            parse(text)
        except QueryError as error:
            raise ValueError(f"{name!r}: {error}") from error
    return dict(queries)


def checked_labels(value: Any) -> dict[str, dict[str, str]]:
    """What people call values: by column and by the level that a value has in slices.

    Raises:
        ValueError: for what is no mapping of mappings, a name that is none, or one that cannot be told from another.
    """
    if not isinstance(value, Mapping) or not all(isinstance(names, Mapping) for names in value.values()):
        raise ValueError("expected the names of values by column, such as {'SEX': {1: 'men', 2: 'women'}}")
    found: dict[str, dict[str, str]] = {}
    for column, names in value.items():
        levels = found.setdefault(str(column), {})
        for one, name in names.items():
            level = level_label(one)
            if not (isinstance(name, str) and name.strip() and name.isprintable()):
                raise ValueError(f"{column!r}: the name of {one!r} must be printable text, found {name!r}")
            if len(name) > MOST_CHARACTERS_OF_A_NAME:
                raise ValueError(
                    f"{column!r}: the name of {one!r} has more than {MOST_CHARACTERS_OF_A_NAME} characters"
                )
            if level in levels:
                raise ValueError(
                    f"{column!r}: there are two names of {level!r}, {levels[level]!r} and {name!r}; keep one"
                )
            levels[level] = name
        _can_be_told_apart(str(column), levels)
    return found


def _can_be_told_apart(column: str, levels: Mapping[str, str]) -> None:
    for level, name in levels.items():
        same = next((other for other, text in levels.items() if other != level and name in (text, other)), None)
        if same is not None:
            raise ValueError(
                f"{column!r}: {name!r} names {level!r} and is, or names, {same!r}; no reader can tell them apart"
            )


Queries = Annotated[dict[str, str], AfterValidator(checked_queries)]
ValueLabels = Annotated[dict[str, dict[str, str]], BeforeValidator(checked_labels)]
MaybeSearch = Annotated[Search | None, BeforeValidator(checked_search)]
