"""Custom metrics against the same counted from rows, their errors by hand, by theory and by simulation."""

import math

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import confusion_matrix as sk_confusion
from sklearn.metrics import matthews_corrcoef, roc_auc_score

from mlflow_eval_plugin.engines.arrow import slice_rows, slice_summary
from mlflow_eval_plugin.engines.arrow.multiclass.inputs import ClassScored
from mlflow_eval_plugin.engines.arrow.multiclass.slices import multiclass_summary
from mlflow_eval_plugin.engines.slicing import Slicing
from mlflow_eval_plugin.stats.binary.disaggregated import gap_bounds, metric_bounds
from mlflow_eval_plugin.stats.binary.table import SliceTable
from mlflow_eval_plugin.stats.binary.user_metrics import counted_metric
from mlflow_eval_plugin.stats.errors import InputError
from mlflow_eval_plugin.stats.inference.estimate import estimates
from mlflow_eval_plugin.stats.multiclass.metrics import MulticlassTable
from mlflow_eval_plugin.stats.multiclass.user_metrics import counted_class_metric
from mlflow_eval_plugin.stats.slices.user_metrics import row_metric


def _rows(n=2000, seed=0):
    rng = np.random.default_rng(seed)
    score = np.round(rng.beta(1, 1.3, n), 3)
    return pd.DataFrame(
        {
            "s": score,
            "y": (rng.random(n) < score).astype(int),
            "g": rng.integers(0, 3, n),
            "h": rng.integers(0, 2, n),
            "w": rng.integers(1, 4, n).astype(float),
        }
    )


def _table(rows, threshold=0.3, weight=None, slices=("g", "h"), **functions):
    """A table that knows the functions: of a view, or with the names ``rows_...`` of arrays."""

    def arrays(table):
        return slice_rows(
            rows,
            table.summary.slices,
            label=rows.y.to_numpy(),
            score=rows.s.to_numpy(),
            prediction=(rows.s >= threshold).to_numpy().astype(np.uint8),
            weight=None if weight is None else rows[weight].to_numpy(),
            slicing=Slicing(slices, edges={}, quantiles={}, max_levels=100),
        )

    summary = slice_summary(
        rows, label="y", score="s", slicing=Slicing(list(slices)), threshold=threshold, weight=weight
    )
    made = {
        name: row_metric(name, one, arrays) if name.startswith("rows_") else counted_metric(name, one)
        for name, one in functions.items()
    }
    return SliceTable(summary, made)


def _masks(rows, table):
    for one in table.summary.slices:
        mask = np.ones(len(rows), dtype=bool)
        for column, level in one.levels:
            mask &= (rows[column].astype(str) == level).to_numpy()
        yield one.label, mask


def mcc(view):
    product = (view.tp + view.fp) * (view.tp + view.fn) * (view.tn + view.fp) * (view.tn + view.fn)
    return (view.tp * view.tn - view.fp * view.fn) / math.sqrt(product)


def auc(label, score, prediction, weight):
    return roc_auc_score(label, score, sample_weight=weight)


def wrong(view):
    return (view.fp + view.fn) / view.weight


@pytest.mark.parametrize("weight", [None, "w"])
@pytest.mark.parametrize("threshold", [0.0, 0.3, 1 / 3, 0.999, 1.0])
def test_a_view_is_what_the_rows_would_give(weight, threshold):
    rows, seen = _rows(), {}

    def look(view):
        seen.setdefault(view.label, view)
        return view.n

    table = _table(rows, threshold, weight, look=look)
    table.metric("look")
    table.metric("look", complement=True)
    for label, mask in _masks(rows, table):
        for view, mine in ((seen[label], rows[mask]), (seen[f"not {label}"], rows[~mask])):
            w = np.ones(len(mine)) if weight is None else mine.w
            called = mine.s >= threshold
            assert view.n == len(mine) and view.weight == pytest.approx(w.sum())
            counts = [w[(mine.y == y) & (called == p)].sum() for y, p in ((1, 1), (0, 1), (0, 0), (1, 0))]
            assert (view.tp, view.fp, view.tn, view.fn) == pytest.approx(tuple(counts))
            for part, y in ((view.negative, 0), (view.positive, 1)):
                exact, _ = np.histogram(mine.s[mine.y == y], bins=view.edges, weights=w[mine.y == y])
                assert part == pytest.approx(exact)
            assert (view.threshold, view.edges[60]) == (threshold, 0.25)


def test_values_are_those_of_scikit_learn():
    rows = _rows()
    table = _table(rows, mcc=mcc, rows_auc=auc)
    for name, theirs in (
        ("mcc", lambda r: matthews_corrcoef(r.y, r.s >= 0.3)),
        ("rows_auc", lambda r: roc_auc_score(r.y, r.s)),
    ):
        for value, (_, mask) in zip(table.metric(name).value, _masks(rows, table), strict=True):
            assert value == pytest.approx(theirs(rows[mask]), rel=1e-9)


def test_the_bootstrap_of_a_share_has_the_error_of_a_share():
    table = _table(_rows(20_000), wrong=wrong)
    made, theirs = table.metric("wrong"), table.metric("accuracy")
    expected = np.sqrt(theirs.value * (1 - theirs.value) / theirs.n)
    assert made.value == pytest.approx(1 - theirs.value)
    assert made.standard_error == pytest.approx(expected, rel=0.25)  # 200 resamples know it to 5 %, of twelve slices


def _seen(rows, threshold=0.3, weight=None):
    """What a metric is shown of g=0: the slice, then its resamples."""
    views = []

    def look(view):
        if view.label == "g=0":
            views.append(view)
        return view.tp

    made = _table(rows, threshold, weight, slices=("g",), look=look).metric("look")
    return views, made


def test_resamples_draw_each_kind_of_row_as_often_as_it_was_seen_and_one_of_those_that_were_not():
    kinds = {"tp": (1, 0.403, 30), "tn": (0, 0.1, 12), "fp": (0, 0.7, 1)}  # no fn
    rows = pd.DataFrame([(y, s) for y, s, n in kinds.values() for _ in range(n)], columns=["y", "s"])
    (view, *drawn), made = _seen(rows.assign(g=0, h=0), 0.402)
    assert (view.tp, view.tn, view.fp, view.fn, view.n, view.weight) == (30, 12, 1, 0, 43, 43)
    assert (len(drawn), made.df[1], made.n[1]) == (200, 42, 43)
    for kind, mean in (("tp", 30), ("tn", 12), ("fp", 1), ("fn", 1)):
        counts = np.array([getattr(one, kind) for one in drawn])
        assert counts.mean() == pytest.approx(mean, abs=4 * math.sqrt(mean / 200))
        assert counts.var() == pytest.approx(mean, rel=0.5)  # Poisson
    assert made.standard_error[1] == pytest.approx(np.sqrt(np.mean([(one.tp - 30) ** 2 for one in drawn])))
    # What was not seen lies on its side of the threshold, in the bin of it: 0.402 * 240 = 96.48, 0.403 * 240 = 96.72.
    assert sum(one.positive[96] for one in drawn) == sum(one.fn + one.tp for one in drawn)
    (_, *above), _ = _seen(rows[rows.s != 0.7].assign(g=0, h=0), 0.402)
    assert sum(one.negative[96] for one in above) == sum(one.fp for one in above) > 150


@pytest.mark.parametrize("weight", [None, "w"])
def test_a_threshold_inside_a_bin_parts_its_rows(weight):
    rows = _rows(300).assign(s=lambda d: np.round(0.4 + d.s / 100, 5), w=2.5)
    (view, *drawn), _ = _seen(rows, 0.405, weight)
    mine, one = rows[rows.g == 0], 2.5 if weight else 1.0
    called = mine.s >= 0.405
    counts = [one * ((mine.y == y) & (called == p)).sum() for y, p in ((1, 1), (0, 1), (0, 0), (1, 0))]
    assert (view.tp, view.fp, view.tn, view.fn) == pytest.approx(tuple(counts))
    assert min(counts) > 0
    for resample in drawn:
        assert resample.n == pytest.approx(resample.weight / one)
        assert resample.weight == pytest.approx(resample.tp + resample.fp + resample.tn + resample.fn)


def test_resamples_have_as_many_rows_as_the_slice():
    rows = _rows(400).assign(w=lambda d: np.where(np.arange(len(d)) % 10 == 0, 10.0, 1.0))
    (view, *drawn), _ = _seen(rows, weight="w")
    assert np.mean([one.n for one in drawn]) == pytest.approx(view.n, rel=0.05)
    assert np.mean([one.weight for one in drawn]) == pytest.approx(view.weight, rel=0.05)


def test_small_weights_say_what_large_ones_say_of_a_slice_of_one_label_too():
    rows = _rows(200)
    rows.loc[rows.g == 0, "y"] = 0
    for power in (-12, 10):
        small = rows.assign(w=rows.w * 2.0**power)
        first, second = (_table(one, weight="w", slices=("g",), wrong=wrong).metric("wrong") for one in (rows, small))
        assert second.standard_error == pytest.approx(first.standard_error, rel=1e-6)
        assert np.isfinite(first.standard_error).all()
        assert second.df == pytest.approx(first.df, rel=1e-6)
    kish = [one.w.sum() ** 2 / (one.w**2).sum() for one in (rows, *(rows[rows.g == g] for g in range(3)))]
    assert first.df == pytest.approx(np.array(kish) - 1)


@pytest.mark.parametrize(("n", "blocks"), [(120, 50), (51, 50), (50, 50), (2, 2), (1, 0)])
def test_each_of_fifty_blocks_is_left_out_once(n, blocks):
    rows, given = _rows(n).assign(g=0, s=np.arange(n) / n), []
    others = _rows(10).assign(g=1, s=1.0)

    def look(label, score, prediction, weight):
        if score.max() < 1:
            given.append(score)
        return float((score**2).mean())

    made = _table(pd.concat([rows, others], ignore_index=True), slices=("g",), rows_look=look).metric("rows_look")
    made = made.take(np.array([1]))
    whole, *without = given
    assert len(whole) == n and len(without) == blocks
    left = np.concatenate([np.setdiff1d(whole, one) for one in without]) if without else np.zeros(0)
    assert np.sort(left).tolist() == (sorted(rows.s) if blocks else [])
    assert {n - len(one) for one in without} <= {n // max(blocks, 1), -(-n // max(blocks, 1))}
    if not blocks:
        assert (made.standard_error[0], made.df[0], made.n[0]) == (math.inf, 0, 1)
        return
    found = np.array([(one**2).mean() for one in without])
    # Efron & Tibshirani (1993), (11.5).
    error = math.sqrt((blocks - 1) / blocks * ((found - found.mean()) ** 2).sum())
    assert (made.standard_error[0], made.df[0], made.n[0]) == (pytest.approx(error), blocks - 1, n)


def test_weights_inflate_the_error_as_kish_says():
    rows = _rows(20_000)
    rows["w"] = np.where(np.arange(len(rows)) % 10 == 0, 10.0, 1.0)
    plain, weighted = (_table(rows, weight=weight, wrong=wrong).metric("wrong") for weight in (None, "w"))
    kish = rows.w.sum() ** 2 / (rows.w**2).sum() / len(rows)
    assert weighted.standard_error[0] / plain.standard_error[0] == pytest.approx(kish**-0.5, rel=0.2)


def test_the_jackknife_of_a_mean_is_its_standard_error():
    # With fewer rows than blocks every block is a row, and the jackknife of a mean is s / sqrt(n) exactly.
    rows = _rows(40)
    table = _table(rows, slices=("h",), rows_mean=lambda label, score, prediction, weight: score.mean())
    made = table.metric("rows_mean")
    for i, (_, mask) in enumerate(_masks(rows, table)):
        mine = rows.s[mask]
        assert made.standard_error[i] == pytest.approx(mine.std(ddof=1) / math.sqrt(len(mine)))
        assert (made.df[i], made.n[i]) == (len(mine) - 1, len(mine))


@pytest.mark.parametrize("weight", [None, "w"])
def test_the_order_of_rows_changes_no_byte(weight):
    rows = _rows(600)
    functions = {
        "mcc": mcc,
        "rows_auc": auc,
        "rows_first": lambda label, score, prediction, weight: score[0] + label[-1],
    }
    plain = _table(rows, weight=weight, **functions)
    shuffled = _table(rows.sample(frac=1, random_state=3).reset_index(drop=True), weight=weight, **functions)
    for name in functions:
        for complement in (False, True):
            first, second = (one.metric(name, complement=complement) for one in (plain, shuffled))
            for lane in ("value", "standard_error", "df", "n"):
                assert getattr(first, lane).tobytes() == getattr(second, lane).tobytes()


def test_other_slices_change_nothing():
    rows = _rows(600)
    alone, both = _table(rows, slices=("g",), mcc=mcc), _table(rows, mcc=mcc)
    for label in ("overall", "g=1"):
        assert metric_bounds(alone, "mcc", label).upper(0.01) == metric_bounds(both, "mcc", label).upper(0.01)


def test_gaps_compare_with_all_other_rows():
    rows = _rows()
    table = _table(rows, wrong=wrong, rows_auc=auc)
    mine, others = rows[rows.g == 1], rows[rows.g != 1]
    share = [((one.s >= 0.3) != one.y).mean() for one in (mine, others)]
    bounds = gap_bounds(table, "wrong", "g=1", "complement")
    assert bounds.value == pytest.approx(share[0] - share[1])
    theirs = gap_bounds(table, "accuracy", "g=1", "complement")
    assert bounds.upper(0.05) == pytest.approx(-theirs.lower(0.05), abs=0.01)
    difference = roc_auc_score(mine.y, mine.s) - roc_auc_score(others.y, others.s)
    assert gap_bounds(table, "rows_auc", "g=1", "complement").value == pytest.approx(difference)
    assert gap_bounds(table, "rows_auc", "g=1", "best").value <= 0


def test_what_is_no_finite_number_has_a_reason():
    rows = pd.concat([_rows(300), pd.DataFrame({"s": [0.1] * 3, "y": 0, "g": 9, "h": 0, "w": 1.0})], ignore_index=True)
    table = _table(
        rows,
        slices=("g",),
        recall=lambda view: view.tp / (view.tp + view.fn),
        infinite=lambda view: np.float64(view.fp) / np.float64(view.tp),
        rows_nothing=lambda label, score, prediction, weight: float("nan"),
    )
    at = table.summary.index("g=9")
    for name in ("recall", "infinite", "rows_nothing"):
        found = estimates(table.metric(name))[at]
        assert (found.value, found.interval, found.reason) == (None, None, "the metric is not a finite number here")


def test_rows_without_a_mistake_are_no_certainty():
    rows = pd.DataFrame({"s": [0.9, 0.1] * 10, "y": [1, 0] * 10, "g": 0, "h": 0, "w": 1.0})
    table = _table(rows, wrong=wrong, rows_wrong=lambda label, score, prediction, weight: (label != prediction).mean())
    bounds = metric_bounds(table, "wrong", "g=0")
    assert bounds.value == 0 and bounds.upper(0.05) > 1 - 0.05 ** (1 / 20)  # of 20 rows so many could be mistakes
    assert estimates(table.metric("rows_wrong"))[1].interval is None
    assert metric_bounds(table, "rows_wrong", "g=0").upper(0.05) == math.inf


@pytest.mark.parametrize(
    ("function", "message"),
    [
        (lambda view: view.tpp, "metrics: 'bad' failed on slice 'overall': AttributeError: 'SliceView' object has no"),
        (lambda view: "0.5", "metrics: 'bad' of slice 'overall': expected the function to give a number, found str"),
        (lambda view: None, "found NoneType"),
        (lambda view: view.positive, "found ndarray"),
        (lambda view: {}[view.label] if view.label == "g=2" else 1.0, "failed on slice 'g=2': KeyError"),
        (lambda view: view.positive.__setitem__(0, 5), "read-only"),
        (lambda view: view.edges.__setitem__(0, 5), "read-only"),
        (lambda view: np.bool_(True), "expected the function to give a number, found bool"),
    ],
)
def test_a_function_that_fails_is_named_with_its_slice(function, message):
    with pytest.raises(InputError) as caught:
        _table(_rows(100), slices=("g",), bad=function).metric("bad")
    assert message in str(caught.value)


def test_a_function_of_rows_that_fails_is_named_too():
    with pytest.raises(InputError, match=r"'rows_bad' failed on slice 'not g=1': ValueError: too many"):
        _fail_on_most().metric("rows_bad", complement=True)


def _fail_on_most():
    rows = _rows(90)
    rows["g"] = np.where(np.arange(90) < 60, 0, 1)

    def bad(label, score, prediction, weight):
        if len(label) == 60:
            raise ValueError("too many")
        return 0.0

    return _table(rows, slices=("g",), rows_bad=bad)


@pytest.mark.parametrize("n", [40, 150])
def test_intervals_cover(n):
    rows = _rows(200_000, seed=9)
    truth = ((rows.s >= 0.3) != rows.y).mean()
    trials, covered = 200, 0
    for seed in range(trials):
        one = rows.sample(n, random_state=seed).reset_index(drop=True).assign(g=0)
        if one.y.nunique() < 2:
            continue
        low, high = estimates(_table(one, slices=("g",), wrong=wrong).metric("wrong"))[1].interval
        covered += low <= truth <= high
    assert covered >= trials * 0.94 - 3 * math.sqrt(trials * 0.05 * 0.95)


def _classes(n=1500, seed=0, classes=("a", "b", "c")):
    rng = np.random.default_rng(seed)
    label = rng.integers(0, len(classes), n)
    said = np.where(rng.random(n) < 0.7, label, rng.integers(0, len(classes), n))
    frame = pd.DataFrame({"g": rng.integers(0, 2, n)})
    return frame, ClassScored(classes, label, said, None, rng.integers(1, 4, n).astype(float))


def _accuracy(view):
    return view.confusion.trace() / view.weight


def _class_table(frame, rows, **functions):
    made = {name: counted_class_metric(name, one) for name, one in functions.items()}
    return MulticlassTable(multiclass_summary(frame, rows, slicing=Slicing(["g"], depth=1)), made)


def test_a_metric_of_a_confusion_matrix_is_told_all_of_it():
    frame, rows = _classes()
    told = {}

    def keep(view):
        told.setdefault(view.label, view)
        return 1.0

    table = _class_table(frame, rows, kept=keep)
    table.metric("kept"), table.metric("kept", complement=True)
    assert set(told) == {"overall", "g=0", "g=1", "not overall", "not g=0", "not g=1"}
    for label, chosen in (("g=1", frame.g == 1), ("not g=1", frame.g == 0), ("overall", frame.g >= 0)):
        view, part = told[label], chosen.to_numpy()
        expected = sk_confusion(rows.label[part], rows.prediction[part], sample_weight=rows.weight[part])
        assert view.confusion == pytest.approx(expected, rel=1e-9) and view.classes == ("a", "b", "c")
        assert view.n == part.sum() and view.weight == pytest.approx(rows.weight[part].sum())
        with pytest.raises(ValueError, match="read-only"):
            view.confusion[0, 0] = 1


def test_the_error_of_a_metric_of_a_confusion_matrix_is_that_of_a_proportion():
    frame, rows = _classes(n=6000)
    table = _class_table(frame, rows, accuracy_of_mine=_accuracy)
    made = table.metric("accuracy_of_mine")
    for i, chosen in enumerate([frame.g >= 0, frame.g == 0, frame.g == 1]):
        w = rows.weight[chosen.to_numpy()]
        right = (rows.label == rows.prediction)[chosen.to_numpy()]
        p, effective = np.average(right, weights=w), w.sum() ** 2 / (w**2).sum()
        assert made.value[i] == pytest.approx(p, rel=1e-9) and made.df[i] == pytest.approx(effective - 1)
        # A Poisson bootstrap of 200: within four standard errors of a standard deviation of as many.
        assert made.standard_error[i] == pytest.approx(np.sqrt(p * (1 - p) / effective), rel=4 / np.sqrt(400))


def test_a_class_that_was_never_mistaken_may_be():
    frame = pd.DataFrame({"g": [0] * 40})
    label = np.array([0, 1] * 20)
    rows = ClassScored(("a", "b", "c"), label, label, None, None)
    made = _class_table(frame, rows, mine=_accuracy).metric("mine")
    assert made.value[0] == 1 and 0.01 < made.standard_error[0] < 0.1
    wrong = ClassScored(("a", "b", "c"), label, 1 - label, None, None)
    made = _class_table(frame, wrong, mine=_accuracy).metric("mine")
    assert made.value[0] == 0 and 0.01 < made.standard_error[0] < 0.1
    undefined = _class_table(frame, rows, mine=lambda view: 1 / 0).metric("mine")
    assert math.isnan(undefined.value[0]) and undefined.reason == "the metric is not a finite number here"


def test_resamples_of_a_confusion_matrix_are_rows_drawn_again():
    frame, rows = _classes(n=900)
    told = []

    def keep(view):
        told.append(view)
        return float(len(told))

    _class_table(frame, rows, kept=keep).metric("kept")
    of_all = [view for view in told if view.label == "overall"]
    first, drawn = of_all[0], of_all[1:]
    assert len(drawn) == 200
    w = rows.weight
    effective = w.sum() ** 2 / (w**2).sum()
    # The weight of a Poisson draw of so many effective rows varies by its root; the mean of 200 by a fourteenth of it.
    mean, error = np.mean([view.weight for view in drawn]), first.weight / np.sqrt(effective)
    assert mean == pytest.approx(first.weight, abs=4 * error / np.sqrt(200))
    assert np.std([view.weight for view in drawn]) == pytest.approx(error, rel=0.25)
    assert np.mean([view.n for view in drawn]) == pytest.approx(900, abs=4 * 900 / np.sqrt(effective * 200))
    for view in drawn:
        assert view.weight == pytest.approx(view.confusion.sum()) and not view.confusion.flags.writeable
        assert view.n == round(view.weight / first.weight * 900)


@pytest.mark.parametrize("said", ["right", "wrong"])
def test_of_a_class_without_a_mistake_or_without_a_hit_one_row_is_drawn(said):
    label = np.array([0, 1, 1] * 30)  # no row is of the third class
    prediction = label if said == "right" else (label + 1) % 3
    drawn = []
    frame, rows = pd.DataFrame({"g": [0] * 90}), ClassScored(("a", "b", "c"), label, prediction, None, None)
    made = _class_table(frame, rows, kept=lambda view: drawn.append(view) or float(view.confusion[0, 0]))
    made.metric("kept")
    found = np.mean([view.confusion for view in drawn if view.label == "overall"][1:], axis=0)
    for k, n in ((0, 30), (1, 60)):
        unseen = np.delete(found[k], k).sum() if said == "right" else found[k, k]
        assert unseen == pytest.approx(1, abs=4 / np.sqrt(200))
        rest = found[k, k] if said == "right" else found[k, (k + 1) % 3]
        assert rest == pytest.approx(n, abs=4 * np.sqrt(n / 200))
    assert (found[2] == 0).all()
    if said == "right":  # spread evenly over what it can be taken for
        assert found[0, 1:] == pytest.approx([0.5, 0.5], abs=4 * np.sqrt(0.5 / 200))


def test_edges_are_multiples_of_a_240th_and_nobodys_to_change():
    told = []
    _table(_rows(n=50), kept=lambda view: told.append(view) or 1.0).metric("kept")
    assert told[0].edges == pytest.approx(np.linspace(0, 1, 241), abs=1e-15)
    for array in (told[0].edges, told[0].positive, told[-1].negative):
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 0.5
