"""How much the tests try: `make test` tries every kind of thing in small numbers, `make test-all` in large ones."""

import os
from typing import TypeVar

T = TypeVar("T")

FULL = os.environ.get("TQL_TESTS", "quick") == "full"


def size(quick: T, full: T) -> T:
    """Return `full` under `make test-all`, `quick` otherwise.

    Examples:
        >>> size(3, 3)
        3
    """
    return full if FULL else quick
