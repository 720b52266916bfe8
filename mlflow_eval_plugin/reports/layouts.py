"""What the documents of a kind hold, as far as tables and sentences must know: one literal table.

How a kind is shown stands in `mlflow_eval_plugin.reports.kinds`, which is made of these tables and sentences.
"""

from __future__ import annotations

from dataclasses import dataclass

from mlflow_eval_plugin.evidence import Evidence


@dataclass(frozen=True)
class Layout:
    """What the documents of one kind hold.

    Args:
        scope: what a Check is of, where it is not of all rows.
        of_two_models: a champion stands in ``champion``, and changes are from it to the challenger.
        of_columns: ``columns`` has columns with the levels of their histograms.
        needs_labels: rows whose labels have not arrived are left out.
    """

    scope: str = "slice"
    of_two_models: bool = False
    of_columns: bool = False
    needs_labels: bool = True


LAYOUTS: dict[str, Layout] = {
    "calibration": Layout(),
    "disaggregated": Layout(),
    "drift": Layout(scope="column", of_columns=True, needs_labels=False),
    "comparison": Layout(of_two_models=True),
}


def layout_of(evidence: Evidence) -> Layout:
    """What a document holds; nothing out of the common where its kind is not known here."""
    return LAYOUTS.get(evidence.kind, Layout())
