"""Slices that somebody named or nobody had in mind, through whole ``mlflow.models.evaluate`` calls."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import mlflow
import numpy as np
import pytest
from support.evaluating import FEATURES, LABEL, World, evidence_of

from mlflow_eval_plugin.evidence import Evidence, loads

STATIC = {"model": None, "predictions": "p"}
QUERIES = {"young women": "age < 30 and SEX == 2", "no school": "SCHL is missing or SCHL <= 12"}


def disaggregated(world: World, data: Any = None, call: Any = None, **config: Any) -> tuple[Evidence, str]:
    """The Evidence and the page of one call."""
    run, _ = world.evaluate(data, evaluators="disaggregated", evaluator_config=config, **(call or {}))
    paths = {"evidence/disaggregated.json", "reports/disaggregated.html"}
    files = [mlflow.artifacts.download_artifacts(run_id=run.info.run_id, artifact_path=path) for path in sorted(paths)]
    return loads(Path(files[0]).read_bytes()), Path(files[1]).read_text()


def test_named_slices_are_judged_costed_and_told(world: World) -> None:
    evidence, page = disaggregated(
        world, queries=QUERIES, col_mapping={"age": "AGEP"}, costs={"fp": 1, "fn": 4}, max_cost=0.01,
        min_metric={"accuracy": 0.01}, max_gap={"fpr": 0.001}, slices=["SEX"], max_fairness={
            "demographic_parity_difference": 0.9},
    )  # fmt: skip
    found = {one["label"]: one for one in evidence.measurements["slices"]}
    assert list(found) == ["SEX=1", "SEX=2", "no school", "young women"]
    rows = world.rows[(world.rows.AGEP < 30) & (world.rows.SEX == 2)]
    assert found["young women"]["n"] == len(rows)
    assert found["young women"]["query"] == QUERIES["young women"]
    assert found["SEX=1"]["query"] is None
    correct = world.model.predict(rows[FEATURES]) == rows[LABEL]
    assert abs(found["young women"]["metrics"]["accuracy"]["value"] - correct.mean()) < 1e-12
    for metric in ("gap_fpr", "accuracy", "cost"):
        assert {"SEX=1", "SEX=2", "no school", "young women"} <= {
            check.scope for check in evidence.checks if check.metric == metric
        }
    costs = {one["label"] for one in evidence.measurements["costs"]["slices"]}
    assert costs == {"overall", *found}
    assert {check.scope for check in evidence.checks if check.id.startswith("fairness")} == {"SEX"}
    assert evidence.config["queries"] == QUERIES
    assert "not (young women)" in {gap["against"] for gap in evidence.measurements["gaps"]}
    assert "age &lt; 30 and SEX == 2" in page and "Named slices" in page


def test_named_slices_alone_against_the_best_of_them(world: World) -> None:
    more = {"region": np.where(np.arange(len(world.rows)) % 2, "north", "south")}
    queries = {"north": "region == 'north'", "south": "region == 'south'"}
    evidence, _ = disaggregated(world, queries=queries, slice_data=more, gap_versus="best", max_gap={"recall": 0.2})
    assert [one["label"] for one in evidence.measurements["slices"]] == ["north", "south"]
    assert evidence.measurements["slice_columns"] == []
    assert evidence.measurements["fairness"] == {}
    best = {gap["against"] for gap in evidence.measurements["gaps"] if gap["versus"] == "best"}
    assert best <= {"north", "south"}
    assert {check.scope for check in evidence.checks} == {"north", "south"}


def test_the_order_of_rows_changes_no_byte_of_what_is_measured(world: World) -> None:
    mixed = world.rows.sample(frac=1, random_state=3)
    config = {"queries": QUERIES, "col_mapping": {"age": "AGEP"}, "search": {"depth": 2, "alpha": 1}}
    first, second = (disaggregated(world, rows, **config) for rows in (world.rows, mixed))
    assert first[0].measurements["weak_slices"]["slices"]
    assert first[0].measurements == second[0].measurements
    assert first[0].checks == second[0].checks


def test_weak_slices_are_found_among_all_features(world: World) -> None:
    # Certain, and wrong in one slice.
    odd = (world.rows.SEX == 2) & (world.rows.AGEP >= 40) & (world.rows.AGEP < 60)
    score = np.where((world.rows[LABEL] == 1) ^ odd, 0.9, 0.2)
    evidence, page = disaggregated(world, world.rows.assign(p=score), STATIC, search=True)
    weak = evidence.measurements["weak_slices"]
    assert evidence.config["search"] == {"alpha": 0.95, "depth": 3, "quantiles": 10, "top": 10}
    assert evidence.measurements["slices"] == [] and evidence.verdict == "insufficient"
    assert weak["columns"] == sorted(FEATURES) and weak["passed_over"] == []
    assert (weak["error"], weak["minimum_support"], len(weak["lattice"])) == ("log_loss", 60, 3)
    losses = -np.log(np.where(world.rows[LABEL] == 1, score, 1 - score))
    assert weak["mean_error"] == pytest.approx(losses.mean(), abs=1e-8)
    best = weak["slices"][0]
    assert best["slice"]["SEX"] == "2" and "AGEP" in best["slice"]
    assert best["p_value"] <= best["p_adjusted"] < 1e-6
    assert best["ratio"] == pytest.approx(best["mean_error"] / weak["mean_error"])
    assert best["difference"]["interval"][0] > 0
    assert "found by search: log loss in slices of up to 3 of 6 columns with 60 rows or more" in page
    assert best["label"] in page.replace("&amp;", "&")


def test_scores_latencies_and_a_champion_are_no_features(world: World) -> None:
    score = world.model.predict_proba(world.rows[FEATURES])[:, 1]
    data = world.rows.assign(p=score, q=score, before=score, ms=1.0 + score, price=score)
    given = {
        "calibration": {"probability_column": "q"},
        "disaggregated": {
            "probability_column": "prob", "col_mapping": {"prob": "p"}, "latency_column": "ms", "cost_column": "price",
            "search": {"depth": 1},
        },
        "comparison": {"champion": "before", "probability_column": "p"},
    }  # fmt: skip
    run, _ = world.evaluate(data, model=None, evaluators=list(given), evaluator_config=given)
    weak = evidence_of(world, run, "disaggregated").measurements["weak_slices"]
    assert weak["columns"] == sorted(FEATURES) and weak["passed_over"] == []


def test_slice_columns_are_searched_as_they_are_cut(world: World) -> None:
    more = {"id": np.arange(len(world.rows)), "same": np.zeros(len(world.rows))}
    bands = ["SEX", "same", {"column": "AGEP", "edges": [0, 30, 60, 120]}]
    options = {"depth": 2, "top": 3, "min_support": 10, "error": "brier", "alpha": 0.99}
    evidence, _ = disaggregated(world, slices=bands, slice_data=more, search=options)
    weak = evidence.measurements["weak_slices"]
    assert weak["columns"] == ["AGEP", "SEX"]
    assert weak["passed_over"] == [{"column": "same", "reason": "the same in all rows"}]
    assert weak["lattice"] == [5, 6]
    labels = {one["label"] for one in evidence.measurements["slices"]}
    assert {one["label"] for one in weak["slices"] if len(one["slice"]) == 1} <= labels
    overall = evidence.measurements["overall"]["metrics"]["brier"]["value"]
    assert weak["mean_error"] == pytest.approx(overall, abs=1e-8)


def test_columns_with_too_many_levels_are_passed_over_and_named(world: World) -> None:
    names = np.array([f"n{i}" for i in range(len(world.rows))])
    data = world.rows.assign(name=names, p=world.model.predict_proba(world.rows[FEATURES])[:, 1])
    evidence, page = disaggregated(world, data, STATIC, search={"depth": 1})
    weak = evidence.measurements["weak_slices"]
    assert weak["passed_over"] == [{"column": "name", "reason": "more than 100 levels"}]
    assert "Columns passed over: name (more than 100 levels)." in page


def test_classes_are_searched_by_what_is_wrong(world: World) -> None:
    data = world.rows.assign(p=world.model.predict(world.rows[FEATURES]))
    evidence, _ = disaggregated(world, data, STATIC, search={"depth": 1})
    weak = evidence.measurements["weak_slices"]
    assert weak["error"] == "wrong"
    assert weak["mean_error"] == pytest.approx((data.p != data[LABEL]).mean(), abs=1e-9)
    with pytest.raises(mlflow.MlflowException, match="'brier' needs probabilities"):
        disaggregated(world, data, STATIC, search={"error": "brier"})


def test_slices_in_which_a_regression_errs_are_found(world: World) -> None:
    odd = (world.rows.SEX == 2) & (world.rows.MAR == 5)
    noise = np.random.default_rng(0).normal(0, np.where(odd, 9.0, 3.0))
    data = world.rows.assign(guess=world.rows.AGEP + noise, ms=1.0 + noise**2)
    for error, expected in (("squared_error", (noise**2).mean()), ("absolute_error", np.abs(noise).mean())):
        call = {"model": None, "targets": "AGEP", "predictions": "guess", "model_type": "regressor"}
        search = {"error": error} if error == "absolute_error" else {}
        evidence, page = disaggregated(world, data, call, search=search or True, latency_column="ms")
        weak = evidence.measurements["weak_slices"]
        assert weak["mean_error"] == pytest.approx(expected, rel=1e-6)
        # Neither the target nor the prediction is searched, nor what a row took.
        assert weak["columns"] == sorted({*FEATURES, LABEL} - {"AGEP"})
        assert weak["slices"][0]["slice"] == {"MAR": "5", "SEX": "2"}
        assert weak["slices"][0]["p_adjusted"] < 1e-6
        assert f"found by search: {error.replace('_', ' ')} in slices of up to 3" in page


def test_what_any_config_of_a_regression_names_is_not_searched(world: World) -> None:
    rng = np.random.default_rng(2)
    mean = world.rows.AGEP.to_numpy() + rng.normal(0, 3, len(world.rows))
    columns = {"guess": mean, "w": rng.integers(1, 4, len(mean)).astype(float), "lo": mean - 5, "q9": mean + 4}
    columns["hi"] = columns["lo"] + 10
    given = {
        "disaggregated": {"search": {"depth": 1}},
        "calibration": {
            "sample_weights": "w", "quantiles": {0.9: "q9"}, "prediction_column": "guess",
            "intervals": {"most": {"lower": "lo", "upper": "hi", "level": 0.9}},
        },
    }  # fmt: skip
    data = world.rows.assign(**columns, p=mean)
    run, _ = world.evaluate(
        data, model=None, targets="AGEP", predictions="p", model_type="regressor", evaluators=list(given),
        evaluator_config=given,
    )  # fmt: skip
    weak = evidence_of(world, run, "disaggregated").measurements["weak_slices"]
    assert weak["columns"] == sorted({*FEATURES, LABEL} - {"AGEP"})


def test_slices_in_which_classes_are_mistaken_are_found(world: World) -> None:
    rng = np.random.default_rng(0)
    odd = (world.rows.SEX == 2) & (world.rows.MAR == 5)
    label = rng.choice(["a", "b", "c"], len(odd))
    right = rng.random(len(odd)) < np.where(odd, 0.4, 0.9)
    said = np.where(right, label, np.where(label == "a", "b", "a"))
    columns = {f"p_{one}": np.where(said == one, 0.8, 0.1) for one in "abc"}
    data = world.rows.assign(label=label, said=said, **columns)
    call = {"model": None, "targets": "label", "predictions": "said"}
    config = {"probability_columns": {one: f"p_{one}" for one in "abc"}, "search": {"depth": 2}}
    evidence, page = disaggregated(world, data, call, **config)
    weak = evidence.measurements["weak_slices"]
    assert weak["mean_error"] == pytest.approx(np.where(right, -np.log(0.8), -np.log(0.1)).mean(), abs=1e-8)
    assert not {*columns, "said", "label"} & set(weak["columns"])
    assert weak["slices"][0]["slice"] == {"MAR": "5", "SEX": "2"}
    assert "found by search: log loss in slices of up to 2" in page
    hard, _ = disaggregated(world, data.drop(columns=list(columns)), call, search=True)
    assert hard.measurements["weak_slices"]["mean_error"] == pytest.approx((~right).mean(), abs=1e-8)
