"""What has changed in a slice since the reference: the difference of two samples, and a Check of every slice."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
import sklearn.metrics

from mlflow_eval_plugin.engines.arrow.binary.rows import ArrowBinaryRows
from mlflow_eval_plugin.engines.arrow.rows import ArrowRows
from mlflow_eval_plugin.evaluators.binary import disaggregated
from mlflow_eval_plugin.evaluators.binary.rows import Rows
from mlflow_eval_plugin.evaluators.config.base import ConfigError
from mlflow_eval_plugin.evaluators.config.keys import parse
from mlflow_eval_plugin.evaluators.document import About
from mlflow_eval_plugin.evidence import Data, Evidence, Producer, Subject

ABOUT = About(Subject(run_id="r"), Producer(name="mlflow-registry-hooks", version="0"), "2026-01-01T00:00:00Z")


def frame(rows: int, seed: int, worse: str | None = None, towns: tuple[str, ...] = ("A", "B", "C")) -> pd.DataFrame:
    """Scores that find three of four positives, and in one town one of two."""
    rng = np.random.default_rng(seed)
    found = pd.DataFrame({"town": rng.choice(towns, rows), "label": rng.integers(0, 2, rows)})
    recall = np.where(found.town == worse, 0.5, 0.75)
    hit = rng.random(rows) < np.where(found.label == 1, recall, 0.2)
    return found.assign(score=np.where(hit, 0.8, 0.2))


def rows_of(frame: pd.DataFrame) -> Rows:
    held = ArrowBinaryRows(frame, frame.label.to_numpy(), frame.score.to_numpy())
    data = Data(name="d", digest="sha256:0", rows=len(frame), columns=tuple(frame.columns))
    return Rows(data, held, "1", ("town",), "label", "score", ArrowRows(frame))


def judged(current: pd.DataFrame, reference: pd.DataFrame, **more: Any) -> Evidence:
    given = {"slices": ["town"], "max_gap": {}, "max_slice_change": {"recall": 0.1}, "reference": reference, **more}
    return disaggregated.evaluate(parse("disaggregated", given), rows_of(current), rows_of(reference), ABOUT)


def test_a_change_is_the_difference_of_both_sides() -> None:
    before, after = frame(3000, 1), frame(4000, 2, worse="B")
    evidence = judged(after, before, max_slice_change={"recall": 0.1, "brier": 0.1})
    changes = {one["label"]: one for one in evidence.measurements["change"]}
    assert list(changes) == ["overall", "town=A", "town=B", "town=C"]
    for label, change in changes.items():
        sides = [one if label == "overall" else one[one.town == label[-1]] for one in (before, after)]
        assert (change["n_reference"], change["n"]) == tuple(map(len, sides))
        for name, measure in {
            "recall": lambda side: sklearn.metrics.recall_score(side.label, side.score >= 0.5),
            "brier": lambda side: sklearn.metrics.brier_score_loss(side.label, side.score),
        }.items():
            first, second = map(measure, sides)
            assert change["metrics"][name]["value"] == pytest.approx(second - first, abs=1e-9)
            low, high = change["metrics"][name]["interval"]
            assert low < second - first < high
    assert evidence.reference is not None and evidence.reference.rows == 3000


def test_the_slice_that_became_worse_is_found_and_no_other() -> None:
    evidence = judged(frame(12_000, 3, worse="B"), frame(12_000, 4))
    checks = {check.scope: check for check in evidence.checks}
    assert checks["town=B"].verdict == "fail" and checks["town=B"].value < -0.15
    assert checks["town=B"].claim == "since the reference, recall has fallen by at most 0.1"
    assert {checks[scope].verdict for scope in ("town=A", "town=C", "overall")} == {"pass"}


def test_a_rise_of_what_should_be_high_is_no_fault() -> None:
    evidence = judged(frame(12_000, 3), frame(12_000, 4, worse="B"))
    assert evidence.verdict == "pass"


def test_false_alarms_are_as_rare_as_promised() -> None:
    """Four Checks without a change, at a tolerance of nearly nothing: any ``fail`` in at most 5 % of documents."""
    failed = sum(
        judged(frame(400, seed), frame(400, seed + 1000), max_slice_change={"recall": 1e-9}).verdict == "fail"
        for seed in range(200)
    )
    assert failed <= 18  # the 99 % point of a binomial at 5 %


def test_a_slice_that_the_reference_lacks_is_not_judged_and_not_forgotten() -> None:
    evidence = judged(frame(6000, 5), frame(6000, 6, towns=("A", "B")))
    (check,) = [one for one in evidence.checks if one.scope == "town=C"]
    assert (check.verdict, check.value) == ("insufficient", None)
    assert "the reference has 0 rows of it" in check.reason


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        ({"max_slice_change": {"recall": 0.1}}, "'max_slice_change' needs 'reference'"),
        ({"reference": 1}, "'reference' has no effect without 'max_slice_change'"),
        (
            {"reference": 1, "max_slice_change": {"recall": 0.1}, "slices": [{"column": "age", "quantiles": 4}]},
            "'age' would be cut at quantiles of each side; give 'edges'",
        ),
        ({"reference": 1, "max_slice_change": {"recal": 0.1}}, "did you mean 'recall'"),
    ],
)
def test_what_judges_nothing_is_refused(given: dict[str, Any], reason: str) -> None:
    with pytest.raises(ConfigError, match=reason):
        parse("disaggregated", {"slices": ["town"], **given})


def test_a_reference_in_a_config_for_all_evaluators_is_meant_for_others() -> None:
    flat = {"slices": ["town"], "reference": 1, "max_change": {"ece_equal_mass": 0.1}}
    assert parse("disaggregated", flat, flat=True).reference is None
    assert parse("disaggregated", {**flat, "max_slice_change": {"recall": 0.1}}, flat=True).reference == 1
