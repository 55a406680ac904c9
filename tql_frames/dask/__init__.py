"""Dask: importing this module puts `.tql` on Dask DataFrames.

What partitions and the draw do is in `tql_frames.distributed`. That Dask is missing is said here.
"""

from tql_frames.errors import TQLError

try:
    from dask.dataframe.extensions import register_dataframe_accessor
except ImportError as missing:  # of Dask, or of what its frames need
    _hint = "pip install 'tql-frames[dask]'"
    raise TQLError(f"Dask DataFrame is not installed: {missing}", hint=_hint) from missing

from tql_frames.distributed.dask.namespace import DaskNamespace

__all__ = ["DaskNamespace"]

register_dataframe_accessor("tql")(DaskNamespace)
