"""Rows whose text is no longer the one that was hashed, held against the entries of the log that say so.

An entry ``redacted`` binds the text that a row has now, by its digest; a text in which nothing is marked as redacted is
bound by none. An entry ``purged`` names the rows whose bodies are gone; each then has one text only, that it gives by
its number. Leaf hashes stay, and so does the tree. Such an entry counts only for rows before it, and only where its own
row is sound.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from mlflow_eval_plugin.canonical import canonical
from registry_hooks.rules.log.redaction import REDACTED

PURGED_BODY = "purged-body"
"""The action of a row whose body is gone."""
SCOPE = ":purged"
"""The scope of such rows; no registered model can have a name with a colon."""
_SCHEMA, _LINE = "registry-hooks/purged/1", "registry-hooks/altered/1"
_HASH = re.compile(r"[0-9a-f]{64}")
Json = dict[str, Any]
Ranges = list[list[int]]


def purged_text(seq: int | str, by: int) -> str:
    """The text of a row whose body entry ``by`` purged, as canonical JSON."""
    return f'{{"purged_by":{by},"schema":"{_SCHEMA}","seq":{seq}}}'


def purged_by(document: Json) -> int | None:
    """Which entry purged this one; None for an entry that is there."""
    by = document.get("purged_by")
    return by if document.get("schema") == _SCHEMA and isinstance(by, int) else None


def digest_of_text(text: bytes) -> str:
    """The digest by which a later entry binds the text of a row."""
    return "sha256:" + hashlib.sha256(text).hexdigest()


def exported(text: bytes, leaf_hash: str) -> bytes:
    """The line of an export for a row that does not match its leaf hash: both, as canonical JSON."""
    return canonical({"leaf_hash": leaf_hash, "schema": _LINE, "text": text.decode()})


def imported(line: bytes) -> tuple[bytes, str | None]:
    """The text of a row from a line of an export, and its leaf hash where the line tells it."""
    try:
        held = json.loads(line) if _LINE.encode() in line else None
    except ValueError:
        return line, None
    if not isinstance(held, dict) or held.get("schema") != _LINE:
        return line, None
    leaf_hash = str(held.get("leaf_hash"))
    return str(held.get("text")).encode(errors="replace"), leaf_hash if _HASH.fullmatch(leaf_hash) else None


def hidden(scope: str) -> str:
    """A scope as an entry names it that everybody may read who may read any: by its SHA-256."""
    return hashlib.sha256(scope.encode()).hexdigest()


@dataclass
class Altered:
    """What a reading of the whole log finds of redactions and purges.

    Args:
        texts: digest of the text of each row that does not match its leaf hash, by number.
        unmarked: those of them in which nothing says that it was redacted.
        gone: the numbers of rows without a body, as ranges, by the entry that purged them.
        changes: the documents of entries that redact or purge, by number.
    """

    texts: dict[int, str] = field(default_factory=dict)
    unmarked: set[int] = field(default_factory=set)
    gone: dict[int, Ranges] = field(default_factory=dict)
    changes: dict[int, Json] = field(default_factory=dict)

    def read(self, seq: int, text: bytes, document: Json, *, matches: bool) -> None:
        """Take in one more row; ``matches`` says whether its text gives its leaf hash."""
        if not matches:
            by = purged_by(document)
            if by is not None and by > seq and text == purged_text(seq, by).encode():
                extend(self.gone.setdefault(by, []), seq)
            else:
                self.texts[seq] = digest_of_text(text)
                if REDACTED.encode() not in text:
                    self.unmarked.add(seq)
        if document.get("action") in ("redacted", "purged") and isinstance(document.get("body"), dict):
            self.changes[seq] = _sound_form(str(document["action"]), document["body"])

    def problems(self, *, copied: bool = False) -> Iterator[tuple[int, str]]:
        """Every row whose text no sound entry accounts for, and every row that is not as an entry left it.

        Of rows that were ``copied`` while others wrote, some may be older than the entry that took their text.
        """
        unsound = self._unsound
        for seq in sorted(unsound):
            yield seq, "this entry was changed: it does not match its leaf hash"
        sound = {seq: body for seq, body in self.changes.items() if seq not in unsound}
        purged = {seq: body["purged"] for seq, body in sound.items() if body["action"] == "purged"}
        for by, ranges in self.gone.items():
            for seq in minus(ranges, purged.get(by, [])):
                yield seq, f"this entry has no body, and entry {by} did not purge it"
        if copied:
            return
        for by, ranges in purged.items():
            for seq in minus(ranges, self.gone.get(by, [])):
                yield seq, f"the body of this entry, which entry {by} purged, is there again"
        away = [each for ranges in self.gone.values() for each in ranges]
        for seq, by in self._last_redactions(sound).items():
            if seq not in self.texts and not any(low <= seq <= high for low, high in away):
                yield seq, f"the text of this entry, which entry {by} redacted, is there again"

    def redacted(self) -> dict[int, int]:
        """Rows whose text a sound entry binds, each with the number of the entry."""
        unsound = self._unsound
        sound = {seq: body for seq, body in self.changes.items() if seq not in unsound}
        by = self._last_redactions(sound)
        return {seq: by[seq] for seq in sorted(self.texts.keys() - unsound)}

    def purged(self) -> int:
        """How many rows have no body."""
        return sum(last - first + 1 for ranges in self.gone.values() for first, last in ranges)

    @cached_property
    def _unsound(self) -> set[int]:
        """Rows that do not match their leaf hash, and whose text no later sound entry binds; for when all are read."""
        unsound = set(self.texts)
        for seq in sorted(self.texts, reverse=True):  # what binds a row stands behind it, and is judged before it
            bound = [
                body["rows"][str(seq)] for at, body in sorted(self.changes.items())
                if at > seq and at not in unsound and body["action"] == "redacted" and str(seq) in body["rows"]
            ]  # fmt: skip
            if bound and bound[-1] == self.texts[seq] and seq not in self.unmarked:
                unsound.discard(seq)
        return unsound

    def _last_redactions(self, sound: dict[int, Json]) -> dict[int, int]:
        return {
            int(seq): by for by, body in sorted(sound.items()) if body["action"] == "redacted"
            for seq in body["rows"] if seq.isdigit()
        }  # fmt: skip

    def states(self) -> dict[str, str]:
        """The digests of the states that purges kept, by `hidden` scope, as the newest sound entries bind them."""
        unsound, found = self._unsound, dict[str, str]()
        for seq, body in sorted(self.changes.items()):
            if seq not in unsound:
                found.update(body["states"])  # no purge drops a state that an earlier one kept
        return found


def _sound_form(action: str, body: Json) -> Json:
    """What an entry says of rows and states; nothing where it is not in its form, as in a log that somebody wrote."""
    rows, states, purged = body.get("rows"), body.get("states"), body.get("purged")
    pairs = purged if isinstance(purged, list) else ()
    return {
        "action": action,
        "rows": rows if isinstance(rows, dict) else {},
        "states": states if isinstance(states, dict) else {},
        "purged": [each for each in pairs if isinstance(each, list) and [type(n) for n in each] == [int, int]],
    }


def extend(ranges: Ranges, seq: int) -> None:
    """Add a number behind all others."""
    if ranges and ranges[-1][1] == seq - 1:
        ranges[-1][1] = seq
    else:
        ranges.append([seq, seq])


def minus(one: Iterable[list[int]], other: Iterable[list[int]]) -> list[int]:
    """The numbers of sorted ranges that are in no range of the other."""
    rest, left = iter(other), list[int]()
    low, high = next(rest, (0, -1))
    for first, last in one:
        at = first
        while at <= last:
            while high < at and (following := next(rest, None)) is not None:
                low, high = following
            if low <= at <= high:
                at = high + 1
            else:
                left.append(at)
                at += 1
    return left
