"""One self-contained HTML page per Evidence document, drawn from the document and from nothing else."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined, Template
from markupsafe import Markup

from mlflow_eval_plugin.evidence import Evidence
from mlflow_eval_plugin.reports import words
from mlflow_eval_plugin.reports.histograms import histogram
from mlflow_eval_plugin.reports.mean_reliability import mean_reliability
from mlflow_eval_plugin.reports.ranges import Forest, forests
from mlflow_eval_plugin.reports.regression_tables import (
    calibration_tables,
    is_regression,
    pit_caption,
    pit_picture,
    slice_tables,
)
from mlflow_eval_plugin.reports.reliability import reliability
from mlflow_eval_plugin.reports.tables import Table, checks_table, key_numbers, tables_of

_MOST_FAILED, _MOST_UNDECIDED = 30, 10
_MOST_HISTOGRAMS = 8


@dataclass(frozen=True)
class Picture:
    """A figure with its heading and caption."""

    title: str
    caption: str
    drawing: Markup


def render(evidence: Evidence) -> str:
    """The report of one Evidence document.

    Everything that comes from data (slice labels, names, categories) is escaped. The page needs no network, follows
    the reader's light or dark scheme and stays below 500 kB: tables and plots are cut to the worst rows, and say so.
    """
    ordered = words.worst_first(evidence.checks)
    failed = [check for check in ordered if check.verdict == "fail"]
    undecided = [check for check in ordered if check.verdict == "insufficient"]
    return _template().render(
        evidence=evidence,
        words=words,
        listed=[
            ("What failed", failed[:_MOST_FAILED], len(failed)),
            ("What could not be decided", undecided[:_MOST_UNDECIDED], len(undecided)),
        ],
        pictures=_pictures(evidence),
        aside=key_numbers(evidence.measurements) if evidence.kind == "calibration" else None,
        forests=_forests(evidence),
        tables=_tables(evidence),
        config=_config(evidence.config),
    )


@cache
def _template() -> Template:
    loader = PackageLoader("mlflow_eval_plugin.reports")
    environment = Environment(
        loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    return environment.get_template("report.html.j2")


def _forests(evidence: Evidence) -> list[Forest]:
    if evidence.kind == "calibration":
        return forests([check for check in evidence.checks if check.metric == "coverage_error"])
    # A change of schema is a fact without an interval; its own table tells more than a dot.
    return forests([check for check in evidence.checks if check.metric != "schema_changes"])


def _pictures(evidence: Evidence) -> list[Picture]:
    measurements = evidence.measurements
    if evidence.kind == "calibration" and is_regression(measurements):
        return _of_regression(measurements)
    if evidence.kind == "calibration":
        pictures = [Picture("Predicted against observed", _RELIABILITY, reliability(measurements))]
        if reference := measurements.get("reference"):
            pictures.append(Picture("The same on the reference rows", "", reliability(reference)))
        return pictures
    return [] if evidence.kind == "disaggregated" else _histograms(evidence)


def _of_regression(measurements: Mapping[str, Any]) -> list[Picture]:
    pictures = [Picture("Predicted against observed", _MEAN_RELIABILITY, mean_reliability(measurements))]
    if pit := measurements["pit"]:
        pictures.append(Picture("Targets between quantiles", pit_caption(pit), pit_picture(pit)))
    return pictures


def _histograms(evidence: Evidence) -> list[Picture]:
    columns = {column["name"]: column for column in evidence.measurements["columns"]}
    drifted = dict.fromkeys(check.scope for check in words.worst_first(evidence.failed) if check.scope in columns)
    return [
        Picture(name, columns[name]["hint_reason"], histogram(columns[name]))
        for name in list(drifted)[:_MOST_HISTOGRAMS]
        if columns[name]["histogram"]["labels"]
    ]


def _tables(evidence: Evidence) -> list[Table]:
    measurements = evidence.measurements
    if is_regression(measurements):
        made = calibration_tables if evidence.kind == "calibration" else slice_tables
        return [checks_table(evidence.checks), *made(measurements)]
    return [checks_table(evidence.checks), *tables_of(evidence.kind, measurements)]


def _config(config: Mapping[str, Any]) -> list[tuple[str, str]]:
    return [(key, json.dumps(value, ensure_ascii=False)) for key, value in sorted(config.items())]


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
