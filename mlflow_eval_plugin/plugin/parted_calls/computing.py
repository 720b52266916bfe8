"""The Evidence of a call whose rows are read in parts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from mlflow_eval_plugin.canonical import EvidenceError
from mlflow_eval_plugin.engines.parts.rows import key_question
from mlflow_eval_plugin.engines.parts.slices import surveyed
from mlflow_eval_plugin.evaluators.config.base import Config, judges_slices
from mlflow_eval_plugin.evaluators.document import About
from mlflow_eval_plugin.evaluators.slicing import slicing_of
from mlflow_eval_plugin.plugin.about import now, producer, subject_of
from mlflow_eval_plugin.plugin.baseline.opening import is_baseline, opened_baseline
from mlflow_eval_plugin.plugin.baseline.reference import Asked as AskedOfBaseline
from mlflow_eval_plugin.plugin.baseline.reference import frozen_reference, require_alike
from mlflow_eval_plugin.plugin.call import Call, Request, given_uri, require_columns_of_values
from mlflow_eval_plugin.plugin.data.tables import table_of
from mlflow_eval_plugin.plugin.parted.side import Side, Watching, head_of
from mlflow_eval_plugin.plugin.participants import Asked, invalid
from mlflow_eval_plugin.plugin.reading import columns_apart
from mlflow_eval_plugin.plugin.references import reference_table
from mlflow_eval_plugin.plugin.sources.opening import opened, source_of
from mlflow_eval_plugin.plugin.sources.source import Source
from mlflow_eval_plugin.plugin.tasks import TASKS, parted_reader, parted_task_of
from mlflow_eval_plugin.stats.errors import InputError


@dataclass(frozen=True, eq=False)
class Parted:
    """The rows of a call, and who is told how far each pass is."""

    source: Source
    watching: Watching


def computed_in_parts(request: Request, asked: Asked, rows: Parted) -> Call:
    """The Evidence of all evaluators that are asked for; nothing is logged, and no more than parts are in memory.

    Raises:
        MlflowException: INVALID_PARAMETER_VALUE, for data that cannot be evaluated.
        InMemory: for what is counted in memory alone.
    """
    call = Call(request, asked.configs(), table_of(request.dataset))
    try:
        _compute(call, rows)
    except (InputError, EvidenceError) as error:
        raise invalid(error) from error
    return call


def _compute(call: Call, rows: Parted) -> None:
    subject = subject_of(None, given_uri(call), model_id=call.request.model_id, run_id=call.request.run_id)
    own = _own(call, rows)
    references = _references(call, rows)
    require_columns_of_values(call)
    for sliced in filter(judges_slices, call.configs.values()):
        own.asking.survey(*surveyed(slicing_of(sliced), own.sliced))
    tasks = {kind: parted_task_of(call.request.model_type, own, config) for kind, config in call.configs.items()}
    _survey(own, call, tasks)
    sides: dict[str, tuple[Any, Any]] = {}
    frozen: dict[str, AskedOfBaseline] = {}
    for kind, config in call.configs.items():
        sides[kind] = _sides(call, config, tasks[kind], own, references)
        found = call.baseline(config)
        if found is not None:
            frozen[kind] = AskedOfBaseline(found, config, tasks[kind], sides[kind][0], call.table, None, subject)
    require_alike(list(frozen.values()))
    sides |= {kind: (sides[kind][0], frozen_reference(one)) for kind, one in frozen.items()}
    for kind, config in call.configs.items():
        about = About(subject, producer(), now(), task=tasks[kind])
        call.evidence[kind] = partial(TASKS[tasks[kind]].evaluate[kind], config)(*sides[kind], about)


def _own(call: Call, rows: Parted) -> Side:
    label, prediction = call.table.labels_name, call.table.predictions_name
    features = tuple(name for name in rows.source.schema.names if name not in (label, prediction))
    return Side(call.table.name, rows.source, label, prediction, features, rows.watching, label_name=label)


def _references(call: Call, rows: Parted) -> dict[int, Side]:
    """The references of all configs, each once; of baselines the call has what was frozen."""
    found: dict[int, Side] = {}
    for config in call.configs.values():
        given = getattr(config, "reference", None)
        if is_baseline(given):
            call.baselines.setdefault(str(given), opened_baseline(str(given)))
        elif given is not None and id(given) not in found:
            source = source_of(opened(given, argument="reference"), "reference")
            name = getattr(config, "reference_name", "reference")
            call.references[id(given)] = reference_table(head_of(source), name, call.table, None)
            found[id(given)] = _reference(name, source, call, rows)
    return found


def _reference(name: str, source: Source, call: Call, rows: Parted) -> Side:
    names = tuple(source.schema.names)
    label, prediction = (one if one in names else None for one in (call.table.labels_name, call.table.predictions_name))
    return Side(
        name, source, label, prediction, names, rows.watching, label_name=call.table.labels_name, is_reference=True
    )


def _survey(side: Side, call: Call, tasks: Mapping[str, str]) -> None:
    """Say before the first pass what will be asked, so that it is answered in it."""
    for kind, config in call.configs.items():
        side.asking.survey(*parted_reader(tasks[kind]).surveyed(side, config))
        key = getattr(config, "keyed_by", ())
        if key and set(key) <= set(side.source.schema.names):
            side.asking.survey(key_question(key))


def _sides(call: Call, config: Config, task: str, own: Side, references: dict[int, Side]) -> tuple[Any, Any]:
    """The rows, and what they are held against: the champion, or the reference, or nothing."""
    reasons = [f"{config.kind}: {one}" for one in config.beyond_range(many=TASKS[task].of_many_classes)]
    if reasons:
        raise InputError("; ".join(reasons))
    reader = parted_reader(task)
    rows = replace(reader.rows(own, config), apart=columns_apart(call.configs))
    if config.has_champion:
        return rows, reader.champion(own, rows, config)
    given = getattr(config, "reference", None)
    if given is None or is_baseline(given):
        return rows, None
    return rows, reader.reference(references[id(given)], rows, config)
