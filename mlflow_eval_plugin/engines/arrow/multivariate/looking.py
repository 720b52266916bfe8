"""Columns of both sides looked at together, on rows drawn of each."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

import numpy as np
import pandas as pd

from mlflow_eval_plugin.engines.arrow.columns.plain import kind_of
from mlflow_eval_plugin.engines.arrow.multivariate.classifying import SOFTWARE, folds
from mlflow_eval_plugin.engines.arrow.multivariate.components import axes_shift, reconstruction
from mlflow_eval_plugin.engines.arrow.multivariate.drawing import Drawn, both
from mlflow_eval_plugin.engines.arrow.multivariate.features import Feature, feature, vectors_in
from mlflow_eval_plugin.engines.sampled import RowSample
from mlflow_eval_plugin.stats.errors import InputError
from mlflow_eval_plugin.stats.multivariate.together import Together
from mlflow_eval_plugin.stats.multivariate.two_sample import LEAST_ROWS


def looked_at(
    reference: RowSample, current: RowSample, *, columns: Sequence[str], categorical: Collection[str], axes: bool
) -> Together:
    """See ``sampled.SampledRows.together``.

    Raises:
        InputError: for rows of an engine that this one cannot look into.
    """
    before, after = both(_ours(reference), _ours(current))
    codes = {*categorical} | _ours(reference).declared | _ours(current).declared
    features, passed_over = _features(before, after, columns, codes)
    enough = min(len(before), len(after)) >= LEAST_ROWS and bool(features)
    numbers = np.hstack([one.numbers for one in features]) if features else np.zeros((len(before) + len(after), 0))
    sides = numbers[: len(before)], numbers[len(before) :]
    return Together(
        n_reference=len(before),
        n_current=len(after),
        columns=tuple(one.name for one in features),
        folds=folds(features, len(before)) if enough else (),
        reconstruction=reconstruction(*sides) if enough else None,
        axes=axes_shift(*sides) if enough and axes else None,
        software=SOFTWARE,
        passed_over=passed_over,
    )


def require_vectors(rows: Drawn) -> None:
    """Refuse lists that are no vectors, whatever they are held against.

    Raises:
        InputError: for the first column of such lists.
    """
    for name in rows.frame.columns:
        if kind_of(rows.frame[name]) == "lists":
            vectors_in(rows.frame[name])


def _features(
    before: pd.DataFrame, after: pd.DataFrame, columns: Sequence[str], codes: Collection[str]
) -> tuple[list[Feature], dict[str, str]]:
    features: list[Feature] = []
    passed_over: dict[str, str] = {}
    for name in columns:
        sides: list[pd.Series[Any]] = [before[name], after[name]]
        try:
            features.append(feature(name, sides, name in codes))
        except InputError as error:
            passed_over[name] = str(error)
    return features, passed_over


def _ours(sample: RowSample) -> Drawn:
    if not isinstance(sample, Drawn):
        raise InputError(
            f"reference: its rows are held by another engine ({type(sample).__name__}), which cannot be looked into"
        )
    return sample
