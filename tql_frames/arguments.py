"""What callers pass, checked and made plain, the same for every call and every kind of frame.

What an argument means is told where it is taken.
"""

from __future__ import annotations

import operator
from collections.abc import Mapping
from decimal import Decimal
from fractions import Fraction
from numbers import Real
from typing import Literal

import numpy as np

from tql_frames.errors import TQLError, lone_surrogate
from tql_frames.sampling import fresh_seed

Order = Literal["draw", "source"]

_MOST_ROWS = 2**48  # a limit beyond any memory, caught before NumPy overflows


class Size:
    """Rows to draw, as a function of the rows there are.

    Attributes:
        limit: so many, or None.
        fraction: so many of each row, instead of `limit`, or None.
    """

    def __init__(self, limit: int | None, fraction: Fraction | None) -> None:
        """Hold one of them; with neither, as many rows as there are."""
        self.limit, self.fraction = limit, fraction

    def __call__(self, rows: int) -> int:
        """Rows to draw from so many.

        Raises:
            TQLError: they are more than any memory holds.
        """
        if self.limit is not None:
            return self.limit
        if self.fraction is None:
            return rows
        size = int(rows * self.fraction)
        if size > _MOST_ROWS:
            raise TQLError(f"fraction asks for {size:,} rows, more than any memory holds")
        return size


def size_from(limit: object, fraction: object) -> Size:
    """The size that `limit` and `fraction` say.

    Raises:
        TQLError: both were given, or one is no such number.

    Example:
        >>> size_from(None, 0.29)(100), size_from(5, None)(100), size_from(None, None)(100)
        (29, 5, 100)
    """
    if limit is not None and fraction is not None:
        raise TQLError("limit and fraction were both given; give one of them")
    if fraction is not None:
        share = _share(fraction)
        if share is None or share < 0:
            raise TQLError(f"fraction must be a number of at least 0, not {fraction!r}")
        return Size(None, share)
    if limit is None:
        return Size(None, None)
    number = whole_number(limit)
    if number is None or number < 0:
        raise TQLError(f"limit must be a whole number of at least 0, not {limit!r}")
    if number > _MOST_ROWS:
        raise TQLError(f"limit is {number:,}, more rows than any memory holds")
    return Size(number, None)


def seed_from(seed: object) -> int:
    """A seed as a number, a fresh one for None.

    Raises:
        TQLError: it is no whole number, or less than 0.
    """
    if seed is None:
        return fresh_seed()
    number = whole_number(seed)
    if number is None or number < 0:
        raise TQLError(f"seed must be a whole number of at least 0, or None, not {seed!r}")
    return number


def whole_number(value: object) -> int | None:
    """A whole number of any library as an int, None for anything else."""
    if isinstance(value, (bool, np.bool_)):
        return None
    try:
        return operator.index(value)  # type: ignore[arg-type]
    except TypeError:
        return None


def check_order(order: object) -> None:
    """Make sure that an order of rows is known.

    Raises:
        TQLError: it is not.
    """
    if order not in ("draw", "source"):
        raise TQLError(f"order must be 'draw' or 'source', not {order!r}")


def check_index(index: object) -> None:
    """Make sure that a name for the column of row numbers is one, or None.

    Raises:
        TQLError: it is something else.
    """
    if not (index is None or isinstance(index, str)):
        raise TQLError(f"index must be a column name or None, not {index!r}")
    if index is not None and lone_surrogate(index) is not None:
        raise TQLError(f"index must be text that can be encoded, not {index!r}")


def check_flag(name: str, value: object) -> None:
    """Make sure that an argument is a truth value.

    Raises:
        TQLError: it is something else.
    """
    if not isinstance(value, (bool, np.bool_)):
        raise TQLError(f"{name} must be True or False, not {value!r}")


def check_parameters(parameters: object) -> None:
    """Make sure that the parameters of a statement are a list of values, or None.

    Raises:
        TQLError: they are something else.
    """
    if parameters is not None and (isinstance(parameters, (str, bytes, Mapping)) or not hasattr(parameters, "__len__")):
        raise TQLError("parameters is a list of values, one for each `?` in order")


def _share(value: object) -> Fraction | None:
    """The number that was meant: 0.29 of 100 rows are 29 and 1/3 of 3 is 1, though their floats are a little less."""
    if isinstance(value, bool) or not isinstance(value, (Real, Decimal)):
        return None
    try:
        return Fraction(str(value)).limit_denominator(10**12)
    except ValueError:  # NaN, infinity
        return None
