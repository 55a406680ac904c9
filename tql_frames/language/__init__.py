"""Parse text to a tree, each text once, and write trees as text; independent of dataframes.

`parser` is loaded for the first text: lark takes a quarter of the import time of the package, and many programs that
import the package never parse a text.
"""

from __future__ import annotations

import re
from functools import cache, lru_cache
from importlib import import_module
from typing import Any

from tql_frames.language.nodes import Node, Statement
from tql_frames.language.parameters import BoundText
from tql_frames.language.unparse import on_lines, on_one_line, sampler_on_lines, unparse

__all__ = [
    "BoundText",
    "Node",
    "is_statement",
    "on_lines",
    "on_one_line",
    "parse",
    "parse_statement",
    "sampler_on_lines",
    "unparse",
]


def parse(text: str) -> Node:
    """Read a sampler into its tree.

    Args:
        text: a weight choice, `max_weight(condition: weight, …)` or `sum_weight(…)`, or any expression; the tree of a
            `BoundText` has the values of its `?`.

    Raises:
        TQLSyntaxError: the text is not TQL, longer than 1,000,000 characters, or nested deeper than 100 levels.
        TQLUnsupportedError: the text holds a clause of whole statements, such as SELECT or LIMIT, or one that TQL does
            not have, such as HAVING.

    Examples:
        >>> parse("max_weight(age > 60: 2, True: 1)").arms[0].condition
        Comparison(operator='>', left=Column(name='age', frame=None), right=Literal(value=60))
    """
    return text.tree if isinstance(text, BoundText) else _tree_of(text)


@lru_cache(maxsize=512)
def _tree_of(text: str) -> Node:
    found: Node = _parser().parsed(text, "sampler")
    return found


@lru_cache(maxsize=512)
def parse_statement(text: str) -> Statement:
    """Read a whole statement into its tree.

    Args:
        text: TQL that begins with SELECT, or with the parenthesis of a set operation.

    Raises:
        TQLSyntaxError: as `parse`.
        TQLUnsupportedError: a statement that writes, such as UPDATE, or a clause that TQL does not have, such as
            HAVING.

    Examples:
        >>> parse_statement("select age where age > 60 limit 3").limit
        Limit(count=Literal(value=3), percent=False)
    """
    found = _parser().parsed(text, "query")
    assert isinstance(found, Statement)
    return found


def is_statement(text: str) -> bool:
    """Return whether a text is a whole statement rather than a sampler, by its beginning.

    Examples:
        >>> is_statement("(select *) union (select *)"), is_statement("max_weight(a: 2)")
        (True, False)
    """
    return bool(re.match(r"(?ai)(\s|\(|--[^\n]*\n)*select\b", text))


@cache
def _parser() -> Any:
    return import_module("tql_frames.language.parser")
