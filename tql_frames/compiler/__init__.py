"""Tree and schema to Polars expressions; runs nothing."""

from tql_frames.compiler.registry import register_function
from tql_frames.compiler.sampler import CompiledSampler, compile_sampler
from tql_frames.compiler.translate import CompiledArm, RandomNumbers

__all__ = ["CompiledArm", "CompiledSampler", "RandomNumbers", "compile_sampler", "register_function"]
