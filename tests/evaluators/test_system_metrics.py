"""Latency and cost columns in a real evaluate call."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from support.evaluating import World, evidence_of

from mlflow_eval_plugin.reports.pages.page import render


def test_latency_and_cost_of_slices(world: World) -> None:
    rng = np.random.default_rng(0)
    slow = (world.rows.SEX == 2).to_numpy()
    more = {"ms": rng.lognormal(3 + slow, 0.5), "usd": 0.002 + 0.001 * slow}
    config = {
        "slices": ["SEX"], "slice_data": more, "latency_column": "ms", "cost_column": "usd",
        "max_latency": {"p95": 100}, "max_cost_per_1000": 2.5,
        "sample_weights": np.where(slow, 9.0, 1.0),  # which do not count here
    }  # fmt: skip
    run, _ = world.evaluate(evaluators="disaggregated", evaluator_config=config)
    document = evidence_of(world, run, "disaggregated")
    system = document.measurements["system"]
    assert [one["label"] for one in system["slices"]] == ["overall", "SEX=1", "SEX=2"]
    for one, mine in zip(system["slices"][1:], (~slow, slow), strict=True):
        p95 = one["metrics"]["latency_p95"]
        assert p95["value"] == pytest.approx(np.quantile(more["ms"][mine], 0.95, method="inverted_cdf"), rel=1e-3)
        assert p95["interval"][0] < p95["value"] < p95["interval"][1]
    assert [one["metrics"]["cost_per_1000"]["value"] for one in system["slices"][1:]] == pytest.approx([2, 3])
    verdicts = {(check.metric, check.scope): check.verdict for check in document.checks}
    assert verdicts["latency_p95", "SEX=1"] == "pass" and verdicts["latency_p95", "SEX=2"] == "fail"
    assert verdicts["cost_per_1000", "SEX=1"] == "pass" and verdicts["cost_per_1000", "SEX=2"] == "fail"
    page = render(document)
    assert "What slices wait and cost" in page and "Latency, p95" in page


def test_latency_and_cost_do_not_depend_on_what_is_predicted(world: World) -> None:
    rng = np.random.default_rng(1)
    slow = world.rows.SEX == 2
    more = pd.DataFrame({"ms": rng.lognormal(3 + slow, 0.5), "usd": 0.002 + 0.001 * slow})
    config = {
        "slices": ["SEX"], "slice_data": more, "latency_column": "ms", "cost_column": "usd",
        "max_latency": {"p95": 100}, "max_cost_per_1000": 2.5,
    }  # fmt: skip
    of_two, _ = world.evaluate(evaluators="disaggregated", evaluator_config=config)
    expected = evidence_of(world, of_two, "disaggregated")
    wanted = {check.id: check.verdict for check in expected.checks if check.metric.startswith(("latency", "cost"))}
    assert len(wanted) == 6
    classes = world.rows.assign(band=rng.choice(["low", "middle", "high"], len(slow)), said="low")
    numbers = world.rows.assign(mean=world.rows.AGEP.mean())
    for data, targets, predictions, model_type in (
        (classes, "band", "said", "classifier"), (numbers, "AGEP", "mean", "regressor"),
    ):  # fmt: skip
        run, _ = world.evaluate(
            data, model=None, targets=targets, predictions=predictions, model_type=model_type,
            evaluators="disaggregated", evaluator_config=config,
        )  # fmt: skip
        document = evidence_of(world, run, "disaggregated")
        assert document.measurements["system"] == expected.measurements["system"]
        assert wanted.items() <= {check.id: check.verdict for check in document.checks}.items()
        assert "What slices wait and cost" in render(document)
