"""The ``comparison`` evaluator for three or more classes: means over classes, each class, and where decisions moved."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from mlflow_eval_plugin.engines.contract import PairedMulticlassData
from mlflow_eval_plugin.evaluators.claims import margin_claims, refuse_blind
from mlflow_eval_plugin.evaluators.config.classes import split_metric
from mlflow_eval_plugin.evaluators.config.comparison import MARGIN_KEYS, ComparisonConfig
from mlflow_eval_plugin.evaluators.config.costs import costs_of_classes
from mlflow_eval_plugin.evaluators.document import About, as_json, document, slice_json
from mlflow_eval_plugin.evaluators.multiclass.rows import MulticlassRows, refuse_keys
from mlflow_eval_plugin.evaluators.slicing import slice_columns, slicing_of, wanted_labels
from mlflow_eval_plugin.evaluators.unchecked import changes_for_the_worse
from mlflow_eval_plugin.evidence import Evidence
from mlflow_eval_plugin.stats.errors import InputError
from mlflow_eval_plugin.stats.inference.costs import ClassCosts
from mlflow_eval_plugin.stats.multiclass.comparison import PairedClassTable, compare_classes
from mlflow_eval_plugin.stats.multiclass.metrics import OF_PROBABILITIES
from mlflow_eval_plugin.stats.multiclass.summary import MOST_RANKED

_OF_TWO = {
    "threshold": "the class of the largest probability is predicted",
    "champion_threshold": "the class of the largest probability is predicted",
}


@dataclass(frozen=True, eq=False)
class ClassChampion:
    """The rows with what both models say of them, and whose predictions the champion's are, as JSON."""

    both: PairedMulticlassData
    source: Mapping[str, Any]


def evaluate(config: ComparisonConfig, rows: MulticlassRows, champion: ClassChampion, about: About) -> Evidence:
    """Compare both on every slice and judge the differences.

    Raises:
        InputError: for a key that needs two classes, a margin of a metric or class there is none of or that needs
            probabilities which one of them lacks, or a slice column that is missing or has too many levels.
    """
    refuse_keys(config, _OF_TWO)
    classes = champion.both.champion_classes + rows.known.classes
    _metrics_exist(config, classes)
    if not champion.both.have_probabilities:
        refuse_blind(config, OF_PROBABILITIES)
    costs = _costs(config, champion.both.champion_classes, rows.known.classes)
    table = PairedClassTable(champion.both.counted(slicing_of(config), costs), costs)
    _areas_exist(config, table)
    labels = wanted_labels(config, table.slices)
    claims = list(margin_claims(config, table, labels))
    measurements = {
        **_measured(config, table, set(labels)),
        "unchecked": changes_for_the_worse(table, labels, table.metrics, claims, config.alpha),
        "champion": dict(champion.source),
    }
    return document(config, rows, claims, measurements, about)


def _costs(config: ComparisonConfig, champion: tuple[str, ...], challenger: tuple[str, ...]) -> ClassCosts | None:
    try:
        return costs_of_classes(config.costs, tuple(dict.fromkeys((*challenger, *champion))))
    except InputError as error:
        alone = [one for one in champion if one not in challenger]
        if not alone:
            raise
        raise InputError(f"{error} (only the champion knows {', '.join(map(repr, alone))})") from error


def _margins(config: ComparisonConfig) -> list[tuple[str, str]]:
    return [(key, metric) for key in MARGIN_KEYS for metric in getattr(config, key)]


def _metrics_exist(config: ComparisonConfig, classes: tuple[str, ...]) -> None:
    for key, metric in _margins(config):
        of_class = split_metric(metric)[1]
        if metric == "average_precision":
            raise InputError(f"comparison: {key} names {metric!r}, which is for two classes; leave it out")
        if of_class is not None and of_class not in classes:
            raise InputError(
                f"comparison: {key} names {metric!r}, and the classes are "
                f"{', '.join(map(repr, dict.fromkeys(classes)))}"
            )


def _areas_exist(config: ComparisonConfig, table: PairedClassTable) -> None:
    named = [metric for _, metric in _margins(config) if split_metric(metric)[0] == "auc"]
    if named and table.summary.champion.ranks is None:
        raise InputError(
            f"comparison: {named[0]!r} of {len(table.summary.classes)} classes needs at most {MOST_RANKED:,} possible "
            "slices times classes; reduce depth, or leave it out"
        )


def _measured(config: ComparisonConfig, table: PairedClassTable, labels: set[str]) -> dict[str, Any]:
    found, summary = compare_classes(table), table.summary
    return {
        "classes": list(summary.classes),
        "threshold": None,
        "champion_threshold": None,
        "probabilities": summary.changes is not None,
        "slice_columns": slice_columns(config),
        "minimum_count": config.min_count,
        "weighted": summary.champion.weighted,
        "overall": slice_json(found.overall),
        "slices": [slice_json(one) for one in found.slices if one.label in labels],
        "by_class": as_json(found.classes),
        "moves": as_json(found.moves),
        "joint": None,
    }
