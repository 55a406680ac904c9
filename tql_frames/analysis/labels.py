"""Which cells of a population show which labels, each label once however often a list repeats it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl

from tql_frames.analysis.solver import LabelSets
from tql_frames.sampling import Integers


@dataclass(frozen=True)
class Labels:
    """The labels of cells.

    Attributes:
        values: the L labels, the commonest first, of equally common ones the lesser; null is one too.
        sets: the cells as sets of these, by number.
    """

    values: pl.Series
    sets: LabelSets

    @classmethod
    def of(cls, column: pl.Series, rows: Integers) -> Labels:
        """Find the labels of cells, a value or a list of them a cell, of so many rows each.

        A cell without a label, an empty list or null, shows the label null.

        Args:
            column: shape (c,).
            rows: shape (c,).

        Example:
            >>> found = Labels.of(pl.Series([["a", "b"], ["b"], []]), np.array([1, 2, 1]))
            >>> found.values.to_list(), found.sets.totals(np.array([1.0, 2.0, 1.0])).tolist()
            (['b', 'a', None], [3.0, 1.0, 1.0])
        """
        pairs = pl.DataFrame({"cell": np.arange(len(column)), "label": column, "rows": rows})
        if isinstance(column.dtype, pl.List):
            # Versions of Polars differ in what exploding makes of empty lists.
            some = pl.col("label").list.len().fill_null(0) > 0
            empty = pairs.filter(~some).with_columns(label=pl.lit(None, column.dtype.inner))
            pairs = pl.concat([pairs.filter(some).explode("label"), empty]).unique(["cell", "label"])
        found = pairs.group_by("label").agg(pl.col("rows").sum(), pl.col("cell"))
        found = found.sort("rows", "label", descending=[True, False], nulls_last=True).with_row_index("number")
        numbers = found.select("number", "cell").explode("cell").sort("cell", "number")  # no join, which loses NaN
        starts = np.searchsorted(numbers["cell"].to_numpy(), np.arange(len(column) + 1))
        return cls(found["label"], LabelSets(rows, starts, numbers["number"].to_numpy().astype(np.int64), found.height))
