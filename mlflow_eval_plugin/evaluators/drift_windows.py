"""Drift over windows of time: what is asked of the rows, what is claimed of the worst window, and what is told."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from mlflow_eval_plugin.engines.contract import AskedColumns, DriftCounts
from mlflow_eval_plugin.evaluators.config.drift import DriftConfig
from mlflow_eval_plugin.evaluators.document import About, as_json
from mlflow_eval_plugin.evaluators.drift_columns import AnyRows
from mlflow_eval_plugin.stats.drift.over_time import ColumnOverTime, DriftOverTime
from mlflow_eval_plugin.stats.drift.windows import WindowSummary, instant
from mlflow_eval_plugin.stats.inference.checks import Claim

LEAST_LABELS = 200  # late ones; of fewer nothing could be told but large drift
_EPOCH = datetime(1970, 1, 1)


def counted(
    config: DriftConfig, rows: AnyRows, reference: AnyRows, columns: AskedColumns
) -> tuple[DriftCounts, WindowSummary | None]:
    """Both sides, and the windows where the config asks for them, in one pass."""
    if config.windowing is None:
        return rows.everything.drift(reference.everything, columns), None
    found = rows.everything.windows(reference.everything, config.windowing, columns)
    return found.counts, found.windows


def window_claims(config: DriftConfig, over: DriftOverTime, claims: Sequence[Claim]) -> Iterator[Claim]:
    """What is claimed of all rows, claimed of every window; one Check says so of the worst."""
    for claim in claims:
        label = over.reference.column(claim.scope).role == "label"
        least = max(config.min_count, LEAST_LABELS) if label else config.min_count
        yield replace(
            claim,
            id=f"worst_{claim.id}",
            claim=f"in every window {claim.claim}",
            metric=f"worst_{claim.metric}",
            bounds=over.worst(claim.scope, claim.metric, least, signed=claim.minimum is not None),
            minimum=None,
            minimum_count=least,
        )


def over_time(config: DriftConfig, over: DriftOverTime, claims: Sequence[Claim], about: About) -> dict[str, Any]:
    """The windows, every distance in each of them, and when each column changed."""
    windows, tolerances = over.windows, tolerances_of(claims)
    before = windows.week_before() if over.season else ()
    starts, ends = windows.starts.tolist(), windows.ends().tolist()
    return {
        "time_column": windows.windowing.column,
        "window": config.window,
        "season": config.season,
        "time_zones": sorted(windows.zones),
        "windows": [
            {
                "start": instant(start),
                "end": instant(end),
                "rows": one.rows,
                **({} if not before else {"against": None if before[at] is None else instant(starts[before[at]])}),
            }
            for at, (start, end, one) in enumerate(zip(starts, ends, windows.windows, strict=True))
        ],
        "without_time": windows.without_time,
        "gaps": [
            {"start": instant(start), "end": instant(end), "windows": missing} for start, end, missing in windows.gaps()
        ],
        "later_than_now": _later(windows, about),
        "alpha": config.alpha,
        "columns": [_told(one) for one in over.columns(config.alpha, config.min_count, tolerances)],
    }


def tolerances_of(claims: Sequence[Claim]) -> dict[str, dict[str, float]]:
    """By column and metric, beyond what a claim fails."""
    found: dict[str, dict[str, float]] = {}
    for claim in claims:
        found.setdefault(claim.scope, {})[claim.metric] = claim.maximum or 0.0
    return found


def _later(windows: WindowSummary, about: About) -> int:
    """How many windows begin later than this evaluation; a day later, since times may be of any zone."""
    now = (datetime.fromisoformat(about.created_at.removesuffix("Z")) - _EPOCH).total_seconds() * 1e6
    return sum(start > now + 86_400e6 for start in windows.starts.tolist())


def _told(column: ColumnOverTime) -> dict[str, Any]:
    record = as_json(column)
    for change in record["changes"]:
        change |= {name: instant(change[name]) for name in ("first", "earliest", "latest")}
    return {**record}
