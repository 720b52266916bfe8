"""The ``comparison`` evaluator of a regression: is the challenger's error at most the champion's, for everyone?"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from mlflow_eval_plugin.engines.contract import PairedRegressionData
from mlflow_eval_plugin.evaluators.claims import margin_claims
from mlflow_eval_plugin.evaluators.config.regression import RegressionComparisonConfig
from mlflow_eval_plugin.evaluators.document import About, document, slice_json
from mlflow_eval_plugin.evaluators.regression.rows import RegressionRows
from mlflow_eval_plugin.evaluators.slicing import slice_columns, slicing_of, wanted_labels
from mlflow_eval_plugin.evaluators.unchecked import changes_for_the_worse
from mlflow_eval_plugin.evidence import Evidence
from mlflow_eval_plugin.stats.regression.comparison import (
    PairedRegressionTable,
    compare_regressions,
)


@dataclass(frozen=True, eq=False)
class PredictedChampion:
    """The rows with what both models predict of them, and whose predictions the champion's are, as JSON."""

    both: PairedRegressionData
    source: Mapping[str, Any]


def evaluate(
    config: RegressionComparisonConfig, rows: RegressionRows, champion: PredictedChampion, about: About
) -> Evidence:
    """Compare both on every slice and judge the differences.

    Raises:
        InputError: for a slice column that is missing or has too many levels.
    """
    summary = champion.both.counted(slicing_of(config))
    table = PairedRegressionTable(summary)
    labels = wanted_labels(config, table.slices)
    found, wanted = compare_regressions(table), set(labels)
    claims = list(margin_claims(config, table, labels))
    measurements = {
        "slice_columns": slice_columns(config),
        "minimum_count": config.min_count,
        "weighted": summary.champion.weighted,
        "overall": slice_json(found.overall),
        "slices": [slice_json(one) for one in found.slices if one.label in wanted],
        "unchecked": changes_for_the_worse(table, labels, table.metrics, claims, config.alpha),
        "champion": dict(champion.source),
    }
    return document(config, rows, claims, measurements, about)
