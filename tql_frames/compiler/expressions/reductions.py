"""Compile functions of lists and arrays: of all elements (`sum`, `amax`, …), along an axis, of two lists (`dot`, …).

The result is null for a row whose lists differ in length, or hold a null instead of a number.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import polars as pl

from tql_frames.compiler.expressions import exact, json_text
from tql_frames.compiler.expressions.comparisons import comparison
from tql_frames.compiler.expressions.elementwise import element, elements, list_of
from tql_frames.compiler.expressions.operators import arithmetic, number
from tql_frames.compiler.expressions.types import (
    ELEMENT,
    Constant,
    DataType,
    Nested,
    Value,
    as_list,
    describe,
    inner,
    is_bool,
    is_nested,
    is_null,
    is_number,
    is_temporal,
    is_text,
    is_wide,
    list_dtype,
)
from tql_frames.errors import Fault, TQLTypeError, TQLUnsupportedError
from tql_frames.language.nodes import Array, Node

Fold = Callable[[pl.Expr, DataType], pl.Expr]  # lists of numbers and their type -> one number per list


def total(node: Node, value: Value) -> Value:
    """`sum(x)`: 0 for an empty list."""
    return _of_numbers("sum", node, value, lambda each: each, sums)


def average(node: Node, value: Value) -> Value:
    """`avg(x)`: 0 for an empty list."""

    def mean(lists: pl.Expr, _: DataType) -> pl.Expr:
        return lists.list.eval(pl.element().mean().fill_null(0.0)).list.first()

    return _of_numbers("avg", node, value, _fractional, mean)


def product(node: Node, value: Value) -> Value:
    """`prod(x)`: 1 for an empty list; Float64 for decimals."""

    def fold(lists: pl.Expr, dtype: DataType) -> pl.Expr:
        elements = pl.element()
        found = elements.product() if dtype.is_float() else exact.product(elements, dtype)
        return lists.list.eval(found).list.first()

    def term(each: Value) -> Value:
        return _fractional(each) if each.dtype.is_decimal() else each

    return _of_numbers("prod", node, value, term, fold)


def l1_norm(node: Node, value: Value) -> Value:
    """`l1_norm(x)`: the sum of the absolute values."""

    return _of_numbers("l1_norm", node, value, _absolute, sums)


def l2_norm(node: Node, value: Value) -> Value:
    """`l2_norm(x)`: the root of the sum of the squares."""

    def square(each: Value) -> Value:
        return Value(each.node, _fractional(each).expr.pow(2), pl.Float64())

    squares = _of_numbers("l2_norm", node, value, square, sums)
    return Value(node, squares.expr.sqrt(), squares.dtype)


def linf_norm(node: Node, value: Value) -> Value:
    """`linf_norm(x)`: the greatest absolute value."""

    def fold(lists: pl.Expr, _: DataType) -> pl.Expr:
        return lists.list.eval(pl.element().nan_max().fill_null(0.0)).list.first()

    return _of_numbers("linf_norm", node, value, _absolute, fold)


def least(node: Node, value: Value) -> Value:
    """`amin(x)`: for an empty list 0 if elements are numbers, false if they are Boolean, else null."""
    return _extreme("amin", node, value, pl.Expr.min, pl.Expr.nan_min)


def greatest(node: Node, value: Value) -> Value:
    """`amax(x)`: for an empty list 0 if elements are numbers, false if they are Boolean, else null."""
    return _extreme("amax", node, value, pl.Expr.max, pl.Expr.nan_max)


def nonzero(node: Node, value: Value) -> Value:
    """`nonzero(x)`: 0-based positions of the elements other than 0, a list of Int64."""
    if value.base is None and is_null(value.dtype):  # a list that was never filled
        return Value(node, value.expr.cast(pl.List(pl.Int64)), pl.List(pl.Int64()))
    if value.base is None and not is_nested(value.dtype):
        raise Fault(TQLTypeError, f"expected a list or an array for nonzero, got {value.words}", value.node.span)
    if is_nested(inner(value.row_dtype)):
        raise Fault(TQLTypeError, f"expected one dimension for nonzero, got {value.words}", value.node.span)
    value = elements(value)
    assert value.base is not None
    found = (number(element(value), "nonzero").expr != 0).fill_null(False).arg_true()
    positions = pl.List(pl.Int64())
    return Value(node, value.base.list.eval(found).cast(positions), positions)


def sums(lists: pl.Expr, dtype: DataType) -> pl.Expr:
    """Return the sum of each list of numbers of a type, 0 for an empty list; null on overflow."""
    # Polars 2.1 sums an empty list of floats to -0.0, and optimizes `+ 0.0` away.
    return lists.list.sum().replace(-0.0, 0.0) if dtype.is_float() else exact.total(lists, dtype)


def _of_numbers(name: str, node: Node, value: Value, term: Callable[[Value], Value], fold: Fold) -> Value:
    """`fold(lists of term(element))`; for a scalar, `term(scalar)`."""
    value = elements(json_text.as_number(value))
    narrow = value.dtype.is_integer() and not is_wide(value.dtype) and value.dtype not in (pl.Int64, pl.UInt64)
    if narrow and fold is sums:  # no list is long enough to overflow

        def fold(lists: pl.Expr, dtype: DataType) -> pl.Expr:
            return lists.list.sum() if dtype.is_integer() else sums(lists, dtype)

    each = term(number(element(value), name))
    if value.base is None:
        return Value(node, each.expr, each.dtype)
    lists = Value(node, each.expr, each.dtype, base=value.base).row_expr
    found = fold(lists, each.dtype)
    dtype = pl.Decimal(exact.MOST_DIGITS, each.dtype.scale) if isinstance(each.dtype, pl.Decimal) else each.dtype
    return Value(node, found, dtype)


def _fractional(value: Value) -> Value:
    return Value(value.node, value.expr.cast(pl.Float64), pl.Float64())


def _absolute(value: Value) -> Value:
    return Value(value.node, _fractional(value).expr.abs(), pl.Float64())


def _extreme(
    name: str, node: Node, value: Value, fold: Callable[[pl.Expr], pl.Expr], nan_fold: Callable[[pl.Expr], pl.Expr]
) -> Value:
    value = elements(json_text.as_number(value))
    expr, dtype = value.expr, value.dtype
    if is_text(dtype):
        expr, dtype = expr.cast(pl.String), pl.String()
    elif is_null(dtype):
        expr, dtype = expr.cast(pl.Int64), pl.Int64()
    elif not (is_number(dtype) or is_bool(dtype) or is_temporal(dtype)):
        message = f"expected numbers, text or dates for {name}, got {describe(dtype)}"
        raise Fault(TQLTypeError, message, value.node.span)
    if value.base is None:
        return Value(node, expr, dtype)
    found = nan_fold(expr) if dtype.is_float() else fold(expr)
    zero = _zero(dtype)
    if zero is not None:
        found = found.fill_null(zero)
    return Value(node, value.base.list.eval(found).list.first(), dtype)


def _zero(dtype: DataType) -> pl.Expr | None:
    return pl.lit(0).cast(dtype) if is_number(dtype) or is_bool(dtype) else None


AxisFold = Callable[[pl.Expr], pl.Expr]


def along(node: Node, value: Value, axis: Value, fold: AxisFold, fold_column: AxisFold) -> Value:
    """Fold Booleans along an axis: a list becomes one Boolean, a list of lists becomes a list of Booleans.

    Args:
        node: the call.
        value: Booleans, elementwise or in lists.
        axis: number of the axis; negative numbers count from the last axis.
        fold: lists -> one Boolean per list.
        fold_column: Booleans without nulls -> one Boolean.

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
        hint = "use the last axis, which any number of dimensions has"
        raise Fault(TQLUnsupportedError, "the first axes of three dimensions are not supported", axis.node.span, hint)
    rows = nested.lists.list.eval(pl.element().list.eval(element.cast(pl.Boolean).fill_null(False)))

    def columns(series: pl.Series) -> pl.Series:
        return _columns(series.cast(pl.List(pl.List(pl.Boolean))), fold_column)

    dtype = pl.List(pl.Boolean())
    return Value(node, rows.map_batches(columns, return_dtype=dtype, is_elementwise=True), dtype)


def _nested(node: Node, value: Value) -> tuple[Nested, pl.Expr]:
    """Return lists with all their dimensions, and the expression on an element."""
    if value.base is None:
        return Nested(as_list(value.expr, value.dtype), list_dtype(value.dtype)), ELEMENT
    if value.nested is not None:
        return value.nested, value.expr
    return Nested(value.base, pl.List(value.dtype)), value.expr


def _dimensions(dtype: pl.DataType) -> int:
    return 1 + _dimensions(inner(dtype)) if is_nested(dtype) else 0


def _inside(depth: int, element: pl.Expr) -> pl.Expr:
    """Return the expression of the innermost lists, for evaluation in the lists around them."""
    return _mapped(pl.element(), element) if depth else element


def _mapped(lists: pl.Expr, element: pl.Expr) -> pl.Expr:
    return lists if element is ELEMENT else lists.list.eval(element)


def _lists(dimensions: int) -> pl.DataType:
    dtype: pl.DataType = pl.Boolean()
    for _ in range(dimensions):
        dtype = pl.List(dtype)
    return dtype


def _columns(rows: pl.Series, fold: AxisFold) -> pl.Series:
    """Fold lists of lists column by column; a list without rows becomes an empty list."""
    lists = pl.DataFrame({"cell": rows}).with_row_index("row")
    cells = lists.explode("cell").with_columns(at=pl.int_ranges(0, pl.col("cell").list.len()))
    cells = cells.filter(pl.col("at").list.len() > 0).explode("cell", "at")
    folded = cells.group_by("row", "at").agg(fold(pl.col("cell"))).sort("row", "at")
    found = lists.select("row", null=pl.col("cell").is_null()).join(
        folded.group_by("row", maintain_order=True).agg("cell"), on="row", how="left", maintain_order="left"
    )
    empty = pl.lit(pl.Series([[]], dtype=pl.List(pl.Boolean))).first()
    return found.select(cell=pl.when(~pl.col("null")).then(pl.col("cell").fill_null(empty)))["cell"]


def array(node: Node, items: Sequence[Value]) -> Value:
    """`ARRAY[items]`: a list of numbers, texts or conditions, or of arrays of equal length.

    Numbers are Float64 if one of them is, else Decimal if one is, else Int64, or Int128 if needed.
    """
    if any(isinstance(item.node, Array) for item in items):
        dtype: DataType = _row_dtype(items)
    else:
        given = _item_dtype([item for item in items if item.json is None] or items)
        items = [json_text.beside_dtype(item, given) for item in items]
        dtype = _item_dtype(items)
    parts = tuple(_as_part(item, dtype) for item in items)
    known = [_known(part) for part in parts]
    if all(each is not None for each in known):
        expr = pl.lit(pl.Series([value for each in known if each is not None for value in each], dtype=dtype)).implode()
    elif is_nested(dtype):
        # A list of lists: `concat_list` of lists would chain them.
        rows = [pl.struct(row=part.expr) for part in parts]
        expr = list_of(rows).list.eval(pl.element().struct.field("row"))
    else:
        expr = list_of([part.expr for part in parts])
    return Value(node, expr, pl.List(dtype), parts=parts)


def _item_dtype(items: Sequence[Value]) -> DataType:
    for item in items:
        if is_nested(item.row_dtype):
            raise Fault(TQLTypeError, f"expected one value as item of an array, got {item.words}", item.node.span)
    given = [item for item in items if not is_null(item.dtype)]
    if not given:
        return pl.Null()
    first = given[0]
    kind = next((kind for kind in (is_number, is_text, is_bool) if kind(first.dtype)), None)
    if kind is None:
        message = f"expected numbers, text, or true and false in an array, got {first.words}"
        raise Fault(TQLTypeError, message, first.node.span)
    for item in given:
        if not kind(item.dtype):
            raise Fault(TQLTypeError, f"an array does not mix {first.words} and {item.words}", item.node.span)
    if kind is is_number:
        return _number_dtype(given)
    return pl.String() if kind is is_text else pl.Boolean()


def _number_dtype(items: Sequence[Value]) -> DataType:
    if any(item.dtype.is_decimal() for item in items):
        items = [exact.as_written(item) for item in items]
    if any(item.dtype.is_float() for item in items):
        return pl.Float64()
    scales = [item.dtype.scale for item in items if isinstance(item.dtype, pl.Decimal)]
    if scales:
        return pl.Decimal(exact.MOST_DIGITS, max(scales))
    return pl.Int128() if any(is_wide(item.dtype) for item in items) else pl.Int64()


def _row_dtype(rows: Sequence[Value]) -> DataType:
    first = rows[0]
    for row in rows:
        if row.parts is None or first.parts is None or len(row.parts) != len(first.parts):
            raise Fault(TQLTypeError, "rows of an array are arrays of one length", row.node.span)
        if is_nested(inner(row.dtype)):
            raise Fault(TQLTypeError, "an array has one or two dimensions", row.node.span)
    return pl.List(_item_dtype([part for row in rows for part in row.parts or ()]))


def _as_part(item: Value, dtype: DataType) -> Value:
    if is_nested(dtype):
        parts = tuple(_as_part(part, inner(dtype)) for part in item.parts or ())
        return Value(item.node, item.expr.cast(dtype), dtype, parts=parts)
    if dtype.is_decimal():
        item = exact.as_written(item)
    expr = item.expr if item.dtype == dtype else item.expr.cast(dtype, strict=not exact.is_beyond(item.dtype))
    constant = item.constant
    if constant is not None and isinstance(dtype, pl.Float64) and isinstance(constant.value, int):
        constant = Constant(float(constant.value))
    return Value(item.node, expr, dtype, constant)


def _known(part: Value) -> list[Any] | None:
    """Return the value of a constant part, in a list; None if it differs by row."""
    if part.parts is None:
        return None if part.constant is None else [part.constant.value]
    row = [_known(each) for each in part.parts]
    return [[each[0] for each in row if each is not None]] if all(each is not None for each in row) else None


def dot(node: Node, left: Value, right: Value) -> Value:
    """`dot(a, b)`: the sum of the products, Int64 for integers, else Float64; 0 for empty lists."""
    products = arithmetic("*", node, _vector(left, "dot"), _vector(right, "dot"))
    dtype = products.dtype
    lists = products.row_expr
    return Value(node, _unless_null(lists, sums(lists, dtype)), dtype)


def cosine_similarity(node: Node, left: Value, right: Value) -> Value:
    """`cosine_similarity(a, b)`: the cosine of the angle between two vectors; 0 if one is zero, as in Deep Lake."""
    a, b = _vector(left, "cosine_similarity"), _vector(right, "cosine_similarity")
    lengths = l2_norm(node, a).expr * l2_norm(node, b).expr
    product = dot(node, a, b).expr.cast(pl.Float64)
    zero = pl.any_horizontal([linf_norm(node, each).expr.fill_null(0) == 0 for each in (a, b)])
    found = pl.when(zero & product.is_not_null()).then(0.0).otherwise(product / lengths)
    return Value(node, found, pl.Float64())


def hamming_distance(node: Node, left: Value, right: Value) -> Value:
    """`hamming_distance(a, b)`: the number of places where two lists differ, Int64."""
    a, b = _list(left, "hamming_distance"), _list(right, "hamming_distance")
    differ = comparison("!=", node, a, b).row_expr
    return Value(node, _unless_null(differ, differ.list.sum()).cast(pl.Int64), pl.Int64())


def _unless_null(lists: pl.Expr, found: pl.Expr) -> pl.Expr:
    """Return `found`, or null where a list is null or holds a null."""
    return pl.when(~lists.list.eval(pl.element().is_null()).list.any()).then(found)


def _list(value: Value, name: str) -> Value:
    if is_null(value.dtype) and value.base is None:  # a list that was never filled
        value = Value(value.node, value.expr.cast(pl.List(pl.Null)), pl.List(pl.Null()))
    value = elements(value)
    if value.base is None:
        raise Fault(TQLTypeError, f"expected two lists or arrays for {name}, got {value.words}", value.node.span)
    return value


def _vector(value: Value, name: str) -> Value:
    value = _list(value, name)
    number(element(value), name)  # for its type error
    return value
