"""Spark answers what any source of rows in parts answers, and only answers reach the driver."""

import datetime as dt
import decimal
import json
import pickle

import numpy as np
import pyarrow as pa
import pytest
from pyarrow import parquet
from support.shards.kernels import Refusing, Rows, Table, Types

from mlflow_eval_plugin.engines.parts.local import LocalPasses
from mlflow_eval_plugin.engines.spark import passes as of_spark
from mlflow_eval_plugin.engines.spark import workers
from mlflow_eval_plugin.engines.spark.passes import SparkPasses
from mlflow_eval_plugin.engines.spark.shipping import ANSWER, Counting, Merging
from mlflow_eval_plugin.stats.errors import InputError

TABLE = pa.table(
    {
        "k": pa.array([number % 7 if number % 11 else None for number in range(50_000)], type=pa.int64()),
        "at `noon`": pa.array([dt.datetime(2026, 1, 1, tzinfo=dt.timezone.utc)] * 50_000, pa.timestamp("us", "UTC")),
    }
)


@pytest.fixture(scope="module")
def framed(spark, tmp_path_factory):
    """Arrow tables as frames of Spark, by Parquet files, which every release reads."""

    def make(table):
        path = tmp_path_factory.mktemp("spark") / "rows.parquet"
        parquet.write_table(table, path)
        return spark.read.parquet(str(path))

    return make


@pytest.fixture(scope="module")
def frame(framed):
    return framed(TABLE).repartition(5)


def local(table=TABLE, rows=1000):
    return LocalPasses(table.schema, lambda names: table.select(names).to_batches(max_chunksize=rows))


def test_the_sums_are_those_of_one_process(frame):
    kernels = [Table("k", 7), Rows(), Refusing("k", 8)]
    table, rows, fine = SparkPasses(frame).count(kernels)
    own, own_rows, own_fine = local().count(kernels)
    assert table.tobytes() == own.tobytes() and (rows.rows, fine) == (own_rows.rows, own_fine) == (50_000, 50_000)
    assert len(rows.parts) == 5  # gathered: one part a partition, though Spark hands over 10,000 rows at a time


def test_parts_are_gathered_to_as_many_rows_as_asked(frame):
    (rows,) = SparkPasses(frame.coalesce(1), part_rows=16_384).count([Rows()])
    assert rows.parts == (848, 16_384, 16_384, 16_384)


def test_partitions_without_rows_and_frames_without_rows(spark, frame):
    (table,) = SparkPasses(frame.filter("k = 3").repartition(24)).count([Table("k", 7)])
    assert table[3] == table.sum() == local().count([Table("k", 7)])[0][3]
    empty, rows = SparkPasses(frame.filter("k = 99")).count([Table("k", 7), Rows()])
    assert empty.tolist() == [0] * 8 and rows.rows == 0


def test_what_a_kernel_refuses_is_refused_here_in_its_words(frame):
    for number in (3, 4):  # on a worker, in the words of the first by name, whichever worker comes first
        with pytest.raises(InputError, match=r"^k: found 3$"):
            SparkPasses(frame).count([Table("k", 7), Refusing("k", 3), Refusing("k", number)])


def test_types_are_those_of_the_table_whatever_the_sessions_zone(framed):
    made = {
        "a": ([True], pa.bool_()), "b": ([1], pa.int8()), "c": ([1], pa.int16()), "d": ([1], pa.int32()),
        "e": ([1], pa.int64()), "f": ([1.5], pa.float32()), "g": ([1.5], pa.float64()), "h": (["x"], pa.string()),
        "i": ([dt.date(2026, 1, 1)], pa.date32()), "j": ([decimal.Decimal("1.50")], pa.decimal128(10, 2)),
        "k": ([dt.datetime(2026, 1, 1, tzinfo=dt.timezone.utc)], pa.timestamp("us", "UTC")),
        "l": ([dt.datetime(2026, 1, 1)], pa.timestamp("us")),
    }  # fmt: skip
    table = pa.table({name: pa.array(values, type=kind) for name, (values, kind) in made.items()})
    found = SparkPasses(framed(table))
    assert found.schema.equals(table.schema)
    assert found.count([Types(tuple(made))])[0].found == {tuple(str(kind) for _, kind in made.values())}


@pytest.mark.parametrize(
    ("sql", "said"),
    [
        ("array(1)", "column 'x' holds lists; leave it out or explode it"),
        ("map(1, 2)", "column 'x' holds maps; leave it out or explode it"),
        ("named_struct('a', 1)", "column 'x' holds records; leave it out, or give its fields as columns"),
        ("cast('a' as binary)", "column 'x' holds bytes; leave it out, or decode it"),
        ("interval 1 day", "column 'x' holds intervals; leave it out, or give it as seconds"),
        (
            "parse_json('1')",
            "column 'x' holds values of several types; leave it out, or extract what is compared",
        ),
    ],
)
def test_columns_that_have_no_single_value_a_row_are_refused_all_at_once(spark, sql, said):
    if sql.startswith("parse_json") and spark.version < "4":
        pytest.skip("Spark 3 has no variants")
    with pytest.raises(InputError) as refused:
        SparkPasses(spark.sql(f"select {sql} as x, {sql} as y, 1 as z, 2 as z")).schema  # noqa: B018
    assert str(refused.value) == "; ".join(
        [said, said.replace("'x'", "'y'"), "there are several columns 'z'; rename all but one"]
    )


def test_what_reaches_the_driver_does_not_grow_with_rows_or_partitions(spark, frame):
    kernels = (Table("k", 100_000),)
    schema = pa.schema([TABLE.schema.field("k")])

    def sent(rows, partitions):
        many = spark.range(rows).selectExpr("id % 97 as k").repartition(partitions)
        counted = many.mapInArrow(Counting(kernels, schema, 1000), ANSWER)
        merged = counted.repartition(of_spark.MERGING).mapInArrow(Merging(1), ANSWER).collect()
        return [len(row[0]) for row in merged]

    few, many = sent(1000, 2), sent(100_000, 64)
    assert len(many) <= of_spark.MERGING and max(many) < 1.2 * max(few) + 1000


def test_workers_without_the_package_are_told_of_before_a_kernel_is_sent(frame, monkeypatch):
    without = workers._PROBE.replace("import mlflow_eval_plugin.engines.parts", "import absent_here")
    monkeypatch.setattr(workers, "_PROBE", without)
    monkeypatch.setattr(workers, "_here", lambda: '{"python": "3", "numpy": "2.0", "package": "0.1.0"}')
    with pytest.raises(InputError, match=r"lack what counts rows \(No module named 'absent_here'\); install"):
        SparkPasses(frame).count([Rows()])


def test_workers_with_another_version_are_told_of_with_both(frame, monkeypatch):
    here = workers._here()
    there = json.loads(here)["numpy"]
    monkeypatch.setattr(workers, "_here", lambda: here.replace(there, "1.26.4"))
    said = rf"other versions: numpy 1\.26\.4 here and {there} there; install the same"
    with pytest.raises(InputError, match=said):
        SparkPasses(frame).count([Rows()])


def test_nothing_but_the_frame_is_held(frame):
    """A pass is a job: nothing is cached, and kernels and answers are pickles of this package alone."""
    made = Counting((Table("k", 7),), pa.schema([TABLE.schema.field("k")]), 1000)
    (batch,) = pickle.loads(pickle.dumps(made))(TABLE.to_batches())
    assert batch.num_rows == 1 and not frame.is_cached
    assert np.frombuffer(batch.column(0)[0].as_py()[:8], ">u8")[0] > 0
