"""What goes into the run: files and metrics, each once, and the reference data set."""

from __future__ import annotations

import json
import tempfile
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

from mlflow.artifacts import list_artifacts
from mlflow.data.pandas_dataset import from_pandas
from mlflow.entities import Dataset, DatasetInput, InputTag, LoggedModelInput, Metric
from mlflow.models.evaluation.base import EvaluationArtifact, EvaluationResult
from mlflow.tracking.client import MlflowClient
from mlflow.utils.mlflow_tags import MLFLOW_DATASET_CONTEXT
from mlflow.utils.time import get_current_time_millis
from mlflow.utils.uri import append_to_uri_path

from mlflow_eval_plugin.canonical import canonical
from mlflow_eval_plugin.evaluators.config.base import Config
from mlflow_eval_plugin.evaluators.scalars import labels_scalars, scalars
from mlflow_eval_plugin.evidence import Data, Evidence, Reference
from mlflow_eval_plugin.plugin.baseline.document import Baseline
from mlflow_eval_plugin.plugin.call import Call
from mlflow_eval_plugin.plugin.data.tables import HEAD_ROWS
from mlflow_eval_plugin.plugin.run.interactive import attach_evidently
from mlflow_eval_plugin.plugin.run.summary import further_lines, lines_of, tag, tell
from mlflow_eval_plugin.plugin.tasks import TASKS
from mlflow_eval_plugin.plugin.value_names import warn_of_unused_names
from mlflow_eval_plugin.reports.pages.page import page_part, render_parts
from mlflow_eval_plugin.reports.png.figures import figures

_SOURCE_TYPES = {"file": "local"}  # by scheme, where MLflow calls it otherwise


class PageArtifact(EvaluationArtifact):
    """An HTML page; its content is the text."""

    def _save(self, output_artifact_path: str) -> None:
        Path(output_artifact_path).write_text(self._content, encoding="utf-8")

    def _load_content_from_file(self, local_artifact_path: str) -> str:
        self._content = Path(local_artifact_path).read_text(encoding="utf-8")
        return str(self._content)


@dataclass(frozen=True)
class File:
    """A file of the run, with its name among the artifacts of the result, and what it says where that is JSON."""

    artifact: str
    path: str
    content: bytes
    document: dict[str, Any] | None = None


def prepare(call: Call, *kinds: str) -> None:
    """Draw what is to be logged, of all kinds or of some: it takes the time, and can be left off without a trace."""
    for kind in kinds or call.evidence:
        if kind not in call.parts:
            call.parts[kind] = page_part(call.evidence[kind])
            call.figures[kind] = figures(call.evidence[kind])


def log_data(call: Call) -> None:
    """Log the evaluated data as an input of the run, and the model where there is one, as MLflow does in its call."""
    request, client = call.request, MlflowClient()
    head = request.dataset.head
    entity = _entity(head, call.table.name, digest_of(call), _rows_of(call), request.dataset.origin)
    models = [LoggedModelInput(request.model_id)] if request.model_id else None
    client.log_inputs(request.run_id, [DatasetInput(dataset=entity, tags=[])], models=models)


def digest_of(call: Call) -> str:
    """The digest by which MLflow knows the data: its own, or as much of ours as it keeps."""
    given = call.request.dataset.digest
    return str(given or _short(next(iter(call.evidence.values())).data))


def _rows_of(call: Call) -> int:
    return next(iter(call.evidence.values())).data.rows


def logged(call: Call, kind: str) -> EvaluationResult:
    """Log the Evidence of one kind, with its report, figures, metrics and reference; return what MLflow expects.

    With the last of several kinds goes the page that joins them, and what came of the call is told: once for the call.
    Metrics of a call with a ``model_id`` are logged by MLflow from the result; else they are logged here. Either way
    each is logged once, with the name and digest of the data set.
    """
    client = MlflowClient()
    if kind in call.not_judged:
        return _not_judged(client, call, kind)
    evidence, config, request = call.evidence[kind], call.configs[kind], call.request
    root = client.get_run(request.run_id).info.artifact_uri
    prepare(call, kind)
    files = _files(root, call, kind)
    call.logged.add(kind)
    last = call.logged == set(call.evidence)
    if len(call.evidence) > 1 and last:
        files.append(_joined(root, call))
    with tempfile.TemporaryDirectory() as folder:
        for file in files:
            target = Path(folder, file.path)
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(file.content)
        attach_evidently(call, kind, Path(folder, "reports"))
        client.log_artifacts(request.run_id, folder)
    _log_reference(client, call, evidence, config)
    measured = scalars(evidence, TASKS[evidence.of_task].scalars.get(kind))
    metrics = {f"{config.metric_prefix}{name}": value for name, value in measured.items()}
    _log_metrics(client, call, metrics)
    if last:
        report = next(file.path for file in reversed(files) if file.path.endswith(".html"))
        lines = lines_of(call, report)
        tag(client, call, lines, report)
        tell((*lines, *further_lines(call)))
        warn_of_unused_names(call.evidence.values())
    artifacts = {file.artifact: _artifact(file, append_to_uri_path(root, file.path)) for file in files}
    return EvaluationResult(metrics=metrics, artifacts=artifacts, run_id=request.run_id)


def _not_judged(client: MlflowClient, call: Call, kind: str) -> EvaluationResult:
    """What there is of an evaluator that too few labels have arrived for: how many, and no Evidence."""
    table, _ = call.judged(call.configs[kind])
    prefix = call.configs[kind].metric_prefix
    labels = {"received": len(table.features), "rows": len(table.given.features)}
    metrics = {f"{prefix}{kind}_{name}": value for name, value in labels_scalars(labels).items()}
    _log_metrics(client, call, metrics)
    return EvaluationResult(metrics=metrics, artifacts={}, run_id=call.request.run_id)


def _files(root: str, call: Call, kind: str) -> list[File]:
    part, config = call.parts[kind], call.configs[kind]
    evidence, name = part.evidence, f"{config.metric_prefix}{kind}"
    stem = _free_stem(root, "evidence", name)
    document = evidence.document()
    files = [
        File(f"{name}_evidence", f"evidence/{stem}.json", canonical(document), document),
        File(f"{name}_report", f"reports/{stem}.html", render_parts([part]).encode()),
    ]
    for figure, content in call.figures[kind].items():
        files.append(File(f"{config.metric_prefix}{kind}_{figure}", f"reports/{stem}-{figure}.png", content))
    return files


def _joined(root: str, call: Call) -> File:
    prefixes = {config.metric_prefix for config in call.configs.values()}
    # Kinds with prefixes of their own have none in common.
    name = f"{prefixes.pop() if len(prefixes) == 1 else ''}report"
    stem = _free_stem(root, "reports", name)
    return File(name, f"reports/{stem}.html", render_parts([call.parts[kind] for kind in call.evidence]).encode())


def _free_stem(root: str, folder: str, name: str) -> str:
    # Nothing is ever overwritten: a second file of the same name in a run gets a number. Asked by the run's id, MLflow
    # would read the run anew, twice.
    taken = {Path(item.path).stem for item in list_artifacts(append_to_uri_path(root, folder))}
    stem, number = name, 1
    while stem in taken:
        number += 1
        stem = f"{name}-{number}"
    return stem


def _artifact(file: File, uri: str) -> EvaluationArtifact:
    from mlflow.models.evaluation.artifacts import ImageEvaluationArtifact, JsonEvaluationArtifact
    from PIL import Image

    if file.document is not None:
        return JsonEvaluationArtifact(uri=uri, content=file.document)
    if file.path.endswith(".png"):
        return ImageEvaluationArtifact(uri=uri, content=Image.open(BytesIO(file.content)))
    page: Any = PageArtifact
    artifact: EvaluationArtifact = page(uri=uri, content=file.content.decode())
    return artifact


def _log_metrics(client: MlflowClient, call: Call, metrics: dict[str, float]) -> None:
    """Log metrics with the name and digest of the data, unless MLflow does so with those of a logged model."""
    request, now = call.request, get_current_time_millis()
    if request.model_id is not None and not request.logs_all:
        return
    of = {"dataset_name": request.dataset.name, "dataset_digest": digest_of(call), "run_id": request.run_id}
    client.log_batch(
        request.run_id,
        metrics=[Metric(key, value, now, 0, model_id=request.model_id, **of) for key, value in metrics.items()],
    )


def _log_reference(client: MlflowClient, call: Call, evidence: Evidence, config: Config) -> None:
    given = call.reference(config) or call.baseline(config)
    if given is None or evidence.reference is None or id(given) in call.logged_references:
        return
    tags = [InputTag(key=MLFLOW_DATASET_CONTEXT, value="reference")]
    if isinstance(given, Baseline):
        entity = _frozen(evidence.reference)
    else:
        digest = given.mlflow_digest or _short(evidence.reference)
        entity = _entity(given.features.head(HEAD_ROWS), given.name, digest, evidence.reference.rows)
    client.log_inputs(call.request.run_id, [DatasetInput(dataset=entity, tags=tags)])
    call.logged_references.add(id(given))


def _frozen(reference: Reference) -> Dataset:
    """What a baseline was frozen of: nobody has the rows, and its address says where the counts are."""
    uri = reference.baseline.uri if reference.baseline else ""
    profile = {"num_rows": reference.rows, "num_elements": reference.rows * len(reference.columns)}
    source = {"source_type": "baseline", "source": json.dumps({"uri": uri})}
    return Dataset(name=reference.name, digest=_short(reference), **source, profile=json.dumps(profile))


def _entity(head: Any, name: str, digest: str, rows: int, origin: str | None = None) -> Dataset:
    # MLflow's own digest looks at every value of the frame to hash the first 10,000 rows: 3 s on a million. Ours is
    # there already.
    described = from_pandas(head, name=name, digest=digest).to_dict()
    if origin is not None:
        scheme = origin.partition("://")[0] if "://" in origin else "file"
        described |= {"source_type": _SOURCE_TYPES.get(scheme, scheme), "source": json.dumps({"uri": origin})}
    return Dataset(
        name=name,
        digest=digest,
        source_type=described["source_type"],
        source=described["source"],
        schema=described["schema"],
        profile=json.dumps({"num_rows": rows, "num_elements": rows * head.shape[1]}),
    )


def _short(data: Data) -> str:
    """As much of a digest as MLflow keeps, which is 36 characters."""
    return data.digest.removeprefix("sha256:")[:32]
