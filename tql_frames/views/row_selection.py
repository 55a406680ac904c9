"""Keep rows of a frame as positions, and convert them to frames of any kind: the base of views."""

from __future__ import annotations

from collections.abc import Iterator
from importlib import import_module
from typing import TYPE_CHECKING, Any, Generic, overload

import numpy as np
import polars as pl
from numpy.typing import NDArray

from tql_frames.errors import TQLError, TQLTypeError
from tql_frames.frames import (
    ColumnRef,
    Frame,
    Native,
    RowView,
    check_columns,
    free_index,
    is_pandas,
    shared,
    to_pandas,
    to_polars,
)
from tql_frames.frames.base import cached_attribute
from tql_frames.frames.polars import check_process
from tql_frames.pipeline.draw import whole_number
from tql_frames.sampling import Positions

if TYPE_CHECKING:
    import pandas as pd


class KeptRows(Generic[Native]):
    """Rows of a frame by their positions, and some of its columns.

    Frames of the rows are created on request, each kind once, and belong to the caller. The plan of a LazyFrame does
    not run before a call that depends on its rows.
    """

    def __init__(
        self,
        source: Frame,
        columns: tuple[ColumnRef, ...] | None,
        index: str | None,
        ignore_index: bool,
    ) -> None:
        """Store the frame; the rows of an eager frame are selected now.

        Args:
            source: the frame.
            columns: columns of the result; None for all columns, unchanged.
            index: as in `sample`.
            ignore_index: as in `sample`.

        Raises:
            TQLError: a column has the name of the column of row numbers; or an error of `_find`.
        """
        check_columns(source, columns, index)
        self._source, self._columns = source, columns
        self._index, self._ignore_index = index, ignore_index
        if not self._is_lazy:
            len(self)

    def _find(self) -> Positions:
        """Return positions of the rows in the frame, in their order; called once."""
        raise NotImplementedError

    @property
    def source(self) -> Native:
        """The frame at the time when the rows were chosen.

        Examples:
            >>> old = pl.DataFrame({"age": [71, 34, 65]}).tql.view("max_weight(age > 60: 1)", limit=4, seed=1)
            >>> old.source.height
            3
        """
        return self._source.native  # type: ignore[return-value]

    @cached_attribute
    def positions(self) -> NDArray[np.int64]:
        """Return positions of the rows in the frame, in their order, shape (k,); read-only.

        Raises:
            TQLError: for a LazyFrame, the errors that `sample` and `query` raise when they are collected.

        Examples:
            >>> old = pl.DataFrame({"age": [71, 34, 65]}).tql.view("max_weight(age > 60: 1)", limit=4, seed=1)
            >>> old.positions
            array([0, 0, 2, 2])
        """
        found = self._find().astype(np.int64)
        found.setflags(write=False)
        return found

    @property
    def index(self) -> Any:
        """Index of the rows: a pandas Index of their labels, a Polars Series of row numbers.

        Examples:
            >>> import pandas as pd
            >>> df = pd.DataFrame({"age": [71, 34, 65]}, index=["x", "y", "z"])
            >>> df.tql.view("max_weight(age > 60: 1)", limit=4, seed=1).index.to_list()
            ['x', 'x', 'z', 'z']
        """
        return self._source.labels(self.positions)

    def counts(self) -> Any:
        """Return the number of draws of each drawn row, in the order of the frame.

        Returns:
            Polars: a DataFrame of row numbers, named as in `sample`, and `count`. pandas: a Series `count` by label.

        Examples:
            >>> import pandas as pd
            >>> pd.DataFrame({"w": [0, 1, 3]}, index=["a", "b", "c"]).tql.view("w", 8, seed=1).counts().to_dict()
            {'b': 1, 'c': 7}
        """
        distinct, counts = np.unique(self.positions, return_counts=True)
        return self._source.tally(distinct, counts.astype(np.int64))

    def __len__(self) -> int:
        return len(self.positions)

    @property
    def columns(self) -> list[Any]:
        """Labels of the columns, without the one of row numbers.

        Examples:
            >>> old = pl.DataFrame({"age": [71, 34, 65]}).tql.view("max_weight(age > 60: 1)", limit=4, seed=1)
            >>> old.columns
            ['age']
        """
        if self._columns is not None:
            return [each.label for each in self._columns]
        labels: tuple[object, ...] = self._source.scan(frozenset()).labels
        return list(labels)

    @overload
    def head(self: KeptRows[pd.DataFrame], n: int = 5) -> pd.DataFrame: ...
    @overload
    def head(self: KeptRows[pl.DataFrame], n: int = 5) -> pl.DataFrame: ...
    @overload
    def head(self: KeptRows[pl.LazyFrame], n: int = 5) -> pl.DataFrame: ...
    @overload
    def head(self, n: int = 5) -> Any: ...
    def head(self, n: int = 5) -> Any:
        """Return the first `n` rows as a frame; for a LazyFrame as a DataFrame.

        Raises:
            TQLError: `n` is not a whole number of at least 0.

        Examples:
            >>> pl.DataFrame({"age": [71, 34]}).tql.view("age", 9, seed=1).head(2)["age"].to_list()
            [34, 34]
        """
        number = whole_number(n)
        if number is None or number < 0:
            raise TQLError(f"expected n= to be a whole number of at least 0, got {n!r}")
        return self[:number]

    @overload
    def __getitem__(self: KeptRows[pd.DataFrame], rows: slice) -> pd.DataFrame: ...
    @overload
    def __getitem__(self: KeptRows[pl.DataFrame], rows: slice) -> pl.DataFrame: ...
    @overload
    def __getitem__(self: KeptRows[pl.LazyFrame], rows: slice) -> pl.DataFrame: ...
    @overload
    def __getitem__(self, rows: slice) -> Any: ...
    def __getitem__(self, rows: slice) -> Any:
        """Return some rows as a frame, such as `view[:5]`; of a LazyFrame, as a DataFrame.

        Raises:
            TQLTypeError: `rows` is not a slice of whole numbers.
        """
        try:
            if isinstance(rows, slice):
                return self._source.take(self.positions[rows], self._columns)
        except (TypeError, ValueError):  # such as "a":"b", or a step of 0
            pass
        raise TQLTypeError(
            f"expected row numbers, such as view[:5], got {rows!r}",
            hint="call to_native() for its rows as a frame, which has columns",
        )

    def __iter__(self) -> Iterator[pd.Series]:
        """Yield the rows one by one as pandas Series, which is how `pd.DataFrame(view)` reads them.

        `to_pandas` is faster, and keeps types that pandas does not infer from values, such as categories.
        """
        return (row for _, row in self.to_pandas().astype(object).iterrows())

    def to_native(self) -> Native:
        """Return the rows as a frame of the source's kind, as `sample` or `query` returns them; for a LazyFrame a plan.

        Examples:
            >>> old = pl.DataFrame({"age": [71, 34, 65]}).tql.view("max_weight(age > 60: 1)", limit=4, seed=1)
            >>> old.to_native()["age"].to_list()
            [71, 71, 65, 65]
        """
        if self._is_lazy:
            check_process()
            return self._source.take_lazy(lambda _: self.positions, self._columns)  # type: ignore[return-value]
        found: Native = shared(self._rows)
        return found

    def to_polars(self) -> pl.DataFrame:
        """Return the rows as a Polars DataFrame, after row numbers unless `index=None` or `ignore_index=True`.

        Raises:
            TQLError: a column of a pandas frame has no Polars type, or a name that is not text.

        Examples:
            >>> old = pl.DataFrame({"age": [71, 34, 65]}).tql.view("max_weight(age > 60: 1)", limit=4, seed=1)
            >>> old.to_polars().columns
            ['index', 'age']
        """
        found: pl.DataFrame = shared(self._polars)
        return found

    def to_pandas(self) -> pd.DataFrame:
        """Return the rows as a pandas DataFrame; for a Polars frame with row numbers as labels unless `index=None`.

        Raises:
            TQLError: a column has no pandas type.

        Examples:
            >>> old = pl.DataFrame({"age": [71, 34, 65]}).tql.view("max_weight(age > 60: 1)", limit=4, seed=1)
            >>> old.to_pandas().index.to_list()
            [0, 0, 2, 2]
        """
        found: pd.DataFrame = shared(self._pandas)
        return found

    @overload
    def batches(self: KeptRows[pd.DataFrame], size: int) -> Iterator[pd.DataFrame]: ...
    @overload
    def batches(self: KeptRows[pl.DataFrame], size: int) -> Iterator[pl.DataFrame]: ...
    @overload
    def batches(self: KeptRows[pl.LazyFrame], size: int) -> Iterator[pl.DataFrame]: ...
    @overload
    def batches(self, size: int) -> Iterator[Any]: ...
    def batches(self, size: int) -> Iterator[Any]:
        """Return the rows as an iterator of frames of at most `size` rows; for a LazyFrame of DataFrames.

        Files that a LazyFrame scans are read once more, in batches. If the rows are not in the order of the files, all
        of them are held in memory.

        Raises:
            TQLError: `size` is not a whole number of at least 1.

        Examples:
            >>> old = pl.DataFrame({"age": [71, 34, 65]}).tql.view("max_weight(age > 60: 1)", limit=4, seed=1)
            >>> [batch.height for batch in old.batches(3)]
            [3, 1]
        """
        number = whole_number(size)
        if number is None or number < 1:
            raise TQLError(f"expected size= to be a whole number of at least 1, got {size!r}")
        return self._source.batches(self.positions, self._columns, number)

    def __arrow_c_stream__(self, requested_schema: object | None = None) -> object:
        """Return the rows of `to_polars` for consumers of Arrow: `pl.DataFrame(view)`, `pyarrow.table(view)`, DuckDB.

        Raises:
            TQLError: as `to_polars`; or a column holds Python objects.
        """
        objects = next((name for name, dtype in self._polars.schema.items() if dtype == pl.Object), None)
        if objects is not None:
            raise TQLTypeError(f"column {objects!r} holds Python objects, for which Arrow has no type")
        nul = next((name for name in self._polars.columns if "\0" in name), None)
        if nul is not None:
            raise TQLTypeError(f"column {nul!r} has a NUL in its name, which Arrow does not take", hint="rename it")
        return self._polars.__arrow_c_stream__(requested_schema)

    def __narwhals_dataframe__(self) -> Any:
        """Return the rows for `narwhals.from_native(view)`, by which libraries such as Altair read frames."""
        rows = self._rows if is_pandas(self._rows) else self.to_polars()
        return import_module("narwhals").from_native(shared(rows))._compliant_frame

    @property
    def adapter(self) -> RowView:
        """The rows as the package reads them, for weights, draws and queries.

        Examples:
            >>> old = pl.DataFrame({"age": [71, 34, 65]}).tql.view("max_weight(age > 60: 1)", limit=4, seed=1)
            >>> old.adapter.rows
            4
        """
        return RowView(self._source, lambda: self.positions, self._columns)

    @property
    def _is_lazy(self) -> bool:
        return self._source.is_lazy

    @cached_attribute
    def _rows(self) -> Any:
        return self._source.take(self.positions, self._columns)

    @cached_attribute
    def _polars(self) -> pl.DataFrame:
        if isinstance(self._rows, pl.DataFrame):
            return self._rows
        return to_polars(self.adapter, self.positions, None if self._ignore_index else self._index)

    def _head(self, size: int) -> Any:
        """Return the first rows as a Polars or pandas frame, which notebooks show."""
        positions = self.positions[:size]
        head = self._source.take(positions, self._columns)
        if isinstance(head, pl.DataFrame) or is_pandas(head):
            return head
        return to_polars(RowView(self._source, lambda: positions, self._columns), positions, self._index)

    @cached_attribute
    def _pandas(self) -> pd.DataFrame:
        if is_pandas(self._rows):
            return self._rows
        name = free_index(self._index, self.columns)
        rows = self._polars if name is None else self._polars.drop(name)
        return to_pandas(rows, None if self._index is None else self.positions)
