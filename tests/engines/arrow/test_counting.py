"""Every Summary is the same however its rows are counted: at once, in small chunks, by two threads."""

from __future__ import annotations

import threading
from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest
from support.summaries import arrays

from mlflow_eval_plugin.engines.arrow import (
    counting,
    digest_summary,
    fold_summary,
    moment_summary,
    paired_rows,
    paired_summary,
    placement_summary,
    predicted_rows,
    score_summary,
    slice_summary,
    system_summary,
)
from mlflow_eval_plugin.engines.arrow.multiclass.inputs import ClassScored
from mlflow_eval_plugin.engines.arrow.multiclass.paired import paired_class_summary
from mlflow_eval_plugin.engines.arrow.multiclass.slices import multiclass_summary
from mlflow_eval_plugin.engines.arrow.queries import Sliced, sliced_columns
from mlflow_eval_plugin.engines.arrow.regression.paired import paired_moment_summary
from mlflow_eval_plugin.engines.slicing import Slicing
from mlflow_eval_plugin.query import NamedQuery, parse
from mlflow_eval_plugin.stats.inference.costs import ClassCosts

ROWS = 403
SLICED = Slicing(["g", "h"], depth=2, queries=[NamedQuery("young", "t < 0.5", parse("t < 0.5"))])


@pytest.fixture(scope="module")
def people() -> pd.DataFrame:
    rng = np.random.default_rng(11)
    return pd.DataFrame(
        {
            "s": rng.choice([0.0, 1.0, *rng.random(50)], ROWS),
            "p": rng.random(ROWS),
            "y": rng.integers(0, 2, ROWS),
            "w": rng.random(ROWS) * 7,
            "g": rng.choice(np.array(["a", "b", None], dtype=object), ROWS),
            "h": rng.integers(0, 3, ROWS),
            "t": rng.normal(size=ROWS),
            "u": rng.normal(size=ROWS),
            "ms": rng.lognormal(size=ROWS),
        }
    )


def pairs(people: pd.DataFrame):
    return paired_rows(people, label="y", champion="p", challenger="s", weight="w", slicing=SLICED)


def placements(people: pd.DataFrame):
    return placement_summary(pairs(people), paired_summary(pairs(people)))


def sliced(people: pd.DataFrame) -> Sliced:
    return Sliced(sliced_columns(people, SLICED), 2)


def classes(people: pd.DataFrame, seed: int) -> ClassScored:
    given = np.random.default_rng(seed).dirichlet(np.ones(3), ROWS)
    return ClassScored(("0", "1", "2"), people.h.to_numpy(), given.argmax(axis=1), given, people.w.to_numpy())


def class_pairs(people: pd.DataFrame):
    costs = ClassCosts({"0": {"1": 1.0, "2": 5.0}, "1": {"0": 2.0, "2": 1.0}, "2": {"0": 9.0, "1": 1.0}})
    return paired_class_summary(classes(people, 1), classes(people, 2), sliced(people), costs=costs)


def predicted(people: pd.DataFrame, prediction: str):
    return predicted_rows(people, target="t", prediction=prediction, weight="w", quantiles={0.1: "s", 0.9: "p"})


def moment_pairs(people: pd.DataFrame):
    return paired_moment_summary(predicted(people, "u"), predicted(people, "p"), sliced(people))


COUNTS: dict[str, Callable[[pd.DataFrame], object]] = {
    "scores": lambda people: score_summary(people, label="y", score="s", weight="w"),
    "scores, unweighted": lambda people: score_summary(people, label="y", score="s"),
    "slices": lambda people: slice_summary(people, label="y", score="s", weight="w", slicing=SLICED),
    "slices, unweighted": lambda people: slice_summary(people, label="y", score="s", slicing=SLICED),
    "system": lambda people: system_summary(people, latency="ms", cost="w", slicing=SLICED),
    "pairs": lambda people: paired_summary(pairs(people)),
    "placements": placements,
    "classes": lambda people: multiclass_summary(people, classes(people, 1), slicing=SLICED),
    "pairs of classes": class_pairs,
    "moments": lambda people: moment_summary(people, predicted(people, "u"), slicing=SLICED),
    "folds": lambda people: fold_summary(predicted(people, "u"), 3),
    "pairs of moments": moment_pairs,
    "digest": digest_summary,
}


@pytest.mark.parametrize("name", COUNTS)
@pytest.mark.parametrize(("chunk", "few"), [(7, 10**9), (7, 1), (2**16, 1), (2**16, ROWS), (2**16, ROWS + 1)])
def test_a_summary_is_the_same_however_it_is_counted(monkeypatch, people, name, chunk, few):
    monkeypatch.setattr(counting, "FEW_ROWS", 10**9)
    at_once = arrays(COUNTS[name](people))
    monkeypatch.setattr(counting, "CHUNK_ROWS", chunk)
    monkeypatch.setattr(counting, "FEW_ROWS", few)
    found = arrays(COUNTS[name](people))
    assert found.keys() == at_once.keys()
    for path, value in at_once.items():
        np.testing.assert_array_equal(found[path], value, err_msg=path)
    assert any(isinstance(value, np.ndarray) and value.any() for value in at_once.values()) or name == "digest"


@pytest.mark.parametrize(("few", "parts"), [(ROWS, [(0, 201), (201, 403)]), (ROWS + 1, [(0, 403)])])
def test_many_rows_are_counted_by_two_threads(monkeypatch, few, parts):
    monkeypatch.setattr(counting, "FEW_ROWS", few)
    asked, threads = [], set()
    together = threading.Barrier(len(parts), timeout=20)

    def count(rows):
        together.wait()
        asked.append((rows.start, rows.stop))
        threads.add(threading.get_ident())
        return {"n": np.array([rows.stop - rows.start]), "parts": np.ones((1, 2), dtype=np.int32)}

    found = counting.counted(ROWS, count)
    assert sorted(asked) == parts
    assert len(threads) == len(parts)
    assert found["n"].tolist() == [ROWS]
    assert found["parts"].tolist() == [[len(parts)] * 2] and found["parts"].dtype == np.int32


def test_chunks_are_full_but_the_last():
    size = counting.CHUNK_ROWS
    assert list(counting.chunked(slice(5, 2 * size + 6))) == [
        slice(5, 5 + size), slice(5 + size, 5 + 2 * size), slice(5 + 2 * size, 6 + 2 * size),
    ]  # fmt: skip
    assert list(counting.chunked(slice(5, 5))) == []
