"""A partition of a Spark frame or a Ray dataset in a worker: Arrow batches; only columns that are named are converted.

Rows are taken from the batches as they came, so that every type that the engine hands over goes back as it is.
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

_ROWS = 65_536  # of a batch that is handed over, at the most


class ArrowPartition(ArrowRows):
    """A frame of Arrow batches.

    Examples:
        >>> part = ArrowPartition(pa.schema({"age": pa.int64()}), [pa.record_batch({"age": [71, 34, 65]})])
        >>> part.evaluate({"half": pl.col("age") / 2})["half"].to_list()
        [35.5, 17.0, 32.5]
        >>> [batch.to_pydict() for batch in part.batches_at(np.array([0, 2, 2]))]
        [{'age': [71, 65, 65]}]
    """

    def __init__(self, schema: pa.Schema, batches: Sequence[pa.RecordBatch], rows: int | None = None) -> None:
        """Hold the batches; `rows` says how many rows they have where they have no columns."""
        self._batches = batches
        count = sum(batch.num_rows for batch in batches) if rows is None else rows
        super().__init__(schema, self._column_at, count)

    def _column_at(self, place: int) -> pa.ChunkedArray:
        return pa.chunked_array([batch.column(place) for batch in self._batches], self.arrow.field(place).type)

    def plan(self, relation: Relation, scan: Scan, index: str | None) -> pl.LazyFrame:
        """Return what runs for a relation: its row numbers and what is computed; the rest is taken from the batches."""
        assert relation.row is not None
        computed = [each for each in relation.fields if each.origin is None]
        for each in computed:
            if isinstance(each.dtype, TQLError):
                raise each.dtype
        return relation.plan.select([column(name) for name in (relation.row, *(each.key for each in computed))])

    def finish(self, relation: Relation, scan: Scan, index: str | None) -> PartitionRows:
        """Return the rows and columns of a relation, which are rows of the partition in their order."""
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
        """Return one value a row."""
        return pa.array(values_of(self))

    def with_last(self, name: str, values: pa.Array) -> Iterator[pa.RecordBatch]:
        """Yield the batches with a further column of one value a row."""
        first = 0
        for batch in self._batches:
            arrays = [*batch.columns, values.slice(first, batch.num_rows)]
            yield pa.RecordBatch.from_arrays(arrays, names=[*batch.schema.names, name])
            first += batch.num_rows

    def batches_at(self, positions: Positions, places: Sequence[int] | None = None) -> Iterator[pa.RecordBatch]:
        """Yield columns of the rows at ascending positions, a batch or a part of one at a time."""
        first = 0
        for batch in self._batches:
            begin, end = positions.searchsorted([first, first + batch.num_rows])
            chosen = batch if places is None else batch.select(list(places))
            for start in range(begin, end, _ROWS):
                rows = positions[start : min(start + _ROWS, end)].astype(np.int64) - first
                yield chosen.take(pa.array(rows))
            first += batch.num_rows


class PartitionRows:
    """Rows of a partition, some columns of its own and some that were computed, by their places; -1 for the latter."""

    def __init__(
        self, part: ArrowPartition, positions: Positions, places: Sequence[int], computed: Mapping[int, pl.Series]
    ) -> None:
        """Note them."""
        self._part, self.positions, self._places, self._computed = part, positions, places, computed

    def batches(self, schema: pa.Schema, start: int | None) -> Iterator[pa.RecordBatch]:
        """Yield the rows in batches.

        Args:
            schema: of what is handed over; computed columns are cast to it.
            start: number of the first row of the partition, for a first column of row numbers; None for none.
        """
        first = 0 if start is None else 1
        computed = {place: _arrow(each, schema.field(first + place).type) for place, each in self._computed.items()}
        own = [place for place in self._places if place >= 0]
        done = 0
        # With no column of its own a batch has rows all the same.
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
    """Return the rows that a partition gives to a sample, as a schema and batches.

    Args:
        part: the partition.
        job: the sampler or split.
        share: what is drawn from the partition.
        index: name of a first column of row numbers, or None.
        expected: name of a last column of how often each row was to be expected, or None.

    Raises:
        TQLError: the partition holds other rows than when it was counted.
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
    """Return the type of Polars in which values go to Arrow: integers of 128 bits, which it lacks, as decimals."""
    if str(dtype).endswith("Int128"):
        return pl.Decimal(38, 0)
    return pl.List(in_arrow(inner(dtype))) if isinstance(dtype, pl.List) else dtype


def _arrow(values: pl.Series, dtype: Any) -> pa.Array:
    """Return computed values as one Arrow array of a type that the engine reads."""
    kept = in_arrow(values.dtype)
    found = (
        (values if kept == values.dtype else values.cast(kept)).rechunk().to_arrow(compat_level=pl.CompatLevel.oldest())
    )
    return found.cast(dtype) if found.type != dtype else found
