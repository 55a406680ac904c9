"""Support Spark: functions `sample`, `weights`, `query`, `report`, `split` and `explain` for Spark DataFrames.

`tql_frames.distributed` implements partitions and draws. This module raises the error if PySpark is missing.
"""

from tql_frames.errors import TQLError

try:
    from pyspark.sql.pandas.functions import ArrowUDFType  # noqa: F401 - the newest that is needed
except ImportError as missing:  # PySpark is missing, or too old
    _hint = "pip install 'tql-frames[spark]'; it needs Java 17, too"
    raise TQLError(f"PySpark 4.1 or newer is not installed: {missing}", hint=_hint) from missing

from tql_frames.distributed.spark.calls import explain, query, report, sample, split, weights

__all__ = ["explain", "query", "report", "sample", "split", "weights"]
