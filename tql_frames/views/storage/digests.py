"""Compute digests of the values of a column, and a number per row for digests that ignore the order of rows.

Both depend only on the values: not on chunks, slices, bytes under nulls, or versions of libraries. Names and types of
columns are in `fingerprint`.

Values are read in their Arrow layout. Each kind of buffer has its own SHA-256, which is updated with each piece of a
column: positions of nulls, lengths of texts and lists, and values that are not null. Values that are equal in Polars
are equal here: all bit patterns of NaN are equal, and -0.0 is 0.0.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from functools import lru_cache
from typing import Any, Protocol

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

Numbers = NDArray[np.uint64]
"""One number per row; sums and products are modulo 2**64."""


class Hash(Protocol):
    """An incremental SHA-256."""

    def update(self, data: Any, /) -> None:
        """Update the hash with some bytes."""


_BASE = 0x9E3779B97F4A7C15  # of polynomials over bytes and items; odd, so that it has an inverse modulo 2**64
_NULL = 0xC2B2AE3D27D4EB4F
_LENGTH = 0x165667B19E3779F9
_LONG = 1024  # bytes from which a text has its own SHA-256


class Digest:
    """The digest of values of one Arrow type, updated piece by piece.

    Examples:
        >>> whole, pieces = digest_of(pa.int64()), digest_of(pa.int64())
        >>> numbers = whole.add(pa.array([1, None, 3]))
        >>> for piece in (pa.array([1, None]), pa.array([3])):
        ...     numbers = pieces.add(piece)
        >>> whole.value() == pieces.value()
        True
    """

    def __init__(self, parts: Sequence[Digest] = ()) -> None:
        """Begin without values; `parts` are digests of the components of the values."""
        self._parts = parts
        self._rows = 0
        self._nulls = hashlib.sha256()
        self._lengths = hashlib.sha256()
        self._values = hashlib.sha256()

    def add(self, array: pa.Array) -> Numbers:
        """Add the next values; return their numbers, shape (n,)."""
        if array.null_count:
            valid = array.is_valid().to_numpy(zero_copy_only=False)
            self._nulls.update((np.flatnonzero(~valid) + self._rows).astype("<u8").data)
            numbers = np.full(len(array), _NULL, np.uint64)
            numbers[valid] = self._add(array.drop_null())
        else:
            numbers = self._add(array)
        self._rows += len(array)
        return numbers

    def value(self) -> bytes:
        """Return the digest of all values so far, 32 bytes."""
        own = [self._nulls.digest(), self._lengths.digest(), self._values.digest()]
        parts = [part.value() for part in self._parts]
        return hashlib.sha256(b"".join([self._rows.to_bytes(8, "little"), *own, *parts])).digest()

    def _add(self, array: pa.Array) -> Numbers:
        """Add values without nulls; return their numbers."""
        return np.zeros(len(array), np.uint64)  # for the null type, which has no such values


class _Fixed(Digest):
    """Numbers, dates and times, decimals: values of fixed width."""

    def __init__(self, width: int, floating: bool) -> None:
        super().__init__()
        self._width, self._floating = width, floating

    def _add(self, array: pa.Array) -> Numbers:
        if not len(array):
            return np.zeros(0, np.uint64)
        width = self._width
        first = array.offset * width
        raw = np.frombuffer(array.buffers()[1], np.uint8)[first : first + len(array) * width]
        if self._floating:
            values = raw.view(f"<f{width}")
            with np.errstate(invalid="ignore"):  # for a signalling NaN
                values = values + values.dtype.type(0)
            values[np.isnan(values)] = np.nan
            raw = values.view(np.uint8)
        self._values.update(raw.data)
        if width <= 8:
            numbers: Numbers = raw.view(f"<u{width}").astype(np.uint64)
            return numbers
        return item_numbers(raw.view("<u8").reshape(len(array), -1))


class _Truth(Digest):
    """Booleans, one byte each."""

    def _add(self, array: pa.Array) -> Numbers:
        values: NDArray[np.uint8] = array.to_numpy(zero_copy_only=False).astype(np.uint8)
        self._values.update(values.data)
        return values.astype(np.uint64)


class _Text(Digest):
    """Text and bytes, with 64-bit offsets."""

    def _add(self, array: pa.Array) -> Numbers:
        return text_numbers(array, self._lengths, self._values)


class _Decoded(Digest):
    """Dictionary-encoded values, such as Categorical and Enum: the decoded values."""

    def __init__(self, plain: Digest, target: pa.DataType) -> None:
        super().__init__()
        self._plain, self._target = plain, target

    def add(self, array: pa.Array) -> Numbers:
        return self._plain.add(pc.cast(array.dictionary_decode(), self._target))

    def value(self) -> bytes:
        return self._plain.value()


class _Stored(Digest):
    """An extension type: its storage values."""

    def __init__(self, storage: Digest) -> None:
        super().__init__()
        self._storage = storage

    def add(self, array: pa.Array) -> Numbers:
        return self._storage.add(array.storage)

    def value(self) -> bytes:
        return self._storage.value()


class _List(Digest):
    """Lists, with 64-bit offsets."""

    def _add(self, array: pa.Array) -> Numbers:
        if not len(array):
            return np.zeros(0, np.uint64)
        bounds = array.offsets.to_numpy()
        items = array.values.slice(int(bounds[0]), int(bounds[-1] - bounds[0]))
        bounds = bounds - bounds[0]
        self._lengths.update(np.diff(bounds).astype("<u8").data)
        return list_numbers(self._parts[0].add(items), bounds)


class _FixedList(Digest):
    """Lists of fixed length."""

    def _add(self, array: pa.Array) -> Numbers:
        size = array.type.list_size
        items = array.values.slice(array.offset * size, len(array) * size)
        return item_numbers(self._parts[0].add(items).reshape(len(array), size))


class _Struct(Digest):
    """Structs: their fields in order."""

    def _add(self, array: pa.Array) -> Numbers:
        fields = [part.add(values) for part, values in zip(self._parts, array.flatten(), strict=True)]
        return item_numbers(np.stack(fields, axis=1)) if fields else np.zeros(len(array), np.uint64)


def digest_of(dtype: pa.DataType) -> Digest:
    """Return the digest for an Arrow type that Polars writes with `CompatLevel.oldest()`.

    Raises:
        TypeError: it is another type.
    """
    types = pa.types
    if types.is_null(dtype):
        return Digest()
    if types.is_boolean(dtype):
        return _Truth()
    if types.is_large_string(dtype) or types.is_large_binary(dtype):
        return _Text()
    if types.is_dictionary(dtype):
        target = pa.large_string() if types.is_string(dtype.value_type) else dtype.value_type
        return _Decoded(digest_of(target), target)
    if types.is_large_list(dtype):
        return _List([digest_of(dtype.value_type)])
    if types.is_map(dtype):
        return _List([digest_of(pa.struct([dtype.key_field, dtype.item_field]))])
    if types.is_fixed_size_list(dtype):
        return _FixedList([digest_of(dtype.value_type)])
    if types.is_struct(dtype):
        return _Struct([digest_of(dtype.field(place).type) for place in range(dtype.num_fields)])
    if isinstance(dtype, pa.BaseExtensionType):
        return _Stored(digest_of(dtype.storage_type))
    if types.is_primitive(dtype) or types.is_decimal(dtype):
        return _Fixed(dtype.bit_width // 8, types.is_floating(dtype))
    raise TypeError(f"values of Arrow type {dtype}")


def mixed(numbers: Numbers) -> Numbers:
    """Return scrambled numbers, so that sums of different numbers differ; splitmix64 (Steele et al. 2014)."""
    numbers = (numbers ^ (numbers >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    numbers = (numbers ^ (numbers >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return numbers ^ (numbers >> np.uint64(31))


def text_numbers(array: pa.Array, lengths: Hash | None = None, values: Hash | None = None) -> Numbers:
    """Return numbers of texts or bytes with 64-bit offsets, without nulls; update two hashes with them."""
    if not len(array):
        return np.zeros(0, np.uint64)
    _, offsets, content = array.buffers()
    bounds = np.frombuffer(offsets, "<i8")[array.offset : array.offset + len(array) + 1]
    raw = np.frombuffer(content or b"", np.uint8)[bounds[0] : bounds[-1]]
    bounds = bounds - bounds[0]
    sizes = np.diff(bounds)
    if lengths is not None:
        lengths.update(sizes.astype("<u8").data)
    if values is not None:
        values.update(raw.data)
    # A loop is used only for long texts, which are few: hashing the same number of bytes in short texts takes longer.
    long = np.flatnonzero(sizes >= _LONG)
    if not len(long):
        return list_numbers(raw, bounds)
    short = np.where(sizes < _LONG, sizes, 0)
    kept = np.repeat(sizes < _LONG, sizes)
    numbers = list_numbers(raw[kept], np.concatenate([[0], np.cumsum(short)]))
    for row in long.tolist():
        value = hashlib.sha256(raw[bounds[row] : bounds[row + 1]].data).digest()
        numbers[row] = int.from_bytes(value[:8], "little")
    return numbers


def item_numbers(rows: Numbers) -> Numbers:
    """Return the polynomial of each row of a matrix, shape (n, k) to (n,), plus a number for its length."""
    found: Numbers = rows @ _powers(_BASE, rows.shape[1]) + _lengths(np.full(len(rows), rows.shape[1]))
    return found


def list_numbers(items: NDArray[np.uint8] | Numbers, bounds: NDArray[np.int64]) -> Numbers:
    """Return the polynomials of runs of items, which `bounds` divide, plus numbers for their lengths.

    Cumulative sums with increasing powers are computed once over all items; the difference of two sums is divided by
    the power at the start of the run.
    """
    sums = np.zeros(len(items) + 1, np.uint64)
    np.multiply(items, _powers(_BASE, len(items)), out=sums[1:])
    np.cumsum(sums[1:], out=sums[1:])
    inverse = _powers(pow(_BASE, -1, 2**64), len(items) + 1)
    starts, stops = bounds[:-1], bounds[1:]
    return (sums[stops] - sums[starts]) * inverse[starts] + _lengths(stops - starts)


def _lengths(lengths: NDArray[np.int64]) -> Numbers:
    return (lengths.astype(np.uint64) + np.uint64(1)) * np.uint64(_LENGTH)


def _powers(base: int, count: int) -> Numbers:
    """Return the first powers of a base, beginning with 1, shape (count,)."""
    return _table(base, max(count - 1, 1).bit_length())[:count]


@lru_cache(maxsize=40)
def _table(base: int, bits: int) -> Numbers:
    powers = np.full(2**bits, base, np.uint64)
    powers[0] = 1
    return np.multiply.accumulate(powers)
