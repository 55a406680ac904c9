"""Text to tree, and back; knows no dataframe."""

from tql_frames.language.reading import is_statement, parse, parse_statement
from tql_frames.language.tree import Node
from tql_frames.language.unparse import unparse

__all__ = ["Node", "is_statement", "parse", "parse_statement", "unparse"]
