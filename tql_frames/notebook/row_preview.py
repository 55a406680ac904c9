"""The rows of a view that are on screen, as texts."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
import polars as pl

from tql_frames.views.view import View

MOST_ROWS = 60  # sent at a time, whatever is asked for
MOST_COLUMNS = 60

_LONG = 80  # characters of a cell
_ITEMS = 6  # of a list


def columns_of(view: View[Any]) -> list[str]:
    """Titles of the columns: those of the index, then those of the rows."""
    return _table(view, 0, 0)[0]


def window(view: View[Any], start: int, count: int) -> list[list[str | None]]:
    """Return some rows, the texts of their cells, None for null; the index comes first.

    Example:
        >>> import tql_frames
        >>> view = pl.DataFrame({"age": [71, None], "tags": [["a"], []]}).tql.view("1", 4, seed=2)
        >>> columns_of(view), window(view, 1, 2)
        (['index', 'age', 'tags'], [['1', None, '[]'], ['0', '71', '[a]']])
    """
    start = min(max(start, 0), len(view))
    columns = _table(view, start, min(start + min(max(count, 0), MOST_ROWS), len(view)))[1]
    return [[cell_text(cell) for cell in row] for row in zip(*columns, strict=True)]


def _table(view: View[Any], start: int, stop: int) -> tuple[list[str], list[list[Any]]]:
    taken = view[start:stop]
    if isinstance(taken, pl.DataFrame):
        shown = taken[:, :MOST_COLUMNS]
        return shown.columns, [each.to_list() for each in shown]
    assert isinstance(taken, pd.DataFrame)
    levels = [str(name) if name is not None else "index" for name in taken.index.names]
    places = range(min(taken.shape[1], MOST_COLUMNS))
    cells = [list(taken.index.get_level_values(level)) for level in range(taken.index.nlevels)]
    cells += [list(taken.iloc[:, place]) for place in places]
    return [*levels, *(str(taken.columns[place]) for place in places)], cells


def cell_text(cell: object) -> str | None:
    """Return what stands in a cell; long texts and lists are cut.

    Example:
        >>> cell_text(0.1 + 0.2), cell_text(["a", "b"]), cell_text(list(range(100))), cell_text(None)
        ('0.3', '[a, b]', '[0, 1, 2, 3, 4, 5, … 100 items]', None)
    """
    if cell is None or cell is pd.NA or cell is pd.NaT:
        return None
    if isinstance(cell, (float, np.floating)):
        return "NaN" if math.isnan(cell) else format(float(cell), ".6g")
    if isinstance(cell, (bytes, bytearray)):
        return f"{len(cell):,} bytes"
    if isinstance(cell, (list, tuple, np.ndarray, pl.Series)):
        items = [str(cell_text(item)) for item in cell[:_ITEMS]]
        items += [f"… {len(cell):,} items"] if len(cell) > _ITEMS else []
        return f"[{', '.join(items)}]"
    if isinstance(cell, Mapping):
        return _cut(", ".join(f"{key}: {cell_text(value)}" for key, value in cell.items()))
    return _cut(str(cell))


def _cut(text: str) -> str:
    return text if len(text) <= _LONG else f"{text[: _LONG - 1]}…"
