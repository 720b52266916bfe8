"""Two models of three or more classes on the same rows: scikit-learn's numbers, rows one by one, and simulation."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics as sk
from statsmodels.stats.proportion import proportion_confint

from mlflow_eval_plugin.engines.arrow.multiclass.inputs import ClassScored
from mlflow_eval_plugin.engines.arrow.multiclass.paired import paired_class_summary
from mlflow_eval_plugin.engines.arrow.queries import Sliced, sliced_columns
from mlflow_eval_plugin.engines.slicing import Slicing
from mlflow_eval_plugin.stats.errors import InputError, MergeError
from mlflow_eval_plugin.stats.inference.costs import ClassCosts
from mlflow_eval_plugin.stats.multiclass.comparison import MOST_MOVES, OF_A_CLASS, PairedClassTable, compare_classes
from mlflow_eval_plugin.stats.paired.differences import change_bounds
from mlflow_eval_plugin.stats.paired.intervals import mcnemar

CLASSES = ("a", "b", "c", "d")
COSTS = ClassCosts({
    "a": {"b": 1, "c": 1, "d": 2}, "b": {"a": 1, "c": 1, "d": 2}, "c": {"a": 1, "b": 1, "d": 2},
    "d": {"a": 9, "b": 9, "c": 9},
})  # fmt: skip
ALL = np.arange(4)


def _softmax(z):
    e = np.exp(z - z.max(axis=1, keepdims=True))
    return e / e.sum(axis=1, keepdims=True)


def _scored(label, probability, weight=None, classes=CLASSES):
    return ClassScored(classes, label, probability.argmax(axis=1), probability, weight)


def _population(n, rng, noise=(0.8, 0.5)):
    z = rng.normal(size=(n, 4)) + np.array([0.6, 0.3, 0, -0.8])
    shared = rng.normal(size=(n, 4)) * 0.5
    label = (rng.random(n)[:, None] > _softmax(z * 1.5).cumsum(axis=1)).sum(axis=1).clip(0, 3)
    return label, *(_softmax(1.5 * (z + shared + rng.normal(size=(n, 4)) * one)) for one in noise)


def _case(n=1200, seed=0, weighted=False):
    rng = np.random.default_rng(seed)
    label, first, second = _population(n, rng)
    label[:4] = ALL
    weight = rng.integers(1, 5, n).astype(float) if weighted else None
    frame = pd.DataFrame({"g": rng.integers(0, 3, n)})
    return frame, _scored(label, first, weight), _scored(label, second, weight)


def _summary(frame, champion, challenger, costs=COSTS, max_levels=100):
    columns = sliced_columns(frame, Slicing(["g"], depth=1, max_levels=max_levels))
    return paired_class_summary(champion, challenger, Sliced(columns), costs=costs)


def _table(frame, champion, challenger, costs=COSTS, **options):
    return PairedClassTable(_summary(frame, champion, challenger, costs, **options), costs)


def _part(rows, chosen):
    return (
        rows.label[chosen],
        rows.prediction[chosen],
        rows.probability[chosen],
        None if rows.weight is None else rows.weight[chosen],
    )


def _brier(y, p, w):
    return np.average(((p - np.eye(4)[y]) ** 2).sum(axis=1), weights=w)


OF_ALL = {
    "accuracy": lambda y, t, p, w: sk.accuracy_score(y, t, sample_weight=w),
    "balanced_accuracy": lambda y, t, p, w: sk.balanced_accuracy_score(y, t, sample_weight=w),
    "precision": lambda y, t, p, w: sk.precision_score(y, t, average="macro", sample_weight=w),
    "recall": lambda y, t, p, w: sk.recall_score(y, t, average="macro", sample_weight=w),
    "f1": lambda y, t, p, w: sk.f1_score(y, t, average="macro", sample_weight=w),
    "log_loss": lambda y, t, p, w: sk.log_loss(y, p, labels=ALL, sample_weight=w),
    "brier": lambda y, t, p, w: _brier(y, p, w),
    "calibration_in_the_large": lambda y, t, p, w: np.average(p.max(axis=1) - (t == y), weights=w),
    "cost": lambda y, t, p, w: np.average(COSTS.matrix(CLASSES)[y, t], weights=w),
}
OF_ONE = {
    "precision": lambda y, t, w: sk.precision_score(y, t, sample_weight=w),
    "recall": lambda y, t, w: sk.recall_score(y, t, sample_weight=w),
    "f1": lambda y, t, w: sk.f1_score(y, t, sample_weight=w),
    "fpr": lambda y, t, w: 1 - sk.recall_score(~y, ~t, sample_weight=w),
    "fnr": lambda y, t, w: 1 - sk.recall_score(y, t, sample_weight=w),
    "selection_rate": lambda y, t, w: np.average(t, weights=w),
}


@pytest.mark.parametrize("weighted", [False, True])
def test_every_change_is_the_difference_of_what_scikit_learn_says(weighted):
    frame, champion, challenger = _case(weighted=weighted)
    found = compare_classes(_table(frame, champion, challenger))
    for one in (found.overall, *found.slices):
        chosen = np.full(len(frame), True) if one.label == "overall" else (frame.g == int(one.label[2:])).to_numpy()
        first, second = (_part(rows, chosen) for rows in (champion, challenger))
        for name, expected in OF_ALL.items():
            metric, of = one.metrics[name], [expected(*first), expected(*second)]
            assert metric.champion == pytest.approx(of[0], abs=1e-8), name
            assert metric.challenger == pytest.approx(of[1], abs=1e-8), name
            assert metric.difference.value == pytest.approx(of[1] - of[0], abs=1e-8), name
        auc = one.metrics["auc"]
        of = [sk.roc_auc_score(y, p, multi_class="ovr", sample_weight=w) for y, _, p, w in (first, second)]
        assert abs(auc.difference.value - (of[1] - of[0])) <= auc.difference.bound + 1e-12
    for position, name in enumerate(CLASSES):
        for metric, expected in OF_ONE.items():
            of = [expected(rows.label == position, rows.prediction == position, rows.weight)
                  for rows in (champion, challenger)]  # fmt: skip
            one = found.classes[name][metric]
            assert [one.champion, one.challenger] == pytest.approx(of, abs=1e-9), (name, metric)
            assert one.difference.value == pytest.approx(of[1] - of[0], abs=1e-9), (name, metric)


def test_rows_are_counted_by_who_is_right_and_by_how_decisions_moved():
    frame, champion, challenger = _case(weighted=True)
    found = compare_classes(_table(frame, champion, challenger))
    right = [rows.prediction == rows.label for rows in (champion, challenger)]
    one = found.overall
    assert one.both_right == (right[0] & right[1]).sum() and one.both_wrong == (~right[0] & ~right[1]).sum()
    assert one.only_champion_right == (right[0] & ~right[1]).sum()
    assert one.only_challenger_right == (~right[0] & right[1]).sum()
    assert one.mcnemar_p == mcnemar(one.only_challenger_right, one.only_champion_right)
    differ = champion.prediction != challenger.prediction
    assert one.disagreement.value == pytest.approx(np.average(differ, weights=champion.weight), abs=1e-9)
    moves = pd.DataFrame({"a": champion.prediction[differ], "b": challenger.prediction[differ],
                          "first": right[0][differ], "second": right[1][differ]})  # fmt: skip
    expected = moves.groupby(["a", "b"]).agg(n=("first", "size"), first=("first", "sum"), second=("second", "sum"))
    assert len(found.moves) == len(expected) <= MOST_MOVES
    for move in found.moves:
        row = expected.loc[CLASSES.index(move.champion), CLASSES.index(move.challenger)]
        assert (move.n, move.champion_right, move.challenger_right) == tuple(row)
    assert [move.n for move in found.moves] == sorted(expected.n, reverse=True)


def _influences(metric, rows, k, weight):
    """What each row adds to a rate of one class, by the delta method."""
    y, t = rows.label == k, rows.prediction == k
    hit, counts = {"recall": (y & t, y), "precision": (y & t, t), "f1": (y & t, y | t), "fpr": (~y & t, ~y)}[metric]
    ratio = weight[hit].sum() / weight[counts].sum()
    steep = 2 / (1 + ratio) ** 2 if metric == "f1" else 1.0
    return steep * weight * (hit - ratio * counts) / weight[counts].sum()


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize(("metric", "of_class"), [
    ("balanced_accuracy", "recall"), ("recall", "recall"), ("fnr", "recall"), ("precision", "precision"), ("f1", "f1"),
    ("fpr", "fpr"),
])  # fmt: skip
def test_the_variance_of_a_mean_over_classes_is_at_least_that_of_its_rows(metric, of_class, weighted):
    frame, champion, challenger = _case(weighted=weighted)
    table = _table(frame, champion, challenger)
    weight = np.ones(len(frame)) if champion.weight is None else champion.weight
    change = sum(
        _influences(of_class, challenger, k, weight) - _influences(of_class, champion, k, weight) for k in range(4)
    )
    expected = ((change / 4) ** 2).sum()
    made = table.change(metric).variance[0]
    if of_class == "recall":  # its classes share no row
        assert made == pytest.approx(expected, rel=1e-9)
    else:
        assert expected <= made <= 2.2 * expected


@pytest.mark.parametrize("weighted", [False, True])
def test_variances_of_losses_are_those_of_what_rows_change(weighted):
    frame, champion, challenger = _case(weighted=weighted)
    table = _table(frame, champion, challenger)
    for i, chosen in enumerate([frame.g >= 0, frame.g == 0, frame.g == 1]):
        (y, t, p, w), (_, t2, p2, _) = (_part(rows, chosen.to_numpy()) for rows in (champion, challenger))
        at = np.arange(len(y))
        values = {
            "log_loss": (-np.log(p[at, y]), -np.log(p2[at, y])),
            "brier": (((p - np.eye(4)[y]) ** 2).sum(axis=1), ((p2 - np.eye(4)[y]) ** 2).sum(axis=1)),
            "calibration_in_the_large": (p.max(axis=1) - (t == y), p2.max(axis=1) - (t2 == y)),
        }
        effective = len(y) if w is None else w.sum() ** 2 / (w**2).sum()
        for metric, (before, after) in values.items():
            made, expected = table.change(metric), np.cov(after - before, aweights=w)
            assert made.variance[i] == pytest.approx(expected / effective, rel=1e-4), metric
            assert made.effective[i] == pytest.approx(effective, rel=1e-9)
        bins = np.floor(np.concatenate([champion.probability, challenger.probability]).min() * 3840)
        assert table.change("log_loss").influence[i] == pytest.approx(-np.log((bins + 0.5) / 3840) / effective)
        assert table.change("brier").influence[i] == pytest.approx(2 / effective)


def test_rates_of_a_class_and_accuracy_rest_on_the_rows_that_differ():
    frame, champion, challenger = _case(weighted=True)
    table, w = _table(frame, champion, challenger), champion.weight
    right = [rows.prediction == rows.label for rows in (champion, challenger)]
    for metric, counts, hits in (
        ("accuracy", w > 0, right),
        ("recall[b]", champion.label == 1, right),
        ("fpr[b]", champion.label != 1, [rows.prediction == 1 for rows in (champion, challenger)]),
    ):
        made = table.change(metric)
        total = w[counts].sum()
        assert made.gained[0] == pytest.approx(w[counts & ~hits[0] & hits[1]].sum() / total, abs=1e-9), metric
        assert made.lost[0] == pytest.approx(w[counts & hits[0] & ~hits[1]].sum() / total, abs=1e-9), metric
        assert made.trials[0] == pytest.approx(total**2 / (w[counts] ** 2).sum(), rel=1e-9), metric


def test_a_change_in_cost_is_that_of_each_kind_of_pair():
    frame, champion, challenger = _case()
    made = _table(frame, champion, challenger).change("cost")
    matrix = COSTS.matrix(CLASSES)
    more = matrix[champion.label, challenger.prediction] - matrix[champion.label, champion.prediction]
    assert set(made.costs) >= set(more[more != 0])
    for cost, share in zip(made.costs, made.shares[0], strict=True):
        assert share == pytest.approx((more == cost).mean(), abs=1e-12)


def test_models_of_other_classes_are_compared_on_all_of_them():
    frame, champion, challenger = _case()
    narrow = champion.probability[:, :3] / champion.probability[:, :3].sum(axis=1, keepdims=True)
    # Labels of a class that the champion does not know: it has the probability 0 there.
    known = np.column_stack([narrow, np.zeros(len(narrow))])
    old = ClassScored(CLASSES, champion.label, known.argmax(axis=1), known, None)
    shuffled = ("d", "c", "b", "a")
    back = ClassScored(shuffled, 3 - challenger.label, 3 - challenger.prediction, challenger.probability[:, ::-1], None)
    first, second = (compare_classes(_table(frame, old, one)) for one in (challenger, back))
    assert first == second
    assert first.overall.metrics["log_loss"].champion > 1
    assert first.classes["d"]["recall"].champion == 0


def test_without_probabilities_of_one_the_other_metrics_are_compared():
    frame, champion, challenger = _case()
    blind = ClassScored(CLASSES, champion.label, champion.prediction, None, None)
    table = _table(frame, blind, challenger, costs=None)
    assert table.metrics == ("balanced_accuracy", "precision", "recall", "f1", "fpr", "fnr", "accuracy")
    full = _table(frame, champion, challenger)
    by_class = [set(compare_classes(one).classes["a"]) for one in (full, table)]
    assert by_class[0] == set(OF_A_CLASS) and by_class[1] == set(OF_A_CLASS) - {"auc"}
    for name in table.metrics:
        assert table.change(name).value == pytest.approx(full.change(name).value)
    for name in ("log_loss", "auc", "cost"):
        with pytest.raises(InputError, match="cannot be compared; expected one of balanced_accuracy"):
            table.change(name)
    with pytest.raises(InputError, match="'auc' of one class cannot be compared"):
        table.change("auc[a]")
    with pytest.raises(InputError, match=r"recall\[q\] is of no class there is; the classes are a, b, c, d"):
        table.change("recall[q]")


def test_costs_of_too_many_steps_are_refused():
    frame, _, _ = _case()
    classes = tuple(f"c{i:02d}" for i in range(12))
    rng = np.random.default_rng(0)
    costs = ClassCosts({a: {b: float(rng.random() + 0.1) for b in classes if b != a} for a in classes})
    label = rng.integers(0, 12, len(frame))
    rows = ClassScored(classes, label, label, None, None)
    with pytest.raises(InputError, match=r"12 classes can differ by 1,\d\d\d different amounts, more than 1,024"):
        paired_class_summary(rows, rows, costs=costs)


def test_a_model_against_itself_changes_nothing_and_knows_it():
    frame, champion, _ = _case(n=4000)
    table = _table(frame, champion, champion)
    found = compare_classes(table)
    assert found.overall.only_champion_right == found.overall.only_challenger_right == 0 and found.moves == ()
    for name, metric in found.overall.metrics.items():
        low, high = metric.difference.interval
        assert metric.difference.value == 0 and low <= 0 <= high, name
    assert change_bounds(table, "accuracy").lower(0.05) > -0.002
    assert change_bounds(table, "balanced_accuracy").lower(0.05) > -0.01


def test_a_class_that_one_never_predicts_is_left_out_of_both_means():
    frame, champion, challenger = _case()
    without = champion.probability.copy()
    without[:, 3] = 0
    blind = _scored(champion.label, without / without.sum(axis=1, keepdims=True))
    one = compare_classes(_table(frame, blind, challenger)).overall.metrics["precision"]
    of = [sk.precision_score(rows.label, rows.prediction, labels=[0, 1, 2], average="macro")
          for rows in (blind, challenger)]  # fmt: skip
    assert [one.champion, one.challenger] == pytest.approx(of, abs=1e-9)
    assert one.difference.value == pytest.approx(of[1] - of[0], abs=1e-9)
    alone = compare_classes(_table(frame, blind, challenger)).classes["d"]["precision"]
    assert alone.champion is None and "one of the two" in alone.difference.reason


# Of nominal 95 % intervals at least 94 % must cover, less the error of 2,000 samples.
@pytest.mark.parametrize("n", [60, 200])
def test_intervals_of_changes_cover(n):
    rng = np.random.default_rng(n)
    label, first, second = _population(400_000, rng)
    truth = compare_classes(
        _table(pd.DataFrame({"g": np.zeros(len(label), int)}), _scored(label, first), _scored(label, second))
    ).overall.metrics
    label, first, second = _population(2000 * n, rng)
    frame = pd.DataFrame({"g": np.repeat(np.arange(2000), n)})
    found = compare_classes(_table(frame, _scored(label, first), _scored(label, second), max_levels=2000)).slices
    for name in ("accuracy", "balanced_accuracy", "precision", "f1", "fpr", "fnr", "log_loss", "brier",
                 "calibration_in_the_large", "cost"):  # fmt: skip
        intervals = [one.metrics[name].difference.interval for one in found if one.metrics[name].difference.interval]
        value = truth[name].difference.value
        covered = np.mean([low <= value <= high for low, high in intervals])
        assert len(intervals) > 1800 and covered >= 0.94 - 3 * np.sqrt(0.94 * 0.06 / 2000), (name, covered)


def _rarely_other(probability, rng):
    """The same model, but for 2 % of the rows, on which the classes are exchanged."""
    return np.where(rng.random(len(probability))[:, None] < 0.02, probability[:, ::-1], probability)


def _milder(probability, rng):
    return _softmax(0.7 * np.log(probability))


@pytest.mark.parametrize("metric", ["balanced_accuracy", "precision", "f1", "fpr", "log_loss", "brier", "recall[d]"])
@pytest.mark.parametrize(("challenger", "n"), [(_rarely_other, 100), (_rarely_other, 400), (_milder, 400)])
def test_checks_of_changes_hold_their_level(challenger, n, metric):
    rng = np.random.default_rng(7)

    def table(runs, size):
        label, first, _ = _population(runs * size, rng)
        frame = pd.DataFrame({"g": np.repeat(np.arange(runs), size)})
        return _table(frame, _scored(label, first), _scored(label, challenger(first, rng)), max_levels=1000)

    truth = table(1, 500_000).change(metric).value[0]
    made = table(1000, n).change(metric)
    for alpha in (0.05, 0.005):
        lower, upper = made.limits(alpha, exact=True)
        error = 3 * np.sqrt(alpha * (1 - alpha) / 1000)
        missed = max(np.mean(lower[1:] > truth), np.mean(upper[1:] < truth))
        assert missed <= alpha + error, (alpha, missed)


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 10**6))
def test_order_and_shards_change_nothing(seed):
    frame, champion, challenger = _case(n=90, seed=seed)
    rng = np.random.default_rng(seed)
    weight = rng.random(90) + 1.0  # one scale for all shards

    def some(rows):
        return frame.iloc[rows], *(
            ClassScored(CLASSES, one.label[rows], one.prediction[rows], one.probability[rows], weight[rows])
            for one in (champion, challenger)
        )

    whole = compare_classes(_table(*some(np.arange(90))))
    assert repr(compare_classes(_table(*some(rng.permutation(90))))) == repr(whole)
    parts = [_summary(*some(rows))
             for rows in (np.arange(40), np.arange(40, 60), np.arange(60, 90))]  # fmt: skip
    assert repr(compare_classes(PairedClassTable(parts[2] + (parts[0] + parts[1]), COSTS))) == repr(whole)


def test_pairs_of_other_costs_do_not_merge():
    _, champion, challenger = _case()
    parts = [paired_class_summary(champion, challenger, costs=costs) for costs in (COSTS, None)]
    with pytest.raises(MergeError, match="do not merge"):
        _ = parts[0] + parts[1]


def _times(metric, label, first, second, k):
    """In how many classes' ratios a row counts at most, by whether its label and both predictions are this class."""
    own, a, b = label == k, first == k, second == k
    if metric == "precision":  # that of each model's prediction
        return np.where(a & b, 1, np.where(a | b, 2, 0))
    if metric == "f1":  # that of the label as well
        said = own.astype(int) + a + b
        return np.where(said == 3, 1, np.where(said == 2, 2, np.where(said == 1, 3, 0)))
    return np.ones(len(label))


@pytest.mark.parametrize("blind", [False, True])
@pytest.mark.parametrize("metric", ["recall", "fnr", "precision", "f1", "fpr"])
def test_a_mean_over_classes_varies_like_the_rows_that_count_in_it(metric, blind):
    frame, champion, challenger = _case(weighted=True)
    if blind:  # a class that the champion never predicts
        without = champion.probability * [1, 1, 1, 0]
        champion = _scored(champion.label, without / without.sum(axis=1, keepdims=True), champion.weight)
    made, w = _table(frame, champion, challenger).change(metric), champion.weight
    of_class = "recall" if metric == "fnr" else metric
    counted = range(3) if blind and metric == "precision" else range(4)
    total, furthest, fewest = 0.0, [], []
    for k in counted:
        change = _influences(of_class, challenger, k, w) - _influences(of_class, champion, k, w)
        total += (_times(metric, champion.label, champion.prediction, challenger.prediction, k) * change**2).sum()
        rows, steep = [], []
        for model in (champion, challenger):
            y, t = model.label == k, model.prediction == k
            counts = {"recall": y, "precision": t, "f1": y | t, "fpr": ~y}[of_class]
            rows.append(w[counts].sum() ** 2 / (w[counts] ** 2).sum())
            steep.append(2 / (1 + w[y & t].sum() / w[counts].sum()) ** 2 if of_class == "f1" else 1.0)
        furthest.append(max(steep) / min(rows))
        fewest.append(min(rows))
    most = {"precision": 2, "f1": 3}.get(metric, 1)
    assert made.variance[0] == pytest.approx(total / len(counted) ** 2, rel=1e-9)
    assert made.influence[0] == pytest.approx(most * max(furthest) / len(counted), rel=1e-9)
    assert made.effective[0] == pytest.approx(min(fewest), rel=1e-9)


def test_a_change_in_the_auc_of_a_class_is_that_of_scikit_learn():
    frame, champion, challenger = _case()
    table = _table(frame, champion, challenger)
    for k, name in enumerate(CLASSES):
        made = table.change(f"auc[{name}]")
        of = [sk.roc_auc_score(rows.label == k, rows.probability[:, k]) for rows in (champion, challenger)]
        assert abs(made.value[0] - (of[1] - of[0])) <= made.bound[0] + 1e-12
        first, second = (table.tables[i].metric(f"auc[{name}]").limits(0.01, exact=True) for i in (0, 1))
        # Both at half of the error (Bonferroni).
        assert made.limits(0.02, exact=True)[0][0] == pytest.approx(second[0][0] - first[1][0])


@pytest.mark.parametrize("blind", [False, True])
def test_shards_with_slices_of_their_own_add_up(blind):
    frame, champion, challenger = _case(n=400)
    order = np.argsort(frame.g.to_numpy(), kind="stable")
    for one in (champion, challenger):  # without probabilities near 0
        one.probability[order[250:]] = 0.8 * one.probability[order[250:]] + 0.05
    costs = None if blind else COSTS

    def some(rows):
        said = [
            ClassScored(CLASSES, one.label[rows], one.prediction[rows], None if blind else one.probability[rows], None)
            for one in (champion, challenger)
        ]
        return frame.iloc[rows], *said

    halves = [_summary(*some(order[part]), costs)
              for part in (slice(None, 250), slice(250, None))]  # fmt: skip
    assert {one.label for one in halves[0].slices} != {one.label for one in halves[1].slices}
    total = compare_classes(PairedClassTable(halves[1] + halves[0], costs))
    assert repr(total) == repr(compare_classes(_table(*some(np.arange(400)), costs=costs)))
    if not blind:
        assert (halves[1] + halves[0]).least_bin == min(one.least_bin for one in halves)
        assert halves[0].least_bin != halves[1].least_bin
    else:
        with pytest.raises(ValueError, match="there are no probabilities"):
            halves[0].change_square("loss")


def test_the_confidence_can_err_by_two():
    frame, champion, challenger = _case()
    assert _table(frame, champion, challenger).change("calibration_in_the_large").influence[0] == 2 / len(frame)


def test_at_most_thirty_moves_are_told():
    rng = np.random.default_rng(0)
    classes = tuple(f"c{i}" for i in range(8))
    label, first, second = rng.integers(0, 8, (3, 5000))
    rows = [ClassScored(classes, label, one, None, None) for one in (first, second)]
    found = compare_classes(_table(pd.DataFrame({"g": np.zeros(5000, int)}), *rows, costs=None))
    assert len(found.moves) == 30 == MOST_MOVES
    assert sum(move.n for move in found.moves) < (first != second).sum()


def _steps(classes, unit, rng=None):
    """Costs by the distance of two classes, or at random to two decimals."""

    def cost(i, j):
        return unit * (abs(i - j) if rng is None else round(rng.uniform(1, 5), 2))

    rows = {a: {b: cost(i, j) for j, b in enumerate(classes) if i != j} for i, a in enumerate(classes)}
    return ClassCosts(rows)


def _of_ten(n, seed=0):
    rng = np.random.default_rng(seed)
    classes = tuple(f"c{i}" for i in range(10))
    label = rng.integers(0, 10, n)
    said = [np.where(rng.random(n) < right, label, rng.integers(0, 10, n)) for right in (0.6, 0.65)]
    return classes, [ClassScored(classes, label, one, None, None) for one in said]


def test_limits_of_costs_know_no_unit():
    classes, rows = _of_ten(3000)
    found = []
    for unit in (1.0, 0.1):
        costs = _steps(classes, unit)
        made = PairedClassTable(paired_class_summary(*rows, costs=costs), costs).change("cost")
        assert len(made.costs) == 18
        found.append(np.array(made.limits(1e-3, exact=True)) / unit)
    assert found[0] == pytest.approx(found[1], rel=1e-9)


def test_many_kinds_of_cost_leave_limits_that_decide():
    classes, rows = _of_ten(20_000)
    costs = _steps(classes, 1.0, np.random.default_rng(1))
    for pair, least in ((rows, 0.0), ([rows[0], rows[0]], 0.01)):
        made = PairedClassTable(paired_class_summary(*pair, costs=costs), costs).change("cost")
        low, high = (float(one[0]) for one in made.limits(1e-3, exact=True))
        assert low <= made.value[0] <= high and high - low < 0.2 and high - low > least


def test_of_more_than_eight_kinds_of_pair_limits_are_those_of_any_values():
    rng = np.random.default_rng(2)
    for classes, kinds in ((4, 6), (6, 10)):
        names = tuple(f"c{i}" for i in range(classes))
        label, first, second = rng.integers(0, classes, (3, 500))
        weight = rng.integers(1, 4, 500).astype(float)
        rows = [ClassScored(names, label, one, None, weight) for one in (first, second)]
        costs = _steps(names, 1.0)
        made = PairedClassTable(paired_class_summary(*rows, costs=costs), costs).change("cost")
        more = np.abs(label - second) - np.abs(label - first)
        n, mean = weight.sum() ** 2 / (weight**2).sum(), np.average(more, weights=weight)
        assert len(made.costs) == kinds and made.n[0] == 500 and made.reason == "there are no rows with weight"
        if kinds > 8:
            variance, span = np.average((more - mean) ** 2, weights=weight) * n / (n - 1), np.ptp(made.costs)
            reach = np.sqrt(2 * variance * np.log(2 / 0.01) / n) + 7 * span * np.log(2 / 0.01) / (3 * (n - 1))
            expected = (mean - reach, mean + reach)
        else:
            ends = [proportion_confint(np.average(more == one, weights=weight) * n, n, 2 * 0.01 / kinds, "beta")
                    for one in made.costs]  # fmt: skip
            expected = (
                sum(min(c * low, c * high) for c, (low, high) in zip(made.costs, ends, strict=True)),
                sum(max(c * low, c * high) for c, (low, high) in zip(made.costs, ends, strict=True)),
            )
        lower, upper = made.limits(0.01, exact=True)
        assert (lower[0], upper[0]) == pytest.approx(expected, rel=1e-6)


def test_differences_are_challenger_less_champion():
    frame, champion, challenger = _case(n=300)
    table = _table(frame, champion, challenger)
    for name in ("auc", "ece", "precision[a]", "f1[b]", "precision"):
        first, second = table.values(name)
        assert table.change(name).value == pytest.approx(second - first, abs=1e-12), name
        assert abs(first[0] - second[0]) > 1e-3
