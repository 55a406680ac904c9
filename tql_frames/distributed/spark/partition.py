"""A partition of a Spark frame in a Python worker: Arrow batches, of which only columns that are named are converted.

Rows are taken from the batches as they came, so that every type that Spark hands over goes back as it is.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, ClassVar, Self, cast

import numpy as np
import polars as pl
import pyarrow as pa
from numpy.typing import NDArray

from tql_frames.compiler.expressions.scope import column, nulls_of
from tql_frames.compiler.expressions.types import inner
from tql_frames.compiler.statements import Relation, Scan
from tql_frames.errors import TQLError, TQLTypeError
from tql_frames.frames.base import ColumnRef
from tql_frames.frames.converted import ConvertedColumns, with_stand_ins
from tql_frames.frames.polars import evaluate
from tql_frames.sampling import Positions

_ROWS = 65_536  # of a batch that is handed over, at the most


class ArrowPartition:
    """A frame of Arrow batches.

    Examples:
        >>> part = ArrowPartition(pa.schema({"age": pa.int64()}), [pa.record_batch({"age": [71, 34, 65]})])
        >>> part.evaluate({"half": pl.col("age") / 2})["half"].to_list()
        [35.5, 17.0, 32.5]
        >>> [batch.to_pydict() for batch in part.batches_at(np.array([0, 2, 2]))]
        [{'age': [71, 65, 65]}]
    """

    is_streamed: ClassVar[bool] = False

    def __init__(self, schema: pa.Schema, batches: Sequence[pa.RecordBatch], rows: int | None = None) -> None:
        """Hold the batches; `rows` says how many rows they have where they have no columns."""
        self._batches = batches
        self.arrow = schema
        self.rows = sum(batch.num_rows for batch in batches) if rows is None else rows
        self._columns = _ArrowColumns(schema, batches)

    @property
    def schema(self) -> Mapping[str, pl.DataType]:
        """Polars type by column name; looking a type up converts its column."""
        return self._columns

    def evaluate(self, exprs: Mapping[str, pl.Expr]) -> pl.DataFrame:
        """Return values of expressions by name, one a row of the partition."""
        return evaluate(self._held(name for expr in exprs.values() for name in expr.meta.root_names()), exprs)

    def evaluate_batches(self, exprs: Mapping[str, pl.Expr]) -> Iterator[pl.DataFrame]:
        """Yield the same, in one part."""
        yield self.evaluate(exprs)

    def aggregate(self, exprs: Mapping[str, pl.Expr]) -> pl.DataFrame:
        """Return values of aggregations by name, in one row."""
        held = self._held(name for expr in exprs.values() for name in expr.meta.root_names())
        return held.lazy().select(**exprs).collect()

    def column(self, name: str) -> pl.Series:
        """Return a column of the partition."""
        return self._columns.series(name)

    def scan(self, names: frozenset[str] | None) -> Scan:
        """Return the partition for a statement; only the columns that it names are converted."""
        dtypes: dict[object, pl.DataType | TQLError] = {}
        for name in self._columns:
            if names is None or name in names:
                try:
                    dtypes[name] = self._columns[name]
                except TQLError as fault:
                    dtypes[name] = fault
        readable = [str(name) for name, dtype in dtypes.items() if not isinstance(dtype, TQLError)]
        hidden = [str(name) for name, dtype in dtypes.items() if isinstance(dtype, TQLError) and dtype.nulls_known]
        held = self._held([*readable, *map(nulls_of, hidden)])
        return Scan(with_stand_ins(held.lazy(), hidden), tuple(self.arrow.names), dtypes)

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

    def _held(self, names: Iterable[str]) -> pl.DataFrame:
        columns = {name: series for name in names if (series := self._columns.named(name)) is not None}
        return pl.DataFrame(columns or {"": pl.repeat(None, self.rows, dtype=pl.Null, eager=True)})


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


class _ArrowColumns(ConvertedColumns):
    """Columns of Arrow batches as Polars series."""

    is_streamed: ClassVar[bool] = False

    def __init__(self, schema: pa.Schema, batches: Sequence[pa.RecordBatch]) -> None:
        super().__init__(schema.names)
        self._arrow, self._batches = schema, batches

    def _convert(self, place: int, name: str) -> pl.Series:
        dtype = self._arrow.field(place).type
        values = pa.chunked_array([batch.column(place) for batch in self._batches], dtype)
        try:
            return cast("pl.DataFrame", pl.from_arrow(pa.table({name: values}))).to_series()
        except (
            Exception,
            pl.exceptions.PanicException,
        ) as fault:  # whatever Polars raises for a type
            reason = str(fault).splitlines()[0][:200] if str(fault) else None
            raise TQLTypeError(f"column {name!r} of type {dtype} cannot be read by a sampler", hint=reason) from None

    def _nulls(self, place: int, name: str) -> pl.Series:
        here = [batch.column(place).is_valid().to_numpy(zero_copy_only=False) for batch in self._batches]
        return pl.Series(name, np.concatenate([np.empty(0, np.bool_), *here])).replace(False, None)


def in_spark(dtype: pl.DataType) -> pl.DataType:
    """Return the type of Polars in which values go to Spark: integers of 128 bits, which Arrow lacks, as decimals."""
    if str(dtype).endswith("Int128"):
        return pl.Decimal(38, 0)
    return pl.List(in_spark(inner(dtype))) if isinstance(dtype, pl.List) else dtype


def _arrow(values: pl.Series, dtype: Any) -> pa.Array:
    """Return computed values as one Arrow array of a type that Spark reads."""
    kept = in_spark(values.dtype)
    found = (
        (values if kept == values.dtype else values.cast(kept)).rechunk().to_arrow(compat_level=pl.CompatLevel.oldest())
    )
    return found.cast(dtype) if found.type != dtype else found
