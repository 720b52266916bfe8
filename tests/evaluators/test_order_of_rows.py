"""The same rows in another order, or counted in shards, give the same bytes."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from mlflow_eval_plugin.canonical import canonical
from mlflow_eval_plugin.engines.arrow import data_digest, score_summary, slice_summary
from mlflow_eval_plugin.engines.arrow.binary.rows import ArrowBinaryRows
from mlflow_eval_plugin.engines.arrow.rows import ArrowRows
from mlflow_eval_plugin.engines.slicing import Slicing
from mlflow_eval_plugin.evaluators import drift
from mlflow_eval_plugin.evaluators.binary import calibration, disaggregated
from mlflow_eval_plugin.evaluators.binary.rows import Rows
from mlflow_eval_plugin.evaluators.config.keys import parse
from mlflow_eval_plugin.evaluators.document import About, as_json
from mlflow_eval_plugin.evidence import Data, Producer, Subject, dumps
from mlflow_eval_plugin.stats.binary.calibration.recalibration import recalibrate
from mlflow_eval_plugin.stats.binary.calibration.report import calibrate
from mlflow_eval_plugin.stats.binary.disaggregated import disaggregate

ABOUT = About(Subject(run_id="r"), Producer(name="mlflow-registry-hooks", version="0"), "2026-01-01T00:00:00Z")
UNSHRUNK = {"deadline": None, "phases": [Phase.explicit, Phase.reuse, Phase.generate]}  # seeds do not shrink
CALIBRATION = {
    "bins": 10,
    "max_brier": 0.2,
    "max_log_loss": 0.7,
    "slices": ["truth", ["truth", "float"]],
    "min_calibration_slope": 0.5,
}
SLICES = (
    ["truth", ["text", {"column": "zero", "edges": [-1.5, 0.0, 1.0]}]],
    [{"column": "age", "quantiles": 3}, "mixed", "float", "truth"],
)
DISAGGREGATED = {
    "min_count": 5,
    "max_metric": {"ece": 0.1, "brier": 0.2},
    "min_metric": {"auc": 0.6},
    "min_ratio": {"selection_rate": 0.8},
    "max_fairness": {"equalized_odds_difference": 0.2},
    "costs": {"fp": 1, "fn": 5},
    "max_cost": 1.0,
    "latency_column": "ms",
    "cost_column": "ms",
    "max_latency": {"p95": 30},
    "metrics": {"wrong": lambda view: (view.fp + view.fn) / view.weight},
    "row_metrics": {"spread": lambda label, score, prediction, weight: (score * weight - label).std()},
    "max_gap": {"wrong": 0.1, "spread": 0.2, "fnr": 0.1},
}
DRIFT = {"reference": "given", "max_ks": 0.1, "max_js": 0.1, "max_shift_sigma": 0.2}


def _people(seed: int, n: int = 70) -> pd.DataFrame:
    """Few distinct scores and many, both ends, and every kind of slice column that has bitten somebody."""
    rng = np.random.default_rng(seed)
    score = rng.choice([0.0, -0.0, 1.0, 0.5, 1 / 3, np.nextafter(0.5, 0), *rng.random(12)], n)
    weight = rng.choice([0.0, 1.0, 0.1, 1e-9, *rng.random(6) * 9], n)
    weight[:4] = 1.0
    return pd.DataFrame(
        {
            "score": score,
            "label": np.concatenate([[0, 1, 0, 1], rng.integers(0, 2, n - 4)]),
            "weight": weight,
            "text": rng.choice(np.array(["a", "B", "a ", "10", "9", "é", None], dtype=object), n),
            "mixed": rng.choice(np.array([1, 1.0, "1", True, 2.5, None, float("nan"), "nan"], dtype=object), n),
            "truth": rng.choice(np.array([True, False, None], dtype=object), n),
            "float": rng.choice([0.1, 0.2, 0.1 + 0.2, 0.3, 1e16, np.nan], n),
            "zero": rng.choice([0.0, -0.0, 1.0, -1.5, 7.0, np.nan], n),
            "age": rng.choice([*range(20, 40), np.nan], n),
            "ms": rng.choice([0.0, -0.0, 1.0, *rng.lognormal(3, 1, 9)], n),
            "income": np.where(rng.random(n) < 0.1, np.nan, rng.lognormal(10, 1, n)),
        }
    )


def _rows(people: pd.DataFrame, *, weighted: bool) -> Rows:
    features = [name for name in people.columns if name not in ("score", "label", "weight")]
    frame = people[features]
    return Rows(
        data=Data(name="people", digest=data_digest(people), rows=len(people), columns=tuple(people.columns)),
        scored=ArrowBinaryRows(
            frame,
            label=people["label"].to_numpy(),
            score=people["score"].to_numpy(),
            weight=people["weight"].to_numpy() if weighted else None,
        ),
        pos_label="1",
        features=tuple(features),
        label_name="label",
        score_name="score",
        everything=ArrowRows(people.drop(columns="weight")),
    )


def _bytes(kind: str, people: pd.DataFrame, before: pd.DataFrame, *, weighted: bool) -> bytes:
    rows, reference = _rows(people, weighted=weighted), _rows(before, weighted=False)
    if kind == "calibration":
        return dumps(calibration.evaluate(parse(kind, CALIBRATION), rows, reference, ABOUT))
    if kind == "disaggregated":
        config = parse(kind, {**DISAGGREGATED, "slices": SLICES[len(people) % 2]})
        return dumps(disaggregated.evaluate(config, rows, None, ABOUT))
    return dumps(drift.evaluate(parse(kind, DRIFT), rows, reference, ABOUT))


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("kind", ["calibration", "disaggregated", "drift"])
@settings(max_examples=6, **UNSHRUNK)
@given(seed=st.integers(0, 10**6))
def test_permuted_rows_give_the_same_bytes(kind, weighted, seed):
    people, before = _people(seed, 70 + seed % 2), _people(seed + 1)
    mixed = [one.sample(frac=1, random_state=seed) for one in (people, before)]
    assert _bytes(kind, *mixed, weighted=weighted) == _bytes(kind, people, before, weighted=weighted)


def _shards(people: pd.DataFrame, rng: np.random.Generator, parts: int) -> list[pd.DataFrame]:
    member = rng.integers(0, parts, len(people))
    # A shard needs rows of both classes.
    for label in (0, 1):
        places = np.flatnonzero(people["label"] == label)[:parts]
        member[places] = np.arange(len(places))
    return [people[member == one] for one in range(parts)]


def _scores(people: pd.DataFrame):
    return score_summary(people, label="label", score="score", weight="weight", weight_scale=16.0)


def _slices(people: pd.DataFrame):
    edges = {"age": [20, 25, 30, 40], "zero": [-1.5, 0.0, 1.0]}
    slicing = Slicing(["text", "float", "age", "zero"], depth=2, edges=edges)
    return slice_summary(people, label="label", score="score", slicing=slicing, weight="weight", weight_scale=16.0)


def _measured(summary) -> bytes:
    if hasattr(summary, "slices"):
        return canonical(as_json(disaggregate(summary, minimum_count=5)))
    return canonical([as_json(calibrate(summary)), as_json(recalibrate(summary))])


@pytest.mark.parametrize("count", [_scores, _slices])
@settings(max_examples=10, **UNSHRUNK)
@given(seed=st.integers(0, 10**6), parts=st.integers(2, 5))
def test_shards_in_any_order_give_the_same_bytes(count, seed, parts):
    people, rng = _people(seed), np.random.default_rng(seed)
    counted = [count(one) for one in _shards(people, rng, parts)]
    total, *others = [counted[i] for i in rng.permutation(parts)]
    for one in others:
        total = total + one if rng.random() < 0.5 else one + total
    assert _measured(total) == _measured(count(people))
