"""A baseline in the place of a reference: what differs is refused, and the rest is what the rows would have said."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from mlflow_eval_plugin.engines.frozen.columns import FrozenRows
from mlflow_eval_plugin.engines.frozen.tasks import FrozenBinaryRows
from mlflow_eval_plugin.evaluators.binary.rows import Rows
from mlflow_eval_plugin.evaluators.config.base import Config
from mlflow_eval_plugin.evaluators.multiclass.rows import MulticlassRows
from mlflow_eval_plugin.evaluators.regression.rows import RegressionRows
from mlflow_eval_plugin.evidence import FrozenAs, Reference, Subject
from mlflow_eval_plugin.plugin.asking import further_columns
from mlflow_eval_plugin.plugin.baseline.document import Baseline, Part
from mlflow_eval_plugin.plugin.data.tables import GivenTable
from mlflow_eval_plugin.stats.errors import InputError

# Keys that decide what was counted, and not how it is judged.
_SHAPING = ("probability_column", "probability_columns", "prediction_column", "quantiles", "intervals")
AnyRows = Rows | MulticlassRows | RegressionRows


@dataclass(frozen=True, eq=False)
class Asked:
    """One evaluator that holds its rows against a baseline.

    Attributes:
        task: at which it judges.
        rows: the evaluated rows.
        subject: whose predictions they are.
    """

    baseline: Baseline
    config: Config
    task: str
    rows: AnyRows
    table: GivenTable
    model: Any
    subject: Subject

    @property
    def part(self) -> Part | None:
        """What was frozen for this evaluator."""
        return self.baseline.document.parts.get(self.config.kind)


def require_alike(asked: list[Asked]) -> None:
    """Refuse baselines of another model, of other columns of labels and predictions, or of another config.

    Columns that came, went or changed their kind are no reason: to find them is what drift is for.

    Raises:
        InputError: with every difference, what was expected and what was found.
    """
    by_uri: dict[str, list[str]] = {}
    for one in asked:
        known = by_uri.setdefault(one.baseline.uri, [])
        known += [reason for reason in _differences(one) if reason not in known]
    told = [f"baseline: {uri}: {'; '.join(reasons)}" for uri, reasons in by_uri.items() if reasons]
    if told:
        raise InputError(f"{'. '.join(told)}. Freeze one of this model, with these columns and this config")


def _differences(asked: Asked) -> Iterator[str]:
    document, part, kind = asked.baseline.document, asked.part, asked.config.kind
    if asked.config.interactive:
        yield "Evidently's report needs rows, and a baseline has none; leave out 'evidently', or give rows"
    frozen, found = document.model.digest, asked.subject.model_digest
    if frozen and found and frozen != found:
        yield f"the model: expected {frozen} ({document.model.uri}), found {found} ({asked.subject.model_uri})"
    if part is None:
        yield f"{kind}: it was frozen for {', '.join(sorted(document.parts))}, and not for {kind}"
        return
    if part.task != asked.task:
        yield f"{kind}: the task: expected {part.task!r}, found {asked.task!r}"
        return
    yield from _of_columns(asked, part)
    yield from _of_config(asked, part)


def _of_columns(asked: Asked, part: Part) -> Iterator[str]:
    label, named = asked.table.labels_name, asked.baseline.document.predictions
    if part.label != label:
        yield f"the column of labels: expected {part.label!r}, found {label!r}"
    given = asked.table.predictions_name if asked.model is None and asked.table.predictions is not None else None
    if named is not None and given is not None and named != given:
        yield f"the column of predictions: expected {named!r}, found {given!r}"
    rows, scored = asked.rows, _scored(asked)
    if isinstance(rows, Rows) and part.pos_label is not None and part.pos_label != rows.pos_label:
        yield f"the positive class: expected {part.pos_label!r}, found {rows.pos_label!r}"
    if isinstance(rows, MulticlassRows) and scored.classes != rows.known.classes:
        expected, found = (", ".join(one) for one in (scored.classes, rows.known.classes))
        yield f"the classes: expected {expected}, found {found}"


def _of_config(asked: Asked, part: Part) -> Iterator[str]:
    given, kind = asked.config.document(), asked.config.kind
    for key in _SHAPING:
        if part.config.get(key) != given.get(key):
            yield f"{kind}: {key}: expected {part.config.get(key)!r}, found {given.get(key)!r}"
    everything, columns = asked.baseline.rows[kind]["everything"], getattr(asked.config, "keyed_by", ())
    if columns and everything and set(columns) <= set(everything.names) and not everything.has_key(columns):
        yield f"{kind}: key: {', '.join(map(repr, columns))} was not counted; freeze it anew with this 'key'"
    rows = asked.baseline.document.data.rows
    late = rows - (rows if part.received is None else part.received)
    if late and not asked.config.leaves_out_late:
        yield f"{kind}: missing_labels: expected 'received', as {late:,} of its rows had no label, found 'refuse'"


def _scored(asked: Asked) -> Any:
    return asked.baseline.rows[asked.config.kind]["scored"]


def _of_data(names: tuple[str, ...], asked: Asked) -> tuple[str, ...]:
    """The columns of the data: without what a model said of them."""
    said = asked.part.score if asked.part and asked.baseline.document.predictions is None else None
    return tuple(name for name in names if name != said)


def frozen_reference(asked: Asked) -> AnyRows:
    """What an evaluator is given of a baseline that is alike."""
    part, rows, scored = asked.part, asked.rows, _scored(asked)
    if part is None:
        raise ValueError(f"{asked.baseline.uri} was not frozen for {asked.config.kind}")
    document = asked.baseline.document
    data = Reference(**document.data.model_dump(), baseline=FrozenAs(uri=asked.baseline.uri, digest=document.digest))
    if isinstance(rows, MulticlassRows):
        return replace(rows, data=data, scored=scored, labels=None)
    everything = asked.baseline.rows[asked.config.kind]["everything"] or FrozenRows(document.data.rows, (), {})
    names = everything.names
    shown = everything.renamed({part.score: rows.score_name} if part.score else {})
    common: dict[str, Any] = {
        "data": data,
        "everything": shown,
        "features": tuple(name for name in names if name not in (part.label, part.score, *part.forecasts)),
        "forecasts": part.forecasts,
        "labels": None,
        "expected": ()
        if asked.model is not None
        else tuple(n for n in names if n != part.score or document.predictions),
        "optional": further_columns(asked.model, map(str, asked.table.features.columns)),
    }
    if isinstance(rows, RegressionRows):
        return replace(rows, predicted=scored, **common)
    return replace(rows, scored=scored or FrozenBinaryRows(document.data.rows, (), {}), **common)
