"""From the rows that evaluators are given of a reference to the parts of a baseline."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from mlflow_eval_plugin.engines.contract import RowData
from mlflow_eval_plugin.engines.frozen.columns import FrozenRows
from mlflow_eval_plugin.engines.frozen.freezing import (
    frozen_binary,
    frozen_columns,
    frozen_multiclass,
    frozen_regression,
)
from mlflow_eval_plugin.evaluators.binary.rows import Rows
from mlflow_eval_plugin.evaluators.config.base import Config
from mlflow_eval_plugin.evaluators.config.disaggregated_base import DisaggregatedBase
from mlflow_eval_plugin.evaluators.multiclass.rows import MulticlassRows
from mlflow_eval_plugin.evaluators.regression.rows import RegressionRows
from mlflow_eval_plugin.evaluators.slicing import slicing_of
from mlflow_eval_plugin.stats.errors import InputError

AnyRows = Rows | MulticlassRows | RegressionRows


@dataclass(frozen=True, eq=False)
class FrozenPart:
    """What one evaluator needs of a reference: as JSON, and as handles.

    Attributes:
        said: the members of ``document.Part`` but its rows.
        held: the columns for drift, and what is known of scored rows; either may be None.
    """

    said: dict[str, Any]
    held: dict[str, Any]


def frozen_part(task: str, config: Config, rows: AnyRows, labelled: int | None, label: str) -> FrozenPart:
    """Ask the rows of a reference all that the evaluator of a config asks of one.

    Args:
        labelled: rows with a label, of those that are judged by it.
        label: what the column of labels is called.

    Raises:
        InputError: for a reference that holds nothing that the evaluator compares with.
    """
    said: dict[str, Any] = {"task": task, "config": config.document(), "label": label, "received": labelled}
    if not isinstance(rows, MulticlassRows):
        said |= {"score": rows.score_name, "forecasts": list(rows.forecasts)}
    if isinstance(rows, Rows):
        said["pos_label"] = rows.pos_label or None
    if config.takes_columns and not isinstance(rows, MulticlassRows):
        return FrozenPart(said, {"everything": _columns(config, rows), "scored": None})
    scored = _scored(config, rows)
    if scored is None:
        raise InputError(
            f"{config.kind}: these rows have no labels or no predictions, so that nothing of it can be frozen; give "
            "them, or leave it out of 'evaluator_config'"
        )
    return FrozenPart(said, {"everything": None, "scored": scored})


def schema_of(rows: AnyRows) -> Iterator[dict[str, str]]:
    """The columns of a reference, sorted by name, each with its kind."""
    held: RowData = rows.known if isinstance(rows, MulticlassRows) else rows.everything
    return ({"name": one.name, "kind": one.kind} for one in held.schema())


def _columns(config: Any, rows: Rows | RegressionRows) -> FrozenRows:
    names = rows.everything.names
    asked = set(names if config.columns is None else (*map(config.column, config.columns), *rows.roles))
    left = asked - set(map(config.column, config.exclude_columns))
    codes = {*map(config.column, config.categorical), *rows.classes}
    columns = [one for one in names if one in left]
    return frozen_columns(rows.everything, columns=columns, categorical=codes, key=config.keyed_by)


def _scored(config: Config, rows: AnyRows) -> Any:
    # Calibration compares all rows with those of a reference, and slices with nothing of it.
    sliced = [slicing_of(config)] if isinstance(config, DisaggregatedBase) else []
    if isinstance(rows, RegressionRows):
        return None if rows.predicted is None else frozen_regression(rows.predicted, sliced)
    if isinstance(rows, MulticlassRows):
        return None if rows.scored is None else frozen_multiclass(rows.scored, sliced)
    if not (rows.scored.has_labels and rows.scored.has_predictions):
        return None
    return frozen_binary(rows.scored, [(one, getattr(config, "threshold", 0.5)) for one in sliced])
