"""What a drift report says of a column: by hand and by scipy, from a few rows."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from mlflow_eval_plugin.engines.arrow import drift_binning, drift_summary
from mlflow_eval_plugin.stats.drift.report import compare, drift_bounds
from mlflow_eval_plugin.stats.drift.summary import DriftSummary
from mlflow_eval_plugin.stats.errors import InputError


def _both(reference, current, **options):
    before = drift_binning(pd.DataFrame({"x": reference}), **options)
    return before, drift_summary(pd.DataFrame({"x": current}), like=before)


def _column(*sides, **options):
    found = compare(*_both(*sides, **options))
    return found, found.columns[0]


def test_a_categorical_column_by_hand():
    reference, current = ["a"] * 5 + ["b"] * 3 + [None] * 2, ["b"] * 6 + ["c"] * 8 + [None]
    found, one = _column(reference, current, roles={"x": "label"})
    assert (found.n_reference, found.n_current, one.n_reference, one.n_current) == (10, 15, 10, 15)
    assert (one.name, one.role, one.kind) == ("x", "label", "categorical")
    assert (one.missing_reference, one.missing_current) == (2 / 10, 1 / 15)
    theirs = stats.chi2_contingency([[5, 3, 0], [0, 6, 8]], correction=False)
    assert (one.metrics.chi2.value, one.metrics.chi2.interval) == (pytest.approx(theirs.statistic), None)
    # Eight rows and fourteen in three cells: too few for the p-value of the approximation.
    assert one.p_value is None
    many = _column(reference * 10, current * 10, roles={"x": "label"})[1]
    assert many.p_value == pytest.approx(stats.chi2_contingency([[50, 30, 0], [0, 60, 80]], correction=False).pvalue)
    assert (one.new_categories, one.vanished_categories) == (("c",), ("a",))
    assert (one.metrics.ks, one.metrics.wasserstein) == (None, None)
    # By the rows of both, 9 of b, 8 of c and 5 of a.
    assert one.histogram.labels == ("b", "c", "a")
    assert one.histogram.reference == (3 / 8, 0, 5 / 8) and one.histogram.current == (6 / 14, 8 / 14, 0)
    before, after = _both(reference, current)
    change = drift_bounds(before, after, "x", "missing_change")
    assert (change.value, change.n) == (pytest.approx(1 / 15 - 2 / 10), 15)
    assert change.lower(0.05) < change.value < change.upper(0.05)
    assert drift_bounds(before, after, "x", "psi").n == 14


def test_a_numeric_column_by_hand():
    rng = np.random.default_rng(0)
    reference, current = rng.normal(size=500), rng.normal(0.3, 1, 300)
    found, one = _column(reference, np.r_[current, np.nan, np.nan])
    assert (found.n_reference, found.n_current, one.kind, one.role) == (500, 302, "numeric", "feature")
    assert one.missing_current == 2 / 302
    summaries = _both(reference, np.r_[current, np.nan, np.nan])
    assert {drift_bounds(*summaries, "x", name).n for name in ("ks", "wasserstein", "psi", "js")} == {300}
    assert one.p_value == pytest.approx(stats.ks_2samp(reference, current, method="asymp").pvalue, rel=0.05)
    assert (one.metrics.chi2, one.new_categories, one.vanished_categories) == (None, (), ())
    labels, shares = one.histogram.labels, np.array([one.histogram.reference, one.histogram.current])
    assert len(labels) == 10 and labels[0].startswith("below -") and labels[-1].endswith(" or more")
    edges = np.quantile(reference, np.arange(1, 10) / 10, method="inverted_cdf")
    texts = [f"{edge:.4g}" for edge in edges]
    assert shares[0] == pytest.approx(0.1, abs=0.005) and shares.sum(axis=1) == pytest.approx(1)
    cells = [label[1:-1].split(", ") for label in labels[1:-1]]
    assert all(label[0] == "[" and label[-1] == ")" for label in labels[1:-1])
    assert [low for low, _ in cells[1:]] == [high for _, high in cells[:-1]]
    assert [float(low) for low, _ in cells] == pytest.approx([float(text) for text in texts[:-1]], abs=0.05)


def test_one_row_and_one_category():
    for reference, current, missing in (["a"], [None], (0, 1)), ([None], ["a"], (1, 0)), (["a"], ["a"], (0, 0)):
        found = _column(pd.Series(reference, dtype=object), pd.Series(current, dtype=object))[1]
        assert (found.missing_reference, found.missing_current) == missing
        assert found.metrics.missing_change.value == missing[1] - missing[0]
        assert (found.histogram.reference, found.histogram.current) == ((1.0 - missing[0],), (1.0 - missing[1],))
        assert (found.metrics.chi2.value, found.metrics.chi2.bound, found.p_value) == (None, 0, None)
        assert found.metrics.chi2.reason == "there is only one category, or a data set has no value"


@pytest.mark.parametrize(("levels", "shown"), [(30, 30), (31, 29)])
def test_no_more_than_thirty_bars(levels, shown):
    rows = np.repeat([f"{i:02}" for i in range(levels)], np.arange(1, levels + 1))
    histogram = _column(rows, rows[::-1])[1].histogram
    rest = levels - shown
    assert histogram.labels == (
        *(f"{levels - 1 - i:02}" for i in range(shown)),
        *([f"({rest} others)"] if rest else []),
    )
    counts = [*range(levels, rest, -1), *([rest * (rest + 1) // 2] if rest else [])]
    assert histogram.reference == pytest.approx(np.array(counts) / len(rows))
    assert histogram.current == histogram.reference


def test_columns_counted_otherwise_are_refused():
    number, other = (drift_binning(pd.DataFrame({"x": np.arange(size) * 1.0})) for size in (5, 6))
    code = drift_binning(pd.DataFrame({"x": ["a", "b"]}))
    for before, after in ((number, other), (number, code), (code, number)):
        with pytest.raises(InputError, match="column 'x': counted on other bins"):
            compare(before, after)
    with pytest.raises(
        InputError, match="'ks' cannot be checked for column 'x'; expected one of psi, js, new_share, missing_change"
    ):
        drift_bounds(code, code, "x", "ks")
    assert compare(DriftSummary(0, ()), code).columns == ()
