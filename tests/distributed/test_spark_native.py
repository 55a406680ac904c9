"""Samples that stay in the JVM: the weights of Spark are those of Polars, bit by bit, and so are the rows."""

from __future__ import annotations

import datetime as dt
import os
import re
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import numpy as np
import polars as pl
import pyarrow as pa
import pytest

pytest.importorskip("pyspark", reason="PySpark is not installed")

from pyspark.sql import functions as F  # noqa: N812 - after what may not be there

import tql_frames.spark as tql
from tests.distributed.spark_session import REPLACE, STRATA, TWO, XRAYS, in_random_order, rows_of
from tql_frames import TQLArmWarning, WeightError
from tql_frames.compiler.expressions.sampler import compile_sampler
from tql_frames.distributed.spark import calls, native
from tql_frames.distributed.spark.expressions import NotNativeError, native_weights
from tql_frames.distributed.spark.jobs import plain_name, plainly_named

pytestmark = [pytest.mark.usefixtures("in_time"), pytest.mark.filterwarnings("ignore")]

SECONDS = 240  # for a test
ZONE = "America/New_York"
PATHS = pytest.mark.parametrize("path", ["Spark", "Python"])

# -- the weights ------------------------------------------------------------------------------------------------------

WHOLE = ["i8", "i16", "i32", "i64", "small"]
REAL = ["d", "e"]
TEXTS = [
    "",
    "a",
    "b",
    "ab",
    "Ab",
    "a b",
    "a%b",
    "a_b",
    "a\\b",
    "é",
    "e\u0301",
    "a\nb",
    "😀",
    "x😀y",
    "straße",
    "ß",
    "ﬀ",
]
STAMPS = [
    "2024-03-10",
    "2024-03-10 02:30:00",  # an hour that New York has not
    "2024-11-03 01:30:00",  # an hour that it has twice
    "2024-11-03T01:30:00+00:00",
    "1969-12-31 23:59:59.999999",
    "1582-10-10",
    "0001-01-01",
    "2024-07-01 12:00:00.5",
]


def frame_of(seed: int, rows: int = 400) -> pl.DataFrame:
    """A frame of all kinds of columns, a quarter of each null, many values at the limits of their type."""
    rng = np.random.default_rng(seed)

    def column(values: list, dtype: pl.DataType) -> pl.Series:
        picked = [values[place] for place in rng.integers(0, len(values), rows)]
        return pl.Series([None if rng.random() < 0.25 else each for each in picked], dtype=dtype, strict=False)

    def limits(bits: int) -> list[int]:
        most = 2 ** (bits - 1)
        return [0, 1, -1, 2, 3, 7, -5, most - 1, -most, most // 2, 1 - most]

    reals = [0.0, -0.0, 1.0, -1.0, 0.5, 2.5, 0.1, 1e300, -1e300, 5e-324, float("nan"), float("inf"), -float("inf")]
    reals += [2.0**53, 2.0**53 + 2, 7.0, 3.0]
    stamps = [dt.datetime(2024, 3, 10, 7, 30), dt.datetime(2024, 11, 3, 5, 30), dt.datetime(2024, 11, 3, 6, 30)]
    stamps += [dt.datetime(1969, 12, 31, 23, 59, 59, 999_999), dt.datetime(1582, 10, 10), dt.datetime(1, 1, 1)]
    stamps += [dt.datetime(2024, 3, 10), dt.datetime(2024, 7, 1, 12, 0, 0, 500_000)]
    decimals = [Decimal(each) for each in ("0.00", "1.50", "-1.50", "0.10", "99999999.99", "-99999999.99", "7.00")]
    lists = [[], [1], [None], [1, None], [2, 3, None], [1, 1, 7]]
    words = [[], ["a"], [None], ["a", None], ["b", ""], ["é", "ab"]]
    found = {
        **{f"i{bits}": column(limits(bits), getattr(pl, f"Int{bits}")) for bits in (8, 16, 32, 64)},
        "small": column(list(range(-3, 12)), pl.Int64),
        "d": column(reals, pl.Float64),
        "e": column(reals, pl.Float64),
        "f": column(reals, pl.Float32),
        "flag": column([True, False], pl.Boolean),
        "other": column([True, False], pl.Boolean),
        "text": column(TEXTS, pl.String),
        "word": column(TEXTS, pl.String),
        "numbers": column(lists, pl.List(pl.Int32)),
        "words": column(words, pl.List(pl.String)),
        "price": column(decimals, pl.Decimal(10, 2)),
        "day": column([each.date() for each in stamps], pl.Date),
        "date": column([each.date() for each in stamps], pl.Date),
        "naive": column(stamps, pl.Datetime("us")),
        "local": column(stamps, pl.Datetime("us")),
        "moment": column(stamps, pl.Datetime("us", "UTC")),
        "since": column(stamps, pl.Datetime("us", "UTC")),
        "struct": column([{"x": 1}, {"x": None}], pl.Struct({"x": pl.Int64})),
    }
    return pl.DataFrame(found)


class Samplers:
    """Conditions and weights at random."""

    def __init__(self, seed: int) -> None:
        self.rng = np.random.default_rng(seed)

    def pick(self, values: list[str]) -> str:
        return values[self.rng.integers(0, len(values))]

    def number(self) -> str:
        whole = ["0", "1", "-1", "2", "3", "127", "128", "-32768", "9223372036854775807", "100000000000"]
        return self.pick([*whole, "0.5", "2.5", "-0.0", "0.1", "7.0", "1e300", "9007199254740993", "1.50", "-1.5"])

    def word(self) -> str:
        return "'" + self.pick(TEXTS) + "'"

    def stamp(self) -> str:
        return "'" + self.pick(STAMPS) + "'"

    def amount(self, depth: int = 2) -> str:
        """An expression that is a number."""
        kind = self.rng.integers(0, 5 if depth else 2)
        if kind < 2:
            return self.pick([*WHOLE, *REAL, "flag"])
        if kind == 2:
            return f"-({self.amount(depth - 1)})"
        operator = self.pick(["+", "-", "*", "/", "%"])
        other = self.number() if operator in "/%" or self.rng.random() < 0.5 else self.amount(depth - 1)
        return f"({self.amount(depth - 1)} {operator} {other})"

    def condition(self, depth: int = 3) -> str:
        kind = self.rng.integers(0, 17 if depth else 13)
        compare = self.pick(["==", "!=", "<", "<=", ">", ">="])
        no = self.pick(["", "not "])
        match kind:
            case 0 | 1:
                return f"{self.amount()} {compare} {self.pick([self.number(), self.amount()])}"
            case 2:
                return f"{self.number()} {compare} {self.pick([*WHOLE, *REAL, 'price', 'flag'])}"
            case 3:
                return f"{self.pick(['text', 'word'])} {compare} {self.pick([self.word(), 'word'])}"
            case 4:
                return f"{self.pick(['day', 'naive', 'moment'])} {compare} {self.stamp()}"
            case 5:
                pair = self.pick(
                    ["day date", "naive local", "moment since", "price price", "flag other", "d e"]
                ).split()
                return f"{pair[0]} {compare} {pair[1]}"
            case 6:
                numbers = ", ".join([*(self.number() for _ in range(self.rng.integers(1, 14))), "null"][:: self.sign()])
                return f"{self.pick([*WHOLE, *REAL, 'price'])} {no}in ({numbers})"
            case 7:
                return f"text {no}in ({', '.join(self.word() for _ in range(self.rng.integers(1, 14)))})"
            case 8:
                return f"{self.pick([*WHOLE, *REAL, 'price'])} {no}between {self.number()} and {self.number()}"
            case 9:
                return f"text {no}like '{self.pick(['a*', '*b', 'a?b', '%', '', '*😀*', 'a_b', 'a%b', '?', '*ß*'])}'"
            case 10:
                operand = self.pick([f"({self.amount()})", "words", "numbers", "struct", "f", "d", "text", "moment"])
                return f"{operand} is {no}null"
            case 11:
                return f"contains(text, {self.word()})"
            case 12:
                return self.pick(
                    [f"contains(words, {self.word()})", f"contains(numbers, {self.number()})", "flag", "d"]
                )
            case 13:
                return f"not ({self.condition(depth - 1)})"
        join = self.pick([" and ", " or "])
        return join.join(f"({self.condition(depth - 1)})" for _ in range(self.rng.integers(2, 4)))

    def sign(self) -> int:
        return int(self.rng.choice([1, -1]))

    def sampler(self) -> str:
        """A sampler that tells true, false and null of a condition apart; or a weight, which may be a bad one."""
        if self.rng.random() < 0.2:
            return self.amount()
        condition = self.condition()
        return f"sum_weight({condition}: 1, not ({condition}): 2, ({condition}) is null: 4, true: 8)"


@TWO
@pytest.mark.parametrize("ansi", ["true", "false"])
def test_the_weights_of_spark_are_those_of_polars(spark, tmp_path, ansi):
    """Of random samplers on random frames; a third of them at least is computed by Spark."""
    spark.conf.set("spark.sql.ansi.enabled", ansi)
    tried = seen = 0
    try:
        for seed in range(3):
            path, samplers = str(tmp_path / f"{seed}.parquet"), Samplers(seed)
            spark.conf.set("spark.sql.session.timeZone", "UTC")
            made = spark.createDataFrame(frame_of(seed).to_arrow()).coalesce(1)
            made.withColumns({name: F.col(name).cast("timestamp_ntz") for name in ("naive", "local")}).write.parquet(
                path
            )
            spark.conf.set("spark.sql.session.timeZone", ZONE)
            frame = spark.read.parquet(path)
            whole = rows_of(frame).with_columns(pl.col("moment", "since").dt.convert_time_zone(ZONE))
            native, expected = {}, {}
            for _ in range(100):
                text = samplers.sampler()
                try:
                    compiled = compile_sampler(text, whole.schema)
                except Exception:  # it does not fit: two kinds that do not compare
                    continue
                tried += 1
                try:
                    native[text] = native_weights(compiled, frame.schema, ZONE, plain_name)
                except NotNativeError:
                    continue
                expected[text] = whole.select(weight=compiled.weight)["weight"].to_numpy()
            seen += len(native)
            columns = [each.weight.alias(str(place)) for place, each in enumerate(native.values())]
            found = rows_of(plainly_named(frame).select(*columns))
            for place, text in enumerate(native):
                np.testing.assert_array_equal(found[str(place)].to_numpy(), expected[text], err_msg=text)
    finally:
        spark.conf.unset("spark.sql.session.timeZone")
        spark.conf.unset("spark.sql.ansi.enabled")
    assert tried > 150
    assert seen > tried / 3


# -- the rows ---------------------------------------------------------------------------------------------------------


@pytest.fixture
def drawn_by(monkeypatch):
    """Make one of the two draw, and note which did."""
    found: list[str] = []

    def only(who: str) -> list[str]:
        def refused(*_: object) -> NotNativeError:
            return NotNativeError(compile_sampler("1", {}).tree)

        def noted(*given: object) -> native.NativeDraw | None:
            drawn = native.draw_natively(*given)
            found.append("Python" if drawn is None else "Spark")
            return drawn

        monkeypatch.setattr(calls, "draw_natively", noted)
        if who == "Python":
            monkeypatch.setattr(calls, "_native", refused)
        return found

    return only


def in_files(folder: Path) -> str:
    """Rows in several files, one of them without any."""
    for number, start in enumerate(range(0, 5_000, 600)):
        XRAYS[start : start + 600].write_parquet(folder / f"{number}.parquet")
    XRAYS.head(0).write_parquet(folder / "none.parquet")
    return str(folder)


@TWO
@PATHS
@REPLACE
def test_both_paths_draw_the_rows_of_polars(spark, tmp_path, drawn_by, path, replace):
    found, folder = drawn_by(path), in_files(tmp_path)
    samplers = ["sum_weight(age > 30: 1, sex = 'F': 0.25, view like 'A*': 2)", "age * 0.5 + dose"]
    for number, most in enumerate(("128m", "60k")):
        spark.conf.set("spark.sql.files.maxPartitionBytes", most)
        spark.conf.set("spark.sql.adaptive.enabled", str(number != 1).lower())
        try:
            frame = spark.read.parquet(folder)
            whole, sampler, seed = rows_of(frame), samplers[number], 7 + number
            sample = tql.sample(frame, sampler, 1_500, replace=replace, seed=seed)
            for rows in (rows_of(sample), rows_of(sample.coalesce(2))):
                expected = whole.tql.sample(sampler, 1_500, replace=replace, seed=seed, order="source")
                assert rows["index"].to_list() == expected["index"].to_list()
                assert rows.drop("index").rows() == expected.drop("index").rows()
        finally:
            spark.conf.unset("spark.sql.files.maxPartitionBytes")
            spark.conf.unset("spark.sql.adaptive.enabled")
    assert found == (["Spark"] * 2 if path == "Spark" else [])


@TWO
@REPLACE
def test_a_row_is_drawn_as_often_as_it_should(spark, drawn_by, replace):
    """Some rows more often than a byte can say, blocks of 65,536 rows in several partitions, the last of them short."""
    found = drawn_by("Spark")
    frame = spark.range(0, 300_000, 1, 3).withColumn("v", (F.col("id") % 10).cast("double"))
    whole = pl.DataFrame({"id": np.arange(300_000), "v": np.arange(300_000) % 10.0})
    cases = [
        "max_weight(id = 70000: 1e6, id between 250000 and 250003: 2e5, v > 3: 1, true: 0.5)",
        "v",
        "v * 0.37 + id",
    ]
    for sampler in cases:
        rows = rows_of(tql.sample(frame, sampler, 60_000, replace=replace, seed=3))
        expected = whole.tql.sample(sampler, 60_000, replace=replace, seed=3, order="source")
        assert rows["index"].to_list() == expected["index"].to_list() == rows["id"].to_list()
        if replace and sampler == cases[0]:
            # 1e6 and 2e5 of about 2.04e6, so 29,400 and 5,900 of the draws, give or take 5 standard errors.
            assert abs((rows["id"] == 70_000).sum() - 29_400) < 650
            assert abs((rows["id"] == 250_001).sum() - 5_880) < 400
    assert found == ["Spark"] * 3


@TWO
def test_what_does_not_fit_into_the_driver_is_drawn_by_python(spark, numbers, drawn_by, monkeypatch):
    found = drawn_by("Spark")
    expected = tql.sample(numbers, "v", 100, seed=1).collect()
    monkeypatch.setattr(native, "MOST_ROWS", 999)
    assert tql.sample(numbers, "v", 100, seed=1).collect() == expected
    monkeypatch.setattr(native, "MOST_ROWS", 1_000)
    assert tql.sample(numbers, "v", 100, seed=1).collect() == expected
    assert found == ["Spark", "Python", "Spark"]


@TWO
@pytest.mark.parametrize("sampler", [STRATA, "age"])
def test_rows_of_a_plan_are_numbered_before_there_are_partitions(spark, drawn_by, sampler):
    found = drawn_by("Spark")
    local = spark.createDataFrame(XRAYS.to_arrow())
    for frame in (
        local,
        local.filter("age > 60"),
        local.select("*", (F.col("age") + 1).alias("next")),
        local.union(local),
    ):
        rows = rows_of(tql.sample(frame, sampler, 500, seed=1))
        expected = rows_of(frame).tql.sample(sampler, 500, seed=1, order="source")
        assert rows["index"].to_list() == expected["index"].to_list()
        assert rows.drop("index").equals(expected.drop("index"))
    assert found == ["Spark"] * 4


@TWO
def test_a_sample_reads_the_columns_that_are_asked_for(spark, tmp_path, capsys):
    frame = spark.read.parquet(in_files(tmp_path))
    tql.sample(frame, "max_weight(age > 60: 5, true: 1)", 100).select("index", "sex").explain()
    plan = capsys.readouterr().out
    assert re.search(r"ReadSchema: struct<age:\w+,sex:string>", plan), plan
    assert "Python" not in plan and "Arrow" not in plan
    assert plan.count("Exchange") == plan.count("BroadcastExchange") + 1  # the count of rows


@TWO
def test_weights_of_constants_are_a_column_of_spark(spark, tmp_path, capsys):
    frame = spark.read.parquet(in_files(tmp_path))
    weights = tql.weights(frame, STRATA)
    assert rows_of(weights)["weight"].to_list() == rows_of(frame).tql.weights(STRATA).to_list()
    weights.explain()
    assert "Python" not in capsys.readouterr().out


# -- faults -----------------------------------------------------------------------------------------------------------


@TWO
@pytest.mark.parametrize("sampler", ["max_weight(v = 1: 5, v = 2: 3, true: 1)", "v"])
def test_rows_that_change_between_the_passes_are_an_error(numbers, drawn_by, sampler):
    found = drawn_by("Spark")
    sample = tql.sample(numbers.mapInArrow(in_random_order, numbers.schema), sampler, 100, seed=1)
    with pytest.raises(Exception, match="rows changed between the passes") as fault:
        sample.collect()
    assert "persist" in str(fault.value)
    assert found == ["Spark"]


@TWO
@pytest.mark.parametrize("sampler", ["max_weight(v = 1: 5, true: 1)", "v"])
@pytest.mark.parametrize("change", ["last", "partition", "all", "more", "other"])
def test_rows_that_are_lost_or_come_late_are_an_error(numbers, tmp_path, drawn_by, sampler, change):
    found, marker = drawn_by("Spark"), str(tmp_path / "changed")

    def changing(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        now = os.path.exists(marker)
        for batch in batches:
            first = batch.column(0)[0].as_py()
            lost = {"last": (first == 250) * 1, "partition": (first == 250) * 250, "all": 250}.get(change, 0)
            if now and change == "other" and first == 500:
                ids = pa.array(batch.column(0).to_numpy() + 1)
                yield pa.record_batch([ids, pa.array(ids.to_numpy() % 7)], schema=batch.schema)
                continue
            yield batch.slice(0, batch.num_rows - lost * now)
            if now and change == "more" and first == 750:
                yield batch.slice(0, 1)

    frame = numbers.mapInArrow(changing, numbers.schema)
    sample = tql.sample(frame, sampler, 100, seed=1)
    assert sample.count() == 100
    Path(marker).touch()
    with pytest.raises(Exception, match="rows changed between the passes"):
        sample.count()
    assert found == ["Spark"]


@TWO
def test_faults_of_weights_and_idle_arms_are_those_of_one_frame(numbers, drawn_by):
    found = drawn_by("Spark")
    whole = pl.DataFrame({"id": np.arange(1_000), "v": np.arange(1_000) % 7})
    for sampler in ("v - 3", "0.0 * v", "max_weight(v > 9: 2)"):
        with pytest.raises(WeightError) as fault:
            tql.sample(numbers, sampler, 5, seed=1)
        with pytest.raises(WeightError) as expected:
            whole.tql.sample(sampler, 5, seed=1)
        assert str(fault.value) == str(expected.value)
    with pytest.warns(TQLArmWarning) as told:
        tql.sample(numbers, "max_weight(v > 1e9: 5, v >= 0: 0.5, True: 1)", 10, seed=1)
    assert [(str(each.message).splitlines()[0], each.filename) for each in told if each.category is TQLArmWarning] == [
        ("arm 1 matches no row", __file__),
        ("arm 2 never decides: every row has weight 1 from arm 3", __file__),
    ]
    assert found == ["Spark"]


@TWO
@pytest.mark.parametrize(
    ("sampler", "words"),
    [
        ("max_weight(id % 10 = 0: 9, v in (1, 2): 3, True: 1)", "Spark computes the weights"),
        ("id * 0.5", "Spark computes the weights"),
        ("sqrt(v)", "otherwise: sqrt(v): Spark has no rule for it"),
        ("max_weight(id / v > 3: 1)", "otherwise: id / v: Spark refuses to divide by 0"),
        ("max_weight(v > 3: id)", "its weights are not all constants, or they are many"),
        ("max_weight(random() > 3: 1)", "random(): Spark has no rule for it"),
        (pl.col("v") * 2, "it is a Polars expression"),
        ("select * where v > 3 sample by v", "Python runs the statement"),
    ],
)
def test_explain_says_who_computes_the_weights(numbers, sampler, words):
    assert words in tql.explain(numbers, sampler)
