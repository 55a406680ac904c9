"""What every adapter does, and the choice of an adapter for a frame.

An adapter is the only place that knows a dataframe library. The pipeline that uses it is in `api`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Protocol

import numpy as np
import polars as pl
from numpy.typing import NDArray

from tql_frames.planning import Relation, Scan
from tql_frames.sampling import Positions


class Adapter(Protocol):
    """A frame whose rows are at hand.

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

    def scan(self, names: frozenset[str] | None) -> Scan:
        """The frame for a statement that names these columns; None for all."""

    def plan(self, relation: Relation, scan: Scan, index: str | None) -> pl.LazyFrame:
        """What runs for a relation."""

    def finish(self, relation: Relation, scan: Scan, index: str | None) -> object:
        """A native frame of a relation's rows and columns; those that are the frame's own keep its labels."""

    def take(self, positions: Positions) -> object:
        """A native frame of the rows at positions, in their order, with their original indices."""

    def series(self, values: NDArray[np.float64], name: str) -> object:
        """A native series or frame of one value a row, aligned with the frame."""


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
