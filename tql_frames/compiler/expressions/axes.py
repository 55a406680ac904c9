"""Folding along one axis, as in NumPy: `any(grid > 2, 0)` gives one truth value a column.

What is folded to what is decided in `functions`.
"""

from __future__ import annotations

from collections.abc import Callable

import polars as pl

from tql_frames.compiler.expressions.types import ELEMENT, Nested, Value, as_list, inner, is_nested, list_dtype
from tql_frames.errors import Fault, TQLTypeError, TQLUnsupportedError
from tql_frames.language.nodes import Node

Fold = Callable[[pl.Expr], pl.Expr]


def along(node: Node, value: Value, axis: Value, fold: Fold, fold_column: Fold) -> Value:
    """Return a list of truth values folded along an axis: one of a list, a list of them of a list of lists.

    Args:
        node: the call.
        value: truth values, elementwise or as they are.
        axis: number of the axis, from the last one where negative.
        fold: lists -> one truth value of each.
        fold_column: truth values without nulls -> one of all.

    Raises:
        Fault: there is no such axis.
    """
    nested, element = _nested(node, value)
    dimensions = _dimensions(nested.dtype)
    place = None if axis.constant is None else axis.constant.value
    if type(place) is not int or not -dimensions <= place < dimensions:
        numbers = f"an axis from {-dimensions} to {dimensions - 1}"
        found = f"{place}" if type(place) is int else axis.words
        raise Fault(TQLTypeError, f"expected {numbers}, got {found}", axis.node.span)
    if place % dimensions == dimensions - 1:
        folded = fold(_inside(dimensions - 1, element))
        if dimensions == 1:
            return Value(node, fold(_mapped(nested.lists, element)), pl.Boolean())
        for _ in range(dimensions - 2):
            folded = pl.element().list.eval(folded)
        return Value(node, nested.lists.list.eval(folded), _lists(dimensions - 1))
    if dimensions > 2:
        hint = "the last axis of any number of dimensions is"
        raise Fault(TQLUnsupportedError, "the first axes of three dimensions are not supported", axis.node.span, hint)
    rows = nested.lists.list.eval(pl.element().list.eval(element.cast(pl.Boolean).fill_null(False)))

    def columns(series: pl.Series) -> pl.Series:
        return _columns(series.cast(pl.List(pl.List(pl.Boolean))), fold_column)

    dtype = pl.List(pl.Boolean())
    return Value(node, rows.map_batches(columns, return_dtype=dtype, is_elementwise=True), dtype)


def _nested(node: Node, value: Value) -> tuple[Nested, pl.Expr]:
    """Return lists with all their dimensions, and what is made of an element."""
    if value.base is None:
        return Nested(as_list(value.expr, value.dtype), list_dtype(value.dtype)), ELEMENT
    if value.nested is not None:
        return value.nested, value.expr
    return Nested(value.base, pl.List(value.dtype)), value.expr


def _dimensions(dtype: pl.DataType) -> int:
    return 1 + _dimensions(inner(dtype)) if is_nested(dtype) else 0


def _inside(depth: int, element: pl.Expr) -> pl.Expr:
    """Return the innermost lists, seen from the lists around them."""
    return _mapped(pl.element(), element) if depth else element


def _mapped(lists: pl.Expr, element: pl.Expr) -> pl.Expr:
    return lists if element is ELEMENT else lists.list.eval(element)


def _lists(dimensions: int) -> pl.DataType:
    dtype: pl.DataType = pl.Boolean()
    for _ in range(dimensions):
        dtype = pl.List(dtype)
    return dtype


def _columns(rows: pl.Series, fold: Fold) -> pl.Series:
    """Return lists of lists folded column by column; a list of nothing gives an empty list."""
    lists = pl.DataFrame({"cell": rows}).with_row_index("row")
    cells = lists.explode("cell").with_columns(at=pl.int_ranges(0, pl.col("cell").list.len()))
    cells = cells.filter(pl.col("at").list.len() > 0).explode("cell", "at")
    folded = cells.group_by("row", "at").agg(fold(pl.col("cell"))).sort("row", "at")
    found = lists.select("row", null=pl.col("cell").is_null()).join(
        folded.group_by("row", maintain_order=True).agg("cell"), on="row", how="left", maintain_order="left"
    )
    empty = pl.lit(pl.Series([[]], dtype=pl.List(pl.Boolean))).first()
    return found.select(cell=pl.when(~pl.col("null")).then(pl.col("cell").fill_null(empty)))["cell"]
