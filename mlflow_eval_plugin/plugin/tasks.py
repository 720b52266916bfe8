"""The tasks: one literal table, which a new task extends by one entry."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from mlflow_eval_plugin.evaluators import drift, scalars
from mlflow_eval_plugin.evaluators.binary import calibration, comparison, disaggregated
from mlflow_eval_plugin.evaluators.config import regression as regression_config
from mlflow_eval_plugin.evaluators.config.base import Config
from mlflow_eval_plugin.evaluators.config.keys import CONFIGS, Configs
from mlflow_eval_plugin.evaluators.multiclass import calibration as multiclass_calibration
from mlflow_eval_plugin.evaluators.multiclass import comparison as multiclass_comparison
from mlflow_eval_plugin.evaluators.multiclass import disaggregated as multiclass_disaggregated
from mlflow_eval_plugin.evaluators.regression import calibration as regression_calibration
from mlflow_eval_plugin.evaluators.regression import comparison as regression_comparison
from mlflow_eval_plugin.evaluators.regression import disaggregated as regression_disaggregated
from mlflow_eval_plugin.evidence import Evidence
from mlflow_eval_plugin.plugin.binary.reader import BinaryReader
from mlflow_eval_plugin.plugin.data.tables import GivenTable, Scorer
from mlflow_eval_plugin.plugin.multiclass.reader import MulticlassReader
from mlflow_eval_plugin.plugin.multiclass.rows import is_multiclass
from mlflow_eval_plugin.plugin.parted import binary as binary_in_parts
from mlflow_eval_plugin.plugin.parted import multiclass as multiclass_in_parts
from mlflow_eval_plugin.plugin.parted import regression as regression_in_parts
from mlflow_eval_plugin.plugin.parted.reading import PartedReader
from mlflow_eval_plugin.plugin.parted.side import Side
from mlflow_eval_plugin.plugin.parted.whether import InMemory
from mlflow_eval_plugin.plugin.reading import Reader
from mlflow_eval_plugin.plugin.regression.reader import RegressionReader
from mlflow_eval_plugin.stats.errors import InputError

# config, rows, reference or champion, who is judged
Evaluate = Callable[..., Evidence]


@dataclass(frozen=True)
class Task:
    """What a model is for, and how it is evaluated at that.

    Attributes:
        model_type: MLflow's type of such a model.
        configs: the evaluators there are, and their keys, by kind.
        evaluate: config, rows, what these are held against (a reference, a champion, nothing) and who is judged, to
            Evidence; by kind.
        reader: how rows are read.
        scalars: the metrics of the run, from the Evidence; by kind. Beside them each kind has those of its verdict.
        is_of: whether data, config and model are of this task, among those of its type of model; the first that is.
        of_many_classes: whether metrics are of three or more classes, where their ranges differ.
        in_parts: how rows are read that come in parts; None where rows of the task are read in memory alone.
    """

    model_type: str
    configs: Configs
    evaluate: Mapping[str, Evaluate]
    reader: Callable[[Scorer], Reader]
    scalars: Mapping[str, scalars.Scalars] = field(default_factory=dict)
    is_of: Callable[[GivenTable, Config, Scorer], bool] = lambda table, config, scorer: True
    of_many_classes: bool = False
    in_parts: PartedReader | None = None


_SCALARS: Mapping[str, scalars.Scalars] = {
    "calibration": scalars.calibration,
    "disaggregated": scalars.disaggregated,
    "drift": scalars.drift,
    "comparison": scalars.comparison,
}
TASKS: dict[str, Task] = {
    "multiclass": Task(
        model_type="classifier",
        configs=CONFIGS,
        evaluate={
            "calibration": multiclass_calibration.evaluate,
            "disaggregated": multiclass_disaggregated.evaluate,
            "drift": drift.evaluate,
            "comparison": multiclass_comparison.evaluate,
        },
        reader=MulticlassReader,
        scalars={**_SCALARS, "calibration": scalars.class_calibration},
        is_of=is_multiclass,
        of_many_classes=True,
        in_parts=multiclass_in_parts,
    ),
    "binary": Task(
        model_type="classifier",
        configs=CONFIGS,
        evaluate={
            "calibration": calibration.evaluate,
            "disaggregated": disaggregated.evaluate,
            "drift": drift.evaluate,
            "comparison": comparison.evaluate,
        },
        reader=BinaryReader,
        scalars=_SCALARS,
        in_parts=binary_in_parts,
    ),
    "regression": Task(
        model_type="regressor",
        configs=regression_config.CONFIGS,
        evaluate={
            "calibration": regression_calibration.evaluate,
            "disaggregated": regression_disaggregated.evaluate,
            "drift": drift.evaluate,
            "comparison": regression_comparison.evaluate,
        },
        reader=RegressionReader,
        scalars={**_SCALARS, "calibration": scalars.mean_calibration},
        in_parts=regression_in_parts,
    ),
}


def configs_of(model_type: str | None) -> Configs:
    """The evaluators there are for MLflow's type of the model, and their keys, by kind; none for a type of no task."""
    return _joined(task for task in TASKS.values() if task.model_type == model_type)


def configs_of_all() -> Configs:
    """The evaluators there are for models of any type, and their keys, by kind; of several, the first task counts."""
    return _joined(TASKS.values())


def _joined(tasks: Iterable[Task]) -> Configs:
    found: dict[str, type[Config]] = {}
    for task in tasks:
        found = {**task.configs, **found}
    return found


def model_types_of(kind: str) -> tuple[str, ...]:
    """MLflow's types of the models that an evaluator is for."""
    return tuple(dict.fromkeys(task.model_type for task in TASKS.values() if kind in task.configs))


def task_of(model_type: str, table: GivenTable, config: Any, scorer: Scorer) -> str:
    """The name of the task at which a config evaluates.

    Raises:
        InputError: when data and model are of no task of their type.
    """
    for name, task in TASKS.items():
        if task.model_type == model_type and config.kind in task.configs and task.is_of(table, config, scorer):
            return name
    raise InputError(f"{config.kind}: model_type {model_type!r} is of no task that this evaluator knows")


def parted_task_of(model_type: str, side: Side, config: Config) -> str:
    """The name of the task at which a config evaluates rows that come in parts.

    Raises:
        InMemory: where rows of the task are read in memory alone.
    """
    for name, task in TASKS.items():
        known = task.model_type == model_type and config.kind in task.configs
        if known and task.in_parts is not None and task.in_parts.is_of(side, config):
            return name
    raise InMemory(f"{config.kind}: rows of model_type {model_type!r} are counted in memory; give a sample")


def parted_reader(task: str) -> PartedReader:
    """How rows of a task are read that come in parts.

    Raises:
        InMemory: where they are read in memory alone.
    """
    found = TASKS[task].in_parts
    if found is None:
        raise InMemory(f"rows of the task {task!r} are counted in memory; give a sample")
    return found
