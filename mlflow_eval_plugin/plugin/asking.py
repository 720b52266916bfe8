"""The one way in which a model is asked about rows: as it is asked where it serves.

``predict`` of a model in MLflow brings the rows into the form of the model's signature: its columns in its order, cast
to its types, no others; a missing one is refused. ``predict_proba`` of the model inside knows nothing of the signature,
and takes a column in another place for another feature without a word. So the same is done before it. A model without
a signature is asked with the columns that it was fitted on, where it knows them and takes others too.
"""

from __future__ import annotations

import inspect
import logging
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np
from mlflow.exceptions import MlflowException
from mlflow.models.utils import _enforce_schema
from mlflow.pyfunc.model import PythonModel

from mlflow_eval_plugin.nearest import nearest
from mlflow_eval_plugin.plugin.data.frames import Frame, tabled
from mlflow_eval_plugin.stats.errors import InputError

_ENFORCING = "Failed to enforce schema of data"  # MLflow's beginning of what it says of rows that do not fit
_UNNAMED = (
    ". No signature names its columns, so it is asked with all of them as they stand in the data: give those that it "
    "must not see as 'slice_data', or log the model with a signature"
)
_BY_PLACE = (
    "Log it with a signature: without one it may take a column in another place for another feature where it serves"
)
# Where scikit-learn, LightGBM, CatBoost and XGBoost keep the names of columns, their native models too.
_FITTED_ON = ("feature_names_in_", "feature_name_", "feature_names_", "feature_names", "feature_name")
_PROBED = 100  # rows that tell whether a model looks at names
_logger = logging.getLogger(__name__)


def probabilistic(model: Any) -> Any:
    """The model that MLflow wraps, where it has a ``predict_proba``; else None.

    A ``PythonModel`` serves what its ``predict`` gives, whatever other methods it has.
    """
    # A model served from another environment has no raw model here; neither has a plain function.
    try:
        raw = model.get_raw_model()
    except (AttributeError, NotImplementedError):
        return None
    return raw if hasattr(raw, "predict_proba") and not isinstance(raw, PythonModel) else None


def needed_columns(model: Any) -> tuple[str, ...] | None:
    """The columns that the model cannot do without; None where there is no signature that names columns."""
    schema = _schema(model)
    return tuple(schema.required_input_names()) if schema is not None and schema.has_input_names() else None


def further_columns(model: Any, columns: Iterable[str]) -> frozenset[str]:
    """Of these columns those that the model's signature does not name, which the model never sees."""
    schema = _schema(model)
    if schema is None or not schema.has_input_names():
        return frozenset()
    return frozenset(columns) - set(map(str, schema.input_names()))


def ask(model: Any, rows: Any) -> Any:
    """What ``predict`` says of rows, as ``frames.tabled`` has it; MLflow enforces the signature.

    Raises:
        InputError: when columns are missing or of a type that is not the signature's, the model fails on the rows, or
            what it gives is not one prediction a row.
    """
    return tabled(
        _answered(model, model.predict, _in_own_order(model, _own_columns(model, rows), model.predict)), len(rows)
    )


def ask_probabilities(model: Any, rows: Any) -> Any:
    """What ``predict_proba`` of a model that is ``probabilistic`` says of rows in the form of the signature.

    Raises:
        InputError: as ``ask``.
    """
    asked = probabilistic(model).predict_proba
    own, schema = _in_own_order(model, _own_columns(model, rows), asked), _schema(model)
    if schema is not None:
        own = _enforced(own, schema)
    return tabled(_answered(model, asked, own), len(rows))


def lacking(names: Sequence[str], columns: Sequence[Any]) -> str | None:
    """``'x', which the data lack, did you mean 'y'?``; None where every name is among the columns."""
    missing = [name for name in names if name not in set(columns)]
    texts = list(map(str, columns))
    found = "; ".join(f"{name!r}, which the data lack{nearest(str(name), texts)}" for name in missing)
    return found or None


def fitted_names(model: Any) -> list[str]:
    """The columns that the model inside was fitted on, where it knows them; some make up names for data without any."""
    try:
        raw = model.get_raw_model()
    except (AttributeError, NotImplementedError):
        return []
    if isinstance(raw, PythonModel):
        return []
    for attribute in _FITTED_ON:
        known = getattr(raw, attribute, None)
        names = known() if inspect.ismethod(known) else known
        if isinstance(names, (list, tuple, np.ndarray)) and len(names) and all(isinstance(one, str) for one in names):
            return list(map(str, names))
    return []


def _in_own_order(model: Any, rows: Any, asked: Callable[[Any], Any]) -> Any:
    """Without a signature: the columns that the model was fitted on, in their order.

    Models that look at names refuse what they do not know, as they do where they serve, or find their columns
    themselves. Others, LightGBM's among them, take a column in another place for another feature without a word.
    """
    known = fitted_names(model) if isinstance(rows, Frame) and needed_columns(model) is None else []
    columns = list(rows.columns) if known else []
    # LightGBM writes blanks in names as underscores.
    written = {name.replace(" ", "_"): name for name in columns if isinstance(name, str)}
    names = [name if name in set(columns) else written.get(name, name) for name in known]
    if columns == names:
        return rows
    if absent := [name for name in names if name not in set(columns)]:
        if len(absent) < len(names):  # of all names that are not there some model made up each
            said = lacking(absent, columns) or ""
            _logger.warning("The model was fitted on %s%s %s", said, "" if said.endswith("?") else ".", _BY_PLACE)
        return rows
    few, own = rows.head(_PROBED), rows[names]
    stands, named = (tabled(_answered(model, asked, one), len(few)) for one in (few, own.head(_PROBED)))
    if not Frame(stands).equals(Frame(named)):
        listed = ", ".join(map(repr, names[:12])) + ", …" * (len(names) > 12)
        _logger.warning(
            "The model looks at the places of columns, and is asked with %s in this order. %s", listed, _BY_PLACE
        )
    return own


def _schema(model: Any) -> Any:
    # A plain function, which MLflow wraps too, has no metadata.
    metadata = getattr(model, "metadata", None)
    return None if metadata is None else metadata.get_input_schema()


def _own_columns(model: Any, rows: Any) -> Any:
    """The rows without the columns that are not the model's, as far as its signature names them."""
    needed = needed_columns(model)
    if needed is None:
        return rows
    columns = list(rows.columns) if isinstance(rows, Frame) else []
    if missing := lacking(needed, columns):
        raise InputError(f"model: by its signature it needs {missing}")
    known = set(_schema(model).input_names())
    # drop gives a view where a selection by names would copy; and MLflow would warn of each further column.
    return rows.drop(columns=[name for name in columns if name not in known])


def _enforced(rows: Any, schema: Any) -> Any:
    # Some of MLflow's casts are made by position and put together by index, which need not be one that allows it.
    plain = rows.reset_index(drop=True) if isinstance(rows, Frame) else rows
    try:
        return _enforce_schema(plain, schema)
    except MlflowException as error:
        raise InputError(_refused(error)) from error


def _answered(model: Any, asked: Callable[[Any], Any], rows: Any) -> Any:
    try:
        return asked(rows)
    except Exception as error:
        # A model of somebody else, asked about rows that it may never have seen the like of.
        if isinstance(error, MlflowException) and _ENFORCING in str(error.message):
            raise InputError(_refused(error)) from error
        hint = _UNNAMED if needed_columns(model) is None else ""
        raise InputError(f"model: failed on these rows: {type(error).__name__}: {error}{hint}") from error


def _refused(error: MlflowException) -> str:
    # MLflow puts the whole data and the whole schema before what is wrong.
    return f"model: its signature refuses these rows: {str(error.message).rpartition(' Error: ')[-1]}"
