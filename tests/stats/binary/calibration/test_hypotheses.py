"""Spiegelhalter's, Hosmer and Lemeshow's and the ECCE test, row by row and by hand."""

import math

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from mlflow_eval_plugin.engines.arrow import score_summary
from mlflow_eval_plugin.stats.binary.calibration.bin_free import Gaps
from mlflow_eval_plugin.stats.binary.calibration.hypotheses import (
    EcceTest,
    SpiegelhalterTest,
    ecce_test,
    hosmer_lemeshow,
    spiegelhalter,
)


def _summary(score, label, weight=None):
    return score_summary(pd.DataFrame({"s": score, "y": label}), label="y", score="s", weight=weight)


@pytest.mark.parametrize("flip", [False, True])
def test_spiegelhalter_where_the_scores_of_a_bin_matter(flip):
    # All scores in the bin that begins at 1/2, where (1 - 2 s)**2 is as small as the squares of distances in it.
    rng = np.random.default_rng(3)
    s, y, w = 0.5 + rng.random(60) / 61440, rng.integers(0, 2, 60), rng.integers(1, 4, 60).astype(float)
    y = 1 - y if flip else y
    numerator = (w * (y - s) * (1 - 2 * s)).sum()
    z = numerator / math.sqrt((w**2 * (1 - 2 * s) ** 2 * s * (1 - s)).sum())
    found = spiegelhalter(_summary(s, y, w))
    # Squares of weights are not known score by score.
    assert found.z == pytest.approx(z, rel=0.1)
    z = ((y - s) * (1 - 2 * s)).sum() / math.sqrt(((1 - 2 * s) ** 2 * s * (1 - s)).sum())
    found = spiegelhalter(_summary(s, y))
    assert found.z == pytest.approx(z, rel=1e-4)
    assert found.p_value == pytest.approx(2 * stats.norm.sf(abs(z)), rel=1e-3)


def test_scores_that_cannot_surprise_have_no_test():
    # Spiegelhalter weighs a row by 1 - 2 s, and rows of 0 and 1 have no variance.
    assert spiegelhalter(_summary([0.0, 0.5, 0.5, 1.0], [0, 1, 0, 1])) == SpiegelhalterTest(None, None)
    assert ecce_test(Gaps(_summary([0.0, 0.0, 1.0], [0, 0, 1]))) == EcceTest(None, None)


def _by_hand(groups):
    """Chi-squared of groups of (rows, mean score, events)."""
    return sum((events - n * s) ** 2 / (n * s * (1 - s)) for n, s, events in groups)


def test_hosmer_lemeshow_takes_ten_groups_of_as_many_rows():
    rng = np.random.default_rng(4)
    score = np.sort(rng.random(220))
    label = (rng.random(220) < score).astype(int)
    found = hosmer_lemeshow(_summary(score, label))
    parts = zip(score.reshape(10, 22), label.reshape(10, 22), strict=True)
    expected = _by_hand((22, s.mean(), y.sum()) for s, y in parts)
    assert (found.chi_squared, found.degrees_of_freedom) == (pytest.approx(expected, rel=1e-6), 10)


def test_groups_without_rows_have_no_degree_of_freedom():
    # Half of the rows have one score, so that five of ten groups are one.
    score = np.repeat([0.2, 0.4, 0.5, 0.6, 0.7, 0.8], [150, 30, 30, 30, 30, 30])
    events = [38, 15, 12, 18, 24, 21]
    label = np.concatenate([np.arange(n) < k for n, k in zip([150, *[30] * 5], events, strict=True)]).astype(int)
    found = hosmer_lemeshow(_summary(score, label))
    rows = [(150, 0.2, 38), (30, 0.4, 15), (30, 0.5, 12), (30, 0.6, 18), (30, 0.7, 24), (30, 0.8, 21)]
    assert (found.chi_squared, found.degrees_of_freedom) == (pytest.approx(_by_hand(rows)), 6)
    assert found.p_value == pytest.approx(stats.chi2.sf(_by_hand(rows), 6))


def test_the_ecce_test_by_hand():
    # Of 200 rows of .5, 110 are events: a sum of .05, with a standard deviation of sqrt(.25 / 200) were it calibrated.
    found = ecce_test(Gaps(_summary(np.full(200, 0.5), (np.arange(200) < 110).astype(int))))
    assert found.sigmas == pytest.approx(math.sqrt(2))
    # Feller (1951): 8 sum (-1)**(k - 1) k P(Z > k r).
    k = np.arange(1, 40)
    assert found.p_value == pytest.approx(8 * ((-1.0) ** (k - 1) * k * stats.norm.sf(k * math.sqrt(2))).sum())
