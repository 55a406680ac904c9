"""Values for the `?` of a statement: every kind, every place, and never a part of the text."""

from __future__ import annotations

import datetime as dt
import math
from decimal import Decimal
from fractions import Fraction
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import tql_frames
from tests.answers import KINDS, ask, columns
from tests.loops import for_each
from tests.sizes import size
from tql_frames import TQLError
from tql_frames.language import nodes, parse_statement, unparse
from tql_frames.language.parameters import bind

FRAME = pl.DataFrame(
    {
        "n": [1, 2, 3, None, 5],
        "f": [0.5, -1.5, 2.0, None, 1e300],
        "t": ["a", "it's", "?", None, "'; drop --"],
        "b": [True, False, None, True, False],
        "d": [dt.date(2024, 5, 1), dt.date(2024, 5, 2), None, dt.date(1970, 1, 1), dt.date(2030, 1, 1)],
        "at": [dt.datetime(2024, 5, 1, 13, 30), dt.datetime(2024, 5, 2), None, None, dt.datetime(2030, 1, 1)],
        "clock": [dt.time(13, 30), dt.time(0), None, dt.time(8), dt.time(23, 59)],
        "l": [[1, 2], [3], [], None, [5, 5]],
    }
)

# A condition, its parameters, and the rows where it is true.
CONDITIONS: list[tuple[str, list[Any], list[int]]] = [
    ("n = ?", [2], [1]),
    ("n = ?", [2.0], [1]),
    ("n > ? and n < ?", [1, 5], [1, 2]),
    ("? < n and ? > n", [1, 5], [1, 2]),
    ("n between ? and ?", [2, 3], [1, 2]),
    ("n + ? = ?", [1, 3], [1]),
    ("-n = -?", [5], [4]),
    ("n * ? > 0", [-1], []),
    ("n = ?", [-1], []),
    ("n - ? = 2", [-1], [0]),  # no comment
    ("n = ?", [2**63], []),
    ("n > ?", [-(2**63)], [0, 1, 2, 4]),
    ("n = ?", [np.int64(2)], [1]),
    ("n = ?", [np.uint8(2)], [1]),
    ("n = ?", [np.float32(2)], [1]),
    ("n = ?", [np.array(2)], [1]),
    ("n = ?", [Decimal("2")], [1]),
    ("n = ?", [Fraction(4, 2)], [1]),
    ("f = ?", [0.5], [0]),
    ("f = ?", [-1.5], [1]),
    ("f >= ?", [1e300], [4]),
    ("f < ?", [math.inf], [0, 1, 2, 4]),
    ("f > ?", [-math.inf], [0, 1, 2, 4]),
    ("f = ?", [math.nan], []),
    ("t = ?", ["a"], [0]),
    ("t = ?", ["it's"], [1]),
    ("t = ?", ["?"], [2]),
    ("t = ?", ["'; drop --"], [4]),
    ("t = ?", [np.str_("a")], [0]),
    ("t = ?", ["t"], []),
    ("t like ?", ["%s"], [1]),
    ("t not ilike ?", ["A"], [1, 2, 4]),
    ("contains(t, ?)", ["drop"], [4]),
    ("b = ?", [True], [0, 3]),
    ("b = ?", [np.bool_(False)], [1, 4]),
    ("?", [True], [0, 1, 2, 3, 4]),
    ("?", [False], []),
    ("?", [None], []),
    ("n = ?", [None], []),
    ("n is null or n = ?", [5], [3, 4]),
    ("d = ?", [dt.date(2024, 5, 1)], [0]),
    ("d = ?", ["2024-05-01"], [0]),
    ("d >= ?", [dt.datetime(2024, 5, 2)], [1, 4]),
    ("at = ?", [dt.datetime(2024, 5, 1, 13, 30)], [0]),
    ("at > ?", [dt.date(2024, 5, 1)], [0, 1, 4]),
    ("at > ?", [pd.Timestamp("2024-05-01 12:00")], [0, 1, 4]),
    ("clock >= ?", [dt.time(13, 30)], [0, 4]),
    ("d in (?)", [[dt.date(2024, 5, 1), dt.date(1970, 1, 1)]], [0, 3]),
    ("n in (?)", [[1, 3]], [0, 2]),
    ("n in (?)", [(1, 3)], [0, 2]),
    ("n in (?)", [np.array([1, 3])], [0, 2]),
    ("n in (?)", [np.array([1.0, 3.0], np.float32)], [0, 2]),
    ("n in (?)", [pl.Series([1, 3])], [0, 2]),
    ("n in (?)", [pd.Series([1, 3], index=[7, 8])], [0, 2]),
    ("n in (?)", [pd.Index([1, 3])], [0, 2]),
    ("n in (?, ?)", [[1, 3], 5], [0, 2, 4]),
    ("n in (?, 2, ?)", [1, [3, 5]], [0, 1, 2, 4]),
    ("n in (?)", [[1, None]], [0]),
    ("n not in (?)", [[1, 3]], [1, 4]),
    ("n not in (?)", [[1, None]], []),
    ("n in (?)", [2], [1]),
    ("n in (?)", [[]], []),
    ("n not in (?)", [[]], [0, 1, 2, 3, 4]),
    ("t in (?)", [["a", "it's"]], [0, 1]),
    ("t in (?)", [np.array(["a", "it's"])], [0, 1]),
    ("any(l = ?)", [5], [4]),
    ("any(l = ?)", [[]], []),
    ("any(t = ?)", [[]], []),
    ("all(t = ?)", [[]], [0, 1, 2, 3, 4]),
    ("shape(l = ?)[0] = 0", [[]], [2]),
    ("contains(l, ?)", [3], [1]),
    ("l[?] = 2", [1], [0]),
    ("l[?] = 5", [-1], [4]),
    ("all_strict(l[?:] > 4)", [0], [4]),
    ("max_weight(n > ?: ?, true: ?) = 7", [2, 7, 1], [2, 4]),
    ("row_number() >= ?", [4], [4]),
]


@pytest.mark.parametrize("kind", ["polars", "lazy", "pandas"])
@for_each(
    ("condition", "parameters", "expected"),
    CONDITIONS,
    ids=[f"{condition}: {type(values[0]).__name__} {place}" for place, (condition, values, _) in enumerate(CONDITIONS)],
)
def test_in_a_condition(condition: str, parameters: list[Any], expected: list[int], kind: str) -> None:
    found = ask(kind, FRAME, f"select n where {condition}", parameters)
    assert columns(found)["index"] == expected


# The other places of a statement, its parameters, and the same text with the values in it.
PLACES: list[tuple[str, list[Any], str]] = [
    ("select n + ? as m, ? as z", [1, "x"], "select n + 1 as m, 'x' as z"),
    ("select ? as z limit 1", [None], "select null as z limit 1"),
    ("select n limit ?", [2], "select n limit 2"),
    ("select n limit ?", [0], "select n limit 0"),
    ("select n limit ?", [np.int32(2)], "select n limit 2"),
    ("select n limit ? percent", [40], "select n limit 40 percent"),
    ("select n limit ? percent", [40.5], "select n limit 40.5 percent"),
    ("select n offset ?", [2], "select n offset 2"),
    ("select n limit ? offset ?", [2, 1], "select n limit 2 offset 1"),
    ("select top ? n", [2], "select top 2 n"),
    ("select n where n = ? expand by ? ?", [2, 1, 2], "select n where n = 2 expand by 1 2"),
    ("select n where n = ? expand by ? ? overlap true", [2, 1, 2], "select n where n = 2 expand by 1 2 overlap true"),
    ("select n group by n % ?", [2], "select n group by n % 2"),
    ("select n from (select n group by b) ungroup by ?", [2], "select n from (select n group by b) ungroup by 2"),
    ("select n order by n * ?", [-1], "select n order by n * -1"),
    ("select n order by ?", [5], "select n order by 5"),
    ("select n sample by ? limit ?", [1, 3], "select n sample by 1 limit 3"),
    ("select n sample by n replace false limit ? percent", [50], "select n sample by n replace false limit 50 percent"),
    ("select n sample by max_weight(n > ?: ?) limit 3", [1, 4], "select n sample by max_weight(n > 1: 4) limit 3"),
    ("select n from (select n where n > ?) where n < ?", [1, 5], "select n from (select n where n > 1) where n < 5"),
    (
        "(select n where n = ?) union (select n where n = ?) limit ?",
        [1, 2, 1],
        "(select n where n = 1) union (select n where n = 2) limit 1",
    ),
    ("select '?' as q, n -- ?\n where n > ?", [2], "select '?' as q, n where n > 2"),
    ("select t, ? as z where t = '?'", [1], "select t, 1 as z where t = '?'"),
]


@pytest.mark.filterwarnings("ignore:ORDER BY .* sorts by a constant:tql_frames.TQLWarning")
@pytest.mark.parametrize("kind", KINDS)
@for_each(("text", "parameters", "same"), PLACES)
def test_in_other_places(text: str, parameters: list[Any], same: str, kind: str) -> None:
    found, expected = (
        columns(ask(kind, FRAME, each, values, seed=1)) for each, values in ((text, parameters), (same, []))
    )
    if "?" in text.partition(" from ")[0]:  # a column without an alias is named after its text
        assert list(found.values()) == list(expected.values())
    else:
        assert found == expected


# A text with the guilty parameter between « and », its values, and what the error says.
ERRORS: list[tuple[str, Any, str, str]] = [
    ("select n where n = «?»", [], "TQLSyntaxError", "the text has 1 parameter, 0 given"),
    ("select n where n = «?»", None, "TQLSyntaxError", "the text has 1 parameter, 0 given"),
    ("select n where n = ? or n = «?»", [1], "TQLSyntaxError", "the text has 2 parameters, 1 given"),
    ("select n where n = ?", [1, 2], "TQLError", "2 parameters were given, but the text has 1 `?`"),
    ("select n", [1], "TQLError", "1 parameters were given, but the text has 0 `?`"),
    ("select n where n = «?»", [object()], "TQLTypeError", "expected parameter 1 to be a number, text"),
    ("select n where n = ? or n = «?»", [1, {}], "TQLTypeError", "expected parameter 2 to be a number, text"),
    ("select n where n = «?»", [1j], "TQLTypeError", "got complex"),
    ("select n where n = «?»", [b"a"], "TQLTypeError", "got bytes"),
    ("select n where n = «?»", [{1, 2}], "TQLTypeError", "got set"),
    ("select n where n = «?»", [pl.col("n")], "TQLTypeError", "got Expr"),
    ("select n where n = «?»", [2**127], "TQLTypeError", "parameter 1 does not fit into 128 bits"),
    ("select n where n in («?»)", [[1, 2**127]], "TQLTypeError", "parameter 1 does not fit into 128 bits"),
    ("select n where n in («?»)", [[1, object()]], "TQLTypeError", "expected parameter 1 to be a number"),
    ("select n where «n = ?»", ["a"], "TQLTypeError", "text"),
    ("select n where d = «?»", ["yesterday"], "TQLTypeError", ""),
    ("select n limit «?»", [-1], "TQLTypeError", "expected a whole number of at least 0 for LIMIT"),
    ("select n limit «?»", [2.5], "TQLTypeError", "expected a whole number of at least 0 for LIMIT"),
    ("select n limit «?»", ["2"], "TQLTypeError", "expected a whole number of at least 0 for LIMIT"),
    ("select n limit «?»", [True], "TQLTypeError", "expected a whole number of at least 0 for LIMIT"),
    ("select n limit «?»", [math.nan], "TQLTypeError", "expected a whole number of at least 0 for LIMIT"),
    ("select n limit «?»", [math.inf], "TQLTypeError", "expected a whole number of at least 0 for LIMIT"),
    ("select n limit «?»", [[1]], "TQLTypeError", "expected a whole number of at least 0 for LIMIT"),
    ("select n limit «?»", [None], "TQLTypeError", "expected a whole number of at least 0 for LIMIT"),
    ("select n limit «?» percent", [-1], "TQLTypeError", "a number of percent"),
    ("select n limit «?» percent", [math.nan], "TQLTypeError", "a number of percent"),
    ("select n limit «?» percent", [math.inf], "TQLTypeError", "a number of percent"),
    ("select n limit «?» percent", ["5"], "TQLTypeError", "a number of percent"),
    ("select n offset «?»", [-1], "TQLTypeError", "expected a whole number of at least 0 for OFFSET"),
    ("select top «?» n", [-1], "TQLTypeError", "expected a whole number of at least 0 for TOP"),
    ("select n expand by 1 «?»", [-1], "TQLTypeError", "expected a whole number of at least 0 for EXPAND BY"),
    ("select n sample by n limit «?»", [-1], "TQLTypeError", "expected a whole number of at least 0 for LIMIT"),
    ("select n sample by max_weight(«true: ?»)", [-1], "WeightError", "negative weight"),
    ("select n sample by max_weight(«true: ?»)", [math.nan], "WeightError", "NaN"),
    ("select n sample by max_weight(«true: ?»)", [math.inf], "WeightError", "infinite"),
    ("select n group by «?»", [[1]], "TQLTypeError", "expected single values for GROUP BY"),
    ("select n from «?»", ["frame"], "TQLSyntaxError", "unexpected '?'"),
]


@pytest.mark.parametrize("kind", ["polars", "pandas"])
@for_each(
    ("marked", "parameters", "name", "message"),
    ERRORS,
    ids=[f"{marked} {str(values)[:20]}" for marked, values, *_ in ERRORS],
)
def test_errors(marked: str, parameters: Any, name: str, message: str, kind: str) -> None:
    text = marked.replace("«", "").replace("»", "")
    with pytest.raises(TQLError) as caught:
        ask(kind, FRAME, text, parameters, seed=1)
    error = caught.value
    assert type(error).__name__ == name
    assert message in error.message
    if "«" in marked:
        assert error.span == (marked.index("«"), marked.index("»") - 1)
        assert error.source == text


@pytest.mark.parametrize("parameters", ["a", b"a", {"a": 1}, {1}, frozenset([1]), 5, iter([1])])
def test_parameters_are_a_list(parameters: Any) -> None:
    with pytest.raises(TQLError, match="parameters is a list of values"):
        tql_frames.query("select n from a where n = ?", parameters, a=FRAME)
    with pytest.raises(TQLError, match="parameters is a list of values"):
        FRAME.tql.query("select n where n = ?", parameters)


@pytest.mark.parametrize(
    "parameters", [(2, 1), [2, 1], np.array([2, 1]), pl.Series([2, 1]), pd.Series([2, 1], index=["x", "y"])]
)
def test_a_list_of_any_library(parameters: Any) -> None:
    assert FRAME.tql.query("select n where n = ? or n = ?", parameters)["n"].to_list() == [1, 2]


def test_a_list_is_not_changed() -> None:
    values = [1, [2, 3]]
    FRAME.tql.query("select n where n = ? or n in (?)", values)
    assert values == [1, [2, 3]]


def test_a_statement_keeps_its_parameters_apart() -> None:
    """The tree of a text is kept for the next call, its values are not."""
    text = "select n where n = ?"
    assert [FRAME.tql.query(text, [n])["n"].to_list() for n in (1, 2, 1)] == [[1], [2], [1]]


@settings(max_examples=size(33, 200), deadline=None, derandomize=True)
@given(st.text(), st.text())
def test_a_text_is_only_itself(value: str, other: str) -> None:
    frame = pl.DataFrame({"t": [value, other, None]})
    expected = [0, 1] if value == other else [0]
    assert frame.tql.query("select t where t = ?", [value])["index"].to_list() == expected


values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=5),
    lambda inner: st.lists(inner, min_size=1, max_size=3),
    max_leaves=4,
)


@settings(max_examples=size(33, 200), deadline=None, derandomize=True)
@given(st.lists(values, min_size=3, max_size=3))
def test_bound_trees_have_no_parameters(given: list[Any]) -> None:
    bound = bind(parse_statement("select f(?) as x where y + ? in (1, ?)"), given)

    def below(node: nodes.Node) -> list[nodes.Node]:
        return [node, *(each for child in node.children() for each in below(child))]

    assert not [node for node in below(bound) if isinstance(node, nodes.Parameter)]
    assert unparse(bound).startswith("select f(")


@pytest.mark.parametrize("text", ["max_weight(n > ?: 1)", "?"])
def test_a_sampler_has_no_parameters(text: str) -> None:
    with pytest.raises(TQLError) as caught:
        FRAME.tql.sample(text)
    assert caught.value.span is not None
    assert text[slice(*caught.value.span)] == "?"
