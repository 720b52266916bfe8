"""Harm that no Check covers: limits that hold together, worked by hand and by simulation."""

import numpy as np
import pandas as pd
import pytest

from mlflow_eval_plugin.engines.arrow import slice_summary
from mlflow_eval_plugin.engines.slicing import Slicing
from mlflow_eval_plugin.known_metrics import same_metric
from mlflow_eval_plugin.stats.binary.disaggregated import gap_bounds
from mlflow_eval_plugin.stats.binary.table import SliceTable
from mlflow_eval_plugin.stats.slices.unchecked import MOST_FOUND, Looked, unchecked_gaps

LOOKED = (Looked("accuracy", -1), Looked("fpr", 1), Looked("brier", 1), Looked("calibration_in_the_large", 0))


def table_of(rows: pd.DataFrame) -> SliceTable:
    return SliceTable(slice_summary(rows, label="y", score="s", slicing=Slicing(["g"]), threshold=0.5))


def drawn(rng: np.random.Generator, n: int, levels: int) -> pd.DataFrame:
    score = np.round(rng.beta(1, 1.3, n), 3)
    return pd.DataFrame({"s": score, "y": (rng.random(n) < score).astype(int), "g": rng.integers(0, levels, n)})


@pytest.fixture(scope="module")
def harmed() -> SliceTable:
    """Of nine levels the last has its labels turned around."""
    rows = drawn(np.random.default_rng(2), 6000, 9)
    return table_of(rows.assign(y=np.where(rows.g == 8, (rows.s < 0.5).astype(int), rows.y)))


def test_every_interval_is_that_of_its_share_of_the_error(harmed: SliceTable) -> None:
    found = unchecked_gaps(harmed, range(1, 10), LOOKED, set())
    assert (found.comparisons, found.metrics) == (36, tuple(one.metric for one in LOOKED))
    assert found.found[0].label == "g=8" and found.total == len(found.found)
    for one in found.found:
        bounds = gap_bounds(harmed, one.metric, one.label, "complement")
        # Bonferroni over 36 differences, both sides of each.
        assert one.interval == (bounds.lower(0.05 / 72), bounds.upper(0.05 / 72))
        assert one.difference == pytest.approx(one.value - one.other, abs=1e-12)
    accuracy = next(one for one in found.found if one.metric == "accuracy")
    assert accuracy.value == 0 and accuracy.harm == -accuracy.interval[1] > 0.5


def test_what_is_checked_is_not_looked_at(harmed: SliceTable) -> None:
    checked = {("g=8", "accuracy"), ("g=8", "fpr")}
    found = unchecked_gaps(harmed, range(1, 10), LOOKED, checked)
    assert found.comparisons == 34
    assert {one.metric for one in found.found if one.label == "g=8"} <= {"brier", "calibration_in_the_large"}
    everything = {(one.label, metric.metric) for one in harmed.slices for metric in LOOKED}
    nothing = unchecked_gaps(harmed, range(1, 10), LOOKED, everything)
    assert (nothing.comparisons, nothing.metrics, nothing.total, nothing.found) == (0, (), 0, ())


def test_one_metric_has_one_name() -> None:
    assert [same_metric(one) for one in ("fnr", "fnr[a]", "bias_sigma", "fpr")] == [
        "recall",
        "recall[a]",
        "bias",
        "fpr",
    ]


def test_better_than_the_others_is_no_harm() -> None:
    rows = drawn(np.random.default_rng(4), 6000, 5)
    # One level is right throughout, and its scores are as often the event as they say.
    rows = rows.assign(s=np.where(rows.g == 4, np.where(rows.y == 1, 0.99, 0.01), rows.s))
    assert [one for one in unchecked_gaps(table_of(rows), range(1, 6), LOOKED, set()).found if one.label == "g=4"] == []


def test_scores_too_high_and_too_low_are_harm_alike() -> None:
    rows = drawn(np.random.default_rng(5), 9000, 3)
    moved = np.clip(rows.s + np.select([rows.g == 1, rows.g == 2], [0.15, -0.15], 0.0), 0, 1)
    found = unchecked_gaps(table_of(rows.assign(s=moved)), range(1, 4), LOOKED[3:], set())
    assert {one.label: np.sign(one.difference) for one in found.found} == {"g=1": 1.0, "g=2": -1.0}


def test_tiny_slices_are_looked_at_with_the_limits_that_hold_at_any_size() -> None:
    rows = drawn(np.random.default_rng(6), 3000, 4)
    few = pd.DataFrame({"s": [0.9] * 12 + [0.1] * 12, "y": [0] * 12 + [1] * 12, "g": [9] * 24})
    one_row = pd.DataFrame({"s": [0.9], "y": [0], "g": [10]})
    found = unchecked_gaps(table_of(pd.concat([rows, few, one_row])), range(1, 7), LOOKED, set())
    assert {one.label for one in found.found} == {"g=9"}
    assert found.found[0].n == 24


def test_at_most_sixty_are_kept_and_the_number_of_all_is_told() -> None:
    rows = drawn(np.random.default_rng(7), 20_000, 80)
    rows = rows.assign(y=np.where(rows.g % 2 == 0, (rows.s < 0.5).astype(int), rows.y))
    found = unchecked_gaps(table_of(rows), range(1, 81), LOOKED, set())
    assert found.total > MOST_FOUND == len(found.found)
    harms = [one.harm for one in found.found]
    assert harms == sorted(harms, reverse=True)


def test_where_no_slice_is_worse_something_is_seldom_named() -> None:
    # At a true chance of 5 % more than 11 of 100 have the chance 0.4 %.
    rng, named = np.random.default_rng(8), 0
    for _ in range(100):
        named += unchecked_gaps(table_of(drawn(rng, 1500, 20)), range(1, 21), LOOKED, set()).total > 0
    assert named <= 11


def test_nearer_to_the_ideal_than_all_others_is_no_harm() -> None:
    rng = np.random.default_rng(9)
    rows = drawn(rng, 9000, 4)
    # One level is far too high, so that all others together are too high as well; a level at 0 is the best of all.
    moved = np.clip(rows.s + np.select([rows.g == 1, rows.g == 2], [0.4, -0.03], 0.0), 0, 1)
    found = unchecked_gaps(table_of(rows.assign(s=moved)), range(1, 5), LOOKED[3:], set())
    assert [one.label for one in found.found] == ["g=1"]
    one = found.found[0]
    assert one.harm <= abs(one.value) - abs(one.other)
