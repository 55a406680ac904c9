"""How much the tests try: `make test` tries every kind of thing in small numbers, `make test-all` in large ones."""

import os

FULL = os.environ.get("TQL_TESTS", "quick") == "full"


def size(quick: int, full: int) -> int:
    """Return `full` under `make test-all`, `quick` otherwise.

    Examples:
        >>> size(3, 3)
        3
    """
    return full if FULL else quick
