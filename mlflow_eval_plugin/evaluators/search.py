"""The search of the ``disaggregated`` evaluator: in which slices, that nobody had in mind, does the model err most?"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

from mlflow_eval_plugin.engines.arrow.joint import Columns
from mlflow_eval_plugin.engines.arrow.search import (
    ErrorCounts,
    ErrorKind,
    PassedOver,
    searched_columns,
)
from mlflow_eval_plugin.evaluators.config.disaggregated import DisaggregatedConfig
from mlflow_eval_plugin.evaluators.config.disaggregated_base import DisaggregatedBase
from mlflow_eval_plugin.evaluators.config.slices import Band, Search
from mlflow_eval_plugin.evaluators.document import Frame, as_json, slice_json
from mlflow_eval_plugin.stats.errors import InputError
from mlflow_eval_plugin.stats.slices.weak import can_be_searched, weak_slices

_METHOD = (
    "SliceLine's exact best by score; p-values by Chernoff's bound for rows drawn without replacement, adjusted as "
    "layered critical values for all slices that can have the minimum of rows"
)


Kind = TypeVar("Kind", bound=str)


class Searched(Protocol):
    """Rows of any kind, as far as a search needs them."""

    @property
    def frame(self) -> Frame:
        """Features and further slice columns."""

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
    passed_over: tuple[PassedOver, ...]


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
    config: DisaggregatedBase, rows: Searched, error: Kind, counted: Callable[[Columns, Kind], ErrorCounts]
) -> Prepared | None:
    """The search that the config asks for; None where it asks for none.

    Args:
        counted: counts an error by coded columns.

    Raises:
        InputError: for a column that is missing or has too many levels, or columns or a depth that make too many
            slices.
    """
    search = config.search
    if search is None:
        return None
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
    counts = counted(columns, error)
    minimum = search.min_support or max(32, -(-len(counts.errors) // 100))
    return Prepared(search, error, minimum, counts, passed_over)


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
        "passed_over": as_json(prepared.passed_over),
        "method": _METHOD,
    }


def _columns(config: DisaggregatedBase, search: Search, rows: Searched) -> list[str]:
    if search.columns is not None:
        return [config.column(name) for name in search.columns]
    given = [item.column if isinstance(item, Band) else item for subset in config.subsets for item in subset]
    return [config.column(name) for name in given] or [name for name in rows.features if name not in rows.apart]
