"""How a config says what a slice is: columns, bands of numbers, and queries with a name."""

from __future__ import annotations

from collections.abc import Mapping
from math import isfinite

from pydantic import BaseModel, ConfigDict, Field, model_validator

from mlflow_eval_plugin.query import QueryError, parse

MOST_QUERIES = 64
MOST_CHARACTERS_OF_A_NAME = 100


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
