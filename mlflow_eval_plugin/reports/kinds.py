"""What a page shows of each task and kind of Evidence: one literal table, which a new one extends by an entry."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from mlflow_eval_plugin.evidence import Check, Evidence
from mlflow_eval_plugin.reports.figures.changes import columns_over_time
from mlflow_eval_plugin.reports.figures.comparison import both_scores, comparison_tables, error_comparison_tables
from mlflow_eval_plugin.reports.figures.diagrams import Diagram, confidence_diagram, mean_diagram, score_diagram
from mlflow_eval_plugin.reports.figures.pictures import (
    Gallery,
    class_reliability_diagrams,
    drifted_columns,
    mean_reliability_diagrams,
    reliability_diagrams,
)
from mlflow_eval_plugin.reports.tables.cells import PageTable
from mlflow_eval_plugin.reports.tables.drift import drift_tables
from mlflow_eval_plugin.reports.tables.full import (
    calibration_tables,
    class_calibration_tables,
    class_disaggregated_tables,
    disaggregated_tables,
)
from mlflow_eval_plugin.reports.tables.heatmap import Heatmap, slice_heatmap
from mlflow_eval_plugin.reports.tables.regression import error_tables, mean_calibration_tables


@dataclass(frozen=True)
class Kind:
    """How one kind of Evidence is told.

    Args:
        title: its name to a reader.
        question: the question that it answers.
        scope: what the scopes of its Checks are.
        tables: measurements → the full tables, after that of all Checks.
        pictures: each of them Evidence → pictures drawn from its measurements, where there are any.
        heatmap: Evidence → its scopes × metrics, where it has both.
        drawn: which Checks are drawn as forest plots.
        forest_note: what a reader of its forest plots must know; where empty, what differences are taken to.
        plain: whether the kind alone names its Checks; else the task does too, since those of another are not the same.
        diagram: Evidence → what the PNG beside the page draws; where there is none it ranks the worst Checks.
        figure: the name of that PNG.
    """

    title: str
    question: str
    scope: str
    tables: Callable[[Mapping[str, Any]], list[PageTable]]
    pictures: tuple[Callable[[Evidence], Gallery | None], ...] = ()
    heatmap: Callable[[Evidence], Heatmap | None] | None = None
    drawn: Callable[[Check], bool] = lambda check: True
    forest_note: str = ""
    plain: bool = False
    diagram: Callable[[Evidence], Diagram] | None = None
    figure: str = "forest"


_OF_TWO_CLASSES: Mapping[str, Kind] = {
    "calibration": Kind(
        title="Calibration",
        question="Are predicted probabilities the frequencies that they claim to be?",
        scope="Rows",
        tables=calibration_tables,
        pictures=(reliability_diagrams,),
        drawn=lambda check: check.scope != "overall",
        plain=True,
        diagram=score_diagram,
        figure="reliability",
    ),
    "disaggregated": Kind(
        title="Results by group",
        question="Does the model serve every slice as well as the others?",
        scope="Slice",
        tables=disaggregated_tables,
        heatmap=slice_heatmap,
        plain=True,
    ),
    "drift": Kind(
        title="Drift",
        question="Are the rows still like those of the reference?",
        scope="Column",
        tables=drift_tables,
        pictures=(columns_over_time, drifted_columns),
        # A change of schema is a fact without an interval; its own table tells more than a dot.
        drawn=lambda check: check.metric != "schema_changes",
        # Columns are compared alike, however many classes there are.
        plain=True,
        figure="overview",
    ),
    "comparison": Kind(
        title="Champion and challenger",
        question="Is the challenger at least as good as the champion on the same rows, for everyone?",
        scope="Slice",
        tables=comparison_tables,
        pictures=(both_scores,),
        plain=True,
        forest_note="Challenger less champion: a positive change means that the challenger has more.",
    ),
}
_OF_MANY_CLASSES: Mapping[str, Kind] = {
    **_OF_TWO_CLASSES,
    "calibration": replace(
        _OF_TWO_CLASSES["calibration"],
        tables=class_calibration_tables,
        pictures=(class_reliability_diagrams,),
        plain=False,
        diagram=confidence_diagram,
    ),
    "disaggregated": replace(_OF_TWO_CLASSES["disaggregated"], tables=class_disaggregated_tables, plain=False),
    "comparison": replace(_OF_TWO_CLASSES["comparison"], plain=False),
}
_OF_REGRESSIONS: Mapping[str, Kind] = {
    **_OF_TWO_CLASSES,
    "calibration": Kind(
        title="Calibration",
        question="Is the mean target what is predicted, and do quantiles and intervals hold what they claim to?",
        scope="Rows",
        tables=mean_calibration_tables,
        pictures=(mean_reliability_diagrams,),
        drawn=lambda check: check.metric == "coverage_error",
        diagram=mean_diagram,
        figure="reliability",
    ),
    "disaggregated": replace(_OF_TWO_CLASSES["disaggregated"], tables=error_tables, plain=False),
    "drift": replace(_OF_TWO_CLASSES["drift"], plain=False),
    "comparison": replace(_OF_TWO_CLASSES["comparison"], tables=error_comparison_tables, plain=False),
}
TOLD: dict[str, Mapping[str, Kind]] = {
    "binary": _OF_TWO_CLASSES,
    "multiclass": _OF_MANY_CLASSES,
    "regression": _OF_REGRESSIONS,
}


def kind_of(evidence: Evidence) -> Kind:
    """How a document is told; of a task or a kind that is not known here, its Checks and what is known instead."""
    known = TOLD.get(evidence.of_task, {})
    return known[evidence.kind] if evidence.kind in known else _unknown(evidence)


def kind_and_task(evidence: Evidence) -> str:
    """What the Checks of a document are of: those of another kind, or at another task, are not the same Checks."""
    return evidence.kind if kind_of(evidence).plain else f"{evidence.kind} ({evidence.of_task})"


def _unknown(evidence: Evidence) -> Kind:
    what = f"kind {evidence.kind!r} of task {evidence.of_task!r}"
    of_task = TOLD.get(evidence.of_task)
    known = f"kinds of this task are {', '.join(of_task)}" if of_task else f"tasks are {', '.join(TOLD)}"
    return Kind(
        title=evidence.kind.replace("_", " ").capitalize(),
        question=f"This release does not know {what}, and shows the Checks alone; known {known}.",
        scope="Scope",
        tables=lambda measurements: [],
        plain=evidence.of_task == next(iter(TOLD)),
    )
