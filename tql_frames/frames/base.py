"""Define the protocol of frames, which sampling, statements and views use for the rows of any library.

Only the modules of this folder know a dataframe library; each registers its frames with `frame_of`. pandas is slow to
load and never loaded here: a caller who has a pandas frame has loaded it. `cached_attribute`, which all frames use, is
defined after the protocol.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import singledispatch
from typing import TYPE_CHECKING, Any, ClassVar, Generic, NamedTuple, Protocol, TypeGuard, TypeVar, overload

import numpy as np
import polars as pl
from numpy.typing import NDArray

from tql_frames.compiler.statements import Relation, Scan
from tql_frames.errors import TQLError
from tql_frames.loading import LOADERS
from tql_frames.sampling import Floats, Positions

if TYPE_CHECKING:
    import pandas as pd


class ColumnRef(NamedTuple):
    """A column of a view.

    Attributes:
        origin: position of the column in the frame.
        label: its name.
    """

    origin: int
    label: object


class Part(NamedTuple):
    """A column, or a level of the index, of some rows.

    Attributes:
        label: its label, or the number of the level.
        values: returns its values, one per row.
    """

    label: object
    values: Callable[[], pl.Series]


class Contents(NamedTuple):
    """Columns and levels of the index of some rows."""

    columns: Sequence[Part]
    levels: Sequence[Part]


class Rows(Protocol):
    """Rows that can be weighed, drawn from and queried: a frame, or rows of one.

    `schema` may be lazy: pandas columns are read and converted only when their type is looked up.

    Attributes:
        is_streamed: whether each call reads the rows again, in batches, since they are not held in memory.
    """

    is_streamed: ClassVar[bool]

    @property
    def rows(self) -> int:
        """Number of rows."""

    @property
    def schema(self) -> Mapping[str, pl.DataType]:
        """Polars type by column name."""

    def evaluate(self, exprs: Mapping[str, pl.Expr]) -> pl.DataFrame:
        """Return values of expressions by name, one per row."""

    def evaluate_batches(self, exprs: Mapping[str, pl.Expr]) -> Iterator[pl.DataFrame]:
        """Yield the values of `evaluate` in order, in batches if the rows are not in memory."""

    def aggregate(self, exprs: Mapping[str, pl.Expr]) -> pl.DataFrame:
        """Return values of aggregations by name, in one row; files are read again, without holding their rows."""

    def column(self, name: str) -> pl.Series:
        """Return a column, without a copy if its library stores it like Polars."""

    def scan(self, names: frozenset[str] | None) -> Scan:
        """Return the plan of the rows for a statement that names these columns; None for all."""


class Frame(Rows, Protocol):
    """A frame of some library.

    A LazyFrame does not run before its rows are requested.

    Attributes:
        kind: library and class of the frame.
        keeps_labels: whether rows have index labels, instead of a column of row numbers.
        takes_by_number: whether rows of a statement are taken from the frame by the row numbers of its plan.
        is_lazy: whether samples of it are plans.
    """

    kind: ClassVar[str]
    keeps_labels: ClassVar[bool]
    takes_by_number: ClassVar[bool]
    is_lazy: ClassVar[bool]

    @property
    def native(self) -> object:
        """The frame as the caller passed it."""

    @property
    def why_collected(self) -> str | None:
        """Reason why the rows of files are held in memory while a sample is drawn; None if they are not."""

    def plan(self, relation: Relation, scan: Scan, index: str | None) -> pl.LazyFrame:
        """Return the plan of a relation."""

    def finish(self, relation: Relation, scan: Scan, index: str | None) -> object:
        """Return a native frame of a relation; columns of the frame keep their labels."""

    def collect(self) -> Frame:
        """Return the frame with its rows in memory."""

    def read(self, names: Sequence[str], positions: Positions) -> pl.DataFrame:
        """Return values of columns by name, as Polars has them, of the rows at positions, in their order.

        Raises:
            TQLError: a column has no Polars type.
        """

    def take(self, positions: Positions, columns: Sequence[ColumnRef] | None = None) -> object:
        """Return a native frame of the rows at positions, in their order, with their original indices.

        Args:
            positions: positions of the rows.
            columns: columns of the result; None for all columns, unchanged.

        Returns:
            A frame of the library; for a LazyFrame, a DataFrame.
        """

    def take_with(self, positions: Positions, name: str, values: Floats) -> object:
        """Return the rows at positions with one more column, the last, of one number per row; not for a LazyFrame."""

    def take_lazy(
        self, positions_of: Callable[[Rows], Positions], columns: Sequence[ColumnRef] | None = None
    ) -> object:
        """Return the rows at the positions that `positions_of` returns; for a LazyFrame, a plan that calls it."""

    def series(self, values_of: Callable[[Rows], NDArray[np.float64]], name: str) -> object:
        """Return a native series of one value per row, in the frame's order; for a LazyFrame, a plan of one column."""

    def batches(self, positions: Positions, columns: Sequence[ColumnRef] | None, size: int) -> Iterator[object]:
        """Yield the rows of `take` in frames of at most `size` rows."""

    def labels(self, positions: Positions) -> object:
        """Return the index of the rows at positions: a pandas Index, a Polars Series of row numbers."""

    def tally(self, positions: Positions, counts: NDArray[np.int64]) -> object:
        """Return how often rows were drawn, with their original indices."""

    def contents(self) -> Iterator[Contents]:
        """Yield all rows in order, in one or several parts of the same columns.

        Raises:
            TQLError: a column has no Polars type.
        """

    def categories(self, name: str) -> list[Any] | None:
        """Return the categories that a pandas column declares, in their order; None for any other column."""


# Libraries whose frames have their own calls, and the hint that names them.
_ENGINES = {
    "dask": "import tql_frames.dask; then the frame has .tql",
    "pyspark": "import tql_frames.spark; its functions take the frame",
    "ray": "import tql_frames.ray; its functions take the dataset",
}
# Other libraries, and how to convert their frames; with the class, if the hint depends on it.
_WAYS = {
    "datafusion": "pass frame.to_polars()",
    "vaex": "pass frame.to_pandas_df()",
    "xarray": "pass data.to_dataframe()",
    "numpy": "pass pl.DataFrame(array)",
    "builtins.dict": "pass pl.DataFrame(columns)",
    "builtins.list": "pass pl.DataFrame(rows)",
    "builtins.str": "read the file first: pl.scan_parquet(path)",
}


@singledispatch
def frame_of(frame: object, index: str | None = None, ignore_index: bool = False, *, kept: bool = False) -> Frame:
    """Return the adapter of a frame of any library.

    Args:
        frame: a Polars DataFrame or LazyFrame, a pandas DataFrame, or another table of Arrow columns.
        index: name for a column of original row numbers (Polars). `check_columns` checks against the columns of a
            result that it is free.
        ignore_index: whether rows of a sample are numbered from 0 (pandas).
        kept: whether each later call refers to the rows as they are now. Before pandas 3, which copies on write, values
            that are written into a frame in place are visible nevertheless.

    Raises:
        TQLError: the object is not a frame, its library does not support an option, or Polars cannot run in this forked
            process.
    """
    if is_pandas(frame):
        found: Frame = LOADERS["pandas"]().pandas_frame_of(frame, index, ignore_index, kept=kept)
        return found
    library, name = type(frame).__module__.partition(".")[0], type(frame).__name__
    table: Frame | None = None
    if library not in _ENGINES:
        table = LOADERS["tables"]().table_frame_of(frame, index, ignore_index, kept=kept)
    if table is None:
        raise no_frame(frame, _ENGINES.get(library) or _WAYS.get(f"{library}.{name}") or _WAYS.get(library))
    return table


def no_frame(value: object, hint: str | None) -> TQLError:
    """Return the error for an object that is not a supported frame, with a hint how to convert it."""
    library, name = type(value).__module__.partition(".")[0], type(value).__name__
    what = name if library == "builtins" else f"{library}.{name}"
    kinds = "a Polars DataFrame or LazyFrame, a pandas DataFrame, or another table of Arrow columns"
    return TQLError(f"expected the frame to be {kinds}, got {what}", hint=hint)


def kept_frame_of(frame: object, index: str | None = None, ignore_index: bool = False) -> Frame:
    """Return an adapter that keeps the rows of a frame as they are now; see `frame_of`."""
    return frame_of(frame, index, ignore_index, kept=True)


def unwrapped(frame: Frame) -> Frame:
    """Return an adapter that returns rows as frames of Polars, pandas or Arrow; see `tables.WrappedFrame`."""
    found: Frame = getattr(frame, "inner", frame)
    return found


def wrapped(frame: Frame, rows: object) -> object:
    """Return rows from `unwrapped` as a frame of the caller's library."""
    wrap = getattr(frame, "wrap", None)
    return rows if wrap is None else wrap(rows)


def has_labels(frame: object) -> bool:
    """Return whether the rows of a native frame have index labels."""
    native = frame.to_native() if type(frame).__module__.startswith("narwhals.") else frame  # type: ignore[attr-defined]
    return is_pandas(native) or type(native).__module__.partition(".")[0] in ("modin", "cudf")


def is_pandas(frame: object) -> TypeGuard[pd.DataFrame]:
    """Return whether an object is a pandas DataFrame.

    Examples:
        >>> is_pandas(pl.DataFrame()), is_pandas(pl.DataFrame().to_pandas())
        (False, True)
    """
    made = getattr(sys.modules.get("pandas"), "DataFrame", None)
    return made is not None and isinstance(frame, made)


Value = TypeVar("Value")


class cached_attribute(Generic[Value]):  # noqa: N801 - it stands where `property` would
    """Like `functools.cached_property`, but without its lock, which all objects share until Python 3.12.

    The owner of that lock may wait for threads of Polars that themselves wait for the lock. Here, two threads that read
    the attribute at the same time both compute it, and both receive the result that was stored first.

    Examples:
        >>> class Word:
        ...     @cached_attribute
        ...     def letters(self) -> list[str]:
        ...         return list("tql")
        >>> word = Word()
        >>> word.letters is word.letters
        True
    """

    def __init__(self, make: Callable[[Any], Value]) -> None:
        """Store the function that computes the value."""
        self._make = make
        self.__doc__ = make.__doc__

    def __set_name__(self, owner: type, name: str) -> None:
        self._name = name

    @overload
    def __get__(self, owner: None, kind: type) -> cached_attribute[Value]: ...
    @overload
    def __get__(self, owner: object, kind: type | None = None) -> Value: ...
    def __get__(self, owner: object | None, kind: type | None = None) -> cached_attribute[Value] | Value:
        if owner is None:
            return self
        found: Value = vars(owner).setdefault(self._name, self._make(owner))  # from here on the attribute hides this
        return found
