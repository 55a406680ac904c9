"""The protocol of a frame: what sampling, statements and views ask of the rows of any library.

Only the modules of this folder know a dataframe library; each registers its frames with `frame_of`. pandas, which takes
longer to load than all else, is never loaded here: who has a pandas frame has done it. Below the protocol is
`cached_attribute`, which all frames share.
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
        origin: place of the column of the frame that it is, rows aside.
        label: its name.
    """

    origin: int
    label: object


class Part(NamedTuple):
    """A column, or a level of the index, of some rows.

    Attributes:
        label: its label, or the number of the level.
        values: gives its values, one a row.
    """

    label: object
    values: Callable[[], pl.Series]


class Contents(NamedTuple):
    """Columns and levels of the index of some rows."""

    columns: Sequence[Part]
    levels: Sequence[Part]


class Rows(Protocol):
    """Rows that can be weighed, drawn from and queried: a frame, or rows of one.

    `schema` may be read lazily: pandas columns are converted, and looked at, only when they are asked for.

    Attributes:
        is_streamed: whether each question reads the rows again, in batches, since they are not held in memory.
    """

    is_streamed: ClassVar[bool]

    @property
    def rows(self) -> int:
        """Number of rows."""

    @property
    def schema(self) -> Mapping[str, pl.DataType]:
        """Polars type by column name."""

    def evaluate(self, exprs: Mapping[str, pl.Expr]) -> pl.DataFrame:
        """Return values of expressions by name, one a row."""

    def evaluate_batches(self, exprs: Mapping[str, pl.Expr]) -> Iterator[pl.DataFrame]:
        """Yield the same in order, in parts of some rows where the rows are not in memory."""

    def aggregate(self, exprs: Mapping[str, pl.Expr]) -> pl.DataFrame:
        """Return values of aggregations by name, in one row; files are read again, and not held."""

    def column(self, name: str) -> pl.Series:
        """Return a column, not copied where its library keeps it as Polars does."""

    def scan(self, names: frozenset[str] | None) -> Scan:
        """Return the plan of the rows for a statement that names these columns; None for all."""


class Frame(Rows, Protocol):
    """A frame of some library.

    Nothing of a LazyFrame runs before its rows are asked for.

    Attributes:
        kind: library and class of the frame.
        keeps_labels: whether rows have index labels of their own, instead of a column of row numbers.
        takes_by_number: whether rows of a statement are taken from the frame by their numbers, which its plan gives.
        is_lazy: whether samples of it are plans.
    """

    kind: ClassVar[str]
    keeps_labels: ClassVar[bool]
    takes_by_number: ClassVar[bool]
    is_lazy: ClassVar[bool]

    @property
    def native(self) -> object:
        """The frame itself, as it was when it was given."""

    @property
    def why_collected(self) -> str | None:
        """Reason why the rows of files are held in memory while a sample is drawn; None where they are not."""

    def plan(self, relation: Relation, scan: Scan, index: str | None) -> pl.LazyFrame:
        """Return what runs for a relation."""

    def finish(self, relation: Relation, scan: Scan, index: str | None) -> object:
        """Return a native frame of a relation; columns that are the frame's own keep its labels."""

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
            positions: of the rows.
            columns: those of the result; None for all, as they are.

        Returns:
            A frame of the library; of a LazyFrame, a DataFrame.
        """

    def take_with(self, positions: Positions, name: str, values: Floats) -> object:
        """Return the rows at positions with a further column, the last, of one number a row; not of a LazyFrame."""

    def take_lazy(
        self, positions_of: Callable[[Rows], Positions], columns: Sequence[ColumnRef] | None = None
    ) -> object:
        """Return the rows at the positions that `positions_of` finds; of a LazyFrame, a plan that calls it."""

    def series(self, values_of: Callable[[Rows], NDArray[np.float64]], name: str) -> object:
        """Return a native series of one value a row, aligned with the frame; of a LazyFrame, a plan of one column."""

    def batches(self, positions: Positions, columns: Sequence[ColumnRef] | None, size: int) -> Iterator[object]:
        """Yield the frames that make up the one of `take`, of at most `size` rows."""

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
        """Return the categories that a pandas column declares, in their order; None of any other column."""


# Libraries whose frames have calls of their own, and what to say of these.
_ENGINES = {
    "dask": "import tql_frames.dask; then the frame has .tql",
    "pyspark": "import tql_frames.spark; its functions take the frame",
    "ray": "import tql_frames.ray; its functions take the dataset",
}
# Other libraries, and what makes a frame of theirs one of ours; the name of the class where one needs another.
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
    """Return a frame of any library behind the one protocol.

    Args:
        frame: a Polars DataFrame or LazyFrame, or a pandas DataFrame.
        index: name for a column of original row numbers (Polars). That it is free is checked for the columns of a
            result, by `check_columns`.
        ignore_index: whether rows of a sample are numbered from 0 (pandas).
        kept: whether each later question is about the rows as they are now. Before pandas 3, which copies on write,
            values that are written into a frame in place are seen all the same.

    Raises:
        TQLError: another object, an option that the frame's library does not know, or a forked process in which Polars
            cannot run.
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
    """Return the error to raise for what is no frame that can be read, with the way over."""
    library, name = type(value).__module__.partition(".")[0], type(value).__name__
    what = name if library == "builtins" else f"{library}.{name}"
    kinds = "a Polars DataFrame or LazyFrame, a pandas DataFrame, or another table of Arrow columns"
    return TQLError(f"expected the frame to be {kinds}, got {what}", hint=hint)


def kept_frame_of(frame: object, index: str | None = None, ignore_index: bool = False) -> Frame:
    """Return a frame as it is now, which answers each later question about the same rows; see `frame_of`."""
    return frame_of(frame, index, ignore_index, kept=True)


def unwrapped(frame: Frame) -> Frame:
    """Return a frame that hands out what Polars or pandas has of its rows; see `tables.WrappedFrame`."""
    found: Frame = getattr(frame, "inner", frame)
    return found


def wrapped(frame: Frame, rows: object) -> object:
    """Return rows of a frame, as Polars or pandas has them, as they are handed out."""
    wrap = getattr(frame, "wrap", None)
    return rows if wrap is None else wrap(rows)


def has_labels(frame: object) -> bool:
    """Return whether the rows of a frame have index labels of their own, before it is opened."""
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
    """As `functools.cached_property`, which until Python 3.12 holds a lock, one for all objects, while it computes.

    Threads of Polars that wait for such a lock may be the ones that its owner waits for. Here two threads that ask at
    the same time both compute, and both get what the first of them found.

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
        """Note what computes the value."""
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
