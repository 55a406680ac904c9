"""What a sampler does to a table, in numbers."""

from tql_frames.analysis.labels import label_shares

__all__ = ["label_shares"]
