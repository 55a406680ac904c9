"""Columns for a data set: tensors of numbers and times, Arrow arrays of everything else.

No Polars frame is kept: a DataLoader's workers may be forked, and Polars would hang in them. What several columns make
together is in `rows`; columns that are encoded are in `encodings`.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias, cast

import numpy as np
import polars as pl
import pyarrow as pa
import torch
from numpy.typing import NDArray

from tql_frames.compiler.expressions.types import instance, type_name
from tql_frames.errors import TQLError, TQLTypeError
from tql_frames.sampling import Positions

Values: TypeAlias = torch.Tensor | list[Any]
"""What some rows hold of a column: a tensor whose first dimension is the row, or a Python value for each row."""


@dataclass(frozen=True)
class InUse:
    """Which rows of a column are trained on; what is wrong with the others does not matter.

    Attributes:
        rows: shape (n,); None for all.
        numbers: shape (n,): what the rows are called in errors; None for 0, 1, …
    """

    rows: NDArray[np.bool_] | None = None
    numbers: Positions | None = None


class EncodedColumn(Protocol):
    """A column in the form in which batches are made of it."""

    def take(self, rows: torch.Tensor) -> Values:
        """Return what rows hold, as memory of its own; `rows` has the shape (k,)."""

    def cut(self, rows: torch.Tensor) -> EncodedColumn:
        """Return the same column of these rows alone."""


class TensorColumn:
    """Numbers, or arrays of numbers of one shape.

    Attributes:
        tensor: shape (n, …). Its memory may be that of a frame: it is only ever read.
    """

    def __init__(self, tensor: torch.Tensor) -> None:
        """Hold the tensor."""
        self.tensor = tensor

    def take(self, rows: torch.Tensor) -> torch.Tensor:
        """Return a tensor of shape (k, …)."""
        return self.tensor.index_select(0, rows)

    def cut(self, rows: torch.Tensor) -> TensorColumn:
        """Return the numbers of these rows."""
        return TensorColumn(self.take(rows))


class ValueColumn:
    """Texts, lists, structs: one Python value a row, None for null.

    Attributes:
        parts: Arrow arrays of one type, one behind the other.
    """

    def __init__(self, parts: Sequence[pa.Array]) -> None:
        """Hold the arrays, at least one."""
        self.parts = parts
        self._ends = np.cumsum([len(part) for part in parts])

    def take(self, rows: torch.Tensor) -> list[Any]:
        """Return a list of k Python values."""
        found: list[Any] = self._taken(rows.numpy()).to_pylist()
        return found

    def cut(self, rows: torch.Tensor) -> ValueColumn:
        """Return the values of these rows."""
        return ValueColumn([self._taken(rows.numpy())])

    def _taken(self, rows: NDArray[np.signedinteger[Any]]) -> pa.Array:
        if len(self.parts) == 1:
            return self.parts[0].take(pa.array(rows))
        # Not by a chunked array: Arrow would first make one array of all its parts.
        part = np.searchsorted(self._ends, rows, side="right")
        by_part = np.argsort(part, kind="stable")
        numbers, counts = np.unique(part, return_counts=True)
        taken = [self.parts[0].slice(0, 0)]
        for number, own in zip(numbers.tolist(), np.split(rows[by_part], np.cumsum(counts)[:-1]), strict=True):
            start = self._ends[number] - len(self.parts[number])
            taken.append(self.parts[number].take(pa.array(own - start)))
        order = np.empty(len(rows), np.int64)
        order[by_part] = np.arange(len(rows))
        return pa.concat_arrays(taken).take(pa.array(order))


def plain_column(series: pl.Series, used: InUse) -> EncodedColumn:
    """Return a column that is not encoded.

    Raises:
        TQLError: a null where the column becomes a tensor, or a whole number too large for one.
        TQLTypeError: there is no tensor and no Python value for its type.
    """
    dtype = series.dtype
    if _is_plain(dtype):
        check_no_nulls(series, used)
        return TensorColumn(tensor_of(series))
    if isinstance(dtype, pl.Array) and _is_plain(_leaf(dtype)):
        return TensorColumn(_tensor_of_arrays(series, dtype.shape, used))
    if dtype in (pl.Null, pl.Object):
        hint = "name the columns that are wanted: columns=[…]"
        raise TQLTypeError(f"column {series.name!r} of type {type_name(dtype)} cannot be trained on", hint=hint)
    return ValueColumn([arrow_of(series)])


def arrow_of(series: pl.Series) -> pa.Array:
    """Return the values as one Arrow array, of types that every version of pyarrow can take rows of."""
    return series.rechunk().to_arrow(compat_level=pl.CompatLevel.oldest())


def check_no_nulls(series: pl.Series, used: InUse) -> None:
    """Make sure that no row in use is null.

    Raises:
        TQLError: one is.
    """
    if series.null_count():
        refuse(series.name, series.is_null().to_numpy(), used, "null")


def refuse(name: str, bad: NDArray[np.bool_], used: InUse, kind: str) -> None:
    """Raise an error if a row in use is bad.

    Args:
        name: of the column.
        bad: shape (n,), which rows are.
        used: which rows are in use.
        kind: what is bad about them.
    """
    found = np.flatnonzero(bad if used.rows is None else bad & used.rows)
    if found.size:
        first = found[0] if used.numbers is None else used.numbers[found[0]]
        where = f"row {first}" if found.size == 1 else f"{found.size:,} rows, the first row {first}"
        hint = "fill it first (fill_null, in pandas fillna), or leave out such rows"
        raise TQLError(f"column {name!r} is {kind} in {where}, and a tensor holds no null", hint=hint)


def tensor_of(series: pl.Series) -> torch.Tensor:
    """Numbers, truth values or times as a tensor, nulls as anything.

    Times are the whole numbers that Polars keeps: days since 1970 of a Date, of a Datetime or Duration its time unit,
    nanoseconds of a Time. PyTorch computes with signed whole numbers; unsigned ones get the next larger signed type.
    """
    dtype = series.dtype
    if dtype.is_temporal():
        series = series.to_physical()
    elif dtype in _WIDER:
        try:
            series = series.cast(_WIDER[dtype])
        except pl.exceptions.PolarsError:
            message = f"column {series.name!r} of type {type_name(dtype)} has numbers beyond 64 bits with a sign"
            raise TQLError(message, hint="cast it to Float64, or leave it out") from None
    elif isinstance(dtype, pl.Decimal):
        series = series.cast(pl.Float64)
    if series.null_count():
        series = series.fill_null(False if series.dtype == pl.Boolean else 0)
    return shared(series.rechunk().to_numpy())


def _tensor_of_arrays(series: pl.Series, shape: tuple[int, ...], used: InUse) -> torch.Tensor:
    check_no_nulls(series, used)
    leaves = arrow_of(series)
    for width in shape:  # a null row has places too, so that rows stay where they are
        leaves = leaves.values.slice(leaves.offset * width, len(leaves) * width)
    numbers = cast("pl.Series", pl.from_arrow(leaves)).alias(series.name)
    if numbers.null_count():
        bad = numbers.is_null().to_numpy().reshape(len(series), -1).any(axis=1)
        refuse(series.name, bad & series.is_not_null().to_numpy(), used, "null in part")
    return tensor_of(numbers).reshape(len(series), *shape)


def shared(array: NDArray[Any]) -> torch.Tensor:
    """Return a tensor on the memory of an array, which may be a frame's: for reading alone, and never handed out."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "The given NumPy array is not writable")
        return torch.from_numpy(array)


_WIDER: dict[pl.DataType | type[pl.DataType], type[pl.DataType]] = {
    pl.UInt16: pl.Int32,
    pl.UInt32: pl.Int64,
    pl.UInt64: pl.Int64,
    pl.Int128: pl.Int64,
    getattr(pl, "UInt128", pl.Int128): pl.Int64,  # newer than Polars 1.30
}


def _is_plain(dtype: pl.DataType) -> bool:
    """Return whether the values are numbers of a size that a tensor holds."""
    return dtype.is_numeric() or dtype.is_temporal() or dtype == pl.Boolean


def _leaf(dtype: pl.DataType) -> pl.DataType:
    while isinstance(dtype, pl.Array):
        dtype = instance(dtype.inner)
    return dtype
