"""Adapters: the five things the pipeline asks of a frame, one module a library."""

from __future__ import annotations

import pandas as pd
import polars as pl

from tql_frames.errors import TQLError
from tql_frames.frames.base import Adapter, Deferred
from tql_frames.frames.lazy import LazyAdapter
from tql_frames.frames.pandas import PandasAdapter
from tql_frames.frames.passes import reporting
from tql_frames.frames.polars import PolarsAdapter, with_index

__all__ = ["Adapter", "Deferred", "LazyAdapter", "PandasAdapter", "PolarsAdapter", "adapt", "reporting"]


def adapt(frame: object, index: str | None = None, ignore_index: bool = False) -> Adapter | LazyAdapter:
    """The adapter of a frame.

    Args:
        frame: a Polars DataFrame or LazyFrame, or a pandas DataFrame.
        index: name for a column of original row numbers (Polars).
        ignore_index: whether rows of a sample are numbered anew (pandas).

    Raises:
        TQLError: another object, or an option that the frame's library does not know.
    """
    if isinstance(frame, pd.DataFrame):
        if index not in (None, "index"):
            raise TQLError("a pandas frame keeps its own index; index= names a column of Polars frames")
        return PandasAdapter(frame, ignore_index)
    if not isinstance(frame, (pl.DataFrame, pl.LazyFrame)):
        kinds = "a Polars DataFrame or LazyFrame, or a pandas DataFrame"
        raise TQLError(f"the frame must be {kinds}, not {type(frame).__name__}")
    if ignore_index:
        raise TQLError("ignore_index= is for pandas frames; pass index=None to leave out the row numbers")
    if isinstance(frame, pl.LazyFrame):
        return LazyAdapter(frame, index)
    with_index(frame.schema, index)
    return PolarsAdapter(frame, index)
