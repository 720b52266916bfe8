"""MLflow evaluators whose reports are Evidence: calibration, disaggregated, drift and comparison; three verdicts.

The evaluators are used through ``mlflow.models.evaluate``. The Python API is what ``__all__`` names: Evidence
documents, and pages of them. It is imported when it is asked for. Everything else here may change between versions.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mlflow_eval_plugin.canonical import EvidenceError
    from mlflow_eval_plugin.evidence import Check, Data, Evidence, Registered, Subject, dumps, load, loads
    from mlflow_eval_plugin.reports import CheckChange, compare, render, render_diff, render_joined, render_trend

__all__ = [
    "Check",
    "CheckChange",
    "Data",
    "Evidence",
    "EvidenceError",
    "Registered",
    "Subject",
    "compare",
    "dumps",
    "load",
    "loads",
    "render",
    "render_diff",
    "render_joined",
    "render_trend",
]
_OF_REPORTS = {"CheckChange", "compare", "render", "render_diff", "render_joined", "render_trend"}


def __getattr__(name: str) -> object:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    where = "reports" if name in _OF_REPORTS else "canonical" if name == "EvidenceError" else "evidence"
    return getattr(import_module(f"{__name__}.{where}"), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
