"""Drift Summaries by hand: what they add up to, what does not merge, and what is written and read."""

from dataclasses import replace

import numpy as np
import pytest

from mlflow_eval_plugin.stats.counts.slice import COUNTED_ROWS
from mlflow_eval_plugin.stats.drift.summary import (
    NO_FENCES,
    STEP_LIMIT,
    STEPS,
    CategoricalColumn,
    DriftSummary,
    NumericColumn,
)
from mlflow_eval_plugin.stats.errors import InputError, MergeError


def _number(counts=(1, 4, 2), sums=(-3, 5, 9), missing=2, infinite=1):
    edges, coarse = np.array([0.0, 1.0]), np.array([0, 1])
    return NumericColumn(
        "x", "feature", edges, coarse, 0.5, np.array(counts), np.array(sums), missing, infinite, (-9.0, 0.75), True
    )


def _code(levels=("a", "c"), counts=(5, 3), missing=1):
    return CategoricalColumn("z", "label", levels, np.array(counts), missing)


def test_sums_of_columns_by_hand():
    both = _number() + _number((2, 0, 7), (-1, 0, 30), 5, 10)
    assert (both.infinite, both.rows, both.fences, both.moves_on) == (11, 16 + 7 + 11, (-9.0, 0.75), True)
    assert both.fenced.tolist() == [0.0, 0.75]
    assert (both.counts.tolist(), both.sums.tolist(), both.missing, both.present) == ([3, 4, 9], [-4, 5, 39], 7, 16)
    assert both.offsets.tolist() == [-4 * 0.5 / 2**18, 5 * 0.5 / 2**18, 39 * 0.5 / 2**18]
    union = _code() + _code(("b", "c"), (2, 4), 3)
    assert (union.levels, union.counts.tolist(), union.missing, union.present) == (("a", "b", "c"), [5, 2, 7], 4, 14)
    assert union.on(("c", "d", "a")).tolist() == [7, 0, 5]
    whole = DriftSummary(9, (_number(), _code())) + DriftSummary(5, (_number(), _code()))
    assert (whole.rows, whole.column("x").present, whole.column("z").counts.tolist()) == (14, 14, [10, 6])


def test_what_differs_does_not_merge():
    one = _number()
    for other in (
        replace(one, name="y"),
        replace(one, edges=np.array([0.0, 2.0])),
        replace(one, spread=0.25),
        replace(one, fences=NO_FENCES),
    ):
        with pytest.raises(MergeError, match=r"column 'x': the bins differ; count both with drift_summary\(..., like="):
            one + other
    with pytest.raises(MergeError, match="columns 'z' and 'y' are different columns"):
        _code() + replace(_code(), name="y")
    summary = DriftSummary(9, (one, _code()))
    for columns in ((one,), (_code(), one), (one, replace(_code(), name="y")), (one, replace(one, name="z"))):
        with pytest.raises(MergeError, match="drift Summaries have different columns"):
            summary + DriftSummary(9, columns)
    with pytest.raises(InputError, match="column: no 'y' among x, z"):
        summary.column("y")


def test_what_is_written_is_read():
    written = DriftSummary(9, (_number(), _code())).to_document()
    assert written["rows"] == 9
    assert written["columns"] == [
        {"name": "x", "role": "feature", "counts": [1, 4, 2], "missing": 2, "kind": "numeric", "edges": [0.0, 1.0],
         "coarse": [0, 1], "spread": 0.5, "sums": [-3, 5, 9], "infinite": 1, "fences": [-9.0, 0.75], "moves_on": True},
        {"name": "z", "role": "label", "counts": [5, 3], "missing": 1, "kind": "categorical", "levels": ["a", "c"]},
    ]  # fmt: skip
    read = DriftSummary.from_document(written)
    assert read.to_document() == written
    assert [type(one) for one in read.columns] == [NumericColumn, CategoricalColumn]
    # A reference that was stored before infinite values were counted apart, and one without fences.
    for name in ("infinite", "fences", "moves_on"):
        del written["columns"][0][name]
    old = DriftSummary.from_document(written).columns[0]
    assert (old.infinite, old.fences, old.moves_on) == (0, NO_FENCES, False)
    assert DriftSummary(9, (old,)).to_document()["columns"][0]["fences"] is None
    written["columns"][0]["role"] = "target"
    with pytest.raises(InputError, match="unknown role 'target'; expected one of feature, score, prediction, label"):
        DriftSummary.from_document(written)


def test_as_many_rows_as_are_promised_overflow_no_sum():
    assert COUNTED_ROWS * STEP_LIMIT < 2**63
    assert STEP_LIMIT / STEPS == 131_072  # standard deviations
    # A mean of values that are cut off to steps is right to a millionth of a standard deviation.
    assert _number().offsets[0] == pytest.approx(-3 * 0.5 / STEPS) and 1 / STEPS < 5e-6
