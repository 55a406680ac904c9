"""Define the functions of TQL: a table with the name, number of arguments and Polars expression of each.

To add a function, write its rule and a row of `FUNCTIONS`. Users add functions with `register_function`.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import polars as pl
from polars.datatypes import DataTypeClass

from tql_frames.compiler.expressions import exact, json_text, operators, reductions
from tql_frames.compiler.expressions.comparisons import as_text
from tql_frames.compiler.expressions.elementwise import flattened, lift, lists_where
from tql_frames.compiler.expressions.membership import contains
from tql_frames.compiler.expressions.operators import logic, number, truth
from tql_frames.compiler.expressions.types import (
    DataType,
    Value,
    as_list,
    describe,
    inner,
    innermost,
    instance,
    is_bool,
    is_nested,
    is_null,
    is_text,
)
from tql_frames.errors import Fault, TQLError, TQLTypeError
from tql_frames.language.keywords import RESERVED
from tql_frames.language.nodes import Node


@dataclass(frozen=True)
class Function:
    """A row of the table.

    Attributes:
        arity: number of arguments, or the least and the greatest number, None for no limit.
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
    # A column of a list of lists is never empty.
    return _fold(node, value, axis, lambda lists: lists.list.all() & (lists.list.len() > 0), pl.Expr.all)


def _fold(
    node: Node,
    value: Value,
    axis: Value | None,
    fold: Callable[[pl.Expr], pl.Expr],
    fold_column: Callable[[pl.Expr], pl.Expr],
) -> Value:
    """Reduce a list of Booleans to one: null elements count as false, a null list is null."""
    lists: pl.Expr = value.row_expr
    dtype: pl.DataType = value.row_dtype
    if not is_nested(dtype):
        if axis is not None:
            raise Fault(TQLTypeError, f"{value.words} has no axis", axis.node.span, "leave the axis out")
        return Value(node, truth(value), pl.Boolean())
    if not (is_bool(innermost(dtype)) or is_null(innermost(dtype))):
        hint = "compare the elements with something, as in any(x > 0)"
        raise Fault(TQLTypeError, f"expected a list of conditions, got {describe(dtype)}", value.node.span, hint)
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
    """Return lengths by dimension; for lists of lists, the first item determines the inner lengths."""
    if is_null(value.row_dtype):  # a list that was never filled
        return Value(node, value.expr.cast(pl.List(pl.Int64)), pl.List(pl.Int64()))
    if not is_nested(value.row_dtype):
        hint = "name a list; a text has no shape" if isinstance(value.dtype, pl.String) else None
        raise Fault(TQLTypeError, f"expected a list or an array for shape, got {value.words}", value.node.span, hint)
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
    """Return the names of the fields of a struct, or of the JSON object in a text, as a list of text."""
    if isinstance(value.dtype, pl.Struct):
        names = pl.lit(pl.Series([field.name for field in value.dtype.fields], dtype=pl.String)).implode()
        return Value(node, lists_where(value.expr.is_not_null(), names), pl.List(pl.String()))
    if operators.is_map(value.row_dtype):
        lists = as_list(value.row_expr, value.row_dtype)
        return Value(node, lists.list.eval(pl.element().struct.field("key")), pl.List(pl.String()))
    if value.base is None and (is_text(value.dtype) or is_null(value.dtype)):
        return json_text.keys(node, value)
    raise Fault(TQLTypeError, f"expected a struct or JSON text for keys, got {value.words}", value.node.span)


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


def _split(node: Node, value: Value, separator: Value) -> Value:
    """Return the parts of a text between separators; an empty text has no parts."""
    dtype = pl.List(pl.String())
    mark = None if separator.constant is None else separator.constant.value
    if not isinstance(mark, str) or not mark:
        message = "expected the separator of split to be a constant text that is not empty"
        raise Fault(TQLTypeError, message, separator.node.span, "write split(x, '|')")
    value = json_text.as_string(value)
    if is_null(value.row_dtype):
        return Value(node, value.expr.cast(dtype), dtype)
    if value.base is not None or not is_text(value.dtype):
        hint = "its elements are apart already" if is_nested(value.row_dtype) else None
        raise Fault(TQLTypeError, f"expected text for split, got {value.words}", value.node.span, hint)
    text = as_text(value)
    none = pl.lit(pl.Series([], dtype=pl.String)).implode()
    return Value(node, pl.when(text == "").then(none).otherwise(text.str.split(mark)), dtype)


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
    "split": Function(2, _split, "split(text, 'separator')"),
    "sqrt": Function(1, _sqrt, "sqrt(number)"),
    "sum": Function(1, reductions.total, "sum(list of numbers)"),
}

# Functions of Deep Lake that TQL does not have, and what to use instead.
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
# Names of functions in other languages, and how to write them in TQL.
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
    **dict.fromkeys(("str_split", "string_split", "string_to_array"), "write split(text, 'separator')"),
    "concat": "compute the text as a column of the frame; texts cannot be joined",
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
    **dict.fromkeys(("int", "float", "str", "bool", "substr", "substring", "trim", "hash"), _AS_COLUMN),
}


# Names with a special meaning that `FUNCTIONS` does not list.
_TAKEN = frozenset(("data", "max_weight", "random", "sum_weight"))
_NAME = re.compile(r"[^\W\d]\w*")
_registered: dict[str, Function] = {}


def function_named(name: str) -> Function | None:
    """Return the function with a name in lower case, registered ones included."""
    return FUNCTIONS.get(name) or _registered.get(name)


def registered_names() -> list[str]:
    """Return names of the registered functions."""
    return list(_registered)


def register_function(
    name: str,
    function: Callable[..., Any],
    *,
    returns: DataType | DataTypeClass = pl.Float64,
    arity: int | None = None,
) -> None:
    """Add a function to TQL, in this process; it replaces a registered function of the same name.

    Args:
        name: its name in TQL, in any case: letters, digits and underscores, no keyword and no function of the
            language.
        function: receives one Polars Series per argument, each as long as the frame: a list column as a List series, a
            constant repeated. Returns a Series or NumPy array of that length. It is called once for the whole frame,
            or not at all if no row is requested, and must not modify its arguments.
        returns: Polars type that the result is cast to; a value that does not fit is an error.
        arity: number of arguments; by default that of the signature, with `*args` any number.

    Raises:
        TQLError: the name is taken or invalid, or the arguments of the function cannot be counted. If the function
            raises an error when it is called, that error is the cause of a TQLError that names the function.

    Examples:
        >>> register_function("clipped", lambda x, most: x.clip(upper_bound=most[0]) if len(x) else x)
        >>> import tql_frames
        >>> tql_frames.weights(pl.DataFrame({"age": [71, 34]}), "clipped(age, 50) + 1").to_list()
        [51.0, 35.0]
    """
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise TQLError(f"expected a name of letters, digits and underscores, got {name!r}")
    name = name.lower()
    if name in RESERVED:
        raise TQLError(f"{name!r} is a keyword of TQL")
    if name in FUNCTIONS or name in _TAKEN:
        raise TQLError(f"{name!r} is a function of TQL already")
    if not callable(function):
        raise TQLError(f"expected a function, got {function!r}")
    if not (isinstance(returns, pl.DataType) or (isinstance(returns, type) and issubclass(returns, pl.DataType))):
        raise TQLError(f"expected returns= to be a Polars type, got {returns!r}")
    takes = _arity(name, function) if arity is None else arity
    if isinstance(takes, bool) or not (isinstance(takes, tuple) or (isinstance(takes, int) and takes >= 0)):
        raise TQLError(f"expected arity= to be a whole number of at least 0, got {arity!r}")
    dtype = instance(returns)

    def build(node: Node, *arguments: Value) -> Value:
        # In one struct, so that constants are as long as the frame; Polars 1.30 panics on an error among many columns.
        # The row number makes it as long as the frame even if every argument is constant.
        rows = pl.int_range(pl.len(), dtype=pl.Int64).alias("rows")
        columns = [argument.row_expr.alias(str(at)) for at, argument in enumerate(arguments)]
        call = _Call(name, function, len(arguments), dtype)
        return Value(node, pl.struct(rows, *columns).map_batches(call, return_dtype=dtype), dtype)

    _registered[name] = Function(takes, build, f"{name}({_usage(function)})")


class _Call:
    """The function that Polars calls: it calls the user's function and checks the result."""

    def __init__(self, name: str, function: Callable[..., Any], arguments: int, dtype: DataType) -> None:
        self._name, self._function, self._arguments, self._dtype = name, function, arguments, dtype

    def __call__(self, rows: pl.Series) -> pl.Series:
        columns = [rows.struct.field(str(at)) for at in range(self._arguments)]
        try:
            found = self._function(*columns)
        except Exception as fault:
            reason = f"{type(fault).__name__}: {fault}"
            raise TQLError(f"the function {self._name} failed: {reason[:300]}") from fault
        if not isinstance(found, pl.Series) and not hasattr(found, "__array__"):
            message = f"expected the function {self._name} to return a Series or an array, got {type(found).__name__}"
            raise TQLTypeError(message)
        try:
            series = found if isinstance(found, pl.Series) else pl.Series(found)
            if len(series) == len(rows):
                return series.cast(self._dtype, strict=True)
        except (pl.exceptions.PolarsError, TypeError, ValueError) as fault:
            message = f"the function {self._name} returned values that are no {self._dtype}"
            raise TQLTypeError(message) from fault
        raise TQLTypeError(f"the function {self._name} returned {len(series):,} values for {len(rows):,} rows")


def _arity(name: str, function: Callable[..., Any]) -> int | tuple[int, int | None]:
    try:
        parameters = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):
        raise TQLError(f"the arguments of {name} cannot be counted; pass arity=") from None
    placed = [each for each in parameters if each.kind in (each.POSITIONAL_ONLY, each.POSITIONAL_OR_KEYWORD)]
    least = sum(each.default is each.empty for each in placed)
    if any(each.kind is each.KEYWORD_ONLY and each.default is each.empty for each in parameters):
        raise TQLError(f"{name} needs arguments by keyword, which TQL does not have")
    if any(each.kind is each.VAR_POSITIONAL for each in parameters):
        return least, None
    return least if least == len(placed) else (least, len(placed))


def _usage(function: Callable[..., Any]) -> str:
    try:
        parameters = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):
        return "…"
    return ", ".join("…" if each.kind is each.VAR_POSITIONAL else each.name for each in parameters)
