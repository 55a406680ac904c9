"""A Polars LazyFrame of files that a view keeps: whatever is asked of its rows is read anew, in batches.

How they are read is in `passes`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from itertools import chain
from typing import ClassVar

import polars as pl

from tql_frames.compiler.scope import column
from tql_frames.frames.base import Column, Contents, Part
from tql_frames.frames.passes import Scanned, changed, plan_of_batches, taken, unreadable
from tql_frames.frames.polars import dtypes_of, schema_of
from tql_frames.planning import Scan
from tql_frames.sampling import Positions


class ScannedSource(Scanned):
    """The rows of a plan that `is_repeatable`."""

    kind: ClassVar[str] = "Polars LazyFrame"

    @property
    def native(self) -> pl.LazyFrame:  # type: ignore[override]
        """The plan."""
        return self._plan

    def column(self, name: str) -> pl.Series:
        """A column of all rows."""
        self.check_files()
        found = self._plan.select(column(name)).collect(engine="streaming").to_series()
        self.check_files()
        return found

    def scan(self, names: frozenset[str] | None) -> Scan:
        """The plan for a statement; what is not named is left out of it."""
        return Scan(self._plan, tuple(self.schema), dtypes_of(self._frame.schema))

    def read(self, names: Sequence[str], positions: Positions) -> pl.DataFrame:
        """Columns by name of the rows at positions, in their order."""
        empty = self._taken.select([column(name) for name in names])
        return pl.concat([empty, *taken(self, positions, names, None)], rechunk=True)

    def take(self, positions: Positions, columns: Sequence[Column] | None = None) -> pl.DataFrame:
        """Rows at positions, in their order, behind the column of original row numbers."""
        empty = pl.DataFrame(schema=schema_of(self._taken.schema, columns, self._index))
        return pl.concat([empty, *self._labelled(positions, columns, list(empty.schema))], rechunk=True)

    def batches(self, positions: Positions, columns: Sequence[Column] | None, size: int) -> Iterator[pl.DataFrame]:
        """Rows at positions, at most `size` at a time; in another order than the plan's all are held meanwhile."""
        rest = pl.DataFrame()
        for frame in self._labelled(positions, columns, list(schema_of(self._taken.schema, columns, self._index))):
            rest = pl.concat([rest, frame]) if rest.height else frame
            while rest.height >= size:
                yield rest.head(size)
                rest = rest.slice(size)
        if rest.height:
            yield rest

    def later(  # type: ignore[override]
        self, positions_of: Callable[[], Positions], columns: Sequence[Column] | None
    ) -> pl.LazyFrame:
        """A plan for the rows at positions."""

        def rows_of(wanted: Sequence[str], limit: int | None) -> Iterator[pl.DataFrame]:
            return self._labelled(positions_of()[:limit], columns, wanted)

        return plan_of_batches(schema_of(self._taken.schema, columns, self._index), rows_of)

    def contents(self) -> Iterator[Contents]:
        """All rows, in batches as they are read.

        Raises:
            TQLError: they cannot be read, or there are more or fewer than before.
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
        self, positions: Positions, columns: Sequence[Column] | None, wanted: Sequence[str]
    ) -> Iterator[pl.DataFrame]:
        """The rows at positions, in their order, with those of the view's columns that are wanted."""
        names = list(self.schema)
        labels = {name: name for name in names}
        if columns is not None:
            labels = {str(each.label): names[each.origin] for each in columns}
        own = [name for name in wanted if name != self._index]
        for frame in taken(self, positions, list(dict.fromkeys(labels[name] for name in own)), self._index):
            numbers = {} if self._index is None else {self._index: frame.to_series(0)}
            yield pl.DataFrame(numbers | {name: frame[labels[name]] for name in own})
