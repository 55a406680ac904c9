"""Polars DataFrame.

Lazy frames are in `lazy`.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress

import numpy as np
import polars as pl
from numpy.typing import NDArray

from tql_frames.compiler.scope import column
from tql_frames.errors import TQLError
from tql_frames.planning import Relation, Scan
from tql_frames.sampling import Positions

_SMALL = 10_000  # rows below which the optimizer takes longer than what it saves


class PolarsAdapter:
    """A Polars DataFrame; `index` names the column of original row numbers, None for none."""

    def __init__(self, frame: pl.DataFrame, index: str | None = None) -> None:
        """Hold the frame; it is never modified."""
        self._frame = frame
        self._index = index

    @property
    def rows(self) -> int:
        """Number of rows."""
        return self._frame.height

    @property
    def schema(self) -> Mapping[str, pl.DataType]:
        """Polars type by column name."""
        return self._frame.schema

    def evaluate(self, exprs: Mapping[str, pl.Expr]) -> pl.DataFrame:
        """Values of expressions by name, one a row of the frame."""
        return evaluate(self._frame, exprs)

    def scan(self, names: frozenset[str] | None) -> Scan:
        """The frame for a statement; its plan leaves out what is not named."""
        return Scan(self._frame.lazy(), tuple(self._frame.columns), dtypes_of(self._frame.schema))

    def plan(self, relation: Relation, scan: Scan, index: str | None) -> pl.LazyFrame:
        """What runs for a relation."""
        return plan_of(relation, index)

    def finish(self, relation: Relation, scan: Scan, index: str | None) -> pl.DataFrame:
        """Run the plan of a relation."""
        return self.plan(relation, scan, index).collect()

    def take(self, positions: Positions) -> pl.DataFrame:
        """Rows at positions, in their order, behind the column of original row numbers."""
        taken = self._frame[positions]
        if self._index is None:
            return taken
        return taken.insert_column(0, pl.Series(self._index, positions, dtype=pl.get_index_type()))

    def series(self, values: NDArray[np.float64], name: str) -> pl.Series:
        """One value a row."""
        return pl.Series(name, values.copy())  # they may be the frame's own


def evaluate(frame: pl.DataFrame, exprs: Mapping[str, pl.Expr]) -> pl.DataFrame:
    """Values of expressions on a frame, one a row; constants are repeated.

    Not `select`: it gives a constant once, and may drop what it takes for an irrelevant order of rows.
    """
    if not frame.width:
        frame = pl.DataFrame({"": pl.repeat(None, frame.height, dtype=pl.Null, eager=True)})
    if frame.height < _SMALL:
        with suppress(TQLError):  # which users' functions raise: a lazy plan gives it as it is, with its cause
            return frame.with_columns(**exprs).select(*exprs)
    return frame.lazy().with_columns(**exprs).select(*exprs).collect()


def dtypes_of(schema: pl.Schema) -> dict[object, pl.DataType | TQLError]:
    """The types of a frame of which every column was read."""
    return {name: dtype for name, dtype in schema.items()}  # not a copy, which would keep the type of its keys


def plan_of(relation: Relation, index: str | None) -> pl.LazyFrame:
    """The plan of a relation behind the column of its row numbers."""
    with_index({str(each.label): pl.Null() for each in relation.fields}, index, of="result")
    rows = [] if index is None or relation.row is None else [column(relation.row).alias(index)]
    return relation.plan.select(*rows, *[column(each.key).alias(str(each.label)) for each in relation.fields])


def with_index(schema: Mapping[str, pl.DataType], index: str | None, of: str = "frame") -> pl.Schema:
    """The schema of a frame or result behind a column of row numbers.

    Raises:
        TQLError: the frame has a column of that name already.
    """
    if index is None:
        return pl.Schema(schema)
    if index in schema:
        raise TQLError(
            f"the {of} has a column {index!r} already, where the original row numbers would go",
            hint="pass index='another name', or index=None to leave them out",
        )
    return pl.Schema({index: pl.get_index_type(), **schema})
