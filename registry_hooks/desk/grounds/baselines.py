"""Reads the two files of a baseline in a run that the caller may READ."""

from __future__ import annotations

from registry_hooks.errors import NotFound, Reason
from registry_hooks.identity import current_sight
from registry_hooks.rules.baselines import DOCUMENT, TABLES, Frozen, Place, read_baseline
from registry_hooks.storage.mlflow_io import run_file, run_files


def baseline_at(place: Place) -> Frozen | list[Reason]:
    """What is frozen there; else why that is no baseline.

    Raises:
        NotFound: when there is no such run, or none that the caller may READ.
        Invalid: when the run's files cannot be read.
    """
    if not current_sight().run(place.run_id):  # as for one that is not there: not even that may be learnt of it
        raise NotFound(f"there is no run {place.run_id!r} that you may read")
    tables = f"{place.path}/{TABLES}"
    return read_baseline(run_file(place.run_id, f"{place.path}/{DOCUMENT}"), run_files(place.run_id, [tables])[tables])
