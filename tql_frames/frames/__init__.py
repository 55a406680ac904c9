"""Frames of every library behind one protocol, one module a library."""

from __future__ import annotations

from typing import TypeVar

import pandas as pd
import polars as pl

from tql_frames.frames.base import ColumnRef, Contents, Frame, Part, Rows, frame_of, kept_frame_of
from tql_frames.frames.lazy import CollectedFrame
from tql_frames.frames.pandas import PandasFrame
from tql_frames.frames.polars import PolarsFrame, check_columns, check_process
from tql_frames.frames.row_view import RowView, shared, to_pandas, to_polars, with_column
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
    "with_column",
]

Native = TypeVar("Native", pl.DataFrame, pl.LazyFrame, pd.DataFrame)
"""A frame as callers pass it, and get it."""
