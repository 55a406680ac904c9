"""Tree and schema to Polars expressions; runs nothing."""

from tql_frames.compiler.sampler import CompiledSampler, compile_sampler
from tql_frames.compiler.translate import CompiledArm

__all__ = ["CompiledArm", "CompiledSampler", "compile_sampler"]
