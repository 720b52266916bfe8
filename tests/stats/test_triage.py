"""Hints by hand, on either side of each threshold: what is a data bug, what is a shift, and what is said."""

from dataclasses import dataclass

import numpy as np
import pytest

from mlflow_eval_plugin.stats.drift_summary import CategoricalColumn, NumericColumn
from mlflow_eval_plugin.stats.triage import triage


@dataclass
class AtLeast:
    """A Quantity with this lower limit at the level of hints."""

    lower: float

    def limits(self, alpha, *, exact):
        assert (alpha, exact) == (0.001, True)
        return np.array([self.lower]), np.array([1.0])


def _number(counts):
    counts = np.array(counts)
    return NumericColumn("x", "feature", np.arange(len(counts) - 1.0), np.array([0]), 1.0, counts, 0 * counts, 0)


def _code(**counts):
    return CategoricalColumn("x", "feature", tuple(counts), np.array(list(counts.values())), 0)


NONE = ("none", "No distance is above its notable size with confidence.")
CONSTANT = "nearly all values are the same; they were not in the reference."
USUAL = _number([0, 50, 50, 0])
TWO = _code(a=50, b=50)


def _hint(before, after, missing=0.0, **distances):
    return triage(before, after, {"missing_change": AtLeast(missing), **{k: AtLeast(v) for k, v in distances.items()}})


@pytest.mark.parametrize(
    ("before", "after", "reason"),
    [
        (TWO, _code(a=30), "the column is constant ('a'); it was not in the reference."),
        (TWO, _code(a=29), ""),
        (TWO, _code(a=29, b=1), ""),
        (_code(a=1, b=99), _code(a=300), "the column is constant ('a'); it was not in the reference."),
        (_code(a=100), _code(a=30), ""),
        (_code(a=100, b=0), _code(a=30), ""),
        (TWO, _code(a=0, b=30), "the column is constant ('b'); it was not in the reference."),
        (TWO, _code(a=6000, b=3990, c=10), ""),
        (TWO, _code(a=6000, b=3988, c=12), "0.1% of the values are categories that the reference has not ('c')."),
        (
            TWO,
            _code(a=5, c=1, d=1, e=1, f=1, g=1),
            "50.0% of the values are categories that the reference has not ('c', 'd', 'e', 'f', 'g').",
        ),
        (
            TWO,
            _code(a=6, c=1, d=1, e=1, f=1, g=1, h=1),
            "50.0% of the values are categories that the reference has not ('c', 'd', 'e', 'f', 'g', …).",
        ),
        (USUAL, _number([0, 30, 0, 0]), CONSTANT),
        (USUAL, _number([0, 29, 0, 0]), ""),
        (USUAL, _number([0, 29, 1, 0]), ""),
        (_number([0, 1, 9, 0]), _number([0, 30, 0, 0]), CONSTANT),
        (_number([0, 100, 0, 0]), _number([0, 30, 0, 0]), ""),
        (USUAL, _number([24, 25, 25, 26]), ""),
        (
            USUAL,
            _number([26, 25, 24, 26]),
            "51% of the values lie outside the reference's range; the unit or the scale may have changed.",
        ),
        (_number([10, 40, 30, 20]), _number([20, 20, 20, 40]), ""),
        (
            _number([10, 40, 30, 20]),
            _number([21, 20, 19, 40]),
            "61% of the values lie outside the reference's range; the unit or the scale may have changed.",
        ),
        (TWO, _code(a=0, b=0), "every value is missing."),
        (USUAL, _number([0, 0, 0, 0]), "every value is missing."),
        (USUAL, TWO, ""),
        (TWO, USUAL, ""),
    ],
)
def test_data_bugs(before, after, reason):
    # A bug goes before a shift.
    shift = ("distribution shift", "psi is above 0.1 with confidence (at least 0.123).")
    assert _hint(before, after, psi=0.1234) == (("data bug", reason) if reason else shift)
    assert _hint(before, after) == (("data bug", reason) if reason else NONE)


@pytest.mark.parametrize(("metric", "notable"), [("psi", 0.1), ("js", 0.1), ("ks", 0.05), ("wasserstein", 0.1)])
def test_a_distance_is_notable_above_its_size(metric, notable):
    assert _hint(USUAL, USUAL, **{metric: notable}) == NONE
    expected = f"{metric} is above {notable} with confidence (at least {notable + 0.01:.3g})."
    assert _hint(USUAL, USUAL, **{metric: notable + 0.01}) == ("distribution shift", expected)


def test_more_missing_values_are_a_bug_above_a_hundredth():
    assert _hint(USUAL, USUAL, missing=0.01) == NONE
    reason = "the share of missing values rose by more than 1% with confidence."
    assert _hint(USUAL, USUAL, missing=0.011, psi=0.5) == ("data bug", reason)
