"""A copy of the log as static files: added to, whole file by whole file, and never of what does not add up."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Any

from registry_hooks.errors import Invalid
from registry_hooks.rules.log.altered import Altered
from registry_hooks.rules.log.checkpoints import Checkpoint, Signed, read_checkpoint
from registry_hooks.rules.log.merkle import leaf_hash
from registry_hooks.rules.log.notes import read_note
from registry_hooks.rules.log.proofs import WIDTH, Hashes, complete
from registry_hooks.rules.log.tiles import bundle, bundle_path, split, tile_path, upper

NEWEST = "checkpoint"
_ALTERS = (b'"action":"redacted"', b'"action":"purged"')


class Unsound(Invalid):
    """What the server sent, or what is in the folder, is not the log that the checkpoint is of."""


class Copy:
    """The files of one log in a folder.

    A tile of the lowest level is written after the entries that it is of, and the checkpoint after all. So whatever
    ends the process, the next one goes on behind the last full tile.

    Args:
        folder: of the files; made where there is none.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._roots: list[bytes] = []  # of full tiles of the lowest level
        self._leaves: list[bytes] = []  # behind them
        self._entries: list[bytes] = []
        self._altered = Altered()
        self.other_text = 0
        """How many of the entries put in have another text than the one that was hashed."""
        self.long = 0
        """How many bundles hold an entry that is too long for one."""
        while (tile := self._read(tile_path(0, len(self._roots)))) is not None and len(tile) == 32 * WIDTH:
            self._roots.append(complete(split(tile)))

    @property
    def size(self) -> int:
        """How many entries are there."""
        return len(self._roots) * WIDTH + len(self._leaves)

    def add(self, leaf: bytes, entry: bytes) -> None:
        """Put in the next entry, with the hash that it has in the tree."""
        self._leaves.append(leaf)
        self._entries.append(entry)
        matches = leaf_hash(entry) == leaf
        self.other_text += not matches
        if not matches or any(action in entry for action in _ALTERS):
            self._altered.read(self.size, entry, _document(entry), matches=matches)
        if len(self._leaves) == WIDTH:
            self._write_leaves()
            self._roots.append(complete(self._leaves))
            self._leaves, self._entries = [], []

    def unsound(self) -> list[int]:
        """Numbers of entries put in whose text is not what was hashed, and no later entry says why."""
        return [seq for seq, _ in self._altered.problems(copied=True)]

    def publish(self, signed: Signed) -> None:
        """Write what a checkpoint needs, and the checkpoint.

        Raises:
            Unsound: when the files are not the log of the checkpoint, or not that of the checkpoint that was there.
                What is not under the older checkpoint is then taken away again.
        """
        old, new = self._published(), signed.checkpoint
        for each in (old, new):
            if each is not None and not self._is_of(each):
                self._forget(0 if old is None else old.size // WIDTH)
                raise Unsound(
                    f"the log has forked or was rewritten: its first {each.size} entries are not those of the "
                    f"checkpoint {'in the folder' if each is old else 'that the server signed'}"
                )
        if self._leaves:
            self._write_leaves()
        for level, number, tile in upper(self._roots, 1):
            path = tile_path(level, number, len(tile))
            if len(tile) < WIDTH or not (self._folder / path).exists():
                self._write(path, b"".join(tile))
        self._write(NEWEST, bytes(signed.note), sync=True)

    def _published(self) -> Checkpoint | None:
        kept = self._read(NEWEST)
        return None if kept is None else read_checkpoint(read_note(kept).text)

    def _is_of(self, checkpoint: Checkpoint) -> bool:
        if checkpoint.size > self.size:
            return False
        tiles = {(level, number): tile for level, number, tile in upper(self._roots, 1)}

        def read(level: int, number: int) -> list[bytes]:
            if level or number == len(self._roots):
                return tiles.get((level, number), []) if level else self._leaves
            return split(self._read(tile_path(0, number)) or b"")

        return Hashes(self.size, read).root(0, checkpoint.size) == checkpoint.root

    def _write_leaves(self) -> None:
        number, width = len(self._roots), len(self._leaves)
        packed = bundle(self._entries)
        if packed is None:
            self.long += 1
            self._write(bundle_path(number, width), b"".join(entry + b"\n" for entry in self._entries))
        else:
            self._write(tile_path("entries", number, width), packed)
        self._write(tile_path(0, number, width), b"".join(self._leaves))

    def _forget(self, first: int) -> None:
        for number in range(first, len(self._roots)):
            for path in (tile_path(0, number), tile_path("entries", number), bundle_path(number)):
                (self._folder / path).unlink(missing_ok=True)

    def _read(self, path: str) -> bytes | None:
        with suppress(FileNotFoundError):
            return (self._folder / path).read_bytes()
        return None

    def _write(self, path: str, data: bytes, *, sync: bool = False) -> None:
        file = self._folder / path
        file.parent.mkdir(parents=True, exist_ok=True)
        with NamedTemporaryFile(dir=file.parent, prefix=".", delete=False) as part:
            part.write(data)
            if sync:
                part.flush()
                os.fsync(part.fileno())
        Path(part.name).chmod(0o644)  # it is there to be served
        Path(part.name).replace(file)


def _document(entry: bytes) -> dict[str, Any]:
    try:
        document = json.loads(entry)
    except (ValueError, RecursionError):
        return {}
    return document if isinstance(document, dict) else {}


def leaves(chunks: Iterable[bytes]) -> Iterator[tuple[bytes, bytes]]:
    """Hash and entry of each line that the server streams.

    Raises:
        Unsound: when a line is none of these.
    """
    rest = b""
    for chunk in chunks:
        *lines, rest = (rest + chunk).split(b"\n")
        for line in lines:
            told, space, entry = line.partition(b" ")
            try:
                leaf = bytes.fromhex(told.decode("ascii"))
            except ValueError as error:
                raise Unsound(f"the server sent no hash: {error}") from error
            if len(leaf) != 32 or not space:
                raise Unsound("the server sent a line without a hash of 32 bytes")
            yield leaf, entry
    if rest:
        raise Unsound("the server's answer ends in the middle of an entry")
