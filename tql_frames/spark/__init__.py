"""Spark: `sample`, `weights`, `query` and `report` of Spark DataFrames, as functions.

What partitions and the draw do is in `tql_frames.distributed`.
"""

from tql_frames.spark.calls import query, report, sample, weights

__all__ = ["query", "report", "sample", "weights"]
