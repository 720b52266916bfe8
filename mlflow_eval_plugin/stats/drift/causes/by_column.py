"""Causes that one column shows by itself: faults of its data, other units, counters, and whether it moved."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from mlflow_eval_plugin.stats.drift.causes.cause import MOVED, Cause, CauseName, found, limits
from mlflow_eval_plugin.stats.drift.new_values import NewShare
from mlflow_eval_plugin.stats.drift.quality.shares import sentinels_of
from mlflow_eval_plugin.stats.drift.quality.units import UnitChange
from mlflow_eval_plugin.stats.drift.report import DriftTable, metrics_of
from mlflow_eval_plugin.stats.drift.summary import CategoricalColumn, Column, NumericColumn
from mlflow_eval_plugin.stats.drift.triage import moved_on, new_value_in_words

MISSING, SENTINELS, NEW, GONE, LOST, UNIT = 0.01, 0.003, 0.005, 0.01, 0.9, 0.1
# What explains that a column moved; missing and infinite values are in no distance.
_EXPLAINS: tuple[CauseName, ...] = (
    "constant", "sentinel", "new category", "vanished category", "unit", "counter",
)  # fmt: skip


@dataclass(frozen=True)
class ColumnCauses:
    """What one column shows.

    Attributes:
        causes: faults, other units and counters.
        moved: the distance that is shown to be notable, as a "shift"; None where none is, or a fault explains it.
    """

    name: str
    role: str
    causes: tuple[Cause, ...]
    moved: Cause | None

    @property
    def is_quiet(self) -> bool:
        """Whether nothing is shown."""
        return not self.causes and self.moved is None


def column_causes(table: DriftTable, name: str, alpha: float, repeated: float | None) -> ColumnCauses:
    """All that fits one column.

    Args:
        repeated: the one value that most rows of its newest bin have, where that is known.
    """
    before, after = table.pair(name)
    if after.role == "label":
        late = [] if before.rows == 0 else list(_late(table, before, after, alpha))
        return ColumnCauses(name, before.role, tuple(late), _moved(table, before, after, alpha))
    causes = tuple(_faults(table, before, after, alpha, repeated))
    explained = any(one.cause in _EXPLAINS for one in causes)
    return ColumnCauses(name, before.role, causes, None if explained else _moved(table, before, after, alpha))


def _late(table: DriftTable, before: Column, after: Column, alpha: float) -> Iterator[Cause]:
    quantity = table.quantity(before.name, "missing_change")
    if limits(quantity, alpha)[0] > MISSING:
        said = (
            f"{_share(after.present, after.rows)} of the labels {before.name} have arrived, and of the reference "
            f"{_share(before.present, before.rows)}: the others are late or lost."
        )
        yield found("labels", before.name, said, "missing_change", quantity, alpha)


def _faults(table: DriftTable, before: Column, after: Column, alpha: float, repeated: float | None) -> Iterator[Cause]:
    name, own = before.name, metrics_of(before, after)

    def least(metric: str) -> float:
        return limits(table.quantity(name, metric), alpha)[0] if metric in own else -1.0

    def made(cause: CauseName, said: str, metric: str) -> Cause:
        return found(cause, name, said, metric, table.quantity(name, metric), alpha)

    if least("missing_change") > MISSING:
        now, then = _share(after.missing, after.rows), _share(before.missing, before.rows)
        said = f"{now} of {name} are missing, of the reference {then}."
        yield made("missing", said, "missing_change")
    if least("infinite_change") > 0:
        said = f"{after.infinite:,} values of {name} are infinite, of the reference {before.infinite:,}."
        yield made("infinite", said, "infinite_change")
    if after.present == 0:
        return
    if least("lost_variety") > LOST:
        yield made("constant", f"{name} has one value; it had more in the reference.", "lost_variety")
        return
    if counting := moved_on(before, after, alpha):
        yield Cause("counter", name, f"{name}: {counting}")
        return
    unit = table.quantity(name, "unit_change") if "unit_change" in own else None
    if isinstance(unit, UnitChange) and least("unit_change") > UNIT:
        own_js, left = float(unit.own.value[0]), float(unit.left.value[0])
        said = (
            f"{name} looks {unit.unit}: its distance from the reference is {own_js:.2g} as it is, and {left:.2g} in "
            "that unit."
        )
        yield made("unit", said, "unit_change")
        return
    yield from _values(table, before, after, alpha, repeated)


def _values(table: DriftTable, before: Column, after: Column, alpha: float, repeated: float | None) -> Iterator[Cause]:
    """Values that stand for none, and categories that came or went."""
    name, own = before.name, metrics_of(before, after)

    def lower(metric: str) -> float:
        return limits(table.quantity(name, metric), alpha)[0] if metric in own else -1.0

    if lower("sentinel_change") > SENTINELS:
        listed = ", ".join(
            f"{value!r}" if isinstance(before, CategoricalColumn) else value for value in list(sentinels_of(after))[:3]
        )
        then, now = (_share(sum(sentinels_of(one).values()), one.rows) for one in (before, after))
        said = f"{now} of {name} are {listed}, which stand for no value; of the reference {then}."
        yield found("sentinel", name, said, "sentinel_change", table.quantity(name, "sentinel_change"), alpha)
        return
    newest = table.quantity(name, "new_share")
    # A shift has numbers in ranges that the reference hardly had; the same number many times over is none.
    single = isinstance(before, CategoricalColumn) or repeated is not None
    if (
        isinstance(newest, NewShare)
        and single
        and (words := new_value_in_words(before, after, newest, alpha, repeated))
    ):
        # Of a number it is a stand-in that is not known as such.
        cause: CauseName = "sentinel" if isinstance(before, NumericColumn) else "new category"
        yield found(cause, name, f"{name}: {words}", "new_share", newest, alpha)
    elif lower("new_categories") > NEW:
        said = f"{name} has categories that the reference has not."
        yield found("new category", name, said, "new_categories", table.quantity(name, "new_categories"), alpha)
    if lower("vanished_categories") > GONE:
        said = f"categories of {name} are gone, which the reference has."
        yield found(
            "vanished category", name, said, "vanished_categories", table.quantity(name, "vanished_categories"), alpha
        )


def _moved(table: DriftTable, before: Column, after: Column, alpha: float) -> Cause | None:
    if before.present == 0 or after.present == 0:
        return None
    name = before.name
    for metric, notable in MOVED.items():
        if metric in metrics_of(before, after) and limits(table.quantity(name, metric), alpha)[0] > notable:
            quantity = table.quantity(name, metric)
            words = "Jensen-Shannon distance" if metric == "js" else "Wasserstein distance in σ"
            said = (
                f"the distribution of {name} moved: {words} {float(quantity.value[0]):.2g}, at least "
                f"{limits(quantity, alpha)[0]:.2g} with confidence."
            )
            return found("shift", name, said, metric, quantity, alpha)
    return None


def _share(count: int, of: int) -> str:
    return f"{count / max(of, 1):.1%}"
