"""The quality of data as Checks of ``drift``, and tolerances by column, as a user meets them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from evaluators.test_drift_calls import drift, failed, scored
from support.evaluating import World, refused


def sides() -> tuple[pd.DataFrame, pd.DataFrame]:
    """Before and after, alike."""
    made = []
    for seed, rows in ((0, 6000), (1, 2000)):
        rng = np.random.default_rng(seed)
        made.append(
            scored(
                seed,
                rows,
                amount=rng.lognormal(4, 0.5, rows),
                city=rng.choice(list("abcd"), rows, p=[0.4, 0.3, 0.2, 0.1]),
            )
        )
    return made[0], made[1]


def first(rows: pd.DataFrame, share: float, name: str, value: Any) -> pd.DataFrame:
    return rows.assign(**{name: rows[name].mask(rows.index < share * len(rows), value)})


@pytest.mark.parametrize(
    ("changed", "check"),
    [
        (lambda rows: first(rows, 0.04, "amount", -999.0), "sentinel_change:amount"),
        (lambda rows: first(rows, 0.04, "city", ""), "sentinel_change:city"),
        (lambda rows: first(rows, 0.04, "city", "z"), "new_categories:city"),
        (lambda rows: rows.assign(city=rows.city.replace("d", "a")), "vanished_categories:city"),
        (lambda rows: rows.assign(city="a"), "lost_variety:city"),
        (lambda rows: rows.assign(amount=55.0), "lost_variety:amount"),
        (lambda rows: rows.assign(amount=rows.amount * 1000), "unit_change:amount"),
        (lambda rows: rows.assign(amount=rows.amount / 100), "unit_change:amount"),
        (lambda rows: first(rows, 0.05, "amount", np.nan), "missing_change:amount"),
        (lambda rows: first(rows, 0.05, "amount", np.inf), "infinite_change:amount"),
    ],
)
def test_every_fault_fails_a_check_of_its_own(world: World, changed: Any, check: str) -> None:
    before, after = sides()
    found, _ = drift(changed(after), before)
    assert check in failed(found)
    one = next(each for each in found["checks"] if each["id"] == check)
    assert one["interval"][0] > one["maximum"] and one["p_adjusted"] < 0.05
    assert {each.partition(":")[2] for each in failed(found)} == {check.partition(":")[2]}


def test_data_like_the_reference_pass(world: World) -> None:
    before, after = sides()
    found, _ = drift(after, before, max_out_of_range=[0.003, 0.05])
    assert (found["verdict"], failed(found)) == ("pass", set())
    assert {one["scope"] for one in found["checks"] if one["metric"] == "out_of_range"} == {"x", "amount", "p"}
    assert "out_of_range:amount" in failed(drift(first(after, 0.02, "amount", 1e6), before, max_out_of_range=0.003)[0])


def test_tolerances_are_of_all_columns_or_by_column(world: World) -> None:
    before, after = sides()
    moved = after.assign(x=after.x + 0.3, amount=after.amount * 1.2)
    assert {"wasserstein:x", "wasserstein:amount"} <= failed(drift(moved, before)[0])
    wide = {"x": [0.5, 0.6]}
    found, _ = drift(moved, before, max_shift_sigma=wide, max_js={"x": None, "amount": 0.9, "*": [0.03, 0.2]})
    assert failed(found) == {"wasserstein:amount"}
    checks = {one["id"]: one for one in found["checks"]}
    # Of other columns the default holds, or what "*" says.
    assert (checks["wasserstein:x"]["maximum"], checks["wasserstein:amount"]["maximum"]) == (0.5, 0.05)
    assert "js:x" not in checks and checks["js:amount"]["maximum"] == 0.9 and checks["js:city"]["maximum"] == 0.03
    assert found["config"]["max_shift_sigma"] == wide


def test_columns_with_tolerances_that_nobody_has_are_refused_together_with_the_nearest(world: World) -> None:
    before, after = sides()
    wrong = {"max_js": {"amuont": 0.1}, "max_shift_sigma": {"citty": 0.1, "x": 1}}
    message = refused(
        world, after, model=None, targets="y", predictions="p", evaluators=["drift"],
        evaluator_config={"drift": {"reference": before, **wrong}},
    )  # fmt: skip
    assert "max_js: neither side has 'amuont', did you mean 'amount'?" in message
    assert "max_shift_sigma: neither side has 'citty', did you mean 'y' or 'city'?" in message


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"max_js": {"x": [0.2, 0.1]}}, "first is to fail and the second, no smaller, to pass"),
        ({"max_js": {"x": 1.5}}, "js is never above 1"),
        ({"max_shift_sigma": {"x": -1}}, "max_shift_sigma"),
    ],
)
def test_tolerances_by_column_that_cannot_be_meant_are_refused(
    world: World, given: dict[str, Any], message: str
) -> None:
    with pytest.raises(Exception, match=message):
        drift(scored(1), scored(0), **given)


def test_drift_is_judged_within_slices_on_the_bins_of_all(world: World) -> None:
    before, after = sides()
    # In one city alone, and as much the other way in another: of all rows nothing moved.
    moved = after.assign(x=after.x + after.city.map({"a": 0.0, "b": 0.5, "c": -0.75, "d": 0.0}))
    given: dict[str, Any] = {"max_new_share": None, "slice_columns": ["city", {"column": "amount", "edges": [50, 90]}]}
    found, _ = drift(moved, before, **given)
    assert failed(found) == {f"{metric}:x:city={city}" for metric in ("js", "wasserstein") for city in "bc"}
    checks = {one["id"]: one for one in found["checks"]}
    one = checks["wasserstein:x:city=b"]
    assert (one["scope"], one["n"]) == ("x where city=b", int((after.city == "b").sum()))
    assert one["claim"].startswith("where city=b, the Wasserstein distance")
    labels = [one["label"] for one in found["measurements"]["slices"]]
    assert "js:city:city=b" not in checks and all(f"js:x:{label}" in checks for label in labels)
    assert {f"city={city}" for city in "abcd"} < set(labels) and len(labels) == 7
    assert failed(drift(after, before, **given)[0]) == set()
    for wrong, message in (
        (["citty"], "slice_columns: neither side has 'citty', did you mean 'y' or 'city'"),
        ([{"column": "amount", "quantiles": 4}], "give 'edges', which are the same on both sides"),
    ):
        with pytest.raises(Exception, match=message):
            drift(after, before, slice_columns=wrong)
