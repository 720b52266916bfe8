"""What changed between two documents of one kind: verdicts, Checks, config, data and subject."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mlflow_eval_plugin.canonical import EvidenceError
from mlflow_eval_plugin.evidence import Check, Data, Evidence, Verdict
from mlflow_eval_plugin.reports.kinds import kind_of
from mlflow_eval_plugin.reports.pages.page import config_of, template
from mlflow_eval_plugin.reports.sentences import wording as words
from mlflow_eval_plugin.reports.sentences.naming import named
from mlflow_eval_plugin.reports.sentences.ranking import worst_first
from mlflow_eval_plugin.reports.sentences.unchecked import harm_in_words
from mlflow_eval_plugin.reports.tables.cells import Cell, Table
from mlflow_eval_plugin.reports.tables.full import verdict_cell

_MOST = 100
_NONE = Cell("–", float("-inf"))


@dataclass(frozen=True)
class Pair:
    """One Check in both documents, by its id; None where a document has it not."""

    before: Check | None
    after: Check | None

    @property
    def either(self) -> Check:
        """The later of the two that there is."""
        found = self.after or self.before
        if found is None:
            raise ValueError("a pair holds at least one Check")
        return found

    @property
    def moved(self) -> str:
        """Its verdicts before and after, with ``none`` where a document has it not: ``pass fail``, ``none fail``."""
        return " ".join(side.verdict if side else "none" for side in (self.before, self.after))

    @property
    def other_tolerance(self) -> bool:
        """Whether it was held against another tolerance before."""
        return (
            self.before is not None
            and self.after is not None
            and (self.before.minimum, self.before.maximum) != (self.after.minimum, self.after.maximum)
        )


@dataclass(frozen=True)
class Move:
    """A way in which verdicts move: its heading, words for one and for many, which way it goes (-1, 0, 1)."""

    title: str
    one: str
    many: str
    way: int
    verdicts: frozenset[str]


MOVES = (
    Move("Now failing", "now fails", "now fail", -1, frozenset({"pass fail", "insufficient fail"})),
    Move("New, and failing", "is new and fails", "are new and fail", -1, frozenset({"none fail"})),
    Move("No longer within tolerance", "is no longer sure to be within tolerance",
         "are no longer sure to be within tolerance", -1, frozenset({"pass insufficient"})),
    Move("No longer failing", "fails no longer", "fail no longer", 1, frozenset({"fail pass", "fail insufficient"})),
    Move("Now within tolerance", "is now within tolerance", "are now within tolerance", 1,
         frozenset({"insufficient pass"})),
    Move("Still failing", "still fails", "still fail", 0, frozenset({"fail fail"})),
    Move("Gone, and was failing", "that failed is gone", "that failed are gone", 0, frozenset({"fail none"})),
    Move("New", "is new", "are new", 0, frozenset({"none pass", "none insufficient"})),
    Move("Gone", "is gone", "are gone", 0, frozenset({"pass none", "insufficient none"})),
)  # fmt: skip
_WAYS = {-1: "↓ Worse", 1: "↑ Better", 0: "= No verdict moved", None: "↕ Mixed"}


def render_diff(before: Evidence, after: Evidence) -> str:
    """One page of what changed from one document to another of the same kind, drawn from the two alone.

    The headline says which way it went. A Check is known again by its id. Unchanged verdicts stand in the last table.

    Raises:
        EvidenceError: for documents of different kinds or tasks, whose Checks cannot be the same.
    """
    before, after = named(before), named(after)
    kinds = [words.kind_and_task(one) for one in (before, after)]
    if kinds[0] != kinds[1]:
        raise EvidenceError(
            f"expected two documents of one kind, found {kinds[0]} before and {kinds[1]} after; "
            "compare each with an earlier one of its kind"
        )
    pairs = paired(before.checks, after.checks)
    moved = {move: [pair for pair in pairs if pair.moved in move.verdicts] for move in MOVES}
    way = _way(moved)
    return template("diff.html.j2").render(
        kind=kind_of(after),
        before=before,
        after=after,
        badge=_WAYS[way],
        colour="fail" if way == -1 else "pass" if way == 1 and after.verdict == "pass" else "insufficient",
        headline=_headline(before, after, moved),
        cautions=list(_cautions(before, after, pairs)),
        tables=[
            *(_table(move.title, found) for move, found in moved.items() if found),
            _facts(before, after),
            _table("All checks", pairs),
        ],
        configs=(config_of(before.config), config_of(after.config)),
    )


def paired(before: Sequence[Check], after: Sequence[Check]) -> list[Pair]:
    """The Checks of both documents by id, the worst of the later document first, those that are gone last."""
    earlier = {check.id: check for check in before}
    pairs = [Pair(earlier.pop(check.id, None), check) for check in worst_first(after)]
    return pairs + [Pair(check, None) for check in worst_first(list(earlier.values()))]


def _way(moved: Mapping[Move, Sequence[Pair]]) -> int | None:
    ways = {move.way for move, found in moved.items() if found} - {0}
    return None if len(ways) == 2 else next(iter(ways), 0)


def _headline(before: Evidence, after: Evidence, moved: Mapping[Move, Sequence[Pair]]) -> str:
    if before.digest == after.digest:
        return "The two are one and the same document."
    said = [_counted(move, len(pairs)) for move, pairs in moved.items() if move.way and pairs]
    moves = f"{', '.join(said)}. " if said else "No check that is in both changed its verdict. "
    harm = harm_in_words([after])
    return moves + _verdict(before.verdict, after.verdict) + _worst(moved) + (f" {harm}" if harm else "")


def _counted(move: Move, number: int) -> str:
    return f"{_checks(number)} {move.one if number == 1 else move.many}"


def _verdict(before: Verdict, after: Verdict) -> str:
    was, now = (words.lower_first(words.VERDICTS[verdict]) for verdict in (before, after))
    return f"The verdict is still “{now}”." if was == now else f"The verdict went from “{was}” to “{now}”."


def _worst(moved: Mapping[Move, Sequence[Pair]]) -> str:
    first = next((pairs[0] for move, pairs in moved.items() if move.way == -1 and pairs), None)
    if first is None:
        return ""
    check, was = first.either, first.before
    went = f"went from {words.number(was.value)} to" if was else "is"
    name = words.lower_first(words.metric_label(check.metric))
    tolerance = words.tolerance(check)
    return f" Worst: {name} for {words.where(check)} {went} {words.number(check.value)}; the tolerance is {tolerance}."


def _cautions(before: Evidence, after: Evidence, pairs: Sequence[Pair]) -> Iterator[str]:
    """What keeps the two from being compared as they stand."""
    if before.created_at > after.created_at:
        yield f"The first document was written later ({before.created_at}) than the second ({after.created_at})."
    if changed := sum(pair.other_tolerance for pair in pairs):
        yield f"{_checks(changed)} had another tolerance before: a verdict can move because of that alone."
    for move in MOVES:
        found = sum(pair.moved in move.verdicts for pair in pairs)
        if move.way == 0 and move.title != "Still failing" and found:
            yield f"{_counted(move, found)}: in one of the documents only, so nothing is known of how they moved."
    if (before.reference and before.reference.digest) != (after.reference and after.reference.digest):
        yield "They were held against different references."
    if before.inference.alpha != after.inference.alpha:
        yield "They allow for different chances of a false failure (alpha)."


def _table(title: str, pairs: Sequence[Pair]) -> Table:
    rows = tuple(_row(pair) for pair in pairs[:_MOST])
    headers = ("Where", "What", "Before", "After", "Value before", "Value after", "Change", "Interval before",
               "Interval after", "Tolerance", "n")  # fmt: skip
    numeric = tuple(header not in ("Where", "What", "Before", "After", "Tolerance") for header in headers)
    note = f"The first {_MOST} of {words.count(len(pairs))}; the documents hold all." if len(pairs) > _MOST else ""
    return Table(title, headers, rows, numeric, note)


def _row(pair: Pair) -> tuple[Cell, ...]:
    sides, check = (pair.before, pair.after), pair.either
    values = [side.value if side else None for side in sides]
    change = values[1] - values[0] if values[0] is not None and values[1] is not None else None
    tolerance = words.tolerance(check)
    if pair.other_tolerance and pair.before is not None:
        tolerance += f" (was {words.tolerance(pair.before)})"
    return (
        Cell(words.where(check)),
        Cell(words.metric_label(check.metric)),
        *(verdict_cell(side.verdict) if side else Cell("–") for side in sides),
        *(_number(value) for value in (*values, change)),
        *(Cell(words.interval(side.interval if side else None)) for side in sides),
        Cell(tolerance),
        Cell(" → ".join(words.count(side.n) if side else "–" for side in sides), float(check.n)),
    )


def _number(value: float | None) -> Cell:
    return _NONE if value is None else Cell(words.number(value), value)


def _facts(before: Evidence, after: Evidence) -> Table:
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
    return Table("What else changed", ("Member", "Before", "After"), rows, (False, False, False), note)


def _members(evidence: Evidence) -> Iterator[tuple[str, str]]:
    subject = {**evidence.subject.model_dump(), "registered": words.registered_of(evidence)}
    yield from ((f"subject: {name}", _short(str(value or "–"))) for name, value in subject.items())
    for name, data in (("data", evidence.data), ("reference", evidence.reference)):
        yield from _of_data(name, data)
    yield "inference: method", evidence.inference.method
    yield "inference: alpha", words.short(evidence.inference.alpha)
    yield "checks", words.count(len(evidence.checks))
    yield "written", evidence.created_at
    yield "producer", f"{evidence.producer.name} {evidence.producer.version}"
    yield from ((f"config: {key}", value) for key, value in config_of(evidence.config))


def _of_data(name: str, data: Data | None) -> Iterator[tuple[str, Any]]:
    if data is not None:
        yield f"{name}: name", data.name
        yield f"{name}: digest", _short(data.digest)
        yield f"{name}: rows", words.count(data.rows)
        yield f"{name}: columns", ", ".join(data.columns)


def _short(text: str) -> str:
    # Whole digests stand at the end of the page.
    return f"{text[:23]}…" if text.startswith("sha256:") else text


def _checks(number: int) -> str:
    return "1 check" if number == 1 else f"{words.count(number)} checks"
