"""Slices by the names that people gave to values: ``SEX=2`` is ``SEX=women`` with ``value_labels: {SEX: {2: women}}``.

A document keeps raw levels, by which Checks and slices are known again. ``named`` gives the copy that people read.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from mlflow_eval_plugin.evidence import Check, Evidence
from mlflow_eval_plugin.histograms import HISTOGRAM_BARS
from mlflow_eval_plugin.query import Among, Compare, Every, Missing, Not, Query, QueryError, Some, parse
from mlflow_eval_plugin.reports.layouts import layout_of
from mlflow_eval_plugin.reports.sentences.wording import listed

_NAMED = ("label", "against")  # members of a measurement that hold the name of a slice
# What says nothing without its column.
_NO_NAME = frozenset({"yes", "no", "true", "false", "y", "n", "none", "other", "unknown"})
_MOST_NAMED = 6  # levels without a name that a warning lists
Labels = Mapping[str, Mapping[str, str]]


def labels_of(evidence: Evidence) -> Labels:
    """By column of the data and level what people call it; empty where a document has no such names."""
    mapped, given = evidence.config.get("col_mapping") or {}, evidence.config.get("value_labels") or {}
    return {_text(mapped.get(column, column)): names for column, names in given.items()}


def named(evidence: Evidence) -> Evidence:
    """The document as people read it; the same where it names no values."""
    labels = labels_of(evidence)
    if not labels:
        return evidence
    told = {label: _told(label, slice_, labels) for label, slice_ in _slices(evidence.measurements)}
    checks = tuple(_check(check, told) for check in evidence.checks)
    measurements = _renamed(evidence.measurements, told)
    for column in measurements.get("columns", []) if layout_of(evidence).of_columns else []:
        _name_levels(column, labels.get(column["name"], {}))
    for column in (measurements.get("windows") or {}).get("columns", []) if layout_of(evidence).of_columns else []:
        for change in column["changes"]:
            _name_levels(change, labels.get(column["name"], {}))
    for one in (measurements.get("overall"), *measurements.get("slices", [])):
        if one and one.get("query"):
            one["query"] += _explained(one["query"], labels, evidence.config.get("col_mapping") or {})
    return evidence.model_copy(update={"checks": checks, "measurements": measurements})


def spoken(evidence: Evidence, scope: str) -> str:
    """A slice within a sentence: a value that has a name needs no column."""
    if scope == "overall":
        return "all rows"
    labels = labels_of(evidence)
    for label, slice_ in _slices(evidence.measurements) if labels else ():
        if scope in (label, _told(label, slice_, labels)):
            return _told(label, slice_, labels, alone=True)
    return scope


def unused_names(evidences: Iterable[Evidence]) -> list[str]:
    """Of every column the names of levels that no document shows, where it shows levels that have no name.

    A list of codes may be longer than what these rows have; where every level that occurs has a name, nothing is amiss.
    """
    unused: dict[str, dict[str, None]] = {}
    used: set[tuple[str, str]] = set()
    bare: dict[str, dict[str, None]] = {}
    for evidence in evidences:
        labels = labels_of(evidence)
        for column, names in labels.items():
            unused.setdefault(column, {}).update(dict.fromkeys(names))
        for column, level in _shown(evidence) if labels else ():
            names = labels.get(column, {})
            found = next((name for name in (level, _band(level)) if name in names), None)
            if found is not None:
                used.add((column, found))
            elif level != "(missing)":
                bare.setdefault(column, {})[level] = None
        used.update(_asked(evidence) if labels else ())
    return [
        f"{column} has no {listed(absent)}, and {listed(_few(bare[column]))} {_have(bare[column])} no name"
        for column, levels in unused.items()
        if (absent := [repr(one) for one in levels if (column, one) not in used]) and column in bare
    ]


def _few(levels: Iterable[str]) -> list[str]:
    quoted = list(map(repr, levels))
    return quoted if len(quoted) <= _MOST_NAMED else [*quoted[:_MOST_NAMED], f"{len(quoted) - _MOST_NAMED} more"]


def _have(levels: Mapping[str, None]) -> str:
    return "has" if len(levels) == 1 else "have"


def _shown(evidence: Evidence) -> Iterator[tuple[str, str]]:
    """Every level that a document shows, by column."""
    for _, slice_ in _slices(evidence.measurements):
        yield from slice_.items()
    for one in evidence.measurements.get("columns", []) if layout_of(evidence).of_columns else []:
        levels = one["histogram"]["labels"] if one["kind"] == "categorical" else ()
        # Of more categories than that the rarest are not shown by name.
        if len(levels) < HISTOGRAM_BARS:
            yield from ((one["name"], str(level)) for level in levels)


def _asked(evidence: Evidence) -> Iterator[tuple[str, str]]:
    """Every value that a query asks for, by column."""
    mapped = evidence.config.get("col_mapping") or {}
    for query in filter(None, (one.get("query") for one in evidence.measurements.get("slices", []))):
        yield from _conditions(parse(query, lambda column: _text(mapped.get(column, column))))


def _slices(measurements: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, str]]]:
    """Every slice that a document measures: its label and its levels by column."""
    found = [*measurements.get("slices", []), *((measurements.get("weak_slices") or {}).get("slices", []))]
    yield from ((one["label"], one["slice"]) for one in found if one.get("slice"))


def _told(label: str, slice_: Mapping[str, str], labels: Labels, *, alone: bool = False) -> str:
    # JSON keeps no order of members; the label has that of the columns, by whichever name.
    order = {
        column: max(label.find(f"{column}={level}"), label.find(_piece(column, level, labels, alone=False)))
        for column, level in slice_.items()
    }
    return " & ".join(_piece(column, slice_[column], labels, alone) for column in sorted(order, key=order.__getitem__))


def _piece(column: str, level: str, labels: Labels, alone: bool) -> str:
    names = labels.get(column, {})
    name = names.get(level, names.get(_band(level), None))
    if name is None:
        return f"{column}={level}"
    says_enough = re.search(r"[^\W\d]", name) and name.lower() not in _NO_NAME
    return name if alone and says_enough else f"{column}={name}"


def _band(level: str) -> str:
    """A range of numbers as it is said elsewhere: ``(-inf, 25)`` is "below 25"."""
    found = re.fullmatch(r"[(\[](\S+), (\S+)([)\]])", level)
    if found is None:
        return level
    low, high, end = found.groups()
    if low == "-inf":
        return f"{'below' if end == ')' else 'at most'} {high}"
    if high == "inf":
        return f"{low} or more" if level.startswith("[") else f"above {low}"
    return level


def _check(check: Check, told: Mapping[str, str]) -> Check:
    name = told.get(check.scope, check.scope)
    if name == check.scope:
        return check
    return check.model_copy(update={"scope": name, "reason": check.reason.replace(check.scope, name)})


def _renamed(value: Any, told: Mapping[str, str]) -> Any:
    if isinstance(value, dict):
        return {
            name: _slice_name(part, told) if name in _NAMED and isinstance(part, str) else _renamed(part, told)
            for name, part in value.items()
        }
    return [_renamed(part, told) for part in value] if isinstance(value, (list, tuple)) else value


def _slice_name(text: str, told: Mapping[str, str]) -> str:
    if text.startswith("not ("):
        return f"not ({told.get(text[5:-1], text[5:-1])})"
    return f"not {told[text[4:]]}" if text.startswith("not ") and text[4:] in told else told.get(text, text)


def _name_levels(column: dict[str, Any], names: Mapping[str, str]) -> None:
    def name(level: Any) -> Any:
        return names.get(str(level), level)

    column["histogram"]["labels"] = list(map(name, column["histogram"]["labels"]))
    for member in {"new_categories", "vanished_categories"} & column.keys():
        column[member] = list(map(name, column[member]))


def _explained(query: str, labels: Labels, mapped: Mapping[str, Any]) -> str:
    """What the values in a query are called, to stand behind it."""
    try:
        conditions = _conditions(parse(query, lambda column: _text(mapped.get(column, column))))
        found = {f"{column} {level} is {labels[column][level]}": None for column, level in conditions
                 if level in labels.get(column, {})}  # fmt: skip
    except QueryError:
        return ""
    said = f" ({', '.join(found)})" if found else ""
    return "" if query.endswith(said) else said


def _conditions(query: Query) -> Iterator[tuple[str, str]]:
    if isinstance(query, Not):
        yield from _conditions(query.part)
    elif isinstance(query, (Every, Some)):
        for part in query.parts:
            yield from _conditions(part)
    elif isinstance(query, (Compare, Among)):
        values = query.values if isinstance(query, Among) else (query.value,)
        yield from ((query.column, f"{value:g}" if isinstance(value, (int, float)) else str(value)) for value in values)
    else:
        assert isinstance(query, Missing)


def _text(name: Any) -> str:
    return name if isinstance(name, str) else str(name)
