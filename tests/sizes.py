"""How much the tests try: `make test` tries every kind of thing in small numbers, `make test-all` in large ones."""

import os
import re
from collections.abc import Iterable, Sequence
from itertools import product
from typing import Any, TypeVar

T = TypeVar("T")

FULL = os.environ.get("TQL_TESTS", "quick") == "full"


def size(quick: T, full: T) -> T:
    """Return `full` under `make test-all`, `quick` otherwise.

    Examples:
        >>> size(3, 3)
        3
    """
    return full if FULL else quick


def paired(first: Iterable[Any], second: Iterable[Any], each: int = 1) -> list[tuple[Any, Any]]:
    """Return every value beside every value of another axis under `make test-all`, otherwise beside so many, in turn.

    Examples:
        >>> len(paired("abcd", "xy")) in (4, 8)
        True
    """
    first, second = list(first), list(second)
    step, count = len(second) // each, len(second)
    some = [
        (one, second[(place + place // count + turn * step) % count])
        for place, one in enumerate(first)
        for turn in range(each)
    ]
    return size(some, list(product(first, second)))


def crossed(first: Iterable[Any], second: Iterable[Any], third: Sequence[Any]) -> list[tuple[Any, Any, Any]]:
    """Return all triples of values under `make test-all`, otherwise all pairs of the first two beside one of the third.

    Examples:
        >>> len(crossed("ab", "xyz", [1, 2])) in (6, 12)
        True
    """
    first, second = list(first), list(second)
    some = [(a, b, third[(i + j) % len(third)]) for i, a in enumerate(first) for j, b in enumerate(second)]
    return size(some, list(product(first, second, third)))


def named(value: object) -> str:
    """Return what a case is called after its value, without addresses, by which two processes would call it otherwise.

    Examples:
        >>> named("<Expr at 0x7F90B49021D0>")
        '<Expr>'
    """
    return re.sub(r" at 0x[0-9A-Fa-f]+", "", str(value))
