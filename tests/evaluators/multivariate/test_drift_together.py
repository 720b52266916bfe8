"""Drift of columns together, and of vectors: correlation alone, what carries it, false alarms, and what is refused."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from evaluators.test_drift_calls import drift, failed, scored
from mlflow.exceptions import MlflowException
from support.evaluating import World


def correlated(seed: int, rho: float, n: int = 5_000, **more: Any) -> pd.DataFrame:
    """Two columns of standard normals, which have this correlation, among others."""
    rng = np.random.default_rng([seed, n])
    a, other = rng.normal(size=(2, n))
    b = rho * a + np.sqrt(1 - rho**2) * other
    return scored(seed, n, a=a, b=b, g=rng.choice(list("abc"), n), **more)


def vectors(seed: int, n: int = 2_000, width: int = 12, shift: float = 0.0) -> list[np.ndarray]:
    """Embeddings: of several directions with unlike spreads."""
    rng = np.random.default_rng([seed, n, width])
    return list(rng.normal(size=(n, width)) * np.linspace(2, 0.1, width) + shift * np.linspace(2, 0.1, width))


def check(found: dict[str, Any], identity: str) -> dict[str, Any]:
    return next(one for one in found["checks"] if one["id"] == identity)


def test_a_change_of_correlation_alone_is_found_and_its_columns_are_named(world: World) -> None:
    found, _ = drift(correlated(1, 0.5), correlated(2, 0.0), multivariate=True)
    assert failed(found) == {"two_sample_auc:overall"}
    one = check(found, "two_sample_auc:overall")
    assert one["interval"][0] > one["maximum"] == 0.53
    carriers = found["measurements"]["together"]["carriers"]
    assert {one["column"] for one in carriers if one["named"]} == {"a", "b"}
    assert {one["column"] for one in carriers[:2]} == {"a", "b"}


def test_rows_that_are_alike_pass_and_nothing_is_named(world: World) -> None:
    found, _ = drift(correlated(3, 0.5), correlated(4, 0.5), multivariate=True)
    assert failed(found) == set()
    assert check(found, "two_sample_auc:overall")["verdict"] == "pass"
    assert not any(one["named"] for one in found["measurements"]["together"]["carriers"])
    # Without it nothing of the kind is in the document.
    plain, _ = drift(correlated(3, 0.5), correlated(4, 0.5))
    assert "together" not in plain["measurements"]
    assert {one["metric"] for one in plain["checks"]}.isdisjoint({"two_sample_auc"})


def test_vectors_are_judged_instead_of_passed_over(world: World) -> None:
    before = correlated(5, 0.0, 2_000, e=vectors(5))
    alike, _ = drift(correlated(6, 0.0, 2_000, e=vectors(6)), before)
    moved, _ = drift(correlated(6, 0.0, 2_000, e=vectors(6, shift=0.5)), before)
    assert failed(alike) == set() == {one["column"] for one in alike["measurements"]["passed_over"]}
    assert failed(moved) == {"two_sample_auc:e", "mean_shift:e"}
    one = moved["measurements"]["vectors"][0]
    # Half a standard deviation along the axis of each number, which are the principal axes.
    assert one["name"] == "e" and abs(one["mean_shift"]["value"] - 0.5) < 0.1


def test_the_order_of_the_rows_changes_nothing(world: World) -> None:
    data, before = correlated(7, 0.3, 1_500), correlated(8, 0.0, 1_500)
    once, _ = drift(data, before, multivariate=True)
    again, _ = drift(data.iloc[::-1].reset_index(drop=True), before.sample(frac=1, random_state=1), multivariate=True)
    assert once["measurements"] == again["measurements"]


@pytest.mark.parametrize(
    ("now", "reason"),
    [
        ([[1.0, 2.0], [1.0]] * 200, "its lists have 1 to 2 values; vectors that are compared have one length"),
        ([["a"] * 12] * 400, "its lists hold something else than numbers"),
    ],
)
def test_lists_that_are_no_vectors_are_passed_over_by_name(world: World, now: list[Any], reason: str) -> None:
    before, data = correlated(5, 0.0, 400, e=now), correlated(6, 0.0, 400, e=now)
    found, _ = drift(data, before, multivariate=True)
    assert found["measurements"]["passed_over"] == [{"column": "e", "reason": reason}]
    assert "e" not in found["measurements"]["together"]["columns"]
    with pytest.raises(MlflowException, match=f"column 'e': {reason}; leave it out of the columns"):
        drift(data, before, columns=["x", "e"])


def test_few_rows_decide_nothing(world: World) -> None:
    found, _ = drift(correlated(1, 0.5, 80), correlated(2, 0.0, 5_000), multivariate=True)
    one = check(found, "two_sample_auc:overall")
    assert (one["verdict"], one["n"], one["value"], one["n_to_decide"]) == ("insufficient", 80, None, 100)


def test_constant_columns_are_left_out_by_name(world: World) -> None:
    before, data = correlated(1, 0.0, 400, k=7), correlated(2, 0.0, 400, k=7)
    found, _ = drift(data, before, multivariate=True)
    said = [{"column": "k", "reason": "it has the same value in all rows"}]
    assert found["measurements"]["together"]["passed_over"] == said


def test_infinite_missing_and_new_values_are_compared(world: World) -> None:
    before, data = correlated(1, 0.0, 400), correlated(2, 0.0, 400)
    data["a"] = data.a.where(data.index % 3 > 0, np.inf)
    data["b"] = data.b.where(data.index % 3 > 0)
    data["g"] = data.g.where(data.index % 3 > 0, "new")
    found, _ = drift(data, before, multivariate=True)
    assert check(found, "two_sample_auc:overall")["value"] > 0.6
