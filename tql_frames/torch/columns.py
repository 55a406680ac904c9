"""Convert columns to tensors: numbers, codes of labels, multi-hot rows; texts stay Python values.

`serialization` combines rows into batches.
"""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol, TypeAlias, cast, get_args

import numpy as np
import polars as pl
import pyarrow as pa
import torch
from numpy.typing import NDArray

from tql_frames.compiler.expressions.scope import column
from tql_frames.compiler.expressions.types import instance, type_name
from tql_frames.errors import TQLError, TQLTypeError, did_you_mean
from tql_frames.sampling import Positions

Kind = Literal["label", "multi_hot"]
ENCODINGS: tuple[Kind, ...] = get_args(Kind)
Codes = NDArray[np.signedinteger[Any]]

_WIDTH = 80  # characters of a value that a message shows
_SMALL, _MOST_SMALL = np.int16, 32_767  # the type of codes, and how many labels it has codes for


class MultiHotColumn:
    """Sets of labels, stored as lists of codes and expanded batch by batch.

    Attributes:
        offsets: shape (n + 1,): where each row's codes begin, and the end.
        codes: codes of all rows, one row after the other.
        width: number of labels.
    """

    def __init__(self, offsets: NDArray[np.int64], codes: Codes, width: int) -> None:
        """Store the codes; the arrays are never modified."""
        self.offsets, self.codes, self.width = offsets, codes, width

    def take(self, rows: torch.Tensor) -> torch.Tensor:
        """Return a Float32 tensor of shape (k, width): 1 for each label of a row, 0 for the others."""
        counts, codes = self._taken(rows)
        spread = np.zeros((len(counts), self.width), np.float32)
        spread[np.repeat(np.arange(len(counts)), counts), codes] = 1
        return torch.from_numpy(spread)

    def cut(self, rows: torch.Tensor) -> MultiHotColumn:
        """Return the column with only these rows."""
        counts, codes = self._taken(rows)
        return MultiHotColumn(np.concatenate([[0], np.cumsum(counts)]), codes, self.width)

    def _taken(self, rows: torch.Tensor) -> tuple[NDArray[np.int64], Codes]:
        """Return the number of codes of each row, and the codes, one row after the other."""
        chosen = rows.numpy()
        starts = self.offsets[chosen]
        counts = self.offsets[chosen + 1] - starts
        before = np.cumsum(counts) - counts
        return counts, self.codes[np.repeat(starts - before, counts) + np.arange(counts.sum())]


@dataclass(frozen=True)
class Encoding:
    """Encoding of a column as numbers.

    Attributes:
        kind: `"label"` for a code per label, or `"multi_hot"` for a position per label.
        labels: labels in the order of their codes, from 0.
    """

    kind: Kind
    labels: list[Any]

    @classmethod
    def of(
        cls, kind: Kind, plan: pl.LazyFrame, name: str, dtype: pl.DataType, declared: Sequence[Any] | None = None
    ) -> Encoding:
        """Return the encoding by the labels of a column.

        Declared labels and those of an Enum keep their order, others are sorted.

        Args:
            kind: as above.
            plan: rows with the column, which are read if the labels are not known otherwise.
            name: name of the column.
            dtype: its type.
            declared: labels in the order of their codes, or None.

        Raises:
            TQLTypeError: its values cannot be labels, or lists of labels.

        Examples:
            >>> df = pl.LazyFrame({"findings": [["Mass"], ["Hernia", "Mass"]]})
            >>> Encoding.of("multi_hot", df, "findings", pl.List(pl.String())).labels
            ['Hernia', 'Mass']
        """
        values, inner = column(name), dtype
        if kind == "multi_hot":
            if not isinstance(dtype, (pl.List, pl.Array)):
                message = f"column {name!r} of type {type_name(dtype)} holds no lists"
                raise TQLTypeError(message, hint=f"pass encode={{{name!r}: 'label'}}")
            inner = instance(dtype.inner)
            values = (values if isinstance(dtype, pl.List) else values.arr.to_list()).explode()
        if declared is not None:
            return cls(kind, _labels_of(name, inner, declared))
        if isinstance(inner, pl.Enum):
            return cls(kind, inner.categories.to_list())
        if not (_is_text(inner) or inner.is_integer() or inner in (pl.Boolean, pl.Null)):
            message = f"column {name!r} holds values of type {type_name(inner)}, which are no labels"
            raise TQLTypeError(message, hint="cast it to text first")
        if _is_text(inner):
            values = values.cast(pl.String)
        found = plan.select(values.drop_nulls().unique()).collect(engine="streaming").to_series()
        return cls(kind, found.sort().to_list())

    def column_of(self, series: pl.Series, used: InUse) -> EncodedColumn:
        """Return the column as numbers: Int64 codes, or a `MultiHotColumn`.

        Raises:
            TQLError: a row in use is null, or its list holds a null, or a value is not a label.

        Examples:
            >>> Encoding("label", ["F", "M"]).column_of(pl.Series(["M", "F"]), InUse()).take(torch.tensor([0, 1]))
            tensor([1, 0])
        """
        check_no_nulls(series, used)
        if self.kind == "label":
            codes = self._codes(series)
            if (codes < 0).any():
                self._refuse_unknown(series.name, series, codes, used)
            return TensorColumn(torch.from_numpy(codes.clip(0)))
        lists = arrow_of(series.arr.to_list() if isinstance(series.dtype, pl.Array) else series)
        offsets = lists.offsets.to_numpy().astype(np.int64)
        inner = pl.Series(lists.values.slice(offsets[0], offsets[-1] - offsets[0]))
        offsets -= offsets[0]
        if inner.null_count():
            refuse(series.name, _in_lists(inner.is_null(), offsets), used, "null in part")
        codes = self._codes(inner)
        if (codes < 0).any():
            self._refuse_unknown(series.name, inner, codes, used, offsets)
        small = _SMALL if len(self.labels) <= _MOST_SMALL else np.int32
        return MultiHotColumn(offsets, codes.clip(0).astype(small), len(self.labels))

    def _codes(self, series: pl.Series) -> NDArray[np.int64]:
        """Return a code for each value, 0 for null and -1 for a value that is not a label."""
        if series.dtype == pl.Null or not len(series):
            return np.zeros(len(series), np.int64)
        if _is_text(series.dtype):
            codes = series.cast(pl.String).cast(pl.Enum(self.labels), strict=False).to_physical().cast(pl.Int64)
            return _marked(codes, series)
        if not self.labels:
            return np.where(series.is_null().to_numpy(), 0, -1)
        order = np.argsort(np.array(self.labels), kind="stable")
        known = np.array(self.labels)[order]
        values = series.fill_null(self.labels[0]).to_numpy()
        places = np.searchsorted(known, values).clip(max=len(known) - 1)
        found: NDArray[np.int64] = np.where(known[places] == values, order[places], -1)
        return found

    def _refuse_unknown(
        self,
        name: str,
        values: pl.Series,
        codes: NDArray[np.int64],
        used: InUse,
        offsets: NDArray[np.int64] | None = None,
    ) -> None:
        """Raise an error if a row in use holds a value that is not a label."""
        unknown = pl.Series(codes < 0)
        bad = unknown.to_numpy() if offsets is None else _in_lists(unknown, offsets)
        found = np.flatnonzero(bad if used.rows is None else bad & used.rows)
        if not found.size:
            return
        row = int(found[0])
        own = slice(row, row + 1) if offsets is None else slice(int(offsets[row]), int(offsets[row + 1]))
        value = values[own].filter(unknown[own])[0]
        number = row if used.numbers is None else used.numbers[row]
        message = (
            f"column {name!r} holds {_short(value)} in row {number}, which is none of its {len(self.labels)} classes"
        )
        raise TQLError(
            message, hint=did_you_mean(str(value), [str(label) for label in self.labels]) or "add it to classes="
        )


def _marked(codes: pl.Series, values: pl.Series) -> NDArray[np.int64]:
    """Return codes, with 0 for null values and -1 for other values without a code."""
    if not codes.null_count():
        return codes.to_numpy(writable=True)
    return codes.fill_null(-1).zip_with(values.is_not_null(), pl.Series([0], dtype=pl.Int64)).to_numpy(writable=True)


def _in_lists(items: pl.Series, offsets: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Return which lists hold an item that is true."""
    before = np.concatenate([[0], np.cumsum(items.to_numpy())])
    found: NDArray[np.bool_] = before[offsets[1:]] > before[offsets[:-1]]
    return found


def _labels_of(name: str, dtype: pl.DataType, declared: Sequence[Any]) -> list[Any]:
    """Return declared labels, converted to the kind of a column's values.

    Raises:
        TQLTypeError: they are of another kind, or of several kinds.
        TQLError: a label is repeated.
    """
    labels = [each.item() if isinstance(each, np.generic) else each for each in declared]
    kinds: tuple[type, ...] = (str,) if _is_text(dtype) else (bool,) if dtype == pl.Boolean else (int,)
    if dtype == pl.Null:
        kinds = (str, bool, int)
    wrong = [each for each in labels if type(each) not in kinds]
    if wrong or not (_is_text(dtype) or dtype.is_integer() or dtype in (pl.Boolean, pl.Null)):
        message = f"column {name!r} holds values of type {dtype}, which are no labels"
        if wrong:
            message = f"class {_short(wrong[0])} of column {name!r} is no value of type {dtype}"
        raise TQLTypeError(message, hint="cast the column to text, and write classes as text")
    if len(set(labels)) < len(labels):
        twice = next(label for label, count in Counter(labels).items() if count > 1)
        raise TQLError(f"class {_short(twice)} of column {name!r} is there twice")
    return labels


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= _WIDTH else f"{text[: _WIDTH - 1]}…"


def _is_text(dtype: pl.DataType) -> bool:
    return dtype == pl.String or isinstance(dtype, (pl.Categorical, pl.Enum))


Values: TypeAlias = torch.Tensor | list[Any]
"""Values of a column in some rows: a tensor whose first dimension is the row, or a Python value for each row."""


@dataclass(frozen=True)
class InUse:
    """The rows of a column that are used for training; invalid values in other rows are allowed.

    Attributes:
        rows: shape (n,), flags of the rows in use; None for all.
        numbers: shape (n,): numbers of the rows in errors; None for 0, 1, …
    """

    rows: NDArray[np.bool_] | None = None
    numbers: Positions | None = None


class EncodedColumn(Protocol):
    """A column in the form from which batches are built."""

    def take(self, rows: torch.Tensor) -> Values:
        """Return a copy of the values in some rows; `rows` has the shape (k,)."""

    def cut(self, rows: torch.Tensor) -> EncodedColumn:
        """Return the column with only these rows."""


class TensorColumn:
    """Numbers, or arrays of numbers of one shape.

    Attributes:
        tensor: shape (n, …). It may share the memory of a frame, and is never modified.
    """

    def __init__(self, tensor: torch.Tensor) -> None:
        """Store the tensor."""
        self.tensor = tensor

    def take(self, rows: torch.Tensor) -> torch.Tensor:
        """Return a tensor of shape (k, …)."""
        return self.tensor.index_select(0, rows)

    def cut(self, rows: torch.Tensor) -> TensorColumn:
        """Return the column with only these rows, as a copy."""
        return TensorColumn(self.take(rows))


class ValueColumn:
    """Texts, lists, structs: one Python value per row, None for null.

    Attributes:
        parts: consecutive Arrow arrays of one type.
    """

    def __init__(self, parts: Sequence[pa.Array]) -> None:
        """Store the arrays, at least one."""
        self.parts = parts
        self._ends = np.cumsum([len(part) for part in parts])

    def take(self, rows: torch.Tensor) -> list[Any]:
        """Return a list of k Python values."""
        found: list[Any] = self._taken(rows.numpy()).to_pylist()
        return found

    def cut(self, rows: torch.Tensor) -> ValueColumn:
        """Return the column with only the values of these rows."""
        return ValueColumn([self._taken(rows.numpy())])

    def _taken(self, rows: NDArray[np.signedinteger[Any]]) -> pa.Array:
        if len(self.parts) == 1:
            return self.parts[0].take(pa.array(rows))
        # Not with a chunked array: Arrow would first concatenate its parts.
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
        TQLError: the column becomes a tensor but has a null, or a whole number too large for a tensor.
        TQLTypeError: its type can become neither a tensor nor Python values.
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
    """Return the values as one Arrow array, of types whose rows every version of pyarrow can take."""
    return series.rechunk().to_arrow(compat_level=pl.CompatLevel.oldest())


def check_no_nulls(series: pl.Series, used: InUse) -> None:
    """Check that no row in use is null.

    Raises:
        TQLError: a row in use is null.
    """
    if series.null_count():
        refuse(series.name, series.is_null().to_numpy(), used, "null")


def refuse(name: str, bad: NDArray[np.bool_], used: InUse, kind: str) -> None:
    """Raise an error if a row in use is bad.

    Args:
        name: name of the column.
        bad: shape (n,), flags of bad rows.
        used: which rows are in use.
        kind: description of the bad values.
    """
    found = np.flatnonzero(bad if used.rows is None else bad & used.rows)
    if found.size:
        first = found[0] if used.numbers is None else used.numbers[found[0]]
        where = f"row {first}" if found.size == 1 else f"{found.size:,} rows, the first row {first}"
        hint = "fill it first (fill_null, in pandas fillna), or leave out such rows"
        raise TQLError(f"column {name!r} is {kind} in {where}, and a tensor holds no null", hint=hint)


def tensor_of(series: pl.Series) -> torch.Tensor:
    """Return numbers, Booleans or times as a tensor; nulls have undefined values.

    Times are the integers that Polars stores: days since 1970 for a Date, time units for a Datetime or Duration,
    nanoseconds for a Time. PyTorch computes with signed integers; unsigned ones get the next larger signed type.
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
    for width in shape:  # a null row has items, too, so that other rows keep their positions
        leaves = leaves.values.slice(leaves.offset * width, len(leaves) * width)
    numbers = cast("pl.Series", pl.from_arrow(leaves)).alias(series.name)
    if numbers.null_count():
        bad = numbers.is_null().to_numpy().reshape(len(series), -1).any(axis=1)
        refuse(series.name, bad & series.is_not_null().to_numpy(), used, "null in part")
    return tensor_of(numbers).reshape(len(series), *shape)


def shared(array: NDArray[Any]) -> torch.Tensor:
    """Return a tensor that shares the memory of an array, possibly of a frame: for reading only, never for callers."""
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
