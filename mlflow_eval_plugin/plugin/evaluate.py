"""Our own ``evaluate``: MLflow's arguments and results, for data that MLflow does not take, or looks at for minutes.

What is evaluated, logged and tagged is what the evaluators do in ``mlflow.models.evaluate``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import mlflow
from mlflow.exceptions import MlflowException
from mlflow.models.evaluation.base import EvaluationResult, _get_model_from_function
from mlflow.models.evaluation.utils.trace import configure_autologging_for_evaluation
from mlflow.pyfunc import PyFuncModel
from mlflow.store.artifact.utils.models import _parse_model_id_if_present

from mlflow_eval_plugin.evaluators.config.base import Config
from mlflow_eval_plugin.plugin.call import Call, Request, computed
from mlflow_eval_plugin.plugin.parted.side import Side, head_of
from mlflow_eval_plugin.plugin.parted.whether import MEMORY_ROWS, InMemory, require_countable_in_parts
from mlflow_eval_plugin.plugin.parted_calls.computing import Parted, computed_in_parts
from mlflow_eval_plugin.plugin.parted_calls.planning import Plan, planned
from mlflow_eval_plugin.plugin.participants import Asked, asked_by_name, invalid
from mlflow_eval_plugin.plugin.progress import counted_rows
from mlflow_eval_plugin.plugin.run.interrupts import killed_if_interrupted, undisturbed
from mlflow_eval_plugin.plugin.run.log import log_data, logged, prepare
from mlflow_eval_plugin.plugin.sources.bounded import Bounded
from mlflow_eval_plugin.plugin.sources.held import held
from mlflow_eval_plugin.plugin.sources.opening import Opened, opened, source_of
from mlflow_eval_plugin.plugin.sources.spark import SparkSource
from mlflow_eval_plugin.reports.pages import joined
from mlflow_eval_plugin.stats.errors import InputError
from mlflow_eval_plugin.verdicts import Verdict


@dataclass(frozen=True, eq=False)
class Done:
    """What came of a call: MLflow's result, and the Evidence behind it."""

    result: EvaluationResult
    call: Call

    @property
    def verdict(self) -> Verdict:
        """The gravest verdict; an evaluator that judged nothing, since labels are late, is insufficient."""
        of_documents = joined.verdict(list(self.call.evidence.values()))
        return "insufficient" if self.call.not_judged and of_documents == "pass" else of_documents


def evaluate(
    data: Any,
    *,
    targets: Any = None,
    predictions: str | None = None,
    model: Any = None,
    model_type: str | None = None,
    evaluators: str | Sequence[str] | None = None,
    evaluator_config: Mapping[str, Any] | None = None,
    model_id: str | None = None,
) -> EvaluationResult:
    """Evaluate data that need not be a frame, as ``mlflow.models.evaluate`` does with our evaluators.

    What can be seen to be wrong is told at once, before a run is started or a row is counted. Nothing is logged before
    all is computed; the run is the active one, or a new one.

    Args:
        data: a path, glob or URL of Parquet files or a Delta table, a list of paths, a table of any library, a callable
            that returns a new Arrow reader, an array, or an MLflow data set.
        targets: the column of labels; of an array, the labels. An MLflow data set names its own.
        predictions: without a model, the column of predictions; with one, the column of its output.
        model: a URI, a loaded pyfunc model, or a function; None where the predictions are in the data.
        evaluators: those that are configured, by default.
        model_id: the logged model that the metrics belong to; that of the model by default.

    Raises:
        MlflowException: INVALID_PARAMETER_VALUE, for arguments, configs or data that cannot be evaluated.
        KeyboardInterrupt: when interrupted; the run is KILLED then, and nothing of ours is in it.
    """
    asked = Asking(targets, predictions, model, model_type, evaluators, evaluator_config or {}, model_id)
    return run(data, asked).result


@dataclass(frozen=True, eq=False)
class Asking:
    """The arguments of ``evaluate`` beside the data."""

    targets: Any
    predictions: str | None
    model: Any
    model_type: str | None
    evaluators: str | Sequence[str] | None
    config: Mapping[str, Any]
    model_id: str | None = None

    def column(self, name: Any) -> Any:
        """A name of a column in the data, as MLflow's ``col_mapping`` has it."""
        mapping = self.config.get("col_mapping") or {}
        return mapping.get(name, name) if isinstance(name, str) else name


def run(data: Any, given: Asking) -> Done:
    """See ``evaluate``; with the Evidence."""
    targets, predictions = given.column(given.targets), given.column(given.predictions)
    with_model = given.model is not None
    asked = asked_by_name(given.evaluators, given.config, given.model_type)
    configs, found = _all_right(asked.configs, lambda: opened(data))
    why = _why_in_memory(configs, found, given)
    in_parts = found.source is not None and why is None
    near = _first(found) if in_parts else found if why is None else _few(found, why)
    (rows,) = _all_right(lambda: held(near, targets, predictions, with_model=with_model))
    asking, model_id = _loaded(given.model, given.model_id)
    with killed_if_interrupted() as run_id, configure_autologging_for_evaluation(enable_tracing=False):
        named = predictions if asking is not None else None
        request = Request(rows, run_id, asking, named, model_id, str(given.model_type), logs_all=True)
        call = _computed(request, asked, found, in_parts=in_parts)
        prepare(call)
        with undisturbed():
            return Done(_logged(call), call)


def _why_in_memory(configs: Mapping[str, Config], found: Opened, given: Asking) -> InMemory | None:
    """Why rows of a source cannot be read in parts; None where they can, or there is no source."""
    if found.source is not None:
        try:
            require_countable_in_parts(configs, given.model)
        except InMemory as why:
            return why
    return None


def _few(found: Opened, why: InMemory) -> Opened:
    """Rows of a source, which are going to be read into memory, and are few enough.

    Raises:
        MlflowException: INVALID_PARAMETER_VALUE, where it is known that they are too many; else that is told as
            they are read.
    """
    if found.source is None:
        return found
    if isinstance(found.source, SparkSource):
        raise invalid(f"data: the rows of a Spark frame are not collected: {why}")
    rows = found.source.rows
    if rows is not None and rows > MEMORY_ROWS:
        raise invalid(f"data: {rows:,} rows are not read into memory, of which there may be {MEMORY_ROWS:,}: {why}")
    return replace(found, source=Bounded(found.source, MEMORY_ROWS, str(why)))


def _first(found: Opened) -> Opened:
    """The first rows, which stand for all where only names are asked for."""
    return found if found.source is None else replace(found, held=head_of(found.source), source=None)


def _computed(request: Request, asked: Asked, found: Opened, *, in_parts: bool) -> Call:
    if not in_parts or found.source is None:
        return computed(request, asked)
    try:
        return computed_in_parts(request, asked, Parted(found.source, counted_rows))
    except InMemory as why:
        found = _few(found, why)
    names = request.dataset.targets_name, request.dataset.predictions_name
    whole = replace(found, targets=names[0], predictions=names[1], is_mlflow=True)
    (rows,) = _all_right(lambda: held(whole, None, None, with_model=False))
    return computed(replace(request, dataset=rows), asked)


def survey(data: Any, given: Asking) -> Plan:
    """What an evaluation of data takes, by its first pass; nothing is logged.

    Raises:
        MlflowException: INVALID_PARAMETER_VALUE, for what ``evaluate`` refuses before it counts.
    """
    asked = asked_by_name(given.evaluators, given.config, given.model_type)
    configs, found = _all_right(asked.configs, lambda: opened(data))
    label, prediction = given.column(given.targets), given.column(given.predictions)
    own = None if given.model is not None else prediction
    near, source = _all_right(
        lambda: held(_first(found), label, own, with_model=own is None), lambda: source_of(found, "data")
    )
    features = tuple(name for name in source.schema.names if name not in (near.targets_name, near.predictions_name))
    side = Side(
        near.name, source, near.targets_name, near.predictions_name, features, counted_rows, str(near.targets_name)
    )
    plan: Plan = _all_right(lambda: planned(side, configs))[0]
    return plan


def _all_right(*steps: Callable[[], Any]) -> list[Any]:
    """What each step finds; what is wrong with any is told together."""
    found, reasons = [], []
    for step in steps:
        try:
            found.append(step())
        except InputError as error:
            reasons.append(str(error))
        except MlflowException as error:
            reasons.append(str(error.message))
    if reasons:
        raise invalid("; ".join(reasons))
    return found


def _loaded(model: Any, model_id: str | None) -> tuple[Any, str | None]:
    """The model that is asked, and the logged model that metrics belong to, as MLflow's ``evaluate`` finds them."""
    known = None
    if isinstance(model, str):
        known = _parse_model_id_if_present(model)
        model = mlflow.pyfunc.load_model(model)
    elif isinstance(model, PyFuncModel):
        known = model.model_id
    elif callable(model):
        model = _get_model_from_function(model)
    elif model is not None:
        raise invalid(f"model: expected a URI, a pyfunc model or a function, found {type(model).__name__}")
    if None not in (model_id, known) and model_id != known:
        raise invalid(f"model_id: expected {known!r}, which the model has, found {model_id!r}; leave it out")
    return model, model_id or known or mlflow.get_active_model_id()


def _logged(call: Call) -> EvaluationResult:
    log_data(call)
    merged = EvaluationResult(metrics={}, artifacts={}, run_id=call.request.run_id)
    for kind in call.configs:
        one = logged(call, kind)
        merged.metrics.update(one.metrics)
        merged.artifacts.update(one.artifacts)
    return merged
