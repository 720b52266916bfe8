"""What rows are sliced by: columns, and queries applied to the rows, which say what each named slice holds.

A literal is of the kind of its column (number, text, truth or time) and nothing is converted: ``SEX == 2`` is of
numbers, ``SEX == '2'`` of texts, and the wrong one of the two is refused, where it would match nothing. ``true`` and
``false`` are for columns of truth values, which are the numbers 1 and 0 however they are held. Times are written as
texts (``since >= '2024-01-31'``). Only numbers and times have an order. A missing value is in no comparison.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from functools import reduce
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from mlflow_eval_plugin.engines.arrow.columns.levels import CodedColumn, coded_columns, slice_label
from mlflow_eval_plugin.engines.arrow.columns.plain import plain
from mlflow_eval_plugin.engines.arrow.joint import OVERALL
from mlflow_eval_plugin.engines.slicing import Slicing
from mlflow_eval_plugin.nearest import nearest
from mlflow_eval_plugin.query import Among, Compare, Every, Missing, NamedQuery, Not, Query, Some, Value
from mlflow_eval_plugin.stats.counts.slice import Slice
from mlflow_eval_plugin.stats.errors import InputError

Mask = NDArray[np.bool_]

_OPERATORS: dict[str, Callable[[Any, Any], Any]] = {
    "==": operator.eq, "!=": operator.ne, "<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge,
}  # fmt: skip
_KINDS = {
    "integer": "number", "floating": "number", "mixed-integer-float": "number", "string": "text",
    "datetime64": "time", "datetime": "time", "empty": "nothing",
}  # fmt: skip
_ORDERED = ("number", "truth", "decimal", "time", "nothing")
_WRITTEN = {
    "number": ("numbers", "a number, such as 2"),
    "decimal": ("decimal numbers", "a number, such as 0.5"),
    "text": ("texts", "a text in quotes, such as '2'"),
    "truth": ("true and false", "true or false, or with 1 or 0"),
    "time": ("times", "a time in quotes, such as '2024-01-31'"),
}


def sliced_columns(
    rows: pd.DataFrame, slicing: Slicing, *, part: bool = False, sample: NDArray[np.intp] | None = None
) -> tuple[CodedColumn, ...]:
    """Everything that rows are sliced by: the columns, and a column of its own for each named slice.

    Args:
        part: there are more rows than these, so that others may answer a query that none of these does.
        sample: the places of the rows that quantiles are of; all rows by default.

    Raises:
        InputError: for slice columns or edges that cannot be used; a query with a column that is missing, a literal of
            another kind than its column, rows that nobody answers, or the name of another slice.
        TooManyLevels: for a column with more than ``max_levels`` levels.
    """
    columns = coded_columns(
        rows,
        list(dict.fromkeys(slicing.columns)),
        edges=slicing.edges,
        quantiles=slicing.quantiles,
        max_levels=slicing.max_levels,
        sample=sample,
    )
    _no_other_names(columns, slicing.depth, slicing.queries)
    known = _Columns(rows)
    return (*columns, *(_named(known, one, part=part) for one in slicing.queries))


@dataclass(frozen=True, eq=False)
class Sliced:
    """The columns that rows are sliced by, coded once for several counts; slices are of at most ``depth`` of them."""

    columns: tuple[CodedColumn, ...] = ()
    depth: int = 1


def unanswered(named: NamedQuery) -> InputError:
    """The refusal of a query that no row answers."""
    return InputError(f"queries: no row answers {named.name!r} ({named.text}); mend it or leave it out")


def _named(columns: _Columns, named: NamedQuery, *, part: bool) -> CodedColumn:
    try:
        mask = _mask(columns, named.query)
    except InputError as error:
        raise InputError(f"queries: {named.name!r}: {error}") from error
    if not part and not mask.any():
        raise unanswered(named)
    others = f"not {named.name}"
    return CodedColumn(named.name, mask.astype(np.int16), (others, named.name), Slice(named.name, (), named.text))


def _no_other_names(columns: Sequence[CodedColumn], depth: int, queries: Sequence[NamedQuery]) -> None:
    owners = {slice_label(column.name, level): column.name for column in columns for level in column.levels}
    taken = {OVERALL.label, *owners, *(column.name for column in columns)}
    for one in queries:
        # The parts of an intersection may come in any order.
        parts = one.name.split(" & ")
        of = [owners.get(part) for part in parts]
        if one.name in taken or (None not in of and len(set(of)) == len(parts) <= depth):
            raise InputError(f"queries: {one.name!r} is the name of a slice or of a slice column; take another name")


@dataclass(frozen=True, eq=False)
class _Columns:
    """Columns by name, with what each holds found out once."""

    rows: pd.DataFrame
    kinds: dict[str, str] = field(default_factory=dict)
    columns: dict[str, pd.Series[Any]] = field(default_factory=dict)

    def values(self, name: str) -> pd.Series[Any]:
        if name not in self.rows.columns:
            raise InputError(f"there is no column {name!r}{nearest(name, [str(one) for one in self.rows.columns])}")
        if name not in self.columns:
            self.columns[name] = plain(self.rows[name])
        return self.columns[name]

    def kind(self, name: str) -> str:
        if name not in self.kinds:
            column = self.values(name)
            values = column.cat.categories if isinstance(column.dtype, pd.CategoricalDtype) else column
            inferred = pd.api.types.infer_dtype(values, skipna=True)
            kind = _KINDS.get(inferred, inferred)
            truth = kind == "number" and column.dtype != object and bool(column.dropna().isin((0, 1)).all())
            self.kinds[name] = "truth" if truth else kind
        return self.kinds[name]


def _mask(columns: _Columns, query: Query) -> Mask:
    if isinstance(query, Not):
        return ~_mask(columns, query.part)
    if isinstance(query, (Every, Some)):
        both = np.logical_and if isinstance(query, Every) else np.logical_or
        return reduce(both, (_mask(columns, part) for part in query.parts))
    column = columns.values(query.column)
    known = column.notna().to_numpy()
    if isinstance(query, Missing):
        return known if query.negated else ~known
    return _compared(columns, query, column, known)


def _compared(columns: _Columns, query: Compare | Among, column: pd.Series[Any], known: Mask) -> Mask:
    kind = columns.kind(query.column)
    given = (query.value,) if isinstance(query, Compare) else query.values
    literals = [_literal(value, kind, column, query.column) for value in given]
    if isinstance(query, Compare) and query.operator not in ("==", "!=") and kind not in _ORDERED:
        raise InputError(
            f"column {query.column!r} holds {_WRITTEN[kind][0]}, which have no order for {query.operator!r}; "
            "compare with == or !=, or list the values with in (…)"
        )
    found = np.zeros(len(column), dtype=np.bool_)
    if not known.any():
        return found
    present = column if known.all() else column[known]
    if isinstance(present.dtype, pd.CategoricalDtype):
        of_category = _holds(query, pd.Series(present.cat.categories), literals)
        found[known] = of_category[present.cat.codes.to_numpy()]
    else:
        found[known] = _holds(query, present, literals)
    return found


def _holds(query: Compare | Among, values: pd.Series[Any], literals: list[Any]) -> Mask:
    if isinstance(query, Compare):
        return np.asarray(_OPERATORS[query.operator](values, literals[0])).astype(np.bool_)
    if all(isinstance(one, str) for one in literals):
        return np.asarray(values.isin(literals).to_numpy(dtype=np.bool_) ^ query.negated)
    # Of numbers ``isin`` takes all to one type first, so that it would find other rows than ``==`` does.
    equal = (np.asarray(values == one).astype(np.bool_) for one in literals)
    return np.asarray(reduce(np.logical_or, equal) ^ query.negated)


def _literal(value: Value, kind: str, column: pd.Series[Any], name: str) -> Any:
    own = "truth" if isinstance(value, bool) else "text" if isinstance(value, str) else "number"
    if own == "number" and kind == "decimal":
        # 0.1 as written, which the nearest floating-point number is not.
        return value if isinstance(value, Decimal) else Decimal(repr(value))
    if kind in ("nothing", own) or (kind == "truth" and own == "number"):
        return float(value) if isinstance(value, Decimal) else value
    if kind not in _WRITTEN:
        raise InputError(f"column {name!r} holds {kind} values; only numbers, texts, true and false, and times compare")
    if kind == "time" and own == "text":
        return _time(str(value), column, name)
    held, written = _WRITTEN[kind]
    raise InputError(f"column {name!r} holds {held}; compare it with {written}, found {value!r}")


def _time(text: str, column: pd.Series[Any], name: str) -> pd.Timestamp:
    try:
        time: pd.Timestamp = pd.Timestamp(text)
    except ValueError as error:
        raise InputError(f"column {name!r} holds times; expected one such as '2024-01-31', found {text!r}") from error
    zone = getattr(column.dtype, "tz", None)
    if zone is not None:
        zoned: pd.Timestamp = time.tz_localize(zone) if time.tz is None else time.tz_convert(zone)
        return zoned
    if time.tz is not None:
        raise InputError(f"column {name!r} holds times without a zone; leave the zone out of {text!r}")
    return time
