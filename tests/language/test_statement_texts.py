"""Statements: text to tree and back, words that are names, what is refused, and long texts."""

import time
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.language.trees import DEEP, MANY, built_from, column, literals, nasty, ok, walk
from tests.loops import for_each
from tests.sizes import size
from tql_frames import TQLError, TQLSyntaxError, TQLUnsupportedError
from tql_frames.language import nodes, parse, parse_statement, unparse
from tql_frames.language.keywords import RESERVED, SOMETIMES, UNSUPPORTED, WRITES
from tql_frames.language.nodes import Literal, Node
from tql_frames.language.parser import MAX_DEPTH, MAX_LENGTH

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
    built_from,
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
    """Generate the source of a FROM clause."""

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
    max_examples=size(25, 400),
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

    @settings(max_examples=size(20, 200), deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
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
    ("«a»", "start a query with SELECT, as in: select * where age > 60"),
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
    "words": ("top " * MANY, "start a query with SELECT"),
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

    deepest = max(levels for levels in range(size(90, 0), 120) if _parses(nested(levels)))
    assert parse_statement(nested(deepest)).depth == deepest == MAX_DEPTH
    with pytest.raises(TQLSyntaxError, match="deeper than 100 levels"):
        parse_statement(nested(deepest + 1))
    unions = max(count for count in range(size(90, 2), 120) if _parses(" union ".join(["select a"] * count)))
    assert unions == MAX_DEPTH + 1


def _parses(text: str) -> bool:
    try:
        return bool(parse_statement(text))
    except TQLSyntaxError:
        return False
