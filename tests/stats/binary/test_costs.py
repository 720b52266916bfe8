"""Costs against decisions worked out row by row, and their intervals against simulation."""

import math

import numpy as np
import pandas as pd
import pytest

from mlflow_eval_plugin.engines.arrow import slice_summary
from mlflow_eval_plugin.engines.slicing import Slicing
from mlflow_eval_plugin.stats.binary.costs import cost_bounds, slice_costs
from mlflow_eval_plugin.stats.binary.table import SliceTable
from mlflow_eval_plugin.stats.errors import InputError
from mlflow_eval_plugin.stats.inference.costs import ClassCosts, Costs
from mlflow_eval_plugin.stats.inference.estimate import bounds_at
from mlflow_eval_plugin.stats.inference.intervals import wilson
from mlflow_eval_plugin.stats.inference.quantities import mean_cost


def _table(rows, **options):
    return SliceTable(slice_summary(rows, label="y", score="s", slicing=Slicing(["g"]), **options))


def _one_group(rows, **options):
    """The table of these rows as group 0, beside another group, since a whole of one class is refused."""
    others = pd.DataFrame({"s": [0.1, 0.9], "y": [0, 1], "g": 1})
    return _table(pd.concat([rows.assign(g=0), others], ignore_index=True), **options)


def _rows(n=400, seed=0, digits=3):
    rng = np.random.default_rng(seed)
    score = np.round(rng.beta(1, 2, n), digits)
    return pd.DataFrame(
        {
            "s": score,
            "y": (rng.random(n) < score**1.4).astype(int),
            "g": rng.integers(0, 3, n),
            "w": rng.integers(1, 5, n),
        }
    )


def _cost(rows, costs, threshold, weight):
    positive, label = rows.s >= threshold, rows.y == 1
    each = np.select([label & positive, label, positive], [costs.tp, costs.fn, costs.fp], costs.tn)
    return np.average(each, weights=weight)


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("costs", [Costs(fp=1, fn=5), Costs(fp=30, fn=2, tp=1, tn=0.5)])
def test_costs_and_the_best_threshold_are_those_of_every_threshold_tried(costs, weighted):
    rows = _rows()
    found = slice_costs(_table(rows, weight="w" if weighted else None, threshold=0.4), costs)
    for one in found:
        mine = rows if one.label == "overall" else rows[rows.g == int(one.label.removeprefix("g="))]
        weight = mine.w if weighted else np.ones(len(mine))
        assert one.cost.value == pytest.approx(_cost(mine, costs, 0.4, weight), rel=1e-9)
        tried = [_cost(mine, costs, threshold, weight) for threshold in np.arange(1002) / 1000]
        assert one.cost_at_best == pytest.approx(min(tried), rel=1e-9)
        threshold = 1.1 if one.best_threshold is None else one.best_threshold
        assert _cost(mine, costs, threshold, weight) == pytest.approx(min(tried), rel=1e-9)
        assert one.cost_at_best <= one.cost.value + 1e-12


def test_by_hand():
    # Two of the three negatives are called positive, one of the two positives is missed: (2 * 1 + 1 * 5) / 5.
    rows = pd.DataFrame({"s": [0.6, 0.7, 0.1, 0.9, 0.3], "y": [0, 0, 0, 1, 1], "g": 0})
    overall = slice_costs(_table(rows), Costs(fp=1, fn=5))[0]
    assert overall.cost.value == pytest.approx(7 / 5)
    # From anywhere above .1 to .3 nobody is missed, at two false alarms; of these .3 is the nearest to .5.
    assert (overall.best_threshold, overall.cost_at_best) == (pytest.approx(0.3), pytest.approx(2 / 5))


def test_the_best_threshold_of_rare_events_is_a_score_of_theirs():
    rng = np.random.default_rng(8)
    score = 1 / (1 + np.exp(-rng.normal(-10, 1.5, 4000)))
    rows = pd.DataFrame({"s": score, "y": (rng.random(4000) < 20 * score).astype(int), "g": 0})
    costs = Costs(fp=1, fn=2000)
    found = slice_costs(_table(rows), costs)[0]
    tried = [_cost(rows, costs, threshold, None) for threshold in np.sort(score)]
    assert 0 < found.best_threshold < 1 / 3840
    assert _cost(rows, costs, found.best_threshold, None) == pytest.approx(min(tried), rel=1e-12)
    assert found.cost_at_best == pytest.approx(min(tried), rel=1e-12)


def test_where_nobody_should_be_called_positive_no_threshold_is_named():
    rows = pd.DataFrame({"s": [1.0, 0.9, 0.2], "y": [0, 0, 0]})
    found = slice_costs(_one_group(rows), Costs(fp=1, fn=1))[1]
    assert (found.label, found.best_threshold, found.cost_at_best) == ("g=0", None, 0.0)


def test_the_threshold_of_calibrated_scores_is_elkans():
    # Elkan (2001), equation 2: p* = (c10 - c00) / (c10 - c00 + c01 - c11).
    assert Costs(fp=1, fn=9).threshold_if_calibrated == pytest.approx(0.1)
    assert Costs(fp=3, fn=5, tp=1, tn=1).threshold_if_calibrated == pytest.approx(2 / 6)
    # And it is the best one where scores are the probabilities.
    rng = np.random.default_rng(2)
    score = rng.random(200_000)
    rows = pd.DataFrame({"s": score, "y": (rng.random(200_000) < score).astype(int), "g": 0})
    assert slice_costs(_table(rows), Costs(fp=1, fn=9))[0].best_threshold == pytest.approx(0.1, abs=0.03)


@pytest.mark.parametrize("costs", [Costs(fp=1, fn=1), Costs(fp=1, fn=10), Costs(fp=20, fn=1, tp=0.5)])
@pytest.mark.parametrize("n", [10, 30, 100])
def test_intervals_cover_in_small_groups(costs, n):
    # Cells of a fair classifier: 70 % negatives, one in seven called positive, a third of the positives missed.
    share = np.array([0.6, 0.1, 0.1, 0.2])  # tn, fp, fn, tp
    truth = share @ np.array([costs.tn, costs.fp, costs.fn, costs.tp])
    rng = np.random.default_rng(n)
    trials, covered, below, above = 400, 0, 0, 0
    for _ in range(trials):
        cell = rng.choice(4, n, p=share)
        table = _one_group(pd.DataFrame({"y": cell // 2, "s": np.where(cell % 2, 0.8, 0.2)}))
        low, high = slice_costs(table, costs)[1].cost.interval
        covered += low <= truth <= high
        bounds = cost_bounds(table, costs, "g=0")
        below += bounds.lower(0.05) > truth
        above += bounds.upper(0.05) < truth
    slack = 3 * math.sqrt(trials * 0.05 * 0.95)
    assert covered >= trials * 0.94 - slack
    assert max(below, above) <= trials * 0.05 + slack


def test_a_cost_that_was_not_seen_is_still_possible():
    rows = pd.DataFrame({"s": [0.2] * 30, "y": [0] * 30})
    bounds = cost_bounds(_one_group(rows), Costs(fp=1, fn=100), "g=0")
    assert bounds.value == 0.0
    assert bounds.lower(0.05) == 0.0
    assert bounds.upper(0.05) >= 9.5  # 1 - .05**(1/30) of the rows may be missed at a cost of 100 each


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"fp": -1, "fn": 1}, "fp is -1"),
        ({"fp": 1, "fn": math.nan}, "fn is nan"),
        ({"fp": 0, "fn": 0}, "a mistake must cost"),
        ({"fp": 1, "fn": 1, "tp": 2}, "a mistake must cost"),
    ],
)
def test_costs_that_make_no_sense_are_refused(given, told):
    with pytest.raises(InputError, match=told):
        Costs(**given)


@pytest.mark.parametrize(
    ("row", "told"),
    [
        ({"b": -1.0}, "'a' taken for 'b' is -1.0; expected a finite number"),
        ({"b": math.inf}, "'a' taken for 'b' is inf; expected a finite number"),
        ({"a": 2.0, "b": 1.0}, "'a' taken for 'b' is 1, less than the 2 of being right"),
        ({"a": 2.0, "b": 2.0}, "no mistake costs more than being right"),
        ({"b": 0.0}, "no mistake costs more than being right"),
    ],
)
def test_costs_of_classes_that_make_no_sense_are_refused(row, told):
    with pytest.raises(InputError, match=told):
        ClassCosts({"a": row})


def test_a_mistake_between_classes_may_cost_nothing_or_no_more_than_being_right():
    made = ClassCosts({"a": {"b": 0.0}, "b": {"a": 3.0, "b": 3.0}, "c": {"a": 1.0, "b": 0.5}})
    with pytest.raises(InputError, match="no cost of 'a' taken for 'c'"):
        made.matrix("abc")
    assert ClassCosts({"a": {"b": 0.0}, "b": {"a": 3.0}}).matrix("ab").tolist() == [[0, 0], [3, 0]]


def test_a_mean_of_cells_by_hand():
    # A hundred rows, costs -1, 0, 4 and -1: in units of 5 above -1 they are 0, .2, 1 and 0, of mean .14 and mean square
    # .108. One more row at 0 and one at 1: variance (10.8 + 1) / 102 - ((14 + 1) / 102)**2 = .09406, and .14 * .86 is
    # 1.280034 times that.
    cells, costs = np.array([[60.0, 20.0, 10.0, 10.0]]), np.array([-1.0, 0.0, 4.0, -1.0])
    made = mean_cost(cells, costs, np.array([100.0]), np.array([100]))
    assert made.value == pytest.approx([-0.3])
    assert made.unit.trials == pytest.approx([128.0034], abs=1e-3)
    lower, upper = made.limits(0.05, exact=False)
    unit = wilson(np.array([0.14]), made.unit.trials, 0.05)
    assert lower == pytest.approx(-1 + 5 * unit[0]) and upper == pytest.approx(-1 + 5 * unit[1])
    nothing = mean_cost(0 * cells, costs, np.zeros(1), np.array([0]))
    assert bounds_at(nothing, 0).reason == "there are no rows with weight"


def test_a_slice_without_weight_has_no_cost():
    rows = pd.DataFrame({"y": [0, 1, 0, 1], "s": [0.2, 0.7, 0.1, 0.9], "g": list("aabb"), "w": [1.0, 1.0, 0.0, 0.0]})
    summary = slice_summary(rows, label="y", score="s", slicing=Slicing(["g"]), weight="w")
    found = {one.label: one for one in slice_costs(SliceTable(summary), Costs(fp=1, fn=5))}
    assert found["g=a"].cost.value == 0 and found["g=a"].cost_at_best == 0
    assert (found["g=b"].cost.value, found["g=b"].best_threshold, found["g=b"].cost_at_best) == (None, None, None)
    assert found["g=b"].cost.reason == "there are no rows with weight"


def test_where_everybody_should_be_called_positive_the_threshold_is_the_lowest_score():
    rows = pd.DataFrame({"s": [0.0, 0.5, 0.9], "y": [1, 0, 1], "g": 0})
    overall = slice_costs(_table(rows), Costs(fp=1, fn=5))[0]
    assert (overall.best_threshold, overall.cost_at_best) == (0, pytest.approx(1 / 3))


def test_small_weights_cost_what_large_ones_cost():
    rows = _rows()
    large, small = (_table(rows.assign(w=rows.w * scale), weight="w") for scale in (1.0, 2.0**-20))
    assert slice_costs(large, Costs(fp=1, fn=5)) == slice_costs(small, Costs(fp=1, fn=5))


@pytest.mark.parametrize("given", [{"fp": 1, "tn": 1, "fn": 2}, {"fp": 2, "fn": 1, "tp": 1}])
def test_one_mistake_may_cost_no_more_than_being_right(given):
    # Elkan's threshold (fp - tn) / (fp - tn + fn - tp) is then 0 or 1.
    assert Costs(**given).threshold_if_calibrated == (0 if given["fp"] == 1 else 1)


@pytest.mark.parametrize(
    ("classes", "n", "dear", "chance"),
    [(3, 30, 9, 0.05), (10, 30, 100, 0.05), (10, 100, 10, 0.1), (20, 100, 100, 0.05), (50, 100, 100, 0.05),
     (50, 1000, 100, 0.05), (50, 300, 2, 0.002)],
)  # fmt: skip
def test_the_mean_cost_of_classes_covers_whatever_one_mistake_costs(classes, n, dear, chance):
    """Nine rows in ten are right, one kind of mistake is dear, the others cost 1: 4,000 draws of a slice's rows."""
    names = [str(one) for one in range(classes)]
    costs = ClassCosts({a: {b: dear if (a, b) == ("0", "1") else 1 for b in names if b != a} for a in names})
    matrix = costs.matrix(names)
    joint = np.full((classes, classes), (0.1 - chance) / (classes**2 - classes - 1))
    np.fill_diagonal(joint, 0.9 / classes)
    joint[0, 1] = chance
    rng = np.random.default_rng(n)
    drawn = rng.multinomial(n, joint.reshape(-1) / joint.sum(), size=4000).astype(float)
    true = (joint / joint.sum() * matrix).sum()
    found = mean_cost(drawn, matrix.reshape(-1), np.full(4000, float(n)), np.full(4000, n))
    lower, upper = found.limits(0.025, exact=False)
    # As of a proportion of so many rows: see the record of decisions on what intervals promise.
    assert np.mean((lower <= true) & (true <= upper)) >= 0.93
    below, above = found.limits(0.05, exact=True)
    assert np.mean(below > true) <= 0.06
    assert np.mean(above < true) <= 0.06
