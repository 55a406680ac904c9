"""Describe a frame in a few hundred bytes: its columns, a digest of each, and a digest of the rows in any order.

Differences between a frame and a saved fingerprint are described in words, and checked against the needs of a view.
"""

from __future__ import annotations

import hashlib
import threading
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import polars as pl
import pyarrow as pa

from tql_frames.compiler.expressions.types import instance
from tql_frames.errors import TQLError, TQLTypeError
from tql_frames.frames import Contents, Frame, Part
from tql_frames.sampling import cores, in_threads
from tql_frames.views.storage.digests import Digest, Numbers, digest_of, mixed
from tql_frames.views.storage.values import family, values_digest

_BYTES = 1_048_576  # of a piece of a column, so that the piece and intermediate results fit into the processor's cache
_ROWS = 131_072  # greatest number of rows of a piece
_FEW = 1_024  # rows that one thread reads
_MOST_NAMED = 5  # differences that a message names


@dataclass(frozen=True)
class ColumnPrint:
    """A column, or a level of an index.

    Attributes:
        name: `repr` of its label, so that 5 and '5' differ.
        type: Polars type, in words that are the same in all versions.
        digest: digest of its values in their order, 64 hexadecimal digits; '' for a column that was left out.
        family: types whose equal values have equal digests; '' if the digest depends on the type, as in files of
            format 1.
    """

    name: str
    type: str
    digest: str
    family: str = ""

    def holds_as(self, other: ColumnPrint) -> bool:
        """Return whether both hold the same values; types must be equal, too, if digests depend on the type."""
        return self.digest == other.digest and (bool(self.family) or self.type == other.type)


@dataclass(frozen=True)
class Fingerprint:
    """The fingerprint of a frame.

    Attributes:
        rows: number of rows.
        columns: its columns in order.
        levels: levels of the index of a pandas frame.
        bag: digest of the rows in any order, without the index, 16 hexadecimal digits; equal bags mean equal rows with
            high probability, but not certainly. Columns that were left out do not count.
        by_value: whether equal values of several types have equal digests, as since format 2.
    """

    rows: int
    columns: tuple[ColumnPrint, ...]
    levels: tuple[ColumnPrint, ...]
    bag: str
    by_value: bool = True

    @property
    def left_out(self) -> tuple[str, ...]:
        """Names of the columns without a digest."""
        return tuple(each.name for each in self.columns if not each.digest)

    def to_json(self) -> dict[str, Any]:
        """Return its attributes."""
        columns, index = (
            [[each.name, each.type, each.digest, each.family] for each in part] for part in (self.columns, self.levels)
        )
        return {"rows": self.rows, "columns": columns, "index": index, "bag": self.bag}

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Fingerprint:
        """Return the fingerprint with these attributes.

        Raises:
            KeyError, TypeError, ValueError: they are not the attributes of a fingerprint.
        """
        columns, levels = (tuple(ColumnPrint(*each) for each in values[part]) for part in ("columns", "index"))
        texts = [values["bag"], *(text for each in (*columns, *levels) for text in vars(each).values())]
        if type(values["rows"]) is not int or values["rows"] < 0 or not all(isinstance(text, str) for text in texts):
            raise ValueError("no fingerprint")
        by_value = all(each.family for each in (*columns, *levels) if each.digest)
        return cls(values["rows"], columns, levels, values["bag"], by_value)


def fingerprint(
    frame: Frame,
    wanted: Collection[str] | None = None,
    *,
    needed: Collection[str] | None = None,
    by_value: bool = True,
) -> Fingerprint:
    """Return the fingerprint of a frame; the wanted columns are read once, without a copy of the whole frame.

    Args:
        frame: the frame.
        wanted: names of columns as in `ColumnPrint`; others are left out. None for all.
        needed: names of columns that must be readable; others are left out if they cannot be read. None for all.
        by_value: as in `Fingerprint`.

    Raises:
        TQLTypeError: a needed column, or the index, holds Python objects or values without a Polars type.
        TQLError: the rows cannot be read.

    Examples:
        >>> from tql_frames.frames import kept_frame_of
        >>> frame, chunks = pl.DataFrame({"age": [71, 34]}), pl.DataFrame({"age": [[71], [34]]}).explode("age")
        >>> fingerprint(kept_frame_of(frame)) == fingerprint(kept_frame_of(chunks))
        True
    """
    columns: list[_Column] = []
    levels: list[_Column] = []
    bag = 0
    for contents in frame.contents():
        if not columns and not levels:
            columns = [
                _Column(
                    name,
                    by_value,
                    is_wanted=wanted is None or name in wanted,
                    is_needed=needed is None or name in needed,
                )
                for name in names_of([each.label for each in contents.columns])
            ]
            levels = [_Column(f"index level {place}", by_value) for place in range(len(contents.levels))]
        bag = (bag + _add(columns, levels, contents, small=not frame.is_lazy and frame.rows <= _FEW)) % 2**64
    return Fingerprint(frame.rows, _prints(columns), _prints(levels), f"{bag:016x}", by_value)


class _Column:
    """The partial fingerprint of a column."""

    def __init__(self, name: str, by_value: bool, *, is_wanted: bool = True, is_needed: bool = True) -> None:
        self._name, self._by_value = name, by_value
        self._is_wanted, self._is_needed = is_wanted, is_needed
        self._type: str | None = None
        self._family = ""
        self._digest = Digest()
        # From the name, so that the order of columns does not count; odd, so that no information is lost.
        self._factor = np.uint64(int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "little") | 1)
        self._piece = 1024

    def add(self, part: Part) -> Iterator[tuple[int, Numbers]]:
        """Add the next rows; yield places and numbers, which are summed with those of other columns."""
        if not self._is_wanted:
            return
        try:
            series = self._series(part)
        except TQLTypeError:
            if self._is_needed:
                raise
            self._is_wanted = False
            return
        series = _without_wide_integers(series)
        start = 0
        while start < len(series):
            array = _arrow(series.slice(start, self._piece))
            yield start, self._digest.add(array) * self._factor
            start += len(array)
            wanted = int(len(array) * _BYTES / max(array.nbytes, 1))
            self._piece = max(min(wanted, 4 * self._piece, _ROWS), self._piece // 4, 1)

    def print(self) -> ColumnPrint:
        """Return the fingerprint of all rows so far."""
        if not self._is_wanted:
            return ColumnPrint(self._name, "", "")
        assert self._type is not None
        return ColumnPrint(self._name, self._type, self._digest.value().hex(), self._family)

    def _series(self, part: Part) -> pl.Series:
        """Return the next values; the first ones determine the kind of digest.

        Raises:
            TQLTypeError: there is no digest for their type.
        """
        try:
            series = part.values()
        except TQLTypeError as fault:
            raise self._refusal(fault.message, fault.hint) from None
        if self._type is None:
            dtype = instance(series.dtype)
            self._digest = self._digest_of(series)
            self._type = type_words(dtype)
            self._family = family(dtype) if self._by_value else ""
        return series

    def _digest_of(self, series: pl.Series) -> Digest:
        if series.dtype == pl.Object:
            raise self._refusal(f"column {self._name} holds Python objects")
        if _has_nul(instance(series.dtype)):
            raise self._refusal(f"column {self._name} holds structs with a NUL in the name of a field")
        try:
            if self._by_value:
                _arrow(_without_wide_integers(series.clear()))
                return values_digest(instance(series.dtype))
            return digest_of(_arrow(_without_wide_integers(series.clear())).type)
        except (TypeError, pa.ArrowException, pl.exceptions.PolarsError) as fault:
            raise self._refusal(f"column {self._name} holds {fault}") from None

    def _refusal(self, reason: str, hint: str | None = None) -> TQLTypeError:
        advice = "save a view of a frame without it, or turn it into values of a Polars type"
        return TQLTypeError(f"{reason}: its values cannot be compared with later ones", hint=hint or advice)


def _add(columns: Sequence[_Column], levels: Sequence[_Column], contents: Contents, *, small: bool) -> int:
    """Add some rows to all columns, in threads unless there are few rows; return their bag."""
    lock = threading.Lock()
    total = np.zeros(0, np.uint64)

    def run(pairs: Iterator[tuple[_Column, Part]]) -> None:
        nonlocal total
        for column, part in pairs:
            for start, numbers in column.add(part):
                if column in levels:
                    continue
                stop = start + len(numbers)
                with lock:
                    if len(total) < stop:
                        total = np.concatenate([total, np.zeros(max(stop, 2 * start) - len(total), np.uint64)])
                    total[start:stop] += numbers

    pairs = [*zip(columns, contents.columns, strict=True), *zip(levels, contents.levels, strict=True)]
    if small:  # starting threads takes longer
        run(iter(pairs))
    elif pairs:
        in_threads(run, [iter(pairs)] * min(len(pairs), cores()))
    blocks = (total[start : start + _ROWS] for start in range(0, len(total), _ROWS))
    return sum(int(mixed(block).sum(dtype=np.uint64)) for block in blocks)


def _prints(columns: Sequence[_Column]) -> tuple[ColumnPrint, ...]:
    return tuple(each.print() for each in columns)


def names_of(labels: Sequence[object]) -> list[str]:
    """Return the `repr` of labels; repeated labels are numbered."""
    seen: Counter[str] = Counter()
    names = []
    for label in labels:
        name = repr(label)
        seen[name] += 1
        names.append(name if seen[name] == 1 else f"{name} ({seen[name]})")
    return names


def type_words(dtype: pl.DataType) -> str:
    """Return the name of a Polars type that is the same in all versions.

    Examples:
        >>> type_words(pl.List(pl.Categorical())), type_words(pl.Datetime("us", "UTC"))
        ('List(Categorical)', 'Datetime(us, UTC)')
    """
    match dtype:
        case pl.Struct(fields=fields):
            inner = [f"{each.name!r}: {type_words(instance(each.dtype))}" for each in fields]
        case pl.Array():
            inner = [type_words(instance(dtype.inner)), str(dtype.size)]
        case pl.List():
            inner = [type_words(instance(dtype.inner))]
        case pl.Datetime(time_unit=unit, time_zone=zone):
            inner = [unit] if zone is None else [unit, zone]
        case pl.Duration(time_unit=unit):
            inner = [unit]
        case pl.Decimal(precision=precision, scale=scale):
            inner = [str(precision or 38), str(scale)]
        case pl.Enum(categories=categories):
            inner = [repr(each) for each in categories.to_list()]
        case _:
            # For types of other libraries, which only new Polars has, the text is more specific than the class.
            return str(dtype) if hasattr(dtype, "ext_name") else type(dtype).__name__
    return f"{type(dtype).__name__}({', '.join(inner)})"


def _arrow(series: pl.Series) -> pa.Array:
    return series.alias("").to_arrow(compat_level=pl.CompatLevel.oldest())  # names may have a NUL, unlike in Arrow


_WIDE = tuple(getattr(pl, name) for name in ("Int128", "UInt128") if hasattr(pl, name))


def _without_wide_integers(series: pl.Series) -> pl.Series:
    """Return the values, with integers of 128 bits as text, since Arrow has no type for them."""
    target = _narrow(instance(series.dtype))
    return series if target == series.dtype else series.cast(target)


def _has_nul(dtype: pl.DataType) -> bool:
    """Return whether a field of a struct has a name with a NUL, which Arrow does not allow."""
    match dtype:
        case pl.List() | pl.Array():
            return _has_nul(instance(dtype.inner))
        case pl.Struct(fields=fields):
            return any("\0" in each.name or _has_nul(instance(each.dtype)) for each in fields)
    return False


def _narrow(dtype: pl.DataType) -> pl.DataType:
    match dtype:
        case pl.List(inner=inner):
            return pl.List(_narrow(instance(inner)))
        case pl.Array():
            return pl.Array(_narrow(instance(dtype.inner)), dtype.size)
        case pl.Struct(fields=fields):
            return pl.Struct({each.name: _narrow(instance(each.dtype)) for each in fields})
    return pl.String() if isinstance(dtype, _WIDE) else dtype


@dataclass(frozen=True)
class Needs:
    """What must be the same in a frame.

    Attributes:
        columns: names of columns that must not be missing; None for all.
        outputs: names of columns that must exist even if they are not compared.
        compared: names of columns whose values are compared; None for all columns and the index.
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
    """A difference between a frame and the saved one.

    Attributes:
        kind: kind of the difference, one word.
        words: description, as a clause.
        allowed: whether a view can be loaded nevertheless.
    """

    kind: str
    words: str
    allowed: bool = False


def differences(
    saved: Fingerprint, found: Fingerprint, needs: Needs | None = None
) -> tuple[TQLError | None, list[str]]:
    """Compare a frame with the saved one.

    The order of columns does not count, nor do index labels if one of the frames has none.

    Returns:
        The error that describes the differences, or None if a view can be loaded; and the allowed differences.

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
    """Yield the differences of columns."""
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
    """Yield a difference for the columns whose values were not compared."""
    names = [each.name for each in saved.columns if not each.digest or not needs.compares(each.name)]
    if names:
        more = f" and {len(names) - _MOST_NAMED:,} more" if len(names) > _MOST_NAMED else ""
        words = f"column{'s' * (len(names) > 1)} {', '.join(names[:_MOST_NAMED])}{more} not compared"
        yield Difference("unread", words, allowed=True)


def _index(saved: Fingerprint, found: Fingerprint) -> Iterator[Difference]:
    """Yield the differences of index labels."""
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
    others = len(told) - _MOST_NAMED
    more = [f"and {others:,} more difference{'s' * (others > 1)}"] if others > 0 else []
    words = "; ".join([*told[:_MOST_NAMED], *more])
    return TQLError(f"the frame is not the one that the view was saved of: {words}", hint=hint)
