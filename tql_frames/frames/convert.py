"""Frames of one library from those of another, and frames that two may own without seeing each other's changes."""

from __future__ import annotations

from typing import TypeVar

import pandas as pd
import polars as pl
import pyarrow as pa

from tql_frames.errors import TQLTypeError
from tql_frames.frames.base import ColumnRef, Frame
from tql_frames.frames.polars import schema_of, with_index
from tql_frames.frames.row_view import RowView
from tql_frames.sampling import Positions

Eager = TypeVar("Eager", pl.DataFrame, pd.DataFrame)


def shared(frame: Eager) -> Eager:
    """Return the same rows for another owner; they are copied only where the library does not copy on write."""
    if isinstance(frame, pl.DataFrame):
        return frame.clone()
    copies_on_write = int(pd.__version__.split(".")[0]) >= 3 or pd.get_option("mode.copy_on_write") is True
    return frame.copy(deep=not copies_on_write)


def check_columns(frame: Frame, columns: tuple[ColumnRef, ...] | None, index: str | None) -> None:
    """Make sure that the rows of a frame can be given with a column of row numbers, if its library has such.

    Raises:
        TQLError: one of the columns has that name.
    """
    if frame.kind != "pandas DataFrame":
        schema = schema_of(frame.schema, columns, None)
        with_index(schema, index, of="frame" if columns is None else "result")


def to_polars(rows: RowView, positions: Positions, index: str | None) -> pl.DataFrame:
    """Return rows of a pandas frame as a Polars frame, behind a column of row numbers; None for none.

    Raises:
        TQLError: a column has no Polars type, or no text of its own for a name, or it is that of the row numbers.
    """
    frame = rows.everything()
    with_index(frame.schema, index)
    return frame if index is None else frame.insert_column(0, pl.Series(index, positions, dtype=pl.get_index_type()))


def to_pandas(frame: pl.DataFrame, positions: Positions, index: str | None) -> pd.DataFrame:
    """Return rows of a Polars frame as a pandas frame, with row numbers as labels; None for labels from 0 on.

    Raises:
        TQLTypeError: a column has no pandas type.
    """
    rows = frame if index is None else frame.drop(index)
    names = rows.columns
    if any("\0" in name for name in names):  # Arrow, by which Polars converts, takes no such name
        rows = rows.rename({name: str(place) for place, name in enumerate(names)})
    try:
        found = rows.to_pandas()
    except (pa.ArrowException, pl.exceptions.PolarsError, pl.exceptions.PanicException, TypeError) as fault:
        raise TQLTypeError(
            f"the rows have no pandas form: {fault}", hint="select other columns, or cast them"
        ) from None
    if rows.columns != names:
        found.columns = pd.Index(names)
    if index is not None:
        found.index = pd.Index(positions)
    return found.copy()  # what Polars hands over may be read-only
