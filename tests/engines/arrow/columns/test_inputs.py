"""What cannot be evaluated is refused with one clear sentence, before anything is counted."""

import numpy as np
import pandas as pd
import pytest

from mlflow_eval_plugin.engines.arrow import drift_binning, drift_summary, score_summary, slice_summary
from mlflow_eval_plugin.engines.slicing import Slicing
from mlflow_eval_plugin.stats.errors import InputError, TooManyLevels

ROWS = pd.DataFrame(
    {
        "label": [0, 1, 1, 0],
        "score": [0.1, 0.9, 0.8, 0.3],
        "weight": [1.0, 2.0, 1.0, 1.0],
        "group": ["a", "b", "a", None],
    }
)


def _slices(rows=ROWS, slices=("group",), edges=None, quantiles=None, max_levels=100, **options):
    slicing = Slicing(slices, edges=edges or {}, quantiles=quantiles or {}, max_levels=max_levels)
    return slice_summary(rows, **{"label": "label", "score": "score", "slicing": slicing, **options})


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"label": "lable"}, r"label: no column 'lable', did you mean 'label'\?"),
        ({"slices": ["groop", "zzz"]}, r"slices: no column 'groop', did you mean 'group'\?; no column 'zzz'"),
        ({"weight": "wieght"}, r"did you mean 'weight'\?"),
        ({"score": [0.1, 0.2, 0.3]}, "score: expected 4 values, one a row, found 3"),
        ({"score": [0.1, 1.5, -0.2, 0.3]}, r"score: 2 rows are \(first at row 1\) outside \[0, 1\] \(.*1\.5.*\)"),
        ({"score": [0.1, 0.5, 1.0001, 0.3]}, r"score: 1 row is \(first at row 2\) outside \[0, 1\]"),
        ({"score": [0.1, 1 + 1e-6, 0.4, -0.001]}, r"score: 1 row is \(first at row 3\) outside \[0, 1\]"),
        ({"score": [0.1, 0.5, np.nan, 0.3]}, r"score: 1 row is \(first at row 2\) missing \(NaN\)"),
        ({"score": ["a", "b", "c", "d"]}, "score: expected numbers"),
        ({"label": [2, 2, 2, 2]}, "not 0 and 1; say with pos_label"),
        ({"label": ["no", "no", "no", "no"]}, "the labels are text .* pos_label"),
        ({"label": [0, 1, 2, 1]}, "expected two classes, found 3"),
        ({"label": [0, 1, None, 1]}, r"label: 1 row is \(first at row 2\) missing"),
        ({"label": ["yes", "no", "no", "yes"]}, "the labels are text .* pos_label"),
        ({"label": [1, 2, 1, 2]}, "not 0 and 1; say with pos_label"),
        ({"pos_label": "yes"}, "'yes' is not among the labels"),
        ({"weight": [1, 1, -2, 1]}, r"weight: 1 row is \(first at row 2\) negative \(-2.0\)"),
        ({"weight": [-1, -1, -2, -1]}, "4 rows are .* negative"),
        ({"weight": [0, 0, 0, 0]}, "every weight is 0"),
        ({"weight": [1, np.nan, 1, 1]}, "missing or infinite"),
        ({"weight": "weight", "weight_scale": 1.0}, "weight_scale: expected a power of two at or above .* 2.0"),
        ({"edges": {"score": [0, 1]}}, "'score' is not a slice column"),
        ({"edges": {"group": [0, 1]}}, "only numbers and times can be cut"),
        ({"prediction": [0, 1, 2, 1]}, "prediction: expected predicted labels of two classes"),
    ],
)
def test_unusable_input_is_named(options, message):
    with pytest.raises(InputError, match=message):
        _slices(**options)


def test_edges_must_increase():
    with pytest.raises(InputError, match="at least two increasing edges"):
        _slices(slices=["score"], edges={"score": [1, 0]})


def test_no_rows():
    for call in (
        lambda: score_summary(ROWS[:0], label="label", score="score"),
        lambda: drift_binning(ROWS[:0]),
        lambda: drift_summary(ROWS[:0], like=drift_binning(ROWS)),
    ):
        with pytest.raises(InputError, match="there are no rows"):
            call()


def test_too_many_levels_names_the_column_and_the_mend():
    rows = pd.DataFrame(
        {"label": np.arange(300) % 2, "score": 0.5, "age": np.arange(300), "id": np.arange(300).astype(str)}
    )
    with pytest.raises(TooManyLevels, match=r"column 'age' has 300 levels, more than max_levels=100; cut it"):
        _slices(rows, slices=["age"])
    with pytest.raises(TooManyLevels, match="group its rare levels"):
        _slices(rows, slices=["id"])
    with pytest.raises(TooManyLevels, match="possible slices at depth 2"):
        _slices(rows, slices=["age", "id"], max_levels=300)


def test_a_column_that_the_current_data_lack_is_named():
    with pytest.raises(InputError, match="no column 'group'"):
        drift_summary(ROWS.drop(columns="group"), like=drift_binning(ROWS))


def test_text_in_a_numeric_column_counts_as_missing():
    reference = drift_binning(ROWS[["score"]])
    assert drift_summary(pd.DataFrame({"score": ["0.1", "n/a"]}), like=reference).columns[0].missing == 1


@pytest.mark.parametrize(
    ("labels", "pos_label", "positives"),
    [
        ([True, False, True, False], None, 2),
        ([-1, 1, -1, -1], None, 1),
        ([0.0, 1.0, 1.0, 1.0], None, 3),
        (["no", "yes", "no", "no"], "yes", 1),
        ([1, 2, 2, 2], 2, 3),
        (pd.Categorical(["n", "p", "n", "n"]), "p", 1),
        (pd.array([0, 1, 1, 0], dtype="Int64"), None, 2),
    ],
)
def test_binary_labels_of_any_kind_are_understood(labels, pos_label, positives):
    summary = score_summary(ROWS, label=labels, score="score", pos_label=pos_label)
    assert summary.n[:, 1].sum() == positives


@pytest.mark.parametrize(
    ("values", "labels"),
    [
        ([1, 2, 10, 2], ["1", "2", "10"]),
        ([1.0, 2.0, np.nan, 2.0], ["1", "2", "(missing)"]),
        ([1.5, 2.0, 1.5, 2.0], ["1.5", "2"]),
        ([True, False, True, True], ["0", "1"]),
        (pd.Categorical(["b", "a", None, "a"], categories=["b", "a", "unused"]), ["a", "b", "(missing)"]),
        (np.array([1, "1", None, "x"], dtype=object), ["1", "x", "(missing)"]),
        (pd.array([1, None, 2, 1], dtype="Int64"), ["1", "2", "(missing)"]),
    ],
)
def test_levels_are_labelled_as_people_write_them(values, labels):
    summary = _slices(ROWS.assign(group=values))
    assert [one.label for one in summary.slices[1:]] == [f"group={label}" for label in labels]


def test_edges_close_the_last_interval():
    rows = ROWS.assign(age=[25, 35, 45, 60])
    summary = _slices(rows, slices=["age"], edges={"age": [25, 35, 45]})
    assert [one.label for one in summary.slices[1:]] == ["age=[25, 35)", "age=[35, 45]", "age>45"]
    assert summary.cells.sum(axis=(1, 2)).tolist() == [4, 1, 2, 1]


def test_quantiles_cut_into_equally_full_intervals():
    rows = pd.DataFrame({"label": np.arange(400) % 2, "score": 0.5, "age": np.random.default_rng(0).permutation(400)})
    summary = _slices(rows, slices=["age"], quantiles={"age": 4})
    assert summary.cells.sum(axis=(1, 2)).tolist() == [400, 100, 100, 100, 100]


def test_the_threshold_is_exact_inside_a_bin():
    rows = pd.DataFrame({"label": [0, 1, 0, 1], "score": [0.50001, 0.50002, 0.50003, 0.50004]})
    cells = _slices(rows, slices=[], threshold=0.50003).cells[0]
    assert cells.tolist() == [[1, 1], [1, 1]]


def test_a_model_that_predicts_one_class_only_is_legal():
    cells = _slices(slices=[], prediction=[1, 1, 1, 1]).cells[0]
    assert cells.tolist() == [[0, 2], [0, 2]]


def test_open_bands_are_called_by_their_edge_and_come_in_order():
    rows = ROWS.assign(age=[10.0, 30.0, 40.0, 70.0])
    summary = _slices(rows, slices=["age"], edges={"age": [25, 35, 65]})
    assert [one.label for one in summary.slices[1:]] == ["age<25", "age=[25, 35)", "age=[35, 65]", "age>65"]
    assert summary.slices[1].levels == (("age", "(-inf, 25)"),)
