"""The language: shapes of trees, exact spans, `unparse` as the inverse of `parse`, texts of any length and depth."""

import inspect
import pickle
import re
import time
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tql_frames import TQLError, TQLSyntaxError, TQLUnsupportedError
from tql_frames.language import parse, tree, unparse
from tql_frames.language.parser import MAX_DEPTH, MAX_LENGTH, _lark
from tql_frames.language.keywords import CLAUSES, RESERVED, SOMETIMES
from tql_frames.language.tree import Literal, Node

column = tree.Column
NODE_CLASSES = [
    each for _, each in inspect.getmembers(tree, inspect.isclass) if issubclass(each, Node) and each is not Node
]


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
    "a = 1": tree.Comparison("==", column("a"), Literal(1)),
    "a == 1": tree.Comparison("==", column("a"), Literal(1)),
    "a <> 1": tree.Comparison("!=", column("a"), Literal(1)),
    "a>=1": tree.Comparison(">=", column("a"), Literal(1)),
    "a NOT IN (1, 'b', null)": tree.In(column("a"), (Literal(1), Literal("b"), Literal(None)), negated=True),
    "a not like '%'": tree.Like(column("a"), Literal("%"), negated=True),
    "a ILIKE b": tree.Like(column("a"), column("b"), ignore_case=True),
    "a is not null": tree.IsNull(column("a"), negated=True),
    "a and b AND c": tree.And((column("a"), column("b"), column("c"))),
    "(a and b) and c": tree.And((tree.And((column("a"), column("b"))), column("c"))),
    "F()": tree.Call("f", ()),
    "f(a, 1)": tree.Call("f", (column("a"), Literal(1))),
    "a[:]": tree.Subscript(column("a"), (tree.Slice(),)),
    "a[::]": tree.Subscript(column("a"), (tree.Slice(),)),
    "a[1:]": tree.Subscript(column("a"), (tree.Slice(start=Literal(1)),)),
    "a[:1]": tree.Subscript(column("a"), (tree.Slice(stop=Literal(1)),)),
    "a[::-1]": tree.Subscript(column("a"), (tree.Slice(step=tree.Negative(Literal(1))),)),
    "a[1:2:3, 'k', :]": tree.Subscript(
        column("a"), (tree.Slice(Literal(1), Literal(2), Literal(3)), Literal("k"), tree.Slice())
    ),
    "Max_Weight(a: 1, True: 2)": tree.WeightChoice(
        "max_weight", (tree.Arm(column("a"), Literal(1)), tree.Arm(Literal(True), Literal(2)))
    ),
    "-- first\n a -- then\r\n + 1 -- last": tree.Arithmetic("+", column("a"), Literal(1)),
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
    "not  a": ["not  a", "a"],
    "a = 'x''y'": ["a = 'x''y'", "a", "'x''y'"],
    "x or a and b": ["x or a and b", "x", "a and b", "a", "b"],
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


def test_the_spans_above_show_every_kind_of_node() -> None:
    shown = {type(node) for text in SPANS for node in walk(parse(text))}
    assert shown == set(NODE_CLASSES)


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
call_names = st.from_regex(r"[a-z_][a-z_0-9]{0,8}", fullmatch=True).filter(
    lambda word: word not in RESERVED
)


def _built(inner: st.SearchStrategy[Node]) -> st.SearchStrategy[Node]:
    many = st.lists(inner, min_size=2, max_size=4).map(tuple)
    some = st.lists(inner, min_size=1, max_size=3).map(tuple)
    flag = st.booleans()
    arms = st.lists(st.builds(tree.Arm, inner, inner), min_size=1, max_size=3).map(tuple)
    slices = st.builds(tree.Slice, st.none() | inner, st.none() | inner, st.none() | inner)
    return st.one_of(
        st.builds(tree.Negative, inner),
        st.builds(tree.Arithmetic, st.sampled_from("+-*/%"), inner, inner),
        st.builds(tree.Comparison, st.sampled_from(["==", "!=", "<", "<=", ">", ">="]), inner, inner),
        st.builds(tree.Not, inner),
        st.builds(tree.And, many),
        st.builds(tree.Or, many),
        st.builds(tree.In, inner, some, flag),
        st.builds(tree.Between, inner, inner, inner, flag),
        st.builds(tree.Like, inner, inner, flag, flag),
        st.builds(tree.IsNull, inner, flag),
        st.builds(tree.Call, call_names, st.just(()) | some),
        st.builds(tree.WeightChoice, call_names, arms),
        st.builds(tree.Subscript, inner, st.lists(inner | slices, min_size=1, max_size=3).map(tuple)),
    )


trees = st.recursive(literals | nasty.map(column), _built, max_leaves=12)


@settings(max_examples=500, deadline=None, derandomize=True)
@given(trees)
@example(tree.Negative(tree.Negative(tree.Negative(Literal(1)))))
@example(tree.Arithmetic("-", column("a"), tree.Negative(tree.Negative(column("b")))))
def test_unparse_is_the_inverse_of_parse(built: Node) -> None:
    text = unparse(built)
    assert repr(parse(text)) == repr(built), text


A, B = column("a"), column("b")
INSIDE = [
    *(tree.Arithmetic(sign, A, B) for sign in "+-*/%"),
    *(tree.Negative(A), tree.Comparison("<", A, B), tree.Not(A), tree.And((A, B)), tree.Or((A, B)), tree.In(A, (B,))),
    *(tree.Between(A, A, B), tree.Like(A, B), tree.IsNull(A), tree.Call("f", (A,)), tree.Subscript(A, (B,)), A),
]
AROUND = [
    *(lambda x, sign=sign: tree.Arithmetic(sign, x, A) for sign in "+-*/%"),
    *(lambda x, sign=sign: tree.Arithmetic(sign, A, x) for sign in "+-*/%"),
    *(lambda x: tree.Comparison("==", x, A), lambda x: tree.Comparison("==", A, x), tree.Negative, tree.Not),
    *(lambda x: tree.And((x, A)), lambda x: tree.And((A, x)), lambda x: tree.Or((x, A)), lambda x: tree.Or((A, x))),
    *(lambda x: tree.In(x, (A,)), lambda x: tree.In(A, (x, x)), lambda x: tree.Between(x, A, A)),
    *(lambda x: tree.Between(A, x, A), lambda x: tree.Between(A, A, x), lambda x: tree.Like(x, A)),
    *(lambda x: tree.Like(A, x), tree.IsNull, lambda x: tree.Subscript(x, (A,)), lambda x: tree.Subscript(A, (x,))),
]


def test_unparse_of_every_node_inside_every_other() -> None:
    for around in AROUND:
        for inside in INSIDE:
            built = around(inside)
            assert parse(unparse(built)) == built, unparse(built)


@settings(max_examples=200, deadline=None, derandomize=True)
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


def _example_of(kind: type[Node]) -> Node:
    one = Literal(1)
    return {
        tree.Literal: one,
        tree.Column: column("a"),
        tree.Negative: tree.Negative(one),
        tree.Arithmetic: tree.Arithmetic("+", one, one),
        tree.Comparison: tree.Comparison("==", one, one),
        tree.Not: tree.Not(one),
        tree.And: tree.And((one, one)),
        tree.Or: tree.Or((one, one)),
        tree.In: tree.In(one, (one,)),
        tree.Between: tree.Between(one, one, one),
        tree.Like: tree.Like(one, one),
        tree.IsNull: tree.IsNull(one),
        tree.Call: tree.Call("f", ()),
        tree.Arm: tree.Arm(one, one),
        tree.WeightChoice: tree.WeightChoice("f", (tree.Arm(one, one),)),
        tree.Slice: tree.Slice(),
        tree.Subscript: tree.Subscript(one, (one,)),
    }[kind]


@pytest.mark.parametrize("kind", NODE_CLASSES, ids=lambda kind: kind.__name__)
def test_every_kind_of_node_has_a_rule_for_its_text(kind: type[Node]) -> None:
    assert unparse(_example_of(kind))


# --- the grammar -----------------------------------------------------------------------------------------------------


def test_every_terminal_has_a_name() -> None:
    names = [terminal.name for terminal in _lark().terminals]
    assert names
    assert not [name for name in names if name.startswith("__ANON")]


# --- long and deep texts ---------------------------------------------------------------------------------------------

MANY = 20_000
ok = None
LONG: dict[str, tuple[str, str | None]] = {
    "parentheses": ("(" * 100_000 + "a" + ")" * 100_000, ok),
    "open parentheses": ("(" * 100_000, "the text ends too early"),
    "parentheses around many operands": ("(" * MANY + " or ".join(["a"] * MANY) + ")" * MANY, ok),
    "not": ("not " * 100_000 + "a", "nested deeper than 100 levels"),
    "minus": ("- " * 100_000 + "a", "nested deeper than 100 levels"),
    "or": (" or ".join(["a"] * MANY), ok),
    "and": (" and ".join(["a > 1"] * MANY), ok),
    "arms": ("max_weight(" + ", ".join(f"a > {n}: {n}" for n in range(MANY)) + ")", ok),
    "items": ("a in (" + ", ".join(map(str, range(MANY))) + ")", ok),
    "plus": (" + ".join(["a"] * MANY), "nested deeper than 100 levels"),
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
    assert parse("-" + " -" * (MAX_DEPTH - 2) + "a").depth == MAX_DEPTH
    with pytest.raises(TQLSyntaxError, match="deeper than 100 levels"):
        parse("-" + " -" * (MAX_DEPTH - 1) + "a")


@pytest.mark.parametrize("word", sorted(CLAUSES))
def test_words_of_statements_are_kept_free(word: str) -> None:
    with pytest.raises(TQLUnsupportedError, match=f"a sampler has no {word.upper()} clause") as caught:
        parse(f"a + {word.title()}")
    assert caught.value.span == (4, 4 + len(word))
    assert parse(f'"{word}"') == column(word)
