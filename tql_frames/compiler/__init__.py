"""Compile trees, for a schema, to Polars expressions and lazy plans; runs nothing."""

from tql_frames.compiler.expressions.functions import register_function
from tql_frames.compiler.expressions.sampler import CompiledSampler, Key, compile_key, compile_sampler
from tql_frames.compiler.expressions.translate import CompiledArm, RandomNumbers

__all__ = [
    "CompiledArm",
    "CompiledSampler",
    "Key",
    "RandomNumbers",
    "compile_key",
    "compile_sampler",
    "register_function",
]
