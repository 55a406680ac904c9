"""A Polars LazyFrame that a view keeps and that is run once, when its rows are first asked for.

Plans that read files, and give the same rows each time, are read anew instead: see `passes`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import ClassVar

import numpy as np
import polars as pl
from numpy.typing import NDArray

from tql_frames.frames.base import Column, Contents
from tql_frames.frames.forked import check_process
from tql_frames.frames.once import once
from tql_frames.frames.polars import PolarsAdapter, dtypes_of, schema_of, tallied
from tql_frames.planning import Scan, whole
from tql_frames.sampling import Positions


class Held:
    """The rows of a plan, held from the first time on that one is asked for."""

    kind: ClassVar[str] = "Polars LazyFrame"

    def __init__(self, plan: pl.LazyFrame, index: str | None) -> None:
        """Hold the plan and resolve its schema; nothing runs."""
        self._plan = plan
        self._index = index
        # Of a clone: once a scan has resolved its own schema, Polars no longer puts row numbers and filters into it.
        self._schema = plan.clone().collect_schema()

    @once
    def _now(self) -> PolarsAdapter:
        check_process()
        return PolarsAdapter(self._plan.collect(), self._index)

    @property
    def native(self) -> pl.LazyFrame:
        """The plan."""
        return self._plan

    @property
    def rows(self) -> int:
        """Number of rows."""
        return self._now.rows

    @property
    def schema(self) -> Mapping[str, pl.DataType]:
        """Polars type by column name, known without running anything."""
        return self._schema

    def evaluate(self, exprs: Mapping[str, pl.Expr]) -> pl.DataFrame:
        """Values of expressions by name, one a row."""
        return self._now.evaluate(exprs)

    def look(self, exprs: Mapping[str, pl.Expr]) -> pl.DataFrame:
        """Values of aggregations by name, in one row."""
        return self._now.look(exprs)

    def column(self, name: str) -> pl.Series:
        """A column of the rows."""
        return self._now.column(name)

    def scan(self, names: frozenset[str] | None) -> Scan:
        """The rows for a statement, asked for when its plan runs."""
        plan = whole(pl.LazyFrame(schema=self._schema), lambda _: self._now.native, self._schema)
        return Scan(plan, tuple(self._schema), dtypes_of(self._schema))

    def read(self, names: Sequence[str], positions: Positions) -> pl.DataFrame:
        """Columns by name of the rows at positions, in their order."""
        return self._now.read(names, positions)

    def take(self, positions: Positions, columns: Sequence[Column] | None = None) -> pl.DataFrame:
        """Rows at positions, in their order, behind the column of original row numbers."""
        return self._now.take(positions, columns)

    def batches(self, positions: Positions, columns: Sequence[Column] | None, size: int) -> Iterator[pl.DataFrame]:
        """Rows at positions, at most `size` at a time."""
        return self._now.batches(positions, columns, size)

    def later(self, positions_of: Callable[[], Positions], columns: Sequence[Column] | None) -> pl.LazyFrame:
        """A plan for the rows at positions, which holds the rows if it is the first that runs.

        The plan that is kept is its input, not run within it: several such runs at the same time would wait for each
        other's threads in older Polars.
        """
        schema = schema_of(self._schema, columns, self._index)

        def take(frame: pl.DataFrame) -> pl.DataFrame:
            vars(self).setdefault("_now", PolarsAdapter(frame, self._index))
            return self.take(positions_of(), columns)

        return whole(pl.LazyFrame(schema=schema) if "_now" in vars(self) else self._plan, take, schema)

    def labels(self, positions: Positions) -> pl.Series:
        """Row numbers."""
        return PolarsAdapter(pl.DataFrame(), self._index).labels(positions)

    def tally(self, positions: Positions, counts: NDArray[np.int64]) -> pl.DataFrame:
        """How often rows were drawn."""
        return tallied(self.labels(positions), counts)

    def contents(self) -> Iterator[Contents]:
        """All rows, a million at a time."""
        return self._now.contents()
