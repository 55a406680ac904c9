"""Words of the language: those that are always keywords, and those that are only where a clause wants them.

The grammar names the first kind as terminals. Words of the second kind come as names and are told apart here by the
words around them, so that a column may be called `top`, `left` or `replace`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from lark import Token
from lark.exceptions import LexError

from tql_frames.errors import Fault

OPERATORS = frozenset(("and", "or", "not", "in", "between", "like", "ilike", "is", "null", "true", "false"))
_STARTS = ("select", "from", "where", "expand", "group", "ungroup", "order", "limit", "offset", "sample")
_INSIDE = ("by", "as", "asc", "desc", "distinct", "join", "on", "using", "union", "intersect", "except")
CLAUSES = frozenset((*_STARTS, *_INSIDE))
# Reserved although nothing here uses them: a query that does is refused by name.
UNSUPPORTED = frozenset(("having", "case", "cast", "exists", "with"))
RESERVED = OPERATORS | CLAUSES | UNSUPPORTED
# Statements of SQL that change something: refused by name where a query begins with one.
WRITES = frozenset(
    ("alter", "copy", "create", "delete", "drop", "insert", "merge", "replace", "show", "truncate", "update")
)

_COUNTS = ("NUMBER", "QUESTION")
_OPERAND_ENDS = ("NAME", "QUOTED", "NUMBER", "STRING", "TRUE", "FALSE", "NULL", "QUESTION", "RPAR", "RSQB")


class _Place(NamedTuple):
    """Where a word stands: types of the tokens around it, and the clause it is in."""

    before: str
    after: str
    second_after: str
    clause: str


def _before_join(place: _Place) -> bool:
    return place.after == "JOIN" or (place.after == "outer" and place.second_after == "JOIN")


_WHERE_KEYWORD: dict[str, Callable[[_Place], bool]] = {
    "all": lambda place: place.before in ("UNION", "LIMIT"),
    "array": lambda place: place.after == "LSQB",
    "cross": lambda place: place.after == "JOIN",
    "full": _before_join,
    "inner": lambda place: place.after == "JOIN",
    "isnull": lambda place: place.before in _OPERAND_ENDS,
    "left": _before_join,
    "outer": lambda place: place.before in ("LEFT", "RIGHT", "FULL") and place.after == "JOIN",
    "overlap": lambda place: place.clause == "expand" and place.before in _COUNTS,
    "percent": lambda place: place.clause == "limit" and place.before in _COUNTS,
    "replace": lambda place: place.clause == "sample" and place.before in _OPERAND_ENDS,
    "right": _before_join,
    "split": lambda place: place.clause == "ungroup" and place.before == "BY",
    "top": lambda place: place.before in ("SELECT", "DISTINCT") and place.after in _COUNTS,
}

SOMETIMES = frozenset(_WHERE_KEYWORD)


class SoftKeywords:
    """The step between lexer and parser: a name where a keyword is wanted becomes that keyword."""

    # For lark, which would drop terminals that the grammar of a sampler does not use, and read them as names.
    always_accept = tuple(sorted(word.upper() for word in CLAUSES))

    def process(self, stream: Iterator[Token]) -> Iterator[Token]:
        """Yield the tokens; an error of the lexer comes after all that stands before it."""
        tokens: list[Token] = []
        fault: Exception | None = None
        try:
            tokens.extend(stream)
        except (LexError, Fault) as unreadable:
            fault = unreadable
        yield from _retyped(tokens)
        if fault is not None:
            raise fault


def _retyped(tokens: Sequence[Token]) -> Iterator[Token]:
    clauses = [""]  # of each open parenthesis
    before = ""
    for at, token in enumerate(tokens):
        kind = token.type
        if kind == "NAME" and (keyword := _soft(token)):
            place = _Place(before, _kind(tokens, at + 1), _kind(tokens, at + 2), clauses[-1])
            if _WHERE_KEYWORD[keyword](place):
                kind = keyword.upper()
        elif kind == "LPAR":
            clauses.append("")
        elif kind == "RPAR" and len(clauses) > 1:
            clauses.pop()
        elif kind.lower() in _STARTS:
            clauses[-1] = kind.lower()
        yield token if kind == token.type else Token.new_borrow_pos(kind, str(token), token)
        before = kind


def _soft(token: Token) -> str | None:
    word = str(token).lower()
    return word if word in _WHERE_KEYWORD and token.isascii() else None


def _kind(tokens: Sequence[Token], at: int) -> str:
    """Type of a token, or the word that will be a keyword."""
    if at >= len(tokens):
        return ""
    return _soft(tokens[at]) or tokens[at].type
