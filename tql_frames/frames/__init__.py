"""Adapt frames of every library to one protocol, with one module per library."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Protocol, TypeVar

import polars as pl

from tql_frames.frames.base import (
    ColumnRef,
    Contents,
    Frame,
    Part,
    Rows,
    frame_of,
    has_labels,
    is_pandas,
    kept_frame_of,
    unwrapped,
    wrapped,
)
from tql_frames.frames.lazy import CollectedFrame
from tql_frames.frames.polars import INDEX, PolarsFrame, check_columns, free_index
from tql_frames.frames.row_view import RowView, index_of, shared, to_pandas, to_polars
from tql_frames.frames.two_pass import TwoPassFrame, is_repeatable, reporting
from tql_frames.loading import LOADERS

if TYPE_CHECKING:
    import pandas as pd

__all__ = [
    "INDEX",
    "ArrowTable",
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
    "frame_of",
    "free_index",
    "has_labels",
    "index_of",
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


class ArrowTable(Protocol):
    """A table of any library with the Arrow PyCapsule interface."""

    def __arrow_c_stream__(self, requested_schema: object | None = None) -> object:
        """Return its rows as a stream of Arrow batches."""


Native = TypeVar("Native", bound="pl.DataFrame | pl.LazyFrame | pd.DataFrame | ArrowTable")
"""A frame as callers pass it and receive it."""
