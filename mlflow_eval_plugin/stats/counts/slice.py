"""Slices, and what all Summaries share: fixed-point ones, scales, limits, and lanes put in the place of slices."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from functools import cached_property
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from mlflow_eval_plugin.stats.arrays import IntArray
from mlflow_eval_plugin.stats.errors import MergeError

ONE = float(2**32)  # the fixed-point one of weights, offsets and scores
LOSS_ONE = float(2**30)  # of log losses, which reach 36.04
LOSS_SQUARE_ONE = float(2**22)  # of their squares, which reach 1299
MAX_ROWS = 2**31 - 1  # of a Summary: so many ones are what 63 bits hold, and a count of 32 bits
COUNTED_ROWS = 2**27  # in one pass: so many of the largest loss are


class Scaled(Protocol):
    """Any Summary: its weights are relative to a power of two."""

    @property
    def weight_scale(self) -> float:
        """A power of two at or above the largest weight; 1.0 when unweighted."""

    @property
    def weighted(self) -> bool:
        """Whether weights were given."""


@dataclass(frozen=True)
class Slice:
    """One slice: its label (``SEX=2 & RAC1P=1``) and the levels that define it; "overall" has none.

    A named slice has no levels either: its ``query`` defines it, and its name is the label.
    """

    label: str
    levels: tuple[tuple[str, str], ...]
    query: str | None = None

    @cached_property
    def columns(self) -> tuple[str, ...]:
        """The columns that define it."""
        return tuple(column for column, _ in self.levels)

    @property
    def family(self) -> tuple[bool, tuple[str, ...]]:
        """What it has in common with its peers: the columns, or that somebody gave it a name."""
        return (self.query is not None, self.columns)


def over_labels(lane: NDArray[Any]) -> NDArray[Any]:
    """Sums over the label, the last axis, of length 2; numpy's sum over so short an axis takes thirty times as long."""
    return np.asarray(lane[..., 0] + lane[..., 1])


def union_of_slices(first: tuple[Slice, ...], second: tuple[Slice, ...]) -> tuple[Slice, ...]:
    """Both sets of slices in the canonical order: overall, then by column, then by level, then by name.

    Raises:
        MergeError: for two named slices of one name.
    """
    both = set(first) | set(second)
    if len({one.label for one in both}) < len(both):
        raise MergeError("slices of one name have two queries; give every shard the same")
    return tuple(sorted(both, key=slice_order))


def scattered(lane: IntArray, rows: NDArray[np.intp], length: int) -> IntArray:
    """A lane over more slices: entry ``i`` of it at ``rows[i]``, and 0 where it has none."""
    placed = np.zeros((length, *lane.shape[1:]), dtype=lane.dtype)
    placed[rows] = lane
    return placed


def placed(lane: IntArray, slices: tuple[Slice, ...], among: tuple[Slice, ...]) -> IntArray:
    """A lane of some slices over more of them, and 0 where it has none."""
    at = {one: position for position, one in enumerate(among)}
    return scattered(lane, np.array([at[one] for one in slices]), len(among))


def slice_order(one: Slice) -> tuple[object, ...]:
    """A sort key: fewer columns, column names, levels (numbers by value, "(missing)" last); named ones come last."""
    levels = tuple(level_order(level) for _, level in one.levels)
    return (one.query is not None, len(one.levels), one.columns, levels, one.label)


def level_label(value: object) -> str:
    """The label of a value: ``1`` for 1, 1.0, True and "1"; ``0.1`` for that number of any width.

    A time at midnight is its date, ``2024-03-01``. It is so for each time by itself, so that data, reference and parts
    that are merged have the same label of the same time, whatever other times they have.
    """
    if isinstance(value, (np.float16, np.float32)):
        return number_label(float(str(value)))
    if isinstance(value, np.datetime64):
        value = value.astype("M8[us]")  # in nanoseconds it would be a number to Python
    plain = value.item() if isinstance(value, np.generic) else value
    if isinstance(plain, (bool, float)):
        return number_label(plain)
    if isinstance(plain, datetime) and is_midnight(plain):
        return f"{plain.year:04}-{plain.month:02}-{plain.day:02}"
    return f"{plain.normalize():f}" if isinstance(plain, Decimal) and plain.is_finite() else str(plain)


def is_midnight(time: datetime) -> bool:
    """Whether a time is the beginning of a day, in its own zone; NaT is none."""
    return not (time.hour or time.minute or time.second or time.microsecond or getattr(time, "nanosecond", 0))


def number_label(number: float) -> str:
    """The shortest text that is the number; whole numbers without a decimal point."""
    return str(int(number)) if float(number).is_integer() else repr(float(number))


_RANGE_OF_TIMES = re.compile(r"[\[(]\d{4,}-\d\d-\d\d")


def level_order(level: str) -> tuple[int, float, str]:
    """A sort key for level labels: numbers and ranges by value, then ranges of times and text, then "(missing)"."""
    if level == "(missing)":
        return (2, 0.0, level)
    try:
        number = float(level.lstrip("[(").split(",")[0])
    except ValueError:
        # "(2024-07-01, inf)" comes after "[2024-04-01, 2024-07-01]".
        return (1, 0.0, level.lstrip("[(") if _RANGE_OF_TIMES.match(level) else level)
    return (1, 0.0, level) if math.isnan(number) else (0, number, level)


def rows_fit(rows: int) -> None:
    """Refuse more rows than a Summary can hold without overflow.

    Raises:
        MergeError: above ``MAX_ROWS``.
    """
    if rows > MAX_ROWS:
        raise MergeError(f"a Summary holds at most {MAX_ROWS:,} rows, found {rows:,}; evaluate a part of the data")


def rows_countable(rows: int, *, of: str = "", fix: str = "count parts of the data, and add their Summaries") -> None:
    """Refuse more rows than can be counted in one pass without overflow, whatever they hold.

    Args:
        of: whose rows they are, for the message.
        fix: what whoever gave them can do.

    Raises:
        MergeError: above ``COUNTED_ROWS``.
    """
    if rows > COUNTED_ROWS:
        raise MergeError(f"{of}at most {COUNTED_ROWS:,} rows are counted in one pass, found {rows:,}; {fix}")


def lanes_added(first: NDArray[Any], second: NDArray[Any]) -> NDArray[Any]:
    """The sums of two lanes of one Summary.

    Raises:
        MergeError: where one is beyond 63 bits, as of 2**28 rows of the largest loss each.
    """
    total = np.asarray(first + second)
    # A sum that wraps around has another sign than both that it is of.
    if (((first ^ total) & (second ^ total)) < 0).any():
        raise MergeError("a sum of both Summaries is beyond what 63 bits hold; evaluate a part of the data")
    return total


def same_scale(first: Scaled, second: Scaled) -> None:
    """Refuse to merge Summaries whose weights are on different scales.

    Raises:
        MergeError: says what to do.
    """
    if (first.weighted, first.weight_scale) != (second.weighted, second.weight_scale):
        # Rescaling would round, and then the order of merging would matter.
        raise MergeError(
            f"Summaries with different weight scales do not merge: {first.weight_scale} and {second.weight_scale}; "
            "count every shard with the same weight_scale (a power of two at or above the largest weight of all)"
        )
