"""The language: shapes of trees, exact spans, `unparse` as the inverse of `parse`, texts of any length and depth."""

import inspect
import pickle
import re
import time
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from tests.loops import for_each
from tests.sizes import size
from tql_frames import TQLError, TQLSyntaxError, TQLUnsupportedError
from tql_frames.language import nodes, parse, parse_statement, unparse
from tql_frames.language.keywords import CLAUSES, RESERVED, SOMETIMES, UNSUPPORTED, WRITES
from tql_frames.language.nodes import Literal, Node
from tql_frames.language.parser import MAX_DEPTH, MAX_LENGTH, _lark

column = nodes.Column
NODE_CLASSES = [
    each for _, each in inspect.getmembers(nodes, inspect.isclass) if issubclass(each, Node) and each is not Node
]


MANY = size(5_000, 20_000)  # of a long text
DEEP = size(20_000, 100_000)  # of a deep or longer one
ok = None


def walk(node: Node) -> Iterator[Node]:
    yield node
    for child in node.children():
        yield from walk(child)


# --- shapes ----------------------------------------------------------------------------------------------------------

# A text, and the same with every parenthesis written.
SHAPES = [
    ("a or b and c", "a or (b and c)"),
    ("a and b or c", "(a and b) or c"),
    ("not a and b", "(not a) and b"),
    ("not a = b", "not (a = b)"),
    ("not a in (1)", "not (a in (1))"),
    ("not a is null", "not (a is null)"),
    ("not not a or b", "(not (not a)) or b"),
    ("a + b * c", "a + (b * c)"),
    ("a - b - c", "(a - b) - c"),
    ("a / b * c % d", "((a / b) * c) % d"),
    ("-a * b", "(-a) * b"),
    ("-a[0]", "-(a[0])"),
    ("- - a", "-(-a)"),
    ("a * -b", "a * (-b)"),
    ("a + b > c * d", "(a + b) > (c * d)"),
    ("a between b + 1 and c and d", "(a between (b + 1) and c) and d"),
    ("a between 1 and 2 or b between 3 and 4 and c", "(a between 1 and 2) or ((b between 3 and 4) and c)"),
    ("a not between 1 and 2 and b", "(a not between 1 and 2) and b"),
    ("a + 1 in (1, 2) and b like 'x'", "((a + 1) in (1, 2)) and (b like 'x')"),
    ("a[0][1]", "(a[0])[1]"),
    ("f(a)[0] + 1", "((f(a))[0]) + 1"),
    ("a and b and c or d or e", "(a and b and c) or d or e"),
    ("max_weight(a or b: c + d, not e: -1)", "max_weight((a or b): (c + d), (not e): (-1))"),
    ("a[1 + 1:b or c]", "a[(1 + 1):(b or c)]"),
]


@pytest.mark.parametrize(("text", "grouped"), SHAPES)
def test_operators_bind_as_the_grammar_says(text: str, grouped: str) -> None:
    assert parse(text) == parse(grouped)
    assert unparse(parse(grouped)) == text.replace(" = ", " == ").replace("- - ", "- -").replace(" - -", " - -")


# A text and its tree.
TREES = {
    "5": Literal(5),
    "05": Literal(5),
    "5.": Literal(5.0),
    ".5": Literal(0.5),
    "1e3": Literal(1000.0),
    "1E-2": Literal(0.01),
    "18446744073709551615": Literal(2**64 - 1),
    "TRUE": Literal(True),
    "False": Literal(False),
    "nULL": Literal(None),
    "''": Literal(""),
    "'it''s'": Literal("it's"),
    "''''": Literal("'"),
    "'-- no comment'": Literal("-- no comment"),
    "'a\nb'": Literal("a\nb"),
    "a": column("a"),
    "A": column("A"),
    "größe": column("größe"),
    "年齢": column("年齢"),
    '"a b"': column("a b"),
    '"a""b"': column('a"b'),
    '""': column(""),
    '"null"': column("null"),
    "a = 1": nodes.Comparison("==", column("a"), Literal(1)),
    "a == 1": nodes.Comparison("==", column("a"), Literal(1)),
    "a <> 1": nodes.Comparison("!=", column("a"), Literal(1)),
    "a>=1": nodes.Comparison(">=", column("a"), Literal(1)),
    "a NOT IN (1, 'b', null)": nodes.In(column("a"), (Literal(1), Literal("b"), Literal(None)), negated=True),
    "a not like '%'": nodes.Like(column("a"), Literal("%"), negated=True),
    "a ILIKE b": nodes.Like(column("a"), column("b"), ignore_case=True),
    "a is not null": nodes.IsNull(column("a"), negated=True),
    "a and b AND c": nodes.And((column("a"), column("b"), column("c"))),
    "(a and b) and c": nodes.And((nodes.And((column("a"), column("b"))), column("c"))),
    "F()": nodes.Call("f", ()),
    "f(a, 1)": nodes.Call("f", (column("a"), Literal(1))),
    "a[:]": nodes.Subscript(column("a"), (nodes.Slice(),)),
    "a[::]": nodes.Subscript(column("a"), (nodes.Slice(),)),
    "a[1:]": nodes.Subscript(column("a"), (nodes.Slice(start=Literal(1)),)),
    "a[:1]": nodes.Subscript(column("a"), (nodes.Slice(stop=Literal(1)),)),
    "a[::-1]": nodes.Subscript(column("a"), (nodes.Slice(step=nodes.Negative(Literal(1))),)),
    "a[1:2:3, 'k', :]": nodes.Subscript(
        column("a"), (nodes.Slice(Literal(1), Literal(2), Literal(3)), Literal("k"), nodes.Slice())
    ),
    "Max_Weight(a: 1, True: 2)": nodes.WeightChoice(
        "max_weight", (nodes.Arm(column("a"), Literal(1)), nodes.Arm(Literal(True), Literal(2)))
    ),
    "-- first\n a -- then\r\n + 1 -- last": nodes.Arithmetic("+", column("a"), Literal(1)),
    "orange": column("orange"),
    "nullable": column("nullable"),
    "is_null": column("is_null"),
    "oré": column("oré"),
    "\u212aind": column("\u212aind"),  # begins with the Kelvin sign
    "\u0131n": column("\u0131n"),  # a dotless i, which ignoring case matches an i
    "i\u017f": column("i\u017f"),  # and a long s
}


@pytest.mark.parametrize(("text", "expected"), TREES.items(), ids=list(TREES))
def test_tree(text: str, expected: Node) -> None:
    found = parse(text)
    assert found == expected
    # == alone would take True for 1 and 5 for 5.0.
    assert repr(found) == repr(expected)


@pytest.mark.parametrize("word", ["a" + chr(0x212A), chr(0x0130) + "x"])
def test_a_function_of_any_letters_comes_back_from_unparse(word: str) -> None:
    found = parse(f"{word}(1)")
    assert parse(unparse(found)) == found


# --- spans -----------------------------------------------------------------------------------------------------------

# Nodes in the order of a walk, each as its own characters.
SPANS: dict[str, list[str]] = {
    " 1 + a ": ["1 + a", "1", "a"],
    "( 1 + a )": ["( 1 + a )", "1", "a"],
    "((a)) * 2": ["((a)) * 2", "((a))", "2"],
    "-  a": ["-  a", "a"],
    "+ a": ["+ a", "a"],
    "a + 1 -  b + (c) - d * e": ["a + 1 -  b + (c) - d * e", "a", "1", "b", "(c)", "d * e", "d", "e"],
    "a + 1 - b": ["a + 1 - b", "a + 1", "a", "1", "b"],
    "not  a": ["not  a", "a"],
    "a = 'x''y'": ["a = 'x''y'", "a", "'x''y'"],
    "x or a and b": ["x or a and b", "x", "a and b", "a", "b"],
    "a in  array[ 1, b ]": ["a in  array[ 1, b ]", "a", "1", "b"],
    '"a b" not in (1, 2 )': ['"a b" not in (1, 2 )', '"a b"', "1", "2"],
    "a between 1 and -2": ["a between 1 and -2", "a", "1", "-2", "2"],
    "a not ilike 'x'": ["a not ilike 'x'", "a", "'x'"],
    "a is not null": ["a is not null", "a"],
    "f( a ,b )": ["f( a ,b )", "a", "b"],
    "row_number( )": ["row_number( )"],
    "a[ 1 ]": ["a[ 1 ]", "a", "1"],
    "a[1 : 2: 3, :]": ["a[1 : 2: 3, :]", "a", "1 : 2: 3", "1", "2", "3", ":"],
    "a[:-1]": ["a[:-1]", "a", ":-1", "-1", "1"],
    "a['k'][::2]": ["a['k'][::2]", "a['k']", "a", "'k'", "::2", "2"],
    "max_weight( a>1 : 2 , True:3 )": [
        "max_weight( a>1 : 2 , True:3 )",
        "a>1 : 2",
        "a>1",
        "a",
        "1",
        "2",
        "True:3",
        "True",
        "3",
    ],
    "-- c\n\t1e3 -- d\n/ null": ["1e3 -- d\n/ null", "1e3", "null"],
    "größe > 1 and '😀' = 年": ["größe > 1 and '😀' = 年", "größe > 1", "größe", "1", "'😀' = 年", "'😀'", "年"],
}


@pytest.mark.parametrize(("text", "pieces"), SPANS.items(), ids=list(SPANS))
def test_the_span_of_a_node_is_its_text(text: str, pieces: list[str]) -> None:
    assert [text[node.span.start : node.span.stop] for node in walk(parse(text))] == pieces


# Statements as well; a SELECT is blamed by its first word.
STATEMENT_SPANS: dict[str, list[str]] = {
    " select * ; ": ["select", "select", "*"],
    "( select  a )": ["( select  a )", "( select  a )", "a", "a"],
    "((select a) limit 2)": ["((select a) limit 2)", "((select a) limit 2)", "(select a)", "a", "a", "limit 2", "2"],
    "select a, b + 1 as  c , x.*": ["select", "select", "a", "a", "b + 1 as  c", "b + 1", "b", "1", "x.*"],
    "select b + 1 c": ["select", "select", "b + 1 c", "b + 1", "b", "1"],
    "select array[ 1, ? ] x": ["select", "select", "array[ 1, ? ] x", "array[ 1, ? ]", "1", "?", "array"],
    "select a where b expand by 1  ? overlap true": [
        *("select", "select", "a", "a", "b", "expand by 1  ? overlap true", "1", "?"),
    ],
    "select a expand by 1 , 2  as  b": ["select", "select", "a", "a", "expand by 1 , 2  as  b", "1", "2"],
    "select *[ 0 ], x.*[1 : 2]": ["select", "select", "*[ 0 ]", "0", "x.*[1 : 2]", "1 : 2", "1", "2"],
    "select a union  distinct select b": ["union  distinct", "union  distinct", "select", "a", "a", "select", "b", "b"],
    "select a from t as  u where u.a in (?)": [
        *("select", "select", "a", "a", "t as  u", "u.a in (?)", "u.a", "?"),
    ],
    "select a from ( select b ) x": ["select", "select", "a", "a", "( select b ) x", "select", "select", "b", "b"],
    "select * from t left outer join u as v on t.a = v.a": [
        *("select", "select", "*", "t left outer join u as v on t.a = v.a", "t", "u as v", "t.a = v.a", "t.a", "v.a"),
    ],
    "select * from t join u using (a, b) cross join w": [
        *("select", "select", "*", "t join u using (a, b) cross join w", "t join u using (a, b)", "t", "u", "w"),
    ],
    "select a group by a, b + 1": ["select", "select", "a", "a", "a", "b + 1", "b", "1"],
    "select a ungroup by  split": ["select", "select", "a", "a", "ungroup by  split"],
    "select a ungroup by 2": ["select", "select", "a", "a", "ungroup by 2", "2"],
    "select a order by a  desc, b asc": ["select", "select", "a", "a", "a  desc", "a", "b asc", "b"],
    "select a limit  5 percent offset 2": ["select", "select", "a", "a", "limit  5 percent", "5", "2"],
    "select a sample by f(a: 1) replace  false limit 3": [
        *("select", "select", "a", "a", "sample by f(a: 1) replace  false limit 3", "f(a: 1)", "a: 1", "a", "1"),
        *("limit 3", "3"),
    ],
    "( select a ) union all ( select b limit 1 )": [
        *["union all"] * 2,
        *("( select a )", "a", "a", "( select b limit 1 )", "select", "b", "b", "limit 1", "1"),
    ],
    "select a except select b order by a": [
        *("except", "except", "select", "a", "a", "select", "b", "b", "a", "a"),
    ],
    "-- c\nSELECT größe -- d\n, '😀'": ["SELECT", "SELECT", "größe", "größe", "'😀'", "'😀'"],
}


@pytest.mark.parametrize(("text", "pieces"), STATEMENT_SPANS.items(), ids=list(STATEMENT_SPANS))
def test_the_span_of_a_node_of_a_statement_is_its_text(text: str, pieces: list[str]) -> None:
    assert [text[node.span.start : node.span.stop] for node in walk(parse_statement(text))] == pieces


def test_the_spans_above_show_every_kind_of_node() -> None:
    found = [*map(parse, SPANS), *map(parse_statement, STATEMENT_SPANS)]
    assert {type(node) for each in found for node in walk(each)} == set(NODE_CLASSES)


def test_a_name_has_its_own_span() -> None:
    for text in ("1 + Shape(a)", "1 + Sum_weight(a: 1)"):
        named: Any = parse(text).right  # type: ignore[attr-defined]
        start, stop = named.name_span
        assert text[start:stop].lower() == named.name


def test_where_a_node_stands_is_not_part_of_what_it_is() -> None:
    assert parse("a+1") == parse("( a  +  1 )")
    assert hash(parse("a+1")) == hash(parse("( a  +  1 )"))


def test_a_tree_can_be_pickled() -> None:
    found = parse("max_weight(any(a[1:] > 1): 2)")
    again = pickle.loads(pickle.dumps(found))
    assert again == found
    assert again.span == found.span


# --- unparse ---------------------------------------------------------------------------------------------------------

nasty = st.text(max_size=8) | st.sampled_from(
    [
        *RESERVED,
        *SOMETIMES,
        "Null",
        "SELECT",
        "",
        "'",
        '"',
        '""',
        "''",
        "a b",
        "--",
        "a--b",
        "1a",
        "\n",
        "é",
        "İ",
        "ı",
        "\u212a",
        "max_weight",
    ]
)
literals = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(0, 2**64 - 1),
    st.floats(0, allow_nan=False, allow_infinity=False),
    nasty,
).map(lambda value: Literal(abs(value) if value == 0 and isinstance(value, float) else value))
call_names = st.from_regex(r"[a-z_][a-z_0-9]{0,8}", fullmatch=True).filter(lambda word: word not in RESERVED)


def _sum(signs: tuple[str, ...], one: Node) -> Node:
    """A long flat sum; with its signs turned round, a sum of sums that stand in parentheses."""
    return nodes.Chain(signs, (one,) * (len(signs) + 1))


def _built(inner: st.SearchStrategy[Node]) -> st.SearchStrategy[Node]:
    many = st.lists(inner, min_size=2, max_size=4).map(tuple)
    some = st.lists(inner, min_size=1, max_size=3).map(tuple)
    flag = st.booleans()
    arms = st.lists(st.builds(nodes.Arm, inner, inner), min_size=1, max_size=3).map(tuple)
    slices = st.builds(nodes.Slice, st.none() | inner, st.none() | inner, st.none() | inner)
    return st.one_of(
        st.builds(nodes.Negative, inner),
        st.builds(nodes.Positive, inner),
        st.builds(nodes.Arithmetic, st.sampled_from("+-*/%"), inner, inner),
        st.builds(_sum, st.lists(st.sampled_from("+-"), min_size=4, max_size=6).map(tuple), inner),
        st.builds(lambda count, one: nodes.Chain(("*",) * count, (one,) * (count + 1)), st.integers(4, 6), inner),
        st.builds(nodes.Comparison, st.sampled_from(["==", "!=", "<", "<=", ">", ">="]), inner, inner),
        st.builds(nodes.Not, inner),
        st.builds(nodes.And, many),
        st.builds(nodes.Or, many),
        st.builds(nodes.In, inner, some, flag),
        st.builds(nodes.Between, inner, inner, inner, flag),
        st.builds(nodes.Like, inner, inner, flag, flag),
        st.builds(nodes.IsNull, inner, flag),
        st.builds(nodes.Call, call_names, st.just(()) | some),
        st.builds(nodes.WeightChoice, call_names, arms),
        st.builds(nodes.Subscript, inner, st.lists(inner | slices, min_size=1, max_size=3).map(tuple)),
    )


trees = st.recursive(literals | nasty.map(column), _built, max_leaves=12)


@settings(max_examples=size(83, 500), deadline=None, derandomize=True)
@given(trees)
@example(nodes.Negative(nodes.Negative(nodes.Negative(Literal(1)))))
@example(nodes.Arithmetic("-", column("a"), nodes.Negative(nodes.Negative(column("b")))))
def test_unparse_is_the_inverse_of_parse(built: Node) -> None:
    text = unparse(built)
    assert repr(parse(text)) == repr(built), text


A, B = column("a"), column("b")
INSIDE = [
    *(nodes.Arithmetic(sign, A, B) for sign in "+-*/%"),
    *(
        nodes.Negative(A),
        nodes.Comparison("<", A, B),
        nodes.Not(A),
        nodes.And((A, B)),
        nodes.Or((A, B)),
        nodes.In(A, (B,)),
    ),
    *(nodes.Between(A, A, B), nodes.Like(A, B), nodes.IsNull(A), nodes.Call("f", (A,)), nodes.Subscript(A, (B,)), A),
]
AROUND = [
    *(lambda x, sign=sign: nodes.Arithmetic(sign, x, A) for sign in "+-*/%"),
    *(lambda x, sign=sign: nodes.Arithmetic(sign, A, x) for sign in "+-*/%"),
    *(lambda x: nodes.Comparison("==", x, A), lambda x: nodes.Comparison("==", A, x), nodes.Negative, nodes.Not),
    *(lambda x: nodes.And((x, A)), lambda x: nodes.And((A, x)), lambda x: nodes.Or((x, A)), lambda x: nodes.Or((A, x))),
    *(lambda x: nodes.In(x, (A,)), lambda x: nodes.In(A, (x, x)), lambda x: nodes.Between(x, A, A)),
    *(lambda x: nodes.Between(A, x, A), lambda x: nodes.Between(A, A, x), lambda x: nodes.Like(x, A)),
    *(lambda x: nodes.Like(A, x), nodes.IsNull, lambda x: nodes.Subscript(x, (A,)), lambda x: nodes.Subscript(A, (x,))),
]


def test_unparse_of_every_node_inside_every_other() -> None:
    for around in AROUND:
        for inside in INSIDE:
            built = around(inside)
            assert parse(unparse(built)) == built, unparse(built)


@settings(max_examples=size(33, 200), deadline=None, derandomize=True)
@given(trees)
def test_no_parentheses_are_needless(built: Node) -> None:
    text = unparse(built)
    for pair in re.finditer(r"(?<![\w)])\(", re.sub(r"'[^']*'|\"[^\"]*\"", lambda found: "x" * len(found[0]), text)):
        depth, at = 0, pair.start()
        if re.search(r"\bin $", text[:at]):
            continue
        quiet = re.sub(r"'[^']*'|\"[^\"]*\"", lambda found: "x" * len(found[0]), text)
        for stop in range(at, len(quiet)):
            depth += {"(": 1, ")": -1}.get(quiet[stop], 0)
            if depth == 0:
                break
        without = f"{text[:at]} {text[at + 1 : stop]} {text[stop + 1 :]}"
        try:
            assert parse(without) != built, (text, without)
        except TQLError:
            continue


SELECT = nodes.Select((nodes.Star(),))


def _example_of(kind: type[Node]) -> Node:
    one = Literal(1)
    return {
        nodes.Literal: one,
        nodes.Column: column("a"),
        nodes.Negative: nodes.Negative(one),
        nodes.Positive: nodes.Positive(one),
        nodes.Arithmetic: nodes.Arithmetic("+", one, one),
        nodes.Chain: nodes.Chain(("+",) * 4, (one,) * 5),
        nodes.Comparison: nodes.Comparison("==", one, one),
        nodes.Not: nodes.Not(one),
        nodes.And: nodes.And((one, one)),
        nodes.Or: nodes.Or((one, one)),
        nodes.In: nodes.In(one, (one,)),
        nodes.Between: nodes.Between(one, one, one),
        nodes.Like: nodes.Like(one, one),
        nodes.IsNull: nodes.IsNull(one),
        nodes.Call: nodes.Call("f", ()),
        nodes.Arm: nodes.Arm(one, one),
        nodes.WeightChoice: nodes.WeightChoice("f", (nodes.Arm(one, one),)),
        nodes.Slice: nodes.Slice(),
        nodes.Subscript: nodes.Subscript(one, (one,)),
        nodes.Parameter: nodes.Parameter(),
        nodes.Array: nodes.Array((one,)),
        nodes.Star: nodes.Star(),
        nodes.Item: nodes.Item(one),
        nodes.FrameName: nodes.FrameName("a"),
        nodes.Subquery: nodes.Subquery(nodes.Statement(SELECT)),
        nodes.Join: nodes.Join(nodes.FrameName("a"), "cross", nodes.FrameName("b")),
        nodes.Expand: nodes.Expand(one, one),
        nodes.Ungroup: nodes.Ungroup(),
        nodes.SortKey: nodes.SortKey(one),
        nodes.Limit: nodes.Limit(one),
        nodes.Sample: nodes.Sample(one),
        nodes.Select: SELECT,
        nodes.Combination: nodes.Combination(SELECT, "union", SELECT),
        nodes.Statement: nodes.Statement(SELECT),
    }[kind]


@pytest.mark.parametrize("kind", NODE_CLASSES, ids=lambda kind: kind.__name__)
def test_every_kind_of_node_has_a_rule_for_its_text(kind: type[Node]) -> None:
    assert unparse(_example_of(kind))


# --- statements ------------------------------------------------------------------------------------------------------

# A text, and the same as `unparse` writes it.
STATEMENTS = {
    "SELECT * ;": "select *",
    "Select DISTINCT Top 3 a": "select distinct top 3 a",
    "select a b, c as d": "select a as b, c as d",
    "((select a))": "select a",
    "((select a) limit 2) offset 1": "(select a limit 2) offset 1",
    "select a limit all": "select a",
    "select a limit 1e1 percent": "select a limit 10.0 percent",
    "select a sample by b replace": "select a sample by b",
    "select a sample by b replace true limit all": "select a sample by b",
    "select a sample by b replace false limit 3 percent": "select a sample by b replace false limit 3 percent",
    "select a where b isnull and c ISNULL": "select a where b is null and c is null",
    "select a expand by 1 2 overlap false": "select a expand by 1 2",
    "select a expand by 1, 2 overlap true as b": "select a expand by 1 2 overlap true as b",
    "select a expand by ?, ? as overlap": 'select a expand by ? ? as "overlap"',
    "select *[0:10], t.*[:, 1]": "select *[0:10], t.*[:, 1]",
    "select a union distinct select b": "select a union select b",
    "select a intersect distinct select b except distinct select c": "select a intersect select b except select c",
    "select a where b in array[1, 2] and c not in ARRAY['x']": "select a where b in (1, 2) and c not in ('x')",
    "select a where b between - 1 and + 1": "select a where b between -1 and +1",
    "select a + b - c + d - e, (a + b) + c + d": "select a + b - c + d - e, a + b + c + d",
    "select (a + b - c + d - e) + f, a * b * c * d * e": "select (a + b - c + d - e) + f, a * b * c * d * e",
    "select a order by a asc, b DESC": "select a order by a, b desc",
    "select a from t u, v": None,
    "select a from t as u full outer join v using (a)": "select a from t as u full join v using (a)",
    "select a from t inner join u on a = b": "select a from t inner join u on a == b",
    "select a from t join (select b) on true": "select a from t inner join (select b) on true",
    "select a union select b union all select c": "select a union select b union all select c",
    "(select a union select b) except select c": "select a union select b except select c",
    "select a union (select b except select c)": "select a union (select b except select c)",
    "select a union select b order by a limit 1": "select a union select b order by a limit 1",
    "(select a limit 1) union select b": "(select a limit 1) union select b",
    "select array[1, -2][0]": "select array[1, -2][0]",
    "select t.a, t.* from t": "select t.a, t.* from t",
    "select a where b in (?) and ? > c": "select a where b in (?) and ? > c",
}


@for_each(("text", "plain"), STATEMENTS.items(), ids=list(STATEMENTS))
def test_statement(text: str, plain: str | None) -> None:
    if plain is None:
        with pytest.raises(TQLSyntaxError):
            parse_statement(text)
        return
    assert unparse(parse_statement(text)) == plain
    assert repr(parse_statement(plain)) == repr(parse_statement(text))


counts = st.just(nodes.Parameter()) | st.integers(0, 2**64 - 1).map(Literal)
counts |= st.floats(0, allow_nan=False, allow_infinity=False).map(lambda value: Literal(abs(value)))
frame_names = st.sampled_from(["t", "u", "größe", "x1"])
expressions = st.recursive(
    literals
    | nasty.map(column)
    | st.just(nodes.Parameter())
    | st.builds(column, nasty, frame_names)
    | st.builds(nodes.Array, st.lists(literals, min_size=1, max_size=2).map(tuple), st.just(nodes.Column("array"))),
    _built,
    max_leaves=4,
)
aliases = st.none() | nasty
flags = st.booleans()


operators = st.sampled_from(["union", "union all", "intersect", "except"])


def some(draw: st.DrawFn, strategy: st.SearchStrategy[Any], least: int = 1) -> tuple[Any, ...]:
    return tuple(draw(strategy) for _ in range(draw(st.integers(least, 2))))


def perhaps(draw: st.DrawFn, strategy: st.SearchStrategy[Any]) -> Any:
    return draw(strategy) if draw(flags) else None


@st.composite
def tables(draw: st.DrawFn, depth: int) -> Node:
    """What may stand after FROM."""

    def source() -> Node:
        if depth and draw(flags):
            return nodes.Subquery(draw(any_statement(depth - 1)), draw(aliases))
        return nodes.FrameName(draw(nasty), draw(aliases))

    found = source()
    for _ in range(draw(st.integers(0, 2))):
        kind = draw(st.sampled_from(["inner", "left", "right", "full"]))
        match draw(st.integers(0, 2)):
            case 0:
                found = nodes.Join(found, "cross", source())
            case 1:
                found = nodes.Join(found, kind, source(), draw(expressions))
            case 2:
                found = nodes.Join(found, kind, source(), None, some(draw, nasty))
    return found


@st.composite
def selects(draw: st.DrawFn, depth: int) -> nodes.Select:
    items = st.builds(nodes.Item, expressions, aliases) | st.builds(
        nodes.Star, st.none() | frame_names, st.just(()) | st.tuples(expressions)
    )
    grouped = draw(st.integers(0, 2))
    return nodes.Select(
        some(draw, items),
        draw(flags),
        perhaps(draw, counts),
        perhaps(draw, tables(depth)),
        perhaps(draw, expressions),
        nodes.Expand(draw(counts), draw(counts), draw(flags), draw(aliases)) if draw(flags) else None,
        some(draw, expressions) if grouped == 1 else (),
        nodes.Ungroup(perhaps(draw, counts)) if grouped == 2 else None,
    )


@st.composite
def any_statement(draw: st.DrawFn, depth: int = 2) -> nodes.Statement:
    def operand() -> Node:
        if depth and draw(flags):
            inner = draw(any_statement(depth - 1))
            return inner.body if inner == nodes.Statement(inner.body) else inner
        return draw(selects(depth))

    body = nodes.Combination(operand(), draw(operators), operand()) if draw(flags) else operand()
    limits = st.builds(nodes.Limit, counts, flags)
    return nodes.Statement(
        body,
        some(draw, st.builds(nodes.SortKey, expressions, flags), 0),
        perhaps(draw, limits),
        perhaps(draw, counts),
        nodes.Sample(draw(expressions), draw(flags), perhaps(draw, limits)) if draw(flags) else None,
    )


@settings(
    max_examples=size(40, 400),
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
@given(any_statement())
def test_unparse_is_the_inverse_of_parse_for_statements(built: nodes.Statement) -> None:
    text = unparse(built)
    assert repr(parse_statement(text)) == repr(built), text


def test_the_statements_above_show_every_kind_of_node() -> None:
    shown: set[type[Node]] = set()

    @settings(max_examples=size(33, 200), deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
    @given(any_statement())
    def look(built: nodes.Statement) -> None:
        shown.update(type(node) for node in walk(built))

    look()
    assert {
        nodes.Combination,
        nodes.Join,
        nodes.Subquery,
        nodes.Sample,
        nodes.Expand,
        nodes.Ungroup,
        nodes.SortKey,
    } <= shown


@pytest.mark.parametrize("name", ["left", "top", "a b", "select", "1a", 'a"b', ""])
def test_a_frame_of_any_name_qualifies_a_column(name: str) -> None:
    """Quoted where it must be, as a column is."""
    for node in (nodes.Column("c", name), nodes.Column("c d", name)):
        assert parse(unparse(node)) == node
    select = nodes.Statement(nodes.Select((nodes.Star(name),)))
    assert parse_statement(unparse(select)) == select


# Places of a name in a statement; words that are keywords in some places are names in these.
PLACES = [
    "select {0}",
    "select a as {0}",
    "select {0} as b",
    "select {0}, {0}",
    "select f({0}, {0})",
    "select {0}[{0}]",
    "select {0} + {0}",
    "select a where {0}",
    "select a where {0} > 1 and {0} is null or not {0}",
    "select a where {0} in ({0}, 1)",
    "select a where {0} between {0} and {0}",
    "select a where {0} like {0}",
    "select a group by {0}",
    "select a order by {0}",
    "select a order by {0} desc, {0}",
    "select a sample by {0}",
    "select a sample by max_weight({0}: {0})",
    "select a from {0}",
    "select a from t as {0}",
    "select a from t join u using ({0})",
    "select a from t join u on {0} = {0}",
    "select distinct {0}",
    "select a from (select {0}) where {0}",
]


@pytest.mark.parametrize("word", sorted(SOMETIMES))
@for_each("place", PLACES)
def test_words_that_are_keywords_elsewhere_are_names(place: str, word: str) -> None:
    if word == "array" and "{0}[" in place:
        return  # that is an array, or what the frame says: see test_array_columns
    for spelled in (word, word.title()):
        found = parse_statement(place.format(spelled))
        assert found == parse_statement(place.format(f'"{spelled}"'))
    assert parse(f"{word} + 1") == parse(f'"{word}" + 1')


def test_words_are_keywords_where_they_are_wanted() -> None:
    text = (
        "select top 1 top from left left join right right join full full outer join inner using (using1) "
        "on left.outer = right.inner"
    )
    with pytest.raises(TQLSyntaxError):  # not on after using
        parse_statement(text)
    found = unparse(parse_statement("select top 2 top from left left join right on left = right where left > 1"))
    assert found == 'select top 2 "top" from "left" left join "right" on "left" == "right" where "left" > 1'
    found = unparse(parse_statement("select replace sample by replace replace false limit 5 percent"))
    assert found == 'select "replace" sample by "replace" replace false limit 5 percent'
    found = unparse(parse_statement("select percent where overlap expand by 1 2 overlap true limit 3 percent"))
    assert found == 'select "percent" where "overlap" expand by 1 2 overlap true limit 3 percent'
    found = unparse(parse_statement("select split from (select split) ungroup by split"))
    assert found == 'select "split" from (select "split") ungroup by split'
    found = unparse(parse_statement("select all union all select all limit all"))
    assert found == 'select "all" union all select "all"'


@for_each("word", sorted(RESERVED))
def test_words_that_are_always_keywords_are_names_in_quotes(word: str) -> None:
    assert parse_statement(f'select "{word}" as "{word}"') == nodes.Statement(
        nodes.Select((nodes.Item(column(word), word),))
    )
    if word not in ("null", "true", "false", "not"):
        with pytest.raises(TQLError):
            parse_statement(f"select {word}")


@pytest.mark.parametrize("word", sorted(WRITES))
def test_statements_that_write_are_refused_by_name(word: str) -> None:
    for text in (f"{word} x", f" ({word.upper()} from t)", f"-- c\n{word}"):
        with pytest.raises(TQLUnsupportedError, match=f"{word.upper()} is not supported: a query only reads") as caught:
            parse_statement(text)
        assert caught.value.span is not None
        assert text[slice(*caught.value.span)].lower() == word


@pytest.mark.parametrize("word", sorted(UNSUPPORTED))
def test_what_sql_has_and_tql_has_not_is_refused_by_name(word: str) -> None:
    for text in (f"select a {word} b", f"select {word}(a)", f"{word} a"):
        with pytest.raises(TQLUnsupportedError, match=f"^{word.upper()} is not supported") as caught:
            parse_statement(text)
        assert caught.value.span is not None
        assert text[slice(*caught.value.span)] == word


# A text with the fault between « and », and what the error or its hint says.
MISTAKES = [
    ("select «where» a", "clauses stand in this order"),
    ("select a «from»", None),
    ("select a where b > 1 «from» t", "SELECT, FROM, WHERE, EXPAND BY"),
    ("select a limit 5 «where» b", "clauses stand in this order"),
    ("select a, «from» t", "clauses stand in this order"),
    ("select a b «c»", "expected"),
    ("select a order «a»", "expected 'by'"),
    ("select a group by a «,»", None),
    ("select a «&» b", "write `and`"),
    ('select a where b = «"x»', "a column name opened here is not closed"),
    ("select a where b = «'x»", "a text opened here is not closed"),
    ("select a from t join u«»", "the text ends too early"),
    ("select a from t join u «where» a", "write ON a.key = b.key or USING (key)"),
    ("select a expand by 1«»", "expected ',', '?' or a number"),
    ("select a expand by 1 2 overlap «maybe»", None),
    ("select a sample «a»", "expected 'by'"),
    ("select a limit 5 «percents»", "unexpected 'percents'"),
    ("select a; «b»", "one statement at a time"),
    ("select a;«;»", "unexpected ';'"),
    ("(select a)«)»", "unexpected ')'"),
    ("select a union «b»", "expected"),
    ("«a»", "a query starts with SELECT, as in: select * where age > 60"),
    ("«sum_weight»(a: 1)", "write select * sample by sum_weight(…)"),
]


@pytest.mark.parametrize(("marked", "message"), [each for each in MISTAKES if each[1]])
def test_hints(marked: str, message: str) -> None:
    text = marked.replace("«", "").replace("»", "")
    with pytest.raises(TQLSyntaxError) as caught:
        parse_statement(text)
    assert message in f"{caught.value.message} {caught.value.hint}"
    assert caught.value.span == (marked.index("«"), marked.index("»") - 1)


LONG_STATEMENTS: dict[str, tuple[str, str | None]] = {
    "parentheses": ("(" * DEEP + "select a" + ")" * DEEP, ok),
    "open parentheses": ("(" * DEEP, "the text ends too early"),
    "parentheses without a statement": ("(" * 1_000 + "a" + ")" * 1_000, "unexpected 'a'"),
    "items": ("select " + ", ".join(f"a{n}" for n in range(MANY)), ok),
    "items without commas": ("select " + "a " * MANY, "unexpected 'a'"),
    "stars": ("select " + ", ".join(["*"] * MANY), ok),
    "groups": ("select a group by " + ", ".join(["a"] * MANY), ok),
    "sort keys": ("select a order by " + ", ".join(["a desc"] * MANY), ok),
    "conditions": ("select a where " + " and ".join(["a > 1"] * MANY), ok),
    "parameters": ("select a where b in (" + ", ".join("?" * MANY) + ")", ok),
    "unions": (" union ".join(["select a"] * MANY), "nested deeper than 100 levels"),
    "unions in parentheses": ("(select a union " * 1_000 + "select a" + ")" * 1_000, "nested deeper than 100 levels"),
    "subqueries": ("select a from (" * MANY + "select a" + ")" * MANY, "nested deeper than 100 levels"),
    "open subqueries": ("select a from (" * MANY, "the text ends too early"),
    "joins": ("select a from t" + " cross join t" * MANY, "nested deeper than 100 levels"),
    "limits": ("(" * 1_000 + "select a" + " limit 1)" * 1_000, "nested deeper than 100 levels"),
    "arms": ("select a sample by f(" + ", ".join(["a: 1"] * MANY) + ")", ok),
    "selects": ("select " * MANY, "unexpected 'select'"),
    "semicolons": ("select a" + ";" * MANY, "unexpected ';'"),
    "limit": ("select a limit " + "9" * 100_000, "the number does not fit into 64 bits"),
    "percent": ("select a limit 0." + "9" * 100_000 + " percent", ok),
    "words": ("top " * MANY, "a query starts with SELECT"),
    "too long": ("select " + "a" * MAX_LENGTH, "at most 1,000,000 are read"),
}


@pytest.mark.parametrize(("text", "message"), LONG_STATEMENTS.values(), ids=list(LONG_STATEMENTS))
def test_long_and_deep_statements_end_in_a_tree_or_an_error(text: str, message: str | None) -> None:
    started = time.perf_counter()
    if message is None:
        assert parse_statement.__wrapped__(text).depth <= MAX_DEPTH
    else:
        with pytest.raises(TQLSyntaxError) as caught:
            parse_statement(text)
        assert message in f"{caught.value.message} {caught.value.hint}"
        assert caught.value.span is not None
        start, stop = caught.value.span
        assert 0 <= start <= stop <= len(text)
        assert len(str(caught.value)) < 1_000
    assert time.perf_counter() - started < 60  # what is quadratic takes hours


def test_the_depth_limit_of_statements_is_where_it_says() -> None:
    def nested(levels: int) -> str:
        return "select a from (" * levels + "select a" + ")" * levels

    deepest = max(levels for levels in range(120) if _parses(nested(levels)))
    assert parse_statement(nested(deepest)).depth == deepest == MAX_DEPTH
    with pytest.raises(TQLSyntaxError, match="deeper than 100 levels"):
        parse_statement(nested(deepest + 1))
    unions = max(count for count in range(2, 120) if _parses(" union ".join(["select a"] * count)))
    assert unions == MAX_DEPTH + 1


def _parses(text: str) -> bool:
    try:
        return bool(parse_statement(text))
    except TQLSyntaxError:
        return False


# --- the grammar -----------------------------------------------------------------------------------------------------


def test_every_terminal_has_a_name() -> None:
    for start in ("sampler", "query"):
        names = [terminal.name for terminal in _lark(start).terminals]
        assert names
        assert not [name for name in names if name.startswith("__ANON")]


# --- long and deep texts ---------------------------------------------------------------------------------------------

LONG: dict[str, tuple[str, str | None]] = {
    "parentheses": ("(" * DEEP + "a" + ")" * DEEP, ok),
    "open parentheses": ("(" * DEEP, "the text ends too early"),
    "parentheses around many operands": ("(" * MANY + " or ".join(["a"] * MANY) + ")" * MANY, ok),
    "not": ("not " * DEEP + "a", "nested deeper than 100 levels"),
    "minus": ("- " * DEEP + "a", "nested deeper than 100 levels"),
    "or": (" or ".join(["a"] * MANY), ok),
    "and": (" and ".join(["a > 1"] * MANY), ok),
    "arms": ("max_weight(" + ", ".join(f"a > {n}: {n}" for n in range(MANY)) + ")", ok),
    "items": ("a in (" + ", ".join(map(str, range(MANY))) + ")", ok),
    "plus": (" + ".join(["a"] * MANY), ok),
    "plus and minus": (" + - ".join(["a"] * MANY), ok),
    "times": (" * ".join(["a"] * MANY), ok),
    "divided by": (" / ".join(["a"] * MANY), "nested deeper than 100 levels"),
    "sums in parentheses": ("(" * MANY + "a" + " + a)" * MANY, "nested deeper than 100 levels"),
    "calls": ("any(" * MANY, "the text ends too early"),
    "closed calls": ("any(" * MANY + "a" + ")" * MANY, "nested deeper than 100 levels"),
    "subscripts": ("a" + "[0]" * MANY, "nested deeper than 100 levels"),
    "brackets": ("[" * MANY, "unexpected '['"),
    "open text": ("'" * 99_999, "unclosed quote"),
    "quotes": ("'" * 100_000, ok),
    "digits": ("9" * 100_000, "the number does not fit into 64 bits"),
    "decimals": ("0." + "9" * 100_000, ok),
    "huge float": ("9" * 400 + ".0", "the number is too large for a float"),
    "exponent": ("1e" + "9" * 100_000, "the number is too large for a float"),
    "name": ("a" * 100_000, ok),
    "comments": ("--\n" * 100_000 + "a", ok),
    "white space": (" " * 500_000 + "a" + "\n" * 499_999, ok),
    "nothing but white space": (" \t\r\n\f", "the text ends too early"),
    "longest": ("a" * MAX_LENGTH, ok),
    "too long": ("a" * (MAX_LENGTH + 1), "the text is 1,000,001 characters long; at most 1,000,000 are read"),
}


@pytest.mark.parametrize(("text", "message"), LONG.values(), ids=list(LONG))
def test_long_and_deep_texts_end_in_a_tree_or_an_error(text: str, message: str | None) -> None:
    started = time.perf_counter()
    if message is None:
        assert parse.__wrapped__(text).depth <= MAX_DEPTH
    else:
        with pytest.raises(TQLSyntaxError, match=re.escape(message)) as caught:
            parse(text)
        assert caught.value.span is not None
        start, stop = caught.value.span
        assert 0 <= start <= stop <= len(text)
        assert len(str(caught.value)) < 1_000
    assert time.perf_counter() - started < 60  # what is quadratic takes hours


def test_the_depth_limit_is_where_it_says() -> None:
    assert parse("-" + " -" * (MAX_DEPTH - 1) + "a").depth == MAX_DEPTH
    with pytest.raises(TQLSyntaxError, match="deeper than 100 levels"):
        parse("-" + " -" * MAX_DEPTH + "a")


@pytest.mark.parametrize("word", sorted(CLAUSES))
def test_words_of_statements_are_kept_free(word: str) -> None:
    with pytest.raises(TQLUnsupportedError, match=f"a sampler has no {word.upper()} clause") as caught:
        parse(f"a + {word.title()}")
    assert caught.value.span == (4, 4 + len(word))
    assert parse(f'"{word}"') == column(word)
