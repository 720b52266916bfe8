"""Which slice of some columns each row is in: for what needs the rows once more when the slices are known."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mlflow_eval_plugin.engines.arrow.joint import Columns, cell_codes
from mlflow_eval_plugin.stats.counts.slice import Slice


@dataclass(frozen=True, eq=False)
class Family:
    """Slices of the same columns, of which every row is in one, or a named slice.

    Attributes:
        members: their places among all slices.
        places: the place of each among the members, by cell in the mixed radix of the columns' levels; -1 for the rows
            that are not in the named slice.
    """

    columns: Columns
    members: NDArray[np.intp]
    places: NDArray[np.intp]

    def place(self, rows: slice) -> NDArray[np.intp]:
        """Of which member each of the rows is, as a place among the members."""
        return self.places[cell_codes(self.columns, rows)]


def families(slices: Sequence[Slice], columns: Columns) -> list[Family]:
    """The families of all slices, in the order of their first ones; each named slice is one.

    Args:
        slices: of a Summary.
        columns: those that it was counted by.
    """
    known = {column.name: column for column in columns if column.named is None}
    members: dict[tuple[str, ...], list[int]] = {}
    for position, one in enumerate(slices):
        if one.query is None:
            members.setdefault(one.columns, []).append(position)
    families = [_family(tuple(known[name] for name in names), of, slices) for names, of in members.items()]
    labels = {one.label: position for position, one in enumerate(slices) if one.query is not None}
    for column in columns:
        if column.named and column.named.label in labels:
            families.append(Family((column,), np.array([labels[column.named.label]]), np.array([-1, 0])))
    return families


def _family(columns: Columns, members: list[int], slices: Sequence[Slice]) -> Family:
    shape = tuple(len(column.levels) for column in columns)
    places = np.zeros(shape, dtype=np.intp)
    codes = [{level: code for code, level in enumerate(column.levels)} for column in columns]
    for place, position in enumerate(members):
        cell = tuple(of.get(level) for of, (_, level) in zip(codes, slices[position].levels, strict=True))
        # A shard asked with the summary of all need not have every level of them: no row of it is in such a slice.
        if None not in cell:
            places[cell] = place
    return Family(columns, np.array(members, dtype=np.intp), places.reshape(-1))
