"""Which calls need their rows in memory, each for a reason."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mlflow_eval_plugin.evaluators.config.base import Config

MEMORY_ROWS = 2**24  # of these the columns of an ordinary table take some gigabytes


class InMemory(Exception):
    """What is asked needs the rows in memory; the message says why, and what else could be asked."""


def require_countable_in_parts(configs: Mapping[str, Config], model: Any) -> None:
    """Find what cannot be counted part by part.

    Raises:
        InMemory: with all reasons.
    """
    reasons = [] if model is None else ["model: it is asked of rows in memory; write the predictions first"]
    for kind, config in configs.items():
        reasons += [f"{kind}: {one}" for one in _of(config)]
    if reasons:
        raise InMemory("; ".join(reasons))


def _of(config: Config) -> list[str]:
    found = []
    if getattr(config, "slice_data", None) is not None:
        found.append("'slice_data' lies beside the rows; write its columns into the data")
    weights = getattr(config, "sample_weights", None)
    if weights is not None and not isinstance(weights, str):
        found.append("'sample_weights' are an array; name a column of the data")
    if config.leaves_out_late:
        found.append("'missing_labels' leaves out rows; filter the data")
    if config.interactive:
        found.append("'evidently' needs rows; leave it out")
    if getattr(config, "row_metrics", None):
        found.append("'row_metrics' read rows; give 'metrics', functions of a Summary")
    if config.positive is None and config.names_many_classes and config.takes_columns:
        found.append("predicted ones of three or more classes are compared in memory; give a sample")
    champion = getattr(config, "champion", None)
    if champion is not None and (champion.model is not None or champion.run is not None):
        found.append("the champion's predictions lie elsewhere; join them to the data by its key, and name the column")
    return found
