"""``freeze``: what evaluators ask of a reference, asked once and written into a run."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Mapping
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import mlflow
from mlflow.artifacts import list_artifacts
from mlflow.tracking.client import MlflowClient

from mlflow_eval_plugin.canonical import EvidenceError
from mlflow_eval_plugin.evaluators.config.base import Config
from mlflow_eval_plugin.plugin.about import now, producer, subject_of
from mlflow_eval_plugin.plugin.baseline.document import sealed
from mlflow_eval_plugin.plugin.baseline.parts import AnyRows, frozen_part, schema_of
from mlflow_eval_plugin.plugin.baseline.registering import named_version, register_baseline
from mlflow_eval_plugin.plugin.data.tables import GivenTable, Scorer, check_tables, require_features, table_of
from mlflow_eval_plugin.plugin.late_labels import LateLabels, require_labels
from mlflow_eval_plugin.plugin.participants import Asked, invalid
from mlflow_eval_plugin.plugin.references import reference_table
from mlflow_eval_plugin.plugin.sources.held import held
from mlflow_eval_plugin.plugin.sources.opening import NAME, opened
from mlflow_eval_plugin.plugin.tasks import TASKS, configs_of, task_of
from mlflow_eval_plugin.stats.errors import InputError

KINDS = ("drift", "calibration")  # what is frozen unless somebody says otherwise
_NAME = r"[\w.-]{1,100}"
Configs = Mapping[str, Config]


def freeze(
    data: Any,
    *,
    targets: Any = None,
    predictions: str | None = None,
    model: Any = None,
    name: str = "baseline",
    model_type: str = "classifier",
    evaluator_config: Mapping[str, Mapping[str, Any]] | None = None,
    register: str | None = None,
) -> str:
    """Write a baseline of some rows into the active run, or a new one; the rows are not needed afterwards.

    Evaluators take where it is (``runs:/…/baseline``) for a ``reference``, and say of it what they would of the rows.

    Args:
        data: what ``evaluate`` takes: a path, a table of any library, or an MLflow data set, which names its columns.
        targets: the column of labels.
        predictions: without a model, the column of predictions; with one, the column of its output.
        model: a URI or a loaded pyfunc model that is asked; None where the predictions are in the data.
        name: the folder in the run, and the name of the baseline; one that is there is not written over.
        model_type: ``"classifier"`` or ``"regressor"``.
        evaluator_config: for which evaluators, and with which of their keys; drift and calibration by default.
        register: a version of a model, such as ``models:/churn/3``, whose baseline this is to be.

    Raises:
        MlflowException: INVALID_PARAMETER_VALUE, for arguments or data that cannot be frozen; nothing is written then.
    """
    try:
        _require_free(name)
        version = None if register is None else named_version(register)
        files = _files(data, targets, predictions, model, name, model_type, evaluator_config)
    except (InputError, EvidenceError) as error:
        raise invalid(error) from error
    uri = _logged(name, files)
    if version is not None:
        register_baseline(version, uri, files)
    return uri


def _files(
    data: Any,
    targets: Any,
    predictions: str | None,
    model: Any,
    name: str,
    model_type: str,
    given: Mapping[str, Mapping[str, Any]] | None,
) -> dict[str, bytes]:
    loaded = mlflow.pyfunc.load_model(model) if isinstance(model, str) else model
    table, reference = _read(data, targets, predictions, loaded, name)
    configs = _configs({kind: {} for kind in KINDS} if given is None else given, reference, model_type)
    frozen = _Frozen(table, reference, configs, Scorer(loaded, predictions, table), model_type)
    return frozen.files(name, None if loaded is not None else table.predictions_name)


@dataclass(frozen=True, eq=False)
class _Frozen:
    """What is frozen: some rows, as they are evaluated and as a reference, and for whom."""

    table: GivenTable
    reference: GivenTable
    configs: Configs
    scorer: Scorer
    model_type: str

    def files(self, name: str, predictions: str | None) -> dict[str, bytes]:
        """The files of the baseline; ``predictions`` is their column, where they are in the data."""
        check_tables(self.table, self.reference)
        require_features(self.table, self.scorer.model)
        require_labels(self.table, [(config, self.reference) for config in self.configs.values()])
        late, parts, schema, data = LateLabels(), {}, [], None
        for kind, config in self.configs.items():
            table, reference = late.judged(self.table, config), late.judged(self.reference, config)
            task, rows = self._rows(table, reference, config)
            labelled = None if config.takes_columns or reference.labels is None else len(reference.features)
            parts[kind] = frozen_part(task, config, rows, labelled, self.table.labels_name)
            schema, data = list(schema_of(rows)), rows.data
        body = {
            "name": name,
            "model_type": self.model_type,
            "predictions": predictions,
            "data": None if data is None else data.model_dump(mode="json"),
            "columns": schema,
            "model": self._model(),
            "parts": {kind: one.said for kind, one in parts.items()},
            "producer": producer().model_dump(mode="json"),
            "created_at": now(),
        }
        return sealed(body, {kind: one.held for kind, one in parts.items()})

    def _rows(self, table: GivenTable, reference: GivenTable, config: Config) -> tuple[str, AnyRows]:
        """The rows of the reference, as they would be held against those that are evaluated."""
        task = task_of(self.model_type, self.table, config, self.scorer)
        reader = TASKS[task].reader(self.scorer)
        reader.ask(table, reference, config)
        rows: AnyRows = reader.reference(reference, reader.rows(table, config), config)
        return task, rows

    def _model(self) -> dict[str, Any]:
        """Whose predictions they are, where the model is asked or a config says where it is."""
        given = {config.model_uri for config in self.configs.values()} - {None}
        if len(given) > 1:
            raise InputError(f"model_uri: one baseline is of one model, found {' and '.join(sorted(map(str, given)))}")
        model = self.scorer.model
        found = subject_of(model, next(iter(given), None), model_id=getattr(model, "model_id", None), run_id="")
        registered = [one.model_dump(mode="json") for one in found.registered]
        return {"uri": found.model_uri, "digest": found.model_digest, "registered": registered}


def _read(data: Any, targets: Any, predictions: str | None, model: Any, name: str) -> tuple[GivenTable, GivenTable]:
    """The rows as they are evaluated, and as a reference."""
    found = opened(data)
    known = held(found, targets, predictions, with_model=model is not None)
    table = table_of(known)
    return table, reference_table(known.whole, name if found.name == NAME else found.name, table, model)


def _configs(given: Mapping[str, Mapping[str, Any]], reference: GivenTable, model_type: str) -> Configs:
    """The configs, with the rows themselves as the reference where one means something."""
    known = configs_of(model_type)
    reasons = [
        f"evaluator_config: {kind!r} {'takes no reference' if kind in known else f'is not for {model_type!r}'}"
        for kind in given
        if kind not in known or "reference" not in known[kind].model_fields
    ]
    reasons += [
        f"{kind}: 'reference' is the data here; leave it out" for kind, one in given.items() if "reference" in one
    ]
    if reasons or not given:
        raise InputError("; ".join(reasons) or "evaluator_config: it names no evaluator; freeze for at least one")
    needed = {kind: known[kind].model_fields["reference"].is_required() for kind in given}
    asked = {
        kind: {**one, **({"reference": reference.features} if needed[kind] else {})} for kind, one in given.items()
    }
    return Asked(asked, flat=False, model_type=model_type).configs()


def _require_free(name: str) -> None:
    if not re.fullmatch(_NAME, name) or set(name) == {"."}:
        raise InputError(f"name: expected letters, digits, '.', '_' and '-', at most 100, found {name!r}")
    run = mlflow.active_run()
    if run is not None and any(Path(one.path).name == name for one in list_artifacts(run.info.artifact_uri)):
        raise InputError(f"name: run {run.info.run_id} has {name!r} already, and nothing is written over; give another")


def _logged(name: str, files: Mapping[str, bytes]) -> str:
    """Log the files to the active run, or a new one that ends with it."""
    active = mlflow.active_run()
    with mlflow.start_run() if active is None else nullcontext(active) as run:
        run_id = str(run.info.run_id)
        with tempfile.TemporaryDirectory() as folder:
            for file, content in files.items():
                Path(folder, file).write_bytes(content)
            MlflowClient().log_artifacts(run_id, folder, name)
    return f"runs:/{run_id}/{name}"
