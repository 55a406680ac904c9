"""The function table: TQL name -> how many arguments it takes and what Polars expression it makes.

To add a function, write its rule and a row of `FUNCTIONS`. Functions that users add are in `registry`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import polars as pl

from tql_frames.compiler.expressions import exact, json_text, operators, reductions
from tql_frames.compiler.expressions.elementwise import flattened, lift, lists_where
from tql_frames.compiler.expressions.membership import contains
from tql_frames.compiler.expressions.operators import logic, number, truth
from tql_frames.compiler.expressions.types import (
    Value,
    as_list,
    describe,
    inner,
    innermost,
    is_bool,
    is_nested,
    is_null,
    is_text,
)
from tql_frames.errors import Fault, TQLTypeError
from tql_frames.language.nodes import Node


@dataclass(frozen=True)
class Function:
    """A row of the table.

    Attributes:
        arity: number of arguments, or the least and the most, None for any number.
        build: the call's node and its translated arguments -> the value.
        usage: how it is written, for error messages and `explain`.
    """

    arity: int | tuple[int, int | None]
    build: Callable[..., Value]
    usage: str


def _any(node: Node, value: Value, axis: Value | None = None) -> Value:
    return _fold(node, value, axis, lambda lists: lists.list.any(), pl.Expr.any)


def _all(node: Node, value: Value, axis: Value | None = None) -> Value:
    return _fold(node, value, axis, lambda lists: lists.list.all(), pl.Expr.all)


def _all_strict(node: Node, value: Value, axis: Value | None = None) -> Value:
    # No column of a list of lists is empty.
    return _fold(node, value, axis, lambda lists: lists.list.all() & (lists.list.len() > 0), pl.Expr.all)


def _fold(
    node: Node,
    value: Value,
    axis: Value | None,
    fold: Callable[[pl.Expr], pl.Expr],
    fold_column: Callable[[pl.Expr], pl.Expr],
) -> Value:
    """Return one truth value of a list of them: null elements count as false, a null list gives null."""
    lists: pl.Expr = value.row_expr
    dtype: pl.DataType = value.row_dtype
    if not is_nested(dtype):
        if axis is not None:
            raise Fault(TQLTypeError, f"{value.words} has no axis", axis.node.span, "leave the axis out")
        return Value(node, truth(value), pl.Boolean())
    if not (is_bool(innermost(dtype)) or is_null(innermost(dtype))):
        hint = "compare the elements with something, as in any(x > 0)"
        raise Fault(TQLTypeError, f"{describe(dtype)} is not a list of conditions", value.node.span, hint)
    known = pl.element().cast(pl.Boolean).fill_null(False)
    if axis is not None:
        return reductions.along(node, value, axis, lambda inner_lists: fold(inner_lists.list.eval(known)), fold_column)
    lists = as_list(lists, dtype)
    while is_nested(inner(dtype)):
        lists, dtype = flattened(lists), inner(dtype)
    return Value(node, fold(lists.list.eval(known)), pl.Boolean())


def _logical_and(node: Node, left: Value, right: Value) -> Value:
    return logic(node, (left, right), every=True)


def _logical_or(node: Node, left: Value, right: Value) -> Value:
    return logic(node, (left, right), every=False)


def _shape(node: Node, value: Value) -> Value:
    """Return lengths by dimension; of lists of lists, the first item tells the lengths below."""
    if is_null(value.row_dtype):  # a list that was never filled
        return Value(node, value.expr.cast(pl.List(pl.Int64)), pl.List(pl.Int64()))
    if not is_nested(value.row_dtype):
        hint = "length of a text is not its shape" if isinstance(value.dtype, pl.String) else None
        raise Fault(TQLTypeError, f"shape needs a list or an array, not {value.words}", value.node.span, hint)
    expr: pl.Expr = value.row_expr
    dtype: pl.DataType = value.row_dtype
    parts: list[pl.Expr] = []
    while is_nested(dtype):
        if isinstance(dtype, pl.Array):
            length = dtype.shape[0]
            parts.append(pl.when(expr.is_not_null()).then(pl.lit(length, dtype=pl.Int64)))
            expr = expr.arr.get(0, null_on_oob=True)
        else:
            parts.append(expr.list.len().cast(pl.Int64))
            expr = expr.list.get(0, null_on_oob=True)
        dtype = inner(dtype)
    lengths = tuple(Value(node, part, pl.Int64()) for part in parts)
    return Value(node, pl.concat_list(parts), pl.List(pl.Int64()), parts=lengths)


def _keys(node: Node, value: Value) -> Value:
    """Return names of the fields of a struct or of the JSON object in a text, a list of text."""
    if isinstance(value.dtype, pl.Struct):
        names = pl.lit(pl.Series([field.name for field in value.dtype.fields], dtype=pl.String)).implode()
        return Value(node, lists_where(value.expr.is_not_null(), names), pl.List(pl.String()))
    if operators.is_map(value.row_dtype):
        lists = as_list(value.row_expr, value.row_dtype)
        return Value(node, lists.list.eval(pl.element().struct.field("key")), pl.List(pl.String()))
    if value.base is None and (is_text(value.dtype) or is_null(value.dtype)):
        return json_text.keys(node, value)
    raise Fault(TQLTypeError, f"keys needs a struct or JSON text, not {value.words}", value.node.span)


def _row_number(node: Node) -> Value:
    return Value(node, pl.int_range(pl.len(), dtype=pl.Int64), pl.Int64())


def _abs(node: Node, value: Value) -> Value:
    def rule(each: Value) -> Value:
        each = number(each, "abs")
        if each.dtype.is_float():
            return Value(node, each.expr.abs(), each.dtype)
        found, scale = exact.unscaled(each)
        return exact.like(each, exact.absolute(found), scale, node)

    return lift(rule, node, value)


def _sqrt(node: Node, value: Value) -> Value:
    def rule(each: Value) -> Value:
        return Value(node, number(each, "sqrt").expr.cast(pl.Float64).sqrt(), pl.Float64())

    return lift(rule, node, value)


FUNCTIONS: dict[str, Function] = {
    "abs": Function(1, _abs, "abs(number)"),
    "all": Function((1, 2), _all, "all(list of conditions)"),
    "all_strict": Function((1, 2), _all_strict, "all_strict(list of conditions)"),
    "amax": Function(1, reductions.greatest, "amax(list)"),
    "amin": Function(1, reductions.least, "amin(list)"),
    "any": Function((1, 2), _any, "any(list of conditions)"),
    "avg": Function(1, reductions.average, "avg(list of numbers)"),
    "contains": Function(2, contains, "contains(text or list, value)"),
    "cosine_similarity": Function(2, reductions.cosine_similarity, "cosine_similarity(list, list)"),
    "dot": Function(2, reductions.dot, "dot(list, list)"),
    "hamming_distance": Function(2, reductions.hamming_distance, "hamming_distance(list, list)"),
    "keys": Function(1, _keys, "keys(struct or JSON text)"),
    "l1_norm": Function(1, reductions.l1_norm, "l1_norm(list of numbers)"),
    "l2_norm": Function(1, reductions.l2_norm, "l2_norm(list of numbers)"),
    "linf_norm": Function(1, reductions.linf_norm, "linf_norm(list of numbers)"),
    "logical_and": Function(2, _logical_and, "logical_and(condition, condition)"),
    "logical_or": Function(2, _logical_or, "logical_or(condition, condition)"),
    "nonzero": Function(1, reductions.nonzero, "nonzero(list of numbers)"),
    "prod": Function(1, reductions.product, "prod(list of numbers)"),
    "row_number": Function(0, _row_number, "row_number()"),
    "shape": Function(1, _shape, "shape(list)"),
    "sqrt": Function(1, _sqrt, "sqrt(number)"),
    "sum": Function(1, reductions.total, "sum(list of numbers)"),
}

# Functions of Deep Lake that are not here, and what to use instead.
UNSUPPORTED = {
    "bm25_similarity": "test with contains(text, 'words') or ILIKE, or compute the similarity as a column",
    "maxsim": "compute it as a column of the frame first",
    "mmr": "compute it as a column of the frame first",
}
_AS_COLUMN = "compute it as a column of the frame first, and name that column"
_CHOICE = "write max_weight(condition: value, …, True: other)"
_LENGTH = "shape(x)[0] is the number of elements of a list; compute the length of a text as a column of the frame"
_PATTERN = "write x like 'start*', x like '*end' or contains(x, 'part')"
_IS_NULL = "write x is null"
# Names that other languages have for what is written otherwise here.
ELSEWHERE = {
    "count": "shape(x)[0] is the number of elements of a list",
    "max": "amax(x) is the greatest element of a list",
    "mean": "avg(x) is the mean of a list",
    "min": "amin(x) is the least element of a list",
    "average": "avg(x) is the mean of a list",
    "rand": "write random()",
    "rownum": "write row_number()",
    "cosine_distance": "write 1 - cosine_similarity(x, y)",
    "norm": "write l1_norm(x), l2_norm(x) or linf_norm(x)",
    "power": "write x * x; TQL has no power operator",
    "pow": "write x * x; TQL has no power operator",
    "square": "write x * x",
    "mod": "write x % y",
    "lower": "write x ilike 'pattern', which ignores the case",
    "upper": "write x ilike 'pattern', which ignores the case",
    "isin": "write x in (value, …)",
    "notnull": "write x is not null",
    "notna": "write x is not null",
    "array_contains": "write contains(x, value)",
    "list_contains": "write contains(x, value)",
    "concat": "texts cannot be joined; compute the text as a column of the frame",
    **dict.fromkeys(("len", "length", "size", "char_length", "list_length", "array_length", "cardinality"), _LENGTH),
    **dict.fromkeys(("isnull", "isna", "is_null", "isnan", "is_nan"), _IS_NULL),
    **dict.fromkeys(("if", "iff", "iif", "where", "when", "case", "decode", "choose"), _CHOICE),
    **dict.fromkeys(("coalesce", "ifnull", "nvl", "fillna"), _CHOICE),
    **dict.fromkeys(("startswith", "endswith", "starts_with", "ends_with", "regexp_matches", "regexp_like"), _PATTERN),
    **dict.fromkeys(("match", "matches", "str_contains"), _PATTERN),
    **dict.fromkeys(("round", "floor", "ceil", "ceiling", "trunc", "sign", "greatest", "least", "clip"), _AS_COLUMN),
    **dict.fromkeys(("log", "log2", "log10", "ln", "exp", "sin", "cos", "tan"), _AS_COLUMN),
    **dict.fromkeys(("median", "std", "stddev", "var", "variance", "quantile"), _AS_COLUMN),
    **dict.fromkeys(("date", "year", "month", "day", "now", "datediff", "date_diff"), _AS_COLUMN),
    **dict.fromkeys(("int", "float", "str", "bool", "substr", "substring", "trim", "split", "hash"), _AS_COLUMN),
}
