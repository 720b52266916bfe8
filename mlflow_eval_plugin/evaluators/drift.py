"""The ``drift`` evaluator: are the rows still like those of the reference?"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from mlflow_eval_plugin.engines import drift_summaries, schema_of
from mlflow_eval_plugin.evaluators.config import DriftConfig
from mlflow_eval_plugin.evaluators.regression_rows import RegressionRows
from mlflow_eval_plugin.evaluators.rows import About, Rows, as_json, document
from mlflow_eval_plugin.evidence import Evidence
from mlflow_eval_plugin.stats.checks import CheckRecord, Claim
from mlflow_eval_plugin.stats.drift import Drift, SchemaChange, compare, drift_bounds, schema_changes
from mlflow_eval_plugin.stats.drift_summary import DriftSummary, Role
from mlflow_eval_plugin.stats.errors import InputError

AnyRows = Rows | RegressionRows
_METRICS = {
    "psi": ("max_psi", "PSI"),
    "wasserstein": ("max_shift_sigma", "Wasserstein distance in reference standard deviations"),
    "ks": ("max_ks", "Kolmogorov-Smirnov distance"),
    "js": ("max_js", "Jensen-Shannon distance"),
    "missing_change": ("max_missing_change", "change in the share of missing values"),
}


def evaluate(config: DriftConfig, rows: AnyRows, reference: AnyRows, about: About) -> Evidence:
    """Compare every column with the reference and judge the differences.

    Raises:
        InputError: for a column that either side lacks, or that cannot be counted.
    """
    names = _columns(config, rows, reference)
    roles, classes = _roles(rows), _classes(rows)
    before, after = drift_summaries(
        reference.everything,
        rows.everything,
        columns=names,
        roles={name: role for name, role in roles.items() if name in names},
        categorical=[name for name in names if name in config.categorical or name in classes],
    )
    found = compare(before, after)
    changes = _schema_changes(rows, reference, names)
    claims = _claims(config, found, before, after)
    certain = [_schema_check(len(changes), rows)]
    task = {"task": "regression"} if isinstance(rows, RegressionRows) else {}
    measured = {**task, **_measured(found, changes)}
    return document(config, rows, claims, measured, about, reference=reference.data, certain=certain)


def _roles(rows: AnyRows) -> dict[str, Role]:
    score: Role = "prediction" if isinstance(rows, RegressionRows) or rows.score is None else "score"
    forecasts: dict[str, Role] = dict.fromkeys(_forecasts(rows), "prediction")
    return {**forecasts, rows.score_name: score, rows.label_name: "label"}


def _forecasts(rows: AnyRows) -> tuple[str, ...]:
    return rows.forecasts if isinstance(rows, RegressionRows) else ()


def _classes(rows: AnyRows) -> set[str]:
    """The columns whose numbers are classes."""
    if isinstance(rows, RegressionRows):
        return set()
    return {name for name, role in _roles(rows).items() if role != "score"}


def _columns(config: DriftConfig, rows: AnyRows, reference: AnyRows) -> list[str]:
    if config.columns is not None:
        return list(dict.fromkeys(config.column(name) for name in config.columns))
    # Score, label and slice_data are compared where the reference has them; a feature that it lacks is an error further
    # down.
    predicted = (rows.score_name, *_forecasts(rows))
    further = [name for name in map(str, rows.frame.columns) if name not in {*rows.features, *predicted}]
    optional = [name for name in (*further, *predicted, rows.label_name) if name in reference.everything.columns]
    return [*rows.features, *optional]


def _schema_changes(rows: AnyRows, reference: AnyRows, names: list[str]) -> tuple[SchemaChange, ...]:
    before, after = schema_of(reference.everything), schema_of(rows.everything)
    return tuple(change for change in schema_changes(before, after) if change.column in names)


def _schema_check(changes: int, rows: AnyRows) -> CheckRecord:
    found = "no compared column changed its type" if changes == 0 else f"{changes} compared columns changed their type"
    return CheckRecord(
        id="schema_changes:overall",
        claim="no compared column changed its type",
        metric="schema_changes",
        scope="overall",
        n=rows.data.rows,
        minimum=None,
        maximum=0.0,
        value=float(changes),
        interval=(float(changes), float(changes)),
        p_value=None,
        p_adjusted=None,
        verdict="fail" if changes else "pass",
        reason=f"A fact, not an estimate: {found}.",
        n_to_decide=None,
    )


def _claims(config: DriftConfig, found: Drift, before: DriftSummary, after: DriftSummary) -> Iterator[Claim]:
    unknown = [name for name in config.categorical if name not in {column.name for column in found.columns}]
    if unknown:
        raise InputError(f"drift: categorical names {', '.join(map(repr, unknown))}, which is not compared")
    for column in found.columns:
        for metric, (key, words) in _METRICS.items():
            limit = getattr(config, key)
            if limit is None or getattr(column.metrics, metric) is None:
                continue
            two_sided = metric == "missing_change"
            yield Claim(
                id=f"{metric}:{column.name}",
                claim=f"the {words} of {column.name} is {'within' if two_sided else 'at most'} {limit:g}",
                metric=metric,
                scope=column.name,
                bounds=drift_bounds(before, after, column.name, metric),
                minimum=-limit if two_sided else None,
                maximum=limit,
                minimum_count=config.min_count,
            )


def _measured(found: Drift, changes: tuple[SchemaChange, ...]) -> dict[str, Any]:
    columns = []
    for column in found.columns:
        record = as_json(column)
        record["metrics"] = {name: value for name, value in record["metrics"].items() if value is not None}
        columns.append(record)
    return {
        "n_reference": found.n_reference,
        "n_current": found.n_current,
        "columns": columns,
        "schema_changes": [as_json(change) for change in changes],
    }
