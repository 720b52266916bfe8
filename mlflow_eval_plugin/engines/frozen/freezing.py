"""Rows of any engine, asked once for all that a reference is asked for; what they answer needs no rows any more."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

from mlflow_eval_plugin.engines.contract import BinaryData, MulticlassData, RegressionData, RowData
from mlflow_eval_plugin.engines.frozen.columns import FrozenColumn, FrozenRows, few_values
from mlflow_eval_plugin.engines.frozen.questions import question
from mlflow_eval_plugin.engines.frozen.tasks import FrozenBinaryRows, FrozenMulticlassRows, FrozenRegressionRows
from mlflow_eval_plugin.engines.slicing import Slicing

FEW_VALUES = 100  # numbers with so many different ones may be asked for as codes, whether or not anybody says so


def frozen_columns(
    rows: RowData, *, columns: Sequence[str], categorical: Collection[str] = (), key: Sequence[str] = ()
) -> FrozenRows:
    """Columns on bins of their own, for drift.

    Args:
        columns: those that are counted; of others names and kinds are kept, and nothing of their values.
        categorical: columns whose numbers are codes; they are kept as numbers too.
        key: the columns of a key, of which it is kept how many rows repeat one.
    """
    counted = rows.binned(columns, roles={}, categorical=(), bits={})
    coded = [name for name in columns if name in categorical or few_values(counted[name], FEW_VALUES)]
    codes = rows.binned(coded, roles={}, categorical=coded, bits={}) if coded else {}

    def made(name: str) -> FrozenColumn:
        if name not in counted:
            return FrozenColumn(0, ())
        return FrozenColumn(rows.present(name) or 0, rows.examples(name), counted[name], codes.get(name))

    keyed = {question("keys", columns=sorted(key)): rows.keys(key)} if key else {}
    return FrozenRows(rows.rows, rows.schema(), {name: made(name) for name in rows.names}, keyed=keyed)


def frozen_binary(rows: BinaryData, sliced: Sequence[tuple[Slicing, float]] = ()) -> FrozenBinaryRows:
    """Scores against labels, and the same by slice; nothing of rows without labels.

    Args:
        sliced: how to slice, each with the threshold at and above which scores are decided as positive.
    """
    answers: dict[str, Any] = {}
    if rows.has_labels and rows.has_scores:
        answers["scores"] = rows.scores()
    if rows.has_labels and rows.has_predictions:
        for slicing, threshold in sliced:
            answers[question("sliced", slicing=slicing, threshold=threshold)] = rows.sliced(slicing, threshold)
    known: dict[str, Any] = {
        "has_labels": rows.has_labels,
        "has_scores": rows.has_scores,
        "has_predictions": rows.has_predictions,
    }
    return FrozenBinaryRows(rows.rows, rows.schema(), {}, answers, **known)


def frozen_multiclass(rows: MulticlassData, sliced: Sequence[Slicing] = ()) -> FrozenMulticlassRows:
    """The confidence and each class against the rest, all rows by label and prediction, and the same by slice."""
    answers: dict[str, Any] = {question("sliced", slicing=one, ranked=True): rows.sliced(one) for one in sliced}
    answers[question("sliced", slicing=Slicing(), ranked=False)] = rows.sliced(ranked=False)
    if rows.has_probabilities:
        answers["confidence"] = rows.confidence()
        for place, name in enumerate(rows.classes):
            answers[question("of_class", name=name)] = rows.of_class(place)
    return FrozenMulticlassRows(rows.rows, rows.schema(), {}, answers, rows.classes, rows.has_probabilities)


def frozen_regression(rows: RegressionData, sliced: Sequence[Slicing] = ()) -> FrozenRegressionRows:
    """Errors of all rows, by bin of the prediction, and by slice."""
    answers: dict[str, Any] = {question("moments", slicing=one): rows.moments(one) for one in sliced}
    answers["moments"] = rows.moments()
    answers["predictions"] = rows.predictions()
    return FrozenRegressionRows(rows.rows, rows.schema(), {}, answers)
