"""Columns of a frame that is no Polars frame, as Polars series."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping

import polars as pl

from tql_frames.compiler.scope import text_of
from tql_frames.errors import TQLTypeError


class ConvertedColumns(Mapping[str, pl.DataType], ABC):
    """Polars type by column name, of the columns that have a text for a name; each is converted when first asked for.

    Two columns of one name are there, and an error when they are asked for.
    """

    def __init__(self, labels: Iterable[object]) -> None:
        """Note the places of columns with these labels."""
        self._converted: dict[str, pl.Series] = {}
        self._places: dict[str, list[int]] = {}
        others: dict[object, list[int]] = {}
        for place, label in enumerate(labels):
            (self._places if isinstance(label, str) else others).setdefault(label, []).append(place)  # type: ignore[arg-type]
        self.labels: dict[str, object] = {name: name for name in self._places}
        for label, places in others.items():
            name = text_of(label)
            if name is not None and name not in self._places:
                self._places[name] = places
                self.labels[name] = label

    @abstractmethod
    def _convert(self, place: int, name: str) -> pl.Series:
        """The column at a place.

        Raises:
            TQLTypeError: it cannot be converted.
        """

    def series(self, name: str) -> pl.Series:
        """A column.

        Raises:
            TQLTypeError: it cannot be converted, or is one of several with the name.
        """
        if name not in self._converted:
            self._converted[name] = self._convert_only(name)
        return self._converted[name]

    def once(self, name: str) -> pl.Series:
        """A column, which is not kept if it was not converted before."""
        return self._converted[name] if name in self._converted else self._convert_only(name)

    def _convert_only(self, name: str) -> pl.Series:
        places = self._places[name]
        if len(places) > 1:
            raise TQLTypeError(f"{len(places)} columns are named {name!r}; an expression can name only one of a name")
        return self._convert(places[0], name)

    def __getitem__(self, name: str) -> pl.DataType:
        return self.series(name).dtype

    def __contains__(self, name: object) -> bool:
        return name in self._places

    def __iter__(self) -> Iterator[str]:
        return iter(self._places)

    def __len__(self) -> int:
        return len(self._places)
