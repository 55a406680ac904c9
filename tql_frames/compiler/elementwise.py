"""Elementwise use of lists: a rule of scalars applied to the elements of a list, as NumPy does.

The rules themselves live in `comparisons` and `operators`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeAlias

import polars as pl

from tql_frames.compiler.types import (
    Value,
    as_list,
    inner,
    is_bool,
    is_nested,
    is_number,
    list_dtype,
)
from tql_frames.errors import Fault, TQLUnsupportedError
from tql_frames.language.tree import Node

Rule: TypeAlias = Callable[..., Value]
Across: TypeAlias = Callable[[Value, Value], tuple[pl.Expr, pl.Expr]]


def elements(value: Value) -> Value:
    """A list as one value an element; anything else as it is. Lists of lists are flattened, row by row."""
    if value.base is not None or not is_nested(value.dtype):
        return value
    base, dtype = as_list(value.expr, value.dtype), list_dtype(value.dtype)
    while is_nested(inner(dtype)):
        base, dtype = flattened(base), inner(dtype)
    return Value(value.node, pl.element(), inner(dtype), base=base, base_key=value.node)


def flattened(lists: pl.Expr) -> pl.Expr:
    """Lists of lists without the inner dimension; an inner null becomes a null element, an inner empty list none."""
    # An explode alone makes a null of an empty list (Polars 1).
    return lists.list.eval(pl.element().filter((pl.element().list.len() > 0).fill_null(True)).explode())


def element(value: Value) -> Value:
    """An elementwise value seen from inside its list: a scalar."""
    return Value(value.node, value.expr, value.dtype)


def same_list(values: Sequence[Value]) -> bool:
    """Whether elementwise values all run over one list."""
    return all(value.base_key == values[0].base_key for value in values)


def rows(value: Value, dtype: pl.DataType) -> pl.Expr:
    """Scalars of a type, or lists of it."""
    return value.row_expr.cast(dtype if value.base is None else pl.List(dtype))


def lift(rule: Rule, node: Node, *operands: Value, across: Across | None = None) -> Value:
    """Apply a rule of scalars to scalars, or to a list element by element.

    Args:
        rule: takes one scalar `Value` an operand, gives a scalar `Value`.
        node: the operation, for error messages.
        operands: scalars or lists.
        across: the same rule for two different lists, or a list and a column. Polars evaluates expressions inside one
            list only, but does arithmetic on two: from two lists of numbers this makes one list, and the expression
            on its elements that gives the result.
    """
    values = [elements(operand) for operand in operands]
    lists = [value for value in values if value.base is not None]
    if not lists:
        return rule(*values).at(node)
    others = [value for value in values if value.base is None]
    first = lists[0]
    if same_list(lists) and all(value.constant for value in others):
        result = rule(*values)
        return Value(node, result.expr, result.dtype, base=first.base, base_key=first.base_key)
    result = rule(*map(element, values))  # for its type errors
    if across is None or len(values) != 2 or not all(is_number(each.dtype) or is_bool(each.dtype) for each in values):
        hint = "contains(list, column) tests whether an element equals a column"
        message = (
            "elements of a list can be used with constants, and numbers with numbers of another list or column, only"
        )
        raise Fault(TQLUnsupportedError, message, node.span, hint)
    base, expr = across(*values)
    return Value(node, expr, result.dtype, base=base, base_key=object())
