"""Results as values that JSON can write: numbers, text, truth values, None, lists and dictionaries."""

from __future__ import annotations

import datetime as dt
import math

import numpy as np
import polars as pl

Plain = str | int | float | bool | list["Plain"] | dict[str, "Plain"] | None


def plain(value: object) -> Plain:
    """Convert a value to one that JSON can write.

    Dates and times become ISO text, decimals their digits, numbers that are not finite their names; other values become
    their text.

    Example:
        >>> from decimal import Decimal
        >>> plain([dt.date(2024, 5, 1), Decimal("1.10"), float("nan"), None, True])
        ['2024-05-01', '1.10', 'nan', None, True]
    """
    if isinstance(value, np.generic):
        value = value.item()
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else str(value)
    if isinstance(value, dt.date | dt.time):
        return value.isoformat()
    if isinstance(value, list | tuple):
        return [plain(each) for each in value]
    if isinstance(value, dict):
        return {str(key): plain(each) for key, each in value.items()}
    return str(value)


def records(table: pl.DataFrame | None) -> Plain:
    """Convert a table to a list with a dictionary for each row; None stays None.

    Example:
        >>> records(pl.DataFrame({"label": ["PA", None], "rows": [3, 1]}))
        [{'label': 'PA', 'rows': 3}, {'label': None, 'rows': 1}]
    """
    return None if table is None else plain(table.to_dicts())
