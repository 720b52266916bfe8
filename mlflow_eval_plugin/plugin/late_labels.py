"""Labels that have not arrived yet: ``drift`` takes them as they are, every other evaluator refuses or leaves them out.

Rows are left out where the config asks for it (``missing_labels: "received"``) and nowhere else. Those that are left
out stay in the digest of the data, and the Evidence says how many there are.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, TypeGuard

import numpy as np
from numpy.typing import NDArray

from mlflow_eval_plugin.engines.arrow.columns.inputs import how_many
from mlflow_eval_plugin.engines.arrow.rows import ArrowRows
from mlflow_eval_plugin.evaluators.config.base import Config, SlicedConfig
from mlflow_eval_plugin.evaluators.document import LabelsReceived
from mlflow_eval_plugin.evaluators.slicing import slicing_of
from mlflow_eval_plugin.plugin.data.tables import GivenTable, with_columns
from mlflow_eval_plugin.plugin.data.values import missing_values
from mlflow_eval_plugin.reports.sentences.wording import listed
from mlflow_eval_plugin.stats.errors import InputError


@dataclass(eq=False)
class LateLabels:
    """The rows whose labels have arrived, of every table, each found once, so that it is scored and digested once."""

    found: dict[int, GivenTable] = field(default_factory=dict)

    def judged(self, table: GivenTable, config: Config) -> GivenTable:
        """The rows that a config judges: all, unless it leaves out those whose labels have not arrived."""
        if not config.leaves_out_late:
            return table
        if id(table) not in self.found:
            self.found[id(table)] = _received(table)
        return self.found[id(table)]


def require_labels(table: GivenTable, given: Sequence[tuple[Config, GivenTable | None]]) -> None:
    """Refuse labels that are missing where somebody needs all of them, for all evaluators and references at once.

    Args:
        given: every config with its reference.

    Raises:
        InputError: names the evaluators, how many labels are missing, and the key that leaves them out.
    """
    needing = [pair for pair in given if not (pair[0].takes_columns or pair[0].leaves_out_late)]
    reasons = _missing(table.labels, [config.kind for config, _ in needing])
    for config, reference in needing:
        if reference is not None:
            reasons += [f"reference: {one}" for one in _missing(reference.labels, [config.kind])]
    if reasons:
        raise InputError(
            f"{'; '.join(reasons)}. Wait for them, or set 'missing_labels': 'received' to judge the rows whose labels "
            "have arrived; drift takes late labels as they are"
        )


def not_judged(table: GivenTable, late: LateLabels, configs: Mapping[str, Config]) -> dict[str, str]:
    """The evaluators that leave out rows and cannot judge what is left, each with the reason; drift has to be judged.

    Raises:
        InputError: when none has anything to judge, or a config is wrong whatever labels arrive.
    """
    if table.labels is None or len(table.labels) == 0:
        return {}
    asked = {kind: config for kind, config in configs.items() if _leaves_out(config)}
    found = {kind: _why_not(config, late.judged(table, config)) for kind, config in asked.items()}
    reasons = {kind: reason for kind, reason in found.items() if reason}
    if len(reasons) == len(configs):
        told = "; ".join(f"{kind}: {reason}" for kind, reason in reasons.items())
        raise InputError(f"{told}. Wait for more labels; drift can be judged without")
    return reasons


def _why_not(config: SlicedConfig, table: GivenTable) -> str:
    received, rows = len(table.features), len(table.given.features)
    if received == rows:
        return ""
    if received == 0:
        return f"none of {rows:,} labels has arrived"
    few = f"too few labels have arrived, {received:,} of {rows:,}"
    if getattr(config, "search", None) and received == 1:
        return f"{few}, to search for weak slices"
    frame = with_columns(table.given.features, config.slice_data)
    try:
        ArrowRows(table.taken(frame)).cut(slicing_of(config))
    except InputError as error:
        ArrowRows(frame).cut(slicing_of(config))  # which is what is refused where it is not the labels that are few
        return f"{few} ({error})"
    return ""


def labels_received(table: GivenTable, reference: GivenTable | None) -> LabelsReceived | None:
    """How many labels have arrived, where others are left out; None where nothing was to be left out."""
    if table.whole is None:
        return None
    before = None if reference is None or reference.labels is None else len(reference.features)
    return LabelsReceived(table.labels_name, len(table.whole.features), len(table.features), before)


def _leaves_out(config: Config) -> TypeGuard[SlicedConfig]:
    # Whoever judges rows by label does it in slices.
    return config.leaves_out_late


def _arrived(labels: Any) -> NDArray[np.bool_]:
    return ~missing_values(labels)


def _missing(labels: Any, kinds: Sequence[str]) -> list[str]:
    late = np.zeros(0, dtype=bool) if labels is None or not kinds else ~_arrived(labels)
    if not late.any():
        return []
    judge = "judges" if len(kinds) == 1 else "judge"
    return [f"label: {how_many(late)} missing, and {listed(kinds)} {judge} every row by its label"]


def _received(table: GivenTable) -> GivenTable:
    if table.labels is None:
        return table
    arrived = _arrived(table.labels)
    if table.is_reference and not arrived.any():
        return replace(table, labels=None, whole=table, received=None)
    cut = replace(table, whole=table, received=None if arrived.all() else arrived)
    features = cut.taken(table.features)
    inputs = features if table.inputs is table.features else cut.taken(table.inputs)
    return replace(
        cut, features=features, inputs=inputs, labels=cut.taken(table.labels), predictions=cut.taken(table.predictions)
    )
