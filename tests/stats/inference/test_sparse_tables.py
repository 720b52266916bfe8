"""P-values of chi-squared where few rows are expected: exact, or none, and never the limit's."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from mlflow_eval_plugin.engines.arrow import score_summary
from mlflow_eval_plugin.engines.arrow.regression.inputs import predicted_rows
from mlflow_eval_plugin.engines.arrow.regression.slices import moment_summary
from mlflow_eval_plugin.reports.figures.mean_reliability import pit_caption
from mlflow_eval_plugin.stats.binary.calibration.hypotheses import hosmer_lemeshow
from mlflow_eval_plugin.stats.drift.divergences import chi_squared
from mlflow_eval_plugin.stats.inference.sparse_tables import is_sparse
from mlflow_eval_plugin.stats.regression.calibration.quantiles import calibrate_quantiles


@pytest.mark.parametrize("table", [[[3, 0], [0, 3]], [[5, 4], [9, 1]], [[1, 999], [6, 994]], [[0, 20], [2, 3]],
                                   [[2, 7], [7, 2]], [[1, 10**6], [7, 10**6]]])  # fmt: skip
def test_two_levels_are_enumerated(table: list[list[int]]) -> None:
    """The chance of each table with these sums is hypergeometric; those at least as far from what is expected count."""
    (a, b), (c, d) = table
    statistic = stats.chi2_contingency(table, correction=False).statistic
    exact = 0.0
    for cell in range(max(0, a + c - c - d), min(a + b, a + c) + 1):
        other = [[cell, a + b - cell], [a + c - cell, c + d - (a + c - cell)]]
        if stats.chi2_contingency(other, correction=False).statistic >= statistic * (1 - 1e-9):
            exact += stats.hypergeom.pmf(cell, a + b + c + d, a + b, a + c)
    found = chi_squared(np.array(table[0]), np.array(table[1]))
    assert found == pytest.approx((statistic, exact), rel=1e-7)


def test_a_case_by_hand() -> None:
    """Of the 20 ways to choose three of six, two part them like this; the limit says 0.014."""
    assert chi_squared(np.array([3, 0]), np.array([0, 3])) == pytest.approx((6.0, 2 / 20))


@pytest.mark.parametrize("table", [[[4, 1, 5], [2, 6, 2]], [[900, 1, 1, 1], [900, 0, 2, 3]], [[2] * 40, [1] * 40]])
def test_more_levels_have_none(table: list[list[int]]) -> None:
    statistic, p_value = chi_squared(*(np.array(row) for row in table)) or (None, 0.0)
    assert p_value is None and statistic == pytest.approx(stats.chi2_contingency(table, correction=False).statistic)


def test_many_rows_have_that_of_the_limit() -> None:
    table = np.array([[30, 20, 5], [28, 21, 9]])
    theirs = stats.chi2_contingency(table, correction=False)
    assert chi_squared(table[0], table[1]) == pytest.approx((theirs.statistic, theirs.pvalue))
    assert [is_sparse(np.array(one)) for one in ([5.0, 5, 5, 5, 1], [5.0, 5, 5, 4], [9.0, 9, 9, 9, 9, 0.9])] == [
        False, True, True,
    ]  # fmt: skip


def test_the_level_of_two_levels_is_kept() -> None:
    """A level of one row in 200: the limit rejects no drift twice as often as it says, this one at most as often."""
    rng = np.random.default_rng(15)
    counts = rng.binomial(300, 0.005, (4000, 2))
    exact = [chi_squared(np.array([300 - a, a]), np.array([300 - b, b])) for a, b in counts]
    p_values = np.array([1.0 if one is None else one[1] for one in exact], dtype=float)
    for level in (0.01, 0.05, 0.1):
        assert (p_values <= level).mean() <= level + 4 * np.sqrt(level / 4000)


def test_groups_with_few_events_have_no_p_value() -> None:
    rng = np.random.default_rng(1)
    for rate, known in ((1e-3, False), (0.2, True)):
        score = np.clip(rng.normal(rate, rate / 4, 5000), rate / 10, 1)
        rows = pd.DataFrame({"y": (rng.random(5000) < score).astype(int), "s": score})
        found = hosmer_lemeshow(score_summary(rows, label="y", score="s"))
        assert found.chi_squared is not None and (found.p_value is not None) is known
        # Equal weights tell as much as none.
        heavy = hosmer_lemeshow(score_summary(rows.assign(w=8.0), label="y", score="s", weight="w"))
        assert (heavy.p_value is not None) is known


def test_quantiles_far_out_have_no_p_value() -> None:
    target = np.random.default_rng(2).normal(size=400)
    frame = pd.DataFrame({"y": target})
    for levels, known in (((0.001, 0.5, 0.999), False), ((0.1, 0.5, 0.9), True)):
        quantiles = {level: np.full(400, stats.norm.ppf(level)) for level in levels}
        rows = predicted_rows(frame, target=target, prediction=np.zeros(400), quantiles=quantiles)
        pit = calibrate_quantiles(moment_summary(frame, rows)).pit
        assert pit is not None and (pit.p_value is not None) is known
        expected = 400 * np.diff([0, *levels, 1])
        observed = 400 * np.array(pit.share)
        assert pit.chi_squared == pytest.approx(stats.chisquare(observed, expected).statistic)


def test_the_report_says_that_there_is_none() -> None:
    pit = {"p_value": None, "chi_squared": 3.0, "degrees_of_freedom": 3}
    assert "Too few targets are expected between some of them for a test (chi-squared 3.000 with 3" in pit_caption(pit)
    assert "would have the probability 0.39" in pit_caption({**pit, "p_value": 0.39})
