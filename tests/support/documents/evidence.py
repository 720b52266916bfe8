"""Evidence documents made by hand: realistic numbers, known verdicts, and labels that try to break a page."""

from __future__ import annotations

import math
from typing import Any

from mlflow_eval_plugin.evidence import Check, Data, Evidence, Inference, Producer, Subject, seal
from mlflow_eval_plugin.verdicts import Verdict

HOSTILE = '</td><script>alert("x")</script>&'


def document(kind: str, checks: list[Check], measurements: dict[str, Any], reference: Data | None = None) -> Evidence:
    return seal(
        kind=kind,
        subject=Subject(
            model_uri="models:/income/7", model_id="m-4f", model_digest="sha256:" + "ab" * 32, run_id="4e1"
        ),
        data=Data(name="census-2018", digest="sha256:" + "12" * 32, rows=70131, columns=("AGEP", "SEX", "employed")),
        reference=reference,
        config={"alpha": 0.05, "min_count": 30},
        inference=Inference(method="Holm on exact tests", alpha=0.05, family_size=len(checks)),
        checks=checks,
        measurements=measurements,
        producer=Producer(name="mlflow-registry-hooks", version="0.1.0"),
        created_at="2026-01-02T03:04:05Z",
    )


def check(
    metric: str,
    scope: str,
    value: float | None,
    half: float,
    verdict: Verdict,
    *,
    low: float | None = None,
    high: float | None = None,
    n: int = 500,
) -> Check:
    return Check(
        id=f"{metric}:{scope}",
        claim=f"{metric} of {scope} is within its tolerance",
        metric=metric,
        scope=scope,
        n=n,
        minimum=low,
        maximum=high,
        value=value,
        interval=None if value is None else (value - half, value + half),
        p_adjusted=0.012 if verdict == "fail" else 0.4,
        verdict=verdict,
        reason=f"The interval of {scope} was held against the tolerance.",
        n_to_decide=4200 if verdict == "insufficient" else None,
    )


def estimate(value: float | None, half: float = 0.01) -> dict[str, Any]:
    limits = None if value is None else [value - half, value + half]
    return {"value": value, "interval": limits, "bound": 0.0, "reason": "no positives" if value is None else None}


def calibration_measurements() -> dict[str, Any]:
    bins = []
    for i in range(15):
        lower, upper = i / 15, (i + 1) / 15
        middle = (lower + upper) / 2
        rate = min(max(middle + 0.06 * math.sin(6 * middle), 0.0), 1.0)
        n = 0 if i == 14 else round(4000 * math.exp(-i / 5)) + 40
        half = 1.96 * math.sqrt(rate * (1 - rate) / max(n, 1))
        filled = {"mean_score": middle, "event_rate": rate, "interval": [max(rate - half, 0), min(rate + half, 1)]}
        empty = {"mean_score": None, "event_rate": None, "interval": None}
        bins.append({"lower": lower, "upper": upper, "n": n, "weight": float(n), **(filled if n else empty)})
    edges = [i / 50 for i in range(51)]
    grid = [i / 40 for i in range(41)]
    return {
        "n": 17000,
        "positives": 5100,
        "weighted": False,
        "prevalence": 0.301,
        "mean_score": 0.274,
        "metrics": {
            "ece_debiased": estimate(0.031),
            "brier": estimate(0.14),
            "calibration_in_the_large": estimate(-0.027),
            "smooth_ece": estimate(None),
        },
        "bins": bins,
        "bins_equal_mass": bins,
        "corp": [[x, min(max(round((x + 0.06 * math.sin(6 * x)) * 12) / 12, 0), 1)] for x in grid],
        "corp_band": [[x, max(x - 0.03, 0), min(x + 0.03, 1)] for x in grid],
        "histogram": {
            "edges": edges,
            "positive": [math.exp(-((e - 0.6) ** 2) * 8) * 300 for e in edges[:-1]],
            "negative": [math.exp(-e * 4) * 900 for e in edges[:-1]],
        },
        "recalibration": {
            "folds": 5,
            "suggested": "platt",
            "methods": [
                {
                    "method": "temperature",
                    "parameters": {},
                    "brier_change": estimate(None),
                    "ece_equal_mass": None,
                    "reason": "the scores tell the classes apart",
                },
                {
                    "method": "platt",
                    "parameters": {"intercept": -0.5, "slope": 0.9},
                    "brier_change": estimate(-0.02),
                    "ece_equal_mass": 0.004,
                    "reason": None,
                },
            ],
        },
        "spiegelhalter": {"z": -2.643, "p_value": 0.0082},
        "hosmer_lemeshow": {"chi_squared": None, "degrees_of_freedom": 10, "p_value": None},
        "cox_test": {"intercept": 0.1, "slope": 0.8, "chi_squared": 9.2, "degrees_of_freedom": 2, "p_value": 0.01},
        "slices": [
            {
                "label": f"SEX={HOSTILE}",
                "slice": {"SEX": HOSTILE},
                "n": 40,
                "weight": 40.0,
                "positives": 12.0,
                "metrics": {"ece": estimate(0.06), "calibration_slope": estimate(None)},
                "spiegelhalter": {"z": None, "p_value": None},
            }
        ],
        "reference": None,
    }


def calibration() -> Evidence:
    checks = [
        check("ece_equal_mass", "overall", 0.031, 0.006, "fail", high=0.02, n=17000),
        check("calibration_in_the_large", "overall", -0.027, 0.011, "insufficient", low=-0.02, high=0.02, n=17000),
    ]
    return document("calibration", checks, calibration_measurements())


def slice_report(label: str, n: int) -> dict[str, Any]:
    metrics = {name: estimate(0.2) for name in ("prevalence", "selection_rate", "fpr", "fnr", "ece")}
    counts = {"positives": n // 3, "tp": 1.0, "fp": 1.0, "tn": 1.0, "fn": 1.0}
    return {"label": label, "slice": {"SEX": label}, "n": n, "weight": float(n), **counts,
            "metrics": {**metrics, "auc": estimate(None)}}  # fmt: skip


def weak_slices() -> dict[str, Any]:
    found = {
        "label": f"SEX=2 & MIG={HOSTILE}", "slice": {"SEX": "2", "MIG": HOSTILE}, "n": 812, "mean_error": 0.71,
        "ratio": 1.9, "score": 0.42, "difference": estimate(0.35), "p_value": 1e-9, "p_adjusted": 0.0042,
    }  # fmt: skip
    return {
        "error": "log_loss", "depth": 3, "top": 10, "alpha": 0.95, "quantiles": 10, "minimum_support": 702,
        "columns": ["AGEP", "MIG", "SEX"], "passed_over": [{"column": "id", "reason": "more than 100 levels"}],
        "n": 70131, "mean_error": 0.37, "lattice": [15, 80, 120], "method": "…", "slices": [found],
    }  # fmt: skip


def disaggregated(labels: list[str] | None = None) -> Evidence:
    labels = labels or [
        "SEX=1", "SEX=2", "RAC1P=1", "RAC1P=2", "RAC1P=4", "SEX=2 & RAC1P=2", "AGEP=[25, 35)", "MIG=(missing)", HOSTILE,
    ]  # fmt: skip
    checks = []
    for i, label in enumerate(labels):
        for metric in ("gap_fpr", "gap_fnr"):
            value = (-1) ** i * 0.16 / (1 + i) + (0.03 if metric == "gap_fnr" else 0)
            half = 0.01 * (1 + i)
            verdict: Verdict = (
                "fail" if abs(value) - half > 0.1 else "pass" if abs(value) + half < 0.1 else "insufficient"
            )
            checks.append(check(metric, label, value, half, verdict, low=-0.1, high=0.1, n=9000 // (1 + i)))
    checks.append(check("gap_fpr", "RAC1P=3", None, 0, "insufficient", low=-0.1, high=0.1, n=6))
    gap = {"metric": "fpr", "label": "SEX=1", "versus": "complement", "against": "not SEX=1",
           "difference": estimate(0.16), "ratio": estimate(None)}  # fmt: skip
    measurements = {
        "threshold": 0.5,
        "pos_label": 1,
        "slice_columns": ["SEX", "RAC1P"],
        "minimum_count": 30,
        "weighted": False,
        "overall": slice_report("overall", 70131),
        "slices": [
            *(slice_report(label, 9000 // (1 + i)) for i, label in enumerate(labels)),
            {**slice_report("young women", 800), "slice": {}, "query": f"AGEP < 25 and SEX == '{HOSTILE}'"},
        ],
        "system": {
            "latency_column": HOSTILE,
            "cost_column": None,
            "slices": [
                {"label": "overall", "n": 3, "metrics": {"latency_p95": estimate(12.5), "latency_p50": estimate(None)}}
            ],
        },
        "pooled": [
            {
                "metric": "fnr",
                "label": HOSTILE,
                "columns": ["SEX"],
                "trials": 12.0,
                "raw": 0.5,
                "pooled": estimate(0.31, 0.1),
                "mean": 0.28,
                "deviation": 0.04,
            }
        ],
        "costs": {
            "fp": 1.0,
            "fn": 5.0,
            "tp": 0.0,
            "tn": 0.0,
            "threshold_if_calibrated": 1 / 6,
            "slices": [
                {"label": "overall", "cost": estimate(0.62), "best_threshold": 0.21, "cost_at_best": 0.48},
                {"label": labels[0], "cost": estimate(0.7), "best_threshold": None, "cost_at_best": 0.3},
                {"label": HOSTILE, "cost": estimate(None), "best_threshold": None, "cost_at_best": None},
            ],
        },
        "weak_slices": weak_slices(),
        "gaps": [gap],
        "fairness": {"SEX": {"demographic_parity_difference": estimate(0.11)}},
    }
    return document("disaggregated", checks, measurements)


def drift_column(name: str, hint: str, shift: float, labels: list[str]) -> dict[str, Any]:
    k = len(labels)
    reference = [math.exp(-(((i - k / 2) / (k / 4)) ** 2)) for i in range(k)]
    current = [math.exp(-(((i - k / 2 - shift) / (k / 4)) ** 2)) for i in range(k)]
    numeric = ("psi", "ks", "js", "wasserstein", "missing_change")
    return {
        "name": name, "role": "feature", "kind": "numeric", "n_reference": 68785, "n_current": 70131,
        "missing_reference": 0.0, "missing_current": 0.01, "metrics": {m: estimate(0.05) for m in numeric},
        "p_value": 0.0004, "new_categories": [HOSTILE] if hint == "data bug" else [], "vanished_categories": [],
        "hint": hint, "hint_reason": f"{name}: {hint}",
        "histogram": {"labels": labels, "reference": [r / sum(reference) for r in reference],
                      "current": [c / sum(current) for c in current]},
    }  # fmt: skip


def drift() -> Evidence:
    bands = [f"[{20 + 5 * i}, {25 + 5 * i})" for i in range(10)]
    columns = [
        drift_column("AGEP", "distribution shift", 2.0, bands),
        drift_column("CIT", "data bug", 0.5, ["1", "2", "3", HOSTILE]),
        drift_column("SCHL", "none", 0.1, [str(i) for i in range(24)]),
    ]
    checks = [
        check("psi", "AGEP", 0.31, 0.02, "fail", high=0.1, n=70131),
        check("psi", "CIT", 0.17, 0.03, "fail", high=0.1, n=70131),
        check("psi", "SCHL", 0.004, 0.003, "pass", high=0.1, n=70131),
        check("missing_change", "AGEP", 0.01, 0.002, "pass", low=-0.05, high=0.05, n=70131),
    ]
    change = {"column": "MIG", "change": "type", "reference": "integer", "current": "text"}
    measurements = {"n_reference": 68785, "n_current": 70131, "columns": columns, "schema_changes": [change]}
    reference = Data(name="census-2015", digest="sha256:" + "34" * 32, rows=68785, columns=("AGEP",))
    return document("drift", checks, measurements, reference)


def comparison(labels: list[str] | None = None) -> Evidence:
    labels = ["SEX=1", "SEX=2", HOSTILE] if labels is None else labels

    def compared(label: str, n: int) -> dict[str, Any]:
        metrics = {
            name: {"champion": 0.7, "challenger": 0.7 + change, "difference": estimate(change)}
            for name, change in (("accuracy", 0.02), ("auc", 0.013), ("log_loss", -0.04), ("recall", -0.006))
        }
        undefined = {"champion": None, "challenger": 0.4, "difference": estimate(None)}
        return {
            "label": label, "slice": {}, "n": n, "both_right": n - 60, "only_champion_right": 17,
            "only_challenger_right": 33, "both_wrong": 10, "mcnemar_p": 0.033, "disagreement": estimate(50 / n),
            "metrics": {**metrics, "precision": undefined},
        }  # fmt: skip

    joint = [[[max(0.0, 200.0 - 40 * abs(i - j)), 3.0 * (i == j)] for j in range(15)] for i in range(15)]
    measurements = {
        "champion": {"source": "model", "model_uri": "models:/income/6", "model_digest": "sha256:" + "cd" * 32},
        "threshold": 0.5, "champion_threshold": 0.5, "probabilities": True, "pos_label": "1",
        "slice_columns": ["SEX"], "minimum_count": 30, "weighted": False, "overall": compared("overall", 70131),
        "slices": [compared(label, 500) for label in labels], "joint": joint,
    }  # fmt: skip
    checks = [check("change_accuracy", "overall", 0.02, 0.005, "pass", low=-0.01)]
    checks += [check("change_accuracy", label, -0.09, 0.01, "fail", low=-0.05) for label in labels[:1]]
    checks += [check("change_accuracy", label, 0.01, 0.09, "insufficient", low=-0.05) for label in labels[1:]]
    return document("comparison", checks, measurements)
