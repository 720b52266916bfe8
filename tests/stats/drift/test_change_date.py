"""Dates of change: the likelihood ratio is scipy's, the segmentation that of ruptures, the date of the coal mines the
published one; error rates, coverage and what is found are simulated."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import ruptures
from scipy import stats

from mlflow_eval_plugin.stats.drift.change_date import Change, ChangeSearch, windows_of_one_phase

# Disasters with ten or more dead in British coal mines, by year from 1851 (Jarrett 1979, Biometrika 66).
COAL_MINES = [
    4, 5, 4, 1, 0, 4, 3, 4, 0, 6, 3, 3, 4, 0, 2, 6, 3, 3, 5, 4, 5, 3, 1, 4, 4, 1, 5, 5, 3, 4, 2, 5, 2, 2, 3, 4, 2, 1, 3,
    2, 2, 1, 1, 1, 1, 3, 0, 0, 1, 0, 1, 1, 0, 0, 3, 1, 0, 3, 2, 2, 0, 1, 1, 1, 0, 1, 0, 1, 0, 0, 0, 2, 1, 0, 0, 0, 1, 1,
    0, 2, 3, 3, 1, 1, 2, 1, 1, 1, 1, 2, 4, 2, 0, 0, 0, 1, 4, 0, 0, 0, 1, 0, 0, 0, 0, 0, 1, 0, 0, 1, 0, 1,
]  # fmt: skip
DECILES = stats.norm.ppf(np.arange(1, 10) / 10)


def cells(values: np.ndarray) -> np.ndarray:
    """Rows of each window by decile of a normal."""
    return np.stack([np.bincount(np.searchsorted(DECILES, one), minlength=10) for one in values])


def search(counts: np.ndarray, columns: int = 20, phases: np.ndarray | None = None, least: int = 30) -> ChangeSearch:
    phases = windows_of_one_phase(len(counts)) if phases is None else phases
    return ChangeSearch(counts, phases, 0.05 / columns, least)


def drawn(seed: int, draw: int, windows: int, rows: int, shift: Callable[[int], float] = lambda at: 0.0) -> np.ndarray:
    rng = np.random.default_rng([seed, draw])
    return cells(np.stack([rng.normal(shift(at), 1, rows) for at in range(windows)]))


def test_the_likelihood_ratio_is_that_of_scipy() -> None:
    counts = drawn(1, 0, 8, 300)
    ratio, freedom = search(counts).ratios(1, 7)
    for at in range(2, 7):
        table = np.stack([counts[1:at].sum(axis=0), counts[at:7].sum(axis=0)])
        expected = stats.chi2_contingency(table, correction=False, lambda_="log-likelihood")
        assert ratio[at - 2] == pytest.approx(expected.statistic, rel=1e-9)
        assert freedom[at - 2] == expected.dof


def test_likelihood_ratios_of_phases_add_up() -> None:
    counts, phases = drawn(2, 0, 9, 300), np.arange(9) % 3
    ratio, freedom = search(counts, phases=phases).ratios(0, 9)
    of_each = [search(counts[phases == phase]).ratios(0, 3) for phase in range(3)]
    # Before window 3 there is one window of each phase.
    assert ratio[2] == pytest.approx(sum(one[0][0] for one in of_each))
    assert freedom[2] == 27
    # Before window 1 there is one of the first phase alone.
    assert (ratio[0], freedom[0]) == (pytest.approx(of_each[0][0][0]), 9)


class Multinomial(ruptures.base.BaseCost):
    """The cost of ruptures whose gain is half of G squared."""

    model = "multinomial"
    min_size = 1

    def fit(self, signal: np.ndarray) -> Multinomial:
        self.signal = signal
        return self

    def error(self, start: int, end: int) -> float:
        counts = self.signal[start:end].sum(axis=0)
        return float(stats.entropy(counts) * counts.sum())


def test_dates_are_those_of_ruptures() -> None:
    counts = drawn(3, 0, 30, 500, lambda at: 0.4 * (at >= 9) - 0.6 * (at >= 21))
    own = search(counts)
    found = own.dates()
    theirs = ruptures.Binseg(custom_cost=Multinomial(), min_size=1, jump=1).fit(counts)
    assert [one.first for one in found] == theirs.predict(n_bkps=2)[:-1] == [9, 21]
    # What the first date gains there is half of the likelihood ratio.
    cost = Multinomial().fit(counts)
    ratio, _ = own.ratios(0, 30)
    (first,) = theirs.predict(n_bkps=1)[:-1]
    gained = cost.error(0, 30) - cost.error(0, first) - cost.error(first, 30)
    assert ratio[first - 1] == pytest.approx(2 * gained, rel=1e-9)
    # Least squares of all rows, which know nothing of cells, say the same.
    rows = np.random.default_rng([3, 0]).normal(
        np.repeat(0.4 * (np.arange(30) >= 9) - 0.6 * (np.arange(30) >= 21), 500)
    )
    least_squares = ruptures.Dynp(model="l2", jump=500, min_size=500).fit(rows).predict(n_bkps=2)
    assert [end / 500 for end in least_squares[:-1]] == [9, 21]


def test_the_mines_became_safer_around_1890() -> None:
    days = np.array(COAL_MINES)
    assert (days.sum(), len(days)) == (191, 112)
    (found,) = search(np.stack([days, 365 - days], axis=1), columns=1).dates()
    # Carlin, Gelfand & Smith (1992, Applied Statistics 41) have the old rate in the first 41 years; Raftery & Akman
    # (1986, Biometrika 73) have 10 March 1890.
    assert found.first == 41
    assert 1851 + found.earliest <= 1887 and 1851 + found.latest >= 1895
    assert found.p_value < 1e-6


@pytest.mark.parametrize(("windows", "rows", "draws"), [(12, 200, 400), (12, 2000, 100), (30, 50, 200)])
def test_no_date_is_found_where_nothing_changes(windows: int, rows: int, draws: int) -> None:
    alarms = sum(bool(search(drawn(4, draw, windows, rows), columns=1).dates()) for draw in range(draws))
    assert alarms <= stats.binom.ppf(0.99, draws, 0.05)


@pytest.mark.parametrize("first", [1, 6, 11])
def test_a_shift_is_dated_and_its_interval_holds_the_date(first: int) -> None:
    found = [search(drawn(5, draw, 12, 2000, lambda at: 0.3 * (at >= first))).dates() for draw in range(40)]
    assert sum(any(abs(one.first - first) <= 1 for one in dates) for dates in found) >= 38
    assert sum(any(one.earliest <= first <= one.latest for one in dates) for dates in found) >= 38
    assert sum(len(dates) > 1 for dates in found) <= 2


def test_of_small_windows_the_interval_says_how_unsure_the_date_is() -> None:
    found = [search(drawn(6, draw, 12, 200, lambda at: 0.3 * (at >= 6))).dates() for draw in range(40)]
    known = [dates[0] for dates in found if dates]
    assert len(known) >= 34
    assert sum(one.earliest <= 6 <= one.latest for one in known) >= 0.95 * len(known)
    assert np.mean([one.latest - one.earliest for one in known]) > 1


def test_a_change_within_a_window_is_dated_in_it_and_once() -> None:
    mixed = []
    for draw in range(10):
        rng = np.random.default_rng([8, draw])
        means = [np.full(2000, float(at > 5)) for at in range(12)]
        means[5][1000:] = 1.0
        mixed.append(search(cells(np.stack([rng.normal(one, 1) for one in means]))).dates())
    assert all([(one.first, one.earliest, one.latest) for one in dates] == [(5, 5, 5)] for dates in mixed)
    # A window halfway between that is no mixture is a state of its own.
    halfway = [
        search(drawn(7, draw, 12, 2000, lambda at: float(at >= 5) + float(at > 5))).dates() for draw in range(10)
    ]
    assert all([one.first for one in dates] == [5, 6] for dates in halfway)


def test_one_bad_day_has_a_beginning_and_an_end() -> None:
    (begun, ended) = search(drawn(9, 0, 12, 2000, lambda at: 1.0 * (at == 7))).dates()
    assert [(one.first, one.earliest, one.latest) for one in (begun, ended)] == [(7, 7, 7), (8, 8, 8)]
    assert (begun.start, begun.stop, ended.start, ended.stop) == (0, 8, 7, 12)


def test_a_gradual_change_has_many_dates() -> None:
    found = search(drawn(10, 0, 12, 20_000, lambda at: 0.1 * at)).dates()
    assert [one.first for one in found] == list(range(1, 12))


def test_a_weekly_rhythm_is_no_change_and_hides_none() -> None:
    weekend = lambda at: 1.0 * (at % 7 >= 5)  # noqa: E731
    days = np.arange(28) % 7
    assert search(drawn(11, 0, 28, 2000, weekend)).dates()
    assert search(drawn(11, 0, 28, 2000, weekend), phases=days).dates() == ()
    changed = drawn(11, 1, 28, 2000, lambda at: weekend(at) + 0.3 * (at >= 17))
    assert [one.first for one in search(changed, phases=days).dates()] == [17]


def test_a_side_with_too_few_rows_has_no_date() -> None:
    counts = drawn(12, 0, 6, 400, lambda at: 2.0 * (at == 5))
    counts[5] = counts[5] // 20
    assert [one.first for one in search(counts, least=10).dates()] == [5]
    assert search(counts, least=30).dates() == ()
    assert search(counts[:1]).dates() == search(np.zeros((4, 3), dtype=np.int64)).dates() == ()


def test_what_is_not_notable_is_no_date() -> None:
    counts = drawn(13, 0, 12, 2000, lambda at: 0.3 * (at >= 6))
    asked: list[tuple[int, int, int]] = []

    def notable(start: int, at: int, stop: int) -> bool:
        asked.append((start, at, stop))
        return False

    assert ChangeSearch(counts, windows_of_one_phase(12), 0.05, 30, notable).dates() == ()
    assert asked == [(0, 6, 12)]
    (found,) = search(counts).dates()
    assert found == Change(6, 6, 6, 0, 12, found.p_value)
