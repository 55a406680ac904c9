"""Text to tree and back; knows no dataframe."""

from tql_frames.language.parser import parse
from tql_frames.language.tree import unparse

__all__ = ["parse", "unparse"]
