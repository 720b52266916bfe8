"""Every Check over time: documents of one kind, in the order in which they were written."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from mlflow_eval_plugin.canonical import EvidenceError
from mlflow_eval_plugin.evidence import Check, Evidence
from mlflow_eval_plugin.reports.figures.svg import Scale, element, span_of
from mlflow_eval_plugin.reports.kinds import kind_and_task, kind_of
from mlflow_eval_plugin.reports.pages.page import config_of, template
from mlflow_eval_plugin.reports.sentences import wording
from mlflow_eval_plugin.reports.sentences.findings import sentence
from mlflow_eval_plugin.reports.sentences.naming import named
from mlflow_eval_plugin.reports.sentences.ranking import gravity, too_few
from mlflow_eval_plugin.reports.sentences.unchecked import harm_in_words
from mlflow_eval_plugin.reports.tables.cells import Cell, PageTable
from mlflow_eval_plugin.reports.tables.full import verdict_cell
from mlflow_eval_plugin.verdicts import VERDICT_WORDS, Verdict

_MOST_POINTS = 1200
_HEIGHT, _PAD = 46.0, 7.0
_ABSENT = (3, False, 0.0)


@dataclass(frozen=True)
class Line:
    """One Check in every document, by its id; None where a document has it not."""

    checks: tuple[Check | None, ...]

    @property
    def last(self) -> Check:
        """Where it was last seen."""
        return next(check for check in reversed(self.checks) if check is not None)

    @property
    def has_values(self) -> bool:
        """Whether there is anything to draw."""
        return any(check and check.value is not None for check in self.checks)

    @property
    def verdicts(self) -> list[Verdict]:
        """Its verdicts where it was."""
        return [check.verdict for check in self.checks if check is not None]

    @property
    def told(self) -> str:
        """Values and verdicts in the order of time, for those who do not see the drawing."""
        return "; ".join(
            f"{wording.number(check.value)} ({VERDICT_WORDS[check.verdict]})" if check else "not checked"
            for check in self.checks
        )

    @property
    def limits(self) -> list[float]:
        """All tolerances that it was held against."""
        found = {line for check in self.checks if check for line in (check.minimum, check.maximum) if line is not None}
        return sorted(found)


@dataclass(frozen=True)
class Drawn:
    """One Check as a row: its numbers, and the strip."""

    line: Line
    strip: Markup


@dataclass(frozen=True)
class Group:
    """The Checks of one metric."""

    metric: str
    rows: tuple[Drawn, ...]


@dataclass(frozen=True)
class Trend:
    """Documents of one kind by time, and their Checks: what is worst in the last document first."""

    evidences: tuple[Evidence, ...]
    lines: tuple[Line, ...]

    @property
    def dates(self) -> list[str]:
        """When each was written: to the day, or as exactly as it takes to tell them apart."""
        times = [evidence.created_at.replace("T", " ").removesuffix("Z") for evidence in self.evidences]
        of_size = ([time[:size] for time in times] for size in (10, 16, 19))
        return next((texts for texts in of_size if len(set(texts)) == len(texts)), times)


def trend_of(evidences: Sequence[Evidence]) -> Trend:
    """The documents in the order in which they were written, and each Check in all of them.

    Raises:
        EvidenceError: for fewer than two documents, or some of different kinds or tasks, whose Checks are not the same.
    """
    if len(evidences) < 2:
        raise EvidenceError(f"expected two documents or more to draw over time, found {len(evidences)}")
    kinds = list(dict.fromkeys(kind_and_task(e) for e in evidences))
    if len(kinds) > 1:
        raise EvidenceError(f"expected documents of one kind, found {' and '.join(kinds)}; draw each kind apart")
    told = sorted((named(evidence) for evidence in evidences), key=lambda evidence: evidence.created_at)
    by_id = [{check.id: check for check in evidence.checks} for evidence in told]
    lines = [Line(tuple(checks.get(id_) for checks in by_id)) for id_ in dict.fromkeys(i for c in by_id for i in c)]
    # What the last document has not comes last.
    lines.sort(key=lambda line: gravity(line.checks[-1]) if line.checks[-1] else _ABSENT)
    return Trend(tuple(told), tuple(lines))


def render_trend(evidences: Sequence[Evidence]) -> str:
    """One page that draws every Check over time, drawn from the documents alone.

    Raises:
        EvidenceError: see ``trend_of``.
    """
    trend = trend_of(evidences)
    last, kind = trend.evidences[-1], kind_of(trend.evidences[-1])
    most = max(_MOST_POINTS // len(trend.evidences), 1)
    shown = [line for line in trend.lines if line.has_values][:most]
    return template("trend.html.j2").render(
        kind=kind,
        trend=trend,
        last=last,
        verdict=last.verdict,
        headline=headline(trend),
        cautions=list(_cautions(trend)),
        groups=_groups(shown),
        axis=_axis(trend.dates),
        small=too_few(last).line,
        left_out=len(trend.lines) - len(shown),
        table=_table(trend, most),
        configs=[config_of(evidence.config) for evidence in trend.evidences],
    )


def headline(trend: Trend) -> str:
    """Where the verdict went, how many Checks fail at the end that did not at first, and the worst of them."""
    verdicts = [VERDICT_WORDS[evidence.verdict] for evidence in trend.evidences]
    went = f"“{verdicts[0]}” throughout" if len(set(verdicts)) == 1 else " → ".join(f"“{one}”" for one in verdicts)
    failing = [line for line in trend.lines if line.checks[-1] and line.checks[-1].verdict == "fail"]
    new = [line for line in failing if line.verdicts[0] != "fail" or line.checks[0] is None]
    ended = sum(line.verdicts[0] == "fail" and line.verdicts[-1] != "fail" for line in trend.lines)
    sentences = [f"{trend.dates[0]} to {trend.dates[-1]}, {len(trend.evidences)} documents: {went}."]
    if failing:
        sentences.append(f"{_checks(len(failing))} at the end, {len(new)} of them not at first.")
        check = (new or failing)[0].last
        sentences.append(f"Worst: {sentence(trend.evidences[-1], check)}.")
    if ended:
        sentences.append(f"{ended} that failed at first {'does' if ended == 1 else 'do'} so no longer.")
    return " ".join(filter(None, [*sentences, harm_in_words(trend.evidences[-1:])]))


def _checks(number: int) -> str:
    return "1 check fails" if number == 1 else f"{wording.count(number)} checks fail"


def _groups(lines: Sequence[Line]) -> list[Group]:
    metrics = dict.fromkeys(line.last.metric for line in lines)
    return [
        Group(metric, tuple(Drawn(line, _strip(line)) for line in lines if line.last.metric == metric))
        for metric in metrics
    ]


def _place(i: int, number: int) -> float:
    return 4.0 + 92.0 * i / max(number - 1, 1)


def _axis(dates: Sequence[str]) -> Markup:
    # As many dates as fit side by side; the first and the last always.
    step = max(1, -(-len(dates) // 4))
    kept = [i for i in range(0, len(dates) - 1, step) if i == 0 or len(dates) - 1 - i >= step] + [len(dates) - 1]
    anchors = {0: "start", len(dates) - 1: "end"}
    parts = [
        element(
            "text", dates[i], x={"start": "0%", "end": "100%"}.get(anchors.get(i, ""), f"{_place(i, len(dates)):.1f}%"),
            y=13.0, text_anchor=anchors.get(i, "middle"),
        )
        for i in kept
    ]  # fmt: skip
    return element("svg", *parts, class_="strip axis dates", height=18.0, aria_hidden="true")


def _strip(line: Line) -> Markup:
    scale = _scale(line)
    ys = [scale(check.value) if check and check.value is not None else None for check in line.checks]
    xs = [f"{_place(i, len(ys)):.2f}%" for i in range(len(ys))]
    parts = [element("line", x1="0%", x2="100%", y1=scale(y), y2=scale(y), class_="limit") for y in line.limits]
    for i in range(len(ys) - 1):
        before, after = ys[i], ys[i + 1]
        if before is not None and after is not None:
            parts.append(element("line", x1=xs[i], x2=xs[i + 1], y1=before, y2=after, class_="course"))
    for x, y, check in zip(xs, ys, line.checks, strict=True):
        if check is not None and y is not None:
            parts.append(_point(x, y, check, scale))
    label = f"{wording.where(line.last)}, {wording.metric_label(line.last.metric)}: {line.told}"
    return element("svg", *parts, role="img", aria_label=label, class_="strip course", height=_HEIGHT)


def _point(x: str, y: float, check: Check, scale: Scale) -> Markup:
    parts = []
    if check.interval:
        low, high = (scale(end) for end in check.interval)
        parts.append(element("line", x1=x, x2=x, y1=low, y2=high, class_="whisker"))
    if check.verdict == "fail":
        parts.append(element("text", wording.GLYPHS["fail"], x=x, y=y + 5.5, text_anchor="middle", class_="mark"))
    else:
        parts.append(element("circle", cx=x, cy=y, r=4.0, class_="mark"))
    return element("g", *parts, class_=f"strip {check.verdict}")


def _scale(line: Line) -> Scale:
    values = [*line.limits, *(check.value for check in line.checks if check and check.value is not None)]
    low, high = span_of(values)
    # One wide interval would flatten all others: intervals count to as much again as the values span.
    ends = [end for check in line.checks if check and check.interval for end in check.interval]
    reach = high - low
    return Scale(
        max(min([low, *ends]), low - reach / 2), min(max([high, *ends]), high + reach / 2), _HEIGHT - _PAD, _PAD
    )


def _cautions(trend: Trend) -> Iterator[str]:
    """What keeps the documents from being compared as they stand."""
    moved = sum(len({(c.minimum, c.maximum) for c in line.checks if c}) > 1 for line in trend.lines)
    if moved:
        yield f"{moved} of the checks had several tolerances: a verdict can move because of that alone."
    if missing := sum(None in line.checks for line in trend.lines):
        yield f"{missing} of the checks are not in all documents: nothing is known of them where they are missing."
    if len({evidence.reference.digest if evidence.reference else None for evidence in trend.evidences}) > 1:
        yield "They were held against different references."
    if len({evidence.inference.alpha for evidence in trend.evidences}) > 1:
        yield "They allow for different chances of a false failure (alpha)."
    if len(models := {evidence.subject.model_digest for evidence in trend.evidences}) > 1:
        yield f"They are of {len(models)} models, or of unknown ones: the first and last are named below."


def _table(trend: Trend, most: int) -> PageTable:
    rows = tuple(_row(line) for line in trend.lines[:most])
    headers = ("Where", "What", "Verdict at the end", *trend.dates, "Tolerance")
    numeric = (False, False, False, *(True for _ in trend.dates), False)
    cut = f"The first {most} of {wording.count(len(trend.lines))}; the documents hold all." * (len(trend.lines) > most)
    return PageTable("All checks by time", headers, rows, numeric, cut_short=cut)


def _row(line: Line) -> tuple[Cell, ...]:
    end, values = line.checks[-1], [_value(check) for check in line.checks]
    return (
        Cell(wording.where(line.last)),
        Cell(wording.metric_label(line.last.metric)),
        verdict_cell(end.verdict) if end else Cell("–"),
        *values,
        Cell(wording.tolerance(line.last)),
    )


def _value(check: Check | None) -> Cell:
    if check is None:
        return Cell("–", float("-inf"))
    return Cell(f"{wording.number(check.value)} {wording.GLYPHS[check.verdict]}", check.value)
