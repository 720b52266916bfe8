"""The search of the ``disaggregated`` evaluator: in which slices, that nobody had in mind, does the model err most?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from mlflow_eval_plugin.engines.search import ErrorCounts, ErrorKind, PassedOver, error_counts, searched_columns
from mlflow_eval_plugin.evaluators.config import DisaggregatedConfig
from mlflow_eval_plugin.evaluators.config_slices import Band, Search
from mlflow_eval_plugin.evaluators.rows import Rows, as_json
from mlflow_eval_plugin.stats.errors import InputError
from mlflow_eval_plugin.stats.weak_slices import can_be_searched, weak_slices

_METHOD = (
    "SliceLine's exact best by score; p-values by Chernoff's bound for rows drawn without replacement, adjusted as "
    "layered critical values for all slices that can have the minimum of rows"
)


@dataclass(frozen=True, eq=False)
class Prepared:
    """A search that can begin: nothing more can be wrong with its columns or options."""

    search: Search
    error: ErrorKind
    minimum: int
    counts: ErrorCounts
    passed_over: tuple[PassedOver, ...]


def prepared(config: DisaggregatedConfig, rows: Rows) -> Prepared | None:
    """The search that the config asks for; None where it asks for none.

    Raises:
        InputError: for a column that is missing or has too many levels, columns or a depth that make too many slices,
            or an error that needs probabilities where there are none.
    """
    search = config.search
    if search is None:
        return None
    hard = rows.score is None
    if hard and search.error in ("log_loss", "brier"):
        raise InputError(
            f"search: the error {search.error!r} needs probabilities, and the predictions are classes; expected 'wrong'"
        )
    items = [item for subset in config.subsets for item in subset]
    bands = {config.column(item.column): item for item in items if isinstance(item, Band)}
    columns, passed_over = searched_columns(
        rows.frame,
        _columns(config, search, rows),
        edges={name: band.edges for name, band in bands.items() if band.edges},
        quantiles={name: band.quantiles for name, band in bands.items() if band.quantiles},
        bands=search.quantiles,
        max_levels=config.max_levels,
        as_given=search.columns is not None,
    )
    can_be_searched(len(columns), search.depth)
    error: ErrorKind = search.error or ("wrong" if hard else "log_loss")
    counts = error_counts(
        rows.frame,
        columns,
        label=rows.label,
        score=rows.prediction if hard else rows.score,
        error=error,
        threshold=0.5 if hard else config.threshold,
    )
    minimum = search.min_support or max(32, -(-len(counts.errors) // 100))
    return Prepared(search, error, minimum, counts, passed_over)


def weakest(prepared: Prepared) -> dict[str, Any]:
    """The weak slices, as the measurement ``weak_slices``."""
    search = prepared.search
    result = weak_slices(
        prepared.counts, depth=search.depth, top=search.top, minimum=prepared.minimum, weight=search.alpha
    )
    return {
        **as_json(result),
        "slices": [{**as_json(one), "slice": dict(one.slice)} for one in result.slices],
        "error": prepared.error,
        "depth": search.depth,
        "top": search.top,
        "alpha": search.alpha,
        "quantiles": search.quantiles,
        "minimum_support": prepared.minimum,
        "columns": [name for name, _ in prepared.counts.columns],
        "passed_over": as_json(prepared.passed_over),
        "method": _METHOD,
    }


def _columns(config: DisaggregatedConfig, search: Search, rows: Rows) -> list[str]:
    if search.columns is not None:
        return [config.column(name) for name in search.columns]
    given = [item.column if isinstance(item, Band) else item for subset in config.subsets for item in subset]
    return [config.column(name) for name in given] or [name for name in rows.features if name not in rows.apart]
