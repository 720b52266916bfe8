"""Drift of columns together, and of columns of vectors: a classifier tells the rows of both sides apart."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from mlflow_eval_plugin.evaluators.config.drift import DriftConfig, Tolerances
from mlflow_eval_plugin.evaluators.document import as_json
from mlflow_eval_plugin.evaluators.drift_columns import AnyRows
from mlflow_eval_plugin.stats.drift.summary import DriftSummary
from mlflow_eval_plugin.stats.errors import InputError
from mlflow_eval_plugin.stats.inference.checks import Claim
from mlflow_eval_plugin.stats.inference.estimate import Quantity, bounds_at
from mlflow_eval_plugin.stats.multivariate.together import Together
from mlflow_eval_plugin.stats.multivariate.two_sample import LEAST_ROWS

OVERALL = "overall"


@dataclass(frozen=True, eq=False)
class Looked:
    """What was found of all columns together, where that was asked for, and of each column of vectors.

    Attributes:
        passed_over: columns of lists that are no vectors, or not those that the other side has, each with the reason.
    """

    together: Together | None
    vectors: Mapping[str, Together]
    passed_over: Mapping[str, str] = field(default_factory=dict)

    @property
    def measured(self) -> dict[str, Any]:
        """What a document holds of it; nothing where nothing was asked for."""
        found: dict[str, Any] = {}
        if self.together is not None:
            found["together"] = {**as_json(self.together.report), "passed_over": reasons(self.together.passed_over)}
        if self.vectors:
            found["vectors"] = [
                {"name": name, **{key: one for key, one in as_json(found.report).items() if key not in _OF_MANY}}
                for name, found in self.vectors.items()
            ]
        return found


_OF_MANY = ("columns", "carriers")  # what is known of a column of vectors, which is alone


def vectors_among(names: tuple[str, ...], rows: AnyRows, reference: AnyRows) -> tuple[str, ...]:
    """The columns that hold lists on both sides."""
    kinds = [{one.name: one.kind for one in side.everything.schema()} for side in (rows, reference)]
    return tuple(name for name in names if all(one.get(name) == "lists" for one in kinds))


def looked(
    config: DriftConfig, rows: AnyRows, reference: AnyRows, counted: DriftSummary, vectors: tuple[str, ...]
) -> Looked:
    """Ask for what the config asks for.

    Args:
        counted: the columns of the reference that can be compared; those that move on by themselves tell all rows
            apart, and labels may not have arrived.

    Raises:
        InputError: for columns together where the reference has no rows; for a column of lists that was asked for by
            name and holds no vectors.
    """
    found: dict[str, Together] = {}
    passed_over: dict[str, str] = {}
    for name in vectors:
        try:
            found[name] = _of_vectors(rows, reference, name)
        except InputError as error:
            if config.columns is not None:
                raise InputError(f"column {name!r}: {error}; leave it out of the columns") from error
            passed_over[name] = str(error)
    if not config.multivariate:
        return Looked(None, found, passed_over)
    columns = (*(one.name for one in counted.columns if one.role != "label" and not _moves_on(one)), *found)
    codes = {*map(config.column, config.categorical), *rows.classes}
    together = rows.everything.together(reference.everything, columns=columns, categorical=codes, axes=False)
    return Looked(together, found, passed_over)


def looked_claims(config: DriftConfig, found: Looked) -> Iterator[Claim]:
    """What the config claims of all columns together, and of each column of vectors."""
    if found.together is not None:
        yield from _auc_claim(config, OVERALL, "all columns together", found.together)
        reconstruction = found.together.reconstruction
        if reconstruction is not None:
            yield from _claim(
                config,
                f"reconstruction_change:{OVERALL}",
                "the mean error of rows that are read back from the reference's principal components moved by",
                OVERALL,
                reconstruction.change,
                config.max_reconstruction_change,
            )
    for name, one in found.vectors.items():
        yield from _auc_claim(config, name, name, one)
        if one.axes is not None:
            said = f"the mean of {name} moved along any of the reference's principal axes by"
            limit = config.tolerance("max_mean_shift", name)
            yield from _claim(config, f"mean_shift:{name}", said, name, one.axes, limit)


def _moves_on(column: Any) -> bool:
    return bool(getattr(column, "moves_on", False))


def _of_vectors(rows: AnyRows, reference: AnyRows, name: str) -> Together:
    found = rows.everything.together(reference.everything, columns=(name,), categorical=(), axes=True)
    if name in found.passed_over:
        raise InputError(found.passed_over[name])
    return found


def _auc_claim(config: DriftConfig, scope: str, of: str, found: Together) -> Iterator[Claim]:
    said = f"by {of}, rows of the data are told from rows of the reference with an AUC of"
    yield from _claim(config, f"two_sample_auc:{scope}", said, scope, found.auc, config.max_two_sample_auc)


def _claim(
    config: DriftConfig, identity: str, said: str, scope: str, quantity: Quantity, limit: Tolerances | None
) -> Iterator[Claim]:
    if limit is None:
        return
    fails, passes = limit if isinstance(limit, tuple) else (limit, None)
    unit = "" if identity.startswith("two_sample") else " standard deviations"
    shown = "" if passes is None else f", and not shown to be above {fails:g}"
    yield Claim(
        id=identity,
        claim=f"{said} at most {fails if passes is None else passes:g}{unit}{shown}",
        metric=identity.partition(":")[0],
        scope=scope,
        bounds=bounds_at(quantity, 0),
        maximum=fails,
        minimum_count=max(config.min_count, LEAST_ROWS),
        passes_at=passes,
    )


def reasons(passed_over: Mapping[str, str]) -> list[dict[str, str]]:
    """Columns that are left out, as JSON."""
    return [{"column": name, "reason": reason} for name, reason in passed_over.items()]
