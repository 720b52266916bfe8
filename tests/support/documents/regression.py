"""Evidence of regressions made by hand: realistic numbers, known verdicts, and names that try to break a page."""

from __future__ import annotations

import math
from typing import Any

from support.documents.evidence import HOSTILE, check, document, estimate

from mlflow_eval_plugin.evidence import Evidence


def calibration_measurements() -> dict[str, Any]:
    places = [1000.0 * i for i in range(40)]
    metrics = {name: estimate(2100.0, 50.0) for name in ("mae", "rmse", "mean_error", "bias", "mse_mcb")}
    return {
        "task": "regression",
        "n": 4000,
        "weighted": False,
        "mean_target": 19_600.0,
        "mean_prediction": 20_400.0,
        "target_deviation": 9000.0,
        "exact": False,
        "metrics": {**metrics, "r2": estimate(None), "slope": estimate(0.94)},
        "bins_equal_mass": [
            {"lower": 5000.0 * i, "upper": 5000.0 * (i + 1), "n": 500, "weight": 500.0,
             "mean_prediction": 5000.0 * i + 2500, "mean_target": 4800.0 * i + 2300,
             "interval": [4800.0 * i + 2000, 4800.0 * i + 2600] if i else None}
            for i in range(8)
        ],
        "corp": [[x, 1000.0 * math.floor(x / 3000) * 3] for x in places],
        "corp_band": [[x, x - 900, x + 900] for x in places],
        "histogram": {"edges": [800.0 * i for i in range(51)], "weight": [float(i % 17) for i in range(50)]},
        "quantiles": [
            {"level": level, "column": HOSTILE, "coverage": estimate(level), "pinball": estimate(300.0)}
            for level in (0.1, 0.9)
        ],
        "intervals": [
            {"name": f"80 % {HOSTILE}", "level": 0.8, "coverage": estimate(0.7), "width": estimate(5000.0, 20.0),
             "score": estimate(7000.0, 20.0)}
        ],
        "pit": {"levels": [0.0, 0.1, 0.9, 1.0], "share": [0.15, 0.7, 0.15], "expected": [0.1, 0.8, 0.1],
                "chi_squared": 41.0, "degrees_of_freedom": 2, "p_value": 1.2e-9},
        "crossing": estimate(0.004),
        "reference": None,
    }  # fmt: skip


def regression_calibration() -> Evidence:
    checks = [
        check("coverage_error", "interval 80 %", -0.1, 0.02, "fail", low=-0.05, high=0.05, n=4000),
        check("coverage_error", "quantile 0.1", 0.05, 0.02, "insufficient", low=-0.05, high=0.05, n=4000),
        check("bias_sigma", "overall", 0.09, 0.005, "pass", low=-0.1, high=0.1, n=4000),
    ]
    measurements = calibration_measurements()
    return document("calibration", checks, {**measurements, "reference": {**measurements, "pit": None}})


def regression_slices() -> Evidence:
    def report(label: str, n: int) -> dict[str, Any]:
        metrics = {name: estimate(0.4) for name in ("mae", "rmse", "bias", "pinball_0.1", "coverage_80 %")}
        return {"label": label, "slice": {"town": label}, "n": n, "weight": float(n), "mean_target": 3.0,
                "mean_prediction": None if n == 0 else 3.1, "metrics": {**metrics, "r2": estimate(None)}}  # fmt: skip

    gap = {"metric": "mae", "label": "town=A", "versus": "complement", "against": "not town=A",
           "difference": estimate(0.16), "ratio": estimate(None)}  # fmt: skip
    checks = [
        check("ratio_mae", "town=A", 1.8, 0.1, "fail", high=1.5),
        check("ratio_mae", HOSTILE, 1.1, 0.1, "pass", high=1.5),
    ]
    measurements = {
        "task": "regression",
        "slice_columns": ["town"],
        "minimum_count": 30,
        "weighted": False,
        "overall": report("overall", 4000),
        "slices": [report("town=A", 500), report(HOSTILE, 0)],
        "gaps": [gap],
    }
    return document("disaggregated", checks, measurements)
