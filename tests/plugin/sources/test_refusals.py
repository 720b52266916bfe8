"""What cannot be read as data is refused before a run is started: all reasons at once, each with the way out."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from pyarrow import parquet

from mlflow_eval_plugin.plugin.sources.opening import opened
from mlflow_eval_plugin.plugin.sources.source import Source
from mlflow_eval_plugin.stats.errors import InputError


def write(folder: Path, name: str, **columns: Any) -> str:
    parquet.write_table(pa.table(columns), folder / name)
    return str(folder / name)


def refusal(given: Any) -> str:
    with pytest.raises(InputError) as refused:
        opened(given)
    return str(refused.value)


def source_of(given: Any) -> Source:
    found = opened(given).source
    assert found is not None
    return found


def rows_of(given: Any, columns: Sequence[str] | None = None) -> pa.Table:
    source = source_of(given)
    names = source.schema.names if columns is None else columns
    return pa.Table.from_batches(source.batches(names), pa.schema([source.schema.field(name) for name in names]))


def test_files_of_differing_schema_are_told_by_column_type_and_file(tmp_path: Path) -> None:
    first = write(tmp_path, "a.parquet", x=[1.5], y=["a"], z=[True])
    second = write(tmp_path, "b.parquet", x=[1.5], y=[1], w=[1])
    said = refusal(tmp_path)
    assert f"column 'y' is string in {first} and int64 in {second}" in said
    assert f"column 'z' is in {first} and not in {second}" in said
    assert f"column 'w' is in {second} and not in {first}" in said


@pytest.mark.parametrize(
    ("kinds", "why"),
    [
        ((pa.float32(), pa.float64()), "column 'x' is float in"),
        ((pa.int64(), pa.float32()), "column 'x' is int64 in"),
        ((pa.int32(), pa.int64()), "column 'x' is int32 in"),
        ((pa.int64(), pa.string()), "column 'x' is int64 in"),
        ((pa.int64(), pa.bool_()), "column 'x' is int64 in"),
        ((pa.timestamp("ms"), pa.timestamp("us")), "column 'x' is timestamp[ms] in"),
        ((pa.timestamp("us"), pa.timestamp("us", "UTC")), "column 'x' is timestamp[us] in"),
    ],
)
def test_nothing_is_widened_but_integers(kinds: tuple[Any, Any], why: str, tmp_path: Path) -> None:
    for name, kind in zip("ab", kinds, strict=True):
        write(tmp_path, f"{name}.parquet", x=pa.array([None], kind), y=[1])
    assert why in refusal(tmp_path)


@pytest.mark.parametrize("order", ["ab", "ba"])
def test_integers_are_floats_where_another_file_has_floats(order: str, tmp_path: Path) -> None:
    write(tmp_path, f"{order[0]}.parquet", x=[1, 2], t=["u", "v"])
    write(tmp_path, f"{order[1]}.parquet", x=[2.5], t=pa.array(["u"]).dictionary_encode())
    found = rows_of(tmp_path)
    assert found.schema.field("x").type == pa.float64()
    assert sorted(found.column("x").to_pylist()) == [1.0, 2.0, 2.5]


def test_a_whole_number_that_no_float_is_equal_to_is_not_widened(tmp_path: Path) -> None:
    write(tmp_path, "a.parquet", x=[2**53 + 1])
    write(tmp_path, "b.parquet", x=[0.5])
    with pytest.raises(InputError, match=r"a\.parquet"):
        rows_of(tmp_path)


def test_a_column_without_a_value_is_of_the_type_of_the_others(tmp_path: Path) -> None:
    write(tmp_path, "a.parquet", x=pa.nulls(2), y=[1, 2])
    write(tmp_path, "b.parquet", x=["u"], y=[3])
    assert rows_of(tmp_path).column("x").to_pylist() == [None, None, "u"]


def test_the_order_of_columns_may_differ(tmp_path: Path) -> None:
    write(tmp_path, "a.parquet", x=[1], y=["a"])
    write(tmp_path, "b.parquet", y=["b"], x=[2])
    assert rows_of(tmp_path, ["y"]).column("y").to_pylist() == ["a", "b"]


@pytest.mark.parametrize(
    ("values", "kind", "what"),
    [
        ([["a", "b"]], None, "column 'tags' holds lists; leave it out or explode it"),
        ([{"a": 1}], None, "column 'tags' holds structs; leave it out"),
        ([[("a", 1)]], pa.map_(pa.string(), pa.int64()), "column 'tags' holds maps; leave it out or explode it"),
        ([b"a"], None, "column 'tags' holds bytes; leave it out"),
        ([None], pa.month_day_nano_interval(), "column 'tags' holds intervals; leave it out"),
    ],
)
def test_columns_of_types_that_nothing_can_evaluate(values: Any, kind: Any, what: str) -> None:
    table = pa.table({"tags": pa.array(values, kind), "x": [1]})
    assert what in refusal(table)


def test_all_of_them_are_named(tmp_path: Path) -> None:
    said = refusal(write(tmp_path, "a.parquet", tags=[["a"]], more=[{"a": 1}], x=[1]))
    assert "'tags' holds lists" in said and "'more' holds structs" in said


def test_a_glob_or_path_without_files(tmp_path: Path) -> None:
    pattern = str(tmp_path / "*.parquet")
    assert refusal(pattern) == f"data: {pattern}: there are no files; looked for files whose path matches {pattern!r}"
    absent = str(tmp_path / "scored.parquet")
    assert refusal(absent) == f"data: {absent}: there are no files; looked for {absent!r}"
    said = refusal([absent, pattern])
    assert f"{absent}: there are no files" in said and f"{pattern}: there are no files" in said
    assert "there are no files" in refusal(tmp_path)


def test_a_glob_is_taken_by_folder(tmp_path: Path) -> None:
    for folder in ("a", "a/b", "_temporary"):
        (tmp_path / folder).mkdir()
    for name in ("a/1.parquet", "a/b/2.parquet", "3.parquet", "_temporary/4.parquet", "a/.5.parquet"):
        write(tmp_path, name, x=[int(next(one for one in name if one.isdigit()))])

    def found(given: Any) -> list[int]:
        return sorted(rows_of(given).column("x").to_pylist())

    assert found(tmp_path) == [1, 2, 3]
    assert found(str(tmp_path / "*.parquet")) == [3]
    assert found(str(tmp_path / "a" / "[0-9].parquet")) == [1]
    assert found(str(tmp_path / "a" / "**" / "?.parquet")) == [1, 2]


def test_no_rows(tmp_path: Path) -> None:
    for name in "ab":
        write(tmp_path, f"{name}.parquet", x=pa.array([], pa.int64()))
    assert "its 2 files have no rows; check what wrote it" in refusal(tmp_path)
    assert "it has no rows" in refusal(pa.table({"x": pa.array([], pa.int64())}))


def test_files_that_are_cut_short_or_no_parquet_are_named_with_their_size(tmp_path: Path) -> None:
    whole = Path(write(tmp_path, "a.parquet", x=list(range(1000))))
    content = whole.read_bytes()
    (tmp_path / "b.parquet").write_bytes(content[: len(content) // 2])
    (tmp_path / "c.parquet").write_text("x,y\n1,2\n")
    (tmp_path / "d.parquet").write_bytes(b"")
    said = refusal(tmp_path)
    assert f"b.parquet ({len(content) // 2:,} bytes): it was cut short or damaged" in said
    assert "c.parquet (8 bytes): expected a Parquet file, which begins with PAR1, found b'x,y\\n'" in said
    assert "d.parquet (0 bytes): it is empty" in said
    assert "a.parquet" not in said


def test_pages_that_are_damaged_are_found_when_they_are_read(tmp_path: Path) -> None:
    path = Path(write(tmp_path, "a.parquet", x=np.random.default_rng(0).random(50_000)))
    content = bytearray(path.read_bytes())
    content[4:40] = bytes(36)
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"a\.parquet \(.* bytes\): it was cut short or damaged"):
        rows_of(path)


def test_what_can_be_read_once_is_refused_with_both_ways_out() -> None:
    reader = pa.table({"x": [1]}).to_reader()
    assert "can be read once, and rows are read at least twice; give a path, or a callable" in refusal(reader)
    same = pa.table({"x": [1]}).to_reader()
    assert "it gives one reader, which can be read once; have it make a new one" in refusal(lambda: same)
    assert "expected that it returns a pyarrow.RecordBatchReader, found list" in refusal(lambda: [1])


@pytest.mark.parametrize("when", ["between", "meanwhile"])
def test_a_file_that_is_replaced_is_found(when: str, tmp_path: Path) -> None:
    path = write(tmp_path, "a.parquet", x=list(range(200_000)))
    source = source_of(path)

    def replace() -> None:
        write(tmp_path, "b.parquet", x=list(range(200_000, 400_000)))
        (tmp_path / "b.parquet").replace(path)

    def read() -> Iterator[int]:
        for place, batch in enumerate(source.batches(["x"])):
            if when == "meanwhile" and place == 0:
                replace()
            yield batch.num_rows

    if when == "between":
        assert sum(read()) == 200_000
        replace()
    with pytest.raises(InputError, match=r"the data changed between two readings .*: read a fixed version"):
        list(read())


def test_a_file_that_is_gone_is_named(tmp_path: Path) -> None:
    path = write(tmp_path, "a.parquet", x=[1])
    source = source_of(path)
    Path(path).unlink()
    with pytest.raises(InputError, match=r"a\.parquet: it was there, and is no longer"):
        list(source.batches(["x"]))


@pytest.mark.parametrize("given", [7, object(), b"a.parquet"])
def test_what_is_no_data(given: Any) -> None:
    assert "data: expected a path, a list of paths, a data frame" in refusal(given)


def test_a_url_that_nothing_reads() -> None:
    assert "ftps://host/a.parquet: nothing here reads ftps://" in refusal("ftps://host/a.parquet")


def test_several_columns_of_one_name() -> None:
    table = pa.Table.from_arrays([pa.array([1]), pa.array([2])], names=["x", "x"])
    assert "there are several columns 'x'; rename all but one" in refusal(table)


def test_frames_of_pandas_are_held_as_they_are() -> None:
    frame = pd.DataFrame({"x": [[1], "a"]})
    assert opened(frame).held is frame
