"""How a frame differs from the one that a fingerprint was taken of, in words."""

from __future__ import annotations

from collections.abc import Iterator

from tql_frames.errors import TQLError
from tql_frames.views.saved.fingerprint import ColumnPrint, Fingerprint

_TOLD = 5  # differences that a message names


def differences(saved: Fingerprint, found: Fingerprint) -> TQLError | None:
    """The error that says how a frame differs from the saved one, None where it holds the same.

    The order of columns does not count, nor do index labels where one of the frames has none.

    Example:
        >>> age = ColumnPrint("'age'", "Int64", "00")
        >>> years = ColumnPrint("'years'", "Int64", "00")
        >>> print(differences(Fingerprint(3, (age,), (), "0"), Fingerprint(3, (years,), (), "1")))
        the frame is not the one that the view was saved of: column 'age' is named 'years' now
          rename it back, or draw the view again: its file tells how
    """
    if saved.rows != found.rows:
        return _error([f"it has {_rows(found.rows)}, that one had {_rows(saved.rows)}"])
    told = list(_columns(saved, found))
    again = "draw the view again: its file tells how"
    if any(kind == "values" for kind, _ in told) and saved.bag == found.bag:
        return _error(["it has the same rows in another order"], f"bring them back into their order, or {again}")
    told += _index(saved, found)
    if not told:
        return None
    renamed = all(kind == "name" for kind, _ in told)
    return _error([words for _, words in told], f"rename it back, or {again}" if renamed else again)


def _columns(saved: Fingerprint, found: Fingerprint) -> Iterator[tuple[str, str]]:
    """What differs of each column, a word and in words."""
    here = {each.name: each for each in found.columns}
    there = {each.name: each for each in saved.columns}
    new = [each for each in found.columns if each.name not in there]
    for name, column in there.items():
        if name in here:
            yield from _values(f"column {name}", "values", column, here[name])
            continue
        same = next((each for each in new if (each.type, each.digest) == (column.type, column.digest)), None)
        if same is None:
            yield "columns", f"column {name} is missing"
        else:
            new.remove(same)
            yield "name", f"column {name} is named {same.name} now"
    yield from (("columns", f"column {each.name} is new") for each in new)


def _index(saved: Fingerprint, found: Fingerprint) -> Iterator[tuple[str, str]]:
    """What differs of the index labels."""
    if not saved.levels or not found.levels:
        return
    if len(saved.levels) != len(found.levels):
        yield "labels", f"the index has {len(found.levels)} levels, it had {len(saved.levels)}"
        return
    for level, (before, now) in enumerate(zip(saved.levels, found.levels, strict=True)):
        yield from _values(
            "the index" if len(saved.levels) == 1 else f"level {level} of the index", "labels", before, now
        )


def _values(what: str, kind: str, before: ColumnPrint, now: ColumnPrint) -> Iterator[tuple[str, str]]:
    if before.type != now.type:
        yield "type", f"{what} is of type {now.type}, it was {before.type}"
    elif before.digest != now.digest:
        yield kind, f"{what} has other {kind}"


def _rows(count: int) -> str:
    return f"{count:,} row{'s' * (count != 1)}"


def _error(told: list[str], hint: str | None = None) -> TQLError:
    more = [f"and {len(told) - _TOLD:,} more differences"] if len(told) > _TOLD else []
    words = "; ".join([*told[:_TOLD], *more])
    return TQLError(f"the frame is not the one that the view was saved of: {words}", hint=hint)
