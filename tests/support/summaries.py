"""Summaries of every kind, taken apart."""

from __future__ import annotations

import hashlib
from dataclasses import fields, is_dataclass
from typing import Any

import numpy as np


def arrays(found: object) -> dict[str, Any]:
    """Every value of a Summary by its path."""
    if is_dataclass(found):
        members = {field.name: getattr(found, field.name) for field in fields(found)}
    elif isinstance(found, dict):
        members = found
    elif isinstance(found, tuple) and any(is_dataclass(one) or isinstance(one, np.ndarray) for one in found):
        members = dict(enumerate(found))
    else:
        return {"": found}
    return {f"{name}.{path}": value for name, one in members.items() for path, value in arrays(one).items()}


def digests(found: object) -> dict[str, str]:
    """The same, with the SHA-256 of every array in its place."""
    return {
        path: hashlib.sha256(value.tobytes()).hexdigest() if isinstance(value, np.ndarray) else repr(value)
        for path, value in arrays(found).items()
    }
