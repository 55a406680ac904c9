"""Compile comparisons, `== != < <= > >=`, of numbers, text and dates to Polars.

`elementwise` applies them to lists; `membership` builds tests on them.
"""

from __future__ import annotations

import datetime as dt
import math
import sys
from dataclasses import replace
from fractions import Fraction
from typing import Literal, TypeAlias, TypeVar
from zoneinfo import ZoneInfo

import numpy as np
import polars as pl

from tql_frames.compiler.expressions import exact, json_text, moments
from tql_frames.compiler.expressions.elementwise import element, lift, rows
from tql_frames.compiler.expressions.exact import NO_BOOL, relate
from tql_frames.compiler.expressions.types import (
    ELEMENT,
    Constant,
    DataType,
    Value,
    describe,
    innermost,
    is_bool,
    is_null,
    is_number,
    is_temporal,
    is_text,
)
from tql_frames.errors import Fault, TQLTypeError
from tql_frames.language.nodes import Node, written

TimeUnit: TypeAlias = Literal["ms", "us", "ns"]
Stamp = TypeVar("Stamp", dt.time, dt.datetime)

_MIRROR = {"<": ">", "<=": ">=", ">": "<", ">=": "<="}


def compare(operator: str, node: Node, left: Value, right: Value) -> pl.Expr:
    """`left operator right` on scalars: null where either is null; NaN is unequal to all, neither less nor greater.

    Raises:
        Fault: the types do not compare, with the span of `node`; or a text is not a date, with the span of the text.
    """
    if any(is_null(each.dtype) or (each.constant and each.constant.value is None) for each in (left, right)):
        return unknown(left, right)
    a, b = left.dtype, right.dtype
    if all(is_number(dtype) or is_bool(dtype) for dtype in (a, b)):
        return _compare_numbers(operator, left, right)
    if is_text(a) and is_text(b):
        return _compare_text(operator, left, right)
    if is_temporal(a) or is_temporal(b):
        return _compare_temporal(operator, node, left, right)
    raise _cannot_compare(node, left, right)


def comparison(operator: str, node: Node, left: Value, right: Value) -> Value:
    """`left operator right`, elementwise if one is a list."""
    if left.json is not None or right.json is not None:
        return _compare_json(operator, node, left, right)
    left, right = _beside(left, right), _beside(right, left)

    def rule(a: Value, b: Value) -> Value:
        return Value(node, compare(operator, node, a, b), pl.Boolean())

    def across(a: Value, b: Value) -> tuple[pl.Expr, pl.Expr]:
        if a.dtype.is_float() or b.dtype.is_float():
            zero = Value(node, pl.lit(0.0), pl.Float64(), Constant(0.0))
            difference = (_finite(a) - _finite(b)) + (_infinite(a) - _infinite(b))
            return difference, compare(operator, node, Value(node, pl.element(), pl.Float64()), zero)
        difference = _difference(a, b)
        return difference, relate(operator, pl.element(), pl.lit(0, dtype=pl.Int128))

    return lift(rule, node, left, right, across=across)


def _difference(a: Value, b: Value) -> pl.Expr:
    """Return lists of Int128 with the sign of the exact difference of the elements."""
    pairs = exact.order_keys(_as_integer(element(a)), _as_integer(element(b)))
    if any(abs(bound) > 2**126 for pair in pairs for key in pair for bound in key.bounds):
        # The difference of two halves fits.
        halves = [[exact.split(key, 2) for key in pair] for pair in pairs]
        pairs = [(x[part], y[part]) for x, y in halves for part in (0, 1)]
    total: pl.Expr | None = None
    for first, second in pairs:
        lists = [
            rows(replace(each, expr=key.expr.cast(pl.Int128), dtype=pl.Int128()), pl.Int128())
            for each, key in ((a, first), (b, second))
        ]
        difference = lists[0] - lists[1]
        if len(pairs) > 1:
            sign = pl.element().clip(-1, 1)
            difference = difference.list.eval(sign)
        total = difference if total is None else total.list.eval(pl.element() * 2) + difference
    assert total is not None
    return total


def _as_integer(value: Value) -> Value:
    if is_null(value.dtype) or is_bool(value.dtype):
        return replace(value, expr=value.expr.cast(pl.Int64), dtype=pl.Int64(), constant=None)
    return value


def _compare_json(operator: str, node: Node, left: Value, right: Value) -> Value:
    """Return a comparison with a JSON value: null where the two sides are of different kinds."""
    for value, other, way in ((left, right, operator), (right, left, _MIRROR.get(operator, operator))):
        plain = is_number(other.dtype) or is_bool(other.dtype) or isinstance(other.dtype, pl.String)
        if value.json is not None and other.constant is not None and plain and other.constant.value is not None:
            return json_text.compared(way, node, value, other.constant.value)
    pairs = json_text.readings(left, right)
    found = [comparison(operator, node, *pair) for pair in pairs]
    if len(found) == 1:
        return found[0]
    if all(each.base is None for each in found):
        return Value(node, pl.coalesce([each.expr for each in found]), pl.Boolean())
    # One side is a list: each row takes the reading that is not null.
    lists = found[-1].row_expr
    for each, pair in zip(found[:-1], pairs, strict=False):
        scalar = pair[0] if left.json is not None else pair[1]
        lists = pl.when(scalar.expr.is_not_null()).then(each.row_expr).otherwise(lists)
    return Value(node, ELEMENT, pl.Boolean(), base=lists, base_key=object(), size=found[0].size)


def _finite(value: Value) -> pl.Expr:
    # The difference of two infinities is NaN, so the largest floats replace them.
    largest = sys.float_info.max
    return rows(
        replace(value, expr=value.expr.cast(pl.Float64).clip(-largest, largest), dtype=pl.Float64()), pl.Float64()
    )


def _infinite(value: Value) -> pl.Expr:
    """Return 1 and -1 for the infinities, which are beyond the largest floats."""
    expr = value.expr.cast(pl.Float64)
    sign = (expr == math.inf).cast(pl.Float64) - (expr == -math.inf).cast(pl.Float64)
    return rows(replace(value, expr=sign, dtype=pl.Float64()), pl.Float64())


def _beside(value: Value, other: Value) -> Value:
    """Convert a list of constants to the type of the value that it is compared with, like a single constant."""
    dtype = innermost(other.row_dtype)
    parts = value.parts
    if not parts or any(part.constant is None for part in parts) or not is_number(innermost(value.row_dtype)):
        return value
    if isinstance(dtype, pl.Float32):
        parts = tuple(replace(part, constant=Constant(_single(part))) for part in parts)
        numbers = pl.Series([part.constant.value for part in parts if part.constant], dtype=pl.Float64)
    elif is_number(dtype) and not dtype.is_float() and value.dtype == pl.List(pl.Float64):
        decimals = [exact.as_written(part) if part.constant.value is not None else part for part in parts]  # type: ignore[union-attr]
        scales = [part.dtype.scale for part in decimals if isinstance(part.dtype, pl.Decimal)]
        if len(scales) < sum(part.constant.value is not None for part in parts):  # type: ignore[union-attr]
            return value
        given = [None if part.constant.value is None else written(part.constant.value) for part in parts]  # type: ignore[union-attr, arg-type]
        numbers = pl.Series(given, dtype=pl.Decimal(exact.MOST_DIGITS, max(scales, default=0)))
        parts = None
    else:
        return value
    return replace(value, expr=pl.lit(numbers).implode(), dtype=pl.List(numbers.dtype), parts=parts)


def _single(value: Value) -> float | int | str | bool | None:
    """Return a constant rounded to Float32; unchanged if the result would be 0 or infinite."""
    number = value.constant.value if value.constant is not None else None
    if not isinstance(number, (int, float)):
        return number
    with np.errstate(over="ignore"):
        single = float(np.float32(number))
    return single if math.isfinite(single) and (single or not number) else number


def unknown(*values: Value) -> pl.Expr:
    """Return null, once per element if a value is elementwise."""
    for value in values:
        if value.base is not None:
            return pl.when(value.expr.is_null()).then(NO_BOOL).otherwise(NO_BOOL)
    return NO_BOOL


def _cannot_compare(node: Node, left: Value, right: Value, hint: str | None = None) -> Fault:
    return Fault(TQLTypeError, f"cannot compare {describe(left.dtype)} with {describe(right.dtype)}", node.span, hint)


def _compare_numbers(operator: str, left: Value, right: Value) -> pl.Expr:
    for value, other in ((left, right), (right, left)):
        number = other.constant.value if other.constant is not None and value.constant is None else None
        if isinstance(number, (int, float)) and number == number:  # noqa: PLR0124 - not NaN
            if isinstance(value.dtype, pl.Float32):
                number = _single(other)
                left, right = (
                    replace(each, expr=pl.lit(number, dtype=pl.Float64)) if each is other else each
                    for each in (left, right)
                )
            elif not (value.dtype.is_float() or is_bool(value.dtype)):
                mirrored = operator if value is left else _MIRROR.get(operator, operator)
                return exact.against(mirrored, value, number)
    if not (left.dtype.is_float() or right.dtype.is_float()):
        first, second = (_as_integer(each) for each in (left, right))
        if first.dtype == second.dtype and first.dtype.is_integer():
            return relate(operator, first.expr, second.expr)
        return exact.compare(operator, exact.order_keys(first, second))
    a, b = left.expr.cast(pl.Float64), right.expr.cast(pl.Float64)
    found = relate(operator, a, b)
    # Polars orders NaN as the largest number, equal to itself. A guard is needed only if the side that this favours
    # may hold NaN; a constant is never NaN.
    favoured, guard, other = (right, b, left) if operator in ("<", "<=") else (left, a, right)
    if favoured.constant is not None or not favoured.dtype.is_float():
        return found
    nan = guard.is_nan() if other.constant is not None else guard.is_nan() & other.expr.is_not_null()
    return found | nan if operator == "!=" else found & ~nan


def _compare_text(operator: str, left: Value, right: Value) -> pl.Expr:
    if operator in ("==", "!="):
        for column, constant in ((left, right), (right, left)):
            if constant.constant is not None and not isinstance(column.dtype, pl.String) and column.base is None:
                # The category is looked up once, without converting the column to text; not inside lists (Polars 1).
                word = str(constant.constant.value)
                if not isinstance(column.dtype, pl.Enum):
                    return relate(operator, column.expr, pl.lit(word))
                if word in column.dtype.categories:
                    return relate(operator, column.expr, pl.lit(word, dtype=column.dtype))
                return column.expr.is_null() & NO_BOOL if operator == "==" else column.expr.is_not_null() | NO_BOOL
    return relate(operator, as_text(left), as_text(right))


def as_text(value: Value) -> pl.Expr:
    """Return a text value as String, also if it is stored as categories."""
    return value.expr if isinstance(value.dtype, pl.String) else value.expr.cast(pl.String)


def _compare_temporal(operator: str, node: Node, left: Value, right: Value) -> pl.Expr:
    for moment, text in ((left, right), (right, left)):
        if is_temporal(moment.dtype) and text.constant is not None and isinstance(text.dtype, pl.String):
            mirrored = operator if moment is left else _MIRROR.get(operator, operator)
            return _compare_with_text(mirrored, node, moment, text)
    if not (is_temporal(left.dtype) and is_temporal(right.dtype)):
        text_column = is_text(left.dtype) or is_text(right.dtype)
        raise _cannot_compare(
            node, left, right, "dates compare with ISO text, such as '2024-05-01'" if text_column else None
        )
    a, b = left.dtype, right.dtype
    days = (pl.Date, pl.Datetime)
    if isinstance(a, days) and isinstance(b, days):
        if (moments.zone_of(a) is None) != (moments.zone_of(b) is None):
            raise Fault(TQLTypeError, "cannot compare a time that has a zone with one that has none", node.span)
    elif type(a) is not type(b):
        raise _cannot_compare(node, left, right)
    if a == b:
        return relate(operator, left.expr, right.expr)
    units = (moments.nanoseconds_of(a), moments.nanoseconds_of(b))
    return moments.across_units(operator, moments.counted(left.expr), moments.counted(right.expr), *units)


def _unit(dtype: DataType) -> TimeUnit | None:
    return dtype.time_unit if isinstance(dtype, (pl.Datetime, pl.Duration)) else None


def _compare_with_text(operator: str, node: Node, moment: Value, text: Value) -> pl.Expr:
    """Return a date, time or duration column compared with a text."""
    assert text.constant is not None
    word, dtype = str(text.constant.value), moment.dtype
    unit = moments.nanoseconds_of(dtype)
    if isinstance(dtype, pl.Duration):
        span = moments.duration(word)
        if span is None:
            message = f"expected a duration, such as 'PT1H30M' or '01:30:00', got {word[:40]!r}"
            raise Fault(TQLTypeError, message, text.node.span)
        return moments.with_constant(operator, moments.counted(moment.expr), unit, span)
    fine = moments.NANOSECONDS.search(word)
    if fine is None:
        return relate(operator, *_with_iso_text(node, moment, text))
    coarse = replace(text, constant=Constant(word[: fine.start(1)] + word[fine.end(1) :]))
    _, stamp = _with_iso_text(node, moment, coarse)
    known = pl.select(stamp).to_series()
    nanoseconds = moments.nanoseconds_of(known.dtype) * known.to_physical()[0] + int(fine[1].ljust(3, "0"))
    return moments.with_constant(operator, moments.counted(moment.expr), unit, Fraction(nanoseconds))


def _with_iso_text(node: Node, moment: Value, text: Value) -> tuple[pl.Expr, pl.Expr]:
    """Return a date or time column and the ISO text it is compared with, in one type."""
    assert text.constant is not None
    word, dtype = str(text.constant.value), moment.dtype
    if isinstance(dtype, pl.Time):
        time = _from_iso(dt.time, word, text, "a time of day, such as '13:30'")
        if time.tzinfo is not None:
            raise Fault(TQLTypeError, "cannot compare a time of day with one that has a zone", node.span)
        return moment.expr, pl.lit(time)
    stamp = _from_iso(dt.datetime, word, text, "an ISO date, such as '2024-05-01'")
    zone = moments.zone_of(dtype)
    if isinstance(dtype, pl.Date):
        if stamp.tzinfo is not None:
            raise Fault(TQLTypeError, "cannot compare a date with a time that has a zone", node.span)
        if stamp.time() == dt.time():
            return moment.expr, pl.lit(stamp.date())
        return moment.expr.cast(pl.Datetime("us")), pl.lit(stamp, dtype=pl.Datetime("us"))
    if zone is None and stamp.tzinfo is not None:
        raise Fault(TQLTypeError, "cannot compare a time that has no zone with one that has", node.span)
    expr = moment.expr
    if zone is not None:
        aware = stamp if stamp.tzinfo is not None else stamp.replace(tzinfo=ZoneInfo(zone))
        try:
            stamp = aware.astimezone(dt.UTC).replace(tzinfo=None)
        except OverflowError:
            message = f"{word[:40]!r} is outside the years 1 to 9999 in UTC"
            raise Fault(TQLTypeError, message, text.node.span) from None
        expr = expr.dt.convert_time_zone("UTC").dt.replace_time_zone(None)
    # Polars would compare in the coarser of two units, so both are converted to a type that holds them.
    unit = _unit(dtype)
    if unit == "ns" and 1678 <= stamp.year <= 2261:
        return expr, pl.lit(stamp, dtype=pl.Datetime("ns"))
    return expr.cast(pl.Datetime("us")), pl.lit(stamp, dtype=pl.Datetime("us"))


def _from_iso(kind: type[Stamp], word: str, text: Value, wanted: str) -> Stamp:
    if moments.TOO_FINE.search(word):  # Python would truncate it
        raise Fault(TQLTypeError, "a time has at most 9 digits after its seconds", text.node.span)
    try:
        return kind.fromisoformat(word)
    except ValueError:
        raise Fault(TQLTypeError, f"expected {wanted}, got {word[:40]!r}", text.node.span) from None
