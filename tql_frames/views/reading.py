"""A saved view without its frame: what the file tells."""

from __future__ import annotations

import ast
import datetime as dt
import os
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tql_frames.pipeline.arguments import Order
from tql_frames.views.provenance import Step, as_text, lines_of
from tql_frames.views.storage import Description, read_file


class SavedView:
    """What the file of a view tells; made by `tql_frames.read_view`.

    Attributes:
        positions: of its rows in the frame, in their order, shape (k,); read-only.
        steps: how they were drawn; further ones choose among the rows of those before.
        rows: number of rows of the frame.
        schema: Polars type, as text, of each column of the frame by its label; '' of columns that were left out.
        columns: labels of the columns of the view.
        kind: library and class of the frame.
        message: what was said when the view was saved, or ''.
        saved: when it was saved.
        versions: of tql_frames, Python and the libraries with which it was saved.
        left_out: labels of columns whose values had no Polars type, so that `load_view` does not compare them.
    """

    def __init__(self, positions: NDArray[np.int64], description: Description) -> None:
        """Hold the content of a file."""
        positions.setflags(write=False)
        self.positions = positions
        self.steps: tuple[Step, ...] = description.steps
        self.rows: int = description.frame.rows
        self.schema: Mapping[object, str] = {_label(each.name): each.type for each in description.frame.columns}
        own = description.columns
        self.columns: list[object] = (
            list(self.schema) if own is None else [_label(name) if label is None else label for name, label in own]
        )
        self.kind: str = description.kind
        self.message: str = description.message
        self.saved: dt.datetime = description.saved
        self.versions: Mapping[str, str] = dict(description.versions)
        self.left_out: list[object] = [_label(name) for name in description.frame.left_out]

    @property
    def sampler(self) -> str:
        """Text of the sampler or statement; of a Polars expression what it prints."""
        return self.steps[-1].text

    @property
    def parameters(self) -> tuple[Any, ...] | None:
        """Values for the `?` of the statement, dates as text."""
        return self.steps[-1].parameters

    @property
    def seed(self) -> int:
        """Seed that fixes the rows."""
        return self.steps[-1].seed

    @property
    def limit(self) -> int | None:
        """Rows asked for; None for as many as there were, for a share, and of a statement."""
        return self.steps[-1].limit

    @property
    def fraction(self) -> float | None:
        """Share of the rows that was asked for, or None."""
        return self.steps[-1].fraction

    @property
    def replace(self) -> bool | None:
        """With or without replacement; None of a statement."""
        return self.steps[-1].replace

    @property
    def order(self) -> Order | None:
        """Order of the rows; None of a statement."""
        return self.steps[-1].order

    def __len__(self) -> int:
        """Return the number of rows of the view."""
        return len(self.positions)

    def __repr__(self) -> str:
        columns = f"{len(self.schema):,} column{'s' * (len(self.schema) != 1)}"
        title = f"Saved view of {len(self):,} of {self.rows:,} row{'s' * (self.rows != 1)} × {columns}, {self.kind}"
        lines = [*lines_of(self.steps), ("saved", f"{self.saved:%Y-%m-%d %H:%M} UTC")]
        if self.left_out:
            lines.append(("left out", ", ".join(map(str, self.left_out))))
        return as_text(title, [*lines, ("message", self.message)] if self.message else lines)


def read(path: str | os.PathLike[str]) -> SavedView:
    """Read the file of a view; arguments and errors as of `tql_frames.read_view`."""
    positions, description = read_file(path)
    return SavedView(positions.astype(np.int64), description)


def _label(name: str) -> object:
    """Return the label that Python writes so; the text itself of one that is no literal."""
    try:
        found: object = ast.literal_eval(name)
        hash(found)
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
        return name
    return found
