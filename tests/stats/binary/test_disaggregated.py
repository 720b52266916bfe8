import numpy as np
import pandas as pd
import pytest
from fairlearn import metrics as fairlearn
from sklearn import metrics as sklearn

from mlflow_eval_plugin.engines.arrow import slice_summary
from mlflow_eval_plugin.engines.slicing import Slicing
from mlflow_eval_plugin.query import NamedQuery, parse
from mlflow_eval_plugin.stats.binary.disaggregated import disaggregate, fairness_bounds, gap_bounds, metric_bounds
from mlflow_eval_plugin.stats.binary.table import SliceTable
from mlflow_eval_plugin.stats.errors import InputError
from mlflow_eval_plugin.stats.inference.checks import Claim, judge


@pytest.fixture(scope="module")
def rows() -> pd.DataFrame:
    rng = np.random.default_rng(0)
    n = 4000
    score = np.round(rng.beta(1, 1.3, n), 3)
    return pd.DataFrame(
        {
            "s": score,
            "y": (rng.random(n) < score).astype(int),
            "g": rng.choice(["a", "b", "c"], n, p=[0.6, 0.3, 0.1]),
            "h": rng.integers(0, 2, n),
            "w": rng.integers(1, 5, n),
        }
    )


REFERENCES = {
    "accuracy": lambda y, p, s, w: sklearn.accuracy_score(y, p, sample_weight=w),
    "balanced_accuracy": lambda y, p, s, w: sklearn.balanced_accuracy_score(y, p, sample_weight=w),
    "precision": lambda y, p, s, w: sklearn.precision_score(y, p, sample_weight=w),
    "recall": lambda y, p, s, w: sklearn.recall_score(y, p, sample_weight=w),
    "f1": lambda y, p, s, w: sklearn.f1_score(y, p, sample_weight=w),
    "log_loss": lambda y, p, s, w: sklearn.log_loss(y, s, sample_weight=w),
    "brier": lambda y, p, s, w: sklearn.brier_score_loss(y, s, sample_weight=w),
    "auc": lambda y, p, s, w: sklearn.roc_auc_score(y, s, sample_weight=w),
    "average_precision": lambda y, p, s, w: sklearn.average_precision_score(y, s, sample_weight=w),
    "selection_rate": lambda y, p, s, w: fairlearn.selection_rate(y, p, sample_weight=w),
    "fpr": lambda y, p, s, w: fairlearn.false_positive_rate(y, p, sample_weight=w),
    "fnr": lambda y, p, s, w: fairlearn.false_negative_rate(y, p, sample_weight=w),
    "prevalence": lambda y, p, s, w: np.average(y, weights=w),
    "calibration_in_the_large": lambda y, p, s, w: np.average(s - y, weights=w),
}


@pytest.mark.parametrize("weight", [None, "w"])
@pytest.mark.parametrize("threshold", [0.5, 0.437])
def test_metrics_are_those_of_scikit_learn_and_fairlearn(rows, weight, threshold):
    summary = slice_summary(rows, label="y", score="s", slicing=Slicing(["g", "h"]), threshold=threshold, weight=weight)
    report = disaggregate(summary, gap_metrics=())
    for one in (report.overall, *report.slices):
        chosen = np.ones(len(rows), dtype=bool)
        for column, level in one.slice:
            chosen &= (rows[column].astype(str) == level).to_numpy()
        part = rows[chosen]
        w = None if weight is None else part.w
        for metric, reference in REFERENCES.items():
            expected = reference(part.y, (part.s >= threshold).astype(int), part.s, w)
            assert getattr(one.metrics, metric).value == pytest.approx(expected, abs=1e-9), (one.label, metric)
        assert one.n == len(part)
    assert len(report.slices) == 3 + 2 + 6


def test_small_weights_say_what_large_ones_say(rows):
    few = rows[:200]
    large, small = (
        disaggregate(
            slice_summary(few.assign(w=few.w * scale), label="y", score="s", slicing=Slicing(["g", "h"]), weight="w")
        )
        for scale in (1.0, 2.0**-20)
    )
    assert [one.metrics for one in large.slices] == [one.metrics for one in small.slices]
    assert (large.overall.metrics, large.gaps, large.fairness) == (small.overall.metrics, small.gaps, small.fairness)


def test_fairness_measures_are_those_of_fairlearn(rows):
    report = disaggregate(slice_summary(rows, label="y", score="s", slicing=Slicing(["g", "h"])), gap_metrics=())
    predicted = (rows.s >= 0.5).astype(int)
    for one in report.fairness:
        options = {"sensitive_features": rows[one.column]}
        for name in ("demographic_parity_difference", "demographic_parity_ratio", "equalized_odds_difference"):
            expected = getattr(fairlearn, name)(rows.y, predicted, **options)
            assert getattr(one, name).value == pytest.approx(expected, abs=1e-9)
        expected = fairlearn.equal_opportunity_difference(rows.y, predicted, **options)
        assert one.equal_opportunity_difference.value == pytest.approx(expected, abs=1e-9)


def test_gaps_are_differences_and_ratios_of_the_metrics(rows):
    report = disaggregate(
        slice_summary(rows, label="y", score="s", slicing=Slicing(["g"])), gap_metrics=("recall", "fpr")
    )
    by_label = {one.label: one.metrics for one in report.slices}
    for gap in report.gaps:
        own = getattr(by_label[gap.label], gap.metric).value
        if gap.versus == "overall":
            other = getattr(report.overall.metrics, gap.metric).value
        elif gap.versus == "best":
            values = [getattr(one, gap.metric).value for one in by_label.values()]
            other = min(values) if gap.metric == "fpr" else max(values)
            assert getattr(by_label[gap.against], gap.metric).value == other
        else:
            continue
        assert gap.difference.value == pytest.approx(own - other, abs=1e-12)
        assert gap.ratio.value == pytest.approx(own / other, rel=1e-12)
        assert gap.difference.interval[0] <= gap.difference.value <= gap.difference.interval[1]
        assert gap.ratio.interval[0] <= gap.ratio.value <= gap.ratio.interval[1]


def test_by_hand_with_slices_of_just_the_minimum_count_and_of_one_row_less():
    # a: 30 rows, all right, none selected; b: 29 rows, all right, all selected; c: 40 rows, half of them of each.
    rows = pd.DataFrame(
        {
            "s": [0.2] * 30 + [0.8] * 29 + [0.2, 0.8] * 20,
            "y": [0] * 30 + [1] * 29 + [1, 0] * 5 + [0] * 30,
            "g": ["a"] * 30 + ["b"] * 29 + ["c"] * 40,
        }
    )
    summary = slice_summary(
        rows.assign(h=0),
        label="y",
        score="s",
        slicing=Slicing(["g", "h"], queries=[NamedQuery("low", "s < 0.5", parse("s < 0.5"))]),
    )
    report = disaggregate(summary, gap_metrics=["accuracy"])
    assert [one.label for one in report.slices] == [
        *(f"g={g}" for g in "abc"),
        "h=0",
        *(f"g={g} & h=0" for g in "abc"),
        "low",
    ]
    found = {one.label: one for one in report.slices}
    for label, cells in (("g=a", (30, 0, 0, 0)), ("g=b", (0, 0, 0, 29)), ("g=c", (15, 20, 5, 0))):
        one = found[label]
        assert (one.tn, one.fp, one.fn, one.tp) == cells
        assert one.weight == one.n == sum(cells) and one.positives == one.fn + one.tp
    against = {(one.label, one.versus): one.against for one in report.gaps}
    assert against["g=c", "complement"] == "not g=c"
    assert against["g=c & h=0", "complement"] == "not (g=c & h=0)"
    assert against["low", "complement"] == "not (low)"
    assert against["g=c", "overall"] == "overall"
    assert (against["g=b", "best"], against["g=c", "best"]) == ("g=a", "g=a")
    few = disaggregate(summary, gap_metrics=["accuracy"], minimum_count=41)
    assert {(one.label, one.against) for one in few.gaps if one.versus == "best" and one.label[0] == "g"} >= {
        ("g=a", "none"),
        ("g=c", "none"),
    }
    assert gap_bounds(summary, "accuracy", "g=c", "best").value == 15 / 40 - 1
    assert gap_bounds(summary, "accuracy", "g=c", "best", kind="ratio").value == 15 / 40
    assert [one.column for one in report.fairness] == ["g", "h"]
    # b would select all rows, a selects none, c half.
    assert report.fairness[0].demographic_parity_difference.value == 0.5
    assert fairness_bounds(summary, "g", "demographic_parity_difference").value == 0.5
    assert fairness_bounds(summary, "g", "demographic_parity_difference", minimum_count=29).value == 1.0


def test_no_estimate_is_ever_nan_in_tiny_and_one_sided_slices():
    rows = pd.DataFrame(
        {
            "y": [0, 0, 1, 0, 1, 1, 0, 1],
            "s": [0.1, 0.2, 0.9, 0.4, 1.0, 0.0, 0.5, 0.5],
            "g": ["one", "neg", "pos", "neg", "pos", None, "mix", "mix"],
        }
    )
    report = disaggregate(slice_summary(rows, label="y", score="s", slicing=Slicing(["g"])), minimum_count=1)
    found = {one.label: one.metrics for one in report.slices}
    assert found["g=neg"].recall.value is None
    assert "positive label" in found["g=neg"].recall.reason
    assert found["g=one"].log_loss.interval is None
    assert found["g=one"].brier.interval[1] > 0.5
    assert found["g=(missing)"].log_loss.value == pytest.approx(36.04, abs=0.01)
    estimates = [e for one in report.slices for e in vars(one.metrics).values()]
    estimates += [e for gap in report.gaps for e in (gap.difference, gap.ratio)]
    for one in estimates:
        assert (one.value is None) == (one.reason is not None)
        assert one.value is None or np.isfinite([one.value, one.bound, *(one.interval or ())]).all()


def test_equal_groups_are_not_failed_for_the_gap_to_the_best():
    # Ten levels with equal recall: the best of ten looks better than it is, in every sample.
    rng = np.random.default_rng(3)
    trials, wrong = 60, 0
    for _ in range(trials):
        n = 2000
        score = rng.choice([0.3, 0.7], n)
        rows = pd.DataFrame({"s": score, "y": (rng.random(n) < 0.5).astype(int), "g": rng.integers(0, 10, n)})
        table = SliceTable(slice_summary(rows, label="y", score="s", slicing=Slicing(["g"])))
        claims = [
            Claim(str(i), "", "recall", "", gap_bounds(table, "recall", f"g={i}", "best"), minimum=0.0)
            for i in range(10)
        ]
        claims.append(
            Claim("eo", "", "", "", fairness_bounds(table, "g", "equal_opportunity_difference"), maximum=1e-9)
        )
        wrong += any(check.verdict == "fail" for check in judge(claims).checks)
    assert wrong / trials <= 0.05 + 2 * np.sqrt(0.05 * 0.95 / trials)


def test_a_real_gap_is_failed(rows):
    worse = rows.assign(y=np.where(rows.g == "c", (rows.s < 0.5).astype(int), rows.y))
    summary = slice_summary(worse, label="y", score="s", slicing=Slicing(["g"]))
    for versus in ("complement", "best", "overall"):
        bounds = gap_bounds(summary, "recall", "g=c", versus)
        check = judge([Claim("x", "", "recall", "g=c", bounds, minimum=-0.1)]).checks[0]
        assert check.verdict == "fail", versus


def test_given_predictions_take_the_place_of_the_threshold(rows):
    summary = slice_summary(rows, label="y", score="s", slicing=Slicing([]), prediction=1 - rows.y)
    assert metric_bounds(summary, "accuracy").value == 0
    assert summary.threshold is None


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda s: metric_bounds(s, "acuracy"), "there is no 'acuracy'"),
        (lambda s: metric_bounds(s, "accuracy", "g=z"), "no rows are in 'g=z'"),
        (lambda s: gap_bounds(s, "recall", "g=a", "worst"), "expected one of complement, best, overall"),
        (lambda s: gap_bounds(s, "recall", "g=a", "best", kind="product"), "kind: there is no 'product'"),
        (lambda s: disaggregate(s, versus=["worst"]), "versus: there is no 'worst'"),
        (lambda s: fairness_bounds(s, "z", "demographic_parity_ratio"), "no slice column"),
        (lambda s: fairness_bounds(s, "g", "parity"), "fairness: there is no 'parity'; expected one of demographic"),
    ],
)
def test_unknown_names_are_refused_with_those_there_are(rows, call, message):
    with pytest.raises(InputError, match=message):
        call(slice_summary(rows, label="y", score="s", slicing=Slicing(["g"])))


@pytest.mark.parametrize("call", [
    lambda table, label: metric_bounds(table, "auc", label),
    lambda table, label: gap_bounds(table, "fpr", label, "best"),
    lambda table, label: gap_bounds(table, "recall", label, "complement", kind="ratio"),
])  # fmt: skip
def test_limits_asked_for_many_slices_are_those_asked_for_one(rows, call):
    summary = slice_summary(rows, label="y", score="s", slicing=Slicing(["g", "h"], depth=2))
    labels, shared = [one.label for one in summary.slices if one.label != "overall"], SliceTable(summary)
    for label in labels:
        alone = call(SliceTable(summary), label)
        for alpha in (0.5, 0.05, 1e-6):
            both = call(shared, label)
            assert both.lower(alpha) == pytest.approx(alone.lower(alpha), rel=1e-12, abs=1e-15)
            assert both.upper(alpha) == pytest.approx(alone.upper(alpha), rel=1e-12, abs=1e-15)
