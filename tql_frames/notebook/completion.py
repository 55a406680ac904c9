"""The words that the query box knows: columns, functions and keywords, for colours and completion."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TypedDict

from tql_frames.compiler.expressions import registry
from tql_frames.compiler.expressions.functions import FUNCTIONS
from tql_frames.compiler.expressions.types import DataType
from tql_frames.language import nodes, unparse
from tql_frames.language.keywords import CLAUSES, OPERATORS, SOMETIMES

# What is called as a function is and has no row in the table of functions.
_CALLED = {
    "max_weight": "max_weight(condition: weight, …)",
    "random": "random()",
    "sum_weight": "sum_weight(condition: weight, …)",
}


class Word(TypedDict):
    """A word to complete to.

    Attributes:
        name: the word.
        kind: "column", "function", "keyword" or "label".
        insert: what is written for it: a column's name in quotes where it needs them, a function with its parenthesis.
        told: what stands beside it in the list: a column's type, a function's usage.
    """

    name: str
    kind: str
    insert: str
    told: str


def words_of(columns: Iterable[object], types: Mapping[str, DataType]) -> list[Word]:
    """Return the words for a frame: its columns first, then functions and keywords.

    Args:
        columns: labels of the columns; one that is no text cannot be named.
        types: Polars type of those where it is known.

    Example:
        >>> import polars as pl
        >>> words = words_of(["age", "body mass"], {"age": pl.Int16()})
        >>> [(word["insert"], word["told"]) for word in words[:2]]
        [('age', 'Int16'), ('"body mass"', '')]
        >>> next(word["insert"] for word in words if word["name"] == "contains")
        'contains('
    """
    names = [name for name in columns if isinstance(name, str)]
    words = [
        Word(name=name, kind="column", insert=unparse(nodes.Column(name)), told=_told(types, name)) for name in names
    ]
    usages = _CALLED | {name: function.usage for name, function in FUNCTIONS.items()}
    usages |= {name: _usage(name) for name in registry.names()}
    words += [Word(name=name, kind="function", insert=f"{name}(", told=usages[name]) for name in sorted(usages)]
    keywords = sorted(OPERATORS | CLAUSES | SOMETIMES)
    return words + [Word(name=word, kind="keyword", insert=word, told="") for word in keywords]


def words_of_labels(texts: Mapping[str, Iterable[str]]) -> list[Word]:
    """Return the labels of columns, to complete a text in quotes to.

    Example:
        >>> words_of_labels({"tags": ["Hernia", "O'Hara"]})[1]
        {'name': "O'Hara", 'kind': 'label', 'insert': "'O''Hara'", 'told': 'tags'}
    """
    return [
        Word(name=text, kind="label", insert="'" + text.replace("'", "''") + "'", told=column)
        for column, own in texts.items()
        for text in own
    ]


def _told(types: Mapping[str, DataType], name: str) -> str:
    told = str(types[name]).removesuffix("()") if name in types else ""
    told = told.split("(")[0] if told.startswith("Enum(") else told
    return told if len(told) <= 40 else f"{told[:39]}…"


def _usage(name: str) -> str:
    found = registry.find(name)
    return name if found is None else found.usage
