"""Random statements against the model of statements."""

from __future__ import annotations

import datetime as dt
from typing import Any

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests import statement_model
from tests.answers import KINDS, OLD_STREAMING, ask, columns
from tests.sizes import size
from tests.statement_model import canonical
from tql_frames.language import nodes, parse_statement, unparse
from tql_frames.language.nodes import Literal, Node

pytestmark = pytest.mark.filterwarnings("ignore:ORDER BY .* sorts by a constant:tql_frames.TQLWarning")


MODEL_FRAME = pl.DataFrame(
    {
        "k": ["b", "a", None, "b", "c", "a", "é", "B", "", None],
        "n": [3, 1, 2, None, 3, 1, 2, -1, 3, 0],
        "m": [1, 1, 1, 2, 2, 2, None, None, None, 1],
        "f": [1.5, float("nan"), None, -2.0, float("inf"), 0.0, float("nan"), float("-inf"), -0.0, 1.5],
        "b": [True, False, None, True, False, None, True, False, True, True],
        "d": [dt.date(2024, 5, day) if day else None for day in (1, 2, 0, 3, 1, 9, 2, 7, 1, 0)],
        "c": pl.Series(
            ["mid", "low", None, "high", "low", "mid", "low", "mid", "high", "low"],
            dtype=pl.Enum(["low", "mid", "high"]),
        ),
        "l": [[1], [2, 3], None, [], [None], [4, 5, 6], [1], [7], [1], [2, 3]],
    }
)
Schema = dict[str, str]  # column name -> kind; of a group "list of" and the kind
SCHEMA: Schema = {
    "k": "text",
    "n": "number",
    "m": "number",
    "f": "number",
    "b": "bool",
    "d": "date",
    "c": "text",
    "l": "list of number",
}
SCALARS = ("text", "number", "bool", "date")


def of_kind(schema: Schema, *kinds: str) -> list[str]:
    return [name for name, kind in schema.items() if kind in kinds]


@st.composite
def numbers(draw: st.DrawFn, schema: Schema) -> Node:
    """A numeric expression."""
    some: list[Node] = [nodes.Column(name) for name in of_kind(schema, "number")]
    lists = [name for name, kind in schema.items() if kind.startswith("list of")]
    some += [nodes.Subscript(nodes.Call("shape", (nodes.Column(name),)), (Literal(0),)) for name in lists]
    some += [nodes.Subscript(nodes.Column(name), (Literal(0),)) for name in of_kind(schema, "list of number")]
    if not some:
        return Literal(draw(st.integers(0, 3)))
    one = draw(st.sampled_from(some))
    match draw(st.integers(0, 5)):
        case 0:
            return nodes.Arithmetic(draw(st.sampled_from("+-*")), one, draw(st.sampled_from([*some, Literal(2)])))
        case 1:
            return nodes.Negative(one)
    return one


@st.composite
def conditions(draw: st.DrawFn, schema: Schema, depth: int = 1) -> Node:
    if depth and draw(st.integers(0, 2)) == 0:
        parts = draw(st.lists(conditions(schema, depth - 1), min_size=2, max_size=2))
        joined = draw(st.sampled_from([nodes.And, nodes.Or]))(tuple(parts))
        return draw(st.sampled_from([joined, nodes.Not(joined)]))
    number = numbers(schema)
    operator = st.sampled_from(["==", "!=", "<", "<=", ">", ">="])
    some: list[st.SearchStrategy[Node]] = [
        st.builds(nodes.Comparison, operator, number, st.builds(Literal, st.integers(0, 3))),
        st.builds(nodes.Comparison, operator, number, number),
        st.builds(nodes.In, number, st.just((Literal(1), Literal(None), Literal(3))), st.booleans()),
        st.builds(nodes.IsNull, number, st.booleans()),
        st.builds(
            nodes.Comparison, operator, st.just(nodes.Call("row_number", ())), st.builds(Literal, st.integers(0, 6))
        ),
    ]
    if texts := of_kind(schema, "text"):
        text = st.sampled_from([nodes.Column(name) for name in texts])
        some.append(st.builds(nodes.Comparison, operator, text, st.sampled_from([Literal("b"), Literal("low")])))
        some.append(st.builds(nodes.Like, text, st.sampled_from([Literal("?"), Literal("*i*")]), st.booleans()))
    if dates := of_kind(schema, "date"):
        date = st.sampled_from([nodes.Column(name) for name in dates])
        some.append(st.builds(nodes.Comparison, operator, date, st.just(Literal("2024-05-02"))))
    if flags := of_kind(schema, "bool"):
        some.append(st.sampled_from([nodes.Column(name) for name in flags]))
    if lists := of_kind(schema, "list of number"):
        each = st.sampled_from([nodes.Column(name) for name in lists])
        inside = st.builds(nodes.Comparison, operator, each, st.builds(Literal, st.integers(0, 4)))
        some.append(st.builds(nodes.Call, st.sampled_from(["any", "all", "all_strict"]), st.tuples(inside)))
    return draw(st.one_of(some))


@st.composite
def sort_keys(draw: st.DrawFn, schema: Schema, more: tuple[Node, ...]) -> nodes.SortKey:
    some: list[st.SearchStrategy[Node]] = [numbers(schema), st.just(nodes.Call("row_number", ())), st.just(Literal(1))]
    if names := of_kind(schema, *SCALARS):
        some += [st.sampled_from([nodes.Column(name) for name in names])] * 3
    if more:
        some += [st.sampled_from(more)] * 3
    return nodes.SortKey(draw(st.one_of(some)), draw(st.booleans()))


small = st.builds(Literal, st.integers(0, 12))


@st.composite
def tails(draw: st.DrawFn, body: Node, schema: Schema, more: tuple[Node, ...] = ()) -> nodes.Statement:
    """ORDER BY, LIMIT and OFFSET behind a body."""
    keys = tuple(draw(st.lists(sort_keys(schema, more), max_size=3)))
    limit = None
    match draw(st.integers(0, 5)):
        case 0:
            limit = nodes.Limit(draw(small))
        case 1:
            limit = nodes.Limit(Literal(draw(st.sampled_from([0, 10, 12.5, 33.4, 50, 100, 120]))), percent=True)
    offset = draw(small) if draw(st.integers(0, 4)) == 0 else None
    if isinstance(body, nodes.Select) and body.top is not None:
        limit = None
    if limit is not None and limit.percent:
        offset = None  # there is a test of its own
    return nodes.Statement(body, keys, limit, offset)


@st.composite
def statements(draw: st.DrawFn, depth: int = 2) -> tuple[nodes.Statement, Schema]:
    """A statement on MODEL_FRAME, and the kinds of its columns."""
    if depth and draw(st.integers(0, 3)) == 0:
        body, schema = draw(combinations(depth - 1))
        return draw(tails(body, schema)), schema
    body, schema, before, more = draw(selects(depth))
    return draw(tails(body, before, more)), schema


@st.composite
def selects(
    draw: st.DrawFn, depth: int, items: tuple[Node, ...] | None = None
) -> tuple[nodes.Select, Schema, Schema, tuple[Node, ...]]:
    """A SELECT, the kinds of its columns, those of the columns below it, and what else it can be sorted by."""
    source, schema = None, SCHEMA
    if items is None and depth and draw(st.booleans()):
        inner, schema = draw(statements(depth - 1))
        source = nodes.Subquery(inner, None)
    where = draw(conditions(schema)) if draw(st.booleans()) else None
    expand = None
    if draw(st.integers(0, 5)) == 0:
        expand = nodes.Expand(*(Literal(draw(st.integers(0, 3))) for _ in range(2)), draw(st.booleans()))
    groups: tuple[Node, ...] = ()
    ungroup = None
    more: tuple[Node, ...] = ()
    whole = bool(schema) and all(kind.startswith("list of") for kind in schema.values())
    names = of_kind(schema, *SCALARS)
    flat = not any(kind.startswith("list of list") for kind in schema.values())
    if items is None and names and flat and draw(st.integers(0, 3)) == 0:
        groups = tuple(nodes.Column(draw(st.sampled_from(names))) for _ in range(draw(st.integers(1, 2))))
        more = groups
        schema = {name: f"list of {kind}" for name, kind in schema.items()}
    splits = items is None and not groups and whole and source is not None and is_of_groups(source.statement)
    if splits and draw(st.booleans()):
        parts = draw(st.sampled_from([None, 1, 2, 3]))
        ungroup = nodes.Ungroup(None if parts is None else Literal(parts))
        if parts is None:
            schema = {name: kind.removeprefix("list of ") for name, kind in schema.items()}
    after = schema
    if items is None:
        items, after, aliases = draw(select_lists(schema))
        more += aliases
    distinct = draw(st.integers(0, 3)) == 0
    top = draw(small) if draw(st.integers(0, 6)) == 0 else None
    select = nodes.Select(items, distinct, top, source, where, expand, groups, ungroup)
    return select, after, schema, more


def is_of_groups(statement: nodes.Statement) -> bool:
    """Whether every column is a plain column of a GROUP BY."""
    body = statement.body
    plain = isinstance(body, nodes.Select) and all(
        isinstance(item, nodes.Star) or isinstance(item.expression, nodes.Column)  # type: ignore[attr-defined]
        for item in body.items
    )
    return plain and bool(body.groups)  # type: ignore[attr-defined]


@st.composite
def select_lists(draw: st.DrawFn, schema: Schema) -> tuple[tuple[Node, ...], Schema, tuple[Node, ...]]:
    """A SELECT list, the kinds of what it gives, and the aliases in it."""
    items: list[Node] = []
    after: Schema = {}
    aliases: list[Node] = []
    if draw(st.booleans()) or not schema:
        items.append(nodes.Star())
        after.update(schema)
    else:
        for name in draw(st.lists(st.sampled_from(list(schema)), min_size=1, max_size=3, unique=True)):
            items.append(nodes.Item(nodes.Column(name)))
            after[name] = schema[name]
    for alias in draw(st.lists(st.sampled_from(["x", "y"]), max_size=2, unique=True)):
        if alias in schema:
            continue
        items.append(nodes.Item(draw(numbers(schema)), alias))
        after[alias] = "number"
        aliases.append(nodes.Column(alias))
    return tuple(items), after, tuple(aliases)


@st.composite
def combinations(draw: st.DrawFn, depth: int) -> tuple[Node, Schema]:
    """A chain of set operations of SELECTs with the same columns."""
    items, schema, _ = draw(select_lists(SCHEMA))

    def side() -> Node:
        body, _, before, more = draw(selects(depth, items))
        match draw(st.integers(0, 3)):
            case 0:
                return draw(tails(body, before, more))
            case 1 if depth:
                operator = draw(st.sampled_from(["union", "union all", "intersect", "except"]))
                return nodes.Statement(nodes.Combination(body, operator, draw(selects(depth - 1, items))[0]))
        return body

    found = side()
    for _ in range(draw(st.integers(1, 2))):
        operator = draw(st.sampled_from(["union", "union all", "intersect", "except"]))
        found = nodes.Combination(found, operator, side())
    return found, schema


thorough = settings(
    deadline=None,
    max_examples=size(25, 600),
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much],
)


def answered(frame: pl.DataFrame, text: str, kind: str = "polars") -> dict[str, list[Any]]:
    found = ask(kind, frame, text, seed=1)
    return {
        name: [canonical(value) for value in statement_model.rows_of(found.select(name)) for value in value.values()]
        for name in found.columns
    }


@thorough
@given(statements())
def test_a_statement_gives_what_the_model_says(given: tuple[nodes.Statement, Schema]) -> None:
    text = unparse(given[0])
    expected = statement_model.answer(parse_statement(text), MODEL_FRAME)
    assert answered(MODEL_FRAME, text) == expected, text


@settings(thorough, max_examples=size(7, 60))
@given(statements())
def test_a_statement_gives_the_same_on_every_kind_of_frame(given: tuple[nodes.Statement, Schema]) -> None:
    text = unparse(given[0])
    frame = MODEL_FRAME.with_columns(pl.col("f").fill_nan(None))  # in a pandas frame they are the same
    expected = columns(ask("polars", frame, text, seed=1))
    for kind in KINDS[1:]:
        if kind != "streaming" or not OLD_STREAMING:
            assert columns(ask(kind, frame, text, seed=1)) == expected, (kind, text)
