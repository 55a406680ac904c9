"""Text to tree, and back; knows no dataframe."""

from tql_frames.language.nodes import Node
from tql_frames.language.reading import is_statement, parse, parse_statement
from tql_frames.language.unparse import on_lines, on_one_line, sampler_on_lines, unparse

__all__ = [
    "Node",
    "is_statement",
    "on_lines",
    "on_one_line",
    "parse",
    "parse_statement",
    "sampler_on_lines",
    "unparse",
]
