"""What every adapter does, and the choice of an adapter for a frame.

An adapter is the only place that knows a dataframe library. The pipeline that uses it is in `api`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import ClassVar, NamedTuple, Protocol

import numpy as np
import polars as pl
from numpy.typing import NDArray

from tql_frames.planning import Relation, Scan
from tql_frames.sampling import Positions


class Column(NamedTuple):
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


class Readable(Protocol):
    """Rows to weigh, to draw from and to query.

    `schema` may be read lazily: an adapter converts, and looks at, only the columns that are asked for.
    """

    @property
    def rows(self) -> int:
        """Number of rows."""

    @property
    def schema(self) -> Mapping[str, pl.DataType]:
        """Polars type by column name."""

    def evaluate(self, exprs: Mapping[str, pl.Expr]) -> pl.DataFrame:
        """Values of expressions by name, one a row of the frame."""

    def look(self, exprs: Mapping[str, pl.Expr]) -> pl.DataFrame:
        """Values of aggregations by name, in one row; files are read again, and not held."""

    def column(self, name: str) -> pl.Series:
        """A column of the frame, not copied where its library keeps it as Polars does."""

    def scan(self, names: frozenset[str] | None) -> Scan:
        """The frame for a statement that names these columns; None for all."""


class Adapter(Readable, Protocol):
    """A frame whose rows are at hand."""

    def plan(self, relation: Relation, scan: Scan, index: str | None) -> pl.LazyFrame:
        """What runs for a relation."""

    def finish(self, relation: Relation, scan: Scan, index: str | None) -> object:
        """A native frame of a relation's rows and columns; those that are the frame's own keep its labels."""

    def take(self, positions: Positions, columns: Sequence[Column] | None = None) -> object:
        """A native frame of the rows at positions, in their order, with their original indices; None: all columns."""

    def series(self, values: NDArray[np.float64], name: str) -> object:
        """A native series or frame of one value a row, aligned with the frame."""


class Source(Readable, Protocol):
    """A frame that is kept, so that its rows can be looked at again: what a view is of.

    Nothing of a LazyFrame runs before its rows are asked for; then it is collected once, or read as often as needed.

    Attributes:
        kind: library and class of the frame.
    """

    kind: ClassVar[str]

    @property
    def native(self) -> object:
        """The frame itself, as it was when it was given."""

    def read(self, names: Sequence[str], positions: Positions) -> pl.DataFrame:
        """Values of columns by name, as Polars has them, of the rows at positions, in their order.

        Raises:
            TQLError: a column has no Polars type.
        """

    def take(self, positions: Positions, columns: Sequence[Column] | None = None) -> object:
        """As an adapter's; of a LazyFrame a DataFrame."""

    def batches(self, positions: Positions, columns: Sequence[Column] | None, size: int) -> Iterator[object]:
        """What `take` gives, at most `size` rows at a time."""

    def later(self, positions_of: Callable[[], Positions], columns: Sequence[Column] | None) -> object:
        """What `take` gives, of a LazyFrame as a plan that asks for the positions when it is collected."""

    def labels(self, positions: Positions) -> object:
        """The index of what `take` gives: a pandas Index, a Polars Series of row numbers."""

    def tally(self, positions: Positions, counts: NDArray[np.int64]) -> object:
        """How often rows were drawn, with their original indices."""

    def contents(self) -> Iterator[Contents]:
        """All rows in order, in one or several parts of the same columns.

        Raises:
            TQLError: a column has no Polars type.
        """


class Deferred(Protocol):
    """A frame whose rows come later, such as a LazyFrame."""

    @property
    def schema(self) -> Mapping[str, pl.DataType]:
        """Polars type by column name, known without running anything."""

    def scan(self, names: frozenset[str] | None) -> Scan:
        """The frame for a statement that names these columns; None for all."""

    def then_take(self, positions_of: Callable[[Adapter], Positions]) -> object:
        """A native lazy frame of the rows at the positions that are found once the rows are there."""

    def plan(self, relation: Relation, scan: Scan, index: str | None) -> pl.LazyFrame:
        """What runs for a relation."""

    def finish(self, relation: Relation, scan: Scan, index: str | None) -> object:
        """A native lazy frame of a relation."""

    def then_series(self, values_of: Callable[[Adapter], NDArray[np.float64]], name: str) -> object:
        """A native lazy frame of one value a row."""

    def now(self) -> Adapter:
        """Run the plan and hold its rows."""
