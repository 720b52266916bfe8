"""A log as static files (c2sp.org/tlog-tiles): where each tile and each bundle of entries is, and what is in it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from registry_hooks.rules.log.proofs import WIDTH, complete

LONGEST_ENTRY = 2**16 - 1
"""Bytes of an entry that a bundle can hold."""


def tile_path(level: int | str, number: int, width: int = WIDTH) -> str:
    """Where a tile is, below the log's folder; the level ``entries`` is that of the bundles."""
    parts = [f"{number % 1000:03}"]
    while number := number // 1000:
        parts.append(f"x{number % 1000:03}")
    path = f"tile/{level}/{'/'.join(reversed(parts))}"
    return path if width == WIDTH else f"{path}.p/{width}"


def bundle(entries: Sequence[bytes]) -> bytes | None:
    """Entries behind one another, each after its length in two bytes; None where one of them is too long for that."""
    if any(len(entry) > LONGEST_ENTRY for entry in entries):
        return None
    return b"".join(len(entry).to_bytes(2, "big") + entry for entry in entries)


def split(hashes: bytes) -> list[bytes]:
    """The hashes of a tile."""
    return [hashes[at : at + 32] for at in range(0, len(hashes), 32)]


def bundle_path(number: int, width: int = WIDTH) -> str:
    """Where the entries are of a bundle that cannot be one, because one of them is too long: a line is an entry."""
    return tile_path("entries", number, width).removeprefix("tile/") + ".ndjson"


def upper(hashes: list[bytes], level: int) -> Iterator[tuple[int, int, list[bytes]]]:
    """The tiles of ``level`` with these hashes, and all above them: level, number, hashes. The last may be partial."""
    while hashes:
        tiles = [hashes[at : at + WIDTH] for at in range(0, len(hashes), WIDTH)]
        yield from ((level, number, tile) for number, tile in enumerate(tiles))
        hashes, level = [complete(tile) for tile in tiles if len(tile) == WIDTH], level + 1
