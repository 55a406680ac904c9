"""Numbers of every pair of types beside plain Python, which calculates with `int`, `Decimal` and `Fraction` exactly.

The rules, as docs/language.md has them: integers and decimals are compared and calculated with exactly, and a result
beyond its type is null; beside a Float64 or Float32 column both are Float64; a constant beside a Float32 column is the
Float32 next to it, beside an integer or decimal column what was written.
"""

from __future__ import annotations

import itertools
import math
import operator
from collections.abc import Iterable
from decimal import Decimal
from fractions import Fraction
from functools import cache
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

import tql_frames
from tests.loops import for_each
from tests.sizes import size
from tql_frames.pipeline.draw import DrawSpec

POLARS_1 = pl.__version__.startswith("1.")
WHOLE = {"Int8": 8, "Int16": 16, "Int32": 32, "Int64": 64, "Int128": 128}
UNSIGNED = {"UInt8": 8, "UInt16": 16, "UInt32": 32, "UInt64": 64} | ({"UInt128": 128} if hasattr(pl, "UInt128") else {})
EDGES = [0, 1, -1, 3, -7, 100]
EDGES += [sign * 2**bits + each for bits in (53, 62, 63) for each in (-1, 0, 1) for sign in (1, -1)]
EDGES += [2**64 - 1, 2**64 - 2, 2**127 - 1, -(2**127)]
OPERATORS = {
    "=": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


def _integers(name: str, bits: int, signed: bool) -> pl.Series:
    low, high = (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1) if signed else (0, 2**bits - 1)
    values = dict.fromkeys([low, low + 1, high - 1, high, *(each for each in EDGES if low <= each <= high)])
    return pl.Series([*values, None], dtype=getattr(pl, name))


def _decimals(precision: int, scale: int, *texts: str) -> pl.Series:
    return pl.Series([*map(Decimal, texts), None], dtype=pl.Decimal(precision, scale))


COLUMNS: dict[str, pl.Series] = {
    **{name: _integers(name, bits, True) for name, bits in WHOLE.items()},
    **{name: _integers(name, bits, False) for name, bits in UNSIGNED.items()},
    "Decimal2": _decimals(20, 2, "0", "1.00", "-1.50", "3.5", "12345678901234567.89", "12345678901234567.88"),
    "Decimal0": _decimals(38, 0, "1", "-2", "9007199254740993", "9223372036854775808", "9" * 38, "-" + "9" * 38),
    "Decimal10": _decimals(30, 10, "0.1", "1", "-1.5", "3.4999999999", "12345678901234567.8900000001"),
    "Decimal38": _decimals(38, 38, "0.1", "-0.5", "0." + "0" * 37 + "1"),
    "Float64": pl.Series([0.0, -0.0, 0.5, 1.0, -1.5, 2.0**53, 2.0**63, math.inf, -math.inf, math.nan, 1.797e308, None]),
    "Float32": pl.Series([0.0, -0.0, 0.7, 1.0, -1.5, 2.0**53, math.inf, -math.inf, math.nan, None], dtype=pl.Float32),
    "Boolean": pl.Series([True, False, None]),
}
EXACT = [name for name in COLUMNS if not name.startswith("Float")]
PAIRS = list(itertools.product(COLUMNS, COLUMNS))
EXACT_PAIRS = list(itertools.product(EXACT, EXACT))


def in_one_order(pairs: list[tuple[str, str]]) -> list[tuple[str, str]]:
    """In `make test` each pair of types in one order: every type comes first in about half of its pairs."""
    names = [*COLUMNS]
    places = [(pair, names.index(pair[0]), names.index(pair[1])) for pair in pairs]
    return size([pair for pair, a, b in places if a == b or (a < b) == ((a + b) % 2 == 0)], pairs)


NUMBERS = [name for name in EXACT if name != "Boolean"]


def crossed(a: str, b: str) -> pl.DataFrame:
    """Every value of one column beside every value of another."""
    return pl.DataFrame({"a": COLUMNS[a]}).join(pl.DataFrame({"b": COLUMNS[b]}), how="cross")


def values(frame: pl.DataFrame, *exprs: str, pair: tuple[str, str] | None = None) -> list[tuple[Any, ...]]:
    """What expressions are on each row, of the frame and of its lazy form, which must agree.

    Of a pair of types `make test` asks the lazy form one time in four.
    """
    text = "select " + ", ".join(f"{expr} as v{place}" for place, expr in enumerate(exprs))
    found = frame.tql.query(text)
    names = [f"v{place}" for place in range(len(exprs))]
    if pair is None or size(sum(map([*COLUMNS].index, pair)) // 2 % 4 == 0, True):
        assert_same(found, frame.lazy().tql.query(text).collect())
    return found.select(names).rows()


def assert_same(a: pl.DataFrame, b: pl.DataFrame) -> None:
    assert a.schema == b.schema
    assert repr(a.rows()) == repr(b.rows())


fraction_of = cache(Fraction)  # of few values, each of which is compared with many


def compared(symbol: str, x: Any, y: Any, *, real: bool) -> bool | None:
    if x is None or y is None:
        return None
    return OPERATORS[symbol](float(x), float(y)) if real else OPERATORS[symbol](fraction_of(x), fraction_of(y))


def is_real(*names: str) -> bool:
    return any(name.startswith("Float") for name in names)


@pytest.mark.fault("A5")
@for_each(("a", "b"), in_one_order(PAIRS))
def test_columns_compare_exactly(a: str, b: str) -> None:
    frame, real = crossed(a, b), is_real(a, b)
    found = values(
        frame, *(f"a {symbol} b" for symbol in OPERATORS), "a in (b, null)", "a between b and b", pair=(a, b)
    )
    for (x, y), row in zip(frame.rows(), found, strict=True):
        expected = [compared(symbol, x, y, real=real) for symbol in OPERATORS]
        equal = compared("=", x, y, real=real)
        assert list(row) == [*expected, True if equal else None, equal], (x, y)


@pytest.mark.fault("A6")
@pytest.mark.fault("A4")
@for_each(("a", "b"), size(in_one_order(PAIRS)[::2], PAIRS))
def test_lists_compare_as_their_elements(a: str, b: str) -> None:
    frame, real = crossed(a, b), is_real(a, b)
    lists = frame.select(a=pl.concat_list("a", "a"), b=pl.concat_list("b", "b"), c="b")
    exprs = [*(f"a {symbol} b" for symbol in OPERATORS), "a < c", "hamming_distance(a, b)", "contains(a, c)"]
    found = values(lists, *exprs, pair=(a, b))
    for (x, y), row in zip(frame.rows(), found, strict=True):
        expected: list[Any] = [[compared(symbol, x, y, real=real)] * 2 for symbol in OPERATORS]
        equal = compared("=", x, y, real=real)
        expected += [[compared("<", x, y, real=real)] * 2, None if equal is None else 0 if equal else 2]
        expected.append(None if y is None else equal is True)
        assert list(row) == expected, (x, y)


@pytest.mark.fault("A4")
def test_arrays_compare_exactly() -> None:
    frame = pl.DataFrame({"a": [[2**63, 2**63 + 1]], "b": [[2**63 + 1, 2**63 + 1]], "l": [[-1, 1]]})
    frame = frame.with_columns(pl.col("a", "b").cast(pl.Array(pl.UInt64, 2)), pl.col("l").cast(pl.Array(pl.Int64, 2)))
    found = values(frame, "a = b", "a < b", "a > l", "hamming_distance(a, b)", "all(a = b)", "a - b", "dot(a, l)")
    assert found == [([False, True], [True, False], [True, True], 1, False, [-1, 0], 1)]


CONSTANTS = [
    "0",
    "1",
    "-1",
    "2.5",
    "-1.5",
    "0.7",
    "1e30",
    "-1e30",
    "1e-30",
    "12345678901234567.89",
    "9007199254740993.0",
]
CONSTANTS += [str(each) for each in (2**53 + 1, 2**63 - 1, 2**63, 2**64 - 1, -(2**63))]


@pytest.mark.fault("A5")
@pytest.mark.parametrize("name", NUMBERS)
def test_constants_are_taken_as_written(name: str) -> None:
    frame = pl.DataFrame({"a": COLUMNS[name]}).with_columns(l=pl.concat_list("a"))
    for text in size(
        CONSTANTS[NUMBERS.index(name) % 3 :: 3], CONSTANTS
    ):  # in `make test` a third of them for each type
        number = int(text) if text.lstrip("-").isdigit() else Decimal(text)
        written = [f"a {symbol} {text}" for symbol in OPERATORS]
        exprs = [
            *written,
            f"a in ({text}, 77)",
            f"a between {text} and {text}",
            f"contains(l, {text})",
            f"any(l = {text})",
        ]
        found = values(frame, *exprs, f"any(l = ARRAY[{text}])", f"{text} < a")
        query = (
            frame.lazy().tql.query("select a = ? as x, a in (?) as y, a <= ? as z", parameters=[number] * 3).collect()
        )
        for (x, *_), row, bound in zip(frame.rows(), found, query.select("x", "y", "z").rows(), strict=True):
            expected = [compared(symbol, x, number, real=False) for symbol in OPERATORS]
            equal = expected[0]
            among = None if x is None else equal or x == 77
            assert list(row[:7]) == [*expected, among], (x, text)
            assert list(row[7:]) == [equal, equal is True, equal is True, equal is True, expected[4]], (x, text)
            assert list(bound) == [equal, equal, expected[3]], (x, text)


@pytest.mark.fault("A12")
@pytest.mark.parametrize("kind", ["eager", "lazy", "pandas"])
def test_a_constant_beside_float32_is_a_float32(kind: str) -> None:
    numbers = [0.7, 0.1, 16777216.0, math.inf, 0.0, None]
    frame: Any = pl.DataFrame({"s": pl.Series(numbers, dtype=pl.Float32)}).with_columns(
        l=pl.concat_list("s"), n=pl.int_range(pl.len())
    )
    if kind == "lazy":
        frame = frame.lazy()
    elif kind == "pandas":
        lists = [None if each is None else [each] for each in frame["s"].to_list()]
        frame = pd.DataFrame(
            {"s": np.array([math.nan if each is None else each for each in numbers], dtype=np.float32)}
        )
        frame["n"] = range(len(frame))
        frame["l"] = [np.array(each or [], dtype=np.float32) for each in lists]

    def rows(condition: str, *parameters: object) -> list[int]:
        found = frame.tql.query(f"select n where {condition}", parameters=list(parameters))
        found = found.collect() if kind == "lazy" else found
        return [int(each) for each in found["n"]]

    for condition in (
        "s = 0.7",
        "s in (0.7, 5)",
        "s between 0.7 and 0.7",
        "contains(l, 0.7)",
        "any(l = 0.7)",
        "0.7 = s",
    ):
        assert rows(condition) == [0], condition
    for condition in ("any(l in (0.7, 3))", "any(l = ARRAY[0.7])", "any(l between 0.7 and 0.7)"):
        assert rows(condition) == [0], condition
    assert rows("s = ?", 0.7) == rows("s = ?", Decimal("0.7")) == rows("s in (?)", [0.7]) == [0]
    assert rows("s >= 0.7") == [0, 2, 3]
    assert rows("s > 0.7") == [2, 3]
    assert rows("s <= 0.1") == [1, 4]
    assert rows("s = 1e39") == rows("s = 1e-60") == []  # which Float32 does not hold
    assert rows("s > 1e39") == [3]
    assert rows("s < 1e-60") == [4]


def test_a_float32_column_beside_a_float64_column_is_a_float64() -> None:
    frame = pl.DataFrame({"s": pl.Series([0.7, 0.5], dtype=pl.Float32), "d": [0.7, 0.5]})
    assert values(frame, "s = d", "s + 0.0 = 0.5", "s < d") == [(False, False, True), (True, True, False)]


@pytest.mark.fault("A9")
def test_infinity_is_no_largest_float() -> None:
    largest = 1.7976931348623157e308
    frame = pl.DataFrame(
        {"a": [[math.inf, -math.inf, math.inf, largest]], "b": [[largest, -largest, math.inf, largest]]}
    )
    found = values(
        frame, "a = b", "a > b", "a < b", "a = ARRAY[1.7976931348623157e308, 0, 0, 0]", "hamming_distance(a, b)"
    )
    expected = ([False, False, True, True], [True, False, False, False], [False, True, False, False])
    assert found == [(*expected, [False, False, False, False], 2)]


def limits(*names: str) -> tuple[int, int]:
    """Of the type of a result: Int64 where both are, else Int128."""
    wide = any(name in ("UInt64", "Int128", "UInt128") for name in names)
    return (-(2**127), 2**127 - 1) if wide else (-(2**63), 2**63 - 1)


def remainder(x: Any, y: Any) -> Any:
    x, y = Fraction(x), Fraction(y)
    return None if y == 0 else math.copysign(1, x) * 0 + (abs(x) % abs(y)) * (1 if x >= 0 else -1)


def calculated(symbol: str, x: Any, y: Any, low: int, high: int) -> int | None:
    if x is None or y is None or not all(-(2**127) <= each < 2**127 for each in (x, y)):
        return None
    x, y = int(x), int(y)
    if symbol == "%":
        return None if y == 0 else abs(x) % abs(y) * (1 if x >= 0 else -1)
    found = {"+": x + y, "-": x - y, "*": x * y}[symbol]
    return found if low <= found <= high else None


INTEGERS = [*WHOLE, *UNSIGNED, "Boolean"]


@pytest.mark.fault("A13")
@for_each(("a", "b"), in_one_order(list(itertools.product(INTEGERS, INTEGERS))))
def test_integers_of_every_width_stay_whole_in_arithmetic(a: str, b: str) -> None:
    frame = crossed(a, b)
    lists = frame.with_columns(l=pl.concat_list("a"), m=pl.concat_list("b"))
    array = "null" if "Boolean" in (a, b) else "ARRAY[a, b]"
    symbols = ["+", "-", "*", "%"]
    exprs = [*(f"a {each} b" for each in symbols), *(f"l {each} m" for each in "+-*"), "l + b", array]
    found = values(lists, *exprs, pair=(a, b))
    low, high = limits(a, b)
    for (x, y), row in zip(frame.rows(), found, strict=True):
        expected = [calculated(symbol, x, y, low, high) for symbol in symbols]
        assert list(row[:4]) == expected, (x, y)
        assert list(row[4:8]) == [[each] for each in (*expected[:3], expected[0])], (x, y)
        given = [None if each is None or each >= 2**127 else int(each) for each in (x, y)]
        assert row[8] == (None if array == "null" else given)


@pytest.mark.fault("A13")
@pytest.mark.parametrize("name", INTEGERS)
def test_functions_of_integers_stay_whole(name: str) -> None:
    series = COLUMNS[name]
    pairs = list(itertools.product(series.to_list(), repeat=2))
    frame = pl.DataFrame(
        {"x": pl.Series([x for x, _ in pairs], dtype=series.dtype), "l": pl.Series(pairs, dtype=pl.List(series.dtype))}
    )
    found = values(frame, "-x", "abs(x)", "sum(l)", "prod(l)", "amin(l)", "amax(l)", "dot(l, l)")
    low, high = limits(name)

    def kept(number: int | None) -> int | None:
        return number if number is not None and low <= number <= high else None

    for pair, row in zip(pairs, found, strict=True):
        x = pair[0]
        known = [int(each) for each in pair if each is not None and each < 2**127]
        given = [each for each in pair if each is not None]
        squares = [kept(each * each) for each in map(int, given)] if len(given) == 2 else [None]
        dot = None if None in squares or len(known) < 2 else kept(sum(squares))  # type: ignore[arg-type]
        expected: list[Any] = [None if x is None or x >= 2**127 else kept(sign(int(x))) for sign in (operator.neg, abs)]
        expected += [kept(sum(known)), kept(math.prod(known))]
        expected += [min(given) if given else 0, max(given) if given else 0, dot]
        assert list(row) == expected, pair


@pytest.mark.fault("A13")
def test_a_hash_divides_into_equal_parts_as_a_weight_too() -> None:
    numbers = pl.DataFrame({"id": range(20_000)}).select(h=pl.col("id").hash(7))
    frames: list[Any] = [numbers, numbers.lazy(), numbers.to_pandas()]
    exact = [each % 10 for each in numbers["h"].to_list()]
    assert min(np.bincount(exact)) > 1_800
    for frame in frames:
        found = frame.tql.query("select h % 10 as part, h % 10 = 3 as third")
        found = found.collect() if isinstance(found, pl.LazyFrame) else found
        assert list(found["part"]) == exact
        assert list(found["third"]) == [each == 3 for each in exact]
    weights = tql_frames.weights(numbers, "max_weight(h % 10 = 3: 2, h % 10 < 3: h % 10)")
    assert list(weights) == [2 if each == 3 else each if each < 3 else 0 for each in exact]


@pytest.mark.fault("A13")
def test_a_remainder_of_whole_numbers_is_no_python_function() -> None:
    for dtype in (pl.UInt64, pl.Int128):
        plan = pl.LazyFrame({"h": pl.Series([1], dtype=dtype)}).tql.query(
            "select h % 10 as a, h + 1 as b, h - 1 as c, abs(h) as d, -h as e"
        )
        assert "python" not in plan.explain().lower()


@pytest.mark.fault("A13")
def test_long_sums_do_not_double_with_each_term() -> None:
    frame = pl.DataFrame({"i": [1, 2**62], "u": pl.Series([1, 2**64 - 1], dtype=pl.UInt64)})
    terms = 60
    found = values(frame, " + ".join(["i"] * terms), " + ".join(["u"] * terms))
    assert found == [(terms, terms), (None, terms * (2**64 - 1))]


@pytest.mark.fault("A13")
def test_wide_results_in_pandas_are_whole_decimals() -> None:
    frame = pd.DataFrame({"u": pd.Series([2**64 - 1, 5], dtype="uint64"), "i": [-1, 1]})
    found = frame.tql.query("select u + 1 as a, u * i as b, ARRAY[u, i] as c, u % 7 as d")
    assert found["a"].tolist() == [2**64, 6]
    assert found["a"].dtype == pd.ArrowDtype(pa.decimal128(38, 0))
    assert frame.tql.query("select u * 9223372036854775807 as a").a.tolist() == [
        (2**64 - 1) * (2**63 - 1),
        5 * (2**63 - 1),
    ]
    assert found["b"].tolist() == [-(2**64 - 1), 5]
    assert [list(each) for each in found["c"]] == [[2**64 - 1, -1], [5, 1]]
    assert found["d"].tolist() == [(2**64 - 1) % 7, 5]


DECIMALS = [name for name in COLUMNS if name.startswith("Decimal")]


def within(found: Fraction, places: int) -> bool:
    return abs(found * 10**places) < 10**38


@pytest.mark.fault("A5")
@for_each(("a", "b"), in_one_order([pair for pair in EXACT_PAIRS if any("Decimal" in each for each in pair)]))
def test_decimals_are_calculated_exactly(a: str, b: str) -> None:
    frame = crossed(a, b)
    scales = [COLUMNS[each].dtype.scale if each in DECIMALS else 0 for each in (a, b)]  # type: ignore[attr-defined]
    symbols = ["+", "-", "*", "%"] if sum(scales) <= 38 else ["+", "-", "%"]
    exprs = [*(f"a {each} b" for each in symbols), "l + b", "abs(a)"]
    found = values(frame.with_columns(l=pl.concat_list("a")), *exprs, pair=(a, b))
    for (x, y), row in zip(frame.rows(), found, strict=True):
        for symbol, value in zip(symbols, row, strict=False):
            places = sum(scales) if symbol == "*" else max(scales)
            if x is None or y is None or (symbol == "%" and y == 0):
                assert value is None
                continue
            p, q = Fraction(x), Fraction(y)
            exact = {"+": p + q, "-": p - q, "*": p * q}.get(symbol)
            if symbol == "%":
                exact = abs(p) % abs(q) * (1 if p >= 0 else -1)
            assert exact is not None
            factor = 1 if symbol == "*" else 10**places
            terms = all(-(2**127) <= each * factor < 2**127 for each in (p, q))
            if POLARS_1 and symbol == "*" and value is None:  # of more than 38 digits on the way
                continue
            if within(exact, places) and terms:
                assert Fraction(value) == exact, (x, symbol, y)
            else:
                assert value is None, (x, symbol, y)
        assert row[-2] == [row[0]]


@pytest.mark.fault("A5")
def test_functions_and_weights_of_decimals() -> None:
    money = _decimals(20, 2, "12345678901234567.89", "-0.01")
    frame = pl.DataFrame({"d": money}).with_columns(l=pl.concat_list("d", "d"))
    found = values(
        frame, "-d", "d * 1.1", "d + 0.5", "sum(l)", "amax(l)", "ARRAY[d, 1.25]", "dot(l, l)", "d + 0.5e0 > d"
    )
    first = Decimal("12345678901234567.89")
    expected = [-first, Decimal("13580246791358024.679"), first + Decimal("0.5"), 2 * first, first]
    squares = None if POLARS_1 else 2 * Fraction(first) ** 2  # of more than 38 digits on the way
    assert list(found[0]) == [*expected, [first, Decimal("1.25")], squares, True]
    assert list(tql_frames.weights(pl.DataFrame({"d": _decimals(9, 2, "1.10", "2.5")}), "d * 3")) == [3.3, 7.5, 0]


def native(frame: pl.DataFrame, kind: str) -> Any:
    if kind == "pandas":
        return pd.DataFrame(
            {name: frame[name].to_arrow().to_pandas(integer_object_nulls=True) for name in frame.columns}
        )
    return frame.lazy() if kind == "lazy" else frame


def rows_of(found: Any, *names: str) -> list[tuple[Any, ...]]:
    found = found.collect() if isinstance(found, pl.LazyFrame) else found
    return list(zip(*(list(found[name]) for name in names), strict=True))


@pytest.mark.fault("A5")
@pytest.mark.fault("A13")
@for_each(("a", "b"), in_one_order([pair for pair in PAIRS if "Boolean" not in pair]))
def test_joins_find_what_equals(a: str, b: str) -> None:
    left = pl.DataFrame({"k": COLUMNS[a]}).with_row_index("x")
    right = pl.DataFrame({"k": COLUMNS[b]}).with_row_index("y")
    real = is_real(a, b)
    pairs = itertools.product(left.rows(), right.rows())
    expected = [(x, y) for (x, p), (y, q) in pairs if compared("=", p, q, real=real)]
    for kind in ("eager", "lazy"):
        frames = {"f": native(left, kind), "g": native(right, kind)}
        for condition in ("on f.k = g.k", "using (k)"):
            if condition.startswith("using") and {a, b} & {"Decimal38", "Decimal0", "UInt128", "Int128"} and a != b:
                continue  # the common column need not have a type that holds both
            found = tql_frames.query(f"select f.x as x, g.y as y from f join g {condition}", **frames)
            assert sorted(rows_of(found, "x", "y")) == expected, condition


@pytest.mark.fault("A13")
@pytest.mark.parametrize("kind", ["eager", "lazy"])
@pytest.mark.parametrize(
    ("a", "b"),
    [("UInt64", "Int64"), ("Int64", "UInt64"), ("UInt64", "Int8"), ("Decimal2", "Decimal10"), ("Decimal2", "Int64")],
)
def test_set_operations_keep_values(a: str, b: str, kind: str) -> None:
    left, right = (native(pl.DataFrame({"k": COLUMNS[name]}), kind) for name in (a, b))
    mine, yours = COLUMNS[a].to_list(), COLUMNS[b].to_list()
    for word, expected in {
        "union": list(dict.fromkeys([*mine, *yours])),
        "union all": [*mine, *yours],
        "intersect": [each for each in mine if each in yours],
        "except": [each for each in mine if each not in yours],
    }.items():
        found = tql_frames.query(f"select k from f {word} select k from g", f=left, g=right)
        assert [each for (each,) in rows_of(found, "k")] == expected, word


@pytest.mark.fault("A13")
@pytest.mark.parametrize("name", COLUMNS)
def test_groups_and_order_tell_values_apart(name: str) -> None:
    column = COLUMNS[name]
    frame = pl.DataFrame({"k": pl.concat([column, column])})
    grouped = frame.tql.query("select shape(k)[0] as n group by k")
    zeros = 1 if is_real(name) else 0  # 0.0 and -0.0 are equal
    assert len(grouped) == len(column) - zeros
    assert len(frame.tql.query("select distinct k")) == len(column) - zeros
    ordered = frame.tql.query("select k order by k")["k"].to_list()
    known = [each for each in ordered if each is not None and not math.isnan(each)]
    assert known == sorted(known)
    if name in INTEGERS and name != "Boolean":
        moved = frame.tql.query("select k - 1 as j order by j desc")["j"].drop_nulls().to_list()
        assert moved == sorted(moved, reverse=True)


@pytest.mark.fault("A5")
def test_pandas_compares_and_joins_exactly() -> None:
    money = [Decimal("12345678901234567.89"), Decimal("12345678901234567.88")]
    frame = pl.DataFrame({"d": pl.Series(money, dtype=pl.Decimal(20, 2)), "n": [0, 1]}).to_pandas()
    hashed = pd.DataFrame({"u": pd.Series([2**63, 2**63 + 1], dtype="uint64"), "n": [0, 1]})
    assert rows_of(frame.tql.query("select n where d = 12345678901234567.88"), "n") == [(1,)]
    assert rows_of(frame.tql.query("select n where d > ?", parameters=[money[1]]), "n") == [(0,)]
    assert rows_of(frame.tql.query("select n where d in (?)", parameters=[[money[0], 3]]), "n") == [(0,)]
    assert rows_of(hashed.tql.query("select n where u > 9223372036854775808.0"), "n") == [(1,)]
    joined = tql_frames.query("select f.n as x, g.n as y from f join g on f.d = g.d", f=frame, g=frame)
    assert rows_of(joined, "x", "y") == [(0, 0), (1, 1)]


PERCENTS = [
    "99.999999999",
    "99.99999999999999",
    "14.285714285714285",
    "14.285714285714286",
    "1e-13",
    "0",
    "100",
    "250.5",
]
PERCENTS += ["33.33333333333333333333333333", "85.71428571428572", "85.714285714285714285714285", "0." + "9" * 60]


@pytest.mark.fault("A10")
@for_each("percent", PERCENTS)
@pytest.mark.parametrize("rows", [0, 1, 7, 10_000])
def test_percent_of_the_rows_is_rounded_down_exactly(percent: str, rows: int) -> None:
    frame = pl.DataFrame({"a": np.ones(rows)})
    expected = math.floor(rows * min(Fraction(percent) / 100, 1))
    assert len(frame.tql.query(f"select * limit {percent} percent")) == expected
    assert len(frame.lazy().tql.query(f"select * limit {percent} percent").collect()) == expected
    if rows and expected < rows:
        assert len(frame.tql.query(f"select * sample by a replace false limit {percent} percent")) == expected


FRACTIONS: Iterable[tuple[Any, int, int]] = [
    (0.9999999999999, 10, 9),
    (Decimal("0.99999999999999999999"), 10, 9),
    (Fraction(10**20 - 1, 10**20), 10, 9),
    (0.29, 100, 29),
    (1 / 3, 3, 1),
    (2 / 7, 7, 2),
    (np.float32(0.5), 3, 1),
    (Decimal("1e-999999999"), 10, 0),
]


@pytest.mark.fault("A10")
@pytest.mark.parametrize(("fraction", "rows", "expected"), FRACTIONS)
def test_a_fraction_is_rounded_down_exactly(fraction: Any, rows: int, expected: int) -> None:
    frame = pl.DataFrame({"a": np.ones(rows)})
    assert len(frame.tql.sample("a", fraction=fraction)) == expected
    assert len(frame.to_pandas().tql.sample("a", fraction=fraction)) == expected


@pytest.mark.fault("A10")
def test_a_small_fraction_of_many_rows_is_kept() -> None:
    assert DrawSpec.checked(None, 1e-13, True, 0).size(10**13) == 1
    assert DrawSpec.checked(None, 1e-13, True, 0).size(10**13 - 1) == 0


@pytest.mark.parametrize(
    ("text", "scale", "expected"),
    [
        ("ARRAY[a, b]", 3, [Decimal("1.5"), Decimal("0.123")]),
        ("ARRAY[b, a, i]", 3, [Decimal("0.123"), Decimal("1.5"), Decimal(7)]),
        ("ARRAY[i, a]", 1, [Decimal(7), Decimal("1.5")]),
        ("ARRAY[a, 0.25]", 2, [Decimal("1.5"), Decimal("0.25")]),
    ],
)
def test_an_array_of_decimals_has_the_places_of_all(text: str, scale: int, expected: list[Decimal]) -> None:
    columns = {
        "a": pl.Series([Decimal("1.5")], dtype=pl.Decimal(10, 1)),
        "b": pl.Series([Decimal("0.123")], dtype=pl.Decimal(10, 3)),
    }
    found = pl.DataFrame({**columns, "i": [7]}).tql.query(f"select {text} as x")["x"]
    assert found.dtype == pl.List(pl.Decimal(38, scale))
    assert found.to_list() == [expected]
