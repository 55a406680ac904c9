"""Spark: samples by group, of units, by design and by key, and splits: those of Polars for the same seed."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

pytest.importorskip("pyspark", reason="PySpark is not installed")

from pyspark.sql import functions as F  # noqa: N812 - after what may not be there

import tql_frames.spark as tql
from tests.distributed.spark_session import (
    REPLACE,
    STRATA,
    TWO,
    XRAYS,
    in_random_order,
    rows_of,
)
from tql_frames import TQLError, TQLNameError, TQLTypeError, TQLUnsupportedError, WeightError

# PySpark warns of pandas 3, which it looks for wherever Arrow is used.
pytestmark = [pytest.mark.usefixtures("in_time"), pytest.mark.filterwarnings("ignore")]

SECONDS = 180  # for a test


# -- rows of every group ----------------------------------------------------------------------------------------------

OVER = [
    ({"over": "view", "limit": 40}, "dose"),
    ({"over": ["sex", "age % 3"], "fraction": 0.05}, STRATA),
    ({"over": "view", "limit": {"AP": 700, "PA": 3}}, "max_weight(age > 60: dose, True: 1)"),
    ({"over": "age > 60"}, STRATA),
    ({"over": "age", "limit": 2}, "dose + 1"),
    ({"unit": ["view", "age"], "over": "view", "limit": {"AP": 5}}, "dose"),
]


@TWO
@REPLACE
@pytest.mark.parametrize(("options", "sampler"), OVER)
def test_one_seed_one_sample_of_every_group(xrays, options, sampler, replace):
    found = rows_of(tql.sample(xrays, sampler, **options, replace=replace, seed=7))
    expected = XRAYS.tql.sample(sampler, **options, replace=replace, seed=7, order="source")
    assert found["index"].to_list() == expected["index"].to_list()
    assert found.drop("index").rows() == expected.drop("index").rows()


@TWO
@REPLACE
def test_groups_in_partitions_of_any_number(spark, numbers, replace):
    whole = pl.DataFrame({"id": np.arange(1_000), "v": np.arange(1_000) % 7})
    for partitions in (1, 7):
        frame = spark.range(0, 1_000, 1, partitions).withColumn("v", F.col("id") % 7)
        for sampler, over in (("v + 1", "id % 3"), ("sqrt(id + 1)", "v"), ("random() + 1", "row_number() / 300 > 1")):
            found = rows_of(tql.sample(frame, sampler, 20, over=over, replace=replace, seed=3))
            expected = whole.tql.sample(sampler, 20, over=over, replace=replace, seed=3, order="source")
            assert found["id"].to_list() == expected["id"].to_list()
    some, rest = numbers.filter("id < 250 or id > 850"), whole.filter((pl.col("id") < 250) | (pl.col("id") > 850))
    found = rows_of(tql.sample(some, "v + 1", 9, over="v", replace=replace, seed=3))  # with an empty partition
    expected = rest.tql.sample("v + 1", 9, over="v", replace=replace, seed=3, order="source")
    assert found["id"].to_list() == expected["id"].to_list()


@TWO
def test_groups_of_all_kinds_of_columns(spark):
    """Passes hand columns over in two ways, which must make the same groups: else it is an error."""
    frame = spark.range(0, 200, 1, 3).select(
        F.timestamp_seconds((F.col("id") % 5) * 1_000).alias("time"),
        F.timestamp_seconds((F.col("id") % 5) * 1_000).cast("timestamp_ntz").alias("time_ntz"),
        F.date_add(F.lit("2024-01-01").cast("date"), (F.col("id") % 5).cast("int")).alias("date"),
        ((F.col("id") % 5) / 7).cast("decimal(10, 2)").alias("decimal"),
        F.when(F.col("id") % 4 > 0, F.concat(F.lit("a"), F.col("id") % 5)).alias("text"),
        F.when(F.col("id") < 150, F.lit(None)).otherwise(F.lit("late")).alias("late"),
        (F.col("id") % 2 == 0).alias("flag"),
        (F.col("id") % 5).cast("float").alias("float"),
        F.lit(None).alias("nothing"),
        "id",
    )
    whole = rows_of(frame)
    for place, over in enumerate(whole.columns):
        options = {"over": over, "replace": place % 2 == 0, "seed": 2}
        found = tql.sample(frame, "id + 1", 3, **options).collect()
        expected = whole.tql.sample("id + 1", 3, **options, order="source")
        assert [row.id for row in found] == expected["id"].to_list(), over


@TWO
@pytest.mark.parametrize(
    "text",
    [
        "select image, age * 2 as twice where sex = 'F' sample by twice + 1 over (view, twice > 100) limit 30",
        "select * sample by dose over (view) replace false limit 10 percent",
    ],
)
def test_statements_with_over(xrays, text):
    expected = XRAYS.tql.query(text, seed=3).sort("index", maintain_order=True)
    assert rows_of(tql.query(xrays, text, seed=3)).rows() == expected.rows()


@TWO
@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda xrays: tql.sample(xrays, "1", 3, over="vieww"), TQLNameError, "did you mean 'view'"),
        (lambda xrays: tql.sample(xrays, "1", 3, over="findings"), TQLTypeError, "expected single values for over"),
        (lambda xrays: tql.sample(xrays, "1", {"PAA": 3}, over="view"), TQLNameError, "not a group of over="),
        (lambda xrays: tql.sample(xrays, "1", {"PA": 3}), TQLError, "limit by group needs over"),
        (lambda xrays: tql.sample(xrays, "max_weight(view = 'PA': 1)", 1, over="view"), WeightError, "the group 'AP'"),
        (lambda xrays: tql.sample(xrays, "1", 3, unit="imag"), TQLNameError, "did you mean 'image'"),
        (lambda xrays: tql.report(xrays, "1", 3, by="sex", over="view"), TQLUnsupportedError, "by over are not"),
        (lambda xrays: tql.report(xrays, "1", 3, by="sex", unit="view"), TQLUnsupportedError, "by unit are not"),
        (
            lambda xrays: tql.report(xrays, "1", 3, by="sex", design="systematic"),
            TQLUnsupportedError,
            "by design are not",
        ),
        (
            lambda xrays: tql.report(xrays, "select * sample by 1 design systematic", by="sex"),
            TQLUnsupportedError,
            "by design are not",
        ),
        (lambda xrays: tql.report(xrays, "select * sample by 1 over (view)", by="sex"), TQLUnsupportedError, "by over"),
    ],
)
def test_faults_of_groups_are_found_at_once(xrays, call, error, message):
    with pytest.raises(error) as fault:
        call(xrays)
    assert message in str(fault.value)


@TWO
@REPLACE
def test_rows_that_change_between_the_passes_are_an_error_in_groups(numbers, replace):
    shuffled = numbers.mapInArrow(in_random_order, numbers.schema)
    sample = tql.sample(shuffled, "1", 10, over="v", replace=replace, seed=1)
    with pytest.raises(Exception, match="rows changed between the passes"):
        sample.collect()
    expected = tql.sample(numbers, "1", 10, over="v", replace=replace, seed=1).collect()
    assert tql.sample(shuffled, "1", 10, over="v", replace=replace, seed=1, keys=["id"]).collect() == expected


# -- designs, keys, expectations --------------------------------------------------------------------------------------

DESIGNS = [
    {"limit": 400, "design": "systematic"},
    {"limit": 400, "design": "systematic", "replace": False},
    {"fraction": 0.1, "design": "poisson", "replace": False, "over": "view"},
    {"limit": 9, "design": "systematic", "replace": False, "unit": "age", "over": "age > 60"},
    {"limit": 70, "key": "image", "replace": False},
    {"limit": 70, "key": "image", "design": "poisson", "replace": False},
    {"limit": 70, "replace": False},
    {"limit": 70, "over": "sex"},
]


@TWO
@pytest.mark.parametrize("sampler", [STRATA, "dose"], ids=["strata", "rows"])
@pytest.mark.parametrize("options", DESIGNS)
def test_one_seed_one_sample_by_any_design(xrays, options, sampler):
    found = rows_of(tql.sample(xrays, sampler, **options, seed=7, expected="times"))
    expected = XRAYS.tql.sample(sampler, **options, seed=7, order="source", expected="times")
    assert found.columns == expected.columns
    assert found.rows() == expected.rows()
    plain = rows_of(tql.sample(xrays, sampler, **options, seed=7, index=None))
    assert plain.rows() == expected.drop("index", "times").rows()


@TWO
def test_designs_with_empty_partitions(numbers):
    some = numbers.filter("id < 250 or id > 850")
    rest = pl.DataFrame({"id": np.arange(1_000), "v": np.arange(1_000) % 7})
    rest = rest.filter((pl.col("id") < 250) | (pl.col("id") > 850))
    for options in ({"design": "systematic"}, {"key": "id", "replace": False}):
        found = rows_of(tql.sample(some, "v", 9, **options, seed=3, expected="times"))
        expected = rest.tql.sample("v", 9, **options, seed=3, order="source", expected="times")
        assert found.drop("index").rows() == expected.drop("index").rows()


@TWO
@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"design": "poison"}, TQLError, "did you mean 'poisson'"),
        ({"design": "poisson"}, TQLError, "pass replace=False"),
        ({"key": "imag", "replace": False}, TQLNameError, "did you mean 'image'"),
        ({"key": "dose", "replace": False}, TQLTypeError, "got a number that may have a fraction"),
        ({"key": "age", "replace": False}, TQLError, "rows have a key that another row has"),
        ({"expected": "age"}, TQLError, "the sample has a column 'age' already"),
        ({"expected": "index"}, TQLError, "the sample has a column 'index' already"),
        ({"expected": 3}, TQLError, "expected a column name or None for expected=, got 3"),
    ],
)
def test_faults_of_designs_are_found_at_once(xrays, options, error, message):
    with pytest.raises(error) as fault:
        tql.sample(xrays, "1", 3, **options)
    assert message in str(fault.value)


# -- splits -----------------------------------------------------------------------------------------------------------

SPLITS = [
    {"unit": "patient_id", "by": ["view", "findings"]},
    {"unit": "view"},
    {"by": "sex"},
    {},
    {"key": "patient_id"},
]
PARTS = {"train": 0.6, "test": 0.4}


@TWO
@pytest.mark.parametrize("options", SPLITS)
def test_one_seed_one_split(xrays, options):
    found, expected = tql.split(xrays, PARTS, **options, seed=7), XRAYS.tql.split(PARTS, **options, seed=7)
    assert list(found) == list(expected)
    for name, part in found.items():
        assert rows_of(part).rows() == expected[name].to_native().rows()
    assert str(found.report()) == str(expected.report())


@TWO
def test_folds_with_an_empty_partition(numbers):
    some = numbers.filter("id < 250 or id > 850")
    rest = pl.DataFrame({"id": np.arange(1_000), "v": np.arange(1_000) % 7})
    rest = rest.filter((pl.col("id") < 250) | (pl.col("id") > 850))
    found, expected = tql.split(some, folds=3, by="v", seed=2, index=None), rest.tql.split(folds=3, by="v", seed=2)
    for own, whole in zip(found.folds(), expected.folds(), strict=True):
        for part, view in zip(own, whole, strict=True):
            assert rows_of(part)["id"].to_list() == view.to_native()["id"].to_list()
    assert str(found).startswith("Split of 399 rows into 3 folds, Spark DataFrame of 4 partitions")


@TWO
def test_rows_that_change_after_a_split_are_an_error(numbers):
    shuffled = numbers.mapInArrow(in_random_order, numbers.schema)
    with pytest.raises(Exception, match="rows changed between the passes"):
        tql.split(shuffled, PARTS, unit="v", seed=1)["test"].collect()
    expected = [row.id for row in tql.split(numbers, PARTS, unit="v", seed=1)["test"].collect()]
    assert [row.id for row in tql.split(shuffled, PARTS, unit="v", seed=1, keys=["id"])["test"].collect()] == expected


@TWO
@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"parts": PARTS, "unit": "patient"}, TQLNameError, "did you mean 'patient_id'"),
        ({"parts": PARTS, "unit": "findings"}, TQLTypeError, "holds no units"),
        ({"parts": PARTS, "key": "dose"}, TQLTypeError, "expected whole numbers, text or dates for key="),
        ({"parts": {"a": 0.99999, "b": 0.00001}}, TQLError, "part 'b' would be empty"),
        ({}, TQLError, "parts and folds are both missing"),
    ],
)
def test_faults_of_splits_are_found_at_once(xrays, options, error, message):
    with pytest.raises(error) as fault:
        tql.split(xrays, **options)
    assert message in str(fault.value)


# -- samplers with values, and the column of row numbers --------------------------------------------------------------


@TWO
def test_values_stand_for_the_question_marks(xrays) -> None:
    text, plain, values = "max_weight(age > ?: ?, True: 1)", "max_weight(age > 60: 5, True: 1)", [60, 5]
    found = rows_of(tql.sample(xrays, text, limit=50, seed=3, parameters=values))
    assert found.equals(rows_of(tql.sample(xrays, plain, limit=50, seed=3)))
    assert rows_of(tql.weights(xrays, text, parameters=values)).equals(rows_of(tql.weights(xrays, plain)))
    shares = tql.report(xrays, text, by="view", parameters=values).labels["expected_share"]
    assert list(shares) == list(tql.report(xrays, plain, by="view").labels["expected_share"])
    with pytest.raises(TQLError, match="the text has 2 parameters, 1 given"):
        tql.sample(xrays, text, parameters=[60])


@TWO
def test_a_column_index_of_the_frame_stays(xrays) -> None:
    first = tql.sample(xrays, "dose", limit=40, seed=3)
    assert "index" in first.columns
    second = tql.sample(first, "dose", limit=5, seed=1)
    assert second.columns == first.columns
    assert {row["index"] for row in second.collect()} <= {row["index"] for row in first.collect()}
    assert tql.query(first, "select index, dose where dose > 0").columns == ["index", "dose"]
    with pytest.raises(TQLError, match="has a column 'index' already"):
        tql.sample(first, "dose", limit=5, index="index")
