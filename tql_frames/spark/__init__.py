"""Spark: `sample`, `weights`, `query`, `report` and `explain` of Spark DataFrames, as functions.

What partitions and the draw do is in `tql_frames.distributed`. That PySpark is missing is said here.
"""

from tql_frames.errors import TQLError

try:
    from pyspark.sql.pandas.functions import ArrowUDFType  # noqa: F401 - the newest that is needed
except ImportError as missing:  # of PySpark, or it is too old
    _hint = "pip install 'tql-frames[spark]'; it needs Java 17, too"
    raise TQLError(f"PySpark 4.1 or newer is not installed: {missing}", hint=_hint) from missing

from tql_frames.distributed.spark.calls import explain, query, report, sample, split, weights

__all__ = ["explain", "query", "report", "sample", "split", "weights"]
