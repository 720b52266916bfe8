"""Rows in parts give the bytes of the Summaries and of the Evidence that one holder of all rows gives."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial, reduce
from operator import add
from typing import Any

import numpy as np
import pandas as pd
import pytest
from support.shards import people as sharded
from support.shards.people import CLASSES, FEATURES, MADE, in_parts, of_two, people
from support.summaries import arrays

from mlflow_eval_plugin.engines import contract
from mlflow_eval_plugin.engines.arrow import data_digest, digest_summary
from mlflow_eval_plugin.engines.arrow.binary.rows import ArrowBinaryRows, ArrowPairedBinaryRows
from mlflow_eval_plugin.engines.arrow.drift import drift_binning
from mlflow_eval_plugin.engines.arrow.multiclass.rows import ArrowMulticlassRows, ArrowPairedMulticlassRows
from mlflow_eval_plugin.engines.arrow.regression.rows import ArrowPairedRegressionRows, ArrowRegressionRows
from mlflow_eval_plugin.engines.arrow.rows import ArrowRows
from mlflow_eval_plugin.engines.arrow.search import CodedErrors
from mlflow_eval_plugin.engines.contract import AskedColumns, Sought
from mlflow_eval_plugin.engines.frozen.columns import FrozenRows
from mlflow_eval_plugin.engines.frozen.tasks import FrozenBinaryRows, FrozenMulticlassRows, FrozenRegressionRows
from mlflow_eval_plugin.engines.parts.binary import PartedBinaryRows, PartedPairedBinaryRows
from mlflow_eval_plugin.engines.parts.errors import PartedErrors
from mlflow_eval_plugin.engines.parts.multiclass import PartedMulticlassRows, PartedPairedMulticlassRows
from mlflow_eval_plugin.engines.parts.regression import PartedPairedRegressionRows, PartedRegressionRows
from mlflow_eval_plugin.engines.parts.rows import PartedRows
from mlflow_eval_plugin.engines.slicing import Slicing
from mlflow_eval_plugin.evaluators import drift
from mlflow_eval_plugin.evaluators.binary import calibration, comparison, disaggregated
from mlflow_eval_plugin.evaluators.binary.comparison import ChampionRows
from mlflow_eval_plugin.evaluators.binary.rows import Rows
from mlflow_eval_plugin.evaluators.config import regression as of_regression
from mlflow_eval_plugin.evaluators.config.keys import parse
from mlflow_eval_plugin.evaluators.document import About
from mlflow_eval_plugin.evaluators.multiclass import calibration as class_calibration
from mlflow_eval_plugin.evaluators.multiclass import comparison as class_comparison
from mlflow_eval_plugin.evaluators.multiclass import disaggregated as class_disaggregated
from mlflow_eval_plugin.evaluators.multiclass.comparison import ClassChampion
from mlflow_eval_plugin.evaluators.multiclass.rows import MulticlassRows
from mlflow_eval_plugin.evaluators.regression import calibration as mean_calibration
from mlflow_eval_plugin.evaluators.regression import comparison as mean_comparison
from mlflow_eval_plugin.evaluators.regression import disaggregated as mean_disaggregated
from mlflow_eval_plugin.evaluators.regression.comparison import PredictedChampion
from mlflow_eval_plugin.evaluators.regression.rows import RegressionRows
from mlflow_eval_plugin.evidence import Data, Producer, Subject, dumps
from mlflow_eval_plugin.query import NamedQuery
from mlflow_eval_plugin.query import parse as parsed
from mlflow_eval_plugin.stats.drift.windows import Windowing
from mlflow_eval_plugin.stats.errors import InputError, TooManyLevels
from mlflow_eval_plugin.stats.inference.costs import ClassCosts

ABOUT = About(Subject(run_id="r"), Producer(name="mlflow-registry-hooks", version="0"), "2026-01-01T00:00:00Z")

QUERIES = {"young": "age < 30", "few": "g == 'rare'", "known": "g is not missing", "late": "seen >= '2024-01-20'"}
SLICES = {"slices": ["g", {"column": "age", "quantiles": 4}, {"column": "day", "quantiles": 3}, "part",
                     {"column": "seen", "quantiles": 2}], "depth": 2,
          "min_count": 5, "queries": QUERIES}  # fmt: skip
SYSTEM = {"latency_column": "ms", "max_latency": {"p95": 90}, "cost_column": "price", "max_cost_per_1000": 900}
SEARCH = {"search": {"columns": ["g", "part", "age", "day", "flag", "seen", "paid"], "min_support": 20}}
SLICING = Slicing(("g", "day", "part", "paid"), 2, {}, {"day": 3, "paid": 3}, 100,
                  [NamedQuery(name, text, parsed(text)) for name, text in QUERIES.items()])  # fmt: skip


def data_of(frame: pd.DataFrame) -> Data:
    return Data(name="people", digest=data_digest(frame), rows=len(frame), columns=tuple(frame.columns))


SOUGHT = Sought(FEATURES[:-2], 2, {"age": (20, 30, 40)}, {}, 5, 30, as_given=False)
COSTS = ClassCosts({one: {other: float(ord(other) - ord(one) + 3) for other in CLASSES if other != one}
                    for one in CLASSES})  # fmt: skip
QUESTIONS: dict[str, dict[str, Callable[[Any, Any], Any]]] = {
    "binary": {
        "scores": lambda rows, _: rows.scores(),
        "sliced": lambda rows, _: rows.sliced(SLICING, 0.4),
        "counted": lambda _, pair: pair.counted(SLICING, (0.4, 0.6)),
    },
    "multiclass": {
        "sliced": lambda rows, _: rows.sliced(SLICING),
        "sliced, not ranked": lambda rows, _: rows.sliced(SLICING, ranked=False),
        "confidence": lambda rows, _: rows.confidence(),
        "sliced confidence": lambda rows, _: rows.sliced_confidence(SLICING),
        "of a class": lambda rows, _: rows.of_class(1),
        "top label": lambda rows, _: rows.top_label(2),
        "counted": lambda _, pair: pair.counted(SLICING, COSTS),
    },
    "regression": {
        "moments": lambda rows, _: rows.moments(SLICING),
        "folds": lambda rows, _: rows.folds(5),
        "folds as they are drawn": lambda rows, _: rows.folds(5).folds,
        "predictions": lambda rows, _: rows.predictions(),
        "counted": lambda _, pair: pair.counted(SLICING),
    },
}
OF_ANY: dict[str, Callable[[Any, Any], Any]] = {
    "names": lambda rows, _: rows.names,
    "schema": lambda rows, _: rows.schema(),
    "present": lambda rows, _: (rows.present("g"), rows.present("age"), rows.present("nowhere")),
    "examples": lambda rows, _: (rows.examples("age"), rows.examples("nowhere")),
    "system": lambda rows, _: rows.system(SLICING, latency="ms", cost="price"),
    "system, costs alone": lambda rows, _: rows.system(SLICING, latency=None, cost="price"),
}
ERRORS = {"binary": ("log_loss", "brier", "wrong"), "multiclass": ("log_loss", "brier", "wrong"),
          "regression": ("squared_error", "absolute_error")}  # fmt: skip


def assert_same_bytes(found: Any, expected: Any) -> None:
    found, expected = arrays(found), arrays(expected)
    assert found.keys() == expected.keys()
    for path, value in expected.items():
        if isinstance(value, np.ndarray):
            assert (found[path].dtype, found[path].shape) == (value.dtype, value.shape), path
            assert found[path].tobytes() == value.tobytes(), path
        else:
            assert found[path] == value, path


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize(
    ("task", "question"), [(task, name) for task, own in QUESTIONS.items() for name in {**own, **OF_ANY}]
)
def test_a_question_to_shards_has_the_answer_of_all_rows(task: str, question: str, weighted: bool) -> None:
    whole, shards = MADE[task](people(), weighted=weighted)
    ask = {**QUESTIONS[task], **OF_ANY}[question]
    assert_same_bytes(ask(*shards), ask(*whole))


@pytest.mark.parametrize(
    ("task", "question"),
    [(task, name) for task, own in QUESTIONS.items() for name in {**own, **OF_ANY} if name != "examples"],
)
def test_neither_the_order_nor_the_size_of_shards_matters(
    task: str, question: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sharded, "PARTS", (slice(500, None), slice(1, 500), slice(0, 1)))
    whole, shards = MADE[task](people(), weighted=True)
    ask = {**QUESTIONS[task], **OF_ANY}[question]
    assert_same_bytes(ask(*shards), ask(*whole))


@pytest.mark.parametrize(("task", "error"), [(task, error) for task, errors in ERRORS.items() for error in errors])
def test_a_search_of_shards_is_that_of_all_rows(task: str, error: str) -> None:
    """Cells of any columns by any other, sums of squares, and what is passed over."""
    (whole, _), (shards, _) = MADE[task](people())
    threshold = {"threshold": 0.4} if task == "binary" else {}
    one, many = (rows.errors(SOUGHT, error, **threshold) for rows in (whole, shards))
    assert (many.rows, many.columns, many.passed_over) == (one.rows, one.columns, one.passed_over)
    assert {passed.column for passed in one.passed_over} == {"constant", "keys", "lists"}
    assert (many.levels, many.one) == (one.levels, one.one)
    assert_same_bytes(many.spectrum, one.spectrum)
    cells = np.array([[0, 1], [1, 0], [2, 1]])
    for column in range(2, len(one.levels)):
        assert_same_bytes(many.split((0, 1), cells).by(column), one.split((0, 1), cells).by(column))
    for cell in cells:
        assert many.square((0, 1), cell) == one.square((0, 1), cell) > 0
        assert many.slice_of((0, 1), cell) == one.slice_of((0, 1), cell)


def test_columns_of_shards_have_drifted_as_those_of_all_rows() -> None:
    names = [name for name in people() if name not in ("keys", "lists")]
    before, after = people()[names], people(8)[names].assign(ms=lambda rows: rows.ms.mask(rows.index % 4 == 0, -999.0))
    for categorical in ([], ["flag", "age"]):
        columns = AskedColumns(tuple(names), {"score": "score", "label": "label"}, frozenset(categorical))
        whole = ArrowRows(after).drift(ArrowRows(before), columns)
        sides = (sharded.of_any(side) for side in (after, before))
        found = next(sides).drift(next(sides), columns)
        assert whole.repeated["ms"] == -999.0
        assert_same_bytes(found, whole)


def test_columns_of_shards_are_looked_at_together_as_those_of_all_rows() -> None:
    names = [name for name in people() if name not in ("keys", "lists")]
    before, after = people()[names], people(8)[names]
    given: dict[str, Any] = {"columns": names, "categorical": ["flag"], "axes": False}
    whole = ArrowRows(after).together(ArrowRows(before), **given)
    sides = (sharded.of_any(side) for side in (after, before))
    assert whole.folds
    assert_same_bytes(next(sides).together(next(sides), **given), whole)


def test_drift_by_slice_of_shards_is_that_of_all_rows() -> None:
    names = [name for name in people() if name not in ("keys", "lists")]
    frame = people(8)[names]
    like = drift_binning(frame[["score", "ms"]])
    slicing = Slicing(("flag", "age"), depth=2, edges={"age": (30.0, 50.0)})
    whole, found = (
        rows.sliced_drift(slicing, like=like) for rows in (ArrowRows(frame), sharded.of_any(frame))
    )  # fmt: skip
    assert found.slices == whole.slices
    assert_same_bytes(found, whole)


@pytest.mark.parametrize("unit", ["day", "week", 100])
def test_windows_of_shards_are_those_of_all_rows(unit: Any) -> None:
    names = [name for name in people() if name not in ("keys", "lists")]
    at = pd.Timestamp("2026-11-01") + pd.to_timedelta(np.random.default_rng(5).uniform(0, 20, len(people())), unit="D")
    before, after = people()[names], people(8)[names].assign(at=pd.Series(at).where(np.arange(len(at)) % 30 > 0))
    columns = AskedColumns(tuple(names), {"score": "score"}, frozenset({"age"}))
    whole = ArrowRows(after).windows(ArrowRows(before), Windowing("at", unit), columns)
    current, reference = map(sharded.of_any, (after, before))
    assert_same_bytes(current.windows(reference, Windowing("at", unit), columns), whole)
    assert len(whole.windows.windows) == {"day": 20, "week": 4, 100: 9}[unit]
    assert whole.windows.without_time == 30
    assert_same_bytes(whole.windows.total, whole.counts.current)


def test_data_in_shards_have_the_digest_of_all_rows() -> None:
    frame = people()
    assert reduce(add, map(digest_summary, in_parts(frame))).digest == data_digest(frame)


def test_levels_and_queries_are_judged_over_all_shards() -> None:
    (whole, _), (shards, _) = of_two(people())
    keys = Slicing(("keys",), 1, max_levels=600)  # of no shard more than 588
    nobody = Slicing(("g",), 1, queries=[NamedQuery("q", "age > 90", parsed("age > 90"))])
    for slicing, refusal in ((keys, TooManyLevels), (nobody, InputError)):
        messages = []
        for rows in (whole, shards):
            with pytest.raises(refusal) as caught:
                rows.sliced(slicing)
            messages.append(str(caught.value))
        assert (
            refusal is TooManyLevels
            or messages == ["queries: no row answers 'q' (age > 90); mend it or leave it out"] * 2
        )


def rows_of(task: str, frame: pd.DataFrame, side: tuple[Any, Any], everything: Any) -> tuple[Any, Any]:
    """What evaluators of a task are given: the rows, and the champion."""
    data, (held, both) = data_of(frame), side
    if task == "binary":
        return Rows(data, held, "1", FEATURES, "label", "score", everything), ChampionRows(both, {"column": "other"})
    if task == "multiclass":
        return MulticlassRows(data, FEATURES, held), ClassChampion(both, {"column": "other"})
    found = RegressionRows(data, held, FEATURES, "label", "score", (), everything)
    return found, PredictedChampion(both, {"column": "other"})


COMPARED: dict[str, Any] = {
    "champion": "other",
    "slices": SLICES["slices"],
    "depth": 2,
    "min_count": 5,
    "queries": QUERIES,
}
CONFIGS: dict[str, dict[str, Any]] = {
    "binary": {
        "calibration": (calibration, partial(parse, "calibration"),
                        {**SLICES, "max_ece": 0.1, "max_brier": 0.3}),
        "disaggregated": (disaggregated, partial(parse, "disaggregated"),
                          {**SLICES, **SYSTEM, **SEARCH, "max_gap": {"fnr": 0.2}, "min_ratio": {"recall": 0.8}}),
        "comparison": (comparison, partial(parse, "comparison"),
                       {**COMPARED, "non_inferiority": {"auc": 0.02, "brier": 0.01, "accuracy": 0.01}}),
    },
    "multiclass": {
        "calibration": (class_calibration, partial(parse, "calibration"), {**SLICES, "max_ece": 0.1}),
        "disaggregated": (class_disaggregated, partial(parse, "disaggregated"),
                          {**SLICES, **SYSTEM, **SEARCH, "max_gap": {"recall": 0.2}}),
        "comparison": (class_comparison, partial(parse, "comparison"),
                       {**COMPARED, "non_inferiority": {"accuracy": 0.01, "log_loss": 0.1}}),
    },
    "regression": {
        "calibration": (mean_calibration, lambda given: of_regression.RegressionCalibrationConfig(**given),
                        {**SLICES, "max_bias_sigma": 0.1, "quantiles": {0.1: "low", 0.9: "high"},
                         "intervals": {"80": {"level": 0.8, "lower": "low", "upper": "high"}}}),
        "disaggregated": (mean_disaggregated, lambda given: of_regression.RegressionDisaggregatedConfig(**given),
                          {**SLICES, **SYSTEM, **SEARCH, "max_gap": {"mae": 0.1}}),
        "comparison": (mean_comparison, lambda given: of_regression.RegressionComparisonConfig(**given),
                       {**COMPARED, "non_inferiority": {"mae": 0.1, "rmse": 0.2}}),
    },
}  # fmt: skip


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize(("task", "kind"), [(task, kind) for task, kinds in CONFIGS.items() for kind in kinds])
def test_rows_in_shards_give_the_same_evidence(task: str, kind: str, weighted: bool) -> None:
    frame, (evaluator, config_of, given) = people(), CONFIGS[task][kind]
    if weighted:
        given = {key: value for key, value in given.items() if key != "search"} | {"sample_weights": "w"}
    config, found = config_of(given), []
    for side in MADE[task](frame, weighted=weighted):
        rows, champion = rows_of(task, frame, side, side[0])
        found.append(dumps(evaluator.evaluate(config, rows, champion if kind == "comparison" else None, ABOUT)))
    assert found[0] == found[1]
    assert len(found[0]) > 5_000


@pytest.mark.parametrize("task", ["binary", "multiclass"])
def test_predicted_classes_in_shards_give_the_same_evidence(task: str) -> None:
    frame, (evaluator, config_of, given) = people(), CONFIGS[task]["disaggregated"]
    config, found = config_of(given), []
    for side in MADE[task](frame, hard=True):
        rows, _ = rows_of(task, frame, side, side[0])
        found.append(dumps(evaluator.evaluate(config, rows, None, ABOUT)))
    assert found[0] == found[1]


def test_drift_of_shards_gives_the_same_evidence() -> None:
    names = [name for name in people() if name not in ("keys", "lists")]
    before, after = people()[names], people(9)[names].assign(age=lambda rows: rows.age + 0.5)
    config = parse("drift", {"reference": before, "exclude_columns": ["part"]})
    found = []
    for held in (ArrowRows, sharded.of_any):
        sides = [
            Rows(
                data_of(side),
                ArrowBinaryRows(side, score=side["score"]),
                "1",
                tuple(names[:-4]),
                "label",
                "score",
                held(side),
            )
            for side in (after, before)
        ]
        found.append(dumps(drift.evaluate(config, *sides, ABOUT)))
    assert found[0] == found[1]


def test_a_metric_of_rows_is_refused_by_name() -> None:
    frame = people()
    spread = {"spread": lambda label, score, prediction, weight: float((score - label).std())}
    config = parse("disaggregated", {"slices": ["g"], "row_metrics": spread})
    whole, shards = of_two(frame)
    rows = replace(rows_of("binary", frame, shards, shards[0])[0])
    with pytest.raises(InputError, match="row_metrics: these rows come in parts"):
        disaggregated.evaluate(config, rows, None, ABOUT)
    disaggregated.evaluate(config, rows_of("binary", frame, whole, whole[0])[0], None, ABOUT)


@pytest.mark.parametrize(
    ("asked", "engines"),
    [
        (contract.RowData, (ArrowRows, PartedRows, FrozenRows)),
        (contract.BinaryData, (ArrowBinaryRows, PartedBinaryRows, FrozenBinaryRows)),
        (contract.MulticlassData, (ArrowMulticlassRows, PartedMulticlassRows, FrozenMulticlassRows)),
        (contract.RegressionData, (ArrowRegressionRows, PartedRegressionRows, FrozenRegressionRows)),
        (contract.PairedBinaryData, (ArrowPairedBinaryRows, PartedPairedBinaryRows)),
        (contract.PairedMulticlassData, (ArrowPairedMulticlassRows, PartedPairedMulticlassRows)),
        (contract.PairedRegressionData, (ArrowPairedRegressionRows, PartedPairedRegressionRows)),
        (contract.ErrorCounts, (CodedErrors, PartedErrors)),
    ],
)
def test_every_engine_answers_every_question_of_the_contract(asked: type, engines: tuple[type, ...]) -> None:
    questions = {name for one in asked.__mro__ for name in vars(one) if not name.startswith("_")}
    assert questions
    for one in engines:
        assert questions <= {*dir(one), *getattr(one, "__dataclass_fields__", ())}, one
