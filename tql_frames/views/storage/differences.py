"""How a frame differs from the one that a fingerprint was taken of, in words, and which differences a view allows."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import NamedTuple

from tql_frames.errors import TQLError
from tql_frames.views.storage.fingerprint import ColumnPrint, Fingerprint

_TOLD = 5  # differences that a message names


@dataclass(frozen=True)
class Needs:
    """What must be the same.

    Attributes:
        columns: names of columns that must not be missing; None for all.
        outputs: those that must be there even if they are not compared.
        compared: names of columns whose values are compared; None for all, and for the index.
        strict: whether no other column may be missing or new.
    """

    columns: Collection[str] | None = None
    outputs: Collection[str] = ()
    compared: Collection[str] | None = None
    strict: bool = True

    def compares(self, name: str) -> bool:
        """Return whether values of a column are compared."""
        return self.compared is None or name in self.compared

    def misses(self, name: str) -> bool:
        """Return whether a column must not be missing."""
        if self.strict or name in self.outputs:
            return True
        if self.compared is not None:
            return name in self.compared
        return self.columns is None or name in self.columns


class Difference(NamedTuple):
    """A difference.

    Attributes:
        kind: a word.
        words: the same as a clause.
        allowed: whether a view can be loaded nevertheless.
    """

    kind: str
    words: str
    allowed: bool = False


def differences(
    saved: Fingerprint, found: Fingerprint, needs: Needs | None = None
) -> tuple[TQLError | None, list[str]]:
    """Compare a frame with the saved one.

    The order of columns does not count, nor do index labels where one of the frames has none.

    Returns:
        The error that says how they differ, None where a view can be loaded; and the differences that it allows.

    Examples:
        >>> age = ColumnPrint("'age'", "Int64", "00", "number")
        >>> years = ColumnPrint("'years'", "Int64", "00", "number")
        >>> saved, found = Fingerprint(3, (age,), (), "0"), Fingerprint(3, (years,), (), "1")
        >>> print(differences(saved, found)[0])
        the frame is not the one that the view was saved of: column 'age' is named 'years' now
          rename it back, or draw the view again, by the sampler and seed in its file
        >>> differences(saved, found, Needs(columns=(), strict=False))
        (None, ["column 'age' is named 'years' now"])
    """
    needs = needs or Needs()
    if saved.rows != found.rows:
        return _error([f"it has {_rows(found.rows)}, that one had {_rows(saved.rows)}"]), []
    every = [*_columns(saved, found, needs), *_unread(saved, needs)]
    told = [each for each in every if not each.allowed]
    allowed = [each.words for each in every if each.allowed]
    again = "draw the view again, by the sampler and seed in its file"
    if any(each.kind == "values" for each in told) and saved.bag == found.bag:
        words = ["it has the same rows in another order"]
        return _error(words, f"bring them back into their order, or {again}"), allowed
    if needs.compared is None:
        told += _index(saved, found)
    if not told:
        return None, allowed
    kinds = {each.kind for each in told}
    hint = again
    if kinds == {"name"}:
        hint = f"rename it back, or {again}"
    elif kinds == {"new"}:
        hint = "leave out strict=True, or drop the columns"
    return _error([each.words for each in told], hint), allowed


def _columns(saved: Fingerprint, found: Fingerprint, needs: Needs) -> Iterator[Difference]:
    """Yield what differs of the columns."""
    here = {each.name: each for each in found.columns}
    there = {each.name: each for each in saved.columns}
    new = [each for each in found.columns if each.name not in there]
    for name, column in there.items():
        if name in here:
            if needs.compares(name) and column.digest:
                yield from _values(f"column {name}", "values", column, here[name])
            continue
        allowed = not needs.misses(name)
        same = next((each for each in new if column.digest and column.holds_as(each)), None)
        if same is None:
            yield Difference("columns", f"column {name} is missing", allowed)
        else:
            new.remove(same)
            yield Difference("name", f"column {name} is named {same.name} now", allowed)
    yield from (Difference("new", f"column {each.name} is new", not needs.strict) for each in new)


def _unread(saved: Fingerprint, needs: Needs) -> Iterator[Difference]:
    """Yield columns whose values are not known to be the same."""
    names = [each.name for each in saved.columns if not each.digest or not needs.compares(each.name)]
    if names:
        more = f" and {len(names) - _TOLD:,} more" if len(names) > _TOLD else ""
        words = f"column{'s' * (len(names) > 1)} {', '.join(names[:_TOLD])}{more} not compared"
        yield Difference("unread", words, allowed=True)


def _index(saved: Fingerprint, found: Fingerprint) -> Iterator[Difference]:
    """Yield what differs of the index labels."""
    if not saved.levels or not found.levels:
        return
    if len(saved.levels) != len(found.levels):
        yield Difference("labels", f"the index has {len(found.levels)} levels, it had {len(saved.levels)}")
        return
    for level, (before, now) in enumerate(zip(saved.levels, found.levels, strict=True)):
        what = "the index" if len(saved.levels) == 1 else f"level {level} of the index"
        yield from _values(what, "labels", before, now)


def _values(what: str, kind: str, before: ColumnPrint, now: ColumnPrint) -> Iterator[Difference]:
    if before.holds_as(now):
        return
    if not now.digest:
        yield Difference("type", f"{what} has values that cannot be read, it was of type {before.type}")
    elif (before.family or before.type) != (now.family or now.type):
        yield Difference("type", f"{what} is of type {now.type}, it was {before.type}")
    else:
        yield Difference(kind, f"{what} has other {kind}")


def _rows(count: int) -> str:
    return f"{count:,} row{'s' * (count != 1)}"


def _error(told: list[str], hint: str | None = None) -> TQLError:
    more = [f"and {len(told) - _TOLD:,} more difference{'s' * (len(told) > _TOLD + 1)}"] if len(told) > _TOLD else []
    words = "; ".join([*told[:_TOLD], *more])
    return TQLError(f"the frame is not the one that the view was saved of: {words}", hint=hint)
