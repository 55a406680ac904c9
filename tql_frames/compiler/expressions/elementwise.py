"""Apply rules of scalars to the elements of lists, as NumPy does.

The rules are in `comparisons` and `operators`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, TypeAlias

import polars as pl

from tql_frames.compiler.expressions.types import (
    ELEMENT,
    Nested,
    Value,
    as_list,
    inner,
    is_bool,
    is_nested,
    is_null,
    is_number,
    list_dtype,
)
from tql_frames.errors import Fault, TQLTypeError, TQLUnsupportedError
from tql_frames.language.nodes import Node

Rule: TypeAlias = Callable[..., Value]
Across: TypeAlias = Callable[[Value, Value], tuple[pl.Expr, pl.Expr]]


def elements(value: Value) -> Value:
    """Return a list as an elementwise value; any other value unchanged. Lists of lists are flattened, row by row."""
    if value.base is not None or not is_nested(value.dtype):
        return value
    base, dtype = as_list(value.expr, value.dtype), list_dtype(value.dtype)
    flat = not is_nested(inner(dtype))
    nested = None if flat else Nested(base, dtype)
    while is_nested(inner(dtype)):
        base, dtype = flattened(base), inner(dtype)
    parts = value.parts if flat else None
    size: int | pl.Expr = base.list.len()
    if parts is not None:
        size = len(parts)
    elif flat and isinstance(value.dtype, pl.Array):
        size = value.dtype.shape[0]
    return Value(
        value.node, ELEMENT, inner(dtype), base=base, base_key=value.node, parts=parts, size=size, nested=nested
    )


def flattened(lists: pl.Expr) -> pl.Expr:
    """Return lists of lists without the inner dimension.

    An inner null becomes a null element, an inner empty list none.
    """
    # `explode` alone converts an empty list to null (Polars 1).
    return lists.list.eval(pl.element().filter((pl.element().list.len() > 0).fill_null(True)).explode())


def element(value: Value) -> Value:
    """Return the element of an elementwise value: a scalar, to be evaluated inside the list."""
    return Value(value.node, value.expr, value.dtype, json=value.json)


def same_list(values: Sequence[Value]) -> bool:
    """Return whether all elementwise values are of the same list."""
    return all(value.base_key == values[0].base_key for value in values)


def rows(value: Value, dtype: pl.DataType) -> pl.Expr:
    """Return a value by row, cast to a type or to lists of that type."""
    return value.row_expr.cast(dtype if value.base is None else pl.List(dtype))


def list_of(items: Sequence[pl.Expr]) -> pl.Expr:
    """Return one list per row, with one value of each of `items`."""
    first, *others = items
    if not first.meta.root_names():  # `concat_list` takes its length from its first expression (Polars 1.30)
        first = pl.when(pl.int_range(pl.len(), dtype=pl.Int64) >= 0).then(first)
    return pl.concat_list([first, *others])


def lists_where(condition: pl.Expr, lists: pl.Expr) -> pl.Expr:
    """Return lists where a condition is met, and null elsewhere."""
    # The others are emptied first: later steps would crash on a null that has elements below it (Polars 1.30).
    none = pl.lit(pl.Series([[]], dtype=pl.List(pl.Null))).first()
    return pl.when(condition).then(pl.when(condition).then(lists).otherwise(none))


def aligned(node: Node, a: Value, b: Value) -> tuple[Value, Value]:
    """Return two elementwise values, or one and a scalar, with lists of equal length in each row.

    Rows where the lengths differ are null.

    Raises:
        Fault: the lengths are known and differ.
    """
    if a.base is None or b.base is None or a.size is None or b.size is None:
        return a, b
    if isinstance(a.size, pl.Expr):
        one_length = a.size == b.size
    elif isinstance(b.size, pl.Expr):
        one_length = b.size == a.size
    else:
        _check_length(node, a.size, b.size)
        return a, b
    if b.parts is not None:  # a literal list would be materialized for every row
        return replace(a, base=lists_where(one_length, a.base)), b
    return a, replace(b, base=lists_where(one_length, b.base))


def _check_length(node: Node, a: int, b: int) -> None:
    if a != b:
        raise Fault(TQLTypeError, f"lists of {a} and of {b} elements do not go together", node.span)


def lift(rule: Rule, node: Node, *operands: Value, across: Across | None = None) -> Value:
    """Apply a rule of scalars to scalars, or to a list element by element.

    Args:
        rule: takes one scalar `Value` per operand, returns a scalar `Value`.
        node: the operation, for error messages.
        operands: scalars or lists.
        across: the same rule for two different lists, or a list and a column. Polars evaluates expressions inside one
            list only, but supports arithmetic on two: from two lists of numbers, `across` returns one list, and an
            expression on its elements that computes the result.
    """
    values = [elements(operand) for operand in operands]
    lists = [value for value in values if value.base is not None]
    if not lists:
        return rule(*values).at(node)
    others = [value for value in values if value.base is None]
    first = lists[0]
    if same_list(lists) and all(value.constant for value in others):
        result = rule(*values)
        return Value(node, result.expr, result.dtype, **_list_of(first))
    known = next((value for value in lists if value.parts is not None), None)
    numeric = all(is_number(each.dtype) or is_bool(each.dtype) or is_null(each.dtype) for each in values)
    if known is not None and known.parts is not None and not (numeric and across is not None and len(values) == 2):
        return _item_by_item(rule, node, values, len(known.parts))
    result = rule(*map(element, values))  # for its type errors
    if across is None or len(values) != 2 or not numeric:
        hint = "write contains(list, column) to test whether an element equals a column"
        message = (
            "elements of a list can be used with constants, and numbers with numbers of another list or column, only"
        )
        raise Fault(TQLUnsupportedError, message, node.span, hint)
    base, expr = across(*aligned(node, *values))
    return Value(node, expr, result.dtype, base=base, base_key=object(), size=first.size)


def _list_of(value: Value) -> dict[str, Any]:
    """Return the fields that describe the list of an elementwise value."""
    return {"base": value.base, "base_key": value.base_key, "size": value.size, "nested": value.nested}


def _item_by_item(rule: Rule, node: Node, values: Sequence[Value], size: int) -> Value:
    """Apply a rule to lists, one of which has `size` known items; null where another list has a different length."""
    fits = []
    for value in values:
        if isinstance(value.size, int):
            _check_length(node, size, value.size)
        elif value.size is not None:
            fits.append(value.size == size)
    results = [rule(*(_item(value, at) for value in values)) for at in range(size)]
    dtype = results[0].dtype if results else rule(*map(element, values)).dtype
    items = list_of([result.expr for result in results]) if results else _no_items(dtype)
    base = lists_where(pl.all_horizontal(fits), items) if fits else items
    return Value(node, ELEMENT, dtype, base=base, base_key=object(), size=size)


def _no_items(dtype: pl.DataType) -> pl.Expr:
    """Return an empty list for each row."""
    none = pl.lit(pl.Series([[]], dtype=pl.List(dtype))).first()
    return pl.when(pl.int_range(pl.len(), dtype=pl.Int64) >= 0).then(none)


def _item(value: Value, at: int) -> Value:
    if value.base is None:
        return value
    if value.parts is not None:
        return value.parts[at]
    return Value(value.node, value.row_expr.list.get(at, null_on_oob=True), value.dtype)
