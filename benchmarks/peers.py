"""What other libraries take for what ours is compared with, each in a process of its own.

    PYTHON peers.py NAME ROWS     prints the seconds (median of three; one run where it takes more than twenty)

A library that cannot be imported ends the process with 3 and one line. Nothing of this project is imported, so that
PYTHON may be any environment.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from itertools import combinations
from statistics import median
from typing import Any
from unittest.mock import MagicMock

import numpy as np

LEVELS = (2, 3, 4, 5, 6, 9)
GROUPS, SLICES = 52, 160
LONG = 20.0
Job = Callable[[], object]


def scored(rows: int) -> tuple[np.ndarray, np.ndarray]:
    """Scores and labels drawn from them."""
    rng = np.random.default_rng(0)
    score = rng.beta(1, 1.3, rows)
    return score, (rng.random(rows) < score).astype(np.int64)


def codes(rows: int, levels: int) -> np.ndarray:
    """One slice column of random codes."""
    return np.random.default_rng(levels).integers(0, levels, rows)


def seconds(job: Job) -> float:
    """The median of three runs; the first where it is long."""
    taken: list[float] = []
    while len(taken) < 3:
        start = time.perf_counter()
        job()
        taken.append(time.perf_counter() - start)
        if taken[0] > LONG:
            break
    return median(taken)


def netcal_ece(rows: int) -> Job:
    """netcal's ECE, 15 bins."""
    import scipy.stats  # noqa: F401 - it would take the stand-ins below for torch
    import sklearn.isotonic
    import sklearn.linear_model  # noqa: F401

    # netcal imports torch for its calibration methods; its binned errors are numpy and scipy.
    stands_in = ("torch", "torch.nn", "torch.nn.functional", "torch.distributions", "pyro", "gpytorch", "tensorboard")
    absent = [name for name in stands_in if name not in sys.modules]
    for name in absent:
        sys.modules[name] = MagicMock(Tensor=type("Tensor", (), {}))
    from netcal.metrics import ECE

    for name in absent:
        del sys.modules[name]
    score, label = scored(rows)
    return lambda: ECE(15).measure(score, label)


def relplot_smooth_ece(rows: int) -> Job:
    """relplot's smooth ECE."""
    from relplot.metrics import smECE

    score, label = scored(rows)
    return lambda: smECE(score, label)


def relplot_diagram(rows: int) -> Job:
    """relplot's reliability diagram with a band of 200 resamples, without the plot."""
    from relplot.diagrams import prepare_rel_diagram

    score, label = scored(rows)
    return lambda: prepare_rel_diagram(score, label, num_bootstrap=200, report_CE_std=False)


def fairlearn_groups(rows: int, **options: Any) -> Job:
    """Five metrics by 52 groups, differences and ratios; with ``options`` for MetricFrame."""
    from fairlearn.metrics import MetricFrame, false_negative_rate, false_positive_rate, selection_rate
    from sklearn.metrics import accuracy_score, precision_score

    score, label = scored(rows)
    metrics = {
        "accuracy": accuracy_score,
        "precision": precision_score,
        "selection_rate": selection_rate,
        "fpr": false_positive_rate,
        "fnr": false_negative_rate,
    }
    given = {"y_true": label, "y_pred": (score >= 0.5).astype(int), "sensitive_features": codes(rows, GROUPS)}

    def job() -> object:
        frame = MetricFrame(metrics=metrics, **given, **options)
        return frame.by_group, frame.difference(), frame.ratio()

    return job


def fairlearn_bootstrap(rows: int) -> Job:
    """The same with ten bootstrap replicates, where a hundred are usual."""
    return fairlearn_groups(rows, n_boot=10, ci_quantiles=[0.025, 0.975])


def sklearn_auc(rows: int) -> Job:
    """scikit-learn's AUC of 160 slices, one mask after the other, without intervals."""
    from sklearn.metrics import roc_auc_score

    score, label = scored(rows)
    group = codes(rows, SLICES)
    return lambda: [roc_auc_score(label[group == one], score[group == one]) for one in range(SLICES)]


def pandas_pairs(rows: int) -> Job:
    """Counts by label and predicted label of six slice columns and their fifteen pairs, by pandas."""
    import pandas as pd

    score, label = scored(rows)
    data = pd.DataFrame({"label": label, "predicted": (score >= 0.5).astype(np.int64)})
    for place, levels in enumerate(LEVELS):
        data[f"g{place}"] = codes(rows, levels)
    names = [f"g{place}" for place in range(len(LEVELS))]
    wanted = [*((name,) for name in names), *combinations(names, 2)]
    return lambda: [data.groupby([*columns, "label", "predicted"]).size() for columns in wanted]


PEERS = {
    one.__name__: one
    for one in (
        netcal_ece,
        relplot_smooth_ece,
        relplot_diagram,
        fairlearn_groups,
        fairlearn_bootstrap,
        sklearn_auc,
        pandas_pairs,
    )
}


def main() -> int:
    name, rows = sys.argv[1], int(sys.argv[2])
    try:
        job = PEERS[name](rows)
    except ImportError as error:
        print(f"not installed ({error.name})")
        return 3
    print(seconds(job))
    return 0


if __name__ == "__main__":
    sys.exit(main())
