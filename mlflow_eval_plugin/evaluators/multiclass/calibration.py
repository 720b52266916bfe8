"""The ``calibration`` evaluator for three or more classes: of the confidence, and class by class.

Three binary questions, each answered by the binary machinery: is a prediction made with confidence 0.7 right in 70 % of
cases; is it so too among the predictions of one class (top-label calibration, Gupta & Ramdas 2022); and is a class with
the probability 0.7 the label in 70 % of cases (classwise calibration, Kull et al. 2019).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from mlflow_eval_plugin.engines.contract import MulticlassData
from mlflow_eval_plugin.evaluators.claims import MIDDLES, change_claim, slice_claims, slope_claims, tolerance_claim
from mlflow_eval_plugin.evaluators.config.calibration import CalibrationConfig
from mlflow_eval_plugin.evaluators.document import About, as_json, document, slice_json
from mlflow_eval_plugin.evaluators.multiclass.rows import MulticlassRows
from mlflow_eval_plugin.evaluators.slicing import slicing_of, wanted_labels
from mlflow_eval_plugin.evaluators.unchecked import gaps_in_calibration
from mlflow_eval_plugin.evidence import Evidence
from mlflow_eval_plugin.stats.binary.calibration.changes import CHANGES
from mlflow_eval_plugin.stats.binary.calibration.recalibration import recalibrate
from mlflow_eval_plugin.stats.binary.calibration.report import calibrate, calibration_quantities
from mlflow_eval_plugin.stats.binary.calibration.slices import slice_calibrations
from mlflow_eval_plugin.stats.binary.summary import ScoreSummary
from mlflow_eval_plugin.stats.binary.table import SliceTable
from mlflow_eval_plugin.stats.errors import InputError
from mlflow_eval_plugin.stats.inference.checks import Claim
from mlflow_eval_plugin.stats.inference.contrasts import change_of
from mlflow_eval_plugin.stats.inference.estimate import Quantity, bounds_at, estimates
from mlflow_eval_plugin.stats.inference.macro import MeanOfNorms
from mlflow_eval_plugin.stats.multiclass.metrics import MulticlassTable

# The CORP components cost a bootstrap each; only the classes that are drawn have them.
_OF_CLASS = (
    "ece_equal_width", "ece_equal_mass", "ece_debiased", "max_calibration_error", "brier", "log_loss",
    "calibration_in_the_large",
)  # fmt: skip
_MOST_DRAWN = 5
# Of these losses, those of all classes together are meant; whatever else changes is of the confidence.
_OF_ALL = ("brier", "log_loss")
_OF_SLICES = {
    "ece": "confidences in {label} differ from the share of right predictions by at most {limit} on average",
    "calibration_in_the_large": "the mean confidence in {label} is within {limit} of the accuracy",
}
_DRAWN = ("metrics", "bins", "bins_equal_mass", "corp", "corp_band", "histogram")


def evaluate(
    config: CalibrationConfig, rows: MulticlassRows, reference: MulticlassRows | None, about: About
) -> Evidence:
    """Measure calibration and judge it; slices, slope and changes are of the confidence.

    Raises:
        InputError: when there are no probabilities, or for slice columns that cannot be evaluated.
    """
    if "confidence" in config.queries:
        raise InputError(
            "queries: with three or more classes 'confidence' is the name of what all rows have; give the slice another"
        )
    found = _Measured(rows, config)
    before = None if reference is None or reference.scored is None else _Measured(reference, config)
    if config.max_change and before is None:
        raise InputError(
            "calibration: 'max_change' needs labels and probabilities in the reference; add them or leave it out"
        )
    changed = {} if before is None else found.changes_since(before)
    claims = [*found.claims(), *_change_claims(config, changed)]
    measurements = {
        **found.document(),
        "classwise": found.classwise(),
        "top_label": found.top_label(),
        "recalibration": as_json(recalibrate(found.confidence, bins=config.bins)),
        "reference": None if before is None else before.document(),
        "change": None if before is None else {name: as_json(estimates(one)[0]) for name, one in changed.items()},
        "slices": [],
    }
    if config.slices or config.queries:
        table = SliceTable(found.scored.sliced_confidence(slicing_of(config)))
        labels = wanted_labels(config, table.summary.slices)
        made = slice_calibrations(table, labels)
        measurements["slices"] = [slice_json(one) for one in made]
        claims += slice_claims(config, table, labels, _OF_SLICES)
        measurements["unchecked"] = gaps_in_calibration(table, labels, claims, config.alpha)
    seen = reference.data if reference else None
    return document(config, rows, claims, measurements, about, reference=seen)


def _change_claims(config: CalibrationConfig, changed: Mapping[str, Quantity]) -> Iterator[Claim]:
    for metric, limit in config.max_change.items():
        scope, fallen = "overall" if metric in _OF_ALL else "confidence", metric.startswith("calibration_")
        yield change_claim(metric, scope, bounds_at(changed[metric], 0), limit, fallen=fallen, risen=True)


@dataclass(frozen=True, eq=False)
class _Measured:
    rows: MulticlassRows
    config: CalibrationConfig

    @cached_property
    def scored(self) -> MulticlassData:
        if not self.rows.known.has_probabilities:
            raise InputError(
                "calibration: there are no probabilities, only predicted classes; give a model with predict_proba, or "
                "a column of probabilities for each class (the key 'probability_columns')"
            )
        return self.rows.known

    @cached_property
    def overall(self) -> MulticlassTable:
        return MulticlassTable(self.scored.sliced(ranked=False))

    @cached_property
    def confidence(self) -> ScoreSummary:
        return self.scored.confidence()

    @cached_property
    def of_classes(self) -> dict[str, tuple[dict[str, Any], dict[str, Quantity]]]:
        # One Summary at a time: fifty of them would take 350 MB.
        return {one: self._of_class(self.scored.of_class(k)) for k, one in enumerate(self.scored.classes)}

    def document(self) -> dict[str, Any]:
        """What is said of all classes together."""
        table, classes = self.overall, self.scored.classes
        labelled = table.summary.cells[0].sum(axis=1)
        metrics = {name: estimates(table.metric(name))[0] for name in ("accuracy", "brier", "log_loss")}
        norms = MeanOfNorms(tuple(made["ece_equal_width"] for _, made in self.of_classes.values()))
        return {
            "classes": list(classes),
            "classes_absent": [one for one, n in zip(classes, labelled.tolist(), strict=True) if n == 0],
            "n": int(labelled.sum()),
            "weighted": table.summary.weighted,
            "metrics": as_json({**metrics, "classwise_ece": estimates(norms)[0]}),
            "confidence": as_json(calibrate(self.confidence, bins=self.config.bins)),
        }

    def changes_since(self, before: _Measured) -> dict[str, Quantity]:
        """The change of every metric in ``CHANGES``."""
        names = [name for name in CHANGES if name not in _OF_ALL]
        both = [
            {
                **calibration_quantities(one.confidence, names, bins=one.config.bins),
                **{name: one.overall.metric(name) for name in _OF_ALL},
            }
            for one in (self, before)
        ]
        return {name: change_of(both[0][name], both[1][name]) for name in CHANGES}

    def classwise(self) -> dict[str, Any]:
        """Every class against the rest."""
        return self._drawn({one: made for one, (made, _) in self.of_classes.items()}, self.scored.of_class)

    def top_label(self) -> dict[str, Any]:
        """The predictions of every class."""
        made = {one: self._top_label(self.scored.top_label(k)) for k, one in enumerate(self.scored.classes)}
        return self._drawn(made, self.scored.top_label)

    def claims(self) -> Iterator[Claim]:
        """The tolerances: on the confidence, on each class, and on the two losses of all classes."""
        for metric, scope, quantity, limit, sentence in self._claimed():
            if limit is None:
                continue
            bounds = bounds_at(quantity, 0)
            yield tolerance_claim(metric, scope, f"{sentence} {limit:g}", bounds, limit, middle=MIDDLES.get(metric))
        slope = bounds_at(calibration_quantities(self.confidence, ["calibration_slope"])["calibration_slope"], 0)
        yield from slope_claims(self.config, slope, "confidence", "slope of the confidence")

    def _claimed(self) -> Iterator[tuple[str, str, Quantity, float | None, str]]:
        config, ece, large = self.config, "ece_equal_mass", "calibration_in_the_large"
        confident = calibration_quantities(self.confidence, (ece, large), bins=config.bins)
        words = "confidences differ on average from the share of right predictions by at most"
        yield ece, "confidence", confident[ece], config.max_ece, words
        for one, (_, made) in self.of_classes.items():
            words = f"predicted probabilities of {one} differ on average from observed rates by at most"
            yield ece, f"class={one}", made[ece], config.max_ece, words
        words = "the mean confidence differs from the accuracy by at most"
        yield large, "confidence", confident[large], config.max_calibration_in_the_large, words
        for loss, limit in (("brier", config.max_brier), ("log_loss", config.max_log_loss)):
            words = f"the {'Brier score' if loss == 'brier' else 'log loss'} of all classes is at most"
            yield loss, "overall", self.overall.metric(loss), limit, words

    def _of_class(self, summary: ScoreSummary) -> tuple[dict[str, Any], dict[str, Quantity]]:
        made = calibration_quantities(summary, _OF_CLASS, bins=self.config.bins)
        weight = float(summary.w.sum())
        measured = {
            "n": int(summary.n.sum()),
            "positives": float(summary.w[:, 1].sum()),
            "prevalence": float(summary.w[:, 1].sum() / weight),
            "mean_score": float(summary.w_score.sum() / weight),
            "metrics": {name: as_json(estimates(one)[0]) for name, one in made.items()},
        }
        return measured, made

    def _top_label(self, summary: ScoreSummary) -> dict[str, Any]:
        if summary.w.sum() > 0:
            return self._of_class(summary)[0]
        # Nothing to divide by: the model never predicts the class, or only in rows that weigh nothing.
        empty: dict[str, Any] = {"positives": 0.0, "prevalence": None, "mean_score": None, "metrics": {}}
        return {"n": int(summary.n.sum()), **empty}

    def _drawn(self, made: dict[str, dict[str, Any]], summary_of: Callable[[int], ScoreSummary]) -> dict[str, Any]:
        """The worst classes with what a diagram needs; tables of fifty classes would be megabytes."""
        known = [one for one, measured in made.items() if measured["metrics"]]
        worst = sorted(known, key=lambda one: -made[one]["metrics"]["ece_equal_mass"]["value"])[:_MOST_DRAWN]
        for one in worst:
            summary = summary_of(self.scored.classes.index(one))
            whole = as_json(calibrate(summary, bins=self.config.bins))
            made[one] = {**made[one], **{name: whole[name] for name in _DRAWN}}
        return made
