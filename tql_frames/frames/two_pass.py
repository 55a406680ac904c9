"""Sample a LazyFrame by reading its files twice: once for the weights, once for the drawn rows.

Memory holds a number or weight per row, the positions, and one batch of rows. `lazy` collects plans that may return
other rows, or rows in another order, the second time.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from functools import partial
from itertools import chain
from typing import ClassVar, TypeAlias

import numpy as np
import polars as pl
from numpy.typing import NDArray
from polars.io.plugins import register_io_source

from tql_frames.compiler.expressions.scope import column
from tql_frames.compiler.expressions.types import instance
from tql_frames.compiler.statements import Names, PythonStep, Relation, Scan, whole
from tql_frames.errors import TQLError, reason_of
from tql_frames.frames.base import ColumnRef, Contents, Part, Rows, cached_attribute
from tql_frames.frames.plans import contents_of, states_of
from tql_frames.frames.polars import PolarsFrame, check_process, dtypes_of, free_index, schema_of
from tql_frames.sampling import Positions

Listener: TypeAlias = Callable[[str, int, int | None], None]
"""Receives the progress: the phase, the rows so far, and the number of all rows if it is known."""

_listener: ContextVar[Listener | None] = ContextVar("listener", default=None)


@contextmanager
def reporting(listener: Listener) -> Iterator[None]:
    """Report the progress of samples whose plans are created in this context, from any thread that runs them."""
    token = _listener.set(listener)
    try:
        yield
    finally:
        _listener.reset(token)


def is_repeatable(plan: pl.LazyFrame) -> bool:
    """Return whether a plan reads files, and returns the same rows in the same order in each run."""
    return hasattr(pl.LazyFrame, "collect_batches") and contents_of(plan).changing is None  # not in Polars 1.30


def why_collected(plan: pl.LazyFrame) -> str | None:
    """Return why the rows of the files of a plan are held in memory while a sample is drawn; None if they are not."""
    found = contents_of(plan)
    if not found.paths:
        return None  # its rows are already in memory, or it is not known
    if not hasattr(pl.LazyFrame, "collect_batches"):
        return "this version of Polars gives Python no batches"
    return None if found.changing is None else f"the plan has {found.changing}"


def plan_of_batches(
    schema: pl.Schema, rows_of: Callable[[Sequence[str], int | None], Iterator[pl.DataFrame]]
) -> pl.LazyFrame:
    """Return a plan for rows that are read in batches; each batch has at least the requested columns."""

    def read(
        columns: list[str] | None, predicate: pl.Expr | None, limit: int | None, batch_size: int | None
    ) -> Iterator[pl.DataFrame]:
        wanted = columns or list(schema)  # without columns, a frame would have no height
        for frame in rows_of(wanted, limit):
            found = frame.select([column(name) for name in wanted])
            yield found if predicate is None else found.filter(predicate)

    return register_io_source(PythonStep(read), schema=schema)


class TwoPassFrame(PolarsFrame):
    """A LazyFrame of files that are read each time its rows are needed, in batches and in order.

    The second pass checks that it reads the rows that were weighed in the first pass.
    """

    kind: ClassVar[str] = "Polars LazyFrame"
    is_lazy: ClassVar[bool] = True
    is_streamed: ClassVar[bool] = True

    def __init__(
        self,
        plan: pl.LazyFrame,
        index: str | None = None,
        *,
        kept: bool = False,
        rows: pl.LazyFrame | None = None,
        schema: pl.Schema | None = None,
        listener: Listener | None = None,
    ) -> None:
        """Store the plan; nothing runs.

        Args:
            plan: the plan for the weights.
            index: name of a first column of row numbers; None for none.
            kept: whether later calls require the files of the first pass; else each run of a plan begins with a first
                pass.
            rows: a plan of the same files and rows for the second pass, such as one that reads text unconverted.
            schema: schema of the plan when the sample was requested; by default the current schema.
            listener: called with the progress; by default the listener of `reporting`.
        """
        self._frame = pl.DataFrame(schema=plan.clone().collect_schema() if schema is None else schema)
        self._index = index
        self.schema = self._frame.schema
        self._plan = plan
        self._kept = kept
        self._source = plan if rows is None else rows
        self._taken = self._frame if rows is None else pl.DataFrame(schema=rows.clone().collect_schema())
        self._listener = listener or _listener.get() or _no_listener
        self._weights: dict[str, pl.Expr] = {}  # expressions that the first pass evaluated
        self._found: pl.DataFrame | None = None
        self._files: Mapping[str, object] | None = None  # state of the files at the first pass

    @cached_attribute
    def _paths(self) -> Collection[str]:
        """Paths of the files, read from the plan at the first pass."""
        return contents_of(self._plan).paths

    def check_files(self) -> None:
        """Check that the files are unchanged since the first pass; the first call stores their state.

        Raises:
            TQLError: a file was changed, added or removed.
        """
        now = states_of(self._paths)
        if self._files is None:
            self._files = now
            self._check_schema()
        for name in {**self._files, **now}:
            if self._files.get(name) != now.get(name):
                raise changed(f"{name} {'changed' if name in self._files and name in now else 'came or went'}")

    def _check_schema(self) -> None:
        try:
            found = self._plan.clone().collect_schema()
        except (pl.exceptions.PolarsError, pl.exceptions.PanicException, OSError) as fault:
            raise unreadable(fault) from None
        if found != self._frame.schema:
            names = [
                name for name in {**self._frame.schema, **found} if self._frame.schema.get(name) != found.get(name)
            ]
            raise changed(f"the columns are others than when the plan was made: {', '.join(map(repr, names[:3]))}")

    @cached_attribute
    def rows(self) -> int:
        """Number of rows; they are counted if no expression was evaluated yet."""
        if self._found is not None:
            return self._found.height
        check_process()
        self.check_files()
        found = int(self._plan.select(pl.len()).collect(engine="streaming").item())
        self.check_files()
        return found

    def evaluate(self, exprs: Mapping[str, pl.Expr]) -> pl.DataFrame:
        """Return values of expressions by name, one per row."""
        check_process()
        self._listener("counting", 0, None)
        self.check_files()
        # Not in batches: if a thread of Polars panics, an iterator of batches just ends.
        found = self._plan.with_columns(**exprs).select(*exprs).collect(engine="streaming")
        self.check_files()
        if self._found is None:
            found = found.rechunk()
            self._weights, self._found = dict(exprs), found
        return found

    def evaluate_batches(self, exprs: Mapping[str, pl.Expr]) -> Iterator[pl.DataFrame]:
        """Yield the values of expressions in order, in batches as rows are read.

        Raises:
            TQLError: the rows cannot be read, or there are more or fewer than before.
        """
        check_process()
        rows = 0
        self.check_files()
        plan = self._plan.with_columns(**exprs).select(*exprs)
        try:
            for batch in plan.collect_batches(maintain_order=True, engine="streaming"):
                rows += batch.height
                yield batch
        except OSError as fault:
            raise unreadable(fault) from None
        self.check_files()
        if rows != self.rows:  # also where a thread of Polars panicked: the batches just end
            raise changed()

    def aggregate(self, exprs: Mapping[str, pl.Expr]) -> pl.DataFrame:
        """Return values of aggregations by name, in one row, with another pass over the files."""
        check_process()
        return self._plan.select(**exprs).collect(engine="streaming")

    def second_pass(self, positions: Positions, columns: Sequence[str]) -> Iterator[tuple[Positions, pl.DataFrame]]:
        """Yield ascending positions and their rows, in batches: the second pass.

        Raises:
            TQLError: the rows are not those of the first pass.
        """
        check_process()
        mask = np.zeros(self.rows, np.bool_)
        self.check_files()
        mask[positions] = True
        distinct = int(np.count_nonzero(mask))
        few = distinct < self.rows // 2  # otherwise, nearly all text that is read would be copied
        names = Names.apart_from(self._frame.schema)
        weights = self._weights if self._source is self._plan else {}
        row, hidden = names.new("row"), {name: names.new("weight") for name in weights}
        plan = (
            self._source.with_row_index(row)
            .with_columns(**{hidden[name]: expr for name, expr in weights.items()})
            .filter(_are_in(mask, row))
            .select(
                column(row),
                *[
                    (_copied(column(name), self._taken.schema[name]) if few else column(name)).alias(name)
                    for name in columns
                ],
                *[column(name) for name in hidden.values()],
            )
        )
        done = start = 0
        try:
            for batch in plan.collect_batches(maintain_order=True, engine="streaming"):
                if batch.height:
                    last = positions.dtype.type(batch[row][-1])  # of another type, all positions would be converted
                    stop = int(positions.searchsorted(last, "right"))
                    drawn, start = positions[start:stop], stop
                    first = np.ones(len(drawn), np.bool_)  # the first of equal positions
                    np.not_equal(drawn[1:], drawn[:-1], out=first[1:])
                    if not self._is_as_found(batch, row, hidden, drawn[first]):
                        raise changed()
                    rows = batch.select(columns or row)
                    yield drawn, rows if len(drawn) == batch.height else rows[first.cumsum() - 1]
                done += batch.height
                self._listener("fetching", done, distinct)
        except (pl.exceptions.PolarsError, pl.exceptions.PanicException, OSError) as fault:
            raise unreadable(fault) from None
        self.check_files()
        if done < distinct:
            raise changed()

    def _is_as_found(self, batch: pl.DataFrame, row: str, hidden: Mapping[str, str], rows: Positions) -> bool:
        """Return whether a batch holds these rows, with the weights of the first pass."""
        if not np.array_equal(batch[row].to_numpy(), rows):
            return False
        found = self._found
        return found is None or all(_alike(found[name][rows], batch[key]) for name, key in hidden.items())

    @property
    def native(self) -> pl.LazyFrame:  # type: ignore[override]
        """The plan."""
        return self._plan

    def column(self, name: str) -> pl.Series:
        """Return a column of all rows."""
        self.check_files()
        found = self._plan.select(column(name)).collect(engine="streaming").to_series()
        self.check_files()
        return found

    def scan(self, names: frozenset[str] | None) -> Scan:
        """Return the plan for a statement; columns that are not named are left out."""
        return Scan(self._plan, tuple(self.schema), dtypes_of(self._frame.schema))

    def read(self, names: Sequence[str], positions: Positions) -> pl.DataFrame:
        """Return columns by name of the rows at positions, in their order."""
        empty = self._taken.select([column(name) for name in names])
        return pl.concat([empty, *taken(self, positions, names, None)], rechunk=True)

    def take(self, positions: Positions, columns: Sequence[ColumnRef] | None = None) -> pl.DataFrame:
        """Return rows at positions, in their order, with original row numbers as the first column."""
        empty = pl.DataFrame(schema=schema_of(self._taken.schema, columns, self._index))
        return pl.concat([empty, *self._labelled(positions, columns, list(empty.schema))], rechunk=True)

    def batches(self, positions: Positions, columns: Sequence[ColumnRef] | None, size: int) -> Iterator[pl.DataFrame]:
        """Yield rows at positions, at most `size` at a time.

        All these rows are held in memory if their order is not that of the plan.
        """
        rest = pl.DataFrame()
        for frame in self._labelled(positions, columns, list(schema_of(self._taken.schema, columns, self._index))):
            rest = pl.concat([rest, frame]) if rest.height else frame
            while rest.height >= size:
                yield rest.head(size)
                rest = rest.slice(size)
        if rest.height:
            yield rest

    def take_lazy(
        self, positions_of: Callable[[Rows], Positions], columns: Sequence[ColumnRef] | None = None
    ) -> pl.LazyFrame:
        """Return a plan for the rows at the positions that a first pass determines."""
        schema = schema_of(self._taken.schema, columns, self._index)

        def rows_of(wanted: Sequence[str], limit: int | None) -> Iterator[pl.DataFrame]:
            run = self if self._kept else self._another()
            return run._labelled(positions_of(run)[:limit], columns, wanted)

        return plan_of_batches(schema, rows_of)

    def _another(self) -> TwoPassFrame:
        """Return the same frame before its first pass."""
        return TwoPassFrame(self._plan, self._index, schema=self._frame.schema, listener=self._listener)

    def series(self, values_of: Callable[[Rows], NDArray[np.float64]], name: str) -> pl.LazyFrame:  # type: ignore[override]
        """Return a plan for one column, one value per row."""
        return series_of(self._plan, values_of, name)

    def finish(self, relation: Relation, scan: Scan, index: str | None) -> pl.LazyFrame:  # type: ignore[override]
        """Return the plan of a relation; nothing runs."""
        return self.plan(relation, scan, index)

    def collect(self) -> PolarsFrame:
        """Return the rows, all in memory."""
        return PolarsFrame(self._plan.collect(), self._index)

    def contents(self) -> Iterator[Contents]:
        """Yield all rows, in batches as they are read.

        Raises:
            TQLError: the rows cannot be read, or there are more or fewer than before.
        """
        rows = 0
        self.check_files()
        try:
            for batch in chain([self._frame], self._plan.collect_batches(maintain_order=True, engine="streaming")):
                rows += batch.height
                yield Contents([Part(name, partial(batch.get_column, name)) for name in batch.columns], [])
        except (pl.exceptions.PolarsError, pl.exceptions.PanicException, OSError) as fault:
            raise unreadable(fault) from None
        self.check_files()
        if rows != self.rows:  # also where a thread of Polars panicked: the batches just end
            raise changed()

    def _labelled(
        self, positions: Positions, columns: Sequence[ColumnRef] | None, wanted: Sequence[str]
    ) -> Iterator[pl.DataFrame]:
        """Yield the rows at positions, in their order, with the requested columns of the view."""
        names = list(self.schema)
        labels = {name: name for name in names}
        if columns is not None:
            labels = {str(each.label): names[each.origin] for each in columns}
        index = free_index(self._index, labels)
        own = [name for name in wanted if name != index]
        for frame in taken(self, positions, list(dict.fromkeys(labels[name] for name in own)), index):
            numbers = {} if index is None else {index: frame.to_series(0)}
            yield pl.DataFrame(numbers | {name: frame[labels[name]] for name in own})


def taken(
    scanned: TwoPassFrame, positions: Positions, columns: Sequence[str], index: str | None
) -> Iterator[pl.DataFrame]:
    """Yield the rows at positions, in their order, with their numbers in the column named by `index`."""
    if (positions[1:] >= positions[:-1]).all():
        batches = scanned.second_pass(positions, columns)
        order = None
    else:
        distinct, order = np.unique(positions, return_inverse=True)
        batches = scanned.second_pass(distinct, columns)
    frames = (_numbered(frame, rows, columns, index) for rows, frame in batches)
    if order is None:
        yield from frames
        return
    held = list(frames)
    if held:
        yield pl.concat(held)[order]


def series_of(plan: pl.LazyFrame, values_of: Callable[[Rows], NDArray[np.float64]], name: str) -> pl.LazyFrame:
    """Return a plan for one column, with one value per row of the given plan."""

    def values(frame: pl.DataFrame) -> pl.DataFrame:
        return PolarsFrame(frame).series(values_of, name).to_frame()

    return whole(plan, values, {name: pl.Float64()})


def _are_in(mask: NDArray[np.bool_], row: str) -> pl.Expr:
    """Return an expression for whether row numbers are set in a mask.

    Unlike `gather`, the expression is declared elementwise, so that Polars computes weights after the filter if they
    are elementwise, too.
    """

    def look_up(numbers: pl.Series) -> pl.Series:
        return pl.Series(mask.take(numbers.to_numpy()))

    return column(row).map_batches(look_up, return_dtype=pl.Boolean(), is_elementwise=True)


def _copied(expr: pl.Expr, dtype: pl.DataType) -> pl.Expr:
    """Return the values with a copy of their text: filtered text keeps all text that was read with it in memory."""
    match dtype:
        case pl.String():
            return expr + ""
        case pl.Binary():
            return expr + pl.lit(b"")
        case pl.List(inner=pl.DataType() as inner) if _has_text(inner):
            return expr.list.eval(_copied(pl.element(), inner))
        case pl.Struct(fields=fields):
            named = [(each.name, instance(each.dtype)) for each in fields if _has_text(each.dtype)]
            return expr.struct.with_fields(*[_copied(pl.field(n), t).alias(n) for n, t in named]) if named else expr
    return expr


def _has_text(dtype: object) -> bool:
    match dtype:
        case pl.String() | pl.Binary():
            return True
        case pl.List(inner=inner):
            return _has_text(inner)
        case pl.Struct(fields=fields):
            return any(_has_text(each.dtype) for each in fields)
    return False


def _numbered(frame: pl.DataFrame, rows: Positions, columns: Sequence[str], index: str | None) -> pl.DataFrame:
    numbers = {} if index is None else {index: pl.Series(rows, dtype=pl.get_index_type())}
    return pl.DataFrame(numbers | {name: frame[name] for name in columns})


def _alike(first: pl.Series, second: pl.Series) -> bool:
    """Return whether the second pass computed the values of the first pass; sums may differ in the last bits."""
    if len(first) != len(second):
        return False
    if first.dtype.is_float():
        return bool(np.allclose(first.to_numpy(), second.to_numpy(), rtol=1e-9, atol=0.0, equal_nan=True))
    return first.equals(second)


_HINT = "sample from files that nobody writes to, or collect the plan first"


def unreadable(fault: BaseException) -> TQLError:
    """Return the error for a pass that cannot be completed."""
    return TQLError(f"the rows that were drawn cannot be read: {reason_of(fault)}", hint=_HINT)


def changed(what: str = "those that were drawn were not found again") -> TQLError:
    """Return the error for a pass that reads other rows than the one before."""
    return TQLError(f"the rows changed while they were sampled: {what}", hint=_HINT)


def _no_listener(phase: str, done: int, total: int | None) -> None:
    pass
