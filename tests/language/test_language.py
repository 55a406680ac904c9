"""The language: shapes of trees, exact spans, `unparse` as the inverse of `parse`, texts of any length and depth."""

import pickle
import re
import time
from array import array
from typing import Any

import pytest
from hypothesis import example, given, settings

from tests.language.trees import DEEP, MANY, NODE_CLASSES, column, ok, trees, walk
from tests.sizes import size
from tql_frames import TQLError, TQLSyntaxError, TQLUnsupportedError
from tql_frames.language import _tree_of, nodes, parse, parse_statement, unparse
from tql_frames.language.keywords import CLAUSES
from tql_frames.language.nodes import Literal, Node
from tql_frames.language.parser import MAX_DEPTH, MAX_LENGTH, _lark

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
    # `Values` are in no text: a parameter gives them.
    assert {type(node) for each in found for node in walk(each)} == set(NODE_CLASSES) - {nodes.Values}


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


@settings(max_examples=size(50, 500), deadline=None, derandomize=True)
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
        nodes.Values: nodes.Values(array("q", [1, -2])),
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
        assert _tree_of.__wrapped__(text).depth <= MAX_DEPTH
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
