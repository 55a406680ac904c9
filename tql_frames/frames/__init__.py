"""Adapters: the five things the pipeline asks of a frame, one module a library."""

from __future__ import annotations

import pandas as pd
import polars as pl

from tql_frames.errors import TQLError
from tql_frames.frames.base import Adapter, Column, Contents, Deferred, Part, Readable, Source
from tql_frames.frames.chosen import Chosen
from tql_frames.frames.exchange import check_columns, shared, to_pandas, to_polars
from tql_frames.frames.forked import check_process
from tql_frames.frames.held import Held
from tql_frames.frames.lazy import LazyAdapter
from tql_frames.frames.pandas import PandasAdapter
from tql_frames.frames.pandas_source import PandasSource
from tql_frames.frames.passes import Scanned, is_repeatable, reporting
from tql_frames.frames.polars import PolarsAdapter, with_index
from tql_frames.frames.scanned import ScannedSource

__all__ = [
    "Adapter",
    "Chosen",
    "Column",
    "Contents",
    "Deferred",
    "LazyAdapter",
    "PandasAdapter",
    "PandasSource",
    "Part",
    "PolarsAdapter",
    "Readable",
    "Scanned",
    "ScannedSource",
    "Source",
    "adapt",
    "check_columns",
    "check_process",
    "is_repeatable",
    "reporting",
    "shared",
    "source_of",
    "to_pandas",
    "to_polars",
]

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


def adapt(frame: object, index: str | None = None, ignore_index: bool = False) -> Adapter | LazyAdapter:
    """The adapter of a frame.

    Args:
        frame: a Polars DataFrame or LazyFrame, or a pandas DataFrame.
        index: name for a column of original row numbers (Polars).
        ignore_index: whether rows of a sample are numbered anew (pandas).

    Raises:
        TQLError: another object, an option that the frame's library does not know, or a forked process in which Polars
            cannot run.
    """
    check_process()
    if isinstance(frame, pd.DataFrame):
        if index not in (None, "index"):
            raise TQLError("a pandas frame keeps its own index; index= names a column of Polars frames")
        return PandasAdapter(frame, ignore_index)
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
    if isinstance(frame, pl.LazyFrame):
        return LazyAdapter(frame, index)
    with_index(frame.schema, index)
    return PolarsAdapter(frame, index)


def source_of(frame: object, index: str | None = None, ignore_index: bool = False) -> Source:
    """The adapter of a frame that is kept, as it is now, so that its rows can be looked at again.

    Args:
        frame: as `adapt` takes it.
        index: as there; whether the name is free is a question to the columns that are taken.
        ignore_index: as there.

    Raises:
        TQLError: as `adapt`.
    """
    if not isinstance(frame, (pl.DataFrame, pl.LazyFrame)):
        adapt(frame, index, ignore_index)
        assert isinstance(frame, pd.DataFrame)
        return PandasSource(frame, ignore_index)
    adapt(frame, None, ignore_index)
    if isinstance(frame, pl.LazyFrame):
        return ScannedSource(frame, index=index) if is_repeatable(frame) else Held(frame, index)
    return PolarsAdapter(frame.clone(), index)
