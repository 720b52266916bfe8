"""The Evidence that runs hold."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from mlflow.artifacts import download_artifacts, list_artifacts
from mlflow.tracking.client import MlflowClient

from mlflow_eval_plugin.canonical import EvidenceError
from mlflow_eval_plugin.evidence import Evidence, load

_FOLDER = "evidence"
_PAGE = 1000


def runs_of(experiment: str) -> list[str]:
    """The runs of an experiment, by name or id, the oldest first.

    Raises:
        EvidenceError: when there is no such experiment.
    """
    client = MlflowClient()
    found = client.get_experiment_by_name(experiment)
    if found is None and experiment.isdecimal():
        found = client.get_experiment(experiment)
    if found is None:
        raise EvidenceError(f"there is no experiment {experiment!r}")
    runs, token = [], None
    while True:
        page = client.search_runs(
            [found.experiment_id], order_by=["attributes.start_time ASC"], max_results=_PAGE, page_token=token
        )
        runs += [one.info.run_id for one in page]
        token = page.token
        if not token:
            return runs


def evidence_of(runs: Iterable[str], kind: str | None) -> list[Evidence]:
    """The documents of one kind in some runs, the oldest first.

    Args:
        kind: may be left out where the runs hold one kind alone.

    Raises:
        EvidenceError: when there are none, or of several kinds.
        MlflowException: when a run cannot be read.
    """
    found = [one for run in runs for one in _in_run(run)]
    kinds = sorted({one.kind for one in found})
    if kind is None and len(kinds) > 1:
        raise EvidenceError(f"the runs hold Evidence of {', '.join(kinds)}; say of which with --kind")
    of_kind = [one for one in found if kind in (None, one.kind)]
    if not of_kind:
        others = f"; there is some of {', '.join(kinds)}" if kinds else ""
        raise EvidenceError(f"the runs hold no Evidence{'' if kind is None else f' of {kind}'}{others}")
    return sorted(of_kind, key=lambda one: one.created_at)


def _in_run(run: str) -> Sequence[Evidence]:
    client = MlflowClient()
    root = client.get_run(run).info.artifact_uri
    names = [item.path for item in list_artifacts(f"{root}/{_FOLDER}") if item.path.endswith(".json")]
    if not names:
        return []
    with TemporaryDirectory() as folder:
        held = Path(download_artifacts(f"{root}/{_FOLDER}", dst_path=folder))
        return [load(held / Path(name).name) for name in sorted(names)]
