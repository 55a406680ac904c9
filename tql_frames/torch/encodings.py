"""Texts and lists of them as numbers: a label's code, or a place for each label that a list may hold.

The labels are those of the whole frame, so that the raw rows and every sample of them agree. Polars' Enum type names
them itself, in its order, by which several frames agree.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np
import polars as pl
import torch
from numpy.typing import NDArray

from tql_frames.compiler.scope import column
from tql_frames.compiler.types import instance, type_name
from tql_frames.errors import TQLTypeError
from tql_frames.torch.columns import Column, InUse, TensorColumn, arrow_of, check_no_nulls, refuse

Kind = Literal["label", "multi_hot"]
ENCODINGS: tuple[Kind, ...] = get_args(Kind)
Codes = NDArray[np.signedinteger[Any]]

_SMALL, _MOST_SMALL = np.int16, 32_767  # the type of codes, and how many labels it has codes for


class MultiHotColumn:
    """Sets of labels, kept as lists of codes and spread out batch by batch.

    Attributes:
        offsets: shape (n + 1,): where each row's codes begin.
        codes: of all rows, one after the other.
        width: number of labels.
    """

    def __init__(self, offsets: NDArray[np.int64], codes: Codes, width: int) -> None:
        """Hold the codes; the arrays are only ever read."""
        self.offsets, self.codes, self.width = offsets, codes, width

    def take(self, rows: torch.Tensor) -> torch.Tensor:
        """Float32 of shape (k, width): 1 for each label of a row, 0 for the others."""
        counts, codes = self._taken(rows)
        spread = np.zeros((len(counts), self.width), np.float32)
        spread[np.repeat(np.arange(len(counts)), counts), codes] = 1
        return torch.from_numpy(spread)

    def cut(self, rows: torch.Tensor) -> MultiHotColumn:
        """The labels of these rows."""
        counts, codes = self._taken(rows)
        return MultiHotColumn(np.concatenate([[0], np.cumsum(counts)]), codes, self.width)

    def _taken(self, rows: torch.Tensor) -> tuple[NDArray[np.int64], Codes]:
        """How many codes each row has, and their codes one after the other."""
        chosen = rows.numpy()
        starts = self.offsets[chosen]
        counts = self.offsets[chosen + 1] - starts
        before = np.cumsum(counts) - counts
        return counts, self.codes[np.repeat(starts - before, counts) + np.arange(counts.sum())]


@dataclass(frozen=True)
class Encoding:
    """How a column becomes numbers.

    Attributes:
        kind: a code for each label, or a place for each.
        labels: in the order of their codes, which go from 0.
    """

    kind: Kind
    labels: list[Any]

    @classmethod
    def of(cls, kind: Kind, plan: pl.LazyFrame, name: str, dtype: pl.DataType) -> Encoding:
        """The encoding by the labels of a column: those of an Enum in its order, others as they come, sorted.

        Args:
            kind: as above.
            plan: rows with the column, which are read.
            name: of the column.
            dtype: its type.

        Raises:
            TQLTypeError: its values are no labels, or no lists of them.

        Example:
            >>> df = pl.LazyFrame({"findings": [["Mass"], ["Hernia", "Mass"]]})
            >>> Encoding.of("multi_hot", df, "findings", pl.List(pl.String())).labels
            ['Hernia', 'Mass']
        """
        values, inner = column(name), dtype
        if kind == "multi_hot":
            if not isinstance(dtype, (pl.List, pl.Array)):
                message = f"column {name!r} of type {type_name(dtype)} holds no lists"
                raise TQLTypeError(message, hint=f"encode={{{name!r}: 'label'}}")
            inner = instance(dtype.inner)
            values = (values if isinstance(dtype, pl.List) else values.arr.to_list()).explode()
        if isinstance(inner, pl.Enum):
            return cls(kind, inner.categories.to_list())
        if not (_is_text(inner) or inner.is_integer() or inner in (pl.Boolean, pl.Null)):
            message = f"column {name!r} holds values of type {type_name(inner)}, which are no labels"
            raise TQLTypeError(message, hint="cast it to text first")
        if _is_text(inner):
            values = values.cast(pl.String)
        found = plan.select(values.drop_nulls().unique()).collect(engine="streaming").to_series()
        return cls(kind, found.sort().to_list())

    def column_of(self, series: pl.Series, used: InUse) -> Column:
        """The column in numbers: Int64 codes, or a `MultiHotColumn`.

        Raises:
            TQLError: a row in use is null, or its list holds a null.

        Example:
            >>> Encoding("label", ["F", "M"]).column_of(pl.Series(["M", "F"]), InUse()).take(torch.tensor([0, 1]))
            tensor([1, 0])
        """
        check_no_nulls(series, used)
        if self.kind == "label":
            return TensorColumn(torch.from_numpy(self._codes(series)))
        lists = arrow_of(series.arr.to_list() if isinstance(series.dtype, pl.Array) else series)
        offsets = lists.offsets.to_numpy().astype(np.int64)
        inner = pl.Series(lists.values.slice(offsets[0], offsets[-1] - offsets[0]))
        offsets -= offsets[0]
        if inner.null_count():
            nulls = np.concatenate([[0], np.cumsum(inner.is_null().to_numpy())])
            refuse(series.name, nulls[offsets[1:]] > nulls[offsets[:-1]], used, "null in part")
        small = _SMALL if len(self.labels) <= _MOST_SMALL else np.int32
        return MultiHotColumn(offsets, self._codes(inner).astype(small), len(self.labels))

    def _codes(self, series: pl.Series) -> NDArray[np.int64]:
        """A code for each value, anything for null."""
        if not self.labels:
            return np.zeros(len(series), np.int64)
        if isinstance(self.labels[0], str):
            codes = series.cast(pl.Enum(self.labels)).to_physical().cast(pl.Int64)
            return codes.fill_null(0).to_numpy(writable=True)
        return np.searchsorted(self.labels, series.fill_null(self.labels[0]).to_numpy()).astype(np.int64)


def _is_text(dtype: pl.DataType) -> bool:
    return dtype == pl.String or isinstance(dtype, (pl.Categorical, pl.Enum))
