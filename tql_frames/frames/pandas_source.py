"""A pandas DataFrame that a view keeps: its rows again and again, its columns as Polars has them, its labels."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import ClassVar

import numpy as np
import pandas as pd
import polars as pl
from numpy.typing import NDArray

from tql_frames.errors import TQLTypeError
from tql_frames.frames.base import Column, Contents, Part
from tql_frames.frames.pandas import PandasAdapter, polars_series
from tql_frames.sampling import Positions


class PandasSource(PandasAdapter):
    """A pandas DataFrame as it was when it was given, where pandas copies on write: always from 3 on.

    Before, only columns, rows and labels stay; values that are written into the frame in place are seen here too.
    """

    kind: ClassVar[str] = "pandas DataFrame"

    def __init__(self, frame: pd.DataFrame, ignore_index: bool = False) -> None:
        """Hold a shallow copy of the frame."""
        super().__init__(frame.copy(deep=False), ignore_index)

    @property
    def native(self) -> pd.DataFrame:
        """The frame."""
        return self._frame.copy(deep=False)

    def read(self, names: Sequence[str], positions: Positions) -> pl.DataFrame:
        """Columns by name of the rows at positions, in their order."""
        return pl.DataFrame({name: self._columns.once(name)[positions] for name in names})

    def batches(self, positions: Positions, columns: Sequence[Column] | None, size: int) -> Iterator[pd.DataFrame]:
        """Rows at positions, at most `size` at a time; numbered anew, the numbers go on."""
        for start in range(0, len(positions), size):
            batch = self.take(positions[start : start + size], columns)
            if self._ignore_index:
                batch.index = pd.RangeIndex(start, start + len(batch))
            yield batch

    def later(self, positions_of: Callable[[], Positions], columns: Sequence[Column] | None) -> pd.DataFrame:
        """Rows at positions."""
        return self.take(positions_of(), columns)

    def labels(self, positions: Positions) -> pd.Index:
        """Index labels, or numbers from 0 on."""
        return pd.RangeIndex(len(positions)) if self._ignore_index else self._frame.index.take(positions)

    def tally(self, positions: Positions, counts: NDArray[np.int64]) -> pd.Series:
        """How often rows were drawn, by their labels in the frame."""
        return pd.Series(counts, index=self._frame.index.take(positions), name="count")

    def contents(self) -> Iterator[Contents]:
        """All rows; a column is converted when it is asked for, and not kept."""
        index = self._frame.index
        yield Contents(
            [
                Part(label, partial(polars_series, self._frame.iloc[:, place], label))
                for place, label in enumerate(self._frame.columns)
            ],
            [Part(level, partial(_level, index, level)) for level in range(index.nlevels)],
        )


def _level(index: pd.Index, level: int) -> pl.Series:
    """The labels of a level of an index.

    Raises:
        TQLTypeError: they have no common Polars type.
    """
    labels = index.get_level_values(level)
    try:
        return polars_series(pd.Series(labels), "")
    except TQLTypeError as fault:
        message = f"the index labels of dtype {labels.dtype} cannot be read"
        raise TQLTypeError(message, hint=fault.hint) from None
