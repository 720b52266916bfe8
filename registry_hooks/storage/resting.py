"""What versions rest on: the runs and the places that hold their files and their Evidence, found by either.

A row is written when a version is nominated, adopted in a role or made champion by break-glass, and stays: whether it
still counts is said by the ledger. The table only finds whom to ask about.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice

import sqlalchemy as sa

from registry_hooks.errors import Invalid
from registry_hooks.storage.schema import rests

LONGEST_PLACE = 700
_MANY = 500  # values of one statement
_FEW = 20  # places that are looked below one by one
_FOUND = sa.select(rests.c.model, rests.c.version, rests.c.run, rests.c.place, rests.c.paths)


@dataclass(frozen=True)
class Rest:
    """One place that a version rests on.

    Args:
        model, version: whose it is.
        run: the run that it belongs to; empty where the version names none.
        place: a folder, as `mlflow_io.place_of` names it; empty where it is not known.
        paths: the files below it that hold Evidence; None where all of it is the version's own files.
    """

    model: str
    version: int
    run: str
    place: str
    paths: tuple[str, ...] | None = None

    def touched_at(self, place: str) -> bool:
        """Whether a write or removal at a place touches this one: within it, above it, or below one of its files."""
        if _is_within(self.place, place):
            return True
        if not self.place or not _is_within(place, self.place):
            return False
        if self.paths is None:
            return True
        # What is put below a file makes a folder of it to a bucket, and so takes its place.
        held = [f"{self.place}/{path}" for path in self.paths]
        return any(_is_within(file, place) or _is_within(place, file) for file in held)


class Resting:
    """What versions rest on, within one unit of work."""

    def __init__(self, rows: sa.Connection) -> None:
        self._rows = rows

    def note(self, found: Iterable[Rest]) -> None:
        """Keep what a version rests on, once.

        Raises:
            Invalid: for a place with a longer name than can be found again.
        """
        for rest in found:
            if len(rest.place) > LONGEST_PLACE:
                raise Invalid(f"version {rest.version} of {rest.model} is at a place whose name has more than "
                              f"{LONGEST_PLACE} characters, and could not be guarded: {rest.place[:80]}…")  # fmt: skip
            paths = None if rest.paths is None else json.dumps(rest.paths)
            told = json.dumps([rest.run, rest.place, rest.paths])
            key = {"model": rest.model, "version": rest.version, "digest": hashlib.sha256(told.encode()).hexdigest()}
            here = sa.select(rests.c.version).filter_by(**key)
            if self._rows.execute(here).first() is None:
                self._rows.execute(sa.insert(rests).values(**key, run=rest.run, place=rest.place, paths=paths))

    def on_runs(self, runs: Iterable[str]) -> list[Rest]:
        """What rests on any of these runs."""
        return [rest for some in _in_lots(set(runs) - {""}) for rest in self._where(rests.c.run.in_(some))]

    def touched_at(self, places: Iterable[str]) -> list[Rest]:
        """What is touched by writing to, or removing, any of these places."""
        asked = {place for place in places if place}
        above = {each for place in asked for each in _and_above(place)}
        found = [rest for some in _in_lots(above) for rest in self._where(rests.c.place.in_(some))]
        found = [rest for rest in found if any(rest.touched_at(place) for place in asked)]
        return list(dict.fromkeys([*found, *self._below(asked)]))

    def _below(self, places: set[str]) -> Iterator[Rest]:
        if len(places) <= _FEW:
            for place in places:
                like = self._where(rests.c.place.startswith(place + "/", autoescape=True))
                yield from (rest for rest in like if _is_within(rest.place, place))  # SQLite sees no letter case there
        else:  # one look at every row instead
            yield from (rest for rest in self._where(sa.true()) if not places.isdisjoint(_and_above(rest.place)))

    def _where(self, condition: sa.ColumnElement[bool]) -> Iterator[Rest]:
        for row in self._rows.execute(_FOUND.where(condition), execution_options={"yield_per": 1000}):
            paths = None if row.paths is None else tuple(json.loads(row.paths))
            yield Rest(str(row.model), int(row.version), str(row.run), str(row.place), paths)


def _in_lots(values: Iterable[str]) -> Iterator[list[str]]:
    rest = iter(sorted(values))
    while lot := list(islice(rest, _MANY)):
        yield lot


def _and_above(place: str) -> Iterator[str]:
    yield place
    while (place := place.rpartition("/")[0]).strip("/:"):
        yield place


def _is_within(place: str, folder: str) -> bool:
    return bool(place) and (place == folder or place.startswith(folder + "/"))
