"""Number the labels of rows, and find labels by the names that callers write."""

from __future__ import annotations

import datetime as dt
import enum
import math
from collections.abc import Hashable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from fractions import Fraction
from functools import cached_property
from typing import Any

import numpy as np
import polars as pl

from tql_frames.analysis.arms import OF_ROWS
from tql_frames.analysis.solver import LabelSets
from tql_frames.compiler.expressions.types import DataType, describe, inner, instance, is_nested, is_text
from tql_frames.errors import TQLError, TQLNameError, did_you_mean
from tql_frames.language import nodes, parse
from tql_frames.sampling import Integers


@dataclass(frozen=True)
class Labels:
    """The labels of cells.

    Attributes:
        values: the L labels, the most frequent first, equally frequent ones in ascending order; null is one, too.
        sets: the cells as sets of numbers of labels.
    """

    values: pl.Series
    sets: LabelSets

    @classmethod
    def of(cls, column: pl.Series, rows: Integers) -> Labels:
        """Number the labels of cells.

        A cell without a label, an empty list or null, has the label null.

        Args:
            column: shape (c,), a value or a list of values per cell.
            rows: shape (c,), number of rows of each cell.

        Examples:
            >>> found = Labels.of(pl.Series([["a", "b"], ["b"], []]), np.array([1, 2, 1]))
            >>> found.values.to_list(), found.sets.totals(np.array([1.0, 2.0, 1.0])).tolist()
            (['b', 'a', None], [3.0, 1.0, 1.0])
        """
        pairs = pl.DataFrame({"cell": np.arange(len(column)), "label": column, "rows": rows})
        if isinstance(column.dtype, pl.List):
            # Versions of Polars differ in how they explode empty lists.
            some = pl.col("label").list.len().fill_null(0) > 0
            empty = pairs.filter(~some).with_columns(label=pl.lit(None, column.dtype.inner))
            pairs = pl.concat([pairs.filter(some).explode("label"), empty]).unique(["cell", "label"])
        found = pairs.group_by("label").agg(pl.col("rows").sum(), pl.col("cell"))
        found = found.sort("rows", "label", descending=[True, False], nulls_last=True).with_row_index("number")
        numbers = found.select("number", "cell").explode("cell").sort("cell", "number")  # no join, which loses NaN
        starts = np.searchsorted(numbers["cell"].to_numpy(), np.arange(len(column) + 1))
        return cls(found["label"], LabelSets(rows, starts, numbers["number"].to_numpy().astype(np.int64), found.height))


_SHOWN = 5  # labels that an error lists
_LONGEST = 80  # characters of a name in an error
_DIGITS = 400  # before or after the point, more than any number in a column has
_NAN = ("number", "nan")


class Naming:
    """The labels of one column, or of several, which callers name by values or text.

    Examples:
        >>> naming = Naming("column 'grade'", pl.Int64(), [3, 1, None])
        >>> naming.find("1"), naming.find(np.int8(3)), naming.find(None), naming.find("grade > 1")
        (1, 0, 2, 'grade > 1')
    """

    def __init__(self, columns: str, dtype: DataType, labels: Sequence[Any], absent: Sequence[str] = ()) -> None:
        """Store the labels.

        Args:
            columns: name of the column, or of the columns, in messages.
            dtype: its type.
            labels: its distinct labels; null is one, too.
            absent: labels that no row has.
        """
        self._columns, self._absent = columns, absent
        self._kind = inner(dtype) if is_nested(dtype) else instance(dtype)
        self._labels = labels

    def find(self, key: object) -> int | str:
        """Return the number of the label that a key names, or the key itself if it is a condition.

        A label of the same type and value comes first, then a label of the same value in another type, then a
        condition.

        Raises:
            TQLNameError: the key is neither, or more than one label has this value.
        """
        written = unwrapped(key)
        for search in (self._exact, self._alike):
            for each in written:
                if (place := search(each)) is not None:
                    return place
        if isinstance(key, str):
            if key in self._absent:
                raise TQLNameError(f"no row has the label {_quoted(key)}", hint="leave it out of target= and keep=")
            return self._condition(key)
        raise TQLNameError(f"{_quoted(key)} is not a label of {self._columns}", hint=self._hint(key))

    def _exact(self, key: object) -> int | None:
        if _is_nan(key):
            return self._places.get(_NAN, self._places.get(None))
        return self._places.get(key) if isinstance(key, Hashable) else None

    def _alike(self, key: object) -> int | None:
        """Return the number of the one label of the same value; different texts never match."""
        if is_text(self._kind):
            if isinstance(key, str):
                return None
            if (place := self._places.get(str(key))) is not None:
                return place
        for value in _marks(key):
            places = self._by_mark.get(value, [])
            if len(places) > 1:
                labels = ", ".join(_quoted(self._labels[place]) for place in places[:_SHOWN])
                raise TQLNameError(
                    f"{_quoted(key)} matches several labels of {self._columns}",
                    hint=f"write one of {labels}",
                )
            if places:
                return places[0]
        return None

    def _condition(self, key: str) -> str:
        fault = f"{_quoted(key)} is not a label of {self._columns}"
        try:
            root = parse(key)
        except TQLError:
            raise TQLNameError(f"{fault}, and not a condition", hint=self._hint(key)) from None
        if isinstance(root, nodes.Column):
            raise TQLNameError(f"{fault}, and not a condition", hint=self._hint(key))
        if root == nodes.Literal(None):
            raise TQLNameError(fault, hint="write None for the rows without a label")
        if not any(map(_differs_by_row, root.walk())):
            raise TQLNameError(f"{fault}, and as a condition it names no column", hint=self._hint(key))
        return key

    def _hint(self, key: object) -> str:
        labels = [label for label in self._labels if label is not None]
        near = did_you_mean(str(key), [str(label) for label in labels]) if is_text(self._kind) else None
        if near is not None:
            return near
        with suppress(TypeError, ValueError, OverflowError):
            labels = sorted(labels, key=lambda label: _distance(label, key))
        listed = ", ".join(_quoted(label) for label in labels[:_SHOWN])
        more = f" and {len(labels) - _SHOWN:,} more" if len(labels) > _SHOWN else ""
        hint = f"its labels are {_words(self._kind)}: {listed}{more}" if labels else "it has no labels"
        return f"{hint}; a condition compares something: 'age > 60'" if isinstance(key, str) else hint

    @cached_property
    def _places(self) -> dict[object, int]:
        return {_NAN if _is_nan(label) else label: place for place, label in enumerate(self._labels)}

    @cached_property
    def _by_mark(self) -> dict[Hashable, list[int]]:
        found: dict[Hashable, list[int]] = {}
        short = isinstance(self._kind, pl.Float32)  # its 0.1 is another number than that of Float64
        for place, label in enumerate(self._labels):
            for mark in _marks(Decimal(str(np.float32(label))) if short and label is not None else label):
                found.setdefault(mark, []).append(place)
        return found


def unwrapped(key: object) -> list[object]:
    """Return the Python values of a key, the likeliest first: of a scalar of NumPy or pandas, or a member of an Enum.

    Examples:
        >>> unwrapped(np.int8(3)), unwrapped(np.datetime64("NaT")), unwrapped("3")
        ([3], [None], ['3'])
    """
    if type(key).__name__ in ("NAType", "NaTType"):  # of pandas, which need not be loaded
        return [None]
    if isinstance(key, enum.Enum):
        return [*unwrapped(key.value), key.name]
    if isinstance(key, np.datetime64):
        return [None if np.isnat(key) else key.astype("datetime64[us]").item()]
    if isinstance(key, dt.datetime) and hasattr(key, "to_pydatetime"):  # a Timestamp of pandas
        return [key.to_pydatetime(warn=False)]
    if isinstance(key, np.generic) or (isinstance(key, np.ndarray) and key.ndim == 0):
        return [key.item()]
    return [key]


def _marks(value: object) -> Iterator[Hashable]:
    """Yield marks of a value, which it shares with equal values of other types."""
    if isinstance(value, bool):
        yield from (("truth", value), ("number", Fraction(value)))
    elif isinstance(value, int | float | Decimal):
        yield _NAN if _is_nan(value) else ("number", _exactly(value))
    elif isinstance(value, dt.datetime):
        yield ("time", value.replace(tzinfo=None))
        if value.tzinfo is not None:
            yield ("moment", value.astimezone(dt.UTC))
    elif isinstance(value, dt.date):
        yield ("time", dt.datetime.combine(value, dt.time()))
    elif isinstance(value, dt.time):
        yield ("hour", value)
    elif isinstance(value, str):
        yield from _read(value.strip())


def _read(text: str) -> Iterator[Hashable]:
    if text.casefold() in ("true", "false"):
        yield ("truth", text.casefold() == "true")
    with suppress(InvalidOperation):
        yield from _marks(Decimal(text))
    for read in (dt.datetime.fromisoformat, dt.time.fromisoformat):
        with suppress(ValueError):
            yield from _marks(read(text))


def _exactly(number: float | Decimal) -> Hashable:
    """Return the exact number that its decimal digits write: 0.1 is a tenth."""
    if isinstance(number, int):
        return Fraction(number)
    if not math.isfinite(number) or abs(Decimal(str(number)).adjusted()) > _DIGITS:
        return float(number)
    return Fraction(str(number))


def _is_nan(value: object) -> bool:
    return isinstance(value, float | Decimal) and math.isnan(value)


def _distance(label: Any, key: object) -> float:
    number = float(key) if isinstance(key, int | float | str) else math.nan
    return abs(float(label) - number)


def _quoted(value: object) -> str:
    text = repr(value) if not isinstance(value, dt.date | dt.time | Decimal) else repr(str(value))
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"


def _words(kind: DataType) -> str:
    if kind.is_integer():
        return "whole numbers"
    words = describe(kind)
    return f"{words.removeprefix('a ')}s" if words.startswith("a ") else words


def _differs_by_row(node: nodes.Node) -> bool:
    return isinstance(node, nodes.Column) or (isinstance(node, nodes.Call) and node.name in OF_ROWS)
