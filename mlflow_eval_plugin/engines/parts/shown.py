"""Columns under names of their own, as an evaluation sees them: values of a source, scores and classes among them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any, Literal

import numpy as np
import pandas as pd

from mlflow_eval_plugin.engines.arrow.columns.inputs import clipped_scores, numbers_of
from mlflow_eval_plugin.engines.arrow.columns.plain import is_list
from mlflow_eval_plugin.engines.parts.columns import Part
from mlflow_eval_plugin.stats.counts.slice import level_label

Held = Literal["given", "score", "class", "number"]


@dataclass(frozen=True)
class ShownColumn:
    """One column.

    Attributes:
        name: what the evaluation calls it.
        source: which column of the source it is.
        held: as it is given; as a probability, of which rounding may have put some outside [0, 1]; as a predicted
            class, 1 where it is ``positive`` and else 0; or as a number, NaN where text is none.
    """

    name: str
    source: str
    held: Held = "given"
    positive: str | None = None

    def of(self, part: Part) -> pd.Series[Any]:
        """Its values in a part."""
        given = part.column(self.source)
        if self.held == "given":
            return given
        if self.held == "number":
            held = given.to_numpy()
            return pd.Series(pd.to_numeric(pd.Series(held), errors="coerce") if held.dtype.kind == "O" else held)
        if self.held == "score":
            return pd.Series(clipped_scores(numbers_of(given, argument="score")), name=self.name)
        return pd.Series(are_class(given, self.positive or "1"), name=self.name)


def are_class(values: pd.Series[Any], positive: str) -> np.ndarray[Any, np.dtype[np.uint8]]:
    """1 where a value is the positive class, else 0; a missing value is not."""
    codes, classes = pd.factorize(values)
    flags = np.array([class_label(one) == positive for one in classes] + [False], dtype=np.uint8)
    return np.asarray(flags[codes])


def class_label(value: object) -> str:
    """A class as text, the same for 1, 1.0, True and "1"."""
    return {"True": "1", "False": "0"}.get(str(value), level_label(value)) if not is_list(value) else str(value)


@dataclass(frozen=True)
class Shown:
    """Some columns, in their order."""

    each: tuple[ShownColumn, ...]

    @classmethod
    def given(cls, names: tuple[str, ...]) -> Shown:
        """Columns of the source as they are."""
        return cls(tuple(ShownColumn(name, name) for name in names))

    @property
    def names(self) -> tuple[str, ...]:
        """What they are called."""
        return tuple(one.name for one in self.each)

    @property
    def columns(self) -> tuple[str, ...]:
        """Those of the source that they are made of."""
        return tuple(dict.fromkeys(one.source for one in self.each))

    def some(self, names: tuple[str, ...]) -> Shown:
        """Some of them, in their order here."""
        return Shown(tuple(one for one in self.each if one.name in names))

    def column(self, name: str) -> ShownColumn:
        """One of them."""
        return next(one for one in self.each if one.name == name)

    def of(self, part: Part) -> pd.DataFrame:
        """Their values in a part; what is as given is not copied."""
        found: dict[str, Any] = {one.name: part.once(one, partial(one.of, part)) for one in self.each}
        return pd.DataFrame(found, index=pd.RangeIndex(part.rows), copy=False)
