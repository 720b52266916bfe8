"""One evaluate call: all of our evaluators in it are validated and computed together, before any of them logs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

from mlflow_eval_plugin.canonical import EvidenceError
from mlflow_eval_plugin.evaluators.config.base import Config
from mlflow_eval_plugin.evaluators.document import About
from mlflow_eval_plugin.evidence import Evidence, Subject
from mlflow_eval_plugin.plugin.about import now, producer, subject_of
from mlflow_eval_plugin.plugin.baseline.document import Baseline
from mlflow_eval_plugin.plugin.baseline.opening import is_baseline, opened_baseline
from mlflow_eval_plugin.plugin.baseline.reference import Asked as AskedOfBaseline
from mlflow_eval_plugin.plugin.baseline.reference import frozen_reference, require_alike
from mlflow_eval_plugin.plugin.data.tables import (
    GivenTable,
    Scorer,
    check_tables,
    given_rows,
    reference_data,
    require_features,
    table_of,
)
from mlflow_eval_plugin.plugin.late_labels import LateLabels, labels_received, not_judged, require_labels
from mlflow_eval_plugin.plugin.participants import Asked, asked_of_mlflow, invalid
from mlflow_eval_plugin.plugin.progress import progress
from mlflow_eval_plugin.plugin.reading import Reader, columns_apart
from mlflow_eval_plugin.plugin.references import reference_table
from mlflow_eval_plugin.plugin.tasks import TASKS, task_of
from mlflow_eval_plugin.plugin.value_names import require_named_columns
from mlflow_eval_plugin.reports.pages.page import PagePart
from mlflow_eval_plugin.stats.counts.threads import both
from mlflow_eval_plugin.stats.errors import InputError

# MLflow makes one data set object per evaluate call and hands it to every evaluator, so what belongs to the call
# is kept on it and ends with it.
_KEPT = "_mlflow_eval_plugin_call"


@dataclass(frozen=True, eq=False)
class Request:
    """What MLflow hands to an evaluator, apart from its config; ``logs_all`` where MLflow itself logs nothing after."""

    dataset: Any
    run_id: str
    model: Any
    predictions: str | None
    model_id: str | None
    model_type: str = "classifier"
    logs_all: bool = False

    def same_call(self, other: Request) -> bool:
        """Whether both come from one evaluate call."""
        return self.dataset is other.dataset and self.model is other.model and self.run_id == other.run_id


@dataclass(eq=False)
class Call:
    """The Evidence of one evaluate call, by kind, what is needed to log it, and which of it was logged.

    What a page shows of a document stands in ``parts``, for the page of its own and the one that joins all, and its
    pictures in ``figures``. Evaluators that are ``not_judged``, since too few labels have arrived, each for its reason,
    have no Evidence.
    """

    request: Request
    configs: dict[str, Config]
    table: GivenTable
    references: dict[int, GivenTable] = field(default_factory=dict)
    baselines: dict[str, Baseline] = field(default_factory=dict)
    late: LateLabels = field(default_factory=LateLabels)
    not_judged: dict[str, str] = field(default_factory=dict)
    logged_references: set[int] = field(default_factory=set)
    evidence: dict[str, Evidence] = field(default_factory=dict)
    logged: set[str] = field(default_factory=set)
    parts: dict[str, PagePart] = field(default_factory=dict)
    figures: dict[str, dict[str, bytes]] = field(default_factory=dict)

    def reference(self, config: Config) -> GivenTable | None:
        """The reference that a config gives, read once however many evaluators share it; None where it has no rows."""
        return self.references.get(id(getattr(config, "reference", None)))

    def baseline(self, config: Config) -> Baseline | None:
        """The baseline that a config gives in the place of a reference."""
        given = getattr(config, "reference", None)
        return self.baselines[str(given)] if is_baseline(given) else None

    def judged(self, config: Config) -> tuple[GivenTable, GivenTable | None]:
        """The rows that a config judges, and its reference: all of them, or those whose labels have arrived."""
        reference = self.reference(config)
        return self.late.judged(self.table, config), reference and self.late.judged(reference, config)

    @property
    def judging(self) -> dict[str, Config]:
        """The configs of the evaluators that have something to judge."""
        return {kind: config for kind, config in self.configs.items() if kind not in self.not_judged}


def call_of(kind: str, given: Mapping[str, Any] | None, request: Request) -> Call:
    """The call that an evaluator belongs to; the first evaluator to ask computes the Evidence of all of ours.

    Raises:
        MlflowException: INVALID_PARAMETER_VALUE, for a config or data that cannot be evaluated.
    """
    kept = getattr(request.dataset, _KEPT, None)
    if isinstance(kept, Call) and kept.request.same_call(request) and kind in kept.configs:
        return kept
    asked = asked_of_mlflow(request.model_type)
    if asked is None or kind not in asked.given:
        asked = Asked({kind: given or {}}, flat=False, model_type=request.model_type)
    call = computed(request, asked)
    setattr(request.dataset, _KEPT, call)
    return call


def computed(request: Request, asked: Asked) -> Call:
    """The Evidence of all evaluators that are asked for; nothing is logged.

    Raises:
        MlflowException: as ``call_of``.
    """
    call = Call(request, asked.configs(), table_of(request.dataset))
    try:
        _compute(call)
    except (InputError, EvidenceError) as error:
        raise invalid(error) from error
    return call


def _compute(call: Call) -> None:
    request = call.request
    scorer = Scorer(request.model, request.predictions, call.table)
    uri = given_uri(call)
    check_tables(call.table)
    require_features(call.table, request.model)
    # References first, and labels and scores for all evaluators: most of what can be wrong is found before any of them
    # computes, and all of it before any of them logs.
    _read_references(call, scorer)
    require_columns_of_values(call)
    require_labels(call.table, [(config, call.reference(config)) for config in call.configs.values()])
    call.not_judged = not_judged(call.table, call.late, call.configs)
    subject = subject_of(request.model, uri, model_id=request.model_id, run_id=request.run_id)
    with progress(1 + 2 * len(call.judging)) as begin:
        begin("scores")
        evaluated = _evaluations(call, scorer, subject, begin)
        about = About(subject, producer(), now())
        for kind, evaluate in evaluated.items():
            begin(kind)
            call.evidence[kind] = evaluate(about)


def _evaluations(
    call: Call, scorer: Scorer, subject: Subject, begin: Callable[[str], None]
) -> dict[str, Callable[[About], Evidence]]:
    """By kind, what is left to do once labels, scores, weights and references are read and found right."""
    kind_tasks, reasons = {}, []
    for kind, config in call.judging.items():
        # Predictions of all rows say how many classes there are, also where labels are few yet.
        kind_tasks[kind] = task_of(call.request.model_type, call.table, config, scorer)
        many = TASKS[kind_tasks[kind]].of_many_classes
        reasons += [f"{kind}: {one}" for one in config.beyond_range(many=many)]
    if reasons:
        raise InputError("; ".join(reasons))
    readers = {name: TASKS[name].reader(scorer) for name in dict.fromkeys(kind_tasks.values())}

    def ask() -> None:
        for kind, config in call.judging.items():
            readers[kind_tasks[kind]].ask(*call.judged(config), config)

    # The model is mostly asked in one thread.
    both(ask, partial(_digest, call, scorer))
    sides: dict[str, tuple[Any, Any]] = {}
    for kind, config in call.judging.items():
        begin(f"rows of {kind}")
        sides[kind] = _inputs(call, config, readers[kind_tasks[kind]])
    frozen = {
        kind: AskedOfBaseline(found, config, kind_tasks[kind], sides[kind][0], call.table, scorer.model, subject)
        for kind, config in call.judging.items()
        if (found := call.baseline(config)) is not None
    }
    require_alike(list(frozen.values()))
    sides |= {kind: (sides[kind][0], frozen_reference(one)) for kind, one in frozen.items()}
    return {kind: partial(_evaluated, kind_tasks[kind], config, *sides[kind]) for kind, config in call.judging.items()}


def require_columns_of_values(call: Call) -> None:
    """Refuse names of values of columns that neither the data, a reference nor a baseline has.

    Raises:
        InputError: names every such column.
    """
    frozen = tuple(one.name for found in call.baselines.values() for one in found.document.columns)
    require_named_columns(call.table, call.references.values(), call.configs, frozen)


def _digest(call: Call, scorer: Scorer) -> None:
    """Name all data by content. What is wrong with further columns is told in its turn, with what else is."""
    with suppress(InputError):
        for config in call.judging.values():
            given_rows(call.judged(config)[0], config, scorer)
    for table in call.references.values():
        reference_data(table, scorer)


def _read_references(call: Call, scorer: Scorer) -> None:
    for config in call.configs.values():
        given = getattr(config, "reference", None)
        if is_baseline(given):
            if str(given) not in call.baselines:
                call.baselines[str(given)] = opened_baseline(str(given))
        elif given is not None and id(given) not in call.references:
            call.references[id(given)] = reference_table(
                given, getattr(config, "reference_name", "reference"), call.table, scorer.model
            )


def _inputs(call: Call, config: Config, reader: Reader) -> tuple[Any, Any]:
    """The rows, and what they are held against: the champion, or the reference, or nothing."""
    table, reference = call.judged(config)
    apart, labels = columns_apart(call.configs), labels_received(table, reference)
    if labels is not None and (frozen := call.baseline(config)) is not None:
        labels = replace(labels, received_reference=frozen.received(config.kind))
    rows = replace(reader.rows(table, config), apart=apart, labels=labels)
    if config.has_champion:
        return rows, reader.champion(table, rows, config)
    return rows, None if reference is None else reader.reference(reference, rows, config)


def _evaluated(task: str, config: Config, rows: Any, other: Any, about: About) -> Evidence:
    return TASKS[task].evaluate[config.kind](config, rows, other, replace(about, task=task))


def given_uri(call: Call) -> str | None:
    """Where the configs say that the files of the evaluated model are.

    Raises:
        InputError: when they name several.
    """
    given = {config.model_uri for config in call.configs.values()} - {None}
    if len(given) > 1:
        raise InputError(f"model_uri: one call evaluates one model, found {' and '.join(sorted(map(str, given)))}")
    return next(iter(given), None)
