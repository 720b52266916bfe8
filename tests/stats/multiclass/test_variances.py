"""How much metrics of three or more classes vary: effective rows, trials and errors from the rows themselves."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from mlflow_eval_plugin.engines.arrow.multiclass.inputs import ClassScored
from mlflow_eval_plugin.engines.arrow.multiclass.slices import multiclass_summary
from mlflow_eval_plugin.engines.slicing import Slicing
from mlflow_eval_plugin.stats.counts.slice import Slice
from mlflow_eval_plugin.stats.errors import InputError, MergeError
from mlflow_eval_plugin.stats.inference.estimate import estimates
from mlflow_eval_plugin.stats.multiclass.disaggregated import multiclass_slices
from mlflow_eval_plugin.stats.multiclass.metrics import OF_PROBABILITIES, MulticlassTable

CLASSES = ("a", "b", "c")


def _rows(n: int = 240, weighted: bool = True) -> tuple[pd.DataFrame, ClassScored]:
    rng = np.random.default_rng(4)
    p = rng.dirichlet([1.2, 0.8, 0.5], n)
    label = (rng.random(n)[:, None] > p.cumsum(axis=1)).sum(axis=1).clip(0, 2)
    weight = rng.integers(1, 9, n) / 2 if weighted else None
    return pd.DataFrame({"g": np.arange(n) % 3 // 2}), ClassScored(CLASSES, label, p.argmax(axis=1), p, weight)


def _table(weighted: bool = True) -> MulticlassTable:
    frame, rows = _rows(weighted=weighted)
    return MulticlassTable(multiclass_summary(frame, rows, slicing=Slicing(["g"], depth=1)))


def _kish(weight: np.ndarray) -> float:
    return float(weight.sum() ** 2 / (weight**2).sum())


@pytest.mark.parametrize("weighted", [False, True])
def test_trials_and_errors_are_those_of_the_rows(weighted: bool) -> None:
    frame, rows = _rows(weighted=weighted)
    table = _table(weighted)
    for at, part in enumerate((frame.g >= 0, frame.g == 0, frame.g == 1)):
        y, t, p = rows.label[part], rows.prediction[part], rows.probability[part]
        w = np.ones(part.sum()) if rows.weight is None else rows.weight[part]
        effective = _kish(w)

        def variance(amount: np.ndarray, w: np.ndarray = w, effective: float = effective) -> float:
            mean = np.average(amount, weights=w)
            return float(np.average((amount - mean) ** 2, weights=w) * effective / (effective - 1))

        accuracy = table.metric("accuracy")
        assert accuracy.trials[at] == pytest.approx(effective)
        assert (accuracy.n[at], accuracy.weight[at]) == (part.sum(), pytest.approx(w.sum()))
        for k in range(3):
            assert table.metric(f"recall[{CLASSES[k]}]").trials[at] == pytest.approx(_kish(w[y == k]))
            assert table.metric(f"precision[{CLASSES[k]}]").trials[at] == pytest.approx(_kish(w[t == k]))
            auc = table.metric(f"auc[{CLASSES[k]}]")
            assert auc.df[at] == pytest.approx(min(_kish(w[y == k]), _kish(w[y != k])) - 1)
            if not weighted:  # DeLong, DeLong & Clarke-Pearson (1988)
                own, rest = p[y == k, k], p[y != k, k]
                wins = (own[:, None] > rest) + 0.5 * (own[:, None] == rest)
                error = np.sqrt(wins.mean(axis=1).var(ddof=1) / len(own) + wins.mean(axis=0).var(ddof=1) / len(rest))
                assert auc.standard_error[at] == pytest.approx(error, rel=0.01)
        loss, log = -np.log(p[np.arange(len(y)), y]), np.log(p)
        # Were the probabilities the true ones, a row's loss would be -log p of each class with the probability p.
        expected, square = -(p * log).sum(axis=1), (p * log**2).sum(axis=1)
        calibrated = np.average(square, weights=w) - np.average(expected, weights=w) ** 2
        error = np.sqrt(max(variance(loss), calibrated) / effective)
        assert table.metric("log_loss").standard_error[at] == pytest.approx(error, rel=1e-5)


def test_effective_rows_never_exceed_the_rows_however_small_the_weights() -> None:
    frame, rows = _rows()
    weight = np.where(np.arange(240) == 2, 1e5, np.linspace(0.5, 2.0, 240))
    table = MulticlassTable(multiclass_summary(frame, replace(rows, weight=weight), slicing=Slicing(["g"], depth=1)))
    for name in ("accuracy", "recall[a]", "precision[c]"):
        trials = table.metric(name).trials
        assert (trials > 0).all() and (trials <= table.rows).all(), name


def _halves(p: np.ndarray, y: np.ndarray) -> np.ndarray:
    return ((p - np.eye(p.shape[1])[y]) ** 2).sum(axis=1) / 2


@pytest.mark.parametrize("sure", [False, True])
def test_a_brier_score_varies_as_it_is_seen_to_or_as_calibrated_probabilities_would(sure: bool) -> None:
    frame, rows = _rows()
    if sure:  # too sure of itself: what is seen varies more than what was claimed
        rows = replace(rows, probability=np.eye(3)[rows.prediction] * 0.97 + 0.01)
    else:  # all predictions are right
        rows = replace(rows, label=rows.prediction)
    made = MulticlassTable(multiclass_summary(frame, rows, slicing=Slicing(["g"], depth=1))).metric("brier")
    for at, part in enumerate((frame.g >= 0, frame.g == 0, frame.g == 1)):
        p, y, w = rows.probability[part], rows.label[part], rows.weight[part]
        effective = _kish(w)
        mean = np.average(_halves(p, y), weights=w)
        seen = np.average((_halves(p, y) - mean) ** 2, weights=w) * effective / (effective - 1)
        of_class = np.stack([_halves(p, np.full(len(y), k)) for k in range(3)], axis=1)
        expected = np.average((p * of_class).sum(axis=1), weights=w)
        claimed = np.average((p * of_class**2).sum(axis=1), weights=w) - expected**2
        assert (seen > claimed) == sure
        trials = effective * max(mean * (1 - mean) / max(seen, claimed), 1.0)
        assert made.trials[at] == pytest.approx(trials, rel=1e-6)
        assert made.value[at] == pytest.approx(2 * mean)


def test_calibration_of_the_confidence_is_that_of_its_bins_and_of_all_rows() -> None:
    frame, rows = _rows()
    table = _table()
    for at, part in enumerate((frame.g >= 0, frame.g == 0, frame.g == 1)):
        confidence, right = rows.probability[part].max(axis=1), (rows.label == rows.prediction)[part]
        w = rows.weight[part]
        bins = np.minimum((confidence * 15).astype(int), 14)
        gaps = [abs((w * (confidence - right))[bins == one].sum()) for one in range(15)]
        assert table.metric("ece").value[at] == pytest.approx(sum(gaps) / w.sum(), abs=1e-8)
        made = table.metric("calibration_in_the_large")
        assert made.value[at] == pytest.approx(np.average(confidence - right, weights=w), abs=1e-8)
        effective, error = _kish(w), confidence - right
        seen = np.average((error - np.average(error, weights=w)) ** 2, weights=w) * effective / (effective - 1)
        variance = max(seen, np.average(confidence * (1 - confidence), weights=w), 3 / effective)
        rate = np.average(right, weights=w)
        assert made.trials[at] == pytest.approx(effective * max(rate * (1 - rate) / variance, 1.0), rel=1e-6)
        assert made.beyond[at] == pytest.approx(max(seen - rate * (1 - rate), 0.0) / effective, rel=1e-4)


def test_the_best_slice_is_that_of_the_lowest_value_where_less_is_better() -> None:
    table = _table()
    lower = {name: table.lower_is_better(name) for name in ("recall", "auc[a]", "fpr", "fnr[b]", "log_loss", "brier")}
    assert lower == {"recall": False, "auc[a]": False, "fpr": True, "fnr[b]": True, "log_loss": True, "brier": True}


@pytest.mark.parametrize("most", [8, 9])
def test_a_report_counts_each_class_of_each_slice_where_there_are_not_too_many(most: int) -> None:
    frame, rows = _rows()
    table = _table()
    found = multiclass_slices(table, most_by_class=most)
    assert [one.label for one in found] == ["overall", "g=0", "g=1"]
    for at, (one, part) in enumerate(zip(found, (frame.g >= 0, frame.g == 0, frame.g == 1), strict=True)):
        y, t, w = rows.label[part], rows.prediction[part], rows.weight[part]
        assert (one.n, one.weight, one.query) == (part.sum(), pytest.approx(w.sum()), None)
        assert one.slice == (() if at == 0 else (("g", str(at - 1)),))
        assert one.metrics["accuracy"].value == pytest.approx(np.average(y == t, weights=w))
        assert one.metrics["log_loss"] == estimates(table.metric("log_loss"))[at]
        if most < 9 and at > 0:  # three slices of three classes are nine
            assert one.classes is None
            continue
        for k, name in enumerate(CLASSES):
            of = one.classes[name]
            counts = [w[chosen].sum() for chosen in (y == k, t == k, (y == k) & (t == k))]
            assert [of.labelled, of.predicted, of.right] == pytest.approx(counts)
            assert of.metrics["recall"].value == pytest.approx(counts[2] / counts[0])
            assert of.metrics["precision"].value == pytest.approx(counts[2] / counts[1])


def test_a_report_says_why_there_is_no_metric_of_probabilities() -> None:
    frame, rows = _rows()
    for given, ranked in ((replace(rows, probability=None), True), (rows, False)):
        summary = multiclass_summary(frame, given, slicing=Slicing(["g"], depth=1), ranked=ranked)
        found = multiclass_slices(MulticlassTable(summary), most_by_class=100)
        names = OF_PROBABILITIES if given.probability is None else ("auc",)
        reason = "predictions are classes" if given.probability is None else "scores were not ranked"
        for one in found:
            for name, estimate in one.metrics.items():
                assert (estimate.value is None) == (name in names), name
            assert all(one.metrics[name].reason.startswith(reason) for name in names)
            assert all(one.metrics[name].bound == 0 for name in names)
            assert all(of.metrics["auc"].reason.startswith(reason) for of in one.classes.values())


def test_summaries_of_another_kind_do_not_merge_and_slices_are_found() -> None:
    frame, rows = _rows()
    whole, plain = (
        multiclass_summary(frame, one, slicing=Slicing(["g"], depth=1))
        for one in (rows, replace(rows, probability=None))
    )
    for other in (plain, replace(whole, classes=("a", "b", "d"))):
        with pytest.raises(MergeError, match="different classes or kinds"):
            _ = whole + other
    with pytest.raises(MergeError, match=r"do not merge: 4\.0 and 8\.0"):
        _ = whole + replace(whole, weight_scale=8.0)
    many = replace(plain, cells=plain.cells * (2**31 // 240))
    for one, other in ((many, plain), (plain, many)):
        with pytest.raises(MergeError, match="at most 2,147,483,647 rows, found 2,147,483,760"):
            _ = one + other
    assert (whole.index("overall"), whole.index("g=1")) == (0, 2)
    assert (plain.moment("loss") == 0).all() and len(plain.moment("loss")) == 3
    with pytest.raises(InputError, match="'auc' was not counted"):
        MulticlassTable(plain).classwise("auc")
    assert whole.slices[0] == Slice("overall", ())
