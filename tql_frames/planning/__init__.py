"""Statements to lazy plans, clause by clause; runs nothing."""

from tql_frames.planning.relation import Names, Relation, Scan, whole
from tql_frames.planning.sizes import Size, most_rows
from tql_frames.planning.statement import Frames, compile_statement, named_columns

__all__ = ["Frames", "Names", "Relation", "Scan", "Size", "compile_statement", "most_rows", "named_columns", "whole"]
