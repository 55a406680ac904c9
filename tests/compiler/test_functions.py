"""Reductions, vectors, JSON and registered functions, each against plain Python or NumPy."""

import datetime as dt
import json
import math
import random
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest

from tests import evaluator
from tests.loops import for_each
from tests.sizes import paired
from tql_frames import weight_expr
from tql_frames.compiler.expressions import json_text
from tql_frames.compiler.expressions.scope import SchemaScope
from tql_frames.compiler.expressions.translate import Translator
from tql_frames.language import parse

NAN, INF = math.nan, math.inf


def value_of(frame: pl.DataFrame, text: str, engine: Any = None) -> list[Any]:
    """What an expression gives, one value a row, of the type that the compiler foretells."""
    value = Translator(SchemaScope(frame.schema)).translate(parse(text))
    rows = frame.lazy().with_columns(found=value.row_expr).select("found").collect(engine=engine or "auto")["found"]
    assert rows.dtype == value.row_dtype
    return rows.to_list()


def same(found: Any, expected: Any) -> bool:
    if isinstance(expected, float) and isinstance(found, float):
        return bool(found == expected or (math.isnan(found) and math.isnan(expected)) or math.isclose(found, expected))
    if isinstance(expected, list) and isinstance(found, list):
        return len(found) == len(expected) and all(map(same, found, expected))
    return type(found) is type(expected) and found == expected


def check(frame: pl.DataFrame, text: str, expected: list[Any]) -> None:
    for engine in ("in-memory", "streaming"):
        found = value_of(frame, text, engine)
        assert same(found, expected), (text, found, expected)
    assert value_of(frame.head(0), text) == []


# --- reductions ------------------------------------------------------------------------------------------------------

GENERATOR = random.Random(20240501)


def some_lists(values: list[Any], rows: int = 60, most: int = 6) -> list[Any]:
    def one() -> Any:
        kind = GENERATOR.random()
        if kind < 0.15:
            return None
        if kind < 0.3:
            return []
        return [GENERATOR.choice(values) for _ in range(GENERATOR.randint(1, most))]

    return [one() for _ in range(rows)]


LISTS: dict[str, pl.Series] = {
    "ints": pl.Series(some_lists([0, 1, 2, -3, 7, None]), dtype=pl.List(pl.Int64)),
    "small": pl.Series(some_lists([0, 1, 100, 127, None]), dtype=pl.List(pl.UInt8)),
    "wide": pl.Series(some_lists([0, 1, 5, None]), dtype=pl.List(pl.UInt64)),
    "reals": pl.Series(some_lists([0.0, -0.0, 1.5, -2.5, 0.1, None]), dtype=pl.List(pl.Float64)),
    "singles": pl.Series(some_lists([0.0, 0.5, -1.5, None]), dtype=pl.List(pl.Float32)),
    "wild": pl.Series(some_lists([1.0, NAN, INF, -INF, None]), dtype=pl.List(pl.Float64)),
    "money": pl.Series(some_lists([Decimal("1.10"), Decimal("-3.00"), None]), dtype=pl.List(pl.Decimal(12, 2))),
    "flags": pl.Series(some_lists([True, False, None]), dtype=pl.List(pl.Boolean)),
    "fixed": pl.Series([[1.0, None, 3.0], None, [NAN, 2.0, 0.0]] * 20, dtype=pl.Array(pl.Float64, 3)),
    "nested": pl.Series(some_lists([[1, 2], [], None, [None, -5]]), dtype=pl.List(pl.List(pl.Int64))),
    "grid": pl.Series([[[1, 2], [3, 4]], None, [[None, 0], [0, -9]]] * 20, dtype=pl.Array(pl.Int32, (2, 2))),
    "nothing": pl.Series([[], None, [None, None]] * 20, dtype=pl.List(pl.Null)),
}
TABLE = pl.DataFrame([series.alias(name) for name, series in LISTS.items()])
WHOLE = ("ints", "small", "flags", "nested", "grid", "nothing")


def flat(value: Any) -> list[Any]:
    if not isinstance(value, list):
        return [] if value is None else [value]
    return [each for item in value for each in flat(item)]


def plain(value: Any) -> Any:
    return float(value) if isinstance(value, Decimal) else value


# Function: of a float array without nulls, and what an empty list gives.
NUMPY: dict[str, tuple[Callable[[Any], Any], float]] = {
    "sum": (np.sum, 0.0),
    "avg": (np.mean, 0.0),
    "prod": (np.prod, 1.0),
    "amin": (np.min, 0.0),
    "amax": (np.max, 0.0),
    "l1_norm": (lambda x: np.abs(x).sum(), 0.0),
    "l2_norm": (lambda x: np.sqrt((x * x).sum()), 0.0),
    "linf_norm": (lambda x: np.abs(x).max(), 0.0),
}


@pytest.mark.filterwarnings("ignore:invalid value:RuntimeWarning")
@for_each("column", LISTS)
@pytest.mark.parametrize("name", NUMPY)
def test_reductions_are_those_of_numpy(name: str, column: str) -> None:
    rule, empty = NUMPY[name]
    kind: Any = float
    if name in ("sum", "prod"):
        kind = int if column in (*WHOLE, "wide") else Decimal if (name, column) == ("sum", "money") else float
    elif name in ("amin", "amax"):
        kind = {"flags": bool, "money": Decimal}.get(column, int if column in (*WHOLE, "wide") else float)
    expected = []
    for row in LISTS[column].to_list():
        numbers = np.array([plain(each) for each in flat(row)], dtype=float)
        found = None if row is None else float(rule(numbers) if len(numbers) else empty)
        expected.append(None if found is None else Decimal(f"{found:.2f}") if kind is Decimal else kind(found))
    check(TABLE, f"{name}({column})", expected)
    if name != "prod":
        check(TABLE, f"1 / {name}({column}[:0])", [None if row is None else INF for row in LISTS[column].to_list()])


def test_a_sum_is_of_64_bits_whatever_the_elements() -> None:
    frame = pl.DataFrame({"x": pl.Series([[255] * 300], dtype=pl.List(pl.UInt8))})
    assert value_of(frame, "sum(x)") == [76_500]
    assert value_of(frame, "prod(x[:7])") == [255**7]


SCALARS = pl.DataFrame({"n": [3, -2, None], "f": [0.5, NAN, None], "b": [True, False, None], "t": ["x", "", None]})


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("sum(n)", [3, -2, None]),
        ("prod(n)", [3, -2, None]),
        ("avg(n)", [3.0, -2.0, None]),
        ("amin(n)", [3, -2, None]),
        ("amax(t)", ["x", "", None]),
        ("amin(b)", [True, False, None]),
        ("sum(b)", [1, 0, None]),
        ("l1_norm(n)", [3.0, 2.0, None]),
        ("l2_norm(f)", [0.5, NAN, None]),
        ("linf_norm(n)", [3.0, 2.0, None]),
    ],
)
def test_of_a_scalar_a_reduction_is_that_of_one_element(text: str, expected: list[Any]) -> None:
    check(SCALARS, text, expected)


def test_least_and_greatest_of_text_and_dates() -> None:
    days = [dt.date(2024, 5, 1), dt.date(1969, 1, 1)]
    frame = pl.DataFrame(
        {
            "t": [["b", "a", None], [], None, [None], ["é", "z"]],
            "c": pl.Series([["b", "a"], [], None, [None], ["a"]], dtype=pl.List(pl.Categorical)),
            "e": pl.Series([["b", "a"], [], None, [None], ["a"]], dtype=pl.List(pl.Enum(["b", "a"]))),
            "d": [days, [], None, [None], days[:1]],
        }
    )
    check(frame, "amin(t)", ["a", None, None, None, "z"])
    check(frame, "amax(t)", ["b", None, None, None, "é"])
    check(frame, "amax(c)", ["b", None, None, None, "a"])
    check(frame, "amin(e)", ["a", None, None, None, "a"])
    check(frame, "amin(d)", [days[1], None, None, None, days[0]])
    check(frame, "amax(d) > '2000-01-01'", [True, None, None, None, True])


def test_reductions_of_what_is_computed() -> None:
    frame = pl.DataFrame({"x": [[1, 2, 3], [], None], "n": [2, 3, 4]})
    check(frame, "sum(x * 2)", [12, 0, None])
    check(frame, "sum(x * n)", [12, 0, None])
    check(frame, "sum(x > 1)", [2, 0, None])
    check(frame, "amax(x[1:])", [3, 0, None])
    check(frame, "sum(x * x - x)", [8, 0, None])
    check(frame, "avg(x) + amin(x) % 2", [3.0, 0.0, None])


@pytest.mark.parametrize("column", ["ints", "small", "reals", "wild", "flags", "fixed", "nothing"])
def test_nonzero_is_that_of_numpy(column: str) -> None:
    expected = [
        None if row is None else np.flatnonzero([each is not None and each != 0 for each in row]).tolist()
        for row in LISTS[column].to_list()
    ]
    check(TABLE, f"nonzero({column})", expected)
    check(TABLE, f"shape(nonzero({column} + 0))[0]", [None if row is None else len(row) for row in expected])


# --- two lists -------------------------------------------------------------------------------------------------------

# Rows without nulls in two lists of one length are rare where the lists are random.
PAIRS = paired(LISTS, ("ints", "reals", "wild", "singles", "flags", "nothing"), each=2)


def in_pairs(rule: Callable[[Any, Any], Any], left: str, right: str) -> list[Any]:
    found = []
    for first, second in zip(LISTS[left].to_list(), LISTS[right].to_list(), strict=True):
        a, b = [None] if first is None else first, [None] if second is None else second
        if right in ("nested", "grid"):
            b = [each for item in b for each in ([None] if item is None else item)]
        if len(a) != len(b) or None in a or None in b:
            found.append(None)
        else:
            found.append(rule(np.array([*map(plain, a)], dtype=float), np.array([*map(plain, b)], dtype=float)))
    return found


def cosine(a: Any, b: Any) -> float:
    with np.errstate(all="ignore"):
        if not (a.any() and b.any()):  # a vector of zeros has no angle
            return 0.0
        return float(np.dot(a, b) / (np.sqrt((a * a).sum()) * np.sqrt((b * b).sum())))


@pytest.mark.filterwarnings("ignore:invalid value:RuntimeWarning")
@for_each(("right", "left"), PAIRS)
def test_vectors_are_those_of_numpy(right: str, left: str) -> None:
    kind: Any = int if {left, right} <= {*WHOLE, "wide"} else float
    if {left, right} <= {*WHOLE, "wide", "money"} and "money" in (left, right):
        kind = lambda number: Decimal(f"{number:.2f}")  # noqa: E731
    check(TABLE, f"dot({left}, {right})", in_pairs(lambda a, b: kind((a * b).sum()), left, right))
    check(TABLE, f"cosine_similarity({right}, {left})", in_pairs(cosine, left, right))
    check(TABLE, f"hamming_distance({left}, {right})", in_pairs(lambda a, b: int((a != b).sum()), left, right))
    dots = value_of(TABLE, f"dot({left}, {right})")
    if left in ("ints", "reals") and right in ("small", "singles", "reals"):
        assert None in dots and {*map(type, dots)} > {type(None)}


def test_vectors_of_arrays_and_constants() -> None:
    frame = pl.DataFrame({"emb": pl.Series([[1.0, 0.0], [3.0, 4.0], None, [None, 1.0]], dtype=pl.Array(pl.Float32, 2))})
    check(frame, "dot(emb, array[1, 2])", [1.0, 11.0, None, None])
    check(frame, "dot(array[1, 2], emb)", [1.0, 11.0, None, None])
    check(frame, "cosine_similarity(emb, array[1, 0])", [1.0, 0.6, None, None])
    check(frame, "cosine_similarity(emb, array[0, 0])", [0.0, 0.0, None, None])
    check(frame, "hamming_distance(emb, array[1, 4])", [1, 1, None, None])
    check(frame, "l2_norm(emb - array[0, 0])", [1.0, 5.0, None, 1.0])
    check(frame, "all(emb == array[3, 4])", [False, True, None, False])
    check(frame, "emb + array[0.5, 1]", [[1.5, 1.0], [3.5, 5.0], None, [None, 2.0]])
    check(frame, "array[1, 2] * emb", [[1.0, 0.0], [3.0, 8.0], None, [None, 2.0]])
    lists = frame.with_columns(emb=pl.col("emb").arr.to_list())
    check(lists, "dot(emb, array[1, 2])", [1.0, 11.0, None, None])
    check(lists, "dot(emb, array[1, 2, 3])", [None] * 4)
    check(lists, "emb - array[1, 2, 3]", [None] * 4)
    check(lists, "any(emb == array[1])", [None] * 4)
    check(lists.head(0), "dot(emb, array[1, 2])", [])


def test_hamming_distance_of_text_and_of_a_constant() -> None:
    frame = pl.DataFrame({"t": [["a", "b"], ["a", "c"], ["a"], None, [None, "b"], []]})
    check(frame, "hamming_distance(t, array['a', 'b'])", [0, 1, None, None, None, None])
    check(frame, "hamming_distance(t, t)", [0, 0, 0, None, None, 0])
    check(frame, "t == array['a', 'b']", [[True, True], [True, False], None, None, [None, True], None])
    check(frame, "all(array['a', 'b'] == t)", [True, False, None, None, False, None])
    check(frame, "any(t like 'b*')", [True, False, False, None, True, False])


def test_lists_of_dates_beside_constants() -> None:
    day = dt.date(2024, 5, 1)
    frame = pl.DataFrame({"d": [[day, day], [day, None], [day], None]})
    check(frame, "d > array['2024-01-01', '2025-01-01']", [[True, False], [True, None], None, None])
    check(frame, "hamming_distance(array['2024-05-01', '2025-01-01'], d)", [1, None, None, None])


def test_one_long_chain_of_lists_of_different_lengths_is_evaluated() -> None:
    frame = pl.DataFrame({"a": [[1, 2], [1]], "b": [[1, 1], [2, 3]]})
    check(frame, "sum(" + " + ".join(["a", "b"] * 40) + ")", [200, None])
    right = "a" + "".join(f" + ({each}" for each in ["b", "a"] * 20) + ")" * 40
    check(frame, f"sum({right})", [2 * 20 + 3 * 21, None])
    check(frame, "a + (b + a)", [[3, 5], None])
    check(frame, "b + (a * (a - b))", [[1, 3], None])


# --- ARRAY -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("array[1, -2, 3]", [1, -2, 3]),
        ("array[1, 2.5, null]", [1.0, 2.5, None]),
        ("array['a', 'it''s']", ["a", "it's"]),
        ("array[true, null]", [True, None]),
        ("array[1, 2, 3][-1]", 3),
        ("array[1, 2.5][0]", 1.0),
        ("array[1, 2][5]", None),
        ("array['a', 'b'][1:]", ["b"]),
        ("array[array[1, 2], array[3, 4.5]]", [[1.0, 2.0], [3.0, 4.5]]),
        ("array[array[1, 2], array[3, 4]][:, 1]", [2, 4]),
        ("array[array[1, 2], array[3, 4]][1]", [3, 4]),
        ("shape(array[array[1, 2, 3], array[4, 5, 6]])", [2, 3]),
        ("sum(array[array[1, 2], array[3, 4]])", 10),
        ("array[array[1, 2], array[3, 4]] * 2", [2, 4, 6, 8]),
        ("array[array[1, 2], array[3, 4]] - array[1, 1, 1, 1]", [0, 1, 2, 3]),
        ("array[18446744073709551615, 1]", [2**64 - 1, 1]),
        ("contains(array['a', 'b'], 'b')", True),
        ("dot(array[1, 2], array[3, 4])", 11),
        ("array[1, 2] = array[1, 3]", [True, False]),
        ("array['a', 'b'] < array['b', 'a']", [True, False]),
        ("amax(array['a', 'c', 'b'])", "c"),
    ],
)
def test_constant_arrays(text: str, expected: Any) -> None:
    for height in (0, 1, 3):
        check(pl.DataFrame({"n": range(height)}, schema={"n": pl.Int64}), text, [expected] * height)


def test_arrays_of_columns() -> None:
    frame = pl.DataFrame({"n": [1, 2, None], "f": [0.5, NAN, None], "t": ["a", None, "b"]})
    check(frame, "array[n, n + 1]", [[1, 2], [2, 3], [None, None]])
    check(frame, "array[n, f, 7]", [[1.0, 0.5, 7.0], [2.0, NAN, 7.0], [None, None, 7.0]])
    check(frame, "array[t, 'z']", [["a", "z"], [None, "z"], ["b", "z"]])
    check(frame, "array[n > 1, true]", [[False, True], [True, True], [None, True]])
    check(frame, "amax(array[n, 2])", [2, 2, 2])
    check(
        frame,
        "array[array[n, 1], array[2, f]]",
        [[[1.0, 1.0], [2.0, 0.5]], [[2.0, 1.0], [2.0, NAN]], [[None, 1.0], [2.0, None]]],
    )
    check(frame, "contains(array[1, 5], n)", [True, False, None])
    check(frame, "array[n, 1][0]", [1, 2, None])
    check(frame, "sum(array[7, n])", [8, 9, 7])
    check(frame, "array[1 + 1, row_number()]", [[2, 0], [2, 1], [2, 2]])
    check(frame, "array[array[1, 2], array[n, 0]][1, 0]", [1, 2, None])
    check(frame, "array['z', t] == array['a', 'b']", [[False, False], [False, None], [False, True]])
    check(frame, "any(array[1, 2] == n)", [True, True, False])
    check(frame, "array[t, 'z'] == array['a', 'z']", [[True, True], [None, True], [False, True]])


# --- JSON ------------------------------------------------------------------------------------------------------------

DOCUMENTS = [
    '{"n": 5, "s": "cat", "ok": true, "a": {"b": 1, "s": "x"}, "l": [1, 2, 3], "z": null}',
    '{"n": "5", "s": 7, "ok": 1, "a": 3, "l": {"k": 1}, "z": "null"}',
    '{"n": -2.5, "s": "", "ok": false, "a": {"b": "1"}, "l": ["x", 3, "cat"]}',
    '{"n": true, "s": "5", "ok": "true", "a": [1], "l": "abc"}',
    '{"n": 0, "n": 81, "s": "é\\n\\"q\\"", "ok": 0, "l": []}',
    '{"n": 1e400, "s": "\\ud800"}',
    '{"n": NaN, "s": "x"}',
    "[1, 2]",
    "5",
    "null",
    "not JSON",
    "",
    None,
    "{" * 3,
    '{"a":' * 100_000 + "1" + "}" * 100_000,
    '{"n": ' + "9" * 5000 + "}",
]
META = pl.DataFrame({"meta": DOCUMENTS, "n": range(len(DOCUMENTS))})


@for_each(
    ("text", "expected"),
    [
        ("meta['n']", ["5", "5", "-2.5", "true", "81", "Infinity"]),
        ("meta['n'] > 4", [True, None, False, False, True, True]),
        ("5 <= meta['n']", [True, None, False, False, True, True]),
        ("meta['n'] == '5'", [None, True, None, None, None, None]),
        ("meta['n'] != true", [True, None, True, False, True, True]),
        ("meta['n'] == n", [False, None, False, False, False, False]),
        ("meta['n'] in (5, 81)", [True, None, False, False, True, False]),
        ("meta['n'] in (81, '5', true)", [None, True, None, True, True, None]),
        ("meta['n'] not in (5, null)", [False, None, None, None, None, None]),
        ("n in (meta['n'], 2)", [False, None, True, False, False, False]),
        ("meta['n'] between -3 and 5", [True, None, True, True, False, False]),
        ("meta['n'] + 1", [6.0, None, -1.5, None, 82.0, INF]),
        ("-meta['n']", [-5.0, None, 2.5, None, -81.0, -INF]),
        ("abs(meta['n'])", [5.0, None, 2.5, None, 81.0, INF]),
        ("sum(meta['n'])", [5.0, None, -2.5, None, 81.0, INF]),
        ("amax(array[meta['n'], 6])", [6.0, 6.0, 6.0, 6.0, 81.0, INF]),
        ("not meta['n']", [False, None, False, False, False, False]),
        ("meta['ok'] and n < 9", [True, True, False, None, False, None]),
        ("meta['ok'] == true", [True, True, False, None, False, None]),
        ("meta['s'] == 'cat'", [True, None, False, False, False, False]),
        ("meta['s'] < 'd'", [True, None, True, True, False, True]),
        ("meta['s'] like 'c?t'", [True, None, False, False, False, False]),
        ("contains(meta['s'], 'a')", [True, None, False, False, False, False]),
        ("contains(meta['l'], 3)", [True, None, True, None, False, None]),
        ("contains(meta['l'], 'cat')", [False, None, True, False, False, None]),
        ("contains(meta['l'], 1)", [True, None, False, None, False, None]),
        ("contains(meta['l'], true)", [True, None, False, None, False, None]),
        ("meta['l'][2] == 3", [True, None, None, None, None, None]),
        ("meta['l'][-1]", ["3", None, "cat", None, None, None]),
        ("meta['l'][-4]", [None] * 6),
        ("meta['l']", ["[1,2,3]", '{"k":1}', '["x",3,"cat"]', "abc", "[]", None]),
        ("meta['l']['k']", [None, "1", None, None, None, None]),
        ("meta['a']['b'] == 1", [True, None, None, None, None, None]),
        ("meta['a']['b'] == meta['n']", [False, None, None, None, None, None]),
        ("meta['s'] == meta['s']", [True, True, True, True, True, True]),
        ("meta['z'] is null", [True, False, True, True, True, True]),
        ("meta['z'] is not null", [False, True, False, False, False, False]),
        ("meta['none'] == 1", [None] * 6),
        ("meta['none']['b'][0] = 'x'", [None] * 6),
        ("keys(meta)[0]", ["n"] * 6),
        ("keys(meta['a'])", [["b", "s"], None, ["b"], None, None, None]),
        ("contains(keys(meta), 'z')", [True, True, False, False, False, False]),
    ],
)
def test_values_in_json(text: str, expected: list[Any]) -> None:
    frame = META.head(6)
    check(frame, text, expected)
    check(pl.concat([frame, frame]), text, expected * 2)
    check(frame, f"({text}) is null", [each is None for each in expected])


@pytest.mark.parametrize("text", ["meta['n']", "meta['n'] > 4", "meta['l'][0]", "meta['a']['b']", "keys(meta['a'])"])
def test_what_is_no_json_gives_null(text: str) -> None:
    assert value_of(META[6:], text) == [None] * (len(DOCUMENTS) - 6)


def test_json_of_unpaired_surrogates_and_of_huge_numbers() -> None:
    frame = pl.DataFrame({"m": ['{"s": "a\\ud800", "\\udc00": 1}', '{"s": 1e999, "n": ' + "9" * 400 + "}", "{}"]})
    check(frame, "m['s']", ["a?", "Infinity", None])
    check(frame, "keys(m)", [["s", "?"], ["s", "n"], []])
    check(frame, "m['n'] > 1", [None, None, None])


KEYS = [
    "a b",
    "a.b",
    "it's",
    'q"q',
    "*",
    "",
    "日本",
    "0",
    "$",
    "@",
    "\\",
    "a\\b",
    "^a$",
    "n",
    "length",
    "[0]",
    "\n",
    "😀",
]


@pytest.mark.parametrize("key", KEYS)
def test_a_key_of_any_name_is_that_key(key: str) -> None:
    documents = [json.dumps({key: 1, "other": 2}), json.dumps({"x": {key: 1}}, ensure_ascii=False), json.dumps([key])]
    quoted = key.replace("'", "''")
    frame = pl.DataFrame({"m": documents})
    check(frame, f"m['{quoted}'] = 1", [True, None, None])
    check(frame, f"m['x']['{quoted}'] = 1", [None, True, None])
    check(frame, f"contains(keys(m), '{quoted}')", [True, False, None])


def random_json(depth: int) -> Any:
    match GENERATOR.randrange(10 if depth else 6):
        case 0:
            return None
        case 1:
            return GENERATOR.choice([True, False])
        case 2 | 3:
            return GENERATOR.choice([0, 1, 5, -3, 2.5, 1e300])
        case 4 | 5:
            return GENERATOR.choice(["", "cat", "5", "true", "null", "[1]", '{"a":1}', 'é"\n'])
        case 6 | 7:
            return [random_json(depth - 1) for _ in range(GENERATOR.randrange(4))]
        case _:
            return {GENERATOR.choice("abc"): random_json(depth - 1) for _ in range(GENERATOR.randrange(4))}


def test_random_json_is_what_the_evaluator_says() -> None:
    frame = pl.DataFrame(
        {"m": [json.dumps({each: random_json(2) for each in "ab"}) for _ in range(200)] + ["bad", None]}
    )
    places = ["m['a']", "m['b']['a']", "m['a'][0]", "m['b'][-1]['c']"]
    tests = [" = 5", " != 'cat'", " >= 1", " = true", " in (1, 5)", " < 'd'", " + 1 > 2", " is null", " = m['b']", ""]
    rows = evaluator.rows_of(frame)
    for place in places:
        for test in tests:
            text = f"({place}{test}) and true"
            root = parse(text)
            assert value_of(frame, text) == [evaluator.truth(evaluator.evaluate(root, row)) for row in rows], text


def test_json_is_sorted_by_kind() -> None:
    frame = pl.DataFrame(
        {"m": [f'{{"k": {text}}}' for text in ['"b"', "10", "true", '"10"', "9", "false", "-1", "[1]"]]}
    )
    value = Translator(SchemaScope(frame.schema)).translate(parse("m['k']"))
    order = frame.with_columns(k=value.expr).sort(json_text.sort_value(value), maintain_order=True)["k"].to_list()
    assert order == ["-1", "9", "10", "false", "true", "10", "[1]", "b"]


def test_json_as_a_weight_and_in_pandas() -> None:
    documents = ['{"n": 5, "ok": true}', '{"n": "5"}', '{"ok": 2}', "bad", None]
    polars = pl.DataFrame({"meta": documents})
    for frame in (polars, polars.to_pandas()):
        assert frame.tql.weights("meta['n']").to_list() == [5, 0, 0, 0, 0]
        assert frame.tql.weights("max_weight(meta['ok']: 7, true: 1)").to_list() == [7, 1, 7, 1, 1]
        assert frame.tql.weights("max_weight(true: meta['n'])").to_list() == [5, 0, 0, 0, 0]
    assert polars.lazy().tql.weights("meta['n']").collect()["weight"].to_list() == [5, 0, 0, 0, 0]
    expr = weight_expr("meta['n'] * 2", polars.schema)
    assert polars.with_columns(w=expr)["w"].to_list() == [10, 0, 0, 0, 0]


def test_keys_of_structs_and_json_in_structs() -> None:
    frame = pl.DataFrame({"s": [{"x": '{"k": 3}', "y": 1}, {"x": None, "y": 2}, None]})
    check(frame, "keys(s)", [["x", "y"], ["x", "y"], None])
    check(frame, "s['x']['k'] = 3", [True, None, None])


def test_pandas_weights_of_reductions() -> None:
    frame = pd.DataFrame({"x": [[1.0, 2.0], [], None], "n": [1, 2, 3]}, index=[7, 8, 9])
    found = frame.tql.weights("sum(x) + n")
    assert found.to_list() == [4, 2, 0]
    assert found.index.to_list() == [7, 8, 9]
    assert frame.tql.weights("max_weight(dot(x, array[1, 1]) > 2: 5, true: 1)").to_list() == [5, 1, 1]


SPLIT = ["Hernia|Edema", "Hiatal Hernia", "", None, "|", "a||b", " a |b", "Hernia", "x.y|z*", "a|||b"]


@for_each("separator", ["|", "||", " ", ".", "rni", "a|"])
def test_split_gives_the_parts_that_python_gives(separator: str) -> None:
    frame = pl.DataFrame({"t": SPLIT, "c": pl.Series(SPLIT, dtype=pl.Categorical), "one": ["p|q"] * len(SPLIT)})
    expected = [None if text is None else text.split(separator) if text else [] for text in SPLIT]
    check(frame, f"split(t, '{separator}')", expected)
    check(frame, f"split(c, '{separator}')", expected)
    for part in ("Hernia", "a", "", "|b"):
        holds = [None if parts is None else part in parts for parts in expected]
        check(frame, f"contains(split(t, '{separator}'), '{part}')", holds)
    check(frame, "split('p|q', '|')[1]", ["q"] * frame.height)
    check(frame.with_columns(t=pl.lit(None)), "split(t, '|')", [None] * frame.height)


def test_split_of_values_in_json_and_on_every_frame() -> None:
    check(
        pl.DataFrame({"m": ['{"k": "a|b"}', '{"k": 3}', "{}", '{"k": ""}']}),
        "split(m['k'], '|')",
        [["a", "b"], None, None, []],
    )
    frame = pl.DataFrame({"t": SPLIT})
    sampler = "max_weight(contains(split(t, '|'), 'Hernia'): 20, true: 1)"
    expected = [20.0 if text is not None and "Hernia" in text.split("|") else 1.0 for text in SPLIT]
    assert frame.tql.weights(sampler).to_list() == expected
    assert frame.lazy().tql.weights(sampler).collect()["weight"].to_list() == expected
    assert frame.to_pandas().tql.weights(sampler).to_list() == expected
    rows = frame.to_pandas().tql.query("select t where shape(split(t, '|'))[0] > 2")
    assert rows["t"].to_list() == ["a||b", "a|||b"]
