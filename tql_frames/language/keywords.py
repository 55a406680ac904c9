"""List the words of the language: those that are always keywords, and those that are keywords only in some places.

The grammar names the first kind as terminals. Words of the second kind are tokenized as names, and `parser` recognizes
them by the words around them, so that a column may be called `top`, `left` or `replace`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

OPERATORS = frozenset(("and", "or", "not", "in", "between", "like", "ilike", "is", "null", "true", "false"))
STARTS = ("select", "from", "where", "expand", "group", "ungroup", "order", "limit", "offset", "sample")
_INSIDE = ("by", "as", "asc", "desc", "distinct", "join", "on", "using", "union", "intersect", "except")
CLAUSES = frozenset((*STARTS, *_INSIDE))
# Reserved, although TQL does not use them: a query with one of them raises an error that names it.
UNSUPPORTED = frozenset(("having", "case", "cast", "exists", "with"))
RESERVED = OPERATORS | CLAUSES | UNSUPPORTED
# Statements of SQL that write: a query that begins with one of them raises an error that names it.
WRITES = frozenset(
    ("alter", "copy", "create", "delete", "drop", "insert", "merge", "replace", "show", "truncate", "update")
)

_COUNTS = ("NUMBER", "QUESTION")
_OPERAND_ENDS = ("NAME", "QUOTED", "NUMBER", "STRING", "TRUE", "FALSE", "NULL", "QUESTION", "RPAR", "RSQB")


class WordPlace(NamedTuple):
    """The tokens around a word, by type, the clause it is in, and whether it is sliced: `word[1:2]`."""

    before: str
    after: str
    second_after: str
    clause: str
    sliced: bool = False


def _before_join(place: WordPlace) -> bool:
    return place.after == "JOIN" or (place.after == "outer" and place.second_after == "JOIN")


WHERE_KEYWORD: dict[str, Callable[[WordPlace], bool]] = {
    "all": lambda place: place.before in ("UNION", "LIMIT"),
    "array": lambda place: place.after == "LSQB" and place.before != "DOT" and not place.sliced,
    "cross": lambda place: place.after == "JOIN",
    "design": lambda place: place.clause == "sample" and place.before in _OPERAND_ENDS and place.after == "NAME",
    "full": _before_join,
    "inner": lambda place: place.after == "JOIN",
    "isnull": lambda place: place.before in _OPERAND_ENDS,
    "left": _before_join,
    "outer": lambda place: place.before in ("LEFT", "RIGHT", "FULL") and place.after == "JOIN",
    "over": lambda place: place.clause == "sample" and place.before in _OPERAND_ENDS and place.after == "LPAR",
    "overlap": lambda place: place.clause == "expand" and place.before in _COUNTS,
    "percent": lambda place: place.clause == "limit" and place.before in _COUNTS,
    "replace": lambda place: place.clause == "sample" and place.before in _OPERAND_ENDS,
    "right": _before_join,
    "split": lambda place: place.clause == "ungroup" and place.before == "BY",
    "top": lambda place: place.before in ("SELECT", "DISTINCT") and place.after in _COUNTS,
}

SOMETIMES = frozenset(WHERE_KEYWORD)

# Kinds of JOIN in other languages. Without this list, they would be read as aliases of the preceding frame.
OTHER_JOINS = frozenset(("anti", "asof", "natural", "outer", "positional", "semi"))
OTHER_JOIN = "OTHER_JOIN"


def is_other_join(word: str, before: str, after: str) -> bool:
    """Return whether a name is a kind of JOIN that the language lacks, by the types of the tokens around it."""
    joins = after == "JOIN" or (word == "natural" and after in ("left", "right", "full", "inner", "outer"))
    return word in OTHER_JOINS and joins and before in ("NAME", "QUOTED", "RPAR")
