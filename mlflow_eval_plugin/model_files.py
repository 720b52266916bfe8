"""The digest of a model's files, by which Evidence and the registry know of which weights they speak."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

from mlflow_eval_plugin.canonical import Digest, digest_of

_NOTE, _LONGEST_NOTE = "registered_model_meta", 1024  # bytes
_NOTED = rb"model_name: [^\n]*\nmodel_version: ('?[0-9]*'?|null)\n?"


def file_digest(file: Path) -> tuple[int, str]:
    """Size in bytes and hex SHA-256 of a file, which may be larger than memory.

    Raises:
        OSError: when it cannot be read.
    """
    size, digest = 0, hashlib.sha256()
    with file.open("rb") as content:
        while chunk := content.read(1 << 20):
            size += len(chunk)
            digest.update(chunk)
    return size, digest.hexdigest()


def model_files(folder: Path) -> Iterator[tuple[str, Path]]:
    """Every file below a model's folder: its path there, with ``/``, and where it is.

    All but the note that MLflow writes into a folder from which it loads a registered model: by which name it did.
    """
    for local in sorted(folder.rglob("*")):
        path = local.relative_to(folder).as_posix()
        if local.is_file() and not (path == _NOTE and _is_a_note(local)):
            yield path, local


def _is_a_note(local: Path) -> bool:
    # Only what says nothing else is left out, or a model could keep what it does in a file of this name.
    return local.stat().st_size < _LONGEST_NOTE and re.fullmatch(_NOTED, local.read_bytes()) is not None


def model_digest(files: Mapping[str, tuple[int, str]]) -> Digest:
    """The digest by which Evidence names a model: that of the list of its files, so that it means these very weights.

    A digest of the ``MLmodel`` document alone would not: whoever copies that file has the digest, over other weights.

    Args:
        files: path below the model's folder, with ``/`` → size and hex SHA-256, as `file_digest` gives them.
    """
    return digest_of([{"path": path, "size": size, "sha256": sha} for path, (size, sha) in sorted(files.items())])


def model_digest_at(folder: Path) -> Digest:
    """`model_digest` of the files below a folder, read to the end.

    Raises:
        OSError: when one cannot be read.
    """
    return model_digest({path: file_digest(local) for path, local in model_files(folder)})
