"""Adapt a Polars LazyFrame whose rows are collected.

`two_pass` draws samples from files that can be read twice.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import ClassVar

import numpy as np
import polars as pl
from numpy.typing import NDArray

from tql_frames.compiler.statements import Relation, Scan, whole
from tql_frames.frames.base import ColumnRef, Contents, Frame, Rows, cached_attribute, frame_of
from tql_frames.frames.polars import (
    NumberedFrame,
    PolarsFrame,
    check_options,
    check_process,
    dtypes_of,
    plan_of,
    schema_of,
)
from tql_frames.frames.two_pass import TwoPassFrame, is_repeatable, series_of, why_collected
from tql_frames.sampling import Positions


class CollectedFrame(NumberedFrame):
    """A LazyFrame whose rows are collected when they are first needed.

    If the frame is kept, its rows then stay in memory; otherwise, each run of a plan collects them.
    """

    kind: ClassVar[str] = "Polars LazyFrame"
    takes_by_number: ClassVar[bool] = False
    is_lazy: ClassVar[bool] = True
    is_streamed: ClassVar[bool] = False

    def __init__(self, plan: pl.LazyFrame, index: str | None = None, *, kept: bool = False) -> None:
        """Store the plan and resolve its schema; nothing runs.

        Args:
            plan: the frame.
            index: name of the column of original row numbers; None for none.
            kept: whether later calls refer to the rows that were collected for the first one.
        """
        self._plan = plan
        self._index = index
        self._kept = kept
        # Of a clone: once a scan has resolved its schema, Polars no longer pushes row numbers and filters into it.
        self._schema = plan.clone().collect_schema()

    @cached_attribute
    def _collected(self) -> PolarsFrame:
        check_process()
        return PolarsFrame(self._plan.collect(), self._index)

    def collect(self) -> PolarsFrame:
        """Return the collected rows; they are collected only once if the frame is kept."""
        return self._collected if self._kept else PolarsFrame(self._plan.collect(), self._index)

    @property
    def why_collected(self) -> str | None:
        """Reason why the rows of files are held in memory while a sample is drawn; None if they are not."""
        return why_collected(self._plan)

    @property
    def native(self) -> pl.LazyFrame:
        """The plan."""
        return self._plan

    @property
    def rows(self) -> int:
        """Number of rows."""
        return self._collected.rows

    @property
    def schema(self) -> Mapping[str, pl.DataType]:
        """Polars type by column name, known without running the plan."""
        return self._schema

    def evaluate(self, exprs: Mapping[str, pl.Expr]) -> pl.DataFrame:
        """Return values of expressions by name, one per row."""
        return self._collected.evaluate(exprs)

    def evaluate_batches(self, exprs: Mapping[str, pl.Expr]) -> Iterator[pl.DataFrame]:
        """Yield the values of expressions by name, in one part."""
        yield self.evaluate(exprs)

    def aggregate(self, exprs: Mapping[str, pl.Expr]) -> pl.DataFrame:
        """Return values of aggregations by name, in one row."""
        return self._collected.aggregate(exprs)

    def column(self, name: str) -> pl.Series:
        """Return a column of the rows."""
        return self._collected.column(name)

    def scan(self, names: frozenset[str] | None) -> Scan:
        """Return the plan for a statement; for a kept frame, a plan that collects the rows when it runs."""
        plan = self._plan
        if self._kept:
            plan = whole(pl.LazyFrame(schema=self._schema), lambda _: self._collected.native, self._schema)
        return Scan(plan, tuple(self._schema), dtypes_of(self._schema))

    def plan(self, relation: Relation, scan: Scan, index: str | None) -> pl.LazyFrame:
        """Return the plan of a relation."""
        return plan_of(relation, index)

    def finish(self, relation: Relation, scan: Scan, index: str | None) -> pl.LazyFrame:
        """Return the plan of a relation; nothing runs."""
        return self.plan(relation, scan, index)

    def read(self, names: Sequence[str], positions: Positions) -> pl.DataFrame:
        """Return columns by name of the rows at positions, in their order."""
        return self._collected.read(names, positions)

    def take(self, positions: Positions, columns: Sequence[ColumnRef] | None = None) -> pl.DataFrame:
        """Return the rows at positions, in their order, with original row numbers as the first column."""
        return self._collected.take(positions, columns)

    def take_lazy(
        self, positions_of: Callable[[Rows], Positions], columns: Sequence[ColumnRef] | None = None
    ) -> pl.LazyFrame:
        """Return a plan for the rows at positions that are determined once the rows are collected.

        The plan of the frame is its input, and does not run inside the Python step: in older Polars, several such runs
        at the same time would wait for each other's threads.
        """
        if not self._kept and is_repeatable(self._plan):
            return TwoPassFrame(self._plan, self._index, schema=self._schema).take_lazy(positions_of, columns)
        schema = schema_of(self._schema, columns, self._index)

        def take(frame: pl.DataFrame) -> pl.DataFrame:
            rows = PolarsFrame(frame, self._index)
            if not self._kept:
                return rows.take(positions_of(rows), columns)
            vars(self).setdefault("_collected", rows)
            return self.take(positions_of(self), columns)

        return whole(pl.LazyFrame(schema=schema) if "_collected" in vars(self) else self._plan, take, schema)

    def series(self, values_of: Callable[[Rows], NDArray[np.float64]], name: str) -> pl.LazyFrame:
        """Return a plan for one column, one value per row."""
        return series_of(self._plan, values_of, name)

    def batches(self, positions: Positions, columns: Sequence[ColumnRef] | None, size: int) -> Iterator[pl.DataFrame]:
        """Yield the rows at positions, at most `size` at a time."""
        return self._collected.batches(positions, columns, size)

    def contents(self) -> Iterator[Contents]:
        """Yield all rows, a million at a time."""
        return self._collected.contents()


@frame_of.register(pl.LazyFrame)
def lazy_frame_of(
    frame: pl.LazyFrame, index: str | None = None, ignore_index: bool = False, *, kept: bool = False
) -> Frame:
    """Return the adapter of a LazyFrame; see `frame_of` for arguments and errors."""
    check_options(ignore_index)
    if kept:
        return (TwoPassFrame if is_repeatable(frame) else CollectedFrame)(frame, index, kept=True)
    return CollectedFrame(frame, index)
