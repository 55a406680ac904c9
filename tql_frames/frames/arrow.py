"""Adapt tables of Arrow columns: only the columns that are named are converted, and rows are taken in Arrow."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from functools import partial
from importlib import import_module
from typing import TYPE_CHECKING, ClassVar, cast

import numpy as np
import polars as pl

from tql_frames.compiler.expressions.scope import column, nulls_of
from tql_frames.compiler.statements import Relation, Scan
from tql_frames.errors import TQLError, TQLTypeError
from tql_frames.frames.base import ColumnRef, Contents, Part
from tql_frames.frames.converted import ConvertedColumns, with_stand_ins
from tql_frames.frames.polars import HeldFrame, evaluate, free_index, picks_columns, plan_of
from tql_frames.sampling import Floats, Positions

if TYPE_CHECKING:
    import pyarrow as pa


class ArrowRows:
    """Rows of Arrow columns that can be weighed and queried; subclasses define how rows are taken.

    Attributes:
        arrow: the Arrow schema.
        rows: number of rows.
    """

    is_streamed: ClassVar[bool] = False

    def __init__(self, schema: pa.Schema, column_at: Callable[[int], pa.ChunkedArray], rows: int) -> None:
        """Store the function that returns a column by its position; no column is converted."""
        self.arrow = schema
        self.rows = rows
        self._columns = _ArrowColumns(schema, column_at)

    @property
    def schema(self) -> Mapping[str, pl.DataType]:
        """Polars type by column name; looking a type up converts its column."""
        return self._columns

    def evaluate(self, exprs: Mapping[str, pl.Expr]) -> pl.DataFrame:
        """Return values of expressions by name, one per row."""
        return evaluate(self._needed(exprs), exprs)

    def evaluate_batches(self, exprs: Mapping[str, pl.Expr]) -> Iterator[pl.DataFrame]:
        """Yield the values of expressions by name, in one part."""
        yield self.evaluate(exprs)

    def aggregate(self, exprs: Mapping[str, pl.Expr]) -> pl.DataFrame:
        """Return values of aggregations by name, in one row."""
        return self._needed(exprs).lazy().select(**exprs).collect()

    def column(self, name: str) -> pl.Series:
        """Return a column."""
        return self._columns.series(name)

    def scan(self, names: frozenset[str] | None) -> Scan:
        """Return the rows for a statement; only the columns that it names are converted."""
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

    def _needed(self, exprs: Mapping[str, pl.Expr]) -> pl.DataFrame:
        """Return the columns that expressions name."""
        if any(picks_columns(expr) for expr in exprs.values()):
            every = self.scan(None).dtypes
            return self._held(name for name in self._columns if not isinstance(every[name], TQLError))
        return self._held(name for expr in exprs.values() for name in expr.meta.root_names())

    def _held(self, names: Iterable[str]) -> pl.DataFrame:
        columns = {name: series for name in names if (series := self._columns.named(name)) is not None}
        return pl.DataFrame(columns or {"": pl.repeat(None, self.rows, dtype=pl.Null, eager=True)})


class ArrowFrame(ArrowRows, HeldFrame):
    """A pyarrow Table; `index` names the column of original row numbers, None for none."""

    kind: ClassVar[str] = "pyarrow Table"
    takes_by_number: ClassVar[bool] = True

    def __init__(self, table: pa.Table, index: str | None = None) -> None:
        """Store the table, which is immutable."""
        super().__init__(table.schema, table.column, table.num_rows)
        self._table = table
        self._index = index

    @property
    def native(self) -> pa.Table:
        """The table."""
        return self._table

    def take(self, positions: Positions, columns: Sequence[ColumnRef] | None = None) -> pa.Table:
        """Return rows at positions, in their order, with original row numbers as the first column."""
        return self._numbered(self._picked(positions, columns), positions, self._index)

    def _picked(self, positions: Positions, columns: Sequence[ColumnRef] | None) -> pa.Table:
        """Return the rows at positions, with the chosen columns under their labels."""
        chosen = self._table if columns is None else self._table.select([each.origin for each in columns])
        taken = _taken(chosen, import_module("pyarrow").array(positions))
        return taken if columns is None else taken.rename_columns([str(each.label) for each in columns])

    def _numbered(self, taken: pa.Table, positions: Positions, index: str | None) -> pa.Table:
        name = free_index(index, taken.column_names)
        if name is None:
            return taken
        return _with_column(taken, 0, name, pl.Series(positions, dtype=pl.get_index_type()).to_arrow())

    def take_with(self, positions: Positions, name: str, values: Floats) -> pa.Table:
        """Return the rows at positions with a further column, the last."""
        taken = self.take(positions)
        return _with_column(taken, taken.num_columns, name, import_module("pyarrow").array(values))

    def plan(self, relation: Relation, scan: Scan, index: str | None) -> pl.LazyFrame:
        """Return the plan of a relation: its row numbers and computed columns; the rest is taken from the table."""
        if relation.rows is not scan.rows or relation.row is None:
            return plan_of(relation, index)
        computed = [each for each in relation.fields if each.origin is None]
        for each in computed:
            if isinstance(each.dtype, TQLError):
                raise each.dtype
        return relation.plan.select([column(name) for name in (relation.row, *(each.key for each in computed))])

    def finish(self, relation: Relation, scan: Scan, index: str | None) -> pa.Table:
        """Run the plan of a relation; columns of the table are taken by row position, so they may have any type."""
        found = self.plan(relation, scan, index).collect()
        if relation.rows is not scan.rows or relation.row is None:
            return self._made(found)
        labels = [str(each.label) for each in relation.fields]
        index = free_index(index, labels, of="result")
        positions = found[relation.row].to_numpy().astype(np.int64)
        own = [ColumnRef(each.origin, each.label) for each in relation.fields if each.origin is not None]
        computed = {str(each.label): found[each.key] for each in relation.fields if each.origin is None}
        taken = self._beside(self._picked(positions, own), pl.DataFrame(computed), labels)
        return self._numbered(taken, positions, index)

    def _made(self, found: pl.DataFrame) -> pa.Table:
        """Return computed rows as a table of the library."""
        return found.to_arrow()

    def _beside(self, taken: pa.Table, computed: pl.DataFrame, labels: Sequence[str]) -> pa.Table:
        """Return rows with their own and the computed columns, in the order of labels."""
        if not computed.width:
            return taken
        columns = iter(taken.columns)
        arrays = self._made(computed)
        found = [arrays.column(name) if name in computed.columns else next(columns) for name in labels]
        return import_module("pyarrow").table(found, names=list(labels))

    def read(self, names: Sequence[str], positions: Positions) -> pl.DataFrame:
        """Return columns by name of the rows at positions, in their order."""
        return pl.DataFrame({name: self._columns.once(name)[positions] for name in names})

    def contents(self) -> Iterator[Contents]:
        """Yield all rows; a column is converted when it is requested, and not kept."""
        yield Contents([Part(name, partial(self._columns.once, name)) for name in self.arrow.names], [])


class _ArrowColumns(ConvertedColumns):
    """Columns of Arrow as Polars series."""

    def __init__(self, schema: pa.Schema, column_at: Callable[[int], pa.ChunkedArray]) -> None:
        super().__init__(schema.names)
        self._arrow, self._column_at = schema, column_at

    def _convert(self, place: int, name: str) -> pl.Series:
        pa = import_module("pyarrow")
        dtype = self._arrow.field(place).type
        try:
            # As a table: from an array alone Polars 1.30 reads large lists of text wrongly, or kills the process.
            table = pa.table({name: _decoded(self._column_at(place))})
            return cast("pl.DataFrame", pl.from_arrow(table, rechunk=False)).to_series()
        except (Exception, pl.exceptions.PanicException) as fault:  # Polars raises different errors by type
            reason = str(fault).splitlines()[0][:200] if str(fault) else None
            raise TQLTypeError(f"column {name!r} of type {dtype} cannot be read by a sampler", hint=reason) from None

    def _nulls(self, place: int, name: str) -> pl.Series:
        here = _decoded(self._column_at(place)).is_valid().to_numpy()
        return pl.Series(name, here).replace(False, None)


def _with_column(table: pa.Table, place: int, name: str, values: pa.Array) -> pa.Table:
    """Return a table with one more column; a table without columns has lost its number of rows in Arrow's `take`."""
    if table.num_columns:
        return table.add_column(place, name, values)
    return import_module("pyarrow").table({name: values}).replace_schema_metadata(table.schema.metadata)


_PIECE = 2**30  # bytes of rows, about: arrays of text with offsets of 32 bits hold twice as much


def _taken(table: pa.Table, rows: pa.Array) -> pa.Table:
    """Return rows of a table, in several chunks if the text of one array would exceed what Arrow can address."""
    pa = import_module("pyarrow")
    try:
        return table.take(rows)
    except pa.ArrowNotImplementedError:
        columns = [_column_taken(column, rows) for column in table.columns]
        return pa.Table.from_arrays(columns, schema=table.schema)
    except pa.ArrowInvalid as fault:
        if len(rows) / table.num_rows * table.nbytes <= _PIECE:  # the size of the result is not the reason
            raise TQLError(f"the rows cannot be taken from the table: {fault}") from None
        half = len(rows) // 2
        return pa.concat_tables([_taken(table, rows[:half]), _taken(table, rows[half:])])


def _column_taken(column: pa.ChunkedArray, rows: pa.Array) -> pa.ChunkedArray:
    """Return rows of a column, also if Arrow's `take` does not support its type, such as text in views.

    Raises:
        TQLError: the column cannot be converted to a supported type and back.
    """
    pa = import_module("pyarrow")
    with suppress(pa.ArrowNotImplementedError):
        return column.take(rows)
    wanted = column.type
    try:
        if pa.types.is_run_end_encoded(wanted):
            found = _column_taken(_decoded(column), rows)
            encode = import_module("pyarrow.compute").run_end_encode
            chunks = [encode(chunk, run_end_type=wanted.run_end_type) for chunk in found.chunks]
            return pa.chunked_array(chunks, wanted)
        return column.cast(_without_views(wanted)).take(rows).cast(wanted)
    except pa.ArrowException as fault:
        message = f"rows of a column of type {wanted} cannot be taken: {fault}"
        raise TQLError(message, hint="leave the column out, or cast it first") from None


def _decoded(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Return a run-end encoded column with one value per row; any other column unchanged."""
    pa = import_module("pyarrow")
    if not pa.types.is_run_end_encoded(column.type):
        return column
    decode = import_module("pyarrow.compute").run_end_decode
    return pa.chunked_array([decode(chunk) for chunk in column.chunks], column.type.value_type)


def _without_views(dtype: pa.DataType) -> pa.DataType:
    """Return a type with contiguous text and bytes instead of views."""
    pa = import_module("pyarrow")
    types = pa.types
    if types.is_string_view(dtype):
        return pa.large_string()
    if types.is_binary_view(dtype):
        return pa.large_binary()
    if types.is_list(dtype) or types.is_large_list(dtype):
        make = pa.list_ if types.is_list(dtype) else pa.large_list
        return make(dtype.value_field.with_type(_without_views(dtype.value_type)))
    if types.is_fixed_size_list(dtype):
        return pa.list_(dtype.value_field.with_type(_without_views(dtype.value_type)), dtype.list_size)
    if types.is_struct(dtype):
        return pa.struct([field.with_type(_without_views(field.type)) for field in dtype])
    return dtype
