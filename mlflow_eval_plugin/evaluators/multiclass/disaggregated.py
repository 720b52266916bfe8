"""The ``disaggregated`` evaluator for three or more classes: means over classes, and each class against the rest."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from mlflow_eval_plugin.engines.contract import ErrorCounts, Sought
from mlflow_eval_plugin.evaluators.claims import comparisons_of, cost_claims, gap_claims, metric_claims
from mlflow_eval_plugin.evaluators.config.classes import OF_ONE_CLASS, split_metric
from mlflow_eval_plugin.evaluators.config.costs import costs_of_classes
from mlflow_eval_plugin.evaluators.config.disaggregated import DisaggregatedConfig
from mlflow_eval_plugin.evaluators.document import About, as_json, document, slice_json
from mlflow_eval_plugin.evaluators.multiclass.rows import MulticlassRows, refuse_keys
from mlflow_eval_plugin.evaluators.search import Prepared, error_of_classes, search_of, weakest
from mlflow_eval_plugin.evaluators.slice_changes import SliceChanges, of_reference
from mlflow_eval_plugin.evaluators.slicing import slice_columns, slicing_of, wanted_labels
from mlflow_eval_plugin.evaluators.system import measured_system, system_claims, system_of
from mlflow_eval_plugin.evaluators.unchecked import gaps_of_classes
from mlflow_eval_plugin.evaluators.user_metrics import add_own_metrics, metrics_of_rows
from mlflow_eval_plugin.evidence import Evidence
from mlflow_eval_plugin.stats.binary.disaggregated import gaps_of
from mlflow_eval_plugin.stats.errors import InputError
from mlflow_eval_plugin.stats.inference.checks import Claim
from mlflow_eval_plugin.stats.inference.costs import ClassCosts
from mlflow_eval_plugin.stats.inference.estimate import bounds_at, estimates
from mlflow_eval_plugin.stats.inference.quantities import MeanCost
from mlflow_eval_plugin.stats.multiclass.costs import class_cost
from mlflow_eval_plugin.stats.multiclass.disaggregated import MulticlassSlice, multiclass_slices
from mlflow_eval_plugin.stats.multiclass.metrics import MULTICLASS_METRICS, OF_PROBABILITIES, MulticlassTable
from mlflow_eval_plugin.stats.multiclass.summary import MOST_RANKED
from mlflow_eval_plugin.stats.multiclass.user_metrics import ClassMaker, counted_class_metric
from mlflow_eval_plugin.stats.slices.gaps import MetricTable
from mlflow_eval_plugin.stats.slices.user_metrics import RowMaker, SliceRows

_USUAL_GAPS = ("accuracy", "precision", "recall", "f1", "fpr", "fnr", "auc")
_USUAL_CHANGES = ("accuracy", "precision", "recall", "f1")
_MOST_BY_CLASS = 512  # slices times classes: half a megabyte
_MOST_PAIRS = 4_000_000  # half a gigabyte of limits
_OF_TWO = {
    "max_fairness": "fairness measures compare the positive class",
    "min_fairness": "fairness measures compare the positive class",
    "threshold": "the class of the largest probability is predicted",
}


def evaluate(
    config: DisaggregatedConfig, rows: MulticlassRows, reference: MulticlassRows | None, about: About
) -> Evidence:
    """Measure every slice and judge the gaps, and what has changed since the reference.

    Raises:
        InputError: for a key that needs two classes, a metric or class there is none of, or a slice column that is
            missing or has too many levels.
    """
    refuse_keys(config, _OF_TWO)
    _metrics_exist(config, rows)
    costs = costs_of_classes(config.costs, rows.known.classes)
    searching = _prepared(config, rows)
    table = MulticlassTable(rows.known.sliced(slicing_of(config)), _own_metrics(config, rows))
    _fits(config, table)
    found = multiclass_slices(table, most_by_class=_MOST_BY_CLASS)
    labels = wanted_labels(config, table.summary.slices)
    system = system_of(config, rows.known)
    changes = _changes(config, table, reference, labels)
    claims = [*_claims(config, table, labels), *system_claims(config, system, labels), *changes.claims()]
    if costs is not None:
        cost = class_cost(table, costs)
        places = {"overall": 0, **{label: table.summary.index(label) for label in labels}}
        claims += cost_claims(config, {label: bounds_at(cost, place) for label, place in places.items()})
    measurements = {
        **_measured(config, table, found, set(labels)),
        "costs": None if costs is None else _costs(costs, cost, places),
        "system": measured_system(config, system, set(labels)),
        "weak_slices": weakest(searching),
        "change": changes.measured(),
        "unchecked": gaps_of_classes(table, labels, claims, config.alpha),
    }
    add_own_metrics(config, table, (measurements["overall"], *measurements["slices"]))
    return document(config, rows, claims, measurements, about, reference=reference.data if reference else None)


def _changes(
    config: DisaggregatedConfig, table: MulticlassTable, reference: MulticlassRows | None, labels: Sequence[str]
) -> SliceChanges:
    before: MulticlassTable | None = None
    if reference is not None and (known := reference.scored) is not None:
        counted = of_reference(lambda: known.sliced(slicing_of(config)))
        before = MulticlassTable(counted, _own_metrics(config, reference))
    return SliceChanges(config, table, before, labels, _USUAL_CHANGES)


def _named(config: DisaggregatedConfig) -> Iterator[tuple[str, str]]:
    for key in ("max_gap", "min_ratio", "min_metric", "max_metric", "max_slice_change"):
        for metric in getattr(config, key):
            yield key, metric


def _metrics_exist(config: DisaggregatedConfig, rows: MulticlassRows) -> None:
    classes = rows.known.classes
    own = set(config.custom_metrics)
    for key, metric in _named(config):
        if metric in own:
            continue
        rate, of_class = split_metric(metric)
        if of_class is None and rate not in MULTICLASS_METRICS:
            of_one = f"of one class; say of which, as in '{rate}[{classes[0]}]'"
            instead = of_one if rate in OF_ONE_CLASS else "for two classes; leave it out"
            raise InputError(f"disaggregated: {key} names {rate!r}, which is {instead}")
        if of_class is not None and of_class not in classes:
            raise InputError(
                f"disaggregated: {key} names {metric!r}, and the classes are {', '.join(map(repr, classes))}"
            )
        if rate in OF_PROBABILITIES and not rows.known.has_probabilities:
            raise InputError(
                f"disaggregated: {key} names {metric!r}, which needs probabilities, and the predictions are classes; "
                "give probabilities or leave it out"
            )


def _fits(config: DisaggregatedConfig, table: MulticlassTable) -> None:
    families = Counter(one.family for one in table.summary.slices)
    pairs = sum(size**2 for size in families.values()) * len(table.summary.classes)
    if config.gap_versus == "best" and pairs > _MOST_PAIRS:
        raise InputError(
            f"disaggregated: gap_versus 'best' compares every slice with all others, {pairs:,} times with "
            f"all classes, more than {_MOST_PAIRS:,}; compare with the 'complement' or 'overall', or reduce depth"
        )
    wanted = [metric for _, metric in _named(config) if split_metric(metric)[0] == "auc"]
    if wanted and table.summary.ranks is None:
        raise InputError(
            f"disaggregated: {wanted[0]!r} of {len(table.summary.classes)} classes needs at most {MOST_RANKED:,} "
            "possible slices times classes; reduce depth, or leave it out"
        )


def _measured(
    config: DisaggregatedConfig, table: MulticlassTable, found: Sequence[MulticlassSlice], labels: set[str]
) -> dict[str, Any]:
    summary = table.summary
    absent = summary.cells[0].sum(axis=1) == 0
    return {
        "classes": list(summary.classes),
        "classes_absent": [one for one, none in zip(summary.classes, absent.tolist(), strict=True) if none],
        "threshold": None,
        "probabilities": summary.moments is not None,
        "slice_columns": slice_columns(config),
        "minimum_count": config.min_count,
        "weighted": summary.weighted,
        "confusion": table.part().confusion[0].tolist(),
        "overall": slice_json(found[0]),
        "slices": [slice_json(one) for one in found if one.label in labels],
        "gaps": _gaps(config, table, labels),
        "fairness": {},
    }


def _costs(costs: ClassCosts, cost: MeanCost, places: Mapping[str, int]) -> dict[str, Any]:
    found = estimates(cost)
    slices = [{"label": label, "cost": as_json(found[place])} for label, place in places.items()]
    return {"by_label": costs.by_label, "slices": slices}


def _gaps(config: DisaggregatedConfig, table: MulticlassTable, labels: set[str]) -> list[Any]:
    usual = [metric for metric in _USUAL_GAPS if metric != "auc" or table.summary.ranks is not None]
    some = comparisons_of(config, len(table.summary.slices), usual)
    return [
        as_json(one)
        for metric in some["gap_metrics"]
        for versus in some["versus"]
        for one in gaps_of(table, metric, versus, config.min_count)
        if one.label in labels
    ]


def _claims(config: DisaggregatedConfig, table: MulticlassTable, labels: Sequence[str]) -> Iterator[Claim]:
    yield from gap_claims(config, table, labels)
    for label in ("overall", *labels):
        yield from metric_claims(config, table, label)


def _prepared(config: DisaggregatedConfig, rows: MulticlassRows) -> Prepared | None:
    """The search of weak slices that the config asks for, by an error of a row over all classes; None without one."""
    error = error_of_classes(config, hard=not rows.known.has_probabilities)

    def counted(sought: Sought) -> ErrorCounts:
        return rows.known.errors(sought, error)

    return search_of(config, rows, error, counted)


def _own_metrics(config: DisaggregatedConfig, rows: MulticlassRows) -> dict[str, ClassMaker | RowMaker]:
    """The custom metrics of the config, for a ``MulticlassTable``."""

    def told(table: MetricTable) -> SliceRows:
        return rows.known.slice_rows(table.slices, slicing_of(config))

    counted = {name: counted_class_metric(name, function) for name, function in config.metrics.items()}
    return {**counted, **metrics_of_rows(config, told)}
