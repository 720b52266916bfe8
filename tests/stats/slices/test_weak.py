"""Weak slices: the search equals enumeration, and what it finds by luck it does not call significant."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations, product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from statsmodels.stats.proportion import proportion_confint

from mlflow_eval_plugin.engines.arrow.search import CodedErrors
from mlflow_eval_plugin.stats.counts.slice import LOSS_ONE
from mlflow_eval_plugin.stats.errors import InputError
from mlflow_eval_plugin.stats.slices.chance import chance_of_mean
from mlflow_eval_plugin.stats.slices.lattice import Errors, Scoring
from mlflow_eval_plugin.stats.slices.weak import WeakSlices, can_be_searched, weak_slices


def counts(codes: np.ndarray, errors: np.ndarray) -> CodedErrors:
    columns = tuple((f"c{i}", tuple(map(str, range(int(column.max()) + 1)))) for i, column in enumerate(codes.T))
    fixed = np.rint(np.asarray(errors) * LOSS_ONE).astype(np.int64)
    return CodedErrors(columns, tuple(column.astype(np.uint8) for column in codes.T), fixed)


@dataclass(frozen=True)
class Options:
    depth: int
    top: int
    minimum: int
    weight: float


def found(codes: np.ndarray, errors: np.ndarray, options: Options) -> WeakSlices:
    return weak_slices(counts(codes, errors), **vars(options))


def enumerated(codes: np.ndarray, errors: np.ndarray, options: Options) -> list[tuple[float, int, tuple, tuple, int]]:
    """Every slice that there is, with its score, the best first."""
    rows, columns = codes.shape
    mean = float(errors.sum()) / rows
    slices = []
    for size in range(1, min(options.depth, columns) + 1):
        for subset in combinations(range(columns), size):
            for levels in product(*(range(int(codes[:, c].max()) + 1) for c in subset)):
                inside = (codes[:, subset] == levels).all(axis=1)
                n = int(inside.sum())
                if n < options.minimum:
                    continue
                ratio = (float(errors[inside].sum()) / n) / mean
                score = options.weight * (ratio - 1) - (1 - options.weight) * (rows / n - 1)
                if score > 0:
                    slices.append((-score, size, subset, levels, n))
    return sorted(slices)[: options.top]


DATA = st.tuples(st.integers(0, 10**6), st.integers(12, 150), st.integers(1, 5), st.sampled_from(["few", "many"]))
OPTIONS = st.builds(
    Options, st.integers(1, 4), st.integers(1, 12), st.integers(1, 20), st.sampled_from([0.3, 0.7, 0.95, 1.0])
)


@settings(max_examples=200, deadline=None)
@given(DATA, OPTIONS)
def test_the_search_equals_enumeration_ties_included(data: tuple[int, int, int, str], options: Options) -> None:
    search_and_enumerate(data, options)


@pytest.mark.parametrize("seed", range(0, 12, 2))
def test_the_search_equals_enumeration_at_any_weight_and_depth(seed: int) -> None:
    for case in range(6):
        options = Options(case % 4 + 1, (1, 3, 12)[case % 3], (1, 4, 9)[case % 3], (0.3, 0.7, 0.95, 1.0)[case % 4])
        search_and_enumerate((seed + case, 60 + 10 * seed, 5, "few" if case % 2 else "many"), options)


@pytest.mark.parametrize("seed", range(4))
def test_the_search_equals_enumeration_where_little_can_be_among_the_best(seed: int) -> None:
    rng = np.random.default_rng(seed)
    codes = rng.integers(0, 4, (1500, 4))
    bad = (codes[:, [0, 2, 3]] == (1, 2, 0)).all(axis=1) | (codes[:, 1] == 3) & (codes[:, 3] == 2)
    errors = np.where(bad, rng.integers(30, 64, 1500), rng.integers(0, 16, 1500)) / 64
    for options in (Options(3, 2, 15, 0.95), Options(4, 4, 10, 0.99)):
        expected = enumerated(codes, errors, options)
        assert [(one.score, one.n) for one in found(codes, errors, options).slices] == [
            (pytest.approx(-entry[0], rel=1e-12), entry[-1]) for entry in expected
        ]


def test_a_column_that_helps_one_slice_only_is_looked_at() -> None:
    # All that is wrong in c0=1 is in a level of c1 of too few rows, so that c1 can help c0=2 only.
    parts = [
        (0, 0, 500, 3),
        (0, 1, 500, 3),
        (1, 0, 50, 1),
        (1, 1, 50, 1),
        (1, 2, 15, 64),
        (2, 0, 50, 24),
        (2, 1, 50, 40),
    ]
    codes = np.array([part[:2] for part in parts for _ in range(part[2])])
    errors = np.array([part[3] for part in parts for _ in range(part[2])]) / 64
    (best,) = found(codes, errors, Options(2, 1, 20, 0.95)).slices
    assert best.label == "c0=2 & c1=1"


def search_and_enumerate(data: tuple[int, int, int, str], options: Options) -> None:
    """That both find the same in drawn rows."""
    seed, rows, columns, values = data
    rng = np.random.default_rng(seed)
    levels = rng.integers(1, 5, columns)
    codes = np.column_stack([rng.integers(0, one, rows) for one in levels])
    if columns > 1 and seed % 3 == 0:
        codes[:, 1] = codes[:, 0]  # columns that say the same tie everywhere
    # Powers of two, whose sums are exact in floating point too.
    errors = rng.choice([0.0, 0.25, 1.0], rows) if values == "few" else rng.integers(0, 64, rows) / 64
    errors[0] = 1.0
    expected = enumerated(codes, errors, options)
    result = found(codes, errors, options)
    assert [(one.slice, one.n) for one in result.slices] == [
        (tuple((f"c{c}", str(level)) for c, level in zip(subset, cell, strict=True)), n)
        for _, _, subset, cell, n in expected
    ]
    assert [one.score for one in result.slices] == pytest.approx([-entry[0] for entry in expected], rel=1e-12)


@pytest.mark.parametrize("weight", [0.2, 0.5, 0.9, 1.0])
def test_the_bound_is_the_highest_score_that_a_part_of_a_cell_can_have(weight: float) -> None:
    scoring, rng = Scoring(n=400, total=900, minimum=7, weight=weight), np.random.default_rng(9)
    for _ in range(200):
        n, largest = int(rng.integers(1, 60)), int(rng.integers(1, 30))
        total = int(rng.integers(largest, n * largest + 1))
        (bound,) = scoring.bound(Errors(*np.array([[n], [total], [largest]])))
        sizes = np.linspace(7, n, 20 * n) if n >= 7 else np.zeros(0)
        scores = scoring.score(sizes, np.minimum(sizes * largest, total))
        assert bound == (pytest.approx(scores.max(), rel=0.01, abs=0.02) if len(sizes) else -np.inf)
        assert (scores <= bound + 1e-12).all()


def test_a_slice_by_hand() -> None:
    # Eight rows with the mean error 3/8; a=1 & b=1 holds two of them, both wrong.
    codes = np.array([[0, 0], [0, 0], [0, 1], [0, 1], [1, 0], [1, 0], [1, 1], [1, 1]])
    errors = np.array([0, 0, 0, 0, 0, 1, 1, 1.0])
    result = found(codes, errors, Options(2, 5, 2, 0.9))
    assert [(one.label, one.n) for one in result.slices] == [("c0=1 & c1=1", 2), ("c0=1", 4), ("c1=1", 4)]
    best, second = result.slices[:2]
    assert best.score == pytest.approx(0.9 * (1 / (3 / 8) - 1) - 0.1 * (8 / 2 - 1))
    assert (best.mean_error, best.ratio) == (1.0, pytest.approx(8 / 3))
    assert best.difference.value == pytest.approx(1 - 1 / 6)
    assert second.score == pytest.approx(0.9 * ((3 / 4) / (3 / 8) - 1) - 0.1 * (8 / 4 - 1))
    assert (result.n, result.mean_error, result.lattice) == (8, 0.375, (4, 4))
    # Two rows drawn of eight, three of which are wrong: both are with the chance 3/8 * 2/7.
    assert 3 / 28 <= best.p_value < 1
    assert best.p_adjusted == pytest.approx(min(1.0, 2 * 4 * best.p_value))


def test_the_interval_of_a_slice_is_newcombes_of_the_means_of_both_sides() -> None:
    rng = np.random.default_rng(11)
    codes = (np.arange(400) < 60).astype(int)[:, None]
    errors = np.minimum(rng.exponential(np.where(codes[:, 0] == 1, 0.6, 0.2)), 3.0)
    errors[0] = 2.5  # the largest is in the slice
    (one,) = found(codes, errors, Options(1, 5, 10, 1.0)).slices
    sides = []
    for part in (errors[:60], errors[60:]):
        mean, n = part.mean() / errors.max(), len(part)
        # A mean is taken as a proportion of as many trials as vary like it.
        trials = n * max(mean * (1 - mean) / (part / errors.max()).var(ddof=1), 1.0)
        sides.append((mean, *proportion_confint(mean * trials, trials, 0.05, "wilson")))
    (a, a_low, a_high), (b, b_low, b_high) = sides
    expected = (a - b - np.hypot(a - a_low, b_high - b), a - b + np.hypot(a_high - a, b - b_low))
    assert one.difference.value == pytest.approx((a - b) * errors.max())
    assert one.difference.interval == pytest.approx(np.array(expected) * errors.max(), rel=1e-5)


def test_a_slice_of_all_rows_has_nothing_to_be_compared_with() -> None:
    result = found(
        np.column_stack([np.zeros(40, dtype=int), np.arange(40) % 2]), np.arange(40) % 2 * 1.0, Options(1, 9, 5, 1.0)
    )
    assert [one.label for one in result.slices] == ["c1=1"]  # the score of all rows is 0


def test_each_number_of_columns_has_its_share_of_the_error() -> None:
    # Of 90 rows at most nine slices of one set of columns can have ten; c1 has one level that has, c2 two of three.
    row = np.arange(90)
    codes = np.column_stack([row // 10, row // 85, np.minimum(row // 44, 2)])
    errors = np.where((row // 10 == 3) | (row % 9 == 0), 1.0, 0.25)
    for depth, lattice in ((1, (9 + 1 + 2,)), (2, (12, 9 + 9 + 2)), (3, (12, 20, 9)), (4, (12, 20, 9))):
        result = found(codes, errors, Options(depth, 4, 10, 0.99))
        assert result.lattice == lattice
        assert len(result.slices) >= 2
        for one in result.slices:
            expected = one.p_value * len(lattice) * lattice[len(one.slice) - 1]
            assert one.p_adjusted == pytest.approx(min(1.0, expected))
    best = result.slices[0]
    assert (best.label, best.mean_error, best.n) == ("c0=3", 1.0, 10)
    spectrum = counts(codes, errors).spectrum
    assert best.p_value == chance_of_mean(spectrum, np.array([10]), np.array([1.0]))[0]


def test_the_order_of_rows_changes_nothing() -> None:
    rng = np.random.default_rng(2)
    codes, errors = rng.integers(0, 4, (3000, 6)), rng.exponential(1, 3000)
    options = Options(3, 20, 40, 0.95)
    mixed = rng.permutation(3000)
    assert found(codes, errors, options) == found(codes[mixed], errors[mixed], options)


def test_a_model_without_errors_has_no_weak_slices() -> None:
    result = found(np.array([[0], [1]] * 20), np.zeros(40), Options(2, 5, 2, 0.95))
    assert (result.slices, result.mean_error) == ((), 0.0)


@pytest.mark.parametrize(("columns", "depth"), [(0, 2), (70, 3), (40, 4)])
def test_what_would_not_end_is_not_begun(columns: int, depth: int) -> None:
    with pytest.raises(InputError, match="no column to search" if columns == 0 else "reduce the depth"):
        found(np.zeros((5, columns), dtype=int), np.ones(5), Options(depth, 5, 2, 0.95))


def test_fifty_thousand_sets_of_columns_are_searched_and_no_more() -> None:
    can_be_searched(50_000, 1)
    can_be_searched(315, 2)  # 315 + 315 * 314 / 2 = 49,770
    for columns, depth, sets in ((50_001, 1, "50,001"), (316, 2, "50,086")):
        with pytest.raises(InputError, match=f"are {sets} sets of columns, more than 50,000"):
            can_be_searched(columns, depth)


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 10**6), st.integers(1, 15))
def test_the_lattice_has_at_most_as_many_slices_as_are_adjusted_for(seed: int, minimum: int) -> None:
    rng = np.random.default_rng(seed)
    codes = np.column_stack([rng.integers(0, levels, 80) for levels in rng.integers(1, 6, 4)])
    lattice = found(codes, rng.random(80), Options(3, 1, minimum, 0.95)).lattice
    for size, most in enumerate(lattice, 1):
        cells = (np.unique(codes[:, c], axis=0, return_counts=True)[1] for c in combinations(range(4), size))
        assert sum(int((n >= minimum).sum()) for n in cells) <= most


def test_the_chance_bounds_the_exact_one_from_above_and_not_by_far() -> None:
    # Errors of 0 and 1: the exact chance is hypergeometric.
    for rows, wrong, n, hit in [(1000, 100, 50, 15), (1000, 100, 50, 30), (5000, 20, 300, 12), (400, 200, 300, 180)]:
        spectrum = counts(np.zeros((rows, 1), dtype=int), np.arange(rows) < wrong).spectrum
        (bound,) = chance_of_mean(spectrum, np.array([n]), np.array([hit / n]))
        exact = float(stats.hypergeom.sf(hit - 1, rows, wrong, n))
        assert exact <= bound
        assert np.log(bound) <= 0.45 * np.log(exact)
    assert chance_of_mean(spectrum, np.array([40]), np.array([0.5])) == 1.0


def test_the_chance_holds_for_skewed_errors_in_the_tail() -> None:
    rng = np.random.default_rng(4)
    errors = rng.exponential(1, 2000) ** 2
    spectrum = counts(np.zeros((2000, 1), dtype=int), errors).spectrum
    means = np.array([rng.choice(errors, 32, replace=False).mean() for _ in range(20_000)])
    assert spectrum.masses.sum() == pytest.approx(1)
    for level in (0.1, 0.01, 0.001):
        mean = np.quantile(means, 1 - level)
        (bound,) = chance_of_mean(spectrum, np.array([32]), np.array([mean]))
        assert level <= bound <= 15 * level
    # A normal tail would be wrong by far.
    z = (np.quantile(means, 0.999) - errors.mean()) / (errors.std() / np.sqrt(32))
    assert stats.norm.sf(z) < 0.0001


def test_what_luck_finds_is_not_significant() -> None:
    rng = np.random.default_rng(6)
    trials, wrong = 100, 0
    for trial in range(trials):
        codes = rng.integers(0, 4, (800, 5))
        errors = [rng.exponential(1, 800) ** 2, rng.random(800) < 0.1, rng.beta(1, 3, 800)][trial % 3]
        result = found(codes, errors, Options(3, 10, 32, 0.99))
        assert result.slices
        wrong += any(one.p_adjusted < 0.05 for one in result.slices)
    assert wrong / trials <= 0.05


def test_what_has_nothing_to_do_with_errors_is_not_significant_beside_what_has() -> None:
    rng = np.random.default_rng(7)
    trials, wrong, power = 60, 0, 0
    for _ in range(trials):
        codes = rng.integers(0, 3, (1500, 4))
        errors = rng.exponential(1, 1500) * np.where((codes[:, 0] == 1) & (codes[:, 1] == 2), 2.5, 1.0)
        significant = [one for one in found(codes, errors, Options(2, 100, 32, 0.95)).slices if one.p_adjusted < 0.05]
        power += any(one.label == "c0=1 & c1=2" for one in significant)
        wrong += any({name for name, _ in one.slice} <= {"c2", "c3"} for one in significant)
    assert power == trials
    assert wrong / trials <= 0.05


@pytest.mark.parametrize("errors", ["exponential", "wrong"])
def test_intervals_cover_the_difference_of_a_slice_that_was_not_chosen(errors: str) -> None:
    # One slice only, so that nothing is chosen; its errors are twice those of the rest.
    rng = np.random.default_rng(8)
    trials, covered, shown = 1000, 0, 0
    for _ in range(trials):
        codes = (np.arange(600) < 40).astype(int)[:, None]
        mean = np.where(codes[:, 0] == 1, 0.3, 0.15)
        drawn = rng.exponential(mean) if errors == "exponential" else (rng.random(600) < mean).astype(float)
        for one in found(codes, drawn, Options(1, 5, 32, 1.0)).slices:
            if one.label == "c0=1" and one.difference.interval is not None:
                shown += 1
                covered += one.difference.interval[0] <= 0.15 <= one.difference.interval[1]
    assert shown > 0.97 * trials
    assert covered / shown >= 0.92
