"""What may be sampled from and trained on: frames, and views of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import polars as pl

from tql_frames.frames import Frame, Rows, kept_frame_of
from tql_frames.sampling import Positions
from tql_frames.views.view import View


@dataclass(frozen=True)
class Origin:
    """Where the rows of a data set come from.

    Attributes:
        source: a frame.
        positions: which rows of it, in their order, shape (k,); None for all.
        labels: of the columns.
        names: what the columns are called in the frame, by their labels; pandas may have others, which are no names.
    """

    source: Frame
    positions: Positions | None
    labels: Sequence[object]
    names: Mapping[str, str]

    @property
    def is_plan(self) -> bool:
        """Whether the frame is a LazyFrame."""
        return isinstance(self.source.native, pl.LazyFrame)

    @property
    def plan(self) -> pl.LazyFrame:
        """All rows of the frame, where it is one."""
        native = self.source.native
        assert isinstance(native, pl.LazyFrame)
        return native

    def categories(self, name: str) -> list[Any] | None:
        """Return categories that a pandas column declares, in their order; None of other columns."""
        return self.source.categories(self.names[name])


def readable(frame: object) -> Rows:
    """Return the rows of a frame or view, to weigh them.

    Raises:
        TQLError: it is neither.
    """
    return frame.adapter if isinstance(frame, View) else kept_frame_of(frame)


def origin_of(frame: object) -> Origin:
    """Return the rows of a frame or view, to train on.

    Raises:
        TQLError: it is neither.
    """
    if isinstance(frame, View):
        rows = frame.adapter
        return Origin(rows.frame, frame.positions, rows.scan(frozenset()).labels, rows.names)
    source = kept_frame_of(frame)
    return Origin(source, None, source.scan(frozenset()).labels, {name: name for name in source.schema})
