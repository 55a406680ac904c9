"""Frames of every library behind one protocol, one module a library."""

from __future__ import annotations

from typing import TypeVar

import pandas as pd
import polars as pl

from tql_frames.errors import TQLError
from tql_frames.frames.base import ColumnRef, Contents, Frame, Part, Rows
from tql_frames.frames.lazy import CollectedFrame
from tql_frames.frames.pandas import PandasFrame
from tql_frames.frames.polars import PolarsFrame, check_columns, check_process
from tql_frames.frames.row_view import RowView, shared, to_pandas, to_polars
from tql_frames.frames.two_pass import TwoPassFrame, is_repeatable, reporting

__all__ = [
    "CollectedFrame",
    "ColumnRef",
    "Contents",
    "Frame",
    "Native",
    "PandasFrame",
    "Part",
    "PolarsFrame",
    "RowView",
    "Rows",
    "TwoPassFrame",
    "check_columns",
    "check_process",
    "frame_of",
    "is_repeatable",
    "kept_frame_of",
    "reporting",
    "shared",
    "to_pandas",
    "to_polars",
]

Native = TypeVar("Native", pl.DataFrame, pl.LazyFrame, pd.DataFrame)
"""A frame as callers pass it, and get it."""

# Libraries whose frames have calls of their own, and what to say of these.
_ENGINES = {
    "dask": "import tql_frames.dask; then the frame has .tql",
    "pyspark": "import tql_frames.spark; its functions take the frame",
}
# Other libraries, and what makes a frame of theirs one of ours; the name of the class where one needs another.
_WAYS = {
    "pyarrow": "pass pl.from_arrow(table)",
    "duckdb": "pass relation.pl()",
    "cudf": "pass frame.to_pandas()",
    "modin": "pass frame.modin.to_pandas()",
    "narwhals": "pass frame.to_native()",
    "ibis": "pass table.to_polars()",
    "datafusion": "pass frame.to_polars()",
    "datasets": "pass dataset.to_polars()",
    "vaex": "pass frame.to_pandas_df()",
    "xarray": "pass data.to_dataframe()",
    "numpy": "pass pl.DataFrame(array)",
    "polars.Series": "pass series.to_frame()",
    "pandas.Series": "pass series.to_frame()",
    "builtins.dict": "pass pl.DataFrame(columns)",
    "builtins.list": "pass pl.DataFrame(rows)",
    "builtins.str": "read the file first: pl.scan_parquet(path)",
}


def frame_of(frame: object, index: str | None = None, ignore_index: bool = False) -> Frame:
    """Return a frame of any library behind the one protocol.

    Args:
        frame: a Polars DataFrame or LazyFrame, or a pandas DataFrame.
        index: name for a column of original row numbers (Polars). That it is free is checked for the columns of a
            result, by `check_columns`.
        ignore_index: whether rows of a sample are numbered from 0 (pandas).

    Raises:
        TQLError: another object, an option that the frame's library does not know, or a forked process in which Polars
            cannot run.
    """
    _check(frame, index, ignore_index)
    if isinstance(frame, pd.DataFrame):
        return PandasFrame(frame, ignore_index)
    if isinstance(frame, pl.LazyFrame):
        return CollectedFrame(frame, index)
    assert isinstance(frame, pl.DataFrame)
    return PolarsFrame(frame, index)


def kept_frame_of(frame: object, index: str | None = None, ignore_index: bool = False) -> Frame:
    """Return a frame as it is now, which answers each later question about the same rows; arguments as of `frame_of`.

    Before pandas 3, which copies on write, values that are written into a frame in place are seen here too.
    """
    _check(frame, index, ignore_index)
    if isinstance(frame, pd.DataFrame):
        return PandasFrame(frame.copy(deep=False), ignore_index)
    if isinstance(frame, pl.LazyFrame):
        return (TwoPassFrame if is_repeatable(frame) else CollectedFrame)(frame, index, kept=True)
    assert isinstance(frame, pl.DataFrame)
    return PolarsFrame(frame.clone(), index)


def _check(frame: object, index: str | None, ignore_index: bool) -> None:
    check_process()
    if isinstance(frame, pd.DataFrame):
        if index not in (None, "index"):
            raise TQLError("a pandas frame keeps its own index; index= names a column of Polars frames")
        return
    if not isinstance(frame, (pl.DataFrame, pl.LazyFrame)):
        kinds = "a Polars DataFrame or LazyFrame, or a pandas DataFrame"
        library, name = type(frame).__module__.partition(".")[0], type(frame).__name__
        hint = _ENGINES.get(library) or _WAYS.get(f"{library}.{name}") or _WAYS.get(library)
        if hint is None and hasattr(frame, "__arrow_c_stream__"):
            hint = "pass pl.DataFrame(frame)"
        what = name if library == "builtins" else f"{library}.{name}"
        raise TQLError(f"the frame must be {kinds}, not {what}", hint=hint)
    if ignore_index:
        raise TQLError("ignore_index= is for pandas frames; pass index=None to leave out the row numbers")
