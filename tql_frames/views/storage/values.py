"""Compute digests by value: equal values have equal digests in every library and type.

Numbers are equal across integer and float types, text across String, Categorical and Enum, dates and times across Date
and every unit of Datetime, lists across List and Array. NaN is null, as in pandas. A column or list with only nulls has
no type. Digests of single types are in `digests`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from tql_frames.compiler.expressions.types import instance
from tql_frames.views.storage.digests import Digest, Numbers, digest_of, item_numbers, list_numbers, text_numbers

_REST = np.uint64(0x9E3779B185EBCA87)  # odd, so that differences beyond the coarse number still count
_TEXT = (pl.String, pl.Categorical, pl.Enum)
_UNITS = {"ms": 1, "us": 1_000, "ns": 1_000_000}  # parts of a millisecond
_DAY = 86_400_000  # milliseconds


def family(dtype: pl.DataType) -> str:
    """Return the name of the types whose equal values have equal digests.

    Examples:
        >>> family(pl.List(pl.Int8())), family(pl.Array(pl.Float64(), 2)), family(pl.Categorical())
        ('list of number', 'list of number', 'text')
    """
    match dtype:
        case pl.List() | pl.Array():
            return f"list of {family(item_type(dtype))}"
        case pl.Struct(fields=fields):
            inner = ", ".join(f"{each.name!r}: {family(instance(each.dtype))}" for each in fields)
            return f"struct of {inner}"
        case pl.Datetime(time_zone=zone) if zone is not None:
            return "moment with a time zone"
        case pl.Date() | pl.Datetime():
            return "moment"
        case pl.Decimal():
            return "decimal"
    if isinstance(dtype, _TEXT):
        return "text"
    if dtype.is_numeric():
        return "number"
    return str(dtype).partition("(")[0] if not hasattr(dtype, "ext_name") else str(dtype)


def item_type(dtype: pl.DataType) -> pl.DataType:
    """Return the type of the items of a List or Array; the items of a multi-dimensional Array are Arrays."""
    assert isinstance(dtype, (pl.List, pl.Array))
    return instance(dtype.inner)


class _Values(Digest):
    """The digest of values of one family; a column with only nulls has no family."""

    def __init__(self, name: str, parts: Sequence[Digest] = ()) -> None:
        super().__init__(parts)
        self._name = name
        self._valid = 0
        self._rests = hashlib.sha256()

    def add(self, array: pa.Array) -> Numbers:
        array = self._without_nans(array)
        numbers = super().add(array)
        self._valid += len(array) - array.null_count
        return numbers

    def value(self) -> bytes:
        rows = self._rows.to_bytes(8, "little")
        if not self._valid:
            return hashlib.sha256(b"null" + rows).digest()
        own = [self._nulls, self._lengths, self._values, self._rests]
        digests = [each.digest() for each in own] + [part.value() for part in self._parts]
        return hashlib.sha256(b"".join([self._name.encode(), b"\0", rows, *digests])).digest()

    def _without_nans(self, array: pa.Array) -> pa.Array:
        return array

    def _pairs(self, coarse: NDArray[np.generic], rest: NDArray[np.generic]) -> Numbers:
        """Add values of 8 bytes, and the rest that they do not represent, which is 0 for nearly all values."""
        self._values.update(np.ascontiguousarray(coarse).view(np.uint8).data)
        rests = rest.view(np.uint64)
        places = np.flatnonzero(rests)
        told = np.stack([(places + self._valid).astype("<u8"), rests[places]], axis=1)
        self._rests.update(np.ascontiguousarray(told).view(np.uint8).data)
        numbers: Numbers = np.ascontiguousarray(coarse).view(np.uint64) + rests * _REST
        return numbers


class _Number(_Values):
    """Integers and floats: the nearest Float64, and the difference of an integer from it."""

    def __init__(self) -> None:
        super().__init__("number")

    def _without_nans(self, array: pa.Array) -> pa.Array:
        if not pa.types.is_floating(array.type):
            return array
        if pa.types.is_float16(array.type):
            array = array.cast(pa.float32())
        return pc.if_else(pc.is_nan(array), pa.scalar(None, array.type), array)

    def _add(self, array: pa.Array) -> Numbers:
        if pa.types.is_large_string(array.type):
            return self._wide(array)
        values = array.to_numpy(zero_copy_only=False)
        floats = values.astype(np.float64) + 0.0
        return self._pairs(floats, _rest(values, floats))

    def _wide(self, array: pa.Array) -> Numbers:
        """Add integers of 128 bits, as text."""
        values = pl.Series(array)
        floats = values.cast(pl.Float64)
        narrow = values.cast(pl.Int64, strict=False)
        unsigned = values.cast(pl.UInt64, strict=False)
        coarse = floats.to_numpy()
        rest = np.zeros(len(values), np.uint64)
        for part in (narrow, unsigned):
            known = part.is_not_null().to_numpy()
            rest[known] = _rest(part.drop_nulls().to_numpy(), coarse[known])
        beyond = (narrow.is_null() & unsigned.is_null()).to_numpy()
        if beyond.any():  # the text has the digits that the Float64 lacks
            rest[beyond] = text_numbers(values.filter(beyond).to_arrow().cast(pa.large_string()))
        return self._pairs(coarse, rest)


def _rest(values: NDArray[np.generic], floats: NDArray[np.float64]) -> Numbers:
    """Return the differences of integers from a Float64, modulo 2**64; 0 for floats."""
    if values.dtype.kind == "f" or values.dtype.itemsize < 8:
        return np.zeros(len(values), np.uint64)
    bound, lowest = (2.0**63, np.iinfo(np.int64).min) if values.dtype.kind == "i" else (2.0**64, 0)
    whole = np.where(floats == bound, 0, floats).astype(values.dtype)
    whole[floats == bound] = lowest
    found: Numbers = values.view(np.uint64) - whole.view(np.uint64)
    return found


class _Moment(_Values):
    """Dates, times and durations: whole milliseconds, and the remaining nanoseconds."""

    def __init__(self, name: str, dtype: pl.DataType) -> None:
        super().__init__(name)
        self._unit = None if isinstance(dtype, pl.Date) else _UNITS[getattr(dtype, "time_unit", "ns")]

    def _add(self, array: pa.Array) -> Numbers:
        if self._unit is None:
            days = array.view(pa.int32()).to_numpy(zero_copy_only=False).astype(np.int64)
            return self._pairs(days * _DAY, np.zeros(len(days), np.int64))
        values = array.view(pa.int64()).to_numpy(zero_copy_only=False)
        whole = values // self._unit
        return self._pairs(whole, (values - whole * self._unit) * (_UNITS["ns"] // self._unit))


class _TextWords(_Values):
    """Text of every type, and bytes."""

    def _add(self, array: pa.Array) -> Numbers:
        if pa.types.is_dictionary(array.type):
            array = array.dictionary_decode()
        return self._text(array.cast(pa.large_binary()))

    def _text(self, array: pa.Array) -> Numbers:
        return text_numbers(array, self._lengths, self._values)


class _Decimals(_TextWords):
    """Decimals as text, without trailing zeros."""

    def _add(self, array: pa.Array) -> Numbers:
        text = pl.Series(array).cast(pl.String)
        dot = text.str.contains(".", literal=True)
        short = text.str.strip_chars_end("0").str.strip_chars_end(".")
        return self._text(short.zip_with(dot, text).to_arrow().cast(pa.large_binary()))


class _Truths(_Values):
    """Booleans."""

    def _add(self, array: pa.Array) -> Numbers:
        values: NDArray[np.uint8] = array.to_numpy(zero_copy_only=False).astype(np.uint8)
        self._values.update(values.data)
        return values.astype(np.uint64)


class _Lists(_Values):
    """Lists of variable or fixed length."""

    def _add(self, array: pa.Array) -> Numbers:
        if not len(array):
            return np.zeros(0, np.uint64)
        if pa.types.is_fixed_size_list(array.type):
            size = array.type.list_size
            items = array.values.slice(array.offset * size, len(array) * size)
            bounds = np.arange(len(array) + 1) * size
        else:
            bounds = array.offsets.to_numpy()
            items = array.values.slice(int(bounds[0]), int(bounds[-1] - bounds[0]))
            bounds = bounds - bounds[0]
        self._lengths.update(np.diff(bounds).astype("<u8").data)
        return list_numbers(self._parts[0].add(items), bounds)


class _Structs(_Values):
    """Structs: their fields in order."""

    def _add(self, array: pa.Array) -> Numbers:
        fields = [part.add(values) for part, values in zip(self._parts, array.flatten(), strict=True)]
        return item_numbers(np.stack(fields, axis=1)) if fields else np.zeros(len(array), np.uint64)


class _StoredByValue(_Values):
    """An extension type: its storage values, by value."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self._storage: Digest | None = None

    def add(self, array: pa.Array) -> Numbers:
        array = getattr(array, "storage", array)
        if self._storage is None:
            self._storage = digest_of(array.type)
        self._valid += len(array) - array.null_count
        self._rows += len(array)
        return self._storage.add(array)

    def value(self) -> bytes:
        if self._storage is not None and self._valid:
            self._values = hashlib.sha256(self._storage.value())
        return super().value()


def values_digest(dtype: pl.DataType) -> Digest:
    """Return the digest by value for a Polars type; integers of 128 bits are passed as text.

    Raises:
        TypeError: it holds Python objects.

    Examples:
        >>> whole, fractions = values_digest(pl.Int64()), values_digest(pl.Float64())
        >>> numbers = whole.add(pa.array([1, None])), fractions.add(pa.array([1.0, float("nan")]))
        >>> whole.value() == fractions.value()
        True
    """
    name = family(dtype)
    if isinstance(dtype, (pl.List, pl.Array)):
        return _Lists("list", [values_digest(item_type(dtype))])
    if isinstance(dtype, pl.Struct):
        names = ", ".join(repr(each.name) for each in dtype.fields)
        return _Structs(f"struct of {names}", [values_digest(instance(each.dtype)) for each in dtype.fields])
    if isinstance(dtype, pl.Decimal):
        return _Decimals(name)
    if name == "number":
        return _Number()
    if isinstance(dtype, (pl.Date, pl.Datetime, pl.Duration, pl.Time)):
        return _Moment(name, dtype)
    if isinstance(dtype, (*_TEXT, pl.Binary)):
        return _TextWords(name)
    if isinstance(dtype, pl.Boolean):
        return _Truths(name)
    if isinstance(dtype, pl.Null):
        return _Values(name)
    if isinstance(dtype, pl.Object):
        raise TypeError("Python objects")
    return _StoredByValue(name)
