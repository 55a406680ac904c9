"""Tree and schema to Polars expressions; runs nothing."""

from tql_frames.compiler.translate import CompiledArm, CompiledSampler, compile_sampler

__all__ = ["CompiledArm", "CompiledSampler", "compile_sampler"]
