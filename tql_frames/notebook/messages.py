"""Messages from the page, checked: what is malformed is answered by an error, and never raises.

What the messages of a kind hold is told at the methods of `session`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from tql_frames.errors import TQLError

Message = dict[str, Any]


def checked(message: Mapping[str, Any], labels: int) -> Message:
    """Return a message of a known kind, its values of their types; numbers of rows are clamped to what there can be.

    Args:
        message: as it came.
        labels: number of labels that the page shows, which targets and `keep` name by their numbers.

    Raises:
        TQLError: a value is of another type.

    Examples:
        >>> checked({"kind": "rows", "start": -3, "count": -1}, 0)
        {'kind': 'rows', 'start': 0, 'count': 0}
    """
    found = dict(message)
    for name, read in _READ.items():
        if name in found:
            found[name] = read(name, found[name])
    if found["kind"] == "rows":
        found.setdefault("start", 0)
        found.setdefault("count", 0)
    found_targets, keep = found.get("targets", []), found.get("keep", [])
    wrong = [place for place in [*(place for place, _ in found_targets), *keep] if not 0 <= place < labels]
    if wrong:
        raise _malformed("targets" if found_targets else "keep", f"label {wrong[0]} of {labels}")
    return found


def _text(name: str, value: object) -> str:
    if not isinstance(value, str):
        raise _malformed(name, value)
    return value


def _name(name: str, value: object) -> str | None:
    return None if value is None else _text(name, value)


def _typed(name: str, value: object) -> str:
    """Return a number as it was typed."""
    if value is None:
        return ""
    if isinstance(value, bool) or not isinstance(value, (str, int)):
        raise _malformed(name, value)
    return str(value)


def _flag(name: str, value: object) -> bool:
    if not isinstance(value, bool):
        raise _malformed(name, value)
    return value


def _whole(name: str, value: object) -> int:
    if isinstance(value, float) and math.isfinite(value):
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int):
        raise _malformed(name, value)
    return max(value, 0)


def _number(name: str, value: object) -> float | None:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
        raise _malformed(name, value)
    return value


def _targets(name: str, value: object) -> list[tuple[int, float]]:
    if not isinstance(value, list):
        raise _malformed(name, value)
    found = []
    for pair in value:
        if not isinstance(pair, (list, tuple)) or len(pair) != 2:
            raise _malformed(name, pair)
        place, share = _place(name, pair[0]), _number(name, pair[1])
        if share is None:
            raise _malformed(name, pair)
        found.append((place, share))
    return found


def _places(name: str, value: object) -> list[int]:
    if not isinstance(value, list):
        raise _malformed(name, value)
    return [_place(name, place) for place in value]


def _place(name: str, value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise _malformed(name, value)
    return value


_READ = {
    "text": _text,
    "by": _name,
    "limit": _typed,
    "seed": _typed,
    "replace": _flag,
    "start": _whole,
    "count": _whole,
    "most": _number,
    "targets": _targets,
    "keep": _places,
}


def _malformed(name: str, value: object) -> TQLError:
    shown = value if isinstance(value, str) else repr(value)
    return TQLError(f"the message of the widget is malformed: {name} is {shown[:80]}")
