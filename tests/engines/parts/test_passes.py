"""How often rows are read, and what is said when they are not what they were, or not what they must be."""

from __future__ import annotations

import pickle
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from mlflow_eval_plugin.engines.contract import AskedColumns, Sought
from mlflow_eval_plugin.engines.parts.asking import Asking
from mlflow_eval_plugin.engines.parts.binary import BinaryReading, PartedBinaryRows, PartedPairedBinaryRows
from mlflow_eval_plugin.engines.parts.local import LocalPasses
from mlflow_eval_plugin.engines.parts.passes import Kernel
from mlflow_eval_plugin.engines.parts.places import Place, with_places
from mlflow_eval_plugin.engines.parts.rows import PartedRows
from mlflow_eval_plugin.engines.parts.shown import Shown, ShownColumn
from mlflow_eval_plugin.engines.slicing import Slicing
from mlflow_eval_plugin.stats.errors import InputError, TooManyLevels
from mlflow_eval_plugin.stats.slices.weak import weak_slices

SLICING = Slicing(("g", "h"), 2)


def table_of(rows: int = 400, **changed: Any) -> pa.Table:
    rng = np.random.default_rng(11)
    score = rng.random(rows)
    columns: dict[str, Any] = {
        "label": (rng.random(rows) < score).astype(np.int64),
        "score": score,
        "other": rng.random(rows),
        "g": rng.choice(["a", "b", "c"], rows),
        "h": rng.integers(0, 4, rows),
        "x": rng.normal(size=rows),
    }
    return pa.table({**columns, **changed})


@dataclass(eq=False)
class Counting:
    """Passes over tables, which count themselves, take kernels as workers do, and may find other rows each time."""

    tables: Sequence[pa.Table]
    read: list[tuple[str, ...]] = field(default_factory=list)
    name: str = "counting"

    @property
    def schema(self) -> pa.Schema:
        return self.tables[0].schema

    def count(self, kernels: Sequence[Kernel[Any]]) -> tuple[Any, ...]:
        table = self.tables[min(len(self.read), len(self.tables) - 1)]
        self.read.append(tuple(dict.fromkeys(name for one in kernels for name in one.columns)))

        def batches(columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
            first = 0
            for batch in table.select(list(columns)).to_batches(max_chunksize=70):
                places = [Place("b.parquet", first, batch.num_rows)]
                first += batch.num_rows
                yield batch.replace_schema_metadata(with_places(batch.schema, places).metadata)

        sent = pickle.loads(pickle.dumps(list(kernels)))
        answers = LocalPasses(table.schema, batches, part_rows=90).count(sent)
        answers = pickle.loads(pickle.dumps(answers))
        assert isinstance(answers, tuple)
        return answers


def rows_of(*tables: pa.Table, positive: object = None) -> tuple[PartedBinaryRows, Counting]:
    passes = Counting(tables)
    shown = Shown.given(tuple(tables[0].column_names))
    reading = BinaryReading("label", positive, ShownColumn("score", "score", "score"))
    return PartedBinaryRows(Asking(passes, shown), shown, reading), passes


def test_what_is_expected_takes_one_survey_and_one_count() -> None:
    rows, passes = rows_of(table_of())
    rows.expect_scores()
    rows.expect_sliced(SLICING)
    rows.scores()
    rows.sliced(SLICING)
    rows.scores()
    assert len(passes.read) == 2
    assert set(passes.read[0]) == set(table_of().column_names)
    assert set(passes.read[1]) == {"label", "score", "g", "h"}


def test_what_is_not_expected_costs_a_pass_with_its_own_columns_and_has_the_same_answer() -> None:
    rows, passes = rows_of(table_of())
    found = rows.scores()
    assert set(passes.read[1]) == {"label", "score"}
    expected, _ = rows_of(table_of())
    expected.expect_scores()
    expected.expect_sliced(SLICING)
    assert np.array_equal(rows.sliced(SLICING).cells, expected.sliced(SLICING).cells)
    assert np.array_equal(expected.scores().offset, found.offset)
    assert len(passes.read) == 4  # a survey, scores, levels, slices


def test_placements_take_a_third_pass() -> None:
    rows, passes = rows_of(table_of())
    PartedPairedBinaryRows(rows, ShownColumn("other", "other", "score")).counted(Slicing(), (0.5, 0.5))
    assert len(passes.read) == 3


def test_a_search_takes_one_pass_a_level_and_one_for_its_chances() -> None:
    table = table_of(2000)
    planted = (np.array(table["g"]) == "a") & (np.array(table["h"]) == 1)
    wrong = np.where(planted, np.array(table["score"]) < 0.5, np.array(table["label"])).astype(np.int64)
    rows, passes = rows_of(table_of(2000, label=wrong))
    counts = rows.errors(Sought(("g", "h", "x"), 3, {}, {}, 3, 30, as_given=True), "log_loss", 0.5)
    before = len(passes.read)
    found = weak_slices(counts, depth=3, top=20, minimum=20, weight=0.9)
    assert max(len(one.slice) for one in found.slices) > 1
    assert len(passes.read) - before <= 3 + 2


@pytest.mark.parametrize(
    ("later", "said"),
    [
        (table_of().slice(0, 399), r"\(400 rows, then 399; other values of 'g', 'h', 'label', …\)"),
        (table_of(x=table_of()["score"]), None),
        (table_of(g=pa.array(["new"] * 400)), r"\(400 rows, then 400; other values of 'g'\)"),
        (table_of(label=pa.array([5] * 400)), r"\(400 rows, then 400; other values of 'label'\)"),
    ],
)
def test_rows_that_are_not_what_they_were_are_refused(later: pa.Table, said: str | None) -> None:
    rows, _ = rows_of(table_of(), later)
    rows.expect_sliced(SLICING)
    if said is None:  # a column that is not read again
        rows.sliced(SLICING)
        return
    with pytest.raises(InputError, match=f"the data changed between two readings {said}: read a fixed version"):
        rows.sliced(SLICING)


def test_the_survey_stops_when_a_column_has_too_many_levels_and_says_after_how_many_rows() -> None:
    rows, _ = rows_of(table_of(g=pa.array([f"k{one % 50}" for one in range(400)])))
    with pytest.raises(TooManyLevels, match="column 'g' has more than max_levels=30 levels after 180 rows; cut it"):
        rows.sliced(Slicing(("g",), 1, max_levels=30))
    many = {name: pa.array([f"{one % 90}" for one in range(400)]) for name in ("g", "h")}
    rows, _ = rows_of(table_of(**many))
    with pytest.raises(TooManyLevels, match="8,280 possible slices at depth 2 after 180 rows, more than 2,048"):
        rows.sliced(SLICING)


def test_all_that_is_wrong_with_labels_and_scores_is_said_at_once_with_values_and_a_place() -> None:
    whole = table_of()
    label, score = whole["label"].to_pylist(), whole["score"].to_pylist()
    label[130] = label[300] = None
    score[250], score[350], score[20] = 1.5, -3.0, None
    rows, _ = rows_of(table_of(label=pa.array(label), score=pa.array(score)))
    with pytest.raises(InputError) as caught:
        rows.scores()
    said = str(caught.value)
    assert "label: 2 rows are missing, the first at row 130 of b.parquet" in said
    assert "score: 1 row is missing, the first at row 20 of b.parquet" in said
    assert "score: 2 rows are out of bounds, from -3.0 to 1.5, the first at row 250 of b.parquet" in said


def test_a_third_class_is_said_with_how_many_rows_have_it_and_where_the_first_is() -> None:
    label = table_of()["label"].to_pylist()
    label[222], label[333] = 7, 9
    rows, _ = rows_of(table_of(label=pa.array(label)))
    with pytest.raises(
        InputError, match=r"found 4 \(0, 1, 7, 9\): 2 rows are of another, from 7 to 9, the first at row"
    ):
        rows.scores()


def test_no_rows_are_refused() -> None:
    rows, _ = rows_of(table_of().slice(0, 0))
    with pytest.raises(InputError, match="there are no rows to evaluate"):
        rows.scores()


def test_rows_of_two_sources_are_compared_with_a_pass_for_bins_and_a_pass_for_each_count() -> None:
    names = ("score", "g", "x")
    before, after = Counting([table_of()]), Counting([table_of()])
    sides = [PartedRows(Asking(one, Shown.given(names)), Shown.given(names)) for one in (before, after)]
    counts = sides[1].drift(sides[0], AskedColumns(names, as_given=True))
    assert [one.rows for one in (counts.reference, counts.current)] == [400, 400]
    assert (len(before.read), len(after.read)) == (2, 2)
