"""Compile statements to lazy plans, clause by clause; runs nothing."""

from tql_frames.compiler.statements.limits import Size, most_rows, size_of
from tql_frames.compiler.statements.relation import Names, PythonStep, Relation, Scan, unwritten, whole
from tql_frames.compiler.statements.statement import Draw, Frames, SampleClause, compile_statement, named_columns

__all__ = [
    "Draw",
    "Frames",
    "Names",
    "PythonStep",
    "Relation",
    "SampleClause",
    "Scan",
    "Size",
    "compile_statement",
    "most_rows",
    "named_columns",
    "size_of",
    "unwritten",
    "whole",
]
