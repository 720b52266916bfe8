"""Tables of any library, and MLflow's data sets, as pandas frames; what a model gives as columns or an array."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import pandas as pd
from mlflow.data.dataset import Dataset
from mlflow.data.evaluation_dataset import EvaluationDataset

from mlflow_eval_plugin.engines.arrow.streams import frame_of, is_stream
from mlflow_eval_plugin.stats.counts.slice import level_label
from mlflow_eval_plugin.stats.errors import InputError

Frame: TypeAlias = pd.DataFrame
"""What rows are held in between the user's data and the engines."""


@dataclass(frozen=True, eq=False)
class Given:
    """A table as it was given, with what a data set of MLflow says of it; None where nothing is said."""

    frame: Frame
    labels: str | None = None
    predictions: str | None = None
    name: str | None = None
    digest: str | None = None


def given_table(given: Any, *, argument: str, features: Sequence[str], labels: str) -> Given:
    """A table (pandas, polars, pyarrow, Spark, an Arrow stream), a mapping of columns, or a data set of MLflow.

    Args:
        argument: for messages.
        features: what columns of an array are called, where it has as many.
        labels: what the labels are called where they are beside the features and have no name.

    Raises:
        InputError: when it is none of these.
    """
    if not isinstance(given, (Dataset, EvaluationDataset)):
        return Given(framed(given, argument=argument))
    held = next((one for key in ("df", "ds") if (one := getattr(given, key, None)) is not None), None)
    if held is not None:
        frame, target = framed(held, argument=argument), getattr(given, "targets", None)
        return Given(frame, target, getattr(given, "predictions", None), given.name, given.digest)
    values = getattr(given, "features_data" if isinstance(given, EvaluationDataset) else "features", None)
    target = getattr(given, "labels_data" if isinstance(given, EvaluationDataset) else "targets", None)
    if isinstance(values, np.ndarray) and values.ndim == 2:
        known = len(features) == values.shape[1]
        values = pd.DataFrame(values, columns=list(features) if known else None)
    frame = framed(values, argument=argument)
    named = getattr(given, "targets_name", None) or labels
    beside = frame if target is None else frame.assign(**{named: np.asarray(target)})
    return Given(beside, named, None, given.name, given.digest)


def framed(given: Any, *, argument: str) -> Frame:
    """A table as a pandas frame; one that is evaluated lazily is collected.

    Raises:
        InputError: when it is no table.
    """
    if isinstance(given, pd.DataFrame):
        return given
    try:
        if isinstance(given, Mapping):
            return pd.DataFrame(dict(given))
        collected = given.collect() if hasattr(given, "collect") and hasattr(given, "lazy") else given
        found = _converted(collected)
    except (TypeError, ValueError) as error:
        raise InputError(f"{argument}: it cannot be read as a table ({error})") from error
    if not isinstance(found, pd.DataFrame):
        kind = f"{type(given).__module__.partition('.')[0]}.{type(given).__name__}"
        raise InputError(
            f"{argument}: expected a data frame (pandas, polars, pyarrow or Spark), what exports an Arrow "
            f"stream (as DuckDB does), a mapping of columns or an MLflow data set, found {kind}"
        )
    return found


def _converted(table: Any) -> Any:
    if is_stream(table):
        return frame_of(table)
    own = getattr(table, "to_pandas", None) or getattr(table, "toPandas", None)
    return None if own is None else own()


def headings(*frames: Frame) -> Frame:
    """The columns of all frames, without a row."""
    return pd.concat([frame.head(0) for frame in frames], axis=1)


def tabled(output: Any, rows: int) -> Any:
    """What a model gave: columns by name as a frame, else an array; one row a row.

    A mapping holds columns, and a list of mappings rows.

    Raises:
        InputError: for what is neither, or has another number of rows.
    """
    found = _columns(output)
    if not isinstance(found, pd.DataFrame):
        try:
            found = np.asarray(found)
        except ValueError as error:
            raise InputError(f"model: expected one prediction a row, found some of other lengths ({error})") from error
        if found.ndim == 0:
            raise InputError(f"model: expected one prediction a row, found a single {type(output).__name__}")
    if len(found) != rows:
        raise InputError(f"model: expected {rows} predictions, one a row, found {len(found)}")
    return found


def _columns(output: Any) -> Any:
    listed = isinstance(output, (list, tuple)) and len(output) > 0 and isinstance(output[0], Mapping)
    if listed or isinstance(output, Mapping):
        try:
            output = pd.DataFrame(list(output) if listed else {key: _flat(one) for key, one in output.items()})
        except (TypeError, ValueError, AttributeError) as error:
            raise InputError(
                f"model: its output is a {'list' if listed else 'mapping'} that is no table of one row a row ({error})"
            ) from error
    elif hasattr(output, "to_pandas"):
        output = output.to_pandas()
    if isinstance(output, pd.Series):
        return output.to_numpy()
    if isinstance(output, pd.DataFrame):
        found = output.reset_index(drop=True)
        found.columns = pd.Index([level_label(name) for name in found.columns])
        return found
    return output


def _flat(values: Any) -> Any:
    array = np.asarray(values)
    return array[:, 0] if array.ndim == 2 and array.shape[1] == 1 else values
