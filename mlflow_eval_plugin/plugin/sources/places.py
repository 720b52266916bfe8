"""Where files are: on this machine, or behind a URL, with the credentials that MLflow uses for its artifacts."""

from __future__ import annotations

import fnmatch
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlparse

import pyarrow as pa
from pyarrow import fs

from mlflow_eval_plugin.stats.errors import InputError

_MAGIC = frozenset("*?[")
_OF_ARROW = frozenset({"s3", "s3a", "s3n", "gs", "gcs", "abfs", "abfss", "hdfs", "viewfs"})


@dataclass(frozen=True, eq=False)
class File:
    """One file: where it is, as messages name it, and what tells whether it is still the same."""

    system: Any
    path: str
    told: str
    size: int
    stamp: object

    def now(self) -> File:
        """The file as it is now.

        Raises:
            InputError: when it is no longer there.
        """
        found = self.system.get_file_info(self.path)
        if not found.is_file:
            raise InputError(f"{self.told}: it was there, and is no longer")
        return _file(self.system, found, self.told)


def files_of(given: str | os.PathLike[str]) -> list[File]:
    """The files that a path, a folder, a glob or a URL of these names, sorted by path.

    In a folder, files whose names, or whose folders' names, begin with ``_`` or ``.`` are left out, as Spark and Arrow
    leave them out.

    Raises:
        InputError: when there are none, or they cannot be listed.
    """
    told = os.fspath(given)
    system, path = located(told)
    try:
        found = _matching(system, path)
    except (OSError, pa.ArrowException) as error:
        raise InputError(f"{told}: it cannot be listed ({error})") from error
    if not found:
        raise InputError(f"{told}: there are no files; looked {_looked(path)}")
    scheme = told.partition("://")[0] + "://" if _is_url(told) else ""
    return [_file(system, one, f"{scheme}{one.path}") for one in sorted(found, key=lambda one: str(one.path))]


def located(uri: str) -> tuple[Any, str]:
    """The file system of a path or URL, and the path in it.

    Raises:
        InputError: for a URL that nothing here reads, naming what to install.
    """
    if not _is_url(uri):
        return fs.LocalFileSystem(), str(Path(uri).expanduser().absolute())
    scheme = urlparse(uri).scheme.lower()
    try:
        if scheme in ("s3", "s3a", "s3n"):
            return _s3(), uri.partition("://")[2]
        if scheme == "file":
            system, path = fs.FileSystem.from_uri(uri)
            return system, str(path)
        if scheme in _OF_ARROW:
            # A glob is no part of a URL that Arrow takes.
            whole = uri.partition("://")[2]
            host = whole.partition("/")[0]
            system, base = fs.FileSystem.from_uri(f"{uri.partition('://')[0]}://{host}")
            return system, f"{base}/{whole.partition('/')[2]}".lstrip("/")
        return _of_fsspec(uri)
    except (ValueError, OSError, ImportError, NotImplementedError, pa.ArrowException) as error:
        raise InputError(
            f"{uri}: nothing here reads {scheme}:// ({error}); install the fsspec package for it"
        ) from error


def _of_fsspec(uri: str) -> tuple[Any, str]:
    from fsspec.core import url_to_fs

    found, path = url_to_fs(uri)
    return fs.PyFileSystem(fs.FSSpecHandler(found)), str(path)


def _s3() -> Any:
    """S3 as MLflow reaches it: its endpoint, boto3's chain of credentials, with Arrow's own where boto3 is absent."""
    options: dict[str, Any] = {}
    endpoint = os.environ.get("MLFLOW_S3_ENDPOINT_URL")
    if endpoint:
        options["endpoint_override"] = endpoint.partition("://")[2] or endpoint
        options["scheme"] = endpoint.partition("://")[0] if "://" in endpoint else "https"
    if os.environ.get("MLFLOW_S3_IGNORE_TLS", "").lower() in ("1", "true"):
        options["tls_verify_certificates"] = False
    try:
        import boto3
    except ImportError:
        return fs.S3FileSystem(**options)
    session = boto3.Session()
    credentials = session.get_credentials()
    if session.region_name or endpoint:
        options["region"] = session.region_name or "us-east-1"
    if credentials is None:
        return fs.S3FileSystem(anonymous=True, **options)
    frozen = credentials.get_frozen_credentials()
    return fs.S3FileSystem(
        access_key=frozen.access_key, secret_key=frozen.secret_key, session_token=frozen.token, **options
    )


def _matching(system: Any, path: str) -> list[Any]:
    parts = path.split("/")
    first = next((place for place, part in enumerate(parts) if _MAGIC & set(part)), None)
    if first is None:
        info = system.get_file_info(path)
        if info.type == fs.FileType.Directory:
            return [one for one in _below(system, path) if not _hidden(str(one.path), path)]
        return [info] if info.is_file else []
    base = "/".join(parts[:first])
    pattern = path.split("/")
    return [one for one in _below(system, base or "/") if _matches(str(one.path).split("/"), pattern)]


def _below(system: Any, folder: str) -> list[Any]:
    return [one for one in system.get_file_info(fs.FileSelector(folder, recursive=True, allow_not_found=True))
            if one.is_file]  # fmt: skip


def _hidden(path: str, folder: str) -> bool:
    return any(part.startswith(("_", ".")) for part in path.removeprefix(folder).strip("/").split("/"))


def _matches(path: Sequence[str], pattern: Sequence[str]) -> bool:
    """Whether the parts of a path match those of a glob; ``**`` is any number of folders."""
    if not pattern:
        return not path
    if pattern[0] == "**":
        return any(_matches(path[skipped:], pattern[1:]) for skipped in range(len(path) + 1))
    return bool(path) and fnmatch.fnmatchcase(path[0], pattern[0]) and _matches(path[1:], pattern[1:])


def _looked(path: str) -> str:
    return f"for {path!r}" if not _MAGIC & set(path) else f"for files whose path matches {path!r}"


def _file(system: Any, info: Any, told: str) -> File:
    return File(system, str(info.path), told, int(info.size or 0), info.mtime_ns)


def _is_url(path: str) -> bool:
    return "://" in path
