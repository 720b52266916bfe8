"""What cannot be evaluated: one clear error, MLflow's, and nothing of ours in the run."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from support.evaluating import ALL, FEATURES, LABEL, World, refused, three

from mlflow_eval_plugin.plugin import asking
from mlflow_eval_plugin.stats.counts import slice as counts

CONFIGS = [
    ({"drift": {"max_pis": 0.1}}, "drift: there is no key 'max_pis'; did you mean 'max_psi'?"),
    ({"drift": {"max_ece": 0.1}}, "key 'max_ece' belongs to calibration"),
    ({"drift": {"reference": None}}, "drift needs 'reference'"),
    ({"disaggregated": {"slices": []}}, "disaggregated: key 'slices'"),
    ({"disaggregated": {"queries": {"q": "SEX = 2"}}}, "key 'queries': 'q': expected a comparison"),
    ({"disaggregated": {"queries": {"q": 5}}}, "key 'queries'"),
    ({"disaggregated": {"queries": {"overall": "SEX == 2"}}}, "'overall' is the name of all rows"),
    ({"disaggregated": {"queries": {" ": "SEX == 2"}}}, "expected names of 1 to 100 printable characters, found ' '"),
    ({"disaggregated": {"queries": {"a\nb": "SEX == 2"}}}, "expected names of 1 to 100 printable characters"),
    ({"disaggregated": {"queries": {str(i): "SEX == 2" for i in range(65)}}}, "at most 64 named slices, found 65"),
    ({"disaggregated": {"queries": {"q": "SEX == 2"}, "gap_versus": "best"}}, "'q' is the only one; name another"),
    ({"disaggregated": {"search": {"dept": 2}}}, "key 'search': option 'dept'"),
    ({"disaggregated": {"search": {"depth": 5}}}, "key 'search': option 'depth'"),
    ({"disaggregated": {"search": {"error": "mse"}}}, "key 'search': option 'error'"),
    ({"disaggregated": {"search": {"alpha": 0}}}, "key 'search': option 'alpha'"),
    ({"disaggregated": {"search": {"columns": []}}}, "key 'search': option 'columns'"),
    ({"disaggregated": {"search": 3}}, "key 'search': expected True or a mapping of options: depth, top"),
    ({"disaggregated": {"search": True, "sample_weights": "SCHL"}}, "'search' counts rows and knows no weights"),
    ({"disaggregated": {"slices": [], "queries": {}}}, "key 'slices': expected at least one slice column"),
    ({"disaggregated": {"max_gap": {"frp": 0.1}}}, "there is no metric 'frp'; did you mean 'fpr'"),
    ({"disaggregated": {"max_gap": {"fpr": -1}}}, "disaggregated: key 'max_gap'"),
    ({"disaggregated": {"costs": [[0, 1], [5, 0]]}}, "key 'costs': expected the cost of each kind of row"),
    ({"disaggregated": {"costs": {"fp": 1, "nf": 5}}}, "there is no cost 'nf'"),
    ({"disaggregated": {"costs": {"fp": 1}}}, "there is no 'fn'; both mistakes have a cost"),
    ({"disaggregated": {"costs": {"fp": 1, "fn": -5}}}, "fn is -5.0; expected a finite number that is not negative"),
    ({"disaggregated": {"costs": {"fp": 1, "fn": "five"}}}, "fn: expected a number, found str"),
    ({"disaggregated": {"max_cost": 1}}, "'max_cost' needs 'costs'"),
    ({"disaggregated": {"max_latency": {"p90": 1}, "latency_column": "t"}}, "there is no percentile 'p90'"),
    ({"disaggregated": {"max_latency": {"p95": 1}}}, "'max_latency' needs 'latency_column'"),
    ({"disaggregated": {"max_cost_per_1000": 1}}, "'max_cost_per_1000' needs 'cost_column'"),
    ({"disaggregated": {"latency_column": "AGE"}}, "latency: no column 'AGE', did you mean 'AGEP'"),
    ({"disaggregated": {"gap_versus": "rest"}}, "there is no gap_versus 'rest'"),
    (
        {"disaggregated": {"min_ratio": {"calibration_in_the_large": 0.8}}},
        "it may be negative, so a ratio says nothing",
    ),
    (
        {"disaggregated": {"gap_versus": "best", "max_gap": {"calibration_in_the_large": 0.1}}},
        "neither end of it is the best",
    ),
    ({"disaggregated": {"slices": [{"column": "AGEP"}]}}, "give either 'edges' or 'quantiles'"),
    ({"calibration": {"bins": 17}}, "expected a divisor of 3840, such as 16"),
    ({"calibration": {"min_calibration_slope": 1.2}}, "calibration: key 'min_calibration_slope'"),
    ({"calibration": {"max_calibration_slope": 0.9}}, "calibration: key 'max_calibration_slope'"),
    ({"calibration": {"max_change": {"brier": 0.1}}}, "'max_change' needs 'reference'"),
    ({"calibration": {"max_change": {"breir": 0.1}}}, "there is no change 'breir'; did you mean 'brier'"),
    ({"calibration": {"slices": [{"column": "AGEP"}]}}, "give either 'edges' or 'quantiles'"),
    ({"calibration": {"alpha": 2}}, "calibration: key 'alpha'"),
    ({"calibration": {"metric_prefix": "../"}}, "calibration: key 'metric_prefix'"),
    ({"calibration": {"pos_label": 2, "label_list": [0, 1]}}, "'pos_label' 2 is not in 'label_list'"),
]


@pytest.mark.parametrize(("changes", "message"), CONFIGS, ids=[message for _, message in CONFIGS])
def test_a_config_that_is_wrong_names_its_key(world: World, changes: dict[str, Any], message: str) -> None:
    assert message in refused(world, **three(world, **changes))


NO_EFFECT = [
    ({"search": True, "max_gap": {"fnr": 0.01}}, "'max_gap' has no effect without 'slices' or 'queries'"),
    ({"search": True, "min_ratio": {"fnr": 0.8}}, "'min_ratio' has no effect without 'slices' or 'queries'"),
    ({"search": True, "gap_versus": "overall"}, "'gap_versus' has no effect without 'slices' or 'queries'"),
    ({"search": True, "min_count": 50}, "'min_count' has no effect without 'slices' or 'queries'"),
    ({"search": True, "depth": 2}, "'depth' has no effect without 'slices'"),
    ({"queries": {"q": "SEX == 2"}, "depth": 2}, "'depth' has no effect without 'slices'"),
    ({"queries": {"q": "SEX == 2"}, "max_fairness": {"demographic_parity_difference": 0.1}},
     "'max_fairness' has no effect without 'slices' of single columns"),
    ({"slices": [["SEX", "MAR"]], "min_fairness": {"demographic_parity_ratio": 0.8}},
     "'min_fairness' has no effect without 'slices' of single columns"),
]  # fmt: skip


@pytest.mark.parametrize(("config", "message"), NO_EFFECT, ids=[message for _, message in NO_EFFECT])
def test_a_tolerance_that_would_judge_nothing(world: World, config: dict[str, Any], message: str) -> None:
    assert message in refused(world, evaluators="disaggregated", evaluator_config=config)


def test_a_search_alone_may_have_tolerances_of_all_rows(world: World) -> None:
    given = {"disaggregated": {"search": {"depth": 1}, "min_metric": {"auc": 0.5}, "min_count": 50, "max_gap": {}}}
    run, _ = world.evaluate(evaluators=["disaggregated"], evaluator_config=given)
    assert run.data.metrics["disaggregated_verdict"] == 1


def test_a_slice_column_that_is_missing(world: World) -> None:
    message = refused(world, **three(world, disaggregated={"slices": ["SEX", "NATIVTY"]}))
    assert "no column 'NATIVTY'" in message and "did you mean 'NATIVITY'" in message


def test_a_slice_column_of_calibration_that_is_missing(world: World) -> None:
    message = refused(world, **three(world, calibration={"slices": ["SEX", "NATIVTY"]}))
    assert "no column 'NATIVTY'" in message and "did you mean 'NATIVITY'" in message


QUERIES = [
    ("q", "SX == 2", "queries: 'q': there is no column 'SX', did you mean 'SEX'"),
    ("q", "SEX < 'two'", "queries: 'q': column 'SEX' holds numbers"),
    ("q", "SEX == 7", "queries: no row answers 'q' (SEX == 7)"),
    ("SEX=2", "AGEP < 30", "queries: 'SEX=2' is the name of a slice"),
    ("q", "employed == 1", "there is no column 'employed'"),
]


@pytest.mark.parametrize(("name", "text", "message"), QUERIES, ids=[message for _, _, message in QUERIES])
def test_a_query_that_cannot_be_answered(world: World, name: str, text: str, message: str) -> None:
    assert message in refused(world, **three(world, disaggregated={"queries": {name: text}}))


def test_a_search_that_cannot_begin(world: World) -> None:
    missing = three(world, disaggregated={"search": {"columns": ["SEX", "AEGP"]}})
    assert "search: no column 'AEGP', did you mean 'AGEP'" in refused(world, **missing)
    words = {"name": [f"n{i}" for i in range(len(world.rows))]}
    many = three(world, disaggregated={"slice_data": words, "search": {"columns": ["name"]}})
    assert "column 'name' has 6,000 levels" in refused(world, **many)
    wide = {f"w{i}": np.arange(len(world.rows)) % 2 for i in range(70)}
    endless = three(world, disaggregated={"slice_data": wide, "search": {"columns": sorted(wide)}})
    assert "70 columns at depth 3 are 57,225 sets of columns" in refused(world, **endless)
    same = three(world, disaggregated={"slice_data": {"one": np.ones(len(world.rows))}, "search": {"columns": ["one"]}})
    assert "there is no column to search" in refused(world, **same)


def test_a_target_column_that_is_missing(world: World) -> None:
    # MLflow itself looks for it, before any evaluator.
    assert "employd" in refused(world, **{**three(world), "targets": "employd"})


def test_a_weight_column_that_is_missing(world: World) -> None:
    message = refused(world, **three(world, calibration={"sample_weights": "AGE"}))
    assert "sample_weights: no column 'AGE'" in message and "did you mean 'AGEP'" in message


@pytest.mark.parametrize(
    ("weights", "message"),
    [(-1.0, "6,000 rows are (first at row 0) negative"), (np.nan, "missing or infinite"), (0.0, "every weight is 0")],
)
def test_weights_that_weigh_nothing(world: World, weights: float, message: str) -> None:
    changes = {"sample_weights": np.full(len(world.rows), weights)}
    assert message in refused(world, **three(world, disaggregated=changes))


def test_weights_of_another_length(world: World) -> None:
    assert "expected 6000 values, one a row, found 3" in refused(
        world, **three(world, calibration={"sample_weights": [1.0, 1.0, 1.0]})
    )


@pytest.mark.parametrize(
    ("value", "message"),
    [(1.7, "1 row is (first at row 5) outside [0, 1]"), (np.nan, "1 row is (first at row 5) missing")],
)
def test_probabilities_that_are_none(world: World, value: float, message: str) -> None:
    data = world.rows.assign(p=0.4)
    data.loc[5, "p"] = value
    static = {"model": None, "predictions": "p", "evaluators": ALL[:2]}
    config = {"calibration": {}, "disaggregated": {"slices": ["SEX"]}}
    assert message in refused(world, data, evaluator_config=config, **static)


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (-2.0, "6,000 rows are (first at row 0) negative (-2.0); expected a latency"),
        (np.nan, "latency: 6,000 rows are (first at row 0) missing or infinite"),
        (np.inf, "missing or infinite"),
        ("12", "latency: expected numbers, found"),
    ],
)
def test_latencies_that_are_none(world: World, value: Any, message: str) -> None:
    changes = {"latency_column": "ms", "slice_data": {"ms": [value] * len(world.rows)}}
    assert message in refused(world, **three(world, disaggregated=changes))


def test_labels_that_are_missing(world: World) -> None:
    data = world.rows.astype({LABEL: "float64"})
    data.loc[[3, 9], LABEL] = np.nan
    assert "2 rows are (first at row 3) missing" in refused(world, data, **three(world))


def test_no_rows(world: World) -> None:
    static = {"model": None, "predictions": "p", "evaluators": "calibration", "evaluator_config": {"bins": 15}}
    assert "no rows" in refused(world, world.rows.assign(p=0.4).head(0), **static)


def test_a_reference_without_a_column(world: World) -> None:
    changes = {"reference": world.train.drop(columns=["SCHL", "MAR"])}
    message = refused(world, **three(world, drift=changes))
    assert "reference: no column 'SCHL'" in message and "'MAR'" in message


def test_a_reference_without_rows_or_of_another_kind(world: World) -> None:
    assert "reference: there are no rows" in refused(world, **three(world, drift={"reference": world.train.head(0)}))
    assert "expected a data frame" in refused(world, **three(world, drift={"reference": 3}))


def test_a_change_since_a_reference_without_labels(world: World) -> None:
    changes = {"reference": world.train.drop(columns=[LABEL]), "max_change": {"brier": 0.01}}
    assert "'max_change' needs labels in the reference" in refused(world, **three(world, calibration=changes))


def test_a_slice_column_with_a_hundred_thousand_levels(census: pd.DataFrame, world: World) -> None:
    rows = census[census.year == 2018][[*FEATURES, LABEL]].reset_index(drop=True)
    many = pd.concat([rows, rows.head(40_000)], ignore_index=True)
    changes = {"slices": ["person"], "slice_data": {"person": np.arange(len(many)) % 100_000}}
    message = refused(world, many, **three(world, disaggregated=changes))
    assert "'person' has 100,000 levels" in message


def test_slice_data_that_does_not_fit(world: World) -> None:
    short = three(world, disaggregated={"slices": ["g"], "slice_data": {"g": [1, 2]}})
    assert "has 2 values, the data has 6000 rows" in refused(world, **short)
    twice = three(world, disaggregated={"slice_data": {"SEX": np.ones(len(world.rows))}})
    assert "'SEX' is a feature too" in refused(world, **twice)


def test_text_labels_without_pos_label(world: World) -> None:
    data = world.rows.assign(employed=np.where(world.rows[LABEL] == 1, "yes", "no"), p=0.4)
    static = {"model": None, "predictions": "p", "evaluators": "calibration", "evaluator_config": {"bins": 15}}
    assert "say with pos_label which one is positive" in refused(world, data, **static)


def test_a_model_of_another_type(world: World) -> None:
    message = refused(world, model_type="text", evaluators="calibration", evaluator_config={"bins": 15})
    assert "expected model_type='classifier' or 'regressor', found 'text'" in message


def test_a_flat_config_is_read_before_anything_is_logged(world: World) -> None:
    # MLflow's own evaluator would have run first.
    assert "'maxgap'" in refused(world, evaluators=None, evaluator_config={"slices": ["SEX"], "maxgap": {"fpr": 1}})


def test_reference_labels_that_are_missing_are_not_negative_ones(world: World) -> None:
    late = world.train.assign(**{LABEL: world.train[LABEL].where(world.train.index > 100)})
    message = refused(world, **three(world, calibration={"reference": late}))
    assert "reference: label: 101 rows" in message


def test_columns_that_hold_lists_or_have_one_name(world: World) -> None:
    lists = {"slices": ["g"], "slice_data": {"g": pd.Series([[1]] * len(world.rows))}}
    assert "column 'g': expected one value a row" in refused(world, **three(world, disaggregated=lists))
    twice = pd.concat([world.train, world.train[["SEX"]]], axis=1)
    assert "several columns 'SEX'" in refused(world, **three(world, drift={"reference": twice}))


def test_bands_that_cannot_be_cut(world: World) -> None:
    bands = [{"column": "AGEP", "edges": [0, 30, 99]}, [{"column": "AGEP", "edges": [0, 60, 99]}, "SEX"]]
    assert "'AGEP' is cut in two ways" in refused(world, **three(world, disaggregated={"slices": bands}))
    endless = {"slices": [{"column": "AGEP", "edges": [-np.inf, 30, np.inf]}]}
    assert "edges are finite numbers" in refused(world, **three(world, disaggregated=endless))


def test_a_label_list_without_order_needs_the_positive_label(world: World) -> None:
    assert "give 'pos_label'" in refused(world, **three(world, calibration={"label_list": ["a", 1]}))


@pytest.mark.parametrize("whose", ["data 'dataset'", "reference"])
def test_more_rows_than_are_counted_are_refused_before_a_model_is_asked(
    world: World, monkeypatch: pytest.MonkeyPatch, whose: str
) -> None:
    monkeypatch.setattr(counts, "COUNTED_ROWS", len(world.rows) - 1)
    monkeypatch.setattr(asking, "_answered", lambda *_: pytest.fail("the model was asked"))
    few, many = world.rows.head(50), world.rows
    data, reference = (few, many) if whose == "reference" else (many, few)
    message = refused(world, data, **three(world, drift={"reference": reference}))
    expected = (
        f"{whose}: at most {len(many) - 1:,} rows are counted in one pass, found {len(many):,}; give a random sample"
    )
    assert expected in message
