"""P-values of Pearson's chi-squared where few rows are expected in some cells: exact, or none.

The chi-squared distribution is a limit for many rows in every cell. Cochran's (1954) rule says where it may be used: at
least one row is expected in every cell, and five in four of five.
"""

from __future__ import annotations

import numpy as np
from scipy import special

from mlflow_eval_plugin.stats.arrays import FloatArray

_TIE = 1e-9  # a table whose statistic is lower by no more than rounding is as far from what is expected


def is_sparse(expected: FloatArray) -> bool:
    """Whether so few rows are expected in some cells that the limit says nothing."""
    return bool((expected < 1).any() or (expected < 5).mean() > 0.2)


def p_value(statistic: float, degrees_of_freedom: int, expected: FloatArray) -> float | None:
    """The limit's p-value of a statistic; None for a sparse table."""
    return None if is_sparse(expected) else float(special.chdtrc(degrees_of_freedom, statistic))


def exact_two_by_two(table: FloatArray) -> float:
    """The chance, given all four sums, of a 2 x 2 table whose chi-squared statistic is at least that of this one.

    Rows and columns are of whole numbers, none of them 0 throughout. Given its sums the first cell is hypergeometric,
    and the statistic grows with its distance from what is expected there.
    """
    first, second = table.sum(axis=1)
    column, total = table[:, 0].sum(), table.sum()
    cells = np.arange(max(0.0, column - second), min(first, column) + 1)
    expected = first * column / total
    log = _log_choose(first, cells) + _log_choose(second, column - cells) - _log_choose(total, column)
    as_far = np.abs(cells - expected) >= np.abs(table[0, 0] - expected) * (1 - _TIE) - _TIE
    return float(min(1.0, np.exp(log[as_far]).sum()))


def _log_choose(n: float, k: FloatArray | float) -> FloatArray:
    of = special.gammaln
    return np.asarray(of(n + 1) - of(np.asarray(k) + 1) - of(n - np.asarray(k) + 1))
