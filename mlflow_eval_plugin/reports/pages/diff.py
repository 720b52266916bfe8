"""What changed between two documents of one kind: verdicts, Checks, config, data and subject."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mlflow_eval_plugin.evidence import Data, Evidence
from mlflow_eval_plugin.reports.check_changes import CheckChange, compare
from mlflow_eval_plugin.reports.kinds import kind_of
from mlflow_eval_plugin.reports.pages.page import config_of, template
from mlflow_eval_plugin.reports.sentences import wording
from mlflow_eval_plugin.reports.sentences.naming import named
from mlflow_eval_plugin.reports.sentences.unchecked import harm_in_words
from mlflow_eval_plugin.reports.tables.cells import Cell, PageTable
from mlflow_eval_plugin.reports.tables.full import verdict_cell
from mlflow_eval_plugin.verdicts import Verdict

_MOST = 100
_NONE = Cell("–", float("-inf"))


@dataclass(frozen=True)
class VerdictMove:
    """A way in which verdicts move: its heading, words for one and for many, which way it goes (-1, 0, 1)."""

    title: str
    one: str
    many: str
    way: int
    verdicts: frozenset[str]


VERDICT_MOVES = (
    VerdictMove("Now failing", "now fails", "now fail", -1, frozenset({"pass fail", "insufficient fail"})),
    VerdictMove("New, and failing", "is new and fails", "are new and fail", -1, frozenset({"none fail"})),
    VerdictMove("No longer within tolerance", "is no longer sure to be within tolerance",
                "are no longer sure to be within tolerance", -1, frozenset({"pass insufficient"})),
    VerdictMove("No longer failing", "fails no longer", "fail no longer", 1,
                       frozenset({"fail pass", "fail insufficient"})),
    VerdictMove("Now within tolerance", "is now within tolerance", "are now within tolerance", 1,
                frozenset({"insufficient pass"})),
    VerdictMove("Still failing", "still fails", "still fail", 0, frozenset({"fail fail"})),
    VerdictMove("Gone, and was failing", "that failed is gone", "that failed are gone", 0, frozenset({"fail none"})),
    VerdictMove("New", "is new", "are new", 0, frozenset({"none pass", "none insufficient"})),
    VerdictMove("Gone", "is gone", "are gone", 0, frozenset({"pass none", "insufficient none"})),
)  # fmt: skip
_WAYS = {-1: "↓ Worse", 1: "↑ Better", 0: "= No verdict moved", None: "↕ Mixed"}


def render_diff(before: Evidence, after: Evidence) -> str:
    """One page of what changed from one document to another of the same kind, drawn from the two alone.

    The headline says which way it went. A Check is known again by its id. Unchanged verdicts stand in the last table.

    Raises:
        EvidenceError: for documents of different kinds or tasks, whose Checks cannot be the same.
    """
    before, after = named(before), named(after)
    changes = compare(before, after)
    moved = {move: [change for change in changes if change.moved in move.verdicts] for move in VERDICT_MOVES}
    way = _way(moved)
    return template("diff.html.j2").render(
        kind=kind_of(after),
        before=before,
        after=after,
        badge=_WAYS[way],
        colour="fail" if way == -1 else "pass" if way == 1 and after.verdict == "pass" else "insufficient",
        headline=_headline(before, after, moved),
        cautions=list(_cautions(before, after, changes)),
        tables=[
            *(_table(move.title, found) for move, found in moved.items() if found),
            _facts(before, after),
            _table("All checks", changes),
        ],
        configs=(config_of(before.config), config_of(after.config)),
    )


def _way(moved: Mapping[VerdictMove, Sequence[CheckChange]]) -> int | None:
    ways = {move.way for move, found in moved.items() if found} - {0}
    return None if len(ways) == 2 else next(iter(ways), 0)


def _headline(before: Evidence, after: Evidence, moved: Mapping[VerdictMove, Sequence[CheckChange]]) -> str:
    if before.digest == after.digest:
        return "The two are one and the same document."
    said = [_counted(move, len(changes)) for move, changes in moved.items() if move.way and changes]
    moves = f"{', '.join(said)}. " if said else "No check that is in both changed its verdict. "
    harm = harm_in_words([after])
    return moves + _verdict(before.verdict, after.verdict) + _worst(moved) + (f" {harm}" if harm else "")


def _counted(move: VerdictMove, number: int) -> str:
    return f"{_checks(number)} {move.one if number == 1 else move.many}"


def _verdict(before: Verdict, after: Verdict) -> str:
    was, now = (wording.lower_first(wording.VERDICTS[verdict]) for verdict in (before, after))
    return f"The verdict is still “{now}”." if was == now else f"The verdict went from “{was}” to “{now}”."


def _worst(moved: Mapping[VerdictMove, Sequence[CheckChange]]) -> str:
    first = next((changes[0] for move, changes in moved.items() if move.way == -1 and changes), None)
    if first is None:
        return ""
    check, was = first.either, first.before
    went = f"went from {wording.number(was.value)} to" if was else "is"
    name = wording.lower_first(wording.metric_label(check.metric))
    tolerance = wording.tolerance(check)
    return (
        f" Worst: {name} for {wording.where(check)} {went} {wording.number(check.value)}; the tolerance is {tolerance}."
    )


def _cautions(before: Evidence, after: Evidence, changes: Sequence[CheckChange]) -> Iterator[str]:
    """What keeps the two from being compared as they stand."""
    if before.created_at > after.created_at:
        yield f"The first document was written later ({before.created_at}) than the second ({after.created_at})."
    if changed := sum(change.other_tolerance for change in changes):
        yield f"{_checks(changed)} had another tolerance before: a verdict can move because of that alone."
    for move in VERDICT_MOVES:
        found = sum(change.moved in move.verdicts for change in changes)
        if move.way == 0 and move.title != "Still failing" and found:
            yield f"{_counted(move, found)}: in one of the documents only, so nothing is known of how they moved."
    if (before.reference and before.reference.digest) != (after.reference and after.reference.digest):
        yield "They were held against different references."
    if before.inference.alpha != after.inference.alpha:
        yield "They allow for different chances of a false failure (alpha)."


def _table(title: str, changes: Sequence[CheckChange]) -> PageTable:
    rows = tuple(_row(change) for change in changes[:_MOST])
    headers = ("Where", "What", "Before", "After", "Value before", "Value after", "Change", "Interval before",
               "Interval after", "Tolerance", "n")  # fmt: skip
    numeric = tuple(header not in ("Where", "What", "Before", "After", "Tolerance") for header in headers)
    note = (
        f"The first {_MOST} of {wording.count(len(changes))}; the documents hold all." if len(changes) > _MOST else ""
    )
    return PageTable(title, headers, rows, numeric, note)


def _row(change: CheckChange) -> tuple[Cell, ...]:
    sides, check = (change.before, change.after), change.either
    values = [side.value if side else None for side in sides]
    by = values[1] - values[0] if values[0] is not None and values[1] is not None else None
    tolerance = wording.tolerance(check)
    if change.other_tolerance and change.before is not None:
        tolerance += f" (was {wording.tolerance(change.before)})"
    return (
        Cell(wording.where(check)),
        Cell(wording.metric_label(check.metric)),
        *(verdict_cell(side.verdict) if side else Cell("–") for side in sides),
        *(_number(value) for value in (*values, by)),
        *(Cell(wording.interval(side.interval if side else None)) for side in sides),
        Cell(tolerance),
        Cell(" → ".join(wording.count(side.n) if side else "–" for side in sides), float(check.n)),
    )


def _number(value: float | None) -> Cell:
    return _NONE if value is None else Cell(wording.number(value), value)


def _facts(before: Evidence, after: Evidence) -> PageTable:
    """Everything else that differs: subject, data, reference, inference, software and config, member by member."""
    sides = dict(_members(before)), dict(_members(after))
    names = list(dict.fromkeys([*sides[0], *sides[1]]))
    rows = tuple(
        (Cell(name), *(Cell(side.get(name, "–")) for side in sides))
        for name in names
        if sides[0].get(name) != sides[1].get(name)
    )
    same = len(names) - len(rows)
    note = f"{same} others are the same." if rows else f"All {same} are the same."
    return PageTable("What else changed", ("Member", "Before", "After"), rows, (False, False, False), note)


def _members(evidence: Evidence) -> Iterator[tuple[str, str]]:
    subject = {**evidence.subject.model_dump(), "registered": wording.registered_of(evidence)}
    yield from ((f"subject: {name}", _short(str(value or "–"))) for name, value in subject.items())
    for name, data in (("data", evidence.data), ("reference", evidence.reference)):
        yield from _of_data(name, data)
    yield "inference: method", evidence.inference.method
    yield "inference: alpha", wording.short(evidence.inference.alpha)
    yield "checks", wording.count(len(evidence.checks))
    yield "written", evidence.created_at
    yield "producer", f"{evidence.producer.name} {evidence.producer.version}"
    yield from ((f"config: {key}", value) for key, value in config_of(evidence.config))


def _of_data(name: str, data: Data | None) -> Iterator[tuple[str, Any]]:
    if data is not None:
        yield f"{name}: name", data.name
        yield f"{name}: digest", _short(data.digest)
        yield f"{name}: rows", wording.count(data.rows)
        yield f"{name}: columns", ", ".join(data.columns)


def _short(text: str) -> str:
    # Whole digests stand at the end of the page.
    return f"{text[:23]}…" if text.startswith("sha256:") else text


def _checks(number: int) -> str:
    return "1 check" if number == 1 else f"{wording.count(number)} checks"
