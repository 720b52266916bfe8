"""What a config says of three or more classes: their columns, their order, and metrics of a single class."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

ClassColumns = dict[Any, str] | tuple[str, ...]

# With three or more classes these are known of a single class, as in "recall[setosa]".
OF_ONE_CLASS = ("prevalence", "selection_rate", "precision", "recall", "f1", "fpr", "fnr", "auc")


def check_class_keys(columns: ClassColumns | None, label_list: tuple[Any, ...] | None, pos_label: Any) -> None:
    """Refuse what contradicts itself.

    Raises:
        ValueError: for fewer than three columns, a column given twice, as many classes as columns not, or a positive
            class among three or more.
    """
    if columns is not None:
        names = tuple(columns.values()) if isinstance(columns, Mapping) else columns
        if len(names) < 3 or len(set(names)) < len(names):
            raise ValueError(
                "'probability_columns': expected a column of its own for each of three or more classes, found "
                f"{', '.join(map(repr, names))}; for two classes give 'probability_column'"
            )
        if label_list and len(label_list) != len(names):
            raise ValueError(f"'label_list' has {len(label_list)} classes, 'probability_columns' {len(names)} columns")
    if pos_label is not None and (columns is not None or len(label_list or ()) > 2):
        raise ValueError("'pos_label' is for two classes; leave it out to evaluate all of three or more")


def split_metric(name: str) -> tuple[str, str | None]:
    """``("recall", "setosa")`` for "recall[setosa]", ``("recall", None)`` for "recall"."""
    rate, bracket, rest = name.partition("[")
    return (rate, rest[:-1]) if bracket and rest.endswith("]") else (name, None)
