"""Numbers that callers pass, checked at once: a wrong one would show in a later epoch only, or in another process."""

from __future__ import annotations

from typing import Any

from tql_frames.errors import TQLError
from tql_frames.pipeline.arguments import whole_number


def check_whole(name: str, value: Any, least: int = 0) -> int:
    """Return a whole number of any library as an int.

    Raises:
        TQLError: it is something else, or less than `least`.

    Example:
        >>> check_whole("epoch", True)
        Traceback (most recent call last):
            ...
        tql_frames.TQLError: epoch must be a whole number of at least 0, not True
    """
    number = whole_number(value)
    if number is None or number < least:
        raise TQLError(f"{name} must be a whole number of at least {least}, not {value!r}")
    return number
