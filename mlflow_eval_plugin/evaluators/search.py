"""The search of the ``disaggregated`` evaluator: in which slices, that nobody had in mind, does the model err most?"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

from mlflow_eval_plugin.engines.contract import ErrorCounts, ErrorKind, Sought
from mlflow_eval_plugin.evaluators.config.disaggregated import DisaggregatedConfig
from mlflow_eval_plugin.evaluators.config.disaggregated_base import DisaggregatedBase
from mlflow_eval_plugin.evaluators.config.slices import Band, Search
from mlflow_eval_plugin.evaluators.document import as_json, slice_json
from mlflow_eval_plugin.stats.errors import InputError
from mlflow_eval_plugin.stats.slices.weak import weak_slices

_METHOD = (
    "SliceLine's exact best by score; p-values by Chernoff's bound for rows drawn without replacement, adjusted as "
    "layered critical values for all slices that can have the minimum of rows"
)


class Searched(Protocol):
    """Rows of any kind, as far as a search needs them."""

    @property
    def features(self) -> tuple[str, ...]:
        """The columns that are features."""

    @property
    def apart(self) -> frozenset[str]:
        """The columns that are none, for some config of the call."""


@dataclass(frozen=True, eq=False)
class Prepared:
    """A search that can begin: nothing more can be wrong with its columns or options."""

    search: Search
    error: str
    minimum: int
    counts: ErrorCounts


def error_of_classes(config: DisaggregatedConfig, *, hard: bool) -> ErrorKind:
    """The error of classes that a search looks at; ``hard`` where predictions are classes.

    Raises:
        InputError: for an error that needs probabilities where there are none.
    """
    asked = config.search.error if config.search else None
    if hard and asked in ("log_loss", "brier"):
        raise InputError(
            f"search: the error {asked!r} needs probabilities, and the predictions are classes; expected 'wrong'"
        )
    if asked == "wrong" or hard:
        return "wrong"
    return "brier" if asked == "brier" else "log_loss"


def search_of(
    config: DisaggregatedBase, rows: Searched, error: str, counted: Callable[[Sought], ErrorCounts]
) -> Prepared | None:
    """The search that the config asks for; None where it asks for none.

    Args:
        error: which one is looked at.
        counted: counts it.

    Raises:
        InputError: for a column that is missing or has too many levels, or columns or a depth that make too many
            slices.
    """
    search = config.search
    if search is None:
        return None
    items = [item for subset in config.subsets for item in subset]
    bands = {config.column(item.column): item for item in items if isinstance(item, Band)}
    sought = Sought(
        columns=tuple(_columns(config, search, rows)),
        depth=search.depth,
        edges={name: band.edges for name, band in bands.items() if band.edges},
        quantiles={name: band.quantiles for name, band in bands.items() if band.quantiles},
        bands=search.quantiles,
        max_levels=config.max_levels,
        as_given=search.columns is not None,
    )
    counts = counted(sought)
    return Prepared(search, error, search.min_support or max(32, -(-counts.rows // 100)), counts)


def weakest(prepared: Prepared | None) -> dict[str, Any] | None:
    """The weak slices, as the measurement ``weak_slices``; None where none were asked for."""
    if prepared is None:
        return None
    search = prepared.search
    result = weak_slices(
        prepared.counts, depth=search.depth, top=search.top, minimum=prepared.minimum, weight=search.alpha
    )
    return {
        **as_json(result),
        "slices": [slice_json(one) for one in result.slices],
        "error": prepared.error,
        "depth": search.depth,
        "top": search.top,
        "alpha": search.alpha,
        "quantiles": search.quantiles,
        "minimum_support": prepared.minimum,
        "columns": [name for name, _ in prepared.counts.columns],
        "passed_over": as_json(prepared.counts.passed_over),
        "method": _METHOD,
    }


def _columns(config: DisaggregatedBase, search: Search, rows: Searched) -> list[str]:
    if search.columns is not None:
        return [config.column(name) for name in search.columns]
    given = [item.column if isinstance(item, Band) else item for subset in config.subsets for item in subset]
    return [config.column(name) for name in given] or [name for name in rows.features if name not in rows.apart]
