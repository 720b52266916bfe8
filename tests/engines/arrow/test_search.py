"""What a search is given: which columns, how they are cut, and one exact error a row."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import log_loss

from mlflow_eval_plugin.engines.arrow.binary.errors import error_counts
from mlflow_eval_plugin.engines.arrow.binary.slices import slice_summary
from mlflow_eval_plugin.engines.arrow.search import searched_columns
from mlflow_eval_plugin.engines.contract import PassedOver
from mlflow_eval_plugin.engines.slicing import Slicing
from mlflow_eval_plugin.stats.errors import InputError, TooManyLevels
from mlflow_eval_plugin.stats.slices.lattice import NO_CODES
from mlflow_eval_plugin.stats.slices.weak import weak_slices


@pytest.fixture(scope="module")
def rows() -> pd.DataFrame:
    rng = np.random.default_rng(3)
    n = 2500
    score = rng.random(n)
    return pd.DataFrame(
        {
            "y": (rng.random(n) < score).astype(int),
            "s": score,
            "few": rng.integers(0, 10, n).astype(float),
            "many": np.where(rng.random(n) < 0.1, np.nan, rng.normal(size=n)),
            "endless": np.where(rng.random(n) < 0.3, np.inf, rng.normal(size=n)),
            "flag": rng.random(n) < 0.5,
            "text": pd.Categorical(rng.choice(["a", "b"], n), ["a", "b", "never"]),
            "when": pd.Timestamp("2024-01-01") + pd.to_timedelta(np.arange(n), unit="h"),
            "name": [f"n{i}" for i in range(n)],
            "nothing": np.full(n, np.nan),
            "one": 1,
        }
    )


FEATURES = ["text", "many", "few", "flag", "endless", "when", "name", "nothing", "one"]


def coded(rows: pd.DataFrame, names: list[str], **options: Any) -> Any:
    given: dict[str, Any] = {"edges": {}, "quantiles": {}, "bands": 10, "max_levels": 100, "as_given": False}
    return searched_columns(rows, names, **{**given, **options})


def test_numbers_are_cut_where_they_have_many_values_and_what_cannot_be_searched_is_named(rows: pd.DataFrame) -> None:
    columns, passed_over = coded(rows, FEATURES)
    levels = {column.name: column.levels for column in columns}
    assert list(levels) == ["endless", "few", "flag", "many", "text", "when"]
    assert levels["few"] == tuple(map(str, range(10)))
    assert (levels["flag"], levels["text"]) == (("0", "1"), ("a", "b"))
    assert len(levels["many"]) == 11 and levels["many"][-1] == "(missing)"
    assert levels["endless"][-1].endswith(", inf)")
    assert len(levels["when"]) == 10 and levels["when"][0].startswith("[2024-01-01 00:00:00, 2024-")
    assert passed_over == (
        PassedOver("name", "more than 100 levels"),
        PassedOver("nothing", "the same in all rows"),
        PassedOver("one", "the same in all rows"),
    )


def test_bands_are_those_of_slices(rows: pd.DataFrame) -> None:
    (by_edges,), _ = coded(rows, ["many"], edges={"many": [-1, 0, 1]})
    (by_parts,), _ = coded(rows, ["many"], quantiles={"many": 4})
    for column, options in ((by_edges, {"edges": {"many": [-1, 0, 1]}}), (by_parts, {"quantiles": {"many": 4}})):
        summary = slice_summary(rows, label="y", score="s", slicing=Slicing(["many"], **options))
        assert column.levels == tuple(one.levels[0][1] for one in summary.slices[1:])
        assert np.bincount(column.codes).tolist() == summary.cells[1:].sum(axis=(1, 2)).tolist()


def test_columns_that_were_asked_for_must_do(rows: pd.DataFrame) -> None:
    with pytest.raises(TooManyLevels, match="search: column 'name' has 2,500 levels"):
        coded(rows, ["name"], as_given=True)
    with pytest.raises(InputError, match="search: no column 'mny', did you mean 'y' or 'many'"):
        coded(rows, ["mny"], as_given=True)
    with pytest.raises(InputError, match="slices: no column 'mny'"):
        coded(rows, ["mny"])


@pytest.mark.parametrize("kind", ["log_loss", "brier", "wrong"])
def test_errors_are_those_of_every_row_in_any_order(rows: pd.DataFrame, kind: Any) -> None:
    expected = {
        "log_loss": log_loss(rows.y, rows.s),
        "brier": ((rows.s - rows.y) ** 2).mean(),
        "wrong": ((rows.s >= 0.4) != rows.y).mean(),
    }[kind]
    found = []
    for part in (rows, rows.sample(frac=1, random_state=1)[list(reversed(rows.columns))]):
        columns, _ = coded(part, ["few", "many", "text"])
        counts = error_counts(part, columns, label="y", score="s", error=kind, threshold=0.4)
        whole = counts.split((), NO_CODES).by(0)
        assert whole.total.sum() / counts.one / len(rows) == pytest.approx(expected, abs=1e-9)
        assert counts.spectrum.n.sum() == len(rows)
        found.append(weak_slices(counts, depth=3, top=10, minimum=30, weight=1.0))
    assert found[0] == found[1]
    assert len(found[0].slices) == 10


def test_cells_of_several_columns_are_counted_in_the_order_asked_for(rows: pd.DataFrame) -> None:
    columns, _ = coded(rows, ["few", "flag", "text"])
    counts = error_counts(rows, columns, label="y", score="s", error="wrong", threshold=0.5)
    cells = np.array([[7, 1], [0, 0], [7, 0], [3, 1]])
    table = counts.split((0, 1), cells).by(2)
    wrong = (rows.s >= 0.5) != rows.y
    for i, (few, flag) in enumerate(cells):
        for j, text in enumerate(["a", "b"]):
            inside = (rows.few == few) & (rows.flag == bool(flag)) & (rows.text == text)
            assert table.n[i, j] == inside.sum()
            assert table.total[i, j] / counts.one == wrong[inside].sum()
            assert table.largest[i, j] / counts.one == wrong[inside].max()
    assert counts.square((0, 1), cells[2]) == wrong[(rows.few == 7) & ~rows.flag].sum()
    assert counts.slice_of((0, 1), cells[0]).label == "few=7 & flag=1"
