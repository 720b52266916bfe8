"""Probabilities of the positive class, from a model or from a column; the model is asked once."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mlflow_eval_plugin.engines.arrow.columns.inputs import clipped_scores, column_of, how_many, numbers_of
from mlflow_eval_plugin.plugin.asking import ask, ask_probabilities, probabilistic
from mlflow_eval_plugin.plugin.data.frames import Frame
from mlflow_eval_plugin.plugin.data.tables import GivenTable, Scorer
from mlflow_eval_plugin.plugin.data.values import (
    coded_values,
    distinct_values,
    known_values,
    missing_values,
    plain_numbers,
)
from mlflow_eval_plugin.stats.errors import InputError


@dataclass(frozen=True, eq=False)
class Scores:
    """Probabilities, or predicted classes as 0 and 1 where there are none; exactly one of the two is given.

    Of three or more classes, which only ``drift`` takes in this form, predictions are categories.
    """

    probability: NDArray[np.float64] | None
    prediction: Any


def scores_of(table: GivenTable, positive: str, column: str | None, scorer: Scorer) -> Scores:
    """Probabilities or classes of a table's rows; neither where there is neither a model nor predictions.

    Raises:
        InputError: when the model's output or the column cannot be used.
    """
    return scorer.once(("binary", id(table), positive, column), lambda: _asked(table, positive, column, scorer))


def _asked(table: GivenTable, positive: str, column: str | None, scorer: Scorer) -> Scores:
    if table.whole is not None:
        found = scores_of(table.whole, positive, column, scorer)
        return Scores(table.taken(found.probability), table.taken(found.prediction))
    if scorer.model is not None:
        with table.named():
            return model_scores(scorer.model, table.inputs, positive, column or scorer.output_column, _labels(scorer))
    if column is not None:
        values = column_of(table.features, column, argument="probability_column")
        return Scores(clipped_scores(numbers_of(values, argument="score")), None)
    if table.predictions is None:
        return Scores(None, None)
    return column_scores(table.predictions, positive, f"predictions column {table.predictions_name!r}", _labels(scorer))


def _labels(scorer: Scorer) -> frozenset[str]:
    return scorer.once(("binary labels",), lambda: classes_of(scorer.evaluated.labels))


def model_scores(model: Any, features: Any, positive: str, column: str | None, labels: Collection[str] = ()) -> Scores:
    """Score the rows with a model.

    The raw model's ``predict_proba`` is asked where there is one (scikit-learn, XGBoost, LightGBM, CatBoost); else
    ``predict``, whose output may be probabilities of the positive class, two columns of them, or classes.

    Args:
        positive: the positive class, as text.
        column: the column of the model's output to take.
        labels: the classes that the labels have, as text.

    Raises:
        InputError: when the output holds no usable column, or the model does not know the positive class.
    """
    raw = probabilistic(model)
    if raw is not None:
        classes = [class_text(one) for one in getattr(raw, "classes_", [])]
        found = _of_positive(np.asarray(ask_probabilities(model, features)), classes, positive)
        return Scores(clipped_scores(found), None)
    return column_scores(_one_column(ask(model, features), column, positive), positive, "the model's output", labels)


def column_scores(values: Any, positive: str, name: str, labels: Collection[str] = ()) -> Scores:
    """Scores from a column: probabilities where it holds numbers that are not all whole, else classes.

    Args:
        labels: the classes that the labels have, as text.

    Raises:
        InputError: for classes that are missing, or are neither of the two.
    """
    array = plain_numbers(np.asarray(values))
    known = {positive, *labels}
    if array.dtype.kind in "biuf" and not _are_classes(array, known):
        return Scores(clipped_scores(array.astype(np.float64, copy=False)), None)
    missing = missing_values(array)
    if missing.any():
        raise InputError(f"{name}: {how_many(missing)} missing; expected a predicted class in every row")
    found = {class_text(one) for one in distinct_values(array)}
    if len(found | known) > 2 and not found <= known:
        unknown = sorted(found - known)
        raise InputError(
            f"{name}: expected probabilities, or two classes of which {positive!r} is positive, found "
            f"{', '.join(map(repr, unknown[:6]))}, which no label is; name a column of probabilities as "
            "'probability_column', and give 'label_list' where there are more classes"
        )
    if len(found) > 1 and positive not in found:
        raise InputError(f"pos_label: {positive!r} is not among {', '.join(map(repr, sorted(found)))} in {name}")
    return Scores(None, are_positive(array, positive))


def classes_of(labels: Any) -> frozenset[str]:
    """The classes that labels have, as text; none where there are no labels."""
    return frozenset() if labels is None else frozenset(map(class_text, known_values(labels)))


def _are_classes(array: NDArray[Any], known: Collection[str]) -> bool:
    """Whether numbers are classes: whole, or such as the labels are."""
    if array.dtype.kind != "f" or (array == np.floor(array)).all():
        return True
    # Labels such as 0.5 and 1.5: the first rows tell most columns of probabilities from them.
    return all({class_text(one) for one in distinct_values(some)} <= set(known) for some in (array[:1000], array))


def are_positive(values: Any, positive: str) -> NDArray[np.uint8]:
    """1 where a value is the positive class, else 0; missing values are not positive."""
    codes, classes = coded_values(np.asarray(values))
    flags = np.array([class_text(one) == positive for one in classes] + [False], dtype=np.uint8)
    return np.asarray(flags[codes], dtype=np.uint8)


def class_text(value: Any) -> str:
    """A class as text, the same for 1, 1.0, True and "1"."""
    plain = value.item() if isinstance(value, np.generic) else value
    if isinstance(plain, float) and plain.is_integer():
        plain = int(plain)
    return {"True": "1", "False": "0"}.get(str(plain), str(plain))


def _of_positive(probabilities: NDArray[np.float64], classes: list[str], positive: str) -> NDArray[np.float64]:
    if probabilities.ndim == 1:
        return probabilities
    if probabilities.shape[1] != 2:
        raise InputError(
            f"model: expected probabilities of two classes, found {probabilities.shape[1]}; leave out 'pos_label', "
            "'label_list' and 'probability_column' where all are to be evaluated"
        )
    if classes and positive not in classes:
        raise InputError(
            f"pos_label: the model knows {', '.join(map(repr, classes))}, the positive class is {positive!r}"
        )
    return np.ascontiguousarray(probabilities[:, classes.index(positive) if classes else 1])


def _one_column(output: Any, column: str | None, positive: str) -> Any:
    if isinstance(output, Frame):
        names = [str(name) for name in output.columns]
        of_positive = next((name for name in names if class_text(name) == positive), None)
        wanted = next((name for name in (column, names[0] if len(names) == 1 else of_positive) if name in names), None)
        if wanted is None or (column is not None and column not in names):
            raise InputError(
                f"model: its output has the columns {', '.join(map(repr, names))}; say with 'probability_column' which "
                "one holds the probability of the positive class"
            )
        return output.iloc[:, names.index(wanted)].to_numpy()
    array = np.asarray(output)
    if array.ndim == 2:
        return _of_positive(array, [], positive) if array.shape[1] > 1 else array[:, 0]
    return array
