"""Dask: importing this module puts `.tql` on Dask DataFrames.

What partitions and the draw do is in `tql_frames.distributed`.
"""

from dask.dataframe.extensions import register_dataframe_accessor

from tql_frames.dask.namespace import DaskNamespace

__all__ = ["DaskNamespace"]

register_dataframe_accessor("tql")(DaskNamespace)
