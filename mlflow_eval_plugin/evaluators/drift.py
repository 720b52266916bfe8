"""The ``drift`` evaluator: are the rows still like those of the reference?"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from mlflow_eval_plugin.engines.contract import AskedColumns
from mlflow_eval_plugin.evaluators.config.drift import DriftConfig
from mlflow_eval_plugin.evaluators.document import About, as_json, document
from mlflow_eval_plugin.evaluators.drift_causes import causes_of
from mlflow_eval_plugin.evaluators.drift_columns import AnyRows, drift_columns
from mlflow_eval_plugin.evaluators.drift_slices import by_slice
from mlflow_eval_plugin.evaluators.drift_windows import LEAST_LABELS, counted, over_time, window_claims
from mlflow_eval_plugin.evaluators.multivariate.keys import duplicates
from mlflow_eval_plugin.evaluators.multivariate.together import looked, looked_claims, reasons, vectors_among
from mlflow_eval_plugin.evidence import Evidence
from mlflow_eval_plugin.stats.drift.over_time import DriftOverTime
from mlflow_eval_plugin.stats.drift.report import Drift, DriftTable, metrics_of
from mlflow_eval_plugin.stats.drift.summary import Column, NumericColumn
from mlflow_eval_plugin.stats.errors import InputError
from mlflow_eval_plugin.stats.inference.checks import Claim

_METRICS = {
    "psi": ("max_psi", "PSI"),
    "wasserstein": ("max_shift_sigma", "Wasserstein distance in robust reference standard deviations"),
    "ks": ("max_ks", "Kolmogorov-Smirnov distance"),
    "js": ("max_js", "Jensen-Shannon distance"),
    "new_share": ("max_new_share", "rise in the share of any value that the reference hardly has"),
    "missing_change": ("max_missing_change", "change in the share of missing values"),
    "infinite_change": ("max_infinite_change", "change in the share of infinite values"),
    "sentinel_change": ("max_sentinel_change", "change in the share of values that stand for none"),
    "new_categories": ("max_new_categories", "share in categories that the reference has not"),
    "vanished_categories": ("max_vanished_categories", "reference's share in categories that are gone"),
    "lost_variety": ("max_lost_variety", "part of the values other than the commonest that is gone"),
    "unit_change": ("max_unit_change", "distance that another unit explains"),
    "out_of_range": ("max_out_of_range", "share of values out of the reference's range"),
}
_TWO_SIDED = ("missing_change", "infinite_change", "sentinel_change")


def evaluate(config: DriftConfig, rows: AnyRows, reference: AnyRows | None, about: About) -> Evidence:
    """Compare every column with the reference and judge the differences.

    Raises:
        InputError: without a reference; for a column that is named in the config and that neither side has, or that
            cannot be counted.
    """
    if reference is None:
        raise InputError("drift: there is no reference to compare with")
    columns = drift_columns(config, rows, reference)
    if unknown := [name for name in map(config.column, config.categorical) if name not in columns.known]:
        raise InputError(f"drift: categorical names {', '.join(map(repr, unknown))}, which is not compared")
    vectors = [name for name in vectors_among(columns.compared, rows, reference) if name not in columns.reshaped]
    counted_alone = [name for name in columns.compared if name not in vectors and name not in columns.reshaped]
    repeats = duplicates(config, rows, reference)
    asked = _asked(config, rows, counted_alone)
    counts, windows = counted(config, rows, reference, asked)
    table = DriftTable(counts.reference, counts.current)
    found = table.report(counts.repeated)
    more = looked(config, rows, reference, counts.reference, tuple(vectors))
    measured = {
        **_measured(found),
        "causes": causes_of(table, counts, columns, rows, reference),
        "labels": _labels(rows, reference),
        "passed_over": reasons({**counts.passed_over, **more.passed_over, **columns.reshaped}),
        "schema_changes": columns.measured,
        **more.measured,
        **({} if repeats is None else {"keys": repeats.measured}),
    }
    claims = list(drift_claims(config, table))
    if windows is not None:
        over = DriftOverTime(counts.reference, counts.current, windows, season=config.season is not None)
        measured["windows"] = over_time(config, over, claims, about)
        claims += list(window_claims(config, over, claims))
    if (slices := by_slice(config, table, rows, reference)) is not None:
        measured["slices"] = slices.measured
        claims += list(slices.claims(lambda one: drift_claims(config, one)))
    claims += list(looked_claims(config, more))
    certain = [*columns.checks(rows.data.rows), *(repeats.checks(config.max_duplicate_keys) if repeats else ())]
    return document(config, rows, claims, measured, about, reference=reference.data, certain=certain)


def _asked(config: DriftConfig, rows: AnyRows, names: Sequence[str]) -> AskedColumns:
    codes = {*map(config.column, config.categorical), *rows.classes}
    return AskedColumns(
        names=tuple(names),
        roles={name: role for name, role in rows.roles.items() if name in names},
        categorical=frozenset(codes.intersection(names)),
        as_given=config.columns is not None,
    )


def _labels(rows: AnyRows, reference: AnyRows) -> dict[str, Any]:
    """How many labels have arrived; they are late where others are missing, which is no drift."""
    received, before = (side.everything.present(rows.label_name) for side in (rows, reference))
    return {"column": rows.label_name, "rows": rows.data.rows, "received": received, "received_reference": before}


def drift_claims(config: DriftConfig, table: DriftTable) -> Iterator[Claim]:
    """What the config claims of every column that is compared."""
    for column, current in map(table.pair, [one.name for one in table.reference.columns]):
        for metric in metrics_of(column, current):
            key, words = _METRICS.get(metric, ("", ""))
            limit = config.tolerance(key, column.name) if key else None
            if limit is None or _is_late(current, metric, config) or _has_no_unit(metric, column, current):
                continue
            fails, passes = limit if isinstance(limit, tuple) else (limit, None)
            two_sided = metric in _TWO_SIDED
            said = f"{'within' if two_sided else 'at most'} {fails if passes is None else passes:g}"
            shown = "" if passes is None else f", and not shown to be {'beyond' if two_sided else 'above'} {fails:g}"
            yield Claim(
                id=f"{metric}:{column.name}",
                claim=f"the {words} of {column.name} is {said}{shown}",
                metric=metric,
                scope=column.name,
                bounds=table.bounds(column.name, metric),
                minimum=-fails if two_sided else None,
                maximum=fails,
                minimum_count=config.min_count,
                passes_at=passes,
            )


def _is_late(current: Column, metric: str, config: DriftConfig) -> bool:
    """Whether nothing can be claimed of labels yet; what has arrived is judged, once it is enough to pass."""
    if current.role != "label":
        return False
    return metric == "missing_change" or current.present < min(max(config.min_count, LEAST_LABELS), current.rows)


def _has_no_unit(metric: str, before: Column, after: Column) -> bool:
    """Whether a column has one value, the same on both sides, so that there is no standard deviation to measure in."""
    if metric != "wasserstein" or not isinstance(before, NumericColumn) or not isinstance(after, NumericColumn):
        return False
    return before.spread == 0 and bool((after.counts[before.counts == 0] == 0).all())


def _measured(found: Drift) -> dict[str, Any]:
    columns = []
    for column in found.columns:
        record = as_json(column)
        record["metrics"] = {name: value for name, value in record["metrics"].items() if value is not None}
        columns.append(record)
    return {
        "n_reference": found.n_reference,
        "n_current": found.n_current,
        "columns": columns,
    }
