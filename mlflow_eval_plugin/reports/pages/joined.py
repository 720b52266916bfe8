"""The words of a page that joins several documents: one verdict over all, and what it rests on."""

from __future__ import annotations

from collections.abc import Sequence

from mlflow_eval_plugin.evidence import Check, Evidence
from mlflow_eval_plugin.reports.kinds import kind_of
from mlflow_eval_plugin.reports.sentences import wording
from mlflow_eval_plugin.reports.sentences.dates import dates_in_words
from mlflow_eval_plugin.reports.sentences.findings import overall_effect, plainest, sentence
from mlflow_eval_plugin.reports.sentences.naming import named
from mlflow_eval_plugin.reports.sentences.ranking import by_verdict, gravity, harmful_sides, nearness
from mlflow_eval_plugin.reports.sentences.unchecked import harm_in_words
from mlflow_eval_plugin.reports.tables.late_labels import late_in_words
from mlflow_eval_plugin.verdicts import Verdict


def verdict(evidences: Sequence[Evidence]) -> Verdict:
    """The gravest of the documents' verdicts: ``fail``, else ``insufficient``, else ``pass``."""
    return min((evidence.verdict for evidence in evidences), key=lambda verdict: wording.SEVERITY[verdict])


def names(evidences: Sequence[Evidence]) -> list[str]:
    """What each document is called on the page: by its kind, and by its data where a kind is there twice."""
    kinds = [evidence.kind for evidence in evidences]
    return [
        kind_of(e).title + (f" – {e.data.name}" if kinds.count(e.kind) > 1 else "") for e in evidences
    ]  # fmt: skip


def title(evidences: Sequence[Evidence]) -> str:
    """The names of all documents as one."""
    first, *others = names(evidences)
    return wording.listed([first, *(wording.lower_first(name) for name in others)])


def headline(evidences: Sequence[Evidence]) -> str:
    """The joint verdict in one sentence, and others for a document without Checks, for harm that none covers, and for
    rows that were not judged as their labels have not arrived.

    Of a comparison alone the first says what it changes on all rows.
    """
    evidences = [named(evidence) for evidence in evidences]
    effect = overall_effect(evidences[0]) if len(evidences) == 1 else ""
    said = [effect, summed_up(evidences), dates_in_words(evidences), _nothing_in(evidences)]
    said += [harm_in_words(evidences), late_in_words(evidences)]
    return " ".join(filter(None, said))


def _nothing_in(evidences: Sequence[Evidence]) -> str:
    """Which of several documents have no Check; empty where all have some, or none has."""
    unchecked = [name for name, evidence in zip(names(evidences), evidences, strict=True) if not evidence.checks]
    if not unchecked or len(unchecked) == len(evidences):
        return ""
    return f"Nothing was checked in {wording.listed([wording.lower_first(name) for name in unchecked])}."


def summed_up(evidences: Sequence[Evidence]) -> str:
    """What came of all Checks, with the worst that failed, or else the one that is nearest to it."""
    checks = [(check, evidence) for evidence in evidences for check in evidence.checks]
    failed = [(check, evidence) for check, evidence in checks if check.verdict == "fail"]
    if not checks:
        return "Nothing was checked: no tolerance was set, so this is a measurement without a verdict."
    if failed:
        worst, evidence = _worst(failed)
        return f"{_of(len(failed), len(checks))} failed. Worst: {sentence(evidence, worst)}."
    undecided = [
        pair for evidence in evidences for pair in [(c, evidence) for c in by_verdict(evidence, "insufficient")]
    ]
    if any(check.verdict == "insufficient" for check, _ in checks):
        return _undecided([check for check, _ in checks]) + _nearest(undecided)
    return (
        "The one check is within tolerance." if len(checks) == 1 else f"All {len(checks)} checks are within tolerance."
    )


def worst_finding(evidences: Sequence[Evidence]) -> str:
    """What is worst, in one line: a Check that failed, else harm that none covers, else what is nearest to failing."""
    evidences = [named(evidence) for evidence in evidences]
    checks = [(check, evidence) for evidence in evidences for check in evidence.checks]
    failed = [pair for pair in checks if pair[0].verdict == "fail"]
    if failed:
        worst, evidence = _worst(failed)
        return f"{sentence(evidence, worst)}."
    undecided = [(check, e) for e in evidences for check in by_verdict(e, "insufficient")]
    nearest = _nearest(undecided).removeprefix(" ")
    return harm_in_words(evidences) or nearest or " ".join(filter(None, [summed_up(evidences), _nothing_in(evidences)]))


def _worst(failed: Sequence[tuple[Check, Evidence]]) -> tuple[Check, Evidence]:
    worst, evidence = min(failed, key=lambda pair: gravity(pair[0]))
    return plainest(worst, evidence.failed), evidence


def _undecided(checks: Sequence[Check]) -> str:
    number = sum(check.verdict == "insufficient" for check in checks)
    rest = len(checks) - number
    inside = f"; {rest} {'is' if rest == 1 else 'are'} within tolerance" if rest else ""
    what = "cannot be decided with the rows there are (insufficient evidence)"
    return f"No check failed, but {_of(number, len(checks))} {what}{inside}."


def _nearest(undecided: Sequence[tuple[Check, Evidence]]) -> str:
    if not undecided:
        return ""
    check, evidence = min(undecided, key=lambda pair: gravity(pair[0]))
    # What is within its tolerance is near to nothing.
    beyond = nearness(check, harmful_sides(check)) > 0
    return f" Nearest to failing: {sentence(evidence, check)}." if beyond else ""


def assurance(evidences: Sequence[Evidence]) -> str:
    """How sure the verdicts are. Each document is a family of its own, so over all of them the chances add up."""
    if len(evidences) == 1:
        return wording.assurance(evidences[0])
    each = wording.short(100 * max(evidence.inference.alpha for evidence in evidences))
    total = wording.short(100 * min(sum(evidence.inference.alpha for evidence in evidences), 1.0))
    return (
        "A check fails only when its whole interval is beyond the tolerance, and passes only when all of it is within. "
        f"The chance of any false failure is at most {each} % in each of the {len(evidences)} parts, and at most "
        f"{total} % in all of them."
    )


def worst(evidences: Sequence[Evidence], wanted: Verdict, most: int) -> list[tuple[Check, str]]:
    """The Checks with this verdict, worst first, each with the name of its document.

    Of each document at most its share of ``most``: one with hundreds would hide the others.
    """
    share = max(most // len(evidences), 1)
    found = [
        (check, name)
        for evidence, name in zip(evidences, names(evidences), strict=True)
        for check in by_verdict(evidence, wanted)[:share]
    ]
    return sorted(found, key=lambda pair: gravity(pair[0]))


def _of(part: int, whole: int) -> str:
    if whole == 1:
        return "the only check" if part else "no check"
    return f"{part} of {whole} checks"
