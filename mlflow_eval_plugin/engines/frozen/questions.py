"""How a question that was asked of rows is written, so that it is found again."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any

from mlflow_eval_plugin.engines.slicing import Slicing


def question(name: str, /, **arguments: Any) -> str:
    """One question with its arguments, such as ``sliced {"slicing":{"columns":["SEX"]},"threshold":0.5}``."""
    given = {key: _slicing(one) if isinstance(one, Slicing) else one for key, one in sorted(arguments.items())}
    given = {key: one for key, one in given.items() if one != {}}
    return f"{name} {json.dumps(given, sort_keys=True, separators=(',', ':'))}" if given else name


def _slicing(slicing: Slicing) -> dict[str, Any]:
    """All that decides which slices there are; empty where all rows are one."""
    if not slicing.columns and not slicing.queries:
        return {}
    found = {
        "columns": sorted(slicing.columns),
        "depth": slicing.depth,
        "edges": {name: [_edge(one) for one in edges] for name, edges in slicing.edges.items()},
        "quantiles": dict(slicing.quantiles),
        "queries": {one.name: one.text for one in slicing.queries},
    }
    return {key: one for key, one in found.items() if one}


def _edge(edge: float | datetime) -> float | str:
    return edge.isoformat() if isinstance(edge, datetime) else float(edge)
