"""Random frames, and random samplers that are well typed on them."""

import datetime as dt
import json
import math
from decimal import Decimal
from functools import reduce
from typing import Any

import polars as pl
from hypothesis import strategies as st

from tql_frames.language import nodes
from tql_frames.language.nodes import Literal, Node

# --- random frames ---------------------------------------------------------------------------------------------------

COLOURS = ["red", "blue", "it's é", ""]
DATES = [dt.date(2024, 5, 1), dt.date(2024, 5, 2), dt.date(1969, 12, 31), dt.date(2024, 2, 29)]
MOMENTS = [dt.datetime(2024, 5, 1), dt.datetime(2024, 5, 1, 13, 30, 0, 1), dt.datetime(1969, 12, 31, 23, 59, 59)]
CLOCKS = [dt.time(0), dt.time(13, 30), dt.time(23, 59, 59, 999_999)]
SMALL = [0, 1, 2, 3, -1, -7, 12]
FLOATS = [0.0, -0.0, 0.25, 1.0, -2.5, 3.0, 1e300, math.inf, -math.inf, math.nan]
ZONE = "America/New_York"
DOCUMENTS: list[Any] = [
    {"k": 3, "s": "red", "in": {"x": 0.25}, "l": [1, "red", None]},
    {"k": "3", "s": 12, "in": {"x": True}, "l": []},
    {"k": None, "s": "", "in": [1], "l": {"x": 1}},
    {"k": False, "l": [-7]},
    [1, 2],
    3,
]


def _extremes(bits: int, signed: bool) -> list[int]:
    low, high = (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1) if signed else (0, 2**bits - 1)
    return [number for number in [0, 1, 2, 3, -1, low, low + 1, high, high - 1] if low <= number <= high]


def _grid(size: int) -> st.SearchStrategy[list[list[int | None]]]:
    return st.lists(st.lists(_or_null(SMALL), min_size=2, max_size=2), min_size=size, max_size=size)


def _or_null(values: list[Any]) -> st.SearchStrategy[Any]:
    return st.sampled_from([*values, None])


# Name: type, and a value of the column.
COLUMNS: dict[str, tuple[pl.DataType, st.SearchStrategy[Any]]] = {
    "i8": (pl.Int8(), _or_null(_extremes(8, True))),
    "u8": (pl.UInt8(), _or_null(_extremes(8, False))),
    "i32": (pl.Int32(), _or_null(_extremes(32, True))),
    "u32": (pl.UInt32(), _or_null(_extremes(32, False))),
    "i64": (pl.Int64(), _or_null(_extremes(64, True))),
    "u64": (pl.UInt64(), _or_null(_extremes(64, False))),
    "n": (pl.Int64(), _or_null(SMALL)),
    "f": (pl.Float64(), _or_null([*FLOATS, 0.1, 1 / 3])),
    "g": (pl.Float64(), _or_null(FLOATS)),
    "f32": (pl.Float32(), _or_null([0.0, 0.5, -1.5, math.nan, math.inf])),
    "money": (pl.Decimal(12, 2), _or_null([Decimal("1.10"), Decimal("-3.00"), Decimal("2.50")])),
    "b": (pl.Boolean(), _or_null([True, False])),
    "t": (pl.String(), _or_null([*COLOURS, "red\nblue", "%", "*a?", "日本", "RED"])),
    "cat": (pl.Categorical(), _or_null(COLOURS)),
    "en": (pl.Enum(COLOURS), _or_null(COLOURS)),
    "d": (pl.Date(), _or_null(DATES)),
    "at": (pl.Datetime("us"), _or_null(MOMENTS)),
    "at_ms": (pl.Datetime("ms"), _or_null([MOMENTS[0], MOMENTS[2]])),
    "zoned": (pl.Datetime("us", ZONE), _or_null([moment.replace(tzinfo=dt.UTC) for moment in MOMENTS])),
    "zoned_ns": (pl.Datetime("ns", "UTC"), _or_null([moment.replace(tzinfo=dt.UTC) for moment in MOMENTS])),
    "clock": (pl.Time(), _or_null(CLOCKS)),
    "long": (pl.Duration("us"), _or_null([dt.timedelta(0), dt.timedelta(days=1), dt.timedelta(microseconds=-1)])),
    "tags": (pl.List(pl.String()), st.none() | st.lists(_or_null(COLOURS), max_size=3)),
    "ens": (pl.List(pl.Enum(COLOURS)), st.none() | st.lists(_or_null(COLOURS), max_size=3)),
    "cats": (pl.List(pl.Categorical()), st.none() | st.lists(_or_null(COLOURS), max_size=3)),
    "ragged": (pl.List(pl.Int64()), st.none() | st.lists(_or_null(SMALL), max_size=3)),
    "meta": (pl.String(), st.sampled_from([*map(json.dumps, DOCUMENTS), "{", "", None])),
    "days": (pl.List(pl.Date()), st.none() | st.lists(_or_null(DATES), max_size=2)),
    "flags": (pl.List(pl.Boolean()), st.none() | st.lists(_or_null([True, False]), max_size=3)),
    "wides": (pl.List(pl.UInt64()), st.none() | st.lists(_or_null(_extremes(64, False)), max_size=2)),
    "nested": (
        pl.List(pl.List(pl.Int64())),
        st.none() | st.lists(st.none() | st.lists(_or_null(SMALL), max_size=2), max_size=3),
    ),
    "box": (pl.Array(pl.Float64(), 2), st.none() | st.lists(_or_null([0.0, 1.0, math.nan]), min_size=2, max_size=2)),
    "grid": (pl.Array(pl.Int32(), (2, 2)), _grid(2)),
    "s": (
        pl.Struct({"k": pl.Int64(), "*": pl.String(), "inner": pl.Struct({"x": pl.Float64()})}),
        st.none()
        | st.fixed_dictionaries(
            {"k": _or_null(SMALL), "*": _or_null(COLOURS), "inner": st.fixed_dictionaries({"x": _or_null(FLOATS)})}
        ),
    ),
    "nothing": (pl.Null(), st.none()),
    "a column": (pl.Int64(), _or_null(SMALL)),
}
# Lists of equal lengths, row by row, for use together.
PAIRED: dict[str, tuple[pl.DataType, list[Any]]] = {
    "nums": (pl.List(pl.Int64()), SMALL),
    "bytes": (pl.List(pl.UInt8()), [0, 1, 2, 255]),
    "reals": (pl.List(pl.Float64()), FLOATS),
}
# pandas keeps these as they are, or as what TQL treats alike; it has one missing value for NaN and null.
PANDAS_TOO = [
    "i8",
    "i64",
    "u64",
    "n",
    "b",
    "t",
    "d",
    "at",
    "zoned",
    "tags",
    "nums",
    "flags",
    "s",
    "nothing",
    "a column",
]


@st.composite
def frames(draw: st.DrawFn, most: int = 5) -> pl.DataFrame:
    height = draw(st.integers(0, most))
    columns = {
        name: pl.Series(name, draw(st.lists(values, min_size=height, max_size=height)), dtype=dtype)
        for name, (dtype, values) in COLUMNS.items()
    }
    sizes = draw(st.lists(st.sampled_from([None, 0, 1, 2, 3]), min_size=height, max_size=height))
    for name, (dtype, items) in PAIRED.items():
        lists = [
            None if size is None else draw(st.lists(_or_null(items), min_size=size, max_size=size)) for size in sizes
        ]
        columns[name] = pl.Series(name, lists, dtype=dtype)
    return pl.DataFrame(list(columns.values()))


# --- random samplers, each well typed --------------------------------------------------------------------------------

column = nodes.Column
_ORDERINGS = ["==", "!=", "<", "<=", ">", ">="]
_SIGNS = ["+", "-", "*", "/", "%"]


def literals(values: list[Any]) -> st.SearchStrategy[Node]:
    return st.sampled_from(values).map(
        lambda value: nodes.Negative(Literal(-value)) if _below(value) else Literal(value)
    )


def _below(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and value < 0


def columns(*names: str) -> st.SearchStrategy[Node]:
    return st.sampled_from(names).map(column)


EXACT = [0, 1, 2, 3, -1, 0.25, 1.5, -2.5, 12]
ANY_NUMBER = [*EXACT, 255, 256, -128, 0.1, 2**31, 2**53 + 1, 2**63 - 1, -(2**63), 2**63, 2**64 - 1, 1e300]
ISO_DAYS = ["2024-05-01", "2024-05-01T13:30:00.000001", "1969-12-31", "2024-02-29 00:00:01"]
ISO_ZONED = [*ISO_DAYS, "2024-05-01T13:30:00Z", "2024-05-01T00:00:00+02:00"]
PATTERNS = ["*", "r*", "%e%", "???", "", "it''s ?", "*\n*", "[r]ed", "red|blue", "日?", "RED", "(?i)red", "\\w+", "É%"]

small = columns("n", "i8", "u8", "b", "money", "a column", "f32", "g") | literals(EXACT) | st.just(Literal(None))


@st.composite
def numbers(draw: st.DrawFn, depth: int = 2) -> Node:
    """A number that arithmetic gets right to the last bit."""
    if depth == 0:
        return draw(small)
    below = numbers(depth - 1)
    match draw(st.integers(0, 12)):
        case 0 | 1:
            return nodes.Arithmetic(draw(st.sampled_from(_SIGNS)), draw(below), draw(below))
        case 2:
            return nodes.Negative(draw(below))
        case 3:
            return nodes.Call("abs", (draw(below),))
        case 4:
            return nodes.Subscript(column(draw(st.sampled_from(["nums", "bytes", "reals", "box"]))), (draw(places()),))
        case 5:
            return nodes.Subscript(column(draw(st.sampled_from(["nested", "grid"]))), (draw(places()), draw(places())))
        case 6:
            listed = draw(st.sampled_from(["nums", "tags", "nested", "grid", "box"]))
            at = draw(st.integers(0, 1 if listed in ("nested", "grid") else 0))
            return nodes.Subscript(nodes.Call("shape", (column(listed),)), (Literal(at),))
        case 7:
            return draw(st.sampled_from([nodes.Subscript(column("s"), (Literal("k"),)), nodes.Call("row_number", ())]))
        case 8:
            inner = nodes.Subscript(column("s"), (Literal("inner"),))
            return nodes.Subscript(inner, (Literal("x"),))
        case 9:
            name = draw(st.sampled_from(["sum", "prod", "amin", "amax"]))
            return nodes.Call(
                name, (draw(columns("nums", "bytes", "ragged", "nested", "grid", "flags", "n") | arrays()),)
            )
        case 10:
            name = draw(st.sampled_from(["dot", "hamming_distance"]))
            one = columns("nums", "bytes", "ragged", "nested", "flags") | arrays()
            return nodes.Call(name, (draw(one), draw(columns("nums", "ragged"))))
        case 11:
            return draw(in_json())
    return draw(small)


def arrays() -> st.SearchStrategy[Node]:
    return st.lists(literals([0, 1, -7, None]) | columns("n"), min_size=1, max_size=3).map(
        lambda items: nodes.Array(tuple(items))
    )


def in_json() -> st.SearchStrategy[Node]:
    return st.lists(st.sampled_from(["k", "s", "in", "x", "l", 0, -1]), min_size=1, max_size=2).map(
        lambda path: reduce(
            lambda operand, at: nodes.Subscript(operand, (nodes.Negative(Literal(1)) if at == -1 else Literal(at),)),
            ["k" if path[0] in (0, -1) else path[0], *path[1:]],
            column("meta"),
        )
    )


def places() -> st.SearchStrategy[Node]:
    return literals([0, 1, -1, 2, -3, 7]) | columns("n", "i8", "u8")


bounds = st.none() | literals([0, 1, 2, -1, -2, 5, -9])


@st.composite
def number_lists(draw: st.DrawFn, depth: int = 1) -> Node:
    kind = draw(st.integers(0, 7 if depth else 2))
    step = draw(st.none() | literals([1, 2, -1, -2, 3]))
    cut = nodes.Slice(draw(bounds), draw(bounds), step)
    match kind:
        case 0 | 1 | 2:
            return column(draw(st.sampled_from([*PAIRED, "nested", "box", "grid"])))
        case 3:
            return nodes.Subscript(column(draw(st.sampled_from([*PAIRED, "box"]))), (cut,))
        case 4:
            last = draw(literals([0, 1, -1, 2]))
            return nodes.Subscript(column(draw(st.sampled_from(["nested", "grid"]))), (nodes.Slice(), last))
        case 5:
            return nodes.Arithmetic(draw(st.sampled_from(_SIGNS)), draw(number_lists(0)), draw(literals(EXACT)))
        case 6:
            return nodes.Arithmetic(draw(st.sampled_from("+-*")), column(draw(paired)), column(draw(paired)))
        case _:
            return nodes.Arithmetic(draw(st.sampled_from("+-*")), column(draw(paired)), column("n"))


paired = st.sampled_from(list(PAIRED))
texts = columns("t", "cat", "en") | literals(COLOURS) | st.just(nodes.Subscript(column("s"), (Literal("*"),)))


@st.composite
def elementwise(draw: st.DrawFn, depth: int = 1) -> Node:
    """A list of conditions."""
    operator = draw(st.sampled_from(_ORDERINGS))
    match draw(st.integers(0, 12 if depth else 6)):
        case 0 | 1:
            return nodes.Comparison(operator, draw(number_lists()), draw(literals([*EXACT, None, 2**64 - 1])))
        case 2:
            return nodes.Comparison(
                operator, column(draw(st.sampled_from(["tags", "ens", "cats"]))), draw(literals(COLOURS))
            )
        case 3:
            return nodes.Comparison(operator, column("days"), draw(literals(ISO_DAYS)))
        case 4:
            other = paired.map(column) | columns("ragged") | arrays()
            return nodes.Comparison(operator, *draw(st.permutations([column(draw(paired)), draw(other)])))
        case 5:
            return nodes.Comparison(operator, column(draw(paired)), column(draw(st.sampled_from(["n", "g", "i8"]))))
        case 6:
            return column("flags")
        case 7:
            return nodes.Not(draw(elementwise(0)))
        case 8:
            kind = draw(st.sampled_from([nodes.And, nodes.Or]))
            over = column(draw(paired))
            return kind(
                tuple(
                    nodes.Comparison(draw(st.sampled_from(_ORDERINGS)), over, each)
                    for each in draw(st.lists(literals(EXACT), min_size=2, max_size=3))
                )
            )
        case 9:
            kind = draw(st.sampled_from([nodes.And, nodes.Or]))
            lists = st.builds(nodes.Comparison, st.sampled_from(_ORDERINGS), paired.map(column), literals(EXACT))
            return kind(tuple(draw(st.lists(lists | paired.map(column), min_size=2, max_size=4))))
        case 10:
            return nodes.In(
                column(draw(paired)), tuple(draw(st.lists(literals([*EXACT, None]), min_size=1, max_size=3)))
            )
        case 11:
            return nodes.Between(
                column(draw(paired)), draw(literals(EXACT)), draw(literals(EXACT)), draw(st.booleans())
            )
        case _:
            listed = column(draw(st.sampled_from(["tags", "ens"])))
            return nodes.Like(listed, Literal(draw(st.sampled_from(PATTERNS))), draw(st.booleans()))


wide = columns("i8", "u8", "i32", "u32", "i64", "u64", "n", "f", "g", "f32", "money", "b") | literals(ANY_NUMBER)


@st.composite
def conditions(draw: st.DrawFn, depth: int = 2) -> Node:
    operator, negated = draw(st.sampled_from(_ORDERINGS)), draw(st.booleans())
    match draw(st.integers(0, 19 if depth else 13)):
        case 0 | 1:
            return nodes.Comparison(operator, draw(wide), draw(wide))
        case 2:
            return nodes.Comparison(operator, draw(numbers()), draw(numbers()))
        case 3:
            return nodes.Comparison(operator, draw(texts | in_json()), draw(texts | in_json()))
        case 4:
            dates, words = draw(st.sampled_from([(("d", "at", "at_ms"), ISO_DAYS), (("zoned", "zoned_ns"), ISO_ZONED)]))
            other = draw(literals(words) | columns(*dates))
            sides = [column(draw(st.sampled_from(dates))), other]
            return nodes.Comparison(operator, *(sides if negated else reversed(sides)))
        case 5:
            return nodes.Comparison(
                operator, column("clock"), draw(literals(["13:30", "00:00:00.5"]) | columns("clock"))
            )
        case 6:
            return nodes.Comparison(operator, column("long"), column("long"))
        case 7:
            items = tuple(
                draw(st.lists(literals([*ANY_NUMBER, None]) | columns("n", "f", "u64"), min_size=1, max_size=4))
            )
            return nodes.In(draw(wide | in_json()), items, negated)
        case 8:
            return nodes.In(
                draw(texts), tuple(draw(st.lists(texts | literals(["no", None]), min_size=1, max_size=4))), negated
            )
        case 9:
            return nodes.Between(draw(wide | in_json()), draw(wide), draw(wide), negated)
        case 10:
            return nodes.Like(
                draw(texts | in_json()), Literal(draw(st.sampled_from(PATTERNS))), negated, draw(st.booleans())
            )
        case 11:
            return draw(in_json() | columns("b", "n", "nothing", "g") | literals([True, False, None, 0]))
        case 12:
            fold = draw(st.sampled_from(["any", "all", "all_strict"]))
            return nodes.Call(fold, (draw(elementwise()),))
        case 13:
            return nodes.Call("contains", draw(containments()))
        case 14:
            return nodes.Not(draw(conditions(depth - 1)))
        case 15 | 16:
            kind = draw(st.sampled_from([nodes.And, nodes.Or]))
            return kind(tuple(draw(st.lists(conditions(depth - 1), min_size=2, max_size=3))))
        case 17:
            name = draw(st.sampled_from(["logical_and", "logical_or"]))
            return nodes.Call(name, (draw(conditions(depth - 1)), draw(conditions(depth - 1))))
        case 18:
            names = columns(*COLUMNS, *PAIRED)
            return nodes.IsNull(draw(names | conditions(depth - 1) | numbers() | elementwise()), negated)
        case _:
            return nodes.Comparison(operator, draw(conditions(depth - 1)), draw(conditions(depth - 1)))


@st.composite
def containments(draw: st.DrawFn) -> tuple[Node, Node]:
    match draw(st.integers(0, 5)):
        case 0:
            return draw(texts), draw(texts)
        case 1:
            return column(draw(st.sampled_from(["tags", "ens", "cats"]))), draw(texts | st.just(Literal(None)))
        case 2:
            return column(draw(st.sampled_from([*PAIRED, "box"]))), draw(literals([*EXACT, None]))
        case 3:
            return column(draw(st.sampled_from([*PAIRED, "box"]))), draw(columns("n", "i8", "u64", "g", "f32", "money"))
        case 4:
            return column("wides"), draw(columns("u64", "i64", "n", "u8") | literals([0, 2**64 - 1, 2**63]))
        case _:
            return column("days"), draw(columns("d") | literals(ISO_DAYS))


@st.composite
def samplers(draw: st.DrawFn) -> Node:
    """A weight choice, or an expression that is a weight."""
    kind = draw(st.integers(0, 9))
    if kind == 0:
        return draw(conditions())
    if kind == 1:
        return nodes.Call("abs", (draw(numbers()),))
    weight = literals([0, 1, 2, 20, 0.1, 0.7, 1e-3, 3.3, True, None]) | columns("u8") | numbers(1).map(_positive)
    arms = draw(st.lists(st.builds(nodes.Arm, conditions(), weight), min_size=1, max_size=6))
    return nodes.WeightChoice(draw(st.sampled_from(["max_weight", "sum_weight"])), tuple(arms))


def _positive(node: Node) -> Node:
    return nodes.Call("abs", (node,))
