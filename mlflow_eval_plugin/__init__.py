"""MLflow evaluators whose reports are Evidence: calibration, disaggregated, drift and comparison; three verdicts.

The evaluators are used through ``mlflow.models.evaluate``, or through ``evaluate`` here, which takes data that MLflow
does not. The Python API is what ``__all__`` names: ``evaluate``, Evidence documents, and pages of them. It is imported
when it is asked for. Everything else here may change between versions.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mlflow_eval_plugin.canonical import EvidenceError
    from mlflow_eval_plugin.evidence import Check, Data, Evidence, Registered, Subject, dumps, load, loads
    from mlflow_eval_plugin.plugin.baseline.freezing import freeze
    from mlflow_eval_plugin.plugin.evaluate import evaluate
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
    "evaluate",
    "freeze",
    "load",
    "loads",
    "render",
    "render_diff",
    "render_joined",
    "render_trend",
]
_HOMES = {
    "EvidenceError": "canonical",
    "evaluate": "plugin.evaluate",
    "freeze": "plugin.baseline.freezing",
    **dict.fromkeys(["CheckChange", "compare", "render", "render_diff", "render_joined", "render_trend"], "reports"),
}


def __getattr__(name: str) -> object:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES.get(name, 'evidence')}"), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
