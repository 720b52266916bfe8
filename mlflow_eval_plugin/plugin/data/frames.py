"""Tables of any library, and MLflow's data sets, as pandas frames; what a model gives as columns or an array."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import pandas as pd
from mlflow.data.dataset import Dataset
from mlflow.data.evaluation_dataset import EvaluationDataset

from mlflow_eval_plugin.engines.arrow.columns.streams import is_arrow, read_arrow, read_column
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
            return pd.DataFrame({name: by_position(one) if is_arrow(one) else one for name, one in given.items()})
        collected = given.collect() if hasattr(given, "collect") and hasattr(given, "lazy") else given
        found = _converted(collected)
        if isinstance(found, pd.Series):
            raise ValueError("it is a column without a name; give a mapping of columns")
    except (TypeError, ValueError) as error:
        raise InputError(f"{argument}: it cannot be read as a table ({error})") from error
    if not isinstance(found, pd.DataFrame):
        kind = f"{type(given).__module__.partition('.')[0]}.{type(given).__name__}"
        raise InputError(
            f"{argument}: expected a data frame (pandas, polars, pyarrow or Spark), what exports an Arrow "
            f"stream (as DuckDB does), a mapping of columns or an MLflow data set, found {kind}"
        )
    return found


def by_position(values: Any) -> Any:
    """A column of any library as pandas or NumPy hold it, without an index.

    Raises:
        ValueError: when it has a type that pyarrow does not know.
    """
    column = read_column(values) if is_arrow(values) else values
    return column.array if isinstance(column, pd.Series) else np.asarray(column)


def _converted(given: Any) -> Any:
    """A table or column of another library as pandas has it; None where it is neither."""
    if is_arrow(given):
        return read_arrow(given)
    # Spark, and older releases of others, export no Arrow.
    own = getattr(given, "to_pandas", None) or getattr(given, "toPandas", None)
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
    elif not isinstance(output, (pd.Series, pd.DataFrame)):
        try:
            converted = _converted(output)
        except ValueError as error:
            raise InputError(f"model: its output cannot be read as a table or a column ({error})") from error
        output = output if converted is None else converted
    if isinstance(output, pd.Series):
        return output.to_numpy()
    if isinstance(output, pd.DataFrame):
        found = output.reset_index(drop=True)
        found.columns = pd.Index([level_label(name) for name in found.columns])
        return found
    return output


def _flat(values: Any) -> Any:
    column = by_position(values) if is_arrow(values) else values
    array = np.asarray(column)
    return array[:, 0] if array.ndim == 2 and array.shape[1] == 1 else column
