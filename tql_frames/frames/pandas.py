"""Adapt a pandas DataFrame: rows are taken by position, and only the columns that a sampler names are converted.

All missing values of pandas, including NaN in NumPy floats, are read as null.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any, ClassVar, cast

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
from numpy.typing import NDArray

from tql_frames.compiler.expressions.scope import column
from tql_frames.compiler.statements import Relation, Scan
from tql_frames.errors import TQLError, TQLTypeError
from tql_frames.frames.base import ColumnRef, Contents, Part, Rows
from tql_frames.frames.converted import ConvertedColumns, with_stand_ins
from tql_frames.frames.polars import check_process, evaluate, picks_columns
from tql_frames.sampling import Floats, Positions, cores, in_threads
from tql_frames.sampling.rng import Blocks, over_blocks

_LARGE = 100_000  # rows from which on threads are faster


class PandasFrame:
    """A pandas DataFrame; `ignore_index` numbers the rows of a sample from 0, as in pandas."""

    kind: ClassVar[str] = "pandas DataFrame"
    keeps_labels: ClassVar[bool] = True
    takes_by_number: ClassVar[bool] = True
    is_lazy: ClassVar[bool] = False
    is_streamed: ClassVar[bool] = False
    why_collected: ClassVar[str | None] = None

    def __init__(self, frame: pd.DataFrame, ignore_index: bool = False) -> None:
        """Store the frame; it is never modified."""
        self._frame = frame
        self._ignore_index = ignore_index
        self._columns = _Columns(frame)

    @property
    def rows(self) -> int:
        """Number of rows."""
        return len(self._frame)

    @property
    def schema(self) -> Mapping[str, pl.DataType]:
        """Polars type by column name; looking a type up converts its column."""
        return self._columns

    def evaluate(self, exprs: Mapping[str, pl.Expr]) -> pl.DataFrame:
        """Return values of expressions by name, one per row of the frame."""
        if any(picks_columns(expr) for expr in exprs.values()):
            return evaluate(self._columns.everything(), exprs)
        for expr in exprs.values():
            self._columns.convert(expr.meta.root_names())
        return evaluate(self._columns.converted(), exprs)

    def evaluate_batches(self, exprs: Mapping[str, pl.Expr]) -> Iterator[pl.DataFrame]:
        """Yield the values of expressions by name, in one part."""
        yield self.evaluate(exprs)

    def aggregate(self, exprs: Mapping[str, pl.Expr]) -> pl.DataFrame:
        """Return values of aggregations by name, in one row."""
        for expr in exprs.values():
            self._columns.convert(expr.meta.root_names())
        return self._columns.converted().lazy().select(**exprs).collect()

    def column(self, name: str) -> pl.Series:
        """Return a column of the frame; integers and floats of NumPy are not copied."""
        self._columns.convert([name])
        return self._columns.converted()[name]

    def scan(self, names: frozenset[str] | None) -> Scan:
        """Return the frame for a statement; only the columns that it names are converted."""
        dtypes: dict[object, pl.DataType | TQLError] = {}
        stand_ins = []
        for name in self._columns:
            if names is None or name in names:
                label = self._columns.labels[name]
                try:
                    dtypes[label] = self._columns[name]
                except TQLError as fault:
                    dtypes[label] = fault
                    if fault.nulls_known:
                        self._columns.stand_in(name)
                        stand_ins.append(name)
        if names is None:
            for label in self._frame.columns:
                if label not in dtypes:
                    message = f"column {label!r} has the same name as another column if it is written as text"
                    dtypes[label] = TQLTypeError(message, hint="rename it, or select other columns")
        return Scan(with_stand_ins(self._columns.converted().lazy(), stand_ins), tuple(self._frame.columns), dtypes)

    def plan(self, relation: Relation, scan: Scan, index: str | None) -> pl.LazyFrame:
        """Return the plan of a relation: its row numbers and computed columns; the rest is taken from the frame."""
        assert relation.row is not None
        own = relation.rows is scan.rows
        computed = [each for each in relation.fields if not (own and each.origin is not None)]
        for each in computed:
            if isinstance(each.dtype, TQLError):
                raise each.dtype
        return relation.plan.select([column(name) for name in (relation.row, *(each.key for each in computed))])

    def finish(self, relation: Relation, scan: Scan, index: str | None) -> pd.DataFrame:
        """Run the plan of a relation; columns of the frame are taken by row position, so they may have any type."""
        assert relation.row is not None
        found = self.plan(relation, scan, index).collect()
        positions = found[relation.row].to_numpy().astype(np.int64)
        own = relation.rows is scan.rows
        frame = self._own(relation, positions) if own else pd.DataFrame(index=_row_labels(positions))
        for place, each in enumerate(relation.fields):
            if not (own and each.origin is not None):
                frame.insert(place, each.label, _to_pandas(found[each.key], frame.index), allow_duplicates=True)
        return self._flagged(frame)

    def _own(self, relation: Relation, positions: Positions) -> pd.DataFrame:
        """Return the columns of a relation that are columns of the frame."""
        columns = [ColumnRef(each.origin, each.label) for each in relation.fields if each.origin is not None]
        return self._pick(columns, positions)

    def _pick(self, columns: Sequence[ColumnRef], positions: Positions) -> pd.DataFrame:
        """Return the rows at positions, with the chosen columns under their labels."""
        places = [each.origin for each in columns]
        frame = self._relaxed()
        every = places == list(range(frame.shape[1]))
        chosen = frame if every else frame.take(places, axis=1)
        taken = chosen.take(positions)
        labels = [each.label for each in columns]
        if labels != list(taken.columns):
            taken.columns = pd.Index(labels, name=taken.columns.name if taken.columns.nlevels == 1 else None)
        return taken

    def take(self, positions: Positions, columns: Sequence[ColumnRef] | None = None) -> pd.DataFrame:
        """Return rows at positions, in their order, with their index labels."""
        if columns is not None:
            taken = self._pick(columns, positions)
        else:
            frame = self._relaxed()
            taken = _take_in_threads(frame, positions) if _is_large(frame, positions) else frame.take(positions)
        return self._flagged(taken.reset_index(drop=True) if self._ignore_index else taken)

    def take_with(self, positions: Positions, name: str, values: Floats) -> pd.DataFrame:
        """Return the rows at positions with a further column, the last."""
        return with_column(self.take(positions), name, values)

    def _relaxed(self) -> pd.DataFrame:
        """Return the frame without its flag against duplicate labels, which may occur until a sample is complete."""
        if self._frame.flags.allows_duplicate_labels:
            return self._frame
        return self._frame.set_flags(allows_duplicate_labels=True)

    def _flagged(self, taken: pd.DataFrame) -> pd.DataFrame:
        """Return rows with the flag of the frame.

        Raises:
            TQLError: the frame allows no duplicate labels, and rows repeat.
        """
        if self._frame.flags.allows_duplicate_labels:
            return taken
        try:
            return taken.set_flags(allows_duplicate_labels=False)
        except pd.errors.DuplicateLabelError:
            message = "the sample repeats rows, and the frame does not allow duplicate labels"
            hint = "use replace=False or ignore_index=True, or set_flags(allows_duplicate_labels=True) on the frame"
            raise TQLError(message, hint=hint) from None

    def series(self, values_of: Callable[[Rows], NDArray[np.float64]], name: str) -> pd.Series:
        """Return one value per row, with the index of the frame."""
        return pd.Series(values_of(self), index=self._frame.index, name=name, copy=True)  # they may be the frame's own

    @property
    def native(self) -> pd.DataFrame:
        """The frame."""
        return self._frame.copy(deep=False)

    def read(self, names: Sequence[str], positions: Positions) -> pl.DataFrame:
        """Return columns by name of the rows at positions, in their order."""
        return pl.DataFrame({name: self._columns.once(name)[positions] for name in names})

    def batches(self, positions: Positions, columns: Sequence[ColumnRef] | None, size: int) -> Iterator[pd.DataFrame]:
        """Yield rows at positions, at most `size` at a time; with `ignore_index`, numbers continue across frames."""
        for start in range(0, len(positions), size):
            batch = self.take(positions[start : start + size], columns)
            if self._ignore_index:
                batch.index = pd.RangeIndex(start, start + len(batch))
            yield batch

    def take_lazy(
        self, positions_of: Callable[[Rows], Positions], columns: Sequence[ColumnRef] | None = None
    ) -> pd.DataFrame:
        """Return the rows at positions immediately."""
        return self.take(positions_of(self), columns)

    def collect(self) -> PandasFrame:
        """Return the adapter itself; the rows are already in memory."""
        return self

    def labels(self, positions: Positions) -> pd.Index:
        """Return index labels, or numbers from 0."""
        return pd.RangeIndex(len(positions)) if self._ignore_index else self._frame.index.take(positions)

    def tally(self, positions: Positions, counts: NDArray[np.int64]) -> pd.Series:
        """Return how often rows were drawn, by their labels in the frame."""
        return pd.Series(counts, index=self._frame.index.take(positions), name="count")

    def contents(self) -> Iterator[Contents]:
        """Yield all rows; a column is converted when it is requested, and not kept."""
        index = self._frame.index
        yield Contents(
            [
                Part(label, partial(polars_series, self._frame.iloc[:, place], label))
                for place, label in enumerate(self._frame.columns)
            ],
            [Part(level, partial(_level, index, level)) for level in range(index.nlevels)],
        )

    def categories(self, name: str) -> list[Any] | None:
        """Return the categories that a column declares, in their order; None if it is not a Categorical."""
        dtype = self._frame.iloc[:, list(self._frame.columns).index(name)].dtype
        return dtype.categories.tolist() if isinstance(dtype, pd.CategoricalDtype) else None


class _Columns(ConvertedColumns):
    """Columns of a pandas frame as Polars series."""

    def __init__(self, frame: pd.DataFrame) -> None:
        super().__init__(frame.columns)
        self._frame = frame
        # Access by name is faster than by position; but in an index of dates, a name may be a part of a date, and in
        # an index of levels, it may cover several columns.
        plain = type(frame) is pd.DataFrame and type(frame.columns) is pd.Index
        self._by_name = frame.columns if plain and frame.columns.is_unique else pd.Index([])

    def __contains__(self, name: object) -> bool:
        return name in self._by_name or super().__contains__(name)  # the first without a look at all labels

    def _place(self, name: str) -> int:
        return cast("int", self._by_name.get_loc(name)) if name in self._by_name else super()._place(name)

    def convert(self, names: Iterable[str]) -> None:
        """Convert the columns among these names."""
        for name in names:
            self.named(name)

    def converted(self) -> pl.DataFrame:
        """Return the columns converted so far; if there are none, one column of nulls of the same length."""
        columns = {**self._converted, **{each.name: each for each in self._stand_ins.values()}}
        if len(columns) == 1:  # which Polars makes sooner without the dictionary
            ((name, only),) = columns.items()
            return only.to_frame(name)
        return pl.DataFrame(columns or {"": pl.repeat(None, len(self._frame), dtype=pl.Null, eager=True)})

    def everything(self) -> pl.DataFrame:
        """Return all columns with a unique text as name; those without a Polars type as Python objects."""
        columns = {}
        for name, places in self._places.items():
            if len(places) > 1 or not isinstance(self.labels[name], str):
                continue
            try:
                columns[name] = self.series(name)
            except TQLTypeError:
                columns[name] = pl.Series(list(self._frame.iloc[:, places[0]]), dtype=pl.Object)
        return pl.DataFrame(columns) if columns else self.converted()

    def _convert(self, place: int, name: str) -> pl.Series:
        return polars_series(self._frame[name] if name in self._by_name else self._frame.iloc[:, place], name)

    def _nulls(self, place: int, name: str) -> pl.Series:
        here = np.asarray(self._frame.iloc[:, place].notna(), np.bool_)
        return pl.Series(name, here).replace(False, None)


def pandas_frame_of(
    frame: pd.DataFrame, index: str | None = None, ignore_index: bool = False, *, kept: bool = False
) -> PandasFrame:
    """Return the adapter of a pandas DataFrame; see `frame_of` for arguments and errors."""
    check_process()
    if index not in (None, "index"):
        raise TQLError("a pandas frame keeps its own index; index= names a column of Polars frames")
    return PandasFrame(frame.copy(deep=False) if kept else frame, ignore_index)


def with_column(frame: pd.DataFrame, name: str, values: Floats) -> pd.DataFrame:
    """Return a frame with one more column, the last; the frame is not modified."""
    found = frame.copy(deep=False)
    levels = frame.columns.nlevels
    found[name if levels == 1 else (name, *[""] * (levels - 1))] = values
    return found


def polars_series(column: pd.Series, label: object) -> pl.Series:
    """Return a column as a Polars series.

    Raises:
        TQLTypeError: its values have no common Polars type; the error names the column.
    """
    dtype = column.dtype
    name = label if isinstance(label, str) else ""
    if isinstance(dtype, np.dtype) and dtype.kind in "iu" and dtype.isnative:  # which have no nulls to be found
        return pl.Series(name, column.to_numpy())
    if isinstance(dtype, pd.SparseDtype):
        column = pd.Series(np.asarray(column))  # dense
    try:
        # As a table: from an array alone Polars 1.30 reads large lists of text wrongly, or kills the process.
        table = pa.table({name: _arrow(column)})
        return cast("pl.DataFrame", pl.from_arrow(table, rechunk=False)).to_series()
    except (Exception, pl.exceptions.PanicException) as fault:  # extension types of other libraries raise any error
        reason = f"its values have no common Polars type: {str(fault).splitlines()[0][:200]}" if str(fault) else None
        message = f"column {label!r} of dtype {dtype} cannot be read by a sampler"
        raise TQLTypeError(message, hint=reason) from None


def _arrow(column: pd.Series) -> pa.Array | pa.ChunkedArray:
    if isinstance(column.dtype, pd.DatetimeTZDtype):
        # Arrow's own conversion requests values without a time zone, for which pandas 3.1 warns.
        zone = pa.lib.tzinfo_to_string(column.dtype.tz)
        return pa.array(column.dt.tz_convert(None), from_pandas=True).view(pa.timestamp(column.dtype.unit, zone))
    try:
        found = pa.array(column, from_pandas=True)
    except pa.ArrowException:
        if column.dtype != np.object_:
            raise
        return pa.array([_listed(each) for each in column], from_pandas=True)
    lists = pa.types.is_list(found.type) or pa.types.is_large_list(found.type)
    if column.dtype != np.object_ or not (lists and pa.types.is_floating(_innermost(found.type))):
        return found
    # Arrow converts Booleans to numbers beside an empty array of floats, such as `np.array([])`.
    cells = list(column)
    listed = [_listed(each) for each in cells]
    if all(one is other for one, other in zip(cells, listed, strict=True)):
        return found
    other = pa.array(listed, from_pandas=True)
    return found if pa.types.is_null(_innermost(other.type)) else other


def _listed(cell: object) -> object:
    """Return a cell with empty NumPy arrays as lists, so that their type does not affect the elements beside them."""
    if isinstance(cell, np.ndarray):
        return [] if not cell.size else cell
    if isinstance(cell, list) and cell and isinstance(cell[0], (list, np.ndarray)):
        return [_listed(each) for each in cell]
    return cell


def _innermost(dtype: pa.DataType) -> pa.DataType:
    """Return the type of the elements of lists, of any number of dimensions; any other type unchanged."""
    while pa.types.is_list(dtype) or pa.types.is_large_list(dtype):
        dtype = dtype.value_type
    return dtype


def _is_large(frame: pd.DataFrame, positions: Positions) -> bool:
    """Return whether it is faster to copy rows in threads; never for subclasses, whose constructors may differ."""
    if len(positions) < _LARGE or frame.shape[1] < 2 or type(frame) is not pd.DataFrame:
        return False
    return all(dtype != np.object_ for dtype in frame.dtypes)  # pandas would read objects to infer a type


def _take_in_threads(frame: pd.DataFrame, positions: Positions) -> pd.DataFrame:
    """Return the result of `frame.take`, computed on all cores."""
    index, labels = frame.index, _unread_labels(frame.index, positions)
    start, step = (index.start, index.step) if isinstance(index, pd.RangeIndex) else (0, 1)
    extended = [place for place, dtype in enumerate(frame.dtypes) if not isinstance(dtype, np.dtype)]
    columns: dict[int, Any] = {}
    if labels is None or extended:
        # First, before the other columns are allocated: pandas needs all positions in eight bytes each.
        indexer = positions.astype(np.intp)
        columns = _by_pandas(frame, extended, indexer)
        index = index.take(indexer) if labels is None else index
        del indexer
    found = {place: frame.iloc[:, place].to_numpy() for place in range(frame.shape[1]) if place not in columns}
    columns |= {place: np.empty(len(positions), values.dtype) for place, values in found.items()}

    def run(blocks: Blocks) -> None:
        for first, stop in blocks:
            some = np.empty(stop - first, np.intp) if labels is None else labels[first:stop]
            some[:] = positions[first:stop]
            for place, values in found.items():
                if values.flags.c_contiguous:
                    values.take(some, out=columns[place][first:stop], mode="clip")  # "raise" would copy once more
                else:
                    columns[place][first:stop] = values[some]  # `take` would copy the whole column
            if (start, step) != (0, 1) and labels is not None:
                some *= step
                some += start

    over_blocks(len(positions) if found or labels is not None else 0, run)
    if labels is not None:
        index = pd.Index(labels, name=index.name, copy=False)
    taken = pd.DataFrame({place: columns[place] for place in sorted(columns)}, index=index, copy=False)
    taken.columns = frame.columns
    return taken.__finalize__(frame, method="take")  # type: ignore[no-any-return, operator]  # not in the stubs


def _unread_labels(index: pd.Index, positions: Positions) -> NDArray[np.intp] | None:
    """Return an empty array for the labels of rows, if they can be computed from the positions; else None."""
    first = positions[:3].astype(np.int64)
    # pandas makes a RangeIndex of labels at equal distances.
    if type(index) is not pd.RangeIndex or len(first) < 3 or first[1] - first[0] == first[2] - first[1]:
        return None
    return np.empty(len(positions), np.intp)


def _by_pandas(frame: pd.DataFrame, places: Sequence[int], indexer: NDArray[np.intp]) -> dict[int, Any]:
    """Return rows of columns, by position, that are not NumPy arrays."""
    columns: dict[int, Any] = {}

    def run(places: Iterator[int]) -> None:
        for place in places:
            columns[place] = frame.iloc[:, place].array.take(indexer)

    if places:
        in_threads(run, [iter(places)] * min(len(places), cores()))
    return columns


def _row_labels(positions: Positions) -> pd.Index:
    """Return the index of computed rows: a RangeIndex if no row is left out, else the row numbers."""
    counted = pd.RangeIndex(len(positions))
    return counted if (positions == np.arange(len(positions))).all() else pd.Index(positions)


def _to_pandas(values: pl.Series, index: pd.Index) -> pd.Series:
    """Return computed values as a pandas series; integers and Booleans with nulls in nullable types."""
    dtype = values.dtype
    if dtype.is_integer() and str(dtype).endswith("Int128"):
        # pandas has no integers of 128 bits, and Dask converts Python integers to text.
        whole = values.cast(pl.Decimal(38, 0), strict=False)
        if whole.null_count() > values.null_count():  # of 39 digits
            return pd.Series(values.to_list(), dtype=object, index=index)
        arrow = whole.rechunk().to_arrow()
        return pd.Series(arrow, dtype=pd.ArrowDtype(arrow.type), index=index)
    if values.null_count() and (dtype.is_integer() or dtype == pl.Boolean):
        nullable = "boolean" if dtype == pl.Boolean else str(dtype)
        return pd.Series(values.to_arrow().to_pandas(integer_object_nulls=True), dtype=nullable).set_axis(index)
    if dtype.is_nested():  # as arrays, whole numbers beside nulls would become floats
        return pd.Series(values.to_list(), dtype=object, index=index)
    return values.to_pandas().copy().set_axis(index)  # arrays from Polars may be read-only


def _level(index: pd.Index, level: int) -> pl.Series:
    """Return the labels of a level of an index.

    Raises:
        TQLTypeError: the labels have no common Polars type.
    """
    labels = index.get_level_values(level)
    try:
        return polars_series(pd.Series(labels), "")
    except TQLTypeError as fault:
        message = f"the index labels of dtype {labels.dtype} cannot be read"
        raise TQLTypeError(message, hint=fault.hint) from None
