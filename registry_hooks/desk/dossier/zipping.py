"""A zip file that is written while it is read: the same bytes for the same members, one at a time."""

from __future__ import annotations

import hashlib
import io
import zipfile
from collections.abc import Iterable, Iterator
from typing import Any

from mlflow_eval_plugin.canonical import canonical, digest_of

_WHEN = (1980, 1, 1, 0, 0, 0)  # the oldest time that a zip file can hold: when it is packed is no fact of it
_MODE = 0o644 << 16
_LARGE = 1 << 31


class _Sink(io.RawIOBase):
    """Takes what is written, until it is taken out; it cannot be sought in."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        self._parts.append(bytes(data))
        return len(self._parts[-1])

    def taken(self) -> bytes:
        """What was written since the last time."""
        whole = b"".join(self._parts)
        self._parts.clear()
        return whole


class Packing:
    """A zip file in the making. ``members`` lists what is in it, in order, with sizes and digests."""

    def __init__(self) -> None:
        self.members: list[dict[str, Any]] = []
        self.missing: list[dict[str, str]] = []
        self._sink = _Sink()
        self._zip = zipfile.ZipFile(self._sink, "w", zipfile.ZIP_STORED)

    def put(self, path: str, content: bytes) -> bytes:
        """Add a member that is in memory; the bytes of the zip file so far."""
        return b"".join(self.stream(path, (content,), len(content)))

    def stream(self, path: str, chunks: Iterable[bytes], size: int) -> Iterator[bytes]:
        """Add a member of about ``size`` bytes piece by piece, and give the bytes of the zip file as they come."""
        info = zipfile.ZipInfo(path, _WHEN)
        info.external_attr, info.create_system = _MODE, 3
        written, digest = 0, hashlib.sha256()
        with self._zip.open(info, "w", force_zip64=size >= _LARGE) as member:
            for chunk in chunks:
                member.write(chunk)
                written += len(chunk)
                digest.update(chunk)
                yield self._sink.taken()
        self.members.append({"path": path, "size": written, "sha256": digest.hexdigest()})
        yield self._sink.taken()

    def leave_out(self, path: str, why: str) -> None:
        """Say that something is not here, and why."""
        self.missing.append({"path": path, "why": why})

    def listing(self, facts: dict[str, Any]) -> bytes:
        """The list of members, with what the dossier is of, as canonical JSON with its own digest."""
        document = {**facts, "members": self.members, "missing": self.missing}
        return canonical({**document, "digest": digest_of(document)})

    def close(self) -> bytes:
        """The end of the zip file."""
        self._zip.close()
        return self._sink.taken()
