"""The ``comparison`` evaluator: is the challenger at least as good as the champion on the same rows, for everyone?"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from mlflow_eval_plugin.engines import paired_rows, paired_summary, placement_summary
from mlflow_eval_plugin.evaluators.binary.rows import Rows
from mlflow_eval_plugin.evaluators.claims import margin_claims, refuse_blind
from mlflow_eval_plugin.evaluators.config.classes import split_metric
from mlflow_eval_plugin.evaluators.config.comparison import MARGIN_KEYS, ComparisonConfig
from mlflow_eval_plugin.evaluators.config.costs import costs_of_two
from mlflow_eval_plugin.evaluators.document import About, as_json, document, slice_json
from mlflow_eval_plugin.evaluators.slicing import slice_columns, slicing_of, wanted_labels
from mlflow_eval_plugin.evaluators.unchecked import changes_for_the_worse
from mlflow_eval_plugin.evidence import Evidence
from mlflow_eval_plugin.stats.binary.comparison import PairedTable, SliceComparison, compare
from mlflow_eval_plugin.stats.binary.metrics import OF_SCORES
from mlflow_eval_plugin.stats.errors import InputError


@dataclass(frozen=True, eq=False)
class ChampionRows:
    """What the champion says of the rows.

    Attributes:
        score: probability of the positive class; None where only classes are known.
        prediction: predicted class, 0 or 1; None where there are scores.
        source: whose predictions these are, as JSON: a model by its digest, a column, or the table of a run.
    """

    score: Any
    prediction: Any
    source: Mapping[str, Any]


def evaluate(config: ComparisonConfig, rows: Rows, champion: ChampionRows, about: About) -> Evidence:
    """Compare both on every slice and judge the differences.

    Raises:
        InputError: when one has no predictions, or a margin needs probabilities and one has only classes; for a slice
            column that is missing or has too many levels, or labels, scores or weights that cannot be evaluated.
    """
    classes = rows.score is None or champion.score is None
    _refuse(config, rows, classes=classes)
    table = _table(config, rows, champion, classes=classes)
    labels = wanted_labels(config, table.summary.champion.slices)
    measurements = _measured(config, rows, champion, table, set(labels))
    claims = list(margin_claims(config, table, labels))
    known = [name for name in table.metrics if not classes or name not in OF_SCORES]
    measurements["unchecked"] = changes_for_the_worse(table, labels, known, claims, config.alpha)
    return document(config, rows, claims, {**measurements, "champion": dict(champion.source)}, about)


def _refuse(config: ComparisonConfig, rows: Rows, *, classes: bool) -> None:
    if rows.score is None and rows.prediction is None:
        raise InputError("comparison: there is neither a model nor a column of predictions; give mlflow 'predictions'")
    for key in MARGIN_KEYS:
        for metric in getattr(config, key):
            if split_metric(metric)[1] is not None:
                raise InputError(
                    f"comparison: {key} names {metric!r}, a metric of one of three or more classes; leave out the class"
                )
    if classes:
        refuse_blind(config, OF_SCORES)


def _table(config: ComparisonConfig, rows: Rows, champion: ChampionRows, *, classes: bool) -> PairedTable:
    thresholds = _thresholds(config)
    if classes:
        # Classes stand in for scores, to be counted; what would be measured of scores is left out.
        scores = [
            _classes(champion.score, champion.prediction, thresholds[0]),
            _classes(rows.score, rows.prediction, thresholds[1]),
        ]
        thresholds = (0.5, 0.5)
    else:
        scores = [champion.score, rows.score]
    pairs = paired_rows(
        rows.frame, label=rows.label, champion=scores[0], challenger=scores[1], thresholds=thresholds,
        weight=rows.weight, slicing=slicing_of(config),
    )  # fmt: skip
    summary = paired_summary(pairs)
    return PairedTable(summary, None if classes else placement_summary(pairs, summary), costs_of_two(config.costs))


def _thresholds(config: ComparisonConfig) -> tuple[float, float]:
    return config.threshold if config.champion_threshold is None else config.champion_threshold, config.threshold


def _classes(score: Any, prediction: Any, threshold: float) -> Any:
    decided = prediction if score is None else np.asarray(score) >= threshold
    return np.asarray(decided, dtype=np.float64)


def _measured(
    config: ComparisonConfig, rows: Rows, champion: ChampionRows, table: PairedTable, labels: set[str]
) -> dict[str, Any]:
    found, classes = compare(table), rows.score is None or champion.score is None
    thresholds = _thresholds(config)
    return {
        "threshold": None if rows.score is None else thresholds[1],
        "champion_threshold": None if champion.score is None else thresholds[0],
        "probabilities": not classes,
        "pos_label": rows.pos_label,
        "slice_columns": slice_columns(config),
        "minimum_count": config.min_count,
        "weighted": table.summary.champion.weighted,
        "overall": _report(found.overall, classes=classes),
        "slices": [_report(one, classes=classes) for one in found.slices if one.label in labels],
        "joint": None if classes else as_json(found.joint),
    }


def _report(one: SliceComparison, *, classes: bool) -> dict[str, Any]:
    made: dict[str, Any] = slice_json(one)
    if classes:
        made["metrics"] = {name: value for name, value in made["metrics"].items() if name not in OF_SCORES}
    return made
