"""The columns of two data sets by name and kind, and what changed between them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal


@dataclass(frozen=True)
class Lists:
    """What the lists of a column are.

    Attributes:
        least, most: how many values the shortest and the longest have.
        numbers: every list is a row of numbers, of which some may be missing.
    """

    least: int
    most: int
    numbers: bool

    @property
    def vectors(self) -> bool:
        """Whether each is as many numbers."""
        return self.numbers and self.least == self.most > 0

    @property
    def said(self) -> str:
        """In words, such as ``vectors of 64 numbers``."""
        if not self.numbers:
            return "lists of other values than numbers"
        many = f"{self.least:,}" if self.least == self.most else f"{self.least:,} to {self.most:,}"
        return f"{'vectors' if self.vectors else 'lists'} of {many} number{'' if many == '1' else 's'}"

    def __add__(self, other: Lists) -> Lists:
        """Those of both sets of rows."""
        return Lists(min(self.least, other.least), max(self.most, other.most), self.numbers and other.numbers)


@dataclass(frozen=True)
class ColumnType:
    """A column's name and kind: "number", "datetime", "duration", "text", "lists", "nothing" and the like.

    Attributes:
        lists: what lists are, where the kind is that, and where it is known.
    """

    name: str
    kind: str
    lists: Lists | None = None

    @property
    def said(self) -> str:
        """The kind in words; of lists what they hold, where all hold numbers."""
        return self.lists.said if self.lists is not None and self.lists.numbers else self.kind


@dataclass(frozen=True)
class SchemaChange:
    """A column that was "added", was "removed", or has a "type" that changed; kinds are None where it is absent.

    Attributes:
        reference_examples, current_examples: a few values, as Python writes them.
    """

    column: str
    change: Literal["added", "removed", "type"]
    reference: str | None
    current: str | None
    reference_examples: tuple[str, ...] = ()
    current_examples: tuple[str, ...] = ()

    def with_examples(self, reference: tuple[str, ...], current: tuple[str, ...]) -> SchemaChange:
        """The same change with values of either side."""
        return replace(self, reference_examples=reference, current_examples=current)

    @property
    def sentence(self) -> str:
        """What happened, without a full stop."""
        before, after = (
            f"{kind} ({', '.join(found)})" if found else kind
            for kind, found in ((self.reference, self.reference_examples), (self.current, self.current_examples))
        )
        if self.change == "removed":
            return f"{self.column} is in the reference, as {before}, and not in the data"
        if self.change == "added":
            return f"{self.column} is in the data, as {after}, and not in the reference"
        return f"{self.column} was {before} in the reference and is {after}"


def schema_changes(reference: Sequence[ColumnType], current: Sequence[ColumnType]) -> tuple[SchemaChange, ...]:
    """What changed between two schemas, by column name.

    Kinds are of values, so that what holds them makes no difference, and a column without any value ("nothing") may be
    of any kind. Missing values have a Check of their own. Vectors are of a type by how many numbers they have; lists
    that differ in length in the reference may have any.
    """
    before, after = ({one.name: one for one in schema} for schema in (reference, current))
    changes = [SchemaChange(name, "removed", one.said, None) for name, one in before.items() if name not in after]
    changes += [SchemaChange(name, "added", None, one.said) for name, one in after.items() if name not in before]
    changes += [
        _changed(one, after[name])
        for name, one in before.items()
        if name in after and not _of_one_type(one, after[name])
    ]
    return tuple(sorted(changes, key=lambda change: (change.column, change.change)))


def _changed(before: ColumnType, after: ColumnType) -> SchemaChange:
    if before.lists is not None and after.lists is not None:
        # The difference is what they hold.
        return SchemaChange(before.name, "type", before.lists.said, after.lists.said)
    return SchemaChange(before.name, "type", before.said, after.said)


def _of_one_type(before: ColumnType, after: ColumnType) -> bool:
    if "nothing" in (before.kind, after.kind):
        return True
    if before.kind != after.kind:
        return False
    old, new = before.lists, after.lists
    if old is None or new is None or old.most == 0:
        return True  # lists without any value say nothing of others
    if old.vectors:
        return (new.least, new.most, new.numbers) == (old.least, old.most, True)
    return old.numbers == new.numbers or new.most == 0
