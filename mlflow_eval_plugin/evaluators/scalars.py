"""The few scalar metrics of an Evidence document that go into a run: for comparing runs, not for deciding.

``<kind>_verdict`` is 1 for pass, 0.5 for insufficient and 0 for fail: a ``MetricThreshold`` of 1 asks for a pass.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from math import isfinite
from typing import Any

from mlflow_eval_plugin.evidence import Evidence
from mlflow_eval_plugin.verdicts import Verdict

Scalars = Callable[[Evidence], dict[str, float | None]]
VERDICT_VALUE: dict[Verdict, float] = {"pass": 1.0, "insufficient": 0.5, "fail": 0.0}
_MOST = 15
_CALIBRATION = {
    "ece": "ece_equal_mass",
    "ece_debiased": "ece_debiased",
    "max_error": "max_calibration_error",
    "brier": "brier",
    "log_loss": "log_loss",
    "brier_mcb": "brier_mcb",
    "in_the_large": "calibration_in_the_large",
    "slope": "calibration_slope",
    "classwise_ece": "classwise_ece",
}

_OF_THE_MEAN = ("bias", "bias_sigma", "mean_error", "mae", "rmse", "r2", "mse_mcb", "slope")
_CHANGES = (
    "accuracy", "balanced_accuracy", "recall", "fpr", "auc", "log_loss", "brier", "ece", "cost", "mae", "rmse", "bias",
    "r2",
)  # fmt: skip


def scalars(evidence: Evidence, of_kind: Scalars | None = None) -> dict[str, float]:
    """At most 15 finite numbers, each name beginning with the kind; what is undefined is left out.

    Args:
        of_kind: gives those of the document's kind and task, as the table of tasks names it; None where it has none.
    """
    found: dict[str, float | None] = {
        "verdict": VERDICT_VALUE[evidence.verdict],
        "checks_failed": len(evidence.failed),
        "checks_insufficient": sum(check.verdict == "insufficient" for check in evidence.checks),
        **labels_scalars(evidence.measurements.get("labels")),
        **(of_kind(evidence) if of_kind else {}),
    }
    named = {f"{evidence.kind}_{name}": float(value) for name, value in found.items() if value is not None}
    return dict([(name, value) for name, value in named.items() if isfinite(value)][:_MOST])


def labels_scalars(labels: Mapping[str, Any] | None) -> dict[str, float]:
    """How many labels have arrived, and their share; nothing where it is not known."""
    if not labels:
        return {}
    received = float(labels["received"] or 0)
    return {"labels_received": received, "labels_received_share": received / labels["rows"]}


def calibration(evidence: Evidence) -> dict[str, float | None]:
    """Of two classes: the metrics of calibration."""
    return _named(evidence.measurements["metrics"])


def class_calibration(evidence: Evidence) -> dict[str, float | None]:
    """Of three or more classes: the same metrics, of the confidence, and the losses of all classes."""
    # The losses are those of all classes, the rest is of the confidence.
    return _named({**evidence.measurements["confidence"]["metrics"], **evidence.measurements["metrics"]})


def _named(metrics: Mapping[str, Any]) -> dict[str, float | None]:
    return {name: _value(metrics.get(metric)) for name, metric in _CALIBRATION.items()}


def mean_calibration(evidence: Evidence) -> dict[str, float | None]:
    """Of a regression: errors of the mean, and the worst coverage of a quantile or an interval."""
    metrics = evidence.measurements["metrics"]
    errors = [abs(c.value) for c in evidence.checks if c.metric == "coverage_error" and c.value is not None]
    found = {name: _value(metrics[name]) for name in _OF_THE_MEAN}
    return {**found, "worst_coverage_error": max(errors, default=None)}


def comparison(evidence: Evidence) -> dict[str, float | None]:
    """Changes on all rows from champion to challenger."""
    overall = evidence.measurements["overall"]
    changes = {f"change_{name}": _value(overall["metrics"].get(name, {}).get("difference")) for name in _CHANGES}
    # Of a regression: how far the two predictions are from each other.
    apart = {name: _value(overall.get(name)) for name in ("disagreement", "distance")}
    return {**apart, **changes}


def disaggregated(evidence: Evidence) -> dict[str, float | None]:
    """How many slices there are, and the worst gap of each metric that is judged."""
    # Slices that were too small to be tested have no interval, and would make every worst gap their own.
    worst: dict[str, float] = {}
    for check in evidence.checks:
        # MLflow takes no brackets in a name: gaps in the rate of one class stay in the document.
        above = check.metric.startswith("ratio_") and check.maximum is not None
        named = (above or check.metric.startswith("gap_")) and "[" not in check.metric
        if named and check.value is not None and check.interval is not None:
            name = f"worst_{check.metric}"
            worst[name] = max(worst.get(name, 0.0), abs(check.value))
    return {"slices": float(len(evidence.measurements["slices"])), **dict(sorted(worst.items()))}


def drift(evidence: Evidence) -> dict[str, float | None]:
    """How many columns drifted, the largest distances, and those of score and label."""
    columns = evidence.measurements["columns"]
    names = {column["name"] for column in columns}
    found: dict[str, float | None] = {
        "columns_compared": float(len(columns)),
        "columns_drifted": float(len({check.scope for check in evidence.failed if check.scope in names})),
    }
    for metric in ("psi", "js", "ks", "wasserstein", "new_share", "missing_change", "infinite_change"):
        values = [abs(v) for column in columns if (v := _value(column["metrics"].get(metric))) is not None]
        found[f"max_{metric}"] = max(values, default=None)
    for column in columns:
        if column["role"] != "feature":
            # Of several predictions that of the mean comes first.
            found.setdefault(f"{column['role']}_psi", _value(column["metrics"].get("psi")))
    return found


def _value(estimate: Mapping[str, Any] | None) -> float | None:
    return None if estimate is None else estimate["value"]
