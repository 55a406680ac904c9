"""Random trees of samplers, and names of all kinds."""

import inspect
from collections.abc import Iterator

from hypothesis import strategies as st

from tests.sizes import size
from tql_frames.language import nodes
from tql_frames.language.keywords import RESERVED, SOMETIMES
from tql_frames.language.nodes import Literal, Node

MANY = size(1_200, 20_000)  # of a long text
DEEP = size(5_000, 100_000)  # of a deep or longer one
ok = None
column = nodes.Column
NODE_CLASSES = [
    each
    for name, each in inspect.getmembers(nodes, inspect.isclass)
    if issubclass(each, Node) and each is not Node and name[0] != "_"
]


def walk(node: Node) -> Iterator[Node]:
    yield node
    for child in node.children():
        yield from walk(child)


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


def built_from(inner: st.SearchStrategy[Node]) -> st.SearchStrategy[Node]:
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


trees = st.recursive(literals | nasty.map(column), built_from, max_leaves=12)
