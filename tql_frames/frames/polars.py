"""Adapt a Polars DataFrame.

`lazy` adapts lazy frames.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from functools import partial
from typing import Any, ClassVar, cast

import numpy as np
import polars as pl
from numpy.typing import NDArray

from tql_frames.compiler.expressions.scope import column
from tql_frames.compiler.statements import Relation, Scan
from tql_frames.errors import TQLError
from tql_frames.forks import Process
from tql_frames.frames.base import ColumnRef, Contents, Frame, Part, Rows, frame_of
from tql_frames.sampling import Floats, Positions

_SMALL = 10_000  # rows below which the optimizer takes longer than it saves
_PART = 1_048_576  # rows of a part of the contents


class DefaultIndex(str):
    """Default name of the column of row numbers: the column is left out if another one has the name."""

    __slots__ = ()


INDEX = DefaultIndex("index")


def free_index(index: str | None, names: Iterable[object], of: str = "frame") -> str | None:
    """Return the name of the column of row numbers beside other columns; None for no such column.

    An existing column `index` probably holds the row numbers of an earlier sample, and is kept. This is an error only
    if the caller chose the name.

    Args:
        index: the caller's argument.
        names: names of the columns.
        of: the object that has these columns, for messages.

    Raises:
        TQLError: a column has the name that the caller chose.

    Examples:
        >>> free_index(INDEX, ["age"]), free_index(INDEX, ["index", "age"])
        ('index', None)
    """
    if index is None or index not in names:
        return index
    if isinstance(index, DefaultIndex):
        return None
    raise TQLError(
        f"the {of} has a column {index!r} already, where the original row numbers would go",
        hint="pass index='another name', or index=None to leave them out",
    )


class NumberedFrame:
    """Base of frames of any library whose rows have numbers instead of index labels."""

    keeps_labels: ClassVar[bool] = False
    _index: str | None

    def categories(self, name: str) -> list[Any] | None:
        """Return None: the categories of a column are part of its type."""
        return None

    def labels(self, positions: Positions) -> pl.Series:
        """Return the row numbers."""
        return pl.Series("index" if self._index is None else self._index, positions, dtype=pl.get_index_type())

    def tally(self, positions: Positions, counts: NDArray[np.int64]) -> pl.DataFrame:
        """Return how often rows were drawn."""
        return tallied(self.labels(positions), counts)

    def take(self, positions: Positions, columns: Sequence[ColumnRef] | None = None) -> Any:
        """Return rows at positions, in their order, with original row numbers as the first column."""
        raise NotImplementedError

    def take_with(self, positions: Positions, name: str, values: Floats) -> Any:
        """Return the rows at positions with a further column, the last."""
        return self.take(positions).with_columns(pl.Series(name, values))


class HeldFrame(NumberedFrame):
    """Base of numbered frames whose rows are in memory."""

    is_lazy: ClassVar[bool] = False
    is_streamed: ClassVar[bool] = False
    why_collected: ClassVar[str | None] = None

    def collect(self) -> Any:
        """Return the adapter itself."""
        return self

    def take_lazy(self, positions_of: Callable[[Rows], Positions], columns: Sequence[ColumnRef] | None = None) -> Any:
        """Return the rows at positions immediately."""
        return self.take(positions_of(cast("Rows", self)), columns)

    def batches(self, positions: Positions, columns: Sequence[ColumnRef] | None, size: int) -> Iterator[Any]:
        """Yield rows at positions, at most `size` at a time."""
        for start in range(0, len(positions), size):
            yield self.take(positions[start : start + size], columns)

    def series(self, values_of: Callable[[Rows], NDArray[np.float64]], name: str) -> pl.Series:
        """Return one value per row."""
        return pl.Series(name, values_of(cast("Rows", self)).copy())  # they may be the frame's own


class PolarsFrame(HeldFrame):
    """A Polars DataFrame; `index` names the column of original row numbers, None for none.

    Attributes:
        rows: number of rows.
        schema: Polars type by column name.
    """

    kind: ClassVar[str] = "Polars DataFrame"
    takes_by_number: ClassVar[bool] = False

    def __init__(self, frame: pl.DataFrame, index: str | None = None) -> None:
        """Store the frame; it is never modified."""
        self._frame = frame
        self._index = index
        self.rows = frame.height
        self.schema = frame.schema

    def evaluate(self, exprs: Mapping[str, pl.Expr]) -> pl.DataFrame:
        """Return values of expressions by name, one per row of the frame."""
        return evaluate(self._frame, exprs)

    def evaluate_batches(self, exprs: Mapping[str, pl.Expr]) -> Iterator[pl.DataFrame]:
        """Yield the values of expressions by name, in one part."""
        yield self.evaluate(exprs)

    def aggregate(self, exprs: Mapping[str, pl.Expr]) -> pl.DataFrame:
        """Return values of aggregations by name, in one row."""
        check_process()
        return self._frame.lazy().select(**exprs).collect()

    def column(self, name: str) -> pl.Series:
        """Return a column of the frame."""
        return self._frame[name]

    def scan(self, names: frozenset[str] | None) -> Scan:
        """Return the frame for a statement; its plan leaves out columns that are not named."""
        return Scan(self._frame.lazy(), tuple(self.schema), dtypes_of(self.schema))

    def plan(self, relation: Relation, scan: Scan, index: str | None) -> pl.LazyFrame:
        """Return the plan of a relation."""
        return plan_of(relation, index)

    def finish(self, relation: Relation, scan: Scan, index: str | None) -> pl.DataFrame:
        """Run the plan of a relation."""
        return self.plan(relation, scan, index).collect()

    def take(self, positions: Positions, columns: Sequence[ColumnRef] | None = None) -> pl.DataFrame:
        """Return rows at positions, in their order, with original row numbers as the first column."""
        check_process()
        numbers = _numbers(positions)
        taken = (self._frame if columns is None else chosen(self._frame, columns))[numbers]
        return numbered(taken, numbers, self._index)

    @property
    def native(self) -> pl.DataFrame:
        """The frame."""
        return self._frame.clone()

    def read(self, names: Sequence[str], positions: Positions) -> pl.DataFrame:
        """Return columns by name of the rows at positions, in their order."""
        check_process()
        return self._frame.select([column(name) for name in names])[_numbers(positions)]

    def contents(self) -> Iterator[Contents]:
        """Yield all rows, a million at a time."""
        for start in range(0, max(self._frame.height, 1), _PART):
            part = self._frame.slice(start, _PART)
            yield Contents([Part(name, partial(part.get_column, name)) for name in part.columns], [])


def evaluate(frame: pl.DataFrame, exprs: Mapping[str, pl.Expr]) -> pl.DataFrame:
    """Return values of expressions on a frame, one per row; constants are repeated.

    `select` is not used: it returns a constant once, and may drop a sort that it considers irrelevant.
    """
    check_process()
    if not frame.width:
        frame = pl.DataFrame({"": pl.repeat(None, frame.height, dtype=pl.Null, eager=True)})
    if frame.height < _SMALL:
        with suppress(TQLError):  # raised by users' functions: a lazy plan raises it unchanged, with its cause
            found = frame.with_columns(**exprs)
            # By names: `select` would start another plan, and a list alone is first taken for row numbers.
            return found[:, list(exprs)] if len(exprs) > 1 else found.get_column(*exprs).to_frame()
    return frame.lazy().with_columns(**exprs).select(*exprs).collect()


def tallied(labels: pl.Series, counts: NDArray[np.int64]) -> pl.DataFrame:
    """Return the row numbers and how often the rows were drawn, with the column name of `value_counts`."""
    labels = labels.alias("index") if labels.name == "count" else labels
    return pl.DataFrame({labels.name: labels, "count": pl.Series(counts, dtype=pl.get_index_type())})


def chosen(frame: pl.DataFrame, columns: Sequence[ColumnRef]) -> pl.DataFrame:
    """Return columns by their positions, under their labels."""
    # Not a list of series: Polars would rename a series that is called ''.
    return pl.DataFrame({str(each.label): frame.to_series(each.origin) for each in columns})


def schema_of(frame: Mapping[str, pl.DataType], columns: Sequence[ColumnRef] | None, index: str | None) -> pl.Schema:
    """Return the schema of the result of `take`."""
    dtypes = list(frame.values())
    own = frame if columns is None else {str(each.label): dtypes[each.origin] for each in columns}
    return with_index(own, index)


def picks_columns(expr: pl.Expr) -> bool:
    """Return whether an expression selects columns by type, pattern or position."""
    return expr.meta.has_multiple_outputs()


def dtypes_of(schema: pl.Schema) -> dict[object, pl.DataType | TQLError]:
    """Return the types of a frame whose columns can all be read."""
    return {name: dtype for name, dtype in schema.items()}  # not a copy, which would keep the type of its keys


def plan_of(relation: Relation, index: str | None) -> pl.LazyFrame:
    """Return the plan of a relation, with its row numbers as the first column."""
    index = free_index(index, [str(each.label) for each in relation.fields], of="result")
    for each in relation.fields:
        if isinstance(each.dtype, TQLError):
            raise each.dtype
    rows = [] if index is None or relation.row is None else [column(relation.row).alias(index)]
    return relation.plan.select(*rows, *[column(each.key).alias(str(each.label)) for each in relation.fields])


def with_index(schema: Mapping[str, pl.DataType], index: str | None, of: str = "frame") -> pl.Schema:
    """Return the schema of a frame or result, with a first column of row numbers if requested.

    Raises:
        TQLError: the frame already has a column with that name.
    """
    name = free_index(index, schema, of)
    return pl.Schema(schema) if name is None else pl.Schema({name: pl.get_index_type(), **schema})


def numbered(frame: pl.DataFrame, positions: Positions | pl.Series, index: str | None) -> pl.DataFrame:
    """Return a frame with a first column of row numbers if requested; the frame is modified.

    Raises:
        TQLError: as `with_index`.
    """
    name = free_index(index, frame.columns)
    if name is None:
        return frame
    numbers = positions if isinstance(positions, pl.Series) else _numbers(positions)
    return frame.insert_column(0, numbers.alias(name))


def _numbers(positions: Positions) -> pl.Series:
    """Return positions in Polars' type of row numbers, so that they are converted only once."""
    dtype = pl.get_index_type()
    if positions.dtype == np.uint32 and dtype == pl.UInt32:  # to name the type takes Polars longer
        return pl.Series(positions)
    return pl.Series(positions, dtype=dtype)


@frame_of.register(pl.DataFrame)
def polars_frame_of(
    frame: pl.DataFrame, index: str | None = None, ignore_index: bool = False, *, kept: bool = False
) -> PolarsFrame:
    """Return the adapter of a DataFrame; see `frame_of` for arguments and errors."""
    check_options(ignore_index)
    return PolarsFrame(frame.clone() if kept else frame, index)


def check_options(ignore_index: bool) -> None:
    """Check that Polars can run, and that the option is not used.

    Raises:
        TQLError: Polars cannot run in this process, or `ignore_index` is true.
    """
    check_process()
    if ignore_index:
        raise TQLError("ignore_index= is for pandas frames; pass index=None to leave out the row numbers")


def check_columns(frame: Frame, columns: tuple[ColumnRef, ...] | None, index: str | None) -> None:
    """Check that the rows of a frame can have a column of row numbers, if its library uses one.

    Raises:
        TQLError: one of the columns has its name.
    """
    if not frame.keeps_labels:
        names = frame.scan(frozenset()).labels if columns is None else [each.label for each in columns]
        free_index(index, names, of="frame" if columns is None else "result")


def check_process() -> None:
    """Check that Polars can run in this process, and remember that it was used.

    Raises:
        TQLError: the process was forked after Polars had started its threads, which a fork does not copy.
    """
    if Process.stuck:
        message = "Polars cannot run in this process: it was forked after Polars had started its threads"
        hint = "start processes by spawn or forkserver, such as multiprocessing.get_context('spawn').Pool()"
        raise TQLError(message, hint=hint)
    Process.used = True
