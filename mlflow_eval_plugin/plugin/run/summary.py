"""What came of a call, for whoever runs it and whoever searches later: three lines, and tags."""

from __future__ import annotations

import logging
import sys
from pathlib import Path
from urllib.parse import unquote, urlparse

import mlflow
from mlflow.entities import RunTag
from mlflow.exceptions import MlflowException
from mlflow.tracking.client import MlflowClient
from mlflow.utils.uri import append_to_uri_path

from mlflow_eval_plugin.plugin.call import Call, Request
from mlflow_eval_plugin.reports.pages import joined
from mlflow_eval_plugin.reports.sentences.wording import listed
from mlflow_eval_plugin.reports.tables.late_labels import late_in_words
from mlflow_eval_plugin.verdicts import VERDICT_WORDS

TAG = "mlflow_eval_plugin"
_MOST = 1000  # characters of a tag, which MLflow limits, and of a line
_THIN = "\u202f"
_logger = logging.getLogger(__name__)


def lines_of(call: Call, report: str) -> tuple[str, str, str]:
    """The verdict, the worst finding, and where the report is.

    Args:
        report: the path of the report in the run.
    """
    evidences = list(call.evidence.values())
    each = ", ".join(f"{one.kind} {VERDICT_WORDS[one.verdict]}" for one in evidences)
    whole = VERDICT_WORDS[joined.verdict(evidences)]
    return (
        f"Verdict: {whole} ({each})" if len(evidences) > 1 else f"Verdict: {each}",
        f"Worst: {joined.worst_finding(evidences)}",
        f"Report: {_where(call.request.run_id, report)}",
    )


def further_lines(call: Call) -> tuple[str, ...]:
    """What is to be known of labels that have not arrived, where evaluators leave out their rows."""
    by_reason: dict[str, list[str]] = {}
    for kind, reason in call.not_judged.items():
        by_reason.setdefault(reason, []).append(kind)
    nothing = [f"{reason}, so that {listed(kinds)} judged nothing." for reason, kinds in by_reason.items()]
    said = [*nothing, late_in_words(list(call.evidence.values()))]
    # The thin spaces of a page are not for every console.
    return tuple(f"Labels: {_printable(one.replace(_THIN, ','))}" for one in said if one)


def tell(lines: tuple[str, ...]) -> None:
    """Write lines to the standard output, whatever characters the data brought and the console has."""
    if sys.stdout is None:
        return
    encoding = getattr(sys.stdout, "encoding", None) or "utf-8"
    plain = "\n".join(_printable(line) for line in lines)
    sys.stdout.write(plain.encode(encoding, "replace").decode(encoding) + "\n")
    sys.stdout.flush()


def tag(client: MlflowClient, call: Call, lines: tuple[str, str, str], report: str) -> None:
    """Tag the run, and the logged model that was evaluated, with the verdicts, the worst finding and the report.

    A model that may not be tagged is a warning: the Evidence is there, and says as much.
    """
    prefixes = {config.metric_prefix for config in call.configs.values()}
    prefix = prefixes.pop() if len(prefixes) == 1 else ""
    evidences = call.evidence
    tags = {
        **{f"{TAG}.{call.configs[kind].metric_prefix}{kind}.verdict": one.verdict for kind, one in evidences.items()},
        **{f"{TAG}.{call.configs[kind].metric_prefix}{kind}.verdict": "not judged" for kind in call.not_judged},
        f"{TAG}.{prefix}verdict": joined.verdict(list(evidences.values())),
        f"{TAG}.{prefix}worst": _printable(lines[1].removeprefix("Worst: ")),
        f"{TAG}.{prefix}report": f"runs:/{call.request.run_id}/{report}",
    }
    client.log_batch(call.request.run_id, tags=[RunTag(key, value) for key, value in tags.items()])
    model_id = _evaluated_model(call.request)
    if model_id is None:
        return
    try:
        client.set_logged_model_tags(model_id, tags)
    except MlflowException as error:
        _logger.warning("The logged model %s has no tags of this evaluation: %s", model_id, error.message)


def _evaluated_model(request: Request) -> str | None:
    # MLflow's id of a call's model may be that of the active one, so a model's own word goes first.
    metadata = getattr(request.model, "metadata", None)
    return request.model_id if metadata is None else metadata.model_id


def _where(run_id: str, report: str) -> str:
    """A page to open: of MLflow's UI, or a file; else the run's path."""
    run, uri = mlflow.get_run(run_id), mlflow.get_tracking_uri()
    if urlparse(uri).scheme in ("http", "https"):
        return f"{uri.rstrip('/')}/#/experiments/{run.info.experiment_id}/runs/{run_id}/artifacts/{report}"
    found = urlparse(append_to_uri_path(run.info.artifact_uri, report))
    return str(Path(unquote(found.path))) if found.scheme in ("", "file") else f"runs:/{run_id}/{report}"


def _printable(text: str) -> str:
    # A level of the data may hold what moves a terminal's cursor.
    return "".join(one if one.isprintable() else "\N{REPLACEMENT CHARACTER}" for one in text)[:_MOST]
