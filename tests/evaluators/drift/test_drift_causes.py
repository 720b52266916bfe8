"""All causes that fit a drift are named, and none where there is none: benchmarks/soak_causes.py, small."""

from __future__ import annotations

from functools import reduce
from operator import add

import numpy as np
import pandas as pd
import pytest
from evaluators.test_drift_calls import drift, scored
from scipy import stats
from support.evaluating import World
from support.simulations.causes import PLANTED, causes, named, rows

from mlflow_eval_plugin.engines.arrow import drift_binning, drift_summary
from mlflow_eval_plugin.engines.arrow.rows import ArrowRows
from mlflow_eval_plugin.engines.slicing import Slicing
from mlflow_eval_plugin.stats.drift.causes.cause import ORDER
from mlflow_eval_plugin.stats.drift.divergences import divergence
from mlflow_eval_plugin.stats.drift.strata.mix import excess, mix, within


@pytest.mark.parametrize("name", PLANTED)
def test_a_planted_cause_is_named_and_no_other(name: str) -> None:
    right, others = named(3, 20_000, 5000, name, 4)
    assert (right, dict(others)) == (4, {})


@pytest.mark.parametrize(("n", "draws"), [(300, 30), (5000, 20)])
def test_no_cause_is_named_where_nothing_is_planted(n: int, draws: int) -> None:
    quiet, _ = named(11, 5000, n, "none", draws)
    assert draws - quiet <= stats.binom.ppf(0.99, draws, 0.05)


def test_all_causes_that_fit_are_told_in_order_with_numbers(world: World) -> None:
    def window(seed: int, n: int) -> pd.DataFrame:
        rng = np.random.default_rng(seed)
        return scored(
            seed, n, amount=rng.lognormal(4, 0.5, n), kind=rng.choice(list("abc"), n), age=rng.normal(40, 9, n)
        )

    before, after = window(0, 6000), window(1, 3000)
    few = after.index < 150
    after = after.assign(
        amount=after.amount * 1000, kind=after.kind.mask(few, "N/A"), x=(after.x + 0.5).mask(few), extra=1,
        y=after.y.where(after.index >= 1500),
    )  # fmt: skip
    found = drift(after, before)[0]["measurements"]["causes"]
    told = [(one["cause"], one["column"]) for one in found]
    assert told == [
        ("labels", "y"), ("schema", "extra"), ("missing", "x"), ("sentinel", "kind"), ("unit", "amount"),
        ("shift", "x"),
    ]  # fmt: skip
    assert told == sorted(told, key=lambda one: ORDER.index(one[0]))
    said = {one["cause"]: one for one in found}
    assert "50.0% of the labels y have arrived, and of the reference 100.0%" in said["labels"]["sentence"]
    assert "amount looks multiplied by 1,000" in said["unit"]["sentence"]
    assert "5.0% of kind are 'N/A'" in said["sentinel"]["sentence"]
    for one in found:
        if one["cause"] != "schema":
            low, high = one["interval"]
            assert low <= one["value"] <= high


def sides(column: str = "region") -> tuple[object, object, object, object]:
    """Both sides of a change of mix, whole and by slice."""
    rng = np.random.default_rng(2)
    before, after = rows(rng, 20_000), rows(rng, 8000, shares="mix")
    like = drift_binning(before)
    slicing = Slicing((column,), depth=1)
    whole = like, drift_summary(after, like=like)
    return (*whole, *(ArrowRows(side).sliced_drift(slicing, like=like).strata(column) for side in (before, after)))


def test_a_change_of_mix_is_told_apart_from_one_inside_the_slices() -> None:
    before, after, first, second = sides()
    counts = [np.array([one.rows for one in side.values()]) for side in (first, second)]
    assert list(first) == list(second)
    assert mix(first, second).value[0] == pytest.approx(divergence("js", *counts).value[0])
    inside = within(first, second, "debt")
    # The mean over slices of n m / (n + m) times the divergence, by hand.
    known = [(a.column("debt"), b.column("debt")) for a, b in zip(first.values(), second.values(), strict=True)]
    parts = [(divergence("js", *(_tens(one) for one in pair)), *(one.present for one in pair)) for pair in known]
    sizes = [n * m / (n + m) for _, n, m in parts]
    mean = sum(one.raw[0] * size for (one, _, _), size in zip(parts, sizes, strict=True)) / sum(sizes)
    assert inside.value[0] == pytest.approx(np.sqrt(mean / np.log(2)))
    whole = divergence("js", _tens(before.column("debt")), _tens(after.column("debt")))
    assert excess(inside) < 0.02
    assert excess(whole) > 0.1


def _tens(column: object) -> np.ndarray:
    return np.diff(np.concatenate([[0], np.cumsum(column.counts)[column.coarse], [column.present]]))


def test_slices_of_parts_add_up_to_those_of_all_rows() -> None:
    frame = rows(np.random.default_rng(4), 3000)
    like, slicing = drift_binning(frame), Slicing(("region", "purpose"), depth=2)
    whole = ArrowRows(frame).sliced_drift(slicing, like=like)
    parts = [ArrowRows(frame.iloc[at]).sliced_drift(slicing, like=like) for at in np.array_split(np.arange(3000), 7)]
    found = reduce(add, parts[::-1])
    assert found.slices == whole.slices
    assert [one.to_document() for one in found.summaries] == [one.to_document() for one in whole.summaries]
    assert sum(one.rows for one in whole.strata("region").values()) == 3000


def test_a_score_of_one_value_says_nothing_of_its_relation_to_the_label() -> None:
    rng = np.random.default_rng(6)
    before, after = rows(rng, 4000), rows(rng, 2000)
    assert causes(before.assign(p=0.3), after.assign(p=0.3)) == set()
