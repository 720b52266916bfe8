"""Which slices a config asks for: the same for every evaluator that looks at slices."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import combinations

from mlflow_eval_plugin.engines.slicing import Slicing
from mlflow_eval_plugin.evaluators.config.base import SlicedConfig
from mlflow_eval_plugin.evaluators.config.slices import Band, SliceItem
from mlflow_eval_plugin.query import NamedQuery, parse
from mlflow_eval_plugin.stats.counts.slice import Slice


def slicing_of(config: SlicedConfig) -> Slicing:
    """What the engine is to slice by."""
    bands = {_column(item, config): item for subset in config.subsets for item in subset if isinstance(item, Band)}
    return Slicing(
        columns=slice_columns(config, in_order=True),
        depth=max((len(subset) for subset in wanted_subsets(config)), default=1),
        edges={name: band.edges for name, band in bands.items() if band.edges},
        quantiles={name: band.quantiles for name, band in bands.items() if band.quantiles},
        max_levels=config.max_levels,
        queries=[NamedQuery(name, text, parse(text, config.column)) for name, text in config.queries.items()],
    )


def slice_columns(config: SlicedConfig, *, in_order: bool = False) -> list[str]:
    """The columns of the data that slices are made of, by name or in the order of the config."""
    columns = dict.fromkeys(_column(item, config) for subset in config.subsets for item in subset)
    return list(columns) if in_order else sorted(columns)


def wanted_subsets(config: SlicedConfig) -> frozenset[frozenset[str]]:
    """The sets of columns whose slices are reported: the engine counts all up to a depth, which may be more."""
    subsets = {frozenset(_column(item, config) for item in subset) for subset in config.subsets}
    singles = sorted(next(iter(subset)) for subset in subsets if len(subset) == 1)
    for size in range(2, config.depth + 1):
        subsets |= {frozenset(some) for some in combinations(singles, size)}
    return frozenset(subsets)


def wanted_labels(config: SlicedConfig, slices: Iterable[Slice]) -> list[str]:
    """The labels of the slices that are reported, in the order of the Summary, without "overall"."""
    wanted = wanted_subsets(config)
    return [one.label for one in slices if one.query is not None or frozenset(one.columns) in wanted]


def _column(item: SliceItem, config: SlicedConfig) -> str:
    return config.column(item.column if isinstance(item, Band) else item)
