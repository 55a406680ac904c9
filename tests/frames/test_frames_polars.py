"""Polars DataFrames: every dtype comes through a sample as it was, and the sample is made of the frame's own rows."""

import datetime as dt
import multiprocessing
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import polars as pl
import polars.selectors as cs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal, assert_series_equal
from polars.testing.parametric import dataframes

import tql_frames
from tests.loops import for_each
from tests.sizes import size
from tql_frames import TQLError, TQLNameError, TQLTypeError, TQLUnsupportedError, WeightError

DAY, NOON = dt.date(2024, 2, 29), dt.datetime(2024, 2, 29, 12, 0, 0, 123)
NAN = float("nan")

INTEGERS = ["Int8", "Int16", "Int32", "Int64", "Int128", "UInt8", "UInt16", "UInt32", "UInt64", "UInt128"]
FLOATS = ["Float16", "Float32", "Float64"]
# Types that Polars got only lately are left out where it does not have them.
COLUMNS: dict[str, pl.Series] = {
    **{name: pl.Series([1, None, 127, 0], dtype=getattr(pl, name)) for name in INTEGERS if hasattr(pl, name)},
    **{name: pl.Series([1.5, None, NAN, -0.0], dtype=getattr(pl, name)) for name in FLOATS if hasattr(pl, name)},
    **{
        f"Datetime {unit} {zone}": pl.Series([NOON, None, NOON, NOON], dtype=pl.Datetime(unit)).dt.replace_time_zone(
            zone
        )
        for unit in ("ms", "us", "ns")
        for zone in (None, "UTC", "America/New_York")
    },
    **{
        f"Duration {unit}": pl.Series(
            [dt.timedelta(days=-1), None, dt.timedelta(0), dt.timedelta(1)], dtype=pl.Duration(unit)
        )
        for unit in ("ms", "us", "ns")
    },
    "Boolean": pl.Series([True, None, False, True]),
    "String": pl.Series(["a", None, "", "ünïcødé, longer than twelve bytes"]),
    "Binary": pl.Series([b"\xff", None, b"", b"x" * 20]),
    "Date": pl.Series([DAY, None, dt.date(1, 1, 1), DAY]),
    "Time": pl.Series([dt.time(0), None, dt.time(23, 59, 59, 999999), dt.time(1)]),
    "Decimal": pl.Series([Decimal("1.25"), None, Decimal("-0.01"), Decimal(0)], dtype=pl.Decimal(20, 2)),
    "Categorical": pl.Series(["b", None, "a", "b"], dtype=pl.Categorical),
    "Enum": pl.Series(["b", None, "a", "b"], dtype=pl.Enum(["c", "b", "a"])),
    "List": pl.Series([[1, None], None, [], [3]], dtype=pl.List(pl.Int16)),
    "List of lists": pl.Series([[["a"], []], None, [], [None, ["b"]]], dtype=pl.List(pl.List(pl.String))),
    "List of structs": pl.Series([[{"a": 1}], None, [], [None]], dtype=pl.List(pl.Struct({"a": pl.Int8}))),
    "Array": pl.Series([[1.0, NAN], None, [None, 2.0], [3.0, 4.0]], dtype=pl.Array(pl.Float32, 2)),
    "Array of arrays": pl.Series(
        [[[1, 2], [3, 4]], None, [[5, 6], [7, 8]], [[None, 9], [0, 1]]], dtype=pl.Array(pl.Int32, (2, 2))
    ),
    "Struct": pl.Series([{"a": 1, "b": ["x"]}, None, {"a": None, "b": []}, {"a": 2, "b": None}]),
    "Null": pl.Series([None] * 4, dtype=pl.Null),
}

OBJECTS: list[Any] = [object(), None, {1, 2}, "text"]


def taken_by_hand(frame: pl.DataFrame, positions: pl.Series) -> pl.DataFrame:
    """Rows one by one, not gathered."""
    return pl.concat([frame.slice(position, 1) for position in positions])


@for_each("kind", COLUMNS)
@pytest.mark.parametrize("options", [{}, {"order": "source"}, {"replace": False, "limit": 3}], ids=str)
def test_dtype_comes_through(kind: str, options: dict[str, Any]) -> None:
    frame = pl.DataFrame({"before": [1, 2, 3, 4], "x": COLUMNS[kind], "after": ["a", "b", "c", "d"]})
    found = frame.tql.sample("before", **{"limit": 9, "seed": 1} | options)
    assert found.schema == {"index": pl.UInt32, **frame.schema}
    assert found.columns == ["index", *frame.columns]
    assert_frame_equal(found.drop("index"), taken_by_hand(frame, found["index"]))
    assert found["index"].n_unique() > 1


def test_objects_come_through() -> None:
    frame = pl.DataFrame({"x": pl.Series(OBJECTS, dtype=pl.Object), "w": [1, 2, 3, 4]})
    found = frame.tql.sample("w", 9, seed=1)
    assert found.schema == {"index": pl.UInt32, "x": pl.Object, "w": pl.Int64}
    assert all(value is OBJECTS[position] for position, value in found.select("index", "x").rows())


@settings(max_examples=size(10, 40), deadline=None)
@given(frame=dataframes(min_size=1, max_size=8, allow_chunks=True), seed=st.integers(0, 2**70))
def test_any_frame(frame: pl.DataFrame, seed: int) -> None:
    before = frame.clone()
    found = frame.tql.sample("1", 5, seed=seed)
    assert_frame_equal(found.drop("index"), taken_by_hand(frame, found["index"]), categorical_as_str=True)
    assert found.drop("index").schema == frame.schema
    assert_frame_equal(frame, before)


@pytest.mark.parametrize("kind", COLUMNS)
def test_no_rows(kind: str) -> None:
    frame = pl.DataFrame({"x": COLUMNS[kind]}).clear()
    assert frame.tql.sample("1").schema == {"index": pl.UInt32, **frame.schema}
    assert frame.tql.sample("1", index=None).equals(frame)


def test_one_row() -> None:
    frame = pl.DataFrame({"x": ["only"]})
    assert frame.tql.sample("5", 3, seed=0).rows() == [(0, "only")] * 3


def test_no_columns() -> None:
    frame = pl.DataFrame()
    assert frame.tql.sample("1").schema == {"index": pl.UInt32}
    assert frame.tql.sample("1", index=None).shape == (0, 0)
    assert frame.tql.weights("1").to_list() == []


def test_rows_without_columns() -> None:
    try:
        frame = pl.DataFrame(height=3)
    except TypeError:
        pytest.skip("this Polars has no frames of a height alone")
    assert set(frame.tql.sample("1", 50, seed=0)["index"]) == {0, 1, 2}
    assert frame.tql.sample("1", 50, seed=0, index=None).shape == (50, 0)
    assert frame.tql.weights("max_weight(true: 2)").to_list() == [2.0] * 3


class TestIndex:
    frame = pl.DataFrame({"x": [10, 20, 30], "index": ["a", "b", "c"]})

    def test_is_the_row_number_as_polars_writes_it(self) -> None:
        frame = self.frame.drop("index")
        found = frame.tql.sample("x", 50, seed=1)
        assert found.schema == frame.with_row_index().schema
        assert_frame_equal(found, taken_by_hand(frame.with_row_index(), found["index"]))

    def test_renamed(self) -> None:
        found = self.frame.tql.sample("x", 5, seed=1, index="row")
        assert found.columns == ["row", "x", "index"]
        assert found["row"].to_list() == [x // 10 - 1 for x in found["x"]]

    def test_left_out(self) -> None:
        assert self.frame.tql.sample("x", 5, seed=1, index=None).schema == self.frame.schema

    @pytest.mark.parametrize(("index", "hint"), [("index", "index=None"), ("x", "another name")])
    @pytest.mark.parametrize("kind", [pl.DataFrame.clone, pl.DataFrame.lazy])
    def test_clash(self, kind: Callable[[pl.DataFrame], Any], index: str, hint: str) -> None:
        with pytest.raises(TQLError, match=f"has a column '{index}' already") as caught:
            kind(self.frame).tql.sample("x", 5, index=index)
        assert hint in str(caught.value)

    @pytest.mark.parametrize("index", [0, True, ["a"], b"index"])
    def test_is_a_name(self, index: Any) -> None:
        with pytest.raises(TQLError, match="expected index= to be a column name or None"):
            self.frame.tql.sample("x", 5, index=index)


NAMES = [
    "weight",
    "bad",
    "index",
    "",
    "*",
    "^a$",
    "^.*$",
    "literal",
    "len",
    "1",
    "weight 0",
    "max_weight",
    "a.b",
    "tql",
]


@for_each("name", NAMES)
@pytest.mark.parametrize("kind", [pl.DataFrame.clone, pl.DataFrame.to_pandas, pl.DataFrame.lazy])
@pytest.mark.parametrize(
    "sampler", ["NAME", "max_weight(NAME > 1: 3, NAME > 0: 1)", "max_weight(NAME = 2: 3, true: NAME)"]
)
def test_column_of_any_name(kind: Callable[[pl.DataFrame], Any], name: str, sampler: str) -> None:
    if name.startswith("^") and pl.__version__.startswith("1."):
        with pytest.raises(TQLUnsupportedError, match="rename it"):
            kind(pl.DataFrame({name: [0.0]})).tql.weights(f'"{name}"' if sampler == "NAME" else f'"{name}" + 1')
        return
    frame = kind(pl.DataFrame({"first": [9, 9, 9], name: [0.0, 1.0, 2.0], "a": [5, 0, 0]}))
    weights = frame.tql.weights(sampler.replace("NAME", f'"{name}"'))
    weights = weights.collect()["weight"] if isinstance(weights, pl.LazyFrame) else weights
    assert weights.to_list() == [0.0, 1.0, 2.0 if sampler == "NAME" else 3.0]


def test_column_of_any_name_with_a_bad_weight() -> None:
    frame = pl.DataFrame({"bad": [1.0, 2.0], "weight": [1.0, -1.0]})
    with pytest.raises(WeightError, match="arm 1 has a negative weight in row 1"):
        frame.tql.sample("max_weight(bad > 0: weight, true: 9)")


def test_chunks_do_not_matter() -> None:
    parts = [pl.DataFrame({"w": [1.0, 2.0], "l": [["a"], []]}), pl.DataFrame({"w": [3.0], "l": [None]})] * 3
    parts = [part.with_columns(pl.col("l").cast(pl.List(pl.String))) for part in parts]
    chunked, whole = pl.concat(parts, rechunk=False), pl.concat(parts, rechunk=True)
    assert chunked.n_chunks() == 6
    for sampler in ("w", "max_weight(contains(l, 'a'): 3, true: 1)", "1"):
        assert_frame_equal(chunked.tql.sample(sampler, 99, seed=2), whole.tql.sample(sampler, 99, seed=2))


FRAME = pl.DataFrame({"a": [1.0, 2.0, None], "b": [3, 2, 1], "t": ["x", "y", "z"], "c": [True, None, False]})
KINDS = {"polars": pl.DataFrame.clone, "pandas": pl.DataFrame.to_pandas, "lazy": pl.DataFrame.lazy}

EXPRESSIONS: dict[str, tuple[pl.Expr, list[float]]] = {
    "column": (pl.col("b"), [3, 2, 1]),
    "null counts as 0": (pl.col("a"), [1, 2, 0]),
    "arithmetic": (pl.col("b") * 2 + 1, [7, 5, 3]),
    "true and false": (pl.col("b") > 1, [1, 1, 0]),
    "boolean with null": (pl.col("c"), [1, 0, 0]),
    "decimal": (pl.col("b").cast(pl.Decimal(10, 2)), [3, 2, 1]),
    "literal": (pl.lit(2), [2, 2, 2]),
    "aggregation": (pl.col("b").sum(), [6, 6, 6]),
    "length": (pl.len(), [3, 3, 3]),
    "row numbers": (pl.int_range(pl.len()), [0, 1, 2]),
    "window": (pl.col("b").sum().over("t"), [3, 2, 1]),
    "when": (pl.when(pl.col("t") == "y").then(5).otherwise(1), [1, 5, 1]),
    "series": (pl.lit(pl.Series([4.0, 5.0, 6.0])), [4, 5, 6]),
    "another name": (pl.col("b").alias("w"), [3, 2, 1]),
    "Python function": (pl.col("b").map_batches(lambda s: s * 2, return_dtype=pl.Int64), [6, 4, 2]),
    "wildcard folded": (pl.sum_horizontal(pl.exclude("t", "c")), [4, 4, 1]),
    "selector folded": (pl.max_horizontal(cs.numeric()), [3, 2, 1]),
    "selector of one": (cs.integer() * 2, [6, 4, 2]),
    "by type": (pl.col(pl.Int64), [3, 2, 1]),
    "pattern": (pl.col("^b$"), [3, 2, 1]),
    "by place": (pl.nth(1) + 0 * pl.col("a").max(), [3, 2, 1]),
    "first": (pl.first(), [1, 2, 0]),
}


@pytest.mark.parametrize("kind", KINDS)
@for_each("case", EXPRESSIONS)
def test_expression_as_sampler(case: str, kind: str) -> None:
    expr, expected = EXPRESSIONS[case]
    weights = KINDS[kind](FRAME).tql.weights(expr)
    weights = weights.collect()["weight"] if isinstance(weights, pl.LazyFrame) else weights
    assert weights.to_list() == expected


WRONG_EXPRESSIONS: dict[str, tuple[pl.Expr, type[TQLError], str]] = {
    "text": (pl.col("t"), TQLTypeError, "expected numeric weights, got String"),
    "struct": (pl.struct("a", "b"), TQLTypeError, "expected numeric weights, got Struct"),
    "duration": (pl.duration(days=1), TQLTypeError, "expected numeric weights, got Duration"),
    "unknown column": (pl.col("bb"), TQLNameError, "unknown column 'bb'"),
    "unknown column inside": (pl.col("a") + pl.col("bb"), TQLNameError, "unknown column 'bb'"),
    "several columns": (pl.all(), TQLTypeError, "one column, got several"),
    "columns of a type": (cs.numeric(), TQLTypeError, "one column, got several"),
    "too few rows": (pl.col("b").filter(pl.col("b") > 1), TQLError, "cannot be evaluated"),
    "too short a series": (pl.lit(pl.Series([1.0, 2.0])), TQLError, "cannot be evaluated"),
    "wrong types": (pl.col("t") + pl.col("b").cast(pl.List(pl.Int64)), TQLError, "cannot be evaluated"),
    "negative": (-pl.col("b"), WeightError, "a negative weight in 3 rows, the first row 0"),
    "NaN": (pl.col("b") * NAN, WeightError, "a NaN weight"),
    "infinite": (pl.col("b") / 0, WeightError, "an infinite weight"),
    "nothing to draw": (pl.col("b") * 0, WeightError, "no row can be drawn"),
    "nulls": (pl.lit(None), WeightError, "no row can be drawn"),
}


@pytest.mark.parametrize("kind", KINDS)
@for_each("case", WRONG_EXPRESSIONS)
def test_wrong_expression_as_sampler(case: str, kind: str) -> None:
    expr, error, message = WRONG_EXPRESSIONS[case]
    with pytest.raises(error, match=message) as caught:
        found = KINDS[kind](FRAME).tql.sample(expr, 5)
        if isinstance(found, pl.LazyFrame):
            found.collect()
    assert type(caught.value) is error


@pytest.mark.parametrize("sampler", [None, 5, 1.5, b"a", {"a": 1}, {1, 2}, lambda frame: 1])
@pytest.mark.parametrize("call", [tql_frames.sample, tql_frames.weights, tql_frames.explain])
def test_neither_text_nor_expression(call: Callable[..., Any], sampler: Any) -> None:
    with pytest.raises(TQLError, match="expected a sampler as TQL text or a Polars expression, got"):
        call(FRAME, sampler)


def test_weights_are_a_series_of_the_same_height() -> None:
    weights = FRAME.tql.weights("max_weight(a > 1: 5, b = 3: 0.5)")
    assert_series_equal(weights, pl.Series("weight", [0.5, 5.0, 0.0]))


@pytest.mark.skipif("fork" not in multiprocessing.get_all_start_methods(), reason="this system does not fork")
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_a_fork_of_a_process_in_which_polars_ran_is_refused_and_so_are_its_own_forks() -> None:
    fork = multiprocessing.get_context("fork")
    reader, writer = fork.Pipe(duplex=False)
    FRAME.lazy().sort("a").collect()  # Polars has threads by now

    def answer() -> str:
        try:
            tql_frames.weights(FRAME, "max_weight(a > 1: 5)")
        except TQLError as fault:
            return fault.message
        return "ran"

    def work(generations: int) -> None:
        writer.send(answer())
        if generations:
            run(generations - 1)

    def run(generations: int) -> None:
        process = fork.Process(target=work, args=(generations,))
        process.start()
        process.join(4 * (generations + 1))  # seconds; a fork that is not refused may never end
        process.kill()

    run(2)
    answers = []
    while reader.poll():
        answers.append(reader.recv())
    assert answers == ["Polars cannot run in this process: it was forked after Polars had started its threads"] * 3
    assert answer() == "ran"
