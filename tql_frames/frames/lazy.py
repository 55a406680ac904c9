"""Polars LazyFrame: what is done to its rows is put into the plan and runs at `collect`.

Eager Polars frames are in `polars`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
import polars as pl
from numpy.typing import NDArray

from tql_frames.frames.base import Adapter
from tql_frames.frames.passes import is_repeatable, sample_in_two_passes, why_held
from tql_frames.frames.polars import PolarsAdapter, dtypes_of, plan_of, with_index
from tql_frames.planning import Relation, Scan, whole
from tql_frames.sampling import Positions


class LazyAdapter:
    """A Polars LazyFrame; `index` names the column of original row numbers, None for none."""

    def __init__(self, frame: pl.LazyFrame, index: str | None = None) -> None:
        """Hold the plan and resolve its schema; nothing runs."""
        self._frame = frame
        self._index = index
        # Of a clone: once a scan has resolved its own schema, Polars no longer puts row numbers and filters into it.
        self._schema = frame.clone().collect_schema()

    @property
    def schema(self) -> Mapping[str, pl.DataType]:
        """Polars type by column name, known without running anything."""
        return self._schema

    @property
    def why_held(self) -> str | None:
        """Why a sample holds the rows of the files in memory; None where it reads them twice."""
        return why_held(self._frame)

    def scan(self, names: frozenset[str] | None) -> Scan:
        """The plan for a statement; what is not named is left out of it."""
        return Scan(self._frame, tuple(self._schema), dtypes_of(self._schema))

    def plan(self, relation: Relation, scan: Scan, index: str | None) -> pl.LazyFrame:
        """What runs for a relation, at `collect`."""
        return plan_of(relation, index)

    def finish(self, relation: Relation, scan: Scan, index: str | None) -> pl.LazyFrame:
        """The plan of a relation; nothing runs."""
        return self.plan(relation, scan, index)

    def then_take(self, positions_of: Callable[[Adapter], Positions]) -> pl.LazyFrame:
        """A plan for the rows at the positions that are found once the rows are there."""
        index = self._index
        if is_repeatable(self._frame):
            return sample_in_two_passes(self._frame, index, positions_of)

        def take(frame: pl.DataFrame) -> pl.DataFrame:
            adapter = PolarsAdapter(frame, index)
            return adapter.take(positions_of(adapter))

        return whole(self._frame, take, with_index(self._schema, index))

    def then_series(self, values_of: Callable[[Adapter], NDArray[np.float64]], name: str) -> pl.LazyFrame:
        """A plan for one column, one value a row."""

        def values(frame: pl.DataFrame) -> pl.DataFrame:
            adapter = PolarsAdapter(frame)
            return adapter.series(values_of(adapter), name).to_frame()

        return whole(self._frame, values, {name: pl.Float64()})

    def now(self) -> PolarsAdapter:
        """Run the plan and hold its rows."""
        return PolarsAdapter(self._frame.collect(), self._index)
