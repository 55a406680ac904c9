"""Compile logic, arithmetic and subscripts to Polars expressions.

Comparisons are in `comparisons`, named functions in `functions`, the walk over the tree in `translate`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import polars as pl

from tql_frames.compiler.expressions import exact, json_text
from tql_frames.compiler.expressions.elementwise import element, elements, lift, rows, same_list
from tql_frames.compiler.expressions.types import (
    ELEMENT,
    Constant,
    DataType,
    Value,
    as_list,
    describe,
    inner,
    instance,
    is_bool,
    is_nested,
    is_null,
    is_number,
    is_text,
    list_dtype,
)
from tql_frames.errors import Fault, TQLNameError, TQLTypeError, TQLUnsupportedError, did_you_mean
from tql_frames.language.nodes import Column, Node


def truth(value: Value) -> pl.Expr:
    """Return a value as true, false or null: numbers are true unless 0, null stays null.

    Raises:
        Fault: the value is a list, text or date, which has no truth value.
    """
    if value.json is not None:
        return json_text.truth(value)
    if value.base is None:
        if is_bool(value.dtype):
            return value.expr
        if is_null(value.dtype):
            return value.expr.cast(pl.Boolean)
        if is_number(value.dtype):
            return value.expr != 0
    hint = "compare it with something, as in x == 'value'"
    if is_nested(value.row_dtype):
        hint = "use any(…), all(…) or contains(…) to make one condition of its elements"
    raise Fault(TQLTypeError, f"expected a condition, got {value.words}", value.node.span, hint)


def condition(value: Value) -> pl.Expr:
    """Return a value as true or false, null as false."""
    found = truth(value)
    known = value.constant is not None and value.constant.value is not None
    return found if known or value.never_null else found.fill_null(False)


def negation(node: Node, operand: Value) -> Value:
    """`not operand`, elementwise on a list; null stays null."""
    return lift(lambda value: Value(node, ~truth(element(value)), pl.Boolean()), node, operand)


def logic(node: Node, operands: Sequence[Value], *, every: bool) -> Value:
    """`and` (every) or `or` of the operands, three-valued, elementwise if one is a list."""

    def rule(*values: Value) -> Value:
        fold = pl.all_horizontal if every else pl.any_horizontal
        return Value(node, fold([truth(element(value)) for value in values]), pl.Boolean())

    def across(a: Value, b: Value) -> tuple[pl.Expr, pl.Expr]:
        # False is 0, null 1 and true 3: each pair has a distinct sum.
        total = rows(_coded(a), pl.Int64()) + rows(_coded(b), pl.Int64())
        found, unknown = (pl.element() == 6, [2, 4]) if every else (pl.element() >= 3, [1, 2])
        return total, found | pl.element().is_in(unknown) & pl.lit(None, dtype=pl.Boolean)

    operands = [Value(each.node, truth(each), pl.Boolean()) if each.json is not None else each for each in operands]
    lists = [value for value in map(elements, operands) if value.base is not None]
    if len(operands) > 2 and lists and not same_list(lists):
        half = len(operands) // 2
        operands = [logic(node, operands[:half], every=every), logic(node, operands[half:], every=every)]
    return lift(rule, node, *operands, across=across)


def _coded(value: Value) -> Value:
    return replace(value, expr=(truth(element(value)).cast(pl.Int64) * 3).fill_null(1), dtype=pl.Int64())


def number(value: Value, verb: str) -> Value:
    """Return a number in a type for calculation: Int64, Int128, Decimal, or Float64 for all others; true is 1."""
    value = json_text.as_number(value)
    dtype = value.dtype
    if is_null(dtype):
        return Value(value.node, value.expr.cast(pl.Int64), pl.Int64())
    if not (is_number(dtype) or is_bool(dtype)):
        raise Fault(TQLTypeError, f"expected numbers for {verb}, got {describe(dtype)}", value.node.span)
    if dtype.is_float():
        return Value(value.node, value.expr.cast(pl.Float64), pl.Float64(), value.constant)
    if dtype.is_decimal():
        return Value(value.node, value.expr, dtype)
    return _of_whole(value.node, exact.whole(value), value.constant)


def _of_whole(node: Node, found: exact.Whole, constant: Constant | None = None) -> Value:
    return Value(node, found.expr, found.dtype, constant, bounds=found.bounds)


def arithmetic(operator: str, node: Node, left: Value, right: Value) -> Value:
    """`left operator right` on numbers, elementwise if one is a list."""

    def rule(a: Value, b: Value) -> Value:
        a, b = number(a, operator), number(b, operator)
        terms = _exact_terms(operator, a, b)
        if terms is not None:
            (first, second), scale = terms
            found = exact.calculate(operator, first, second, decimal=scale is not None)
            if scale is None:
                return _of_whole(node, found)
            return Value(node, exact.as_decimal(found.expr, scale), pl.Decimal(exact.MOST_DIGITS, scale))
        dividend, divisor = a.expr.cast(pl.Float64), b.expr.cast(pl.Float64)
        if operator == "%":
            return Value(node, _remainder(dividend, divisor), pl.Float64())
        if operator == "/" and not any(isinstance(each, Column) for each in b.node.walk()):
            # Polars would multiply by the reciprocal of a divisor that is the same for all rows: 7 / 10 would be
            # 0.7000000000000001. So the divisor is expanded to one value per row, by adding 0.
            divisor = divisor + dividend.is_null().cast(pl.Float64)
        return Value(node, exact.operate(operator, dividend, divisor), pl.Float64())

    def across(a: Value, b: Value) -> tuple[pl.Expr, pl.Expr]:
        if operator == "%":
            raise Fault(TQLUnsupportedError, "expected one list and a constant for %, got two lists", node.span)
        terms = _exact_terms(operator, number(_inside(a), operator), number(_inside(b), operator))
        if terms is None:
            return exact.operate(operator, rows(a, pl.Float64()), rows(b, pl.Float64())), ELEMENT
        (first, second), scale = terms
        pairs = ((a, first), (b, second))
        wide, real = (
            [rows(replace(each, expr=term.expr.cast(dtype), dtype=dtype), dtype) for each, term in pairs]
            for dtype in (pl.Int128(), pl.Float64())
        )
        lists, expr = exact.across(operator, first, second, (wide[0], wide[1]), (real[0], real[1]))
        return lists, expr if scale is None else exact.as_decimal(expr, scale)

    return lift(rule, node, json_text.as_number(left), json_text.as_number(right), across=across)


def _inside(value: Value) -> Value:
    """Return an elementwise value as a scalar, which stays a constant if it is one."""
    return replace(element(value), constant=value.constant, bounds=value.bounds)


def _exact_terms(operator: str, a: Value, b: Value) -> tuple[tuple[exact.Whole, exact.Whole], int | None] | None:
    """Return two numbers as whole numbers, and the decimal places of their result if it is a decimal.

    Return None if the result is a Float64: for `/`, for a float that is not constant, and beyond 38 decimal places.
    """
    if operator == "/":
        return None
    decimal = a.dtype.is_decimal() or b.dtype.is_decimal()
    if decimal:
        a, b = exact.as_written(a), exact.as_written(b)
    if a.dtype.is_float() or b.dtype.is_float():
        return None
    (first, places), (second, others) = exact.unscaled(a), exact.unscaled(b)
    if not decimal:
        return (first, second), None
    if operator == "*":
        return ((first, second), places + others) if places + others <= exact.MOST_DIGITS else None
    scale = max(places, others)
    return (exact.rescaled(first, scale - places), exact.rescaled(second, scale - others)), scale


def _remainder(a: pl.Expr, b: pl.Expr) -> pl.Expr:
    """Return the remainder of fractions, by NumPy: Polars computes it from a rounded quotient."""
    known = a.is_not_null() & b.is_not_null()
    found = pl.struct(a=a, b=b).map_batches(_fmod, return_dtype=pl.Float64(), is_elementwise=True)
    return pl.when(known).then(found)


def _fmod(pairs: pl.Series) -> pl.Series:
    dividends, divisors = (pairs.struct.field(name).to_numpy() for name in ("a", "b"))
    with np.errstate(invalid="ignore"):  # x % 0 is NaN
        return pl.Series(np.fmod(dividends, divisors), dtype=pl.Float64)


def negative(node: Node, operand: Value) -> Value:
    """`-operand`; a constant stays a constant, so that `-1` is accepted where a literal is required."""
    constant = operand.constant.value if operand.constant is not None else None
    if isinstance(constant, float):
        return Value(node, pl.lit(float(-constant)), pl.Float64(), Constant(-constant))
    if type(constant) is int:
        dtype: DataType = pl.Int64() if exact.fits(-constant, pl.Int64()) else pl.Int128()
        return Value(node, pl.lit(-constant, dtype=dtype), dtype, Constant(-constant))

    def rule(value: Value) -> Value:
        value = number(value, "-")
        if value.dtype.is_float():
            return Value(node, -value.expr, value.dtype)
        found, scale = exact.unscaled(value)
        return exact.like(value, exact.negative(found), scale, node)

    return lift(rule, node, operand)


def positive(node: Node, operand: Value) -> Value:
    """`+operand`: a number unchanged; a constant stays a constant."""
    if operand.constant is not None and type(operand.constant.value) in (int, float):
        return operand.at(node)
    return lift(lambda value: replace(number(value, "+"), node=node), node, json_text.as_number(operand))


@dataclass(frozen=True)
class Index:
    """A single position in a subscript."""

    at: Value


@dataclass(frozen=True)
class Range:
    """A slice in a subscript; each bound is a whole number or absent."""

    start: Value | None
    stop: Value | None
    step: int


def subscript(node: Node, operand: Value, indices: Sequence[Index | Range]) -> Value:
    """`operand[indices]` as in NumPy, one index per dimension; a position out of range is null."""
    if operand.parts is not None and len(indices) == 1 and isinstance(indices[0], Index):
        constant = indices[0].at.constant
        if constant is not None and type(constant.value) is int:
            at, known = constant.value, operand.parts
            dtype = inner(operand.dtype)
            inside = -len(known) <= at < len(known)
            return replace(known[at], node=node) if inside else Value(node, pl.lit(None, dtype=dtype), dtype)
    if operand.base is not None:
        operand = Value(operand.node, operand.row_expr, operand.row_dtype)
    if is_null(operand.dtype):
        return Value(node, operand.expr, operand.dtype)
    if not is_nested(operand.dtype):
        hint = "write text['key'] for a field of the JSON in a text" if is_text(operand.dtype) else None
        raise Fault(TQLTypeError, f"{operand.words} has no elements", operand.node.span, hint)
    lists, dtype = as_list(operand.expr, operand.dtype), list_dtype(operand.dtype)
    expr, dtype = _pick(node, lists, dtype, list(indices))
    return Value(node, expr, dtype)


def _pick(node: Node, lists: pl.Expr, dtype: DataType, indices: list[Index | Range]) -> tuple[pl.Expr, DataType]:
    first, rest = indices[0], indices[1:]
    if is_null(dtype):
        return lists, dtype
    if not is_nested(dtype):
        raise Fault(TQLTypeError, "more indices than dimensions", node.span)
    if isinstance(first, Index):
        expr, dtype = lists.list.get(first.at.expr, null_on_oob=True), inner(dtype)
        return _pick(node, expr, dtype, rest) if rest else (expr, dtype)
    # Polars 1.30 forgets the type of slices of no rows.
    expr = lists if first == Range(None, None, 1) else _slice(lists, first).cast(dtype)
    if not rest:
        return expr, dtype
    for index in rest:
        places = (index.at,) if isinstance(index, Index) else (index.start, index.stop)
        for place in places:
            if place is not None and place.constant is None:
                raise Fault(TQLTypeError, "an index after a slice is a constant", place.node.span)
    picked, picked_dtype = _pick(node, pl.element(), inner(dtype), rest)
    return expr.list.eval(picked), pl.List(picked_dtype)


def _slice(lists: pl.Expr, bounds: Range) -> pl.Expr:
    """Return the elements at start, start + step, …, counted like `slice.indices` in Python."""
    size = lists.list.len().cast(pl.Int64)
    forward = bounds.step > 0
    lowest, highest = (pl.lit(0, dtype=pl.Int64), size) if forward else (pl.lit(-1, dtype=pl.Int64), size - 1)

    def clipped(bound: Value | None, absent: pl.Expr) -> pl.Expr:
        if bound is None:
            return absent
        place = bound.expr.cast(pl.Int64, strict=False)  # a bound beyond Int64 is null: beyond the list
        from_end = pl.when(place < 0).then(place + size).otherwise(place)
        return pl.max_horizontal(lowest, pl.min_horizontal(highest, from_end))

    start = clipped(bounds.start, lowest if forward else highest)
    stop = clipped(bounds.stop, highest if forward else lowest)
    stop = pl.max_horizontal(start, stop) if forward else pl.min_horizontal(start, stop)
    # A null list has no size; its positions become empty, and the list itself keeps the result null.
    return lists.list.gather(pl.int_ranges(start.fill_null(0), stop.fill_null(0), bounds.step), null_on_oob=True)


def key(node: Node, operand: Value, name: str, name_node: Node) -> Value:
    """`operand['name']`: a field of a struct."""
    if operand.base is None and is_null(operand.dtype):
        return Value(node, operand.expr, operand.dtype)
    dtype = operand.row_dtype
    if is_nested(dtype) and isinstance(inner(dtype), pl.Struct):
        return _key_of_each(node, operand, name, name_node)
    if not isinstance(operand.dtype, pl.Struct):
        raise Fault(TQLTypeError, f"{operand.words} has no keys", operand.node.span)
    names = [each.name for each in operand.dtype.fields]
    if name in names:
        at = names.index(name)
        fields = operand.expr.struct
        if name == "*" or (name.startswith("^") and name.endswith("$")):  # Polars would read the name as a pattern
            fields, name = fields.rename_fields([str(number) for number in range(len(names))]).struct, str(at)
        return Value(node, fields.field(name), instance(operand.dtype.fields[at].dtype))
    hint = did_you_mean(name, names)
    raise Fault(TQLNameError, f"unknown key {name!r}", name_node.span, hint)


def is_map(dtype: DataType) -> bool:
    """Return whether values are lists of pairs of a text and a value, which is how Arrow's maps are read."""
    struct = inner(dtype) if is_nested(dtype) else None
    if not isinstance(struct, pl.Struct) or [each.name for each in struct.fields] != ["key", "value"]:
        return False
    return is_text(instance(struct.fields[0].dtype))


def _key_of_each(node: Node, operand: Value, name: str, name_node: Node) -> Value:
    """`operand['name']` for a list of structs: a field of each; for a map: the value of a key."""
    lists, struct = as_list(operand.row_expr, operand.row_dtype), inner(operand.row_dtype)
    assert isinstance(struct, pl.Struct)
    if is_map(operand.row_dtype) and name not in ("key", "value"):
        fields = pl.element().struct
        found = fields.field("value").filter(fields.field("key").cast(pl.String) == name)
        return Value(node, lists.list.eval(found).list.first(), instance(struct.fields[1].dtype))
    each = key(node, Value(operand.node, pl.element(), struct), name, name_node)
    return Value(node, lists.list.eval(each.expr), pl.List(each.dtype))
