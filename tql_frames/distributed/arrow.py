"""Adapt the Arrow batches of a partition of Spark or Ray: only named columns are converted, rows are taken in Arrow.

The batches are not converted, so columns keep the types of the engine. `spark` and `ray` run the passes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Self

import numpy as np
import polars as pl
import pyarrow as pa
from numpy.typing import NDArray

from tql_frames.compiler.expressions.scope import column
from tql_frames.compiler.expressions.types import inner
from tql_frames.compiler.statements import Relation, Scan
from tql_frames.distributed.assignment import PartitionDraw
from tql_frames.distributed.sampler import Sampler
from tql_frames.distributed.splitting import Splitting
from tql_frames.errors import TQLError
from tql_frames.frames.arrow import ArrowRows
from tql_frames.frames.base import ColumnRef
from tql_frames.sampling import Positions

_ROWS = 65_536  # most rows of a batch that is passed to the engine


class ArrowPartition(ArrowRows):
    """Rows of a partition in Arrow batches.

    Examples:
        >>> part = ArrowPartition(pa.schema({"age": pa.int64()}), [pa.record_batch({"age": [71, 34, 65]})])
        >>> part.evaluate({"half": pl.col("age") / 2})["half"].to_list()
        [35.5, 17.0, 32.5]
        >>> [batch.to_pydict() for batch in part.batches_at(np.array([0, 2, 2]))]
        [{'age': [71, 65, 65]}]
    """

    def __init__(self, schema: pa.Schema, batches: Sequence[pa.RecordBatch], rows: int | None = None) -> None:
        """Store the batches; `rows` is their number of rows, which is needed if they have no columns."""
        self._batches = batches
        count = sum(batch.num_rows for batch in batches) if rows is None else rows
        super().__init__(schema, self._column_at, count)

    def _column_at(self, place: int) -> pa.ChunkedArray:
        return pa.chunked_array([batch.column(place) for batch in self._batches], self.arrow.field(place).type)

    def plan(self, relation: Relation, scan: Scan, index: str | None) -> pl.LazyFrame:
        """Return a plan for the row numbers and computed columns of a relation; the batches have its other columns."""
        assert relation.row is not None
        computed = [each for each in relation.fields if each.origin is None]
        for each in computed:
            if isinstance(each.dtype, TQLError):
                raise each.dtype
        return relation.plan.select([column(name) for name in (relation.row, *(each.key for each in computed))])

    def finish(self, relation: Relation, scan: Scan, index: str | None) -> PartitionRows:
        """Return the rows and columns of a relation, whose rows are rows of the partition in table order."""
        found = self.plan(relation, scan, index).collect()
        positions = found.to_series(0).to_numpy()
        computed = {place: found[each.key] for place, each in enumerate(relation.fields) if each.origin is None}
        columns = [-1 if each.origin is None else each.origin for each in relation.fields]
        return PartitionRows(self, positions, columns, computed)

    def take(self, positions: Positions, columns: Sequence[ColumnRef] | None = None) -> PartitionRows:
        """Return rows at ascending positions."""
        places = range(len(self.arrow)) if columns is None else [each.origin for each in columns]
        return PartitionRows(self, positions, list(places), {})

    def series(self, values_of: Callable[[Self], NDArray[np.float64]], name: str) -> pa.Array:
        """Return an Arrow array with one value per row."""
        return pa.array(values_of(self))

    def with_last(self, name: str, values: pa.Array) -> Iterator[pa.RecordBatch]:
        """Yield the batches with a last column that has one value per row."""
        first = 0
        for batch in self._batches:
            arrays = [*batch.columns, values.slice(first, batch.num_rows)]
            yield pa.RecordBatch.from_arrays(arrays, names=[*batch.schema.names, name])
            first += batch.num_rows

    def batches_at(self, positions: Positions, places: Sequence[int] | None = None) -> Iterator[pa.RecordBatch]:
        """Yield the rows at ascending positions in batches of at most 65,536 rows; by default with all columns."""
        first = 0
        for batch in self._batches:
            begin, end = positions.searchsorted([first, first + batch.num_rows])
            chosen = batch if places is None else batch.select(list(places))
            for start in range(begin, end, _ROWS):
                rows = positions[start : min(start + _ROWS, end)].astype(np.int64) - first
                yield chosen.take(pa.array(rows))
            first += batch.num_rows


class PartitionRows:
    """Rows of a partition with some of its columns and some computed columns."""

    def __init__(
        self, part: ArrowPartition, positions: Positions, places: Sequence[int], computed: Mapping[int, pl.Series]
    ) -> None:
        """Store the rows and columns.

        Args:
            part: the partition.
            positions: row positions in the partition, ascending.
            places: for each column of the result its position in the partition; -1 for a computed column.
            computed: computed columns by their position in the result.
        """
        self._part, self.positions, self._places, self._computed = part, positions, places, computed

    def batches(self, schema: pa.Schema, start: int | None) -> Iterator[pa.RecordBatch]:
        """Yield the rows in batches.

        Args:
            schema: schema of the batches; computed columns are cast to its types.
            start: number of the first row of the partition, for a first column of row numbers; None for no such column.
        """
        first = 0 if start is None else 1
        computed = {place: _arrow(each, schema.field(first + place).type) for place, each in self._computed.items()}
        own = [place for place in self._places if place >= 0]
        done = 0
        # Without columns of the partition all are taken, for the number of rows of each batch.
        for batch in self._part.batches_at(self.positions, own or None):
            rows = slice(done, done + batch.num_rows)
            columns = iter(batch.columns)
            arrays = [] if start is None else [pa.array(self.positions[rows].astype(np.int64) + start)]
            for place, origin in enumerate(self._places):
                arrays.append(next(columns) if origin >= 0 else computed[place][rows])
            yield pa.RecordBatch.from_arrays(arrays, names=schema.names)
            done += batch.num_rows


def taken(
    part: ArrowPartition, job: Sampler | Splitting, share: PartitionDraw, index: str | None, expected: str | None = None
) -> tuple[pa.Schema, Iterator[pa.RecordBatch]]:
    """Return the rows that were drawn from a partition, as a schema and batches.

    Args:
        part: the partition.
        job: the sampler or split.
        share: the share of the partition.
        index: name of a first column of row numbers, or None.
        expected: name of a last column with the expected draws of each row, or None.

    Raises:
        TQLError: the partition has other rows than when it was counted.
    """
    positions, times = job.positions_and_expected(part, share)
    places, fields = range(len(part.arrow)), [*part.arrow]
    rows = part.take(positions)
    if expected is not None:
        rows = PartitionRows(part, positions, [*places, -1], {len(places): pl.Series(times)})
        fields.append(pa.field(expected, pa.float64()))
    schema = pa.schema([*([] if index is None else [pa.field(index, pa.int64())]), *fields])
    return schema, rows.batches(schema, None if index is None else share.first)


def in_arrow(dtype: pl.DataType) -> pl.DataType:
    """Return the Polars type to convert a type to Arrow by: decimals for integers of 128 bits, which Arrow lacks."""
    if str(dtype).endswith("Int128"):
        return pl.Decimal(38, 0)
    return pl.List(in_arrow(inner(dtype))) if isinstance(dtype, pl.List) else dtype


def _arrow(values: pl.Series, dtype: Any) -> pa.Array:
    """Return computed values as one Arrow array of a type."""
    kept = in_arrow(values.dtype)
    found = (
        (values if kept == values.dtype else values.cast(kept)).rechunk().to_arrow(compat_level=pl.CompatLevel.oldest())
    )
    return found.cast(dtype) if found.type != dtype else found
