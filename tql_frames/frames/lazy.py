"""Polars LazyFrame: what is done to its rows is put into the plan and runs at `collect`.

Eager Polars frames are in `polars`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
import polars as pl
from numpy.typing import NDArray

from tql_frames.frames.base import Adapter, Positions
from tql_frames.frames.polars import PolarsAdapter, with_index


class LazyAdapter:
    """A Polars LazyFrame; `index` names the column of original row numbers, None for none."""

    def __init__(self, frame: pl.LazyFrame, index: str | None = None) -> None:
        """Hold the plan and resolve its schema; nothing runs."""
        self._frame = frame
        self._index = index
        self._schema = frame.collect_schema()

    @property
    def schema(self) -> Mapping[str, pl.DataType]:
        """Polars type by column name, known without running anything."""
        return self._schema

    def then_take(self, positions_of: Callable[[Adapter], Positions]) -> pl.LazyFrame:
        """A plan for the rows at the positions that are found once the rows are there."""
        index = self._index

        def take(frame: pl.DataFrame) -> pl.DataFrame:
            adapter = PolarsAdapter(frame, index)
            return adapter.take(positions_of(adapter))

        return self._then(take, with_index(self._schema, index))

    def then_series(self, values_of: Callable[[Adapter], NDArray[np.float64]], name: str) -> pl.LazyFrame:
        """A plan for one column, one value a row."""

        def values(frame: pl.DataFrame) -> pl.DataFrame:
            adapter = PolarsAdapter(frame)
            return adapter.series(values_of(adapter), name).to_frame()

        return self._then(values, {name: pl.Float64()})

    def now(self) -> PolarsAdapter:
        """Run the plan and hold its rows."""
        return PolarsAdapter(self._frame.collect(), self._index)

    def _then(self, step: Callable[[pl.DataFrame], pl.DataFrame], schema: Mapping[str, pl.DataType]) -> pl.LazyFrame:
        # Nothing may be pushed past the draw: a filter or slice after it is of the sample, not of the population.
        # Columns stay too, since the step must see those that the sampler names whatever is selected afterwards.
        return self._frame.map_batches(
            step,
            predicate_pushdown=False,
            projection_pushdown=False,
            slice_pushdown=False,
            schema=pl.Schema(schema),
        )
