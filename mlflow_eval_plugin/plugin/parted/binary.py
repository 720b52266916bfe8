"""From columns of a source to ``Rows`` of two classes, as ``plugin.binary.rows`` makes them of a frame."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from mlflow_eval_plugin.engines.arrow.columns.inputs import coded_labels
from mlflow_eval_plugin.engines.parts.asking import Question
from mlflow_eval_plugin.engines.parts.binary import BinaryReading, PartedBinaryRows, PartedPairedBinaryRows
from mlflow_eval_plugin.engines.parts.rows import PartedRows
from mlflow_eval_plugin.engines.parts.shown import Shown, ShownColumn
from mlflow_eval_plugin.engines.parts.survey.checks import CheckedLabels, CheckLabels
from mlflow_eval_plugin.engines.parts.survey.facts import require_names
from mlflow_eval_plugin.evaluators.binary.comparison import ChampionRows
from mlflow_eval_plugin.evaluators.binary.rows import Rows
from mlflow_eval_plugin.evaluators.config.base import Config
from mlflow_eval_plugin.plugin.binary.scores import class_text, column_scores
from mlflow_eval_plugin.plugin.data.values import as_column
from mlflow_eval_plugin.plugin.parted.side import Side
from mlflow_eval_plugin.plugin.parted.whether import InMemory
from mlflow_eval_plugin.stats.errors import InputError


@dataclass(frozen=True, eq=False)
class Labels:
    """The labels of all rows: the positive class as text, and all of them."""

    checked: CheckedLabels
    positive: str
    known: bool

    @property
    def classes(self) -> frozenset[str]:
        """The classes that there are, as text."""
        return frozenset(map(class_text, self.checked.values))


def is_of(side: Side, config: Config) -> bool:
    """All rows of its type of model that are of no task before it."""
    return True


def surveyed(side: Side, config: Config) -> Sequence[Question]:
    """What the first pass finds of labels and predictions."""
    return [CheckLabels(one) for one in (side.label, side.prediction) if one is not None]


def labels_of(side: Side, config: Config) -> Labels:
    """The labels of the evaluated rows.

    Raises:
        InputError: when they are none of two classes, or one is missing where every row is judged by it.
    """
    checked: CheckedLabels = side.asking.one(CheckLabels(str(side.label)))
    reasons = checked.reasons(config.positive)
    if reasons and not config.takes_columns:
        raise InputError("; ".join(reasons))
    if reasons:
        return Labels(checked, class_text(1 if config.positive is None else config.positive), known=False)
    _, positive = coded_labels(as_column(list(checked.values)), config.positive)
    listed = set(map(class_text, config.label_list or ()))
    unknown = sorted(set(map(class_text, checked.values)) - listed) if listed else []
    if unknown:
        raise InputError(f"label_list: it lacks {', '.join(map(repr, unknown))}, which the labels have; add it")
    return Labels(checked, class_text(positive), known=True)


def said_by(side: Side, column: str, name: str, positive: str, labels: frozenset[str], told: str) -> ShownColumn:
    """A column of probabilities or of predicted classes.

    Args:
        labels: the classes that the labels have, as text.
        told: what to call it in messages.

    Raises:
        InputError: for classes that are missing, or are neither of the two.
    """
    checked: CheckedLabels = side.asking.one(CheckLabels(column))
    if checked.more:
        # No classes: whether these are probabilities is found with what else is looked for in numbers.
        return ShownColumn(name, column, "score")
    found = column_scores(np.array(list(checked.values)), positive, told, labels)
    if found.probability is not None:
        return ShownColumn(name, column, "score")
    if checked.missing.rows:
        raise InputError(f"{told}: {checked.missing.said('missing')}; expected a predicted class in every row")
    return ShownColumn(name, column, "class", positive)


def rows(side: Side, config: Config) -> Rows:
    """The evaluated rows.

    Raises:
        InputError: for labels or predictions that cannot be evaluated.
        InMemory: for what is counted in memory alone.
    """
    labels, said = labels_of(side, config), None
    named = None if config.probability_column is None else str(config.column(config.probability_column))
    if named is not None:
        require_names(side.sliced, [named], "probability_column")
        said = ShownColumn(named, named, "score")
    elif side.prediction is not None:
        told = f"predictions column {side.prediction!r}"
        said = said_by(side, side.prediction, side.prediction, labels.positive, labels.classes, told)
        _require_two(side, config, labels, said)
    name = "score" if said is None else said.name
    return _rows(side, config, labels.known, None, labels.positive, said, name)


def _require_two(side: Side, config: Config, labels: Labels, said: ShownColumn) -> None:
    if config.positive is not None or said.held != "class":
        return
    if config.takes_columns or (len(labels.checked.values) == 1 and _kinds(side, said) > 2):
        raise InMemory(f"{config.kind}: predicted classes are compared in memory; give probabilities, or a sample")


def _kinds(side: Side, said: ShownColumn) -> int:
    found: CheckedLabels = side.asking.one(CheckLabels(said.source))
    return len(found.values)


def reference(side: Side, like: Rows, config: Config) -> Rows:
    """The rows of the reference, which may lack labels and predictions.

    Raises:
        InputError: when its values cannot be evaluated.
    """
    known, raw = False, None
    if side.label is not None and not config.takes_columns:
        checked: CheckedLabels = side.asking.one(CheckLabels(side.label))
        raw = next((one for one in checked.values if class_text(one) == like.pos_label), like.pos_label)
        if reasons := checked.reasons(raw):
            raise InputError("; ".join(f"reference: {one}" for one in reasons))
        known = True
    said = None
    named = None if config.probability_column is None else str(config.column(config.probability_column))
    if named is not None:
        said = ShownColumn(like.score_name, named, "score") if named in side.features else None
    elif side.prediction is not None:
        told = f"reference: predictions column {side.prediction!r}"
        said = said_by(side, side.prediction, like.score_name, like.pos_label, frozenset({like.pos_label}), told)
    return _rows(side, config, known, raw, like.pos_label, said, like.score_name)


def champion(side: Side, own: Rows, config: Any) -> ChampionRows:
    """What the champion says of the evaluated rows, in a column of theirs.

    Raises:
        InputError: when there is no such column, or it cannot be read.
    """
    name, source = side.champion(config, own.score_name)
    labels = frozenset(map(class_text, side.asking.one(CheckLabels(str(side.label))).values))
    try:
        said = said_by(side, name, name, own.pos_label, labels, f"column {name!r}")
    except InputError as error:
        raise InputError(f"champion: {error}") from error
    held: Any = own.scored
    return ChampionRows(PartedPairedBinaryRows(held, said), source)


def _rows(
    side: Side, config: Config, known: bool, raw: Any, positive: str, said: ShownColumn | None, name: str
) -> Rows:
    weight, shown = side.weight(config), side.sliced
    chosen = config.positive if raw is None else raw
    reading = BinaryReading(side.label if known else None, chosen, said, weight)
    everything = {one.name: one for one in shown.each}
    if side.label is not None:
        everything[side.label] = ShownColumn(side.label, side.label)
    if said is not None:
        everything[name] = said
    return Rows(
        data=side.data(weight),
        scored=PartedBinaryRows(side.asking, shown, reading),
        pos_label=positive,
        features=tuple(one for one in side.features if one != name),
        label_name=side.label_name,
        score_name=name,
        everything=PartedRows(side.asking, Shown(tuple(everything.values()))),
        expected=side.features if side.is_reference else (),
    )
