"""Support Dask: importing this module adds `.tql` to Dask DataFrames.

`tql_frames.distributed` implements partitions and draws. This module raises the error if Dask is missing.
"""

from tql_frames.errors import TQLError

try:
    from dask.dataframe.extensions import register_dataframe_accessor
except ImportError as missing:  # Dask or a dependency of its frames is missing
    _hint = "pip install 'tql-frames[dask]'"
    raise TQLError(f"Dask DataFrame is not installed: {missing}", hint=_hint) from missing

from tql_frames.distributed.dask.namespace import DaskNamespace

__all__ = ["DaskNamespace"]

register_dataframe_accessor("tql")(DaskNamespace)
