"""Quantities as records: estimates with their intervals, and one entry as the bounds of a Check."""

import pkgutil
from dataclasses import fields, is_dataclass
from importlib import import_module

import numpy as np
import pytest
from scipy import stats

from mlflow_eval_plugin import stats as ours
from mlflow_eval_plugin.stats.binary.calibration.slope import NO_SLOPE
from mlflow_eval_plugin.stats.inference.estimate import Entries, Estimate, bounds_at, estimates
from mlflow_eval_plugin.stats.inference.quantities import ProportionQuantity
from mlflow_eval_plugin.stats.inference.skewed_means import PositiveMean
from mlflow_eval_plugin.stats.inference.wald import Wald


def test_an_interval_is_wilsons_and_the_limits_of_a_check_are_exact():
    trials = np.array([40, 7])
    made = ProportionQuantity(np.array([16 / 40, 0]), trials * 1.0, trials, trials * 1.0, "there are no rows")
    for found, k, n in zip(estimates(made), (16, 0), (40, 7), strict=True):
        assert (found.value, found.bound, found.reason) == (k / n, 0, None)
        assert found.interval == pytest.approx(stats.binomtest(k, n).proportion_ci(method="wilson"), abs=1e-12)
    bounds = bounds_at(made, 0)
    exact = stats.binomtest(16, 40).proportion_ci(0.9, method="exact")
    assert (bounds.lower(0.05), bounds.upper(0.05)) == pytest.approx((exact.low, exact.high), abs=1e-9)


def test_a_limit_without_an_end_leaves_no_interval():
    one = np.ones(1)
    # One row with an error of 1: the mean error is 0 at least, and no one knows what at most.
    made = PositiveMean(one, one, one, np.array([1]), one, "there are no rows")
    assert [side[0] for side in made.limits(0.025, exact=False)] == [0, np.inf]
    assert estimates(made) == (Estimate(1, None),)


def test_what_is_undefined_has_a_reason_and_no_bound():
    value, rest = np.array([np.nan, 1.2, 1.4]), np.array([np.nan, 0.1, 0.1])
    bound = np.array([np.nan, 0.02, np.nan])
    made = Wald(value, rest, np.array([9.0, 9.0, 9.0]), bound, np.array([5, 20, 30]), NO_SLOPE)
    first, second, third = estimates(made)
    assert first == Estimate(None, None, 0.0, NO_SLOPE)
    # Student's quantile of .975 with nine degrees of freedom is 2.262157; the bound of .02 is added.
    assert second.interval == pytest.approx((1.2 - 0.2262157 - 0.02, 1.2 + 0.2262157 + 0.02), abs=1e-7)
    assert (second.bound, second.reason, third.bound) == (0.02, None, 0)
    bounds = bounds_at(made, 1)
    # At .05 it is 1.833113; a Check has room for the bound on top.
    assert (bounds.lower(0.05), bounds.upper(0.05)) == pytest.approx((0.9966887, 1.4033113), abs=1e-7)
    assert (bounds.value, bounds.n, bounds.reason) == (1.2, 20, None)
    assert (bounds_at(made, 0).value, bounds_at(made, 0).reason) == (None, NO_SLOPE)
    assert Estimate(1.0, (0.0, 2.0)) == Estimate(1.0, (0.0, 2.0), 0.0, None)


def quantities() -> list[type]:
    """Every data class of statistics that has limits and entries."""
    names = [found.name for found in pkgutil.walk_packages(ours.__path__, f"{ours.__name__}.")]
    known = {one for name in names for one in vars(import_module(name)).values() if isinstance(one, type)}
    found = [one for one in known if is_dataclass(one) and hasattr(one, "limits") and hasattr(one, "take")]
    return sorted(found, key=lambda one: one.__name__)


def test_the_entries_of_every_quantity_are_taken_in_one_place():
    found = quantities()
    assert len(found) >= 28
    assert [one for one in found if not issubclass(one, Entries)] == []
    # A class has a way of its own where an array of it is not by entry, or where it has one entry.
    own = {one.__name__ for one in found if "take" in vars(one)}
    assert own == {
        "LargestShift",
        "Macro",
        "MeanOfNorms",
        "NewShare",
        "NormOfSums",
        "PairedCost",
        "Percentile",
        "Widest",
    }


@pytest.mark.parametrize("kind", [one for one in quantities() if "take" not in vars(one)], ids=lambda one: one.__name__)
def test_entries_are_those_of_every_array_and_what_is_no_array_stays(kind):
    n = np.arange(4)
    within = ProportionQuantity(n / 4, n * 1.0, n, n * 1.0, "there are no rows")
    values = {"FloatArray": n / 7, "IntArray": n, "str": "none", "float": 2.0, "bool": True, "int": 3}

    def value(annotation: str) -> object:
        plain = (
            annotation.removesuffix(" | None")
            .replace("np.ndarray", "IntArray")
            .replace("NDArray[np.int64]", "IntArray")
        )
        return values.get(plain, within)

    made = kind(**{one.name: value(one.type) for one in fields(kind)})
    vars(made)["remembered"] = n  # as a cached property does, of these entries alone
    taken, at = made.take(np.array([3, 1])), [3, 1]
    assert type(taken) is kind and set(vars(taken)) == {one.name for one in fields(kind)}
    for one in fields(kind):
        before, after = getattr(made, one.name), getattr(taken, one.name)
        if isinstance(before, np.ndarray):
            np.testing.assert_array_equal(after, before[at])
        elif before is within:
            np.testing.assert_array_equal(after.value, within.value[at])
            assert after.n.tolist() == at
        else:
            assert after == before
