"""Frames of every library behind one protocol, one module a library."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, TypeVar

import polars as pl

from tql_frames.frames.base import (
    INDEX,
    ColumnRef,
    Contents,
    Frame,
    Part,
    Rows,
    frame_of,
    free_index,
    has_labels,
    is_pandas,
    kept_frame_of,
    unwrapped,
    wrapped,
)
from tql_frames.frames.lazy import CollectedFrame
from tql_frames.frames.polars import PolarsFrame, check_columns, check_process
from tql_frames.frames.row_view import RowView, shared, to_pandas, to_polars
from tql_frames.frames.two_pass import TwoPassFrame, is_repeatable, reporting
from tql_frames.loading import LOADERS

if TYPE_CHECKING:
    import pandas as pd

__all__ = [
    "INDEX",
    "CollectedFrame",
    "ColumnRef",
    "Contents",
    "Frame",
    "Native",
    "Part",
    "PolarsFrame",
    "RowView",
    "Rows",
    "TwoPassFrame",
    "check_columns",
    "check_process",
    "frame_of",
    "free_index",
    "has_labels",
    "is_pandas",
    "is_repeatable",
    "kept_frame_of",
    "reporting",
    "shared",
    "to_pandas",
    "to_polars",
    "unwrapped",
    "wrapped",
]

LOADERS["tables"] = lambda: import_module("tql_frames.frames.tables")
LOADERS["pandas"] = lambda: import_module("tql_frames.frames.pandas")

Native = TypeVar("Native", pl.DataFrame, pl.LazyFrame, "pd.DataFrame")
"""A frame as callers pass it, and get it."""
