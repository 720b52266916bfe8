"""Where artifacts are, as one text for one place, however it is written."""

from __future__ import annotations

import os
import posixpath
from pathlib import Path
from urllib.parse import unquote, urlsplit

from mlflow.utils.file_utils import local_file_uri_to_path

_ARTIFACT_ROOT = "_MLFLOW_SERVER_ARTIFACT_DESTINATION"
PROXIED = "mlflow-artifacts:"


def place_of(uri: str, *below: str) -> str:
    """The place that a location names, and the path ``below`` it; empty for no location.

    What is below the folder or bucket where the server keeps artifacts is named by its path there, whether it was
    written so or as ``mlflow-artifacts:/…``: it stays the same place when all of it is moved. On disk links are followed.
    Escaped characters are read as what they stand for, as often as they are escaped: so does MLflow, here and there.
    """
    if not uri:
        return ""
    root, scheme = os.environ.get(_ARTIFACT_ROOT, ""), urlsplit(uri).scheme.lower()
    if scheme == "mlflow-artifacts":
        path = _path(urlsplit(uri).path, *below)
        if not root:
            return f"{PROXIED}{path}"
        uri, below = root, (path,)  # links below it are followed as well
    here, kept = _plain(uri, *below), _plain(root) if root else ""
    if kept and (here == kept or here.startswith(kept + "/")):
        return PROXIED + here[len(kept) :]
    return here


def _plain(uri: str, *below: str) -> str:
    parts = urlsplit(uri)
    if parts.scheme in ("", "file") or len(parts.scheme) == 1:  # one letter is a drive of Windows
        joined = os.path.join(local_file_uri_to_path(uri), *(each.lstrip("/") for each in below))
        return _unescaped(Path(os.path.realpath(joined)).as_posix()).rstrip("/")
    return f"{parts.scheme.lower()}://{parts.netloc}{_path(parts.path, *below)}"


def _path(*parts: str) -> str:
    """With one slash in front, none behind, and nothing like ``..`` in it."""
    joined = "/".join(_unescaped(part).strip("/") for part in parts)
    return posixpath.normpath(f"/{joined}").replace("//", "/").rstrip("/")


def _unescaped(text: str) -> str:
    while (plain := unquote(text)) != text:
        text = plain
    return text
