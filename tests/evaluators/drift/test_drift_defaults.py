"""What the default tolerances of drift find, and how often they are wrong: benchmarks/soak_drift_defaults.py, small."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from evaluators.test_drift_calls import drift, failed, scored
from scipy import stats
from support.evaluating import World
from support.simulating_drift import CHANGES, STILL, reference, simulated, window

ROWS = 20_000


@pytest.mark.parametrize(("rows", "draws"), [(200, 8), (2000, 6), (ROWS, 2)])
def test_false_alarms_are_rare_and_windows_without_drift_pass(rows: int, draws: int) -> None:
    found = simulated(4, ROWS, rows, draws)
    assert found.windows <= stats.binom.ppf(0.99, draws, 0.05)
    # Of windows of 200 rows most can be told to have no drift worth speaking of, over all of their twenty columns.
    assert found.passed >= draws / 2 if rows < 2000 else draws
    if rows >= 2000:
        small = {"mean by 0.15 σ"} if rows < ROWS else set()
        assert {name for name, count in found.changes.items() if count < draws} <= small
    else:
        assert found.changes["mean by 0.5 σ"] >= draws * 0.8


def frames(rows: int = 2000) -> tuple[pd.DataFrame, pd.DataFrame]:
    return reference(2, ROWS), window(2, rows, 0)


def told(found: dict[str, Any]) -> dict[str, tuple[str, str]]:
    return {one["name"]: (one["hint"], one["hint_reason"]) for one in found["measurements"]["columns"]}


def test_defaults_find_every_kind_of_change_and_say_where_to_look(world: World) -> None:
    before, after = (side.assign(p=scored(0, len(side)).p, y=scored(0, len(side)).y) for side in frames())
    found, metrics = drift(after, before)
    scopes = {one.partition(":")[2] for one in failed(found)}
    assert scopes >= set(CHANGES) - {"mean by 0.15 σ"}
    assert not scopes & {*STILL, "p", "y", "overall"}
    checks = {check["id"]: check for check in found["checks"]}
    assert checks["infinite_change:infinite, 2 %"]["verdict"] == "fail"
    assert "wasserstein:infinite, 2 %" not in failed(found)
    assert checks["new_share:-999 in 2 %"]["verdict"] == "fail"
    assert (checks["wasserstein:normal 0"]["maximum"], checks["wasserstein:normal 0"]["passes_at"]) == (0.05, 0.4)
    assert "at most 0.4, and not shown to be above 0.05" in checks["wasserstein:normal 0"]["claim"]
    hints = told(found)
    assert hints["infinite, 2 %"][0] == hints["-999 in 2 %"][0] == hints["new category, 2 %"][0] == "data bug"
    assert "values are infinite; of the reference 0 are" in hints["infinite, 2 %"][1]
    assert "most of them -999, which 0.0" in hints["-999 in 2 %"][1]
    assert "'new', which 0.00% of the reference are" in hints["new category, 2 %"][1]
    assert hints["mean by 0.5 σ"][0] == "distribution shift"
    assert {hints[name][0] for name in STILL} == {"none"}
    infinite = next(one for one in found["measurements"]["columns"] if one["name"] == "infinite, 2 %")
    assert (infinite["infinite_reference"], 0.01 < infinite["infinite_current"] < 0.03) == (0, True)
    assert metrics["drift_max_infinite_change"] == infinite["infinite_current"]


def test_a_sentinel_close_to_the_range_is_named(world: World) -> None:
    rng = np.random.default_rng(4)
    before, after = scored(0, 5000, age=rng.integers(18, 70, 5000)), scored(1, age=rng.integers(18, 70, 2000))
    for sentinel in (99, -1, 0):
        found, _ = drift(after.assign(age=after.age.mask(after.index % 50 == 0, sentinel)), before)
        hint, reason = told(found)["age"]
        assert (hint, "new_share:age" in failed(found)) == ("data bug", True)
        assert f"most of them {sentinel}, which 0.00% of the reference are" in reason


def test_a_tenth_of_infinite_values_is_a_data_bug(world: World) -> None:
    data = scored(1)
    for infinite in (np.inf, -np.inf):
        found, _ = drift(data.assign(x=data.x.mask(data.index % 10 == 0, infinite)), scored(0, 5000))
        hint, reason = told(found)["x"]
        assert (failed(found), hint) == ({"infinite_change:x"}, "data bug")
        assert reason.startswith("200 values are infinite")


def test_one_outlier_is_no_drift_and_hides_none(world: World) -> None:
    before, after = scored(0, 5000), scored(1, 5000)
    after.loc[7, "x"] = 1e300
    found, _ = drift(after, before)
    assert failed(found) == set()
    assert found["verdict"] == "pass"
    shifted = after.assign(x=after.x + 0.3)
    assert "wasserstein:x" in failed(drift(shifted, before)[0])
    # Nor does a tenth of sentinels in the reference widen the unit until nothing is found.
    before.loc[:499, "x"] = -999.0
    shifted.loc[:499, "x"] = -999.0
    assert "wasserstein:x" in failed(drift(shifted, before)[0])


def test_tolerances_are_one_number_or_two(world: World) -> None:
    before, after = scored(0, 20_000), scored(1, 20_000).assign(x=lambda rows: rows.x + 0.12)
    assert "wasserstein:x" in failed(drift(after, before, max_shift_sigma=[0.05, 0.1])[0])
    one, _ = drift(after, before, max_shift_sigma=0.2, max_js=None, max_new_share=None, max_missing_change=None)
    assert one["verdict"] == "pass"
    assert {check["metric"] for check in one["checks"]} == {"wasserstein", "schema_changes"}
    assert all("passes_at" not in check for check in one["checks"])
    none, _ = drift(after, before, max_shift_sigma=None, max_js=None, max_new_share=None, max_missing_change=None)
    assert {check["metric"] for check in none["checks"]} == {"schema_changes"}


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"max_js": [0.2, 0.1]}, "first is to fail and the second, no smaller, to pass"),
        ({"max_js": [0.1, 1.5]}, "js is never above 1"),
        ({"max_new_share": 2}, "new_share is never above 1"),
        ({"max_psi": -1}, "max_psi"),
    ],
)
def test_tolerances_that_cannot_be_meant_are_refused(world: World, given: dict[str, Any], message: str) -> None:
    with pytest.raises(Exception, match=message):
        drift(scored(1), scored(0), **given)


def test_scores_near_nought_are_told_apart(world: World) -> None:
    rng = np.random.default_rng(3)
    before, after, same = (
        pd.DataFrame({"x": 1.0, "p": 1 / (1 + np.exp(-rng.normal(-10.3 + shift, 1.5, n))), "y": rng.random(n) < 0.01})
        for shift, n in ((0.0, 50_000), (0.3, 20_000), (0.0, 20_000))
    )
    assert {"js:p", "wasserstein:p"} <= failed(drift(after, before)[0])
    assert failed(drift(same, before)[0]) == set()


def test_two_hundred_rows_pass_against_two_hundred(world: World) -> None:
    assert [drift(scored(5 + seed, 200), scored(95 + seed, 200))[0]["verdict"] for seed in range(3)] == ["pass"] * 3
    # As many infinite values as before are no drift.
    endless = [scored(seed).assign(x=lambda rows: rows.x.mask(rows.index % 20 == 0, np.inf)) for seed in (1, 0)]
    assert drift(*endless)[0]["verdict"] == "pass"
