"""Long regular samplers are read without lark, into the trees that lark reads."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.loops import for_each
from tests.sizes import size
from tql_frames import TQLError
from tql_frames.language import nodes, parser
from tql_frames.language.nodes import Node

REGULAR = [
    "max_weight(a == 1: 2)",
    "Max_Weight ( a=1 : 2 , a <> 'it''s':0.5,\n b >= -1.5e3: 1., True: 1 )\n",
    "sum_weight(a in (1, 2, -3): 2, a not in ('x'): 3, größe = '😀': 4)",
    "max_weight(a == 1 or a == 2 and b < 3 or true: 2, a == 1 AND b == 2 Or c != 3: true)",
    "max_weight(a == 123456789012345678: 1, a == 0.1234567890123456789: 1e-3)",
    "f(a == 1: 2)",
]
IRREGULAR = [
    *("max_weight(", "max_weight(a == 1: 2", "max_weight(a == 1: 2))", "max_weight(a == 1)", "max_weight()", "a == 1"),
    *("max_weight(a == 1: 2,)", "max_weight(a == b: 2)", "max_weight(a.b == 1: 2)", "max_weight((a == 1): 2)"),
    *("max_weight(not a == 1: 2)", "max_weight(a == 1 -- c\n: 2)", 'max_weight("a" == 1: 2)', "max_weight(1 == a: 2)"),
    *("max_weight(a == 9223372036854775808: 2)", "max_weight(a == 1e999: 1)", "max_weight(a == 1: 2) limit 3"),
    *("max_weight(a == 1 + 1: 2)", "max_weight(select == 1: 2)", "max_weight(top == 1: 2)", "having(a == 1: 2)"),
    *("max_weight(a == 1: 2 b)", "max_weight(a in (): 2)", "max_weight(a == --1: 2)", "max_weight(a == 'x: 2)"),
    *("max_weight(a == 1a: 2)", "max_weight(a: 2)", "max_weight(a == 1: b)", "max_weight(true == a: 2)", "", "1", "(a"),
    *("max_weight(a == 1: 2);", "max_weight(a == 1 isnull: 2)", "max_weight(a == 1 == 2: 2)", "max_weight(a == ?: 1)"),
]


def with_lark(text: str, monkeypatch: pytest.MonkeyPatch) -> Node | None:
    """Return the tree that lark reads; None of an error."""
    monkeypatch.setattr(parser, "_LONG", 10**9)
    try:
        return parser.parsed(text, "sampler")
    except TQLError:
        return None


def told(node: Node) -> list[Any]:
    """Return all that a tree says: spans, depths and kinds of numbers, too."""
    spans = [(type(each), each.span, each.depth, getattr(each, "name_span", None)) for each in node.walk()]
    return [repr(node), spans]


@for_each("text", REGULAR)
def test_a_regular_text_is_read(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    known, found = with_lark(text, monkeypatch), parser._Regular(text).read()
    assert known is not None
    assert found is not None
    assert told(found) == told(known)
    monkeypatch.setattr(parser, "_LONG", 0)
    monkeypatch.setattr(parser, "_lark", lambda start: pytest.fail("read by lark"))
    assert parser.parsed(text, "sampler") == known
    monkeypatch.undo()


@for_each("text", IRREGULAR)
def test_all_else_is_left_to_lark(text: str) -> None:
    assert parser._Regular(text).read() is None


PIECES = [
    *(
        "max_weight(",
        "(",
        ")",
        ",",
        ":",
        "a",
        "b",
        "true",
        "null",
        "and",
        "or",
        "not",
        "in",
        "in (",
        "==",
        "=",
        "<>",
        "<",
    ),
    *("-", "1", "2.5", "1e5", ".5", "1.", "0.30000000000000004", "1e-400", "'x'", "'it''s'", "a == 1", "a in (1, 2)"),
    *("a == 1: 2", ", b < 'x': 1", "--", "\n", " ", "like", "is", "top", "select", "with", "all", "left", "ARRAY", "é"),
    *("a == 1: 2)", "max_weight(a == 1: 2", "\u00a0", "\v", "?", '"a"', ".", "+", "1.2.3", "12345678901234567890"),
]


def test_any_text_is_read_as_lark_reads_it(monkeypatch: pytest.MonkeyPatch) -> None:
    @settings(max_examples=size(500, 10_000), deadline=None, derandomize=True)
    @given(st.lists(st.sampled_from(PIECES), max_size=8), st.sampled_from(["", " "]), st.booleans())
    @example(["a == 1", "or", "b < 2", "and", "a", "not", "in (", "1", ")", ":", "-", "1"], " ", True)
    @example(["a", "==", "1e-400", ":", "1"], " ", True)
    @example(["a", "==", "0.30000000000000004", ":", "1."], " ", True)
    def check(pieces: list[str], between: str, inside: bool) -> None:
        text = between.join(["max_weight(", *pieces, ")"] if inside else pieces)
        found = parser._Regular(text).read()
        if found is not None:
            known = with_lark(text, monkeypatch)
            assert known is not None, text
            assert told(found) == told(known), text

    check()


def test_a_long_text(monkeypatch: pytest.MonkeyPatch) -> None:
    """A fault in a long text is reported as in a short one."""
    arms = ", ".join(f"a == {number}: {number}" for number in range(300))
    found = parser.parsed(f"max_weight({arms})", "sampler")
    assert isinstance(found, nodes.WeightChoice)
    assert told(found) == told(with_lark(f"max_weight({arms})", monkeypatch))  # type: ignore[arg-type]
    monkeypatch.undo()
    with pytest.raises(TQLError) as caught:
        parser.parsed(f"max_weight({arms}, a == : 1)", "sampler")
    assert caught.value.span is not None
    assert caught.value.span[0] == len(f"max_weight({arms}, a == ")
