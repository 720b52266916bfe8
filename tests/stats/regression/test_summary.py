"""Merging regression Summaries that are written out by hand."""

from dataclasses import replace

import numpy as np
import pytest

from mlflow_eval_plugin.stats.counts.exact_sums import LIMBS
from mlflow_eval_plugin.stats.counts.slice import Slice
from mlflow_eval_plugin.stats.errors import InputError, MergeError
from mlflow_eval_plugin.stats.regression.summary import (
    Band,
    MomentSummary,
    PredictionSummary,
    RegressionScale,
    checked_levels,
)

SCALE = RegressionScale(centre=1.0, unit=4.0, weight=1.0)


def _lane(*firsts):
    """Cells of which the lowest limb is given, and the highest is twice that."""
    lane = np.zeros((len(firsts), LIMBS), dtype=np.int64)
    lane[:, 0], lane[:, -1] = firsts, 2 * np.array(firsts)
    return lane


def _moments(levels, rows, lanes):
    slices = tuple(Slice(f"g={one}", (("g", one),)) if one else Slice("overall", ()) for one in levels)
    return MomentSummary(slices, np.array(rows), lanes, SCALE, False, (0.1, 0.9), (Band("80 %", 0.8),))


def _predictions(rows, exact=True):
    lanes = {"w": _lane(*rows), "e": _lane(*(-7 * np.array(rows)))}
    return PredictionSummary(np.array([0.0, 1.0]), np.array(rows), lanes, SCALE, False, exact)


def test_slices_that_only_one_has_are_its_own():
    first = _moments(["", "b", "d"], [5, 2, 3], {"w": _lane(50, 20, 30), "y": _lane(-5, -2, -3)})
    second = _moments(["", "a", "b"], [9, 8, 1], {"w": _lane(90, 80, 10), "y": _lane(9, 8, 1)})
    for merged in (first + second, second + first):
        assert [one.label for one in merged.slices] == ["overall", "g=a", "g=b", "g=d"]
        assert merged.rows.tolist() == [14, 8, 3, 3]
        assert merged.lanes["w"].tolist() == _lane(140, 80, 30, 30).tolist()
        assert merged.lanes["y"].tolist() == _lane(4, 8, -1, -3).tolist()
        assert (merged.scale, merged.weighted) == (SCALE, False)
        assert (merged.levels, merged.bands) == (first.levels, first.bands)
        assert [merged.index(label) for label in ("overall", "g=a", "g=d")] == [0, 1, 3]
        with pytest.raises(KeyError, match="g=c"):
            merged.index("g=c")


@pytest.mark.parametrize(
    ("change", "found"),
    [
        ({"scale": RegressionScale(1.0, 8.0, 1.0)}, "different scales"),
        ({"levels": (0.1, 0.8)}, "different quantiles, intervals or weights"),
        ({"bands": ()}, "different quantiles, intervals or weights"),
        ({"weighted": True}, "different quantiles, intervals or weights"),
    ],
)
def test_moments_that_do_not_fit_together_do_not_merge(change, found):
    one = _moments([""], [5], {"w": _lane(50)})
    for pair in ((one, replace(one, **change)), (replace(one, **change), one)):
        with pytest.raises(MergeError, match=found):
            pair[0] + pair[1]


def test_bins_are_added_and_exact_where_both_are():
    merged = _predictions([3, 4]) + _predictions([10, 20])
    assert (merged.rows.tolist(), merged.edges.tolist(), merged.exact) == ([13, 24], [0, 1], True)
    assert merged.lanes["w"].tolist() == _lane(13, 24).tolist()
    assert merged.lanes["e"].tolist() == _lane(-91, -168).tolist()
    for exact in ((True, False), (False, True), (False, False)):
        assert not (_predictions([1, 1], exact[0]) + _predictions([1, 1], exact[1])).exact


@pytest.mark.parametrize(
    ("change", "found"),
    [
        ({"scale": RegressionScale(2.0, 4.0, 1.0)}, "different scales"),
        ({"edges": np.array([0.0, 2.0])}, "different bins"),
        ({"weighted": True}, "different bins"),
    ],
)
def test_bins_that_do_not_fit_together_do_not_merge(change, found):
    one = _predictions([3, 4])
    for pair in ((one, replace(one, **change)), (replace(one, **change), one)):
        with pytest.raises(MergeError, match=found):
            pair[0] + pair[1]


def test_there_is_no_end_of_rows():
    one, many = _moments([""], [1], {"w": _lane(1)}), _moments([""], [2**40], {"w": _lane(1)})
    assert (one + many).rows[0] == 2**40 + 1
    few, most = _predictions([1, 1]), _predictions([2**40, 0])
    assert (few + most).rows.sum() == 2**40 + 2


def test_levels_lie_between_a_millionth_and_the_rest_and_increase():
    for levels in ((), (0.5,), (1e-6, 0.5, 1 - 1e-6)):
        assert checked_levels(levels) == levels
    for levels, found in (
        ((0.9e-6, 0.5), "between"),
        ((0.5, 1 - 0.9e-6), "between"),
        ((0.5, 0.5), "increasing"),
        ((0.1, 0.9, 0.5), "increasing"),
    ):
        with pytest.raises(InputError, match=found):
            checked_levels(levels)
