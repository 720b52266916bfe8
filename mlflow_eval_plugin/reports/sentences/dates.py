"""When columns changed, in words: from the windows of a drift document."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from mlflow_eval_plugin.evidence import Evidence
from mlflow_eval_plugin.reports.layouts import layout_of
from mlflow_eval_plugin.reports.sentences.wording import count, listed

_MOST_DATES, _MOST_COLUMNS = 3, 4
Dated = tuple[Mapping[str, Any], Mapping[str, Any]]  # a column over time, and a change of it


def windows_of(evidence: Evidence) -> Mapping[str, Any]:
    """What a document measured window by window; empty where it has no windows."""
    return evidence.measurements.get("windows") or {} if layout_of(evidence).of_columns else {}


def dated(windows: Mapping[str, Any]) -> list[Dated]:
    """Every change with its column, those of the first date first, and of one date the surest first."""
    found = [(column, change) for column in windows.get("columns", ()) for change in column["changes"]]
    return sorted(found, key=lambda one: (one[1]["first"], one[1]["p_value"], one[0]["name"]))


def dates_in_words(evidences: Sequence[Evidence]) -> str:
    """Which columns changed when, in one sentence; empty where none did."""
    return " ".join(_said(windows) for one in evidences if (windows := windows_of(one)) and dated(windows))


def _said(windows: Mapping[str, Any]) -> str:
    changes = dated(windows)
    # Of a column its first date is told: what came later may be the end of it.
    firsts = {column["name"]: change["first"] for column, change in reversed(changes)}
    by_date: dict[str, list[str]] = {}
    for column, _ in changes:
        names = by_date.setdefault(firsts[column["name"]], [])
        if column["name"] not in names:
            names.append(column["name"])
    # The dates on which most columns changed, in their order.
    told = sorted(sorted(by_date, key=lambda date: (-len(by_date[date]), date))[:_MOST_DATES])
    parts = [f"{_columns(by_date[date])} on {spoken_instant(date)}" for date in told]
    left = len({change["first"] for _, change in changes}) - len(told)
    more = f"; {count(left)} more dates below" if left > 1 else "; another date below" if left else ""
    return f"When it changed: {'; '.join(parts)}{more}."


def _columns(names: Sequence[str]) -> str:
    if len(names) <= _MOST_COLUMNS:
        return listed(names)
    return f"{', '.join(names[:_MOST_COLUMNS])} and {count(len(names) - _MOST_COLUMNS)} more columns"


def spoken_instant(text: str) -> str:
    """An instant as the Evidence has it, for a person: a date, or date and minute."""
    return text.replace("T", " ")[:16]


def between(change: Mapping[str, Any]) -> str:
    """The interval of a date; empty where it is one window."""
    low, high = (spoken_instant(change[name]) for name in ("earliest", "latest"))
    return "" if low == high else f"{low} to {high}"


def cautions(windows: Mapping[str, Any]) -> Iterator[str]:
    """What a reader must know of the times, one sentence each."""
    zones = [one for one in windows["time_zones"] if one != "UTC"]
    if zones:
        yield f"Times of {windows['time_column']} are of {listed(zones)}; windows are of UTC."
    if lost := windows["without_time"]:
        yield f"{_rows(lost)} without a time: in no window, and in the numbers of all rows."
    for gap in windows["gaps"][:_MOST_DATES]:
        fit = gap["windows"]
        whole = f"one {windows['window']}" if fit == 1 else f"{count(fit)} {windows['window']}s"
        yield f"No rows from {spoken_instant(gap['start'])} until {spoken_instant(gap['end'])} ({whole})."
    if (left := len(windows["gaps"]) - _MOST_DATES) > 0:
        yield f"{count(left)} more such gaps."
    if later := windows["later_than_now"]:
        begin = "One window begins" if later == 1 else f"{count(later)} windows begin"
        yield f"{begin} later than the evaluation was made; the times of these rows are in doubt."


def _rows(number: int) -> str:
    return "One row is" if number == 1 else f"{count(number)} rows are"
