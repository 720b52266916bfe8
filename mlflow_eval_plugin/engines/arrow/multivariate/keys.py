"""The keys of rows, each as 64 bits."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from mlflow_eval_plugin.engines.arrow.columns.inputs import require_columns
from mlflow_eval_plugin.engines.arrow.columns.plain import kind_of, plain
from mlflow_eval_plugin.engines.arrow.digest import row_digests
from mlflow_eval_plugin.stats.drift.quality.keys import Keys
from mlflow_eval_plugin.stats.errors import InputError


def keys_of(frame: pd.DataFrame, columns: Sequence[str]) -> Keys:
    """The different keys of the rows; equal values are one, whatever holds them.

    Raises:
        InputError: for columns that are missing or hold lists, and for too many keys.
    """
    require_columns(frame, list(columns), argument="key")
    given = frame[list(columns)]
    if lists := [name for name in columns if kind_of(plain(given[name])) == "lists"]:
        raise InputError(f"key: {', '.join(map(repr, lists))} holds lists, which tell no rows apart; leave it out")
    known = given.notna().all(axis=1).to_numpy()
    return Keys.of(len(given), row_digests(given if known.all() else given[known]))
