"""Three or more classes: the numbers of scikit-learn, a case by hand, order and shards, and limits by simulation."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn import metrics as sklearn

from mlflow_eval_plugin.engines.arrow.multiclass.inputs import ClassScored
from mlflow_eval_plugin.engines.arrow.multiclass.scores import class_summary, confidence_summary, top_label_summary
from mlflow_eval_plugin.engines.arrow.multiclass.slices import multiclass_summary
from mlflow_eval_plugin.engines.slicing import Slicing
from mlflow_eval_plugin.stats.binary.calibration.report import calibration_quantities
from mlflow_eval_plugin.stats.binary.disaggregated import gap_bounds, metric_bounds
from mlflow_eval_plugin.stats.counts.slice import ONE, Slice
from mlflow_eval_plugin.stats.errors import InputError, MergeError
from mlflow_eval_plugin.stats.inference.estimate import estimates
from mlflow_eval_plugin.stats.inference.macro import ANY, Macro, MeanOfNorms
from mlflow_eval_plugin.stats.inference.quantities import BalancedAccuracy
from mlflow_eval_plugin.stats.multiclass.metrics import CLASSWISE, MulticlassTable
from mlflow_eval_plugin.stats.multiclass.summary import MulticlassSummary

CLASSES = ("a", "b", "c", "d")


def frame_and_rows(n: int = 4000, seed: int = 0, weighted: bool = False) -> tuple[pd.DataFrame, ClassScored]:
    """Calibrated probabilities of four classes, the last one rare."""
    rng = np.random.default_rng(seed)
    probability = rng.dirichlet([1.0, 0.8, 0.5, 0.1], n)
    label = (rng.random(n)[:, None] > probability.cumsum(axis=1)).sum(axis=1).clip(0, 3)
    frame = pd.DataFrame({"g": rng.choice(["x", "y", "z"], n, p=[0.6, 0.3, 0.1]), "h": rng.integers(0, 2, n)})
    weight = rng.integers(1, 5, n).astype(float) if weighted else None
    return frame, ClassScored(CLASSES, label, probability.argmax(axis=1), probability, weight)


def table_of(frame: pd.DataFrame, rows: ClassScored) -> MulticlassTable:
    return MulticlassTable(multiclass_summary(frame, rows, slicing=Slicing(["g", "h"], depth=2)))


def value(table: MulticlassTable, metric: str, label: str = "overall") -> float:
    found = metric_bounds(table, metric, label).value
    assert found is not None
    return found


def brier(y: Any, p: Any, w: Any) -> float:
    return float(np.average(((p - np.eye(4)[y]) ** 2).sum(axis=1), weights=w))


OF_ALL = {
    "accuracy": lambda y, t, p, w: sklearn.accuracy_score(y, t, sample_weight=w),
    "balanced_accuracy": lambda y, t, p, w: sklearn.balanced_accuracy_score(y, t, sample_weight=w),
    "recall": lambda y, t, p, w: sklearn.recall_score(y, t, average="macro", sample_weight=w),
    "precision": lambda y, t, p, w: sklearn.precision_score(y, t, average="macro", sample_weight=w),
    "f1": lambda y, t, p, w: sklearn.f1_score(y, t, average="macro", sample_weight=w),
    "log_loss": lambda y, t, p, w: sklearn.log_loss(y, p, labels=[0, 1, 2, 3], sample_weight=w),
    "brier": lambda y, t, p, w: brier(y, p, w),
    "calibration_in_the_large": lambda y, t, p, w: np.average(p.max(axis=1) - (y == t), weights=w),
}


@pytest.mark.parametrize("weighted", [False, True])
def test_metrics_are_those_of_scikit_learn(weighted: bool) -> None:
    frame, rows = frame_and_rows(weighted=weighted)
    table = table_of(frame, rows)
    for one in table.summary.slices:
        part = np.ones(len(frame), dtype=bool)
        for column, level in one.levels:
            part &= (frame[column].astype(str) == level).to_numpy()
        y, t, p = rows.label[part], rows.prediction[part], rows.probability[part]
        w = None if rows.weight is None else rows.weight[part]
        for metric, reference in OF_ALL.items():
            assert value(table, metric, one.label) == pytest.approx(reference(y, t, p, w), abs=1e-9), metric
        by_class = sklearn.precision_recall_fscore_support(y, t, labels=[0, 1, 2, 3], sample_weight=w, zero_division=0)
        for k, name in enumerate(CLASSES):
            for metric, expected in zip(("precision", "recall", "f1"), by_class, strict=False):
                found = metric_bounds(table, f"{metric}[{name}]", one.label).value
                assert (found or 0.0) == pytest.approx(expected[k], abs=1e-9), (metric, name)
        auc = table.metric("auc").take(np.array([table.summary.index(one.label)]))
        expected = sklearn.roc_auc_score(y, p, multi_class="ovr", average="macro", labels=[0, 1, 2, 3], sample_weight=w)
        assert abs(auc.value[0] - expected) <= auc.bound[0] + 1e-12
        assert auc.bound[0] < 0.002


def test_binary_summaries_of_one_class_of_the_confidence_and_of_the_top_label() -> None:
    frame, rows = frame_and_rows()
    p, y, t = rows.probability, rows.label, rows.prediction
    assert p is not None

    def loss(summary: Any) -> float:
        return float(calibration_quantities(summary, ["brier"])["brier"].value[0])

    classwise = [loss(class_summary(rows, k)) for k in range(4)]
    assert sum(classwise) == pytest.approx(value(table_of(frame, rows), "brier"), abs=1e-9)
    assert loss(confidence_summary(rows)) == pytest.approx(np.mean((p.max(axis=1) - (y == t)) ** 2), abs=1e-9)
    taken = t == 1
    assert loss(top_label_summary(rows, 1)) == pytest.approx(np.mean((p[taken, 1] - (y[taken] == 1)) ** 2), abs=1e-9)
    ece = calibration_quantities(confidence_summary(rows), ["ece_equal_width"])["ece_equal_width"]
    assert value(table_of(frame, rows), "ece") == pytest.approx(ece.value[0], abs=1e-9)


def test_three_classes_by_hand() -> None:
    """Labels a a a b b c; predicted a a b b c c."""
    rows = ClassScored(("a", "b", "c"), np.array([0, 0, 0, 1, 1, 2]), np.array([0, 0, 1, 1, 2, 2]), None, None)
    table = MulticlassTable(
        multiclass_summary(pd.DataFrame({"g": list("xxxyyy")}), rows, slicing=Slicing(["g"], depth=1))
    )
    assert value(table, "accuracy") == pytest.approx(4 / 6)
    assert value(table, "recall") == pytest.approx((2 / 3 + 1 / 2 + 1) / 3)
    assert value(table, "precision") == pytest.approx((1 + 1 / 2 + 1 / 2) / 3)
    assert value(table, "f1") == pytest.approx((4 / 5 + 2 / 4 + 2 / 3) / 3)
    assert value(table, "fpr") == pytest.approx((0 / 3 + 1 / 4 + 1 / 5) / 3)
    assert value(table, "fnr") == pytest.approx(1 - value(table, "recall"))
    assert value(table, "selection_rate[c]") == pytest.approx(2 / 6)
    # x has rows of a only: its recall is that of a, and what it is compared with has none of a.
    assert value(table, "recall", "g=x") == pytest.approx(2 / 3)
    gap = gap_bounds(table, "recall", "g=x", "complement")
    assert gap.value is None and gap.reason is not None
    # Compared with all rows, of which it has three of three: the same classes on both sides.
    assert gap_bounds(table, "recall", "g=x", "overall").value == pytest.approx(0)
    assert gap_bounds(table, "recall", "g=y", "overall").value == pytest.approx(0)
    for metric in ("auc", "log_loss"):
        with pytest.raises(InputError, match="probabilities"):
            table.metric(metric)


@pytest.mark.parametrize(
    ("metric", "message"),
    [("recall[e]", "the classes are a, b, c, d"), ("prevalence", r"as in prevalence\[a\]"), ("ece[a]", "of one class"),
     ("mse", "there is no 'mse'")],
)  # fmt: skip
def test_metrics_that_there_are_not(metric: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        table_of(*frame_and_rows(50)).metric(metric)


def same(one: MulticlassSummary, other: MulticlassSummary) -> bool:
    names = [field.name for field in fields(one) if field.name != "ranks"]
    pairs = [(getattr(one, name), getattr(other, name)) for name in names]
    for mine, theirs in zip(one.ranks or (), other.ranks or (), strict=True):
        pairs += [(getattr(mine, field.name), getattr(theirs, field.name)) for field in fields(mine)]
    return all(np.array_equal(a, b) if isinstance(a, np.ndarray) else a == b for a, b in pairs)


@pytest.mark.parametrize("weighted", [False, True])
def test_the_order_of_rows_and_shards_change_nothing(weighted: bool) -> None:
    frame, rows = frame_and_rows(3000, weighted=weighted)

    def part(index: Any) -> MulticlassSummary:
        lanes = {name: getattr(rows, name) for name in ("label", "prediction", "probability", "weight")}
        chosen = {name: None if lane is None else lane[index] for name, lane in lanes.items()}
        return multiclass_summary(frame.iloc[index], replace(rows, **chosen), slicing=Slicing(["g", "h"], depth=2))

    whole = part(np.arange(3000))
    assert same(whole, part(np.random.default_rng(1).permutation(3000)))
    first, second, third = (part(np.arange(start, 3000, 3)) for start in range(3))
    assert same((first + second) + third, whole) and same(first + (second + third), whole)
    with pytest.raises(MergeError, match="different classes"):
        _ = whole + replace(whole, classes=("a", "b", "c", "e"))


def test_scores_are_ranked_only_where_they_fit() -> None:
    frame, rows = frame_and_rows(2000)
    many = frame.assign(g=np.arange(2000) % 600)
    summary = multiclass_summary(many, rows, slicing=Slicing(["g"], depth=1, max_levels=1000))
    assert summary.ranks is None and summary.moments is not None
    assert multiclass_summary(frame, rows, slicing=Slicing(["g"], depth=1)).ranks is not None


def cells_of(cells: Any) -> MulticlassTable:
    """A table of one slice for each of several confusion matrices, without probabilities."""
    whole = np.concatenate([cells.sum(axis=0, keepdims=True), cells]).astype(np.int64)
    slices = tuple(Slice(str(i), ()) for i in range(len(whole)))
    classes = tuple("abcdefghij"[: whole.shape[1]])
    weights = whole * int(ONE)
    return MulticlassTable(MulticlassSummary(slices, classes, whole, weights, weights, *[None] * 5, 1.0, False))


def test_two_classes_have_the_balanced_accuracy_of_two_classes() -> None:
    table = cells_of(np.array([[[40, 10], [15, 35]]]))
    recalls = table.classwise("recall")
    made = table.metric("recall")
    old = BalancedAccuracy(recalls.take(np.array([0, 2])), recalls.take(np.array([1, 3])), table.rows)
    assert np.allclose(made.value, old.value)
    lower, upper = made.limits(0.025, exact=False)
    mover = old.limits(0.025, exact=False)
    # Never narrower, and hardly wider where classes are of one size.
    assert (lower <= mover[0] + 1e-12).all() and (upper >= mover[1] - 1e-12).all()
    assert np.allclose(upper - lower, mover[1] - mover[0], atol=0.01)


@pytest.mark.parametrize(
    ("prior", "right", "n"),
    [((0.5, 0.3, 0.2), 0.9, 60), ((0.2,) * 5, 0.95, 50), ((0.8, 0.15, 0.05), 0.7, 200)],
    ids=["three", "five of ten rows", "a rare one"],
)
def test_limits_of_means_over_classes_cover(prior: tuple[float, ...], right: float, n: int) -> None:
    """Limits of Checks: beyond the truth in 2.5 % of cases on each side, here with four standard errors of 2,000."""
    k = len(prior)
    taken = np.where(np.eye(k), right, (1 - right) / (k - 1))
    cells = np.array(prior)[:, None] * taken
    labels, predictions, hits = cells.sum(axis=1), cells.sum(axis=0), np.diag(cells)
    truth = {
        "recall": hits / labels,
        "precision": hits / predictions,
        "f1": 2 * hits / (labels + predictions),
        "fpr": (predictions - hits) / (1 - labels),
    }
    drawn = np.random.default_rng(0).multinomial(n, cells.ravel(), size=2000).reshape(-1, k, k)
    table = cells_of(drawn)
    for metric, by_class in truth.items():
        made = table.metric(metric)
        assert isinstance(made, Macro)
        whole = made.counted.all(axis=1)
        whole[0] = False  # all draws together
        lower, upper = (side[whole] for side in made.limits(0.025, exact=True))
        assert (lower > by_class.mean()).mean() <= 0.025 + 4 * np.sqrt(0.025 / 2000), metric
        assert (upper < by_class.mean()).mean() <= 0.025 + 4 * np.sqrt(0.025 / 2000), metric


def test_losses_of_calibrated_probabilities_cover() -> None:
    missed = {"brier": 0, "log_loss": 0}
    rng = np.random.default_rng(1)
    population = rng.dirichlet([1.0, 0.8, 0.5], 200_000)
    truth = {
        "brier": float((1 - (population**2).sum(axis=1)).mean()),
        "log_loss": float(-(population * np.log(population)).sum(axis=1).mean()),
    }
    for start in range(0, 200 * 40, 40):
        p = population[start : start + 40]
        label = (rng.random(40)[:, None] > p.cumsum(axis=1)).sum(axis=1).clip(0, 2)
        rows = ClassScored(("a", "b", "c"), label, p.argmax(axis=1), p, None)
        table = MulticlassTable(multiclass_summary(pd.DataFrame(index=range(40)), rows))
        for metric, expected in truth.items():
            lower, upper = table.metric(metric).limits(0.025, exact=True)
            missed[metric] += int(not lower[0] <= expected <= upper[0])
    assert max(missed.values()) <= 200 * 0.05 + 4 * np.sqrt(200 * 0.05)


def test_means_of_what_depends_reach_as_far_as_all_of_it_together() -> None:
    frame, rows = frame_and_rows()
    table = table_of(frame, rows)
    macro, classwise = table.metric("auc"), table.classwise("auc")
    assert isinstance(macro, Macro) and macro.together == ANY
    lower, _ = macro.limits(0.025, exact=False)
    distances = classwise.value - classwise.limits(0.025, exact=False)[0]
    assert macro.value[0] - lower[0] == pytest.approx(distances[:4].mean(), abs=1e-12)
    norms = [calibration_quantities(class_summary(rows, k), ["ece_equal_width"])["ece_equal_width"] for k in range(4)]
    mean = MeanOfNorms(tuple(norms))
    assert mean.value[0] == pytest.approx(np.mean([one.value[0] for one in norms]))
    assert mean.limits(0.025, exact=False)[1][0] == pytest.approx(
        np.mean([one.limits(0.025 / 4, exact=False)[1][0] for one in norms])
    )


def test_classwise_metrics_of_a_class_without_rows_have_a_reason() -> None:
    table = cells_of(np.array([[[5, 1, 0], [1, 4, 0], [0, 0, 0]]]))
    for metric in CLASSWISE[:-1]:
        found = estimates(table.classwise(metric))[2]
        if metric in ("prevalence", "selection_rate", "fpr"):
            assert found.value == 0
        else:
            assert found.value is None and found.reason is not None and "this class" in found.reason


@pytest.mark.parametrize("versus", ["complement", "best", "overall"])
def test_gaps_of_means_are_over_the_classes_that_both_sides_have(versus: str) -> None:
    """The second slice has no row of c, which the first gets wrong: c may not count against the first."""
    sides = np.array([[[80, 20, 0], [20, 80, 0], [0, 40, 10]], [[80, 20, 0], [20, 80, 0], [0, 0, 0]]])
    rows = [(one, i, j) for one in range(2) for i in range(3) for j in range(3) for _ in range(sides[one, i, j])]
    side, label, prediction = np.array(rows).T
    scored = ClassScored(("a", "b", "c"), label, prediction, None, None)
    table = MulticlassTable(multiclass_summary(pd.DataFrame({"g": side}), scored, slicing=Slicing(["g"], depth=1)))
    assert value(table, "recall", "g=0") == pytest.approx((0.8 + 0.8 + 0.2) / 3)
    assert value(table, "recall", "g=1") == pytest.approx(0.8)
    for label_of in ("g=0", "g=1"):
        difference = gap_bounds(table, "recall", label_of, versus)
        ratio = gap_bounds(table, "recall", label_of, versus, kind="ratio")
        assert difference.value == pytest.approx(0) and ratio.value == pytest.approx(1)
        assert -0.2 < difference.lower(0.05) < 0 <= difference.upper(0.05) < 0.2
    fpr = gap_bounds(table, "fpr[b]", "g=0", "complement").value
    assert fpr == pytest.approx(60 / 150 - 20 / 100)
