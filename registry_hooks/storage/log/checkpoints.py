"""The checkpoints that this log has signed, one for each size at which it did."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from registry_hooks.errors import RegistryError
from registry_hooks.rules.log.checkpoints import Checkpoint, read_checkpoint
from registry_hooks.rules.log.notes import Note, Vkey, read_note, read_vkey
from registry_hooks.storage import schema

_checkpoints = schema.checkpoints
_ALL = sa.select(_checkpoints)
_NEWEST = _ALL.order_by(_checkpoints.c.size.desc()).limit(1)


@dataclass(frozen=True)
class Kept:
    """A checkpoint as it is kept: its note, with the lines of witnesses, and the key that signed it."""

    checkpoint: Checkpoint
    note: Note
    vkey: Vkey
    at: str


class Checkpoints:
    """The checkpoints within one unit of work."""

    def __init__(self, session: Session) -> None:
        self._rows = session.connection()

    def newest(self) -> Kept | None:
        """That of the largest size."""
        return self._one(_NEWEST)

    def newest_text(self) -> str | None:
        """The note of that, as it is stored."""
        text = self._rows.execute(_NEWEST.with_only_columns(_checkpoints.c.note)).scalar_one_or_none()
        return None if text is None else str(text)

    def covering(self, size: int) -> Kept | None:
        """That of the smallest size from a size on."""
        return self._one(_ALL.where(_checkpoints.c.size >= size).order_by(_checkpoints.c.size).limit(1))

    def of(self, size: int, *, lock: bool = False) -> Kept | None:
        """That of a size; with ``lock`` nobody else changes it until the unit of work ends."""
        query = _ALL.where(_checkpoints.c.size == size)
        return self._one(query.with_for_update() if lock else query)

    def add(self, note: Note, vkey: Vkey, at: datetime) -> bool:
        """Keep a checkpoint; False where another worker kept one of that size meanwhile."""
        size = read_checkpoint(note.text).size
        try:
            with self._rows.begin_nested():
                values = {"size": size, "at": at.isoformat(), "vkey": str(vkey), "note": bytes(note).decode()}
                self._rows.execute(sa.insert(_checkpoints), values)
        except sa.exc.IntegrityError:
            return False
        return True

    def put(self, size: int, note: Note) -> None:
        """Keep the note of a size with more signatures."""
        values = {"note": bytes(note).decode()}
        self._rows.execute(sa.update(_checkpoints).where(_checkpoints.c.size == size).values(**values))

    def _one(self, query: Any) -> Kept | None:
        row = self._rows.execute(query).one_or_none()
        if row is None:
            return None
        try:
            note = read_note(str(row.note).encode())
            return Kept(read_checkpoint(note.text), note, read_vkey(str(row.vkey)), str(row.at))
        except RegistryError as error:
            raise RegistryError(f"the checkpoint of {row.size} entries was changed in the database: {error}") from error
