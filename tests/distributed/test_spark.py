"""Spark: the rows of Polars for the same seed, on one core and on two, from memory and from files."""

from __future__ import annotations

import doctest
import inspect
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

pytest.importorskip("pyspark", reason="PySpark is not installed")

from pyspark.sql import functions as F  # noqa: N812 - after what may not be there

import tql_frames
import tql_frames.spark as tql
from tests.distributed.spark_session import (
    BOTH,
    REPLACE,
    STRATA,
    TWO,
    XRAYS,
    in_random_order,
    rows_of,
)
from tests.pages import blocks_of, check_examples
from tql_frames import TQLArmWarning, TQLError, TQLNameError, TQLTypeError, TQLUnsupportedError, TQLWarning, WeightError

# PySpark warns of pandas 3, which it looks for wherever Arrow is used.
pytestmark = [pytest.mark.usefixtures("in_time"), pytest.mark.filterwarnings("ignore")]

SECONDS = 180  # for a test


# -- the rows ---------------------------------------------------------------------------------------------------------


@BOTH
@REPLACE
@pytest.mark.parametrize("sampler", [STRATA, "dose"], ids=["strata", "rows"])
def test_one_seed_one_sample_from_memory(xrays, sampler, replace):
    found = rows_of(tql.sample(xrays, sampler, 1_500, replace=replace, seed=7))
    expected = XRAYS.tql.sample(sampler, 1_500, replace=replace, seed=7, order="source")
    assert found["index"].to_list() == expected["index"].to_list()
    assert found.drop("index").rows() == expected.drop("index").rows()
    if sampler == "dose":  # pandas, too
        labels = XRAYS.to_pandas().tql.sample(sampler, 1_500, replace=replace, seed=7, order="source").index
        assert found["index"].to_list() == labels.to_list()


@BOTH
@REPLACE
@pytest.mark.parametrize("sampler", [STRATA, "dose"], ids=["strata", "rows"])
def test_one_seed_one_sample_from_parquet(spark, tmp_path, sampler, replace):
    for number, start in enumerate(range(0, 5_000, 600)):
        XRAYS[start : start + 600].write_parquet(tmp_path / f"{number}.parquet")
    XRAYS.head(0).write_parquet(tmp_path / "none.parquet")
    frame = spark.read.parquet(str(tmp_path))
    whole = rows_of(frame)  # in the order in which Spark reads files: the longest first
    found = rows_of(tql.sample(frame, sampler, 1_500, replace=replace, seed=7))
    expected = whole.tql.sample(sampler, 1_500, replace=replace, seed=7, order="source")
    assert found["index"].to_list() == expected["index"].to_list()
    assert found.drop("index").rows() == expected.drop("index").rows()


@TWO
@REPLACE
def test_partitions_of_any_number(spark, replace):
    whole = pl.DataFrame({"id": np.arange(2_000), "v": np.sqrt(np.arange(2_000.0))})
    cases = [(1, "v"), (3, "row_number() % 5 + random()"), (3, pl.col("v") * 2)]
    cases += [(17, "max_weight(id % 10 = 0: 9, True: 1)"), (17, "v")]
    for partitions, sampler in cases:
        frame = spark.range(0, 2_000, 1, partitions).withColumn("v", F.sqrt(F.col("id")))
        found = rows_of(tql.sample(frame, sampler, 700, replace=replace, seed=3, index=None))
        expected = whole.tql.sample(sampler, 700, replace=replace, seed=3, order="source")
        assert found["id"].to_list() == expected["id"].to_list()


@TWO
def test_empty_partitions_coalesced_and_put_together(spark, numbers):
    some = numbers.filter("id < 250 or id > 850")
    for frame in (numbers, some):
        sample = tql.sample(frame, "v", 100, seed=1)
        rows = sample.collect()
        assert len(rows) == 100
        assert sample.coalesce(3).collect() == rows
        assert numbers.select("id", "id", "v").union(sample).coalesce(3).count() == 1_100
        assert [row.id for row in sample.take(5)] == [row.id for row in rows[:5]]
    none = numbers.filter("id < 0")
    assert tql.sample(none, "v").collect() == []
    with pytest.raises(WeightError, match="empty frame"):
        tql.sample(none, "v", 3)


@TWO
def test_what_comes_after_a_sample_does_not_reach_into_it(spark, tmp_path):
    """Filters, of the folders of a table too, column choices, limits and joins: of the rows that were drawn."""
    path = str(tmp_path / "table")
    spark.range(0, 1_000, 1, 3).withColumn("v", F.col("id") % 5).write.partitionBy("v").parquet(path)
    table = spark.read.parquet(path)
    some = spark.createDataFrame([(3, "x")], "v int, name string").filter("name = 'x'")
    for sampler in ("id", "max_weight(id > 500: 3, True: 1)"):
        sample = tql.sample(table, sampler, 300, seed=1)
        rows = sample.collect()
        assert len(rows) == 300
        assert sample.filter("id > 500").collect() == [row for row in rows if row.id > 500]
        assert sample.filter("v = 3").collect() == [row for row in rows if row.v == 3]
        assert sample.filter("index > 500").collect() == [row for row in rows if row["index"] > 500]
        assert [row.id for row in sample.select("id").collect()] == [row.id for row in rows]
        assert [row["index"] for row in sample.select("index").limit(7).collect()] == [row["index"] for row in rows[:7]]
        assert sorted(sample.join(some, "v").select("id").collect()) == sorted((row.id,) for row in rows if row.v == 3)
        assert sample.groupBy().sum("id").collect()[0][0] == sum(row.id for row in rows)
        weights = tql.weights(table, sampler).filter("v = 3 and weight > 1").collect()
        assert len(weights) == (200 if sampler == "id" else 100)
        assert all(row.weight == (row.id if sampler == "id" else 3) for row in weights)


@TWO
def test_samplers_of_all_kinds_of_columns(spark):
    """Passes hand columns over in two ways, which must mean the same weights: else it is an error."""
    spark.conf.set("spark.sql.session.timeZone", "Asia/Tokyo")
    frame = spark.range(0, 200, 1, 3).select(
        F.timestamp_seconds(F.col("id") * 1_000).alias("time"),
        F.timestamp_seconds(F.col("id") * 1_000).cast("timestamp_ntz").alias("time_ntz"),
        F.date_add(F.lit("2024-01-01").cast("date"), F.col("id").cast("int")).alias("date"),
        (F.col("id") / 7).cast("decimal(10, 2)").alias("decimal"),
        F.array(F.col("id") % 3, F.lit(None)).alias("list"),
        F.struct((F.col("id") % 3).alias("x")).alias("struct"),
        F.when(F.col("id") % 4 > 0, F.concat(F.lit("a"), F.col("id"))).alias("text"),
        (F.col("id") % 2 == 0).alias("flag"),
        F.col("id").cast("float").alias("float"),
        "id",
    )
    samplers = ["decimal", "flag", "float", "max_weight(text like 'a1*': 3, text is null: 2)", "max_weight(True: 1)"]
    samplers += ["max_weight(any(list == 2): 5, True: 1)", "max_weight(struct['x'] = 1: 5, True: 1)"]
    samplers += ["max_weight(time_ntz > '1970-01-02 03:00:00': 5, date < '2024-02-01': 3, True: 1)"]
    samplers += ["max_weight(time > '1970-01-02 03:00:00': 5, True: 1)", pl.col("time").dt.hour()]
    try:
        whole = rows_of(frame).with_columns(pl.col("time").dt.convert_time_zone("Asia/Tokyo"))
        for sampler in samplers:
            sample = tql.sample(frame, sampler, 100, seed=2)
            expected = whole.tql.sample(sampler, 100, seed=2, order="source")
            assert [row.id for row in sample.collect()] == expected["id"].to_list(), sampler
            weights = [row.weight for row in tql.weights(frame, sampler).collect()]
            assert weights == whole.tql.weights(sampler).to_list(), sampler
    finally:
        spark.conf.unset("spark.sql.session.timeZone")


@TWO
def test_size_order_and_names(numbers):
    assert tql.sample(numbers, "v", fraction=0.25, seed=1).count() == 250
    assert tql.sample(numbers, "v").count() == 1_000
    assert tql.sample(numbers, "v", 10, index="row").columns == ["row", "id", "v"]
    assert tql.sample(numbers, "v", 10, index=None).schema == numbers.schema
    plan = tql.sample(numbers, "v", 100)
    assert plan.collect() == plan.collect()
    dotted = numbers.withColumnRenamed("v", "a.b`c")
    assert tql.sample(dotted, '"a.b`c" + 1', 10, seed=1).count() == 10


@TWO
def test_all_kinds_of_columns_come_back_as_they_were(spark):
    frame = spark.range(0, 20, 1, 3).select(
        "id",
        F.lit(1.5).cast("decimal(10, 2)").alias("decimal"),
        F.lit("2024-01-02 03:04:05.123456").cast("timestamp").alias("time"),
        F.lit("2024-01-02 03:04:05.123456").cast("timestamp_ntz").alias("time_ntz"),
        F.lit("2024-01-02").cast("date").alias("date"),
        F.create_map(F.lit("a"), F.col("id")).alias("map"),
        F.struct(F.col("id"), F.array(F.lit("x"))).alias("struct"),
        F.expr("interval '3' day").alias("interval"),
        F.lit(b"xy").alias("binary"),
        F.when(F.col("id") > 5, F.lit("s")).alias("text"),
    )
    found = tql.sample(frame, "id", 30, seed=1, index=None)
    assert found.schema == frame.schema
    whole = frame.collect()
    assert all(row.text == ("s" if row.id > 5 else None) and row.map == {"a": row.id} for row in found.collect())
    assert {str(row) for row in found.collect()} <= {str(row) for row in whole}


@TWO
@pytest.mark.fault("E9")
def test_intervals_that_python_cannot_read_are_carried(spark):
    frame = spark.range(0, 12, 1, 2).select(
        "id",
        F.expr("make_ym_interval(int(id) - 5, 3)").alias("months"),
        F.expr("cast(make_ym_interval(int(id), 0) as interval year)").alias("years"),
        F.expr("case when id > 3 then make_interval(1, int(id), 0, -2, 3, 4, -5.000006) end").alias("a.b"),
    )
    text = ["id", "cast(months as string)", "cast(years as string)", "cast(`a.b` as string)"]
    whole = set(map(str, frame.selectExpr(*text).collect()))
    for each in (frame, frame.filter("id > 5")):  # the second has a partition without rows
        results = [
            tql.sample(each, "id", 9, seed=1, index=None),
            tql.weights(each, "id").drop("weight"),
            tql.query(each, "select * where id > 6 sample by id limit 4", seed=1, index=None),
        ]
        for found in results:
            assert found.schema == each.schema
            rows = [str(row) for row in found.selectExpr(*text).collect()]
            assert rows
            assert set(rows) <= whole
    named = tql.query(frame, "select months as m, id sample by id limit 3", seed=1)
    assert named.schema["m"].dataType == frame.schema["months"].dataType
    assert tql.report(frame, sampler="max_weight(id > 5: 1)").rows == 12
    for call in (
        lambda: tql.sample(frame, "max_weight(months is null: 1)"),
        lambda: tql.weights(frame, "years"),
        lambda: tql.query(frame, 'select "a.b" + 1 as x'),
        lambda: tql.report(frame, by="months"),
    ):
        with pytest.raises(TQLTypeError, match=r"of type interval.* cannot be read by a sampler"):
            call()
    with pytest.raises(TQLTypeError, match="holds intervals inside"):
        tql.sample(frame.select("id", F.array("months").alias("inside")), "id")


# -- faults -----------------------------------------------------------------------------------------------------------


@TWO
@pytest.mark.parametrize(("sampler", "replace"), [("v", True), ("sqrt(v * 1000 + id)", False)], ids=["strata", "rows"])
def test_rows_that_change_between_the_passes_are_an_error(numbers, sampler, replace):
    shuffled = numbers.mapInArrow(in_random_order, numbers.schema)
    sample = tql.sample(shuffled, sampler, 100, replace=replace, seed=1)
    with pytest.raises(Exception, match="rows changed between the passes") as fault:
        sample.collect()
    assert "persist" in str(fault.value)


@TWO
def test_keys_make_rows_of_any_order_a_sample(numbers):
    shuffled = numbers.mapInArrow(in_random_order, numbers.schema)
    expected = tql.sample(numbers, "v", 100, seed=1).collect()
    assert tql.sample(shuffled, "v", 100, seed=1, keys=["id"]).collect() == expected


@TWO
def test_a_partition_that_loses_its_rows_is_an_error(numbers, tmp_path):
    marker = str(tmp_path / "lost")

    def losing(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        lost = os.path.exists(marker)
        for batch in batches:
            if not (lost and batch.column(0)[0].as_py() > 740):
                yield batch

    for frame in (numbers, numbers.filter("id < 250 or id > 700")):
        Path(marker).unlink(missing_ok=True)
        last = frame.mapInArrow(losing, frame.schema)
        sample = tql.sample(last, "v", 100, seed=1)
        assert sample.count() == 100
        Path(marker).touch()
        with pytest.raises(Exception, match="rows changed between the passes"):
            sample.count()


@TWO
def test_fewer_rows_than_asked_for_are_a_warning(numbers):
    with pytest.warns(TQLWarning, match="2,000 rows were asked for") as told:
        sample = tql.sample(numbers, "v", 2_000, replace=False, seed=1)
    assert [each.filename for each in told if each.category is TQLWarning] == [__file__]
    assert sample.count() == 1_000 - 143


@TWO
@pytest.mark.fault("B6")
def test_idle_arms_are_a_warning(numbers):
    with pytest.warns(TQLArmWarning) as told:
        tql.sample(numbers, "max_weight(v > 1e9: 5, v >= 0: 0.5, True: 1)", 10, seed=1)
    assert [(str(each.message).splitlines()[0], each.filename) for each in told if each.category is TQLArmWarning] == [
        ("arm 1 matches no row", __file__),
        ("arm 2 never decides: every row has weight 1 from arm 3", __file__),
    ]
    with pytest.warns(TQLArmWarning, match="arm 1 matches no row"):
        tql.query(numbers, "select * where v > 1 sample by max_weight(v < 1: 5, True: 1) limit 5")


@TWO
@pytest.mark.fault("H5")
def test_a_seed_fixes_the_numbers_of_random(xrays):
    sampler = "max_weight(random() % 2 = 1: 3, True: 1)"
    assert (
        rows_of(tql.weights(xrays, sampler, seed=3))["weight"].to_list() == XRAYS.tql.weights(sampler, seed=3).to_list()
    )
    found = [str(tql.report(xrays, sampler, by="sex", limit=9, seed=seed)) for seed in (3, 4)]
    assert found[0] == str(XRAYS.tql.report(sampler, by="sex", limit=9, seed=3)) != found[1]


@TWO
@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda xrays: tql.sample(xrays, "max_weight(agee > 60: 2)"), TQLNameError, "did you mean 'age'"),
        (lambda xrays: tql.sample(xrays, "max_weight(image > 5: 2)"), TQLTypeError, "number"),
        (lambda xrays: tql.sample(xrays, "max_weight(age > 60: -2, True: 1)"), WeightError, "arm 1 has a negative"),
        (lambda xrays: tql.sample(xrays, "dose", order="draw"), TQLUnsupportedError, "order='draw'"),
        (lambda xrays: tql.sample(xrays, "dose", keys=["imag"]), TQLNameError, "did you mean 'image'"),
        (lambda xrays: tql.sample(xrays, pl.col("dose").rank()), TQLUnsupportedError, "several rows at once"),
        (lambda xrays: tql.sample(xrays, "dose", index="age"), TQLError, "has a column 'age' already"),
        (lambda xrays: tql.sample(XRAYS, "dose"), TQLError, "to be a Spark DataFrame"),
        (lambda xrays: tql.query(xrays, "select * order by age"), TQLUnsupportedError, "ORDER BY"),
        (lambda xrays: tql.query(xrays, "select agee"), TQLNameError, "did you mean 'age'"),
        (
            lambda xrays: tql.query(xrays, "select age as index", index="index"),
            TQLError,
            "has a column 'index' already",
        ),
        (lambda xrays: tql.weights(xrays.withColumnRenamed("dose", "weight"), "age"), TQLError, "'weight' already"),
        (lambda xrays: tql.report(xrays, by="agee"), TQLNameError, "did you mean 'age'"),
    ],
)
def test_faults_that_texts_and_columns_tell_are_found_at_once(xrays, call, error, message):
    with pytest.raises(error) as fault:
        call(xrays)
    assert message in str(fault.value)


@TWO
def test_bad_weights_are_told_by_the_numbers_of_their_rows(xrays):
    with pytest.raises(WeightError) as expected:
        XRAYS.tql.sample("max_weight(age > 90: 0 - dose, True: 1)", 10)
    for call in (tql.sample, tql.weights):
        with pytest.raises(WeightError) as found:
            call(xrays, "max_weight(age > 90: 0 - dose, True: 1)")
        assert str(found.value) == str(expected.value)


@TWO
def test_two_columns_of_one_name(numbers):
    twice = numbers.select("id", "v", F.col("v").alias("w"), F.col("id").alias("w"))
    assert tql.sample(twice, "v", 10, seed=1).columns == ["index", "id", "v", "w", "w"]
    with pytest.raises(Exception, match="w"):
        tql.sample(twice, "w", 10)


@TWO
def test_calls_for_frames_in_one_piece_say_where_those_for_spark_are(numbers):
    with pytest.raises(TQLError, match=r"import tql_frames\.spark; its functions take the frame"):
        tql_frames.sample(numbers, "v")


# -- the other calls --------------------------------------------------------------------------------------------------


@TWO
@pytest.mark.parametrize(
    "text",
    [
        "select * where age > 60 limit 7",
        "select image, age * 2 as twice where sex = 'F' sample by max_weight(twice > 100: 5, True: 1) limit 300",
        "select * sample by dose replace false limit 10 percent",
        "select findings[0] as a, shape(findings) as b, age / 3 as c, age > 3 as d, null as e where age < 9",
        "select image where age > 200 sample by dose",
        "select image, dose limit 10 percent",
    ],
)
def test_statements(xrays, text):
    expected = XRAYS.tql.query(text, seed=3)
    if "sample" in text:
        expected = expected.sort("index")
    assert rows_of(tql.query(xrays, text, seed=3)).rows() == expected.rows()
    assert rows_of(tql.query(xrays, text, seed=3, index=None)).rows() == expected.drop("index").rows()


@TWO
def test_computed_columns_of_all_kinds_stand_where_the_statement_has_them(spark):
    """Between columns of the frame, which are handed over as they came; structs, lists and their parts among them."""
    frame = spark.range(0, 9, 1, 2).select(
        "id",
        F.array(
            F.struct(F.col("id").alias("x"), F.concat(F.lit("a"), F.col("id")).alias("name"), F.lit(b"b").alias("raw")),
        ).alias("visits"),
        F.array(F.array(F.col("id"), F.lit(7)), F.array(F.lit(None).cast("long"))).alias("nested"),
        (F.col("id") / 2).alias("half"),
    )
    text = "select id + 1 as next, half, visits[0] as first, id, visits[:1] as some, nested[0] as row, id > 3 as late"
    found = tql.query(frame, text)
    assert found.columns == ["index", "next", "half", "first", "id", "some", "row", "late"]
    assert found.schema["first"].dataType.simpleString() == "struct<x:bigint,name:string,raw:binary>"
    for row in found.collect():
        number = row["index"]
        visit = {"x": number, "name": f"a{number}", "raw": b"b"}
        assert (row.next, row.half, row.id, row.late) == (number + 1, number / 2, number, number > 3)
        assert row["first"].asDict() == visit
        assert [each.asDict() for each in row["some"]] == [visit]
        assert row["row"] == [number, 7]
    part = frame.select("id", F.struct("half", F.struct("id").alias("inner")).alias("outer"))
    inner = tql.query(part, "select outer['inner'] as i, outer['half'] as h where outer['inner']['id'] > 6", index=None)
    assert [(row.i.id, row.h) for row in inner.collect()] == [(7, 3.5), (8, 4.0)]


@TWO
def test_a_statement_reads_the_columns_that_it_names(numbers):
    twice = numbers.select("id", "v", F.raise_error("read").alias("w"), F.col("id").alias("Id"), F.lit(1).alias("id"))
    found = tql.query(twice, "select v, Id + 1 as next where v > 3 limit 3").collect()
    assert [tuple(row) for row in found] == [(4, 4, 5), (5, 5, 6), (6, 6, 7)]
    assert tql.query(twice, "select 1 as one", index=None).count() == 1_000


@TWO
def test_weights(xrays):
    for sampler in (STRATA, "dose", "row_number() * 2"):
        found = rows_of(tql.weights(xrays, sampler))
        assert found["weight"].to_list() == XRAYS.tql.weights(sampler).to_list()
        assert found.columns == [*XRAYS.columns, "weight"]


@TWO
@pytest.mark.parametrize(
    ("by", "sampler", "options"),
    [
        ("findings", STRATA, {"limit": 300}),
        ("sex", None, {}),
        (None, "max_weight(age > 60: dose, True: 1)", {"replace": False, "fraction": 0.1}),
        ("view", "select * where age > 50 sample by max_weight(view = ?: 3, True: 1) limit 50", {"parameters": ["PA"]}),
    ],
)
def test_reports(xrays, by, sampler, options):
    assert str(tql.report(xrays, sampler, by=by, **options)) == str(XRAYS.tql.report(sampler, by=by, **options))


@TWO
def test_reports_of_one_hot_columns_and_of_texts(xrays):
    text = F.concat_ws("|", F.col("findings"))
    flags = {name: F.array_contains("findings", name) for name in ("Mass", "Hernia", "Edema")}
    unset = F.when(F.col("age") % 2 == 0, 0)  # else null
    frame = xrays.withColumn("text", text).withColumns({"Mass": flags["Mass"], "Hernia": flags["Hernia"].cast("int")})
    frame = frame.withColumn("Edema", F.when(flags["Edema"], 1).otherwise(unset))
    one_hot = XRAYS.with_columns(pl.col("findings").list.contains(name).alias(name) for name in flags)
    sampler = "max_weight(contains(findings, 'Hernia'): 9, dose > 0.5: 2, true: 1)"
    found = tql.report(frame, sampler, 300, by=list(flags))
    assert str(found) == str(one_hot.tql.report(sampler, 300, by=list(flags)))
    found = tql.report(frame, sampler, by="text", split="|")
    lists = XRAYS.tql.report(sampler, by="findings").labels
    pd.testing.assert_frame_equal(found.labels, lists.to_pandas(), check_dtype=False)
    for call, error, message in (
        (lambda: tql.report(frame, by=["Mass", "age"]), TQLTypeError, "expected 1 or 0 in column 'age' of by=, got"),
        (lambda: tql.report(frame, by=["Mass", "Mas"]), TQLNameError, "did you mean 'Mass'"),
        (lambda: tql.report(frame, by="age", split="|"), TQLTypeError, "split= is for a column of text"),
        (lambda: tql.report(frame, "text"), TQLTypeError, "report takes the sampler first; .*by='text'"),
        (lambda: tql.report(frame, "text", "1"), TQLError, "report takes the sampler first"),
        (lambda: tql.report(frame, "text", "1", 5), TypeError, "takes 3 arguments by position .* such as by="),
    ):
        with pytest.raises(error, match=f"(?s){message}"):
            call()


@TWO
def test_examples_of_the_page_show_what_they_say(spark):
    page = "docs/distributed.md"
    check_examples(page, blocks_of(page, "Sample a Spark DataFrame"), spark=spark)


@TWO
@pytest.mark.fault("H15")
@pytest.mark.parametrize("name", tql.__all__)
def test_examples_of_docstrings_show_what_they_say(spark, name):
    text = inspect.getdoc(getattr(tql, name))
    test = doctest.DocTestParser().get_doctest(text, {"spark": spark}, name, name, 0)
    runner = doctest.DocTestRunner(verbose=False)
    runner.run(test)
    assert runner.tries >= 3 and runner.summarize(verbose=False).failed == 0


CONNECT = """
import numpy as np, polars as pl, tql_frames, tql_frames.spark as tql
from pyspark.sql import SparkSession
spark = SparkSession.builder.remote("local[2]").getOrCreate()
assert "connect" in type(spark).__module__
whole = tql_frames.datasets.chest_xray().head(2_000)
whole = whole.with_columns(pl.col("view", "sex").cast(pl.String), dose=np.arange(2_000) ** 0.5)
frame = spark.createDataFrame(whole.to_arrow())
for sampler in ("max_weight(contains(findings, 'Mass'): 20, True: 1)", "dose"):
    for replace in (True, False):
        found = pl.from_arrow(tql.sample(frame, sampler, 500, replace=replace, seed=5).toArrow())
        expected = whole.tql.sample(sampler, 500, replace=replace, seed=5, order="source")
        assert found["index"].to_list() == expected["index"].to_list()
try:
    tql.sample(frame, "dose - 3", 5)
except tql_frames.WeightError as fault:
    assert "the first row 0" in str(fault)
print(tql.query(frame, "select age + 1 as older where age > 60 limit 3").count())
spark.stop()
"""


def test_connect():
    pytest.importorskip("grpc", reason="the client of Spark Connect is not installed")
    pytest.importorskip("grpc_status", reason="the client of Spark Connect is not installed")
    environment = {**os.environ, "PYSPARK_PYTHON": sys.executable}
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", CONNECT],
        capture_output=True,
        text=True,
        check=False,
        timeout=SECONDS,
        env=environment,
    )
    assert done.returncode == 0, done.stderr[-3_000:]
    assert done.stdout.split()[-1] == "3"
