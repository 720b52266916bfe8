"""Where the rows of a part come from: a source by its name, and which of its rows they are.

It stands in the metadata of the part's schema, so that it goes wherever the part goes. A source whose rows have no
order says nothing.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass

import pyarrow as pa

_KEY = b"mlflow_eval_plugin.places"


@dataclass(frozen=True)
class Place:
    """Some rows in a row: of which source, from which of its rows on, and how many."""

    source: str
    first: int
    rows: int

    def __str__(self) -> str:
        return f"row {self.first:,}" + (f" of {self.source}" if self.source else "")


def with_places(schema: pa.Schema, places: Iterable[Place]) -> pa.Schema:
    """A schema that says where the rows come from, in their order."""
    said = json.dumps([asdict(one) for one in places]).encode()
    return schema.with_metadata({**(schema.metadata or {}), _KEY: said})


def places_of(schema: pa.Schema) -> tuple[Place, ...]:
    """Where the rows of a part come from; nothing where its schema does not say it."""
    said = (schema.metadata or {}).get(_KEY)
    return () if said is None else tuple(Place(**one) for one in json.loads(said))


def cut(places: Iterable[Place], first: int, rows: int) -> tuple[Place, ...]:
    """The places of some of the rows: so many of them from one on."""
    found, begin = [], 0
    for one in places:
        low, high = max(first - begin, 0), min(first + rows - begin, one.rows)
        if low < high:
            found.append(Place(one.source, one.first + low, high - low))
        begin += one.rows
    return tuple(found)


def place_of(schema: pa.Schema, row: int) -> str | None:
    """Where one row of a part comes from, as a person reads it: ``row 17 of scored.parquet``."""
    return next(map(str, cut(places_of(schema), row, 1)), None)
