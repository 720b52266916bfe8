"""Slices that somebody named, through whole ``mlflow.models.evaluate`` calls."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import mlflow
import numpy as np
from evaluators.conftest import FEATURES, LABEL, World

from mlflow_eval_plugin.evidence import Evidence, loads

QUERIES = {"young women": "age < 30 and SEX == 2", "no school": "SCHL is missing or SCHL <= 12"}


def disaggregated(world: World, data: Any = None, **config: Any) -> tuple[Evidence, str]:
    """The Evidence and the page of one call."""
    run, _ = world.evaluate(data, evaluators="disaggregated", evaluator_config=config)
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
    first, second = (
        disaggregated(world, rows, queries=QUERIES, col_mapping={"age": "AGEP"}) for rows in (world.rows, mixed)
    )
    assert first[0].measurements == second[0].measurements
    assert first[0].checks == second[0].checks
