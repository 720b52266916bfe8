"""The words and number formats of a report: every sentence that a reader meets before the tables."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from mlflow_eval_plugin.evidence import Check, Data, Evidence
from mlflow_eval_plugin.known_metrics import METRICS
from mlflow_eval_plugin.reports.layouts import layout_of
from mlflow_eval_plugin.verdicts import VERDICT_WORDS, Verdict

VERDICTS: dict[Verdict, str] = {verdict: text.capitalize() for verdict, text in VERDICT_WORDS.items()}
SEVERITY: dict[Verdict, int] = {"fail": 0, "insufficient": 1, "pass": 2}
GLYPHS: dict[Verdict, str] = {"pass": "✓", "fail": "✕", "insufficient": "?"}

_NAMES = ("Brier", "Kolmogorov", "Jensen", "Wasserstein", "R²")
_PREFIXES = {"gap": "Difference in {}", "ratio": "Ratio of {}", "change": "Change in {}", "worst": "One window's {}"}
_VERSUS = {
    "complement": "all other rows",
    "best": "the best slice",
    "overall": "all rows",
}


def metric_label(name: str) -> str:
    """A metric's name in words: ``gap_fpr`` is "Difference in false-positive rate", ``recall[a]`` "Recall of a"."""
    kind, _, rest = name.partition("_")
    if kind in _PREFIXES and rest:
        return _PREFIXES[kind].format(lower_first(metric_label(rest)))
    of_all, bracket, of_class = name.partition("[")
    if bracket:
        return f"{metric_label(of_all)} of {of_class.removesuffix(']')}"
    known = METRICS.get(name)
    return known.label if known and known.label else name.replace("_", " ")[:1].upper() + name.replace("_", " ")[1:]


def in_order(names: Iterable[str]) -> list[str]:
    """Metric names in the order of a report: canonical JSON keeps none."""
    place = {name: at for at, (name, metric) in enumerate(METRICS.items()) if metric.label}
    return sorted(names, key=lambda name: (place.get(name, len(METRICS)), name))


def number(value: float | None) -> str:
    """Three significant decimals, thousands in groups; an en dash where there is no number."""
    if value is None:
        return "–"
    size = abs(value)
    if value == int(value) and size < 1e15 and (size >= 1000 or value == 0):
        return count(int(value))
    if size >= 1000:
        return f"{value:,.0f}".replace(",", "\u202f").replace("-", "−")
    digits = 1 if size >= 100 else 2 if size >= 10 else 3 if size >= 0.00995 else 4
    text = f"{value:.{digits}f}" if size >= 0.0001 else f"{value:.1e}"
    return text.replace("-", "−")


def percent(share: float) -> str:
    """A share as ``2.1 %``; one that is not 0 never looks like it."""
    size = 100 * abs(share)
    digits = 0 if size >= 99.95 or size == 0 else 1 if size >= 0.95 else 2
    text = f"{100 * share:.{digits}f}" if size == 0 or size >= 0.005 else f"{100 * share:.1e}"
    return f"{text} %".replace("-", "−")


def value_of(check: Check) -> str:
    """The value of a Check: of a fact, such as how many columns changed, the count itself."""
    exact = check.interval is not None and check.interval[0] == check.interval[1] == check.value
    return count(int(check.value or 0)) if exact and check.value == int(check.value or 0) else number(check.value)


def compact(value: float) -> str:
    """A number as short as a tick of an axis must be: ``400k``, ``1.2M``."""
    size = abs(value)
    for unit, letter, least in ((1e9, "G", 1e9), (1e6, "M", 1e6), (1e3, "k", 1e4)):
        if least <= size < 1e12:
            return f"{value / unit:.4g}{letter}".replace("-", "−")
    return f"{value:.4g}".replace("-", "−")


def count(value: int) -> str:
    """An integer with thin spaces between thousands."""
    return f"{value:,}".replace(",", "\u202f")


def listed(parts: Sequence[str]) -> str:
    """``a, b and c``."""
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} and {parts[-1]}"


def interval(limits: Sequence[float] | None) -> str:
    """``0.012 to 0.034``, or an en dash."""
    return "–" if limits is None else f"{number(limits[0])} to {number(limits[1])}"


def tolerance(check: Check) -> str:
    """``at most 0.1``, ``at least 0.8`` or ``−0.1 to 0.1``; ``at most 0.1 (passes at 0.3)`` where there are two."""
    passes = "" if check.passes_at is None else f" (passes at {short(check.passes_at)})"
    return _tolerance(check.minimum, check.maximum) + passes


def _tolerance(low: float | None, high: float | None) -> str:
    if low is not None and high is not None:
        return f"within ±{short(high)}" if low == -high else f"{short(low)} to {short(high)}"
    return f"at most {short(high)}" if high is not None else f"at least {short(low or 0.0)}"


def short(value: float) -> str:
    """A number that a person wrote, as written: 0.1 stays 0.1."""
    return f"{value:.12g}".replace("-", "−")


def where(check: Check) -> str:
    """The scope as a reader says it."""
    return where_label(check.scope)


def where_label(label: str) -> str:
    """A slice as a reader says it."""
    return "all rows" if label == "overall" else label


def measured_metric(metric: str) -> str:
    """The metric of a difference, ratio or change: ``gap_fpr`` is one of ``fpr``."""
    kind, _, rest = metric.partition("_")
    return rest if kind in _PREFIXES and rest else metric


def assurance(evidence: Evidence) -> str:
    """How sure the verdicts are, in one sentence."""
    luck = short(100 * evidence.inference.alpha)
    return (
        "A check fails only when its whole interval is beyond the tolerance, and passes only when all of it is within. "
        f"For all checks together, the chance of any false failure is at most {luck} %."
    )


def on_what(*evidences: Evidence) -> str:
    """Of which model, on which rows, against which; what several documents share is said once."""
    models = [model_of(evidence) for evidence in evidences]
    said = [f"Model {model}" if model else "Predictions given with the data" for model in models]
    said += [f"champion: {champion}" for champion in map(champion_of, evidences) if champion]
    said += [_rows_of(evidence.data) for evidence in evidences]
    said += [f"reference: {_rows_of(evidence.reference)}" for evidence in evidences if evidence.reference]
    return "; ".join(dict.fromkeys(said)) + "."


def model_of(evidence: Evidence) -> str:
    """The evaluated model as the registry names it, else by its address; empty where there is none."""
    return registered_of(evidence) or evidence.subject.model_uri or evidence.subject.model_id or ""


def registered_of(evidence: Evidence) -> str:
    """The versions that the registry knew the evaluated model by; empty where it knew none."""
    return _versions([(one.name, one.version) for one in evidence.subject.registered])


def champion_of(evidence: Evidence) -> str:
    """Whose predictions a challenger's are compared with: a model, as the registry names it, a column or a run.

    Empty for a document of one model.
    """
    if not layout_of(evidence).of_two_models:
        return ""
    champion = evidence.measurements["champion"]
    registered = [(one["name"], one["version"]) for one in champion.get("registered", [])]
    if champion.get("source") == "column":
        return f"column “{champion['column']}”"
    if champion.get("source") == "run":
        return f"column “{champion['column']}” of run {champion['run_id']}"
    return _versions(registered) or champion.get("model_uri") or champion.get("model_id") or "unknown"


def _versions(registered: Sequence[tuple[str, str]]) -> str:
    return " and ".join(f"{name} version {version}" for name, version in registered)


def why(check: Check) -> str:
    """The reason for a verdict that is no pass, in words that need no statistics."""
    if check.interval is None or check.value is None:
        # Metric and place stand beside it, by the names that people know.
        reason = check.reason.removeprefix(f"{check.metric} is undefined for {check.scope}: ")
        return reason[:1].upper() + reason[1:] if reason != check.reason else reason
    low, high = check.interval
    if low == high and check.p_value is None:  # a fact
        return check.reason
    if check.verdict == "fail":
        if check.maximum is not None and low > check.maximum:
            return f"Even the low end of its interval, {number(low)}, is above {short(check.maximum)}."
        return f"Even the high end of its interval, {number(high)}, is below {short(check.minimum or 0.0)}."
    if check.n_to_decide is None:
        return "Its interval reaches from inside the tolerance to beyond it, and more rows may not change that."
    return f"Its interval reaches beyond the tolerance; about {count(check.n_to_decide)} rows would decide it."


def compared_with(evidence: Evidence, metric: str) -> str:
    """What the differences and ratios of a forest are taken to; empty for other metrics."""
    versus = evidence.config.get("gap_versus")
    kind = metric.partition("_")[0]
    if kind not in _PREFIXES or versus not in _VERSUS:
        return ""
    more = "a ratio above 1" if kind == "ratio" else "a positive difference"
    return f"Each slice against {_VERSUS[versus]}: {more} means that the slice has more."


def lower_first(text: str) -> str:
    """The text with a small first letter, to stand within a sentence; abbreviations (AUC, F1, PSI) and names stay."""
    stays = text[:2].isupper() or text[1:2].isdigit() or text.startswith(_NAMES)
    return text if stays else text[:1].lower() + text[1:]


def _rows_of(data: Data) -> str:
    return f"{count(data.rows)} rows of “{data.name}”"
