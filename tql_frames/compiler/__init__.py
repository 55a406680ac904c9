"""Tree and schema to Polars expressions; runs nothing."""

from tql_frames.compiler.registry import register_function
from tql_frames.compiler.relation import Relation, Scan, whole
from tql_frames.compiler.sampler import CompiledSampler, compile_sampler
from tql_frames.compiler.statement import Frames, Size, compile_statement, named_columns
from tql_frames.compiler.translate import CompiledArm, RandomNumbers

__all__ = [
    "CompiledArm",
    "CompiledSampler",
    "Frames",
    "RandomNumbers",
    "Relation",
    "Scan",
    "Size",
    "compile_sampler",
    "compile_statement",
    "named_columns",
    "register_function",
    "whole",
]
