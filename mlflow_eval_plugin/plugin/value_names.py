"""Whether the names that a config gives to values are of columns and levels that there are."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from typing import Any

from mlflow_eval_plugin.evaluators.config.base import Config
from mlflow_eval_plugin.evidence import Evidence
from mlflow_eval_plugin.nearest import nearest
from mlflow_eval_plugin.plugin.data.frames import framed
from mlflow_eval_plugin.plugin.data.tables import GivenTable
from mlflow_eval_plugin.reports.sentences.naming import unused_names
from mlflow_eval_plugin.stats.errors import InputError

_OF_MODELS = ("score", "prediction")  # what the columns of a model's answers are called in a document
_logger = logging.getLogger(__name__)


def require_named_columns(
    table: GivenTable, references: Iterable[GivenTable], configs: Mapping[str, Config], frozen: Iterable[str] = ()
) -> None:
    """Refuse ``value_labels`` of columns that nothing in the call has.

    A column of one evaluator's ``slice_data``, or of a reference, is enough: one dictionary serves all evaluators.

    Args:
        frozen: the columns of baselines.

    Raises:
        InputError: names every such column, with the nearest ones there are.
    """
    given = [(config, column) for config in configs.values() for column in config.value_labels]
    if not given:
        return
    known = dict.fromkeys(
        [
            *_columns_of(table),
            *(name for one in references for name in _columns_of(one)),
            *frozen,
            *(name for config in configs.values() for name in _columns_given(getattr(config, "slice_data", None))),
        ]
    )
    names = [name for name in known if name not in _OF_MODELS]
    asked = {config.column(column): column for config, column in given}
    unknown = [f"no column {name!r}{nearest(name, names)}" for name in asked if name not in {*known, *_OF_MODELS}]
    if unknown:
        raise InputError(f"value_labels: {'; '.join(unknown)}")


def warn_of_unused_names(evidences: Iterable[Evidence]) -> None:
    """Warn of names of levels that do not occur while levels that do have none: the values may be written otherwise."""
    for said in unused_names(evidences):
        _logger.warning("value_labels: %s", said)


def _columns_of(table: GivenTable) -> list[str]:
    further = (table.labels_name, table.predictions_name)
    return [*map(str, table.features.columns), *(str(name) for name in further if name is not None)]


def _columns_given(given: Any) -> list[str]:
    if given is None:
        return []
    return list(map(str, given if isinstance(given, Mapping) else framed(given, argument="slice_data").columns))
