"""`ARRAY[…]` and functions of two lists of one length: `dot`, `cosine_similarity`, `hamming_distance`.

A row whose lists differ in length, or hold a null, gives null. Elementwise operators on two lists are in `elementwise`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import polars as pl

from tql_frames.compiler.expressions import exact, json_text
from tql_frames.compiler.expressions.comparisons import comparison
from tql_frames.compiler.expressions.elementwise import element, elements, list_of
from tql_frames.compiler.expressions.operators import arithmetic, number
from tql_frames.compiler.expressions.reductions import l2_norm, linf_norm, sums
from tql_frames.compiler.expressions.types import (
    Constant,
    DataType,
    Value,
    inner,
    is_bool,
    is_nested,
    is_null,
    is_number,
    is_text,
    is_wide,
)
from tql_frames.errors import Fault, TQLTypeError
from tql_frames.language.nodes import Array, Node


def array(node: Node, items: Sequence[Value]) -> Value:
    """`ARRAY[items]`: a list of numbers, of texts or of conditions, or of such rows of one length.

    Numbers are Float64 where one of them is, else Decimal where one is, else Int64, or Int128 where that is needed.
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
            raise Fault(TQLTypeError, f"an item of an array is one value, not {item.words}", item.node.span)
    given = [item for item in items if not is_null(item.dtype)]
    if not given:
        return pl.Null()
    first = given[0]
    kind = next((kind for kind in (is_number, is_text, is_bool) if kind(first.dtype)), None)
    if kind is None:
        message = f"an array holds numbers, text, or true and false, not {first.words}"
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
    """Return the value of a constant part, in a list; None where it is known by row only."""
    if part.parts is None:
        return None if part.constant is None else [part.constant.value]
    row = [_known(each) for each in part.parts]
    return [[each[0] for each in row if each is not None]] if all(each is not None for each in row) else None


def dot(node: Node, left: Value, right: Value) -> Value:
    """`dot(a, b)`: the sum of the products, Int64 of whole numbers, else Float64; 0 of empty lists."""
    products = arithmetic("*", node, _vector(left, "dot"), _vector(right, "dot"))
    dtype = products.dtype
    lists = products.row_expr
    return Value(node, _unless_null(lists, sums(lists, dtype)), dtype)


def cosine_similarity(node: Node, left: Value, right: Value) -> Value:
    """`cosine_similarity(a, b)`: the cosine of the angle between two vectors; 0 where one is zero, as in Deep Lake."""
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
    """Return what was found, or null where a list is null or holds a null."""
    return pl.when(~lists.list.eval(pl.element().is_null()).list.any()).then(found)


def _list(value: Value, name: str) -> Value:
    if is_null(value.dtype) and value.base is None:  # a list that was never filled
        value = Value(value.node, value.expr.cast(pl.List(pl.Null)), pl.List(pl.Null()))
    value = elements(value)
    if value.base is None:
        raise Fault(TQLTypeError, f"{name} needs two lists or arrays, not {value.words}", value.node.span)
    return value


def _vector(value: Value, name: str) -> Value:
    value = _list(value, name)
    number(element(value), name)  # for its type error
    return value
