"""The pictures of a kind that are drawn from its measurements: which ones, with which headings and captions."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from markupsafe import Markup

from mlflow_eval_plugin.evidence import Evidence
from mlflow_eval_plugin.reports.figures.histograms import histogram
from mlflow_eval_plugin.reports.figures.mean_reliability import mean_reliability, pit_caption, pit_picture
from mlflow_eval_plugin.reports.figures.reliability import CONFIDENCE, reliability
from mlflow_eval_plugin.reports.sentences import wording
from mlflow_eval_plugin.reports.sentences.ranking import worst_first
from mlflow_eval_plugin.reports.tables.cells import PageTable
from mlflow_eval_plugin.reports.tables.full import key_numbers
from mlflow_eval_plugin.reports.tables.multiclass import diagram_of, worst_class

_MOST_HISTOGRAMS = 20
_DISTANCES = ("psi", "wasserstein", "js")


@dataclass(frozen=True)
class Picture:
    """A figure with its heading and caption."""

    title: str
    caption: str
    drawing: Markup


@dataclass(frozen=True)
class Gallery:
    """Pictures that stand together, with a heading and a legend where they need one, and a table beside them."""

    pictures: tuple[Picture, ...]
    title: str = ""
    legend: Markup | None = None
    small: bool = False
    aside: PageTable | None = None


def reliability_diagrams(evidence: Evidence) -> Gallery:
    """The diagram of the rows, that of the reference where there is one, and the metrics beside them."""
    measurements = evidence.measurements
    pictures = [Picture("Predicted against observed", _RELIABILITY, reliability(measurements))]
    if reference := measurements.get("reference"):
        pictures.append(Picture("The same on the reference rows", "", reliability(reference)))
    return Gallery(tuple(pictures), aside=key_numbers(measurements))


def class_reliability_diagrams(evidence: Evidence) -> Gallery:
    """The diagram of the confidence, and that of the class that is furthest off, with the metrics of the confidence."""
    measurements = evidence.measurements
    aside = key_numbers(measurements, "Calibration of the confidence")
    return Gallery(tuple(_class_diagrams(measurements)), aside=aside)


def _class_diagrams(measurements: Mapping[str, Any]) -> Iterator[Picture]:
    confidence = reliability(diagram_of(measurements), CONFIDENCE)
    yield Picture("Confidence against right predictions", _CONFIDENCE, confidence)
    if reference := measurements.get("reference"):
        yield Picture("The same on the reference rows", "", reliability(diagram_of(reference), CONFIDENCE))
    if worst := worst_class(measurements):
        yield Picture(f"The class furthest off: {worst[0]}", _RELIABILITY, reliability(worst[1]))


def mean_reliability_diagrams(evidence: Evidence) -> Gallery:
    """The diagram of a regression, its targets between quantiles where there are any, and the metrics beside them."""
    measurements = evidence.measurements
    pictures = [Picture("Predicted against observed", _MEAN_RELIABILITY, mean_reliability(measurements))]
    if pit := measurements["pit"]:
        pictures.append(Picture("Targets between quantiles", pit_caption(pit), pit_picture(pit)))
    return Gallery(tuple(pictures), aside=key_numbers(measurements))


def drifted_columns(evidence: Evidence) -> Gallery | None:
    """Both distributions of each column that moved: those with a failed Check, worst first, then those with a hint."""
    columns = {column["name"]: column for column in evidence.measurements["columns"]}
    failed = [check.scope for check in worst_first(evidence.failed)]
    hinted = [name for name, column in columns.items() if column["hint"] != "none"]
    moved = [name for name in dict.fromkeys([*failed, *hinted]) if name in columns]
    drawn = [name for name in moved if columns[name]["histogram"]["labels"]]
    pictures = tuple(
        Picture(name, _moved(columns[name]), histogram(columns[name])) for name in drawn[:_MOST_HISTOGRAMS]
    )
    if not pictures:
        return None
    left = len(drawn) - len(pictures)
    more = f" {left} more moved; the Evidence document holds all." if left else ""
    return Gallery(pictures, "The columns that moved", _DRIFT_LEGEND + more, small=True)


def _moved(column: Mapping[str, Any]) -> str:
    """How far a column is from the reference, what is missing in it, and where to look first."""
    known = [(name, (column["metrics"].get(name) or {}).get("value")) for name in _DISTANCES]
    said = [f"{wording.metric_label(name)} {wording.number(value)}" for name, value in known if value is not None]
    shares = [column["missing_reference"], column["missing_current"]]
    if any(shares):
        said.append(f"missing {wording.percent(shares[0])} → {wording.percent(shares[1])}")
    return "; ".join(filter(None, [", ".join(said), column["hint_reason"]]))


_CONFIDENCE = (
    "The confidence is the probability of the predicted class, the largest. On the diagonal, predictions made with "
    "confidence 0.7 are right in 70 % of cases; a line below it means that the model is overconfident. The line is the "
    "recalibration curve (CORP, isotonic), the band holds it in 95 % of cases when the model is calibrated."
)
_MEAN_RELIABILITY = (
    "The line is the mean target at each prediction (isotonic regression): on the diagonal, rows predicted 7 have the "
    "mean 7. The shaded band holds the line in 95 % of cases when the model is calibrated. Dots are bins of equal mass "
    "with 95 % intervals. Below: how many rows have each prediction."
)
_RELIABILITY = (
    "The line is the recalibration curve (CORP, isotonic): on the diagonal, a score of 0.7 means that 70 % of such "
    "rows are positive. The shaded band holds the line in 95 % of cases when the model is calibrated. Dots are bins "
    "with 95 % intervals. Below: how many rows of each class have each score."
)
_DRIFT_LEGEND = Markup(
    '<span class="key current"></span> current <span class="key reference"></span> reference; '
    "heights are shares of rows."
)
