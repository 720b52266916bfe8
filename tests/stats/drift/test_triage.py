"""Hints by hand, on either side of each threshold: data bugs, counters, shifts, and what is said of them."""

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from mlflow_eval_plugin.engines.arrow import drift_binning, drift_summary
from mlflow_eval_plugin.stats.drift.new_values import new_share
from mlflow_eval_plugin.stats.drift.report import compare
from mlflow_eval_plugin.stats.drift.summary import STEPS, CategoricalColumn, NumericColumn
from mlflow_eval_plugin.stats.drift.triage import hint_level, triage

ALPHA = 0.001


@dataclass
class AtLeast:
    """A Quantity with this lower limit at the level of hints."""

    lower: float

    def limits(self, alpha, *, exact):
        assert (alpha, exact) == (ALPHA, True)
        return np.array([self.lower]), np.array([1.0])


def _number(counts, **more):
    counts = np.array(counts)
    return NumericColumn(
        "x", "feature", np.arange(len(counts) - 1.0), np.array([0]), 1.0, counts, 0 * counts, 0, **more
    )


def _code(**counts):
    return CategoricalColumn("x", "feature", tuple(counts), np.array(list(counts.values())), 0)


NONE = ("none", "No distance is above its notable size with confidence.")
USUAL = _number([0, 50, 50, 0])
TWO = _code(a=50, b=50)


def _constant(value):
    return f"the column is constant ({value}); it was not in the reference."


def _new(before, after):
    if isinstance(before, CategoricalColumn) and isinstance(after, CategoricalColumn):
        levels = tuple(sorted(set(before.levels) | set(after.levels)))
        return new_share(before.on(levels), after.on(levels))
    return new_share(before.counts, after.counts)


def _hint(before, after, missing=0.0, **distances):
    known = {"missing_change": AtLeast(missing), "new_share": _new(before, after)}
    return triage(before, after, known | {name: AtLeast(lower) for name, lower in distances.items()}, ALPHA)


@pytest.mark.parametrize(
    ("before", "after", "reason"),
    [
        # The share of a is at most .67 with confidence, and .67**18 is below half of .001.
        (TWO, _code(a=30), _constant("'a'")),
        (TWO, _code(a=20), _constant("'a'")),
        (TWO, _code(a=17), ""),
        (TWO, _code(a=29, b=1), ""),
        (_code(a=100), _code(a=30), ""),
        (_code(a=100, b=0), _code(a=30), ""),
        (TWO, _code(a=0, b=30), _constant("'b'")),
        # Where all but one in a hundred are a, 200 rows without another are nothing to speak of.
        (_code(a=99_000, b=1000), _code(a=200), ""),
        (_code(a=99_000, b=1000), _code(a=2000), _constant("'a'")),
        (_code(a=5000, b=5000), _code(a=6000, b=3990, c=10), ""),
        (
            _code(a=5000, b=5000),
            _code(a=6000, b=3900, c=100),
            "1.0% of the values are 'c', which 0.00% of the reference are.",
        ),
        (USUAL, _number([0, 30, 0, 0]), _constant("between 0 and 1")),
        (USUAL, _number([0, 17, 0, 0]), ""),
        (USUAL, _number([0, 29, 1, 0]), ""),
        (_number([0, 100, 0, 0]), _number([0, 30, 0, 0]), ""),
        (_number([10, 90, 90, 10]), _number([260, 240, 250, 250]), ""),
        (
            USUAL,
            _number([300, 200, 200, 300]),
            "60% of the values lie outside the reference's range; the unit or the scale may have changed.",
        ),
        (_number([100, 400, 300, 200]), _number([300, 200, 200, 300]), ""),
        (
            _number([100, 400, 300, 200]),
            _number([400, 50, 50, 500]),
            "90% of the values lie outside the reference's range; the unit or the scale may have changed.",
        ),
        (TWO, _code(a=0, b=0), ""),
        (USUAL, _number([0, 0, 0, 0]), ""),
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
    assert _hint(USUAL, _number([0, 0, 0, 0]), missing=0.5) == ("data bug", "every value is missing.")
    late = replace(TWO, role="label")
    assert _hint(late, late, missing=0.5) == NONE
    assert _hint(late, replace(late, counts=np.array([0, 0])), 1.0) == ("none", "No label has arrived yet.")


def test_infinite_values_are_a_bug():
    some = replace(USUAL, infinite=7)
    assert _hint(USUAL, some, infinite_change=0.0) == NONE
    expected = ("data bug", "7 values are infinite; of the reference 0 are.")
    assert _hint(USUAL, some, infinite_change=1e-9, psi=0.5) == expected


def test_what_lies_a_little_beyond_the_range_is_a_shift_and_what_lies_far_a_bug():
    # Beyond 1 the values are 1.2 or 4 on average, and the fence is at 4.
    before = _number([0, 5000, 5000, 0, 0], fences=(-4.0, 4.0))
    for mean, expected in ((2.2, "distribution shift"), (4.0, "data bug")):
        after = _number([0, 490, 490, 0, 20], fences=(-4.0, 4.0))
        after = replace(after, sums=np.array([0, 0, 490, 0, 20 * mean * STEPS]).astype(np.int64))
        hint, reason = _hint(before, after)
        assert hint == expected
        assert ("2.0% of the values are 3 or more" in reason) == (expected == "data bug")
    # A narrow range that the reference hardly has is none of its shift.
    inside = _number([0, 490, 490, 20, 0], fences=(-4.0, 4.0))
    assert _hint(before, inside) == (
        "data bug", "2.0% of the values are between 2 and 3, which 0.00% of the reference are.",
    )  # fmt: skip


def test_keys_counters_and_times_move_on():
    before = replace(_number([0, 50, 50, 0]), moves_on=True)
    hint, reason = _hint(before, _number([0, 10, 10, 80]), psi=0.5)
    assert hint == "counter" and reason.startswith("80% of the values lie above those of the reference")
    assert _hint(before, _number([0, 50, 40, 10]), psi=0.5)[0] == "distribution shift"
    frame = pd.DataFrame({"key": np.arange(500) * 7 + 3, "day": pd.date_range("2024", periods=500)})
    known = drift_binning(frame)
    later = pd.DataFrame({"key": np.arange(500, 800) * 7, "day": pd.date_range("2025-06", periods=300)})
    assert [one.hint for one in compare(known, drift_summary(later, like=known)).columns] == ["counter", "counter"]


def test_hints_have_the_error_of_checks_over_all_columns():
    # Zipf's levels of which a window has ones that the reference lacks, and flags of one in a hundred.
    rng = np.random.default_rng(7)
    shares = 1 / np.arange(1, 301) / (1 / np.arange(1, 301)).sum()
    hints = 0

    def drawn(rows):
        columns = {f"zipf{i}": rng.choice(300, rows, p=shares).astype(str) for i in range(5)}
        return pd.DataFrame(
            {**columns, **{f"flag{i}": rng.choice(["a", "b"], rows, p=[0.99, 0.01]) for i in range(15)}}
        )

    for _ in range(30):
        before = drift_binning(drawn(2000))
        hints += any(one.hint != "none" for one in compare(before, drift_summary(drawn(200), like=before)).columns)
    assert hints <= stats.binom.ppf(0.99, 30, 0.05)
    assert hint_level(20) == pytest.approx(0.05 / 200)
