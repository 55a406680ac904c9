"""Convert columns of other libraries to Polars series, each when it is first requested."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping
from functools import cached_property

import polars as pl

from tql_frames.compiler.expressions.scope import column, nulls_of, text_of, with_nulls_of
from tql_frames.errors import TQLTypeError


class ConvertedColumns(Mapping[str, pl.DataType], ABC):
    """Polars type by column name, for columns with a text as name; a column is converted when it is first requested.

    A name that several columns have is included, but raises an error when it is requested.
    """

    def __init__(self, labels: Iterable[object]) -> None:
        """Store the labels of the columns, in order."""
        self._own_labels = labels
        self._converted: dict[str, pl.Series] = {}
        self._stand_ins: dict[str, pl.Series] = {}

    @cached_property
    def _places(self) -> dict[str, list[int]]:
        """Positions of columns by name."""
        found: dict[str, list[int]] = {}
        others: dict[object, list[int]] = {}
        for place, label in enumerate(self._own_labels):
            (found if isinstance(label, str) else others).setdefault(label, []).append(place)  # type: ignore[arg-type]
        for label, places in others.items():
            name = text_of(label)
            if name is not None:
                found.setdefault(name, places)
        return found

    @cached_property
    def labels(self) -> dict[str, object]:
        """Labels of columns by name."""
        own = list(self._own_labels)
        return {name: own[places[0]] for name, places in self._places.items()}

    @abstractmethod
    def _convert(self, place: int, name: str) -> pl.Series:
        """Return the column at a position.

        Raises:
            TQLTypeError: it cannot be converted.
        """

    @abstractmethod
    def _nulls(self, place: int, name: str) -> pl.Series:
        """Return a Boolean column that is null where the column at a position is null, and true elsewhere."""

    def series(self, name: str) -> pl.Series:
        """Return a column.

        Raises:
            TQLTypeError: it cannot be converted, or several columns have the name.
        """
        if name not in self._converted:
            self._converted[name] = self._convert_only(name)
        return self._converted[name]

    def stand_in(self, name: str) -> pl.Series:
        """Return the stand-in for a column that cannot be converted: null in the same rows, and true elsewhere."""
        if name not in self._stand_ins:
            self._stand_ins[name] = self._nulls(self._places[name][0], nulls_of(name))
        return self._stand_ins[name]

    def named(self, name: str) -> pl.Series | None:
        """Return a column or a stand-in by its name in expressions; None if there is none."""
        hidden = with_nulls_of(name)
        if hidden is not None and hidden in self:
            return self.stand_in(hidden)
        return self.series(name) if name in self else None

    def once(self, name: str) -> pl.Series:
        """Return a column or a stand-in by its name, without storing it if it was not converted before."""
        hidden = with_nulls_of(name)
        if hidden is not None and hidden in self:
            return self._nulls(self._places[hidden][0], name)
        return self._converted[name] if name in self._converted else self._convert_only(name)

    def _place(self, name: str) -> int:
        """Return the position of a column.

        Raises:
            TQLTypeError: several columns have the name.
        """
        places = self._places[name]
        if len(places) > 1:
            raise TQLTypeError(f"{len(places)} columns are named {name!r}; an expression can name only one of a name")
        return places[0]

    def _convert_only(self, name: str) -> pl.Series:
        place = self._place(name)
        try:
            return self._convert(place, name)
        except TQLTypeError as fault:
            fault.nulls_known = True
            raise

    def __getitem__(self, name: str) -> pl.DataType:
        return self.series(name).dtype

    def __contains__(self, name: object) -> bool:
        return name in self._places

    def __iter__(self) -> Iterator[str]:
        return iter(self._places)

    def __len__(self) -> int:
        return len(self._places)


def with_stand_ins(plan: pl.LazyFrame, names: Iterable[str]) -> pl.LazyFrame:
    """Return a plan in which the stand-ins of some columns also have the names of these columns, for statements."""
    return plan.with_columns([column(nulls_of(name)).alias(name) for name in names])
