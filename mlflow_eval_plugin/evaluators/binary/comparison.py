"""The ``comparison`` evaluator: is the challenger at least as good as the champion on the same rows, for everyone?"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from mlflow_eval_plugin.engines.contract import PairedBinaryData
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
        both: the rows with what both models say of them.
        source: whose predictions these are, as JSON: a model by its digest, a column, or the table of a run.
    """

    both: PairedBinaryData
    source: Mapping[str, Any]


def evaluate(config: ComparisonConfig, rows: Rows, champion: ChampionRows, about: About) -> Evidence:
    """Compare both on every slice and judge the differences.

    Raises:
        InputError: when one has no predictions, or a margin needs probabilities and one has only classes; for a slice
            column that is missing or has too many levels, or labels, scores or weights that cannot be evaluated.
    """
    classes = _of_classes(rows, champion)
    _refuse(config, rows, classes=classes)
    summary, placements = champion.both.counted(slicing_of(config), _thresholds(config))
    table = PairedTable(summary, placements, costs_of_two(config.costs))
    labels = wanted_labels(config, table.summary.champion.slices)
    measurements = _measured(config, rows, champion, table, set(labels))
    claims = list(margin_claims(config, table, labels))
    known = [name for name in table.metrics if not classes or name not in OF_SCORES]
    measurements["unchecked"] = changes_for_the_worse(table, labels, known, claims, config.alpha)
    return document(config, rows, claims, {**measurements, "champion": dict(champion.source)}, about)


def _refuse(config: ComparisonConfig, rows: Rows, *, classes: bool) -> None:
    if not rows.scored.has_predictions:
        raise InputError("comparison: there is neither a model nor a column of predictions; give mlflow 'predictions'")
    for key in MARGIN_KEYS:
        for metric in getattr(config, key):
            if split_metric(metric)[1] is not None:
                raise InputError(
                    f"comparison: {key} names {metric!r}, a metric of one of three or more classes; leave out the class"
                )
    if classes:
        refuse_blind(config, OF_SCORES)


def _of_classes(rows: Rows, champion: ChampionRows) -> bool:
    """Whether one of the two gives classes alone, so that only those of both can be compared."""
    return not (rows.scored.has_scores and champion.both.champion_has_scores)


def _thresholds(config: ComparisonConfig) -> tuple[float, float]:
    return config.threshold if config.champion_threshold is None else config.champion_threshold, config.threshold


def _measured(
    config: ComparisonConfig, rows: Rows, champion: ChampionRows, table: PairedTable, labels: set[str]
) -> dict[str, Any]:
    found, classes = compare(table), _of_classes(rows, champion)
    thresholds = _thresholds(config)
    return {
        "threshold": thresholds[1] if rows.scored.has_scores else None,
        "champion_threshold": thresholds[0] if champion.both.champion_has_scores else None,
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
