"""What a reliability diagram shows, whichever task it is of: a picture beside the page is drawn from this alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mlflow_eval_plugin.evidence import Evidence
from mlflow_eval_plugin.reports.figures.mean_reliability import spans
from mlflow_eval_plugin.reports.figures.reliability import CONFIDENCE, PROBABILITY, Words
from mlflow_eval_plugin.reports.tables.multiclass import diagram_of


@dataclass(frozen=True)
class Bars:
    """Rows by what is predicted: upwards, and downwards those of the other side where there are two.

    Args:
        edges: of the bars.
        up, down: their heights; ``down`` is empty where there is one side.
        sides: what the lower and the upper side are called.
    """

    edges: Sequence[float]
    up: Sequence[float]
    down: Sequence[float] = ()
    sides: tuple[str, str] = ("", "")


@dataclass(frozen=True)
class Diagram:
    """What is observed against what is predicted, with the rows below it.

    Args:
        span: of both axes.
        observed, predicted: what the axes are called.
        curve, curve_name: the recalibration curve.
        band: prediction, lower and upper limit of the curve of a calibrated model; may be empty.
        bins: binned points with their ``interval``.
        across, up: the members of a bin that are its place.
        bars: the rows.
    """

    span: tuple[float, float]
    observed: str
    predicted: str
    curve: Sequence[tuple[float, float]]
    curve_name: str
    band: Sequence[tuple[float, float, float]]
    bins: Sequence[Mapping[str, Any]]
    across: str
    up: str
    bars: Bars


def score_diagram(evidence: Evidence) -> Diagram:
    """Of the scores of two classes."""
    return _of_scores(evidence.measurements, PROBABILITY)


def confidence_diagram(evidence: Evidence) -> Diagram:
    """Of the confidence, where there are three or more classes."""
    return _of_scores(diagram_of(evidence.measurements), CONFIDENCE)


def _of_scores(measurements: Mapping[str, Any], words: Words) -> Diagram:
    histogram = measurements["histogram"]
    return Diagram(
        span=(0, 1),
        observed=words.rate,
        predicted=words.score,
        curve=measurements["corp"],
        curve_name="CORP curve",
        band=measurements["corp_band"],
        bins=measurements["bins"],
        across="mean_score",
        up="event_rate",
        bars=Bars(
            histogram["edges"], histogram["positive"], histogram["negative"], sides=(words.negative, words.positive)
        ),
    )


def mean_diagram(evidence: Evidence) -> Diagram:
    """Of the predictions of a regression."""
    measurements = evidence.measurements
    return Diagram(
        span=spans(measurements),
        observed="Mean target",
        predicted="Prediction",
        curve=measurements["corp"],
        curve_name="isotonic curve",
        band=measurements["corp_band"],
        bins=measurements["bins_equal_mass"],
        across="mean_prediction",
        up="mean_target",
        bars=Bars(measurements["histogram"]["edges"], measurements["histogram"]["weight"]),
    )
