"""A hint per column where to look first: at the pipeline, or at the world."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from mlflow_eval_plugin.stats.drift_summary import CategoricalColumn, Column, NumericColumn
from mlflow_eval_plugin.stats.estimate import Quantity

Hint = Literal["data bug", "distribution shift", "none"]

MISSING_JUMP = 0.01
NEW_SHARE = 0.001
OUTSIDE_SHARE = 0.5
# Effects below these are not worth anybody's time, however significant.
NOTABLE = {"psi": 0.1, "js": 0.1, "ks": 0.05, "wasserstein": 0.1}
HINT_ALPHA = 0.001


def triage(before: Column, after: Column, quantities: Mapping[str, Quantity]) -> tuple[Hint, str]:
    """A hint and its reason: a "data bug" goes before a "distribution shift", which goes before "none"."""
    if after.role == "label" and after.present == 0:
        return "none", "No label has arrived yet."
    bug = _bug(before, after, quantities)
    if bug:
        return "data bug", bug
    for metric, notable in NOTABLE.items():
        if metric in quantities:
            lower = float(quantities[metric].limits(HINT_ALPHA, exact=True)[0][0])
            if lower > notable:
                return "distribution shift", f"{metric} is above {notable} with confidence (at least {lower:.3g})."
    return "none", "No distance is above its notable size with confidence."


def _bug(before: Column, after: Column, quantities: Mapping[str, Quantity]) -> str:
    if after.present == 0:
        return "every value is missing."
    lower, _ = quantities["missing_change"].limits(HINT_ALPHA, exact=True)
    # Labels are late, which is no bug.
    if lower[0] > MISSING_JUMP and after.role != "label":
        return f"the share of missing values rose by more than {MISSING_JUMP:.0%} with confidence."
    if isinstance(before, CategoricalColumn) and isinstance(after, CategoricalColumn):
        return _categorical_bug(before, after)
    if isinstance(before, NumericColumn) and isinstance(after, NumericColumn):
        return _numeric_bug(before, after)
    return ""


def _categorical_bug(before: CategoricalColumn, after: CategoricalColumn) -> str:
    if (before.counts > 0).sum() > 1 and (after.counts > 0).sum() == 1 and after.present >= 30:
        constant = after.levels[int(after.counts.argmax())]
        return f"the column is constant ({constant!r}); it was not in the reference."
    new = [level for level in after.levels if level not in set(before.levels)]
    share = after.on(tuple(new)).sum() / after.present if new else 0.0
    if share > NEW_SHARE:
        listed = ", ".join(repr(level) for level in new[:5]) + (", …" if len(new) > 5 else "")
        return f"{share:.1%} of the values are categories that the reference has not ({listed})."
    return ""


def _numeric_bug(before: NumericColumn, after: NumericColumn) -> str:
    if (before.counts > 0).sum() > 1 and (after.counts > 0).sum() == 1 and after.present >= 30:
        return "nearly all values are the same; they were not in the reference."
    usual = (before.counts[0] + before.counts[-1]) / max(before.present, 1)
    outside = (after.counts[0] + after.counts[-1]) / after.present
    if outside > max(OUTSIDE_SHARE, 2 * usual):
        return f"{outside:.0%} of the values lie outside the reference's range; the unit or the scale may have changed."
    return ""
