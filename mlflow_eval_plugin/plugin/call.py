"""One evaluate call: all of our evaluators in it are validated and computed together, before any of them logs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import datetime, timezone
from functools import partial
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from mlflow_eval_plugin.canonical import EvidenceError
from mlflow_eval_plugin.evaluators.config.base import Config
from mlflow_eval_plugin.evaluators.document import About
from mlflow_eval_plugin.evidence import Evidence, Producer, Subject
from mlflow_eval_plugin.plugin.data.tables import (
    GivenTable,
    Scorer,
    check_tables,
    given_rows,
    reference_data,
    require_features,
    table_of,
)
from mlflow_eval_plugin.plugin.files import digest_at
from mlflow_eval_plugin.plugin.late_labels import LateLabels, labels_received, not_judged, require_labels
from mlflow_eval_plugin.plugin.participants import Asked, asked_of_mlflow, invalid
from mlflow_eval_plugin.plugin.progress import progress
from mlflow_eval_plugin.plugin.reading import Reader, columns_apart
from mlflow_eval_plugin.plugin.references import reference_table
from mlflow_eval_plugin.plugin.registered import registered_as
from mlflow_eval_plugin.plugin.tasks import TASKS, task_of
from mlflow_eval_plugin.plugin.value_names import require_named_columns
from mlflow_eval_plugin.reports.pages.page import PagePart
from mlflow_eval_plugin.stats.counts.threads import both
from mlflow_eval_plugin.stats.errors import InputError

_PACKAGE = "mlflow-registry-hooks"
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
    late: LateLabels = field(default_factory=LateLabels)
    not_judged: dict[str, str] = field(default_factory=dict)
    logged_references: set[int] = field(default_factory=set)
    evidence: dict[str, Evidence] = field(default_factory=dict)
    logged: set[str] = field(default_factory=set)
    parts: dict[str, PagePart] = field(default_factory=dict)
    figures: dict[str, dict[str, bytes]] = field(default_factory=dict)

    def reference(self, config: Config) -> GivenTable | None:
        """The reference that a config gives, read once however many evaluators share it."""
        given = getattr(config, "reference", None)
        return None if given is None else self.references[id(given)]

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
    uri = _given_uri(call)
    check_tables(call.table)
    require_features(call.table, request.model)
    # References first, and labels and scores for all evaluators: most of what can be wrong is found before any of them
    # computes, and all of it before any of them logs.
    _read_references(call, scorer)
    require_named_columns(call.table, call.references.values(), call.configs)
    require_labels(call.table, [(config, call.reference(config)) for config in call.configs.values()])
    call.not_judged = not_judged(call.table, call.late, call.configs)
    with progress(1 + 2 * len(call.judging)) as begin:
        begin("scores")
        evaluated = _evaluations(call, scorer, begin)
        about = About(_subject(request, uri), _producer(), _now())
        for kind, evaluate in evaluated.items():
            begin(kind)
            call.evidence[kind] = evaluate(about)


def _evaluations(call: Call, scorer: Scorer, begin: Callable[[str], None]) -> dict[str, Callable[[About], Evidence]]:
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
    evaluations: dict[str, Callable[[About], Evidence]] = {}
    for kind, config in call.judging.items():
        begin(f"rows of {kind}")
        name = kind_tasks[kind]
        evaluations[kind] = partial(_evaluated, name, config, *_inputs(call, config, readers[name]))
    return evaluations


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
        if given is not None and id(given) not in call.references:
            call.references[id(given)] = reference_table(
                given, getattr(config, "reference_name", "reference"), call.table, scorer.model
            )


def _inputs(call: Call, config: Config, reader: Reader) -> tuple[Any, Any]:
    """The rows, and what they are held against: the champion, or the reference, or nothing."""
    table, reference = call.judged(config)
    apart, labels = columns_apart(call.configs), labels_received(table, reference)
    rows = replace(reader.rows(table, config), apart=apart, labels=labels)
    if config.has_champion:
        return rows, reader.champion(table, rows, config)
    return rows, None if reference is None else reader.reference(reference, rows, config)


def _evaluated(task: str, config: Config, rows: Any, other: Any, about: About) -> Evidence:
    return TASKS[task].evaluate[config.kind](config, rows, other, replace(about, task=task))


def _given_uri(call: Call) -> str | None:
    given = {config.model_uri for config in call.configs.values()} - {None}
    if len(given) > 1:
        raise InputError(f"model_uri: one call evaluates one model, found {' and '.join(sorted(map(str, given)))}")
    return next(iter(given), None)


def _subject(request: Request, given: str | None) -> Subject:
    metadata = getattr(request.model, "metadata", None)
    document = metadata.to_dict() if metadata is not None else {}
    uri = given or _uri_in(document)
    return Subject(
        model_uri=uri or (f"models:/{request.model_id}" if request.model_id else None),
        model_id=request.model_id,
        model_digest=digest_at(uri, document) if uri and document else None,
        run_id=request.run_id,
        registered=registered_as(uri or (f"models:/{request.model_id}" if request.model_id else None)),
    )


def _uri_in(document: Mapping[str, Any]) -> str | None:
    """Where a model says that it was logged. MLflow's id of a call's model may be that of the active one, another."""
    if model_id := document.get("model_id"):
        return f"models:/{model_id}"
    run_id, path = document.get("run_id"), document.get("artifact_path")
    return f"runs:/{run_id}/{path}" if run_id and path else None


def _producer() -> Producer:
    try:
        return Producer(name=_PACKAGE, version=version(_PACKAGE))
    except PackageNotFoundError:
        return Producer(name=_PACKAGE, version="unknown")


def _now() -> str:
    # The only clock of the evaluation side.
    return datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
