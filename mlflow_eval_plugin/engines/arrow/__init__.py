"""The engine of rows in memory, and the only place that knows data frames.

``ArrowRows``, and those of each task in ``binary.rows``, ``multiclass.rows`` and ``regression.rows``, answer what
``engines.contract`` asks. What they are made of:

- ``score_summary`` counts scores against labels, for calibration;
- ``slice_summary`` counts the same per slice, for disaggregated reports; ``ranked_slices`` the order of scores alone;
- ``moment_summary`` and ``prediction_summary`` sum the errors of a regression, of ``predicted_rows``;
- ``slice_rows`` gives the rows themselves, for custom metrics;
- ``system_summary`` counts latencies and adds up costs per slice;
- ``paired_summary`` and ``placement_summary`` count the ``paired_rows`` of two models, for comparisons;
- ``error_counts``, and its like of several classes and of regressions, count errors by coded columns, for the search of
  weak slices (in ``search``);
- ``drift_binning`` and ``drift_summary`` (``drift_counts`` does both) count columns on the reference's bins;
- ``schema_of`` names the kinds of columns, whatever holds their values;
- ``data_digest`` names a data set by content, whatever the order of its rows.
"""

from __future__ import annotations

from mlflow_eval_plugin.engines.arrow.binary.paired import paired_rows, paired_summary, placement_summary
from mlflow_eval_plugin.engines.arrow.binary.scores import score_summary
from mlflow_eval_plugin.engines.arrow.binary.slices import ranked_slices, slice_summary
from mlflow_eval_plugin.engines.arrow.comparing import drift_counts
from mlflow_eval_plugin.engines.arrow.digest import DigestSummary, data_digest, digest_summary, schema_of
from mlflow_eval_plugin.engines.arrow.drift import (
    count_present,
    drift_binning,
    drift_summary,
    examples_of,
)
from mlflow_eval_plugin.engines.arrow.regression.inputs import predicted_rows
from mlflow_eval_plugin.engines.arrow.regression.scores import fold_summary, prediction_summary
from mlflow_eval_plugin.engines.arrow.regression.slices import moment_summary
from mlflow_eval_plugin.engines.arrow.slice_rows import slice_rows
from mlflow_eval_plugin.engines.arrow.system import system_summary

__all__ = [
    "DigestSummary",
    "count_present",
    "data_digest",
    "digest_summary",
    "drift_binning",
    "drift_counts",
    "drift_summary",
    "examples_of",
    "fold_summary",
    "moment_summary",
    "paired_rows",
    "paired_summary",
    "placement_summary",
    "predicted_rows",
    "prediction_summary",
    "ranked_slices",
    "schema_of",
    "score_summary",
    "slice_rows",
    "slice_summary",
    "system_summary",
]
