"""The compiler against a plain Python evaluator, and each operator on each type of column."""

import datetime as dt
import math
from decimal import Decimal
from typing import Any

import pandas as pd
import polars as pl
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

import tql_frames
from tests import evaluator
from tests.loops import for_each
from tests.random_samplers import PANDAS_TOO, ZONE, column, frames, samplers
from tests.sizes import size
from tql_frames import TQLTypeError, TQLUnsupportedError, WeightError, weight_expr
from tql_frames.compiler import compile_sampler
from tql_frames.compiler.expressions.functions import FUNCTIONS
from tql_frames.compiler.expressions.sampler import check_size
from tql_frames.compiler.expressions.translate import _RULES
from tql_frames.errors import Fault
from tql_frames.language import nodes, parse, unparse
from tql_frames.language.nodes import Literal, Node

# --- the compiler and the evaluator ----------------------------------------------------------------------------------

thorough = settings(
    deadline=None,
    max_examples=size(25, 400),
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much, HealthCheck.data_too_large],
)


def expected_weights(sampler: Node, frame: pl.DataFrame) -> list[float] | None:
    """None where the evaluator finds a bad weight."""
    try:
        return evaluator.weights(sampler, frame)
    except evaluator.BadWeight:
        return None
    except evaluator.Undefined:
        assume(False)
        raise


@thorough
@given(frames(), samplers())
def test_weights_are_what_the_language_says(frame: pl.DataFrame, sampler: Node) -> None:
    text = unparse(sampler)
    expected = expected_weights(sampler, frame)
    if expected is None:
        with pytest.raises(WeightError):
            tql_frames.weights(frame, text)
    else:
        assert tql_frames.weights(frame, text).to_list() == expected, text


@thorough
@given(frames(), samplers(), st.booleans())
def test_numbered_weights_are_the_weights(frame: pl.DataFrame, sampler: Node, constant: bool) -> None:
    if constant and isinstance(sampler, nodes.WeightChoice):
        weights = [0.1, 0.7, 3.3, 20, 0.7, 0]
        arms = [nodes.Arm(arm.condition, Literal(weight)) for arm, weight in zip(sampler.arms, weights, strict=False)]
        sampler = nodes.WeightChoice(sampler.name, tuple(arms))
    assume(expected_weights(sampler, frame) is not None)
    text = unparse(sampler)
    levels = compile_sampler(text, frame.schema).constant_weights
    if levels is not None:
        numbers = frame.with_columns(_number=levels.number)["_number"]
        assert numbers.dtype == pl.UInt8
        assert levels.weights[numbers.to_numpy()].tolist() == tql_frames.weights(frame, text).to_list(), text
    else:
        assert not (constant and isinstance(sampler, nodes.WeightChoice))


@settings(thorough, max_examples=size(16, 100))
@given(frames(), samplers())
def test_a_lazy_frame_has_the_weights_of_the_eager_one(frame: pl.DataFrame, sampler: Node) -> None:
    assume(expected_weights(sampler, frame) is not None)
    text = unparse(sampler)
    eager = tql_frames.weights(frame, text)
    lazy = tql_frames.weights(frame.lazy(), text)
    assert lazy.collect()["weight"].to_list() == eager.to_list(), text
    assert frame.lazy().with_columns(_w=weight_expr(text, frame.schema)).collect()["_w"].to_list() == eager.to_list()


@settings(thorough, max_examples=size(4, 100))
@given(frames(), samplers())
def test_pandas_has_the_weights_of_polars(frame: pl.DataFrame, sampler: Node) -> None:
    names = {node.name for node in evaluator._all_nodes(sampler) if isinstance(node, nodes.Column)}
    assume(names <= {*PANDAS_TOO})
    assume(expected_weights(sampler, frame) is not None)
    assume(frame.height)
    text = unparse(sampler)
    pandas = frame.select(PANDAS_TOO).to_pandas(use_pyarrow_extension_array=True)
    pandas.index = pd.Index(range(100, 100 + frame.height))
    found = tql_frames.weights(pandas, text)
    assert found.to_list() == tql_frames.weights(frame, text).to_list(), text
    assert found.index.equals(pandas.index)


# --- each operator on each type of column ----------------------------------------------------------------------------

TABLE = pl.DataFrame(
    {
        "int": [1, 2, None],
        "u64": pl.Series([2, 1, None], dtype=pl.UInt64),
        "float": [1.0, 0.5, None],
        "dec": pl.Series([Decimal("1.00"), Decimal("2.50"), None], dtype=pl.Decimal(6, 2)),
        "bool": [True, False, None],
        "text": ["red", "x", None],
        "cat": pl.Series(["red", "x", None], dtype=pl.Categorical),
        "enum": pl.Series(["red", "x", None], dtype=pl.Enum(["red", "x"])),
        "date": [dt.date(2024, 1, 1), dt.date(2025, 1, 1), None],
        "moment": [dt.datetime(2024, 1, 1), dt.datetime(2025, 1, 1), None],
        "zoned": pl.Series([dt.datetime(2024, 1, 1), None, None], dtype=pl.Datetime("us", ZONE)),
        "clock": [dt.time(1), dt.time(2), None],
        "long": [dt.timedelta(1), dt.timedelta(2), None],
        "ints": [[1, None], [], None],
        "pair": pl.Series([[1.0, 2.0], [0.0, 3.0], None], dtype=pl.Array(pl.Float64, 2)),
        "texts": [["red", None], [], None],
        "enums": pl.Series([["red", None], [], None], dtype=pl.List(pl.Enum(["red"]))),
        "dates": [[dt.date(2024, 1, 1), None], [], None],
        "flags": [[True, None], [], None],
        "matrix": [[[1, 0], []], [[]], None],
        "grid": pl.Series([[[1], [2]], [[0], [3]], None], dtype=pl.Array(pl.Int64, (2, 1))),
        "struct": [{"k": 1}, {"k": None}, None],
        "bytes": [b"a", b"b", None],
        "null": pl.Series([None, None, None], dtype=pl.Null),
    }
)
NUMBER, BOOL, TEXT = ["int", "u64", "float", "dec"], ["bool"], ["text", "cat", "enum"]
DATE, INTS, FLAGS, TEXTS = ["date", "moment", "zoned"], ["ints", "pair"], ["flags"], ["texts", "enums"]
DEEP, NULL, STRUCT = ["matrix", "grid"], ["null"], ["struct"]
CALCULABLE = NUMBER + BOOL + NULL + INTS + FLAGS + DEEP
LISTS = INTS + FLAGS + TEXTS + DEEP + ["dates"]
# What the evaluator does not know: a column without a type as a list, and durations beside text. All rows are null, and
# no duration of days is an hour.
UNTYPED, DURATION = [("null",)], [("long",)]

# An operator, the columns it is right for, and what the error points at for the others where that is not in « ».
OPERATORS: list[tuple[str, list[Any], dict[str, str]]] = [
    ("any(«{c} = 1»)", CALCULABLE, {}),
    ("any(«{c} >= 1.5»)", CALCULABLE, {}),
    ("any(«{c} != true»)", CALCULABLE, {}),
    ("any(«{c} = 'red'»)", TEXT + TEXTS + NULL, dict.fromkeys([*DATE, "clock", "long", "dates"], "'red'")),
    ("any(«{c} < 'red'»)", TEXT + TEXTS + NULL, dict.fromkeys([*DATE, "clock", "long", "dates"], "'red'")),
    (
        "any(«{c} > '2024-06-01'»)",
        TEXT + TEXTS + NULL + DATE + ["dates"],
        dict.fromkeys(["clock", "long"], "'2024-06-01'"),
    ),
    ("any(«{c} = '01:00'»)", TEXT + TEXTS + NULL + ["clock"] + DURATION, dict.fromkeys([*DATE, "dates"], "'01:00'")),
    ("any(«{c} = {c}»)", [each for each in TABLE.columns if each not in ("struct", "bytes")], {}),
    ("any({c} in («1», 2.5))", CALCULABLE, {}),
    ("any({c} not in («'red'», null))", TEXT + TEXTS + NULL, {}),
    ("any(«{c} between 1 and 2»)", CALCULABLE, {}),
    ("any(«{c}» like 'r*')", TEXT + TEXTS + NULL, {}),
    ("{c} is not null", TABLE.columns, {}),
    ("any(«{c}» + 1 > 0)", CALCULABLE, {}),
    ("any(1 / «{c}» > 0)", CALCULABLE, {}),
    ("any(«{c}» % 2 = 1)", CALCULABLE, {}),
    ("any(-«{c}» < 0)", CALCULABLE, {}),
    ("any(abs(«{c}») > 1)", CALCULABLE, {}),
    ("any(sqrt(«{c}») > 1)", CALCULABLE, {}),
    ("any(not «{c}»)", CALCULABLE, {}),
    ("any(«{c}» and true)", CALCULABLE, {}),
    ("any(logical_or(false, «{c}»))", CALCULABLE, {}),
    ("any(«{c}»)", NUMBER + BOOL + NULL + FLAGS, {}),
    ("all(«{c}»)", NUMBER + BOOL + NULL + FLAGS, {}),
    ("all_strict(«{c}»)", NUMBER + BOOL + NULL + FLAGS, {}),
    ("contains(«{c}», 1)", NULL + INTS + FLAGS, dict.fromkeys([*TEXT, *TEXTS, "dates"], "1")),
    ("contains(«{c}», 'red')", NULL + TEXT + TEXTS, dict.fromkeys([*INTS, *FLAGS, "dates"], "'red'")),
    ("shape(«{c}»)[0]", LISTS + UNTYPED, {}),
    ("sum(«{c}»)", CALCULABLE, {}),
    ("avg(«{c}»)", CALCULABLE, {}),
    ("prod(«{c}»)", CALCULABLE, {}),
    ("l1_norm(«{c}»)", CALCULABLE, {}),
    ("l2_norm(«{c}»)", CALCULABLE, {}),
    ("linf_norm(«{c}»)", CALCULABLE, {}),
    ("amax(«{c}») is null", [each for each in TABLE.columns if each not in ("struct", "bytes")], {}),
    ("amin(«{c}») is null", [each for each in TABLE.columns if each not in ("struct", "bytes")], {}),
    ("shape(nonzero(«{c}»))[0]", INTS + FLAGS + UNTYPED, {}),
    ("dot(«{c}», {c})", INTS + FLAGS + DEEP + UNTYPED, {}),
    ("cosine_similarity(«{c}», {c}) > 0.9", INTS + FLAGS + DEEP + UNTYPED, {}),
    ("hamming_distance(«{c}», {c})", LISTS + UNTYPED, {}),
    ("keys(«{c}») is null", TEXT + STRUCT + NULL, {}),
    ("split(«{c}», 'e') is null", TEXT + NULL, {}),
    ("array[«{c}», 1] is null", NUMBER + NULL, {"bool": "1", **dict.fromkeys(TEXT, "1")}),
    ("«{c}»[0] is null", LISTS + UNTYPED, {"struct": "struct[0]"}),
    ("«{c}»[-1:] is null", LISTS + UNTYPED, {"struct": "struct[-1:]"}),
    ("«{c}»['k'] is null", STRUCT + TEXT + UNTYPED, {}),
    ("max_weight(true: «{c}»)", NUMBER + BOOL + NULL, {}),
    ("max_weight(«{c}»: 2)", NUMBER + BOOL + NULL, {}),
    ("«{c}»", NUMBER + BOOL + NULL, {}),
]


@pytest.mark.parametrize("name", TABLE.columns)
@for_each(("marked", "right", "elsewhere"), OPERATORS, ids=[each[0] for each in OPERATORS])
def test_operator_on_type(marked: str, right: list[Any], elsewhere: dict[str, str], name: str) -> None:
    quoted = unparse(column(name))
    text = marked.replace("{c}", quoted)
    plain = text.replace("«", "").replace("»", "")
    if (name,) in right:
        expected = [1.0, 1.0, 1.0] if plain.endswith("is null") else [0.0, 0.0, 0.0]
        assert tql_frames.weights(TABLE, plain).to_list() == expected
        return
    if name in right:
        assert tql_frames.weights(TABLE, plain).to_list() == evaluator.weights(parse(plain), TABLE)
        return
    with pytest.raises(TQLTypeError) as caught:
        tql_frames.weights(TABLE, plain)
    guilty = elsewhere.get(name)
    start = text.index("«") if guilty is None else plain.index(guilty)
    stop = text.index("»") - 1 if guilty is None else start + len(guilty)
    assert caught.value.span == (start, stop), plain[slice(*caught.value.span or ())]


def test_every_kind_of_node_and_every_function_is_translated() -> None:
    kinds = {each for each in vars(nodes).values() if isinstance(each, type) and issubclass(each, Node)}
    of_statements = {nodes.Star, nodes.Item, nodes.FrameName, nodes.Subquery, nodes.Join, nodes.Expand, nodes.Ungroup}
    of_statements |= {nodes.SortKey, nodes.Limit, nodes.Sample, nodes.Select, nodes.Combination, nodes.Statement}
    # These are read by what they are part of.
    assert set(_RULES) == kinds - of_statements - {
        Node,
        nodes._NoLevel,
        nodes._Leaf,
        nodes.Arm,
        nodes.Slice,
        nodes.Values,
    }
    assert {*FUNCTIONS} == {*evaluator._FUNCTIONS, "row_number"}
    for name, function in FUNCTIONS.items():
        assert function.usage.startswith(f"{name}(")


# --- texts and names that Polars takes for something else ------------------------------------------------------------


@pytest.mark.parametrize("char", [*r"""!"#$&'()+,-./:;<=>@[\]^_`{|}~""", *"aZd0 \n\té😀日ſK"])
def test_like_takes_every_character_but_its_own_signs_as_itself(char: str) -> None:
    frame = pl.DataFrame({"t": [char, f"x{char}x", "b", "", char * 2]})
    quoted = char.replace("'", "''")
    assert tql_frames.weights(frame, f"t like '{quoted}'").to_list() == [1, 0, 0, 0, 0]
    assert tql_frames.weights(frame, f"t like '*{quoted}?'").to_list() == [0, 1, 0, 0, 1]
    assert tql_frames.weights(frame, f"contains(t, '{quoted}')").to_list() == [1, 1, 0, 0, 1]


LONG_PATTERNS = {"?": [1, 0, 0], "*?": [1, 0, 0], "*a": [1, 0, 0], "é": [0, 0, 0], "{": [0, 0, 0], "%": [1, 1, 0]}


@pytest.mark.parametrize(("piece", "expected"), LONG_PATTERNS.items())
def test_long_patterns_are_evaluated(piece: str, expected: list[float]) -> None:
    frame = pl.DataFrame({"t": ["a" * 1000, "b", None]})
    pattern = piece * (1000 // len(piece))
    assert tql_frames.weights(frame, f"t ilike '{pattern}'").to_list() == expected


POLARS_1 = pl.__version__.startswith("1.")
NASTY_NAMES = [
    "^a.*$",
    "*",
    "",
    'a"b',
    "a.b",
    "^",
    "$",
    "^$",
    "a b",
    "null",
    "limit",
    "''",
    "weight",
    "bad",
    "len",
    "年",
    "\\",
    "{}",
]


@pytest.mark.parametrize("name", NASTY_NAMES)
def test_a_column_of_any_name_is_that_column(name: str) -> None:
    frame = pl.DataFrame({"a": [9, 9], name: [1, 2], "ab": [8, 8], "s": [{name: 3, "a": 7}, {name: 4, "a": 7}]})
    quoted, key = unparse(column(name)), unparse(Literal(name))
    for each in (frame, frame.lazy(), frame.drop("s").to_pandas()):
        text, expected = f"max_weight({quoted} = 1 and a > 0: {quoted} + 10, {quoted} > 1: a)", [11, 9]
        if name in ("^a.*$", "^$") and POLARS_1:
            with pytest.raises(TQLUnsupportedError, match="cannot be named in Polars 1"):
                tql_frames.weights(each, text)
            continue
        found = tql_frames.weights(each, text)
        found = found.collect()["weight"] if isinstance(found, pl.LazyFrame) else found
        assert found.to_list() == expected
    assert tql_frames.weights(frame, f"s[{key}] + 1").to_list() == [4, 5]


@pytest.mark.skipif(POLARS_1, reason="Polars 1 cannot name such columns")
def test_two_names_that_polars_takes_for_patterns() -> None:
    frame = pl.DataFrame({"*": [1, 5], "^a$": [2, 3], "a": [7, 7], "^.*$": [0, 1]})
    text = 'max_weight("*" = 1 and "^a$" = 2: 2, "^.*$" = 1 or "*" = 9: "^a$")'
    assert tql_frames.weights(frame, text).to_list() == [2, 3]
    assert tql_frames.weights(frame, '"*" * "^a$" + "^.*$"').to_list() == [2, 16]


# --- bugs that were, one line each -----------------------------------------------------------------------------------

NAN, INF = math.nan, math.inf
ONCE_WRONG: list[tuple[str, dict[str, Any], list[float]]] = [
    ("(f = g) is null", {"f": [NAN, 1.0], "g": [None, NAN]}, [1, 0]),
    ("not (f < g)", {"f": [None, 1.0], "g": [NAN, NAN]}, [0, 1]),
    ("any(l = m)", {"l": [[INF], [-INF]], "m": [[INF], [INF]]}, [1, 0]),
    ("any(l and m)", {"l": [[INF, 1e-200]], "m": [[0.0, 1e-200]]}, [1]),
    ("all(not (l and m))", {"l": [[None, 1], [None, 1]], "m": [[0, 0], [1, 0]]}, [1, 0]),
    ("any(l > 1 and l < 5)", {"l": [[3], [7]]}, [1, 0]),
    ("any(not l > 1)", {"l": [[3], [0]]}, [0, 1]),
    ("any(l > 1 and m > 1 and l < 9)", {"l": [[3], [9]], "m": [[2], [2]]}, [1, 0]),
    ("any(l between m and n)", {"l": [[5], [5]], "m": [[1], [1]], "n": [[9], [4]]}, [1, 0]),
    ("any(l = i)", {"l": [[2**53 + 1], [2**53]], "i": [2**53, 2**53]}, [0, 1]),
    ("all(l > 0)", {"l": [[[1], []], [[], [0]]]}, [1, 0]),
    ("all(l = null) + shape(l = null)[0]", {"l": [[1, 2], []]}, [2, 1]),
    ("contains(l, f)", {"l": [[NAN], [NAN, 1.0]], "f": [NAN, 1.0]}, [0, 1]),
    ("contains(l, t) is null", {"l": [["a", None], ["a"]], "t": [None, "a"]}, [1, 0]),
    ("contains(l, i)", {"l": [[2**53 + 1], [2**53]], "i": [2**53, 2**53]}, [0, 1]),
    ("i % 5 + 10", {"i": [-(2**63), -7, 7]}, [7, 8, 12]),
    ("f % g", {"f": [5.0, 5.0], "g": [INF, 3.0]}, [5, 2]),
    ("shape(l[:u])[0]", {"l": [[1, 2], [1, 2]], "u": [2**64 - 1, 1]}, [2, 1]),
]


@pytest.mark.parametrize(("sampler", "columns", "expected"), ONCE_WRONG, ids=[each[0] for each in ONCE_WRONG])
def test_once_wrong(sampler: str, columns: dict[str, Any], expected: list[float]) -> None:
    assert tql_frames.weights(pl.DataFrame(columns), sampler).to_list() == expected


@pytest.mark.parametrize("operator", ["+", "-", "*", "/", "=", "<", "and", "or"])
def test_rows_whose_lists_differ_in_length_give_null(operator: str) -> None:
    lists = {"l": [[1], [2, 3], None, [], [5]], "m": [[1, 2], [4, 6], [1], [3], None]}
    for frame in (pl.DataFrame(lists), pl.DataFrame(lists).lazy().collect(), pl.DataFrame(lists)[3:]):
        for text in (f"(l {operator} m) is null", f"(m {operator} l) is null"):
            expected = evaluator.weights(parse(text), frame)
            assert tql_frames.weights(frame, text).to_list() == expected
            assert expected[-1] == 1


# --- large samplers --------------------------------------------------------------------------------------------------

A = pl.DataFrame({"a": [1, 2, None]})
LARGE = {
    "arms": ("max_weight(" + ", ".join(f"a > {n}: {n}" for n in range(size(1_000, 2_000))) + ")", [0, 1, 0]),
    "or": (" or ".join(f"a = {n}" for n in range(2, size(1_000, 5_000))), [0, 1, 0]),
    "in": ("a in (" + ", ".join(map(str, range(2, size(2_000, 20_000)))) + ")", [0, 1, 0]),
    "not": ("not " * 98 + "a", [1, 1, 0]),
    "plus": (" + ".join(["a"] * 99), [99, 198, 0]),
    "choices": ("max_weight(true: " * 8 + "a" + ")" * 8, [1, 2, 0]),
    "sums": ("sum(array[" * 12 + "a" + "])" * 12, [1, 2, 0]),
    "array": ("dot(array[" + ", ".join(["1"] * 5000) + "], array[" + ", ".join(["-1.5, 2"] * 2500) + "])", [1250] * 3),
}
REPEATING = {
    "remainders": "a" + " % 7" * 90,
    "comparisons": "(" * 90 + "a" + " > 0)" * 90,
    "betweens": "(" * 90 + "a" + " between 0 and 1)" * 90,
    "items": "(" * 90 + "a" + " in (1, a))" * 90,
    "slices": "any(a" + "[0:]" * 40 + ")",
    "choices": "max_weight(true: " * 40 + "a" + ")" * 40,
    "sums": "sum(array[" * 45 + "a" + "])" * 45,
    "products": "dot(array[" * 40 + "a" + "], array[1])" * 40,
    "angles": "cosine_similarity(array[" * 40 + "a" + "], array[1])" * 40,
    "distances": "hamming_distance(array[" * 40 + "a" + "], array[1])" * 40,
}


@pytest.mark.parametrize(("text", "expected"), LARGE.values(), ids=list(LARGE))
def test_large_samplers_are_evaluated(text: str, expected: list[float]) -> None:
    assert tql_frames.weights(A, text).to_list() == expected


@pytest.mark.parametrize("text", REPEATING.values(), ids=list(REPEATING))
def test_nested_rules_that_repeat_their_operands_are_refused_before_they_grow(text: str) -> None:
    with pytest.raises(TQLUnsupportedError, match="nested too deeply"):
        tql_frames.weights(A, text)


# How often each rule may be nested in itself, and how many such terms a sum may have: these limits must not shrink.
MOST_COPIES = {
    "comparison": ("({} = a)", 14, 24),
    "choice": ("max_weight(true: {})", 14, 17),
    "between": ("({} between 0 and a)", 5, 390),
    "items": ("({} in (1, a))", 5, 116),
    "remainder": ("({} % 3)", 4, 454),
    "slice": ("{}[0:]", 3, 116),
    "shape": ("shape({})", 7, 365),
    "contains": ("contains({}, 1)", 6, 686),
    "all_strict": ("all_strict({})", 7, 365),
    "keys": ("keys({})", 7, 365),
    "split": ("split({}, '|')", 6, 686),
    "dot": ("dot({}, 1)", 4, 148),
    "hamming_distance": ("hamming_distance({}, 1)", 4, 148),
    "cosine_similarity": ("cosine_similarity({}, 1)", 3, 155),
    "array": ("ARRAY[{}, a]", 13, 3),
    "array with a number": ("ARRAY[1, {}]", 13, 3),
    "array of text": ("contains(ARRAY[{}, 'x'], 'x')", 4, 220),
}


@for_each("name", MOST_COPIES)
def test_sums_of_nested_rules_are_refused_from_a_size_on(name: str) -> None:
    rule, depth, most = MOST_COPIES[name]
    term = "a"
    for _ in range(depth):
        term = rule.format(term)
    check_size(nodes.calculation(["+"] * (most - 1), [parse(term)] * most))  # to read the sum takes longer
    text = " + ".join([term] * (most + 1))
    with pytest.raises(TQLUnsupportedError, match="nested too deeply") as caught:
        tql_frames.weights(A, text)
    assert caught.value.span == (0, len(text))  # the sum, not one of its terms


def test_constants_in_a_list_or_array_are_no_terms_that_grow() -> None:
    check_size(parse("(" * 20 + "a" + " in (1, 2))" * 20))
    numbers = "ARRAY[" + ", ".join(["-1.5", "+2", "3"] * 1_000) + "]"
    for _ in range(12):
        numbers = f"({numbers} = a)"
    check_size(parse(numbers))
    with pytest.raises(Fault, match="nested too deeply"):  # one that is no number makes the others terms, too
        check_size(parse(numbers.replace("3]", "a]")))


def test_two_million_terms_are_the_most() -> None:
    text = " + ".join(["a[0:][0:][0:]"] * 116 + ["a"] * 4_799)
    assert check_size(parse(text)) == 2_000_000
    with pytest.raises(Fault, match="nested too deeply"):
        check_size(parse(text + " + a"))


def test_equal_weights_of_many_arms_are_added_from_left_to_right() -> None:
    arms = [0.1, 0.2, 0.3, 0.7, 1e16, 1.0, 1e-9] * 2
    text = "sum_weight(" + ", ".join(f"true: {weight!r}" for weight in arms) + ")"
    total = 0.0
    for weight in arms:
        total += weight
    assert tql_frames.weights(A, text).to_list() == [total] * 3


# --- weight_expr by hand ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("schema", [{"a": pl.Int64, "t": pl.String}, {"a": pl.Int64(), "t": pl.String()}])
def test_a_schema_has_types_as_classes_or_as_values(schema: Any) -> None:
    frame = pl.DataFrame({"a": [1, 2], "t": ["x", None]}, schema=schema)
    expr = weight_expr("max_weight(a > 1: 5, t = 'x': 2)", schema)
    assert frame.select(w=expr)["w"].to_list() == [2, 5]
    time = weight_expr("max_weight(c > '13:00': 5)", {"c": pl.Time})
    assert pl.DataFrame({"c": [dt.time(14)]}).select(w=time)["w"].to_list() == [5]


@pytest.mark.parametrize("engine", ["in-memory", "streaming"])
@pytest.mark.parametrize(
    "text",
    [
        "max_weight(v > 1: 20, True: 1)",
        "max_weight(v > 1: 2 * 10)",
        "max_weight(v > 1: v)",
        "sum_weight(v > 1: 20, v = 2: 1 + 1, v > 2: 3)",
        "max_weight(v = 1: 1 / 2, v > 1: 3 % 2)",
        "v > 1",
        "v % 2",
        "v is null",
        "max_weight(f != g: 2, f = g: 1)",
    ],
)
def test_a_weight_selected_after_a_sort_stays_sorted(text: str, engine: Any) -> None:
    frame = pl.DataFrame(
        {"k": [3, 1, 2, 5, 4, 0], "v": [1, 2, 3, 0, 2, 1], "f": [1.0, NAN, 2.0, 3.0, 1.0, NAN], "g": [1.0] * 6}
    )
    expr = weight_expr(text, frame.schema)
    expected = evaluator.weights(parse(text), frame.sort("k"))
    assert frame.lazy().sort("k").select(w=expr).collect(engine=engine)["w"].to_list() == expected
    assert frame.lazy().sort("k").with_columns(w=expr).collect(engine=engine)["w"].to_list() == expected
